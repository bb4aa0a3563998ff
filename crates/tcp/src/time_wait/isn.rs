//! Initial sequence numbers after TIME-WAIT, on both sides.

use wire::Seq;

use super::rules::IssRule;

/// How far a new incarnation begins after the last one without timestamps: more than any unscaled
/// window, so that an acknowledgment of the old one lies below what the new one accepts (RFC 5961
/// 5.2), and so that servers of the 4.4BSD family, which want a SYN beyond their window, take it.
pub const GAP: u32 = 65_537;

/// The same with timestamps, which tell the incarnations apart themselves.
pub const GAP_WITH_TIMESTAMPS: u32 = 1;

/// ISS of a passive open that recycles a connection whose SND.NXT was `snd_nxt`. `clock_isn` is
/// the ISN that the clock gives the four-tuple (RFC 9293 3.4.1); `timestamps` says whether the new
/// incarnation uses them.
///
/// Under [`IssRule::Max`] never behind `snd_nxt`. That itself may be taken: the largest number used
/// was our FIN's, one less.
#[inline]
#[must_use]
pub fn iss(rule: IssRule, snd_nxt: Seq, clock_isn: Seq, timestamps: bool) -> Seq {
    match rule {
        //= RFC 9293 3.6.1
        //# assigns its initial sequence number for the new connection to be larger than the largest
        //# sequence number it used on the previous connection incarnation
        IssRule::Max if clock_isn.ge(snd_nxt) => clock_isn,
        IssRule::Max if timestamps => snd_nxt + GAP_WITH_TIMESTAMPS,
        IssRule::Max => snd_nxt + GAP,
        IssRule::Clock => clock_isn,
        IssRule::Gap(gap) => snd_nxt + gap,
    }
}

/// ISN of an active open of a four-tuple whose last connection ended with SND.NXT `last`: what the
/// clock gives if that is ahead by `gap` or more, else `last + gap`.
///
/// With a gap of 0 a server after RFC 6191 accepts, with 1 those too that want a number above
/// RCV.NXT (Linux, FreeBSD), with [`GAP`] those too that want one beyond their window.
///
/// Never `last - 1`: the server's answer to that SYN would look acceptable to its sender, who would
/// not send the RST that helps both out, and nothing more would happen.
#[inline]
#[must_use]
pub fn client_isn(last: Seq, clock_isn: Seq, gap: u32) -> Seq {
    let least = last + gap;
    // Ahead of `least`, and within the half of the space that is ahead of `last`.
    if clock_isn.ge(last) && clock_isn.ge(least) {
        clock_isn
    } else {
        least
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HALF: u32 = 1 << 31;

    #[test]
    fn iss_is_never_behind() {
        for snd_nxt in [0, 101, HALF, u32::MAX].map(Seq) {
            for (ahead, timestamps, expected) in [
                (0, false, 0),
                (1, true, 1),
                (HALF - 1, false, HALF - 1),
                (HALF, false, 65_537),
                (HALF, true, 1),
                (u32::MAX, false, 65_537),
                (u32::MAX, true, 1),
            ] {
                let clock = snd_nxt + ahead;
                let max = iss(IssRule::Max, snd_nxt, clock, timestamps);
                assert_eq!(max, snd_nxt + expected, "{ahead}");
                assert!(max.ge(snd_nxt));
                assert_eq!(iss(IssRule::Clock, snd_nxt, clock, timestamps), clock);
                let gap = iss(IssRule::Gap(5), snd_nxt, clock, timestamps);
                assert_eq!(gap, snd_nxt + 5);
            }
        }
    }

    #[test]
    fn client_isn_is_ahead_by_the_gap() {
        for last in [0, 301, HALF, u32::MAX].map(Seq) {
            for gap in [0, GAP_WITH_TIMESTAMPS, GAP] {
                for ahead in [
                    0,
                    1,
                    2,
                    65_536,
                    65_537,
                    65_538,
                    HALF - 1,
                    HALF,
                    HALF + 1,
                    u32::MAX,
                ] {
                    let isn = client_isn(last, last + ahead, gap);
                    let by_clock = ahead >= gap && ahead < HALF;
                    let expected = if by_clock { ahead } else { gap };
                    assert_eq!(isn.offset_from(last), expected, "{ahead} {gap}");
                    assert_ne!(isn + 1, last, "the black hole");
                }
            }
        }
    }
}
