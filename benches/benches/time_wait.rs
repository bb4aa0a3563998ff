//! The life of a connection in TIME-WAIT: our table beside hashbrown, as an index of a slab and as
//! a plain map, in the same run.
//!
//! Two mixes, at a constant number N of live entries, in bursts of 64 connections:
//!
//! * `expire`: a failed look-up (the SYN), an insertion, a hit on a random live entry, another that
//!   writes TS.Recent, and an expiry (the sweep, or a FIFO).
//! * `recycle`: a failed look-up, a hit on a random live entry that removes it, another that writes
//!   TS.Recent, and the insertion of one that was removed in the burst before.
//!
//! All share keys and hash function. Ours hashes and prefetches the burst first; hashbrown has no
//! prefetch, so the index looks up the burst twice, the first time to overlap the misses. Every hit is
//! verified.
//!
//! N is 2^20; `TIDEWHEEL_BENCH_ENTRIES` sets other numbers, separated by commas. A figure is the
//! tenth percentile of slices of 4,096 connections, scaled up: what the machine does to others is
//! left out.

use std::collections::VecDeque;
use std::hash::{BuildHasherDefault, Hasher};
use std::hint::black_box;
use std::time::{Duration, Instant as Clock};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use hashbrown::{HashMap, HashTable};
use tcp::time::Instant;
use tcp::time_wait::{
    Anchor, AnchorId, ClassId, Config, Entry, Family, KeyV4, Pages, Side, Table, V4,
};
use tidewheel_benches::{hash, name};
use wire::{Ip, Seq};

const BURST: usize = 64;
const SLICE: usize = 64 * BURST;
const TIME_WAIT_MS: u64 = 60_000;

fn rcv_nxt(name: u64) -> Seq {
    Seq((name >> 7) as u32)
}

/// A table of connections in TIME-WAIT with `n` live entries.
trait Contender {
    fn new(n: usize) -> Self;
    /// Starts loading what the operations on these names will touch.
    fn prepare(&mut self, burst: &[(u64, u64)]);
    fn insert(&mut self, name: u64, hash: u64);
    /// RCV.NXT of a live entry; sets its TS.Recent if there is one to set.
    fn hit(&mut self, name: u64, hash: u64, ts: Option<u32>) -> Option<Seq>;
    fn remove(&mut self, name: u64, hash: u64) -> Option<Seq>;
    /// Time goes on by what `connections` of `n` take of a TIME-WAIT; nothing expires yet.
    fn wait(&mut self, _connections: usize) {}
    /// Time goes on; the oldest expire.
    fn expire(&mut self, connections: usize);
    fn bytes(&self) -> usize;
}

/// The table of this project.
struct Ours {
    table: Table<V4>,
    anchor: AnchorId,
    now: Instant,
    step_ns: f64,
    elapsed_ns: f64,
}

impl Ours {
    fn key(&self, name: u64) -> KeyV4 {
        let ip = Ip::v4((name as u32).to_be_bytes());
        V4::key(self.anchor, ip, (name >> 32) as u16).expect("an IPv4 address")
    }
}

impl Contender for Ours {
    fn new(n: usize) -> Ours {
        let config = Config {
            capacity: n,
            durations_ms: vec![TIME_WAIT_MS],
            pages: Pages::Transparent,
        };
        let mut table = Table::new(&config, Instant::ZERO).expect("memory for the table");
        let anchor = table
            .add_anchor(Anchor {
                side: Side::Local,
                ip: Ip::v4([10, 0, 0, 1]),
                port: 80,
                class: ClassId(0),
                fin_wait2_class: ClassId(0),
                window: 65_535,
                window_shift: 0,
            })
            .expect("room for an anchor");
        Ours {
            table,
            anchor,
            now: Instant::ZERO,
            step_ns: TIME_WAIT_MS as f64 * 1e6 / n as f64,
            elapsed_ns: 0.0,
        }
    }

    fn prepare(&mut self, burst: &[(u64, u64)]) {
        for &(_, hash) in burst {
            self.table.prefetch(hash);
        }
        for &(_, hash) in burst {
            self.table.prefetch_next(hash);
        }
    }

    fn insert(&mut self, name: u64, hash: u64) {
        let entry = Entry {
            rcv_nxt: rcv_nxt(name),
            snd_nxt: Seq(name as u32),
            ts_recent: Some(7),
            ..Entry::default()
        };
        let key = self.key(name);
        self.table.insert(hash, &key, &entry, self.now);
    }

    fn hit(&mut self, name: u64, hash: u64, ts: Option<u32>) -> Option<Seq> {
        let key = self.key(name);
        let slot = self.table.find(hash, &key, self.now)?;
        if let Some(ts) = ts {
            self.table.set_ts_recent(slot, ts);
        }
        Some(self.table.entry(slot).rcv_nxt)
    }

    fn remove(&mut self, name: u64, hash: u64) -> Option<Seq> {
        let key = self.key(name);
        let slot = self.table.find(hash, &key, self.now)?;
        let rcv_nxt = self.table.entry(slot).rcv_nxt;
        self.table.remove(slot);
        Some(rcv_nxt)
    }

    fn wait(&mut self, connections: usize) {
        self.expire(connections);
    }

    fn expire(&mut self, connections: usize) {
        self.elapsed_ns += self.step_ns * connections as f64;
        self.now = Instant::from_nanos(self.elapsed_ns as u64);
        self.table.sweep(self.now, usize::MAX, |t| {
            let ip = u32::from_be_bytes(t.remote.v4_octets());
            hash(u64::from(ip) | u64::from(t.remote_port) << 32)
        });
    }

    fn bytes(&self) -> usize {
        assert_eq!(self.table.stats().evicted_probe, 0);
        assert_eq!(self.table.stats().evicted_capacity, 0);
        self.table.allocated_bytes()
    }
}

/// What hashbrown's contenders keep: as little as ours, and a number to tell uses of a slot apart.
#[derive(Clone, Copy, Default)]
#[expect(dead_code, reason = "the answer to a FIN would read SND.NXT")]
struct Record {
    name: u64,
    rcv_nxt: Seq,
    snd_nxt: Seq,
    ts_recent: u32,
    generation: u32,
}

/// A slab of records, a `HashTable` of indices with four times the slots (with fewer it rehashes
/// under churn), a FIFO to expire.
struct Indexed {
    index: HashTable<u32>,
    slab: Vec<Record>,
    free: Vec<u32>,
    fifo: VecDeque<(u32, u32)>,
    most: usize,
}

impl Contender for Indexed {
    fn new(n: usize) -> Indexed {
        let slots = n + n / 7;
        Indexed {
            index: HashTable::with_capacity(n * 7 / 2),
            slab: vec![Record::default(); slots],
            free: (0..slots as u32).rev().collect(),
            fifo: VecDeque::with_capacity(2 * n),
            most: 2 * n - 1,
        }
    }

    fn prepare(&mut self, burst: &[(u64, u64)]) {
        for &(name, hash) in burst {
            let slab = &self.slab;
            black_box(self.index.find(hash, |&i| slab[i as usize].name == name));
        }
    }

    fn insert(&mut self, name: u64, h: u64) {
        let i = self.free.pop().expect("a free slot");
        let record = &mut self.slab[i as usize];
        *record = Record {
            name,
            rcv_nxt: rcv_nxt(name),
            snd_nxt: Seq(name as u32),
            ts_recent: 7,
            generation: record.generation + 1,
        };
        self.fifo.push_back((i, record.generation));
        let slab = &self.slab;
        self.index
            .insert_unique(h, i, |&i| hash(slab[i as usize].name));
        // What was removed leaves its mark in the FIFO until its time.
        if self.fifo.len() > self.most {
            self.fifo.pop_front();
        }
    }

    fn hit(&mut self, name: u64, hash: u64, ts: Option<u32>) -> Option<Seq> {
        let slab = &self.slab;
        let &i = self.index.find(hash, |&i| slab[i as usize].name == name)?;
        let record = &mut self.slab[i as usize];
        if let Some(ts) = ts {
            record.ts_recent = ts;
        }
        Some(record.rcv_nxt)
    }

    fn remove(&mut self, name: u64, hash: u64) -> Option<Seq> {
        let slab = &self.slab;
        let found = self
            .index
            .find_entry(hash, |&i| slab[i as usize].name == name);
        let (i, _) = found.ok()?.remove();
        let record = &mut self.slab[i as usize];
        record.generation += 1;
        self.free.push(i);
        Some(record.rcv_nxt)
    }

    fn expire(&mut self, connections: usize) {
        for _ in 0..connections {
            let Some((i, generation)) = self.fifo.pop_front() else {
                return;
            };
            let record = self.slab[i as usize];
            if record.generation == generation {
                self.remove(record.name, hash(record.name));
            }
        }
    }

    fn bytes(&self) -> usize {
        self.index.allocation_size()
            + size_of_val(&self.slab[..])
            + self.free.capacity() * 4
            + self.fifo.capacity() * 8
    }
}

/// The hash function as `HashMap` wants it.
#[derive(Default)]
struct Hash(u64);

impl Hasher for Hash {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, _bytes: &[u8]) {
        unreachable!("names are written as u64");
    }
    fn write_u64(&mut self, name: u64) {
        self.0 = hash(name);
    }
}

/// A map from names to records, and a FIFO to expire: as one would write it first.
struct Plain {
    map: HashMap<u64, Record, BuildHasherDefault<Hash>>,
    fifo: VecDeque<u64>,
    most: usize,
}

impl Contender for Plain {
    fn new(n: usize) -> Plain {
        Plain {
            map: HashMap::with_capacity_and_hasher(n, BuildHasherDefault::default()),
            fifo: VecDeque::with_capacity(2 * n),
            most: 2 * n - 1,
        }
    }

    fn prepare(&mut self, _burst: &[(u64, u64)]) {}

    fn insert(&mut self, name: u64, _hash: u64) {
        let record = Record {
            name,
            rcv_nxt: rcv_nxt(name),
            snd_nxt: Seq(name as u32),
            ts_recent: 7,
            generation: 0,
        };
        self.map.insert(name, record);
        self.fifo.push_back(name);
        if self.fifo.len() > self.most {
            self.fifo.pop_front();
        }
    }

    fn hit(&mut self, name: u64, _hash: u64, ts: Option<u32>) -> Option<Seq> {
        let record = self.map.get_mut(&name)?;
        if let Some(ts) = ts {
            record.ts_recent = ts;
        }
        Some(record.rcv_nxt)
    }

    fn remove(&mut self, name: u64, _hash: u64) -> Option<Seq> {
        self.map.remove(&name).map(|record| record.rcv_nxt)
    }

    fn expire(&mut self, connections: usize) {
        for _ in 0..connections {
            if let Some(name) = self.fifo.pop_front() {
                self.map.remove(&name);
            }
        }
    }

    fn bytes(&self) -> usize {
        self.map.allocation_size() + self.fifo.capacity() * 8
    }
}

/// A contender with `n` live entries, on its way.
struct Run<C> {
    contender: C,
    n: u64,
    /// The next connection; those before it, `n` of them, are live.
    next: u64,
    /// Removed in the last burst of `recycle`.
    removed: Vec<(u64, u64)>,
    random: u64,
    burst: Vec<(u64, u64)>,
}

impl<C: Contender> Run<C> {
    fn new(n: usize) -> Run<C> {
        let mut contender = C::new(n);
        for i in 0..n as u64 {
            contender.insert(name(i), hash(name(i)));
            if i % BURST as u64 == 0 && i > 0 {
                contender.wait(BURST);
            }
        }
        Run {
            contender,
            n: n as u64,
            next: n as u64,
            removed: Vec::with_capacity(BURST),
            random: 1,
            burst: Vec::with_capacity(4 * BURST),
        }
    }

    /// A number below `n`.
    fn draw(&mut self) -> u64 {
        self.random = self
            .random
            .wrapping_mul(0xd134_2543_de82_ef95)
            .wrapping_add(1);
        ((u128::from(self.random) * u128::from(self.n)) >> 64) as u64
    }

    fn push(&mut self, n: u64) {
        self.burst.push((name(n), hash(name(n))));
    }

    fn expire_burst(&mut self) {
        self.burst.clear();
        for i in 0..BURST as u64 {
            // A key that comes up later, so that its line is cold when it does.
            self.push(self.next + i + (1 << 20));
            self.push(self.next + i);
            // Not one of those that expire about now.
            let live = self.next - 1 - self.draw() * 15 / 16;
            self.push(live);
            let live = self.next - 1 - self.draw() * 15 / 16;
            self.push(live);
        }
        self.contender.prepare(&self.burst);
        for four in self.burst.chunks_exact(4) {
            let [miss, new, read, write] = [four[0], four[1], four[2], four[3]];
            assert!(self.contender.hit(miss.0, miss.1, None).is_none());
            self.contender.insert(new.0, new.1);
            let found = self.contender.hit(read.0, read.1, None);
            assert_eq!(found, Some(rcv_nxt(read.0)));
            let found = self
                .contender
                .hit(write.0, write.1, Some(self.random as u32));
            assert_eq!(found, Some(rcv_nxt(write.0)));
        }
        self.next += BURST as u64;
        self.contender.expire(BURST);
    }

    fn recycle_burst(&mut self) {
        self.burst.clear();
        for i in 0..BURST as u64 {
            self.push(self.next + i);
            // In an order without repetition, so that none is removed twice in a burst.
            let gone = (self.next + i).wrapping_mul(0x5851_f42d) % self.n;
            self.push(gone);
            let live = self.draw();
            self.push(live);
            let again = self.removed.get(i as usize).copied();
            self.burst.push(again.unwrap_or((u64::MAX, 0)));
        }
        self.removed.clear();
        self.contender.prepare(&self.burst);
        for four in self.burst.chunks_exact(4) {
            let [miss, gone, write, again] = [four[0], four[1], four[2], four[3]];
            assert!(self.contender.hit(miss.0, miss.1, None).is_none());
            assert_eq!(self.contender.remove(gone.0, gone.1), Some(rcv_nxt(gone.0)));
            self.removed.push(gone);
            // One in ten thousand is removed just now.
            let found = self
                .contender
                .hit(write.0, write.1, Some(self.random as u32));
            assert!(found.is_none_or(|found| found == rcv_nxt(write.0)));
            if again.0 != u64::MAX {
                self.contender.insert(again.0, again.1);
            }
        }
        self.next += BURST as u64;
    }

    /// The time for `iterations` connections: the tenth percentile of slices, scaled.
    fn measure(&mut self, iterations: u64, burst: fn(&mut Run<C>)) -> Duration {
        let slices = iterations.div_ceil(SLICE as u64).max(10);
        let mut times: Vec<Duration> = (0..slices)
            .map(|_| {
                let start = Clock::now();
                for _ in 0..SLICE / BURST {
                    burst(self);
                }
                start.elapsed()
            })
            .collect();
        times.sort_unstable();
        times[times.len() / 10].mul_f64(iterations as f64 / SLICE as f64)
    }
}

fn contender<C: Contender>(c: &mut Criterion, what: &str, n: usize) {
    for (mix, burst) in [
        ("expire", Run::<C>::expire_burst as fn(&mut Run<C>)),
        ("recycle", Run::<C>::recycle_burst),
    ] {
        let mut run = Run::<C>::new(n);
        let bytes = run.contender.bytes() as f64 / n as f64;
        let mut group = c.benchmark_group(format!("time_wait/{mix}/{n}"));
        group.throughput(Throughput::Elements(1)).sample_size(10);
        group.measurement_time(Duration::from_secs(2));
        let id = BenchmarkId::new(what, format!("{bytes:.1} B"));
        group.bench_function(id, |b| b.iter_custom(|i| run.measure(i, burst)));
        group.finish();
        run.contender.bytes();
    }
}

fn life(c: &mut Criterion) {
    let set = std::env::var("TIDEWHEEL_BENCH_ENTRIES").unwrap_or_else(|_| (1 << 20).to_string());
    for n in set.split(',') {
        let n = n
            .trim()
            .parse()
            .expect("TIDEWHEEL_BENCH_ENTRIES: a number of entries");
        contender::<Ours>(c, "table", n);
        contender::<Indexed>(c, "hashbrown index and slab", n);
        contender::<Plain>(c, "hashbrown map", n);
    }
}

criterion_group!(benches, life);
criterion_main!(benches);
