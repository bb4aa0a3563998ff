//! Workers that drive a [`stack::Stack`] on a DPDK queue, and the control thread beside them.
//!
//! This crate knows threads, cores, queues, the clock, signals, and what a program shows of its
//! workers. It must never know a segment, a table, or what an application does.
//!
//! * [`seats`] starts a port and makes a [`Seat`] for each worker; [`link::pair`] does so for both ends of
//!   a link in memory.
//! * [`Worker::new`] puts a host with an application on a seat. A worker owns its queue each way, its
//!   stack and its buffers; nothing on the packet path is shared with another core.
//! * [`Control::start`] runs [`WorkerThread`]s, each with one worker or several in turn, and owns
//!   signals, ports and threads from then on. [`Control::run`] is all that a server needs;
//!   [`Control::next`] is for programs that do something of their own between events.
//! * [`Commands`] has a worker do something between two turns; its [`Board`] shows its counters.
//!
//! A server on any DPDK device, with a statistics line a second, that drains at SIGINT:
//!
//! ```no_run
//! use dpdk::{Eal, EalArgs, Port};
//! use runtime::{Clock, Control, ControlArgs, Idle, PortArgs, Publish, Worker, WorkerThread, seats};
//! use stack::{Application, Config, Secrets};
//!
//! fn serve<A: Application + Publish + Send + 'static>(
//!     device: &str,
//!     cpus: &[usize],
//!     config: impl Fn() -> Config,
//!     secrets: Secrets,
//!     app: impl Fn() -> A,
//! ) -> Result<(), Box<dyn std::error::Error>> {
//!     let eal = Eal::init(&EalArgs::default())?;
//!     let clock = Clock::start(&eal);
//!     let mut port = Port::open(&eal, device)?;
//!     let args = PortArgs { workers: cpus.len() as u16, ..PortArgs::default() };
//!     let mut threads = Vec::new();
//!     for (seat, &cpu) in seats(&eal, &mut port, &args)?.into_iter().zip(cpus) {
//!         let name = format!("worker{cpu}");
//!         let worker = Worker::new(name, seat, clock, config(), secrets.clone(), app())?;
//!         threads.push(WorkerThread::new(Some(cpu), Idle::Poll, worker));
//!     }
//!     let control = Control::start(&eal, vec![port], threads, ControlArgs::default())?;
//!     let end = control.run(|snapshot| println!("{}", snapshot.line()))?;
//!     println!("{} connections were reset", end.reset);
//!     Ok(())
//! }
//! ```

mod bell;
mod board;
mod clock;
mod command;
mod control;
mod cpu_time;
mod error;
mod field;
mod frame;
mod hold;
mod idle;
mod line;
pub mod link;
mod monitor;
mod pool;
mod seat;
mod snapshot;
mod stall;
mod steering;
mod team;
#[cfg(test)]
mod testing;
mod thread;
mod worker;

pub use board::{Board, Phase};
pub use clock::Clock;
pub use command::{CommandError, Commands};
pub use control::{Control, ControlArgs, End, Event};
pub use cpu_time::thread_cpu_time;
pub use error::Error;
pub use field::{Field, Kind, Publish, fields};
pub use frame::MbufFrame;
pub use hold::HeldSignals;
pub use idle::Idle;
pub use line::Line;
pub use monitor::{Monitor, PortReport};
pub use pool::MbufPool;
pub use seat::{PortArgs, Seat, seats};
pub use snapshot::{PortSnapshot, Snapshot, WorkerSnapshot};
pub use steering::Steering;
pub use thread::WorkerThread;
pub use worker::{Outcome, RX_BURST, Run, Worker};

/// What programs need of DPDK, so that they depend on no other crate for it.
pub use dpdk::{
    Eal, EalArgs, Error as DpdkError, LinkState, LogLevel, Memory, MemoryPolicy, Port, PortStats,
    allowed_cpus, hugepages, pin, version as dpdk_version,
};
