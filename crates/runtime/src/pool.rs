//! A worker's packet buffers as the stack sees them.

use dpdk::{MbufCache, Mempool};
use stack::FramePool;

use crate::frame::MbufFrame;

/// A worker's stock of packet buffers. Taking one and giving one back is, most of the time, a move
/// within an array; DPDK is called for a batch.
///
/// A buffer that is taken has no offload flags, whatever it was received with before.
#[derive(Debug)]
pub struct MbufPool(MbufCache);

impl MbufPool {
    /// An empty stock for buffers of `pool`.
    #[must_use]
    pub fn new(pool: &Mempool) -> MbufPool {
        MbufPool(MbufCache::new(pool))
    }
}

impl FramePool for MbufPool {
    type Frame = MbufFrame;

    #[inline]
    fn alloc(&mut self, len: usize) -> Option<MbufFrame> {
        let mut mbuf = self.0.alloc()?;
        if mbuf.append(len).is_none() {
            self.0.free(mbuf);
            return None;
        }
        Some(MbufFrame(mbuf))
    }

    #[inline]
    fn free(&mut self, frame: MbufFrame) {
        self.0.free(frame.0);
    }
}
