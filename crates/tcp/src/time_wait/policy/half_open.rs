//! A connection that was reset or given up, and is kept for what it had recycled: it is in CLOSED, but that a SYN has to prove
//! itself new as in TIME-WAIT. Its peer may know nothing of the reset.

use wire::tcp::Flags;

use super::{Arrived, Known, ResetReason, Rules, Verdict, on_rst, syn};
use crate::time_wait::rules::RstRule;
use crate::time_wait::verdict::DropReason;

pub(super) fn decide(rules: &Rules, known: &Known, segment: &Arrived<'_>) -> Verdict {
    if segment.has(Flags::RST) {
        return on_rst(RstRule::Ignore, known, segment);
    }
    if segment.has(Flags::SYN) && !segment.has(Flags::ACK) {
        if segment.has(Flags::FIN) {
            return Verdict::Drop(DropReason::SynFin);
        }
        return syn::on_syn(rules, known, segment.header);
    }
    // As RFC 9293 3.5.2 has it for CLOSED, the first group.
    Verdict::Reset(ResetReason::HalfOpen)
}
