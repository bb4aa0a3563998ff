//! A bounded ring by which one thread hands packet buffers over to another (rte_ring, one producer and
//! one consumer).
//!
//! What moves is ownership: nothing is copied, and the receiver frees to the pool that a buffer came from.

use std::cell::Cell;
use std::ffi::{CString, c_void};
use std::marker::PhantomData;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use dpdk_sys as sys;

use crate::{Eal, Error, Mbuf, Mempool, log};

/// The most frames that a ring is allowed here; DPDK's limit is higher.
const MAX_CAPACITY: u32 = 1 << 20;

/// The end at which buffers are put in. Send, but not Sync: one thread at a time.
#[derive(Debug)]
pub struct MbufSender(Arc<Shared>, PhantomData<Cell<()>>);

/// The end at which buffers are taken out. Send, but not Sync: one thread at a time.
#[derive(Debug)]
pub struct MbufReceiver(Arc<Shared>, PhantomData<Cell<()>>);

/// In this order: first the ring with what is left in it, then the pools that this belongs to.
#[derive(Debug)]
struct Shared {
    ring: Ring,
    _pools: Vec<Mempool>,
}

/// Makes a ring for `capacity` buffers at least (rounded up to a power of two, less one) on the NUMA node
/// `socket`. Those left in it at the end go back to their pools, which `pools` keeps.
///
/// # Errors
/// [`Error::BadArgument`] for a capacity of 0 or above 2^20, or what DPDK says.
pub fn mbuf_ring(
    eal: &Eal,
    capacity: u32,
    socket: Option<u32>,
    pools: Vec<Mempool>,
) -> Result<(MbufSender, MbufReceiver), Error> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let name = format!("mbufs{}", NUMBER.fetch_add(1, Ordering::Relaxed));
    let shared = Arc::new(Shared {
        ring: Ring::new(eal, &name, capacity, socket)?,
        _pools: pools,
    });
    Ok((
        MbufSender(Arc::clone(&shared), PhantomData),
        MbufReceiver(shared, PhantomData),
    ))
}

impl MbufSender {
    /// Puts in buffers from the front of `mbufs`, as many as there is room for, and returns how many;
    /// the others stay, in order, at the front.
    #[inline]
    pub fn send(&mut self, mbufs: &mut Vec<Mbuf>) -> usize {
        let len = mbufs.len();
        let offer = u32::try_from(len).unwrap_or(u32::MAX);
        // Ownership of what is offered passes to the ring, and back for what it does not take.
        // SAFETY: shortening; the elements stay initialised.
        unsafe { mbufs.set_len(0) };
        let all = mbufs.as_mut_ptr();
        // SAFETY: the ring exists, this handle is its only producer, and it reads at most `offer`
        // pointers, and `Mbuf` is a transparent pointer.
        let taken =
            unsafe { sys::shim_ring_enqueue_burst(self.0.ring.as_ptr(), all.cast(), offer) };
        let taken = taken as usize;
        let left = len - taken;
        if taken > 0 && left > 0 {
            // SAFETY: both ranges are within the first `len` elements.
            unsafe { std::ptr::copy(all.add(taken), all, left) };
        }
        // SAFETY: the first `left` elements are those that were not taken.
        unsafe { mbufs.set_len(left) };
        taken
    }
}

impl MbufReceiver {
    /// Appends what has been put in to `mbufs`, as many as it has spare capacity for, and returns how
    /// many. Never grows the vector.
    #[inline]
    pub fn receive(&mut self, mbufs: &mut Vec<Mbuf>) -> usize {
        let spare = mbufs.spare_capacity_mut();
        let room = u32::try_from(spare.len()).unwrap_or(u32::MAX);
        // SAFETY: the ring exists, this handle is its only consumer, and it writes at most `room`
        // pointers; `Mbuf` is a transparent pointer.
        let n = unsafe {
            sys::shim_ring_dequeue_burst(self.0.ring.as_ptr(), spare.as_mut_ptr().cast(), room)
        };
        let n = n as usize;
        // SAFETY: `n` pointers were written to mbufs that the sender gave up.
        unsafe { mbufs.set_len(mbufs.len() + n) };
        n
    }
}

/// One ring of frames, emptied when it goes.
#[derive(Debug)]
pub(crate) struct Ring {
    raw: NonNull<sys::rte_ring>,
    _eal: Eal,
}

// SAFETY: a ring has one producer and one consumer, either the drivers of two ports or an `MbufSender`
// and an `MbufReceiver`, and is freed by its last owner when both have gone.
unsafe impl Send for Ring {}
// SAFETY: as above.
unsafe impl Sync for Ring {}

impl Ring {
    /// A ring for `capacity` frames at least, on the NUMA node `socket`.
    pub(crate) fn new(
        eal: &Eal,
        name: &str,
        capacity: u32,
        socket: Option<u32>,
    ) -> Result<Self, Error> {
        if capacity == 0 || capacity > MAX_CAPACITY {
            return Err(Error::BadArgument(format!(
                "a ring holds 1 to {MAX_CAPACITY} frames, not {capacity}"
            )));
        }
        let c_name = CString::new(name)
            .map_err(|_| Error::BadArgument("the name of a ring contains NUL".into()))?;
        let socket = socket.map_or(sys::SHIM_SOCKET_ID_ANY, |socket| socket as i32);
        // One producer and one consumer: their handles are unique.
        let flags = sys::RING_F_SP_ENQ | sys::RING_F_SC_DEQ;
        let size = (capacity + 1).next_power_of_two();
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

impl Ring {
    pub(crate) fn as_ptr(&self) -> *mut sys::rte_ring {
        self.raw.as_ptr()
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        let mut objects = [std::ptr::null_mut::<c_void>(); 32];
        loop {
            // SAFETY: the ring exists, and nobody else takes from it any more.
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
