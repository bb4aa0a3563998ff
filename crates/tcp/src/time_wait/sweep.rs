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
use super::lines::Lines;
use super::memory::home;
use super::table::{PROBE_LIMIT, Table};
use crate::time::Instant;

/// Anchors that one sweep gives back at most.
const REAPED_AT_ONCE: usize = 16;

/// Buckets that are cleaned in one go, before their overflow marks are looked at: the nearest cache
/// holds them.
const AT_ONCE: usize = 64;

/// Buckets that an insertion cleans where the sweep is late.
pub(super) const CATCH_UP: usize = 64;

/// One walk through the table.
#[derive(Debug)]
pub(super) struct Pass {
    /// The next bucket.
    cursor: usize,
    /// Buckets of this and all earlier ones.
    swept: u64,
    started: Instant,
    /// Nanoseconds for a bucket; `None` if every length is 0.
    pace_ns: Option<u64>,
}

impl Pass {
    /// The first, through so many buckets.
    pub(super) fn new(now: Instant, expiry: &Expiry, buckets: usize) -> Pass {
        Pass {
            cursor: 0,
            swept: 0,
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
    /// the shortest TIME-WAIT, or at least by one bucket every [`SLOWEST_SWEEP_NS`](super::table::SLOWEST_SWEEP_NS).
    /// If it falls behind, entries still expire at their time (no
    /// operation sees an expired entry), but their places come back later, and insertions do some of its
    /// work.
    ///
    /// It looks at no more than `budget` + [`PROBE_LIMIT`] - 1 buckets.
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
        let to = self.pass.cursor + due;
        let expired = self.walk(self.pass.cursor..to, &hash);
        self.go_on(to);
        expired
    }

    /// The sweep has come by all buckets before `to`.
    fn go_on(&mut self, to: usize) {
        let lines = self.memory.buckets().len();
        if self.anchors.collector().wants_to_see() {
            for bucket in &self.memory.buckets()[self.pass.cursor..to] {
                for anchor in bucket.anchors() {
                    self.anchors.collector().see(anchor);
                }
            }
        }
        self.anchors.reap(REAPED_AT_ONCE);
        self.pass.swept += (to - self.pass.cursor) as u64;
        self.pass.cursor = to;
        self.expiry.free(self.pass.swept, lines as u64);
        if to == lines {
            self.anchors.collector().pass_ended();
            self.anchors.collector().pass_begins();
            self.pass.cursor = 0;
            self.pass.started = self.expiry.now();
            if self.expiry.can_begin() {
                self.expiry.begin_generation(self.pass.swept);
            }
        }
    }

    /// A few steps of the sweep by an insertion that has found it late. Marks stay as they are.
    pub(super) fn catch_up(&mut self) {
        let to = (self.pass.cursor + CATCH_UP).min(self.memory.buckets().len());
        for index in self.pass.cursor..to {
            self.clean(index, None);
        }
        self.go_on(to);
    }

    /// Sees to it that an entry of `class` may be armed in a line of the current generation. `false`: that
    /// is too old, and no other can begin, because the sweep has not come by all lines for too long.
    pub(super) fn is_young_enough(&mut self, class: ClassId) -> bool {
        if self.expiry.may_arm(self.expiry.generation(), class) {
            return true;
        }
        let can_begin = self.expiry.can_begin();
        if can_begin {
            self.expiry.begin_generation(self.pass.swept);
        }
        can_begin
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

    /// Cleans these buckets and makes their overflow marks exact; returns how many entries expired.
    fn walk(&mut self, range: Range<usize>, hash: &impl Fn(&FourTuple) -> u64) -> usize {
        let (anchors, expiry, homes) = (&self.anchors, &self.expiry, self.memory.homes());
        let current = expiry.generation();
        let (buckets, lines) = self.memory.buckets_and_lines();
        let home = |tuple: &FourTuple| home(hash(tuple), homes);
        let mut counted = Cleaned::default();
        let mut from = range.start;
        while from < range.end {
            let to = range.end.min(from + AT_ONCE);
            for (i, bucket) in buckets[from..to].iter_mut().enumerate() {
                lines.note(from + i);
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
                    let needed = is_passed::<F>(index, rest, lines, anchors, expiry, home);
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
    pub(super) fn clean(&mut self, index: usize, keep: Option<usize>) {
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
}

/// Whether an entry lies in `rest`, the buckets after bucket `index`, because its home, this one or one
/// before it, was full.
fn is_passed<F: Family>(
    index: usize,
    rest: &[F::Bucket],
    lines: &F::Lines,
    anchors: &Anchors,
    expiry: &Expiry,
    home: impl Fn(&FourTuple) -> usize,
) -> bool {
    for (i, bucket) in rest.iter().take(PROBE_LIMIT - 1).enumerate() {
        lines.note(index + 1 + i);
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
