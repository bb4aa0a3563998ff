//! Local sockets for active opens: (address, port) pairs, each with what must be remembered of
//! its last use (time-wait rule for the connecting side, RFC 6191 and RFC 9293 3.4.1).
//!
//! A pair is in use, resting, or free. It rests for as long as the destination may remember it, or
//! as our own TIME-WAIT keeps it; all that rest for one reason rest equally long, so they become
//! free in the order in which they came, and each step takes constant time.

use core::cmp::Reverse;
use core::time::Duration;
use std::collections::{BinaryHeap, VecDeque};

use tcp::prefetch::prefetch_slice_elem;
use tcp::time::Instant;
use wire::{FourTuple, Ip, Seq};

use crate::config::{ConfigError, DestinationConfig, Owner, PortAlgorithm};
use free_set::FreeSet;
use pick::Picker;
use resting::{Links, Resting};

mod free_set;
mod pick;
mod resting;

/// A pair's place in its pool.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct TupleId(pub(crate) u32);

/// What is remembered of a pair's last connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct LastUse {
    /// SND.NXT when it ended: one past our FIN.
    pub(crate) snd_nxt: Seq,
    /// The last TSval that it sent, if timestamps were in use.
    pub(crate) tsval: Option<u32>,
    /// When it ended.
    pub(crate) at: Instant,
    /// Whether it ended in our own TIME-WAIT.
    pub(crate) time_wait: bool,
}

/// `LastUse` in 12 bytes: at tens of millions of pairs it counts. The links of [`Resting`] make it 16.
#[derive(Clone, Copy)]
struct Record {
    snd_nxt: Seq,
    tsval: u32,
    /// Milliseconds; 2^32 of them are 49 days, after which the record says nothing any more.
    at_ms: u32,
    link: Links,
}

/// How many pairs ahead a record is loaded: a miss is over before so many connections are opened.
const TAKEN_SOON: usize = 4;

/// Pairs that are put off to times of their own at most; more rest as if they had just ended.
const POSTPONED: usize = 1_024;

/// Resting pairs that one look for a free one wakes at most.
const WOKEN_AT_ONCE: usize = 8;

/// The free pairs.
enum Free {
    /// In the order in which they became free.
    Queue(VecDeque<u32>),
    Set(FreeSet, Picker),
}

/// The pairs of one destination.
pub(crate) struct TuplePool {
    remote: Ip,
    remote_port: u16,
    sources: Vec<Ip>,
    first_port: u16,
    free: Free,
    /// Those that rest after an end elsewhere, after our TIME-WAIT with timestamps, and without.
    resting: [Resting; 3],
    /// Those that were found in TIME-WAIT when their turn came, and when that is over: few, so that the order costs no
    /// more than ten steps.
    postponed: BinaryHeap<Reverse<(Instant, u32)>>,
    records: Vec<Record>,
    in_use: u32,
    /// Sources that must not be used any more.
    withdrawn: Vec<Ip>,
}

/// Why no pair is to be had.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Exhausted {
    /// Pairs in use.
    pub(crate) in_use: u32,
    /// Pairs that rest.
    pub(crate) resting: u32,
    /// When the first of those becomes free.
    pub(crate) next_free: Option<Instant>,
    /// How long that is from now.
    pub(crate) free_in: Option<Duration>,
}

impl TuplePool {
    /// All pairs of `config` that `owner` claims, and that are not in `taken` (ports of listeners).
    /// `seed` keys what is chosen at random.
    pub(crate) fn new(
        config: &DestinationConfig,
        all_sources: &[Ip],
        owner: Option<&Owner>,
        taken: impl Fn(Ip, u16) -> bool,
        seed: [u64; 2],
    ) -> Result<TuplePool, ConfigError> {
        let sources = if config.sources.is_empty() {
            all_sources.to_vec()
        } else {
            config.sources.clone()
        };
        let ports = u32::from(config.last_port - config.first_port) + 1;
        let most = u64::from(Links::NONE);
        let all = sources.len() as u64 * u64::from(ports);
        if all > most {
            return Err(ConfigError::BadCapacity("sources x ports", 1, most, all));
        }
        let time_wait = &config.time_wait;
        // Whole milliseconds are remembered: one more, so that none comes back sooner.
        let min = config.selection.min_interval_ms;
        let min = min.saturating_add(u32::from(min > 0));
        // An entry expires up to a tick late.
        let whole = time_wait.kept_ms();
        let whole = whole + whole / 160 + 2;
        let reuse = time_wait.local_reuse_ms.map(|ms| ms.saturating_add(1));
        let reusable = reuse.map_or(whole, |ms| ms.min(whole));
        let mut pool = TuplePool {
            remote: config.address,
            remote_port: config.port,
            sources,
            first_port: config.first_port,
            free: Free::Queue(VecDeque::new()),
            resting: [min, reusable.max(min), whole.max(min)].map(Resting::new),
            postponed: BinaryHeap::with_capacity(POSTPONED.min(all as usize)),
            records: Vec::new(),
            in_use: 0,
            withdrawn: Vec::new(),
        };
        let limit = config.limit.unwrap_or(u32::MAX) as usize;
        // At most 2^29.
        let mut queue = VecDeque::new();
        for id in 0..all as u32 {
            if queue.len() == limit {
                break;
            }
            let tuple = pool.tuple(TupleId(id));
            let ours = owner.is_none_or(|owns| owns(&tuple));
            let between = |&(first, last): &(u16, u16)| (first..=last).contains(&tuple.local_port);
            if config.unused_ports.iter().any(between) {
                continue;
            }
            if ours && !taken(tuple.local, tuple.local_port) {
                queue.push_back(id);
            }
        }
        let Some(&last) = queue.back() else {
            return Err(ConfigError::NoTuples(config.address, config.port));
        };
        let unused = Record {
            snd_nxt: Seq(0),
            tsval: 0,
            at_ms: 0,
            link: Links::UNUSED,
        };
        pool.records = vec![unused; last as usize + 1];
        pool.free = match config.selection.algorithm {
            PortAlgorithm::LongestRest => {
                // A peer may have those in TIME-WAIT that an earlier start of ours used: few of them are met if
                // each start begins elsewhere.
                let first = seed[0] % queue.len() as u64;
                queue.rotate_left(first as usize);
                Free::Queue(queue)
            }
            algorithm => {
                let mut set = FreeSet::new(pool.records.len());
                queue.iter().for_each(|&id| set.insert(id));
                Free::Set(set, Picker::new(algorithm, last + 1, seed))
            }
        };
        Ok(pool)
    }

    /// The four-tuple of a pair. Those that follow each other have different addresses: who spreads load by the address of
    /// its peers sees all of them at once.
    pub(crate) fn tuple(&self, id: TupleId) -> FourTuple {
        // At most 2^30, or no pair would exist.
        let sources = self.sources.len() as u32;
        let port = u32::from(self.first_port) + id.0 / sources;
        FourTuple {
            local: self.sources[(id.0 % sources) as usize],
            remote: self.remote,
            // In range: below first_port + ports, which is at most 65,536.
            local_port: port as u16,
            remote_port: self.remote_port,
        }
    }

    /// Takes the pair that is next, with what is remembered of it; `None` if none is free. `counter` is
    /// what all destinations share of RFC 6056's algorithm 3.
    ///
    /// Starts loading the record of one that will soon be taken, and shows its four-tuple to `soon`: in the order in
    /// which pairs come back, each is a cache miss.
    #[inline]
    pub(crate) fn take(
        &mut self,
        now: Instant,
        counter: &mut u32,
        soon: impl FnOnce(&FourTuple),
    ) -> Option<(TupleId, Option<LastUse>)> {
        self.wake(now);
        let id = match &mut self.free {
            Free::Queue(queue) => {
                let id = queue.pop_front()?;
                if let Some(next) = queue.get(TAKEN_SOON).copied() {
                    prefetch_slice_elem(&self.records, next as usize);
                    soon(&self.tuple(TupleId(next)));
                }
                id
            }
            Free::Set(set, picker) => {
                let id = picker.pick(set, counter)?;
                set.remove(id);
                id
            }
        };
        self.in_use += 1;
        let r = self.records[id as usize];
        let last = r.link.is_used().then(|| LastUse {
            snd_nxt: r.snd_nxt,
            tsval: r.link.has_tsval().then_some(r.tsval),
            at: since(now, r.at_ms),
            time_wait: r.link.time_wait(),
        });
        Some((TupleId(id), last))
    }

    /// A source is not to be used any more.
    pub(crate) fn withdraw(&mut self, source: Ip) {
        self.withdrawn.push(source);
        let sources = &self.sources;
        let of = |id: u32| sources[id as usize % sources.len()];
        match &mut self.free {
            Free::Queue(queue) => queue.retain(|&id| of(id) != source),
            Free::Set(set, _) => {
                for id in 0..self.records.len() as u32 {
                    if set.contains(id) && of(id) == source {
                        set.remove(id);
                    }
                }
            }
        }
    }

    /// Gives a pair back with what must be remembered of it; `None` if it was not used on the
    /// wire, and its former record still holds.
    #[inline]
    pub(crate) fn give_back(&mut self, id: TupleId, last: Option<LastUse>) {
        let Some(last) = last else {
            self.in_use -= 1;
            self.set_free(id.0);
            return;
        };
        self.records[id.0 as usize] = Record {
            snd_nxt: last.snd_nxt,
            tsval: last.tsval.unwrap_or(0),
            at_ms: last.at.as_millis() as u32,
            link: Links::used(last.tsval.is_some(), last.time_wait),
        };
        self.rest(id.0);
    }

    /// Gives a pair back that may not be used before `until`; where that is not known, it rests as if it had just ended.
    pub(crate) fn put_off(&mut self, id: TupleId, now: Instant, until: Option<Instant>) {
        if let Some(until) = until.filter(|_| self.postponed.len() < POSTPONED) {
            self.in_use -= 1;
            self.postponed.push(Reverse((until, id.0)));
            return;
        }
        self.records[id.0 as usize].at_ms = now.as_millis() as u32;
        self.rest(id.0);
    }

    fn rest(&mut self, id: u32) {
        self.in_use -= 1;
        let link = self.records[id as usize].link;
        let list = match (link.time_wait(), link.has_tsval()) {
            (false, _) => 0,
            (true, true) => 1,
            (true, false) => 2,
        };
        if self.resting[list].ms == 0 {
            self.set_free(id);
        } else {
            self.resting[list].push(&mut self.records, id);
        }
    }

    fn set_free(&mut self, id: u32) {
        if !self.withdrawn.is_empty() && self.withdrawn.contains(&self.tuple(TupleId(id)).local) {
            return;
        }
        match &mut self.free {
            Free::Queue(queue) => queue.push_back(id),
            Free::Set(set, _) => set.insert(id),
        }
    }

    /// Sets those free that have rested long enough, a few at a time.
    #[inline]
    fn wake(&mut self, now: Instant) {
        for _ in 0..WOKEN_AT_ONCE {
            match self.postponed.peek() {
                Some(&Reverse((until, id))) if until <= now => {
                    self.postponed.pop();
                    self.set_free(id);
                }
                _ => break,
            }
        }
        for list in 0..self.resting.len() {
            for _ in 0..WOKEN_AT_ONCE {
                let resting = &mut self.resting[list];
                let Some(id) = resting.first() else {
                    break;
                };
                let rested = now.since(since(now, self.records[id as usize].at_ms));
                if rested.as_millis() < u128::from(resting.ms) {
                    break;
                }
                resting.pop(&mut self.records);
                self.set_free(id);
            }
        }
    }

    /// Why there is no free pair.
    pub(crate) fn exhausted(&self, now: Instant) -> Exhausted {
        let ends = self.resting.iter().filter_map(|list| {
            let at_ms = self.records[list.first()? as usize].at_ms;
            Some(since(now, at_ms).plus_millis(list.ms.into()))
        });
        let postponed = self.postponed.peek().map(|Reverse((until, _))| *until);
        let next_free = ends.chain(postponed).min();
        Exhausted {
            in_use: self.in_use,
            resting: self.resting(),
            next_free,
            free_in: next_free.map(|at| at.since(now)),
        }
    }

    fn resting(&self) -> u32 {
        // At most POSTPONED.
        let postponed = self.postponed.len() as u32;
        self.resting.iter().map(|list| list.len).sum::<u32>() + postponed
    }

    /// Pairs that no connection has.
    pub(crate) fn free(&self) -> usize {
        let free = match &self.free {
            Free::Queue(queue) => queue.len(),
            Free::Set(set, _) => set.len(),
        };
        free + self.resting() as usize
    }

    /// Bytes of the records and of what is free.
    pub(crate) fn allocated_bytes(&self) -> usize {
        let free = match &self.free {
            Free::Queue(queue) => queue.capacity() * size_of::<u32>(),
            Free::Set(set, _) => set.allocated_bytes(),
        };
        let postponed = self.postponed.capacity() * size_of::<Reverse<(Instant, u32)>>();
        self.records.capacity() * size_of::<Record>() + free + postponed
    }
}

/// The point in time, not after `now`, whose milliseconds end in `ms`.
fn since(now: Instant, ms: u32) -> Instant {
    let age_ms = (now.as_millis() as u32).wrapping_sub(ms);
    Instant::from_millis(now.as_millis().saturating_sub(u64::from(age_ms)))
}

#[cfg(test)]
mod tests;
