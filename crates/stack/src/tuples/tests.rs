use std::collections::HashSet;

use super::*;
use crate::config::{PortSelection, TimeWaitConfig};

fn config(first_port: u16, last_port: u16, limit: Option<u32>) -> DestinationConfig {
    DestinationConfig {
        address: Ip::v4([192, 0, 2, 9]),
        port: 80,
        sources: vec![],
        first_port,
        last_port,
        unused_ports: Vec::new(),
        limit,
        selection: PortSelection::default(),
        tcp: tcp::Config::default(),
        time_wait: TimeWaitConfig::default(),
    }
}

const SOURCES: [Ip; 2] = [Ip::v4([192, 0, 2, 1]), Ip::v4([192, 0, 2, 2])];

fn pool(config: &DestinationConfig) -> TuplePool {
    TuplePool::new(config, &SOURCES, None, |_, _| false, [1, 2]).unwrap()
}

fn at(ms: u64) -> Instant {
    Instant::from_millis(ms)
}

fn used(ms: u64, tsval: bool, time_wait: bool) -> LastUse {
    LastUse {
        snd_nxt: Seq(7),
        tsval: tsval.then_some(0),
        at: at(ms),
        time_wait,
    }
}

#[test]
fn longest_rest_first_and_nothing_is_lost() {
    assert_eq!(size_of::<Record>(), 16);
    let mut pool = pool(&config(65_534, 65_535, None));
    let mut counter = 0;
    let mut seen = HashSet::new();
    while let Some((id, last)) = pool.take(at(10), &mut counter, |_| {}) {
        assert_eq!(last, None);
        seen.insert(pool.tuple(id));
    }
    assert_eq!((seen.len(), pool.free()), (4, 0));
    let full = Exhausted {
        in_use: 4,
        resting: 0,
        next_free: None,
        free_in: None,
    };
    assert_eq!(pool.exhausted(at(10)), full);
    let last = used(5, true, false);
    pool.give_back(TupleId(2), Some(last));
    pool.give_back(TupleId(0), None);
    assert_eq!(pool.free(), 2);
    assert_eq!(
        pool.take(at(11), &mut counter, |_| {}),
        Some((TupleId(2), Some(last)))
    );
    assert_eq!(
        pool.take(at(11), &mut counter, |_| {}),
        Some((TupleId(0), None))
    );
}

#[test]
fn addresses_take_turns() {
    let mut pool = pool(&config(1_000, 1_999, None));
    let mut counter = 0;
    let taken = [(); 2_000].map(|()| pool.take(at(0), &mut counter, |_| {}).unwrap().0);
    let tuples = taken.map(|id| pool.tuple(id));
    assert!(tuples.windows(2).all(|t| t[0].local != t[1].local));
    assert_eq!(tuples.into_iter().collect::<HashSet<_>>().len(), 2_000);
    assert!(pool.take(at(0), &mut counter, |_| {}).is_none());
}

#[test]
fn each_rests_as_long_as_it_must() {
    let mut config = config(1000, 1002, None);
    config.selection.min_interval_ms = 5_000;
    config.sources = vec![SOURCES[0]];
    for algorithm in PortAlgorithm::ALL {
        config.selection.algorithm = algorithm;
        let mut pool = pool(&config);
        let mut counter = 0;
        for _ in 0..3 {
            pool.take(at(0), &mut counter, |_| {}).unwrap();
        }
        // The destination may remember the first for 5 s; our TIME-WAIT has the others.
        pool.give_back(TupleId(0), Some(used(100, true, false)));
        pool.give_back(TupleId(1), Some(used(100, true, true)));
        pool.give_back(TupleId(2), Some(used(100, false, true)));
        for (ready, expected) in [(5_101, 0), (5_101, 1), (100 + 60_377, 2)] {
            let why = pool.exhausted(at(100));
            if why.resting == 3 {
                assert_eq!(why.next_free, Some(at(5_101)), "{algorithm:?}");
                assert_eq!(pool.take(at(5_100), &mut counter, |_| {}), None);
            }
            let (id, last) = pool.take(at(ready), &mut counter, |_| {}).unwrap();
            assert!(id.0 == expected || ready == 5_101, "{algorithm:?}");
            assert!(last.is_some());
        }
        assert_eq!(pool.exhausted(at(70_000)).in_use, 3);
        // Put off: it rests as long again.
        pool.put_off(TupleId(2), at(70_000), None);
        let why = pool.exhausted(at(70_000));
        assert_eq!(why.next_free, Some(at(130_377)));
        assert_eq!(pool.take(at(130_376), &mut counter, |_| {}), None);
        let (again, last) = pool.take(at(130_377), &mut counter, |_| {}).unwrap();
        assert!(last.is_some());
        // Put off to a time of its own, it is free then, whatever else rests.
        pool.put_off(again, at(130_400), Some(at(140_000)));
        let why = pool.exhausted(at(130_400));
        assert_eq!((why.in_use, why.resting), (2, 1));
        assert_eq!(why.next_free, Some(at(140_000)));
        assert_eq!(why.free_in, Some(core::time::Duration::from_millis(9_600)));
        assert_eq!(pool.take(at(139_999), &mut counter, |_| {}), None);
        let (id, kept) = pool.take(at(140_000), &mut counter, |_| {}).unwrap();
        assert_eq!(
            (id, kept.map(|l| l.snd_nxt)),
            (again, last.map(|l| l.snd_nxt))
        );
    }
}

/// Server closes first, a steady rate: how soon each algorithm comes back to a pair.
#[test]
fn algorithms_differ_in_how_soon_they_return() {
    let pairs = 1_000u64;
    let mut shortest = Vec::new();
    for algorithm in PortAlgorithm::ALL {
        let mut config = config(10_000, 10_999, None);
        config.sources = vec![SOURCES[0]];
        config.selection.algorithm = algorithm;
        let mut pool = pool(&config);
        let mut counter = 77;
        let mut last = vec![None; pairs as usize];
        let (mut interval, mut distinct) = (u64::MAX, HashSet::new());
        for n in 0..20 * pairs {
            let (id, _) = pool.take(at(n), &mut counter, |_| {}).unwrap();
            if let Some(before) = last[id.0 as usize].replace(n) {
                interval = interval.min(n - before);
            }
            distinct.insert(id.0);
            pool.give_back(id, Some(used(n, true, false)));
        }
        assert_eq!(
            distinct.len() as u64,
            pairs,
            "{algorithm:?}: every pair has its turn"
        );
        shortest.push(interval);
    }
    let [rest, random, retry, hash, double, increments] = shortest[..] else {
        panic!("{shortest:?}");
    };
    assert_eq!((rest, hash, double), (pairs, pairs, pairs));
    assert!(random < 100 && retry < 100, "{shortest:?}");
    assert!(increments < pairs / 4, "{shortest:?}");
}

#[test]
fn destinations_share_the_counter_of_algorithm_3_and_not_that_of_4() {
    for (algorithm, skips) in [(PortAlgorithm::Hash, 2), (PortAlgorithm::DoubleHash, 1)] {
        let mut config = config(10_000, 10_999, None);
        config.sources = vec![SOURCES[0]];
        config.selection.algorithm = algorithm;
        let (mut a, mut b) = (pool(&config), pool(&config));
        let mut counter = 5;
        let (first, _) = a.take(at(0), &mut counter, |_| {}).unwrap();
        b.take(at(0), &mut counter, |_| {}).unwrap();
        let (second, _) = a.take(at(0), &mut counter, |_| {}).unwrap();
        assert_eq!((1_000 + second.0 - first.0) % 1_000, skips, "{algorithm:?}");
    }
}

#[test]
fn only_owned_and_untaken_pairs() {
    let even: Owner = Box::new(|t| t.local_port % 2 == 0);
    let taken = |ip: Ip, port: u16| ip == SOURCES[0] && port == 1002;
    for algorithm in PortAlgorithm::ALL {
        let mut config = config(1000, 1003, None);
        config.selection.algorithm = algorithm;
        let mut pool = TuplePool::new(&config, &SOURCES, Some(&even), taken, [3, 4]).unwrap();
        assert_eq!(pool.free(), 3);
        let mut counter = 0;
        while let Some((id, _)) = pool.take(at(0), &mut counter, |_| {}) {
            let tuple = pool.tuple(id);
            assert!(tuple.local_port.is_multiple_of(2));
            assert!(!taken(tuple.local, tuple.local_port));
        }
        assert_eq!(pool.exhausted(at(0)).in_use, 3);
    }
    let none: Owner = Box::new(|_| false);
    let refused = TuplePool::new(
        &config(1000, 1003, None),
        &SOURCES,
        Some(&none),
        |_, _| false,
        [0, 0],
    );
    assert!(matches!(refused, Err(ConfigError::NoTuples(..))));
    assert_eq!(pool(&config(1, 65_535, Some(70_000))).free(), 70_000);
}

#[test]
fn several_ranges_are_used_and_nothing_between_them() {
    for algorithm in PortAlgorithm::ALL {
        let mut config = config(10_000, 10_029, None);
        config.unused_ports = vec![(10_010, 10_014), (10_020, 10_027)];
        config.selection.algorithm = algorithm;
        let mut pool = pool(&config);
        let (mut counter, mut ports) = (7, Vec::new());
        while let Some((id, _)) = pool.take(at(5), &mut counter, |_| {}) {
            ports.push(pool.tuple(id).local_port);
        }
        ports.sort_unstable();
        let wanted = (10_000..=10_009)
            .chain(10_015..=10_019)
            .chain(10_028..=10_029);
        // Of each of the two addresses.
        let wanted: Vec<u16> = wanted.flat_map(|port| [port, port]).collect();
        assert_eq!(ports, wanted, "{algorithm:?}");
    }
}
