//! A SYN without ACK in TIME-WAIT (RFC 9293 3.10.7.4, fourth step): who is honoured.

use wire::tcp::Header;

use super::{Age, Known, ResetReason, Verdict, age};
use crate::time_wait::rules::{Policy, RstRule, Rules, SynRefusal};
use crate::time_wait::verdict::{AckReason, DropReason, Recycle};

/// Why a SYN is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Refusal {
    Strict,
    OlderTimestamp,
    EqualTimestamp,
    OldSequence,
}

impl Refusal {
    /// What the refused SYN gets.
    pub(super) fn verdict(self, rule: SynRefusal) -> Verdict {
        match rule {
            //= RFC 5961 4.2
            //# If the SYN bit is set, irrespective of the sequence number, TCP MUST send an ACK (also
            //# referred to as challenge ACK) to the remote peer
            SynRefusal::Ack => Verdict::Ack(match self {
                Refusal::Strict => AckReason::SynStrict,
                Refusal::OlderTimestamp => AckReason::SynOlderTimestamp,
                Refusal::EqualTimestamp => AckReason::SynEqualTimestamp,
                Refusal::OldSequence => AckReason::SynOldSequence,
            }),
            //= RFC 6191 2
            //# Otherwise, silently drop the incoming SYN segment, thus leaving the previous incarnation
            //# of the connection in the TIME-WAIT state.
            SynRefusal::Drop => Verdict::Drop(match self {
                Refusal::Strict => DropReason::SynStrict,
                Refusal::OlderTimestamp => DropReason::SynOlderTimestamp,
                Refusal::EqualTimestamp => DropReason::SynEqualTimestamp,
                Refusal::OldSequence => DropReason::SynOldSequence,
            }),
        }
    }
}

pub(super) fn on_syn(rules: &Rules, known: &Known, header: &Header) -> Verdict {
    let judged = match rules.policy {
        Policy::Rfc6191 => rfc6191(known, header),
        Policy::Rfc1122 => by_sequence(header.seq.ge(known.entry.rcv_nxt)),
        Policy::Windows => by_sequence(header.seq.gt(known.entry.rcv_nxt)),
        Policy::Strict | Policy::Linux | Policy::None => {
            //= RFC 793 3.9
            //# If the SYN is in the window it is an error, send a reset
            if rules.rst == RstRule::Rfc793
                && header.seq.in_window(known.entry.rcv_nxt, known.window)
            {
                return Verdict::Reset(ResetReason::SynInWindow);
            }
            Err(Refusal::Strict)
        }
    };
    match judged {
        Ok(recycle) => Verdict::Recycle(recycle),
        Err(refusal) => refusal.verdict(rules.syn_refusal),
    }
}

/// Timestamps are not looked at.
fn by_sequence(new: bool) -> Result<Recycle, Refusal> {
    if new {
        Ok(Recycle::Sequence)
    } else {
        Err(Refusal::OldSequence)
    }
}

/// The timestamp of a SYN, if we would answer with one.
pub(super) fn timestamp(known: &Known, header: &Header) -> Option<u32> {
    let would_use = |_: &_| known.would_use_timestamps;
    header.options.timestamps.filter(would_use).map(|t| t.val)
}

/// Whether a SYN is proven new, after RFC 6191 section 2. Its "last sequence number seen" is the
/// FIN's, RCV.NXT - 1, so "greater than" it is "from RCV.NXT on".
fn rfc6191(known: &Known, header: &Header) -> Result<Recycle, Refusal> {
    let new_sequence = header.seq.ge(known.entry.rcv_nxt);
    match (known.entry.ts_recent, timestamp(known, header)) {
        (Some(ts_recent), Some(val)) => match age(val, ts_recent) {
            //= RFC 6191 2
            //# If TCP Timestamps would be enabled for the new incarnation of the connection, and
            //# the timestamp contained in the incoming SYN segment is greater than the last
            //# timestamp seen on the previous incarnation of the connection (for that direction
            //# of the data transfer), honor the connection request
            Age::Newer => Ok(Recycle::NewerTimestamp),
            //= RFC 6191 2
            //# If TCP Timestamps would be enabled for the new incarnation of the connection, the
            //# timestamp contained in the incoming SYN segment is equal to the last timestamp
            //# seen on the previous incarnation of the connection (for that direction of the
            //# data transfer), and the Sequence Number of the incoming SYN segment is greater
            //# than the last sequence number seen on the previous incarnation of the connection
            Age::Equal if new_sequence => Ok(Recycle::EqualTimestamp),
            Age::Equal => Err(Refusal::EqualTimestamp),
            Age::Older => Err(Refusal::OlderTimestamp),
        },
        //= RFC 6191 2
        //# If TCP Timestamps would not be enabled for the new incarnation of the connection, but the
        //# Sequence Number of the incoming SYN segment is greater than the last sequence number seen
        //# on the previous incarnation of the connection (for the same direction of the data
        //# transfer), honor the incoming connection request
        (Some(_), None) if new_sequence => Ok(Recycle::TimestampsEnd),
        (None, _) if new_sequence => Ok(Recycle::Sequence),
        //= RFC 6191 2
        //# If TCP Timestamps would be enabled for the new incarnation of the connection, honor the
        //# incoming connection request
        //
        // Whatever the sequence number: safe because the new incarnation drops segments without
        // timestamps, as RFC 7323 3.2 says it should. But if one before the last had them, the SYN may be an old one of
        // that, and its number has to tell.
        (None, Some(_)) if !known.entry.recycled => Ok(Recycle::TimestampsBegin),
        (None, Some(_)) | (_, None) => Err(Refusal::OldSequence),
    }
}
