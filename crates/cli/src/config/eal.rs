//! `[eal]`: which cores and which memory DPDK's environment abstraction layer is given.

use serde::Deserialize;

use super::quantity::Bytes;

/// Cores and memory.
#[derive(Deserialize, Clone, PartialEq, Debug)]
#[serde(deny_unknown_fields, default)]
pub struct Eal {
    /// CPUs to run workers on, one worker and one queue each: a list of numbers as in
    /// `/proc/cpuinfo`, 1 to 64 of them, none twice. The device must have as many queues; connections
    /// are spread by the device (RSS), else by the workers. Default `[0]`.
    pub cpus: Vec<u16>,
    /// Whether memory is on huge pages: `"auto"` (if the machine has them free; if another process takes
    /// them meanwhile, the program starts anew without), `"no"`, or `"required"` (start only with them).
    /// Default `"auto"`.
    pub hugepages: Hugepages,
    /// Memory for DPDK (packet buffers, queues), taken at start: huge pages are used if so much of
    /// them is free or root can reserve it, and grow if need be; ordinary pages do not. 64M to
    /// 1024G. Default `"256M"`. Tables are not part of it.
    pub memory: Bytes<{ 64 << 20 }, { 1 << 40 }>,
    /// What a worker does while nothing arrives: `"poll"` (spin: lowest latency, a whole core) or
    /// `"yield"` (give the core to others between polls). Default `"poll"`.
    pub idle: Idle,
}

impl Default for Eal {
    fn default() -> Eal {
        Eal {
            cpus: vec![0],
            hugepages: Hugepages::Auto,
            memory: Bytes::of(256 << 20),
            idle: Idle::Poll,
        }
    }
}

/// Use of huge pages.
#[derive(Deserialize, clap::ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
#[serde(rename_all = "lowercase")]
pub enum Hugepages {
    /// If there are any free.
    Auto,
    /// Never.
    No,
    /// Always; not to have them is an error.
    Required,
}

/// What an idle worker does.
#[derive(Deserialize, clap::ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
#[serde(rename_all = "lowercase")]
pub enum Idle {
    /// Polls on.
    Poll,
    /// Offers the core to other threads between polls.
    Yield,
}
