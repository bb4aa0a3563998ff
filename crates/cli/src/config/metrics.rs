//! `[metrics]`: what monitoring is told.

use std::net::SocketAddr;

use serde::Deserialize;

/// The endpoint for Prometheus.
#[derive(Deserialize, Clone, PartialEq, Debug, Default)]
#[serde(deny_unknown_fields, default)]
pub struct Metrics {
    /// Where the kernel serves `/metrics`, such as `"127.0.0.1:9464"`; a loopback address, as whoever
    /// asks is answered. Default: nowhere.
    pub listen: Option<SocketAddr>,
}
