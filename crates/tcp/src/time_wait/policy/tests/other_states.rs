//! Entries that are not in TIME-WAIT, or not by a FIN.

use super::*;

/// FIN-WAIT-2: RCV.NXT is the number that the peer's FIN has.
#[test]
fn fin_wait2_table() {
    let waiting = |ts_recent| Known {
        entry: Entry {
            fin_wait2: true,
            ..known(ts_recent).entry
        },
        ..known(ts_recent)
    };
    let rows = [
        (fin(RN, 0), answer(A::FirstFin)),
        (fin(RN - 10, 10), answer(A::FirstFin)),
        (
            Seg {
                ack: SN - 1,
                ..fin(RN, 0)
            },
            answer(A::FirstFin),
        ),
        (
            Seg {
                ack: SN + 1,
                ..fin(RN, 0)
            },
            answer(A::AcksUnsent),
        ),
        (fin(RN, 1), Verdict::Reset(ResetReason::TextAfterClose)),
        (fin(RN + 1, 0), Verdict::Reset(ResetReason::TextAfterClose)),
        (ack(RN, SN, 1), Verdict::Reset(ResetReason::TextAfterClose)),
        (
            ack(RN - 5, SN, 6),
            Verdict::Reset(ResetReason::TextAfterClose),
        ),
        (ack(RN, SN - 1, 1), answer(A::OldDuplicate)),
        (
            Seg {
                ack: SN - 1,
                ..fin(RN, 1)
            },
            answer(A::OldDuplicate),
        ),
        (ack(RN, SN, 0), drop(D::ExpectedAck)),
        (ack(RN + W - 1, SN, 0), drop(D::ExpectedAck)),
        (ack(RN, SN + 1, 0), answer(A::AcksUnsent)),
        (ack(RN + W, SN, 1), answer(A::BeyondWindow)),
        (ack(RN - 1, SN, 0), answer(A::OldDuplicate)),
        (fin(RN - 1, 0), answer(A::OldDuplicate)),
        (ack(RN - 5, SN, 5), answer(A::OldText)),
        (
            Seg {
                flags: Flags::FIN,
                ..fin(RN, 0)
            },
            drop(D::NoAck),
        ),
        (
            Seg {
                flags: Flags::SYN,
                ..ack(RN + 5, 0, 0)
            },
            answer(A::SynInFinWait2),
        ),
        (rst(RN), Verdict::Kill(K::FinWait2Reset)),
        (rst(RN + 1), answer(A::RstInWindow)),
        (rst(RN + W), drop(D::RstOutOfWindow)),
        (rst(RN - 1), drop(D::RstOutOfWindow)),
    ];
    for policy in Policy::ALL {
        for (seg, expected) in rows {
            for ts_recent in [None, Some(TSR)] {
                let got = under(policy, &waiting(ts_recent), seg);
                if policy == Policy::None {
                    assert_eq!(got.0, Verdict::Closed);
                } else {
                    let restart = expected == answer(A::FirstFin);
                    assert_eq!(got, (expected, restart), "{policy:?} {}", seg.seq);
                }
            }
            if seg.flags.contains(Flags::RST) {
                continue;
            }
            let at = |val| decision(&waiting(Some(TSR)), Seg { val, ..seg }).verdict;
            assert_eq!(at(None), drop(D::NoTimestamp));
            assert_eq!(at(Some(TSR - 1)), answer(A::PawsRejected));
        }
    }
    let newer = Seg {
        val: Some(TSR + 1),
        ..ack(RN, SN, 0)
    };
    assert_eq!(
        decision(&waiting(Some(TSR)), newer).ts_recent,
        Some(TSR + 1)
    );
}

/// A connection that was reset, and is kept: as CLOSED, but for a SYN.
#[test]
fn half_open_table() {
    let kept = |ts_recent| Known {
        entry: Entry {
            reset: true,
            recycled: true,
            ..known(ts_recent).entry
        },
        ..known(ts_recent)
    };
    let half_open = Verdict::Reset(ResetReason::HalfOpen);
    let with = |flags, seg| Seg { flags, ..seg };
    let rows = [
        // Where TIME-WAIT would acknowledge, restart or keep silent.
        (fin(RN - 1, 0), half_open),
        (ack(RN, SN, 0), half_open),
        (ack(RN, SN + 1, 0), half_open),
        (ack(RN - 5, SN, 5), half_open),
        (ack(RN + W, SN, 5), half_open),
        (with(Flags::FIN, fin(RN - 1, 0)), half_open),
        (with(Flags::EMPTY, ack(RN, 0, 5)), half_open),
        (with(Flags::SYN | Flags::ACK, ack(RN, SN, 0)), half_open),
        (rst(RN), drop(D::RstExact)),
        (rst(RN + 1), drop(D::RstInWindow)),
        (rst(RN + W), drop(D::RstOutOfWindow)),
        (
            with(Flags::SYN | Flags::FIN, syn(RN, Some(TSR + 1))),
            drop(D::SynFin),
        ),
    ];
    for ts_recent in [None, Some(TSR)] {
        for (seg, expected) in rows {
            for val in [None, Some(TSR - 1), Some(TSR + 1)] {
                let got = decision(&kept(ts_recent), Seg { val, ..seg });
                assert_eq!(got, plain(expected), "{} {:?}", seg.seq, seg.flags);
            }
        }
        // A SYN is judged as ever.
        for seq in [RN - 1, RN, RN + HALF] {
            for val in [None, Some(TSR - 1), Some(TSR), Some(TSR + 1)] {
                let in_time_wait = Known {
                    entry: Entry {
                        reset: false,
                        ..kept(ts_recent).entry
                    },
                    ..kept(ts_recent)
                };
                for rules in [Rules::SAFE, Rules::FAST_RECOVERY] {
                    let got = by(&rules, &kept(ts_recent), syn(seq, val));
                    assert_eq!(got, by(&rules, &in_time_wait, syn(seq, val)));
                }
            }
        }
    }
}
