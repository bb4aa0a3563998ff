//! Packet formats: Ethernet, 802.1Q, ARP, IPv4, IPv6, ICMP, ICMPv6, TCP and its options,
//! the Internet checksum and the Toeplitz hash.
//!
//! This crate knows bytes and nothing else: no clock, no connection, no device. Every parser is
//! total: any bytes in, a value or a named error out; it never panics and never reads out of
//! bounds. Every emitter states the length that its buffer must have, and panics only if the
//! caller's buffer is shorter than that: what came from the network cannot make it panic.
//!
//! Parsers check what is needed to find the next header, and nothing that a NIC may have checked
//! already: checksums of IPv4 and TCP are verified by the caller where the device gave no verdict.
//! The variants of an error are few and stable, because each becomes a drop counter.

#![forbid(unsafe_code)]

pub mod arp;
mod bytes;
pub mod checksum;
pub mod ethernet;
pub mod icmpv4;
pub mod icmpv6;
mod ip;
pub mod ipv4;
pub mod ipv6;
mod seq;
pub mod tcp;
pub mod tcp_ipv4;
pub mod tcp_ipv6;
pub mod toeplitz;

pub use ethernet::MacAddr;
pub use ip::{FourTuple, Ip};
pub use seq::Seq;
