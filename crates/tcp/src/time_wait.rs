//! TIME-WAIT as a state of its own: a compact table, and pure rules for what a segment meets there.
//!
//! A connection that reaches TIME-WAIT gives its control block back and becomes a 20-byte entry
//! (32 bytes for IPv6) inside one cache line of a [`Table`]. What the fixed side of the
//! connection implies (address, port, window, length of TIME-WAIT) is an [`Anchor`], not stored
//! per entry.
//!
//! What a segment meets is [`decide`]d by [`Rules`]; whether a SYN may recycle once more within an MSL,
//! by the [`bound`]. A connection in FIN-WAIT-2 that its user has closed lies in the same table, with
//! a duration of its own.
//!
//! This module knows sequence numbers, timestamps and expiry. It must never know a live
//! connection, a packet buffer, a clock or a secret: `now`, hashes and ISNs are passed in.

pub mod ack_limit;
pub mod anchor;
pub mod bound;
mod collect;
pub mod config;
pub mod counters;
pub mod expiry;
pub mod family;
pub mod histogram;
mod insert;
pub mod isn;
pub mod lines;
mod memory;
pub mod policy;
pub mod probe;
pub mod restores;
pub mod rules;
pub mod step_limit;
mod sweep;
pub mod table;
pub mod verdict;

pub use ack_limit::{AckLimiter, AckLimits, Permit};
pub use anchor::{Anchor, AnchorError, AnchorId, Anchors, Side};
pub use bound::{Epochs, Exceeded, Movement, Positions, Space};
pub use config::{BuildError, Config};
pub use counters::{Counters, Incident};
pub use expiry::ClassId;
pub use family::{Family, KeyV4, KeyV6, V4, V6};
pub use histogram::Ages;
pub use isn::{client_isn, iss};
pub use lines::{Counted, Counter};
pub use memory::Pages;
pub use policy::{Arrived, Known, decide};
pub use probe::Probes;
pub use restores::Restores;
pub use rules::{Contradiction, IssRule, Policy, RstRule, Rules, SynRefusal};
pub use step_limit::StepLimit;
pub use table::{Age, Entry, Evicted, Inserted, MAX_BUCKETS, PROBE_LIMIT, Slot, Stats, Table};
pub use verdict::{AckReason, Decision, DropReason, KillReason, Recycle, ResetReason, Verdict};

/// Connections over IPv4 in TIME-WAIT.
pub type TimeWaitV4 = Table<V4>;
/// Connections over IPv6 in TIME-WAIT.
pub type TimeWaitV6 = Table<V6>;
