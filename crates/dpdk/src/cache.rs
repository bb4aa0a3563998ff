//! A worker's own stock of free buffers.

use std::fmt;
use std::ptr::NonNull;

use dpdk_sys as sys;

use crate::{Mbuf, Mempool};

/// Buffers moved between the stock and the pool at once.
const BATCH: usize = 32;
/// The most that the stock holds.
const STOCK: usize = 4 * BATCH;

/// A stock of free buffers for one worker: most of the time, taking and returning a buffer is a move
/// within an array, and the pool is called for a batch.
///
/// A returned buffer that belongs to this pool is the next to be taken, while it is still in the CPU's
/// cache. Those of other pools, and chains, are returned to their pools a batch at a time: up to 31
/// wait here, until [`flush`](Self::flush).
pub struct MbufCache {
    pool: Mempool,
    /// Direct buffers of one segment of `pool`, as the pool gave them.
    stock: Vec<NonNull<sys::rte_mbuf>>,
    /// Frames to be freed otherwise.
    others: Vec<Mbuf>,
}

// SAFETY: the stock's buffers have no other owner, and pools accept buffers from any thread.
unsafe impl Send for MbufCache {}

impl MbufCache {
    /// An empty stock for buffers of `pool`.
    #[must_use]
    pub fn new(pool: &Mempool) -> Self {
        Self {
            pool: pool.clone(),
            stock: Vec::with_capacity(STOCK),
            others: Vec::with_capacity(BATCH),
        }
    }

    /// The pool that buffers come from.
    #[must_use]
    pub fn pool(&self) -> &Mempool {
        &self.pool
    }

    /// Takes an empty buffer with full headroom; `None` when the pool has none left.
    #[inline]
    pub fn alloc(&mut self) -> Option<Mbuf> {
        if self.stock.is_empty() {
            self.refill();
        }
        // SAFETY: what is in the stock is direct, of one segment, and owned by the stock alone.
        self.stock.pop().map(|raw| unsafe { Mbuf::from_pool(raw) })
    }

    /// Returns a buffer.
    #[inline]
    pub fn free(&mut self, mbuf: Mbuf) {
        if mbuf.is_plain_of(self.pool.as_ptr()) {
            if self.stock.len() == STOCK {
                self.spill(BATCH);
            }
            self.stock.push(mbuf.into_raw());
        } else {
            self.others.push(mbuf);
            if self.others.len() == BATCH {
                free_all(&mut self.others);
            }
        }
    }

    /// Returns all of `mbufs`, leaving it empty with its capacity.
    #[inline]
    pub fn free_all(&mut self, mbufs: &mut Vec<Mbuf>) {
        for mbuf in mbufs.drain(..) {
            self.free(mbuf);
        }
    }

    /// Gives everything back to the pools, as a worker does that has nothing to do.
    pub fn flush(&mut self) {
        self.spill(self.stock.len());
        free_all(&mut self.others);
    }

    #[cold]
    fn refill(&mut self) {
        // A nearly empty pool may still have a few.
        for want in [BATCH, 1] {
            // SAFETY: the pool exists and the stock, which is empty, has room for `want`.
            let ret = unsafe {
                sys::shim_mbuf_raw_alloc_bulk(
                    self.pool.as_ptr(),
                    self.stock.as_mut_ptr().cast(),
                    want as u32,
                )
            };
            if ret == 0 {
                // SAFETY: the pool wrote `want` pointers, none of them null.
                unsafe { self.stock.set_len(want) };
                return;
            }
        }
    }

    /// Returns the `n` buffers that have been in the stock for longest.
    #[cold]
    fn spill(&mut self, n: usize) {
        if n == 0 {
            return;
        }
        // SAFETY: the first `n` of the stock are plain buffers of this pool that we own; they leave
        // the stock right after.
        unsafe {
            sys::shim_mbuf_raw_free_bulk(
                self.pool.as_ptr(),
                self.stock.as_mut_ptr().cast(),
                n as u32,
            );
        }
        self.stock.drain(..n);
    }
}

/// Frees frames of any pools, in one call.
fn free_all(mbufs: &mut Vec<Mbuf>) {
    let n = mbufs.len();
    // Ownership passes to DPDK.
    // SAFETY: shortening; the elements stay initialised for the call below.
    unsafe { mbufs.set_len(0) };
    // SAFETY: `Mbuf` is a transparent pointer, and nobody else reaches these `n` any more.
    unsafe { sys::rte_pktmbuf_free_bulk(mbufs.as_mut_ptr().cast(), n as u32) };
}

impl Drop for MbufCache {
    fn drop(&mut self) {
        self.flush();
    }
}

impl fmt::Debug for MbufCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MbufCache")
            .field("stock", &self.stock.len())
            .field("others", &self.others.len())
            .finish_non_exhaustive()
    }
}
