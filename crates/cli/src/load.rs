//! `tidewheel load`: connections and requests to other hosts, at a pace, and what came of them.

pub mod pass;
pub mod unit;
