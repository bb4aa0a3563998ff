//! How far four-tuples move on whose peer repeats its timestamp.
//!
//! Within one tick of the peer's clock numbers alone tell incarnations apart. An incarnation's own text moves its space by less
//! than 2^31 in a tick (RFC 7323 5.4), and a tick lasts a second at most; what SYNs skip beyond RCV.NXT is counted here, and comes
//! to less than 2^30 in any second. Both together are less than the circle by more than any two windows.
//!
//! Entries have no room for a count. It is kept by hash, in places that four-tuples share: where they do, both are allowed less,
//! the safe side. A SYN skips a hundred numbers as a rule, and 65,537 at most, so that a place lasts for thousands a second.

use super::bound::MAX_STEP;
use crate::time::Instant;

const PLACES: usize = 1024;

/// Numbers that may be skipped in each second as the clock counts them. Any second touches two of those.
const PER_SECOND: u32 = 1 << 29;

#[derive(Clone, Copy, Default, Debug)]
struct Place {
    /// Whose count this is, in the low bits.
    second: u32,
    skipped: u32,
}

/// The counts of one core.
#[derive(Debug)]
pub struct TickLimit(Box<[Place; PLACES]>);

impl Default for TickLimit {
    fn default() -> TickLimit {
        TickLimit(Box::new([Place::default(); PLACES]))
    }
}

impl TickLimit {
    /// Bytes of memory.
    #[must_use]
    pub fn allocated_bytes(&self) -> usize {
        size_of_val(&*self.0)
    }

    /// Whether a SYN of the four-tuple with this hash may begin `step` numbers beyond RCV.NXT, at most [`MAX_STEP`], although its
    /// timestamp is that of the connection before; if so, it is counted.
    #[inline]
    pub fn take(&mut self, hash: u64, step: u32, now: Instant) -> bool {
        let second = (now.as_millis() / 1_000) as u32;
        let place = &mut self.0[hash as usize % PLACES];
        if place.second != second {
            *place = Place { second, skipped: 0 };
        }
        let skipped = place.skipped.saturating_add(step);
        let may = step <= MAX_STEP && skipped < PER_SECOND;
        if may {
            place.skipped = skipped;
        }
        may
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_step_too_far_is_refused_and_costs_nothing() {
        let mut limit = TickLimit::default();
        for _ in 0..10_000 {
            assert!(!limit.take(1, MAX_STEP + 1, Instant::ZERO));
        }
        assert!(limit.take(1, MAX_STEP, Instant::ZERO));
    }

    #[test]
    fn small_steps_are_never_refused() {
        let mut limit = TickLimit::default();
        for _ in 0..5_000_000 {
            assert!(limit.take(7, 102, Instant::from_millis(999)));
        }
    }

    proptest! {
        /// Whatever is asked when, less than 2^30 is allowed within any second.
        #[test]
        fn no_second_sees_more_than_half_of_a_half(
            asked in prop::collection::vec((0u64..=2_000, MAX_STEP / 2..=MAX_STEP), 1..40),
        ) {
            let mut limit = TickLimit::default();
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
                while taken[first].0 + 1_000_000 <= at {
                    sum -= taken[first].1;
                    first += 1;
                }
                prop_assert!(sum < 1 << 30, "{sum} within a second at {at}");
            }
        }
    }
}
