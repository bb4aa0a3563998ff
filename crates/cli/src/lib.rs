//! The `tidewheel` program: it reads a configuration, puts applications on a stack, starts the
//! workers, and shows what happens.
//!
//! This crate knows configurations, applications (echo, discard, HTTP, the bench's two ends) and
//! how results are shown. It must never know a packet, a sequence number or a DPDK call: what
//! moves bytes is `stack`, what moves frames is `runtime`.

pub mod apps;
pub mod args;
pub mod bench;
pub mod check;
pub mod config;
pub mod environment;
pub mod load;
pub mod memory;
pub mod metrics;
pub mod serve;
#[cfg(test)]
mod testing;
