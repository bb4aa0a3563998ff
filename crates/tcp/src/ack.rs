//! The ACK field (RFC 9293 3.10.7.4, fifth step).

use wire::Seq;
use wire::tcp::{Flags, Header};

use crate::arrive::Step;
use crate::congestion::NewAck;
use crate::connection::{Connection, Flag};
use crate::memory::NONE;
use crate::output::{micros, send_clock};
use crate::time::Instant;
use crate::{CloseReason, Config, Env, Events, Outcome, Segment, State};

impl Connection {
    /// Whether SEG.ACK is of something that was sent, and not of too long ago.
    #[inline]
    pub(crate) fn is_ack_in_range(&self, config: &Config, ack: Seq) -> bool {
        //= RFC 5961 5.2
        //# The ACK value is considered acceptable only if it is in the range of ((SND.UNA -
        //# MAX.SND.WND) <= SEG.ACK <= SND.NXT).  All incoming segments whose ACK value doesn't
        //# satisfy the above condition MUST be discarded and an ACK sent back.
        ack.le(self.snd_nxt) && (ack.ge(self.snd_una - self.max_snd_wnd) || !config.ack_check)
    }

    #[inline]
    pub(crate) fn check_ack(
        &mut self,
        env: &mut Env<'_>,
        seg: &Segment<'_>,
        out: &mut Outcome,
    ) -> Step {
        let h = seg.header;
        if self.state == State::SynReceived
            && let Step::Done = self.check_ack_syn_received(env, seg, out)
        {
            return Step::Done;
        }
        if !self.is_ack_in_range(env.config, h.ack) {
            env.counters.unacceptable_acks += 1;
            self.challenge(env);
            return Step::Done;
        }
        // Not before: with less than a sequence number and an acknowledgment in range, a forged
        // timestamp would make PAWS reject all that the peer sends.
        self.update_ts_recent(env.now, h);
        let wnd = u32::from(h.window) << self.snd_wind_shift;
        let sacks = !seg.sack.is_empty()
            && self.flags.contains(Flag::SACK)
            && h.ack.ge(self.snd_una)
            && self.note_sacks(env, seg);
        if h.ack.gt(self.snd_una) {
            self.on_new_ack(env, h, sacks, out);
        } else if h.ack == self.snd_una {
            self.on_same_ack(env, seg, wnd, sacks);
        }
        self.update_snd_wnd(env, h, wnd);

        if self.flags.contains(Flag::FIN_SENT) && self.snd_una == self.snd_nxt {
            return self.fin_acked(out);
        }
        Step::Next
    }

    /// SYN-RECEIVED: the acknowledgment of our SYN opens the connection.
    fn check_ack_syn_received(
        &mut self,
        env: &mut Env<'_>,
        seg: &Segment<'_>,
        out: &mut Outcome,
    ) -> Step {
        let h = seg.header;
        if h.ack.gt(self.snd_una) && h.ack.le(self.snd_nxt) {
            //= RFC 9293 3.10.7.4
            //# If SND.UNA < SEG.ACK =< SND.NXT, then enter ESTABLISHED state and continue processing
            //# with the variables below set to: SND.WND <- SEG.WND SND.WL1 <- SEG.SEQ
            //# SND.WL2 <- SEG.ACK
            let shift = if h.flags.contains(Flags::SYN) {
                0
            } else {
                self.snd_wind_shift
            };
            self.set_snd_wnd(u32::from(h.window) << shift, h.seq, h.ack);
            out.events |= self.establish(env, h);
            if h.flags.contains(Flags::SYN) {
                // Simultaneous open: the window of a SYN is done with, and the peer may have
                // lost the acknowledgment of its own.
                self.flags |= Flag::ACK_NOW;
                return Step::Done;
            }
            return Step::Next;
        }
        //= RFC 9293 3.10.7.4
        //# If the segment acknowledgment is not acceptable, form a reset segment
        //# <SEQ=SEG.ACK><CTL=RST>
        //# and send it.
        env.counters.unacceptable_acks += 1;
        out.reset = true;
        Step::Done
    }

    /// SND.UNA < SEG.ACK =< SND.NXT.
    #[inline]
    fn on_new_ack(&mut self, env: &mut Env<'_>, h: &Header, sacks: bool, out: &mut Outcome) {
        let flight = self.flight();
        let acked = h.ack.offset_from(self.snd_una);
        self.measure(env, h);

        //= RFC 9293 3.10.7.4
        //# If SND.UNA < SEG.ACK =< SND.NXT, then set SND.UNA <- SEG.ACK.  Any segments on the
        //# retransmission queue that are thereby entirely acknowledged are removed.
        let fin = self.flags.contains(Flag::FIN_SENT) && h.ack == self.snd_nxt;
        self.snd.drop_front(env.snd_memory, acked - u32::from(fin));
        self.snd_una = h.ack;
        if Connection::is_far(self.iss, self.snd_una) {
            self.note_far(env.now);
        }
        self.snd_cursor = self.snd_cursor.max(h.ack);
        self.retries = 0;

        let mss = u32::from(self.snd_mss);
        let by_sack = self.scoreboard != NONE && self.on_new_ack_with_sacks(env);
        let partial =
            !by_sack && self.congestion.on_new_ack(h.ack, acked, flight, mss) == NewAck::Partial;
        if partial {
            env.counters.partial_acks += 1;
            //= RFC 6582 3.2
            //# If this ACK does *not* acknowledge all of the data up to and including recover, then this
            //# is a partial ACK.  In this case, retransmit the first unacknowledged segment.
            self.flags |= Flag::HEAD_DUE;
        } else {
            self.flags.remove(Flag::HEAD_DUE);
        }

        self.progress_at = env.now;
        if self.snd_una == self.snd_nxt {
            //= RFC 6298 5.2
            //# When all outstanding data has been acknowledged, turn off the retransmission timer.
            self.stop_retransmission();
            out.events |= Events::ACKED_ALL;
        } else if !partial || !self.flags.contains(Flag::PARTIAL_SEEN) {
            //= RFC 6298 5.3
            //# When an ACK is received that acknowledges new data, restart the retransmission timer
            //= RFC 6582 3.2
            //# For the first partial ACK that arrives during fast recovery, also reset the
            //# retransmit timer.
            self.start_retransmission(env);
        }
        self.flags.set(Flag::PARTIAL_SEEN, partial);
        // Whether it acknowledges something new does not matter (RFC 6675 5).
        if sacks && self.scoreboard != NONE && !self.congestion.in_recovery() {
            self.on_sack_duplicate(env);
        }

        if self.flags.contains(Flag::WANTS_WRITABLE) && self.snd_room(env.config) > 0 {
            self.flags.remove(Flag::WANTS_WRITABLE);
            out.events |= Events::WRITABLE;
        }
    }

    /// SEG.ACK = SND.UNA.
    #[inline]
    fn on_same_ack(&mut self, env: &mut Env<'_>, seg: &Segment<'_>, wnd: u32, sacks: bool) {
        // An answer to a window probe that lets nothing through shows that the peer lives.
        if self.flags.contains(Flag::PERSIST) {
            //= RFC 9293 3.8.6.1
            //# As long as the receiving TCP peer continues to send acknowledgments in response to
            //# the probe segments, the sending TCP peer MUST allow the connection to stay open
            //
            // As long as somebody cares: a connection that its application has closed would be held
            // for ever by a peer that never opens its window, at no cost to that peer.
            if !self.flags.contains(Flag::ORPHAN) {
                self.retries = 0;
            }
            return;
        }
        //= RFC 6675 2
        //# For the purposes of this specification, we define a "duplicate acknowledgment" as a
        //# segment that arrives carrying a SACK block that identifies previously unacknowledged and
        //# un-SACKed octets between HighACK and HighData.
        if self.scoreboard != NONE {
            if sacks {
                self.on_sack_duplicate(env);
            }
            return;
        }
        //= RFC 5681 2
        //# An acknowledgment is considered a "duplicate" in the following algorithms when (a) the
        //# receiver of the ACK has outstanding data, (b) the incoming acknowledgment carries no
        //# data, (c) the SYN and FIN bits are both off, (d) the acknowledgment number is equal to
        //# the greatest acknowledgment received on the given connection (TCP.UNA from [RFC793]) and
        //# (e) the advertised window in the incoming acknowledgment equals the advertised window in
        //# the last incoming acknowledgment.
        if self.snd_una == self.snd_nxt || !seg.is_empty() || wnd != self.snd_wnd {
            return;
        }
        if self.tells_only_of_old(seg) {
            return;
        }
        env.counters.duplicate_acks += 1;
        let mss = u32::from(self.snd_mss);
        if self
            .congestion
            .on_duplicate_ack(self.snd_una, self.snd_nxt, mss)
        {
            env.counters.fast_retransmits += 1;
            self.flags |= Flag::HEAD_DUE;
            self.flags.remove(Flag::PARTIAL_SEEN);
        }
    }

    #[inline]
    fn update_snd_wnd(&mut self, env: &mut Env<'_>, h: &Header, wnd: u32) {
        //= RFC 9293 3.10.7.4
        //# If SND.UNA =< SEG.ACK =< SND.NXT, the send window should be updated.  If (SND.WL1 <
        //# SEG.SEQ or (SND.WL1 = SEG.SEQ and SND.WL2 =< SEG.ACK)), set SND.WND <- SEG.WND, set
        //# SND.WL1 <- SEG.SEQ, and set SND.WL2 <- SEG.ACK.
        //
        // What acknowledges more was sent later, though its number may be lower: a retransmission, or what a
        // peer sends whose SND.NXT is beyond our closed window.
        let newer = self.snd_wl1.lt(h.seq)
            || self.snd_wl2.lt(h.ack)
            || (self.snd_wl1 == h.seq && self.snd_wl2 == h.ack);
        if !newer || h.ack.lt(self.snd_una) {
            return;
        }
        let was_closed = self.snd_wnd == 0;
        self.set_snd_wnd(wnd, h.seq, h.ack);
        // Where it was open, the timer waits for more to be worth sending: a peer that keeps talking
        // must not put that off.
        if wnd > 0 && was_closed && self.flags.contains(Flag::PERSIST) {
            // The window opens: what was probed and not taken goes again.
            self.stop_retransmission();
            self.flags.remove(Flag::PROBE_DUE);
            self.retries = 0;
            self.backoff = 0;
            self.snd_cursor = self.snd_una;
            self.forget_sacks(env.snd_memory);
        }
    }

    /// Our FIN is acknowledged.
    fn fin_acked(&mut self, out: &mut Outcome) -> Step {
        match self.state {
            //= RFC 9293 3.10.7.4
            //# if the FIN segment is now acknowledged, then enter FIN-WAIT-2 and continue processing
            //# in that state.
            State::FinWait1 => {
                self.state = State::FinWait2;
                self.flags |= Flag::FIN_WAIT2_DUE;
            }
            //= RFC 9293 3.10.7.4
            //# if the ACK acknowledges our FIN, then enter the TIME-WAIT state; otherwise, ignore the
            //# segment.
            State::Closing => {
                self.enter_time_wait();
                out.events |= Events::TIME_WAIT;
                return Step::Done;
            }
            //= RFC 9293 3.10.7.4
            //# If our FIN is now acknowledged, delete the TCB, enter the CLOSED state, and return.
            State::LastAck => {
                self.enter_closed(CloseReason::Normal);
                out.events |= Events::CLOSED;
                return Step::Done;
            }
            _ => {}
        }
        Step::Next
    }

    /// Measures the round-trip time if `h`, which acknowledges something new, allows it.
    #[inline]
    pub(crate) fn measure(&mut self, env: &mut Env<'_>, h: &Header) {
        if self.flags.contains(Flag::TIMING) {
            if h.ack.ge(self.rtt.timed_end) {
                self.flags.remove(Flag::TIMING);
                let r = micros(env.now).wrapping_sub(self.rtt.timed_at_us);
                self.rtt.sample(env.config, r);
                self.backoff = 0;
                env.counters.rtt_samples += 1;
            }
            return;
        }
        if self.backoff == 0 || !self.flags.contains(Flag::TIMESTAMPS) {
            return;
        }
        //= RFC 6298 3
        //# RTT samples MUST NOT be made using segments that were retransmitted (and thus for which
        //# it is ambiguous whether the reply was for the first instance of the packet or a later
        //# instance).  The only case when TCP can safely take RTT samples from retransmitted
        //# segments is when the TCP timestamp option [...] is employed
        if let Some(ts) = h.options.timestamps
            && ts.ecr != 0
        {
            let ms = env
                .ts_clock
                .wrapping_add(self.ts_offset)
                .wrapping_sub(ts.ecr);
            // Nor with it where the peer echoes an earlier instance than the last: either that one took so
            // long or the acknowledgment of it was lost, and then this is no round trip but our own timeout.
            // The units of both clocks may have just changed. An echo from the future is not ours.
            let since = send_clock(env.now).wrapping_sub(self.last_send);
            if u64::from(ms) * 1_000_000 <= (u64::from(since) + 2) << 20 {
                self.rtt.sample(env.config, ms.saturating_mul(1_000));
                self.backoff = 0;
                env.counters.rtt_samples_echoed += 1;
            }
        }
    }

    /// Turns the retransmission or persist timer off.
    #[inline]
    pub(crate) fn stop_retransmission(&mut self) {
        self.rtx_at = Instant::FAR_FUTURE;
        self.flags.remove(Flag::PERSIST);
    }
}
