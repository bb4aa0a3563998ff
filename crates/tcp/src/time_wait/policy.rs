//! What a segment for a connection in TIME-WAIT meets: a pure function of the entry and the
//! segment.
//!
//! The tests, first match: RST; SYN; SYN,ACK; no ACK; no timestamp where there should be one; PAWS;
//! the retransmitted FIN; exact duplicates; the rest. RFC 7323 puts PAWS before everything but RST;
//! for a SYN, RFC 6191 has taken its place.
//!
//! Two readings of RFC 9293 3.10.7.4 are not followed to the letter. A retransmitted FIN ends at
//! RCV.NXT and so fails the acceptability test of the first step, which would make the restart of
//! the timer in the fifth and eighth unreachable: it is recognised before. And a bare
//! acknowledgment at RCV.NXT is not answered: two ends in TIME-WAIT, after a simultaneous close,
//! would acknowledge each other for ever.

use core::time::Duration;

use wire::Seq;
use wire::tcp::{Flags, Header};

use super::table::Entry;
use super::verdict::{AckReason, Decision, DropReason, Recycle, Verdict};

/// Which SYN may recycle a four-tuple.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[non_exhaustive]
pub enum Policy {
    /// RFC 6191: a newer timestamp proves the SYN new, else its sequence number must.
    #[default]
    Rfc6191,
}

/// What a RST does.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[non_exhaustive]
pub enum RstRule {
    /// Nothing (RFC 1337 F1): an old segment cannot end TIME-WAIT through the peer's RST.
    #[default]
    Ignore,
}

/// What a SYN that may not recycle gets.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[non_exhaustive]
pub enum SynRefusal {
    /// Nothing (RFC 6191). An acknowledgment could only provoke a RST, which [`RstRule::Ignore`]
    /// then ignores.
    #[default]
    Drop,
}

/// A policy and its switches. The default is the profile `safe`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Rules {
    /// Which SYN may recycle.
    pub policy: Policy,
    /// What a RST does.
    pub rst: RstRule,
    /// What a SYN that may not recycle gets.
    pub syn_refusal: SynRefusal,
}

/// After this long TS.Recent says nothing any more.
pub const TS_RECENT_VALID: Duration = Duration::from_secs(24 * 24 * 60 * 60);

/// A segment as the rules see it.
#[derive(Clone, Copy, Debug)]
pub struct Arrived<'a> {
    /// Its header.
    pub header: &'a Header,
    /// The length of its text in bytes.
    pub text_len: u32,
}

impl Arrived<'_> {
    /// One past the last number that the segment takes: SEG.SEQ + SEG.LEN.
    fn end(&self) -> Seq {
        self.header.seq + self.text_len + u32::from(self.header.flags.contains(Flags::FIN))
    }
}

/// What is known of the connection.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    /// Its entry.
    pub entry: Entry,
    /// RCV.WND in bytes, as it was at the end: the anchor's.
    pub window: u32,
    /// Whether a SYN with timestamps would be answered with timestamps.
    pub would_use_timestamps: bool,
    /// At least how long ago TS.Recent was set; zero keeps it valid, and is right wherever
    /// TIME-WAIT is shorter than [`TS_RECENT_VALID`].
    pub ts_recent_age: Duration,
}

/// Decides on a segment whose checksum and form are right.
#[must_use]
pub fn decide(rules: &Rules, known: &Known, segment: &Arrived<'_>) -> Decision {
    let flags = segment.header.flags;
    if flags.contains(Flags::RST) {
        return plain(on_rst(rules.rst, known, segment));
    }
    if flags.contains(Flags::SYN) {
        return plain(on_syn(rules, known, segment.header));
    }
    //= RFC 9293 3.10.7.4
    //# if the ACK bit is off, drop the segment and return
    if !flags.contains(Flags::ACK) {
        return plain(Verdict::Drop(DropReason::NoAck));
    }
    on_ack(known, segment)
}

/// A verdict that leaves the entry as it is.
fn plain(verdict: Verdict) -> Decision {
    Decision {
        verdict,
        restart: false,
        ts_recent: None,
    }
}

//= RFC 7323 5.2
//# When an <RST> segment is received, it MUST NOT be subjected to the PAWS check by verifying an
//# acceptable value in SEG.TSval
fn on_rst(rule: RstRule, known: &Known, segment: &Arrived<'_>) -> Verdict {
    //= RFC 1337 3
    //# Ignore RST segments in TIME-WAIT state. If the 2 minute MSL is enforced, this fix avoids all
    //# three hazards.
    match rule {
        RstRule::Ignore => {
            let seq = segment.header.seq;
            let rcv_nxt = known.entry.rcv_nxt;
            Verdict::Drop(if seq == rcv_nxt {
                DropReason::RstExact
            } else if seq.in_window(rcv_nxt, known.window) {
                DropReason::RstInWindow
            } else {
                DropReason::RstOutOfWindow
            })
        }
    }
}

fn on_syn(rules: &Rules, known: &Known, header: &Header) -> Verdict {
    if header.flags.contains(Flags::ACK) {
        //= RFC 5961 4.2
        //# If the SYN bit is set, irrespective of the sequence number, TCP MUST send an ACK (also
        //# referred to as challenge ACK) to the remote peer
        return Verdict::Ack(AckReason::SynAck);
    }
    if header.flags.contains(Flags::FIN) {
        return Verdict::Drop(DropReason::SynFin);
    }
    let recycled = match rules.policy {
        Policy::Rfc6191 => rfc6191(known, header),
    };
    match (recycled, rules.syn_refusal) {
        (Ok(recycle), _) => Verdict::Recycle(recycle),
        //= RFC 6191 2
        //# Otherwise, silently drop the incoming SYN segment, thus leaving the previous incarnation
        //# of the connection in the TIME-WAIT state.
        (Err(reason), SynRefusal::Drop) => Verdict::Drop(reason),
    }
}

/// Whether a SYN is proven new, after RFC 6191 section 2. Its "last sequence number seen" is the
/// FIN's, RCV.NXT - 1, so "greater than" it is "from RCV.NXT on".
fn rfc6191(known: &Known, header: &Header) -> Result<Recycle, DropReason> {
    let new_sequence = header.seq.ge(known.entry.rcv_nxt);
    let would_use = |_: &_| known.would_use_timestamps;
    let timestamp = header.options.timestamps.filter(would_use).map(|t| t.val);
    match (known.entry.ts_recent, timestamp) {
        (Some(ts_recent), Some(val)) => {
            let newer_by = val.wrapping_sub(ts_recent) as i32;
            if newer_by > 0 {
                //= RFC 6191 2
                //# If TCP Timestamps would be enabled for the new incarnation of the connection, and
                //# the timestamp contained in the incoming SYN segment is greater than the last
                //# timestamp seen on the previous incarnation of the connection (for that direction
                //# of the data transfer), honor the connection request
                Ok(Recycle::NewerTimestamp)
            } else if newer_by < 0 {
                Err(DropReason::SynOlderTimestamp)
            } else if new_sequence {
                //= RFC 6191 2
                //# If TCP Timestamps would be enabled for the new incarnation of the connection, the
                //# timestamp contained in the incoming SYN segment is equal to the last timestamp
                //# seen on the previous incarnation of the connection (for that direction of the
                //# data transfer), and the Sequence Number of the incoming SYN segment is greater
                //# than the last sequence number seen on the previous incarnation of the connection
                Ok(Recycle::EqualTimestamp)
            } else {
                Err(DropReason::SynEqualTimestamp)
            }
        }
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
        // timestamps, as RFC 7323 3.2 says it should.
        (None, Some(_)) => Ok(Recycle::TimestampsBegin),
        (_, None) => Err(DropReason::SynOldSequence),
    }
}

/// A segment with ACK and neither RST nor SYN.
fn on_ack(known: &Known, segment: &Arrived<'_>) -> Decision {
    let Entry {
        rcv_nxt,
        snd_nxt,
        ts_recent,
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
        let older = (timestamps.val.wrapping_sub(ts_recent) as i32) < 0;
        let valid = known.ts_recent_age < TS_RECENT_VALID;
        if older && valid {
            return plain(Verdict::Ack(AckReason::PawsRejected));
        }
        // Taken only from segments that say exactly what is expected: whoever could write it with
        // less would make the next SYN look old.
        newer = (timestamps.val != ts_recent).then_some(timestamps.val);
    }
    let end = segment.end();
    let fin = header.flags.contains(Flags::FIN);
    if fin && end == rcv_nxt {
        //= RFC 9293 3.10.7.4
        //# The only thing that can arrive in this state is a retransmission of the remote FIN.
        //# Acknowledge it, and restart the 2 MSL timeout.
        return Decision {
            verdict: Verdict::Ack(AckReason::RetransmittedFin),
            restart: true,
            ts_recent: newer,
        };
    }
    let empty = segment.text_len == 0 && !fin;
    if empty && header.seq == rcv_nxt {
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
    //= RFC 9293 3.10.7.4
    //# If an incoming segment is not acceptable, an acknowledgment should be sent in reply
    let reason = if header.seq.lt(rcv_nxt) && end.le(rcv_nxt) {
        AckReason::OldDuplicate
    } else if header.seq.lt(rcv_nxt) || header.seq.in_window(rcv_nxt, known.window) {
        //= RFC 9293 3.10.7.4
        //# This should not occur since a FIN has been received from the remote side. Ignore the
        //# segment text.
        AckReason::BeyondFin
    } else {
        AckReason::BeyondWindow
    };
    plain(Verdict::Ack(reason))
}

#[cfg(test)]
mod tests;
