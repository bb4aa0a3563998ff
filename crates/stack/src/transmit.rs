//! Segments out: the queue of connections that may have something due, and what becomes of it.

use tcp::time::Instant;
use tcp::{CloseReason, Connection, State};

use crate::application::Application;
use crate::core::{Core, env};
use crate::frame::{Frame, FramePool};
use crate::neighbor::{NeighborId, Resolution};
use crate::slab::flag;
use crate::stack::{OUT_CAPACITY, Stack};
use crate::timers::tick_after;

/// The most connections that one call looks at, twice: those whose neighbour has failed send nothing
/// that would fill the outgoing queue, and may all be due at once.
pub(crate) const FLUSH_BUDGET: usize = 1024;

impl<A: Application, P: FramePool> Stack<A, P> {
    /// Lets connections that have something to send do so, while there is room.
    pub(crate) fn flush(&mut self, now: Instant) {
        self.receive_memory.set_users(self.core.slab.live());
        if self.core.has_woken() {
            self.core.wake();
        }
        // What callbacks on the way make due is looked at once more; what those make due, in the
        // next turn.
        for _ in 0..2 {
            let due = self.core.dirty.len().min(FLUSH_BUDGET);
            for _ in 0..due {
                if !self.has_room() {
                    break;
                }
                let Some(index) = self.core.dirty.pop_front() else {
                    break;
                };
                let slot = self.core.slab.get_mut(index);
                let is_due = slot.has(flag::DIRTY);
                slot.flags &= !(flag::DIRTY | flag::QUEUED);
                if is_due {
                    self.send_due(now, index);
                }
            }
            self.tell_incidents(now);
        }
    }

    /// Sends what a connection has due out of its turn.
    #[cold]
    pub(crate) fn flush_one(&mut self, now: Instant, index: u32) {
        self.send_due(now, index);
    }

    /// Sends what the connection has due, sets its timer, and ends it if it is over.
    #[inline(always)] // into the loop, whose values are in registers
    fn send_due(&mut self, now: Instant, index: u32) {
        if self.core.slab.get(index).has(flag::RESUME | flag::CLOSE) {
            self.carry_out(now, index);
        }
        let core = &mut self.core;
        let slot = core.slab.get_mut(index);
        if slot.has(flag::DETACHED) {
            self.retire(now, index);
            return;
        }
        let mac = match core.neighbors.resolve(slot.neighbor, now) {
            Resolution::Known(mac) => mac,
            unresolved => {
                self.flush_unresolved(now, index, unresolved);
                return;
            }
        };
        let mut env = env!(core, &mut self.receive_memory, now, slot.config);
        while slot.conn.wants_transmit() {
            if self.out.len() >= OUT_CAPACITY {
                core.mark_dirty(index);
                return;
            }
            // Looked at where it lies: to move it costs as much as to make it.
            let mut polled = slot.conn.poll_transmit(&mut env);
            let Some(due) = &mut polled else {
                break;
            };
            let (offset, len) = (due.offset, due.len);
            let blocks = usize::from(due.header.options.sack);
            let memory = &*env.snd_memory;
            let conn = &mut slot.conn;
            let frame = core.link.tcp_frame(
                &mut self.pool,
                mac,
                &slot.tuple,
                &mut due.header,
                usize::from(len),
                |text| {
                    let text = match blocks {
                        0 => text,
                        blocks => copy_sacks(conn, text, blocks),
                    };
                    conn.copy_payload(memory, offset, text);
                },
            );
            let count = &mut core.counters.host;
            match frame {
                Some(frame) => {
                    count.tx_segments += 1;
                    count.tx_frames += 1;
                    count.tx_bytes += frame.data().len() as u64;
                    self.out.push(frame);
                }
                // As if lost on the way: the retransmission timer brings it back.
                None => count.drop_tx_no_buffer += 1,
            }
        }
        if core.time_wait.is_over(slot, &core.tcp_configs) {
            core.detach(index, now);
            self.retire(now, index);
            return;
        }
        let waits_for_memory = slot.conn.waits_for_memory();
        if let Some(deadline) = slot.conn.deadline() {
            core.wheel.schedule_by(index, tick_after(deadline));
        }
        if waits_for_memory {
            core.wait_for_receive_memory(index);
        }
    }

    /// [`Stack::send_due`] without a neighbour to send to.
    #[cold]
    fn flush_unresolved(&mut self, now: Instant, index: u32, resolution: Resolution) {
        let core = &mut self.core;
        match resolution {
            //= RFC 1122 2.3.2.2
            //# The link layer SHOULD save (rather than discard) at least one (the latest)
            //# packet of each set of packets destined to the same unresolved IP address
            // What is due stays due in the connection.
            Resolution::Pending | Resolution::Known(_) => core.wait_for_neighbor(index),
            Resolution::Failed => self.neighbor_failed(now, index),
        }
        let core = &mut self.core;
        let slot = core.slab.get(index);
        if core.time_wait.is_over(slot, &core.tcp_configs) {
            core.detach(index, now);
            self.retire(now, index);
        } else {
            core.arm(index);
        }
    }

    /// Does what the application asked for and is not to be done within its callback.
    fn carry_out(&mut self, now: Instant, index: u32) {
        if self.core.slab.get(index).has(flag::RESUME) {
            self.core.slab.get_mut(index).flags &= !flag::RESUME;
            self.deliver_held(now, index);
            self.tell_fin(now, index);
        }
        let slot = self.core.slab.get_mut(index);
        if slot.has(flag::CLOSE) {
            slot.flags &= !flag::CLOSE;
            slot.conn.close();
            if slot.has(flag::DETACHED) {
                let memory = &mut self.core.send_memory;
                slot.conn.release(&mut self.receive_memory, memory);
            }
        }
    }

    /// Nobody answers for the neighbour.
    #[cold]
    fn neighbor_failed(&mut self, now: Instant, index: u32) {
        let slot = self.core.slab.get_mut(index);
        if matches!(slot.conn.state(), State::SynSent | State::SynReceived) {
            // Nobody was ever there. An embryo least of all may wait: its place in the
            // backlog is for those who can be answered.
            slot.conn.fail(CloseReason::Unreachable);
        } else {
            self.discard_due(now, index);
        }
    }

    /// Loses what is due, as a cable would: the neighbour does not answer. The retransmission timer
    /// runs, asks for the neighbour again, and in the end gives the connection up.
    fn discard_due(&mut self, now: Instant, index: u32) {
        let core = &mut self.core;
        let slot = core.slab.get_mut(index);
        let mut env = env!(core, &mut self.receive_memory, now, slot.config);
        while slot.conn.poll_transmit(&mut env).is_some() {
            core.counters.host.drop_tx_unresolved += 1;
        }
    }
}

/// Writes the blocks of SACK to the first `len` bytes; returns where the text goes.
#[cold]
fn copy_sacks<'a>(conn: &Connection, bytes: &'a mut [u8], len: usize) -> &'a mut [u8] {
    let (blocks, text) = bytes.split_at_mut(len);
    conn.copy_sacks(blocks);
    text
}

impl Core {
    /// Notes that the connection may have something to send.
    #[inline]
    pub(crate) fn mark_dirty(&mut self, index: u32) {
        self.slab.get_mut(index).mark_dirty(&mut self.dirty, index);
    }

    #[cold]
    fn wait_for_neighbor(&mut self, index: u32) {
        let slot = self.slab.get_mut(index);
        slot.flags |= flag::WAITING;
        self.waiting.push(slot.neighbor.0.into(), index);
    }

    /// A neighbour's state changed: whoever waited for it looks again, with [`Core::wake`].
    pub(crate) fn wake_waiting(&mut self, neighbor: NeighborId) {
        self.waiting.append(self.woken, neighbor.0.into());
    }

    /// Whether anybody waits for [`Core::wake`].
    #[inline]
    pub(crate) fn has_woken(&self) -> bool {
        !self.waiting.is_empty(self.woken)
    }

    /// Lets those look again that waited longest, as many as one turn looks at.
    #[cold]
    pub(crate) fn wake(&mut self) {
        for _ in 0..FLUSH_BUDGET {
            let Some(index) = self.waiting.pop(self.woken) else {
                return;
            };
            self.slab.get_mut(index).flags &= !flag::WAITING;
            self.mark_dirty(index);
        }
    }
}
