use super::*;

fn segment(seconds: u64, from: f64, to: f64) -> Segment {
    Segment {
        duration: Duration::from_secs(seconds),
        from,
        to,
    }
}

/// Due times in nanoseconds, up to `end`.
fn due(profile: &Profile, phase: f64, end: Instant) -> Vec<u64> {
    let mut schedule = Schedule::new(profile, Instant::ZERO, phase);
    let mut due = Vec::new();
    while let Some(at) = schedule.next().filter(|at| *at < end) {
        due.push(at.as_nanos());
        schedule.take();
    }
    due
}

#[test]
fn a_constant_rate_is_even_to_the_nanosecond() {
    let due = due(&Profile::constant(3e6), 0.0, Instant::from_millis(100));
    assert_eq!(due.len(), 300_000);
    for (k, at) in due.iter().enumerate() {
        let exact = k as u64 * 1_000 / 3;
        assert!(at.abs_diff(exact) <= 1, "{k}: {at}, not {exact}");
    }
}

#[test]
fn an_hour_does_not_drift() {
    let mut schedule = Schedule::new(&Profile::constant(1e6), Instant::ZERO, 0.0);
    schedule.ahead = 3.6e9;
    schedule.find();
    let hour = Instant::from_millis(3_600_000);
    assert_eq!(schedule.next(), Some(hour));
}

#[test]
fn the_events_of_several_workers_interleave() {
    let share = Profile::constant(250.0);
    let mut all: Vec<u64> = (0..4)
        .flat_map(|w| due(&share, f64::from(w) / 4.0, Instant::from_millis(1_000)))
        .collect();
    all.sort_unstable();
    assert_eq!(all.len(), 1_000);
    assert!(all.windows(2).all(|w| w[1] - w[0] == 1_000_000));
}

#[test]
fn a_ramp_reaches_its_rate_evenly() {
    let ramp = Profile {
        segments: vec![segment(10, 0.0, 1000.0)],
    };
    let due = due(&ramp, 0.0, Instant::from_millis(20_000));
    // The integral of the ramp is 5,000; then 1,000 a second.
    let by = |s: u64| due.iter().filter(|at| **at < s * 1_000_000_000).count();
    assert_eq!([by(1), by(5), by(10), by(20)], [50, 1_250, 5_000, 15_000]);
    let gaps: Vec<u64> = due[1..].windows(2).map(|w| w[1] - w[0]).collect();
    assert!(gaps.windows(2).all(|g| g[1] <= g[0] + 2));
}

#[test]
fn steps_join_without_a_gap_or_a_crowd() {
    let steps = Profile {
        segments: vec![
            segment(1, 30.0, 30.0),
            segment(2, 0.0, 0.0),
            segment(1, 7.5, 7.5),
            segment(1, 100.0, 50.0),
        ],
    };
    let due = due(&steps, 0.5, Instant::from_millis(7_000));
    let between = |from: u64, to: u64| {
        let within = due
            .iter()
            .filter(|at| (from..to).contains(&(**at / 1_000_000)));
        within.count()
    };
    assert_eq!(between(0, 1_000), 30);
    assert_eq!(between(1_000, 3_000), 0);
    assert_eq!(between(3_000, 4_000), 7);
    assert_eq!(between(4_000, 5_000), 75);
    assert_eq!(between(5_000, 7_000), 100);
}

#[test]
fn no_rate_has_no_events() {
    let never = Profile {
        segments: vec![segment(1, 10.0, 0.0)],
    };
    assert_eq!(due(&never, 0.0, Instant::FAR_FUTURE).len(), 5);
}

#[test]
fn what_is_due_and_not_begun_is_known() {
    let mut schedule = Schedule::new(&Profile::constant(1_000.0), Instant::from_millis(50), 0.0);
    assert_eq!(schedule.behind(Instant::from_millis(50)), 0);
    assert_eq!(schedule.behind(Instant::from_nanos(50_000_001)), 1);
    let later = Instant::from_millis(60);
    assert_eq!(schedule.behind(later), 10);
    for left in (0..10).rev() {
        schedule.take();
        assert_eq!(schedule.behind(later), left);
    }
    schedule.take();
    assert_eq!(schedule.behind(later), 0);
}

#[test]
fn a_pause_is_made_up_for_at_twice_the_rate() {
    let mut governor = Governor::new(&Profile::constant(10_000.0), Instant::from_millis(7_000));
    let mut begun = [0; 5];
    for us in 0..5_000 {
        let now = Instant::from_nanos((7_000_000 + us) * 1_000);
        while governor.allows(now, Duration::from_micros(1)) {
            governor.take();
            begun[us as usize / 1_000] += 1;
        }
        assert!(governor.next() > now);
    }
    assert_eq!(begun, [21; 5]);
}

/// What begins in turns of `turns` milliseconds, if everything is due.
fn begun(turns: &[u64]) -> Vec<u64> {
    let mut now = Instant::from_millis(7_000);
    let mut governor = Governor::new(&Profile::constant(10_000.0), now);
    let mut lengths = Turns::default();
    lengths.begin(now);
    let mut begun = Vec::new();
    for turn in turns {
        now = now.plus_millis(*turn);
        lengths.begin(now);
        begun.push(0);
        while governor.allows(now, lengths.length()) {
            governor.take();
            *begun.last_mut().unwrap() += 1;
        }
    }
    begun
}

#[test]
fn a_rate_is_kept_though_each_turn_takes_long() {
    // Two hundred are due in each turn, and twice as much may begin.
    assert_eq!(begun(&[1, 20, 20, 20, 20])[2..], [420; 3]);
}

#[test]
fn a_single_pause_allows_no_burst() {
    assert_eq!(begun(&[1, 1, 1, 50, 1, 1]), [21; 6]);
}
