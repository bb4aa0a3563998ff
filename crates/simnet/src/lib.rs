//! A virtual network in virtual time: hosts around a switch, cables with seeded faults, frames
//! that can be held, released, dropped and made up one by one, and a log of everything.
//!
//! This crate knows frames and when they arrive. It must never know a real clock, a device, a
//! thread, or anything inside of a host that the host's own users could not know: what runs here
//! is the code that runs under DPDK, with the same callbacks. Equal seeds give equal runs, to the
//! bit; [`Log::digest`] tells.
//!
//! Time goes from event to event: a minute of TIME-WAIT costs as much as the frames in it. When a
//! run is not what it should be, [`Log::tail`] prints it and [`Log::write_pcap`] gives it to
//! Wireshark.
//!
//! ```
//! use simnet::{Action, Link, Network, Peer, Which, craft};
//! # struct Idle;
//! # impl stack::Application for Idle {
//! #     fn on_open(&mut self, _: &mut stack::Context<'_>, _: stack::Handle) {}
//! #     fn on_data(&mut self, _: &mut stack::Context<'_>, _: stack::Handle, d: &[u8]) -> usize { d.len() }
//! #     fn on_writable(&mut self, _: &mut stack::Context<'_>, _: stack::Handle) {}
//! #     fn on_peer_closed(&mut self, _: &mut stack::Context<'_>, _: stack::Handle) {}
//! #     fn on_closed(&mut self, _: &mut stack::Context<'_>, _: stack::Handle, _: stack::CloseReason) {}
//! # }
//! use wire::{Ip, MacAddr};
//!
//! let (ip, mac) = (Ip::v4([192, 0, 2, 1]), MacAddr([2, 0, 0, 0, 0, 1]));
//! let config = stack::Config {
//!     time_wait_capacity: 64,
//!     ..stack::Config::new(mac, stack::InterfaceAddress { ip, prefix: 24 })
//! };
//! let secrets = stack::Secrets { isn: tcp::isn::Secret::new([1; 32]), table: [2, 3] };
//! let host = stack::Stack::new(config, secrets, Idle, stack::MemPool::new(64))?;
//!
//! let mut net = Network::new(42);
//! net.add_host(host, Link::ideal(50_000));
//! let peer = Peer::new(MacAddr([2, 0, 0, 0, 0, 2]), Ip::v4([192, 0, 2, 2]));
//! let to_host = peer.to(mac, ip);
//! let peer = net.add_peer(peer, Link::ideal(50_000));
//!
//! // Whatever the host says next is held, and let go ten milliseconds later.
//! net.run_ms(1);
//! let held = net.add_rule(Action::Hold, Which::Nth(1), move |seen| seen.from != peer);
//! net.send(peer, craft::echo_request(&to_host, 1, 1, b"ping"));
//! net.run_ms(1);
//! net.release(held, net.now().plus_millis(10));
//! net.peer_mut(peer).take();
//! net.run_ms(20);
//! assert_eq!(net.peer_mut(peer).take().len(), 1);
//! # Ok::<(), stack::ConfigError>(())
//! ```

pub mod craft;
pub mod decode;
mod event;
mod link;
mod log;
mod network;
mod peer;
mod port;
mod rng;
mod rule;
mod switch;
pub mod trace;

pub use link::{Bursts, Link, Path};
pub use log::{Capture, Fate, Log, Record};
pub use network::{Network, StationId};
pub use peer::{Peer, Received};
pub use rng::Rng;
pub use rule::{Action, Kept, RuleId, Seen, Which};
