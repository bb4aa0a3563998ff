//! A connection gives its control block back and becomes an entry.

use ::core::time::Duration;

use tcp::time::Instant;
use tcp::time_wait::{Entry, Epochs, Incident, Movement, Positions, Rules, Side};
use tcp::{CloseReason, Config, State};
use wire::FourTuple;

use super::Socket;
use super::tables::{Kept, Key};
use crate::core::Core;
use crate::slab::{Origin, Slot, flag};

impl Core {
    /// Moves a connection in TIME-WAIT, or in FIN-WAIT-2 without a reader, from its slot to the table.
    /// `false`: its length is 0.
    #[inline(always)] // into where connections end; its other caller is cold
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

    /// A connection that had recycled within an MSL came to an end that leaves no TIME-WAIT: a RST, a timeout. What it had
    /// recycled may still be under way, and had its TIME-WAIT before; so it is kept, with what the recycling bound knows.
    /// An orderly end leaves that to the peer, whose own TIME-WAIT lets nothing new begin. `false`: there is no need.
    #[cold]
    pub(crate) fn keep_recycled(&mut self, index: u32, now: Instant) -> bool {
        let slot = self.slab.get(index);
        let guards = |socket: &Socket| {
            socket.rules.bound && slot.has_lately(flag::RECYCLED, now, socket.msl_ms.into())
        };
        let kept = slot.has(flag::ESTABLISHED)
            && !slot.conn.has_ended_in_order()
            && (self.time_wait.socket(slot)).is_some_and(|(socket, _)| guards(socket))
            && self.enter_time_wait(index, now);
        if kept {
            let tuple = self.slab.get(index).tuple;
            self.time_wait.note(tuple, None, Incident::KeptAfterReset);
        }
        kept
    }

    /// An entry had to go before its time.
    #[cold]
    fn count_evicted(&mut self, tuple: FourTuple, entry: Entry, age: Duration) {
        self.counters.host.time_wait_evicted += 1;
        self.counters
            .time_wait
            .evicted_age
            .record(age.as_nanos() as u64);
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

    /// The epochs of a connection's recycling bound.
    pub(super) fn epochs(&self, slot: &Slot) -> Option<Epochs> {
        Some(self.socket(slot)?.0.epochs)
    }

    /// The socket that a connection belongs to, and the key of its entry.
    #[inline(always)]
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
#[inline(always)]
fn entry(slot: &Slot, socket: &Socket, now: Instant) -> Entry {
    let info = slot.conn.time_wait();
    // Else TIME-WAIT or FIN-WAIT-2: it is over, and kept all the same.
    let reset = slot.conn.state() == State::Closed;
    let mut entry = Entry {
        rcv_nxt: match reset && !slot.conn.peer_closed() {
            true => Entry::edge(info.rcv_adv),
            false => info.rcv_nxt,
        },
        snd_nxt: info.snd_nxt,
        ts_recent: info.ts_newest,
        movement: Movement::default(),
        recycled: false,
        fin_wait2: slot.conn.state() == State::FinWait2,
        reset,
    };
    if !socket.rules.bound {
        return entry;
    }
    let msl_ms = socket.msl_ms.into();
    let recycled = slot.has_lately(flag::RECYCLED, now, msl_ms);
    if entry.ts_recent.is_some() {
        entry.recycled = recycled || slot.conn.has_moved_far(now, msl_ms);
        return entry;
    }
    let epoch = socket.epochs.at(now);
    let began = Positions {
        peer: info.irs,
        own: info.iss,
    };
    // An active open that takes a four-tuple over goes by timestamps alone.
    let counted = !recycled || slot.conn.is_passive();
    entry.recycled = if entry.fin_wait2 {
        recycled
    } else {
        // Where we have none, the peer may have offered timestamps all the same.
        (recycled && slot.has(flag::UNPROVEN)) || !socket.timestamps || !counted
    };
    entry.movement = if !counted || slot.conn.has_moved_far(now, socket.epochs.marked_ms()) {
        let at = Positions {
            peer: entry.rcv_nxt,
            own: entry.snd_nxt,
        };
        Movement::unknown(epoch, at)
    } else if recycled {
        Movement::from_bits(info.note).ended(epoch, began)
    } else {
        Movement::first(epoch, began)
    };
    entry
}
