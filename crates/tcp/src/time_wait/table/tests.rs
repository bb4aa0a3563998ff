use std::collections::HashMap;

use proptest::prelude::*;
use wire::Ip;

use super::*;
use crate::time_wait::anchor::Side;
use crate::time_wait::family::{V4, V6};
use crate::time_wait::lines::Counted;

mod model;
mod work;

/// Finalizer-style mixing of a tuple: well spread, and the same for both families.
fn hash(tuple: &FourTuple) -> u64 {
    let mut h = 0x9e37_79b9_7f4a_7c15u64;
    let ports = u64::from(tuple.local_port) << 16 | u64::from(tuple.remote_port);
    for ip in [tuple.local, tuple.remote] {
        let wide = u128::from_be_bytes(ip.octets());
        for part in [wide as u64, (wide >> 64) as u64, ports] {
            h = (h ^ part).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            h ^= h >> 29;
        }
    }
    h.wrapping_mul(0x94d0_49bb_1331_11eb) ^ h >> 31
}

trait TestFamily: Family {
    fn ip(n: u32) -> Ip;
}

impl TestFamily for V4 {
    fn ip(n: u32) -> Ip {
        Ip::v4(n.to_be_bytes())
    }
}

impl TestFamily for Counted<V4> {
    fn ip(n: u32) -> Ip {
        V4::ip(n)
    }
}

impl TestFamily for V6 {
    fn ip(n: u32) -> Ip {
        let mut octets = [0x20; 16];
        octets[12..].copy_from_slice(&n.to_be_bytes());
        Ip::v6(octets)
    }
}

const LISTENER: u16 = 80;

/// A table with a listener and a destination anchor for each class.
fn table<F: TestFamily>(capacity: usize, durations_ms: &[u64]) -> Table<F> {
    let config = Config {
        capacity,
        durations_ms: durations_ms.to_vec(),
        pages: Pages::Base,
    };
    let mut table = Table::new(&config, Instant::ZERO).unwrap();
    for class in 0..durations_ms.len() as u16 {
        for side in [Side::Local, Side::Remote] {
            let anchor = Anchor {
                side,
                ip: F::ip(0x0a00_0001),
                port: LISTENER + class,
                class: ClassId(class as u8),
                fin_wait2_class: ClassId(class as u8),
                fin_wait2_recycled_class: ClassId(class as u8),
                window: 1 << 16,
                window_shift: 0,
            };
            table.add_anchor(anchor).unwrap();
        }
    }
    table
}

/// Connection `n` of `class`, half of them active opens.
fn tuple<F: TestFamily>(n: u32, class: u16) -> FourTuple {
    let fixed = (F::ip(0x0a00_0001), LISTENER + class);
    let varies = (F::ip(0x0b00_0000 + n / 8), 40_000 + (n % 8) as u16);
    let (local, remote) = if n.is_multiple_of(2) {
        (fixed, varies)
    } else {
        (varies, fixed)
    };
    FourTuple {
        local: local.0,
        remote: remote.0,
        local_port: local.1,
        remote_port: remote.1,
    }
}

fn entry(n: u32) -> Entry {
    Entry {
        rcv_nxt: Seq(n.wrapping_mul(2_654_435_761)),
        snd_nxt: Seq(!n),
        // 0 is a timestamp, and no timestamp is not 0.
        ts_recent: [None, Some(0), Some(n)][n as usize % 3],
        // Without timestamps only.
        movement: Movement::from_bits(if n.is_multiple_of(3) { n } else { 0 }),
        recycled: n.is_multiple_of(5),
        fin_wait2: n.is_multiple_of(7),
        reset: n.is_multiple_of(11),
    }
}

#[allow(private_bounds)]
impl<F: TestFamily> Table<F> {
    fn put(&mut self, n: u32, class: u16, entry: &Entry, now: Instant) -> Inserted<F::Key> {
        let t = tuple::<F>(n, class);
        let key = self.key(&t).unwrap();
        self.insert(hash(&t), &key, entry, now)
    }

    fn seek(&mut self, n: u32, class: u16, now: Instant) -> Option<Slot> {
        let t = tuple::<F>(n, class);
        let key = self.key(&t).unwrap();
        self.find(hash(&t), &key, now)
    }

    fn visit_all(&mut self) -> usize {
        let (mut from, mut seen) = (Some(0), 0);
        while let Some(at) = from {
            from = self.visit(at, 1000, Instant::ZERO, |_, _, _| seen += 1);
        }
        seen
    }

    /// Entries held, buckets marked, and the farthest displacement; and that the marks are
    /// those that are needed, if `exact`.
    fn census(&self, exact: bool) -> (usize, usize, usize) {
        let buckets = self.memory.buckets();
        let mut needed = vec![false; buckets.len()];
        let (mut occupied, mut farthest) = (0, 0);
        for (i, bucket) in buckets.iter().enumerate() {
            for (way, &anchor) in bucket.anchors().iter().enumerate() {
                if anchor == VACANT {
                    continue;
                }
                occupied += 1;
                if self.is_over(bucket, way) {
                    continue;
                }
                let home = self.home(hash(&self.tuple(&bucket.key(way)).unwrap()));
                assert!(home <= i && i - home < PROBE_LIMIT);
                farthest = farthest.max(i - home);
                needed[home..i].fill(true);
            }
        }
        assert_eq!(occupied, self.live);
        let marked = buckets.iter().filter(|b| b.flags().overflow()).count();
        for (bucket, needed) in buckets.iter().zip(needed) {
            let marked = bucket.flags().overflow();
            assert!(marked || !needed, "an entry cannot be reached");
            assert!(!exact || marked == needed, "a mark too many");
        }
        (occupied, marked, farthest)
    }
}

#[test]
fn sizes() {
    assert_eq!(
        (Table::<V4>::ENTRY_BYTES, Table::<V6>::ENTRY_BYTES),
        (20, 32)
    );
    assert!((Table::<V4>::slot_bytes() - 21.33).abs() < 0.01);
    // What a live entry costs, all in, at the capacity.
    let per_entry = |bytes: usize| bytes as f64 / 100_000.0;
    let v4 = per_entry(table::<V4>(100_000, &[60_000]).allocated_bytes());
    let v6 = per_entry(table::<V6>(100_000, &[60_000]).allocated_bytes());
    assert!(v4 < 44.0 && v6 < 87.0, "{v4} {v6}");
}

fn an_entry_lives_its_time<F: TestFamily>() {
    for ms in [1, 40, 160, 664, 60_000, 86_400_000] {
        let mut t = table::<F>(64, &[ms]);
        let tick = t.tick(ClassId(0));
        let start = Instant::from_nanos(123_456_789);
        let slot = t.put(2, 0, &entry(2), start).slot().unwrap();
        assert_eq!((t.entry(slot), t.live()), (entry(2), 1));
        assert_eq!(t.tuple(&t.key_at(slot)), Some(tuple::<F>(2, 0)));
        let at = t.expires_at(slot);
        assert!(at >= start.plus_millis(ms) && at <= start.plus_millis(ms) + tick);
        let before = Instant::from_nanos(at.as_nanos() - 1);
        assert_eq!(t.seek(2, 0, before), Some(slot));
        assert_eq!(t.seek(2, 0, at), None);
        assert_eq!(t.seek(3, 0, at), None);
        assert_eq!((t.live(), t.stats().expired), (1, 0));
        // A pass that had begun, and a whole one.
        let mut sweep = |after| t.sweep(at.plus_millis(after), usize::MAX, hash);
        assert_eq!(sweep(ms) + sweep(2 * ms), 1);
        assert_eq!((t.live(), t.stats().expired), (0, 1));
        t.census(true);
    }
}

#[test]
fn an_entry_lives_its_time_v4() {
    an_entry_lives_its_time::<V4>();
}

#[test]
fn an_entry_lives_its_time_v6() {
    an_entry_lives_its_time::<V6>();
}

fn an_entry_is_removed_from_its_place_by_its_tuple_only<F: TestFamily>() {
    let mut t = table::<F>(64, &[60_000]);
    for (n, class) in [(0, 0), (1, 0)] {
        // An even number has its fixed side here, an odd one there.
        let (this, other) = (tuple::<F>(n, class), tuple::<F>(n + 2, class));
        let slot = t
            .put(n, class, &entry(n), Instant::from_millis(0))
            .slot()
            .unwrap();
        assert!(!t.remove_of(slot, &other), "another variable side");
        let mut elsewhere = this;
        elsewhere.local_port ^= 1;
        assert!(!t.remove_of(slot, &elsewhere));
        let mut elsewhere = this;
        elsewhere.remote_port ^= 1;
        assert!(!t.remove_of(slot, &elsewhere));
        assert_eq!((t.live(), t.stats().removed), (1, n.into()));
        assert!(t.remove_of(slot, &this));
        assert!(!t.remove_of(slot, &this), "vacant");
        assert_eq!((t.live(), t.stats().removed), (0, u64::from(n) + 1));
        assert_eq!(t.seek(n, class, Instant::from_millis(1)), None);
    }
}

#[test]
fn an_entry_is_removed_from_its_place_by_its_tuple_only_v4() {
    an_entry_is_removed_from_its_place_by_its_tuple_only::<V4>();
}

#[test]
fn an_entry_is_removed_from_its_place_by_its_tuple_only_v6() {
    an_entry_is_removed_from_its_place_by_its_tuple_only::<V6>();
}

#[test]
fn a_restart_gives_the_whole_time_again() {
    let mut t = table::<V4>(64, &[1000]);
    let slot = t.put(1, 0, &entry(1), Instant::ZERO).slot().unwrap();
    t.set_ts_recent(slot, 77);
    let later = Instant::from_millis(900);
    t.restart(slot, later);
    assert!(t.expires_at(slot) >= later.plus_millis(1000));
    let found = t.seek(1, 0, Instant::from_millis(1899)).unwrap();
    assert_eq!(t.entry(found).ts_recent, Some(77));
    assert_eq!(t.seek(1, 0, Instant::from_millis(1908)), None);
}

#[test]
fn no_time_no_entry() {
    let mut t = table::<V4>(8, &[0, 1000]);
    assert_eq!(t.put(1, 0, &entry(1), Instant::ZERO), Inserted::NotKept);
    assert_eq!((t.live(), t.seek(1, 0, Instant::ZERO)), (0, None));
    assert!(t.put(1, 1, &entry(1), Instant::ZERO).slot().is_some());
}

#[test]
fn the_same_connection_is_there_once() {
    let mut t = table::<V4>(64, &[1000]);
    let first = t.put(1, 0, &entry(1), Instant::ZERO).slot().unwrap();
    let again = t.put(1, 0, &entry(2), Instant::from_millis(500));
    assert_eq!(again, Inserted::Replaced(first));
    assert_eq!((t.live(), t.entry(first)), (1, entry(2)));
    // Over, but not swept: its place is taken, and it counts as expired.
    let over = t.put(1, 0, &entry(3), Instant::from_millis(5000));
    assert_eq!(over, Inserted::Placed(first));
    assert_eq!((t.live(), t.stats().expired, t.stats().replaced), (1, 1, 1));
    t.remove(first);
    t.remove(first);
    assert_eq!((t.live(), t.stats().removed), (0, 1));
}

#[test]
fn at_the_capacity_the_oldest_near_goes() {
    let mut t = table::<V4>(1000, &[60_000]);
    let (mut evictions, mut age) = (0u32, Duration::ZERO);
    for n in 0..5142 {
        // One a millisecond: an entry that is evicted exactly in its turn is 1142 ms old.
        let now = Instant::from_millis(n.into());
        if let Inserted::Evicted(slot, evicted) = t.put(n, 0, &entry(n), now) {
            evictions += 1;
            age += evicted.age;
            assert_eq!(t.key_at(slot), t.key(&tuple::<V4>(n, 0)).unwrap());
            assert_ne!(evicted.key, t.key_at(slot));
            let born = (0..n).rev().find(|old| entry(*old) == evicted.entry);
            let aged = Duration::from_millis(u64::from(n - born.unwrap()));
            let known = aged..=aged + t.tick(ClassId(0));
            assert!(known.contains(&evicted.age), "{known:?}: {:?}", evicted.age);
            let whole = evicted.age + evicted.left;
            assert_eq!(whole, Duration::from_secs(60) + t.tick(ClassId(0)));
        }
        assert!(t.live() <= 1142);
        assert!(t.seek(n, 0, now).is_some(), "the newest is never refused");
    }
    assert_eq!((t.live(), evictions), (1142, 4000));
    assert_eq!(t.stats().evicted_capacity, 4000);
    // Age is counted in ticks of 375 ms, and up to a tick too much; the mean is still that of old ones.
    let mean = age.as_millis() / 4000;
    assert!((950..=1142 + 375).contains(&mean), "{mean} ms");
    t.census(false);
}

/// The oldest goes, whatever its length: not what has come last and will go first.
#[test]
fn at_the_capacity_a_short_length_is_no_reason() {
    let mut t = table::<V4>(1000, &[60_000, 1_000]);
    let now = |n: u32| Instant::from_millis(u64::from(n) * 20);
    for n in 0..1142 {
        assert!(matches!(
            t.put(n, 0, &entry(n), now(n)),
            Inserted::Placed(_)
        ));
    }
    for n in 1142..1642 {
        if let Inserted::Evicted(_, evicted) = t.put(n, 1, &entry(n), now(n)) {
            let age = evicted.age.as_millis();
            assert!(age > 10_000, "{age} ms at {n}");
        }
    }
    // Some of the short ones are over before the end.
    let stats = t.stats();
    assert!(stats.evicted_capacity + stats.expired >= 500, "{stats:?}");
    assert!(stats.evicted_capacity > 50, "{stats:?}");
}

#[test]
fn at_the_probe_limit_one_goes() {
    let mut t = table::<V4>(1000, &[60_000]);
    // All of one hash: their home and those after it hold PROBE_LIMIT * 3.
    let room = PROBE_LIMIT as u32 * WAYS as u32;
    for n in 0..room + 10 {
        let now = Instant::from_millis(u64::from(n) * 250);
        let key = t.key(&tuple::<V4>(n, 0)).unwrap();
        let inserted = t.insert(1 << 40, &key, &entry(n), now);
        match inserted {
            Inserted::Placed(_) => assert!(n < room),
            Inserted::Evicted(_, evicted) => {
                let oldest = t.key(&tuple::<V4>(n - room, 0)).unwrap();
                assert_eq!(evicted.key, oldest, "at {n}");
            }
            other => panic!("{other:?}"),
        }
        assert!(t.find(1 << 40, &key, now).is_some());
    }
    assert_eq!((t.live(), t.stats().evicted_probe), (room as usize, 10));
}

#[test]
fn hundreds_of_turnovers_leave_no_trace() {
    let capacity = 3000;
    let mut t = table::<V4>(capacity, &[1600]);
    let mut seen = Vec::new();
    let mut n = 0u32;
    // 300 times the whole population, expired or recycled in turn.
    for ms in 0..300 * 1600u64 {
        let now = Instant::from_millis(ms);
        for _ in 0..capacity as u64 * 9 / 10 / 1600 + u64::from(ms % 3 == 0) {
            t.put(n, 0, &entry(n), now);
            if n.is_multiple_of(3)
                && let Some(slot) = t.seek(n.wrapping_sub(300), 0, now)
            {
                t.remove(slot);
            }
            n += 1;
        }
        t.sweep(now, 64, hash);
        if ms % 16_000 == 15_999 {
            seen.push(t.census(false));
        }
    }
    let (first, rest) = seen.split_first().unwrap();
    for &(live, marked, farthest) in rest {
        assert!(live.abs_diff(first.0) < first.0 / 10, "{seen:?}");
        assert!(
            marked <= first.1 * 2 + 40 && farthest < PROBE_LIMIT / 2,
            "{seen:?}"
        );
    }
    let stats = *t.stats();
    assert_eq!(
        (stats.evicted_probe, stats.evicted_capacity, stats.lost),
        (0, 0, 0)
    );
    // Removed and expired entries leave nothing behind.
    let end = Instant::from_millis(310 * 1600);
    t.sweep(end, usize::MAX, hash);
    t.sweep(end.plus_millis(401), usize::MAX, hash);
    assert_eq!(t.live(), 0);
    assert_eq!(t.census(true), (0, 0, 0));
}

#[test]
fn what_cannot_be_built_is_refused() {
    let build = |capacity, durations_ms: &[u64]| {
        let config = Config {
            capacity,
            durations_ms: durations_ms.to_vec(),
            pages: Pages::Base,
        };
        Table::<V4>::new(&config, Instant::ZERO).map(|_| ())
    };
    assert!(matches!(build(0, &[1]), Err(BuildError::Capacity(0))));
    assert!(matches!(
        build(usize::MAX, &[1]),
        Err(BuildError::Capacity(_))
    ));
    assert!(matches!(build(1, &[]), Err(BuildError::Classes(0))));
    assert!(matches!(build(1, &[1; 17]), Err(BuildError::Classes(17))));
    let too_long = MAX_DURATION_MS + 1;
    assert!(matches!(
        build(1, &[too_long]),
        Err(BuildError::Duration(_))
    ));
    assert!(build(1, &[MAX_DURATION_MS]).is_ok());

    let mut t = table::<V4>(1, &[1]);
    let anchor = Anchor {
        side: Side::Local,
        ip: V6::ip(1),
        port: 1,
        class: ClassId(0),
        fin_wait2_class: ClassId(0),
        fin_wait2_recycled_class: ClassId(0),
        window: 0,
        window_shift: 0,
    };
    assert_eq!(t.add_anchor(anchor), Err(AnchorError::WrongFamily));
    let anchor = Anchor {
        ip: V4::ip(1),
        class: ClassId(1),
        fin_wait2_class: ClassId(1),
        fin_wait2_recycled_class: ClassId(1),
        ..anchor
    };
    assert_eq!(t.add_anchor(anchor), Err(AnchorError::UnknownClass));
    assert_eq!(t.key(&tuple::<V6>(0, 0)), None);
}

#[test]
fn huge_pages_are_asked_for_and_reported() {
    for pages in [Pages::Explicit, Pages::Transparent, Pages::Base] {
        let config = Config {
            capacity: 100_000,
            durations_ms: vec![1000],
            pages,
        };
        let mut t = Table::<V4>::new(&config, Instant::ZERO).unwrap();
        assert!(t.pages() == pages || t.pages() == Pages::Base || pages == Pages::Explicit);
        assert_eq!(t.memory.buckets().as_ptr().addr() % 64, 0);
        assert_eq!(t.visit_all(), 0);
    }
}
