//! What the application is told: events, text in order, and the peer's FIN.

use tcp::time::Instant;
use tcp::{Connection, Events, Memory};
use wire::Seq;

use crate::application::{Application, Handle};
use crate::context::context;
use crate::core::{Core, env};
use crate::frame::FramePool;
use crate::slab::{Origin, Slot, flag};
use crate::stack::Stack;
use crate::transmit::FLUSH_BUDGET;

/// The most held bytes that are shown to an application at once, when they do not lie together.
const SHOWN_AT_ONCE: usize = 64 * 1024;

/// Between two looks at who may receive again, in ms: what the first were promised arrives meanwhile.
const REOPEN_MS: u64 = 10;

/// Held text in one piece. It is kept: when more arrives and the application still waits, only
/// that is copied.
#[derive(Default)]
pub(crate) struct Scratch {
    bytes: Vec<u8>,
    /// Whose it is, and the number of its first byte.
    of: Option<(Handle, Seq)>,
}

impl Scratch {
    /// What `conn` holds, up to [`SHOWN_AT_ONCE`].
    fn gather(&mut self, handle: Handle, conn: &mut Connection, memory: &Memory) -> &[u8] {
        let readable = conn.readable();
        let first = conn.rcv_nxt() - readable as u32;
        if self.of != Some((handle, first)) {
            self.of = Some((handle, first));
            self.bytes.clear();
        }
        let known = self.bytes.len();
        self.bytes.resize(readable.min(SHOWN_AT_ONCE), 0);
        if let Some(new) = self.bytes.get_mut(known..) {
            conn.copy_readable(memory, known, new);
        }
        &self.bytes
    }
}

impl<A: Application, P: FramePool> Stack<A, P> {
    /// Tells the application what happened, data and FIN apart.
    #[inline]
    pub(crate) fn on_events(&mut self, now: Instant, index: u32, events: Events) {
        if events.intersects(Events::ESTABLISHED | Events::WRITABLE) {
            self.tell_events(now, index, events);
        }
    }

    fn tell_events(&mut self, now: Instant, index: u32, events: Events) {
        let handle = self.core.slab.handle(index);
        if events.contains(Events::ESTABLISHED) {
            let slot = self.core.slab.get_mut(index);
            slot.flags |= flag::ESTABLISHED | flag::KNOWN;
            slot.established_at = now;
            if let Origin::Listener(id) = slot.origin {
                let embryos = &mut self.core.listeners[id.place()].embryos;
                *embryos = embryos.saturating_sub(1);
            }
            if slot.has(flag::SHADOW) {
                self.core.drop_shadow(index, now);
            }
            self.core.counters.host.established += 1;
            self.app.on_open(&mut context(&mut self.core, now), handle);
        }
        if events.contains(Events::WRITABLE) {
            let slot = self.core.slab.get(index);
            if slot.has(flag::KNOWN) && !slot.has(flag::CLOSE) {
                self.app
                    .on_writable(&mut context(&mut self.core, now), handle);
            }
        }
    }

    /// Shows in-order text to the application, and holds what it does not consume.
    pub(crate) fn deliver(&mut self, now: Instant, index: u32, direct: &[u8]) {
        let handle = self.core.slab.handle(index);
        let slot = self.core.slab.get(index);
        let reads = slot.has(flag::KNOWN) && !slot.has(flag::CLOSE);
        let held = slot.conn.readable() > 0;
        let consumed = if !held && reads {
            self.app
                .on_data(&mut context(&mut self.core, now), handle, direct)
                .min(direct.len())
        } else {
            0
        };
        let core = &mut self.core;
        let slot = core.slab.get_mut(index);
        let mut env = env!(core, &mut self.receive_memory, now, slot.config);
        let events = slot
            .conn
            .commit_text(&mut env, consumed, &direct[consumed..]);
        // Text that was held before, or that has become contiguous by this segment: the
        // application has not seen it together with this.
        if held || events.contains(Events::READABLE) {
            self.deliver_held(now, index);
        }
        self.on_events(now, index, events);
    }

    /// Shows held text until the application stops consuming it.
    pub(crate) fn deliver_held(&mut self, now: Instant, index: u32) {
        let handle = self.core.slab.handle(index);
        loop {
            let slot = self.core.slab.get(index);
            let readable = slot.conn.readable();
            if readable == 0 || !slot.has(flag::KNOWN) || slot.has(flag::CLOSE) {
                return;
            }
            let first = slot.conn.peek(&self.receive_memory);
            let (mut shown, mut consumed) = (
                first.len(),
                self.app
                    .on_data(&mut context(&mut self.core, now), handle, first)
                    .min(first.len()),
            );
            if consumed == 0 && readable > shown {
                // What it waits for may lie in the next chunk: show them as one.
                let conn = &mut self.core.slab.get_mut(index).conn;
                let bytes = self.scratch.gather(handle, conn, &self.receive_memory);
                shown = bytes.len();
                consumed = self
                    .app
                    .on_data(&mut context(&mut self.core, now), handle, bytes)
                    .min(shown);
            }
            let core = &mut self.core;
            let slot = core.slab.get_mut(index);
            let mut env = env!(core, &mut self.receive_memory, now, slot.config);
            slot.conn.consume(&mut env, consumed);
            // What is left may be complete together with what was not shown yet.
            if consumed == 0 || (consumed < shown && shown == readable) {
                return;
            }
        }
    }

    /// Tells the application of the peer's FIN, once, when every byte before it was consumed.
    pub(crate) fn tell_fin(&mut self, now: Instant, index: u32) {
        let slot = self.core.slab.get_mut(index);
        if slot.has_fin_to_tell() {
            slot.flags |= flag::FIN_TOLD;
            let handle = self.core.slab.handle(index);
            self.app
                .on_peer_closed(&mut context(&mut self.core, now), handle);
        }
    }

    /// Opens the windows of connections that wait for receive memory, longest waiting first: of as many
    /// at a time as would find room with all that they are promised. While memory is scarce those go on waiting
    /// whose text was dropped, and the others get what they can of what is kept for who holds little.
    pub(crate) fn reopen(&mut self, now: Instant) {
        let core = &mut self.core;
        let memory = &self.receive_memory;
        if core.next_reopening(memory).is_none_or(|at| at > now) {
            return;
        }
        core.reopen_at = now.plus_millis(REOPEN_MS);
        let scarce = memory.is_scarce();
        let chunks = match scarce {
            true => memory.free(),
            false => memory.free() - memory.reserve(),
        };
        let mut bytes = u64::from(chunks) * u64::from(memory.chunk_size());
        for _ in 0..FLUSH_BUDGET {
            let Some(index) = core.short.pop(0) else {
                break;
            };
            let slot = core.slab.get_mut(index);
            if !slot.conn.waits_for_memory() {
                slot.flags &= !flag::SHORT;
                continue;
            }
            let config = &core.tcp_configs[usize::from(slot.config)];
            let mut promised = 0;
            if !scarce || !slot.conn.waits_with_loss() {
                promised = slot.conn.memory_is_back(config, memory);
            }
            if slot.conn.waits_for_memory() {
                core.short.push(1, index);
                continue;
            }
            slot.flags &= !flag::SHORT;
            core.mark_dirty(index);
            match bytes.checked_sub(promised.into()) {
                Some(left) => bytes = left,
                None => break,
            }
        }
        core.short.append(0, 1);
    }

    /// Tells connections that found no send memory that there is some, longest waiting first.
    pub(crate) fn feed(&mut self, now: Instant) {
        // One that is told may wait again at once: each is told once a turn.
        for _ in 0..self.core.slab.live().min(FLUSH_BUDGET) {
            if self.core.send_memory.free() == 0 {
                return;
            }
            let Some(index) = self.core.starved.pop(0) else {
                return;
            };
            self.core.slab.get_mut(index).flags &= !flag::STARVED;
            self.on_events(now, index, Events::WRITABLE);
        }
    }
}

impl Core {
    /// The connection would receive more if there were memory.
    #[cold]
    pub(crate) fn wait_for_receive_memory(&mut self, index: u32) {
        let slot = self.slab.get_mut(index);
        if !slot.has(flag::SHORT) {
            slot.flags |= flag::SHORT;
            self.short.push(0, index);
        }
    }

    /// When connections that wait for receive memory may go on.
    pub(crate) fn next_reopening(&self, memory: &Memory) -> Option<Instant> {
        (!self.short.is_empty(0) && !memory.is_exhausted()).then_some(self.reopen_at)
    }
}

impl Slot {
    /// Whether the application is to be told of the peer's FIN.
    #[inline]
    pub(crate) fn has_fin_to_tell(&self) -> bool {
        self.conn.peer_closed()
            && self.flags & (flag::KNOWN | flag::FIN_TOLD) == flag::KNOWN
            && self.conn.readable() == 0
    }
}
