//! The queues of a port, each with one user.

use std::cell::Cell;
use std::marker::PhantomData;
use std::sync::Arc;

use dpdk_sys as sys;

use crate::Mbuf;
use crate::port::Device;

/// A queue to receive from. Send, but not Sync: one thread at a time.
#[derive(Debug)]
pub struct RxQueue {
    port: u16,
    queue: u16,
    _device: Arc<Device>,
    _one_thread: PhantomData<Cell<()>>,
}

/// A queue to send to. Send, but not Sync: one thread at a time.
#[derive(Debug)]
pub struct TxQueue {
    port: u16,
    queue: u16,
    /// Whether the driver has to look at frames before they are sent.
    prepares: bool,
    /// Frames that it would not have.
    refused: u64,
    _device: Arc<Device>,
    _one_thread: PhantomData<Cell<()>>,
}

impl RxQueue {
    pub(crate) fn new(port: u16, queue: u16, device: Arc<Device>) -> Self {
        Self {
            port,
            queue,
            _device: device,
            _one_thread: PhantomData,
        }
    }

    /// The queue's number on its port.
    #[must_use]
    pub fn index(&self) -> u16 {
        self.queue
    }

    /// Appends the frames that have arrived to `frames`, as many as it has spare capacity for, and
    /// returns how many. Never grows the vector; some drivers deliver multiples of 4 or 8 only, so give
    /// it room for at least 32.
    #[inline]
    pub fn rx_burst(&mut self, frames: &mut Vec<Mbuf>) -> usize {
        let spare = frames.spare_capacity_mut();
        let room = spare.len().min(u16::MAX.into()) as u16;
        if room == 0 {
            return 0;
        }
        // SAFETY: the port is started and outlives this handle, which is the only one of the queue;
        // the driver writes at most `room` pointers, and `Mbuf` is a transparent pointer.
        let n =
            unsafe { sys::shim_rx_burst(self.port, self.queue, spare.as_mut_ptr().cast(), room) };
        let n = usize::from(n);
        // SAFETY: the driver wrote `n` non-null pointers to mbufs that are ours now.
        unsafe { frames.set_len(frames.len() + n) };
        n
    }
}

impl TxQueue {
    /// With `prepares`, what frames ask for is made ready by the driver: some put VLAN tags in that way.
    pub(crate) fn new(port: u16, queue: u16, prepares: bool, device: Arc<Device>) -> Self {
        Self {
            port,
            queue,
            prepares,
            refused: 0,
            _device: device,
            _one_thread: PhantomData,
        }
    }

    /// The queue's number on its port.
    #[must_use]
    pub fn index(&self) -> u16 {
        self.queue
    }

    /// Frames freed instead of sent, because the driver cannot do what they ask for.
    #[inline]
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// Sends frames from the front of `frames` and returns how many the queue took; the others stay, in
    /// order, at the front. Some drivers free what they have sent only when called, even for nothing.
    #[inline]
    pub fn tx_burst(&mut self, frames: &mut Vec<Mbuf>) -> usize {
        if self.prepares {
            self.prepare(frames);
        }
        let len = frames.len();
        let offer = len.min(u16::MAX.into()) as u16;
        // Ownership of what is offered passes to the driver, and back for what it does not take.
        // SAFETY: shortening; the elements stay initialised.
        unsafe { frames.set_len(0) };
        let all = frames.as_mut_ptr();
        // SAFETY: the port is started and outlives this handle, which is the only one of the queue;
        // the driver reads at most `offer` pointers, and `Mbuf` is a transparent pointer.
        let taken = unsafe { sys::shim_tx_burst(self.port, self.queue, all.cast(), offer) };
        let taken = usize::from(taken);
        let left = len - taken;
        if taken > 0 && left > 0 {
            // SAFETY: both ranges are within the first `len` elements.
            unsafe { std::ptr::copy(all.add(taken), all, left) };
        }
        // SAFETY: the first `left` elements are those that were not taken.
        unsafe { frames.set_len(left) };
        taken
    }

    /// Has the driver make all frames ready. It may be asked again for those that stay: what it has done
    /// is no longer asked for.
    #[cold]
    fn prepare(&mut self, frames: &mut Vec<Mbuf>) {
        let mut ready = 0;
        while ready < frames.len() {
            let rest = &mut frames[ready..];
            let offer = rest.len().min(u16::MAX.into()) as u16;
            let all = rest.as_mut_ptr().cast();
            // SAFETY: the port is started and outlives this handle, which is the only one of the queue;
            // the driver reads at most `offer` pointers, and `Mbuf` is a transparent pointer.
            let prepared = unsafe { sys::shim_tx_prepare(self.port, self.queue, all, offer) };
            ready += usize::from(prepared);
            if prepared < offer {
                frames.remove(ready);
                self.refused += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_send<T: Send>() {}

    #[test]
    fn queues_can_change_threads() {
        is_send::<RxQueue>();
        is_send::<TxQueue>();
    }
}
