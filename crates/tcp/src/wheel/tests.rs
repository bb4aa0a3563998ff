use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

fn fired(wheel: &mut Wheel, now: u64) -> Vec<u32> {
    let mut ids = Vec::new();
    wheel.advance(now, usize::MAX, &mut |id| ids.push(id));
    ids
}

#[test]
fn a_timer_fires_at_its_tick_and_once() {
    for start in [0, 1, 63, 64, 4095, (1 << 36) - 1, (1 << 36) + 5] {
        for ahead in [
            1,
            2,
            63,
            64,
            65,
            4096,
            262_143,
            1 << 24,
            1 << 30,
            Wheel::MAX_AHEAD,
        ] {
            let mut wheel = Wheel::new(1);
            fired(&mut wheel, start);
            wheel.schedule(0, start + ahead);
            assert_eq!(wheel.deadline(0), Some(start + ahead));
            assert_eq!(fired(&mut wheel, start + ahead - 1), []);
            assert_eq!(wheel.deadline(0), Some(start + ahead));
            assert_eq!(fired(&mut wheel, start + ahead), [0]);
            assert_eq!(wheel.deadline(0), None);
            assert_eq!(fired(&mut wheel, start + ahead + 1), []);
        }
    }
}

#[test]
fn a_jump_fires_in_the_order_of_the_ticks() {
    let mut wheel = Wheel::new(5);
    for (id, at) in [(0, 1 << 31), (1, 70), (2, 5), (3, 70), (4, 5000)] {
        wheel.schedule(id, at);
    }
    assert_eq!(fired(&mut wheel, u64::from(u32::MAX)), [2, 1, 3, 4, 0]);
    assert!(wheel.is_empty());
}

#[test]
fn a_deadline_that_has_passed_fires_next() {
    let mut wheel = Wheel::new(2);
    fired(&mut wheel, 1000);
    wheel.schedule(0, 3);
    wheel.schedule(1, 1000);
    assert_eq!(
        (wheel.deadline(0), wheel.next_deadline()),
        (Some(1000), Some(1000))
    );
    assert_eq!(fired(&mut wheel, 1000), [0, 1]);
}

#[test]
fn too_far_is_as_far_as_possible() {
    let mut wheel = Wheel::new(1);
    wheel.schedule(0, u64::MAX);
    assert_eq!(wheel.deadline(0), Some(Wheel::MAX_AHEAD));
    assert_eq!(fired(&mut wheel, Wheel::MAX_AHEAD - 1), []);
    assert_eq!(fired(&mut wheel, Wheel::MAX_AHEAD), [0]);
}

#[test]
fn the_budget_bounds_a_call_and_loses_nothing() {
    let mut wheel = Wheel::new(1000);
    for id in 0..1000 {
        wheel.schedule(id, 5000 + u64::from(id % 3));
    }
    let mut ids = BTreeSet::new();
    let mut calls = 0;
    while !wheel.is_empty() {
        let n = wheel.advance(10_000, 7, &mut |id| assert!(ids.insert(id)));
        assert!(n <= 7);
        calls += 1;
        assert!(wheel.is_empty() || wheel.next_deadline().is_some_and(|at| at <= 10_000));
    }
    assert_eq!(ids.len(), 1000);
    // Each comes down once or twice before it fires.
    assert!((1000 / 7..=3 * 1000 / 7 + 1).contains(&calls), "{calls}");
}

#[test]
fn the_lower_bound_comes_to_the_deadline() {
    let mut wheel = Wheel::new(1);
    for at in [17, 64, 99_999, 1 << 29, 4_000_000_000] {
        wheel.schedule(0, at);
        let mut steps = 0;
        while let Some(next) = wheel.next_deadline() {
            assert!(next <= at);
            fired(&mut wheel, next);
            steps += 1;
        }
        assert!(steps <= LEVELS && wheel.now == at, "{steps}");
    }
}

#[test]
fn twelve_bytes_a_timer() {
    let bytes = Wheel::new(1_000_000).allocated_bytes();
    assert!(bytes < 12 * 1_000_000 + 8192, "{bytes}");
    assert_eq!(Wheel::new(0).next_deadline(), None);
}

#[derive(Clone, Debug)]
enum Op {
    Schedule(u32, u64),
    SchedulePast(u32, u64),
    Cancel(u32),
    Advance(u64, usize),
}

fn ahead() -> impl Strategy<Value = u64> {
    prop_oneof![
        4 => 0..70u64,
        4 => 0..5000u64,
        2 => 0..10_000_000u64,
        1 => 0..=Wheel::MAX_AHEAD,
        1 => (0..32u32).prop_map(|bit| 1u64 << bit),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    let id = 0..50u32;
    prop_oneof![
        6 => (id.clone(), ahead()).prop_map(|(id, t)| Op::Schedule(id, t)),
        1 => (id.clone(), 0..100u64).prop_map(|(id, t)| Op::SchedulePast(id, t)),
        2 => id.prop_map(Op::Cancel),
        5 => (ahead(), prop_oneof![Just(usize::MAX), 0..6usize]).prop_map(|(t, b)| Op::Advance(t, b)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]
    /// Against a map from ids to deadlines. `base` puts the run across a wrap of the wheel.
    #[test]
    fn like_a_map(
        base in prop_oneof![Just(0u64), (30..44u32, 0..200u64).prop_map(|(b, d)| (1u64 << b) - d)],
        ops in proptest::collection::vec(op(), 1..300),
    ) {
        let mut wheel = Wheel::new(50);
        fired(&mut wheel, base);
        let mut model: BTreeMap<u32, u64> = BTreeMap::new();
        let mut now = base;
        for op in ops {
            match op {
                Op::Schedule(id, t) => {
                    // The wheel may lag behind `now` when a budget ended: that shortens its reach.
                    let at = (now + t).min(wheel.now + Wheel::MAX_AHEAD);
                    wheel.schedule(id, at);
                    model.insert(id, at);
                    prop_assert_eq!(wheel.deadline(id), Some(at));
                }
                Op::SchedulePast(id, t) => {
                    let at = now.saturating_sub(t);
                    wheel.schedule(id, at);
                    model.insert(id, at);
                }
                Op::Cancel(id) => {
                    prop_assert_eq!(wheel.cancel(id), model.remove(&id).is_some());
                }
                Op::Advance(t, budget) => {
                    now += t;
                    let mut got = Vec::new();
                    let n = wheel.advance(now, budget, &mut |id| got.push(id));
                    prop_assert_eq!(n, got.len());
                    prop_assert!(n <= budget);
                    for id in got {
                        let at = model.remove(&id);
                        prop_assert!(at.is_some_and(|at| at <= now), "{} early or twice", id);
                    }
                    let late = model.values().filter(|&&at| at <= now).count();
                    prop_assert!(budget != usize::MAX || late == 0, "{} late", late);
                }
            }
            prop_assert_eq!(wheel.len(), model.len());
            match (wheel.next_deadline(), model.values().min()) {
                (None, None) => {}
                (Some(bound), Some(&min)) => {
                    prop_assert!(bound <= min.max(wheel.now), "{} {}", bound, min);
                    let exact = min >= now && min - wheel.now < 64 && wheel.now & MASK == 0;
                    prop_assert!(!exact || wheel.cascade.is_some() || bound == min);
                }
                other => prop_assert!(false, "{:?}", other),
            }
        }
        // What is left comes out with any budget above zero.
        while !wheel.is_empty() {
            wheel.advance(now + Wheel::MAX_AHEAD, 3, &mut |id| { model.remove(&id); });
        }
        prop_assert!(model.is_empty());
    }
}
