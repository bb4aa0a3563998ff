//! Taking out what is over, in slices.
//!
//! The sweep walks the table from end to end, four times within the shortest length in use. In
//! each bucket it removes what has expired, moves the bucket to the pass's generation, and takes
//! the overflow mark back if no entry needs it.

use wire::FourTuple;

use super::anchor::{FIN_WAIT2, VACANT};
use super::expiry::ClassId;
use super::family::{Bucket, Family};
use super::table::{PROBE_LIMIT, Table};
use crate::time::Instant;

/// Anchors that one sweep gives back at most.
const REAPED_AT_ONCE: usize = 16;

/// One walk through the table.
#[derive(Debug)]
pub(super) struct Pass {
    /// The next bucket.
    cursor: usize,
    started: Instant,
}

impl Pass {
    pub(super) fn new(now: Instant) -> Pass {
        Pass {
            cursor: 0,
            started: now,
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
        let buckets = self.memory.buckets().len();
        let mut expired = 0;
        for index in self.pass.cursor..self.pass.cursor + due {
            expired += self.clean(index, None);
            if self.memory.bucket(index).flags().overflow() {
                let needed = self.is_passed(index, &hash);
                let bucket = self.memory.bucket_mut(index);
                bucket.set_flags(bucket.flags().with_overflow(needed));
            }
        }
        if self.anchors.collector().wants_to_see() {
            for bucket in &self.memory.buckets()[self.pass.cursor..self.pass.cursor + due] {
                for anchor in bucket.anchors() {
                    self.anchors.collector().see(anchor);
                }
            }
        }
        self.anchors.reap(REAPED_AT_ONCE);
        self.pass.cursor += due;
        if self.pass.cursor == buckets {
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
        let ns = self.pace()?.saturating_mul(target as u64);
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

    /// Nanoseconds for a bucket.
    fn pace(&self) -> Option<u64> {
        let buckets = self.memory.buckets().len() as u64;
        Some((self.expiry.pass_ns()? / buckets).max(1))
    }

    /// Buckets of this pass that should have been swept by `now` and were not.
    fn due(&self, now: Instant) -> usize {
        let Some(pace) = self.pace() else { return 0 };
        let elapsed = now.as_nanos().saturating_sub(self.pass.started.as_nanos());
        let target = usize::try_from(elapsed / pace).unwrap_or(usize::MAX);
        target
            .min(self.memory.buckets().len())
            .saturating_sub(self.pass.cursor)
    }

    fn begin_pass(&mut self) {
        self.anchors.collector().pass_begins();
        self.expiry.begin_generation();
        self.pass = Pass::new(self.expiry.now());
    }

    /// Removes what is over from a bucket and moves it to the current generation; returns how
    /// many entries there were. The way `keep` is not looked at.
    #[inline]
    fn clean(&mut self, index: usize, keep: Option<usize>) -> usize {
        let bucket = self.memory.bucket_mut(index);
        let generation = bucket.flags().generation();
        let mut anchors = bucket.anchors();
        let (mut expired, mut fin_wait2) = (0, 0);
        for (way, (anchor, &tick)) in anchors.iter_mut().zip(bucket.ticks()).enumerate() {
            // Without a branch: whether an entry is over is not predictable.
            let class = self.anchors.class(*anchor);
            let over = self.expiry.is_over(generation, class, tick)
                & (*anchor != VACANT)
                & (keep != Some(way));
            fin_wait2 += u64::from(over & (*anchor & FIN_WAIT2 != 0));
            *anchor = if over { VACANT } else { *anchor };
            expired += usize::from(over);
        }
        bucket.set_anchors(anchors);
        let current = self.expiry.generation();
        bucket.set_flags(bucket.flags().with_generation(current));
        self.live -= expired;
        self.stats.expired += expired as u64;
        self.stats.expired_fin_wait2 += fin_wait2;
        expired
    }

    /// Whether an entry lies beyond bucket `index` because its home, this one or one before it,
    /// was full.
    fn is_passed(&self, index: usize, hash: &impl Fn(&FourTuple) -> u64) -> bool {
        let rest = self.memory.buckets().get(index + 1..).unwrap_or_default();
        for bucket in rest.iter().take(PROBE_LIMIT - 1) {
            for (way, &anchor) in bucket.anchors().iter().enumerate() {
                if anchor == VACANT || self.is_over(bucket, way) {
                    continue;
                }
                let home = self.tuple(&bucket.key(way)).map(|t| self.home(hash(&t)));
                if home.is_some_and(|home| home <= index) {
                    return true;
                }
            }
            if !bucket.flags().overflow() {
                return false;
            }
        }
        false
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
