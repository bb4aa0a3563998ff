//! Pools of packet buffers.

use std::ffi::CString;
use std::ptr::NonNull;
use std::sync::Arc;

use dpdk_sys as sys;

use crate::mbuf::HEADROOM;
use crate::{Eal, Error, log};

/// The largest cache that DPDK gives a thread (`RTE_MEMPOOL_CACHE_MAX_SIZE`).
const MAX_CACHE: u32 = 512;

/// What a pool is to be.
#[derive(Debug, Clone)]
pub struct MempoolArgs {
    /// Its name, at most 25 characters, unique in the process.
    pub name: String,
    /// Number of buffers; 2^q - 1 wastes no memory.
    pub n: u32,
    /// Buffers that each thread keeps for itself: at most 512, and at most two thirds of `n`.
    pub cache: u32,
    /// Octets of frame that a buffer holds; [`HEADROOM`] octets come in addition.
    pub frame_room: u16,
    /// NUMA node, or `None` for any.
    pub socket: Option<u32>,
}

impl Default for MempoolArgs {
    fn default() -> Self {
        Self {
            name: "frames".into(),
            n: 8191,
            cache: 256,
            frame_room: 2048,
            socket: None,
        }
    }
}

/// A pool of packet buffers. Clones are handles to the same one.
///
/// Freed with the last handle if all its buffers are back; otherwise it stays, since someone still
/// has them, until the process ends.
#[derive(Debug, Clone)]
pub struct Mempool(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    raw: NonNull<sys::rte_mempool>,
    n: u32,
    frame_room: u16,
    eal: Eal,
}

// SAFETY: rte_mempool is made to be used by many threads at once; a thread's cache is found by its
// lcore id, and unregistered threads use none.
unsafe impl Send for Inner {}
// SAFETY: as above.
unsafe impl Sync for Inner {}

impl Mempool {
    /// Makes a pool.
    ///
    /// # Errors
    /// [`Error::NoMbufs`] when memory does not suffice, [`Error::BadArgument`] when the name is
    /// taken, too long or contains NUL, or there are no buffers in it.
    pub fn new(eal: &Eal, args: &MempoolArgs) -> Result<Self, Error> {
        let name = CString::new(args.name.as_str())
            .map_err(|_| Error::BadArgument("the name of a pool contains NUL".into()))?;
        if args.n == 0 {
            return Err(Error::BadArgument(format!(
                "the pool `{}` would have no buffers",
                args.name
            )));
        }
        let data_room = args.frame_room.checked_add(HEADROOM).ok_or_else(|| {
            Error::BadArgument(format!(
                "a buffer cannot hold {} octets of frame",
                args.frame_room
            ))
        })?;
        // DPDK refuses a cache whose flush threshold (1.5 times its size) exceeds the pool.
        let cache = args
            .cache
            .min(MAX_CACHE)
            .min((u64::from(args.n) * 2 / 3) as u32);
        let socket = args
            .socket
            .map_or(sys::SHIM_SOCKET_ID_ANY, |socket| socket as i32);
        let ((raw, errno), log) = log::watch(|| {
            // SAFETY: EAL is initialised and `name` is a C string, which DPDK copies.
            let raw = unsafe {
                sys::rte_pktmbuf_pool_create(name.as_ptr(), args.n, cache, 0, data_room, socket)
            };
            // SAFETY: reads a thread-local variable.
            (raw, unsafe { sys::shim_errno() })
        });
        let raw = NonNull::new(raw).ok_or_else(|| match errno {
            libc::EEXIST => Error::BadArgument(format!("there is a pool `{}` already", args.name)),
            libc::ENAMETOOLONG => {
                Error::BadArgument(format!("the name of the pool `{}` is too long", args.name))
            }
            _ => Error::NoMbufs {
                pool: args.name.clone(),
                n: args.n,
                mb: (u64::from(args.n) * (u64::from(data_room) + 192)) >> 20,
                log,
            },
        })?;
        Ok(Self(Arc::new(Inner {
            raw,
            n: args.n,
            frame_room: args.frame_room,
            eal: eal.clone(),
        })))
    }

    /// Number of buffers in all.
    #[must_use]
    pub fn size(&self) -> u32 {
        self.0.n
    }

    /// Buffers that nobody has, those in threads' caches included. Exact only while nobody takes or
    /// returns any; walks over all caches, so not for the data path.
    #[must_use]
    pub fn available(&self) -> u32 {
        self.0.available()
    }

    /// Octets of frame that a buffer holds behind the [`HEADROOM`].
    #[must_use]
    pub fn frame_room(&self) -> u16 {
        self.0.frame_room
    }

    #[inline]
    pub(crate) fn as_ptr(&self) -> *mut sys::rte_mempool {
        self.0.raw.as_ptr()
    }
}

impl Inner {
    fn available(&self) -> u32 {
        // SAFETY: the pool exists.
        unsafe { sys::rte_mempool_avail_count(self.raw.as_ptr()) }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let out = self.n.saturating_sub(self.available());
        if out == 0 {
            // SAFETY: no handle is left and every buffer is back, so nothing points into the pool.
            unsafe { sys::rte_mempool_free(self.raw.as_ptr()) };
        } else {
            tracing::debug!("{out} packet buffers outlive their pool, which therefore stays");
            self.eal.keep_forever();
        }
    }
}
