//! `[limits]`, `[control]` and `[secrets]`: what is set aside at start, and what the control
//! thread does.

use std::path::PathBuf;

use serde::Deserialize;

use super::quantity::{Bytes, Count, Millis};

/// What each worker sets aside at start. Full is counted and refused, never a failure.
#[derive(Deserialize, Clone, PartialEq, Debug)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Live connections of a worker, TIME-WAIT apart, 1 to 16777216. Default 65536.
    pub connections: Count<1, { 1 << 24 }>,
    /// Bytes for data that applications have not read or that is out of order, 64k to 1024G. The last eighth
    /// is for connections that hold up to 4 KiB, or two segments. Of the rest, a window opens no further than
    /// the connection's share of what is free, a sixteenth where there are more than eight: `tcp.rcv_buf` is
    /// offered in full while 16 times as much is free, and where memory is short, peers wait for readers.
    /// What was promised before that and finds no room is dropped, and its sender told to wait. Default
    /// `"16M"`.
    pub receive_memory: Bytes<{ 1 << 16 }, { 1 << 40 }>,
    /// Bytes for data to be sent or not yet acknowledged, 64k to 1024G. Default `"16M"`.
    pub send_memory: Bytes<{ 1 << 16 }, { 1 << 40 }>,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            connections: Count::of(65_536),
            receive_memory: Bytes::of(16 << 20),
            send_memory: Bytes::of(16 << 20),
        }
    }
}

/// The control thread.
#[derive(Deserialize, Clone, PartialEq, Debug)]
#[serde(deny_unknown_fields, default)]
pub struct Control {
    /// Time between two lines of statistics, 0s to 1h. Default `"1s"`. `"0s"`: none.
    pub stats_interval: Millis<0, 3_600_000>,
    /// How long connections may take to finish after SIGINT or SIGTERM, 0s to 1h. Default
    /// `"5s"`. What is left then is reset.
    pub drain_timeout: Millis<0, 3_600_000>,
}

impl Default for Control {
    fn default() -> Control {
        Control {
            stats_interval: Millis::of(1_000),
            drain_timeout: Millis::of(5_000),
        }
    }
}

/// Keys kept across restarts.
#[derive(Deserialize, Clone, PartialEq, Debug, Default)]
#[serde(deny_unknown_fields, default)]
pub struct Secrets {
    /// A file with the key of initial sequence numbers and timestamp offsets (RFC 6528, RFC 7323
    /// 5.4), made with mode 0600 if it is not there. With it a restarted host is still believed
    /// by peers in TIME-WAIT. Default: none, a new key at each start.
    pub file: Option<PathBuf>,
}
