//! Worker threads: pinned, known to DPDK, and noticed when they end, however they end.

use std::any::Any;
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use crossbeam::channel::{Sender, bounded};
use dpdk::{Eal, register_worker_thread, tsc};

use crate::bell::{Bell, RingAtEnd};
use crate::board::{Board, Phase};
use crate::error::Error;
use crate::idle::{Idle, Pause};
use crate::worker::{Outcome, Run};

/// One thread and the workers that take turns on it.
pub struct WorkerThread {
    /// The CPU to run on; `None`: wherever the system likes.
    pub cpu: Option<usize>,
    /// What it does while there is nothing to do.
    pub idle: Idle,
    /// Its workers.
    pub workers: Vec<Box<dyn Run>>,
}

impl WorkerThread {
    /// A thread on `cpu` with one worker.
    #[must_use]
    pub fn new(cpu: Option<usize>, idle: Idle, worker: impl Run + 'static) -> WorkerThread {
        WorkerThread {
            cpu,
            idle,
            workers: vec![Box::new(worker)],
        }
    }

    /// The same with one worker more, which takes turns with those before it.
    #[must_use]
    pub fn and(mut self, worker: impl Run + 'static) -> WorkerThread {
        self.workers.push(Box::new(worker));
        self
    }
}

/// Takes turns until every worker has left.
///
/// This loop is the data path: it does not allocate, lock or enter the kernel while there is
/// something to do, and reads the clock once a turn.
fn run(mut workers: Vec<Box<dyn Run>>, idle: Idle) {
    let mut at = tsc();
    let mut pause = Pause::new(idle, &workers, at);
    while !workers.is_empty() {
        let (mut busy, mut left) = (false, false);
        for worker in &mut workers {
            let (outcome, end) = worker.turn(at);
            at = end;
            busy |= outcome == Outcome::Busy;
            left |= outcome == Outcome::Left;
        }
        if left {
            workers.retain(|worker| !worker.left());
        }
        if busy {
            pause.busy(at);
        } else {
            at = pause.idle(&workers, at);
        }
    }
}

/// A thread that was started.
#[derive(Debug)]
pub(crate) struct Running {
    boards: Vec<Arc<Board>>,
    handle: JoinHandle<()>,
}

/// Starts the threads; none runs on if one cannot.
pub(crate) fn start(
    eal: &Eal,
    threads: Vec<WorkerThread>,
    bell: &Bell,
) -> Result<Vec<Running>, Error> {
    let mut running = Vec::with_capacity(threads.len());
    for thread in threads {
        match start_one(eal, thread, bell) {
            Ok(thread) => running.push(thread),
            Err(error) => {
                stop_all(&running);
                for thread in running {
                    thread.join_within(STUCK_AFTER)?;
                }
                return Err(error);
            }
        }
    }
    Ok(running)
}

/// How long a thread may take to react to an order to stop.
pub(crate) const STUCK_AFTER: Duration = Duration::from_secs(2);

fn start_one(eal: &Eal, thread: WorkerThread, bell: &Bell) -> Result<Running, Error> {
    let boards: Vec<_> = thread
        .workers
        .iter()
        .map(|worker| Arc::clone(worker.board()))
        .collect();
    let ring = bell.ring_at_end().map_err(Error::os("clone a socket"))?;
    let (ready, readied) = bounded(1);
    let eal = eal.clone();
    // The kernel shows the first 15 octets.
    let handle = Builder::new()
        .name(names(&boards))
        .spawn(move || body(&eal, thread, ring, &ready))
        .map_err(Error::os("start a thread"))?;
    let running = Running { boards, handle };
    match readied.recv() {
        Ok(Ok(())) => Ok(running),
        Ok(Err(error)) => Err(error.into()),
        // It panicked before it was ready; joining says why.
        Err(_) => Err(running
            .join_within(STUCK_AFTER)
            .err()
            .unwrap_or(Error::Stuck {
                worker: "that was being started".into(),
            })),
    }
}

fn body(eal: &Eal, thread: WorkerThread, ring: RingAtEnd, ready: &Sender<Result<(), dpdk::Error>>) {
    // Dropped last, even by a panic: when it rings, the workers have gone.
    let _ring = ring;
    // Dropped after the workers: what they give back goes to this thread's caches.
    let _registered = match register_worker_thread(eal, thread.cpu) {
        Ok(registered) => registered,
        Err(error) => {
            let _ = ready.send(Err(error));
            return;
        }
    };
    let _ = ready.send(Ok(()));
    run(thread.workers, thread.idle);
}

impl Running {
    /// Whether all its workers have gone, in whatever way.
    pub(crate) fn ended(&self) -> bool {
        self.boards.iter().all(|b| b.phase() == Phase::Left)
    }

    pub(crate) fn name(&self) -> String {
        names(&self.boards)
    }

    /// Waits for the end, and says if it was a panic. A thread that does not end within `timeout`
    /// is left alone: waiting for it could be for ever.
    pub(crate) fn join_within(self, timeout: Duration) -> Result<(), Error> {
        let until = Instant::now() + timeout;
        while !self.handle.is_finished() {
            if Instant::now() >= until {
                return Err(Error::Stuck {
                    worker: self.name(),
                });
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        let worker = self.name();
        self.handle.join().map_err(|panic| Error::Panicked {
            worker,
            message: message(&*panic),
        })
    }
}

pub(crate) fn stop_all(threads: &[Running]) {
    threads
        .iter()
        .flat_map(|thread| &thread.boards)
        .for_each(|board| board.stop());
}

fn names(boards: &[Arc<Board>]) -> String {
    let names: Vec<&str> = boards.iter().map(|b| b.name()).collect();
    names.join("+")
}

/// What a panic said.
pub(crate) fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("(no message)").to_owned()
}
