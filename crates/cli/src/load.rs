//! `tidewheel load`: connections and requests to other hosts, at a pace, and what came of them.

pub mod app;
pub mod args;
pub mod dperf;
mod exchange;
mod feasible;
pub mod output;
pub mod pass;
pub mod plan;
mod problems;
pub mod ready;
mod run;
pub mod said;
pub mod script;
pub mod sweep;
mod team;
pub mod unit;

pub use run::run;

#[cfg(test)]
mod tests;
