//! A SYN without ACK.

use super::*;

/// What a cell of the table of pure SYNs says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Cell {
    Accept,
    Ack,
    /// And the timer restarts.
    AckRestart,
    Drop,
    Listen,
}

/// Every cell of the decision on a SYN: the previous incarnation's timestamps, the sequence number
/// relative to RCV.NXT, the SYN's timestamp; policies strict, rfc1122, rfc6191, linux, windows, none.
#[test]
fn syn_table() {
    use Cell::{Accept as Y, Ack as A, AckRestart as R, Drop as N, Listen as L};
    let after = [RN + 1, RN + HALF - 1];
    let at = [RN, RN];
    let before = [RN - 1, RN.wrapping_add(HALF + 1)];
    let (none, newer, equal, older) = (
        [None, None],
        [Some(TSR + 1), Some(TSR + HALF - 1)],
        [Some(TSR), Some(TSR)],
        [Some(TSR - 1), Some(TSR.wrapping_sub(HALF - 1))],
    );
    let any = [Some(TSR - 1), Some(TSR + 1)];
    let rows = [
        (true, after, none, [A, Y, Y, Y, Y, L]),
        (true, after, newer, [A, Y, Y, Y, Y, L]),
        (true, after, equal, [A, Y, Y, Y, Y, L]),
        (true, after, older, [A, Y, N, R, Y, L]),
        (true, at, none, [A, Y, Y, A, N, L]),
        (true, at, newer, [A, Y, Y, Y, N, L]),
        (true, at, equal, [A, Y, Y, A, N, L]),
        (true, at, older, [A, Y, N, R, N, L]),
        (true, before, none, [A, A, N, A, N, L]),
        (true, before, newer, [A, A, Y, Y, N, L]),
        (true, before, equal, [A, A, N, A, N, L]),
        (true, before, older, [A, A, N, R, N, L]),
        (false, after, none, [A, Y, Y, Y, Y, L]),
        (false, after, any, [A, Y, Y, Y, Y, L]),
        (false, at, none, [A, Y, Y, A, N, L]),
        (false, at, any, [A, Y, Y, A, N, L]),
        (false, before, none, [A, A, N, A, N, L]),
        (false, before, any, [A, A, Y, A, N, L]),
    ];
    let cell = |(verdict, restart): (Verdict, bool)| match verdict {
        Verdict::Recycle(_) => Y,
        Verdict::Ack(reason) if reason.refuses_syn() && restart => R,
        Verdict::Ack(reason) if reason.refuses_syn() => A,
        Verdict::Drop(_) => N,
        Verdict::Closed => L,
        other => panic!("{other:?}"),
    };
    for (timestamps, seqs, vals, expected) in rows {
        let k = known(timestamps.then_some(TSR));
        for (policy, expected) in Policy::ALL.into_iter().zip(expected) {
            for (seq, val) in seqs.into_iter().flat_map(|s| vals.map(|v| (s, v))) {
                let what = format!("{policy:?} {timestamps} {seq} {val:?}");
                let got = under(policy, &k, syn(seq, val));
                assert_eq!(cell(got), expected, "{what}");
                assert_eq!(got.1, expected == R, "{what}");
                // A timestamp that we would not answer with counts as none.
                let deaf = Known {
                    would_use_timestamps: false,
                    ..k
                };
                let without = under(policy, &k, syn(seq, None));
                assert_eq!(under(policy, &deaf, syn(seq, val)), without, "{what}");
                // The switch changes the answer to what is refused, and nothing else.
                for syn_refusal in [SynRefusal::Ack, SynRefusal::Drop] {
                    let rules = Rules {
                        syn_refusal,
                        ..Rules::of(policy)
                    };
                    let switched = by(&rules, &k, syn(seq, val)).verdict;
                    let refused = |to| match expected {
                        Y | L => expected,
                        R if to == A => R,
                        _ => to,
                    };
                    let wanted = match syn_refusal {
                        SynRefusal::Ack => refused(A),
                        SynRefusal::Drop => refused(N),
                    };
                    assert_eq!(cell((switched, expected == R)), wanted, "{what}");
                }
            }
        }
    }
}

/// Half of the space away is behind, but for Linux.
#[test]
fn half_of_the_space_away() {
    for timestamps in [false, true] {
        let k = known(timestamps.then_some(TSR));
        for policy in [Policy::Rfc1122, Policy::Rfc6191, Policy::Windows] {
            let (verdict, _) = under(policy, &k, syn(RN.wrapping_add(HALF), None));
            assert!(!matches!(verdict, Verdict::Recycle(_)), "{policy:?}");
        }
        let (verdict, _) = under(Policy::Linux, &k, syn(RN.wrapping_add(HALF), None));
        assert!(matches!(verdict, Verdict::Recycle(_)));
    }
    let k = known(Some(TSR));
    let half_ts = syn(RN - 1, Some(TSR.wrapping_add(HALF)));
    assert_eq!(verdict(&k, half_ts), drop(D::SynOlderTimestamp));
    assert_eq!(under(Policy::Linux, &k, half_ts).0, acc(R::NewerTimestamp));
}

/// Each reason has its name.
#[test]
fn reasons_of_rfc6191() {
    let (yes, no) = (known(Some(TSR)), known(None));
    for (known, seq, val, expected) in [
        (yes, RN, None, acc(R::TimestampsEnd)),
        (yes, RN - 1, Some(TSR + 1), acc(R::NewerTimestamp)),
        (yes, RN, Some(TSR), acc(R::EqualTimestamp)),
        (yes, RN, Some(TSR - 1), drop(D::SynOlderTimestamp)),
        (yes, RN - 1, Some(TSR), drop(D::SynEqualTimestamp)),
        (yes, RN - 1, None, drop(D::SynOldSequence)),
        (no, RN, None, acc(R::Sequence)),
        (no, RN, Some(1), acc(R::Sequence)),
        (no, RN - 1, Some(1), acc(R::TimestampsBegin)),
        (no, RN - 1, None, drop(D::SynOldSequence)),
    ] {
        assert_eq!(verdict(&known, syn(seq, val)), expected);
        let fast = by(&Rules::FAST_RECOVERY, &known, syn(seq, val)).verdict;
        match expected {
            Verdict::Drop(_) => assert!(matches!(fast, Verdict::Ack(r) if r.refuses_syn())),
            _ => assert_eq!(fast, expected),
        }
    }
}

/// RFC 793's strict TIME-WAIT: a SYN in the window is an error.
#[test]
fn syn_in_the_window_under_rfc793() {
    let rules = Rules {
        rst: RstRule::Rfc793,
        ..Rules::of(Policy::Strict)
    };
    for (seq, expected) in [
        (RN, Verdict::Reset(ResetReason::SynInWindow)),
        (RN + W - 1, Verdict::Reset(ResetReason::SynInWindow)),
        (RN + W, answer(A::SynStrict)),
        (RN - 1, answer(A::SynStrict)),
    ] {
        assert_eq!(by(&rules, &known(None), syn(seq, None)).verdict, expected);
    }
}
