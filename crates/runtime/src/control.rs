//! The control thread: it owns the signals, the ports and the worker threads, and looks at what
//! workers publish. It is the thread that calls; it is not pinned and touches nothing of a worker.

use std::time::{Duration, Instant};

use dpdk::{Eal, Port};

use crate::bell::{Bell, Rings};
use crate::board::Phase;
use crate::error::Error;
use crate::monitor::{Monitor, Ports};
use crate::snapshot::{Recorder, Snapshot};
use crate::stall::Stall;
use crate::thread::{self, Running, STUCK_AFTER, WorkerThread};

/// How the control thread behaves.
#[derive(Clone, Copy, Debug)]
pub struct ControlArgs {
    /// Time between two snapshots; zero: none.
    pub interval: Duration,
    /// How long connections may take to end when the program is asked to; the rest is reset.
    pub drain_timeout: Duration,
}

impl Default for ControlArgs {
    fn default() -> Self {
        ControlArgs {
            interval: Duration::from_secs(1),
            drain_timeout: Duration::from_secs(5),
        }
    }
}

/// Something for the control thread to act on.
#[derive(Debug)]
pub enum Event {
    /// An interval has passed.
    Tick(Box<Snapshot>),
    /// SIGINT or SIGTERM: drain, or stop if there was one before.
    Signal,
    /// A worker thread has ended although it was not told to.
    Ended,
    /// The time until which to wait has come.
    Elapsed,
}

/// How the end was.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct End {
    /// Whether every connection ended by itself.
    pub drained: bool,
    /// Connections that were reset.
    pub reset: u64,
}

/// Running workers, and what belongs to them. Dropping it stops them at once.
#[derive(Debug)]
pub struct Control {
    // In this order: what runs, then the ports that it runs on.
    threads: Vec<Running>,
    ports: Ports,
    recorder: Recorder,
    /// Of each worker's transmit queue.
    stalls: Vec<Stall>,
    bell: Bell,
    args: ControlArgs,
    next_tick: Option<Instant>,
    signals: usize,
}

/// While draining: time between two looks at the number of live connections.
const DRAIN_POLL: Duration = Duration::from_millis(5);

impl Control {
    /// Takes over SIGINT and SIGTERM, and starts the threads. `ports` are those of the workers.
    ///
    /// # Errors
    /// [`Error`]; then nothing runs.
    pub fn start(
        eal: &Eal,
        ports: Vec<Port>,
        threads: Vec<WorkerThread>,
        args: ControlArgs,
    ) -> Result<Control, Error> {
        let bell = Bell::with_signals().map_err(Error::os("take over signals"))?;
        let workers = threads.iter().flat_map(|thread| &thread.workers);
        let boards = workers.map(|worker| worker.board().clone()).collect();
        let recorder = Recorder::new(boards, &ports);
        let ports = Ports::new(ports);
        let now = Instant::now();
        Ok(Control {
            stalls: recorder.boards().map(|_| Stall::new(now)).collect(),
            threads: thread::start(eal, threads, &bell)?,
            recorder,
            ports,
            bell,
            next_tick: (!args.interval.is_zero()).then(|| Instant::now() + args.interval),
            args,
            signals: 0,
        })
    }

    /// Sleeps until something happens, or until `until`.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn next(&mut self, until: Option<Instant>) -> Result<Event, Error> {
        loop {
            if self.signals > 0 {
                self.signals -= 1;
                return Ok(Event::Signal);
            }
            if self.threads.iter().any(Running::ended) {
                return Ok(Event::Ended);
            }
            let now = Instant::now();
            if self.next_tick.is_some_and(|tick| tick <= now) {
                // From the time that was due, so that ticks do not drift; none are made up for.
                let missed = now + self.args.interval;
                self.next_tick = self
                    .next_tick
                    .map(|tick| tick + self.args.interval)
                    .filter(|next| *next > now)
                    .or(Some(missed));
                return Ok(Event::Tick(Box::new(self.snapshot())));
            }
            if until.is_some_and(|until| until <= now) {
                return Ok(Event::Elapsed);
            }
            let wake = [self.next_tick, until].into_iter().flatten().min();
            let timeout = wake.map_or(Duration::from_secs(3600), |wake| wake - now);
            let Rings { signals, .. } = self
                .bell
                .wait(timeout)
                .map_err(Error::os("wait for signals"))?;
            self.signals += signals;
        }
    }

    /// A look at the workers and the ports for another thread.
    #[must_use]
    pub fn monitor(&self) -> Monitor {
        Monitor::new(self.recorder.boards().cloned().collect(), &self.ports)
    }

    /// The values now, beside those of the snapshot before (ticks included).
    pub fn snapshot(&mut self) -> Snapshot {
        let mut ports = self.ports.lock();
        ports.look();
        let snapshot = self.recorder.snapshot(&ports.ports);
        let link_up = ports.all_up();
        drop(ports);
        self.look_at_queues(&snapshot, link_up);
        snapshot
    }

    /// Tells of transmit queues that take nothing: connections that leave by one do not get on, and nothing else
    /// shows why.
    fn look_at_queues(&mut self, snapshot: &Snapshot, link_up: bool) {
        let now = Instant::now();
        for (worker, stall) in snapshot.workers.iter().zip(&mut self.stalls) {
            let [made, waiting] =
                ["tx_frames", "loop_tx_waiting"].map(|name| worker.value(name).unwrap_or(0));
            if stall.see(now, made, waiting, link_up) {
                tracing::warn!(
                    "{}: the device has taken none of this worker's frames for a while, though its link is up, and \
                     {waiting} wait: does the other end still take what is sent to it?",
                    worker.name()
                );
            }
        }
    }

    /// Runs until SIGINT or SIGTERM, then drains and stops; `show` is given a snapshot each
    /// interval. A second signal stops at once.
    ///
    /// # Errors
    /// [`Error`], such as the panic of a worker; then all have been stopped.
    pub fn run(mut self, mut show: impl FnMut(&Snapshot)) -> Result<End, Error> {
        loop {
            match self.next(None)? {
                Event::Tick(snapshot) => show(&snapshot),
                Event::Signal => return self.finish(show),
                Event::Ended => {
                    return Err(self.stop_and_join().err().unwrap_or(Error::Stuck {
                        worker: "that ended unasked".into(),
                    }));
                }
                Event::Elapsed => {}
            }
        }
    }

    /// Drains, stops and joins the workers. A signal cuts the draining short.
    ///
    /// # Errors
    /// As [`Control::run`].
    pub fn finish(mut self, mut show: impl FnMut(&Snapshot)) -> Result<End, Error> {
        let until = Instant::now() + self.args.drain_timeout;
        self.recorder.boards().for_each(|board| board.drain());
        let drained = loop {
            if self.drained() {
                break true;
            }
            let look = (Instant::now() + DRAIN_POLL).min(until);
            match self.next(Some(look))? {
                Event::Tick(snapshot) => show(&snapshot),
                Event::Signal | Event::Ended => break false,
                Event::Elapsed if Instant::now() >= until => break false,
                Event::Elapsed => {}
            }
        };
        let reset = if drained { 0 } else { self.live() };
        self.stop_and_join()?;
        Ok(End { drained, reset })
    }

    /// Whether every worker accepts nothing more and has no connection left.
    fn drained(&self) -> bool {
        let draining = |phase| phase >= Phase::Drain;
        self.recorder.boards().all(|b| draining(b.phase())) && self.live() == 0
    }

    /// Connections of all workers.
    fn live(&self) -> u64 {
        self.recorder.boards().filter_map(|b| b.get("live")).sum()
    }

    /// Stops all workers and waits for them, but not for ever. The first error counts.
    fn stop_and_join(&mut self) -> Result<(), Error> {
        thread::stop_all(&self.threads);
        let mut result = Ok(());
        for thread in self.threads.drain(..) {
            let joined = thread.join_within(STUCK_AFTER);
            if let Err(error) = &joined {
                tracing::debug!("{error}");
            }
            result = result.and(joined);
        }
        result
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        if let Err(error) = self.stop_and_join() {
            tracing::error!("{error}");
        }
        // Here and now, not where the last monitor happens to go.
        self.ports.lock().clear();
    }
}
