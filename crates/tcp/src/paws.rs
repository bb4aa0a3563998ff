//! Protection against wrapped sequences, and TS.Recent (RFC 7323 section 5).

use wire::Seq;
use wire::tcp::{Header, Timestamps};

use crate::connection::{Connection, Flag};
use crate::time::Instant;

const AGE_SHIFT: u32 = 40;

/// A point in time in units of 2^40 ns (18 minutes), wrapping after 2.3 years.
#[inline]
pub(crate) fn age_clock(now: Instant) -> u16 {
    (now.as_nanos() >> AGE_SHIFT) as u16
}

/// 24 days in those units.
const TWENTY_FOUR_DAYS: u16 = ((24 * 86_400 * 1_000_000_000u64) >> AGE_SHIFT) as u16;

/// By how many ticks of the peer's the newest timestamp is ahead of TS.Recent: exact below 2^15, else up to 255 more, and never less, up
/// to 2^23.
///
/// TS.Recent is that of the first segment that is not acknowledged (RFC 7323 4.3). Where the delay of acknowledgments lets more
/// follow, theirs may be newer, and it is they that TIME-WAIT has to tell a next connection's from.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Ahead(u16);

impl Ahead {
    const COARSE: u16 = 1 << 15;
    const COARSE_SHIFT: u32 = 8;

    fn of(ticks: u32) -> Ahead {
        if ticks < Ahead::COARSE.into() {
            return Ahead(ticks as u16);
        }
        let units = ticks.div_ceil(1 << Ahead::COARSE_SHIFT);
        Ahead(Ahead::COARSE | units.min(u32::from(Ahead::COARSE) - 1) as u16)
    }

    #[inline]
    fn ticks(self) -> u32 {
        if self.0 < Ahead::COARSE {
            return self.0.into();
        }
        u32::from(self.0 & !Ahead::COARSE) << Ahead::COARSE_SHIFT
    }
}

impl Connection {
    /// Whether PAWS rejects a segment with `ts`, which is not a RST.
    #[inline]
    pub(crate) fn paws_rejects(&self, now: Instant, ts: Timestamps) -> bool {
        //= RFC 7323 5.3
        //# R1)  If there is a Timestamps option in the arriving segment, SEG.TSval < TS.Recent,
        //# TS.Recent is valid (see later discussion), and if the RST bit is not set, then treat the
        //# arriving segment as not acceptable
        if !Seq(ts.val).lt(Seq(self.ts_recent)) {
            return false;
        }
        // RFC 7323 5.5: after 24 days of silence a clock of 1 ms may have gone half way round, and
        // TS.Recent says nothing any more.
        age_clock(now).wrapping_sub(self.ts_recent_at) <= TWENTY_FOUR_DAYS
    }

    /// Takes TSval of a segment that PAWS has let through, if the connection has timestamps.
    #[inline]
    pub(crate) fn update_ts_recent(&mut self, now: Instant, h: &Header) {
        //= RFC 7323 5.3
        //# R3)  If an arriving segment satisfies SEG.TSval >= TS.Recent and SEG.SEQ <= Last.ACK.sent
        //# (see Section 4.3), then record its timestamp in TS.Recent.
        //
        // A TSval that passed PAWS and is smaller is believed because TS.Recent was stale.
        if let Some(ts) = h.options.timestamps
            && self.flags.contains(Flag::TIMESTAMPS)
        {
            if h.seq.le(self.last_ack_sent) {
                if self.ts_ahead != Ahead::default() {
                    self.ts_ahead = self.ahead_of(ts.val);
                }
                self.ts_recent = ts.val;
                self.ts_recent_at = age_clock(now);
            } else if Seq(ts.val).gt(Seq(self.ts_newest())) {
                self.ts_ahead = Ahead::of(ts.val.wrapping_sub(self.ts_recent));
            }
        }
    }

    /// How far ahead of `ts_recent`, TS.Recent from now on, the newest timestamp is.
    #[cold]
    fn ahead_of(&self, ts_recent: u32) -> Ahead {
        if Seq(ts_recent).lt(Seq(self.ts_recent)) {
            // What was stale is forgotten.
            return Ahead::default();
        }
        let ahead = Seq(self.ts_newest()).since(Seq(ts_recent));
        Ahead::of(ahead.max(0) as u32)
    }

    /// The newest timestamp of the peer's.
    #[inline]
    pub(crate) fn ts_newest(&self) -> u32 {
        self.ts_recent.wrapping_add(self.ts_ahead.ticks())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_newest_is_never_taken_for_older(ticks in 0u32..1 << 23) {
            let kept = Ahead::of(ticks).ticks();
            prop_assert!(kept >= ticks.min((1 << 23) - 256), "{kept}");
            prop_assert!(kept <= ticks + if ticks < 1 << 15 { 0 } else { 255 }, "{kept}");
        }
    }

    #[test]
    fn beyond_what_it_can_hold_it_is_the_most() {
        let most = Ahead::of(u32::MAX).ticks();
        assert_eq!(most, (1 << 23) - 256);
        assert_eq!(Ahead::of(0), Ahead::default());
    }
}
