//! The engine against a server of its own kind, over a network in virtual time.

mod bench;
mod bulk;
mod closing;
mod connections;
mod faults;
mod held;
mod requests;
mod server;
