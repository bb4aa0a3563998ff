//! Segment text and FIN (RFC 9293 3.10.7.4, seventh and eighth steps).

use wire::Seq;
use wire::tcp::Flags;

use crate::connection::{Connection, Flag};
use crate::window::little;
use crate::{CloseReason, Env, Events, Outcome, Segment, State};

/// When memory is scarce, the gap before text out of order for which it is taken however little was
/// received, in bytes.
const GAP_BYTES: u64 = 16 << 10;
/// And for each byte received and held.
const GAP_SHARE: u64 = 4;

impl Connection {
    /// The text and FIN of `seg`.
    #[inline(always)]
    pub(crate) fn receive_text(&mut self, env: &mut Env<'_>, seg: &Segment<'_>, out: &mut Outcome) {
        let fin = seg.header.flags.contains(Flags::FIN);
        if !seg.payload.is_empty() || fin {
            self.take_text(env, seg, out);
        }
    }

    fn take_text(&mut self, env: &mut Env<'_>, seg: &Segment<'_>, out: &mut Outcome) {
        // What a SYN carries follows it.
        let seq = seg.header.seq + u32::from(seg.header.flags.contains(Flags::SYN));
        let fin = seg.header.flags.contains(Flags::FIN);
        //= RFC 9293 3.10.7.4
        //# This should not occur since a FIN has been received from the
        //# remote side.  Ignore the segment text.
        if self.flags.contains(Flag::FIN_RECEIVED) {
            //= RFC 9293 3.10.7.4
            //# advance RCV.NXT over the FIN, and send an acknowledgment for
            //# the FIN.
            //
            // There is one FIN, and it has been received: another one is told so.
            if fin {
                self.challenge(env);
            }
            return;
        }
        let len = seg.payload.len() as u32;
        let end = seq + len;
        if self.flags.contains(Flag::ORPHAN) && end.gt(self.rcv_nxt) && len > 0 {
            //= RFC 9293 3.6.1
            //# if new data is received after CLOSE is called, its TCP implementation SHOULD send a RST to show that
            //# data was lost (SHLD-3).
            env.counters.data_after_close += 1;
            self.reset(CloseReason::DataLost);
            out.events |= Events::CLOSED;
            return;
        }
        // Trim to the window, and to a FIN that is already known.
        let mut edge = self.rcv_nxt + self.rcv_wnd();
        if self.flags.contains(Flag::FIN_HELD) {
            edge = edge.min(self.fin_seq);
        }
        let first = seq.max(self.rcv_nxt);
        let last = end.min(edge);
        let cut = last.lt(end);
        if cut {
            env.counters.text_beyond_window += 1;
            self.flags |= Flag::ACK_NOW;
        }
        if fin && !cut && !self.flags.contains(Flag::FIN_HELD) {
            self.flags |= Flag::FIN_HELD;
            self.fin_seq = end;
        }
        let new = last.since(first);
        if new <= 0 {
            if end.gt(self.rcv_nxt) && !cut {
                // A FIN alone, ahead of text that is missing.
                self.acks_owed = self.acks_owed.saturating_add(1);
            } else if len > 0 {
                self.flags |= Flag::ACK_NOW;
            }
            out.events |= self.receive_fin(env);
            return;
        }
        let from = first.offset_from(seq) as usize;
        let text = from..from + new as usize;
        if first == self.rcv_nxt {
            out.text = text;
        } else {
            self.hold(env, first, last, &seg.payload[text]);
        }
    }

    /// Keeps text that came out of order.
    #[cold]
    fn hold(&mut self, env: &mut Env<'_>, first: Seq, last: Seq, text: &[u8]) {
        //= RFC 5681 3.2
        //# A TCP receiver SHOULD send an immediate duplicate ACK when an out-of-order segment
        //# arrives.
        self.acks_owed = self.acks_owed.saturating_add(1);
        if last == self.rcv_adv {
            self.flags |= Flag::FILLED;
        }
        if !self.ranges.accepts(first, last) {
            env.counters.out_of_order_dropped_ranges += 1;
            return;
        }
        // Text out of order may take no more than three quarters of the memory: what is in order,
        // and will be read, must find room.
        let reserve = env.rcv_memory.chunks() / 4;
        let offset = self.rcv.len() + first.offset_from(self.rcv_nxt);
        // Memory is taken for the gap too. While half of it is free that may be all that the window
        // promises; then it is for no more than the peer has sent in earnest, or one byte at the far
        // edge of each of many windows would take what others need.
        let scarce = env.rcv_memory.free() < env.rcv_memory.chunks() / 2;
        let text_len = text.len() as u32;
        let received = u64::from(self.rcv.len() + text_len) + u64::from(self.ranges.bytes());
        if scarce && u64::from(offset + text_len) > GAP_BYTES + GAP_SHARE * received {
            env.counters.out_of_order_dropped_memory += 1;
            return;
        }
        if !self.rcv.write_ahead(env.rcv_memory, offset, text, reserve) {
            env.counters.out_of_order_dropped_memory += 1;
            return;
        }
        self.ranges.insert(first, last);
        env.counters.out_of_order_segments += 1;
    }

    /// The application took the first `consumed` bytes of [`Outcome::text`]; `rest` is what it left.
    ///
    /// Bytes must be taken in order: `consumed` is 0 while [`Connection::readable`] is not. The
    /// rest is queued as far as memory allows; what does not fit is not acknowledged, and the
    /// peer sends it again, but is told to wait until there is memory.
    pub fn commit_text(&mut self, env: &mut Env<'_>, consumed: usize, rest: &[u8]) -> Events {
        debug_assert!(consumed == 0 || self.rcv.is_empty());
        if self.flags.contains(Flag::ORPHAN) && !rest.is_empty() {
            //= RFC 9293 3.6.1
            //# If such a host issues a CLOSE call while received data is still pending in the TCP
            //# connection [...] its TCP implementation SHOULD send a RST to show that data was lost (SHLD-3).
            env.counters.data_after_close += 1;
            self.reset(CloseReason::DataLost);
            return Events::CLOSED;
        }
        if !self.state.is_synchronized() {
            // The application aborted while it was shown the text.
            return Events::empty();
        }
        let consumed = (consumed as u32).min(self.rcv_wnd());
        if consumed > 0 && !self.rcv.is_released() {
            self.rcv.skip(env.rcv_memory, consumed);
        }
        let mut taken = 0;
        let mut dropped = false;
        if !rest.is_empty() {
            let rest = &rest[..rest.len().min((self.rcv_wnd() - consumed) as usize)];
            let little = self.rcv.len() as usize + rest.len() <= little(env.config) as usize;
            let reserve = if little { 0 } else { env.rcv_memory.reserve() };
            taken = self.rcv.append_leaving(env.rcv_memory, rest, reserve) as u32;
            dropped = (taken as usize) < rest.len();
            if dropped {
                self.no_memory(env, self.rcv_nxt + consumed + rest.len() as u32);
            }
        }
        self.rcv_nxt += consumed + taken;
        let mut events = Events::empty();
        let had_gap = !self.ranges.is_empty();
        if had_gap {
            //= RFC 5681 4.2
            //# SHOULD send an immediate ACK when it receives a data segment that
            //# fills in all or part of a gap in the sequence space.
            self.flags |= Flag::ACK_NOW;
            let next = self.ranges.advance(self.rcv_nxt);
            let joined = next.offset_from(self.rcv_nxt);
            if joined > 0 {
                self.rcv.extend(joined);
                self.rcv_nxt = next;
                events |= Events::READABLE;
            }
        }
        if Connection::is_far(self.irs, self.rcv_nxt) {
            self.note_far(env.now);
        }
        if self.rcv.is_empty() && self.ranges.is_empty() && !self.rcv.is_released() {
            self.rcv.clear(env.rcv_memory);
        }
        self.acknowledge_text(env);
        if self.waits_for_memory() && !dropped && self.rcv.is_empty() {
            self.memory_is_back(env.config, env.rcv_memory);
        }
        events |= self.receive_fin(env);
        if had_gap && self.ranges.is_empty() && !self.flags.contains(Flag::FIN_HELD) {
            // Nothing is missing: what was owed would be duplicates of the acknowledgment that is due.
            self.acks_owed = 0;
        }
        events
    }

    /// Text in order, up to `end`, was dropped.
    #[cold]
    fn no_memory(&mut self, env: &mut Env<'_>, end: Seq) {
        if end == self.rcv_adv {
            self.flags |= Flag::FILLED;
        }
        env.counters.text_dropped_memory += 1;
        if !self.flags.contains(Flag::NO_MEMORY) {
            env.counters.windows_closed_memory += 1;
        }
        self.flags |= Flag::NO_MEMORY | Flag::ACK_NOW;
    }

    /// Text was taken: an acknowledgment is due, now or soon.
    #[inline]
    fn acknowledge_text(&mut self, env: &Env<'_>) {
        self.segments_unacked = self.segments_unacked.saturating_add(1);
        //= RFC 5681 4.2
        //# an ACK SHOULD be generated for at least every second full-sized segment, and MUST be
        //# generated within 500 ms of the arrival of the first unacknowledged packet.
        if self.segments_unacked >= 2 || env.config.delayed_ack_ms == 0 {
            self.flags |= Flag::ACK_NOW;
        } else {
            self.ack_at = env.now.plus_millis(u64::from(env.config.delayed_ack_ms));
        }
    }

    /// Eighth step: the FIN, once all text before it is received.
    #[inline]
    fn receive_fin(&mut self, env: &mut Env<'_>) -> Events {
        if !self.flags.contains(Flag::FIN_HELD) || self.fin_seq != self.rcv_nxt {
            return Events::empty();
        }
        //= RFC 9293 3.10.7.4
        //# If the FIN bit is set, signal the user "connection closing" and return any pending
        //# RECEIVEs with same message, advance RCV.NXT over the FIN, and send an acknowledgment for
        //# the FIN.
        self.rcv_nxt += 1;
        self.flags.remove(Flag::FIN_HELD);
        self.flags |= Flag::FIN_RECEIVED;
        self.ranges.clear();
        if self.rcv.is_empty() && !self.rcv.is_released() {
            self.rcv.clear(env.rcv_memory);
        }
        let mut events = Events::PEER_CLOSED;
        match self.state {
            State::Established => self.state = State::CloseWait,
            //= RFC 9293 3.10.7.4
            //# If our FIN has been ACKed (perhaps in this segment), then enter TIME-WAIT, start the
            //# time-wait timer, turn off the other timers; otherwise, enter the CLOSING state.
            //
            // Until our FIN is sent this is CLOSE-WAIT and then CLOSE, whatever the order in which the
            // application did it: TIME-WAIT is the peer's.
            State::FinWait1 if !self.flags.contains(Flag::FIN_SENT) => {
                self.state = State::LastAck;
            }
            State::FinWait1 => self.state = State::Closing,
            //= RFC 9293 3.10.7.4
            //# Enter the TIME-WAIT state.
            State::FinWait2 => {
                self.enter_time_wait();
                events |= Events::TIME_WAIT;
            }
            _ => {}
        }
        self.flags |= Flag::ACK_NOW;
        events
    }
}
