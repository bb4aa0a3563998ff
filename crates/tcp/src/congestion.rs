//! Congestion control: slow start, congestion avoidance, fast retransmit (RFC 5681), NewReno fast
//! recovery (RFC 6582), limited transmit (RFC 3042) and the initial window (RFC 6928).

use wire::Seq;

/// Duplicate acknowledgments that show a loss (RFC 5681 3.2).
const DUPTHRESH: u8 = 3;

/// The congestion state of a connection; all amounts in bytes.
#[derive(Clone, Debug)]
#[repr(C)]
pub(crate) struct Congestion {
    pub(crate) cwnd: u32,
    pub(crate) ssthresh: u32,
    /// RFC 6582: SND.NXT when the last loss was found.
    recover: Seq,
    /// In slow start, the largest flight since nothing was in flight; in congestion avoidance, bytes
    /// acknowledged since cwnd last grew (RFC 5681 3.1).
    meter: u32,
    pub(crate) dup_acks: u8,
    in_recovery: bool,
    /// In congestion avoidance: half of the window was in flight since cwnd last grew.
    used: bool,
}

/// What an acknowledgment of new data means for recovery.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum NewAck {
    /// No loss is being recovered from (any more).
    Ordinary,
    /// More is lost: the segment at SND.UNA must be retransmitted.
    Partial,
}

/// RFC 6928: the initial window for `segments` segments of at most 1460 bytes.
//= RFC 6928 2
//# min (10*MSS, max (2*MSS, 14600))
pub(crate) fn initial_window(segments: u8, mss: u16) -> u32 {
    let (n, mss) = (u32::from(segments), u32::from(mss));
    (n * mss).min((2 * mss).max(n * 1460))
}

impl Congestion {
    pub(crate) fn new(iss: Seq) -> Congestion {
        Congestion {
            cwnd: 0,
            //= RFC 5681 3.1
            //# The initial value of ssthresh SHOULD be set arbitrarily high
            ssthresh: u32::MAX,
            recover: iss,
            meter: 0,
            dup_acks: 0,
            in_recovery: false,
            used: false,
        }
    }

    #[inline]
    pub(crate) fn in_recovery(&self) -> bool {
        self.in_recovery
    }

    /// How much may be in flight.
    #[inline]
    pub(crate) fn window(&self, mss: u32) -> u32 {
        //= RFC 5681 3.2
        //# On the first and second duplicate ACKs received at a sender, a TCP SHOULD send a segment
        //# of previously unsent data per [RFC3042]
        let limited = match self.dup_acks {
            n @ 1..DUPTHRESH if !self.in_recovery => u32::from(n) * mss,
            _ => 0,
        };
        self.cwnd.saturating_add(limited)
    }

    /// An acknowledgment of `acked` new bytes, up to `ack`; `flight` was outstanding before it.
    #[inline]
    pub(crate) fn on_new_ack(&mut self, ack: Seq, acked: u32, flight: u32, mss: u32) -> NewAck {
        self.dup_acks = 0;
        if self.in_recovery {
            return self.on_recovery_ack(ack, acked, flight, mss);
        }
        // Not left behind by half of the sequence space, or it would seem to be ahead.
        if ack.gt(self.recover) {
            self.recover = ack - 1;
        }
        // A window that was not used says nothing about the path (RFC 7661 discusses it). Used is
        // what was in flight at once, however the acknowledgments of it are spread.
        if self.cwnd < self.ssthresh {
            self.meter = self.meter.max(flight);
            if u64::from(self.meter) * 2 > u64::from(self.cwnd) {
                //= RFC 5681 3.1
                //# cwnd += min (N, SMSS)
                self.cwnd = self.cwnd.saturating_add(acked.min(mss));
            }
            if acked >= flight || self.cwnd >= self.ssthresh {
                self.meter = 0;
            }
            return NewAck::Ordinary;
        }
        self.used |= u64::from(flight) * 2 >= u64::from(self.cwnd);
        if self.used {
            //= RFC 5681 3.1
            //# When the number of bytes acknowledged reaches cwnd, then cwnd can be incremented by
            //# up to SMSS bytes
            self.meter = self.meter.saturating_add(acked);
            if self.meter >= self.cwnd {
                self.meter -= self.cwnd;
                self.cwnd = self.cwnd.saturating_add(mss);
                self.used = false;
            }
        }
        NewAck::Ordinary
    }

    fn on_recovery_ack(&mut self, ack: Seq, acked: u32, flight: u32, mss: u32) -> NewAck {
        if ack.ge(self.recover) {
            //= RFC 6582 3.2
            //# Set cwnd to either (1) min (ssthresh, max(FlightSize, SMSS) + SMSS)
            let flight = flight.saturating_sub(acked);
            self.cwnd = self.ssthresh.min(flight.max(mss) + mss);
            self.meter = 0;
            self.in_recovery = false;
            return NewAck::Ordinary;
        }
        //= RFC 6582 3.2
        //# Deflate the congestion window by the amount of new data acknowledged by the Cumulative
        //# Acknowledgment field.  If the partial ACK acknowledges at least one SMSS of new data,
        //# then add back SMSS bytes to the congestion window.
        self.cwnd = self.cwnd.saturating_sub(acked).max(mss);
        if acked >= mss {
            self.cwnd = self.cwnd.saturating_add(mss);
        }
        NewAck::Partial
    }

    /// A duplicate acknowledgment; true if the segment at SND.UNA must be retransmitted.
    pub(crate) fn on_duplicate_ack(&mut self, ack: Seq, snd_nxt: Seq, mss: u32) -> bool {
        self.dup_acks = self.dup_acks.saturating_add(1);
        if self.in_recovery {
            //= RFC 5681 3.2
            //# For each additional duplicate ACK received (after the third), cwnd MUST be
            //# incremented by SMSS.
            self.cwnd = self.cwnd.saturating_add(mss);
            return false;
        }
        //= RFC 6582 3.2
        //# When the third duplicate ACK is received, the TCP sender first checks the value of recover
        //# to see if the Cumulative Acknowledgment field covers more than recover.
        if self.dup_acks != DUPTHRESH || !ack.gt(self.recover) {
            return false;
        }
        // min: what limited transmit sent beyond cwnd must not be counted (RFC 5681 3.2).
        let flight = snd_nxt.offset_from(ack).min(self.cwnd);
        //= RFC 5681 3.1
        //# ssthresh = max (FlightSize / 2, 2*SMSS)
        self.ssthresh = (flight / 2).max(2 * mss);
        //= RFC 5681 3.2
        //# The lost segment starting at SND.UNA MUST be retransmitted and cwnd set to ssthresh plus
        //# 3*SMSS.
        self.cwnd = self.ssthresh.saturating_add(3 * mss);
        self.recover = snd_nxt;
        self.in_recovery = true;
        true
    }

    /// A duplicate acknowledgment as RFC 6675 section 2 has it: it tells of text that has arrived beyond
    /// `ack`; `lost` if what it tells means that the segment at `ack` is lost. True if recovery begins.
    pub(crate) fn on_sack_duplicate(
        &mut self,
        lost: bool,
        ack: Seq,
        snd_nxt: Seq,
        mss: u32,
    ) -> bool {
        // After a timeout only when all that was sent before it is acknowledged (RFC 6675 5.1).
        if ack.lt(self.recover) {
            return false;
        }
        self.dup_acks = self.dup_acks.saturating_add(1);
        //= RFC 6675 5
        //# (1) If DupAcks >= DupThresh, go to step (4).
        if self.dup_acks < DUPTHRESH && !lost {
            return false;
        }
        let flight = snd_nxt.offset_from(ack).min(self.cwnd);
        //= RFC 6675 5
        //# (4.2) ssthresh = cwnd = (FlightSize / 2)
        self.ssthresh = (flight / 2).max(2 * mss);
        self.cwnd = self.ssthresh;
        self.recover = snd_nxt;
        self.in_recovery = true;
        true
    }

    /// An acknowledgment of new data, up to `ack`, in a recovery by SACK; true if it ends it.
    pub(crate) fn on_sack_ack(&mut self, ack: Seq) -> bool {
        self.dup_acks = 0;
        //= RFC 6675 5
        //# (A) An incoming cumulative ACK for a sequence number greater than RecoveryPoint signals the
        //# end of loss recovery
        if ack.lt(self.recover) {
            return false;
        }
        self.meter = 0;
        self.in_recovery = false;
        true
    }

    /// A retransmission timeout with `flight` bytes outstanding; `first` for this segment.
    pub(crate) fn on_timeout(&mut self, first: bool, flight: u32, snd_nxt: Seq, mss: u32) {
        //= RFC 5681 3.1
        //# when a TCP sender detects segment loss using the retransmission timer and the given
        //# segment has already been retransmitted by way of the retransmission timer at least once,
        //# the value of ssthresh is held constant.
        //
        // min: in a recovery by SACK more than cwnd may be outstanding, most of it arrived or lost.
        if first {
            self.ssthresh = (flight.min(self.cwnd) / 2).max(2 * mss);
        }
        //= RFC 5681 3.1
        //# upon a timeout [...] cwnd MUST be set to no more than the loss window, LW, which equals 1
        //# full-sized segment
        self.cwnd = mss;
        self.recover = snd_nxt;
        self.meter = 0;
        self.dup_acks = 0;
        self.in_recovery = false;
    }

    /// Sending begins again after more than one RTO of silence.
    pub(crate) fn on_restart(&mut self, initial_window: u32) {
        //= RFC 5681 4.1
        //# a TCP SHOULD set cwnd to no more than RW before beginning transmission if the TCP has not
        //# sent data in an interval exceeding the retransmission timeout.
        self.cwnd = self.cwnd.min(initial_window);
    }
}

#[cfg(test)]
mod tests;
