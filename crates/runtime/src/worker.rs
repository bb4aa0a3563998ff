//! A worker: one receive queue, one transmit queue, and the host that lives on them.

use std::mem;
use std::sync::Arc;
use std::time::Duration;

use bytemuck::allocation::TransparentWrapperAlloc;
use dpdk::{Mbuf, RxQueue, TxQueue, tsc};
use stack::{Application, Config, ConfigError, Frame, FramePool, Secrets, Stack};
use tcp::time::Instant;

use crate::board::{Board, Phase};
use crate::clock::Clock;
use crate::command::Commands;
use crate::field::{LOOP, Publish, fields, usage_values};
use crate::frame::MbufFrame;
use crate::pool::MbufPool;
use crate::seat::Seat;
use crate::team::Team;

/// Frames received at once: enough for look-ups to overlap, few enough for the first cache.
pub const RX_BURST: usize = 32;
/// Time between two looks at orders and commands, and between two publications.
const CHORES: Duration = Duration::from_millis(1);
/// How long a worker that was stopped tries to send its last RSTs.
const STOPPING: Duration = Duration::from_millis(500);
/// How long the longest turn is remembered, at least.
const LONGEST: Duration = Duration::from_secs(1);

/// What a turn was.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// Frames were received or sent.
    Busy,
    /// Nothing was there to do.
    Idle,
    /// The worker is done; it takes no more turns.
    Left,
}

/// A worker of any application, for a thread to run.
pub trait Run: Send {
    /// One turn: a burst received and processed, what time drives, and what is due sent. `tsc` is
    /// the counter now. Returns the counter at the end of the turn, so that it is read once a turn.
    fn turn(&mut self, tsc: u64) -> (Outcome, u64);

    /// When there is something to do, though nothing arrives; `None` when there is nothing.
    fn next_deadline(&self) -> Option<Instant>;

    /// The clock by which [`Run::next_deadline`] is meant.
    fn clock(&self) -> Clock;

    /// The worker's board.
    fn board(&self) -> &Arc<Board>;

    /// Whether the worker has taken its last turn.
    fn left(&self) -> bool;
}

/// One queue each way, one host with its application, and nothing shared with another core.
///
/// A turn never waits: frames that the queue does not take stay, in order, at the front of
/// [`Stack::out`], and the stack makes no more than there is room for beside them, while receiving
/// goes on, so that two workers with full queues towards each other both get on.
pub struct Worker<A> {
    rx: RxQueue,
    tx: TxQueue,
    stack: Stack<A, MbufPool>,
    frames: Vec<MbufFrame>,
    team: Option<Team>,
    clock: Clock,
    /// The time of the last turn.
    now: Instant,
    start: Option<Instant>,
    next_chores: Instant,
    phase: Phase,
    leave_by: Instant,
    counters: LoopCounters,
    longest: Longest,
    commands: Commands<A>,
    board: Arc<Board>,
}

/// What the loop counts of itself; see [`crate::field`] for the meanings.
#[derive(Clone, Copy, Default, Debug)]
struct LoopCounters {
    turns: u64,
    busy_turns: u64,
    busy_ticks: u64,
    rx_bursts: u64,
    tx_stalls: u64,
    drop_rx_segments: u64,
    handed_over: u64,
    taken_over: u64,
    drop_handover_full: u64,
    commands: u64,
}

impl<A: Application + Publish + Send + 'static> Worker<A> {
    /// A worker on `seat`, with everything allocated that it will ever use. What only the seat
    /// knows (Ethernet address, checksum work, tuples owned, real time) is put into `config`.
    ///
    /// # Errors
    /// What is wrong with the configuration.
    pub fn new(
        name: impl Into<String>,
        seat: Seat,
        clock: Clock,
        mut config: Config,
        secrets: Secrets,
        app: A,
    ) -> Result<Worker<A>, ConfigError> {
        config.mac = seat.mac;
        config.offload = seat.offload;
        config.owner = seat.owner;
        config.real_time_at_zero_ns = clock.real_time_at_zero_ns();
        let stack = Stack::new(config, secrets, app, MbufPool::new(&seat.pool))?;
        let board = Arc::new(Board::new(name.into(), fields::<A>()));
        Ok(Worker {
            rx: seat.rx,
            tx: seat.tx,
            stack,
            frames: Vec::with_capacity(RX_BURST),
            team: seat.team,
            clock,
            now: Instant::ZERO,
            start: None,
            next_chores: Instant::ZERO,
            phase: Phase::Run,
            leave_by: Instant::FAR_FUTURE,
            counters: LoopCounters::default(),
            longest: Longest::default(),
            commands: Commands::new(Arc::clone(&board)),
            board,
        })
    }

    /// The way to have this worker do something, for other threads.
    #[must_use]
    pub fn commands(&self) -> Commands<A> {
        self.commands.clone()
    }

    /// The host.
    #[must_use]
    pub fn stack(&self) -> &Stack<A, MbufPool> {
        &self.stack
    }

    /// Receives a burst and processes it; returns how many frames it was.
    #[inline]
    fn receive(&mut self, now: Instant) -> usize {
        // The wrapper is transparent: the vector changes its type and nothing else.
        let mut mbufs = MbufFrame::peel_vec(mem::take(&mut self.frames));
        let received = self.rx.rx_burst(&mut mbufs);
        self.frames = MbufFrame::wrap_vec(mbufs);
        if received > 0 {
            self.counters.rx_bursts += 1;
            // The octets of the whole burst are asked for before the first are waited for: another
            // core or a device has written them.
            let mut chains = 0;
            for frame in &self.frames {
                frame.0.prefetch_data();
                chains += usize::from(!frame.0.is_linear());
            }
            if chains > 0 {
                self.linearise();
            }
            if let Some(team) = &mut self.team {
                let handed_over = team.hand_over(&mut self.frames);
                self.counters.handed_over += handed_over.frames;
                self.counters.drop_handover_full += handed_over.dropped;
            }
            self.stack.receive(now, &mut self.frames);
        }
        match self.team {
            Some(_) => received + self.receive_from_team(now),
            None => received,
        }
    }

    /// Processes what other workers of the port have handed over; returns how many frames it was.
    fn receive_from_team(&mut self, now: Instant) -> usize {
        let Some(team) = &mut self.team else {
            return 0;
        };
        let mut mbufs = MbufFrame::peel_vec(mem::take(&mut self.frames));
        let taken = team.take_over(&mut mbufs);
        mbufs.iter().for_each(Mbuf::prefetch_data);
        self.frames = MbufFrame::wrap_vec(mbufs);
        if taken > 0 {
            self.counters.taken_over += taken as u64;
            self.stack.receive(now, &mut self.frames);
        }
        taken
    }

    /// The stack reads frames in one piece.
    #[cold]
    fn linearise(&mut self) {
        let before = self.frames.len();
        self.frames.retain_mut(|frame| frame.0.linearise().is_ok());
        self.counters.drop_rx_segments += (before - self.frames.len()) as u64;
    }

    /// Sends what the queue takes; returns how many frames that was.
    #[inline]
    fn send(&mut self) -> usize {
        let out = self.stack.out();
        if out.is_empty() {
            return 0;
        }
        let mut mbufs = MbufFrame::peel_vec(mem::take(out));
        let sent = self.tx.tx_burst(&mut mbufs);
        self.counters.tx_stalls += u64::from(!mbufs.is_empty());
        *out = MbufFrame::wrap_vec(mbufs);
        sent
    }

    /// What is done about once a millisecond: orders, commands, publication.
    #[cold]
    fn chores(&mut self, now: Instant) {
        self.next_chores = now + CHORES;
        self.receive_news(now);
        while let Some(ip) = self.stack.take_duplicate() {
            tracing::error!(
                "another host on the link has {ip}: this one does not use it; give one of them \
                 another address and start again"
            );
        }
        let order = self.board.order();
        if order > self.phase {
            // A command of before the order is carried out before it.
            self.carry_out(now);
            self.stack.drain(now);
            if order == Phase::Stop {
                self.stack.abort_all();
                self.leave_by = now + STOPPING;
            }
            self.phase = order;
        } else {
            self.carry_out(now);
        }
        let live = self.publish(now);
        let flushed = live == 0 && self.stack.out().is_empty();
        if self.phase == Phase::Stop && (flushed || now >= self.leave_by) {
            self.phase = Phase::Left;
        } else {
            self.board.set_phase(self.phase);
        }
    }

    /// Receives what other workers of the port tell all.
    fn receive_news(&mut self, now: Instant) {
        while let Some(frame) = self.team.as_ref().and_then(Team::news) {
            let octets = frame.data();
            // Without a buffer it is lost, like any other frame.
            if let Some(mut copy) = self.stack.pool_mut().alloc(octets.len()) {
                copy.data_mut().copy_from_slice(octets);
                self.frames.push(copy);
                self.stack.receive(now, &mut self.frames);
            }
        }
    }

    fn carry_out(&mut self, now: Instant) {
        while let Some(command) = self.commands.next() {
            self.counters.commands += 1;
            command(&mut self.stack, now);
        }
    }

    /// Publishes everything; returns the number of live connections.
    fn publish(&mut self, now: Instant) -> u64 {
        let waiting = self.stack.out().len() as u64;
        let longest = self.clock.to_ns(self.longest.ticks(now));
        let usage = self.stack.usage();
        let c = &self.counters;
        let start = self.start.unwrap_or(now);
        let mut writer = self.board.writer();
        let of_loop: [u64; LOOP.len()] = [
            c.turns,
            c.busy_turns,
            u64::try_from(now.since(start).as_nanos()).unwrap_or(u64::MAX),
            self.clock.to_ns(c.busy_ticks),
            c.rx_bursts,
            c.tx_stalls,
            c.drop_rx_segments,
            c.handed_over,
            c.taken_over,
            c.drop_handover_full,
            self.tx.refused(),
            c.commands,
            waiting,
            longest,
        ];
        of_loop.into_iter().for_each(|v| writer.put(v));
        usage_values(&usage).into_iter().for_each(|v| writer.put(v));
        self.stack.counters().for_each(|_, _, v| writer.put(v));
        self.stack.app().values(&mut |v| writer.put(v));
        usage.live
    }
}

impl<A: Application + Publish + Send + 'static> Run for Worker<A> {
    fn turn(&mut self, tsc_now: u64) -> (Outcome, u64) {
        let now = self.now.max(self.clock.at(tsc_now));
        self.now = now;
        self.start.get_or_insert(now);
        let received = self.receive(now);
        self.stack.advance(now);
        self.stack.transmit(now);
        let sent = self.send();
        if now >= self.next_chores {
            self.chores(now);
        }
        let end = tsc();
        let ticks = end.saturating_sub(tsc_now);
        self.counters.turns += 1;
        self.longest.current = self.longest.current.max(ticks);
        let outcome = if received + sent > 0 {
            self.counters.busy_turns += 1;
            self.counters.busy_ticks += ticks;
            Outcome::Busy
        } else {
            Outcome::Idle
        };
        match self.phase {
            Phase::Left => (Outcome::Left, end),
            _ => (outcome, end),
        }
    }

    fn next_deadline(&self) -> Option<Instant> {
        self.stack.next_deadline()
    }

    fn clock(&self) -> Clock {
        self.clock
    }

    fn board(&self) -> &Arc<Board> {
        &self.board
    }

    fn left(&self) -> bool {
        self.phase == Phase::Left
    }
}

/// However a worker goes, nobody is left waiting for it.
impl<A> Drop for Worker<A> {
    fn drop(&mut self) {
        self.board.set_phase(Phase::Left);
        while self.commands.next().is_some() {}
    }
}

/// The longest turn of the current second and of the one before.
#[derive(Clone, Copy, Default, Debug)]
struct Longest {
    current: u64,
    previous: u64,
    until: Instant,
}

impl Longest {
    fn ticks(&mut self, now: Instant) -> u64 {
        if now >= self.until {
            self.previous = mem::take(&mut self.current);
            self.until = now + LONGEST;
        }
        self.previous.max(self.current)
    }
}

#[cfg(test)]
mod tests;
