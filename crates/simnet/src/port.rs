//! A station at its port: a host with its stack, or a peer without, and one turn of its loop.

use stack::{Application, Frame, FramePool, MemPool, OUT_CAPACITY, Stack};
use tcp::time::Instant;

use crate::event::Arrival;
use crate::link::Link;
use crate::log::{Fate, Log};
use crate::network::StationId;
use crate::peer::Peer;

/// The least time between two turns of a host's loop that no frame brings about.
const TURN_NS: u64 = 1_000;
/// Frames in one burst of a host's receive queue.
const BURST: usize = 64;
/// Turns in a row, without a frame in or out and no more than [`TURN_NS`] apart, after which a
/// host is said to spin: a tenth of a second of virtual time.
const SPIN_LIMIT: u32 = 100_000;

pub(crate) enum Station<A> {
    Host(Box<Stack<A, MemPool>>),
    Peer(Peer),
}

pub(crate) struct Port<A> {
    pub(crate) station: Station<A>,
    pub(crate) link: Link,
    /// When the last burst of loss ends, on the way down and on the way up.
    pub(crate) burst_ends: [Instant; 2],
    /// Frames that the transmit queue takes in one turn.
    pub(crate) tx_per_turn: usize,
    /// Whether frames were left over when the queue was full.
    tx_waits: bool,
    last_turn: Option<Instant>,
    idle_turns: u32,
    /// Frames that arrive at this instant.
    pub(crate) arriving: Vec<Arrival>,
}

impl<A: Application> Port<A> {
    pub(crate) fn new(station: Station<A>, link: Link) -> Port<A> {
        Port {
            station,
            link,
            burst_ends: [Instant::ZERO; 2],
            tx_per_turn: OUT_CAPACITY,
            tx_waits: false,
            last_turn: None,
            idle_turns: 0,
            arriving: Vec::new(),
        }
    }

    /// When the station has something to do though nothing arrives.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let Station::Host(stack) = &self.station else {
            return None;
        };
        let due = if self.tx_waits {
            Instant::ZERO
        } else {
            stack.next_deadline()?
        };
        let earliest = self.last_turn.map_or(Instant::ZERO, |last| {
            Instant::from_nanos(last.as_nanos() + TURN_NS)
        });
        Some(due.max(earliest))
    }

    /// One turn of the station's loop: what has arrived, what is due. Returns what it sends.
    pub(crate) fn turn(&mut self, now: Instant, id: StationId, log: &mut Log) -> Vec<Vec<u8>> {
        let arriving = core::mem::take(&mut self.arriving);
        match &mut self.station {
            Station::Host(stack) => {
                let arrived = !arriving.is_empty();
                deliver(stack, now, id, arriving, log);
                stack.advance(now);
                stack.transmit(now);
                let waiting = stack.out().len();
                let take = waiting.min(self.tx_per_turn);
                self.tx_waits = waiting > take;
                let frames: Vec<_> = stack.out().drain(..take).collect();
                let bytes: Vec<Vec<u8>> = frames.iter().map(|f| f.data().to_vec()).collect();
                // The transmit queue gives a buffer back once the frame is on the wire.
                for frame in frames {
                    stack.pool_mut().free(frame);
                }
                self.count_turn(now, arrived || !bytes.is_empty(), id);
                bytes
            }
            Station::Peer(peer) => {
                let mut replies = Vec::new();
                for arrival in arriving {
                    log.add(now, arrival.from, Some(id), Fate::Delivered, &arrival.frame);
                    replies.extend(peer.receive(now, arrival.frame));
                }
                replies
            }
        }
    }

    fn count_turn(&mut self, now: Instant, busy: bool, id: StationId) {
        let soon = self
            .last_turn
            .is_some_and(|last| now.as_nanos() - last.as_nanos() <= TURN_NS);
        self.last_turn = Some(now);
        self.idle_turns = if busy || !soon {
            0
        } else {
            self.idle_turns + 1
        };
        assert!(
            self.idle_turns < SPIN_LIMIT,
            "station {} spins at {now:?}: something is always due and nothing is ever done",
            id.0
        );
    }
}

/// Copies frames into the host's own buffers, as a device does, and hands them over in bursts.
fn deliver<A: Application>(
    stack: &mut Stack<A, MemPool>,
    now: Instant,
    id: StationId,
    arriving: Vec<Arrival>,
    log: &mut Log,
) {
    let mut burst = Vec::with_capacity(BURST);
    for arrival in arriving {
        let Some(mut buffer) = stack.pool_mut().alloc(arrival.frame.len()) else {
            log.add(now, arrival.from, Some(id), Fate::NoBuffer, &arrival.frame);
            continue;
        };
        log.add(now, arrival.from, Some(id), Fate::Delivered, &arrival.frame);
        buffer.data_mut().copy_from_slice(&arrival.frame);
        burst.push(buffer);
        if burst.len() == BURST {
            stack.receive(now, &mut burst);
        }
    }
    if !burst.is_empty() {
        stack.receive(now, &mut burst);
    }
}
