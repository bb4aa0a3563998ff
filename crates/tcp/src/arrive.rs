//! A segment arrives (RFC 9293 3.10.7): the steps of 3.10.7.4 in their order.

use wire::Seq;
use wire::tcp::{Flags, Header};

use crate::connection::{Connection, Flag};
use crate::{CloseReason, Env, Events, Outcome, Segment, State};

/// Whether the steps go on.
pub(crate) enum Step {
    /// With the next step.
    Next,
    /// The segment is done with.
    Done,
}

impl Connection {
    /// A segment for this connection arrives. RCV.NXT does not yet advance over new text: that is
    /// [`Connection::commit_text`]'s, which must follow if [`Outcome::text`] is not empty.
    #[inline] // so that what comes of it is written where the caller has it
    pub fn on_segment(&mut self, env: &mut Env<'_>, seg: &Segment<'_>) -> Outcome {
        let mut out = Outcome::default();
        self.arrive(env, seg, &mut out);
        out
    }

    fn arrive(&mut self, env: &mut Env<'_>, seg: &Segment<'_>, out: &mut Outcome) {
        match self.state {
            State::Closed => out.reset = !seg.header.flags.contains(Flags::RST),
            State::SynSent => self.on_segment_syn_sent(env, seg, out),
            State::TimeWait => self.on_segment_time_wait(env, seg),
            _ => self.on_segment_otherwise(env, seg, out),
        }
    }

    #[inline]
    fn on_segment_otherwise(&mut self, env: &mut Env<'_>, seg: &Segment<'_>, out: &mut Outcome) {
        let h = seg.header;
        if let Step::Done = self.check_timestamps(env, seg) {
            return;
        }
        if h.flags.intersects(Flags::RST | Flags::SYN) {
            if let Step::Done = self.check_control(env, seg, out) {
                return;
            }
        } else if !self.is_acceptable(h.seq, seg.len()) && !self.is_ack_at_edge(seg) {
            self.unacceptable(env, seg);
            return;
        }
        if !h.flags.contains(Flags::ACK) {
            self.without_ack(env, seg);
            return;
        }
        self.restart_keepalive(env);
        if let Step::Done = self.check_ack(env, seg, out) {
            return;
        }
        self.receive_text(env, seg, out);
    }

    /// RFC 7323 5.3, which comes before the sequence number test.
    #[inline]
    fn check_timestamps(&mut self, env: &mut Env<'_>, seg: &Segment<'_>) -> Step {
        let h = seg.header;
        if !self.flags.contains(Flag::TIMESTAMPS) || h.flags.contains(Flags::RST) {
            return Step::Next;
        }
        let Some(ts) = h.options.timestamps else {
            // A SYN is answered wherever it begins (RFC 5961 4.2): a peer that has restarted, and has no
            // timestamps now, needs the ACK to learn of the connection it has forgotten.
            if h.flags.contains(Flags::SYN) && self.state.is_synchronized() {
                return Step::Next;
            }
            //= RFC 7323 3.2
            //# If a non-<RST> segment is received without a TSopt, a TCP SHOULD silently drop the
            //# segment.
            env.counters.timestamps_missing += 1;
            return Step::Done;
        };
        if self.paws_rejects(env.now, ts) {
            //= RFC 7323 5.3
            //# Send an acknowledgment in reply as specified in Section 3.9 of [RFC0793], page 69,
            //# and drop the segment.
            env.counters.paws_rejected += 1;
            self.answer_unacceptable(env, seg);
            return Step::Done;
        }
        Step::Next
    }

    /// A RST or a SYN, which the first, second and fourth step tell apart.
    #[cold]
    fn check_control(&mut self, env: &mut Env<'_>, seg: &Segment<'_>, out: &mut Outcome) -> Step {
        let h = seg.header;
        if h.flags.contains(Flags::RST) {
            self.check_rst(env, h, out);
        } else if self.is_simultaneous_syn_ack(h) {
            // Its SYN is old, its acknowledgment is not.
            return Step::Next;
        } else if self.is_acceptable(h.seq, seg.len()) {
            self.check_syn(env, h, out);
        } else {
            self.unacceptable(env, seg);
        }
        Step::Done
    }

    /// Fifth step: neither ACK nor RST nor SYN.
    #[cold]
    fn without_ack(&mut self, env: &mut Env<'_>, seg: &Segment<'_>) {
        // What is let through for its ACK and has none is not acceptable after all.
        if self.rcv_wnd() == 0 && !seg.is_empty() {
            self.unacceptable(env, seg);
        }
        //= RFC 9293 3.10.7.4
        //# if the ACK bit is off, drop the segment and return
    }

    /// An acknowledgment of a peer that has filled the window with text of which some is missing: it has no
    /// lower number to send one with.
    #[cold]
    fn is_ack_at_edge(&self, seg: &Segment<'_>) -> bool {
        //= RFC 9293 3.10.7.4
        //# If the RCV.WND is zero, no segments will be acceptable, but special allowance should
        //# be made to accept valid ACKs, URGs, and RSTs.
        //
        // As little room is left here. Without what these say of the window and of our text, both
        // directions would wait for their timers.
        self.flags.contains(Flag::FILLED) && seg.is_empty() && seg.header.seq == self.rcv_adv
    }

    /// First step: the segment is outside of the window.
    #[cold]
    fn unacceptable(&mut self, env: &mut Env<'_>, seg: &Segment<'_>) {
        let h = seg.header;
        // The peer sends its SYN again because our SYN-ACK was lost. An ACK, which is what the
        // standard answers, would not help it.
        if self.is_repeated_syn(h) {
            self.update_ts_recent(env.now, h);
            self.flags |= Flag::SYN_DUE;
            return;
        }
        env.counters.unacceptable_segments += 1;
        self.on_segment_again(env, seg);
        //= RFC 9293 3.10.7.4
        //# If an incoming segment is not acceptable, an acknowledgment should be sent in reply
        //# (unless the RST bit is set, if so drop the segment and return)
        self.answer_unacceptable(env, seg);
    }

    /// A segment of before RCV.NXT shows that the peer is there, and which of its transmissions arrived: the acknowledgment
    /// of an earlier one was lost. Only with an acknowledgment in range, as where text is taken, and from no further back than a
    /// window, which is as far as a peer can retransmit: else half of all numbers would do for a forged timestamp.
    fn on_segment_again(&mut self, env: &mut Env<'_>, seg: &Segment<'_>) {
        let h = seg.header;
        let again = self.state.is_synchronized()
            && h.flags & (Flags::SYN | Flags::RST | Flags::ACK) == Flags::ACK
            && h.seq.lt(self.rcv_nxt)
            && self.rcv_nxt.offset_from(h.seq) <= env.config.rcv_buf
            && self.is_ack_in_range(env.config, h.ack);
        if !again {
            return;
        }
        self.restart_keepalive(env);
        //= RFC 7323 4.3
        //# If: SEG.TSval >= TS.Recent and SEG.SEQ <= Last.ACK.sent then SEG.TSval is copied to TS.Recent;
        //# otherwise, it is ignored.
        //
        // Else the peer would take its own retransmission timeout for a round trip. What is not after its SYN is of a connection
        // before, whose clock may have been another host's.
        if h.seq.gt(self.irs) {
            self.update_ts_recent(env.now, h);
        }
    }

    /// The SYN that brought this connection to SYN-RECEIVED, again.
    fn is_repeated_syn(&self, h: &Header) -> bool {
        self.state == State::SynReceived
            && h.flags & (Flags::SYN | Flags::ACK) == Flags::SYN
            && h.seq == self.irs
    }

    /// A SYN-ACK that acknowledges our SYN-ACK: simultaneous open (RFC 9293 figure 8).
    #[inline]
    fn is_simultaneous_syn_ack(&self, h: &Header) -> bool {
        self.state == State::SynReceived
            && !self.is_passive()
            && h.flags.contains(Flags::SYN | Flags::ACK)
            && h.seq == self.irs
            && h.ack.gt(self.snd_una)
            && h.ack.le(self.snd_nxt)
    }

    /// An ACK for a segment that is not acceptable. Without a limit two ends that disagree would
    /// answer each other for ever; but what has text is a retransmission and must be answered,
    /// as must a keep-alive probe, which is one before the window.
    pub(crate) fn answer_unacceptable(&mut self, env: &mut Env<'_>, seg: &Segment<'_>) {
        if !seg.payload.is_empty()
            || seg.header.flags.contains(Flags::FIN)
            || seg.header.seq + 1 == self.rcv_nxt
        {
            self.flags |= Flag::ACK_NOW;
        } else {
            self.challenge(env);
        }
    }

    /// A challenge ACK, if the limit allows.
    pub(crate) fn challenge(&mut self, env: &mut Env<'_>) {
        if env.challenge.take(env.now) {
            env.counters.challenge_acks += 1;
            self.flags |= Flag::ACK_NOW;
        } else {
            env.counters.challenge_acks_suppressed += 1;
        }
    }

    /// Second step: a RST. Where it begins alone decides, not what text it may have.
    fn check_rst(&mut self, env: &mut Env<'_>, h: &Header, out: &mut Outcome) {
        if !self.is_acceptable(h.seq, 0) {
            //= RFC 5961 3.2
            //# If the RST bit is set and the sequence number is outside the current receive window,
            //# silently drop the segment.
            env.counters.resets_ignored += 1;
            return;
        }
        if h.seq != self.rcv_nxt {
            //= RFC 5961 3.2
            //# If the RST bit is set and the sequence number does not exactly match the next
            //# expected sequence value, yet is within the current receive window (RCV.NXT < SEG.SEQ
            //# < RCV.NXT+RCV.WND), TCP MUST send an acknowledgment (challenge ACK)
            env.counters.resets_challenged += 1;
            self.challenge(env);
            return;
        }
        env.counters.resets_accepted += 1;
        let reason = match self.state {
            //= RFC 9293 3.10.7.4
            //# If this connection was initiated with an active OPEN (i.e., came from SYN-SENT
            //# state), then the connection was refused; signal the user "connection refused".
            State::SynReceived if !self.is_passive() => CloseReason::Refused,
            //= RFC 9293 3.10.7.4
            //# If the RST bit is set, then enter the CLOSED state, delete the TCB, and return.
            //
            // Before our FIN is sent it is CLOSE-WAIT by the standard's names, and text is lost.
            State::Closing | State::LastAck if self.flags.contains(Flag::FIN_SENT) => {
                CloseReason::Normal
            }
            //= RFC 9293 3.10.7.4
            //# Users should also receive an unsolicited general "connection reset" signal.
            _ => CloseReason::Reset,
        };
        self.enter_closed(reason);
        out.events |= Events::CLOSED;
    }

    /// Fourth step: a SYN in the window.
    #[cold]
    fn check_syn(&mut self, env: &mut Env<'_>, h: &Header, out: &mut Outcome) {
        if self.is_repeated_syn(h) {
            // It carries text, which is in the window.
            self.flags |= Flag::SYN_DUE;
            return;
        }
        if self.state == State::SynReceived && self.is_passive() {
            //= RFC 9293 3.10.7.4
            //# If the connection was initiated with a passive OPEN, then return this connection to
            //# the LISTEN state and return.
            self.enter_closed(CloseReason::Reset);
            out.events |= Events::CLOSED;
            return;
        }
        //= RFC 5961 4.2
        //# If the SYN bit is set, irrespective of the sequence number, TCP MUST send an ACK
        //# (also referred to as challenge ACK) to the remote peer
        env.counters.syns_challenged += 1;
        self.challenge(env);
    }

    /// TIME-WAIT until the last ACK is sent and the caller has moved what remains to
    /// [`crate::time_wait`]: nothing can change any more.
    #[cold]
    fn on_segment_time_wait(&mut self, env: &mut Env<'_>, seg: &Segment<'_>) {
        let h = seg.header;
        //= RFC 1337 3
        //# (F1) Ignore RST segments in TIME-WAIT state.
        let expected = h.seq == self.rcv_nxt && seg.is_empty() && h.ack == self.snd_nxt;
        if !h.flags.contains(Flags::RST) && !expected {
            self.answer_unacceptable(env, seg);
        }
    }

    /// The sequence number after all that the application has sent and closed.
    #[inline]
    pub(crate) fn snd_end(&self) -> Seq {
        match self.state {
            State::Established | State::CloseWait => self.snd_una + self.snd.len(),
            State::FinWait1 | State::Closing | State::LastAck => self.snd_una + self.snd.len() + 1,
            // Nothing is sent before ESTABLISHED, and nothing is left once our FIN is acknowledged.
            _ => self.snd_cursor,
        }
    }
}
