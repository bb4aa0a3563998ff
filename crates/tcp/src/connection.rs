//! The transmission control block (RFC 9293 3.3.1).

use wire::Seq;

use crate::congestion::Congestion;
use crate::paws::Ahead;
use crate::prefetch::prefetch;
use crate::reassembly::Ranges;
use crate::rtt::Rtt;
use crate::time::Instant;
use crate::{CloseReason, Memory, Queue, State};

bitflags::bitflags! {
    /// What is true of a connection, and what is due to be transmitted.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub(crate) struct Flag: u32 {
        /// Opened by a SYN of the peer.
        const PASSIVE = 1;
        /// Timestamps are negotiated.
        const TIMESTAMPS = 1 << 1;
        /// The application closes by RST.
        const LINGER_ZERO = 1 << 2;
        /// The application has closed both ways: nobody reads any more.
        const ORPHAN = 1 << 3;
        /// The application has closed its sending side.
        const FIN_QUEUED = 1 << 4;
        /// Our FIN is sent: SND.NXT is beyond it.
        const FIN_SENT = 1 << 5;
        /// The peer's FIN is beyond text that is missing; `fin_seq` is its number.
        const FIN_HELD = 1 << 6;
        /// The peer's FIN is received in order.
        const FIN_RECEIVED = 1 << 7;
        /// `rtt` measures a segment.
        const TIMING = 1 << 8;
        /// The retransmission timer serves as persist timer.
        const PERSIST = 1 << 9;
        /// `send` took less than it was offered.
        const WANTS_WRITABLE = 1 << 10;
        /// The one early SYN retry after an unacceptable acknowledgment is spent until the next timeout.
        const SYN_HURRIED = 1 << 11;
        /// The retransmission timer is that of the early SYN retry.
        const SYN_HURRY_DUE = 1 << 15;
        /// The peer offered window scaling and so do we.
        const SCALING = 1 << 13;
        /// A partial acknowledgment was seen in this recovery.
        const PARTIAL_SEEN = 1 << 12;
        /// The peer permits SACK, and so do we.
        const SACK = 1 << 14;

        /// An acknowledgment is due.
        const ACK_NOW = 1 << 16;
        /// A RST is due.
        const RST_DUE = 1 << 17;
        /// A SYN or SYN-ACK is due.
        const SYN_DUE = 1 << 18;
        /// The segment at SND.UNA is to be retransmitted.
        const HEAD_DUE = 1 << 19;
        /// A segment is to be sent although the window forbids it.
        const PROBE_DUE = 1 << 20;
        /// A keep-alive probe is due.
        const KEEPALIVE_DUE = 1 << 21;
        /// The FIN-WAIT-2 timer is to be started.
        const FIN_WAIT2_DUE = 1 << 22;
        /// Recovery by SACK may have something to send.
        const SACK_DUE = 1 << 23;

        /// Text was dropped because receive memory is exhausted: the window is said to be closed.
        const NO_MEMORY = 1 << 24;
        /// Receive memory is scarce, and the connection's share of it too small for a segment.
        const CLAMPED = 1 << 25;
        /// Text up to the right edge of the window came while text before it is missing: the peer's SND.NXT is
        /// there.
        const FILLED = 1 << 26;
        /// One of the sequence number spaces has moved on by 2^30 or more; `far_at` is when last.
        const FAR = 1 << 27;

        /// Any of the things due.
        const DUE = 0xff << 16;
    }
}

/// One connection in any state but LISTEN: the transmission control block.
///
/// It owns no memory: what it queues is in the [`Memory`] that it is lent, and must be given back
/// with [`Connection::release`] before it is dropped. So it is not `Clone`. The four-tuple is the
/// caller's.
#[derive(Debug)]
#[repr(C, align(64))]
pub struct Connection {
    // Line 0 (offset 0): what every segment reads.
    pub(crate) flags: Flag,
    pub(crate) state: State,
    pub(crate) reason: Option<CloseReason>,
    /// Snd.Wind.Shift and Rcv.Wind.Shift (RFC 7323 2.3).
    pub(crate) snd_wind_shift: u8,
    pub(crate) rcv_wind_shift: u8,
    pub(crate) snd_una: Seq,
    /// SND.NXT: after the last number ever sent.
    pub(crate) snd_nxt: Seq,
    /// The number to send next: SND.NXT, or less while retransmitting after a timeout.
    pub(crate) snd_cursor: Seq,
    pub(crate) snd_wnd: u32,
    pub(crate) snd_wl1: Seq,
    pub(crate) snd_wl2: Seq,
    /// MAX.SND.WND (RFC 5961 5.2): the largest window the peer ever offered.
    pub(crate) max_snd_wnd: u32,
    pub(crate) rcv_nxt: Seq,
    /// RCV.NXT + RCV.WND: the right edge, the farthest ever announced, which never moves left.
    pub(crate) rcv_adv: Seq,
    pub(crate) last_ack_sent: Seq,
    pub(crate) ts_recent: u32,
    /// When `ts_recent` was set, in units of 2^40 ns.
    pub(crate) ts_recent_at: u16,
    pub(crate) ts_ahead: Ahead,
    pub(crate) ts_offset: u32,
    pub(crate) last_tsval: u32,

    // Line 1 (offset 64): what sending reads.
    /// Retransmission or persist timer.
    pub(crate) rtx_at: Instant,
    /// Delayed acknowledgment.
    pub(crate) ack_at: Instant,
    /// Keep-alive or FIN-WAIT-2 timer.
    pub(crate) idle_at: Instant,
    pub(crate) congestion: Congestion,
    /// The most text in a segment that we send: Eff.snd.MSS (RFC 9293 3.7.1).
    pub(crate) snd_mss: u16,
    /// Segments with text received since the last acknowledgment.
    pub(crate) segments_unacked: u8,
    /// Duplicate acknowledgments owed, one for each segment that came out of order.
    pub(crate) acks_owed: u8,
    /// When sending began after silence or the last acknowledgment of new data came: for the user
    /// timeout.
    pub(crate) progress_at: Instant,
    /// When text was last sent, in units of 2^20 ns, wrapping.
    pub(crate) last_send: u32,
    /// ISS; once SND.UNA is 2^30 beyond it, so much more, and so on.
    pub(crate) iss: Seq,

    // Line 2 (offset 128): queues.
    pub(crate) snd: Queue,
    pub(crate) rcv: Queue,
    /// IRS; once RCV.NXT is 2^30 beyond it, so much more, and so on.
    pub(crate) irs: Seq,
    pub(crate) fin_seq: Seq,

    // Line 3 (offset 192): measurement, and what only the unusual reads.
    pub(crate) rtt: Rtt,
    /// Retransmissions of the same thing, or unanswered window probes.
    pub(crate) retries: u8,
    /// Doublings of the retransmission timeout.
    pub(crate) backoff: u8,
    pub(crate) keepalive_probes: u8,
    /// With [`Flag::FAR`]: when ISS or IRS last went on, in units of 2^33 ns, wrapping.
    pub(crate) far_at: u8,
    pub(crate) ranges: Ranges,
    /// The chunk of send memory with what the peer tells by SACK, if there is one.
    pub(crate) scoreboard: u32,
}

/// How far a space moves until that is noted: what TIME-WAIT takes an incarnation for that did not go far.
const STRIDE: u32 = crate::time_wait::bound::UNCOUNTED;

/// The clock of `far_at` ticks every 2^33 ns, 8.6 s.
pub(crate) const FAR_SHIFT: u32 = 33;

pub(crate) fn far_clock(now: Instant) -> u8 {
    (now.as_nanos() >> FAR_SHIFT) as u8
}

const _: () = {
    use core::mem::offset_of;
    assert!(size_of::<Connection>() == 256);
    assert!(offset_of!(Connection, rtx_at) == 64);
    assert!(offset_of!(Connection, snd) == 128);
    assert!(offset_of!(Connection, rtt) == 192);
};

impl Connection {
    /// The state.
    #[inline]
    #[must_use]
    pub fn state(&self) -> State {
        self.state
    }

    /// Why the connection is over; `None` while it is not.
    #[inline]
    #[must_use]
    pub fn close_reason(&self) -> Option<CloseReason> {
        self.reason
    }

    /// Whether it ended with both FINs acknowledged. A RST for what was about to end is no failure
    /// ([`CloseReason::Normal`]), but leaves nobody in TIME-WAIT.
    #[inline]
    #[must_use]
    pub fn has_ended_in_order(&self) -> bool {
        self.reason == Some(CloseReason::Normal) && self.flight() == 0
    }

    /// Whether the connection was opened by a SYN of the peer.
    #[inline]
    #[must_use]
    pub fn is_passive(&self) -> bool {
        self.flags.contains(Flag::PASSIVE)
    }

    /// Whether the peer's FIN and all text before it were received.
    #[inline]
    #[must_use]
    pub fn peer_closed(&self) -> bool {
        self.flags.contains(Flag::FIN_RECEIVED)
    }

    /// SND.UNA: the oldest sequence number not acknowledged.
    #[inline]
    #[must_use]
    pub fn snd_una(&self) -> Seq {
        self.snd_una
    }

    /// SND.NXT: after the last sequence number sent.
    #[inline]
    #[must_use]
    pub fn snd_nxt(&self) -> Seq {
        self.snd_nxt
    }

    /// RCV.NXT: the next sequence number expected.
    #[inline]
    #[must_use]
    pub fn rcv_nxt(&self) -> Seq {
        self.rcv_nxt
    }

    /// SEG.TSval of the last segment sent, offset included; `None` without timestamps.
    #[inline]
    #[must_use]
    pub fn last_tsval(&self) -> Option<u32> {
        self.flags
            .contains(Flag::TIMESTAMPS)
            .then_some(self.last_tsval)
    }

    /// Starts loading all of its cache lines: a segment that acknowledges and carries text touches
    /// each.
    #[inline]
    pub fn prefetch(&self) {
        prefetch(&self.flags);
        prefetch(&self.rtx_at);
        prefetch(&self.snd);
        prefetch(&self.rtt);
    }

    /// How often the same thing has been sent in vain: retransmissions, window probes and keep-alive probes
    /// without an answer.
    #[inline]
    #[must_use]
    pub fn unanswered(&self) -> u8 {
        self.retries.max(self.keepalive_probes)
    }

    /// The earliest time at which [`Connection::on_timer`] has something to do.
    #[inline]
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        let at = self.rtx_at.min(self.ack_at).min(self.idle_at);
        (at != Instant::FAR_FUTURE).then_some(at)
    }

    /// Gives back all memory. Called before the connection is dropped.
    pub fn release(&mut self, rcv_memory: &mut Memory, snd_memory: &mut Memory) {
        self.rcv.clear(rcv_memory);
        self.snd.clear(snd_memory);
        self.forget_sacks(snd_memory);
        self.ranges.clear();
    }

    /// Whether ISS or IRS, `begin`, has to go on. Neither SND.UNA nor RCV.NXT, `at`, goes on by more than a window at a
    /// time, so by 2^30: no step is missed.
    #[inline]
    pub(crate) fn is_far(begin: Seq, at: Seq) -> bool {
        at.offset_from(begin) >= STRIDE
    }

    /// SND.UNA or RCV.NXT has gone far.
    #[cold]
    pub(crate) fn note_far(&mut self, now: Instant) {
        for (begin, at) in [(&mut self.iss, self.snd_una), (&mut self.irs, self.rcv_nxt)] {
            if Connection::is_far(*begin, at) {
                *begin += STRIDE;
            }
        }
        self.flags |= Flag::FAR;
        self.far_at = far_clock(now);
    }

    /// Bytes sent and not acknowledged, with SYN and FIN.
    #[inline]
    pub(crate) fn flight(&self) -> u32 {
        self.snd_nxt.offset_from(self.snd_una)
    }

    /// Enters CLOSED. What is due besides a RST is forgotten.
    pub(crate) fn enter_closed(&mut self, reason: CloseReason) {
        self.state = State::Closed;
        self.reason = Some(reason);
        self.stop_timers();
        self.acks_owed = 0;
        self.flags.remove(Flag::DUE);
    }

    /// Enters TIME-WAIT.
    pub(crate) fn enter_time_wait(&mut self) {
        //= RFC 9293 3.10.7.4
        //# start the time-wait timer, turn off the other timers
        self.state = State::TimeWait;
        self.reason = Some(CloseReason::Normal);
        self.stop_timers();
        self.flags.remove(Flag::DUE);
    }

    fn stop_timers(&mut self) {
        self.rtx_at = Instant::FAR_FUTURE;
        self.ack_at = Instant::FAR_FUTURE;
        self.idle_at = Instant::FAR_FUTURE;
        self.flags.remove(Flag::PERSIST);
    }
}
