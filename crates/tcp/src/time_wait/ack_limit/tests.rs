use super::*;

const OLD: AckReason = AckReason::OldDuplicate;
const FIN: AckReason = AckReason::RetransmittedFin;

fn limiter(places: usize, per_second: u32) -> AckLimiter {
    let limits = AckLimits {
        places,
        per_second,
        ..AckLimits::default()
    };
    AckLimiter::new(&limits, 7, Instant::ZERO)
}

fn hash(n: u64) -> u64 {
    n.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

#[test]
fn one_an_entry_and_half_second_and_never_sooner() {
    let mut limiter = limiter(1024, 1000);
    let mut sent = Vec::new();
    for ms in 0..5000 {
        limiter.begin_burst();
        match limiter.permit(OLD, false, hash(1), Instant::from_millis(ms)) {
            Permit::Send => sent.push(ms),
            other => assert_eq!(other, Permit::Interval),
        }
    }
    assert_eq!(sent, (0..10).map(|n| n * 500).collect::<Vec<_>>());
}

#[test]
fn the_first_is_not_suppressed_whenever_the_clock_began() {
    for start in [0, 499, 501, u64::from(u32::MAX), u64::from(u32::MAX) + 7] {
        let now = Instant::from_millis(start);
        let mut limiter = AckLimiter::new(&AckLimits::default(), 1, now);
        assert_eq!(limiter.permit(OLD, false, hash(1), now), Permit::Send);
    }
}

#[test]
fn more_entries_than_a_set_has_places_suppress_more_not_less() {
    let mut limiter = limiter(1, 1000);
    let mut permit = |n, ms| {
        limiter.begin_burst();
        limiter.permit(OLD, false, hash(n), Instant::from_millis(ms))
    };
    for n in 1..=4 {
        assert_eq!(permit(n, n), Permit::Send);
    }
    assert_eq!(permit(5, 5), Permit::Interval);
    for n in 1..=4 {
        assert_eq!(permit(n, 500), Permit::Interval);
    }
    // The first place is the first that is free again.
    assert_eq!(permit(5, 501), Permit::Send);
    assert_eq!(permit(1, 501), Permit::Interval);
    assert_eq!(permit(2, 502), Permit::Send);
}

#[test]
fn entries_of_one_set_are_told_apart() {
    let mut limiter = limiter(4, 1000);
    let now = Instant::ZERO;
    for n in 1..=3 {
        assert_eq!(limiter.permit(OLD, false, hash(n), now), Permit::Send);
        assert_eq!(limiter.permit(OLD, false, hash(n), now), Permit::SameBurst);
    }
    limiter.begin_burst();
    for n in 1..=3 {
        assert_eq!(limiter.permit(OLD, false, hash(n), now), Permit::Interval);
    }
}

#[test]
fn the_budget_bounds_all_together() {
    let mut limiter = limiter(1 << 20, 100);
    let (mut sent, mut spent) = (0, 0);
    for n in 0..10_000 {
        limiter.begin_burst();
        match limiter.permit(OLD, false, hash(n), Instant::from_millis(n % 1000)) {
            Permit::Send => sent += 1,
            Permit::Budget => spent += 1,
            other => assert_eq!(other, Permit::Interval),
        }
    }
    assert!((50..=200).contains(&sent) && spent > 9000, "{sent} {spent}");
    let mut none = self::limiter(1024, 0);
    assert_eq!(
        none.permit(OLD, false, hash(1), Instant::ZERO),
        Permit::Budget
    );
}

#[test]
fn a_retransmitted_fin_is_never_starved() {
    let mut limiter = limiter(1, 0);
    for n in 0..10_000 {
        limiter.begin_burst();
        limiter.permit(OLD, false, hash(n), Instant::ZERO);
        assert_eq!(
            limiter.permit(FIN, false, hash(n), Instant::ZERO),
            Permit::Send
        );
    }
}

#[test]
fn one_acknowledgment_an_entry_and_burst_of_whatever_kind() {
    let mut limiter = limiter(1024, 1000);
    let now = Instant::ZERO;
    assert_eq!(limiter.permit(FIN, false, hash(1), now), Permit::Send);
    assert_eq!(limiter.permit(FIN, false, hash(1), now), Permit::SameBurst);
    assert_eq!(limiter.permit(OLD, false, hash(1), now), Permit::SameBurst);
    assert_eq!(limiter.permit(FIN, false, hash(2), now), Permit::Send);
    limiter.begin_burst();
    assert_eq!(limiter.permit(OLD, false, hash(1), now), Permit::Send);
    assert_eq!(limiter.permit(FIN, false, hash(1), now), Permit::SameBurst);
    limiter.begin_burst();
    assert_eq!(limiter.permit(FIN, false, hash(1), now), Permit::Send);
}

#[test]
fn an_entry_that_is_over_limits_no_later_one() {
    let mut limiter = limiter(16, 100);
    let at = Instant::from_millis;
    assert_eq!(limiter.permit(OLD, false, hash(1), at(1_000)), Permit::Send);
    limiter.begin_burst();
    assert_eq!(
        limiter.permit(OLD, false, hash(1), at(1_010)),
        Permit::Interval
    );
    limiter.forget(hash(1), at(1_010));
    assert_eq!(limiter.permit(OLD, false, hash(1), at(1_010)), Permit::Send);
    limiter.begin_burst();
    assert_eq!(
        limiter.permit(OLD, false, hash(1), at(1_020)),
        Permit::Interval
    );
}

#[test]
fn the_hash_zero_is_a_hash() {
    let mut limiter = limiter(16, 10);
    assert_eq!(limiter.permit(FIN, false, 0, Instant::ZERO), Permit::Send);
    assert_eq!(
        limiter.permit(FIN, false, 0, Instant::ZERO),
        Permit::SameBurst
    );
}

#[test]
fn a_refused_syn_that_is_probed_is_answered_each_time() {
    const REFUSED: AckReason = AckReason::SynOldSequence;
    let at = Instant::from_millis;
    let mut limiter = limiter(16_384, 10_000);
    let mut permit = |reason, probing, n, ms| {
        limiter.begin_burst();
        limiter.permit(reason, probing, hash(n), at(ms))
    };
    // As often as it comes, since each may be from a peer whose RST was lost; but once a burst.
    for ms in [1_000, 1_001, 1_002] {
        assert_eq!(permit(REFUSED, true, 1, ms), Permit::Send);
    }
    // Of far more entries than strays have a budget for.
    for n in 2..50_000 {
        assert_eq!(permit(REFUSED, true, n, 1_003), Permit::Send);
    }
    // Which it leaves alone; and nothing else of the entry has a share in it.
    assert_eq!(permit(OLD, true, 1, 1_004), Permit::Send);
    assert_eq!(permit(OLD, true, 1, 1_005), Permit::Interval);
    // Without syn_probe a refused SYN is a stray.
    assert_eq!(permit(REFUSED, false, 1, 1_006), Permit::Interval);
    limiter.begin_burst();
    let both = [0, 0].map(|_| limiter.permit(REFUSED, true, hash(1), at(1_007)));
    assert_eq!(both, [Permit::Send, Permit::SameBurst]);
    let mut none = AckLimiter::new(
        &AckLimits {
            probes_per_second: 0,
            ..AckLimits::default()
        },
        1,
        at(0),
    );
    assert_eq!(none.permit(REFUSED, true, hash(1), at(1)), Permit::Budget);
}
