//! Packet formats: Ethernet, 802.1Q, ARP, IPv4, IPv6, ICMP, ICMPv6, TCP and its options,
//! the Internet checksum and the Toeplitz hash.
//!
//! This crate knows bytes and nothing else: no clock, no connection, no device. Every parser is
//! total: any bytes in, a value or a named error out; it never panics and never reads out of
//! bounds. Every emitter states the length that its buffer must have.

mod ip;
mod seq;

pub use ip::{FourTuple, Ip};
pub use seq::Seq;
