//! Two stacks joined by a perfect wire in virtual time, for tests of applications.

use core::time::Duration;

use stack::{Application, Config, MemFrame, MemPool, Secrets, Stack};
use tcp::time::Instant;

/// A client `a` and a server `b`.
pub(crate) struct Pair<A: Application, B: Application> {
    pub(crate) a: Stack<A, MemPool>,
    pub(crate) b: Stack<B, MemPool>,
    pub(crate) now: Instant,
    to_a: Vec<MemFrame>,
    to_b: Vec<MemFrame>,
}

fn secrets(seed: u8) -> Secrets {
    Secrets {
        isn: tcp::isn::Secret::new([seed; 32]),
        table: [u64::from(seed), 7],
    }
}

impl<A: Application, B: Application> Pair<A, B> {
    pub(crate) fn new(a: (Config, A), b: (Config, B)) -> Pair<A, B> {
        let pool = || MemPool::new(1 << 16);
        Pair {
            a: Stack::new(a.0, secrets(1), a.1, pool()).unwrap(),
            b: Stack::new(b.0, secrets(2), b.1, pool()).unwrap(),
            now: Instant::from_millis(1),
            to_a: Vec::new(),
            to_b: Vec::new(),
        }
    }

    /// One turn of both loops.
    pub(crate) fn turn(&mut self) {
        turn(&mut self.a, self.now, &mut self.to_a, &mut self.to_b);
        self.b.pool_mut().adopt(self.to_b.len());
        turn(&mut self.b, self.now, &mut self.to_b, &mut self.to_a);
        self.a.pool_mut().adopt(self.to_a.len());
    }

    /// Turns at steps of 10 µs for `time`.
    pub(crate) fn run(&mut self, time: Duration) {
        self.step(time, 10);
    }

    /// Turns at steps of 10 ms for `time`: for waits in which little happens.
    pub(crate) fn run_coarsely(&mut self, time: Duration) {
        self.step(time, 10_000);
    }

    fn step(&mut self, time: Duration, us: u64) {
        let end = self.now + time;
        while self.now < end {
            self.turn();
            self.now = self.now.plus_micros(us);
        }
    }
}

fn turn<T: Application>(
    stack: &mut Stack<T, MemPool>,
    now: Instant,
    arriving: &mut Vec<MemFrame>,
    leaving: &mut Vec<MemFrame>,
) {
    stack.receive(now, arriving);
    stack.advance(now);
    stack.transmit(now);
    leaving.append(stack.out());
    stack.pool_mut().forget(leaving.len());
}
