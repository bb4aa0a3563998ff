//! Live connections: control blocks in a slab, found by four-tuple through an index.

use std::collections::VecDeque;

use tcp::prefetch::prefetch;
use tcp::time::Instant;
use tcp::time_wait::AnchorId;
use tcp::{CloseReason, Connection};
use wire::FourTuple;

use crate::application::{DestinationId, Handle, ListenerId};
use crate::neighbor::NeighborId;
use crate::time_wait::Place;
use crate::tuples::TupleId;
use index::Index;

mod index;

/// Where a connection came from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Origin {
    Listener(ListenerId),
    Destination(DestinationId, TupleId),
    /// Opened at run time from a local socket of the application's choice.
    Socket,
}

/// Bits of [`Slot::flags`].
pub(crate) mod flag {
    /// The slot holds a connection.
    pub(crate) const LIVE: u16 = 1;
    /// It may have something to send, and is [`QUEUED`].
    pub(crate) const DIRTY: u16 = 1 << 1;
    /// The application knows it, and has not been told that it is over.
    pub(crate) const KNOWN: u16 = 1 << 2;
    /// The application has been told of the peer's FIN.
    pub(crate) const FIN_TOLD: u16 = 1 << 3;
    /// It waits for its neighbour's Ethernet address.
    pub(crate) const WAITING: u16 = 1 << 4;
    /// It reached ESTABLISHED.
    pub(crate) const ESTABLISHED: u16 = 1 << 5;
    /// The application asked to be shown held data again.
    pub(crate) const RESUME: u16 = 1 << 6;
    /// The application closed it; carried out when it is next looked at for sending.
    pub(crate) const CLOSE: u16 = 1 << 7;
    /// It waits for send memory.
    pub(crate) const STARVED: u16 = 1 << 8;
    /// It is over and its four-tuple free; the slot stays until what it received is read.
    pub(crate) const DETACHED: u16 = 1 << 9;
    /// A router said that the peer cannot be reached at the moment.
    pub(crate) const UNREACHABLE: u16 = 1 << 10;
    /// It recycled a four-tuple in TIME-WAIT, or took it over: until it is proven new, TIME-WAIT's
    /// entry stays where it is.
    pub(crate) const SHADOW: u16 = 1 << 11;
    /// It recycled a four-tuple, or took one over.
    pub(crate) const RECYCLED: u16 = 1 << 12;
    /// Numbers alone do not tell it from those before it that had timestamps. If it has them too, they alone have proven
    /// its SYN new, and a RST may be old; if not, a SYN with timestamps may be.
    pub(crate) const UNPROVEN: u16 = 1 << 13;
    /// The slot is in the queue of those that may have something to send. It stays there when its
    /// connection goes, and may hold another one when its turn comes.
    pub(crate) const QUEUED: u16 = 1 << 14;
    /// It waits for receive memory.
    pub(crate) const SHORT: u16 = 1 << 15;
}

pub(crate) struct Slot {
    pub(crate) conn: Connection,
    pub(crate) tuple: FourTuple,
    pub(crate) flags: u16,
    pub(crate) neighbor: NeighborId,
    /// Index of the protocol's parameters.
    pub(crate) config: u16,
    pub(crate) generation: u32,
    pub(crate) origin: Origin,
    /// The keyed hash of the tuple.
    pub(crate) hash: u64,
    /// When it reached ESTABLISHED: nobody has sent what is of a connection before it since. Until then, when it was opened.
    pub(crate) established_at: Instant,
    /// The fixed side that it keeps for TIME-WAIT; `None`: that which its socket has had from the start.
    pub(crate) anchor: Option<AnchorId>,
    /// Where the entry of [`flag::SHADOW`] was last seen, if it is known.
    pub(crate) shadow: Option<Place>,
}

impl Slot {
    #[inline]
    pub(crate) fn has(&self, flag: u16) -> bool {
        self.flags & flag != 0
    }

    /// Whether it has `flag`, which says something of what it recycled, and that may have been sent in the last `ms` milliseconds.
    #[inline]
    pub(crate) fn has_lately(&self, flag: u16, now: Instant, ms: u64) -> bool {
        self.has(flag) && now < self.established_at.plus_millis(ms)
    }

    /// Notes in `dirty` that the connection of number `index`, which is this one, may have something to
    /// send.
    #[inline]
    pub(crate) fn mark_dirty(&mut self, dirty: &mut VecDeque<u32>, index: u32) {
        if self.flags & (flag::DIRTY | flag::LIVE) == flag::LIVE {
            debug_assert!(!self.has(flag::QUEUED));
            self.flags |= flag::DIRTY | flag::QUEUED;
            dirty.push_back(index);
        }
    }

    /// Why it is over.
    //= RFC 9293 3.9.2.2
    //# it SHOULD make the information available to the application (SHLD-25).
    pub(crate) fn close_reason(&self) -> CloseReason {
        match self.conn.close_reason() {
            Some(CloseReason::TimedOut) if self.has(flag::UNREACHABLE) => CloseReason::Unreachable,
            reason => reason.unwrap_or(CloseReason::Normal),
        }
    }
}

pub(crate) struct Slab {
    slots: Vec<Slot>,
    free: Vec<u32>,
    index: Index,
    capacity: u32,
    /// Connections put in, ever; wraps.
    insertions: u32,
}

/// Where a tuple's connection probably is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Hint {
    /// In this slot, or in another one of like hash.
    At(u32),
    /// In none, when so many had been put in.
    Nowhere {
        /// [`Slab::insertions`] then.
        insertions: u32,
    },
}

impl Slab {
    pub(crate) fn new(capacity: u32) -> Slab {
        let n = capacity as usize;
        Slab {
            slots: Vec::with_capacity(n),
            free: Vec::with_capacity(n),
            index: Index::new(n),
            capacity,
            insertions: 0,
        }
    }

    pub(crate) fn live(&self) -> usize {
        self.index.len()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.free.is_empty() && self.slots.len() >= self.capacity as usize
    }

    /// Puts a connection into a free slot. The caller has seen that there is one and that the
    /// tuple is not in the table.
    #[inline(always)] // or the control block is moved once more
    pub(crate) fn insert(&mut self, mut slot: Slot) -> Option<u32> {
        let hash = slot.hash;
        let index = match self.free.pop() {
            Some(index) => {
                let place = &mut self.slots[index as usize];
                slot.generation = place.generation.wrapping_add(1);
                slot.flags |= place.flags & flag::QUEUED;
                *place = slot;
                index
            }
            None if self.slots.len() < self.capacity as usize => {
                self.slots.push(slot);
                (self.slots.len() - 1) as u32
            }
            None => return None,
        };
        self.insertions = self.insertions.wrapping_add(1);
        self.index.insert(hash, index);
        Some(index)
    }

    /// Takes the connection out of the index: its four-tuple is free for another one.
    pub(crate) fn detach(&mut self, index: u32) {
        let slot = &mut self.slots[index as usize];
        slot.flags |= flag::DETACHED;
        self.index.remove(slot.hash, index);
    }

    /// Gives a connection that is not detached another four-tuple.
    pub(crate) fn rename(&mut self, index: u32, tuple: FourTuple, hash: u64) {
        let slot = &mut self.slots[index as usize];
        self.index.remove(slot.hash, index);
        slot.tuple = tuple;
        slot.hash = hash;
        self.insertions = self.insertions.wrapping_add(1);
        self.index.insert(hash, index);
    }

    /// Frees the slot of a detached connection. Its memory must have been released.
    pub(crate) fn free(&mut self, index: u32) {
        let slot = &mut self.slots[index as usize];
        if slot.flags & flag::LIVE != 0 {
            slot.flags &= flag::QUEUED;
            self.free.push(index);
        }
    }

    #[inline(never)] // to keep its callers' values in registers
    pub(crate) fn find(&self, hash: u64, tuple: &FourTuple) -> Option<u32> {
        self.index
            .find(hash, |i| self.slots[i as usize].tuple == *tuple)
    }

    /// Starts loading what a look for `hash`, or its insertion, reads first.
    #[inline(always)]
    pub(crate) fn prefetch(&self, hash: u64) {
        self.index.prefetch(hash);
    }

    /// Like [`Slab::find`] by hash alone, and starts fetching the control block: a hint.
    #[inline]
    pub(crate) fn hint(&self, hash: u64) -> Hint {
        // Comparing hashes only keeps this from touching the slot, which is what is fetched.
        let Some(index) = self.index.find(hash, |_| true) else {
            return Hint::Nowhere {
                insertions: self.insertions,
            };
        };
        if let Some(slot) = self.slots.get(index as usize) {
            slot.conn.prefetch();
            prefetch(&slot.tuple);
        }
        Hint::At(index)
    }

    /// The connection of `tuple` with its flags, of which [`Slab::hint`] said something earlier in the
    /// burst: it may be stale, because a segment since then may have moved the tuple.
    #[inline(always)] // as long as hints hold it is a comparison
    pub(crate) fn resolve(&self, hint: Hint, hash: u64, tuple: &FourTuple) -> Option<(u32, u16)> {
        match hint {
            Hint::At(index) => {
                if let Some(slot) = self.slots.get(index as usize)
                    && slot.flags & (flag::LIVE | flag::DETACHED) == flag::LIVE
                    && slot.tuple == *tuple
                {
                    return Some((index, slot.flags));
                }
            }
            Hint::Nowhere { insertions } if insertions == self.insertions => return None,
            Hint::Nowhere { .. } => {}
        }
        self.find_with_flags(hash, tuple)
    }

    /// [`Slab::find`], with the connection's flags.
    #[inline(always)] // its result would be written to memory
    pub(crate) fn find_with_flags(&self, hash: u64, tuple: &FourTuple) -> Option<(u32, u16)> {
        let index = self.find(hash, tuple)?;
        Some((index, self.get(index).flags))
    }

    #[inline]
    pub(crate) fn get(&self, index: u32) -> &Slot {
        &self.slots[index as usize]
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, index: u32) -> &mut Slot {
        &mut self.slots[index as usize]
    }

    /// The slot, if it holds a connection.
    #[inline]
    pub(crate) fn live_mut(&mut self, index: u32) -> Option<&mut Slot> {
        self.slots
            .get_mut(index as usize)
            .filter(|s| s.has(flag::LIVE))
    }

    #[inline]
    pub(crate) fn by_handle(&self, handle: Handle) -> Option<&Slot> {
        self.slots
            .get(handle.index())
            .filter(|s| s.has(flag::LIVE) && s.generation == handle.generation)
    }

    #[inline]
    pub(crate) fn by_handle_mut(&mut self, handle: Handle) -> Option<&mut Slot> {
        self.slots
            .get_mut(handle.index())
            .filter(|s| s.has(flag::LIVE) && s.generation == handle.generation)
    }

    #[inline]
    pub(crate) fn handle(&self, index: u32) -> Handle {
        Handle {
            index,
            generation: self.slots[index as usize].generation,
        }
    }

    /// Indices of the live slots, in no order.
    pub(crate) fn live_indices(&self) -> impl Iterator<Item = u32> {
        self.slots
            .iter()
            .enumerate()
            .filter(|(_, s)| s.has(flag::LIVE))
            .map(|(i, _)| i as u32)
    }

    pub(crate) fn allocated_bytes(&self) -> usize {
        self.slots.capacity() * size_of::<Slot>()
            + self.free.capacity() * size_of::<u32>()
            + self.index.allocated_bytes()
    }
}
