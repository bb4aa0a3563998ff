//! The round-trip time and the retransmission timeout (RFC 6298).

use wire::Seq;

use crate::Config;

/// Clock granularity G, in microseconds: timers are served to about a millisecond.
const G: u64 = 1_000;

/// The estimator, and the one segment being timed.
#[derive(Clone, Debug)]
#[repr(C)]
pub(crate) struct Rtt {
    /// SRTT in microseconds; 0 before the first measurement.
    pub(crate) srtt_us: u32,
    /// RTTVAR in microseconds.
    pub(crate) rttvar_us: u32,
    /// RTO in microseconds, not backed off.
    pub(crate) rto_us: u32,
    /// The acknowledgment that ends the measurement.
    pub(crate) timed_end: Seq,
    /// When the timed segment was sent: microseconds, wrapping.
    pub(crate) timed_at_us: u32,
}

impl Rtt {
    pub(crate) fn new(config: &Config) -> Rtt {
        //= RFC 6298 2.1
        //# Until a round-trip time (RTT) measurement has been made for a segment sent between the
        //# sender and receiver, the sender SHOULD set RTO <- 1 second
        Rtt {
            srtt_us: 0,
            rttvar_us: 0,
            rto_us: config.rto_initial_ms.saturating_mul(1_000),
            timed_end: Seq(0),
            timed_at_us: 0,
        }
    }

    /// Takes a measurement R, in microseconds.
    pub(crate) fn sample(&mut self, config: &Config, r: u32) {
        let micros = |ms: u32| u64::from(ms) * 1_000;
        let (rto_min, rto_max) = (micros(config.rto_min_ms), micros(config.rto_max_ms));
        // Longer than any timeout tells nothing more, and keeps the arithmetic below in 32 bits.
        let r = u64::from(r.max(1)).min(rto_max) as u32;
        if self.srtt_us == 0 {
            //= RFC 6298 2.2
            //# SRTT <- R
            //# RTTVAR <- R/2
            self.srtt_us = r;
            self.rttvar_us = r / 2;
        } else {
            //= RFC 6298 2.3
            //# RTTVAR <- (1 - beta) * RTTVAR + beta * |SRTT - R'|
            //# SRTT <- (1 - alpha) * SRTT + alpha * R'
            self.rttvar_us = self.rttvar_us - self.rttvar_us / 4 + self.srtt_us.abs_diff(r) / 4;
            self.srtt_us = (self.srtt_us - self.srtt_us / 8 + r / 8).max(1);
        }
        //= RFC 6298 2.3
        //# RTO <- SRTT + max (G, K*RTTVAR)
        let rto = u64::from(self.srtt_us) + (u64::from(self.rttvar_us) * 4).max(G);
        // At most 2,000 s.
        self.rto_us = rto.clamp(rto_min, rto_max) as u32;
    }

    /// The timeout after `backoff` doublings, in microseconds.
    #[inline]
    pub(crate) fn rto_backed_off_us(&self, config: &Config, backoff: u8) -> u64 {
        //= RFC 6298 5.5
        //# The host MUST set RTO <- RTO * 2 ("back off the timer").  The maximum value discussed in
        //# (2.5) above may be used to provide an upper bound to this doubling operation.
        let rto = u64::from(self.rto_us) << backoff.min(24);
        rto.min(u64::from(config.rto_max_ms) * 1_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_measurement_sets_and_later_ones_smooth() {
        let config = Config::default();
        let mut rtt = Rtt::new(&config);
        assert_eq!(rtt.rto_us, 1_000_000);
        rtt.sample(&config, 400_000);
        assert_eq!(
            (rtt.srtt_us, rtt.rttvar_us, rtt.rto_us),
            (400_000, 200_000, 1_200_000)
        );
        rtt.sample(&config, 800_000);
        assert_eq!((rtt.srtt_us, rtt.rttvar_us), (450_000, 250_000));
        assert_eq!(rtt.rto_us, 1_450_000);
    }

    #[test]
    fn bounds_hold_for_any_measurement() {
        let config = Config::default();
        let mut rtt = Rtt::new(&config);
        for r in [0, 1, 5, u32::MAX, u32::MAX, 0, 1 << 31, 7] {
            rtt.sample(&config, r);
            assert!((200_000..=60_000_000).contains(&rtt.rto_us));
            assert!(rtt.srtt_us >= 1);
        }
    }

    #[test]
    fn backing_off_doubles_up_to_the_maximum() {
        let config = Config::default();
        let rtt = Rtt::new(&config);
        assert_eq!(rtt.rto_backed_off_us(&config, 0), 1_000_000);
        assert_eq!(rtt.rto_backed_off_us(&config, 3), 8_000_000);
        assert_eq!(rtt.rto_backed_off_us(&config, 255), 60_000_000);
    }
}
