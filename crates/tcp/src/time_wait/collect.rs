//! Which anchors no entry refers to any more.
//!
//! An anchor is retired when no connection will enter TIME-WAIT under it again. Its entries stay for their
//! time, and no count of them is kept, which would cost every insertion and removal. Instead the sweep,
//! which comes by every entry, notes what it sees: an anchor that was retired before a pass began and was
//! not seen in the whole of it has no entry. While none is retired this costs nothing.

use super::anchor::{ANCHOR_MASK, VACANT};

/// What is known of an anchor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fate {
    /// Connections may enter TIME-WAIT under it.
    InUse,
    /// None will, but this pass of the sweep may have missed its entries.
    Retired,
    /// None will since before this pass began.
    Candidate,
    /// It has no entry.
    Ripe,
    /// Nor a socket.
    Free,
}

/// The fates of all anchors of a table.
#[derive(Debug)]
pub(super) struct Collector {
    fates: Vec<Fate>,
    /// Those that are ripe, and some that were.
    ripe: Vec<u16>,
    free: Vec<u16>,
    retired: usize,
    candidates: usize,
    /// A bit for each anchor: this pass has come by an entry of it.
    seen: Box<[u64; (ANCHOR_MASK as usize + 1) / 64]>,
}

impl Collector {
    pub(super) fn new() -> Collector {
        Collector {
            fates: Vec::new(),
            ripe: Vec::new(),
            free: Vec::new(),
            retired: 0,
            candidates: 0,
            seen: Box::new([0; (ANCHOR_MASK as usize + 1) / 64]),
        }
    }

    /// Bytes that it takes beside itself.
    pub(super) fn allocated_bytes(&self) -> usize {
        self.fates.capacity() * size_of::<Fate>()
            + (self.ripe.capacity() + self.free.capacity()) * size_of::<u16>()
            + size_of_val(&*self.seen)
    }

    /// One more anchor.
    pub(super) fn push(&mut self) {
        self.fates.push(Fate::InUse);
    }

    /// An anchor that is free, for another use.
    pub(super) fn take(&mut self) -> Option<u16> {
        let id = self.free.pop()?;
        self.fates[usize::from(id)] = Fate::InUse;
        Some(id)
    }

    /// Sets an anchor free that has no entry; the caller takes its socket away.
    pub(super) fn reap(&mut self) -> Option<u16> {
        while let Some(id) = self.ripe.pop() {
            let fate = &mut self.fates[usize::from(id)];
            if *fate == Fate::Ripe {
                *fate = Fate::Free;
                self.free.push(id);
                return Some(id);
            }
        }
        None
    }

    /// How many are free.
    pub(super) fn free(&self) -> usize {
        self.free.len()
    }

    pub(super) fn retire(&mut self, id: u16) {
        if let Some(fate @ Fate::InUse) = self.fates.get_mut(usize::from(id)) {
            *fate = Fate::Retired;
            self.retired += 1;
        }
    }

    /// Connections may enter TIME-WAIT under it after all; `false`: it is free.
    pub(super) fn revive(&mut self, id: u16) -> bool {
        let Some(fate) = self.fates.get_mut(usize::from(id)) else {
            return false;
        };
        match *fate {
            Fate::InUse | Fate::Ripe => {}
            Fate::Retired => self.retired -= 1,
            Fate::Candidate => self.candidates -= 1,
            Fate::Free => return false,
        }
        *fate = Fate::InUse;
        true
    }

    /// Whether the pass under way has to tell what it sees.
    #[inline]
    pub(super) fn wants_to_see(&self) -> bool {
        self.candidates > 0
    }

    /// The sweep has come by an entry, or by a vacant place.
    #[inline]
    pub(super) fn see(&mut self, anchor: u16) {
        if anchor != VACANT {
            let id = usize::from(anchor & ANCHOR_MASK);
            self.seen[id / 64] |= 1 << (id % 64);
        }
    }

    /// A pass has come by every entry.
    pub(super) fn pass_ended(&mut self) {
        if self.candidates > 0 {
            let seen = &self.seen;
            let unseen = |id: usize| seen[id / 64] & 1 << (id % 64) == 0;
            for (id, fate) in self.fates.iter_mut().enumerate() {
                if *fate == Fate::Candidate && unseen(id) {
                    *fate = Fate::Ripe;
                    self.candidates -= 1;
                    // There are fewer than 2^14.
                    self.ripe.push(id as u16);
                }
            }
        }
    }

    /// A pass begins, whether or not the last one was finished.
    pub(super) fn pass_begins(&mut self) {
        if self.retired + self.candidates == 0 {
            return;
        }
        for fate in self.fates.iter_mut().filter(|f| **f == Fate::Retired) {
            *fate = Fate::Candidate;
        }
        self.candidates += self.retired;
        self.retired = 0;
        self.seen.fill(0);
    }

    /// The table is empty.
    pub(super) fn no_entries(&mut self) {
        self.pass_begins();
        self.pass_ended();
    }
}

#[cfg(test)]
mod tests;
