//! A look at workers and ports from any thread, for those who show them to others.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use dpdk::{LinkState, Port, PortStats};

use crate::board::Board;

/// The ports of a control thread, and whoever looks at them.
#[derive(Clone, Debug)]
pub(crate) struct Ports(Arc<Mutex<Vec<Port>>>);

impl Ports {
    pub(crate) fn new(ports: Vec<Port>) -> Ports {
        Ports(Arc::new(Mutex::new(ports)))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Vec<Port>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads what workers publish and what devices count. It takes no part in anything: workers do not know
/// of it, and ports are closed when the control thread ends, whoever still has a monitor.
#[derive(Clone, Debug)]
pub struct Monitor {
    boards: Vec<Arc<Board>>,
    ports: Weak<Mutex<Vec<Port>>>,
}

/// A port at a moment.
#[derive(Clone, Debug)]
pub struct PortReport {
    /// The device.
    pub name: String,
    /// The counters that every driver has.
    pub stats: PortStats,
    /// The counters of this driver, by its own names.
    pub xstats: Vec<(String, u64)>,
    /// The link, if the driver tells.
    pub link: Option<LinkState>,
}

impl Monitor {
    pub(crate) fn new(boards: Vec<Arc<Board>>, ports: &Ports) -> Monitor {
        Monitor {
            boards,
            ports: Arc::downgrade(&ports.0),
        }
    }

    /// The workers' boards, in the order in which they were started.
    #[must_use]
    pub fn boards(&self) -> &[Arc<Board>] {
        &self.boards
    }

    /// The ports now; none once the control thread has ended. Some devices take a millisecond or more
    /// to answer, for which the control thread may have to wait.
    #[must_use]
    pub fn ports(&self) -> Vec<PortReport> {
        let Some(ports) = self.ports.upgrade().map(Ports) else {
            return Vec::new();
        };
        let ports = ports.lock();
        let report = |port: &Port| PortReport {
            name: port.name().to_owned(),
            // A driver without statistics has counted nothing.
            stats: port.stats().unwrap_or_default(),
            xstats: port.xstats().unwrap_or_default(),
            link: port.link().ok(),
        };
        ports.iter().map(report).collect()
    }
}
