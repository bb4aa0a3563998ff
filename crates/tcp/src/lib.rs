//! The TCP protocol (RFC 9293 and what belongs to it), and TIME-WAIT as a state of its own.
//!
//! A connection is a value: it is given `now`, segments and the caller's wishes, and hands back
//! segments and events. This crate knows sequence space, timers as deadlines, and memory that it
//! is lent. It must never know a clock, a socket, an address to send to, a device, or a place to
//! allocate from.

pub mod prefetch;
pub mod time;
pub mod time_wait;
pub mod wheel;
