//! The fixed side of a connection in TIME-WAIT.

use core::fmt;

use hashbrown::HashTable;
use wire::{FourTuple, Ip};

use super::collect::Collector;
use super::expiry::{ClassId, NEVER};

/// Which side of the four-tuple an [`Anchor`] fixes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Side {
    /// One of our listening sockets: the remote socket varies.
    Local,
    /// One of our destinations for active opens: the local socket varies.
    Remote,
}

/// What connections that share a fixed side have in common.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Anchor {
    /// Which side is fixed.
    pub side: Side,
    /// The fixed address. Not a wildcard: a listener on every address has one anchor an address.
    pub ip: Ip,
    /// The fixed port.
    pub port: u16,
    /// How long its connections stay in TIME-WAIT.
    pub class: ClassId,
    /// How long those stay in FIN-WAIT-2 whose user has closed.
    pub fin_wait2_class: ClassId,
    /// The same of those that are [`Entry::recycled`](super::Entry::recycled): what they recycled may be under way for
    /// longer.
    pub fin_wait2_recycled_class: ClassId,
    /// The receive window in bytes, frozen when a connection enters TIME-WAIT. It is a constant of
    /// the anchor: a peer in LAST-ACK needs our acknowledgment, not our window.
    pub window: u32,
    /// The shift count of RFC 7323 2.2 that `window` is advertised with.
    pub window_shift: u8,
}

impl Anchor {
    /// SEG.WND of what is sent from TIME-WAIT: the window field, scaled.
    #[inline]
    #[must_use]
    pub fn window_field(&self) -> u16 {
        let scaled = self.window.checked_shr(self.window_shift.into());
        u16::try_from(scaled.unwrap_or(0)).unwrap_or(u16::MAX)
    }

    fn socket_hash(&self) -> u64 {
        socket_hash(self.side, self.ip, self.port)
    }
}

/// Names an [`Anchor`] of one [`Anchors`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct AnchorId(pub(super) u16);

impl AnchorId {
    /// A small number that no other anchor of the table has.
    #[inline]
    #[must_use]
    pub fn index(self) -> usize {
        self.0.into()
    }
}

/// Why an anchor was not added.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AnchorError {
    /// There are [`Anchors::MAX`] already that are in use or have entries.
    Full,
    /// The table has no such duration class.
    UnknownClass,
    /// The address is of the other family.
    WrongFamily,
}

impl fmt::Display for AnchorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            AnchorError::Full => {
                "there are 8,191 TIME-WAIT anchors already, all with users or entries"
            }
            AnchorError::UnknownClass => "no such TIME-WAIT duration class",
            AnchorError::WrongFamily => "the anchor's address is of the other family",
        })
    }
}

impl core::error::Error for AnchorError {}

/// The anchors of a table.
///
/// A connection keeps the anchor that it began with. One socket may have several, if what its
/// connections have in common has changed, and a tuple may have one on either side: whoever looks
/// for an entry tries [`Anchors::resolve`] first, and if it could be another, all of
/// [`Anchors::candidates`]. One that no connection will use again is given back with
/// [`Table::retire_anchor`](super::Table::retire_anchor).
#[derive(Debug)]
pub struct Anchors {
    list: Vec<Anchor>,
    /// The next anchor of the same socket, for each; [`VACANT`]: none.
    others: Vec<u16>,
    /// The first anchor of each socket. Its keys are configuration, not the peers' choice, so its
    /// hash needs no secret.
    index: HashTable<u16>,
    /// One of those for each value of the port's low bits, looked at before the others: the ports of a host are few,
    /// and often follow each other. [`VACANT`]: none.
    foremost: [u16; FOREMOST],
    /// How many of those are local.
    local: usize,
    collector: Collector,
    /// The class of each anchor and state, for every `u16`: the sweep looks up without a branch.
    classes: Box<[u8; 1 << 16]>,
}

/// A power of two.
const FOREMOST: usize = 64;

/// The anchor number of a vacant place in a line.
pub(super) const VACANT: u16 = u16::MAX;

/// The bits of an anchor's number; in a line the rest is the entry's state.
pub(super) const ANCHOR_MASK: u16 = 0x1fff;

/// The entry is in FIN-WAIT-2.
pub(super) const FIN_WAIT2: u16 = 1 << 15;

/// [`Entry::recycled`](super::Entry::recycled).
pub(super) const RECYCLED: u16 = 1 << 14;

/// [`Entry::reset`](super::Entry::reset).
pub(super) const RESET: u16 = 1 << 13;

impl Default for Anchors {
    fn default() -> Anchors {
        Anchors::new()
    }
}

impl Anchors {
    /// How many there may be.
    pub const MAX: usize = (VACANT & ANCHOR_MASK) as usize;

    /// None yet.
    #[must_use]
    pub fn new() -> Anchors {
        let mut classes = Box::new([0; 1 << 16]);
        classes[usize::from(VACANT)] = NEVER.0;
        Anchors {
            list: Vec::new(),
            others: Vec::new(),
            index: HashTable::new(),
            foremost: [VACANT; FOREMOST],
            local: 0,
            collector: Collector::new(),
            classes,
        }
    }

    /// Adds `anchor`, after those that its socket has.
    ///
    /// # Errors
    /// [`AnchorError::Full`] at [`Anchors::MAX`].
    pub fn add(&mut self, anchor: Anchor) -> Result<AnchorId, AnchorError> {
        if self.list.len() == Anchors::MAX && self.collector.free() == 0 {
            self.reap(1);
        }
        let id = match self.collector.take() {
            Some(free) => {
                self.list[usize::from(free)] = anchor;
                free
            }
            None if self.list.len() < Anchors::MAX => {
                self.list.push(anchor);
                self.others.push(VACANT);
                self.collector.push();
                (self.list.len() - 1) as u16
            }
            None => return Err(AnchorError::Full),
        };
        for reset in [0, RESET] {
            for (state, class) in [
                (0, anchor.class),
                (RECYCLED, anchor.class),
                (FIN_WAIT2, anchor.fin_wait2_class),
                (FIN_WAIT2 | RECYCLED, anchor.fin_wait2_recycled_class),
            ] {
                self.classes[usize::from(id | state | reset)] = class.0;
            }
        }
        match self.find(anchor.side, anchor.ip, anchor.port) {
            Some(first) => {
                let next = &mut self.others[first.index()];
                let after = core::mem::replace(next, id);
                self.others[usize::from(id)] = after;
            }
            None => self.index(id),
        }
        Ok(AnchorId(id))
    }

    fn index(&mut self, id: u16) {
        let list = &self.list;
        let hash = |&i: &u16| list[usize::from(i)].socket_hash();
        self.index.insert_unique(hash(&id), id, hash);
        let anchor = &self.list[usize::from(id)];
        self.local += usize::from(anchor.side == Side::Local);
        let foremost = &mut self.foremost[foremost(anchor.port)];
        if *foremost == VACANT {
            *foremost = id;
        }
    }

    /// Its socket has the anchor no more.
    fn unlink(&mut self, id: u16) {
        let next = core::mem::replace(&mut self.others[usize::from(id)], VACANT);
        let socket = self.list[usize::from(id)];
        if let Ok(first) = self.index.find_entry(socket.socket_hash(), |&i| i == id) {
            first.remove();
            self.local -= usize::from(socket.side == Side::Local);
            // Until the next that is added: to look for another one would take long where there are many.
            let foremost = &mut self.foremost[foremost(socket.port)];
            if *foremost == id {
                *foremost = VACANT;
            }
            if next != VACANT {
                self.index(next);
            }
            return;
        }
        let mut before = self.find(socket.side, socket.ip, socket.port);
        while let Some(AnchorId(at)) = before {
            let link = &mut self.others[usize::from(at)];
            if *link == id {
                *link = next;
                return;
            }
            before = self.after(AnchorId(at));
        }
    }

    /// What finds out which anchors have no entry.
    #[inline]
    pub(super) fn collector(&mut self) -> &mut Collector {
        &mut self.collector
    }

    /// Sets some anchors free that have no entry.
    pub(super) fn reap(&mut self, budget: usize) {
        for _ in 0..budget {
            let Some(id) = self.collector.reap() else {
                return;
            };
            self.unlink(id);
        }
    }

    /// The anchors of a socket, that which it has had longest first.
    pub fn of(&self, side: Side, ip: Ip, port: u16) -> impl Iterator<Item = AnchorId> {
        core::iter::successors(self.find(side, ip, port), |id| self.after(*id))
    }

    fn after(&self, id: AnchorId) -> Option<AnchorId> {
        let next = *self.others.get(id.index())?;
        (next != VACANT).then_some(AnchorId(next))
    }

    /// Every anchor that an entry of the four-tuple may have, with its variable side.
    pub fn candidates(&self, tuple: &FourTuple) -> impl Iterator<Item = (AnchorId, Ip, u16)> {
        let FourTuple {
            local,
            remote,
            local_port,
            remote_port,
        } = *tuple;
        let ours = self.of(Side::Local, local, local_port);
        let theirs = self.of(Side::Remote, remote, remote_port);
        ours.map(move |id| (id, remote, remote_port))
            .chain(theirs.map(move |id| (id, local, local_port)))
    }

    /// The first anchor with this fixed side.
    #[inline]
    #[must_use]
    pub fn find(&self, side: Side, ip: Ip, port: u16) -> Option<AnchorId> {
        let is = |a: &Anchor| a.side == side && a.port == port && a.ip == ip;
        let foremost = self.foremost[foremost(port)];
        if self.list.get(usize::from(foremost)).is_some_and(is) {
            return Some(AnchorId(foremost));
        }
        // Nobody listens on a client: half of its look-ups.
        if side == Side::Local && self.local == 0 {
            return None;
        }
        self.find_in_index(side, ip, port)
    }

    #[inline(never)]
    fn find_in_index(&self, side: Side, ip: Ip, port: u16) -> Option<AnchorId> {
        let found = self.index.find(socket_hash(side, ip, port), |&i| {
            let a = &self.list[usize::from(i)];
            a.side == side && a.port == port && a.ip == ip
        })?;
        Some(AnchorId(*found))
    }

    /// The first of [`Anchors::candidates`]: the only one as long as sockets are known at start.
    #[inline(always)] // or the sixteen octets of the address are moved twice more
    #[must_use]
    pub fn resolve(&self, tuple: &FourTuple) -> Option<(AnchorId, Ip, u16)> {
        if let Some(id) = self.find(Side::Local, tuple.local, tuple.local_port) {
            return Some((id, tuple.remote, tuple.remote_port));
        }
        let id = self.find(Side::Remote, tuple.remote, tuple.remote_port)?;
        Some((id, tuple.local, tuple.local_port))
    }

    /// The four-tuple of an anchor and a variable side: the inverse of [`Anchors::resolve`].
    ///
    /// `None` if there is no such anchor.
    #[inline]
    #[must_use]
    pub fn tuple(&self, id: AnchorId, ip: Ip, port: u16) -> Option<FourTuple> {
        let a = self.get(id)?;
        Some(match a.side {
            Side::Local => FourTuple {
                local: a.ip,
                remote: ip,
                local_port: a.port,
                remote_port: port,
            },
            Side::Remote => FourTuple {
                local: ip,
                remote: a.ip,
                local_port: port,
                remote_port: a.port,
            },
        })
    }

    /// The variable side of a four-tuple whose fixed side is that of `id`; `None` if it is not.
    #[inline]
    pub(super) fn variable_side<'a>(
        &self,
        id: AnchorId,
        tuple: &'a FourTuple,
    ) -> Option<(&'a Ip, u16)> {
        let a = self.get(id)?;
        let local = (&tuple.local, tuple.local_port);
        let remote = (&tuple.remote, tuple.remote_port);
        let (fixed, variable) = match a.side {
            Side::Local => (local, remote),
            Side::Remote => (remote, local),
        };
        (fixed == (&a.ip, a.port)).then_some(variable)
    }

    /// The anchor that `id` names.
    #[inline]
    #[must_use]
    pub fn get(&self, id: AnchorId) -> Option<&Anchor> {
        self.list.get(id.index())
    }

    /// Bytes that they take.
    pub(super) fn allocated_bytes(&self) -> usize {
        self.list.capacity() * size_of::<Anchor>()
            + self.others.capacity() * size_of::<u16>()
            + self.index.allocation_size()
            + self.collector.allocated_bytes()
            + size_of_val(&*self.classes)
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.list.len() - self.collector.free()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The duration class of anchor number `anchor` with its entry's state: [`NEVER`] of a vacant place,
    /// class 0 for numbers that name none.
    #[inline(always)]
    pub(super) fn class(&self, anchor: u16) -> ClassId {
        ClassId(self.classes[usize::from(anchor)])
    }
}

/// The place of a port among [`Anchors::foremost`].
#[inline]
fn foremost(port: u16) -> usize {
    usize::from(port) % FOREMOST
}

/// A multiply-and-fold hash of a configured socket.
#[inline]
fn socket_hash(side: Side, ip: Ip, port: u16) -> u64 {
    let wide = u128::from_ne_bytes(ip.octets());
    let low = (wide as u64) ^ (u64::from(port) << 1) ^ (side as u64);
    let high = (wide >> 64) as u64;
    let folded = u128::from(low ^ 0x9e37_79b9_7f4a_7c15) * u128::from(high ^ 0xd6e8_feb8_6659_fd93);
    (folded as u64) ^ ((folded >> 64) as u64)
}

#[cfg(test)]
mod tests;
