//! Where a segment belongs: a live connection, a TIME-WAIT entry, a listener, or nobody.

use tcp::time::Instant;
use tcp::{Connection, Segment, State, closed, listen};
use wire::tcp::Flags;
use wire::{FourTuple, MacAddr, tcp as wire_tcp};

use crate::application::{Application, ListenerId};
use crate::core::env;
use crate::frame::FramePool;
use crate::neighbor::Resolution;
use crate::parse::Parsed;
use crate::slab::{Origin, Slot, flag};
use crate::stack::Stack;

impl<A: Application, P: FramePool> Stack<A, P> {
    #[inline]
    pub(crate) fn on_tcp(&mut self, now: Instant, frame: &Parsed, before_text: &[u8], text: &[u8]) {
        let segment = Segment {
            header: &frame.header,
            payload: text,
            sack: wire_tcp::sack::bytes(before_text, frame.header.options.sack),
        };
        let mut live = self.core.slab.resolve(frame.hint, frame.hash, &frame.tuple);
        let is_syn = frame.header.flags & (Flags::SYN | Flags::ACK | Flags::RST) == Flags::SYN;
        if is_syn && let Some((index, _)) = live {
            live = self.make_way(now, index, frame);
        }
        if let Some((index, flags)) = live {
            let open = flags & (flag::SHADOW | flag::ESTABLISHED) == flag::ESTABLISHED;
            if open || !self.on_opening(now, (index, flags), frame, &segment) {
                self.on_live(now, index, &segment);
            }
        } else if !self.on_time_wait(now, frame, &segment) {
            self.on_listener(now, frame, &segment);
        }
    }

    /// The connection that a SYN for `index` meets. One that ended earlier in this burst is still
    /// there, to have its last segment sent: a SYN must not find it, but what a host would have that
    /// did not work in bursts, TIME-WAIT or the listener.
    #[cold]
    fn make_way(&mut self, now: Instant, index: u32, frame: &Parsed) -> Option<(u32, u16)> {
        let slot = self.core.slab.get(index);
        let flags = slot.flags;
        if matches!(slot.conn.state(), State::Closed | State::TimeWait) {
            self.flush_one(now, index);
            return self.core.slab.find_with_flags(frame.hash, &frame.tuple);
        }
        Some((index, flags))
    }

    /// A segment for a connection that is not open yet. `true`: it is dealt with.
    #[inline(never)] // to keep its caller's values in registers
    fn on_opening(
        &mut self,
        now: Instant,
        (index, flags): (u32, u16),
        frame: &Parsed,
        segment: &Segment<'_>,
    ) -> bool {
        if flags & flag::SHADOW != 0 && self.on_shadowed(now, index, frame, segment) {
            return true;
        }
        let core = &mut self.core;
        let slot = core.slab.get(index);
        let Origin::Listener(id) = slot.origin else {
            return false;
        };
        let completes = frame.header.flags & (Flags::ACK | Flags::RST) == Flags::ACK;
        let waits = completes
            && !core.listeners[id.place()].accepting
            && slot.conn.state() == State::SynReceived;
        if waits {
            // As if it had been lost: the SYN,ACK goes again, and so does the acknowledgment.
            core.counters.host.drop_not_accepting += 1;
        }
        waits
    }

    #[inline]
    fn on_live(&mut self, now: Instant, index: u32, segment: &Segment<'_>) {
        let core = &mut self.core;
        let slot = core.slab.get_mut(index);
        let mut env = env!(core, &mut self.receive_memory, now, slot.config);
        let doubted = core.neighbors.wants_confirmation();
        let unacknowledged = slot.conn.snd_una();
        let outcome = slot.conn.on_segment(&mut env, segment);
        if doubted && slot.conn.snd_una() != unacknowledged {
            core.neighbors.confirm(slot.neighbor, now);
        }
        if !slot.has(flag::DIRTY) {
            slot.flags |= flag::DIRTY | flag::QUEUED;
            core.dirty.push_back(index);
        }
        if outcome.reset {
            self.reset_live(now, index, segment);
        }
        self.on_events(now, index, outcome.events);
        let direct = &segment.payload[outcome.text];
        if !direct.is_empty() {
            self.deliver(now, index, direct);
        }
        if self.core.slab.get(index).has_fin_to_tell() {
            self.tell_fin(now, index);
        }
    }

    /// A segment met a connection and deserves a RST all the same.
    #[cold]
    fn reset_live(&mut self, now: Instant, index: u32, segment: &Segment<'_>) {
        let Some(reset) = closed::on_segment(segment) else {
            return;
        };
        let slot = self.core.slab.get(index);
        let (tuple, neighbor) = (slot.tuple, slot.neighbor);
        // Who opens has asked for the segment: one RST each is no flood, and without it the peer does not forget the
        // connection that it believes in (RFC 9293 3.5.1).
        let is_opener = slot.conn.state() == State::SynSent;
        if let Resolution::Known(mac) = self.core.neighbors.resolve(neighbor, now) {
            if !is_opener && !self.core.resets.allow(now) {
                self.core.counters.host.replies_limited += 1;
            } else if self.reply(mac, &tuple, &reset) {
                self.core.counters.tcp.resets_sent += 1;
            }
        }
    }

    //= RFC 9293 3.10.7.2
    //# If the state is LISTEN
    fn on_listener(&mut self, now: Instant, frame: &Parsed, segment: &Segment<'_>) {
        if self.core.link.is_broadcast(frame.tuple.remote) {
            self.core.counters.host.drop_ip_source += 1;
            return;
        }
        let Some(id) = self.core.listener_for(&frame.tuple) else {
            self.on_closed_port(now, frame, segment);
            return;
        };
        match listen::on_segment(segment) {
            listen::Listen::Ignore(_) => self.core.counters.host.listen_ignored += 1,
            listen::Listen::Reset(reset) => self.reset(now, frame.src_mac, &frame.tuple, &reset),
            listen::Listen::Open => {
                if self.may_accept(id) {
                    let numbers = self.core.secret.numbers(&frame.tuple);
                    let iss = self.core.clock_isn(numbers, now);
                    self.accept(now, id, frame, segment, iss, numbers.ts_offset);
                }
            }
        }
    }

    /// Whether the listener takes one more connection; counts why not.
    pub(crate) fn may_accept(&mut self, id: ListenerId) -> bool {
        let listener = &self.core.listeners[id.place()];
        let count = &mut self.core.counters.host;
        if self.core.draining {
            count.drop_draining += 1;
            false
        } else if listener.embryos >= listener.backlog {
            count.drop_backlog_full += 1;
            false
        } else if self.core.slab.is_full() {
            count.drop_table_full += 1;
            false
        } else {
            true
        }
    }

    /// LISTEN -> SYN-RECEIVED; the place of the connection. The caller has seen [`Stack::may_accept`].
    pub(crate) fn accept(
        &mut self,
        now: Instant,
        id: ListenerId,
        frame: &Parsed,
        segment: &Segment<'_>,
        iss: wire::Seq,
        ts_offset: u32,
    ) -> Option<u32> {
        let core = &mut self.core;
        let Some(next_hop) = core.link.next_hop(frame.tuple.remote) else {
            core.counters.host.drop_ip_not_ours += 1;
            return None;
        };
        let Some(neighbor) = core.neighbors.acquire(next_hop, now) else {
            core.counters.host.neighbor_table_full += 1;
            return None;
        };
        let listener = &core.listeners[id.place()];
        let config = listener.config.of(frame.tuple.local);
        let anchor = match listener.at_run_time {
            true => core.listen_index.anchor(&frame.tuple),
            false => None,
        };
        let mut env = env!(core, &mut self.receive_memory, now, config);
        let conn = Connection::accept(&mut env, segment, iss, ts_offset);
        let slot = Slot {
            conn,
            tuple: frame.tuple,
            flags: flag::LIVE | flag::DIRTY,
            neighbor,
            config,
            generation: 0,
            origin: Origin::Listener(id),
            hash: frame.hash,
            established_at: now,
            anchor,
            shadow: None,
        };
        let Some(index) = core.insert(slot) else {
            core.neighbors.release(neighbor);
            core.counters.host.drop_table_full += 1;
            return None;
        };
        if let Some(anchor) = anchor {
            core.time_wait.share(frame.tuple.local, anchor);
        }
        core.counters.host.passive_opens += 1;
        core.listeners[id.place()].embryos += 1;
        Some(index)
    }

    //= RFC 9293 3.10.7.1
    //# If the state is CLOSED (i.e., TCB does not exist), then
    //# all data in the incoming segment is discarded.
    fn on_closed_port(&mut self, now: Instant, frame: &Parsed, segment: &Segment<'_>) {
        if let Some(reset) = closed::on_segment(segment) {
            self.reset(now, frame.src_mac, &frame.tuple, &reset);
        }
    }

    /// Sends a RST for a segment that belongs to nobody, within the limit.
    pub(crate) fn reset(
        &mut self,
        now: Instant,
        to: MacAddr,
        tuple: &FourTuple,
        header: &wire_tcp::Header,
    ) {
        if !self.core.resets.allow(now) {
            self.core.counters.host.replies_limited += 1;
        } else if self.reply(to, tuple, header) {
            self.core.counters.host.closed_resets += 1;
        }
    }

    /// Sends a segment without text that no connection keeps, to the station whose frame it
    /// answers. Returns whether it went.
    pub(crate) fn reply(
        &mut self,
        to: MacAddr,
        tuple: &FourTuple,
        header: &wire_tcp::Header,
    ) -> bool {
        if !self.has_room() {
            self.core.counters.host.drop_tx_no_room += 1;
            return false;
        }
        let mut header = *header;
        let frame = self
            .core
            .link
            .tcp_frame(&mut self.pool, to, tuple, &mut header, 0, |_| {});
        match frame {
            Some(frame) => {
                self.core.counters.host.tx_segments += 1;
                self.push(frame);
                true
            }
            None => {
                self.core.counters.host.drop_tx_no_buffer += 1;
                false
            }
        }
    }
}

impl crate::core::Core {
    pub(crate) fn listener_for(&self, tuple: &FourTuple) -> Option<ListenerId> {
        self.listen_index.find(tuple.local, tuple.local_port)
    }
}
