//! What an application may ask of the stack from within a callback.

use core::time::Duration;

use tcp::time::Instant;
use wire::FourTuple;

use crate::application::{DestinationId, Handle, ListenerId};
use crate::core::Core;
use crate::slab::{Origin, flag};
use crate::tuples::Exhausted;

/// Why an active open was refused at once.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ConnectError {
    /// No local (address, port) pair of the destination may be used now.
    #[error(
        "no local address and port is free for this destination: {in_use} are in use and {resting} rest after their last use{}; widen the port range, add source addresses or wait",
        free_in.map_or(String::new(), |time| format!(", the first of them for {time:?} yet"))
    )]
    NoTupleFree {
        /// Pairs in use by connections.
        in_use: u32,
        /// Pairs that rest: in our own TIME-WAIT, or for as long as the destination may remember them.
        resting: u32,
        /// When the first of those may be used; `None` if all are in use.
        next_free: Option<Instant>,
        /// How long that is from the moment of the refusal.
        free_in: Option<Duration>,
    },
    /// The connection table is full.
    #[error("the connection table is full: raise the limit on connections")]
    TableFull,
    /// No such destination.
    #[error("no such destination")]
    NoDestination,
    /// The neighbour table is full of neighbours in use.
    #[error("the neighbour table is full: raise the limit on neighbours")]
    NoNeighbor,
    /// The host is draining.
    #[error("the host is draining and opens no connections")]
    Draining,
}

impl From<Exhausted> for ConnectError {
    fn from(why: Exhausted) -> ConnectError {
        ConnectError::NoTupleFree {
            in_use: why.in_use,
            resting: why.resting,
            next_free: why.next_free,
            free_in: why.free_in,
        }
    }
}

/// The stack, as an application sees it during a callback. What is asked for here is carried out
/// after the callback returns; nothing is sent before the whole burst has been processed.
pub struct Context<'a> {
    pub(crate) core: &'a mut Core,
    pub(crate) now: Instant,
}

#[inline]
pub(crate) fn context(core: &mut Core, now: Instant) -> Context<'_> {
    Context { core, now }
}

impl Context<'_> {
    /// The time of this turn of the loop.
    #[inline]
    #[must_use]
    pub fn now(&self) -> Instant {
        self.now
    }

    /// Queues `data` to be sent and says how many bytes were taken: fewer than offered when the
    /// send buffer or the shard's send memory is full ([`crate::Application::on_writable`] follows
    /// when there is room), 0 when the connection is closing or gone.
    #[inline]
    pub fn send(&mut self, conn: Handle, data: &[u8]) -> usize {
        let core = &mut *self.core;
        let Some(slot) = core.slab.by_handle_mut(conn) else {
            return 0;
        };
        if slot.has(flag::CLOSE) {
            return 0;
        }
        let config = &core.tcp_configs[usize::from(slot.config)];
        let taken = slot.conn.send(config, &mut core.send_memory, data);
        if taken < data.len() && slot.conn.writable(config) > 0 && !slot.has(flag::STARVED) {
            // It is not its own buffer that is full: other connections hold the memory, and no
            // acknowledgment for this one may ever say that there is some again.
            slot.flags |= flag::STARVED;
            core.starved.push(0, conn.index);
        }
        slot.mark_dirty(&mut core.dirty, conn.index);
        taken
    }

    /// Bytes that [`Context::send`] would take now, memory permitting.
    #[must_use]
    pub fn writable(&self, conn: Handle) -> usize {
        let open = self.core.slab.by_handle(conn);
        open.filter(|slot| !slot.has(flag::CLOSE))
            .map_or(0, |slot| {
                slot.conn
                    .writable(&self.core.tcp_configs[usize::from(slot.config)])
            })
    }

    /// Sends FIN after what is queued; receiving goes on (half close).
    pub fn shutdown_write(&mut self, conn: Handle) {
        self.with(conn, |c| c.shutdown_write());
    }

    /// CLOSE (RFC 9293 3.10.4): sends FIN after what is queued; the application reads no more.
    #[inline]
    pub fn close(&mut self, conn: Handle) {
        // Not at once: text that the application is being shown, and says by returning that it has
        // consumed, would count as lost.
        let core = &mut *self.core;
        if let Some(slot) = core.slab.by_handle_mut(conn) {
            slot.flags |= flag::CLOSE;
            slot.mark_dirty(&mut core.dirty, conn.index);
        }
    }

    /// ABORT (RFC 9293 3.10.5): sends RST and forgets the connection.
    pub fn abort(&mut self, conn: Handle) {
        if self.core.slab.by_handle(conn).is_some() {
            self.core.abort(conn.index);
        }
    }

    /// Shows held data again soon, though nothing new may have arrived.
    pub fn resume(&mut self, conn: Handle) {
        if self.core.slab.by_handle(conn).is_some() {
            self.core.slab.get_mut(conn.index).flags |= flag::RESUME;
            self.core.mark_dirty(conn.index);
        }
    }

    /// Opens a connection from the local socket that has rested longest.
    ///
    /// # Errors
    /// Why it cannot be opened now; nothing was sent.
    pub fn connect(&mut self, destination: DestinationId) -> Result<Handle, ConnectError> {
        self.core.connect(destination, self.now)
    }

    /// The connection's four-tuple.
    #[must_use]
    pub fn tuple(&self, conn: Handle) -> Option<FourTuple> {
        self.core.slab.by_handle(conn).map(|s| s.tuple)
    }

    /// The listener that accepted the connection.
    #[must_use]
    pub fn listener(&self, conn: Handle) -> Option<ListenerId> {
        match self.core.slab.by_handle(conn)?.origin {
            Origin::Listener(id) => Some(id),
            Origin::Destination(..) | Origin::Socket => None,
        }
    }

    /// The destination to which the connection was opened.
    #[must_use]
    pub fn destination(&self, conn: Handle) -> Option<DestinationId> {
        match self.core.slab.by_handle(conn)?.origin {
            Origin::Destination(id, _) => Some(id),
            Origin::Listener(_) | Origin::Socket => None,
        }
    }

    /// A snapshot of the connection's variables.
    #[must_use]
    pub fn info(&self, conn: Handle) -> Option<tcp::ConnectionInfo> {
        self.core.slab.by_handle(conn).map(|s| s.conn.info())
    }

    /// Whether the peer's FIN and all text before it were received; the text may be unread.
    #[must_use]
    pub fn peer_closed(&self, conn: Handle) -> bool {
        let slot = self.core.slab.by_handle(conn);
        slot.is_some_and(|s| s.conn.peer_closed())
    }

    /// Live connections of the shard, in every state but TIME-WAIT.
    #[must_use]
    pub fn live(&self) -> usize {
        self.core.slab.live()
    }

    fn with(&mut self, conn: Handle, f: impl FnOnce(&mut tcp::Connection)) {
        if self.core.slab.by_handle(conn).is_some() {
            f(&mut self.core.slab.get_mut(conn.index).conn);
            self.core.mark_dirty(conn.index);
        }
    }
}
