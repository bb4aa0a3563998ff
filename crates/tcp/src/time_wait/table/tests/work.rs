//! How much of the table a call looks at.

use super::*;

/// The buckets that calls of one kind look at: calls, all together, and the most in one call.
#[derive(Clone, Copy, Default, Debug)]
struct Looks {
    calls: usize,
    buckets: usize,
    most: usize,
}

impl Looks {
    fn add(&mut self, buckets: usize) {
        self.calls += 1;
        self.buckets += buckets;
        self.most = self.most.max(buckets);
    }

    fn mean(&self) -> f64 {
        self.buckets as f64 / self.calls as f64
    }
}

/// Speed, in cache lines: what a call looks at after hundreds of turnovers is what it looked at after ten.
#[test]
fn hundreds_of_turnovers_make_no_call_look_at_more() {
    const TURNOVERS: u64 = 300;
    const LENGTH_MS: u64 = 1600;
    let capacity = 3000;
    let mut t = table::<Counted<V4>>(capacity, &[LENGTH_MS]);
    let sweep_budget = 64;
    // Ten turnovers each: misses, insertions, hits, removals, sweeps; and the entries at their end.
    let mut ages: Vec<([Looks; 5], usize)> = Vec::new();
    let mut looks = [Looks::default(); 5];
    let mut n = 0u32;
    for ms in 0..TURNOVERS * LENGTH_MS {
        let now = Instant::from_millis(ms);
        t.lines().take();
        for _ in 0..capacity as u64 * 9 / 10 / LENGTH_MS + u64::from(ms % 3 == 0) {
            assert_eq!(t.seek(n, 0, now), None);
            looks[0].add(t.lines().take());
            t.put(n, 0, &entry(n), now);
            looks[1].add(t.lines().take());
            let old = t.seek(n.wrapping_sub(300), 0, now);
            let buckets = t.lines().take();
            if let Some(slot) = old {
                looks[2].add(buckets);
                if n.is_multiple_of(3) {
                    t.remove(slot);
                    looks[3].add(t.lines().take());
                }
            }
            n += 1;
        }
        t.sweep(now, sweep_budget, hash);
        looks[4].add(t.lines().take());
        if ms % (10 * LENGTH_MS) == 10 * LENGTH_MS - 1 {
            ages.push((core::mem::take(&mut looks), t.live()));
        }
    }
    // In the first ten the table was filled.
    let (young, old) = (&ages[1], ages.last().unwrap());
    assert_eq!(ages.len() as u64, TURNOVERS / 10);
    for (kind, (young, old)) in young.0.iter().zip(&old.0).enumerate() {
        let (before, after) = (young.mean(), old.mean());
        assert!(old.calls > 1_000, "{kind}: {old:?}");
        assert!(
            (after - before).abs() < before / 50.0,
            "{kind}: {before} {after}"
        );
    }
    for (looks, live) in &ages[1..] {
        let mosts = looks.map(|kind| kind.most);
        assert!(mosts[..4].iter().all(|&most| most <= 16), "{mosts:?}");
        assert!(mosts[4] < sweep_budget + 16, "{mosts:?}");
        assert!(live.abs_diff(young.1) < young.1 / 20, "{live} {}", young.1);
    }
}

#[test]
fn a_pass_makes_the_marks_exact() {
    let mut t = table::<V4>(2000, &[60_000]);
    for n in 0..2000 {
        t.put(n, 0, &entry(n), Instant::ZERO);
    }
    for n in (0..2000).step_by(2) {
        let slot = t.seek(n, 0, Instant::ZERO).unwrap();
        t.remove(slot);
    }
    let (_, before, _) = t.census(false);
    t.sweep(Instant::from_millis(15_001), usize::MAX, hash);
    let (_, after, _) = t.census(true);
    assert!(after < before, "{before} {after}");
    for n in (1..2000).step_by(2) {
        assert!(t.seek(n, 0, Instant::from_millis(15_001)).is_some());
    }
}

#[test]
fn a_slice_is_bounded_and_four_passes_fit() {
    let mut t = table::<V4>(10_000, &[1000, 60_000]);
    let buckets = t.memory.buckets().len();
    t.put(0, 1, &entry(0), Instant::ZERO);
    let at = t.next_sweep(100).unwrap();
    t.sweep(Instant::from_nanos(at.as_nanos() - 1), usize::MAX, |_| 0);
    let done = t.pass_cursor();
    assert!(done < 100);
    t.sweep(at, 100 - done, |_| 0);
    assert_eq!(t.pass_cursor(), 100);
    t.sweep(Instant::from_millis(249), 7, |_| 0);
    assert_eq!(t.pass_cursor(), 107);
    t.sweep(Instant::from_millis(251), usize::MAX, |_| 0);
    assert_eq!(t.pass_cursor(), 0);
    assert!(buckets > 6000);
}

#[test]
fn standing_still_never_revives_an_entry() {
    // Nobody sweeps; entries come at all distances in time, in every bucket.
    let mut t = table::<V4>(60, &[160, 1600]);
    let mut now = Instant::ZERO;
    let mut model: HashMap<(u32, u16), Instant> = HashMap::new();
    for step in 0..20_000u32 {
        now = now.plus_millis(u64::from(step.wrapping_mul(2_654_435_761) >> 27) * 7);
        let (n, class) = (step % 40, (step / 40 % 2) as u16);
        for (&(n, class), &at) in &model {
            let found = t.seek(n, class, now).is_some();
            assert_eq!(found, now < at, "{n} {class} at step {step}");
        }
        if model.get(&(n, class)).is_none_or(|&at| now >= at) {
            let slot = t.put(n, class, &entry(n), now).slot().unwrap();
            model.insert((n, class), t.expires_at(slot));
        }
    }
    // Insertions did what the sweep did not.
    assert_eq!(t.stats().lost, 0);
    assert_eq!(t.stats().evicted_probe, 0);
}

#[test]
fn however_full_the_table_no_call_looks_at_more_than_stated() {
    let mut t = table::<Counted<V4>>(1000, &[60_000]);
    let (mut most, mut evicted) = (0, 0);
    for n in 0..5000u32 {
        let now = Instant::from_millis(n.into());
        t.lines().take();
        let inserted = t.put(n, 0, &entry(n), now);
        let buckets = t.lines().take();
        assert!(buckets < 2 * PROBE_LIMIT, "{buckets}");
        most = most.max(buckets);
        evicted += u32::from(matches!(inserted, Inserted::Evicted(..)));
        let slot = t.seek(n, 0, now).unwrap();
        assert!(t.lines().take() <= PROBE_LIMIT);
        t.set_ts_recent(slot, n);
        t.restart(slot, now);
        assert!(!t.remove_of(slot, &tuple::<V4>(n + 1, 0)));
        assert_eq!(t.lines().take(), 1);
        t.seek(n + 1, 0, now);
        assert!(t.lines().take() <= PROBE_LIMIT);
    }
    assert!(most > 3 && evicted > 3000, "{most} {evicted}");
    let room = PROBE_LIMIT as u32 * WAYS as u32;
    let mut t = table::<Counted<V4>>(1000, &[60_000]);
    for n in 0..room + 10 {
        let key = t.key(&tuple::<V4>(n, 0)).unwrap();
        t.insert(1 << 40, &key, &entry(n), Instant::ZERO);
        assert!(t.lines().take() <= PROBE_LIMIT);
    }
    assert_eq!(t.stats().evicted_probe, 10);
    for late in [1, 100, 100_000] {
        let now = Instant::from_millis(60_000 + 15_000 * late);
        t.sweep(now, 100, hash);
        assert!(t.lines().take() < 100 + PROBE_LIMIT);
    }
}

#[test]
fn however_late_the_sweep_no_call_looks_at_more_than_stated_and_no_entry_is_misread() {
    let mut t = table::<Counted<V4>>(20_000, &[160]);
    let mut model: Vec<(u32, Instant)> = Vec::new();
    let mut now = Instant::ZERO;
    // Insertions alone need some 200 to come by every bucket, 40 times the length.
    for n in 0..2_000u32 {
        now = now.plus_millis(30);
        t.lines().take();
        let inserted = t.put(n, 0, &entry(n), now);
        assert!(t.lines().take() <= MAX_BUCKETS);
        match inserted {
            Inserted::Placed(slot) => model.push((n, t.expires_at(slot))),
            Inserted::Lost => {}
            other => panic!("{other:?}"),
        }
        model.retain(|&(_, at)| at.plus_millis(500) > now);
        for &(n, at) in &model {
            assert_eq!(t.seek(n, 0, now).is_some(), now < at, "{n} at {now:?}");
        }
    }
    let lost = t.stats().lost;
    assert!(lost > 100 && lost < 1_900, "{lost}");
    // The sweep is back, and everything is as it was.
    for _ in 0..3 {
        now = now.plus_millis(41);
        t.sweep(now, usize::MAX, hash);
    }
    for n in 3_000..3_100 {
        assert!(matches!(t.put(n, 0, &entry(n), now), Inserted::Placed(_)));
    }
    t.census(false);
}
