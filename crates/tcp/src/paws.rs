//! Protection against wrapped sequences, and TS.Recent (RFC 7323 section 5).

use wire::Seq;
use wire::tcp::{Header, Timestamps};

use crate::connection::{Connection, Flag};
use crate::time::Instant;

/// A point in time in units of 2^30 ns (1.07 s), wrapping after 146 years.
#[inline]
pub(crate) fn age_clock(now: Instant) -> u32 {
    (now.as_nanos() >> 30) as u32
}

/// 24 days in units of 2^30 ns.
const TWENTY_FOUR_DAYS: u32 = ((24 * 86_400 * 1_000_000_000u64) >> 30) as u32;

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
            && h.seq.le(self.last_ack_sent)
        {
            self.ts_recent = ts.val;
            self.ts_recent_at = age_clock(now);
        }
    }
}
