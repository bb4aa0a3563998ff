//! The application's face: a trait whose instance lives in the worker's loop, monomorphized.

use core::fmt;

use tcp::CloseReason;
use tcp::time::Instant;

use crate::context::Context;
use crate::time_wait::TimeWaitEvent;

/// A connection of this stack. It names a slot and the generation of its use, so a handle kept
/// after the connection has gone is recognised and refused, never another connection.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Handle {
    pub(crate) index: u32,
    pub(crate) generation: u32,
}

impl Handle {
    /// A small dense number (below the stack's `max_connections`): applications keep their
    /// per-connection state in an array at this index.
    #[inline]
    #[must_use]
    pub fn index(self) -> usize {
        self.index as usize
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}.{}", self.index, self.generation)
    }
}

/// A listening socket. One that is kept after [`Context::unlisten`] is recognised and refused, never
/// another listener.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct ListenerId {
    pub(crate) place: u16,
    pub(crate) generation: u16,
}

impl ListenerId {
    /// The listener at `place` of the stack's configuration; the first has 0.
    #[must_use]
    pub const fn configured(place: u16) -> ListenerId {
        ListenerId {
            place,
            generation: 0,
        }
    }

    /// Its place in the stack's configuration, if it is of that; one of run time may have the place of
    /// one that was closed.
    #[inline]
    #[must_use]
    pub fn place(self) -> usize {
        self.place.into()
    }
}

/// A destination for active opens: its place in the stack's configuration.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct DestinationId(pub u16);

/// What an application is told, and when.
///
/// Callbacks record intents in the [`Context`]: data is queued, closes and opens are noted, and
/// segments leave only after the whole burst was processed, so that an answer, its
/// acknowledgment and a FIN share a segment. A slot is freed only at the end of a burst, or before a
/// SYN that takes the four-tuple over: a handle stays valid within the callback that gets it.
pub trait Application {
    /// The connection is ESTABLISHED (actively or passively opened).
    fn on_open(&mut self, cx: &mut Context<'_>, conn: Handle);

    /// In-order bytes. Returns how many were consumed; the rest is held and shown again, together
    /// with what follows it, when more arrives or after [`Context::resume`]. What is held closes
    /// the receive window.
    fn on_data(&mut self, cx: &mut Context<'_>, conn: Handle, data: &[u8]) -> usize;

    /// There is room to send again after [`Context::send`] took less than it was offered.
    fn on_writable(&mut self, cx: &mut Context<'_>, conn: Handle);

    /// The peer has sent its FIN and every byte before it was consumed.
    fn on_peer_closed(&mut self, cx: &mut Context<'_>, conn: Handle);

    /// What a connection had received and the application has not consumed when the peer reset it or it was given up: in
    /// pieces, in order, before `on_closed`; then it is gone. After an orderly end it stays until it is consumed.
    fn on_unread(&mut self, _conn: Handle, _text: &[u8]) {}

    /// The connection is over: closed both ways (TIME-WAIT included, and FIN-WAIT-2 if the application
    /// has closed: nothing of what the peer may still do concerns it), reset, refused, timed out
    /// or aborted. The last callback for this handle. Called only for connections of which the
    /// application knows: those that it opened, and those whose `on_open` was called.
    fn on_closed(&mut self, cx: &mut Context<'_>, conn: Handle, reason: CloseReason);

    /// The host stops accepting and opening connections, because the program is to end: a place to
    /// close what is idle. Called once.
    fn on_drain(&mut self, _cx: &mut Context<'_>) {}

    /// A decision about a connection in TIME-WAIT, for those who trace them: all that is counted.
    fn on_time_wait(&mut self, _event: &TimeWaitEvent<'_>) {}

    /// Once per turn of the worker's loop: a place to open connections and run own deadlines.
    fn poll(&mut self, _cx: &mut Context<'_>) {}

    /// When [`Application::poll`] has something to do next, if nothing arrives before; `None` for
    /// "only when something arrives". Virtual time and idle workers sleep until then.
    fn next_poll(&self) -> Option<Instant> {
        None
    }
}
