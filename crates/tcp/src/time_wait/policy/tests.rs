use proptest::prelude::*;
use wire::tcp::Timestamps;

use super::*;
use crate::time_wait::rules::SynRefusal;
use crate::time_wait::verdict::Recycle;
use AckReason as A;
use DropReason as D;
use KillReason as K;
use Recycle as R;

const RN: u32 = 301;
const SN: u32 = 101;
const W: u32 = 800;
const TSR: u32 = 1000;
const HALF: u32 = 1 << 31;

fn known(ts_recent: Option<u32>) -> Known {
    Known {
        entry: Entry {
            rcv_nxt: Seq(RN),
            snd_nxt: Seq(SN),
            ts_recent,
            ..Entry::default()
        },
        window: W,
        would_use_timestamps: true,
        age: Duration::from_secs(1),
        ts_recent_age: Duration::ZERO,
    }
}

#[derive(Clone, Copy)]
struct Seg {
    seq: u32,
    ack: u32,
    flags: Flags,
    val: Option<u32>,
    len: u32,
}

impl Seg {
    fn header(&self) -> Header {
        let mut header = Header {
            seq: Seq(self.seq),
            ack: Seq(self.ack),
            flags: self.flags,
            ..Header::default()
        };
        header.options.timestamps = self.val.map(|val| Timestamps { val, ecr: 0 });
        header
    }
}

fn syn(seq: u32, val: Option<u32>) -> Seg {
    Seg {
        seq,
        ack: 0,
        flags: Flags::SYN,
        val,
        len: 0,
    }
}

fn rst(seq: u32) -> Seg {
    Seg {
        flags: Flags::RST,
        ..syn(seq, None)
    }
}

fn ack(seq: u32, ack: u32, len: u32) -> Seg {
    Seg {
        seq,
        ack,
        flags: Flags::ACK,
        val: Some(TSR),
        len,
    }
}

fn fin(seq: u32, len: u32) -> Seg {
    Seg {
        flags: Flags::FIN | Flags::ACK,
        ..ack(seq, SN, len)
    }
}

fn by(rules: &Rules, known: &Known, seg: Seg) -> Decision {
    let header = seg.header();
    let arrived = Arrived {
        header: &header,
        text_len: seg.len,
    };
    decide(rules, known, &arrived)
}

fn decision(known: &Known, seg: Seg) -> Decision {
    by(&Rules::SAFE, known, seg)
}

fn verdict(known: &Known, seg: Seg) -> Verdict {
    let decision = decision(known, seg);
    assert!(!decision.restart && decision.ts_recent.is_none());
    decision.verdict
}

/// Verdict and restart under a policy with its native switches.
fn under(policy: Policy, known: &Known, seg: Seg) -> (Verdict, bool) {
    let decision = by(&Rules::of(policy), known, seg);
    (decision.verdict, decision.restart)
}

const fn acc(reason: Recycle) -> Verdict {
    Verdict::Recycle(reason)
}
const fn drop(reason: DropReason) -> Verdict {
    Verdict::Drop(reason)
}
const fn answer(reason: AckReason) -> Verdict {
    Verdict::Ack(reason)
}

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

/// Every cell of the decision on a RST: rule by place, with and without a timestamp that PAWS would
/// reject, in TIME-WAIT for one second and for two.
#[test]
fn rst_table() {
    let (exact, inside) = (Verdict::Kill(K::RstExact), Verdict::Kill(K::RstInWindow));
    let (drop_exact, drop_inside) = (drop(D::RstExact), drop(D::RstInWindow));
    let places = [
        (RN, 0),
        (RN + 1, 1),
        (RN + W - 1, 1),
        (RN + W, 2),
        (RN - 1, 2),
        (RN.wrapping_add(HALF), 2),
    ];
    for ts_recent in [None, Some(TSR)] {
        for age in [0, 1, 2, 59].map(Duration::from_secs) {
            let k = Known {
                age,
                ..known(ts_recent)
            };
            let brief = ts_recent.is_some() && age.as_secs() < 2;
            for rst_rule in RstRule::ALL {
                let [at, within] = match rst_rule {
                    RstRule::Rfc793 => [exact, inside],
                    RstRule::Rfc5961 => [exact, answer(A::RstInWindow)],
                    RstRule::Ignore => [drop_exact, drop_inside],
                    RstRule::IgnoreBriefly if brief => [drop_exact, drop_inside],
                    RstRule::IgnoreBriefly => [exact, inside],
                    RstRule::Linux => [exact, drop_inside],
                };
                let expected = [at, within, drop(D::RstOutOfWindow)];
                for policy in [
                    Policy::Strict,
                    Policy::Rfc1122,
                    Policy::Rfc6191,
                    Policy::Linux,
                    Policy::Windows,
                    Policy::None,
                ] {
                    let rules = Rules {
                        rst: rst_rule,
                        ..Rules::of(policy)
                    };
                    for (seq, place) in places {
                        for val in [None, Some(0), Some(TSR + 5)] {
                            for flags in
                                [Flags::RST, Flags::RST | Flags::ACK, Flags::RST | Flags::SYN]
                            {
                                let seg = Seg {
                                    flags,
                                    val,
                                    ..rst(seq)
                                };
                                let expected = if policy == Policy::None {
                                    Verdict::Closed
                                } else {
                                    expected[place]
                                };
                                // The timer never restarts, the timestamp is never taken.
                                assert_eq!(by(&rules, &k, seg), plain(expected), "{rules:?} {seq}");
                            }
                        }
                    }
                }
            }
        }
    }
    // At a window of zero, RCV.NXT is still the one number that counts.
    let shut = Known {
        window: 0,
        ..known(None)
    };
    let linux = Rules::LINUX;
    assert_eq!(by(&linux, &shut, rst(RN)).verdict, exact);
    assert_eq!(
        by(&linux, &shut, rst(RN + 1)).verdict,
        drop(D::RstOutOfWindow)
    );
}

/// Every class of segments with ACK, with timestamps and without.
#[test]
fn ack_table() {
    let rows = [
        (ack(RN, SN, 0), drop(D::ExpectedAck)),
        (ack(RN, SN + 1, 0), answer(A::AcksUnsent)),
        (ack(RN, SN + HALF - 1, 0), answer(A::AcksUnsent)),
        (ack(RN, SN - 1, 0), drop(D::OldAck)),
        (ack(RN, SN.wrapping_add(HALF), 0), drop(D::OldAck)),
        // Old duplicates, a keep-alive probe among them.
        (ack(RN - 1, SN, 0), answer(A::OldDuplicate)),
        (ack(RN - 1, SN, 1), answer(A::OldText)),
        (ack(RN - 100, SN, 100), answer(A::OldText)),
        (ack(RN - 100, 33, 99), answer(A::OldText)),
        (fin(RN - 100, 50), answer(A::OldText)),
        (fin(RN - 100, 0), answer(A::OldDuplicate)),
        (ack(RN.wrapping_add(HALF), SN, 0), answer(A::OldDuplicate)),
        // Beyond the FIN.
        (ack(RN, SN, 1), answer(A::BeyondFin)),
        (fin(RN, 0), answer(A::BeyondFin)),
        (ack(RN - 1, SN, 2), answer(A::BeyondFin)),
        (fin(RN - 1, 1), answer(A::BeyondFin)),
        (ack(RN + 1, SN, 0), answer(A::BeyondFin)),
        (ack(RN + W - 1, SN, 10), answer(A::BeyondFin)),
        // Beyond the window.
        (ack(RN + W, SN, 0), answer(A::BeyondWindow)),
        (ack(RN + W, SN, 10), answer(A::BeyondWindow)),
        (fin(RN + HALF - 1, 0), answer(A::BeyondWindow)),
    ];
    for (seg, expected) in rows {
        for flags in [Flags::EMPTY, Flags::PSH, Flags::URG] {
            let seg = Seg {
                flags: seg.flags | flags,
                ..seg
            };
            assert_eq!(verdict(&known(Some(TSR)), seg), expected, "{}", seg.seq);
            for policy in [Policy::Strict, Policy::Rfc1122, Policy::Windows] {
                let got = under(policy, &known(Some(TSR)), seg);
                assert_eq!(got, (expected, false), "{policy:?} {}", seg.seq);
            }
            let closed = under(Policy::None, &known(Some(TSR)), seg);
            assert_eq!(closed, (Verdict::Closed, false));
            linux_restarts(seg, expected);
            for val in [None, Some(7)] {
                let plain = Seg { val, ..seg };
                assert_eq!(verdict(&known(None), plain), expected, "{}", seg.seq);
            }
            let missing = Seg { val: None, ..seg };
            assert_eq!(verdict(&known(Some(TSR)), missing), drop(D::NoTimestamp));
            for old in [TSR - 1, TSR.wrapping_add(HALF)] {
                let old = Seg {
                    val: Some(old),
                    ..seg
                };
                assert_eq!(verdict(&known(Some(TSR)), old), answer(A::PawsRejected));
            }
        }
    }
}

/// Linux says the same but for a bare acknowledgment at RCV.NXT, which meets silence whatever it
/// acknowledges; it restarts the timer on each, and takes what has no timestamp.
fn linux_restarts(seg: Seg, expected: Verdict) {
    let bare = seg.seq == RN && seg.len == 0 && !seg.flags.contains(Flags::FIN);
    let expected = match expected {
        Verdict::Ack(A::AcksUnsent) if bare => drop(D::OldAck),
        other => other,
    };
    for ts_recent in [None, Some(TSR)] {
        for val in [None, Some(TSR)] {
            let got = under(Policy::Linux, &known(ts_recent), Seg { val, ..seg });
            assert_eq!(got, (expected, true), "linux {}", seg.seq);
        }
    }
    let old = Seg {
        val: Some(TSR - 1),
        ..seg
    };
    let got = under(Policy::Linux, &known(Some(TSR)), old);
    assert_eq!(got, (answer(A::PawsRejected), true));
}

#[test]
fn only_the_fin_restarts_and_only_the_expected_updates() {
    for (seg, reason) in [
        (fin(RN - 1, 0), answer(A::RetransmittedFin)),
        (fin(RN - 11, 10), answer(A::RetransmittedFin)),
        (ack(RN, SN, 0), drop(D::ExpectedAck)),
    ] {
        for (val, updated) in [(TSR, None), (TSR + 1, Some(TSR + 1))] {
            let seg = Seg {
                val: Some(val),
                ..seg
            };
            let restart = reason == answer(A::RetransmittedFin);
            let expected = Decision {
                verdict: reason,
                restart,
                ts_recent: updated,
            };
            assert_eq!(decision(&known(Some(TSR)), seg), expected);
            let never = Decision {
                ts_recent: None,
                ..expected
            };
            assert_eq!(decision(&known(None), seg), never);
        }
        // A FIN that PAWS rejects is an old one: nothing restarts.
        let old = Seg {
            val: Some(TSR - 1),
            ..seg
        };
        assert_eq!(verdict(&known(Some(TSR)), old), answer(A::PawsRejected));
    }
    // TS.Recent 0 is a timestamp.
    let zero = known(Some(0));
    let seg = Seg {
        val: None,
        ..fin(RN - 1, 0)
    };
    assert_eq!(verdict(&zero, seg), drop(D::NoTimestamp));
}

/// The classes that do not depend on where a segment lies, under every policy: what is answered, and whether the
/// timer restarts, by all of them and by Linux.
#[test]
fn every_policy_says_the_same_of_the_other_classes() {
    let at = |seg: Seg, val| Seg { val, ..seg };
    let with = |seg: Seg, flags| Seg { flags, ..seg };
    let syn_ack = with(ack(RN, SN, 0), Flags::SYN | Flags::ACK);
    let bare = with(ack(RN, SN, 0), Flags::EMPTY);
    let text = with(ack(RN - 5, SN, 5), Flags::PSH);
    let no_ack_fin = with(fin(RN - 1, 0), Flags::FIN);
    let again = answer(A::RetransmittedFin);
    let (paws, missing) = (answer(A::PawsRejected), drop(D::NoTimestamp));
    let (no, yes) = (false, true);
    let rows = [
        (
            "SYN,ACK",
            syn_ack,
            (answer(A::SynAck), no),
            (answer(A::SynAck), yes),
        ),
        (
            "SYN,ACK far away",
            Seg {
                seq: RN + HALF,
                ..syn_ack
            },
            (answer(A::SynAck), no),
            (answer(A::SynAck), yes),
        ),
        (
            "SYN,FIN",
            with(syn(RN + 1, Some(TSR + 1)), Flags::SYN | Flags::FIN),
            (drop(D::SynFin), no),
            (drop(D::SynFin), no),
        ),
        ("no ACK", bare, (drop(D::NoAck), no), (drop(D::NoAck), yes)),
        (
            "text without ACK",
            text,
            (drop(D::NoAck), no),
            (answer(A::OldText), no),
        ),
        (
            "FIN without ACK",
            no_ack_fin,
            (drop(D::NoAck), no),
            (again, no),
        ),
        ("FIN again", fin(RN - 1, 0), (again, yes), (again, yes)),
        (
            "text and FIN again",
            fin(RN - 11, 10),
            (again, yes),
            (again, yes),
        ),
        (
            "FIN again, old acknowledgment",
            Seg {
                ack: SN - 9,
                ..fin(RN - 1, 0)
            },
            (again, yes),
            (again, yes),
        ),
        (
            "expected",
            ack(RN, SN, 0),
            (drop(D::ExpectedAck), no),
            (drop(D::ExpectedAck), yes),
        ),
        (
            "PAWS",
            at(ack(RN, SN, 0), Some(TSR - 1)),
            (paws, no),
            (paws, yes),
        ),
        (
            "PAWS, FIN again",
            at(fin(RN - 1, 0), Some(TSR - 1)),
            (paws, no),
            (paws, yes),
        ),
        (
            "no timestamp",
            at(ack(RN, SN, 0), None),
            (missing, no),
            (drop(D::ExpectedAck), yes),
        ),
        (
            "no timestamp, FIN again",
            at(fin(RN - 1, 0), None),
            (missing, no),
            (again, yes),
        ),
    ];
    for (name, seg, expected, linux) in rows {
        for policy in Policy::ALL {
            let what = format!("{name} under {policy:?}");
            for urgent in [Flags::EMPTY, Flags::URG] {
                let got = under(policy, &known(Some(TSR)), with(seg, seg.flags | urgent));
                let expected = match policy {
                    Policy::None => (Verdict::Closed, false),
                    Policy::Linux => linux,
                    _ => expected,
                };
                assert_eq!(got, expected, "{what}");
            }
        }
    }
    // TS.Recent moves with what is expected, and with the FIN.
    for policy in Policy::ALL.into_iter().filter(|p| *p != Policy::None) {
        for seg in [ack(RN, SN, 0), fin(RN - 1, 0)] {
            let newer = at(seg, Some(TSR + 9));
            let taken = by(&Rules::of(policy), &known(Some(TSR)), newer).ts_recent;
            // Linux takes it from what it drops only.
            let expected = seg.flags == Flags::ACK || policy != Policy::Linux;
            assert_eq!(taken, expected.then_some(TSR + 9), "{policy:?}");
        }
    }
}

#[test]
fn after_24_days_ts_recent_says_nothing() {
    let stale = Known {
        ts_recent_age: TS_RECENT_VALID,
        ..known(Some(TSR))
    };
    let seg = Seg {
        val: Some(5),
        ..ack(RN, SN, 0)
    };
    let expected = Decision {
        verdict: drop(D::ExpectedAck),
        restart: false,
        ts_recent: Some(5),
    };
    assert_eq!(decision(&stale, seg), expected);
}

#[test]
fn what_is_neither() {
    let k = known(Some(TSR));
    let no_ack = Seg {
        flags: Flags::FIN | Flags::PSH,
        ..fin(RN - 1, 0)
    };
    assert_eq!(verdict(&k, no_ack), drop(D::NoAck));
    let syn_fin = Seg {
        flags: Flags::SYN | Flags::FIN,
        ..syn(RN, None)
    };
    assert_eq!(verdict(&k, syn_fin), drop(D::SynFin));
    // Before the tests of timestamps.
    for val in [None, Some(0), Some(TSR)] {
        let syn_ack = Seg {
            flags: Flags::SYN | Flags::ACK,
            val,
            ..ack(RN, SN, 0)
        };
        assert_eq!(verdict(&k, syn_ack), answer(A::SynAck));
    }
}

/// The vectors: TIME-WAIT with RCV.NXT 301, SND.NXT 101, a window of 800 and TS.Recent 1000; what
/// rfc6191 with RSTs ignored says and whether it restarts, and the same of Linux.
#[test]
fn vectors() {
    let at = |seg: Seg, val| Seg { val, ..seg };
    let syn_ack = Seg {
        flags: Flags::SYN | Flags::ACK,
        ..ack(301, 101, 0)
    };
    let (no, yes) = (false, true);
    type Expected = (Verdict, bool);
    let vectors: &[(u32, Seg, Expected, Expected)] = &[
        (
            1,
            ack(255, 33, 0),
            (answer(A::OldDuplicate), no),
            (answer(A::OldDuplicate), yes),
        ),
        (
            2,
            rst(301),
            (drop(D::RstExact), no),
            (Verdict::Kill(K::RstExact), no),
        ),
        (
            3,
            rst(302),
            (drop(D::RstInWindow), no),
            (drop(D::RstInWindow), no),
        ),
        (
            3,
            rst(1100),
            (drop(D::RstInWindow), no),
            (drop(D::RstInWindow), no),
        ),
        (
            3,
            rst(1101),
            (drop(D::RstOutOfWindow), no),
            (drop(D::RstOutOfWindow), no),
        ),
        (
            4,
            fin(300, 0),
            (answer(A::RetransmittedFin), yes),
            (answer(A::RetransmittedFin), yes),
        ),
        (
            5,
            fin(290, 10),
            (answer(A::RetransmittedFin), yes),
            (answer(A::RetransmittedFin), yes),
        ),
        (
            6,
            at(ack(301, 101, 0), Some(1001)),
            (drop(D::ExpectedAck), no),
            (drop(D::ExpectedAck), yes),
        ),
        (
            7,
            ack(301, 102, 0),
            (answer(A::AcksUnsent), no),
            (drop(D::OldAck), yes),
        ),
        (
            8,
            ack(301, 101, 10),
            (answer(A::BeyondFin), no),
            (answer(A::BeyondFin), yes),
        ),
        (
            9,
            syn(302, Some(999)),
            (drop(D::SynOlderTimestamp), no),
            (answer(A::SynOlderTimestamp), yes),
        ),
        (
            10,
            syn(301, None),
            (acc(R::TimestampsEnd), no),
            (answer(A::SynOldSequence), no),
        ),
        (
            11,
            syn(300, None),
            (drop(D::SynOldSequence), no),
            (answer(A::SynOldSequence), no),
        ),
        (
            12,
            syn(5, Some(1001)),
            (acc(R::NewerTimestamp), no),
            (acc(R::NewerTimestamp), no),
        ),
        (
            13,
            syn(5, Some(1000)),
            (drop(D::SynEqualTimestamp), no),
            (answer(A::SynEqualTimestamp), no),
        ),
        (
            14,
            syn(302, Some(1000)),
            (acc(R::EqualTimestamp), no),
            (acc(R::EqualTimestamp), no),
        ),
        (
            15,
            syn(301 + (HALF - 1), None),
            (acc(R::TimestampsEnd), no),
            (acc(R::TimestampsEnd), no),
        ),
        (
            15,
            syn(301 + HALF, None),
            (drop(D::SynOldSequence), no),
            (acc(R::TimestampsEnd), no),
        ),
        (
            17,
            syn_ack,
            (answer(A::SynAck), no),
            (answer(A::SynAck), yes),
        ),
        (
            18,
            at(ack(301, 101, 0), Some(999)),
            (answer(A::PawsRejected), no),
            (answer(A::PawsRejected), yes),
        ),
    ];
    let k = known(Some(TSR));
    for &(n, seg, safe, linux) in vectors {
        let decision = decision(&k, seg);
        assert_eq!((decision.verdict, decision.restart), safe, "vector {n}");
        let taken = (n == 6).then_some(1001);
        assert_eq!(decision.ts_recent, taken, "vector {n}");
        assert_eq!(under(Policy::Linux, &k, seg), linux, "vector {n}, linux");
    }
    let off = known(None);
    assert_eq!(
        verdict(&off, syn(5, Some(7))),
        acc(R::TimestampsBegin),
        "vector 16"
    );
    // But for where a connection before the last had timestamps: the SYN may be one of that.
    let mut doubted = off;
    doubted.entry.recycled = true;
    let old = drop(D::SynOldSequence);
    assert_eq!(verdict(&doubted, syn(5, Some(7))), old);
    let new = acc(R::Sequence);
    assert_eq!(verdict(&doubted, syn(RN, Some(7))), new);
    let linux = under(Policy::Linux, &off, syn(5, Some(7)));
    assert_eq!(
        linux,
        (answer(A::SynOldSequence), false),
        "vector 16, linux"
    );
    // 12: ISS' >= 101, and 65638 for Linux.
    for clock in [0, 5, 100, 101, 102, HALF, u32::MAX] {
        for timestamps in [true, false] {
            let iss = |rule| super::super::isn::iss(rule, Seq(SN), Seq(clock), timestamps);
            assert!(iss(Rules::SAFE.iss).ge(Seq(101)));
            assert_eq!(iss(Rules::LINUX.iss), Seq(65_638));
        }
    }
}

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

proptest! {
    /// Whatever arrives: an answer never answers its like (no acknowledgment loop between two ends
    /// in TIME-WAIT), nothing but a whole FIN restarts, TS.Recent only grows.
    #[test]
    fn whatever_arrives(
        rcv_nxt: u32, snd_nxt: u32, ts_recent: Option<u32>, window in 0..1u32 << 30,
        near in -3i32..3, far: u32, is_near: bool, ack_near in -2i32..2, bits: u8,
        val: Option<u32>, len in 0u32..3000, would_use_timestamps: bool,
    ) {
        let known = Known {
            entry: Entry { rcv_nxt: Seq(rcv_nxt), snd_nxt: Seq(snd_nxt), ts_recent, ..Entry::default() },
            window,
            would_use_timestamps,
            age: Duration::ZERO,
            ts_recent_age: Duration::ZERO,
        };
        let seq = if is_near { rcv_nxt.wrapping_add_signed(near) } else { far };
        let seg = Seg { seq, ack: snd_nxt.wrapping_add_signed(ack_near), flags: Flags::from_bits(bits), val, len };
        let d = decision(&known, seg);
        prop_assert_eq!(d.restart, d.verdict == answer(A::RetransmittedFin));
        if d.restart {
            prop_assert!(seg.flags.contains(Flags::FIN) && seq.wrapping_add(len + 1) == rcv_nxt);
        }
        if let Some(new) = d.ts_recent {
            prop_assert!(new.wrapping_sub(ts_recent.unwrap()) as i32 > 0);
        }
        if seg.flags.contains(Flags::RST) {
            prop_assert!(matches!(d.verdict, Verdict::Drop(_)));
        }
        if let Verdict::Ack(_) = d.verdict {
            // What we send, as the other end in TIME-WAIT sees it: it expects just that.
            let there = Known {
                entry: Entry { rcv_nxt: Seq(snd_nxt), snd_nxt: Seq(rcv_nxt), ..Entry::default() },
                ..known
            };
            let reply = Seg { seq: snd_nxt, ack: rcv_nxt, flags: Flags::ACK, val: None, len: 0 };
            prop_assert_eq!(verdict(&there, reply), drop(D::ExpectedAck));
        }
    }
}
