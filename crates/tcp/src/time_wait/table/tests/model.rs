//! The table beside a map.

use super::*;

/// What is done to connection `n` of `class`.
#[derive(Clone, Debug)]
enum Op {
    Insert(u32, u16),
    Remove(u32, u16),
    Restart(u32, u16),
    Timestamp(u32, u16, u32),
    Wait(u64),
    Sweep(usize),
}

fn op(connections: u32) -> impl Strategy<Value = Op> {
    let n = 0..connections;
    let class = 0..3u16;
    prop_oneof![
        6 => (n.clone(), class.clone()).prop_map(|(n, c)| Op::Insert(n, c)),
        2 => (n.clone(), class.clone()).prop_map(|(n, c)| Op::Remove(n, c)),
        1 => (n.clone(), class.clone()).prop_map(|(n, c)| Op::Restart(n, c)),
        1 => (n, class, any::<u32>()).prop_map(|(n, c, v)| Op::Timestamp(n, c, v)),
        2 => prop_oneof![8 => 0..20u64, 1 => 0..700u64, 1 => 0..100_000u64].prop_map(Op::Wait),
        2 => prop_oneof![4 => 0..40usize, 1 => Just(usize::MAX)].prop_map(Op::Sweep),
    ]
}

/// The table against a map from connections to entries, expiry included. What the table evicts is
/// taken out of the map as well; nothing else may differ.
fn like_a_map<F: TestFamily>(capacity: usize, ops: Vec<Op>) -> Result<(), TestCaseError> {
    const DURATIONS: [u64; 3] = [10, 160, 2000];
    let mut t = table::<F>(capacity, &DURATIONS);
    let mut model: HashMap<FourTuple, (Entry, Instant)> = HashMap::new();
    let mut now = Instant::from_millis(1);
    let mut version = 0u32;
    for op in ops {
        match op {
            Op::Insert(n, class) => {
                version += 1;
                let e = entry(version);
                let was_live = model.get(&tuple::<F>(n, class)).is_some_and(|m| now < m.1);
                let inserted = t.put(n, class, &e, now);
                if let Inserted::Evicted(_, evicted) = inserted {
                    let victim = model.remove(&t.tuple(&evicted.key).unwrap());
                    let (known, at) = victim.unwrap();
                    prop_assert_eq!(known, evicted.entry);
                    prop_assert!(now < at && evicted.left == at.since(now));
                }
                prop_assert_eq!(matches!(inserted, Inserted::Replaced(_)), was_live);
                let slot = inserted.slot().unwrap();
                let at = t.expires_at(slot);
                let earliest = now.plus_millis(DURATIONS[usize::from(class)]);
                prop_assert!(at >= earliest && at <= earliest + t.tick(ClassId(class as u8)));
                model.insert(tuple::<F>(n, class), (e, at));
            }
            Op::Remove(n, class) => {
                if let Some(slot) = t.seek(n, class, now) {
                    t.remove(slot);
                    prop_assert!(model.remove(&tuple::<F>(n, class)).is_some());
                }
            }
            Op::Restart(n, class) => {
                if let Some(slot) = t.seek(n, class, now) {
                    t.restart(slot, now);
                    let known = model.get_mut(&tuple::<F>(n, class)).unwrap();
                    known.1 = t.expires_at(slot);
                    let earliest = now.plus_millis(DURATIONS[usize::from(class)]);
                    prop_assert!(known.1 >= earliest);
                    prop_assert!(known.1 <= earliest + t.tick(ClassId(class as u8)));
                }
            }
            Op::Timestamp(n, class, ts) => {
                if let Some(slot) = t.seek(n, class, now) {
                    t.set_ts_recent(slot, ts);
                    let entry = &mut model.get_mut(&tuple::<F>(n, class)).unwrap().0;
                    entry.ts_recent = Some(ts);
                    entry.movement = Movement::default();
                }
            }
            Op::Wait(ms) => now = now.plus_millis(ms),
            Op::Sweep(budget) => {
                t.sweep(now, budget, hash);
            }
        }
        prop_assert!(t.live() <= capacity + capacity / 7);
    }
    t.census(false);
    let mut seen = HashMap::new();
    t.visit(0, usize::MAX, now, |key, e, at| {
        seen.insert(key, (e, at));
    });
    model.retain(|_, known| now < known.1);
    prop_assert_eq!(seen.len(), model.len());
    for (tuple, known) in &model {
        let key = t.key(tuple).unwrap();
        let slot = t.find(hash(tuple), &key, now);
        prop_assert!(slot.is_some_and(|s| t.entry(s) == known.0 && t.expires_at(s) == known.1));
        prop_assert_eq!(seen.get(&key), Some(known));
    }
    Ok(())
}

/// Cases of the model tests: `TIDEWHEEL_TABLE_CASES`, else 128 (some 128,000 operations).
fn cases() -> u32 {
    let set = std::env::var("TIDEWHEEL_TABLE_CASES");
    set.ok().and_then(|s| s.parse().ok()).unwrap_or(128)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), max_shrink_iters: 20_000, ..ProptestConfig::default() })]
    #[test]
    fn like_a_map_v4(ops in proptest::collection::vec(op(120), 1..2000)) {
        like_a_map::<V4>(200, ops)?;
    }

    /// More connections than capacity: evictions.
    #[test]
    fn like_a_map_v4_overloaded(ops in proptest::collection::vec(op(300), 1..2000)) {
        like_a_map::<V4>(100, ops)?;
    }

    #[test]
    fn like_a_map_v6(ops in proptest::collection::vec(op(150), 1..2000)) {
        like_a_map::<V6>(120, ops)?;
    }
}
