//! The timestamp clock (RFC 7323 5.4).

use tcp::time::Instant;

/// The timestamp clock: milliseconds of real time, before the tuple's offset (RFC 7323 5.4). Everything
/// that happens in one turn happens at one time: it is divided for once, and not for every segment.
#[derive(Clone, Copy, Default)]
pub(crate) struct TsClock {
    real_time_at_zero_ns: u64,
    now: Instant,
    shows: u32,
}

impl TsClock {
    pub(crate) fn new(real_time_at_zero_ns: u64) -> TsClock {
        let mut clock = TsClock {
            real_time_at_zero_ns,
            ..TsClock::default()
        };
        clock.set(Instant::ZERO);
        clock
    }

    /// It is `now`, until this is called again.
    pub(crate) fn set(&mut self, now: Instant) {
        self.now = now;
        self.shows = (self.real_time_at_zero_ns.wrapping_add(now.as_nanos()) / 1_000_000) as u32;
    }

    /// What it shows, which is for `now`.
    #[inline(always)]
    pub(crate) fn at(&self, now: Instant) -> u32 {
        debug_assert_eq!(now, self.now, "the turn's time was not set");
        self.shows
    }
}
