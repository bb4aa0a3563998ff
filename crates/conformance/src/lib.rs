//! The stack as a system under test: POSIX-like calls, whole IP packets in and out, and time that
//! is the caller's. `include/sut.h` is the same for C, and documents every call.
//!
//! This is the production stack with the production timers, hashes and initial sequence numbers;
//! only its secrets come from a seed. What is here adapts it: it adds and takes off Ethernet
//! headers, answers ARP, keeps sockets, and translates errors. It must never decide anything about
//! a segment.

mod address;
mod app;
mod calls;
mod errno;
pub mod ffi;
mod flags;
mod host;
mod options;
mod poll;
mod socket;
mod sut;

pub use errno::Errno;
pub use flags::{Flags, FlagsError};
pub use poll::Poll;
pub use sut::{NewError, Sut};
