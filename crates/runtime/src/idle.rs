//! What a thread does with its core while its workers have nothing to do.

use std::hint;
use std::thread;
use std::time::Duration;

use dpdk::tsc;

use crate::worker::Run;

/// What an idle thread does.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Idle {
    /// Polls on, with a short pause of the processor: the lowest latency, and a whole core.
    #[default]
    Poll,
    /// Gives the core to others: at first between polls, then by sleeping up to 100 µs, never past
    /// what is due next.
    Yield,
}

/// Pauses of the processor after a poll that found nothing: a few tens of cycles each, a quarter of a
/// microsecond together. A hyperthread that shares the core, often the other end of a link in memory,
/// gets on meanwhile, and the next burst is a fuller one.
const PAUSES: u32 = 16;
/// How long nothing must have happened before the core is offered to others.
const SPIN: Duration = Duration::from_micros(20);
/// How long nothing must have happened before the thread sleeps.
const OFFER: Duration = Duration::from_micros(200);
/// The longest sleep. It bounds the delay of the first frame after a pause, and keeps the sweep of
/// the TIME-WAIT table going.
const SLEEP: Duration = Duration::from_micros(100);
/// The shortest: entering the kernel takes about as long.
const SHORTEST: Duration = Duration::from_micros(5);

/// How long a thread has been idle, and what follows from that.
pub(crate) struct Pause {
    idle: Idle,
    since: u64,
    spin: u64,
    offer: u64,
}

/// What to do after an idle round.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Step {
    Poll,
    Offer,
    Sleep,
}

impl Pause {
    pub(crate) fn new(idle: Idle, workers: &[Box<dyn Run>], tsc: u64) -> Pause {
        let ticks = |d| workers.first().map_or(0, |w| w.clock().to_ticks(d));
        Pause {
            idle,
            since: tsc,
            spin: ticks(SPIN),
            offer: ticks(OFFER),
        }
    }

    /// A round has done something.
    #[inline]
    pub(crate) fn busy(&mut self, tsc: u64) {
        self.since = tsc;
    }

    /// A round that ended at `at` has done nothing. Returns the counter afterwards.
    #[inline]
    pub(crate) fn idle(&mut self, workers: &[Box<dyn Run>], at: u64) -> u64 {
        match self.step(at) {
            Step::Poll => {
                for _ in 0..PAUSES {
                    hint::spin_loop();
                }
                return at;
            }
            Step::Offer => thread::yield_now(),
            Step::Sleep => match until_due(workers, at) {
                short if short < SHORTEST => thread::yield_now(),
                long => thread::sleep(long),
            },
        }
        tsc()
    }

    #[inline]
    fn step(&self, at: u64) -> Step {
        if self.idle == Idle::Poll {
            return Step::Poll;
        }
        let idle = at.saturating_sub(self.since);
        if idle < self.spin {
            Step::Poll
        } else if idle < self.offer {
            Step::Offer
        } else {
            Step::Sleep
        }
    }
}

/// The time until a worker has something to do, at most [`SLEEP`].
fn until_due(workers: &[Box<dyn Run>], at: u64) -> Duration {
    let due = workers.iter().filter_map(|worker| {
        let deadline = worker.next_deadline()?;
        Some(deadline.since(worker.clock().at(at)))
    });
    due.min().map_or(SLEEP, |due| due.min(SLEEP))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longer_idle_the_deeper() {
        let mut pause = Pause {
            idle: Idle::Yield,
            since: 100,
            spin: 10,
            offer: 100,
        };
        assert_eq!(pause.step(105), Step::Poll);
        assert_eq!(pause.step(110), Step::Offer);
        assert_eq!(pause.step(200), Step::Sleep);
        pause.busy(195);
        assert_eq!(pause.step(200), Step::Poll);
        pause.idle = Idle::Poll;
        assert_eq!(pause.step(10_000), Step::Poll);
    }
}
