//! The worker's clock: the time stamp counter, read once per turn, as nanoseconds.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use dpdk::{Eal, tsc};
use tcp::time::Instant;

/// Binary digits after the point of the factor from ticks to nanoseconds.
const FRACTION_BITS: u32 = 40;

/// Turns ticks of the time stamp counter into [`Instant`]s. One for all workers of a host: copies
/// agree on the origin.
///
/// The counter must run at one rate and be the same on all cores, as on every x86-64 CPU of the
/// last decade (`constant_tsc` and `nonstop_tsc` in `/proc/cpuinfo`).
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    /// The counter at [`Instant::ZERO`].
    zero: u64,
    /// Nanoseconds per tick, with [`FRACTION_BITS`] after the point.
    ns_per_tick: u64,
    hz: u64,
    real_time_at_zero_ns: u64,
}

impl Clock {
    /// A clock whose origin is now. Reads the system's real-time clock, once.
    #[must_use]
    pub fn start(eal: &Eal) -> Clock {
        let real = SystemTime::now().duration_since(UNIX_EPOCH);
        let real = real.map_or(0, |d| u64::try_from(d.as_nanos()).unwrap_or(u64::MAX));
        Clock::new(tsc(), eal.tsc_hz(), real)
    }

    /// A clock that is at [`Instant::ZERO`] when the counter is at `zero` and counts `hz` ticks a
    /// second, at least a million.
    fn new(zero: u64, hz: u64, real_time_at_zero_ns: u64) -> Clock {
        let hz = hz.max(1_000_000);
        Clock {
            zero,
            // At most 1000 << 40, so it fits. Cutting off the rest makes the clock slow by less
            // than 10^-11.
            ns_per_tick: ((1_000_000_000u128 << FRACTION_BITS) / u128::from(hz)) as u64,
            hz,
            real_time_at_zero_ns,
        }
    }

    /// The time when the counter shows `tsc`; the origin if that was before it.
    #[inline]
    #[must_use]
    pub fn at(&self, tsc: u64) -> Instant {
        let ticks = match tsc.wrapping_sub(self.zero) {
            // Another core's counter may be a few ticks behind.
            behind if behind > u64::MAX / 2 => 0,
            ticks => ticks,
        };
        Instant::from_nanos(self.to_ns(ticks))
    }

    /// The time now. For control threads; workers read the counter once per turn.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.at(tsc())
    }

    /// `ticks` in nanoseconds.
    #[inline]
    #[must_use]
    pub fn to_ns(&self, ticks: u64) -> u64 {
        ((u128::from(ticks) * u128::from(self.ns_per_tick)) >> FRACTION_BITS) as u64
    }

    /// `duration` in ticks.
    #[must_use]
    pub fn to_ticks(&self, duration: Duration) -> u64 {
        let ticks = duration.as_nanos() * u128::from(self.hz) / 1_000_000_000;
        u64::try_from(ticks).unwrap_or(u64::MAX)
    }

    /// Real time at [`Instant::ZERO`], in nanoseconds since 1970, for
    /// [`stack::Config::real_time_at_zero_ns`].
    #[must_use]
    pub fn real_time_at_zero_ns(&self) -> u64 {
        self.real_time_at_zero_ns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_year_is_a_year() {
        for hz in [1_000_000, 1_000_000_000, 2_593_906_311, 5_000_000_000] {
            let clock = Clock::new(7, hz, 0);
            let year = 365 * 86_400;
            let ns = clock.at(7 + year * hz).as_nanos();
            let off = (year * 1_000_000_000).abs_diff(ns);
            assert!(off < 1_000_000, "{hz} Hz: {off} ns off in a year");
        }
    }

    #[test]
    fn monotonic_and_never_before_the_origin() {
        let clock = Clock::new(1_000, 3_000_000_000, 5);
        assert_eq!(clock.at(999), Instant::ZERO);
        assert_eq!(clock.at(1_000), Instant::ZERO);
        let mut last = Instant::ZERO;
        for tsc in (1_000..100_000).step_by(7) {
            assert!(clock.at(tsc) >= last);
            last = clock.at(tsc);
        }
        assert_eq!(clock.real_time_at_zero_ns(), 5);
    }

    #[test]
    fn the_counter_may_wrap() {
        let clock = Clock::new(u64::MAX - 10, 1_000_000_000, 0);
        let off = clock.at(989).as_nanos().abs_diff(1_000);
        assert!(off <= 1, "{off}");
    }

    #[test]
    fn there_and_back() {
        let clock = Clock::new(0, 2_100_000_000, 0);
        let ticks = clock.to_ticks(Duration::from_micros(100));
        assert_eq!(ticks, 210_000);
        assert!(clock.to_ns(ticks).abs_diff(100_000) <= 1);
    }
}
