//! DPDK with ownership: EAL, ports, queues, packet pools and packet buffers that cannot be misused
//! from safe code.
//!
//! This crate knows devices, memory and the thread that a queue belongs to. It must never know a
//! protocol, a connection, or what is in a frame.
//!
//! * [`Eal`] is initialised once in a process; it and everything made from it keep it alive.
//! * [`Port::open`] takes any device by its devargs; [`ring::pair`] and [`memif::pair`] make links in
//!   memory that need neither root nor huge pages.
//! * [`Port::start`] hands out one [`RxQueue`] and one [`TxQueue`] for each queue. A queue is a value:
//!   who has it may use it, on one thread at a time, without a lock.
//! * An [`Mbuf`] has one owner. Sending consumes it; what a queue did not take stays with the caller.
//! * [`mbuf_ring`] hands buffers from one thread to another.
//! * [`MbufCache`] gives and takes buffers without a call into DPDK for most of them.
//!
//! The calls of the data path go into C once a burst, never once a packet.

mod cache;
mod clock;
mod eal;
mod error;
pub mod hugepages;
mod interrupt;
pub mod link_bench;
mod log;
mod mbuf;
mod mbuf_ring;
pub mod memif;
mod mempool;
mod offload;
mod pci;
mod port;
mod queue;
pub mod ring;
mod thread;
mod vdev;

pub use cache::MbufCache;
pub use clock::tsc;
pub use eal::{Eal, EalArgs, LogLevel, Memory, MemoryPolicy, version};
pub use error::Error;
pub use mbuf::{HEADROOM, Mbuf, NotLinear};
pub use mbuf_ring::{MbufReceiver, MbufSender, mbuf_ring};
pub use mempool::{Mempool, MempoolArgs};
pub use offload::{Checksum, RxChecksums, TxOffload};
pub use port::{
    Capabilities, Enabled, LinkState, Offloads, Port, PortConfig, PortStats, Queues, Rss, RssFields,
};
pub use queue::{RxQueue, TxQueue};
pub use thread::{WorkerThread, allowed_cpus, pin, register_worker_thread};
