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
    /// A power of two of them.
    places: Box<[Place]>,
    /// A period has 2^`shift` nanoseconds.
    shift: u32,
    most: u32,
}

impl StepLimit {
    /// For the sequence numbers of peers that repeat their timestamp.
    ///
    /// Within one tick of the peer's clock numbers alone tell incarnations apart. An incarnation's own text moves its space by less
    /// than 2^31 in a tick (RFC 7323 5.4), and a tick lasts a second at most; what SYNs skip beyond RCV.NXT is counted here, and
    /// comes to less than 2^30 in any second. Both together are less than the circle by more than any two windows, as long as
    /// those are smaller than 2^29. A SYN skips a hundred numbers as a rule, and 65,537 at most, so that a place lasts for
    /// thousands a second.
    #[must_use]
    pub fn ticks() -> StepLimit {
        StepLimit::new(1_024, 1_000, 1 << 29)
    }

    /// For the timestamps of peers beyond what time has surely gone on by, as far as a clock of a millisecond might have: less than
    /// 2^28 in any MSL.
    ///
    /// Such a clock goes on by 375 in what TIME-WAIT's age is in doubt by where that lasts for 60 s: a place has room for
    /// 350,000 of those. It is small, so that it stays near: each SYN that comes back sooner than that looks here.
    #[must_use]
    pub fn clocks(msl_ms: u32) -> StepLimit {
        StepLimit::new(4_096, msl_ms, 1 << 27)
    }

    /// The same as far as a clock of a microsecond might have, which is a thousand times as far: less than 2^28 in any MSL. A place
    /// has room for 350, and one in 65,536 four-tuples shares it.
    #[must_use]
    pub fn fast_clocks(msl_ms: u32) -> StepLimit {
        StepLimit::new(65_536, msl_ms, 1 << 27)
    }

    /// Allows nothing, and takes no memory.
    #[must_use]
    pub fn none() -> StepLimit {
        StepLimit {
            places: Box::default(),
            shift: 0,
            most: 0,
        }
    }

    /// `places` is a power of two. In any `ms` milliseconds steps come to less than twice `most`.
    fn new(places: usize, ms: u32, most: u32) -> StepLimit {
        let period_ns = (u64::from(ms.max(1)) * 1_000_000).next_power_of_two();
        StepLimit {
            places: vec![Place::default(); places].into(),
            shift: period_ns.ilog2(),
            most,
        }
    }

    /// Whether it holds for an MSL of so many milliseconds.
    #[must_use]
    pub fn covers(&self, msl_ms: u32) -> bool {
        u64::from(msl_ms) * 1_000_000 <= 1 << self.shift && !self.places.is_empty()
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

    #[test]
    fn what_is_refused_costs_nothing() {
        let mut limit = StepLimit::clocks(30_000);
        for _ in 0..10_000 {
            assert!(!limit.take(1, 1 << 27, Instant::ZERO));
        }
        assert!(limit.take(1, (1 << 27) - 1, Instant::ZERO));
        assert!(!limit.take(1, 1, Instant::ZERO));
        assert!(limit.take(2, 1, Instant::ZERO), "another place");
        assert!(!StepLimit::none().take(0, 0, Instant::ZERO));
    }

    #[test]
    fn small_steps_are_never_refused() {
        let mut limit = StepLimit::ticks();
        for _ in 0..5_000_000 {
            assert!(limit.take(7, 102, Instant::from_millis(999)));
        }
    }

    #[test]
    fn it_says_what_it_covers() {
        assert!(StepLimit::clocks(30_000).covers(30_000));
        assert!(!StepLimit::clocks(30_000).covers(120_000));
        assert!(!StepLimit::none().covers(0));
    }

    proptest! {
        /// Whatever is asked when, less than twice the limit is allowed within any time of the given length.
        #[test]
        fn no_time_of_that_length_sees_twice_the_limit(
            ms in 1u64..=1_500,
            asked in prop::collection::vec((0u64..=2_000, 1u32..=1 << 20), 1..40),
        ) {
            let most = 1 << 22;
            let mut limit = StepLimit::new(8, ms as u32, most);
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
