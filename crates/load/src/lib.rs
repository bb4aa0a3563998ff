//! A load generator: it opens connections at a pace, sends what it is told to, checks what comes
//! back, and measures.
//!
//! This crate knows what to do ([`Spec`]), what is said ([`Exchange`]) and what came of it
//! ([`Measured`]); [`Load`] does it, as the application of a [`stack::Stack`], one instance per
//! worker. It must never know a clock, a device, a thread, or how results are shown: time is passed
//! in, and so are reports to fill in.

mod bulk;
mod close;
mod deal;
pub mod exchange;
mod flow;
mod load;
mod measure;
mod open;
mod schedule;
pub mod search;
mod spec;
mod talk;
mod waiting;

pub use exchange::{Exchange, Progress, Raw, Reader};
pub use load::{Load, Run};
pub use measure::{Alive, Counts, Latencies, Measured};
pub use spec::{Caps, Close, Mode, Pace, Profile, Segment, Spec, SpecError, Target};
