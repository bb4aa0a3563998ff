//! Sequence numbers (RFC 9293 3.4): a type with wrapping comparison, so that no raw `u32 <` is
//! ever applied to a value from the wire.

use core::fmt;
use core::ops::{Add, AddAssign, Sub};

/// A TCP sequence or acknowledgment number: arithmetic is modulo 2^32 (RFC 9293 3.4).
///
/// There is no `Ord`: sequence numbers are ordered only relative to each other and only within
/// half of the space. Use [`Seq::lt`], [`Seq::le`], [`Seq::gt`], [`Seq::ge`] and [`Seq::since`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
#[repr(transparent)]
pub struct Seq(pub u32);

impl Seq {
    /// `self < other`: `other` is 1 to 2^31 - 1 ahead, or exactly 2^31 away.
    #[inline]
    #[must_use]
    pub const fn lt(self, other: Seq) -> bool {
        (self.0.wrapping_sub(other.0) as i32) < 0
    }

    /// `self =< other`.
    #[inline]
    #[must_use]
    pub const fn le(self, other: Seq) -> bool {
        self.0 == other.0 || self.lt(other)
    }

    /// `self > other`: `self` is 1 to 2^31 - 1 ahead. A distance of exactly 2^31 is not greater.
    #[inline]
    #[must_use]
    pub const fn gt(self, other: Seq) -> bool {
        (self.0.wrapping_sub(other.0) as i32) > 0
    }

    /// `self >= other`.
    #[inline]
    #[must_use]
    pub const fn ge(self, other: Seq) -> bool {
        (self.0.wrapping_sub(other.0) as i32) >= 0
    }

    /// The signed distance from `earlier` to `self`: positive when `self` is ahead.
    #[inline]
    #[must_use]
    pub const fn since(self, earlier: Seq) -> i32 {
        self.0.wrapping_sub(earlier.0) as i32
    }

    /// The unsigned distance from `earlier` to `self`, modulo 2^32.
    #[inline]
    #[must_use]
    pub const fn offset_from(self, earlier: Seq) -> u32 {
        self.0.wrapping_sub(earlier.0)
    }

    /// `low =< self < low + len`, for any `len`.
    #[inline]
    #[must_use]
    pub const fn in_window(self, low: Seq, len: u32) -> bool {
        self.0.wrapping_sub(low.0) < len
    }

    /// The later of the two.
    #[inline]
    #[must_use]
    pub const fn max(self, other: Seq) -> Seq {
        if self.lt(other) { other } else { self }
    }

    /// The earlier of the two.
    #[inline]
    #[must_use]
    pub const fn min(self, other: Seq) -> Seq {
        if other.lt(self) { other } else { self }
    }
}

impl Add<u32> for Seq {
    type Output = Seq;
    #[inline]
    fn add(self, n: u32) -> Seq {
        Seq(self.0.wrapping_add(n))
    }
}

impl AddAssign<u32> for Seq {
    #[inline]
    fn add_assign(&mut self, n: u32) {
        self.0 = self.0.wrapping_add(n);
    }
}

impl Sub<u32> for Seq {
    type Output = Seq;
    #[inline]
    fn sub(self, n: u32) -> Seq {
        Seq(self.0.wrapping_sub(n))
    }
}

impl fmt::Debug for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests;
