//! What can be chosen about a connection: the user's parameters of OPEN (RFC 9293 3.10.1) and the
//! protocol's tunable constants.

use core::fmt;

/// Parameters of connections, shared by all of one listener or destination.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Config {
    /// The MSS option that we send, in bytes: the MTU less 40 (IPv4) or 60 (IPv6). Also caps what we
    /// send. 64 to 65,495. Default 1460.
    pub mss: u16,
    /// The peer's MSS if its SYN has no MSS option, in bytes: 536 for IPv4, 1220 for IPv6
    /// (RFC 9293 MUST-15). Default 536.
    pub default_mss: u16,
    /// RCV.BUFF: the largest receive window and the most unread bytes held, but for the rounding of
    /// a scaled window: less than 2^Rcv.Wind.Shift bytes more. 1 to 2^30.
    /// Without window scaling at most 65,535 are announced. Default 64 KiB.
    pub rcv_buf: u32,
    /// The most bytes held that are not sent or not acknowledged. 1 to 2^30. Default 64 KiB.
    pub snd_buf: u32,
    /// Offer and accept window scaling (RFC 7323 section 2). Default true.
    pub window_scaling: bool,
    /// Offer and accept timestamps, and with them PAWS (RFC 7323 sections 3 and 5). Default true.
    pub timestamps: bool,
    /// Offer and accept selective acknowledgment (RFC 2018), and recover from losses by it (RFC 6675).
    /// Default true.
    pub sack: bool,
    /// Send small segments at once: Nagle's algorithm off (RFC 9293 MUST-17). Default false.
    pub nodelay: bool,
    /// How long an acknowledgment may wait for data to ride on, in ms; 0 acknowledges every
    /// segment at once. At most 500 (RFC 9293 MUST-40). Default 40.
    pub delayed_ack_ms: u16,
    /// Initial congestion window in segments of at most 1460 bytes (RFC 6928: 10). 1 to 64.
    pub initial_window: u8,
    /// The retransmission timeout before the first measurement, in ms (RFC 6298 2.1). Default 1000.
    pub rto_initial_ms: u32,
    /// The least retransmission timeout, in ms. Default 200, which is what hosts use: a deviation
    /// from the SHOULD of RFC 6298 2.4 (1 s), safe with delayed acknowledgments up to 200 ms.
    pub rto_min_ms: u32,
    /// The greatest retransmission timeout, in ms, backed off (RFC 6298 2.5: at least 60 s).
    /// Default 60,000.
    pub rto_max_ms: u32,
    /// Retransmissions of our SYN before an active open fails. Default 7: 255 s at the initial
    /// timeout, as RFC 9293 MUST-23 asks for at least three minutes.
    pub syn_retries: u8,
    /// Retransmissions of a SYN-ACK before a passive open is forgotten. Default 5 (63 s): shorter than
    /// MUST-23, because the peer retransmits its SYN and a half-open connection is a target.
    pub synack_retries: u8,
    /// R2 (RFC 9293 3.8.3): successive retransmissions of data or FIN, or unanswered window
    /// probes, before the connection is given up. Default 15.
    pub data_retries: u8,
    /// The user timeout, in ms (RFC 9293 3.8.3): data unacknowledged for longer, sent or kept back
    /// by the peer's window, ends the connection; 0 leaves it to `data_retries`. Default 0.
    pub user_timeout_ms: u32,
    /// Keep-alive probes on idle connections; off by default (RFC 9293 MUST-25).
    pub keepalive: Option<Keepalive>,
    /// How long a connection that the application has closed waits in FIN-WAIT-2 for the peer's FIN, in
    /// ms; 0 waits for ever. Default 60,000.
    pub fin_wait2_timeout_ms: u32,
    /// Whether a segment whose acknowledgment is older than what the peer's largest window explains is
    /// dropped (RFC 5961 5.2, RFC 9293 MAY-12).
    pub ack_check: bool,
    /// CLOSE aborts: a RST instead of a FIN, and no TIME-WAIT (SO_LINGER with time 0). Default
    /// false.
    pub linger_zero: bool,
}

/// Keep-alive (RFC 9293 3.8.4).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Keepalive {
    /// Silence before the first probe, in ms. Default two hours (RFC 9293 MUST-28).
    pub idle_ms: u32,
    /// Between probes, in ms. Default 75,000.
    pub interval_ms: u32,
    /// Unanswered probes before the connection is given up. Default 9.
    pub count: u8,
}

impl Default for Keepalive {
    fn default() -> Keepalive {
        Keepalive {
            idle_ms: 7_200_000,
            interval_ms: 75_000,
            count: 9,
        }
    }
}

impl Default for Config {
    fn default() -> Config {
        Config {
            mss: 1460,
            default_mss: 536,
            rcv_buf: 64 << 10,
            snd_buf: 64 << 10,
            window_scaling: true,
            timestamps: true,
            sack: true,
            nodelay: false,
            delayed_ack_ms: 40,
            initial_window: 10,
            rto_initial_ms: 1000,
            rto_min_ms: 200,
            rto_max_ms: 60_000,
            syn_retries: 7,
            synack_retries: 5,
            data_retries: 15,
            user_timeout_ms: 0,
            keepalive: None,
            fin_wait2_timeout_ms: 60_000,
            ack_check: true,
            linger_zero: false,
        }
    }
}

/// What is wrong with a [`Config`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ConfigError {
    /// `mss` or `default_mss` is out of range.
    Mss,
    /// `rcv_buf` or `snd_buf` is out of range.
    Buffer,
    /// `delayed_ack_ms` is above 500.
    DelayedAck,
    /// `initial_window` is out of range.
    InitialWindow,
    /// Not 1 =< `rto_min_ms` =< `rto_initial_ms` =< `rto_max_ms` =< 2,000,000.
    Rto,
    /// A keep-alive time or count is zero.
    Keepalive,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ConfigError::Mss => "mss and default_mss must be 64 to 65495",
            ConfigError::Buffer => "rcv_buf and snd_buf must be 1 to 2^30",
            ConfigError::DelayedAck => "delayed_ack_ms must not exceed 500 (RFC 9293 MUST-40)",
            ConfigError::InitialWindow => "initial_window must be 1 to 64",
            ConfigError::Rto => {
                "required: 1 <= rto_min_ms <= rto_initial_ms <= rto_max_ms <= 2000000"
            }
            ConfigError::Keepalive => "keepalive idle_ms, interval_ms and count must not be 0",
        })
    }
}

impl core::error::Error for ConfigError {}

/// The least MSS that is believed, in bytes: an option below it would make a peer's small packets
/// our large cost (what Linux calls `tcp_min_snd_mss` guards against the same).
pub(crate) const MIN_MSS: u16 = 64;

impl Config {
    /// Whether every value is in its range.
    ///
    /// # Errors
    /// The first that is not.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let mss = MIN_MSS..=65_495;
        let buf = 1..=1u32 << 30;
        if !mss.contains(&self.mss) || !mss.contains(&self.default_mss) {
            return Err(ConfigError::Mss);
        }
        if !buf.contains(&self.rcv_buf) || !buf.contains(&self.snd_buf) {
            return Err(ConfigError::Buffer);
        }
        if self.delayed_ack_ms > 500 {
            return Err(ConfigError::DelayedAck);
        }
        if !(1..=64).contains(&self.initial_window) {
            return Err(ConfigError::InitialWindow);
        }
        let rto = [
            1,
            self.rto_min_ms,
            self.rto_initial_ms,
            self.rto_max_ms,
            2_000_000,
        ];
        if !rto.is_sorted() {
            return Err(ConfigError::Rto);
        }
        match self.keepalive {
            Some(k) if k.idle_ms == 0 || k.interval_ms == 0 || k.count == 0 => {
                Err(ConfigError::Keepalive)
            }
            _ => Ok(()),
        }
    }

    /// Rcv.Wind.Shift: the least shift that makes all of `rcv_buf` expressible (RFC 7323 2.2).
    #[must_use]
    pub const fn rcv_wind_shift(&self) -> u8 {
        let mut shift = 0;
        while shift < 14 && self.rcv_buf >> shift > 65_535 {
            shift += 1;
        }
        shift
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_valid() {
        assert_eq!(Config::default().validate(), Ok(()));
    }

    #[test]
    fn each_error_is_found() {
        let bad = |change: fn(&mut Config)| {
            let mut c = Config::default();
            change(&mut c);
            c.validate().unwrap_err()
        };
        assert_eq!(bad(|c| c.mss = 63), ConfigError::Mss);
        assert_eq!(bad(|c| c.default_mss = 0), ConfigError::Mss);
        assert_eq!(bad(|c| c.rcv_buf = 0), ConfigError::Buffer);
        assert_eq!(bad(|c| c.snd_buf = (1 << 30) + 1), ConfigError::Buffer);
        assert_eq!(bad(|c| c.delayed_ack_ms = 501), ConfigError::DelayedAck);
        assert_eq!(bad(|c| c.initial_window = 0), ConfigError::InitialWindow);
        assert_eq!(bad(|c| c.rto_min_ms = 1001), ConfigError::Rto);
        assert_eq!(bad(|c| c.rto_max_ms = 999), ConfigError::Rto);
        let k = Keepalive {
            count: 0,
            ..Keepalive::default()
        };
        let c = Config {
            keepalive: Some(k),
            ..Config::default()
        };
        assert_eq!(c.validate(), Err(ConfigError::Keepalive));
    }

    #[test]
    fn the_shift_covers_the_buffer() {
        for (rcv_buf, shift) in [(65_535, 0), (65_536, 1), (1 << 20, 5), (1 << 30, 14)] {
            let c = Config {
                rcv_buf,
                ..Config::default()
            };
            assert_eq!(c.rcv_wind_shift(), shift, "{rcv_buf}");
        }
    }
}
