//! One counter for each decision.

use super::ack_limit::Permit;
use super::histogram::{Ages, EVICTED, REUSED};
use super::verdict::{AckReason, DropReason, KillReason, Recycle, ResetReason, Verdict};

macro_rules! counters {
    ($(#[doc = $doc:literal] $name:ident = $ty:ident($pattern:path);)*) => {
        /// How often each decision was made.
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
        pub struct Counters {
            $(#[doc = $doc] pub $name: u64,)*
            /// The ages of entries when their four-tuples were reused: recycled, or taken over by an
            /// active open.
            pub reuse_age: Ages,
            /// The ages of entries that were evicted.
            pub evicted_age: Ages,
        }

        impl Counters {
            /// Calls `f` with the name, the meaning and the value of each counter, in the order of
            /// the fields. Names begin with `tw_`.
            pub fn for_each(&self, mut f: impl FnMut(&'static str, &'static str, u64)) {
                $(f(concat!("tw_", stringify!($name)), $doc.trim_ascii(), self.$name);)*
                for (names, ages) in [(&REUSED, &self.reuse_age), (&EVICTED, &self.evicted_age)] {
                    for ((name, meaning), count) in names.iter().zip(ages.0) {
                        f(name, meaning, count);
                    }
                }
            }

            fn field(&mut self, event: Event) -> Option<&mut u64> {
                match event {
                    $(Event::$ty($pattern) => Some(&mut self.$name),)*
                    Event::Permit(Permit::Send) => None,
                    // The host's own counts.
                    Event::Incident(Incident::Evicted | Incident::TakenOver) => None,
                }
            }
        }
    };
}

enum Event {
    Recycle(Recycle),
    Ack(AckReason),
    Drop(DropReason),
    Kill(KillReason),
    Reset(ResetReason),
    Permit(Permit),
    Incident(Incident),
}

/// What happens in TIME-WAIT beside the verdicts.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Incident {
    /// A SYN that had recycled came to nothing: TIME-WAIT is restored, with its original end.
    Restored,
    /// The same, but the original end had passed, or the entry had been evicted.
    NotRestored,
    /// A retransmitted FIN of the old connection was acknowledged while a SYN was being proven.
    ShadowAnswered,
    /// The recycling bound: the peer's space would move too far.
    BoundPeer,
    /// The recycling bound: our space would move too far.
    BoundOwn,
    /// The recycling bound: too far for one tick of the peer's timestamp clock.
    BoundTick,
    /// The recycling bound: timestamps end, and how far the spaces moved was not counted.
    BoundUncounted,
    /// The recycling bound: the timestamp is newer by more than a clock can have gone on, so it is of another clock, and proves
    /// nothing of what the one before it sent; or one before the last had timestamps, and the last had none.
    BoundOtherClock,
    /// A connection was reset whose SYN had been behind the old one's numbers, and proven by its
    /// timestamp: what PAWS does not cover.
    ResetUnproven,
    /// A connection that had recycled was reset or given up. TIME-WAIT lasts all the same, for what it had recycled.
    KeptAfterReset,
    /// A SYN,ACK, or a SYN that would open simultaneously, did not prove itself newer than the TIME-WAIT that an active open
    /// had taken over.
    SynAckOld,
    /// The turn of a local socket came for an active open, but its TIME-WAIT had been prolonged, or the application has
    /// the four-tuple itself.
    PutOff,
    /// An entry had to go before its time, because the table is full.
    Evicted,
    /// An active open has taken a four-tuple over.
    TakenOver,
}

counters! {
    /// SYNs honoured: newer timestamp.
    recycled_newer_timestamp = Recycle(Recycle::NewerTimestamp);
    /// SYNs honoured: equal timestamp, new sequence number.
    recycled_equal_timestamp = Recycle(Recycle::EqualTimestamp);
    /// SYNs honoured: no timestamp any more, new sequence number.
    recycled_timestamps_end = Recycle(Recycle::TimestampsEnd);
    /// SYNs honoured: a timestamp where there were none, old sequence number.
    recycled_timestamps_begin = Recycle(Recycle::TimestampsBegin);
    /// SYNs honoured: new sequence number.
    recycled_sequence = Recycle(Recycle::Sequence);
    /// Retransmitted FINs to acknowledge.
    ack_retransmitted_fin = Ack(AckReason::RetransmittedFin);
    /// First FINs in FIN-WAIT-2 to acknowledge: TIME-WAIT began.
    ack_first_fin = Ack(AckReason::FirstFin);
    /// Old duplicates without text to acknowledge.
    ack_old_duplicate = Ack(AckReason::OldDuplicate);
    /// Old duplicates with text to acknowledge.
    ack_old_text = Ack(AckReason::OldText);
    /// Segments that PAWS rejects, to acknowledge.
    ack_paws_rejected = Ack(AckReason::PawsRejected);
    /// Segments beyond the window to acknowledge.
    ack_beyond_window = Ack(AckReason::BeyondWindow);
    /// Segments with text or a FIN after the FIN, to acknowledge.
    ack_beyond_fin = Ack(AckReason::BeyondFin);
    /// Acknowledgments of what was not sent, to acknowledge.
    ack_acks_unsent = Ack(AckReason::AcksUnsent);
    /// SYN,ACKs to challenge.
    ack_syn_ack = Ack(AckReason::SynAck);
    /// SYNs in FIN-WAIT-2 to challenge.
    ack_syn_in_fin_wait2 = Ack(AckReason::SynInFinWait2);
    /// RSTs in the window but not at RCV.NXT, to challenge.
    ack_rst_in_window = Ack(AckReason::RstInWindow);
    /// SYNs refused and acknowledged: the policy never recycles.
    acked_syn_strict = Ack(AckReason::SynStrict);
    /// SYNs refused and acknowledged: older timestamp.
    acked_syn_older_timestamp = Ack(AckReason::SynOlderTimestamp);
    /// SYNs refused and acknowledged: equal timestamp, old sequence number.
    acked_syn_equal_timestamp = Ack(AckReason::SynEqualTimestamp);
    /// SYNs refused and acknowledged: old sequence number.
    acked_syn_old_sequence = Ack(AckReason::SynOldSequence);
    /// SYNs refused and acknowledged: beyond the recycling bound.
    acked_syn_bound = Ack(AckReason::SynBound);
    /// SYNs refused and acknowledged: nobody listens.
    acked_syn_no_listener = Ack(AckReason::SynNoListener);
    /// TIME-WAITs ended by a RST at RCV.NXT.
    killed_rst_exact = Kill(KillReason::RstExact);
    /// TIME-WAITs ended by a RST elsewhere in the window.
    killed_rst_in_window = Kill(KillReason::RstInWindow);
    /// TIME-WAITs ended by the RST that answered the acknowledgment of a refused SYN.
    killed_syn_probe = Kill(KillReason::SynProbe);
    /// FIN-WAIT-2s ended by a RST.
    killed_fin_wait2_reset = Kill(KillReason::FinWait2Reset);
    /// TIME-WAITs ended by a SYN in the window, answered by a RST (RFC 793).
    reset_syn_in_window = Reset(ResetReason::SynInWindow);
    /// FIN-WAIT-2s ended by text after the user had closed, answered by a RST.
    reset_text_after_close = Reset(ResetReason::TextAfterClose);
    /// Segments of connections that were reset or given up and are kept, answered by a RST.
    reset_half_open = Reset(ResetReason::HalfOpen);
    /// RSTs ignored that would have ended TIME-WAIT.
    rst_exact = Drop(DropReason::RstExact);
    /// RSTs ignored elsewhere in the window.
    rst_in_window = Drop(DropReason::RstInWindow);
    /// RSTs ignored outside of the window.
    rst_out_of_window = Drop(DropReason::RstOutOfWindow);
    /// SYNs refused: the policy never recycles.
    syn_strict = Drop(DropReason::SynStrict);
    /// SYNs refused: older timestamp.
    syn_older_timestamp = Drop(DropReason::SynOlderTimestamp);
    /// SYNs refused: equal timestamp, old sequence number.
    syn_equal_timestamp = Drop(DropReason::SynEqualTimestamp);
    /// SYNs refused: old sequence number.
    syn_old_sequence = Drop(DropReason::SynOldSequence);
    /// SYNs refused: beyond the recycling bound.
    syn_bound = Drop(DropReason::SynBound);
    /// SYNs refused: nobody listens.
    syn_no_listener = Drop(DropReason::SynNoListener);
    /// SYNs refused: the listener takes no more (backlog or connections full, or draining).
    syn_backlog_full = Drop(DropReason::SynBacklogFull);
    /// SYNs with FIN dropped.
    syn_fin = Drop(DropReason::SynFin);
    /// Segments without ACK dropped.
    no_ack = Drop(DropReason::NoAck);
    /// Segments without timestamps dropped.
    no_timestamp = Drop(DropReason::NoTimestamp);
    /// Acknowledgments of our FIN seen again.
    expected_ack = Drop(DropReason::ExpectedAck);
    /// Bare acknowledgments of less than everything dropped.
    old_ack = Drop(DropReason::OldAck);
    /// Acknowledgments not sent: the entry had one in the same burst.
    suppressed_same_burst = Permit(Permit::SameBurst);
    /// Acknowledgments not sent: the entry had one in the last half second.
    suppressed_interval = Permit(Permit::Interval);
    /// Acknowledgments not sent: the core's budget was spent.
    suppressed_budget = Permit(Permit::Budget);
    /// TIME-WAITs restored with their original end: the SYN that had recycled came to nothing.
    shadow_restored = Incident(Incident::Restored);
    /// SYNs that had recycled and came to nothing when the TIME-WAIT was over anyway, or evicted.
    shadow_expired = Incident(Incident::NotRestored);
    /// FINs of the old connection acknowledged while a SYN was being proven.
    shadow_answered = Incident(Incident::ShadowAnswered);
    /// Recycles beyond the bound: the peer's space would move too far within an MSL.
    bound_peer = Incident(Incident::BoundPeer);
    /// Recycles beyond the bound: our space would move too far within an MSL.
    bound_own = Incident(Incident::BoundOwn);
    /// Recycles beyond the bound: the peer's space would move too far within one timestamp tick.
    bound_tick = Incident(Incident::BoundTick);
    /// Recycles beyond the bound: timestamps end, and the movement before was not counted.
    bound_uncounted = Incident(Incident::BoundUncounted);
    /// Recycles beyond the bound: the timestamp is newer by more than its clock can have gone on, or there is none to compare it with.
    bound_other_clock = Incident(Incident::BoundOtherClock);
    /// Connections reset whose SYN timestamps had proven new and numbers could not: perhaps by an old RST.
    reset_unproven = Incident(Incident::ResetUnproven);
    /// TIME-WAITs of connections that had recycled and were reset or given up, for what they had recycled.
    kept_after_reset = Incident(Incident::KeptAfterReset);
    /// SYN,ACKs, and SYNs that would open simultaneously, not newer than the TIME-WAIT that an active open had taken over.
    syn_ack_old = Incident(Incident::SynAckOld);
    /// Local sockets passed over by active opens: their TIME-WAIT was prolonged, or the application has them.
    put_off = Incident(Incident::PutOff);
}

impl Counters {
    /// Counts a verdict.
    #[inline]
    pub fn record(&mut self, verdict: Verdict) {
        self.count(match verdict {
            Verdict::Recycle(reason) => Event::Recycle(reason),
            Verdict::Ack(reason) => Event::Ack(reason),
            Verdict::Drop(reason) => Event::Drop(reason),
            Verdict::Kill(reason) => Event::Kill(reason),
            Verdict::Reset(reason) => Event::Reset(reason),
            Verdict::Closed => return,
        });
    }

    /// Counts what the limits said to the acknowledgment of a verdict.
    #[inline]
    pub fn record_permit(&mut self, permit: Permit) {
        self.count(Event::Permit(permit));
    }

    /// Counts an incident.
    #[inline]
    pub fn record_incident(&mut self, incident: Incident) {
        self.count(Event::Incident(incident));
    }

    #[inline]
    fn count(&mut self, event: Event) {
        if let Some(field) = self.field(event) {
            *field += 1;
        }
    }

    /// SYNs honoured because their timestamp proved them new.
    #[must_use]
    pub fn recycled_by_timestamp(&self) -> u64 {
        self.recycled_newer_timestamp + self.recycled_timestamps_begin
    }

    /// SYNs honoured because their sequence number proved them new.
    #[must_use]
    pub fn recycled_by_sequence(&self) -> u64 {
        self.recycled_equal_timestamp + self.recycled_timestamps_end + self.recycled_sequence
    }

    /// SYNs refused, for whatever reason.
    #[must_use]
    pub fn syn_refused(&self) -> u64 {
        self.syn_strict
            + self.syn_bound
            + self.acked_syn_strict
            + self.acked_syn_older_timestamp
            + self.acked_syn_equal_timestamp
            + self.acked_syn_old_sequence
            + self.acked_syn_bound
            + self.acked_syn_no_listener
            + self.syn_older_timestamp
            + self.syn_equal_timestamp
            + self.syn_old_sequence
            + self.syn_no_listener
            + self.syn_backlog_full
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_for_each_decision_and_a_sum_for_each_kind() {
        use {AckReason as A, DropReason as D, Recycle as R};
        let verdicts = [
            R::NewerTimestamp,
            R::EqualTimestamp,
            R::TimestampsEnd,
            R::TimestampsBegin,
            R::Sequence,
        ]
        .map(Verdict::Recycle)
        .into_iter()
        .chain([A::RetransmittedFin, A::OldDuplicate, A::SynAck].map(Verdict::Ack))
        .chain([D::SynOldSequence, D::SynNoListener, D::ExpectedAck].map(Verdict::Drop))
        .chain([KillReason::RstExact, KillReason::SynProbe].map(Verdict::Kill))
        .chain([ResetReason::SynInWindow].map(Verdict::Reset));
        let mut counters = Counters::default();
        for (i, verdict) in verdicts.enumerate() {
            let before = counters;
            counters.record(verdict);
            let mut changed = 0;
            let mut old = Vec::new();
            before.for_each(|name, _, n| old.push((name, n)));
            let mut place = 0;
            counters.for_each(|name, meaning, n| {
                assert_eq!(old[place].0, name);
                assert!(meaning.ends_with('.') && meaning.trim() == meaning);
                changed += n - old[place].1;
                place += 1;
            });
            assert_eq!(changed, 1, "verdict {i}");
        }
        assert_eq!(counters.recycled_by_timestamp(), 2);
        assert_eq!(counters.recycled_by_sequence(), 3);
        assert_eq!(counters.syn_refused(), 2);
        counters.record_permit(Permit::Send);
        counters.record_permit(Permit::Interval);
        assert_eq!(counters.suppressed_interval, 1);
    }
}
