//! Whole hosts on the virtual network, a file for each theme.

#[macro_use]
mod common;

mod active_opens;
mod application;
mod bound;
mod bursts;
mod decisions;
mod fast_recovery;
mod hostile;
mod ipv6;
mod limits;
mod messages;
mod mixed;
mod ndp;
mod neighbors;
mod network;
mod old_duplicates;
mod recycling;
mod replies;
mod sack;
mod six_packets;
mod sockets;
mod time_wait;
mod turns;
mod vanish;
mod workers;
