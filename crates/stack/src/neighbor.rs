//! Neighbours: which Ethernet address an on-link IP address has (RFC 826), with ageing
//! (RFC 1122 2.3.2.1).
//!
//! The cache is a small array that connections index directly; an entry that a connection uses is
//! never taken away from under it. What to send is recorded here and fetched by the host.

use hashbrown::HashMap;
use tcp::time::Instant;
use wire::{Ip, MacAddr};

use crate::hash::Keyed;

/// How long an answer is believed before it is asked for again.
const REACHABLE_MS: u64 = 30_000;
/// Time between requests, and how many go unanswered before the neighbour counts as gone.
const RETRY_MS: u64 = 1_000;
const TRIES: u8 = 3;
/// A neighbour that nobody uses is forgotten after this long.
const FORGET_MS: u64 = 600_000;

/// A place in the cache.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct NeighborId(pub(crate) u16);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Free,
    /// Asked for, no answer yet; the count is of requests sent.
    Incomplete(u8),
    Reachable,
    /// Known, but its time is over; asked again (unicast) while it goes on being used. The count
    /// is of requests sent.
    Probe(u8),
    /// Asked in vain. Asked again when somebody wants it after the pause.
    Failed,
}

#[derive(Debug)]
struct Entry {
    ip: Ip,
    mac: MacAddr,
    state: State,
    /// When the state must be looked at again.
    due: Instant,
    /// Connections that hold this place.
    users: u32,
}

/// A request to send: broadcast if `to` is `None`.
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
    /// The one asked for last: most connections go the same way.
    last: (Ip, u16),
    next_due: Instant,
    solicit: Vec<Solicit>,
}

impl Neighbors {
    pub(crate) fn new(capacity: u16, key: Keyed) -> Neighbors {
        let capacity = usize::from(capacity);
        Neighbors {
            entries: Vec::with_capacity(capacity),
            by_ip: HashMap::with_capacity_and_hasher(capacity * 4, key),
            capacity,
            last: (Ip::UNSPECIFIED_V6, 0),
            next_due: Instant::FAR_FUTURE,
            solicit: Vec::with_capacity(capacity * 2),
        }
    }

    /// The place of `ip`, made if there is room, and one more user of it.
    pub(crate) fn acquire(&mut self, ip: Ip, now: Instant) -> Option<NeighborId> {
        if self.last.0 == ip {
            self.add_user(self.last.1, now);
            return Some(NeighborId(self.last.1));
        }
        let id = match self.by_ip.get(&ip) {
            Some(&id) => id,
            None => {
                let id = self.place(ip, now)?;
                let entry = &mut self.entries[usize::from(id)];
                entry.state = State::Incomplete(1);
                entry.due = now.plus_millis(RETRY_MS);
                self.solicit.push(Solicit { ip, to: None });
                self.wake_at(now.plus_millis(RETRY_MS));
                id
            }
        };
        self.add_user(id, now);
        self.last = (ip, id);
        Some(NeighborId(id))
    }

    fn add_user(&mut self, id: u16, now: Instant) {
        let entry = &mut self.entries[usize::from(id)];
        entry.users += 1;
        if entry.state == State::Probe(0) {
            // Its time was over when nobody used it: it is asked now, and believed meanwhile.
            entry.due = now;
            self.wake_at(now);
        }
    }

    /// One user less.
    pub(crate) fn release(&mut self, id: NeighborId) {
        let entry = &mut self.entries[usize::from(id.0)];
        entry.users = entry.users.saturating_sub(1);
    }

    /// The Ethernet address, if known. A failed neighbour is asked for again.
    #[inline]
    pub(crate) fn resolve(&mut self, id: NeighborId, now: Instant) -> Resolution {
        let entry = &mut self.entries[usize::from(id.0)];
        match entry.state {
            State::Reachable | State::Probe(_) => Resolution::Known(entry.mac),
            State::Incomplete(_) | State::Free => Resolution::Pending,
            State::Failed if now < entry.due => Resolution::Failed,
            State::Failed => {
                entry.state = State::Incomplete(1);
                entry.due = now.plus_millis(RETRY_MS);
                let (ip, due) = (entry.ip, entry.due);
                self.solicit.push(Solicit { ip, to: None });
                self.wake_at(due);
                Resolution::Pending
            }
        }
    }

    /// What a frame from `ip` taught: RFC 826's merge. A new entry is made only if `create`.
    /// Returns whether somebody may have waited for it.
    pub(crate) fn learn(&mut self, ip: Ip, mac: MacAddr, create: bool, now: Instant) -> Learned {
        let (id, waited) = match self.by_ip.get(&ip) {
            Some(&id) => {
                let state = self.entries[usize::from(id)].state;
                (id, matches!(state, State::Incomplete(_) | State::Failed))
            }
            None if create => match self.place(ip, now) {
                Some(id) => (id, false),
                None => return Learned::Full,
            },
            None => return Learned::Ignored,
        };
        let due = now.plus_millis(REACHABLE_MS);
        let entry = &mut self.entries[usize::from(id)];
        entry.mac = mac;
        entry.state = State::Reachable;
        entry.due = due;
        self.wake_at(due);
        if waited {
            Learned::Resolved
        } else {
            Learned::Known
        }
    }

    /// Runs what is due: repeats requests, ages entries. Returns how many neighbours failed.
    pub(crate) fn advance(&mut self, now: Instant) -> u32 {
        if now < self.next_due {
            return 0;
        }
        let mut failed = 0;
        let mut next = Instant::FAR_FUTURE;
        for entry in &mut self.entries {
            if entry.state == State::Free {
                continue;
            }
            if entry.due <= now {
                match entry.state {
                    State::Incomplete(n) if n < TRIES => {
                        entry.state = State::Incomplete(n + 1);
                        entry.due = now.plus_millis(RETRY_MS);
                        self.solicit.push(Solicit {
                            ip: entry.ip,
                            to: None,
                        });
                    }
                    State::Incomplete(_) => {
                        entry.state = State::Failed;
                        entry.due = now.plus_millis(RETRY_MS);
                        failed += 1;
                    }
                    State::Reachable if entry.users > 0 => {
                        entry.state = State::Probe(1);
                        entry.due = now.plus_millis(RETRY_MS);
                        self.solicit.push(Solicit {
                            ip: entry.ip,
                            to: Some(entry.mac),
                        });
                    }
                    // Nobody uses it: keep it, unasked, until it is forgotten.
                    State::Reachable => {
                        entry.state = State::Probe(0);
                        entry.due = now.plus_millis(FORGET_MS);
                    }
                    State::Probe(n) if n < TRIES && entry.users > 0 => {
                        entry.state = State::Probe(n + 1);
                        entry.due = now.plus_millis(RETRY_MS);
                        // The last request goes to everybody: the address may have moved.
                        let to = (n + 1 < TRIES).then_some(entry.mac);
                        self.solicit.push(Solicit { ip: entry.ip, to });
                    }
                    State::Probe(_) if entry.users > 0 => {
                        entry.state = State::Failed;
                        entry.due = now.plus_millis(RETRY_MS);
                        failed += 1;
                    }
                    State::Probe(_) | State::Failed if entry.users == 0 => {
                        self.by_ip.remove(&entry.ip);
                        self.last = (Ip::UNSPECIFIED_V6, 0);
                        entry.state = State::Free;
                        continue;
                    }
                    // Failed with users: asked again when one of them has something to send.
                    State::Probe(_) | State::Failed | State::Free => continue,
                }
            }
            next = next.min(entry.due);
        }
        self.next_due = next;
        failed
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
        self.entries.iter().map(|e| u64::from(e.users)).sum()
    }

    fn wake_at(&mut self, at: Instant) {
        self.next_due = self.next_due.min(at);
    }

    fn place(&mut self, ip: Ip, now: Instant) -> Option<u16> {
        let fresh = Entry {
            ip,
            mac: MacAddr([0; 6]),
            state: State::Incomplete(0),
            due: now,
            users: 0,
        };
        let id = if let Some(free) = self.entries.iter().position(|e| e.state == State::Free) {
            self.entries[free] = fresh;
            free
        } else if self.entries.len() < self.capacity {
            self.entries.push(fresh);
            self.entries.len() - 1
        } else {
            // Full: an entry that no connection uses and whose news is oldest gives way.
            let (victim, old) = self
                .entries
                .iter()
                .enumerate()
                .filter(|(_, e)| e.users == 0)
                .min_by_key(|(_, e)| e.due)?;
            self.by_ip.remove(&old.ip);
            self.last = (Ip::UNSPECIFIED_V6, 0);
            self.entries[victim] = fresh;
            victim
        };
        let id = u16::try_from(id).ok()?;
        self.by_ip.insert(ip, id);
        Some(id)
    }
}

/// What [`Neighbors::learn`] did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Learned {
    /// Not asked for and not to be created.
    Ignored,
    /// No room.
    Full,
    /// New, or confirmed.
    Known,
    /// Known now, and somebody may have waited.
    Resolved,
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Ip = Ip::v4([192, 0, 2, 1]);
    const B: Ip = Ip::v4([192, 0, 2, 2]);
    const MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);

    fn at(ms: u64) -> Instant {
        Instant::from_millis(ms)
    }

    #[test]
    fn asks_three_times_then_fails_then_asks_again() {
        let mut n = Neighbors::new(4, Keyed::new(1, 2));
        let id = n.acquire(A, at(0)).unwrap();
        assert_eq!(n.resolve(id, at(0)), Resolution::Pending);
        for ms in [0, 1000, 2000] {
            assert_eq!(n.advance(at(ms)), 0);
            assert_eq!(n.next_solicit(), Some(Solicit { ip: A, to: None }));
            assert_eq!(n.next_solicit(), None);
        }
        assert_eq!(n.advance(at(3000)), 1);
        assert_eq!(n.resolve(id, at(3500)), Resolution::Failed);
        assert_eq!(n.resolve(id, at(4000)), Resolution::Pending);
        assert_eq!(n.next_solicit(), Some(Solicit { ip: A, to: None }));
        assert_eq!(n.learn(A, MAC, false, at(4001)), Learned::Resolved);
        assert_eq!(n.resolve(id, at(4001)), Resolution::Known(MAC));
    }

    #[test]
    fn a_used_neighbor_is_probed_by_unicast_and_stays_usable() {
        let mut n = Neighbors::new(4, Keyed::new(1, 2));
        n.learn(A, MAC, true, at(0));
        let id = n.acquire(A, at(1)).unwrap();
        n.advance(at(30_000));
        assert_eq!(
            n.next_solicit(),
            Some(Solicit {
                ip: A,
                to: Some(MAC)
            })
        );
        assert_eq!(n.resolve(id, at(30_001)), Resolution::Known(MAC));
        assert_eq!(n.learn(A, MAC, false, at(30_002)), Learned::Known);
        n.advance(at(31_000));
        assert_eq!(n.next_solicit(), None);
        // Silence: two more requests, the last to everybody, then failure.
        n.advance(at(60_002));
        assert_eq!(
            n.next_solicit(),
            Some(Solicit {
                ip: A,
                to: Some(MAC)
            })
        );
        n.advance(at(61_002));
        assert_eq!(
            n.next_solicit(),
            Some(Solicit {
                ip: A,
                to: Some(MAC)
            })
        );
        n.advance(at(62_002));
        assert_eq!(n.next_solicit(), Some(Solicit { ip: A, to: None }));
        assert_eq!(n.advance(at(63_002)), 1);
        assert_eq!(n.resolve(id, at(63_003)), Resolution::Failed);
    }

    #[test]
    fn a_neighbor_that_rested_unused_is_verified_when_it_is_used_again() {
        let mut n = Neighbors::new(4, Keyed::new(1, 2));
        n.learn(A, MAC, true, at(0));
        n.advance(at(30_000));
        assert_eq!(n.next_solicit(), None);
        let id = n.acquire(A, at(100_000)).unwrap();
        assert_eq!(n.resolve(id, at(100_000)), Resolution::Known(MAC));
        assert_eq!(n.deadline(), at(100_000));
        assert_eq!(n.advance(at(100_000)), 0);
        let asked = Solicit {
            ip: A,
            to: Some(MAC),
        };
        assert_eq!(n.next_solicit(), Some(asked));
        assert_eq!(n.resolve(id, at(100_000)), Resolution::Known(MAC));
        // One more user while it is being asked changes nothing.
        n.acquire(A, at(100_100)).unwrap();
        n.advance(at(100_100));
        assert_eq!(n.next_solicit(), None);
        for (ms, failed) in [(101_000, 0), (102_000, 0), (103_000, 1)] {
            assert_eq!(n.advance(at(ms)), failed);
        }
    }

    #[test]
    fn unused_neighbors_are_forgotten_or_give_way() {
        let mut n = Neighbors::new(1, Keyed::new(1, 2));
        n.learn(A, MAC, true, at(0));
        assert_eq!(n.learn(B, MAC, true, at(1)), Learned::Known);
        let id = n.acquire(B, at(2)).unwrap();
        assert_eq!(n.learn(A, MAC, true, at(3)), Learned::Full);
        assert!(n.acquire(A, at(3)).is_none());
        n.release(id);
        assert_eq!(n.users(), 0);
        n.advance(at(30_001));
        n.advance(at(630_002));
        assert_eq!(n.learn(B, MAC, false, at(630_003)), Learned::Ignored);
    }

    #[test]
    fn nobody_asked_nobody_learns() {
        let mut n = Neighbors::new(4, Keyed::new(1, 2));
        assert_eq!(n.learn(A, MAC, false, at(0)), Learned::Ignored);
    }
}
