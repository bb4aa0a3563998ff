//! The life of a connection around the protocol: events and data to the application, segments
//! out, timers, and the end.

use tcp::time::Instant;
use tcp::{CloseReason, Connection, Events, State};
use wire::FourTuple;

use crate::application::{Application, DestinationId, Handle};
use crate::context::{ConnectError, Context};
use crate::core::{Core, env};
use crate::frame::FramePool;
use crate::neighbor::Resolution;
use crate::slab::{Origin, Slot, flag};
use crate::stack::Stack;
use crate::tuples::{LastUse, TupleId};

/// The most held bytes that are shown to an application at once, when they do not lie together.
const SHOWN_AT_ONCE: usize = 64 * 1024;

/// Local sockets looked at for an active open. Most often the first will do; one that is in TIME-WAIT
/// for longer than those behind it must not keep them from use.
const PAIRS_TRIED: usize = 16;

/// A local socket for an active open, and what its four-tuple implies.
struct Chosen {
    /// Where it stands in its pool.
    place: usize,
    pair: TupleId,
    tuple: FourTuple,
    hash: u64,
    numbers: tcp::isn::Numbers,
    iss: wire::Seq,
}

impl<A: Application, P: FramePool> Stack<A, P> {
    /// Tells the application what happened, data and FIN apart.
    pub(crate) fn on_events(&mut self, now: Instant, index: u32, events: Events) {
        if events.is_empty() {
            return;
        }
        let handle = self.core.slab.handle(index);
        if events.contains(Events::ESTABLISHED) {
            let slot = self.core.slab.get_mut(index);
            slot.flags |= flag::ESTABLISHED | flag::KNOWN;
            if let Origin::Listener(id) = slot.origin {
                let embryos = &mut self.core.listeners[usize::from(id.0)].embryos;
                *embryos = embryos.saturating_sub(1);
            }
            self.core.counters.host.established += 1;
            self.app.on_open(&mut context(&mut self.core, now), handle);
        }
        let slot = self.core.slab.get(index);
        if events.contains(Events::WRITABLE) && slot.has(flag::KNOWN) && !slot.has(flag::CLOSE) {
            self.app
                .on_writable(&mut context(&mut self.core, now), handle);
        }
    }

    /// Shows in-order text to the application, and holds what it does not consume.
    pub(crate) fn deliver(&mut self, now: Instant, index: u32, direct: &[u8]) {
        let handle = self.core.slab.handle(index);
        let slot = self.core.slab.get(index);
        let reads = slot.has(flag::KNOWN) && !slot.has(flag::CLOSE);
        let held = slot.conn.readable() > 0;
        let consumed = if !held && reads {
            self.app
                .on_data(&mut context(&mut self.core, now), handle, direct)
                .min(direct.len())
        } else {
            0
        };
        let core = &mut self.core;
        let slot = core.slab.get_mut(index);
        let mut env = env!(core, &mut self.receive_memory, now, slot.config);
        let events = slot
            .conn
            .commit_text(&mut env, consumed, &direct[consumed..]);
        // Text that was held before, or that has become contiguous by this segment: the
        // application has not seen it together with this.
        if held || events.contains(Events::READABLE) {
            self.deliver_held(now, index);
        }
        self.on_events(now, index, events);
    }

    /// Shows held text until the application stops consuming it.
    fn deliver_held(&mut self, now: Instant, index: u32) {
        let handle = self.core.slab.handle(index);
        loop {
            let slot = self.core.slab.get(index);
            let readable = slot.conn.readable();
            if readable == 0 || !slot.has(flag::KNOWN) || slot.has(flag::CLOSE) {
                return;
            }
            let first = slot.conn.peek(&self.receive_memory);
            let (mut shown, mut consumed) = (
                first.len(),
                self.app
                    .on_data(&mut context(&mut self.core, now), handle, first)
                    .min(first.len()),
            );
            if consumed == 0 && readable > shown {
                // What it waits for may lie in the next chunk: show them as one.
                let slot = self.core.slab.get_mut(index);
                self.scratch.resize(readable.min(SHOWN_AT_ONCE), 0);
                shown = slot
                    .conn
                    .copy_readable(&self.receive_memory, &mut self.scratch);
                let bytes = &self.scratch[..shown];
                consumed = self
                    .app
                    .on_data(&mut context(&mut self.core, now), handle, bytes)
                    .min(shown);
            }
            let core = &mut self.core;
            let slot = core.slab.get_mut(index);
            let mut env = env!(core, &mut self.receive_memory, now, slot.config);
            slot.conn.consume(&mut env, consumed);
            // What is left may be complete together with what was not shown yet.
            if consumed == 0 || (consumed < shown && shown == readable) {
                return;
            }
        }
    }

    /// Tells the application of the peer's FIN, once, when every byte before it was consumed.
    pub(crate) fn tell_fin(&mut self, now: Instant, index: u32) {
        let slot = self.core.slab.get_mut(index);
        if slot.conn.peer_closed()
            && slot.has(flag::KNOWN)
            && !slot.has(flag::FIN_TOLD)
            && slot.conn.readable() == 0
        {
            slot.flags |= flag::FIN_TOLD;
            let handle = self.core.slab.handle(index);
            self.app
                .on_peer_closed(&mut context(&mut self.core, now), handle);
        }
    }

    /// Runs the timers that are due, `budget` at most; the rest follows in the next turn.
    pub(crate) fn run_timers(&mut self, now: Instant, budget: usize) {
        let mut fired = ::core::mem::take(&mut self.fired);
        self.core
            .wheel
            .advance(now.as_millis(), budget, &mut |index| fired.push(index));
        for index in fired.drain(..) {
            let core = &mut self.core;
            let slot = core.slab.get_mut(index);
            if !slot.has(flag::LIVE) {
                continue;
            }
            // Timers are moved lazily: this one may since have been put off.
            match slot.conn.deadline() {
                Some(deadline) if deadline <= now => {
                    let mut env = env!(core, &mut self.receive_memory, now, slot.config);
                    let events = slot.conn.on_timer(&mut env);
                    core.mark_dirty(index);
                    self.on_events(now, index, events);
                }
                _ => core.arm(index),
            }
        }
        self.fired = fired;
    }

    /// Tells connections that found no send memory that there is some, longest waiting first.
    pub(crate) fn feed(&mut self, now: Instant) {
        for _ in 0..self.core.starved.len() {
            if self.core.send_memory.free() == 0 {
                return;
            }
            let Some(index) = self.core.starved.pop_front() else {
                return;
            };
            let slot = self.core.slab.get_mut(index);
            // Without the flag the slot has a new user, or is free.
            if slot.has(flag::STARVED) {
                slot.flags &= !flag::STARVED;
                self.on_events(now, index, Events::WRITABLE);
            }
        }
    }

    /// Lets connections that have something to send do so, while there is room.
    pub(crate) fn flush(&mut self, now: Instant) {
        // A callback on the way may make further ones due; each is looked at once.
        let mut turns = self.core.dirty.len() + self.core.slab.live() + 64;
        while turns > 0 && self.has_room() {
            turns -= 1;
            let Some(index) = self.core.dirty.pop_front() else {
                return;
            };
            let slot = self.core.slab.get_mut(index);
            if slot.has(flag::DIRTY) {
                slot.flags &= !flag::DIRTY;
                self.flush_one(now, index);
            }
        }
    }

    pub(crate) fn flush_one(&mut self, now: Instant, index: u32) {
        if self.core.slab.get(index).has(flag::RESUME | flag::CLOSE) {
            self.carry_out(now, index);
        }
        let slot = self.core.slab.get(index);
        if slot.has(flag::DETACHED) {
            self.retire(now, index);
            return;
        }
        let neighbor = slot.neighbor;
        match self.core.neighbors.resolve(neighbor, now) {
            Resolution::Known(mac) => {
                if !self.send_due(now, index, mac) {
                    self.core.mark_dirty(index);
                    return;
                }
            }
            //= RFC 1122 2.3.2.2
            //# The link layer SHOULD save (rather than discard) at least one (the latest)
            //# packet of each set of packets destined to the same unresolved IP address
            // What is due stays due in the connection.
            Resolution::Pending => self.core.wait_for_neighbor(index),
            Resolution::Failed => {
                let slot = self.core.slab.get_mut(index);
                if matches!(slot.conn.state(), State::SynSent | State::SynReceived) {
                    // Nobody was ever there. An embryo least of all may wait: its place in the
                    // backlog is for those who can be answered.
                    slot.conn.fail(CloseReason::Unreachable);
                } else {
                    self.discard_due(now, index);
                }
            }
        }
        let state = self.core.slab.get(index).conn.state();
        if matches!(state, State::Closed | State::TimeWait) {
            self.core.detach(index, now);
            self.retire(now, index);
        } else {
            self.core.arm(index);
        }
    }

    /// Does what the application asked for and is not to be done within its callback.
    fn carry_out(&mut self, now: Instant, index: u32) {
        if self.core.slab.get(index).has(flag::RESUME) {
            self.core.slab.get_mut(index).flags &= !flag::RESUME;
            self.deliver_held(now, index);
            self.tell_fin(now, index);
        }
        let slot = self.core.slab.get_mut(index);
        if slot.has(flag::CLOSE) {
            slot.flags &= !flag::CLOSE;
            slot.conn.close();
            if slot.has(flag::DETACHED) {
                let memory = &mut self.core.send_memory;
                slot.conn.release(&mut self.receive_memory, memory);
            }
        }
    }

    /// Sends everything that is due. `false`: there was no room for all of it.
    fn send_due(&mut self, now: Instant, index: u32, mac: wire::MacAddr) -> bool {
        while self.has_room() {
            let core = &mut self.core;
            let slot = core.slab.get_mut(index);
            // Before anything is lent to it: the last look finds nothing.
            if !slot.conn.wants_transmit() {
                return true;
            }
            let mut env = env!(core, &mut self.receive_memory, now, slot.config);
            // Looked at where it lies: to move it costs as much as to make it.
            let mut polled = slot.conn.poll_transmit(&mut env);
            let Some(due) = &mut polled else {
                return true;
            };
            let (offset, len) = (due.offset, due.len);
            let memory = &core.send_memory;
            let conn = &mut slot.conn;
            let frame = core.link.tcp_frame(
                &mut self.pool,
                mac,
                &slot.tuple,
                &mut due.header,
                usize::from(len),
                |text| conn.copy_payload(memory, offset, text),
            );
            match frame {
                Some(frame) => {
                    core.counters.host.tx_segments += 1;
                    self.push(frame);
                }
                // As if lost on the way: the retransmission timer brings it back.
                None => core.counters.host.drop_tx_no_buffer += 1,
            }
        }
        false
    }

    /// Loses what is due, as a cable would: the neighbour does not answer. The retransmission timer
    /// runs, asks for the neighbour again, and in the end gives the connection up.
    fn discard_due(&mut self, now: Instant, index: u32) {
        let core = &mut self.core;
        let slot = core.slab.get_mut(index);
        let mut env = env!(core, &mut self.receive_memory, now, slot.config);
        while slot.conn.poll_transmit(&mut env).is_some() {
            core.counters.host.drop_tx_unresolved += 1;
        }
    }

    /// Frees the slot of a detached connection, unless the application has yet to read what it
    /// received before an orderly end.
    fn retire(&mut self, now: Instant, index: u32) {
        let core = &mut self.core;
        let handle = core.slab.handle(index);
        let slot = core.slab.get_mut(index);
        let reason = slot.conn.close_reason().unwrap_or(CloseReason::Normal);
        if slot.conn.readable() > 0 && slot.has(flag::KNOWN) && reason == CloseReason::Normal {
            return;
        }
        // From here on nothing makes it due again.
        slot.flags |= flag::DIRTY;
        slot.conn
            .release(&mut self.receive_memory, &mut core.send_memory);
        if slot.has(flag::KNOWN) {
            slot.flags &= !flag::KNOWN;
            self.app
                .on_closed(&mut context(&mut self.core, now), handle, reason);
        }
        self.core.slab.free(index);
    }
}

#[inline]
fn context(core: &mut Core, now: Instant) -> Context<'_> {
    Context { core, now }
}

impl Core {
    /// Notes that the connection may have something to send.
    #[inline]
    pub(crate) fn mark_dirty(&mut self, index: u32) {
        let slot = self.slab.get_mut(index);
        if slot.flags & (flag::DIRTY | flag::LIVE) == flag::LIVE {
            slot.flags |= flag::DIRTY;
            self.dirty.push_back(index);
        }
    }

    /// Sees to it that the wheel fires no later than the connection's earliest deadline. A timer
    /// that is set too early already is left, also if there is no deadline any more: when it
    /// fires, it is set again or not. So the common case, a deadline that moves away or is met
    /// before its time, costs nothing.
    #[inline]
    pub(crate) fn arm(&mut self, index: u32) {
        if let Some(deadline) = self.slab.get(index).conn.deadline() {
            let tick = deadline.as_nanos().div_ceil(1_000_000);
            if self.wheel.deadline(index).is_none_or(|set| set > tick) {
                self.wheel.schedule(index, tick);
            }
        }
    }

    /// ABORT. What a connection that is over has unread goes with it.
    pub(crate) fn abort(&mut self, index: u32) {
        let slot = self.slab.get_mut(index);
        slot.conn.abort();
        if slot.has(flag::DETACHED) {
            slot.flags |= flag::CLOSE;
        }
        self.mark_dirty(index);
    }

    /// The connection is over for the network: TIME-WAIT becomes an entry of the table, and its
    /// four-tuple, neighbour, timer and local socket are free.
    fn detach(&mut self, index: u32, now: Instant) {
        let slot = self.slab.get(index);
        let reason = slot.conn.close_reason().unwrap_or(CloseReason::Normal);
        let entered = slot.conn.state() == State::TimeWait && self.enter_time_wait(index, now);
        self.count_end(index, reason);
        let slot = self.slab.get_mut(index);
        slot.flags &= !(flag::WAITING | flag::STARVED);
        self.neighbors.release(slot.neighbor);
        self.wheel.cancel(index);
        match slot.origin {
            Origin::Listener(id) if !slot.has(flag::ESTABLISHED) => {
                let embryos = &mut self.listeners[usize::from(id.0)].embryos;
                *embryos = embryos.saturating_sub(1);
            }
            Origin::Listener(_) | Origin::Socket => {}
            Origin::Destination(id, tuple) => {
                let last = LastUse {
                    snd_nxt: slot.conn.snd_nxt(),
                    tsval: slot.conn.last_tsval(),
                    at: now,
                    time_wait: entered,
                };
                self.destinations[usize::from(id.0)]
                    .pool
                    .give_back(tuple, Some(last));
            }
        }
        self.slab.detach(index);
    }

    fn wait_for_neighbor(&mut self, index: u32) {
        let slot = self.slab.get_mut(index);
        if !slot.has(flag::WAITING) {
            slot.flags |= flag::WAITING;
            self.waiting.push(index);
        }
    }

    /// A neighbour's state changed: whoever waited looks again.
    pub(crate) fn wake_waiting(&mut self) {
        while let Some(index) = self.waiting.pop() {
            let slot = self.slab.get_mut(index);
            if slot.has(flag::WAITING) {
                slot.flags &= !flag::WAITING;
                self.mark_dirty(index);
            }
        }
    }

    /// Active OPEN (RFC 9293 3.10.1).
    pub(crate) fn connect(
        &mut self,
        id: DestinationId,
        now: Instant,
    ) -> Result<Handle, ConnectError> {
        let Some(destination) = self.destinations.get(usize::from(id.0)) else {
            return Err(ConnectError::NoDestination);
        };
        if self.draining {
            return Err(ConnectError::Draining);
        }
        if self.slab.is_full() {
            self.counters.host.connect_table_full += 1;
            return Err(ConnectError::TableFull);
        }
        let (config, remote) = (destination.config, destination.address);
        // First, because the choice of a pair may end its TIME-WAIT.
        let next_hop = self.link.next_hop(remote).unwrap_or(remote);
        let Some(neighbor) = self.neighbors.acquire(next_hop, now) else {
            self.counters.host.neighbor_table_full += 1;
            return Err(ConnectError::NoNeighbor);
        };
        let chosen = match self.choose_pair(id, now) {
            Ok(chosen) => chosen,
            Err(next_free) => {
                self.neighbors.release(neighbor);
                self.counters.host.connect_no_tuple += 1;
                return Err(ConnectError::NoTupleFree { next_free });
            }
        };
        let Chosen {
            place,
            pair,
            tuple,
            hash,
            numbers,
            iss,
        } = chosen;
        let tcp = &self.tcp_configs[usize::from(config)];
        let conn = Connection::connect(tcp, now, iss, numbers.ts_offset);
        let slot = Slot {
            conn,
            tuple,
            flags: flag::LIVE | flag::KNOWN,
            neighbor,
            config,
            generation: 0,
            origin: Origin::Destination(id, pair),
            hash,
        };
        let Some(index) = self.slab.insert(slot) else {
            self.neighbors.release(neighbor);
            return Err(ConnectError::TableFull);
        };
        self.destinations[usize::from(id.0)].pool.take(place);
        self.counters.host.active_opens += 1;
        self.mark_dirty(index);
        Ok(self.slab.handle(index))
    }

    /// The pair for an active open: of those that have rested longest, the first that may be used. If
    /// none may, the earliest time at which one may, unless all are in use.
    #[inline]
    fn choose_pair(&mut self, id: DestinationId, now: Instant) -> Result<Chosen, Option<Instant>> {
        let mut next_free: Option<Instant> = None;
        for place in 0..PAIRS_TRIED {
            let pool = &self.destinations[usize::from(id.0)].pool;
            let Some((pair, last)) = pool.peek(place, now) else {
                break;
            };
            let tuple: FourTuple = pool.tuple(pair);
            let hash = self.hash(&tuple);
            let numbers = self.secret.numbers(&tuple);
            let clock = self.clock_isn(numbers, now);
            match self.may_reuse(id, &tuple, hash, last, clock, now) {
                Ok(iss) => {
                    return Ok(Chosen {
                        place,
                        pair,
                        tuple,
                        hash,
                        numbers,
                        iss,
                    });
                }
                Err(at) => next_free = Some(next_free.map_or(at, |before| before.min(at))),
            }
        }
        Err(next_free)
    }

    fn count_end(&mut self, index: u32, reason: CloseReason) {
        let slot = self.slab.get(index);
        let count = &mut self.counters.host;
        let established = slot.has(flag::ESTABLISHED);
        if established {
            count.closed += 1;
        } else if matches!(slot.origin, Origin::Listener(_)) {
            count.embryo_failures += 1;
            return;
        }
        match reason {
            CloseReason::Normal => count.closed_normal += u64::from(established),
            CloseReason::Reset => count.closed_reset += 1,
            CloseReason::Refused => count.closed_refused += 1,
            CloseReason::Aborted => count.closed_aborted += 1,
            CloseReason::DataLost => count.closed_data_lost += 1,
            _ => count.closed_timeout += 1,
        }
    }
}
