//! The end of a connection: TIME-WAIT becomes an entry of its table, everything else is freed.

use tcp::time::Instant;
use tcp::{CloseReason, State};

use crate::application::Application;
use crate::context::context;
use crate::core::{Core, env};
use crate::counters::Counters;
use crate::frame::FramePool;
use crate::slab::{Origin, Slot, flag};
use crate::stack::Stack;
use crate::tuples::LastUse;

impl<A: Application, P: FramePool> Stack<A, P> {
    /// Frees the slot of a detached connection, unless the application has yet to read what it
    /// received before an orderly end.
    pub(crate) fn retire(&mut self, now: Instant, index: u32) {
        let core = &mut self.core;
        let slot = core.slab.get_mut(index);
        let reason = slot.close_reason();
        if slot.conn.readable() > 0 && slot.has(flag::KNOWN) && reason == CloseReason::Normal {
            return;
        }
        // From here on nothing makes it due again.
        slot.flags |= flag::DIRTY;
        let by_us = matches!(reason, CloseReason::Aborted | CloseReason::DataLost);
        if slot.conn.readable() > 0 && slot.has(flag::KNOWN) && !by_us {
            self.show_unread(index, now);
        }
        let core = &mut self.core;
        let slot = core.slab.get_mut(index);
        slot.conn
            .release(&mut self.receive_memory, &mut core.send_memory);
        if slot.has(flag::KNOWN) {
            slot.flags &= !flag::KNOWN;
            let handle = core.slab.handle(index);
            self.app.on_closed(&mut context(core, now), handle, reason);
        }
        self.core.slab.free(index);
    }
}

impl<A: Application, P: FramePool> Stack<A, P> {
    #[cold]
    fn show_unread(&mut self, index: u32, now: Instant) {
        let core = &mut self.core;
        let handle = core.slab.handle(index);
        let slot = core.slab.get_mut(index);
        let mut env = env!(core, &mut self.receive_memory, now, slot.config);
        while slot.conn.readable() > 0 {
            let text = slot.conn.peek(env.rcv_memory);
            self.app.on_unread(handle, text);
            let len = text.len();
            slot.conn.consume(&mut env, len);
        }
    }
}

impl Core {
    /// ABORT. What a connection that is over has unread goes with it.
    pub(crate) fn abort(&mut self, index: u32) {
        let slot = self.slab.get_mut(index);
        slot.conn.abort();
        if slot.has(flag::DETACHED) {
            slot.flags |= flag::CLOSE;
        }
        self.mark_dirty(index);
    }

    /// The connection is over for the network: TIME-WAIT becomes an entry of the table, and its
    /// four-tuple, neighbour, timer and local socket are free.
    pub(crate) fn detach(&mut self, index: u32, now: Instant) {
        let slot = self.slab.get(index);
        let reason = slot.close_reason();
        let entered = if slot.conn.state() == State::Closed {
            self.restore_shadow(index, now) || self.keep_recycled(index, now)
        } else {
            self.enter_time_wait(index, now)
        };
        let slot = self.slab.get_mut(index);
        if count_end(&mut self.counters, slot, reason) {
            self.time_wait.note_unproven_reset(slot.tuple);
        }
        if slot.has(flag::WAITING) {
            self.waiting.remove(index);
        }
        if slot.has(flag::STARVED) {
            self.starved.remove(index);
        }
        if slot.has(flag::SHORT) {
            self.short.remove(index);
        }
        slot.flags &= !(flag::WAITING | flag::STARVED | flag::SHORT);
        self.neighbors.release(slot.neighbor);
        if let Some(id) = slot.anchor.take() {
            self.time_wait.release(slot.tuple.local, id);
        }
        match slot.origin {
            Origin::Listener(id) if !slot.has(flag::ESTABLISHED) => {
                let embryos = &mut self.listeners[id.place()].embryos;
                *embryos = embryos.saturating_sub(1);
            }
            Origin::Listener(_) | Origin::Socket => {}
            Origin::Destination(id, tuple) => {
                let last = LastUse {
                    snd_nxt: slot.conn.snd_nxt(),
                    tsval: slot.conn.last_tsval(),
                    at: now,
                    time_wait: entered,
                };
                self.destinations[usize::from(id.0)]
                    .pool
                    .give_back(tuple, Some(last));
            }
        }
        self.slab.detach(index);
    }
}

/// Counts the end of a connection. `true`: a RST ended one that only its SYN's timestamp had proven new.
fn count_end(counters: &mut Counters, slot: &Slot, reason: CloseReason) -> bool {
    let count = &mut counters.host;
    if slot.conn.state() == State::FinWait2 {
        // In TIME-WAIT's table now: it is counted when it is over.
        return false;
    }
    let established = slot.has(flag::ESTABLISHED);
    let unproven_reset = reason == CloseReason::Reset
        && slot.has(flag::UNPROVEN)
        && slot.conn.time_wait().ts_recent.is_some();
    if established {
        count.closed += 1;
    } else if matches!(slot.origin, Origin::Listener(_)) {
        count.embryo_failures += 1;
        return unproven_reset;
    }
    match reason {
        CloseReason::Normal => count.closed_normal += u64::from(established),
        CloseReason::Reset => count.closed_reset += 1,
        CloseReason::Refused => count.closed_refused += 1,
        CloseReason::Aborted => count.closed_aborted += 1,
        CloseReason::DataLost => count.closed_data_lost += 1,
        _ => count.closed_timeout += 1,
    }
    unproven_reset
}
