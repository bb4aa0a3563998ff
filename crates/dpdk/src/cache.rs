//! A worker's own stock of free buffers.

use std::fmt;
use std::ptr::NonNull;

use dpdk_sys as sys;

use crate::{HEADROOM, Mbuf, Mempool};

/// Buffers moved between the stock and the pool at once.
const BATCH: usize = 32;
/// The most that the stock holds.
const STOCK: usize = 4 * BATCH;

/// A stock of free buffers for one worker: most of the time, taking and returning a buffer is a move
/// within an array, and a pool is called for a batch.
///
/// A returned buffer is the next to be taken, while it is still in the CPU's cache, whichever pool it is
/// from: on a link in memory, what one side receives comes out of the other side's pool, and going back
/// through that pool would touch all its memory in turn. At most 128 buffers of other pools are kept so;
/// [`flush`](Self::flush) returns them.
pub struct MbufCache {
    pool: Mempool,
    /// Octets of the buffers of `pool`.
    buf_len: u16,
    /// Direct buffers of one segment and of that size.
    stock: Vec<NonNull<sys::rte_mbuf>>,
    /// Chains, and what else cannot be used again at once.
    others: Vec<NonNull<sys::rte_mbuf>>,
}

// SAFETY: these buffers have no other owner, and pools accept buffers from any thread.
unsafe impl Send for MbufCache {}

impl MbufCache {
    /// An empty stock for buffers of `pool`.
    #[must_use]
    pub fn new(pool: &Mempool) -> Self {
        Self {
            pool: pool.clone(),
            buf_len: pool.frame_room() + HEADROOM,
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
        if mbuf.is_plain(self.buf_len) {
            if self.stock.len() == STOCK {
                free_oldest(&mut self.stock, BATCH);
            }
            self.stock.push(mbuf.into_raw());
        } else {
            self.others.push(mbuf.into_raw());
            if self.others.len() == BATCH {
                free_oldest(&mut self.others, BATCH);
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
        free_oldest(&mut self.stock, STOCK);
        free_oldest(&mut self.others, BATCH);
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
}

/// Returns the `n` mbufs that have been there for longest, or all if they are fewer, to their pools.
#[cold]
fn free_oldest(mbufs: &mut Vec<NonNull<sys::rte_mbuf>>, n: usize) {
    let n = n.min(mbufs.len());
    // SAFETY: these `n` are owned by the array alone, and leave it right after.
    unsafe { sys::rte_pktmbuf_free_bulk(mbufs.as_mut_ptr().cast(), n as u32) };
    mbufs.drain(..n);
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
