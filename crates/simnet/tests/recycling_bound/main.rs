//! The promise of the recycling bound, against a model: whatever segments of the last MSL arrive again,
//! in whatever order, at whatever rate a four-tuple is recycled, no octet, SYN or acknowledgment of an
//! earlier incarnation is accepted by a later one. And what promises less does fail it, where the
//! arithmetic says so: a space that moves by 2^31 within an MSL makes old numbers look new.
//!
//! `SIMNET_REPLAYS` sets how many segments each of the promised cases lets loose (30,000).

mod ends;
mod model;
mod server;
mod setup;

use model::{MSL_NS, Model};
use setup::Stamps::{self, Always, Mixed, Nat, Never, Offsets, Racing, Slow};
use setup::{Isn, Setup, Tally};
use tcp::time_wait::{Incident, IssRule, Policy, Rules};

fn setup(rules: Rules, isn: Isn, timestamps: Stamps) -> Setup {
    Setup {
        rules,
        isn,
        timestamps,
        pause_ns: 10_000,
        rests: false,
        ends: false,
        seed: 1,
    }
}

fn replays() -> u64 {
    std::env::var("SIMNET_REPLAYS").map_or(30_000, |text| {
        text.parse().expect("SIMNET_REPLAYS is a number")
    })
}

#[track_caller]
fn holds(setup: Setup) -> Tally {
    match Model::new(setup).run(replays()) {
        Ok(tally) => tally,
        Err(violation) => panic!("{setup:?}: {violation:#?}"),
    }
}

/// Fails within so many segments as take well below a second.
#[track_caller]
fn fails(setup: Setup) {
    let outcome = Model::new(setup).run(200_000);
    assert!(
        outcome.is_err(),
        "{setup:?}: nothing old was accepted; {outcome:?}"
    );
}

const ISNS: [Isn; 7] = [
    Isn::Step(0),
    Isn::Step(65_537),
    Isn::UpTo(1 << 20),
    Isn::UpTo(1 << 28),
    Isn::Random,
    Isn::Hostile(1 << 10),
    Isn::Hostile(1 << 26),
];

#[test]
fn nothing_old_is_accepted() {
    for rules in [Rules::SAFE, Rules::FAST_RECOVERY] {
        for isn in ISNS {
            for (timestamps, rests) in [
                (Never, false),
                (Never, true),
                (Always, false),
                (Always, true),
                (Mixed, false),
                (Mixed, true),
                (Nat, false),
                (Nat, true),
            ] {
                let tally = holds(Setup {
                    rests,
                    ..setup(rules, isn, timestamps)
                });
                let most = tally.replayed / 12;
                assert!(
                    tally.incarnations > most / 4 && tally.reread > tally.incarnations,
                    "{isn:?} {timestamps:?} {tally:?}"
                );
            }
        }
    }
}

/// Reset, given up, closed by both at once, and with text under way: what had recycled is remembered all the same.
#[test]
fn nothing_old_is_accepted_however_connections_end() {
    for rules in [Rules::SAFE, Rules::FAST_RECOVERY] {
        for isn in ISNS {
            let all = [Never, Always, Mixed, Nat, Offsets];
            let lasting = [(Never, true), (Always, true), (Mixed, true), (Nat, true)];
            for (timestamps, rests) in all.map(|t| (t, false)).into_iter().chain(lasting) {
                let tally = holds(Setup {
                    rests,
                    ends: true,
                    ..setup(rules, isn, timestamps)
                });
                // There are eight ways.
                let few = tally.incarnations / 16;
                assert!(
                    tally.ends.iter().all(|&n| n > few.min(5)),
                    "{isn:?} {timestamps:?} {tally:?}"
                );
            }
        }
    }
}

/// A clock that is believed a little more than it went on by, in each of so many connections that it comes round.
#[test]
fn nothing_old_is_accepted_from_a_clock_that_races() {
    let racing = |rules| Setup {
        pause_ns: 100,
        ..setup(rules, Isn::Hostile(1 << 26), Racing)
    };
    let unbounded = Rules {
        bound: false,
        ..Rules::SAFE
    };
    let outcome = Model::new(racing(unbounded)).run(2_500_000);
    assert!(outcome.is_err(), "{outcome:?}");
    let tally = Model::new(racing(Rules::SAFE)).run(2_500_000);
    let tally = tally.unwrap_or_else(|violation| panic!("{violation}"));
    assert!(
        tally.refused > 10 && tally.incarnations > 50_000,
        "{tally:?}"
    );
}

/// So many connections in one tick that their SYNs go once around.
#[test]
fn nothing_old_is_accepted_within_a_long_tick() {
    for step in [(1 << 17) - 5, 1 << 16] {
        let slow = |rules| Setup {
            pause_ns: 1_000,
            ..setup(rules, Isn::Step(step), Slow)
        };
        let tally = Model::new(slow(Rules::SAFE)).run(1_000_000);
        let tally = tally.unwrap_or_else(|violation| panic!("{violation}"));
        assert!(
            tally.refused > 10 && tally.incarnations > 50_000,
            "{tally:?}"
        );
        let unbounded = Rules {
            bound: false,
            ..Rules::SAFE
        };
        let outcome = Model::new(slow(unbounded)).run(1_000_000);
        assert!(outcome.is_err(), "{outcome:?}");
    }
}

/// A connection that went far within the time that is looked back on.
#[test]
fn a_connection_that_went_far_is_not_recycled_by_numbers_alone() {
    const FAR: u64 = 1 << 30;
    // (timestamps, octets, time since, timestamps of the next)
    for (timestamps, octets, later_ns, next, expected) in [
        (Always, FAR, 0, false, Some(Incident::BoundUncounted)),
        (Always, FAR, 0, true, None),
        (Always, FAR / 2, 0, false, None),
        (Always, FAR, MSL_NS + 30_000_000, false, None),
        (Never, FAR, 0, false, Some(Incident::BoundPeer)),
        (Never, FAR / 2, 0, false, None),
        // Up to two epochs, the first of which is half over.
        (
            Never,
            FAR,
            MSL_NS * 14 / 10,
            false,
            Some(Incident::BoundPeer),
        ),
        (Never, FAR, MSL_NS * 16 / 10, false, None),
        // Four wraps make it look as if it had not moved at all.
        (Never, 4 * FAR, 0, false, Some(Incident::BoundPeer)),
        (Always, 4 * FAR, 0, false, Some(Incident::BoundUncounted)),
    ] {
        let mut model = Model::new(setup(Rules::SAFE, Isn::Step(0), timestamps));
        model.wait_ns(MSL_NS / 2);
        model.long_incarnation(octets);
        model.wait_ns(later_ns);
        let got = model.refusal(next);
        assert_eq!(got, expected, "{timestamps:?} {octets} {later_ns}");
    }
}

#[test]
fn timestamps_of_several_clocks_prove_nothing() {
    for isn in ISNS {
        for pause_ns in [10_000, 5_000_000] {
            let tally = holds(Setup {
                pause_ns,
                ..setup(Rules::SAFE, isn, Offsets)
            });
            assert!(tally.incarnations > 10, "{isn:?} {tally:?}");
            fails(Setup {
                pause_ns,
                ..setup(
                    Rules {
                        bound: false,
                        ..Rules::SAFE
                    },
                    isn,
                    Offsets,
                )
            });
        }
    }
}

#[test]
fn the_bound_lets_go_on_as_far_as_it_is_safe() {
    // Without timestamps a space may wrap only once in four MSL or so; what is refused is allowed again.
    let tally = holds(setup(Rules::SAFE, Isn::UpTo(1 << 26), Never));
    assert!(tally.wraps > 4.0 && tally.refused > 100, "{tally:?}");
    // A client that goes on number by number is never refused, at 100,000 connections a second.
    for timestamps in [Never, Always] {
        let tally = holds(setup(Rules::SAFE, Isn::Step(0), timestamps));
        assert_eq!(tally.refused, 0, "{tally:?}");
    }
    // And with timestamps neither is one that goes far, if it is not more than once in a tick.
    let far = Setup {
        pause_ns: 1_000_000,
        ..setup(Rules::SAFE, Isn::UpTo(1 << 28), Always)
    };
    let tally = holds(far);
    assert_eq!(tally.refused, 0, "{tally:?}");
    assert!(tally.wraps > 10.0, "{tally:?}");
}

#[test]
fn without_the_bound_old_segments_are_accepted() {
    let rules = Rules {
        bound: false,
        ..Rules::SAFE
    };
    for isn in [Isn::UpTo(1 << 26), Isn::Random, Isn::Hostile(1 << 26)] {
        fails(setup(rules, isn, Never));
    }
    // Within a tick of the timestamp clock too.
    fails(setup(rules, Isn::Hostile(1 << 28), Always));
}

/// A gap that wraps the space in 256 connections, and then comes out a little short of where it was.
const WRAPS: IssRule = IssRule::Gap((1 << 24) - 100);

/// Our own numbers: a clock that is slower than connections use them, and a gap that wraps within an MSL.
#[test]
fn an_iss_that_is_not_bounded_has_the_client_take_old_segments() {
    for iss in [IssRule::Clock, WRAPS] {
        let rules = Rules {
            iss,
            bound: false,
            ..Rules::SAFE
        };
        fails(Setup {
            pause_ns: 1_000,
            ..setup(rules, Isn::Step(0), Never)
        });
    }
    let rules = Rules {
        iss: WRAPS,
        ..Rules::SAFE
    };
    let tally = holds(setup(rules, Isn::Step(0), Never));
    assert!(tally.refused > 0, "{tally:?}");
}

#[test]
fn linux_rfc1122_and_none_accept_old_segments() {
    for policy in [Policy::Linux, Policy::Rfc1122, Policy::None] {
        for isn in [Isn::UpTo(1 << 26), Isn::Hostile(1 << 26)] {
            fails(setup(Rules::of(policy), isn, Never));
        }
    }
    // rfc1122 does not look at timestamps, and without TIME-WAIT there is nothing to look at.
    for policy in [Policy::Rfc1122, Policy::None] {
        fails(setup(Rules::of(policy), Isn::UpTo(1 << 26), Always));
    }
}

#[test]
fn they_fail_from_the_rate_on_that_arithmetic_says() {
    // At 5,000 a second, 2^31 in an MSL are 429,496 numbers a connection, of which it takes 5 itself.
    let pause_ns = 200_000;
    let safe = (1u64 << 31) * pause_ns / MSL_NS;
    for policy in [Policy::Linux, Policy::Rfc1122] {
        let at = |step: u64| Setup {
            pause_ns,
            ..setup(Rules::of(policy), Isn::Step(step as u32), Never)
        };
        let below = Model::new(at(safe * 9 / 10)).run(200_000);
        assert!(below.is_ok(), "{policy:?}: {below:?}");
        fails(at(safe * 11 / 10));
    }
}
