//! Taking out what is over, in slices.
//!
//! The sweep walks the table from end to end, four times within the shortest length in use. In
//! each bucket it removes what has expired, moves the bucket to the pass's generation, and takes
//! the overflow mark back if no entry needs it.

use core::ops::Range;

use wire::FourTuple;

use super::anchor::{Anchors, VACANT};
use super::expiry::{ClassId, Expiry, over_mask};
use super::family::{Bucket, Cleaned, Family};
use super::memory::home;
use super::table::{PROBE_LIMIT, Table};
use crate::time::Instant;

/// Anchors that one sweep gives back at most.
const REAPED_AT_ONCE: usize = 16;

/// Buckets that are cleaned in one go, before their overflow marks are looked at: the nearest cache
/// holds them.
const AT_ONCE: usize = 64;

/// One walk through the table.
#[derive(Debug)]
pub(super) struct Pass {
    /// The next bucket.
    cursor: usize,
    started: Instant,
    /// Nanoseconds for a bucket; `None` if every length is 0.
    pace_ns: Option<u64>,
}

impl Pass {
    /// The first, through so many buckets.
    pub(super) fn new(now: Instant, expiry: &Expiry, buckets: usize) -> Pass {
        Pass {
            cursor: 0,
            started: now,
            pace_ns: expiry.pass_ns().map(|ns| (ns / buckets as u64).max(1)),
        }
    }
}

impl<F: Family> Table<F> {
    /// Sweeps as many buckets as are due at `now`, at most `budget`; returns how many entries
    /// expired. `hash` is the function whose values the caller passes to the other operations.
    ///
    /// Call it once per turn of the loop with a budget that lets it walk the table four times in
    /// the shortest TIME-WAIT. If it falls behind, entries still expire at their time (no
    /// operation sees an expired entry), but their places come back later.
    pub fn sweep(
        &mut self,
        now: Instant,
        budget: usize,
        hash: impl Fn(&FourTuple) -> u64,
    ) -> usize {
        self.expiry.advance(now);
        let due = self.due(self.expiry.now()).min(budget);
        if due == 0 {
            return 0;
        }
        let first = self.pass.cursor;
        let expired = self.walk(first..first + due, &hash);
        if self.anchors.collector().wants_to_see() {
            for bucket in &self.memory.buckets()[self.pass.cursor..self.pass.cursor + due] {
                for anchor in bucket.anchors() {
                    self.anchors.collector().see(anchor);
                }
            }
        }
        self.anchors.reap(REAPED_AT_ONCE);
        self.pass.cursor += due;
        if self.pass.cursor == self.memory.buckets().len() {
            self.expiry.all_current();
            self.anchors.collector().pass_ended();
            self.begin_pass();
        }
        expired
    }

    /// When [`Table::sweep`] has `budget` buckets to do, or the rest of its pass if that is less:
    /// for those who sleep between. `None` while the table is empty.
    #[must_use]
    pub fn next_sweep(&self, budget: usize) -> Option<Instant> {
        if self.live == 0 {
            return None;
        }
        let target = (self.pass.cursor + budget.max(1)).min(self.memory.buckets().len());
        let ns = self.pass.pace_ns?.saturating_mul(target as u64);
        let at = self.pass.started.as_nanos().saturating_add(ns);
        Some(Instant::from_nanos(at))
    }

    /// Visits the live entries of `budget` buckets from bucket `from` on: key, entry and the time
    /// at which it expires. Returns where to go on, `None` at the end.
    pub fn visit(
        &mut self,
        from: usize,
        budget: usize,
        now: Instant,
        mut f: impl FnMut(F::Key, super::Entry, Instant),
    ) -> Option<usize> {
        self.expiry.advance(now);
        let buckets = self.memory.buckets();
        let end = from.saturating_add(budget).min(buckets.len());
        for bucket in buckets.get(from..end).unwrap_or_default() {
            let generation = bucket.flags().generation();
            for (way, &anchor) in bucket.anchors().iter().enumerate() {
                if anchor != VACANT && !self.is_over(bucket, way) {
                    let class = self.anchors.class(anchor);
                    let at = self
                        .expiry
                        .expires_at(generation, class, bucket.ticks()[way]);
                    f(bucket.key(way), bucket.entry(way), at);
                }
            }
        }
        (end < buckets.len()).then_some(end)
    }

    #[cfg(test)]
    pub(super) fn pass_cursor(&self) -> usize {
        self.pass.cursor
    }

    /// Buckets of this pass that should have been swept by `now` and were not.
    fn due(&self, now: Instant) -> usize {
        let Some(pace) = self.pass.pace_ns else {
            return 0;
        };
        let elapsed = now.as_nanos().saturating_sub(self.pass.started.as_nanos());
        let target = usize::try_from(elapsed / pace).unwrap_or(usize::MAX);
        target
            .min(self.memory.buckets().len())
            .saturating_sub(self.pass.cursor)
    }

    fn begin_pass(&mut self) {
        self.anchors.collector().pass_begins();
        self.expiry.begin_generation();
        self.pass = Pass {
            cursor: 0,
            started: self.expiry.now(),
            ..self.pass
        };
    }

    /// Cleans these buckets and makes their overflow marks exact; returns how many entries expired.
    fn walk(&mut self, range: Range<usize>, hash: &impl Fn(&FourTuple) -> u64) -> usize {
        let (anchors, expiry, homes) = (&self.anchors, &self.expiry, self.memory.homes());
        let current = expiry.generation();
        let buckets = self.memory.buckets_mut();
        let home = |tuple: &FourTuple| home(hash(tuple), homes);
        let mut counted = Cleaned::default();
        let mut from = range.start;
        while from < range.end {
            let to = range.end.min(from + AT_ONCE);
            for bucket in &mut buckets[from..to] {
                let flags = bucket.flags();
                let overs = expiry.overs(flags.generation());
                counted +=
                    bucket.clean(|_, anchor, tick| over_mask(overs, anchors.class(anchor), tick));
                bucket.set_flags(flags.with_generation(current));
            }
            for index in from..to {
                let flags = buckets[index].flags();
                if flags.overflow() {
                    let rest = &buckets[index + 1..];
                    let needed = is_passed::<F>(index, rest, anchors, expiry, home);
                    buckets[index].set_flags(flags.with_overflow(needed));
                }
            }
            from = to;
        }
        self.count_cleaned(counted);
        counted.expired()
    }

    /// Removes what is over from a bucket and moves it to the current generation. The way `keep` is
    /// not looked at.
    fn clean(&mut self, index: usize, keep: Option<usize>) {
        let (anchors, expiry) = (&self.anchors, &self.expiry);
        let bucket = self.memory.bucket_mut(index);
        let overs = expiry.overs(bucket.flags().generation());
        let counted = bucket.clean(|way, anchor, tick| match keep == Some(way) {
            true => 0,
            false => over_mask(overs, anchors.class(anchor), tick),
        });
        let current = expiry.generation();
        bucket.set_flags(bucket.flags().with_generation(current));
        self.count_cleaned(counted);
    }

    fn count_cleaned(&mut self, counted: Cleaned) {
        self.live -= counted.expired();
        self.stats.expired += counted.expired() as u64;
        self.stats.expired_fin_wait2 += counted.fin_wait2();
    }

    /// Moves a bucket to a generation that is young enough to arm an entry of `class` in it. Only
    /// after a pass of the sweep took longer than it should: the caller stood still.
    #[cold]
    pub(super) fn renew(&mut self, index: usize, class: ClassId, keep: Option<usize>) {
        if !self.expiry.may_arm(self.expiry.generation(), class) {
            if !self.expiry.can_begin() {
                // All names are taken. Only this makes them free.
                for other in 0..self.memory.buckets().len() {
                    self.clean(other, keep.filter(|_| other == index));
                }
                self.expiry.all_current();
                self.stats.forced_sweeps += 1;
            }
            self.begin_pass();
        }
        self.clean(index, keep);
    }
}

/// Whether an entry lies in `rest`, the buckets after bucket `index`, because its home, this one or one
/// before it, was full.
fn is_passed<F: Family>(
    index: usize,
    rest: &[F::Bucket],
    anchors: &Anchors,
    expiry: &Expiry,
    home: impl Fn(&FourTuple) -> usize,
) -> bool {
    for bucket in rest.iter().take(PROBE_LIMIT - 1) {
        let flags = bucket.flags();
        let overs = expiry.overs(flags.generation());
        for (way, (anchor, &tick)) in bucket.anchors().into_iter().zip(bucket.ticks()).enumerate() {
            if anchor == VACANT || over_mask(overs, anchors.class(anchor), tick) != 0 {
                continue;
            }
            let (id, ip, port) = F::parts(&bucket.key(way));
            if anchors
                .tuple(id, ip, port)
                .is_some_and(|t| home(&t) <= index)
            {
                return true;
            }
        }
        if !flags.overflow() {
            return false;
        }
    }
    false
}
