//! A token bucket: so many replies a second, a tenth of a second's worth at once.

use tcp::time::Instant;

/// A budget for replies that somebody else provokes (RFC 1122 3.2.2, RFC 5961 7).
#[derive(Debug)]
pub(crate) struct RateLimit {
    per_second: u64,
    tokens: u64,
    last: Instant,
}

impl RateLimit {
    pub(crate) fn new(per_second: u32) -> RateLimit {
        let per_second = u64::from(per_second);
        RateLimit {
            per_second,
            tokens: Self::burst(per_second),
            last: Instant::ZERO,
        }
    }

    fn burst(per_second: u64) -> u64 {
        (per_second / 10).max(1)
    }

    /// Takes one token if there is one.
    pub(crate) fn allow(&mut self, now: Instant) -> bool {
        if self.per_second == 0 {
            return false;
        }
        let elapsed_us = now.as_micros().saturating_sub(self.last.as_micros());
        let earned = (elapsed_us.min(1_000_000)) * self.per_second / 1_000_000;
        if earned > 0 {
            self.tokens = (self.tokens + earned).min(Self::burst(self.per_second));
            self.last = now;
        }
        if self.tokens == 0 {
            return false;
        }
        self.tokens -= 1;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_then_the_rate() {
        let mut limit = RateLimit::new(100);
        let t0 = Instant::from_millis(5_000);
        let at_once = (0..1000).filter(|_| limit.allow(t0)).count();
        assert_eq!(at_once, 10);
        let later: usize = (1..=1000u64)
            .filter(|ms| limit.allow(t0.plus_millis(*ms)))
            .count();
        assert!((99..=101).contains(&later), "{later}");
    }

    #[test]
    fn zero_is_silence() {
        let mut limit = RateLimit::new(0);
        assert!(!limit.allow(Instant::from_millis(1)));
    }
}
