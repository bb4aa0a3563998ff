//! The TCP protocol (RFC 9293 and what belongs to it), and TIME-WAIT as a state of its own.
//!
//! A connection is a value: it is given `now`, segments and the caller's wishes, and hands back
//! segments and events. This crate knows sequence space, timers as deadlines, and memory that it
//! is lent. It must never know a clock, a socket, an address to send to, a device, or a place to
//! allocate from.
//!
//! The caller of a [`Connection`] does this, in this order:
//!
//! 1. For a segment: [`Connection::on_segment`]; show [`Outcome::text`] and the events to the application;
//!    [`Connection::commit_text`] if there was text.
//! 2. For a deadline that has passed: [`Connection::on_timer`].
//! 3. After a burst, or whenever the application called: [`Connection::poll_transmit`] until it
//!    returns `None`. Output comes last so that an answer, the acknowledgment of its question and a FIN
//!    share a segment.
//! 4. When the state is [`State::Closed`], or [`State::TimeWait`] and nothing is unread:
//!    [`Connection::release`], and drop it.
//!
//! Not implemented: the urgent mechanism (urgent data is delivered in line, RFC 6093), ECN, TCP Fast
//! Open. Text on a SYN is not taken; the peer sends it again.

mod ack;
mod arrive;
mod challenge;
pub mod closed;
mod config;
mod congestion;
mod connection;
mod counters;
mod env;
mod info;
pub mod isn;
pub mod listen;
mod memory;
mod open;
mod output;
mod paws;
pub mod prefetch;
mod queue;
mod reassembly;
mod rtt;
mod sack;
mod state;
mod syn_sent;
mod text;
pub mod time;
pub mod time_wait;
mod timers;
mod user;
pub mod wheel;
mod window;

pub use challenge::ChallengeLimit;
pub use config::{Config, ConfigError, Keepalive};
pub use connection::Connection;
pub use counters::Counters;
pub use env::{Env, Events, Outcome, Segment, Transmit};
pub use info::{ConnectionInfo, TimeWaitInfo};
pub use memory::Memory;
pub use queue::Queue;
pub use state::{CloseReason, State};
