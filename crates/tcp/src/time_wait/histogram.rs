//! How old entries were when they went: a histogram of fixed, logarithmically spaced buckets.

/// Buckets: the first for ages below a millisecond, each of the others four times as far as the one
/// before, the last without an end.
pub const BUCKETS: usize = 14;

/// Counts by age. An age is known to a tick of its duration class, 1/160 of its length and at least a millisecond: what
/// counts is the most that it may be, so that no entry was older than its bucket says. Under a tick all ages are the same.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Ages(pub [u64; BUCKETS]);

impl Ages {
    /// Counts one, by its age in nanoseconds.
    #[inline]
    pub fn record(&mut self, age_ns: u64) {
        let ms = age_ns / 1_000_000;
        let bucket = ms.checked_ilog2().map_or(0, |log| 1 + log as usize / 2);
        self.0[bucket.min(BUCKETS - 1)] += 1;
    }

    /// The age, in milliseconds, that a bucket ends before; `None` for the last.
    #[must_use]
    pub const fn bound_ms(bucket: usize) -> Option<u64> {
        if bucket + 1 < BUCKETS {
            Some(1 << (2 * bucket))
        } else {
            None
        }
    }

    /// How many were counted.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }
}

/// The names and meanings of the buckets of one histogram.
macro_rules! names {
    ($prefix:literal, $what:literal) => {
        names!(@ $prefix, $what, "1ms" "4ms" "16ms" "64ms" "256ms" "1s" "4s" "16s" "66s" "262s" "17min" "70min" "280min")
    };
    (@ $prefix:literal, $what:literal, $($bound:literal)*) => {
        [
            $((
                concat!("tw_", $prefix, "_age_under_", $bound),
                concat!($what, " at an age under ", $bound, " that is in no bucket before. Known to 1/160 of the length, it is taken for the most that it may be."),
            ),)*
            (
                concat!("tw_", $prefix, "_age_over_280min"),
                concat!($what, " at a greater age."),
            ),
        ]
    };
}

/// Of entries recycled or taken over by an active open.
pub(super) const REUSED: [(&str, &str); BUCKETS] = names!("reuse", "Entries reused");
/// Of entries evicted.
pub(super) const EVICTED: [(&str, &str); BUCKETS] = names!("evicted", "Entries evicted");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_age_has_its_bucket() {
        let mut seen = 0;
        for bucket in 0..BUCKETS {
            let from = if bucket == 0 {
                0
            } else {
                Ages::bound_ms(bucket - 1).unwrap()
            };
            let last = Ages::bound_ms(bucket).map_or(u64::MAX / 1_000_000, |b| b - 1);
            for ms in [from, last] {
                let mut ages = Ages::default();
                ages.record(ms * 1_000_000);
                assert_eq!(ages.0[bucket], 1, "{ms} ms");
                seen += ages.total();
            }
        }
        assert_eq!(seen, 2 * BUCKETS as u64);
        assert_eq!(Ages::bound_ms(5), Some(1_024));
        assert_eq!(Ages::bound_ms(8), Some(65_536));
        assert_eq!(Ages::bound_ms(12), Some(16_777_216));
    }
}
