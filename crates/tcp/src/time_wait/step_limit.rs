//! How far four-tuples may step where nothing proves that the step is right: a count by hash, of bounded size.
//!
//! Entries have no room for a count. Here four-tuples share places: where they do, all of them are allowed less, the safe side.

use crate::time::Instant;

#[derive(Clone, Copy, Default, Debug)]
struct Place {
    /// Whose count this is, in the low bits.
    period: u32,
    steps: u32,
}

/// The counts of one core.
#[derive(Debug)]
pub struct StepLimit {
    /// A power of two of them; none until there is something to hold for.
    places: Box<[Place]>,
    /// How many there are to be.
    count: usize,
    /// A period has 2^`shift` nanoseconds.
    shift: u32,
    /// Of one period.
    most: u32,
}

impl StepLimit {
    /// What [`StepLimit::clocks`] allows in any MSL is less than this.
    pub const CLOCKS: u64 = 1 << 28;

    /// What [`StepLimit::fast_clocks`] allows in any MSL is less than this.
    pub const FAST_CLOCKS: u64 = 1 << 29;

    /// For the sequence numbers of peers that repeat their timestamp.
    ///
    /// Within one tick of the peer's clock numbers alone tell incarnations apart. An incarnation's own text moves its space by less
    /// than 2^31 in a tick (RFC 7323 5.4), and a tick lasts a second at most; what SYNs skip beyond RCV.NXT is counted here, and
    /// comes to less than 2^30 in any second. Both together are less than the circle by more than any two windows, as long as
    /// those are smaller than 2^29. A SYN skips a hundred numbers as a rule, and 65,537 at most, so that a place lasts for
    /// thousands a second.
    #[must_use]
    pub fn ticks() -> StepLimit {
        let mut ticks = StepLimit::new(1_024, 1 << 30);
        ticks.cover(1_000);
        ticks
    }

    /// For the timestamps of peers beyond what time has surely gone on by, as far as a clock of a millisecond might have. It holds for
    /// no MSL before [`StepLimit::cover`].
    ///
    /// Such a clock goes on by 375 in what TIME-WAIT's age is in doubt by where that lasts for 60 s: a place has room for
    /// 350,000 of those. It is small, so that it stays near: each SYN that comes back sooner than that looks here.
    #[must_use]
    pub fn clocks() -> StepLimit {
        StepLimit::new(4_096, StepLimit::CLOCKS)
    }

    /// The same as far as a clock of a microsecond might have, which is a thousand times as far, for a table of so many entries. A
    /// place has room for 700 of them, and is shared by 16 four-tuples of a full table of up to 16 million.
    #[must_use]
    pub fn fast_clocks(capacity: usize) -> StepLimit {
        let count = (capacity / 16).clamp(1 << 10, 1 << 20);
        StepLimit::new(count.next_power_of_two(), StepLimit::FAST_CLOCKS)
    }

    /// `count` places, a power of two. What is allowed in any time that is covered comes to less than `limit`.
    fn new(count: usize, limit: u64) -> StepLimit {
        StepLimit {
            places: Box::default(),
            count,
            shift: 0,
            // Any such time lies within two periods.
            most: (limit / 2) as u32,
        }
    }

    /// Holds for any time of `ms` milliseconds too, from now on. What was counted for shorter ones still is.
    pub fn cover(&mut self, ms: u32) {
        let period_ns = (u64::from(ms.max(1)) * 1_000_000).next_power_of_two();
        let longer = period_ns.ilog2().saturating_sub(self.shift);
        self.shift += longer;
        if self.places.is_empty() {
            self.places = vec![Place::default(); self.count].into();
        }
        for place in &mut self.places {
            place.period = place.period.checked_shr(longer).unwrap_or(0);
        }
    }

    /// Bytes of memory.
    #[must_use]
    pub fn allocated_bytes(&self) -> usize {
        size_of_val(&*self.places)
    }

    /// Whether the four-tuple with this hash may step so far; if so, it is counted.
    #[inline]
    pub fn take(&mut self, hash: u64, step: u32, now: Instant) -> bool {
        let period = (now.as_nanos() >> self.shift) as u32;
        let mask = self.places.len().wrapping_sub(1);
        let Some(place) = self.places.get_mut(hash as usize & mask) else {
            return false;
        };
        if place.period != period {
            *place = Place { period, steps: 0 };
        }
        let steps = place.steps.saturating_add(step);
        let may = steps < self.most;
        if may {
            place.steps = steps;
        }
        may
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn covering(mut limit: StepLimit, ms: u32) -> StepLimit {
        limit.cover(ms);
        limit
    }

    #[test]
    fn what_is_refused_costs_nothing() {
        let mut limit = covering(StepLimit::clocks(), 30_000);
        for _ in 0..10_000 {
            assert!(!limit.take(1, 1 << 27, Instant::ZERO));
        }
        assert!(limit.take(1, (1 << 27) - 1, Instant::ZERO));
        assert!(!limit.take(1, 1, Instant::ZERO));
        assert!(limit.take(2, 1, Instant::ZERO), "another place");
        assert!(!StepLimit::clocks().take(0, 0, Instant::ZERO));
    }

    #[test]
    fn small_steps_are_never_refused() {
        let mut limit = StepLimit::ticks();
        for _ in 0..5_000_000 {
            assert!(limit.take(7, 102, Instant::from_millis(999)));
        }
    }

    #[test]
    fn a_longer_time_forgets_nothing() {
        let mut limit = covering(StepLimit::fast_clocks(1 << 20), 30_000);
        let at = Instant::from_millis(1_000_000);
        assert!(limit.take(1, (1 << 28) - 1, at));
        limit.cover(10);
        limit.cover(120_000);
        assert!(!limit.take(1, 1, at));
        // Nor does it keep for longer than it must.
        assert!(limit.take(1, 1, at.plus_millis(140_000)));
    }

    #[test]
    fn honest_fast_clocks_are_not_refused_at_scale() {
        // Four-tuples of a full table of 16 Mi at a million connections a second, TIME-WAIT of 240 s: each step is in doubt by up to a
        // tick of 1.5 s.
        const TUPLES: u64 = 1 << 24;
        let mut limit = covering(StepLimit::fast_clocks(TUPLES as usize), 120_000);
        let mut random = 1u64;
        let place = limit.places.len() as u64;
        let hashes = TUPLES / place;
        for lap in 0..30 {
            for n in 0..hashes {
                random = random.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
                let step = (random >> 33) as u32 % 1_500_000;
                let at = Instant::from_millis(lap * 17_000 + n);
                assert!(limit.take(n * place, step, at), "{lap} {n}");
            }
        }
    }

    proptest! {
        /// Whatever is asked when, less than twice the limit is allowed within any time of the given length.
        #[test]
        fn no_time_of_that_length_sees_twice_the_limit(
            ms in 1u64..=1_500,
            asked in prop::collection::vec((0u64..=2_000, 1u32..=1 << 20), 1..40),
        ) {
            let most = 1u32 << 22;
            let mut limit = covering(StepLimit::new(8, 2 * u64::from(most)), ms as u32);
            let mut taken: Vec<(u64, u64)> = Vec::new();
            let mut us = 0;
            for (wait_ms, step) in asked {
                us += wait_ms * 1_000;
                for _ in 0..1_000 {
                    us += 10;
                    if limit.take(3, step, Instant::from_nanos(us * 1_000)) {
                        taken.push((us, u64::from(step)));
                    }
                }
            }
            let (mut first, mut sum) = (0, 0);
            for &(at, step) in &taken {
                sum += step;
                while taken[first].0 + ms * 1_000 <= at {
                    sum -= taken[first].1;
                    first += 1;
                }
                prop_assert!(sum < 2 * u64::from(most), "{sum} at {at}");
            }
        }
    }
}
