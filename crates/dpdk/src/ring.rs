//! A link within the process: two ports joined by rings of pointers (driver net_ring).
//!
//! A frame passes without being copied; the receiver frees the sender's buffer to the pool that it
//! came from. It is the cheapest link there is, and needs neither root nor huge pages.

use std::ffi::CString;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use dpdk_sys as sys;

use crate::mbuf_ring::Ring;
use crate::port::{Backing, Device};
use crate::{Eal, Error, Mempool, Port, log};

/// What a ring link is to be.
#[derive(Debug, Clone, Copy)]
pub struct RingArgs {
    /// Queues of each port, each way; frames sent to queue i of one port arrive on queue i of the other.
    pub queues: u16,
    /// Frames that each ring holds; rounded up to a power of two, less one.
    pub capacity: u32,
    /// NUMA node of the rings, or `None` for any.
    pub socket: Option<u32>,
}

impl Default for RingArgs {
    fn default() -> Self {
        Self {
            queues: 1,
            capacity: 1023,
            socket: None,
        }
    }
}

/// The most queues that a port of net_ring has (`RTE_PMD_RING_MAX_RX_RINGS`).
const MAX_QUEUES: u16 = 16;

/// What joins the two ports. Dropped after both: first the rings with the frames left in them, then the
/// pools that these belong to.
#[derive(Debug)]
struct Pair {
    there: Vec<Ring>,
    back: Vec<Ring>,
    pools: Mutex<Vec<Mempool>>,
}

impl Backing for Pair {
    fn adopt(&self, pools: Vec<Mempool>) {
        let mut mine = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        mine.extend(pools);
    }
}

/// Makes two ports, each receiving what the other sends.
///
/// # Errors
/// [`Error::BadArgument`] for impossible numbers, or what DPDK says.
pub fn pair(eal: &Eal, args: &RingArgs) -> Result<(Port, Port), Error> {
    if args.queues == 0 || args.queues > MAX_QUEUES {
        return Err(Error::BadArgument(format!(
            "a ring link has 1 to {MAX_QUEUES} queues, not {}",
            args.queues
        )));
    }
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let rings = |way: &str| -> Result<Vec<Ring>, Error> {
        (0..args.queues)
            .map(|queue| {
                let name = format!("link{number}{way}{queue}");
                Ring::new(eal, &name, args.capacity, args.socket)
            })
            .collect()
    };
    let pair = Arc::new(Pair {
        there: rings("a")?,
        back: rings("b")?,
        pools: Mutex::new(Vec::new()),
    });
    let numa = args.socket.unwrap_or(0);
    let a = port(
        eal,
        &format!("{number}a"),
        &pair,
        &pair.back,
        &pair.there,
        numa,
    )?;
    let b = port(
        eal,
        &format!("{number}b"),
        &pair,
        &pair.there,
        &pair.back,
        numa,
    )?;
    Ok((a, b))
}

fn port(
    eal: &Eal,
    name: &str,
    pair: &Arc<Pair>,
    rx: &[Ring],
    tx: &[Ring],
    numa: u32,
) -> Result<Port, Error> {
    let raw = |rings: &[Ring]| -> Vec<_> { rings.iter().map(Ring::as_ptr).collect() };
    let (rx, tx) = (raw(rx), raw(tx));
    let c_name =
        CString::new(name).map_err(|_| Error::BadArgument("the name contains NUL".into()))?;
    let lock = eal.lock_ports();
    let ((id, errno), log) = log::watch(|| {
        // SAFETY: the rings exist and outlive the port, which holds a reference to them; DPDK copies
        // the arrays and the name.
        let id = unsafe {
            sys::rte_eth_from_rings(
                c_name.as_ptr(),
                rx.as_ptr(),
                rx.len() as u32,
                tx.as_ptr(),
                tx.len() as u32,
                numa,
            )
        };
        // SAFETY: reads a thread-local variable.
        (id, unsafe { sys::shim_errno() })
    });
    let Ok(id) = u16::try_from(id) else {
        return Err(Error::Dpdk {
            call: "rte_eth_from_rings",
            errno,
            log,
        });
    };
    let device = Device::claim(
        eal,
        id,
        format!("net_ring_{name}"),
        Some(Arc::clone(pair) as Arc<dyn Backing>),
    )?;
    drop(lock);
    Port::new(device)
}
