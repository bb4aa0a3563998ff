use proptest::prelude::*;
use wire::tcp::Timestamps;

use super::*;
use AckReason as A;
use DropReason as D;
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
        },
        window: W,
        would_use_timestamps: true,
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

fn decision(known: &Known, seg: Seg) -> Decision {
    let header = seg.header();
    let arrived = Arrived {
        header: &header,
        text_len: seg.len,
    };
    decide(&Rules::default(), known, &arrived)
}

fn verdict(known: &Known, seg: Seg) -> Verdict {
    let decision = decision(known, seg);
    assert!(!decision.restart && decision.ts_recent.is_none());
    decision.verdict
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

/// Every cell of the decision on a SYN: the previous incarnation's timestamps, the sequence
/// number relative to RCV.NXT, the SYN's timestamp.
#[test]
fn syn_table() {
    let after = [RN + 1, RN + HALF - 1];
    let at = [RN, RN];
    let before = [RN - 1, RN.wrapping_add(HALF)];
    let (none, newer, equal, older) = (
        [None, None],
        [Some(TSR + 1), Some(TSR + HALF - 1)],
        [Some(TSR), Some(TSR)],
        [Some(TSR - 1), Some(TSR.wrapping_sub(HALF))],
    );
    let yes = [
        (after, none, acc(R::TimestampsEnd)),
        (after, newer, acc(R::NewerTimestamp)),
        (after, equal, acc(R::EqualTimestamp)),
        (after, older, drop(D::SynOlderTimestamp)),
        (at, none, acc(R::TimestampsEnd)),
        (at, newer, acc(R::NewerTimestamp)),
        (at, equal, acc(R::EqualTimestamp)),
        (at, older, drop(D::SynOlderTimestamp)),
        (before, none, drop(D::SynOldSequence)),
        (before, newer, acc(R::NewerTimestamp)),
        (before, equal, drop(D::SynEqualTimestamp)),
        (before, older, drop(D::SynOlderTimestamp)),
    ];
    let no = [
        (after, none, acc(R::Sequence)),
        (after, newer, acc(R::Sequence)),
        (after, older, acc(R::Sequence)),
        (at, none, acc(R::Sequence)),
        (at, newer, acc(R::Sequence)),
        (at, older, acc(R::Sequence)),
        (before, none, drop(D::SynOldSequence)),
        (before, newer, acc(R::TimestampsBegin)),
        (before, older, acc(R::TimestampsBegin)),
    ];
    for (ts_recent, table) in [(Some(TSR), &yes[..]), (None, &no[..])] {
        for (seqs, vals, expected) in table {
            for seq in seqs {
                for val in vals {
                    let k = known(ts_recent);
                    assert_eq!(verdict(&k, syn(*seq, *val)), *expected, "{seq} {val:?}");
                    // A timestamp that we would not answer with counts as none.
                    let deaf = Known {
                        would_use_timestamps: false,
                        ..k
                    };
                    let without = verdict(&k, syn(*seq, None));
                    assert_eq!(verdict(&deaf, syn(*seq, *val)), without);
                }
            }
        }
    }
}

/// Every row of the decision on a RST, with and without a timestamp that PAWS would reject.
#[test]
fn rst_table() {
    for ts_recent in [None, Some(TSR)] {
        for val in [None, Some(0), Some(TSR + 5)] {
            for (seq, expected) in [
                (RN, D::RstExact),
                (RN + 1, D::RstInWindow),
                (RN + W - 1, D::RstInWindow),
                (RN + W, D::RstOutOfWindow),
                (RN - 1, D::RstOutOfWindow),
                (RN.wrapping_add(HALF), D::RstOutOfWindow),
            ] {
                for flags in [Flags::RST, Flags::RST | Flags::ACK, Flags::RST | Flags::SYN] {
                    let seg = Seg {
                        flags,
                        val,
                        ..rst(seq)
                    };
                    assert_eq!(verdict(&known(ts_recent), seg), drop(expected));
                }
            }
        }
    }
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
        (ack(RN - 1, SN, 1), answer(A::OldDuplicate)),
        (ack(RN - 100, SN, 100), answer(A::OldDuplicate)),
        (ack(RN - 100, 33, 99), answer(A::OldDuplicate)),
        (fin(RN - 100, 50), answer(A::OldDuplicate)),
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

/// The vectors: TIME-WAIT with RCV.NXT 301, SND.NXT 101, a window of 800 and TS.Recent 1000.
#[test]
fn vectors() {
    let k = known(Some(TSR));
    let off = known(None);
    let at = |seg: Seg, val| Seg { val, ..seg };
    let quiet = |known: &Known, seg, expected| assert_eq!(verdict(known, seg), expected);
    let full = |seg, verdict, restart, ts_recent| {
        let expected = Decision {
            verdict,
            restart,
            ts_recent,
        };
        assert_eq!(decision(&k, seg), expected);
    };
    // 1
    quiet(&k, ack(255, 33, 0), answer(A::OldDuplicate));
    // 2, 3
    quiet(&k, rst(301), drop(D::RstExact));
    quiet(&k, rst(302), drop(D::RstInWindow));
    quiet(&k, rst(1100), drop(D::RstInWindow));
    quiet(&k, rst(1101), drop(D::RstOutOfWindow));
    // 4, 5
    full(fin(300, 0), answer(A::RetransmittedFin), true, None);
    full(fin(290, 10), answer(A::RetransmittedFin), true, None);
    // 6
    let seg = at(ack(301, 101, 0), Some(1001));
    full(seg, drop(D::ExpectedAck), false, Some(1001));
    // 7, 8
    quiet(&k, ack(301, 102, 0), answer(A::AcksUnsent));
    quiet(&k, ack(301, 101, 10), answer(A::BeyondFin));
    // 9 to 15
    quiet(&k, syn(302, Some(999)), drop(D::SynOlderTimestamp));
    quiet(&k, syn(301, None), acc(R::TimestampsEnd));
    quiet(&k, syn(300, None), drop(D::SynOldSequence));
    quiet(&k, syn(5, Some(1001)), acc(R::NewerTimestamp));
    for clock in [0, 5, 100, 101, 102, HALF, u32::MAX] {
        for timestamps in [true, false] {
            let iss = super::super::iss(Seq(SN), Seq(clock), timestamps);
            assert!(iss.ge(Seq(101)), "{iss}");
        }
    }
    quiet(&k, syn(5, Some(1000)), drop(D::SynEqualTimestamp));
    quiet(&k, syn(302, Some(1000)), acc(R::EqualTimestamp));
    quiet(&k, syn(301 + (HALF - 1), None), acc(R::TimestampsEnd));
    quiet(&k, syn(301 + HALF, None), drop(D::SynOldSequence));
    // 16
    quiet(&off, syn(5, Some(7)), acc(R::TimestampsBegin));
    // 17, 18
    let syn_ack = Seg {
        flags: Flags::SYN | Flags::ACK,
        ..ack(301, 101, 0)
    };
    quiet(&k, syn_ack, answer(A::SynAck));
    quiet(&k, at(ack(301, 101, 0), Some(999)), answer(A::PawsRejected));
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
            entry: Entry { rcv_nxt: Seq(rcv_nxt), snd_nxt: Seq(snd_nxt), ts_recent },
            window,
            would_use_timestamps,
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
                entry: Entry { rcv_nxt: Seq(snd_nxt), snd_nxt: Seq(rcv_nxt), ts_recent: None },
                ..known
            };
            let reply = Seg { seq: snd_nxt, ack: rcv_nxt, flags: Flags::ACK, val: None, len: 0 };
            prop_assert_eq!(verdict(&there, reply), drop(D::ExpectedAck));
        }
    }
}
