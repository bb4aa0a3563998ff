//! `tidewheel load`: connections and requests to other hosts, at a pace, and what came of them.

pub mod output;
pub mod pass;
pub mod unit;
