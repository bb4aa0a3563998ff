//! A segment with ACK and neither RST nor SYN in TIME-WAIT.

use wire::tcp::Flags;

use super::{Age, Arrived, Decision, Known, TS_RECENT_VALID, Verdict, age, plain};
use crate::time_wait::table::Entry;
use crate::time_wait::verdict::{AckReason, DropReason};

pub(super) fn on_ack(known: &Known, segment: &Arrived<'_>) -> Decision {
    let Entry {
        rcv_nxt,
        snd_nxt,
        ts_recent,
        ..
    } = known.entry;
    let header = segment.header;
    let mut newer = None;
    if let Some(ts_recent) = ts_recent {
        //= RFC 7323 3.2
        //# If a non-<RST> segment is received without a TSopt, a TCP SHOULD silently drop the
        //# segment.
        let Some(timestamps) = header.options.timestamps else {
            return plain(Verdict::Drop(DropReason::NoTimestamp));
        };
        //= RFC 7323 5.3
        //# If there is a Timestamps option in the arriving segment, SEG.TSval < TS.Recent, TS.Recent
        //# is valid (see later discussion), and if the RST bit is not set, then treat the arriving
        //# segment as not acceptable
        let valid = known.ts_recent_age < TS_RECENT_VALID;
        if age(timestamps.val, ts_recent) == Age::Older && valid {
            return plain(Verdict::Ack(AckReason::PawsRejected));
        }
        // Taken only from segments that say exactly what is expected: whoever could write it with
        // less would make the next SYN look old.
        newer = (timestamps.val != ts_recent).then_some(timestamps.val);
    }
    if segment.has(Flags::FIN) && segment.end() == rcv_nxt {
        //= RFC 9293 3.10.7.4
        //# The only thing that can arrive in this state is a retransmission of the remote FIN.
        //# Acknowledge it, and restart the 2 MSL timeout.
        return Decision {
            verdict: Verdict::Ack(AckReason::RetransmittedFin),
            restart: true,
            ts_recent: newer,
        };
    }
    if segment.is_empty() && header.seq == rcv_nxt {
        return match header.ack.since(snd_nxt) {
            0 => Decision {
                verdict: Verdict::Drop(DropReason::ExpectedAck),
                restart: false,
                ts_recent: newer,
            },
            //= RFC 9293 3.10.7.4
            //# If the ACK acks something not yet sent (SEG.ACK > SND.NXT), then send an ACK, drop
            //# the segment, and return.
            ahead if ahead > 0 => plain(Verdict::Ack(AckReason::AcksUnsent)),
            _ => plain(Verdict::Drop(DropReason::OldAck)),
        };
    }
    plain(Verdict::Ack(unacceptable(known, segment)))
}

/// Where a segment lies that is none of those expected.
//= RFC 9293 3.10.7.4
//# If an incoming segment is not acceptable, an acknowledgment should be sent in reply
pub(super) fn unacceptable(known: &Known, segment: &Arrived<'_>) -> AckReason {
    let rcv_nxt = known.entry.rcv_nxt;
    let seq = segment.header.seq;
    if seq.lt(rcv_nxt) && segment.end().le(rcv_nxt) {
        if segment.text_len > 0 {
            AckReason::OldText
        } else {
            AckReason::OldDuplicate
        }
    } else if seq.lt(rcv_nxt) || seq.in_window(rcv_nxt, known.window) {
        //= RFC 9293 3.10.7.4
        //# This should not occur since a FIN has been received from the remote side. Ignore the
        //# segment text.
        AckReason::BeyondFin
    } else {
        AckReason::BeyondWindow
    }
}
