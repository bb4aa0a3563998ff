//! What can be seen of a connection from outside.

use wire::Seq;

use crate::connection::{Connection, FAR_SHIFT, Flag, far_clock};
use crate::time::Instant;
use crate::{CloseReason, State};

/// What TIME-WAIT keeps of a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TimeWaitInfo {
    /// RCV.NXT: after the peer's FIN.
    pub rcv_nxt: Seq,
    /// How far the peer may have sent: to the edge of the window, but not beyond its FIN.
    pub rcv_adv: Seq,
    /// SND.NXT: after our FIN.
    pub snd_nxt: Seq,
    /// TS.Recent, if timestamps are in use.
    pub ts_recent: Option<u32>,
    /// The newest timestamp of the peer's: TS.Recent or up to 2^23 more, exact as long as it is less than 2^15 more.
    pub ts_newest: Option<u32>,
    /// SEG.WND as it would be sent, scaled.
    pub window: u16,
    /// IRS, the peer's first number, or 2^30 after it as often as RCV.NXT is beyond that.
    pub irs: Seq,
    /// ISS, our first number, or 2^30 after it as often as SND.UNA is beyond that.
    pub iss: Seq,
    /// What [`Connection::set_note`] was told; without timestamps only.
    pub note: u32,
}

/// A snapshot of a connection, for people.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ConnectionInfo {
    /// The state. SYN-RECEIVED goes on after a CLOSE that has sent its FIN, until our SYN is acknowledged; RFC 9293 calls it
    /// FIN-WAIT-1 by then.
    pub state: State,
    /// Why it ended, if it did.
    pub close_reason: Option<CloseReason>,
    /// Whether the peer opened it.
    pub passive: bool,
    /// Whether timestamps are in use.
    pub timestamps: bool,
    /// Whether SACK is in use.
    pub sack: bool,
    /// Snd.Wind.Shift and Rcv.Wind.Shift.
    pub window_shifts: (u8, u8),
    /// The oldest unacknowledged number, SND.UNA.
    pub snd_una: Seq,
    /// SND.NXT.
    pub snd_nxt: Seq,
    /// SND.WND in bytes.
    pub snd_wnd: u32,
    /// RCV.NXT.
    pub rcv_nxt: Seq,
    /// RCV.WND in bytes, as announced.
    pub rcv_wnd: u32,
    /// The most text in a segment, in bytes.
    pub snd_mss: u16,
    /// The congestion window, in bytes.
    pub cwnd: u32,
    /// The slow start threshold, in bytes; `u32::MAX` before the first loss.
    pub ssthresh: u32,
    /// Whether fast recovery is going on.
    pub in_recovery: bool,
    /// SRTT in microseconds; 0 before the first measurement.
    pub srtt_us: u32,
    /// RTTVAR in microseconds.
    pub rttvar_us: u32,
    /// RTO in microseconds, not backed off.
    pub rto_us: u32,
    /// Doublings of the RTO.
    pub backoff: u8,
    /// Bytes queued and not acknowledged.
    pub send_queue: u32,
    /// Bytes received and not read.
    pub receive_queue: u32,
    /// Bytes received out of order.
    pub out_of_order: u32,
}

impl Connection {
    /// What [`crate::time_wait`] needs when the state is [`State::TimeWait`].
    #[must_use]
    pub fn time_wait(&self) -> TimeWaitInfo {
        let timestamps = self.flags.contains(Flag::TIMESTAMPS);
        TimeWaitInfo {
            rcv_nxt: self.rcv_nxt,
            rcv_adv: if self.peer_closed() {
                self.rcv_nxt
            } else {
                self.rcv_nxt.max(self.rcv_adv)
            },
            snd_nxt: self.snd_nxt,
            ts_recent: timestamps.then_some(self.ts_recent),
            ts_newest: timestamps.then(|| self.ts_newest()),
            window: (self.rcv_wnd() >> self.rcv_wind_shift).min(0xffff) as u16,
            irs: self.irs,
            iss: self.iss,
            note: self.ts_recent,
        }
    }

    /// Whether either space may have moved by 2^30 or more within the last `ms` milliseconds.
    #[must_use]
    pub fn has_moved_far(&self, now: Instant, ms: u64) -> bool {
        if !self.flags.contains(Flag::FAR) {
            return false;
        }
        let most = (ms.saturating_mul(1_000_000) >> FAR_SHIFT) + 1;
        // The clock comes round: what is too long ago to be told may be recent.
        most > 127 || u64::from(far_clock(now).wrapping_sub(self.far_at)) <= most
    }

    /// Keeps four octets of the caller's until [`Connection::time_wait`], where TS.Recent would be:
    /// with timestamps there is no room, and nothing is kept.
    pub fn set_note(&mut self, note: u32) {
        if !self.flags.contains(Flag::TIMESTAMPS) {
            self.ts_recent = note;
        }
    }

    /// Whether all that is left to happen is the peer's FIN: ours is acknowledged, and the user has
    /// closed both ways.
    #[inline]
    #[must_use]
    pub fn is_orphan_in_fin_wait2(&self) -> bool {
        self.state == State::FinWait2 && self.flags.contains(Flag::ORPHAN)
    }

    /// A snapshot.
    #[must_use]
    pub fn info(&self) -> ConnectionInfo {
        ConnectionInfo {
            state: self.state,
            close_reason: self.reason,
            passive: self.is_passive(),
            timestamps: self.flags.contains(Flag::TIMESTAMPS),
            sack: self.flags.contains(Flag::SACK),
            window_shifts: (self.snd_wind_shift, self.rcv_wind_shift),
            snd_una: self.snd_una,
            snd_nxt: self.snd_nxt,
            snd_wnd: self.snd_wnd,
            rcv_nxt: self.rcv_nxt,
            rcv_wnd: self.rcv_wnd(),
            snd_mss: self.snd_mss,
            cwnd: self.congestion.cwnd,
            ssthresh: self.congestion.ssthresh,
            in_recovery: self.congestion.in_recovery(),
            srtt_us: self.rtt.srtt_us,
            rttvar_us: self.rtt.rttvar_us,
            rto_us: self.rtt.rto_us,
            backoff: self.backoff,
            send_queue: self.snd.len(),
            receive_queue: self.rcv.len(),
            out_of_order: self.ranges.bytes(),
        }
    }
}
