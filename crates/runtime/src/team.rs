//! The workers of one port, and what one of them receives that another is to have.
//!
//! A connection belongs to one worker for good: the one that [`Steering::queue`] names. Active opens choose
//! their ports by the same function, so it does not matter which end opened.
//!
//! * A device that spreads TCP by a key of ours (RSS) delivers segments where they belong, and nothing is
//!   looked at here but whether a frame is one of those that every such device can read. The others it
//!   gives to some queue: segments behind IPv6 extension headers or a tag, and ICMP errors about segments of
//!   ours. These are handed over.
//! * Any other device (net_tap, net_af_packet, net_af_xdp, net_memif, net_ring) delivers anything anywhere,
//!   and every frame that names a connection is handed over unless it is at home already.
//! * What concerns neighbours is told to all ([`Relay`]), and what names no connection, such as an echo
//!   request, is answered by whoever has it.
//!
//! A frame is handed over as the buffer that it is in: ownership moves through a bounded ring, one for each
//! ordered pair of workers, with one producer and one consumer, a burst at a time. What finds its ring full
//! is dropped, the newest first, and counted (`drop_handover_full`); nobody waits for anybody, and a
//! worker that is stuck harms no connection but its own. Pools have so many buffers more that full rings
//! do not starve the queues. Frames of one connection that arrive at one queue stay in order.

mod flow;
mod relay;

use std::cell::Cell;
use std::sync::Arc;

use dpdk::{Eal, Mbuf, MbufReceiver, MbufSender, Mempool, mbuf_ring};
use stack::Frame;

use crate::frame::MbufFrame;
use crate::steering::Steering;
use crate::worker::RX_BURST;
use relay::Relay;

/// Frames that wait from one worker to another at most: some turns of the other, which may be in
/// the middle of one, or sleep for a tenth of a millisecond.
pub(crate) const RING: u16 = 511;

/// One worker's place among those of its port.
#[derive(Debug)]
pub(crate) struct Team {
    /// The worker's own number, which is that of its queues.
    me: u16,
    steering: Arc<Steering>,
    relay: Relay,
    /// By number; there is none to oneself.
    outboxes: Vec<Option<Outbox>>,
    inboxes: Vec<MbufReceiver>,
    /// The inbox that is emptied first, each in its turn.
    first: usize,
}

/// The way to another worker, and what is about to go there.
#[derive(Debug)]
struct Outbox {
    ring: MbufSender,
    frames: Vec<Mbuf>,
}

/// What became of frames that belong to others.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct HandedOver {
    /// Frames that others have now.
    pub(crate) frames: u64,
    /// Frames dropped because a ring was full.
    pub(crate) dropped: u64,
}

impl Team {
    /// A place for each of `pools`, which are those of the workers' queues in their order.
    ///
    /// # Errors
    /// What DPDK says.
    pub(crate) fn among(
        eal: &Eal,
        steering: &Arc<Steering>,
        pools: &[Mempool],
        socket: Option<u32>,
    ) -> Result<Vec<Team>, dpdk::Error> {
        let mut teams: Vec<Team> = (0..)
            .zip(Relay::among(pools.len()))
            .map(|(me, relay)| Team {
                me,
                steering: Arc::clone(steering),
                relay,
                outboxes: Vec::with_capacity(pools.len()),
                inboxes: Vec::with_capacity(pools.len()),
                first: 0,
            })
            .collect();
        for from in 0..teams.len() {
            for to in 0..teams.len() {
                let outbox = if from == to {
                    None
                } else {
                    let (ring, inbox) = mbuf_ring(eal, RING.into(), socket, pools.to_vec())?;
                    teams[to].inboxes.push(inbox);
                    let frames = Vec::with_capacity(RX_BURST);
                    Some(Outbox { ring, frames })
                };
                teams[from].outboxes.push(outbox);
            }
        }
        Ok(teams)
    }

    /// Takes out of a received burst what belongs to others, and tells them what concerns all.
    pub(crate) fn hand_over(&mut self, frames: &mut Vec<MbufFrame>) -> HandedOver {
        let Team {
            me,
            steering,
            relay,
            outboxes,
            ..
        } = self;
        let to = Cell::new(*me);
        let belongs_elsewhere = |frame: &mut MbufFrame| {
            relay.pass_on(frame.data(), frame.stripped_vlan());
            to.set(owner(steering, frame).unwrap_or(*me));
            to.get() != *me
        };
        let mut handed = 0;
        for frame in frames.extract_if(.., belongs_elsewhere) {
            if let Some(Some(outbox)) = outboxes.get_mut(usize::from(to.get())) {
                outbox.frames.push(frame.0);
                handed += 1;
            }
        }
        let mut dropped = 0;
        if handed > 0 {
            for outbox in outboxes.iter_mut().flatten() {
                if !outbox.frames.is_empty() {
                    outbox.ring.send(&mut outbox.frames);
                    dropped += outbox.frames.len() as u64;
                    outbox.frames.clear();
                }
            }
        }
        HandedOver {
            frames: handed - dropped,
            dropped,
        }
    }

    /// Appends to `frames` what others have handed over, as far as there is room, and returns how much
    /// that was.
    pub(crate) fn take_over(&mut self, frames: &mut Vec<Mbuf>) -> usize {
        let before = frames.len();
        let (later, sooner) = self.inboxes.split_at_mut(self.first);
        for inbox in sooner.iter_mut().chain(later) {
            inbox.receive(frames);
        }
        self.first = (self.first + 1) % self.inboxes.len().max(1);
        frames.len() - before
    }

    /// What another worker tells all.
    pub(crate) fn news(&self) -> Option<relay::NeighborFrame> {
        self.relay.take()
    }
}

/// The worker that is to have `frame`; `None` if it is well where it is.
#[inline]
fn owner(steering: &Steering, frame: &MbufFrame) -> Option<u16> {
    let octets = frame.data();
    // What had a tag was not plain when the device spread it.
    if steering.is_by_device() && frame.stripped_vlan().is_none() && flow::is_plain_tcp(octets) {
        return None;
    }
    Some(steering.queue(&flow::of(octets)?))
}

#[cfg(test)]
mod tests;
