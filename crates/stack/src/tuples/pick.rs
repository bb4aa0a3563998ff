//! Which of the free local sockets is next: the algorithms of RFC 6056 section 3.3, over pairs of
//! address and port instead of ports. Where the RFC probes port by port for a free one, the next
//! free pair is looked up.

use siphasher::sip::SipHasher13;

use super::free_set::FreeSet;
use crate::config::PortAlgorithm;

/// N of algorithm 5: "a value of 500" is what RFC 6056 3.3.5 suggests.
const MAX_INCREMENT: u64 = 500;

/// Tries of algorithm 2 before the next free pair is taken.
const RETRIES: usize = 16;

#[derive(Debug)]
pub(super) struct Picker {
    algorithm: PortAlgorithm,
    /// random(): a keyed hash of a counter, which nobody without the key foresees.
    key: SipHasher13,
    drawn: u64,
    /// F() of algorithms 3 and 4.
    offset: u32,
    /// The destination's place in the table of algorithm 4, and `next_ephemeral` of algorithm 5.
    next: u32,
    pairs: u32,
}

impl Picker {
    pub(super) fn new(algorithm: PortAlgorithm, pairs: u32, seed: [u64; 2]) -> Picker {
        let mut picker = Picker {
            algorithm,
            key: SipHasher13::new_with_keys(seed[0], seed[1]),
            drawn: 0,
            offset: 0,
            next: 0,
            pairs: pairs.max(1),
        };
        picker.offset = picker.random(pairs.into());
        picker.next = picker.random(pairs.into());
        picker
    }

    /// A free pair. `global` is `next_ephemeral` of algorithm 3, which all destinations share.
    pub(super) fn pick(&mut self, free: &FreeSet, global: &mut u32) -> Option<u32> {
        match self.algorithm {
            //= RFC 6056 3.3.1
            //# next_ephemeral = min_ephemeral + (random() % num_ephemeral);
            PortAlgorithm::Random | PortAlgorithm::LongestRest => {
                let start = self.random(self.pairs.into());
                free.next_from(start)
            }
            PortAlgorithm::RandomRetry => {
                for _ in 0..RETRIES {
                    let pair = self.random(self.pairs.into());
                    if free.contains(pair) {
                        return Some(pair);
                    }
                }
                let start = self.random(self.pairs.into());
                free.next_from(start)
            }
            //= RFC 6056 3.3.3
            //# port = min_ephemeral +
            //# (next_ephemeral + offset) % num_ephemeral;
            PortAlgorithm::Hash => {
                let found = self.after(free, *global)?;
                *global = found.1;
                Some(found.0)
            }
            PortAlgorithm::DoubleHash => {
                let found = self.after(free, self.next)?;
                self.next = found.1;
                Some(found.0)
            }
            //= RFC 6056 3.3.5
            //# next_ephemeral = next_ephemeral + (random() % N) + 1;
            PortAlgorithm::RandomIncrements => {
                let step = self.random(MAX_INCREMENT) + 1;
                let start = (u64::from(self.next) + u64::from(step)) % u64::from(self.pairs);
                self.next = free.next_from(start as u32)?;
                Some(self.next)
            }
        }
    }

    /// The first free pair from the offset and `counter` on, and what the counter is after it.
    fn after(&self, free: &FreeSet, counter: u32) -> Option<(u32, u32)> {
        let pairs = u64::from(self.pairs);
        let start = ((u64::from(counter) + u64::from(self.offset)) % pairs) as u32;
        let found = free.next_from(start)?;
        let passed = (pairs + u64::from(found) - u64::from(start)) % pairs;
        Some((found, counter.wrapping_add(passed as u32 + 1)))
    }

    fn random(&mut self, below: u64) -> u32 {
        self.drawn += 1;
        let random = self.key.hash(&self.drawn.to_le_bytes());
        (random % below.max(1)) as u32
    }
}
