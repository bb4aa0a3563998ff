//! `[tcp]`: the protocol's parameters, for every connection of the host.

use serde::Deserialize;

use super::quantity::{Bytes, Count, Millis};

/// The protocol.
#[derive(Deserialize, Clone, PartialEq, Debug)]
#[serde(deny_unknown_fields, default)]
pub struct Tcp {
    /// Maximum segment size announced, in bytes, 64 to 9176, at most `port.mtu` - 40. Default:
    /// `port.mtu` - 40.
    pub mss: Option<Count<64, 9176>>,
    /// Receive buffer of a connection: the largest window offered, 1k to 1G, at least 8k where the
    /// http application listens. Less is offered where `limits.receive_memory` is short. Default `"256k"`.
    pub rcv_buf: Bytes<1024, { 1 << 30 }>,
    /// Send buffer of a connection, 1k to 1G. Default `"256k"`.
    pub snd_buf: Bytes<1024, { 1 << 30 }>,
    /// Window scaling (RFC 7323 2). Default true.
    pub window_scaling: bool,
    /// Timestamps (RFC 7323 3): round-trip times, PAWS, and the proof that lets a tuple leave
    /// TIME-WAIT early. Default true.
    pub timestamps: bool,
    /// Selective acknowledgment (RFC 2018), and recovery from losses by it (RFC 6675). Default true.
    pub sack: bool,
    /// Send small segments at once, without Nagle's algorithm (RFC 9293 3.7.4). Default true.
    pub nodelay: bool,
    /// The longest that an acknowledgment waits for data to ride on, 0s to 500ms (RFC 9293
    /// 3.8.6.3). Default `"40ms"`. `"0s"`: none waits.
    pub delayed_ack: Millis<0, 500>,
    /// Retransmission time-out before there is a measurement (RFC 6298 2.1), 1ms to 1m. Default
    /// `"1s"`.
    pub rto_initial: Millis<1, 60_000>,
    /// Least retransmission time-out, 1ms to 1m. Default `"200ms"`, below RFC 6298 (2.4)'s 1 s.
    pub rto_min: Millis<1, 60_000>,
    /// Greatest retransmission time-out, 1s to 1h. Default `"60s"` (RFC 6298 2.5).
    pub rto_max: Millis<1_000, 3_600_000>,
    /// Retransmissions of a SYN-ACK before a half-open connection is forgotten, 0 to 15. Default 5.
    pub synack_retries: Count<0, 15>,
    /// Retransmissions of data before giving up, 1 to 30. Default 15.
    pub data_retries: Count<1, 30>,
    /// Data unacknowledged for so long ends the connection (RFC 9293 3.8.3), 0s to 24h. Default
    /// `"0s"`: only `data_retries` does.
    pub user_timeout: Millis<0, 86_400_000>,
    /// Initial congestion window in segments, 1 to 64. Default 10 (RFC 6928).
    pub initial_window: Count<1, 64>,
    /// How long FIN-WAIT-2 lasts once the application is gone, 1s to 1h. Default `"60s"`.
    pub fin_wait2_timeout: Millis<1_000, 3_600_000>,
    /// `[tcp.keepalive]`: probes of an idle connection (RFC 9293 3.8.4). Default: none.
    pub keepalive: Option<Keepalive>,
}

impl Default for Tcp {
    fn default() -> Tcp {
        Tcp {
            mss: None,
            rcv_buf: Bytes::of(256 << 10),
            snd_buf: Bytes::of(256 << 10),
            window_scaling: true,
            timestamps: true,
            sack: true,
            nodelay: true,
            delayed_ack: Millis::of(40),
            rto_initial: Millis::of(1_000),
            rto_min: Millis::of(200),
            rto_max: Millis::of(60_000),
            synack_retries: Count::of(5),
            data_retries: Count::of(15),
            user_timeout: Millis::of(0),
            initial_window: Count::of(10),
            fin_wait2_timeout: Millis::of(60_000),
            keepalive: None,
        }
    }
}

/// Keep-alive probes.
#[derive(Deserialize, Clone, Copy, PartialEq, Debug)]
#[serde(deny_unknown_fields, default)]
pub struct Keepalive {
    /// Silence before the first probe, 1s to 24h. Default `"2h"` (RFC 9293 MUST-28).
    pub idle: Millis<1_000, 86_400_000>,
    /// Time between probes, 1s to 1h. Default `"75s"`.
    pub interval: Millis<1_000, 3_600_000>,
    /// Unanswered probes that end the connection, 1 to 30. Default 9.
    pub count: Count<1, 30>,
}

impl Default for Keepalive {
    fn default() -> Keepalive {
        Keepalive {
            idle: Millis::of(7_200_000),
            interval: Millis::of(75_000),
            count: Count::of(9),
        }
    }
}
