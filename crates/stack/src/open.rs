//! Active OPEN (RFC 9293 3.10.1): a local socket, an initial sequence number, a control block.

use tcp::Connection;
use tcp::time::Instant;
use wire::FourTuple;

use crate::application::{DestinationId, Handle};
use crate::context::ConnectError;
use crate::core::Core;
use crate::slab::{Origin, Slot, flag};
use crate::time_wait::Opening;
use crate::tuples::{Exhausted, TupleId};

/// Local sockets looked at for an active open. The first will do, unless a retransmitted FIN has
/// prolonged its TIME-WAIT.
const PAIRS_TRIED: usize = 16;

/// A local socket for an active open, and what its four-tuple implies.
pub(crate) struct Chosen {
    pub(crate) pair: TupleId,
    pub(crate) tuple: FourTuple,
    pub(crate) hash: u64,
    pub(crate) numbers: tcp::isn::Numbers,
    pub(crate) opening: Opening,
}

impl Core {
    /// Active OPEN (RFC 9293 3.10.1).
    pub(crate) fn connect(
        &mut self,
        id: DestinationId,
        now: Instant,
    ) -> Result<Handle, ConnectError> {
        let Some(destination) = self.destinations.get(usize::from(id.0)) else {
            return Err(ConnectError::NoDestination);
        };
        if self.draining {
            return Err(ConnectError::Draining);
        }
        if self.slab.is_full() {
            self.counters.host.connect_table_full += 1;
            return Err(ConnectError::TableFull);
        }
        let (config, remote) = (destination.config, destination.address);
        // First, because the choice of a pair may end its TIME-WAIT.
        let next_hop = self.link.next_hop(remote).unwrap_or(remote);
        let Some(neighbor) = self.neighbors.acquire(next_hop, now) else {
            self.counters.host.neighbor_table_full += 1;
            return Err(ConnectError::NoNeighbor);
        };
        let chosen = match self.choose_pair(id, now) {
            Ok(chosen) => chosen,
            Err(why) => {
                self.neighbors.release(neighbor);
                self.counters.host.connect_no_tuple += 1;
                return Err(why.into());
            }
        };
        let Chosen {
            pair,
            tuple,
            hash,
            numbers,
            opening,
        } = chosen;
        let tcp = &self.tcp_configs[usize::from(config)];
        let conn = Connection::connect(tcp, now, opening.iss, numbers.ts_offset);
        let slot = Slot {
            conn,
            tuple,
            flags: flag::LIVE | flag::DIRTY | flag::KNOWN | opening.flags(),
            neighbor,
            config,
            generation: 0,
            origin: Origin::Destination(id, pair),
            hash,
            established_at: now,
            anchor: None,
            shadow: None,
        };
        let Some(index) = self.insert(slot) else {
            self.neighbors.release(neighbor);
            self.destinations[usize::from(id.0)]
                .pool
                .give_back(pair, None);
            return Err(ConnectError::TableFull);
        };
        self.counters.host.active_opens += 1;
        Ok(self.slab.handle(index))
    }

    /// Takes the pair for an active open: the next of those that are free.
    #[inline]
    pub(crate) fn choose_pair(
        &mut self,
        id: DestinationId,
        now: Instant,
    ) -> Result<Chosen, Exhausted> {
        let destination = usize::from(id.0);
        for _ in 0..PAIRS_TRIED {
            let pool = &mut self.destinations[destination].pool;
            let (slab, time_wait, key) = (&self.slab, &self.time_wait, &self.key);
            // Where it will be looked for, and put: cache misses that take longer than an open.
            let soon = |tuple: &FourTuple| {
                let hash = key.flow(tuple);
                slab.prefetch(hash);
                time_wait.prefetch(tuple.local.is_v4(), hash);
            };
            let Some((pair, last)) = pool.take(now, &mut self.next_ephemeral, soon) else {
                break;
            };
            let tuple: FourTuple = pool.tuple(pair);
            let hash = self.hash(&tuple);
            // One that the application opened itself, or that came to a listener on a port of the pool.
            if self.has_sockets && self.slab.find(hash, &tuple).is_some() {
                self.destinations[destination].pool.put_off(pair, now, None);
                self.time_wait.note_put_off(tuple, None);
                continue;
            }
            let numbers = self.secret.numbers(&tuple);
            let clock = self.clock_isn(numbers, now);
            match self.may_reuse(id, &tuple, hash, last, clock, now) {
                Ok(opening) => {
                    return Ok(Chosen {
                        pair,
                        tuple,
                        hash,
                        numbers,
                        opening,
                    });
                }
                Err(until) => {
                    let pool = &mut self.destinations[destination].pool;
                    pool.put_off(pair, now, Some(until));
                    self.time_wait.note_put_off(tuple, Some(until));
                }
            }
        }
        Err(self.destinations[destination].pool.exhausted(now))
    }
}
