//! Local sockets for active opens: (address, port) pairs, each with what must be remembered of
//! its last use (time-wait rule for the connecting side, RFC 6191 and RFC 9293 3.4.1).
//!
//! First in, first out: taking and giving back are O(1), and a pair rests as long as possible.

use std::collections::VecDeque;

use tcp::prefetch::prefetch_slice_elem;
use tcp::time::Instant;
use wire::{FourTuple, Ip, Seq};

use crate::config::{ConfigError, DestinationConfig, Owner};

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

/// `LastUse` in 16 bytes: at tens of millions of pairs it counts.
#[derive(Clone, Copy)]
struct Record {
    snd_nxt: Seq,
    tsval: u32,
    /// Milliseconds; 2^32 of them are 49 days, after which the record says nothing any more.
    at_ms: u32,
    flags: u8,
}

const USED: u8 = 1;
const HAS_TSVAL: u8 = 2;
const TIME_WAIT: u8 = 4;

/// How many pairs ahead a record is loaded: a miss is over before so many connections are opened.
const TAKEN_SOON: usize = 4;

/// The pairs of one destination.
pub(crate) struct TuplePool {
    remote: Ip,
    remote_port: u16,
    sources: Vec<Ip>,
    first_port: u16,
    ports: u32,
    queue: VecDeque<u32>,
    records: Vec<Record>,
}

impl TuplePool {
    /// All pairs of `config` that `owner` claims, and that are not in `taken` (ports of listeners).
    pub(crate) fn new(
        config: &DestinationConfig,
        all_sources: &[Ip],
        owner: Option<&Owner>,
        taken: impl Fn(Ip, u16) -> bool,
    ) -> Result<TuplePool, ConfigError> {
        let sources = if config.sources.is_empty() {
            all_sources.to_vec()
        } else {
            config.sources.clone()
        };
        let ports = u32::from(config.last_port - config.first_port) + 1;
        let mut pool = TuplePool {
            remote: config.address,
            remote_port: config.port,
            sources,
            first_port: config.first_port,
            ports,
            queue: VecDeque::new(),
            records: Vec::new(),
        };
        let limit = config.limit.unwrap_or(u32::MAX) as usize;
        let all = u32::try_from(pool.sources.len())
            .ok()
            .and_then(|n| n.checked_mul(ports))
            .ok_or(ConfigError::BadCapacity(
                "sources x ports",
                1,
                u64::from(u32::MAX),
                pool.sources.len() as u64 * u64::from(ports),
            ))?;
        for id in 0..all {
            if pool.queue.len() == limit {
                break;
            }
            let tuple = pool.tuple(TupleId(id));
            let ours = owner.is_none_or(|owns| owns(&tuple));
            if ours && !taken(tuple.local, tuple.local_port) {
                pool.queue.push_back(id);
            }
        }
        let Some(&last) = pool.queue.back() else {
            return Err(ConfigError::NoTuples(config.address, config.port));
        };
        let unused = Record {
            snd_nxt: Seq(0),
            tsval: 0,
            at_ms: 0,
            flags: 0,
        };
        pool.records = vec![unused; last as usize + 1];
        Ok(pool)
    }

    /// The four-tuple of a pair.
    pub(crate) fn tuple(&self, id: TupleId) -> FourTuple {
        let source = (id.0 / self.ports) as usize;
        let port = u32::from(self.first_port) + id.0 % self.ports;
        FourTuple {
            local: self.sources[source],
            remote: self.remote,
            // In range: below first_port + ports, which is at most 65,536.
            local_port: port as u16,
            remote_port: self.remote_port,
        }
    }

    /// A pair, left in its place: at place 0 the one that has rested longest.
    pub(crate) fn peek(&self, place: usize, now: Instant) -> Option<(TupleId, Option<LastUse>)> {
        let id = *self.queue.get(place)?;
        let r = self.records[id as usize];
        let last = (r.flags & USED != 0).then(|| {
            let age_ms = (now.as_millis() as u32).wrapping_sub(r.at_ms);
            LastUse {
                snd_nxt: r.snd_nxt,
                tsval: (r.flags & HAS_TSVAL != 0).then_some(r.tsval),
                at: Instant::from_millis(now.as_millis().saturating_sub(u64::from(age_ms))),
                time_wait: r.flags & TIME_WAIT != 0,
            }
        });
        Some((TupleId(id), last))
    }

    /// Takes the pair that [`TuplePool::peek`] showed at `place`, and starts loading the record of
    /// one that will soon be: in the order in which pairs come back, each is a cache miss. The
    /// pairs before it, which may not be used yet, go to the end.
    pub(crate) fn take(&mut self, place: usize) {
        self.queue.rotate_left(place);
        self.queue.pop_front();
        if let Some(&soon) = self.queue.get(TAKEN_SOON) {
            prefetch_slice_elem(&self.records, soon as usize);
        }
    }

    /// Gives a pair back with what must be remembered of it; `None` if it was never used on the
    /// wire, or if its former record still holds.
    pub(crate) fn give_back(&mut self, id: TupleId, last: Option<LastUse>) {
        if let Some(last) = last {
            let tsval = last.tsval.map_or(0, |_| HAS_TSVAL);
            let time_wait = if last.time_wait { TIME_WAIT } else { 0 };
            self.records[id.0 as usize] = Record {
                snd_nxt: last.snd_nxt,
                tsval: last.tsval.unwrap_or(0),
                at_ms: last.at.as_millis() as u32,
                flags: USED | tsval | time_wait,
            };
        }
        self.queue.push_back(id.0);
    }

    /// Pairs that are free.
    pub(crate) fn free(&self) -> usize {
        self.queue.len()
    }

    /// Bytes of the records and of the queue.
    pub(crate) fn allocated_bytes(&self) -> usize {
        self.records.capacity() * size_of::<Record>() + self.queue.capacity() * size_of::<u32>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::TimeWaitConfig;

    fn config(first_port: u16, last_port: u16, limit: Option<u32>) -> DestinationConfig {
        DestinationConfig {
            address: Ip::v4([192, 0, 2, 9]),
            port: 80,
            sources: vec![],
            first_port,
            last_port,
            limit,
            tcp: tcp::Config::default(),
            time_wait: TimeWaitConfig::default(),
        }
    }

    const SOURCES: [Ip; 2] = [Ip::v4([192, 0, 2, 1]), Ip::v4([192, 0, 2, 2])];

    #[test]
    fn longest_rest_first_and_nothing_is_lost() {
        let mut pool =
            TuplePool::new(&config(65_534, 65_535, None), &SOURCES, None, |_, _| false).unwrap();
        let now = Instant::from_millis(10);
        let mut seen = vec![];
        while let Some((id, last)) = pool.peek(0, now) {
            assert_eq!(last, None);
            seen.push(pool.tuple(id));
            pool.take(0);
        }
        assert_eq!(seen.len(), 4);
        let distinct: std::collections::HashSet<_> = seen.iter().collect();
        assert_eq!(distinct.len(), 4);
        let last = LastUse {
            snd_nxt: Seq(7),
            tsval: Some(0),
            at: Instant::from_millis(5),
            time_wait: true,
        };
        pool.give_back(TupleId(2), Some(last));
        pool.give_back(TupleId(0), None);
        assert_eq!(pool.peek(0, now), Some((TupleId(2), Some(last))));
        pool.take(0);
        assert_eq!(pool.peek(0, now), Some((TupleId(0), None)));
        assert_eq!(pool.free(), 1);
    }

    #[test]
    fn only_owned_and_untaken_pairs() {
        let even: Owner = Box::new(|t| t.local_port % 2 == 0);
        let taken = |ip: Ip, port: u16| ip == SOURCES[0] && port == 1002;
        let pool = TuplePool::new(&config(1000, 1003, None), &SOURCES, Some(&even), taken).unwrap();
        assert_eq!(pool.free(), 3);
        let none: Owner = Box::new(|_| false);
        assert!(matches!(
            TuplePool::new(&config(1000, 1003, None), &SOURCES, Some(&none), |_, _| {
                false
            }),
            Err(ConfigError::NoTuples(..))
        ));
        let pool = TuplePool::new(&config(1, 65_535, Some(70_000)), &SOURCES, None, |_, _| {
            false
        });
        assert_eq!(pool.unwrap().free(), 70_000);
    }
}
