//! One shard's TIME-WAIT table from empty to full to empty, at a virtual time: connections are made up, none
//! is on a wire.
//!
//! A turn is that of a worker's loop: a burst of 64 connections, then a slice of the sweep. Connection number
//! i enters TIME-WAIT at i / N of its length, so N are in the table once the first expire. Every look-up
//! is verified, and on the way it is checked that none expires early or stays longer than it may.

use std::time::{Duration, Instant as Clock};

use tcp::time::Instant;
use tcp::time_wait::{
    AnchorId, Counted, Family, Inserted, MAX_BUCKETS, PROBE_LIMIT, Pages, Slot, Table, V4,
};
use wire::Ip;

use crate::tables::{entry, hash_of, key, rcv_nxt, table, v4};
use crate::{hash, name};

/// Connections of a turn.
const BURST: u64 = 64;
/// Buckets that a turn sweeps at most: what a worker does.
const SWEEP_BUDGET: usize = 512;

/// What is to be run.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Entries in the table when it is as full as it gets.
    pub entries: u64,
    /// The length of TIME-WAIT, in virtual time.
    pub time_wait: Duration,
    /// Lengths of TIME-WAIT in which entries expire while others come, and as many in which they are recycled.
    pub turnovers: u64,
    /// What the table lies on.
    pub pages: Pages,
}

/// What one part of a run came to.
#[derive(Clone, Debug)]
pub struct Part {
    /// Its name.
    pub name: &'static str,
    /// Look-ups, insertions, removals and expiries.
    pub operations: u64,
    /// Connections that came, and with the last part entries that went.
    pub connections: u64,
    /// How long it took.
    pub took: Duration,
    /// The longest turn.
    pub worst_turn: Duration,
    /// The most entries there were at a time.
    pub most: usize,
}

/// What a run came to.
#[derive(Clone, Debug)]
pub struct Report {
    /// Filled, expired and refilled, recycled, drained.
    pub parts: Vec<Part>,
    /// Bytes that the table takes.
    pub bytes: usize,
    /// What it lies on.
    pub pages: Pages,
    /// The most different buckets that one call looked at, if they were counted: of any but the sweep, and of
    /// the sweep.
    pub buckets: Option<(usize, usize)>,
    /// Entries that had to go because all buckets in which they could lie were full.
    pub evicted: usize,
}

/// How a table's buckets are counted.
trait Count: Family {
    /// Different buckets that the last call looked at.
    fn take(table: &Table<Self>) -> Option<usize>;
}

impl Count for V4 {
    fn take(_table: &Table<V4>) -> Option<usize> {
        None
    }
}

impl Count for Counted<V4> {
    fn take(table: &Table<Counted<V4>>) -> Option<usize> {
        Some(table.lines().take())
    }
}

/// Runs `plan`; `tell` is told each part when it is over.
///
/// # Panics
/// If the table cannot be made, or anything is not as it must be.
pub fn run(plan: &Plan, tell: &mut dyn FnMut(&Part)) -> Report {
    Shard::<V4>::new(plan).run(plan, tell)
}

/// The same, and no call looks at more buckets than the stated constants: three times slower.
///
/// # Panics
/// If the table cannot be made, or anything is not as it must be.
pub fn run_counted(plan: &Plan, tell: &mut dyn FnMut(&Part)) -> Report {
    Shard::<Counted<V4>>::new(plan).run(plan, tell)
}

struct Shard<F: Family> {
    table: Table<F>,
    anchor: AnchorId,
    entries: u64,
    time_wait_ns: u64,
    /// The next connection.
    next: u64,
    now: Instant,
    operations: u64,
    buckets: Option<(usize, usize)>,
    random: u64,
    /// The next connection to come again, counted on from those that came.
    again: u64,
    /// Entries that had to go because the buckets near them were full.
    evicted: Vec<F::Key>,
}

impl<F: Count> Shard<F> {
    fn new(plan: &Plan) -> Shard<F> {
        let time_wait_ms = u64::try_from(plan.time_wait.as_millis()).expect("a length");
        let entries = usize::try_from(plan.entries).expect("a number of entries");
        let (table, anchor) = table(entries, time_wait_ms, plan.pages, Ip::v4([10, 0, 0, 1]));
        let buckets = F::take(&table).map(|_| (0, 0));
        Shard {
            table,
            anchor,
            entries: plan.entries,
            time_wait_ns: time_wait_ms * 1_000_000,
            next: 0,
            now: Instant::ZERO,
            operations: 0,
            buckets,
            random: 1,
            again: 0,
            evicted: Vec::new(),
        }
    }

    fn run(mut self, plan: &Plan, tell: &mut dyn FnMut(&Part)) -> Report {
        let (n, length) = (self.entries, self.time_wait_ns);
        let mut parts = Vec::new();
        let mut part = |part: Part| {
            tell(&part);
            parts.push(part);
        };
        part(self.part("fill", |shard| shard.next >= n, Shard::expire_turn));
        let end = n * (1 + plan.turnovers);
        part(self.part(
            "expire and refill",
            |shard| shard.next >= end,
            Shard::expire_turn,
        ));
        let end = Instant::from_nanos(self.now.as_nanos() + plan.turnovers * length);
        self.again = 0;
        part(self.part("recycle", |shard| shard.now >= end, Shard::recycle_turn));
        let before = self.table.live() as u64;
        let mut drain = self.part("drain", |shard| shard.table.live() == 0, Shard::drain_turn);
        drain.connections = before;
        part(drain);
        let stats = self.table.stats();
        assert_eq!((stats.evicted_capacity, stats.lost), (0, 0), "{stats:?}");
        let gone = stats.expired + stats.removed + self.evicted.len() as u64;
        assert_eq!(stats.inserted, gone, "{stats:?}");
        Report {
            parts,
            bytes: self.table.allocated_bytes(),
            pages: self.table.pages(),
            buckets: self.buckets,
            evicted: self.evicted.len(),
        }
    }

    fn part(
        &mut self,
        name: &'static str,
        over: impl Fn(&Shard<F>) -> bool,
        turn: impl Fn(&mut Shard<F>) -> u64,
    ) -> Part {
        let (operations, start) = (self.operations, Clock::now());
        let mut part = Part {
            name,
            operations: 0,
            connections: 0,
            took: Duration::ZERO,
            worst_turn: Duration::ZERO,
            most: 0,
        };
        let mut begun = start;
        while !over(self) {
            part.connections += turn(self);
            part.most = part.most.max(self.table.live());
            let ended = Clock::now();
            part.worst_turn = part.worst_turn.max(ended - begun);
            begun = ended;
        }
        part.took = begun - start;
        part.operations = self.operations - operations;
        part
    }

    /// Connections come, the oldest expire.
    fn expire_turn(&mut self) -> u64 {
        let first = self.next;
        let names: [u64; BURST as usize] = core::array::from_fn(|i| name(first + i as u64));
        // One of those that are there, and not about to go.
        let oldest = first.saturating_sub(self.entries * 15 / 16);
        let old: [u64; BURST as usize] = core::array::from_fn(|_| {
            let among = first.saturating_sub(oldest);
            oldest + self.draw(among.max(1))
        });
        self.prefetch(names.iter().copied().chain(old.iter().map(|&n| name(n))));
        for (&new, &old) in names.iter().zip(&old) {
            assert_eq!(self.find(new), None, "it has not been here");
            self.insert(new);
            if old < first {
                self.expect(name(old));
            }
        }
        self.next += BURST;
        // Those that came before one length and a tick are gone.
        let late = self.entries + self.entries / 100 + BURST;
        if first > late {
            assert_eq!(self.find(name(first - late)), None, "an entry stayed");
        }
        self.go_on(self.time_wait_ns * BURST / self.entries);
        BURST
    }

    /// Connections that are there come again; in a length of TIME-WAIT all that there are.
    fn recycle_turn(&mut self) -> u64 {
        let newest = self.next;
        let first = self.again;
        self.again += BURST;
        // In turn, from the oldest on, which keeps every entry from its end.
        let again = |i: u64| name(newest - self.entries + (first + i) % self.entries);
        let names: [u64; BURST as usize] = core::array::from_fn(|i| again(i as u64));
        self.prefetch(names.iter().copied());
        for &name in &names {
            // The oldest of all may just have gone.
            if let Some(slot) = self.find(name) {
                self.check(slot, name);
                self.remove(slot);
            } else {
                let evicted = self.evicted.contains(&self.key(name));
                assert!(evicted || first < 2 * BURST, "expired early");
            }
            self.insert(name);
        }
        // A bit faster than they expire.
        self.go_on(self.time_wait_ns * BURST / self.entries * 15 / 16);
        BURST
    }

    /// Nobody comes.
    fn drain_turn(&mut self) -> u64 {
        self.go_on(self.time_wait_ns * BURST / self.entries);
        0
    }

    /// Time goes on, and the sweep.
    fn go_on(&mut self, ns: u64) {
        self.now = Instant::from_nanos(self.now.as_nanos() + ns.max(1));
        let expired = self.table.sweep(self.now, SWEEP_BUDGET, hash_of);
        self.operations += expired as u64;
        if let (Some(buckets), Some((_, most))) = (F::take(&self.table), &mut self.buckets) {
            assert!(buckets < SWEEP_BUDGET + PROBE_LIMIT, "{buckets} in a sweep");
            *most = buckets.max(*most);
        }
    }

    fn insert(&mut self, name: u64) {
        let (key, entry) = (self.key(name), entry(name));
        let inserted = self.table.insert(hash(name), &key, &entry, self.now);
        match inserted {
            Inserted::Placed(_) => {}
            Inserted::Evicted(_, evicted) => self.evicted.push(evicted.key),
            other => panic!("{other:?}"),
        }
        self.called(MAX_BUCKETS);
    }

    /// The entry is there, unless it was evicted.
    fn expect(&mut self, name: u64) {
        match self.find(name) {
            Some(slot) => self.check(slot, name),
            None => assert!(self.evicted.contains(&self.key(name)), "expired early"),
        }
    }

    fn find(&mut self, name: u64) -> Option<Slot> {
        let found = self.table.find(hash(name), &self.key(name), self.now);
        self.called(PROBE_LIMIT);
        found
    }

    fn check(&mut self, slot: Slot, name: u64) {
        assert_eq!(self.table.entry(slot).rcv_nxt, rcv_nxt(name));
        self.called(1);
    }

    fn remove(&mut self, slot: Slot) {
        self.table.remove(slot);
        self.called(1);
    }

    /// One call is over, which may have looked at so many buckets.
    #[inline(always)]
    fn called(&mut self, most: usize) {
        self.operations += 1;
        if let (Some(buckets), Some((seen, _))) = (F::take(&self.table), &mut self.buckets) {
            assert!(buckets <= most, "{buckets} in a call, more than {most}");
            *seen = buckets.max(*seen);
        }
    }

    fn key(&self, name: u64) -> F::Key {
        key::<F>(self.anchor, name, v4)
    }

    fn prefetch(&self, names: impl Iterator<Item = u64> + Clone) {
        for name in names.clone() {
            self.table.prefetch(hash(name));
        }
        for name in names {
            self.table.prefetch_next(hash(name));
        }
        F::take(&self.table);
    }

    /// A number below `n`.
    fn draw(&mut self, n: u64) -> u64 {
        self.random = self
            .random
            .wrapping_mul(0xd134_2543_de82_ef95)
            .wrapping_add(1);
        ((u128::from(self.random) * u128::from(n)) >> 64) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_call_looks_at_more_buckets_than_stated_from_empty_to_full_to_empty() {
        let plan = Plan {
            entries: 100_000,
            time_wait: Duration::from_secs(240),
            turnovers: 3,
            pages: Pages::Base,
        };
        let report = run_counted(&plan, &mut |_| {});
        let [fill, refill, recycle, drain] = &report.parts[..] else {
            panic!("{report:?}");
        };
        assert!(fill.most >= 99_900 && fill.most <= 100_064, "{fill:?}");
        // Those whose time is over and that the sweep has not come to: an eighth on average.
        assert!(refill.most <= 116_000, "{refill:?}");
        assert!(recycle.connections >= 3 * 100_000 && drain.connections > 99_000);
        let (call, sweep) = report.buckets.unwrap();
        assert!(call > 1 && sweep > 1, "nothing was counted");
        assert!(report.bytes < 48 * 100_000, "{}", report.bytes);
    }
}
