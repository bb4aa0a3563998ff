//! A link within the process: two ports joined by rings of pointers (driver net_ring).
//!
//! A frame passes without being copied; the receiver frees the sender's buffer to the pool that it
//! came from. It is the cheapest link there is, and needs neither root nor huge pages.

use std::ffi::{CString, c_void};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use dpdk_sys as sys;

use crate::port::{Backing, Device};
use crate::{Eal, Error, Mbuf, Mempool, Port, log};

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
/// The most frames that a ring is allowed here; DPDK's limit is higher.
const MAX_CAPACITY: u32 = 1 << 20;

/// One ring of frames, emptied when it goes.
#[derive(Debug)]
struct Ring {
    raw: NonNull<sys::rte_ring>,
    _eal: Eal,
}

// SAFETY: a ring is used by DPDK's drivers only, one producer and one consumer, and is freed by the
// last owner after both ports are closed.
unsafe impl Send for Ring {}
// SAFETY: as above.
unsafe impl Sync for Ring {}

impl Ring {
    fn new(eal: &Eal, name: &str, args: &RingArgs) -> Result<Self, Error> {
        let c_name = CString::new(name)
            .map_err(|_| Error::BadArgument("the name of a ring contains NUL".into()))?;
        let socket = args
            .socket
            .map_or(sys::SHIM_SOCKET_ID_ANY, |socket| socket as i32);
        // The handles of a queue are unique: one producer and one consumer.
        let flags = sys::RING_F_SP_ENQ | sys::RING_F_SC_DEQ;
        let size = (args.capacity + 1).next_power_of_two();
        let ((raw, errno), log) = log::watch(|| {
            // SAFETY: EAL is initialised and the name is a C string, which DPDK copies.
            let raw = unsafe { sys::rte_ring_create(c_name.as_ptr(), size, socket, flags) };
            // SAFETY: reads a thread-local variable.
            (raw, unsafe { sys::shim_errno() })
        });
        match NonNull::new(raw) {
            Some(raw) => Ok(Self {
                raw,
                _eal: eal.clone(),
            }),
            None => Err(Error::Dpdk {
                call: "rte_ring_create",
                errno,
                log,
            }),
        }
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        let mut objects = [std::ptr::null_mut::<c_void>(); 32];
        loop {
            // SAFETY: the ring exists, and both ports are closed, so nobody else takes from it.
            let n = unsafe {
                sys::shim_ring_dequeue_burst(
                    self.raw.as_ptr(),
                    objects.as_mut_ptr(),
                    objects.len() as u32,
                )
            };
            if n == 0 {
                break;
            }
            for object in objects.iter().take(n as usize) {
                if let Some(raw) = NonNull::new(object.cast()) {
                    // SAFETY: the sender gave the frame to the ring, and nobody else has taken it.
                    drop(unsafe { Mbuf::from_raw(raw) });
                }
            }
        }
        // SAFETY: nobody uses the ring any more.
        unsafe { sys::rte_ring_free(self.raw.as_ptr()) };
    }
}

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
    if args.capacity == 0 || args.capacity > MAX_CAPACITY {
        return Err(Error::BadArgument(format!(
            "a ring holds 1 to {MAX_CAPACITY} frames, not {}",
            args.capacity
        )));
    }
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let rings = |way: &str| -> Result<Vec<Ring>, Error> {
        (0..args.queues)
            .map(|queue| Ring::new(eal, &format!("link{number}{way}{queue}"), args))
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
    let raw = |rings: &[Ring]| -> Vec<_> { rings.iter().map(|ring| ring.raw.as_ptr()).collect() };
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
