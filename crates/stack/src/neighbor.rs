//! Neighbours: which Ethernet address an on-link IP address has, of both families. What is believed
//! for how long is what RFC 4861 7.3 says for IPv6; ARP (RFC 826, with the ageing that RFC 1122
//! 2.3.2.1 demands) has no better rule of its own and follows the same.
//!
//! The cache is an array that connections index directly; an entry that a connection uses is
//! never taken away from under it. What to send is recorded here and fetched by the host. Every
//! operation takes the same time however many neighbours there are.

use hashbrown::HashMap;
use tcp::time::Instant;
use tcp::wheel::Wheel;
use wire::{Ip, MacAddr};

use crate::hash::Keyed;
use crate::lists::Lists;

mod learn;

pub(crate) use learn::{Learned, News};

/// REACHABLE_TIME: how long a confirmation is believed (RFC 4861 10).
const REACHABLE_MS: u64 = 30_000;
/// DELAY_FIRST_PROBE_TIME: how long an upper layer has to confirm it instead (RFC 4861 10).
const DELAY_MS: u64 = 5_000;
/// RETRANS_TIMER: time between requests, and how many go unanswered before the neighbour counts as
/// gone: MAX_UNICAST_SOLICIT and MAX_MULTICAST_SOLICIT (RFC 4861 10).
const RETRY_MS: u64 = 1_000;
const TRIES: u8 = 3;
/// No neighbour.
const NOBODY: (Ip, u16) = (Ip::UNSPECIFIED_V6, 0);
/// A neighbour that nobody uses is forgotten after this long.
const FORGET_MS: u64 = 600_000;

/// A place in the cache.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct NeighborId(pub(crate) u16);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Free,
    /// Asked for, no answer yet; the count is of requests sent. 0: not to be asked for yet.
    Incomplete(u8),
    Reachable,
    /// Known, but not confirmed lately. Nothing is done until somebody sends there.
    Stale,
    /// Somebody sends there: if no upper layer confirms it, it will be asked.
    Delay,
    /// Asked (unicast) while it goes on being used. The count is of requests sent.
    Probe(u8),
    /// Asked in vain. Asked again when somebody wants it after the pause.
    Failed,
}

impl State {
    /// In use without being confirmed.
    fn is_unsure(self) -> bool {
        matches!(self, State::Delay | State::Probe(_))
    }
}

#[derive(Debug)]
struct Entry {
    ip: Ip,
    mac: MacAddr,
    state: State,
    /// When the state must be looked at again.
    due: Instant,
    /// It is not doubted again before.
    trusted_until: Instant,
    /// Connections that hold this place.
    users: u32,
}

/// A request to send: to everybody, or to the solicited-node group, if `to` is `None`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Solicit {
    pub(crate) ip: Ip,
    pub(crate) to: Option<MacAddr>,
}

/// What a look at a neighbour gave.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Resolution {
    Known(MacAddr),
    Pending,
    Failed,
}

#[derive(Debug)]
pub(crate) struct Neighbors {
    entries: Vec<Entry>,
    by_ip: HashMap<Ip, u16, Keyed>,
    capacity: usize,
    /// Places that were given up.
    free: Vec<u16>,
    /// Entries without a user, in one list: that whose news is oldest first.
    unused: Lists,
    /// When an entry is to be looked at, in milliseconds; never later than it is due.
    timers: Wheel,
    next_due: Instant,
    /// The one asked for last: most connections go the same way.
    last: (Ip, u16),
    solicit: Vec<Solicit>,
    failed: Vec<NeighborId>,
    /// Users of all entries.
    users: u64,
    /// Entries in use without being confirmed.
    unsure: u32,
    /// IPv6 neighbours are not asked for yet, because our own addresses are being verified.
    holds_v6: bool,
    held: Vec<u16>,
}

/// The list of [`Neighbors::unused`].
const UNUSED: u32 = 0;

impl Neighbors {
    pub(crate) fn new(capacity: u16, key: Keyed) -> Neighbors {
        let capacity = usize::from(capacity);
        Neighbors {
            entries: Vec::with_capacity(capacity),
            by_ip: HashMap::with_capacity_and_hasher(capacity * 4, key),
            capacity,
            free: Vec::with_capacity(capacity),
            unused: Lists::new(capacity as u32, 1),
            timers: Wheel::new(capacity),
            next_due: Instant::FAR_FUTURE,
            last: NOBODY,
            solicit: Vec::with_capacity(capacity * 2),
            failed: Vec::with_capacity(capacity),
            users: 0,
            unsure: 0,
            holds_v6: false,
            held: Vec::new(),
        }
    }

    /// From now on no IPv6 neighbour is asked for, until [`Neighbors::release_v6`].
    pub(crate) fn hold_v6(&mut self) {
        self.holds_v6 = true;
    }

    /// Asks for the IPv6 neighbours that somebody wanted meanwhile.
    pub(crate) fn release_v6(&mut self, now: Instant) {
        self.holds_v6 = false;
        for id in ::core::mem::take(&mut self.held) {
            if self.entries[usize::from(id)].state == State::Incomplete(0) {
                self.ask(id, now);
            }
        }
    }

    /// The place of `ip`, made if there is room, and one more user of it.
    #[inline]
    pub(crate) fn acquire(&mut self, ip: Ip, now: Instant) -> Option<NeighborId> {
        if self.last.0 == ip {
            self.add_user(self.last.1);
            return Some(NeighborId(self.last.1));
        }
        self.acquire_other(ip, now)
    }

    /// [`Neighbors::acquire`], of another one than last time.
    #[inline(never)]
    fn acquire_other(&mut self, ip: Ip, now: Instant) -> Option<NeighborId> {
        let id = match self.by_ip.get(&ip) {
            Some(&id) => id,
            None => {
                let id = self.place(ip, now)?;
                self.ask(id, now);
                id
            }
        };
        self.add_user(id);
        self.last = (ip, id);
        Some(NeighborId(id))
    }

    #[inline]
    fn add_user(&mut self, id: u16) {
        let entry = &mut self.entries[usize::from(id)];
        entry.users += 1;
        self.users += 1;
        if entry.users == 1 {
            self.unused.remove(id.into());
        }
    }

    /// One user less.
    #[inline]
    pub(crate) fn release(&mut self, id: NeighborId) {
        let entry = &mut self.entries[usize::from(id.0)];
        if entry.users > 0 {
            entry.users -= 1;
            self.users -= 1;
            if entry.users == 0 {
                self.unused.push(UNUSED, id.0.into());
                let due = entry.due;
                self.look_at(id.0, due);
            }
        }
    }

    /// The Ethernet address, if known. A failed neighbour is asked for again.
    #[inline]
    pub(crate) fn resolve(&mut self, id: NeighborId, now: Instant) -> Resolution {
        let entry = &self.entries[usize::from(id.0)];
        match entry.state {
            State::Reachable => Resolution::Known(entry.mac),
            _ => self.resolve_doubtful(id, now),
        }
    }

    /// [`Neighbors::resolve`], of one that is not known to be reachable.
    fn resolve_doubtful(&mut self, id: NeighborId, now: Instant) -> Resolution {
        let entry = &mut self.entries[usize::from(id.0)];
        match entry.state {
            State::Reachable | State::Delay | State::Probe(_) => Resolution::Known(entry.mac),
            State::Stale => {
                //= RFC 4861 7.3.3
                //# The first time a node sends a packet to a neighbor whose entry is
                //# STALE, the sender changes the state to DELAY and sets a timer to
                //# expire in DELAY_FIRST_PROBE_TIME seconds.
                let mac = entry.mac;
                self.set_state(id.0, State::Delay);
                self.look_at(id.0, now.plus_millis(DELAY_MS));
                Resolution::Known(mac)
            }
            State::Incomplete(_) | State::Free => Resolution::Pending,
            State::Failed if now < entry.due => Resolution::Failed,
            State::Failed => {
                self.ask(id.0, now);
                Resolution::Pending
            }
        }
    }

    /// Whether any neighbour in use waits for a confirmation.
    #[inline]
    pub(crate) fn wants_confirmation(&self) -> bool {
        self.unsure > 0
    }

    //= RFC 4861 7.3.1
    //# In TCP, for example, receipt of a (new)
    //# acknowledgment indicates that previously sent data reached the peer.
    /// What was sent to the neighbour is getting through.
    pub(crate) fn confirm(&mut self, id: NeighborId, now: Instant) {
        if self.entries[usize::from(id.0)].state.is_unsure() {
            self.set_state(id.0, State::Reachable);
            self.look_at(id.0, now.plus_millis(REACHABLE_MS));
        }
    }

    //= RFC 4861 3
    //# When positive confirmation is not forthcoming through such "hints", a node sends
    //# unicast Neighbor Solicitation messages that solicit Neighbor
    //# Advertisements as reachability confirmation from the next hop.
    /// What was sent to the neighbour seems not to get through: it is asked at once, as after
    /// DELAY_FIRST_PROBE_TIME, because its address may have moved without a word. Once a second at most.
    pub(crate) fn doubt(&mut self, id: NeighborId, now: Instant) {
        let entry = &mut self.entries[usize::from(id.0)];
        let believed = matches!(entry.state, State::Reachable | State::Stale | State::Delay);
        if believed && now >= entry.trusted_until {
            entry.trusted_until = now.plus_millis(RETRY_MS);
            let mac = entry.mac;
            self.probe(id.0, 1, Some(mac), now);
        }
    }

    fn set_state(&mut self, id: u16, state: State) {
        let entry = &mut self.entries[usize::from(id)];
        self.unsure -= u32::from(entry.state.is_unsure());
        self.unsure += u32::from(state.is_unsure());
        entry.state = state;
    }

    /// Begins to ask for a neighbour.
    fn ask(&mut self, id: u16, now: Instant) {
        let ip = self.entries[usize::from(id)].ip;
        if self.holds_v6 && !ip.is_v4() {
            self.set_state(id, State::Incomplete(0));
            self.held.push(id);
            return;
        }
        self.set_state(id, State::Incomplete(1));
        self.solicit.push(Solicit { ip, to: None });
        self.look_at(id, now.plus_millis(RETRY_MS));
    }

    /// The entry is due at `due`. A timer that is set for earlier is left: when it fires, it is set
    /// again.
    fn look_at(&mut self, id: u16, due: Instant) {
        self.entries[usize::from(id)].due = due;
        self.timers
            .schedule_by(id.into(), due.as_nanos().div_ceil(1_000_000));
        self.next_due = self.next_due.min(due);
    }

    /// Runs what is due: repeats requests, ages entries. Neighbours that failed are then fetched
    /// with [`Neighbors::next_failed`].
    pub(crate) fn advance(&mut self, now: Instant) {
        if now < self.next_due {
            return;
        }
        let tick = now.as_millis();
        loop {
            let mut fired = None;
            self.timers.advance(tick, 1, &mut |id| fired = Some(id));
            if let Some(id) = fired {
                // Ids are places of entries, of which there are at most 65,535.
                self.on_timer(id as u16, now);
            } else if self.timers.next_deadline().is_none_or(|at| at > tick) {
                break;
            }
        }
        let next = self.timers.next_deadline();
        self.next_due = next.map_or(Instant::FAR_FUTURE, Instant::from_millis);
    }

    fn on_timer(&mut self, id: u16, now: Instant) {
        let entry = &mut self.entries[usize::from(id)];
        if entry.due > now {
            let due = entry.due;
            self.look_at(id, due);
            return;
        }
        let (ip, mac, used) = (entry.ip, entry.mac, entry.users > 0);
        let retry = now.plus_millis(RETRY_MS);
        match entry.state {
            State::Incomplete(0) | State::Free => {}
            State::Incomplete(n) if n < TRIES => {
                self.set_state(id, State::Incomplete(n + 1));
                self.solicit.push(Solicit { ip, to: None });
                self.look_at(id, retry);
            }
            State::Reachable => self.rest(id, now),
            State::Delay | State::Probe(_) if !used => self.rest(id, now),
            State::Delay => self.probe(id, 1, Some(mac), now),
            State::Probe(n) if n < TRIES => {
                // The last request goes to everybody: the address may have moved (RFC 7048).
                let to = (n + 1 < TRIES).then_some(mac);
                self.probe(id, n + 1, to, now);
            }
            State::Incomplete(_) | State::Probe(_) => self.fail(id, now),
            // With users, it is asked for again when one of them has something to send.
            State::Failed if used => {}
            State::Stale if used => self.rest(id, now),
            State::Stale | State::Failed => {
                self.by_ip.remove(&ip);
                self.last = NOBODY;
                self.set_state(id, State::Free);
                self.unused.remove(id.into());
                self.free.push(id);
            }
        }
    }

    /// It is kept, unasked: until somebody sends there, or until it is forgotten.
    fn rest(&mut self, id: u16, now: Instant) {
        self.set_state(id, State::Stale);
        self.look_at(id, now.plus_millis(FORGET_MS));
    }

    fn probe(&mut self, id: u16, n: u8, to: Option<MacAddr>, now: Instant) {
        self.set_state(id, State::Probe(n));
        let ip = self.entries[usize::from(id)].ip;
        self.solicit.push(Solicit { ip, to });
        self.look_at(id, now.plus_millis(RETRY_MS));
    }

    fn fail(&mut self, id: u16, now: Instant) {
        self.set_state(id, State::Failed);
        self.failed.push(NeighborId(id));
        self.look_at(id, now.plus_millis(RETRY_MS));
    }

    /// A neighbour that has failed; each is handed out once.
    pub(crate) fn next_failed(&mut self) -> Option<NeighborId> {
        self.failed.pop()
    }

    /// A request to send now; each is handed out once, in no particular order.
    pub(crate) fn next_solicit(&mut self) -> Option<Solicit> {
        self.solicit.pop()
    }

    /// When [`Neighbors::advance`] has something to do.
    pub(crate) fn deadline(&self) -> Instant {
        if self.solicit.is_empty() {
            self.next_due
        } else {
            Instant::ZERO
        }
    }

    /// Users of all entries: 0 when no connection is left.
    pub(crate) fn users(&self) -> u64 {
        self.users
    }

    /// A place for `ip`, which has none and nobody uses yet.
    fn place(&mut self, ip: Ip, now: Instant) -> Option<u16> {
        let fresh = Entry {
            ip,
            mac: MacAddr::ZERO,
            state: State::Incomplete(0),
            due: now,
            trusted_until: now,
            users: 0,
        };
        let id = if let Some(free) = self.free.pop() {
            self.entries[usize::from(free)] = fresh;
            free
        } else if self.entries.len() < self.capacity {
            self.entries.push(fresh);
            (self.entries.len() - 1) as u16
        } else {
            // Full: an entry that no connection uses and whose news is oldest gives way.
            let victim = self.unused.pop(UNUSED)? as u16;
            self.set_state(victim, State::Free);
            let old = &mut self.entries[usize::from(victim)];
            self.by_ip.remove(&old.ip);
            *old = fresh;
            self.last = NOBODY;
            victim
        };
        self.unused.push(UNUSED, id.into());
        self.by_ip.insert(ip, id);
        Some(id)
    }
}

#[cfg(test)]
mod tests;
