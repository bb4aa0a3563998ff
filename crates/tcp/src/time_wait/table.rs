//! The table of connections in TIME-WAIT.
//!
//! Buckets of one cache line (IPv6: two) hold three exact entries each and are half full at
//! capacity, so an operation is one cache miss: `prefetch` it for a whole burst first. An entry
//! lies in its home bucket, or, if that is full, in one of the next [`PROBE_LIMIT`] - 1; each
//! bucket that it passed is marked. There are no tombstones: a vacant place is a vacant place, and
//! the sweep takes marks back, so the table does not age.

use core::ops::Range;
use core::time::Duration;

use wire::{FourTuple, Seq};

use super::anchor::{Anchor, AnchorError, AnchorId, Anchors, VACANT};
use super::bound::Movement;
use super::config::{BuildError, Config};
use super::expiry::{ClassId, Expiry, MAX_CLASSES, MAX_DURATION_MS};
use super::family::{Bucket, Family, Packed, WAYS};
use super::memory::{Memory, Pages, prefetch_bucket};
use super::sweep::{CATCH_UP, Pass};
use crate::time::Instant;

/// The most buckets that one operation reads: the home bucket and those after it. Only the sweep
/// of many lines, by its budget, reads more.
///
/// Who meets it is told in [`Table::insert`]. At the capacity the longest row of full buckets was of 13 to 23
/// among a million entries (simulated with random hashes), and each further one is seen two thirds as
/// often.
pub const PROBE_LIMIT: usize = 64;

/// Buckets that are loaded ahead where the home bucket has overflowed. At the capacity half of those after one that has have as well,
/// and a look at one that is not loaded takes as long as all else of a connection's life: that was found to take 1.18 of the
/// inline design's time with one of them loaded ahead, 0.97 with two, and 0.93 with three.
const CHAIN: usize = 3;

/// The most buckets that any call but the sweep looks at: those near an entry's home, on either side at the
/// end of the table, and those that an insertion sweeps where the sweep is late. The calls that find, change
/// or remove an entry look at [`PROBE_LIMIT`] at most. A bucket is one cache line (IPv6: two).
pub const MAX_BUCKETS: usize = 2 * PROBE_LIMIT - 1 + CATCH_UP;

/// Nanoseconds for a bucket that a sweep must come up to in the long run: 512 buckets in each turn of 100 us. In a large table the
/// ticks of short lengths are made as long as such a sweep needs.
pub const SLOWEST_SWEEP_NS: u64 = 200;

/// What TIME-WAIT remembers of a connection. What else it needs is its anchor's, or derived from
/// the keyed hash of its four-tuple (the timestamp offset).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Entry {
    /// RCV.NXT: one past the peer's FIN. With `reset` one past the last number that the peer may have used: see
    /// [`Entry::edge`].
    pub rcv_nxt: Seq,
    /// SND.NXT: one past our FIN.
    pub snd_nxt: Seq,
    /// TS.Recent (RFC 7323 4.3) or the newest timestamp seen, if timestamps were in use. 0 is a timestamp like any other.
    pub ts_recent: Option<u32>,
    /// How far both spaces have moved. It lies where TS.Recent does not: kept only without
    /// timestamps.
    pub movement: Movement,
    /// With timestamps: how far both spaces have moved is not known, because incarnations with timestamps followed
    /// each other, or one of them went far. Without: an earlier incarnation had timestamps, so that a SYN with them may
    /// be an old one. In FIN-WAIT-2 without: it has recycled.
    pub recycled: bool,
    /// Not yet in TIME-WAIT: in FIN-WAIT-2, its user gone. RCV.NXT is the number that the peer's FIN is
    /// to have.
    pub fin_wait2: bool,
    /// Reset or given up, and kept for what it had recycled: to its peer it does not exist any more.
    pub reset: bool,
}

impl Entry {
    /// One past the last number that a peer may have used which was told of a window up to `rcv_adv`, RCV.NXT + RCV.WND, and has
    /// not been heard to close: a probe of a closed window has one octet at its edge (RFC 9293 3.8.6.1), and may have the FIN.
    #[inline]
    #[must_use]
    pub fn edge(rcv_adv: Seq) -> Seq {
        rcv_adv + 2
    }
}

/// How long an entry has been there, which is known to a tick.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Age {
    /// At least, in nanoseconds.
    pub at_least_ns: u64,
    /// At most, in nanoseconds.
    pub at_most_ns: u64,
}

/// Where an entry lies. Valid until the next insertion, removal or sweep.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Slot {
    pub(super) bucket: usize,
    pub(super) way: usize,
}

/// An entry that had to go before its time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Evicted<K> {
    /// Whose.
    pub key: K,
    /// What was known.
    pub entry: Entry,
    /// How long it had been in TIME-WAIT at most since it entered or was restarted: up to a tick less.
    pub age: Duration,
    /// How long it should have stayed.
    pub left: Duration,
}

/// What an insertion did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Inserted<K> {
    /// The entry is in the table.
    Placed(Slot),
    /// The entry took the place of a live one of the same connection.
    Replaced(Slot),
    /// The entry is in the table, and another one had to go.
    Evicted(Slot, Evicted<K>),
    /// The length of its class is 0: there is no TIME-WAIT.
    NotKept,
    /// The entry is not in the table: the sweep is so late that its time could not be told. To catch up at
    /// once would be a pause. It takes a sweep that has not come by the whole table within four times the
    /// entry's length and is slower than [`SLOWEST_SWEEP_NS`], the work of insertions included: a caller that sweeps as told never
    /// sees it.
    Lost,
}

impl<K> Inserted<K> {
    /// Where the entry lies now.
    #[must_use]
    pub fn slot(&self) -> Option<Slot> {
        match self {
            Inserted::Placed(slot) | Inserted::Replaced(slot) | Inserted::Evicted(slot, _) => {
                Some(*slot)
            }
            Inserted::NotKept | Inserted::Lost => None,
        }
    }
}

/// What happened to entries, counted since the start.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Stats {
    /// Entries inserted, replacements included.
    pub inserted: u64,
    /// Live entries replaced by one of the same connection.
    pub replaced: u64,
    /// Entries removed by the caller: recycled four-tuples.
    pub removed: u64,
    /// Entries whose time was over, by the sweep or by an insertion that needed the place.
    pub expired: u64,
    /// Those of them that were in FIN-WAIT-2.
    pub expired_fin_wait2: u64,
    /// Entries whose timer was restarted.
    pub restarted: u64,
    /// Entries evicted because the table was at its capacity.
    pub evicted_capacity: u64,
    /// Entries evicted because [`PROBE_LIMIT`] buckets in a row were full.
    pub evicted_probe: u64,
    /// Entries that were not kept, because the sweep had not come by the whole table within four times
    /// their length: see [`Inserted::Lost`].
    pub lost: u64,
}

/// Connections in TIME-WAIT, of one address family and one core.
///
/// The caller passes with each connection a 64-bit keyed hash of its four-tuple, always the same
/// function; its upper bits choose the bucket. `now` never goes back: an earlier time counts as
/// the latest one given.
#[derive(Debug)]
pub struct Table<F: Family> {
    pub(super) memory: Memory<F::Bucket, F::Lines>,
    pub(super) capacity: usize,
    /// Entries from which on one goes for each one that comes.
    pub(super) limit: usize,
    pub(super) live: usize,
    pub(super) anchors: Anchors,
    pub(super) expiry: Expiry,
    pub(super) pass: Pass,
    pub(super) stats: Stats,
}

impl<F: Family> Table<F> {
    /// A table, its memory mapped and touched: call it on the core that will use it.
    ///
    /// # Errors
    /// All of [`BuildError`].
    pub fn new(config: &Config, now: Instant) -> Result<Table<F>, BuildError> {
        let classes = config.durations_ms.len();
        if classes == 0 || classes > MAX_CLASSES {
            return Err(BuildError::Classes(classes));
        }
        if let Some(&ms) = config.durations_ms.iter().find(|&&ms| ms > MAX_DURATION_MS) {
            return Err(BuildError::Duration(ms));
        }
        let (homes, buckets) = Self::buckets(config.capacity);
        if homes == 0 || u32::try_from(buckets).is_err() {
            return Err(BuildError::Capacity(config.capacity));
        }
        let slowest_pass = (buckets as u64).saturating_mul(SLOWEST_SWEEP_NS);
        let expiry = Expiry::new(&config.durations_ms, slowest_pass, now);
        Ok(Table {
            memory: Memory::new(homes, PROBE_LIMIT - 1, config.pages)
                .map_err(BuildError::Memory)?,
            capacity: config.capacity,
            limit: config.capacity + config.capacity / 7,
            live: 0,
            anchors: Anchors::new(),
            pass: Pass::new(now, &expiry, buckets),
            expiry,
            stats: Stats::default(),
        })
    }

    /// Home buckets and all buckets for a capacity in entries.
    fn buckets(capacity: usize) -> (usize, usize) {
        // Half full at capacity. The last home bucket has as many after it as any other.
        let homes = capacity.saturating_mul(2).div_ceil(WAYS);
        (homes, homes.saturating_add(PROBE_LIMIT - 1))
    }

    /// Bytes of the buckets of a table with this capacity, without making one: nearly all that it takes.
    #[must_use]
    pub fn bucket_bytes(capacity: usize) -> u64 {
        let (_, buckets) = Self::buckets(capacity);
        (buckets as u64).saturating_mul(size_of::<F::Bucket>() as u64)
    }

    /// Adds a fixed side; see [`Anchors::add`].
    ///
    /// # Errors
    /// All of [`AnchorError`].
    pub fn add_anchor(&mut self, anchor: Anchor) -> Result<AnchorId, AnchorError> {
        let Anchor {
            class,
            fin_wait2_class,
            fin_wait2_recycled_class,
            ..
        } = anchor;
        let known = |class: ClassId| usize::from(class.0) < self.expiry.count();
        if ![class, fin_wait2_class, fin_wait2_recycled_class]
            .into_iter()
            .all(known)
        {
            return Err(AnchorError::UnknownClass);
        }
        if F::key(AnchorId(0), anchor.ip, anchor.port).is_none() {
            return Err(AnchorError::WrongFamily);
        }
        if self.live == 0 {
            self.anchors.collector().no_entries();
        }
        self.anchors.add(anchor)
    }

    /// No connection will be inserted under `id` until [`Table::revive_anchor`]. When its last entry is
    /// gone, which a whole pass of the sweep shows, the anchor is given back.
    pub fn retire_anchor(&mut self, id: AnchorId) {
        self.anchors.collector().retire(id.0);
    }

    /// Connections may be inserted under `id` again; `false`: it has been given back.
    pub fn revive_anchor(&mut self, id: AnchorId) -> bool {
        self.anchors.collector().revive(id.0)
    }

    /// The fixed sides.
    #[must_use]
    pub fn anchors(&self) -> &Anchors {
        &self.anchors
    }

    /// The key of a connection; `None` if it has no anchor or is of the other family.
    #[inline]
    #[must_use]
    pub fn key(&self, tuple: &FourTuple) -> Option<F::Key> {
        let (anchor, ip, port) = self.anchors.resolve(tuple)?;
        F::key(anchor, ip, port)
    }

    /// The connection that a key of this table names; `None` for a key of another table.
    #[inline]
    #[must_use]
    pub fn tuple(&self, key: &F::Key) -> Option<FourTuple> {
        let (anchor, ip, port) = F::parts(key);
        self.anchors.tuple(anchor, ip, port)
    }

    /// The anchor of a key of this table.
    #[inline]
    #[must_use]
    pub fn anchor(&self, key: &F::Key) -> Option<&Anchor> {
        self.anchors.get(F::parts(key).0)
    }

    /// Starts loading the home bucket of this hash, which [`Table::find`] and [`Table::insert`] will
    /// read. Call it for a whole burst, then [`Table::prefetch_next`] for the whole burst.
    #[inline(always)]
    pub fn prefetch(&self, hash: u64) {
        prefetch_bucket(self.memory.bucket(self.home(hash)));
    }

    /// Starts loading the [`CHAIN`] buckets after the home bucket if an entry overflowed into them, else the home bucket again.
    ///
    /// It reads the home bucket. Over a burst these reads overlap, and they bring in what the
    /// processor did not: it may drop a prefetch, never a load. Measured, the second walk over the
    /// burst takes a quarter to a third off the life of a connection; to prefetch all of them at
    /// once costs more than it gains.
    #[inline(always)]
    pub fn prefetch_next(&self, hash: u64) {
        let home = self.home(hash);
        // No branch: it could not be foreseen, and would wait for the memory.
        let next = usize::from(self.memory.bucket(home).flags().overflow());
        for n in 1..=CHAIN {
            prefetch_bucket(self.memory.bucket(home + n * next));
        }
    }

    /// The live entry of a connection. Reads at most [`PROBE_LIMIT`] buckets.
    #[inline(always)]
    pub fn find(&mut self, hash: u64, key: &F::Key, now: Instant) -> Option<Slot> {
        if self.live == 0 {
            return None;
        }
        self.expiry.advance(now);
        let home = self.home(hash);
        // An expired entry never lies before a live one of the same connection: insertion would have
        // taken its place.
        let found = self.locate(home..home + PROBE_LIMIT, key)?;
        (!self.is_over(self.bucket(found), found.way)).then_some(found)
    }

    /// The first entry of a key in these buckets, up to the first that none has passed. Its time may be over.
    #[inline(always)]
    pub(super) fn locate(&self, buckets: Range<usize>, key: &F::Key) -> Option<Slot> {
        for index in buckets {
            let bucket = self.memory.bucket(index);
            let found = bucket.matches(key);
            if found != 0 {
                return Some(slot(index, found.trailing_zeros() as usize));
            }
            if !bucket.flags().overflow() {
                break;
            }
        }
        None
    }

    /// What is known of the connection at `slot`.
    #[inline]
    #[must_use]
    pub fn entry(&self, slot: Slot) -> Entry {
        self.bucket(slot).entry(slot.way)
    }

    /// Whose entry is at `slot`.
    #[inline]
    #[must_use]
    pub fn key_at(&self, slot: Slot) -> F::Key {
        self.bucket(slot).key(slot.way)
    }

    /// When the entry at `slot` expires.
    #[inline]
    #[must_use]
    pub fn expires_at(&self, slot: Slot) -> Instant {
        let (bucket, way) = (self.bucket(slot), slot.way);
        let class = self.anchors.class(bucket.anchor(way));
        self.expiry
            .expires_at(bucket.flags().generation(), class, bucket.ticks()[way])
    }

    /// Sets TS.Recent of the entry at `slot`.
    #[inline]
    pub fn set_ts_recent(&mut self, slot: Slot, ts_recent: u32) {
        self.bucket_mut(slot).set_ts_recent(slot.way, ts_recent);
    }

    /// Restarts the timer of the entry at `slot`: it has its whole time before it again. Where the sweep is
    /// so late that this could not be told ([`Inserted::Lost`]), it keeps what it has.
    #[inline]
    pub fn restart(&mut self, slot: Slot, now: Instant) {
        self.expiry.advance(now);
        let way = slot.way;
        let class = self.anchors.class(self.bucket(slot).anchor(way));
        if let Some(tick) = self.expiry.arm(class)
            && self.is_young_enough(class)
        {
            // First, so that making the bucket ready does not take the entry for an expired one.
            self.make_ready(slot.bucket, class, Some(way));
            self.bucket_mut(slot).ticks_mut()[way] = tick;
            self.stats.restarted += 1;
        }
    }

    /// FIN-WAIT-2 of the entry at `slot` is over: TIME-WAIT begins, with `entry` and its whole time
    /// before it. `false`: it has none, or it cannot be told ([`Inserted::Lost`]), and the entry is gone.
    pub fn finish(&mut self, slot: Slot, entry: &Entry, now: Instant) -> bool {
        self.expiry.advance(now);
        let (key, entry) = (self.key_at(slot), Packed::new(entry));
        let class = self.anchors.class(F::parts(&key).0.0 | entry.state());
        if self.expiry.arm(class).is_none() || !self.is_young_enough(class) {
            self.remove(slot);
            return false;
        }
        self.bucket_mut(slot).put(slot.way, &key, entry);
        self.restart(slot, now);
        true
    }

    /// How long the entry at `slot` has been there since it entered or was restarted.
    #[inline]
    #[must_use]
    pub fn age(&self, slot: Slot) -> Age {
        let (bucket, way) = (self.bucket(slot), slot.way);
        let class = self.anchors.class(bucket.anchor(way));
        let generation = bucket.flags().generation();
        let expires = bucket.ticks()[way];
        let at_most_ns = self.expiry.age_at_most_ns(generation, class, expires);
        Age {
            at_least_ns: at_most_ns.saturating_sub(self.expiry.tick_ns(class)),
            at_most_ns,
        }
    }

    /// Ends the TIME-WAIT of the connection at `slot`.
    #[inline]
    pub fn remove(&mut self, slot: Slot) {
        let bucket = self.bucket_mut(slot);
        let way = slot.way;
        if bucket.anchor(way) != VACANT {
            bucket.vacate(way);
            self.live -= 1;
            self.stats.removed += 1;
        }
    }

    /// Ends the TIME-WAIT of `tuple` if its entry is at `slot`, of this table, whatever has happened to the
    /// table since; whether it was. Its time may be over. Costs a fraction of [`Table::find`].
    #[inline]
    pub fn remove_of(&mut self, slot: Slot, tuple: &FourTuple) -> bool {
        let key = self.bucket(slot).key(slot.way);
        // A vacant place names no anchor.
        let id = F::parts(&key).0;
        let variable = self.anchors.variable_side(id, tuple);
        let is_there = variable.is_some_and(|(ip, port)| F::key(id, *ip, port) == Some(key));
        if is_there {
            self.bucket_mut(slot).vacate(slot.way);
            self.live -= 1;
            self.stats.removed += 1;
        }
        is_there
    }

    /// Entries held, those included whose time is over but whose bucket the sweep has not yet come
    /// to.
    #[inline]
    #[must_use]
    pub fn live(&self) -> usize {
        self.live
    }

    /// Entries that the table is meant to hold.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Bytes of memory that the table takes, those of its anchors and the bookkeeping of expiry included.
    #[must_use]
    pub fn allocated_bytes(&self) -> usize {
        let beside = self.anchors.allocated_bytes() + Expiry::ALLOCATED_BYTES;
        self.memory.bytes() + beside + size_of::<Self>()
    }

    /// Bytes of an entry.
    pub const ENTRY_BYTES: usize = F::ENTRY_BYTES;

    /// Bytes of memory for each entry that can physically be held.
    #[must_use]
    pub fn slot_bytes() -> f64 {
        size_of::<F::Bucket>() as f64 / WAYS as f64
    }

    /// What listens to the buckets that are looked at.
    #[doc(hidden)]
    #[must_use]
    pub fn lines(&self) -> &F::Lines {
        self.memory.lines()
    }

    /// The pages that the table lies on.
    #[must_use]
    pub fn pages(&self) -> Pages {
        self.memory.pages()
    }

    /// What happened to entries.
    #[must_use]
    pub fn stats(&self) -> &Stats {
        &self.stats
    }

    /// The tick of a duration class: by so much an entry may expire late, never early.
    #[must_use]
    pub fn tick(&self, class: ClassId) -> Duration {
        Duration::from_nanos(self.expiry.tick_ns(class))
    }

    /// The bucket that an entry of this hash prefers: its upper bits, scaled.
    #[inline(always)]
    pub(super) fn home(&self, hash: u64) -> usize {
        self.memory.home(hash)
    }

    /// The buckets in which an entry of this home can lie.
    #[inline(always)]
    pub(super) fn probe(&self, home: usize) -> impl Iterator<Item = (usize, &F::Bucket)> {
        self.memory.run(home, PROBE_LIMIT)
    }

    #[inline(always)]
    pub(super) fn is_over(&self, bucket: &F::Bucket, way: usize) -> bool {
        let class = self.anchors.class(bucket.anchor(way));
        self.expiry
            .is_over(bucket.flags().generation(), class, bucket.ticks()[way])
    }

    /// Makes the place of the entry at `slot` vacant.
    #[inline]
    pub(super) fn vacate(&mut self, slot: Slot) {
        self.bucket_mut(slot).vacate(slot.way);
        self.live -= 1;
    }

    /// Sees to it that an entry of `class`, which may be armed in the current generation, may be armed in
    /// bucket `index`. `keep` is the way that will be armed: it is not looked at.
    #[inline]
    pub(super) fn make_ready(&mut self, index: usize, class: ClassId, keep: Option<usize>) {
        let generation = self.memory.bucket(index).flags().generation();
        if !self.expiry.may_arm(generation, class) {
            self.clean(index, keep);
        }
    }

    #[inline]
    pub(super) fn bucket(&self, slot: Slot) -> &F::Bucket {
        self.memory.bucket(slot.bucket)
    }

    #[inline]
    pub(super) fn bucket_mut(&mut self, slot: Slot) -> &mut F::Bucket {
        self.memory.bucket_mut(slot.bucket)
    }
}

#[inline(always)]
pub(super) fn slot(bucket: usize, way: usize) -> Slot {
    Slot { bucket, way }
}

#[cfg(test)]
mod tests;
