//! RST and segments with ACK.

use super::*;

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
