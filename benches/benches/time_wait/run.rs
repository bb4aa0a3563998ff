//! The two mixes.

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};
use tidewheel_benches::tables::rcv_nxt;
use tidewheel_benches::{hash, name};

use crate::contender::{BURST, Contender};

/// Connections between two looks at the clock.
pub(crate) const SLICE: usize = 64 * BURST;
/// Those that precede them without being timed: what another contender left in the caches is gone.
const WARM: usize = 16 * BURST;

/// What is done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Mix {
    Expire,
    Recycle,
}

/// A contender with `n` live entries, on its way.
pub(crate) struct Run<C> {
    contender: C,
    n: u64,
    /// The next connection; those before it, `n` of them, are live.
    next: u64,
    /// Removed in the last burst of `recycle`.
    removed: Vec<(u64, u64)>,
    random: u64,
    burst: Vec<(u64, u64)>,
}

impl<C: Contender> Run<C> {
    pub(crate) fn new(n: usize, mut contender: C) -> Run<C> {
        for i in 0..n as u64 {
            contender.insert(name(i), hash(name(i)));
            if i % BURST as u64 == 0 && i > 0 {
                contender.wait(BURST);
            }
        }
        Run {
            contender,
            n: n as u64,
            next: n as u64,
            removed: Vec::with_capacity(BURST),
            random: 1,
            burst: Vec::with_capacity(4 * BURST),
        }
    }

    /// A number below `n`.
    fn draw(&mut self) -> u64 {
        self.random = self
            .random
            .wrapping_mul(0xd134_2543_de82_ef95)
            .wrapping_add(1);
        ((u128::from(self.random) * u128::from(self.n)) >> 64) as u64
    }

    fn push(&mut self, n: u64) {
        self.burst.push((name(n), hash(name(n))));
    }

    fn expire_burst(&mut self) {
        self.burst.clear();
        for i in 0..BURST as u64 {
            // A key that comes up later, so that its line is cold when it does.
            self.push(self.next + i + (1 << 20));
            self.push(self.next + i);
            // Not one of those that expire about now.
            let live = self.next - 1 - self.draw() * 15 / 16;
            self.push(live);
            let live = self.next - 1 - self.draw() * 15 / 16;
            self.push(live);
        }
        self.contender.prepare(&self.burst);
        for four in self.burst.chunks_exact(4) {
            let [miss, new, read, write] = [four[0], four[1], four[2], four[3]];
            assert!(self.contender.hit(miss.0, miss.1, None).is_none());
            self.contender.insert(new.0, new.1);
            let found = self.contender.hit(read.0, read.1, None);
            assert_eq!(found, Some(rcv_nxt(read.0)));
            let found = self
                .contender
                .hit(write.0, write.1, Some(self.random as u32));
            assert_eq!(found, Some(rcv_nxt(write.0)));
        }
        self.next += BURST as u64;
        self.contender.expire(BURST);
    }

    fn recycle_burst(&mut self) {
        self.burst.clear();
        for i in 0..BURST as u64 {
            self.push(self.next + i);
            // In an order without repetition, so that none is removed twice in a burst.
            let gone = (self.next + i).wrapping_mul(0x5851_f42d) % self.n;
            self.push(gone);
            let live = self.draw();
            self.push(live);
            let again = self.removed.get(i as usize).copied();
            self.burst.push(again.unwrap_or((u64::MAX, 0)));
        }
        self.removed.clear();
        self.contender.prepare(&self.burst);
        for four in self.burst.chunks_exact(4) {
            let [miss, gone, write, again] = [four[0], four[1], four[2], four[3]];
            assert!(self.contender.hit(miss.0, miss.1, None).is_none());
            assert_eq!(self.contender.remove(gone.0, gone.1), Some(rcv_nxt(gone.0)));
            self.removed.push(gone);
            // One in ten thousand is removed just now.
            let found = self
                .contender
                .hit(write.0, write.1, Some(self.random as u32));
            assert!(found.is_none_or(|found| found == rcv_nxt(write.0)));
            if again.0 != u64::MAX {
                self.contender.insert(again.0, again.1);
            }
        }
        self.next += BURST as u64;
    }
}

/// A run that does not say of what.
pub(crate) trait Racer {
    fn name(&self) -> &'static str;
    fn bytes(&self) -> usize;
    /// The processor's time for [`SLICE`] connections: what others run meanwhile does not count.
    fn slice(&mut self, mix: Mix) -> Duration;
}

impl<C: Contender> Racer for Run<C> {
    fn name(&self) -> &'static str {
        self.contender.name()
    }

    fn bytes(&self) -> usize {
        self.contender.bytes()
    }

    fn slice(&mut self, mix: Mix) -> Duration {
        let burst = match mix {
            Mix::Expire => Run::<C>::expire_burst,
            Mix::Recycle => Run::<C>::recycle_burst,
        };
        for _ in 0..WARM / BURST {
            burst(self);
        }
        let start = processor_time();
        for _ in 0..SLICE / BURST {
            burst(self);
        }
        processor_time() - start
    }
}

/// What this thread has had of the processor.
fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID);
    time.expect("the clock of this thread").into()
}
