//! `tidewheel bench`: a server and a client over a link in memory, and what they did.

pub mod args;
pub mod client;
pub mod hosts;
pub mod outcome;
pub mod pattern;
pub mod phases;
pub mod plan;
pub mod server;
pub mod summary;
pub mod testbed;
