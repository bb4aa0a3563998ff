//! Active OPEN (RFC 9293 3.10.1): a local socket, an initial sequence number, a control block.

use tcp::Connection;
use tcp::time::Instant;
use wire::FourTuple;

use crate::application::{DestinationId, Handle};
use crate::context::ConnectError;
use crate::core::Core;
use crate::slab::{Origin, Slot, flag};
use crate::time_wait::Opening;
use crate::tuples::TupleId;

/// Local sockets looked at for an active open. Most often the first will do; one that is in TIME-WAIT
/// for longer than those behind it must not keep them from use.
const PAIRS_TRIED: usize = 16;

/// A local socket for an active open, and what its four-tuple implies.
pub(crate) struct Chosen {
    /// Where it stands in its pool.
    pub(crate) place: usize,
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
            Err(next_free) => {
                self.neighbors.release(neighbor);
                self.counters.host.connect_no_tuple += 1;
                return Err(ConnectError::NoTupleFree { next_free });
            }
        };
        let Chosen {
            place,
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
            flags: flag::LIVE | flag::KNOWN | flag::shadow(opening.shadow),
            neighbor,
            config,
            generation: 0,
            origin: Origin::Destination(id, pair),
            hash,
        };
        let Some(index) = self.slab.insert(slot) else {
            self.neighbors.release(neighbor);
            return Err(ConnectError::TableFull);
        };
        self.destinations[usize::from(id.0)].pool.take(place);
        self.counters.host.active_opens += 1;
        self.mark_dirty(index);
        Ok(self.slab.handle(index))
    }

    /// The pair for an active open: of those that have rested longest, the first that may be used. If
    /// none may, the earliest time at which one may, unless all are in use.
    #[inline]
    pub(crate) fn choose_pair(
        &mut self,
        id: DestinationId,
        now: Instant,
    ) -> Result<Chosen, Option<Instant>> {
        let mut next_free: Option<Instant> = None;
        for place in 0..PAIRS_TRIED {
            let pool = &self.destinations[usize::from(id.0)].pool;
            let Some((pair, last)) = pool.peek(place, now) else {
                break;
            };
            let tuple: FourTuple = pool.tuple(pair);
            let hash = self.hash(&tuple);
            let numbers = self.secret.numbers(&tuple);
            let clock = self.clock_isn(numbers, now);
            match self.may_reuse(id, &tuple, hash, last, clock, now) {
                Ok(opening) => {
                    return Ok(Chosen {
                        place,
                        pair,
                        tuple,
                        hash,
                        numbers,
                        opening,
                    });
                }
                Err(at) => next_free = Some(next_free.map_or(at, |before| before.min(at))),
            }
        }
        Err(next_free)
    }
}
