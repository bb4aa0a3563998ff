//! The single operations of the TIME-WAIT table and of the timer wheel, at 2^20 entries: bursts of
//! 64, hashed and prefetched first.

use std::time::{Duration, Instant as Clock};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tcp::time::Instant;
use tcp::time_wait::{AnchorId, Family, Pages, Table, V4, V6};
use tcp::wheel::Wheel;
use tidewheel_benches::{hash, name, tables};
use wire::Ip;

const ENTRIES: u64 = 1 << 20;
const BURST: u64 = 64;
const TIME_WAIT_MS: u64 = 60_000;

/// The address whose last octets are those of `number`.
type Address = fn(number: u32) -> Ip;

fn v6(number: u32) -> Ip {
    let [a, b, c, d] = number.to_be_bytes();
    Ip::v6([0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, a, b, c, d])
}

struct Bench<F: Family> {
    table: Table<F>,
    address: Address,
    anchor: AnchorId,
    now: Instant,
}

impl<F: Family> Bench<F> {
    fn new(address: Address) -> Bench<F> {
        let entries = (ENTRIES + BURST) as usize;
        let listener = address(u32::from_be_bytes([10, 0, 0, 1]));
        let (table, anchor) = tables::table(entries, TIME_WAIT_MS, Pages::Transparent, listener);
        let mut bench = Bench {
            table,
            address,
            anchor,
            now: Instant::ZERO,
        };
        for first in (0..ENTRIES).step_by(BURST as usize) {
            bench.insert(first);
        }
        bench
    }

    fn key(&self, n: u64) -> F::Key {
        tables::key::<F>(self.anchor, name(n), self.address)
    }

    fn prefetch(&self, first: u64) {
        for n in first..first + BURST {
            self.table.prefetch(hash(name(n)));
        }
        for n in first..first + BURST {
            self.table.prefetch_next(hash(name(n)));
        }
    }

    fn insert(&mut self, first: u64) {
        self.prefetch(first);
        for n in first..first + BURST {
            let (key, entry) = (self.key(n), tables::entry(name(n)));
            self.table.insert(hash(name(n)), &key, &entry, self.now);
        }
    }

    /// How many of a burst are found.
    fn find(&mut self, first: u64) -> u64 {
        self.prefetch(first);
        let find = |n: u64| {
            let key = self.key(n);
            self.table.find(hash(name(n)), &key, self.now).is_some()
        };
        (first..first + BURST)
            .map(find)
            .filter(|found| *found)
            .count() as u64
    }

    fn remove(&mut self, first: u64) {
        for n in first..first + BURST {
            let key = self.key(n);
            let slot = self.table.find(hash(name(n)), &key, self.now);
            self.table.remove(slot.expect("inserted before"));
        }
    }
}

/// The first number of the `i`-th burst of those that are in the table, in no order that the
/// processor could foresee.
fn burst(i: u64) -> u64 {
    (i.wrapping_mul(0x9e37_79b9) % (ENTRIES / BURST)) * BURST
}

fn all_tables(c: &mut Criterion) {
    table::<V4>(c, "table", tables::v4);
    table::<V6>(c, "table of IPv6", v6);
}

fn table<F: Family>(c: &mut Criterion, name: &str, address: Address) {
    let mut group = c.benchmark_group(name);
    group.throughput(Throughput::Elements(BURST));
    let mut bench = Bench::<F>::new(address);
    let mut i = 0;
    group.bench_function("64 found", |b| {
        b.iter(|| {
            i += 1;
            assert_eq!(bench.find(burst(i)), BURST);
        });
    });
    group.bench_function("64 not found", |b| {
        b.iter(|| {
            i += 1;
            assert_eq!(bench.find(ENTRIES + burst(i)), 0);
        });
    });
    group.bench_function("64 inserted", |b| {
        b.iter_custom(|bursts| {
            let mut time = Duration::ZERO;
            for _ in 0..bursts {
                i += 1;
                let first = ENTRIES + burst(i);
                let start = Clock::now();
                bench.insert(first);
                time += start.elapsed();
                bench.remove(first);
            }
            time
        });
    });
    group.finish();

    let mut group = c.benchmark_group(format!("expiry of a {name}"));
    group.throughput(Throughput::Elements(ENTRIES));
    group.sample_size(10);
    group.bench_function("2^20 entries swept", |b| {
        b.iter_custom(|tables| {
            let mut time = Duration::ZERO;
            for _ in 0..tables {
                let mut bench = Bench::<F>::new(address);
                let end = Instant::from_millis(2 * TIME_WAIT_MS);
                let start = Clock::now();
                let mut expired = 0;
                while expired < ENTRIES as usize {
                    let swept = bench.table.sweep(end, 512, tables::hash_of);
                    assert!(swept > 0, "stuck at {expired}");
                    expired += swept;
                }
                time += start.elapsed();
            }
            time
        });
    });
    group.finish();
}

fn wheel(c: &mut Criterion) {
    let mut wheel = Wheel::new(1 << 16);
    let mut now = 0;
    c.bench_function("wheel/armed and cancelled", |b| {
        b.iter(|| {
            now += 1;
            let id = (now % (1 << 16)) as u32;
            wheel.schedule(id, now + 1_000);
            wheel.cancel(id)
        });
    });
    c.bench_function("wheel/armed and fired", |b| {
        b.iter(|| {
            now += 1;
            wheel.schedule((now % (1 << 16)) as u32, now);
            wheel.advance(now, 64, &mut |_| {})
        });
    });
}

criterion_group!(benches, all_tables, wheel);
criterion_main!(benches);
