//! What a segment meets in TIME-WAIT: enums whose names say why.

/// Why a four-tuple is recycled: the SYN is honoured, the entry goes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Recycle {
    /// Both incarnations use timestamps, and the SYN's is newer than any seen.
    NewerTimestamp,
    /// Both use timestamps, the SYN's equals the newest seen, and its sequence number is new.
    EqualTimestamp,
    /// Only the old incarnation used timestamps; the SYN's sequence number is new.
    TimestampsEnd,
    /// Only the new incarnation uses timestamps, and the SYN's sequence number is old: the segments
    /// of the old one are told by having no timestamp.
    TimestampsBegin,
    /// The old incarnation did not use timestamps; the SYN's sequence number is new.
    Sequence,
}

/// Why an acknowledgment is sent; the segment is dropped.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum AckReason {
    /// The peer has not seen the acknowledgment of its FIN. Never rate-limited, and the only thing
    /// that restarts the timer.
    RetransmittedFin,
    /// The first FIN of the peer, in FIN-WAIT-2: TIME-WAIT begins. Never rate-limited.
    FirstFin,
    /// All of it lies before RCV.NXT, and it has no text.
    OldDuplicate,
    /// All of it lies before RCV.NXT, and it has text: a retransmission, whose sender waits.
    OldText,
    /// Its timestamp is older than TS.Recent.
    PawsRejected,
    /// It begins at RCV.NXT + RCV.WND or later.
    BeyondWindow,
    /// It has text or a FIN after the peer's FIN.
    BeyondFin,
    /// It acknowledges what was never sent.
    AcksUnsent,
    /// A SYN,ACK.
    SynAck,
    /// A SYN in FIN-WAIT-2.
    SynInFinWait2,
    /// A RST in the window, but not at RCV.NXT (RFC 5961 3.2).
    RstInWindow,
    /// A SYN under a policy that never recycles.
    SynStrict,
    /// A SYN whose timestamp is older than TS.Recent.
    SynOlderTimestamp,
    /// A SYN whose timestamp equals TS.Recent and whose sequence number is old.
    SynEqualTimestamp,
    /// A SYN whose sequence number is old.
    SynOldSequence,
    /// A SYN beyond the recycling bound. The caller's verdict.
    SynBound,
    /// A SYN that would recycle, but nobody listens. The caller's verdict.
    SynNoListener,
}

impl AckReason {
    /// Whether it answers a SYN that was refused.
    #[inline]
    #[must_use]
    pub const fn refuses_syn(self) -> bool {
        matches!(
            self,
            AckReason::SynStrict
                | AckReason::SynOlderTimestamp
                | AckReason::SynEqualTimestamp
                | AckReason::SynOldSequence
                | AckReason::SynBound
        )
    }

    /// Whether it answers a FIN, which is never left without an answer.
    #[inline]
    #[must_use]
    pub const fn answers_fin(self) -> bool {
        matches!(self, AckReason::RetransmittedFin | AckReason::FirstFin)
    }
}

/// Why nothing happens but that the segment is dropped.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum DropReason {
    /// A RST at RCV.NXT: the one that would end TIME-WAIT by RFC 9293 (RFC 1337 F1).
    RstExact,
    /// A RST elsewhere in the window.
    RstInWindow,
    /// A RST outside of the window.
    RstOutOfWindow,
    /// A SYN under a policy that never recycles.
    SynStrict,
    /// A SYN whose timestamp is older than TS.Recent.
    SynOlderTimestamp,
    /// A SYN whose timestamp equals TS.Recent and whose sequence number is old.
    SynEqualTimestamp,
    /// A SYN whose sequence number is old.
    SynOldSequence,
    /// A SYN beyond the recycling bound. The caller's verdict.
    SynBound,
    /// A SYN that would recycle, but nobody listens. The caller's verdict.
    SynNoListener,
    /// A SYN that would recycle, but the listener takes no more: the backlog or a table is full, or
    /// the host is draining. The caller's verdict.
    SynBacklogFull,
    /// A SYN with FIN.
    SynFin,
    /// Neither SYN, ACK nor RST.
    NoAck,
    /// Timestamps were in use, and it has none.
    NoTimestamp,
    /// The acknowledgment of our FIN, again: what TIME-WAIT expects to see.
    ExpectedAck,
    /// A bare acknowledgment at RCV.NXT of less than everything.
    OldAck,
}

/// Why an entry ends by a segment, without an answer.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum KillReason {
    /// A RST at RCV.NXT.
    RstExact,
    /// A RST elsewhere in the window.
    RstInWindow,
    /// A RST at RCV.NXT, soon after a refused SYN was acknowledged: `syn_probe`. The caller's verdict.
    SynProbe,
    /// A RST at RCV.NXT in FIN-WAIT-2.
    FinWait2Reset,
}

/// Why an entry ends and the peer is sent a RST.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ResetReason {
    /// A SYN in the window, under RFC 793.
    SynInWindow,
    /// Text in FIN-WAIT-2 after the user has closed: it is lost.
    TextAfterClose,
    /// A segment of a connection that was reset here and is [kept](super::Entry::reset): the peer has yet to hear of it
    /// (RFC 9293 3.5.1, half-open). The entry stays.
    HalfOpen,
}

/// What becomes of a segment.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Verdict {
    /// Find the listener and open a new connection in place of the entry.
    Recycle(Recycle),
    /// Send `<SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>` with the anchor's window, and with timestamps if
    /// the entry has TS.Recent, as far as the [`AckLimiter`](super::AckLimiter) permits.
    Ack(AckReason),
    /// Drop the segment.
    Drop(DropReason),
    /// End TIME-WAIT; the segment is dropped.
    Kill(KillReason),
    /// End TIME-WAIT, but for [`ResetReason::HalfOpen`], and answer with the RST of RFC 9293 3.10.7.1.
    Reset(ResetReason),
    /// There is no TIME-WAIT: the rules of CLOSED and LISTEN apply.
    Closed,
}

/// A [`Verdict`] and what it does to the entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Decision {
    /// What becomes of the segment.
    pub verdict: Verdict,
    /// The timer starts anew: [`Table::restart`](super::Table::restart), or
    /// [`Table::finish`](super::Table::finish) for [`AckReason::FirstFin`].
    pub restart: bool,
    /// A newer TS.Recent: [`Table::set_ts_recent`](super::Table::set_ts_recent).
    pub ts_recent: Option<u32>,
}
