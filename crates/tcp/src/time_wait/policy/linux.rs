//! TIME-WAIT as Linux has it (tcp_timewait_state_process, 6.18): for comparison, and for those who
//! depend on it.
//!
//! It accepts segments without timestamps, so old ones without them are not told from new; it takes
//! a difference of half the space for newer; it acknowledges what has no ACK, where RFC 9293 3.10.7.4 says
//! to drop it; and nearly all that arrives restarts the timer, also where the acknowledgment is
//! suppressed, so a trickle of old duplicates keeps an entry for ever.

use wire::tcp::Flags;

use super::ack::unacceptable;
use super::syn::{Refusal, timestamp};
use super::{Arrived, Decision, Known, Verdict};
use crate::time_wait::rules::Rules;
use crate::time_wait::verdict::{AckReason, DropReason, Recycle};

pub(super) fn decide(rules: &Rules, known: &Known, segment: &Arrived<'_>) -> Decision {
    let rcv_nxt = known.entry.rcv_nxt;
    let header = segment.header;
    let syn = segment.has(Flags::SYN);
    let val = if syn {
        timestamp(known, header)
    } else {
        header.options.timestamps.map(|t| t.val)
    };
    // Both, or it is as if there were none. Newer: by up to 2^31, that included.
    let by = known
        .entry
        .ts_recent
        .zip(val)
        .map(|(recent, val)| recent.wrapping_sub(val) as i32);
    let newer = by.is_some_and(|by| by < 0);
    let equal = by == Some(0);
    let paws_rejects = by.is_some_and(|by| by > 0);
    let ts_recent = val.filter(|_| newer);

    if !paws_rejects && !syn && segment.is_empty() && header.seq == rcv_nxt {
        let reason = if !segment.has(Flags::ACK) {
            DropReason::NoAck
        } else if header.ack == known.entry.snd_nxt {
            DropReason::ExpectedAck
        } else {
            DropReason::OldAck
        };
        return Decision {
            verdict: Verdict::Drop(reason),
            restart: true,
            ts_recent,
        };
    }
    let restarts = paws_rejects || segment.has(Flags::ACK);
    let verdict = if syn && !segment.has(Flags::ACK) {
        let by = header.seq.since(rcv_nxt);
        let judged = match paws_rejects {
            true => Err(Refusal::OlderTimestamp),
            false => on_syn(known, by, newer, equal),
        };
        match judged {
            Ok(recycle) => Verdict::Recycle(recycle),
            Err(refusal) => refusal.verdict(rules.syn_refusal),
        }
    } else {
        Verdict::Ack(if paws_rejects {
            AckReason::PawsRejected
        } else if syn {
            AckReason::SynAck
        } else if segment.has(Flags::FIN) && segment.end() == rcv_nxt {
            AckReason::RetransmittedFin
        } else {
            unacceptable(known, segment)
        })
    };
    Decision {
        verdict,
        restart: restarts,
        ts_recent: None,
    }
}

/// `by`: the SYN's number minus RCV.NXT. Linux takes half of the space away for after.
fn on_syn(known: &Known, by: i32, newer: bool, equal: bool) -> Result<Recycle, Refusal> {
    let after = by > 0 || by == i32::MIN;
    match (newer, equal, after) {
        (true, _, _) => Ok(Recycle::NewerTimestamp),
        (false, true, true) => Ok(Recycle::EqualTimestamp),
        (false, true, false) => Err(Refusal::EqualTimestamp),
        (false, false, true) if known.entry.ts_recent.is_some() => Ok(Recycle::TimestampsEnd),
        (false, false, true) => Ok(Recycle::Sequence),
        (false, false, false) => Err(Refusal::OldSequence),
    }
}
