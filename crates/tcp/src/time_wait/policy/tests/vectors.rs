//! The vectors.

use super::*;

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
            let iss = |rule| crate::time_wait::isn::iss(rule, Seq(SN), Seq(clock), timestamps);
            assert!(iss(Rules::SAFE.iss).ge(Seq(101)));
            assert_eq!(iss(Rules::LINUX.iss), Seq(65_638));
        }
    }
}
