//! A connection gives its control block back and becomes an entry.

use ::core::time::Duration;

use tcp::time::Instant;
use tcp::time_wait::bound::UNCOUNTED;
use tcp::time_wait::{Entry, Incident, Movement, Positions, Rules, Side};
use tcp::{CloseReason, Config, State};
use wire::FourTuple;

use super::Socket;
use super::tables::{Kept, Key};
use crate::core::Core;
use crate::slab::{Origin, Slot, flag};

impl Core {
    /// Moves a connection in TIME-WAIT, or in FIN-WAIT-2 without a reader, from its slot to the table.
    /// `false`: its length is 0.
    pub(crate) fn enter_time_wait(&mut self, index: u32, now: Instant) -> bool {
        let slot = self.slab.get(index);
        let Some((socket, key)) = self.time_wait.socket(slot) else {
            return false;
        };
        let entry = entry(slot, socket, now);
        match self.time_wait.tables.insert(slot.hash, &key, &entry, now) {
            Kept::No => return false,
            Kept::Evicted {
                tuple,
                entry: evicted,
                age,
            } => self.count_evicted(tuple, evicted, age),
            Kept::Lost => self.count_evicted(slot.tuple, entry, Duration::ZERO),
            Kept::Yes => {}
        }
        if entry.fin_wait2 {
            self.counters.host.fin_wait2_entered += 1;
        } else {
            self.counters.host.time_wait_entered += 1;
        }
        true
    }

    /// An entry had to go before its time.
    #[cold]
    fn count_evicted(&mut self, tuple: FourTuple, entry: Entry, age: Duration) {
        self.counters.host.time_wait_evicted += 1;
        self.counters.time_wait.evicted_age.record(age);
        self.time_wait.note(tuple, Some(entry), Incident::Evicted);
        if entry.fin_wait2 {
            self.count_orphan(CloseReason::Aborted);
        }
    }
}

impl super::TimeWait {
    /// Whether a connection is over for its control block: closed, in TIME-WAIT, or in FIN-WAIT-2 with
    /// nobody to read, for as long as the table keeps it.
    #[inline]
    pub(crate) fn is_over(&self, slot: &Slot, configs: &[Config]) -> bool {
        match slot.conn.state() {
            State::Closed | State::TimeWait => true,
            State::FinWait2 => {
                slot.conn.is_orphan_in_fin_wait2() && self.keeps_fin_wait2(slot, configs)
            }
            _ => false,
        }
    }

    fn keeps_fin_wait2(&self, slot: &Slot, configs: &[Config]) -> bool {
        let timeout = configs[usize::from(slot.config)].fin_wait2_timeout_ms;
        let socket = self.socket(slot);
        socket.is_some_and(|(socket, _)| socket.fin_wait2_ms == timeout && timeout > 0)
    }

    /// The rules of a connection.
    pub(crate) fn rules(&self, slot: &Slot) -> Option<&Rules> {
        Some(&self.socket(slot)?.0.rules)
    }

    /// The socket that a connection belongs to, and the key of its entry.
    #[inline]
    fn socket(&self, slot: &Slot) -> Option<(&Socket, Key)> {
        let key = match (slot.anchor, slot.origin) {
            (Some(id), _) => self.tables.key_under(id, &slot.tuple)?,
            (None, Origin::Destination(..)) => self.tables.key_of(Side::Remote, &slot.tuple)?,
            (None, _) => self.tables.key_of(Side::Local, &slot.tuple)?,
        };
        let (_, socket) = self.tables.anchor(&key)?;
        Some((socket, key))
    }
}

/// What is kept of a connection.
#[inline]
fn entry(slot: &Slot, socket: &Socket, now: Instant) -> Entry {
    let info = slot.conn.time_wait();
    let mut entry = Entry {
        rcv_nxt: info.rcv_nxt,
        snd_nxt: info.snd_nxt,
        ts_recent: info.ts_recent,
        movement: Movement::default(),
        recycled: false,
        fin_wait2: slot.conn.state() == State::FinWait2,
    };
    if !socket.rules.bound {
        return entry;
    }
    let recycled = slot.has(flag::RECYCLED);
    if info.ts_recent.is_some() {
        let far = |from, to: wire::Seq| to.offset_from(from) >= UNCOUNTED;
        entry.recycled = recycled || far(info.irs, info.rcv_nxt) || far(info.iss, info.snd_nxt);
    } else {
        let epoch = socket.epochs.at(now);
        let began = Positions {
            peer: info.irs,
            own: info.iss,
        };
        entry.movement = if recycled {
            Movement::from_bits(info.note).ended(epoch, began)
        } else {
            Movement::first(epoch, began)
        };
    }
    entry
}
