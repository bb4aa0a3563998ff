//! The fixed side of a connection in TIME-WAIT.

use core::fmt;

use hashbrown::HashTable;
use wire::{FourTuple, Ip};

use super::expiry::ClassId;

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
}

/// Names an [`Anchor`] of one [`Anchors`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct AnchorId(pub(super) u16);

impl AnchorId {
    /// Its place, in the order of adding.
    #[inline]
    #[must_use]
    pub fn index(self) -> usize {
        self.0.into()
    }
}

/// Why an anchor was not added.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AnchorError {
    /// There are [`Anchors::MAX`] already.
    Full,
    /// The table has no such duration class.
    UnknownClass,
    /// The address is of the other family.
    WrongFamily,
}

impl fmt::Display for AnchorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            AnchorError::Full => "there are 16,383 TIME-WAIT anchors already",
            AnchorError::UnknownClass => "no such TIME-WAIT duration class",
            AnchorError::WrongFamily => "the anchor's address is of the other family",
        })
    }
}

impl core::error::Error for AnchorError {}

/// The anchors of a table. They are few, known at start, and never removed.
///
/// A tuple's anchor is its local socket if that is one, else its remote socket. An anchor that is
/// added while entries exist hides those that it would have named differently until they expire:
/// add listeners before the first connection, and do not listen on ports of the ephemeral range.
#[derive(Debug)]
pub struct Anchors {
    list: Vec<Anchor>,
    /// Places in `list`, by side and socket. Its keys are configuration, not the peers' choice, so
    /// its hash needs no secret.
    index: HashTable<u16>,
    /// The class of each anchor and state, for every `u16`: the sweep looks up without a branch.
    classes: Box<[u8; 1 << 16]>,
}

/// The anchor number of a vacant place in a line.
pub(super) const VACANT: u16 = u16::MAX;

/// The bits of an anchor's number; in a line the rest is the entry's state.
pub(super) const ANCHOR_MASK: u16 = 0x3fff;

/// The entry is in FIN-WAIT-2.
pub(super) const FIN_WAIT2: u16 = 1 << 15;

/// [`Entry::recycled`](super::Entry::recycled).
pub(super) const RECYCLED: u16 = 1 << 14;

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
        Anchors {
            list: Vec::new(),
            index: HashTable::new(),
            classes: Box::new([0; 1 << 16]),
        }
    }

    /// Adds `anchor`, or finds it if its side, address and port are known already; then its class
    /// and window stay what they were.
    ///
    /// # Errors
    /// [`AnchorError::Full`] at [`Anchors::MAX`].
    pub fn add(&mut self, anchor: Anchor) -> Result<AnchorId, AnchorError> {
        if let Some(id) = self.find(anchor.side, anchor.ip, anchor.port) {
            return Ok(id);
        }
        if self.list.len() >= Anchors::MAX {
            return Err(AnchorError::Full);
        }
        let id = self.list.len() as u16;
        self.list.push(anchor);
        for recycled in [0, RECYCLED] {
            self.classes[usize::from(id | recycled)] = anchor.class.0;
            self.classes[usize::from(id | recycled | FIN_WAIT2)] = anchor.fin_wait2_class.0;
        }
        let list = &self.list;
        let hash = socket_hash(anchor.side, anchor.ip, anchor.port);
        self.index.insert_unique(hash, id, |&i| {
            let a = &list[usize::from(i)];
            socket_hash(a.side, a.ip, a.port)
        });
        Ok(AnchorId(id))
    }

    /// The anchor with this fixed side.
    #[inline]
    #[must_use]
    pub fn find(&self, side: Side, ip: Ip, port: u16) -> Option<AnchorId> {
        let found = self.index.find(socket_hash(side, ip, port), |&i| {
            let a = &self.list[usize::from(i)];
            a.side == side && a.port == port && a.ip == ip
        })?;
        Some(AnchorId(*found))
    }

    /// The anchor of a four-tuple with its variable side, the local socket first.
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

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The duration class of anchor number `anchor` with its entry's state; class 0 for numbers that
    /// name none.
    #[inline]
    pub(super) fn class(&self, anchor: u16) -> ClassId {
        ClassId(self.classes[usize::from(anchor)])
    }
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
