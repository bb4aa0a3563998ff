//! The table of connections in TIME-WAIT.
//!
//! Buckets of one cache line (IPv6: two) hold three exact entries each and are half full at
//! capacity, so an operation is one cache miss: `prefetch` it for a whole burst first. An entry
//! lies in its home bucket, or, if that is full, in one of the next [`PROBE_LIMIT`] - 1; each
//! bucket that it passed is marked. There are no tombstones: a vacant place is a vacant place, and
//! the sweep takes marks back, so the table does not age.

use core::fmt;
use core::time::Duration;
use std::io;

use wire::{FourTuple, Seq};

use super::anchor::{Anchor, AnchorError, AnchorId, Anchors, VACANT};
use super::expiry::{ClassId, Expiry, MAX_CLASSES, MAX_DURATION_MS};
use super::family::{Bucket, Family, WAYS};
use super::memory::{Memory, Pages};
use super::sweep::Pass;
use crate::time::Instant;

/// The most buckets that one operation reads: the home bucket and those after it. Only the sweep
/// of many lines, by its budget, reads more.
///
/// In the state in which the table is meant to run, one insertion in about 10^11 meets the limit.
pub const PROBE_LIMIT: usize = 32;

/// Buckets in which an entry to evict is looked for when the table is at its capacity.
const EVICTION_WINDOW: usize = 6;

/// How large, for how long.
#[derive(Clone, Debug)]
pub struct Config {
    /// Entries that the table is meant to hold: at this number it is half full. A seventh more find
    /// room, for those whose time is over but whose bucket the sweep has not yet come to (an eighth
    /// in a steady state). From then on the entry nearest its expiry goes for each one that comes.
    pub capacity: usize,
    /// The lengths of TIME-WAIT in milliseconds, by [`ClassId`]; 0 keeps nothing. At most
    /// [`MAX_CLASSES`], each at most [`MAX_DURATION_MS`].
    pub durations_ms: Vec<u64>,
    /// The pages to ask for.
    pub pages: Pages,
}

/// Why a table could not be made.
#[derive(Debug)]
pub enum BuildError {
    /// The capacity is 0 or needs more than 2^32 buckets.
    Capacity(usize),
    /// There is no class, or more than [`MAX_CLASSES`].
    Classes(usize),
    /// A length is more than [`MAX_DURATION_MS`].
    Duration(u64),
    /// The system gave no memory.
    Memory(io::Error),
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BuildError::Capacity(n) => write!(f, "a TIME-WAIT table cannot hold {n} entries"),
            BuildError::Classes(n) => {
                write!(
                    f,
                    "{n} TIME-WAIT lengths given, 1 to {MAX_CLASSES} possible"
                )
            }
            BuildError::Duration(ms) => {
                write!(
                    f,
                    "a TIME-WAIT of {ms} ms is longer than {MAX_DURATION_MS} ms"
                )
            }
            BuildError::Memory(e) => write!(f, "no memory for the TIME-WAIT table: {e}"),
        }
    }
}

impl core::error::Error for BuildError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            BuildError::Memory(e) => Some(e),
            _ => None,
        }
    }
}

/// What TIME-WAIT remembers of a connection. What else it needs is its anchor's, or derived from
/// the keyed hash of its four-tuple (the timestamp offset).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Entry {
    /// RCV.NXT: one past the peer's FIN.
    pub rcv_nxt: Seq,
    /// SND.NXT: one past our FIN.
    pub snd_nxt: Seq,
    /// TS.Recent (RFC 7323 4.3), if timestamps were in use. 0 is a timestamp like any other.
    pub ts_recent: Option<u32>,
}

/// Where an entry lies. Valid until the next insertion, removal or sweep.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Slot {
    bucket: u32,
    way: u8,
}

/// An entry that had to go before its time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Evicted<K> {
    /// Whose.
    pub key: K,
    /// What was known.
    pub entry: Entry,
    /// How long it had been in TIME-WAIT since it entered or was restarted, to a tick.
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
}

impl<K> Inserted<K> {
    /// Where the entry lies now.
    #[must_use]
    pub fn slot(&self) -> Option<Slot> {
        match self {
            Inserted::Placed(slot) | Inserted::Replaced(slot) | Inserted::Evicted(slot, _) => {
                Some(*slot)
            }
            Inserted::NotKept => None,
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
    /// Entries whose timer was restarted.
    pub restarted: u64,
    /// Entries evicted because the table was at its capacity.
    pub evicted_capacity: u64,
    /// Entries evicted because [`PROBE_LIMIT`] buckets in a row were full.
    pub evicted_probe: u64,
    /// Times the whole table was swept in one go, because seven times in a row a pass of the sweep
    /// was not finished in the time of two. A caller that sweeps as told never sees it.
    pub forced_sweeps: u64,
}

/// Connections in TIME-WAIT, of one address family and one core.
///
/// The caller passes with each connection a 64-bit keyed hash of its four-tuple, always the same
/// function; its upper bits choose the bucket. `now` never goes back: an earlier time counts as
/// the latest one given.
#[derive(Debug)]
pub struct Table<F: Family> {
    pub(super) memory: Memory<F::Bucket>,
    /// Buckets that can be home.
    pub(super) homes: usize,
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
        // Half full at capacity. The last home bucket has as many after it as any other.
        let homes = config.capacity.saturating_mul(2).div_ceil(WAYS);
        let buckets = homes.saturating_add(PROBE_LIMIT - 1);
        if homes == 0 || u32::try_from(buckets).is_err() {
            return Err(BuildError::Capacity(config.capacity));
        }
        Ok(Table {
            memory: Memory::new(buckets, config.pages).map_err(BuildError::Memory)?,
            homes,
            capacity: config.capacity,
            limit: config.capacity + config.capacity / 7,
            live: 0,
            anchors: Anchors::new(),
            expiry: Expiry::new(&config.durations_ms, now),
            pass: Pass::new(now),
            stats: Stats::default(),
        })
    }

    /// Adds a fixed side; see [`Anchors::add`].
    ///
    /// # Errors
    /// All of [`AnchorError`].
    pub fn add_anchor(&mut self, anchor: Anchor) -> Result<AnchorId, AnchorError> {
        if usize::from(anchor.class.0) >= self.expiry.count() {
            return Err(AnchorError::UnknownClass);
        }
        if F::key(AnchorId(0), anchor.ip, anchor.port).is_none() {
            return Err(AnchorError::WrongFamily);
        }
        self.anchors.add(anchor)
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
        if let Some(home) = self.memory.buckets().get(self.home(hash)) {
            home.prefetch();
        }
    }

    /// Starts loading the bucket after the home bucket if an entry overflowed into it.
    ///
    /// It reads the home bucket. Over a burst these reads overlap, and they bring in what the
    /// processor did not: it may drop a prefetch, never a load. Measured, the second walk over the
    /// burst takes a quarter to a third off the life of a connection; to prefetch both buckets at
    /// once costs more than it gains.
    #[inline(always)]
    pub fn prefetch_next(&self, hash: u64) {
        if let [home, next, ..] = &self.memory.buckets()[self.home(hash)..]
            && home.flags().overflow()
        {
            next.prefetch();
        }
    }

    /// The live entry of a connection. Reads at most [`PROBE_LIMIT`] buckets.
    #[inline]
    pub fn find(&mut self, hash: u64, key: &F::Key, now: Instant) -> Option<Slot> {
        self.expiry.advance(now);
        let home = self.home(hash);
        for (i, bucket) in self.probe(home).iter().enumerate() {
            let found = bucket.matches(key);
            if found != 0 {
                // An expired entry never lies before a live one of the same connection: insertion
                // would have taken its place.
                let way = found.trailing_zeros() as usize;
                return (!self.is_over(bucket, way)).then(|| slot(home + i, way));
            }
            if !bucket.flags().overflow() {
                return None;
            }
        }
        None
    }

    /// What is known of the connection at `slot`.
    #[inline]
    #[must_use]
    pub fn entry(&self, slot: Slot) -> Entry {
        self.bucket(slot).entry(slot.way.into())
    }

    /// Whose entry is at `slot`.
    #[inline]
    #[must_use]
    pub fn key_at(&self, slot: Slot) -> F::Key {
        self.bucket(slot).key(slot.way.into())
    }

    /// When the entry at `slot` expires.
    #[inline]
    #[must_use]
    pub fn expires_at(&self, slot: Slot) -> Instant {
        let (bucket, way) = (self.bucket(slot), usize::from(slot.way));
        let class = self.anchors.class(bucket.anchors()[way]);
        self.expiry
            .expires_at(bucket.flags().generation(), class, bucket.ticks()[way])
    }

    /// Sets TS.Recent of the entry at `slot`.
    #[inline]
    pub fn set_ts_recent(&mut self, slot: Slot, ts_recent: u32) {
        self.bucket_mut(slot)
            .set_ts_recent(slot.way.into(), ts_recent);
    }

    /// Restarts the timer of the entry at `slot`: it has its whole time before it again.
    #[inline]
    pub fn restart(&mut self, slot: Slot, now: Instant) {
        self.expiry.advance(now);
        let way = usize::from(slot.way);
        let class = self.anchors.class(self.bucket(slot).anchors()[way]);
        if let Some(tick) = self.expiry.arm(class) {
            // First, so that making the bucket ready does not take the entry for an expired one.
            self.make_ready(slot.bucket as usize, class, Some(way));
            self.bucket_mut(slot).ticks_mut()[way] = tick;
            self.stats.restarted += 1;
        }
    }

    /// Puts a connection in TIME-WAIT. Never refuses: at the capacity, or when [`PROBE_LIMIT`]
    /// buckets in a row are full, the entry nearest its expiry of those that were looked at goes.
    /// That is the oldest one approximately: the nearest of about ten at the capacity.
    ///
    /// Where not one entry lies in [`PROBE_LIMIT`] buckets (at the capacity, never in practice), none goes,
    /// and the table holds one more.
    #[inline]
    pub fn insert(
        &mut self,
        hash: u64,
        key: &F::Key,
        entry: &Entry,
        now: Instant,
    ) -> Inserted<F::Key> {
        self.expiry.advance(now);
        let class = self.anchors.class(F::parts(key).0.0);
        let Some(tick) = self.expiry.arm(class) else {
            return Inserted::NotKept;
        };
        self.stats.inserted += 1;
        let home = self.home(hash);
        let (place, kind) = self.place(home, key);
        let evicted = match kind {
            Place::Vacant if self.live >= self.limit => {
                // Near, but not in the end of the table, where no entry is at home.
                let from = |window| home.min(self.homes.saturating_sub(window));
                let near = self.oldest(from(EVICTION_WINDOW), EVICTION_WINDOW);
                let victim = near.or_else(|| self.oldest(from(PROBE_LIMIT), PROBE_LIMIT));
                let evicted = victim.and_then(|slot| self.evict(slot));
                self.stats.evicted_capacity += u64::from(evicted.is_some());
                evicted
            }
            Place::Full => {
                self.stats.evicted_probe += 1;
                self.evict(place)
            }
            Place::Vacant | Place::Over | Place::Same => None,
        };
        match kind {
            Place::Vacant | Place::Full => self.live += 1,
            Place::Over => self.stats.expired += 1,
            Place::Same => self.stats.replaced += 1,
        }
        let index = place.bucket as usize;
        self.make_ready(index, class, Some(place.way.into()));
        let buckets = self.memory.buckets_mut();
        for passed in &mut buckets[home..index] {
            passed.set_flags(passed.flags().with_overflow(true));
        }
        let bucket = &mut buckets[index];
        bucket.put(place.way.into(), key, entry);
        bucket.ticks_mut()[usize::from(place.way)] = tick;
        match evicted {
            Some(evicted) => Inserted::Evicted(place, evicted),
            None if kind == Place::Same => Inserted::Replaced(place),
            None => Inserted::Placed(place),
        }
    }

    /// Ends the TIME-WAIT of the connection at `slot`.
    #[inline]
    pub fn remove(&mut self, slot: Slot) {
        if self.vacate(slot) {
            self.stats.removed += 1;
        }
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

    /// Bytes of memory that the table takes, the bookkeeping of expiry included.
    #[must_use]
    pub fn allocated_bytes(&self) -> usize {
        self.memory.bytes() + size_of::<Self>()
    }

    /// Bytes of an entry.
    pub const ENTRY_BYTES: usize = F::ENTRY_BYTES;

    /// Bytes of memory for each entry that can physically be held.
    #[must_use]
    pub fn slot_bytes() -> f64 {
        size_of::<F::Bucket>() as f64 / WAYS as f64
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
        ((u128::from(hash) * self.homes as u128) >> 64) as usize
    }

    /// The buckets in which an entry of this home can lie.
    #[inline(always)]
    fn probe(&self, home: usize) -> &[F::Bucket] {
        &self.memory.buckets()[home..home + PROBE_LIMIT]
    }

    #[inline]
    pub(super) fn is_over(&self, bucket: &F::Bucket, way: usize) -> bool {
        let class = self.anchors.class(bucket.anchors()[way]);
        self.expiry
            .is_over(bucket.flags().generation(), class, bucket.ticks()[way])
    }

    /// Where an entry of this key is to go, as near to home as possible.
    #[inline]
    fn place(&self, home: usize, key: &F::Key) -> (Slot, Place) {
        let mut free = None;
        for (i, bucket) in self.probe(home).iter().enumerate() {
            let found = bucket.matches(key);
            if found != 0 {
                let way = found.trailing_zeros() as usize;
                let over = self.is_over(bucket, way);
                let kind = if over { Place::Over } else { Place::Same };
                return (slot(home + i, way), kind);
            }
            if free.is_none() {
                free = self
                    .vacancy(bucket)
                    .map(|(way, kind)| (slot(home + i, way), kind));
            }
            if let (Some(free), false) = (free, bucket.flags().overflow()) {
                return free;
            }
        }
        free.or_else(|| Some((self.oldest(home, PROBE_LIMIT)?, Place::Full)))
            .unwrap_or((slot(home, 0), Place::Full))
    }

    /// A way of `bucket` that is empty, or else one whose entry is over.
    #[inline]
    fn vacancy(&self, bucket: &F::Bucket) -> Option<(usize, Place)> {
        let empty = bucket.anchors().iter().position(|&a| a == VACANT);
        if let Some(way) = empty {
            return Some((way, Place::Vacant));
        }
        let over = (0..WAYS).find(|&way| self.is_over(bucket, way))?;
        Some((over, Place::Over))
    }

    /// The entry nearest its expiry in the `window` buckets from `home`.
    #[cold]
    fn oldest(&self, home: usize, window: usize) -> Option<Slot> {
        let mut best = None;
        for (i, bucket) in self.probe(home)[..window].iter().enumerate() {
            let generation = bucket.flags().generation();
            for (way, &anchor) in bucket.anchors().iter().enumerate() {
                if anchor == VACANT {
                    continue;
                }
                let class = self.anchors.class(anchor);
                let expires = bucket.ticks()[way];
                let left = if self.expiry.is_over(generation, class, expires) {
                    0
                } else {
                    self.expiry.left_ns(generation, class, expires)
                };
                if best.is_none_or(|(least, _)| left < least) {
                    best = Some((left, slot(home + i, way)));
                }
            }
        }
        best.map(|(_, slot)| slot)
    }

    /// Takes out the entry at `slot`; `None` if its time was over anyway.
    #[cold]
    fn evict(&mut self, slot: Slot) -> Option<Evicted<F::Key>> {
        let (bucket, way) = (self.bucket(slot), usize::from(slot.way));
        if self.is_over(bucket, way) {
            self.vacate(slot);
            self.stats.expired += 1;
            return None;
        }
        let class = self.anchors.class(bucket.anchors()[way]);
        let generation = bucket.flags().generation();
        let left = self.expiry.left_ns(generation, class, bucket.ticks()[way]);
        let whole = Duration::from_millis(self.expiry.duration_ms(class));
        let left = Duration::from_nanos(left);
        let evicted = Evicted {
            key: bucket.key(way),
            entry: bucket.entry(way),
            age: whole.saturating_sub(left),
            left,
        };
        self.vacate(slot);
        Some(evicted)
    }

    /// Makes the place at `slot` vacant; whether there was an entry.
    #[inline]
    fn vacate(&mut self, slot: Slot) -> bool {
        let bucket = self.bucket_mut(slot);
        let mut anchors = bucket.anchors();
        let way = usize::from(slot.way);
        let occupied = anchors[way] != VACANT;
        anchors[way] = VACANT;
        bucket.set_anchors(anchors);
        self.live -= usize::from(occupied);
        occupied
    }

    /// Sees to it that an entry of `class` may be armed in bucket `index`. `keep` is the way that
    /// will be armed: it is not looked at.
    #[inline]
    fn make_ready(&mut self, index: usize, class: ClassId, keep: Option<usize>) {
        let generation = self.memory.buckets()[index].flags().generation();
        if !self.expiry.may_arm(generation, class) {
            self.renew(index, class, keep);
        }
    }

    #[inline]
    fn bucket(&self, slot: Slot) -> &F::Bucket {
        &self.memory.buckets()[slot.bucket as usize]
    }

    #[inline]
    fn bucket_mut(&mut self, slot: Slot) -> &mut F::Bucket {
        &mut self.memory.buckets_mut()[slot.bucket as usize]
    }
}

/// What is at the place that an insertion takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Place {
    /// Nothing.
    Vacant,
    /// An entry whose time is over.
    Over,
    /// A live entry of the same connection.
    Same,
    /// The entry to evict: all places are taken.
    Full,
}

#[inline]
fn slot(bucket: usize, way: usize) -> Slot {
    Slot {
        bucket: bucket as u32,
        way: way as u8,
    }
}

#[cfg(test)]
mod tests;
