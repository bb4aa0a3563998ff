//! Points in time, as the caller counts them.

use core::fmt;
use core::ops::Add;
use core::time::Duration;

/// Nanoseconds on a monotonic clock whose origin the caller chooses. 64 bits last 584 years.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[repr(transparent)]
pub struct Instant(u64);

impl Instant {
    /// The origin.
    pub const ZERO: Instant = Instant(0);
    /// Later than everything; used as "no deadline".
    pub const FAR_FUTURE: Instant = Instant(u64::MAX);

    /// `ns` nanoseconds after the origin.
    #[inline]
    #[must_use]
    pub const fn from_nanos(ns: u64) -> Instant {
        Instant(ns)
    }

    /// `ms` milliseconds after the origin.
    #[inline]
    #[must_use]
    pub const fn from_millis(ms: u64) -> Instant {
        Instant(ms.saturating_mul(1_000_000))
    }

    /// Nanoseconds since the origin.
    #[inline]
    #[must_use]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// Whole microseconds since the origin.
    #[inline]
    #[must_use]
    pub const fn as_micros(self) -> u64 {
        self.0 / 1_000
    }

    /// Whole milliseconds since the origin.
    #[inline]
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0 / 1_000_000
    }

    /// The time from `earlier` to `self`, zero if `earlier` is later.
    #[inline]
    #[must_use]
    pub const fn since(self, earlier: Instant) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// `self + ms` milliseconds, saturating.
    #[inline]
    #[must_use]
    pub const fn plus_millis(self, ms: u64) -> Instant {
        Instant(self.0.saturating_add(ms.saturating_mul(1_000_000)))
    }

    /// `self + us` microseconds, saturating.
    #[inline]
    #[must_use]
    pub const fn plus_micros(self, us: u64) -> Instant {
        Instant(self.0.saturating_add(us.saturating_mul(1_000)))
    }
}

impl Add<Duration> for Instant {
    type Output = Instant;
    fn add(self, d: Duration) -> Instant {
        Instant(
            self.0
                .saturating_add(u64::try_from(d.as_nanos()).unwrap_or(u64::MAX)),
        )
    }
}

impl fmt::Debug for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}.{:09}s",
            self.0 / 1_000_000_000,
            self.0 % 1_000_000_000
        )
    }
}
