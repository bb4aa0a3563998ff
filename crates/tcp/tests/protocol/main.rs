//! A connection against a scripted peer, and two connections against each other over a network that
//! loses, duplicates and reorders, all in virtual time.

mod ack;
mod close;
mod exchange;
mod host;
mod hostile;
mod memory;
mod open;
mod reassembly;
mod recovery;
mod reset;
mod sack;
mod sending;
mod timers;
mod timestamps;
mod transfer;
