//! The TIME-WAIT tables of both families behind one face. A family that no socket uses takes no
//! memory.

use ::core::time::Duration;

use tcp::time::Instant;
use tcp::time_wait::{
    Age, Anchor, AnchorError, AnchorId, Anchors, Config, Entry, Family, Inserted, Side, Slot,
    Stats, Table, V4, V6,
};
use wire::{FourTuple, Ip};

use crate::config::ConfigError;

/// The TIME-WAIT tables, with an `S` for each fixed side.
pub(super) struct Tables<S> {
    config: Config,
    v4: Option<Table<V4>>,
    v6: Option<Table<V6>>,
    sockets_v4: Vec<Used<S>>,
    sockets_v6: Vec<Used<S>>,
}

/// What belongs to an anchor, and how many sockets and connections keep it.
struct Used<S> {
    socket: S,
    users: u32,
}

/// A connection's name in the table of its family.
#[derive(Clone, Copy)]
pub(super) enum Key {
    V4(<V4 as Family>::Key),
    V6(<V6 as Family>::Key),
}

/// Where an entry lies. Valid until the next insertion, removal or sweep.
#[derive(Clone, Copy)]
pub(crate) enum Place {
    V4(Slot),
    V6(Slot),
}

/// What an insertion did.
pub(super) enum Kept {
    /// The length of its class is 0: there is no TIME-WAIT.
    No,
    /// The entry is in the table.
    Yes,
    /// The entry is in the table, and another one had to go that had been there so long.
    Evicted {
        tuple: FourTuple,
        entry: Entry,
        age: Duration,
    },
    /// The entry had to go at once: see [`Inserted::Lost`].
    Lost,
}

/// Does one thing with the table of the place's family. The table of a place is there: it made it.
macro_rules! at {
    ($v4:expr, $v6:expr, $place:expr, |$table:ident, $slot:ident| $do:expr, $none:expr) => {
        match $place {
            Place::V4($slot) => match $v4 {
                Some($table) => $do,
                None => $none,
            },
            Place::V6($slot) => match $v6 {
                Some($table) => $do,
                None => $none,
            },
        }
    };
}

impl<S: PartialEq> Tables<S> {
    /// None yet.
    pub(super) fn new(config: Config) -> Tables<S> {
        Tables {
            config,
            v4: None,
            v6: None,
            sockets_v4: Vec::new(),
            sockets_v6: Vec::new(),
        }
    }

    /// One more user of a fixed side, in the table of its family, which is made for the first: of one that
    /// is there already with all that belongs to it, or else of a new one.
    pub(super) fn acquire(&mut self, anchor: Anchor, socket: S) -> Result<AnchorId, ConfigError> {
        let config = &self.config;
        match anchor.ip.is_v4() {
            true => acquire(&mut self.v4, config, anchor, socket, &mut self.sockets_v4),
            false => acquire(&mut self.v6, config, anchor, socket, &mut self.sockets_v6),
        }
    }

    /// One user more of what has some.
    pub(super) fn share(&mut self, is_v4: bool, id: AnchorId) {
        let sockets = match is_v4 {
            true => &mut self.sockets_v4,
            false => &mut self.sockets_v6,
        };
        if let Some(used) = sockets.get_mut(id.index()) {
            used.users += 1;
        }
    }

    /// One user less. Without any, it goes when its last entry has gone.
    pub(super) fn release(&mut self, is_v4: bool, id: AnchorId) {
        match is_v4 {
            true => release(&mut self.v4, id, &mut self.sockets_v4),
            false => release(&mut self.v6, id, &mut self.sockets_v6),
        }
    }

    fn anchors(&self, is_v4: bool) -> Option<&Anchors> {
        match is_v4 {
            true => Some(self.v4.as_ref()?.anchors()),
            false => Some(self.v6.as_ref()?.anchors()),
        }
    }

    /// The key of a connection that began with the first anchor of its socket on this side.
    #[inline]
    pub(super) fn key_of(&self, side: Side, tuple: &FourTuple) -> Option<Key> {
        let (ip, port) = match side {
            Side::Local => (tuple.local, tuple.local_port),
            Side::Remote => (tuple.remote, tuple.remote_port),
        };
        let id = self.anchors(ip.is_v4())?.find(side, ip, port)?;
        self.key_under(id, tuple)
    }

    /// The key of a connection that began with the anchor `id`.
    #[inline]
    pub(super) fn key_under(&self, id: AnchorId, tuple: &FourTuple) -> Option<Key> {
        let anchors = self.anchors(tuple.local.is_v4())?;
        let (ip, port) = match anchors.get(id)?.side {
            Side::Local => (tuple.remote, tuple.remote_port),
            Side::Remote => (tuple.local, tuple.local_port),
        };
        key(id, ip, port)
    }

    /// Every key that a connection of the four-tuple may have.
    pub(super) fn keys(&self, tuple: &FourTuple) -> Vec<Key> {
        let anchors = self.anchors(tuple.local.is_v4());
        let candidates = anchors.into_iter().flat_map(|a| a.candidates(tuple));
        candidates
            .filter_map(|(id, ip, port)| key(id, ip, port))
            .collect()
    }

    /// The first of [`Tables::keys`]: the only one as long as sockets are known at start.
    #[inline]
    pub(super) fn key(&self, tuple: &FourTuple) -> Option<Key> {
        match tuple.local.is_v4() {
            true => Some(Key::V4(self.v4.as_ref()?.key(tuple)?)),
            false => Some(Key::V6(self.v6.as_ref()?.key(tuple)?)),
        }
    }

    /// What belongs to the fixed sides, in no particular order.
    pub(super) fn sockets(&self) -> impl Iterator<Item = &S> {
        let all = self.sockets_v4.iter().chain(&self.sockets_v6);
        all.map(|used| &used.socket)
    }

    /// The anchor of a key of these tables, and what belongs to it.
    #[inline]
    pub(super) fn anchor(&self, key: &Key) -> Option<(&Anchor, &S)> {
        match key {
            Key::V4(key) => {
                let used = self.sockets_v4.get(V4::parts(key).0.index())?;
                Some((self.v4.as_ref()?.anchor(key)?, &used.socket))
            }
            Key::V6(key) => {
                let used = self.sockets_v6.get(V6::parts(key).0.index())?;
                Some((self.v6.as_ref()?.anchor(key)?, &used.socket))
            }
        }
    }

    /// Starts loading the home bucket of a tuple: of a table that has entries, which that of a host
    /// that never closes first has not.
    #[inline(always)]
    pub(super) fn prefetch(&self, is_v4: bool, hash: u64) {
        match (is_v4, &self.v4, &self.v6) {
            (true, Some(table), _) if table.live() > 0 => table.prefetch(hash),
            (false, _, Some(table)) if table.live() > 0 => table.prefetch(hash),
            _ => {}
        }
    }

    /// The next line, where the first overflowed: once the whole burst's first lines are on the way.
    #[inline(always)]
    pub(super) fn prefetch_next(&self, tuple: &FourTuple, hash: u64) {
        match (tuple.local.is_v4(), &self.v4, &self.v6) {
            (true, Some(table), _) if table.live() > 0 => table.prefetch_next(hash),
            (false, _, Some(table)) if table.live() > 0 => table.prefetch_next(hash),
            _ => {}
        }
    }

    #[inline]
    pub(super) fn find(&mut self, hash: u64, key: &Key, now: Instant) -> Option<Place> {
        match key {
            Key::V4(key) => Some(Place::V4(self.v4.as_mut()?.find(hash, key, now)?)),
            Key::V6(key) => Some(Place::V6(self.v6.as_mut()?.find(hash, key, now)?)),
        }
    }

    pub(super) fn insert(&mut self, hash: u64, key: &Key, entry: &Entry, now: Instant) -> Kept {
        match (key, &mut self.v4, &mut self.v6) {
            (Key::V4(key), Some(table), _) => insert(table, hash, key, entry, now),
            (Key::V6(key), _, Some(table)) => insert(table, hash, key, entry, now),
            _ => Kept::No,
        }
    }

    /// Removes the entry of the tuple if it is still at a place of before; see [`Table::remove_of`].
    #[inline]
    pub(super) fn remove_of(&mut self, place: Place, tuple: &FourTuple) -> bool {
        at!(
            &mut self.v4,
            &mut self.v6,
            place,
            |table, slot| table.remove_of(slot, tuple),
            false
        )
    }

    #[inline]
    pub(super) fn entry(&self, place: Place) -> Entry {
        at!(
            &self.v4,
            &self.v6,
            place,
            |table, slot| table.entry(slot),
            Entry::default()
        )
    }

    /// When the entry expires.
    pub(super) fn expires_at(&self, place: Place) -> Instant {
        let none = Instant::ZERO;
        at!(
            &self.v4,
            &self.v6,
            place,
            |table, slot| table.expires_at(slot),
            none
        )
    }

    pub(super) fn set_ts_recent(&mut self, place: Place, ts_recent: u32) {
        at!(
            &mut self.v4,
            &mut self.v6,
            place,
            |table, slot| table.set_ts_recent(slot, ts_recent),
            ()
        );
    }

    /// The entry has its whole time before it again.
    pub(super) fn restart(&mut self, place: Place, now: Instant) {
        at!(
            &mut self.v4,
            &mut self.v6,
            place,
            |table, slot| table.restart(slot, now),
            ()
        );
    }

    /// FIN-WAIT-2 of an entry is over; see [`Table::finish`].
    pub(super) fn finish(&mut self, place: Place, entry: &Entry, now: Instant) -> bool {
        at!(
            &mut self.v4,
            &mut self.v6,
            place,
            |table, slot| table.finish(slot, entry, now),
            false
        )
    }

    /// How long the entry has been there; see [`Table::age`].
    pub(super) fn age(&self, place: Place) -> Age {
        let none = Age::default();
        at!(
            &self.v4,
            &self.v6,
            place,
            |table, slot| table.age(slot),
            none
        )
    }

    pub(super) fn remove(&mut self, place: Place) {
        at!(
            &mut self.v4,
            &mut self.v6,
            place,
            |table, slot| table.remove(slot),
            ()
        );
    }

    /// When a slice of `budget` lines is to be swept.
    pub(super) fn next_sweep(&self, budget: usize) -> Option<Instant> {
        let v4 = self.v4.as_ref().and_then(|t| t.next_sweep(budget));
        let v6 = self.v6.as_ref().and_then(|t| t.next_sweep(budget));
        v4.into_iter().chain(v6).min()
    }

    /// Sweeps at most `budget` lines of each table.
    pub(super) fn sweep(
        &mut self,
        now: Instant,
        budget: usize,
        hash: impl Fn(&FourTuple) -> u64 + Copy,
    ) {
        if let Some(table) = &mut self.v4 {
            table.sweep(now, budget, hash);
        }
        if let Some(table) = &mut self.v6 {
            table.sweep(now, budget, hash);
        }
    }

    /// Entries whose time was over since the start, and those of them that were in FIN-WAIT-2.
    pub(super) fn expired(&self) -> (u64, u64) {
        let v4 = self.v4.as_ref().map(Table::stats);
        let v6 = self.v6.as_ref().map(Table::stats);
        let both = || v4.into_iter().chain(v6);
        let sum = |of: fn(&Stats) -> u64| both().map(of).sum();
        (sum(|s| s.expired), sum(|s| s.expired_fin_wait2))
    }

    /// Entries held.
    pub(super) fn live(&self) -> usize {
        self.v4.as_ref().map_or(0, Table::live) + self.v6.as_ref().map_or(0, Table::live)
    }

    pub(super) fn allocated_bytes(&self) -> usize {
        self.v4.as_ref().map_or(0, Table::allocated_bytes)
            + self.v6.as_ref().map_or(0, Table::allocated_bytes)
    }
}

#[inline]
fn insert<F: Family>(
    table: &mut Table<F>,
    hash: u64,
    key: &F::Key,
    entry: &Entry,
    now: Instant,
) -> Kept {
    match table.insert(hash, key, entry, now) {
        Inserted::NotKept => Kept::No,
        Inserted::Placed(_) | Inserted::Replaced(_) => Kept::Yes,
        Inserted::Evicted(_, evicted) => match table.tuple(&evicted.key) {
            Some(tuple) => Kept::Evicted {
                tuple,
                entry: evicted.entry,
                age: evicted.age,
            },
            // Of an anchor that is there as long as its entries: does not happen.
            None => Kept::Lost,
        },
        Inserted::Lost => Kept::Lost,
    }
}

#[inline]
fn key(id: AnchorId, ip: Ip, port: u16) -> Option<Key> {
    match ip.is_v4() {
        true => Some(Key::V4(V4::key(id, ip, port)?)),
        false => Some(Key::V6(V6::key(id, ip, port)?)),
    }
}

fn acquire<F: Family, S: PartialEq>(
    table: &mut Option<Table<F>>,
    config: &Config,
    anchor: Anchor,
    socket: S,
    sockets: &mut Vec<Used<S>>,
) -> Result<AnchorId, ConfigError> {
    let made = match table.take() {
        Some(made) => made,
        None => {
            Table::new(config, Instant::ZERO).map_err(|e| ConfigError::TimeWait(e.to_string()))?
        }
    };
    let table = table.insert(made);
    let anchors = table.anchors();
    let mut known = anchors.of(anchor.side, anchor.ip, anchor.port);
    let same = known.find(|id| {
        let used = sockets.get(id.index());
        anchors.get(*id) == Some(&anchor) && used.is_some_and(|used| used.socket == socket)
    });
    drop(known);
    if let Some(id) = same.filter(|id| table.revive_anchor(*id)) {
        sockets[id.index()].users += 1;
        return Ok(id);
    }
    let id = table.add_anchor(anchor).map_err(|why| match why {
        AnchorError::Full => ConfigError::TooManySockets(Anchors::MAX),
        _ => ConfigError::TimeWait(why.to_string()),
    })?;
    let used = Used { socket, users: 1 };
    match sockets.get_mut(id.index()) {
        Some(place) => *place = used,
        None => sockets.push(used),
    }
    Ok(id)
}

fn release<F: Family, S>(table: &mut Option<Table<F>>, id: AnchorId, sockets: &mut [Used<S>]) {
    if let (Some(table), Some(used)) = (table, sockets.get_mut(id.index())) {
        used.users = used.users.saturating_sub(1);
        if used.users == 0 {
            table.retire_anchor(id);
        }
    }
}
