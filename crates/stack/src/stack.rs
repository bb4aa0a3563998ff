//! One core's host: a burst of frames in, a burst of frames out, time passed in.

use tcp::Memory;
use tcp::time::Instant;

use crate::application::Application;
use crate::config::{Config, ConfigError, Secrets};
use crate::context::Context;
use crate::core::Core;
use crate::counters::Counters;
use crate::deliver::Scratch;
use crate::frame::{Frame, FramePool};
use crate::parse::{Kind, Parsed, parse_burst};
use crate::slab::Hint;

/// The most frames that wait to be taken by the queue. While a burst of replies still fits, the
/// stack goes on; what finds no room is dropped and counted if nobody keeps it (RST, ICMP), or
/// stays due in its connection.
pub const OUT_CAPACITY: usize = 256;

/// Frames parsed, hashed and prefetched together.
const BURST: usize = 64;

/// Timers run in one turn of the loop.
const TIMER_BUDGET: usize = 256;

/// One core's host, its application and its frame pool.
pub struct Stack<A, P: FramePool> {
    pub(crate) app: A,
    pub(crate) pool: P,
    pub(crate) core: Core,
    pub(crate) receive_memory: Memory,
    pub(crate) out: Vec<P::Frame>,
    burst: Box<[Parsed]>,
    pub(crate) fired: Vec<u32>,
    pub(crate) scratch: Scratch,
}

impl<A: Application, P: FramePool> Stack<A, P> {
    /// Allocates everything that the host will ever use.
    ///
    /// # Errors
    /// What is wrong with the configuration.
    pub fn new(config: Config, secrets: Secrets, app: A, pool: P) -> Result<Self, ConfigError> {
        let (core, receive_memory) = Core::new(config, secrets)?;
        Ok(Stack {
            app,
            pool,
            core,
            receive_memory,
            out: Vec::with_capacity(OUT_CAPACITY),
            burst: vec![Parsed::EMPTY; BURST].into(),
            fired: Vec::with_capacity(TIMER_BUDGET),
            scratch: Scratch::default(),
        })
    }

    /// Takes a burst of received frames (64 or fewer are best) and processes it: parsed and
    /// hashed as a whole, then prefetched, then looked up and processed in order. The frames go
    /// back to the pool. Segments that this makes due leave with [`Stack::transmit`].
    pub fn receive(&mut self, now: Instant, frames: &mut Vec<P::Frame>) {
        self.core.ts_clock.set(now);
        let mut burst = ::core::mem::take(&mut self.burst);
        for frames in frames.chunks(BURST) {
            self.receive_burst(now, frames, &mut burst);
        }
        self.burst = burst;
        for frame in frames.drain(..) {
            self.pool.free(frame);
        }
    }

    fn receive_burst(&mut self, now: Instant, frames: &[P::Frame], burst: &mut [Parsed]) {
        self.core.time_wait.begin_burst();
        let burst = &mut burst[..frames.len()];
        let core = &mut self.core;
        let (slab, time_wait) = (&core.slab, &core.time_wait);
        parse_burst(
            frames,
            &core.link,
            &core.key,
            &mut core.counters.host,
            burst,
            |is_v4, hash| {
                slab.prefetch(hash);
                time_wait.prefetch(is_v4, hash);
            },
        );
        for parsed in burst.iter_mut() {
            if parsed.kind == Kind::Tcp {
                parsed.hint = core.slab.hint(parsed.hash);
                if matches!(parsed.hint, Hint::Nowhere { .. }) {
                    time_wait.prefetch_next(&parsed.tuple, parsed.hash);
                }
            }
        }
        for (parsed, frame) in burst.iter().zip(frames) {
            self.process(now, parsed, frame.data());
        }
    }

    #[inline]
    fn process(&mut self, now: Instant, parsed: &Parsed, data: &[u8]) {
        if parsed.kind == Kind::Tcp {
            let text = usize::from(parsed.text.start)..usize::from(parsed.text.end);
            self.on_tcp(now, parsed, &data[..text.start], &data[text]);
        } else {
            self.process_other(now, parsed, data);
        }
    }

    #[cold]
    fn process_other(&mut self, now: Instant, parsed: &Parsed, data: &[u8]) {
        let offset = usize::from(parsed.offset);
        match parsed.kind {
            Kind::Dropped | Kind::Tcp => {}
            Kind::Arp => self.on_arp(now, &data[offset..]),
            Kind::Ipv4 | Kind::Ipv4Broadcast => {
                let broadcast = parsed.kind == Kind::Ipv4Broadcast;
                self.on_ipv4(now, parsed.src_mac, &data[offset..], broadcast);
            }
            Kind::Ipv6 | Kind::Ipv6Multicast => {
                let multicast = parsed.kind == Kind::Ipv6Multicast;
                self.on_ipv6(now, parsed.src_mac, &data[offset..], multicast);
            }
        }
    }

    /// One turn of everything that time drives: timers, TIME-WAIT expiry, neighbours, and the
    /// application's own [`Application::poll`]. Call once per turn of the loop, bursts or not.
    pub fn advance(&mut self, now: Instant) {
        self.core.ts_clock.set(now);
        if self.core.detection.deadline().is_some() {
            self.core.detect_duplicates(now);
            self.announce();
        }
        self.run_timers(now, TIMER_BUDGET);
        self.core.expire_time_wait(now);
        self.core.neighbors.advance(now);
        while let Some(failed) = self.core.neighbors.next_failed() {
            self.core.counters.host.neighbor_failures += 1;
            self.core.wake_waiting(failed);
        }
        self.feed(now);
        self.reopen(now);
        self.app.poll(&mut Context {
            core: &mut self.core,
            now,
        });
    }

    /// Turns what is due into frames, as far as the outgoing queue has room.
    pub fn transmit(&mut self, now: Instant) {
        self.core.ts_clock.set(now);
        self.solicit();
        self.flush(now);
        if !self.core.neighbors.deadline().gt(&Instant::ZERO) {
            self.solicit();
        }
    }

    /// The frames to send, oldest first. The caller takes what its queue accepts from the front
    /// and leaves the rest.
    pub fn out(&mut self) -> &mut Vec<P::Frame> {
        &mut self.out
    }

    /// When something is due that no arriving frame will trigger.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        let fed = self.core.starved.is_empty(0) || self.core.send_memory.free() == 0;
        if !self.core.dirty.is_empty() || self.core.has_woken() || !fed {
            return Some(Instant::ZERO);
        }
        let timers = self.core.next_timer();
        let neighbors = self.core.neighbors.deadline();
        let neighbors = (neighbors < Instant::FAR_FUTURE).then_some(neighbors);
        let time_wait = self.core.time_wait.next_sweep();
        let detection = self.core.detection.deadline();
        let reopening = self.core.next_reopening(&self.receive_memory);
        [
            reopening,
            timers,
            neighbors,
            detection,
            time_wait,
            self.app.next_poll(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Stops accepting and opening connections; what is live goes on to its end, of which the
    /// application is told once.
    pub fn drain(&mut self, now: Instant) {
        if !::core::mem::replace(&mut self.core.draining, true) {
            self.app.on_drain(&mut Context {
                core: &mut self.core,
                now,
            });
        }
    }

    /// Whether IPv6 addresses of the host are still being verified (RFC 4862 5.4): what is to be sent from them waits.
    #[must_use]
    pub fn is_verifying_addresses(&self) -> bool {
        self.core.detection.is_under_way()
    }

    /// Aborts every live connection: the peers get RSTs with the next [`Stack::transmit`]s.
    pub fn abort_all(&mut self) {
        let live: Vec<u32> = self.core.slab.live_indices().collect();
        for index in live {
            self.core.abort(index);
        }
    }

    /// The application.
    pub fn app(&self) -> &A {
        &self.app
    }

    /// The application, to be told things by its owner.
    pub fn app_mut(&mut self) -> &mut A {
        &mut self.app
    }

    /// The application with a context: for owners that act for it, such as tests.
    pub fn with_app<R>(
        &mut self,
        now: Instant,
        f: impl FnOnce(&mut A, &mut Context<'_>) -> R,
    ) -> R {
        f(
            &mut self.app,
            &mut Context {
                core: &mut self.core,
                now,
            },
        )
    }

    /// The pool.
    pub fn pool_mut(&mut self) -> &mut P {
        &mut self.pool
    }

    /// All counters.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.core.counters
    }

    /// An IPv6 address of the configuration that another host on the link has, and that is
    /// therefore not used (RFC 4862 5.4.5): each is handed out once, to be told to the operator.
    pub fn take_duplicate(&mut self) -> Option<wire::Ip> {
        self.core.duplicates.pop()
    }

    /// What is held at this moment.
    #[must_use]
    pub fn usage(&self) -> Usage {
        self.core.usage(&self.receive_memory)
    }
}

impl<A, P: FramePool> Stack<A, P> {
    /// Whether the outgoing queue takes one more frame.
    #[inline]
    pub(crate) fn has_room(&self) -> bool {
        self.out.len() < OUT_CAPACITY
    }

    /// A frame for a reply that nobody keeps; counts why there is none.
    pub(crate) fn alloc_reply(&mut self, len: usize) -> Option<P::Frame> {
        if !self.has_room() {
            self.core.counters.host.drop_tx_no_room += 1;
            return None;
        }
        let frame = self.pool.alloc(len);
        if frame.is_none() {
            self.core.counters.host.drop_tx_no_buffer += 1;
        }
        frame
    }

    /// Puts a finished frame into the outgoing queue.
    #[inline]
    pub(crate) fn push(&mut self, frame: P::Frame) {
        self.core.counters.host.tx_frames += 1;
        self.core.counters.host.tx_bytes += frame.data().len() as u64;
        self.out.push(frame);
    }
}

/// What a shard holds at a moment, beside its counters.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Usage {
    /// Live connections, in every state but TIME-WAIT.
    pub live: u64,
    /// TIME-WAIT entries, expired ones that the sweep has not reached included.
    pub time_wait: u64,
    /// Connections that may have something to send and have not had their turn, and places of some that ended
    /// before it: never more than there may be connections.
    pub due: u64,
    /// Chunks of receive memory in use.
    pub receive_chunks: u64,
    /// Chunks of send memory in use.
    pub send_chunks: u64,
    /// Timers set, those that ended connections have left behind included.
    pub timers: u64,
    /// References to neighbours.
    pub neighbor_users: u64,
    /// Local sockets that are free, over all destinations.
    pub free_tuples: u64,
    /// Bytes of the TIME-WAIT tables with their expiry, and of what limits acknowledgments.
    pub time_wait_bytes: u64,
    /// Bytes of the connection table and control blocks.
    pub connection_bytes: u64,
    /// Bytes of the memory of local sockets.
    pub tuple_bytes: u64,
}
