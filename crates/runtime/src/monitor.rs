//! A look at workers and ports from any thread, for those who show them to others.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use dpdk::{LinkState, Port, PortStats};

use crate::board::Board;

/// The ports of a control thread, and whoever looks at them.
#[derive(Clone, Debug)]
pub(crate) struct Ports(Arc<Mutex<Watched>>);

impl Ports {
    pub(crate) fn new(ports: Vec<Port>) -> Ports {
        let links = ports.iter().map(|_| Watch::default()).collect();
        Ports(Arc::new(Mutex::new(Watched { ports, links })))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Watched> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ports, and what was seen of their links.
#[derive(Debug)]
pub(crate) struct Watched {
    pub(crate) ports: Vec<Port>,
    links: Vec<Watch>,
}

impl Watched {
    /// Looks how the links are, says which of them changed, and counts it. Devices are asked rather than
    /// having them interrupt: many of the virtual ones cannot.
    pub(crate) fn look(&mut self) {
        for (port, watch) in self.ports.iter().zip(&mut self.links) {
            match watch.see(port.link().ok()) {
                Some(true) => tracing::warn!("{}: the link is up again", port.name()),
                Some(false) => tracing::warn!("{}: the link is down", port.name()),
                None => {}
            }
        }
    }

    /// Whether no link is known to be down.
    pub(crate) fn all_up(&self) -> bool {
        let down = |watch: &Watch| watch.last.is_some_and(|link| !link.up);
        !self.links.iter().any(down)
    }

    /// Closes all ports.
    pub(crate) fn clear(&mut self) {
        self.ports.clear();
        self.links.clear();
    }
}

/// What was seen of a link.
#[derive(Clone, Copy, Default, Debug)]
struct Watch {
    /// `None` as long as the driver has told nothing.
    last: Option<LinkState>,
    changes: u64,
}

impl Watch {
    /// Whether the link has come up or gone down since the last look.
    fn see(&mut self, link: Option<LinkState>) -> Option<bool> {
        let now = link?;
        let before = self.last.replace(now)?;
        let changed = now.up != before.up;
        self.changes += u64::from(changed);
        changed.then_some(now.up)
    }
}

/// Reads what workers publish and what devices count. It takes no part in anything: workers do not know
/// of it, and ports are closed when the control thread ends, whoever still has a monitor.
#[derive(Clone, Debug)]
pub struct Monitor {
    boards: Vec<Arc<Board>>,
    ports: Weak<Mutex<Watched>>,
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
    /// How often the link was seen to go down or to come up.
    pub link_changes: u64,
    /// Buffers that are free in the pools that the device receives into.
    pub free_buffers: u64,
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
        let mut ports = ports.lock();
        ports.look();
        let report = |(port, watch): (&Port, &Watch)| PortReport {
            name: port.name().to_owned(),
            // A driver without statistics has counted nothing.
            stats: port.stats().unwrap_or_default(),
            xstats: port.xstats().unwrap_or_default(),
            link: watch.last,
            link_changes: watch.changes,
            free_buffers: port.free_buffers(),
        };
        ports.ports.iter().zip(&ports.links).map(report).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_that_flaps_is_counted_each_time() {
        let state = |up| LinkState {
            up,
            speed_mbps: None,
            full_duplex: true,
        };
        let mut watch = Watch::default();
        // How it is at first is no change, and neither is a driver that does not tell.
        for seen in [None, Some(state(true)), Some(state(true)), None] {
            assert_eq!(watch.see(seen), None);
        }
        assert_eq!(watch.see(Some(state(false))), Some(false));
        assert_eq!(watch.see(Some(state(false))), None);
        assert_eq!(watch.see(Some(state(true))), Some(true));
        assert_eq!(watch.changes, 2);
    }
}
