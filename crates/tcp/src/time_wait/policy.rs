//! What a segment for a connection in TIME-WAIT meets: a pure function of the rules, the entry and
//! the segment.
//!
//! The tests, first match: RST; SYN; SYN,ACK; no ACK; no timestamp where there should be one; PAWS;
//! the retransmitted FIN; exact duplicates; the rest. RFC 7323 puts PAWS before everything but RST;
//! for a SYN, RFC 6191 has taken its place. What Linux does differently is in [`linux`].
//!
//! Two readings of RFC 9293 3.10.7.4 are not followed to the letter. A retransmitted FIN ends at
//! RCV.NXT and so fails the acceptability test of the first step, which would make the restart of
//! the timer in the fifth and eighth unreachable: it is recognised before. And a bare
//! acknowledgment at RCV.NXT is not answered: two ends in TIME-WAIT, after a simultaneous close,
//! would acknowledge each other for ever.

use core::time::Duration;

use wire::Seq;
use wire::tcp::{Flags, Header};

use super::rules::{Policy, RstRule, Rules};
use super::table::Entry;
use super::verdict::{AckReason, Decision, DropReason, KillReason, ResetReason, Verdict};

mod ack;
mod fin_wait2;
mod half_open;
mod linux;
mod syn;

/// After this long TS.Recent says nothing any more.
pub const TS_RECENT_VALID: Duration = Duration::from_secs(24 * 24 * 60 * 60);

/// How long [`RstRule::IgnoreBriefly`] ignores: two ticks of the slowest timestamp clock
/// (RFC 7323 5.4: one a second), so that PAWS takes over.
pub const RST_IGNORED: Duration = Duration::from_secs(2);

/// A segment as the rules see it.
#[derive(Clone, Copy, Debug)]
pub struct Arrived<'a> {
    /// Its header.
    pub header: &'a Header,
    /// The length of its text in bytes.
    pub text_len: u32,
}

impl Arrived<'_> {
    fn has(&self, flag: Flags) -> bool {
        self.header.flags.contains(flag)
    }

    /// One past the last number that the segment takes: SEG.SEQ + SEG.LEN. It is no SYN.
    fn end(&self) -> Seq {
        self.header.seq + self.text_len + u32::from(self.has(Flags::FIN))
    }

    /// SEG.LEN = 0. It is no SYN.
    fn is_empty(&self) -> bool {
        self.text_len == 0 && !self.has(Flags::FIN)
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
    /// How long it has been in TIME-WAIT; it may be up to a tick more.
    pub age: Duration,
    /// At least how long ago TS.Recent was set; zero keeps it valid, and is right wherever
    /// TIME-WAIT is shorter than [`TS_RECENT_VALID`].
    pub ts_recent_age: Duration,
}

/// Decides on a segment whose checksum and form are right.
#[must_use]
pub fn decide(rules: &Rules, known: &Known, segment: &Arrived<'_>) -> Decision {
    if rules.policy == Policy::None {
        return plain(Verdict::Closed);
    }
    if known.entry.fin_wait2 {
        return fin_wait2::decide(known, segment);
    }
    if known.entry.reset {
        return plain(half_open::decide(rules, known, segment));
    }
    if segment.has(Flags::RST) {
        return plain(on_rst(rules.rst, known, segment));
    }
    if segment.has(Flags::SYN | Flags::FIN) && !segment.has(Flags::ACK) {
        return plain(Verdict::Drop(DropReason::SynFin));
    }
    if rules.policy == Policy::Linux {
        return linux::decide(rules, known, segment);
    }
    if segment.has(Flags::SYN) {
        if segment.has(Flags::ACK) {
            //= RFC 5961 4.2
            //# If the SYN bit is set, irrespective of the sequence number, TCP MUST send an ACK (also
            //# referred to as challenge ACK) to the remote peer
            return plain(Verdict::Ack(AckReason::SynAck));
        }
        return plain(syn::on_syn(rules, known, segment.header));
    }
    //= RFC 9293 3.10.7.4
    //# if the ACK bit is off, drop the segment and return
    if !segment.has(Flags::ACK) {
        return plain(Verdict::Drop(DropReason::NoAck));
    }
    ack::on_ack(known, segment)
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
    let seq = segment.header.seq;
    let rcv_nxt = known.entry.rcv_nxt;
    let exact = seq == rcv_nxt;
    // A RST at RCV.NXT is acceptable even where the window is zero.
    if !exact && !seq.in_window(rcv_nxt, known.window) {
        return Verdict::Drop(DropReason::RstOutOfWindow);
    }
    let ignored = if exact {
        Verdict::Drop(DropReason::RstExact)
    } else {
        Verdict::Drop(DropReason::RstInWindow)
    };
    let kill = if exact {
        Verdict::Kill(KillReason::RstExact)
    } else {
        Verdict::Kill(KillReason::RstInWindow)
    };
    match rule {
        //= RFC 1337 3
        //# Ignore RST segments in TIME-WAIT state. If the 2 minute MSL is enforced, this fix avoids all
        //# three hazards.
        RstRule::Ignore => ignored,
        //= RFC 1337 3
        //# Suppose that the TCP ignores RST segments in TIME-WAIT state, but only long enough to
        //# guarantee that the timestamp clocks on both ends have ticked.
        RstRule::IgnoreBriefly if known.entry.ts_recent.is_some() && known.age < RST_IGNORED => {
            ignored
        }
        RstRule::IgnoreBriefly | RstRule::Rfc793 => kill,
        RstRule::Rfc5961 | RstRule::Linux if exact => kill,
        //= RFC 5961 3.2
        //# If the RST bit is set and the sequence number does not exactly match the next
        //# expected sequence value, yet is within the current receive window (RCV.NXT < SEG.SEQ
        //# < RCV.NXT+RCV.WND), TCP MUST send an acknowledgment (challenge ACK)
        RstRule::Rfc5961 => Verdict::Ack(AckReason::RstInWindow),
        RstRule::Linux => ignored,
    }
}

/// How the timestamp of a segment stands to TS.Recent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Age {
    Newer,
    Equal,
    Older,
}

/// SEG.TSval against TS.Recent; half of the space away is older.
fn age(val: u32, ts_recent: u32) -> Age {
    match val.wrapping_sub(ts_recent) as i32 {
        0 => Age::Equal,
        1.. => Age::Newer,
        _ => Age::Older,
    }
}

#[cfg(test)]
mod tests;
