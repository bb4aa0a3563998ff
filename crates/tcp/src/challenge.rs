//! The limit on challenge ACKs (RFC 5961 section 7).

use crate::time::Instant;

/// How many ACKs a core may send each second in answer to segments that are not acceptable.
///
/// One budget for all connections of the core. A constant global budget is a side channel: an
/// attacker off the path exhausts it and learns from the missing answers what is in a window
/// (CVE-2016-5696). So the budget of each second is drawn anew, between half the limit and the
/// limit.
#[derive(Clone, Debug)]
pub struct ChallengeLimit {
    limit: u32,
    left: u32,
    /// When the budget is drawn again.
    until: Instant,
    random: u64,
}

impl ChallengeLimit {
    /// At most `per_second` ACKs in any second of the caller's clock; 0 sends none. `seed` makes the
    /// budgets unpredictable.
    #[must_use]
    pub fn new(per_second: u32, seed: u64) -> ChallengeLimit {
        ChallengeLimit {
            limit: per_second,
            left: 0,
            until: Instant::ZERO,
            random: seed,
        }
    }

    /// Takes one from the budget; false if it is spent.
    pub fn take(&mut self, now: Instant) -> bool {
        if now >= self.until {
            self.until = now.plus_millis(1000);
            // Weyl sequence and multiply-xorshift: enough that the next budget is not known.
            self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut x = self.random;
            x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            let half = u64::from(self.limit / 2);
            let span = u64::from(self.limit) - half + 1;
            // half + (x mod span) <= limit, which is a u32.
            self.left = u32::try_from(half + (x >> 32) % span).unwrap_or(self.limit);
        }
        if self.left == 0 {
            return false;
        }
        self.left -= 1;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_second_has_its_own_bounded_budget() {
        let mut c = ChallengeLimit::new(100, 42);
        let mut budgets = Vec::new();
        for second in 0..50 {
            let now = Instant::from_millis(second * 1000);
            budgets.push((0..1000).filter(|_| c.take(now)).count());
        }
        assert!(
            budgets.iter().all(|b| (50..=100).contains(b)),
            "{budgets:?}"
        );
        budgets.sort_unstable();
        budgets.dedup();
        assert!(budgets.len() > 10, "budgets must differ: {budgets:?}");
    }

    #[test]
    fn zero_sends_none() {
        let mut c = ChallengeLimit::new(0, 1);
        assert!((0..10).all(|s| !c.take(Instant::from_millis(s * 1000))));
    }
}
