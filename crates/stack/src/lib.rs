//! One core's host: Ethernet frames in, Ethernet frames out, and an application in between.
//!
//! This crate knows neighbours, IP, ICMP, listeners, the tables of connections and of TIME-WAIT,
//! and the order in which a burst is processed. It must never know a clock, a device, a thread or
//! an allocator that a test cannot replace: time, frames and secrets are handed in.
//!
//! A turn of the caller's loop is [`Stack::receive`] with the frames that arrived,
//! [`Stack::advance`] for what time drives, [`Stack::transmit`], and then sending what
//! [`Stack::out`] holds.

mod application;
mod arp;
mod clock;
mod close;
mod config;
mod context;
mod core;
mod counters;
mod deliver;
mod demux;
mod detection;
mod frame;
mod hash;
mod icmp;
mod icmpv6;
mod link;
mod lists;
mod ndp;
mod neighbor;
mod open;
mod output;
mod parse;
mod rate;
mod slab;
mod sockets;
mod stack;
mod time_wait;
mod timers;
mod transmit;
mod tuples;

pub use application::{Application, DestinationId, Handle, ListenerId};
pub use config::{
    Config, ConfigError, DestinationConfig, InterfaceAddress, ListenerConfig, Owner, PortAlgorithm,
    PortSelection, Secrets, TimeWaitConfig,
};
pub use context::{ConnectError, Context};
pub use counters::{Counters, Host as HostCounters};
pub use frame::{Frame, FramePool, MemFrame, MemPool, Offload, RxChecksum, TxOffload, Verdict};
pub use sockets::{OpenConfig, OpenError};
pub use stack::{OUT_CAPACITY, Stack, Usage};
pub use tcp::CloseReason;
pub use time_wait::{Outcome as TimeWaitOutcome, TimeWaitEvent};
