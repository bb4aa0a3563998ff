//! A virtual network in virtual time: hosts around a switch, cables with seeded faults, frames
//! that can be held, released, dropped and made up one by one, and a log of everything.
//!
//! This crate knows frames and when they arrive. It must never know a real clock, a device, a
//! thread, or anything inside of a host that the host's own users could not know: what runs here
//! is the code that runs under DPDK, with the same callbacks. Equal seeds give equal runs, to the
//! bit; [`Log::digest`] tells.

pub mod craft;
pub mod decode;
mod event;
mod link;
mod log;
mod network;
mod peer;
mod port;
mod rng;
mod rule;
mod switch;
pub mod trace;

pub use link::{Bursts, Link, Path};
pub use log::{Capture, Fate, Log, Record};
pub use network::{Network, StationId};
pub use peer::{Peer, Received};
pub use rng::Rng;
pub use rule::{Action, Kept, RuleId, Seen, Which};
