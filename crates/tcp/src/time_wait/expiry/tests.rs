use super::*;

const MS: u64 = 1_000_000;

/// Never early, late by at most a tick, for every length at many phases of its tick.
#[test]
fn the_tick_is_never_early_and_at_most_one_late() {
    for ms in [
        1,
        2,
        3,
        40,
        159,
        160,
        161,
        664,
        1000,
        60_000,
        240_000,
        MAX_DURATION_MS,
    ] {
        let mut expiry = Expiry::new(&[ms], 0, Instant::ZERO);
        let tick = expiry.tick_ns(ClassId(0));
        assert!(tick == MS || tick == ms * 6_250);
        for step in [1, 7, tick / 3, tick - 1, tick, tick + 1, 3 * tick + 5] {
            let armed_at = expiry.now() + core::time::Duration::from_nanos(step);
            expiry.advance(armed_at);
            expiry.begin_generation(0);
            expiry.free(1, 1);
            let generation = expiry.generation();
            let armed = expiry.arm(ClassId(0)).unwrap();
            let earliest = armed_at.as_nanos() + ms * MS;
            let at = expiry.expires_at(generation, ClassId(0), armed).as_nanos();
            assert!(
                at >= earliest && at <= earliest + tick,
                "{ms} ms: {at} {earliest}"
            );
            let mut probe = Expiry::new(&[ms], 0, armed_at);
            let armed = probe.arm(ClassId(0)).unwrap();
            probe.advance(Instant::from_nanos(at - 1));
            assert!(!probe.is_over(0, ClassId(0), armed));
            probe.advance(Instant::from_nanos(at));
            assert!(probe.is_over(0, ClassId(0), armed));
        }
    }
}

/// Eight bits never wrap: an entry that is over stays over, an entry that may be armed is read right.
#[test]
fn a_tick_stays_readable_for_ever() {
    for ms in [1, 160, 60_000] {
        let class = ClassId(0);
        let mut expiry = Expiry::new(&[ms], 0, Instant::ZERO);
        let tick = expiry.tick_ns(class);
        let mut armed = Vec::new();
        for t in 0..2_000u64 {
            let now = Instant::from_nanos(t * tick + tick / 2);
            expiry.advance(now);
            if expiry.may_arm(0, class) {
                let at = now.plus_millis(ms);
                armed.push((at, expiry.arm(class).unwrap()));
            }
            for &(at, low) in &armed {
                let over = expiry.is_over(0, class, low);
                assert!(!over || now >= at, "early");
                assert!(over || now.as_nanos() < at.as_nanos() + tick, "late");
            }
        }
        // A pass and its successor, a quarter of the length each, fit well.
        let slack = armed.len() as u64 * tick;
        assert!(slack >= ms * MS / 2, "{slack}");
    }
}

#[test]
fn classes_do_not_disturb_each_other() {
    let mut expiry = Expiry::new(&[0, 10, 1000], 0, Instant::ZERO);
    assert_eq!(expiry.count(), 3);
    assert_eq!(expiry.arm(ClassId(0)), None);
    assert_eq!(expiry.pass_ns(), Some(10 * MS / 4));
    let (short, long) = (ClassId(1), ClassId(2));
    let (a, b) = (expiry.arm(short).unwrap(), expiry.arm(long).unwrap());
    expiry.advance(Instant::from_millis(12));
    assert!(expiry.is_over(0, short, a) && !expiry.is_over(0, long, b));
    expiry.advance(Instant::from_millis(1007));
    assert!(expiry.is_over(0, short, a) && expiry.is_over(0, long, b));
    assert_eq!(expiry.duration_ms(long), 1000);
}

#[test]
fn time_does_not_go_back() {
    let mut expiry = Expiry::new(&[10], 0, Instant::from_millis(100));
    let armed = expiry.arm(ClassId(0)).unwrap();
    expiry.advance(Instant::ZERO);
    assert_eq!(expiry.now(), Instant::from_millis(100));
    assert_eq!(expiry.arm(ClassId(0)), Some(armed));
}

/// With a sweep as slow as it may be, generations suffice for a pass, and ticks are no longer than that takes.
#[test]
fn a_slow_sweep_has_time_for_a_pass() {
    for pass_ms in [0, 1, 20, 131, 2_100, 13_000, 60_000] {
        for ms in [1, 10, 60, 100, 159, 160, 300, 1_000, 5_000, 60_000, 240_000] {
            let pass = pass_ms * MS;
            let expiry = Expiry::new(&[ms], pass, Instant::ZERO);
            let class = &expiry.classes[0];
            let whole = u64::from(class.slack) * class.tick_ns * (GENERATIONS as u64 - 1);
            assert!(
                whole + GENERATIONS as u64 * class.tick_ns >= pass,
                "{ms} ms, {pass_ms} ms: {whole}"
            );
            let finest = class.tick_ns == MS.max(ms * 6_250);
            assert!(
                finest || class.tick_ns * 250 < ms * MS + pass / 7 + 250,
                "{ms} ms, {pass_ms} ms"
            );
            assert_eq!(class.lead + u64::from(class.slack), 255);
        }
    }
}
