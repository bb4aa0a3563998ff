//! Where an entry goes, and which one has to go when there is no room.

use core::time::Duration;

use super::anchor::{FIN_WAIT2, VACANT};
use super::expiry::ClassId;
use super::family::{Bucket, Family, Packed, WAYS};
use super::table::{Entry, Evicted, Inserted, PROBE_LIMIT, Slot, Table, slot};
use crate::time::Instant;

/// Buckets in which an entry to evict is looked for when the table is at its capacity.
const EVICTION_WINDOW: usize = 12;

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

impl<F: Family> Table<F> {
    /// Puts a connection in TIME-WAIT. Never refuses, but where the sweep is far too late
    /// ([`Inserted::Lost`]): at the capacity, or when [`PROBE_LIMIT`]
    /// buckets in a row are full, the oldest entry of those that were looked at goes, whatever its length.
    /// That is the oldest one approximately: of about twenty at the capacity.
    ///
    /// Where not one entry lies in [`PROBE_LIMIT`] buckets (at the capacity, never in practice), none goes,
    /// and the table holds one more.
    #[inline(always)]
    pub fn insert(
        &mut self,
        hash: u64,
        key: &F::Key,
        entry: &Entry,
        now: Instant,
    ) -> Inserted<F::Key> {
        self.expiry.advance(now);
        let entry = Packed::new(entry);
        let class = self.anchors.class(F::parts(key).0.0 | entry.state());
        let Some(tick) = self.expiry.arm(class) else {
            return Inserted::NotKept;
        };
        let home = self.home(hash);
        let bucket = self.memory.bucket(home);
        let (flags, vacant) = (bucket.flags(), bucket.vacant());
        if bucket.matches(key) == 0
            && vacant != 0
            && self.expiry.may_arm(flags.generation(), class)
            && self.live < self.limit
            && (!flags.overflow() || self.locate(home + 1..home + PROBE_LIMIT, key).is_none())
        {
            let way = vacant.trailing_zeros() as usize;
            let bucket = self.memory.bucket_mut(home);
            bucket.put(way, key, entry);
            bucket.ticks_mut()[way] = tick;
            self.live += 1;
            self.stats.inserted += 1;
            return Inserted::Placed(slot(home, way));
        }
        self.insert_beyond(home, *key, entry)
    }

    /// What [`Table::insert`] does where the home bucket is full or too old, an entry of the key is there, or
    /// the table is full.
    #[inline(never)]
    fn insert_beyond(&mut self, home: usize, key: F::Key, entry: Packed) -> Inserted<F::Key> {
        let key = &key;
        let class = self.anchors.class(F::parts(key).0.0 | entry.state());
        let Some(tick) = self.expiry.arm(class) else {
            return Inserted::NotKept;
        };
        let generation = self.memory.bucket(home).flags().generation();
        if !self.expiry.may_arm(generation, class) {
            self.catch_up();
        }
        if !self.is_young_enough(class) {
            self.stats.lost += 1;
            return Inserted::Lost;
        }
        self.stats.inserted += 1;
        let (place, kind) = self.place(home, key);
        let evicted = match kind {
            Place::Vacant if self.live >= self.limit => {
                // Near, but not in the end of the table, where no entry is at home.
                let from = |window| home.min(self.memory.homes().saturating_sub(window));
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
            Place::Over => self.count_expired(place),
            Place::Same => self.stats.replaced += 1,
        }
        for passed in home..place.bucket {
            let passed = self.memory.bucket_mut(passed);
            passed.set_flags(passed.flags().with_overflow(true));
        }
        self.write(place, key, entry, class, tick);
        match evicted {
            Some(evicted) => Inserted::Evicted(place, evicted),
            None if kind == Place::Same => Inserted::Replaced(place),
            None => Inserted::Placed(place),
        }
    }

    fn write(&mut self, place: Slot, key: &F::Key, entry: Packed, class: ClassId, tick: u8) {
        let way = place.way;
        self.make_ready(place.bucket, class, Some(way));
        let bucket = self.bucket_mut(place);
        bucket.put(way, key, entry);
        bucket.ticks_mut()[way] = tick;
    }

    /// Where an entry of this key is to go, as near to home as possible.
    #[inline]
    fn place(&self, home: usize, key: &F::Key) -> (Slot, Place) {
        let mut free = None;
        for (index, bucket) in self.probe(home) {
            let found = bucket.matches(key);
            if found != 0 {
                let way = found.trailing_zeros() as usize;
                let over = self.is_over(bucket, way);
                let kind = if over { Place::Over } else { Place::Same };
                return (slot(index, way), kind);
            }
            if free.is_none() {
                free = self
                    .vacancy(bucket)
                    .map(|(way, kind)| (slot(index, way), kind));
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
        let vacant = bucket.vacant();
        if vacant != 0 {
            return Some((vacant.trailing_zeros() as usize, Place::Vacant));
        }
        let over = (0..WAYS).find(|&way| self.is_over(bucket, way))?;
        Some((over, Place::Over))
    }

    /// The entry that has been there for longest in the `window` buckets from `home`, or one whose time is over.
    #[cold]
    fn oldest(&self, home: usize, window: usize) -> Option<Slot> {
        let mut best = None;
        for (index, bucket) in self.probe(home).take(window) {
            let generation = bucket.flags().generation();
            for (way, &anchor) in bucket.anchors().iter().enumerate() {
                if anchor == VACANT {
                    continue;
                }
                let class = self.anchors.class(anchor);
                let expires = bucket.ticks()[way];
                if self.expiry.is_over(generation, class, expires) {
                    return Some(slot(index, way));
                }
                let age = self.expiry.age_at_most_ns(generation, class, expires);
                if best.is_none_or(|(most, _)| age > most) {
                    best = Some((age, slot(index, way)));
                }
            }
        }
        best.map(|(_, slot)| slot)
    }

    /// The entry at `slot`, whose time is over, goes.
    fn count_expired(&mut self, slot: Slot) {
        let anchor = self.bucket(slot).anchor(slot.way);
        self.stats.expired += 1;
        self.stats.expired_fin_wait2 += u64::from(anchor & FIN_WAIT2 != 0);
    }

    /// Takes out the entry at `slot`; `None` if its time was over anyway.
    #[cold]
    fn evict(&mut self, slot: Slot) -> Option<Evicted<F::Key>> {
        let (bucket, way) = (self.bucket(slot), slot.way);
        if self.is_over(bucket, way) {
            self.count_expired(slot);
            self.vacate(slot);
            return None;
        }
        let class = self.anchors.class(bucket.anchor(way));
        let generation = bucket.flags().generation();
        let left = self.expiry.left_ns(generation, class, bucket.ticks()[way]);
        let evicted = Evicted {
            key: bucket.key(way),
            entry: bucket.entry(way),
            age: Duration::from_nanos(self.age(slot).at_most_ns),
            left: Duration::from_nanos(left),
        };
        self.vacate(slot);
        Some(evicted)
    }
}
