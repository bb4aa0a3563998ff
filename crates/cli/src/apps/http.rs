//! HTTP on a connection of the stack: the server core's decisions carried out.

use stack::{Context, Handle};
use tcp::time::Instant;

use super::Shared;
use super::counters::Counters;
use super::grace::{GRACE, Grace, Wait};
use ::http::server::{Next, Session, Sink, Site};

/// The state of one connection.
#[derive(Clone, Copy, Default)]
pub(super) struct Connection {
    session: Session,
    handle: Option<Handle>,
    /// Since when the client has kept us waiting for what it has begun.
    waits_since: Option<Instant>,
    /// Whether this slot is in the queue of [`Grace`]. It outlives the connection.
    queued: bool,
}

/// The send buffer of one connection.
struct SendBuffer<'a, 'c> {
    cx: &'a mut Context<'c>,
    conn: Handle,
    counters: &'a mut Counters,
}

impl Sink for SendBuffer<'_, '_> {
    #[inline]
    fn send(&mut self, bytes: &[u8]) -> usize {
        self.cx.send(self.conn, bytes)
    }

    #[inline]
    fn answered(&mut self, status: u16) {
        self.counters.answered(status);
    }
}

impl Connection {
    /// `draining`: its first request will be its last.
    pub(super) fn open(&mut self, conn: Handle, draining: bool) {
        self.session = Session::new();
        if draining {
            self.session.drain();
        }
        self.handle = Some(conn);
        self.waits_since = None;
    }

    pub(super) fn closed(&mut self) {
        self.handle = None;
        self.waits_since = None;
    }

    pub(super) fn on_data(
        &mut self,
        cx: &mut Context<'_>,
        shared: &mut Shared,
        site: &Site,
        client_closes: bool,
        data: &[u8],
    ) -> usize {
        let Some(conn) = self.handle else {
            return data.len();
        };
        let sink = &mut SendBuffer {
            cx,
            conn,
            counters: &mut shared.counters,
        };
        let (used, next) = self.session.on_data(site, client_closes, data, sink);
        if next == Next::Read {
            if used < data.len() {
                self.wait(cx.now(), &mut shared.grace, conn);
            } else if !self.session.is_over() {
                self.waits_since = None;
            }
        } else {
            self.follow(cx, &mut shared.grace, conn, next);
        }
        used
    }

    pub(super) fn on_writable(
        &mut self,
        cx: &mut Context<'_>,
        shared: &mut Shared,
        site: &Site,
        client_closes: bool,
    ) {
        let Some(conn) = self.handle else {
            return;
        };
        let sink = &mut SendBuffer {
            cx,
            conn,
            counters: &mut shared.counters,
        };
        let next = self.session.on_writable(site, client_closes, sink);
        self.follow(cx, &mut shared.grace, conn, next);
        if next != Next::Write {
            // Requests that came in the meantime were held back.
            cx.resume(conn);
        }
    }

    pub(super) fn on_peer_closed(&mut self, cx: &mut Context<'_>) {
        if let Some(conn) = self.handle
            && self.session.on_peer_closed() == Next::Close
        {
            cx.close(conn);
        }
    }

    /// The server is about to end: closes the connection if it is idle.
    pub(super) fn drain(&mut self, cx: &mut Context<'_>) {
        if let Some(conn) = self.handle
            && self.session.drain() == Next::Close
        {
            cx.close(conn);
        }
    }

    /// Closes the connection if its grace is over, and says how it is.
    pub(super) fn wait_state(&mut self, cx: &mut Context<'_>) -> Wait {
        let state = match (self.handle, self.waits_since) {
            (Some(conn), Some(since)) if since + GRACE <= cx.now() => {
                cx.close(conn);
                Wait::Over
            }
            (Some(_), Some(_)) => Wait::On,
            _ => Wait::Gone,
        };
        self.queued = state == Wait::On;
        state
    }

    fn follow(&mut self, cx: &mut Context<'_>, grace: &mut Grace, conn: Handle, next: Next) {
        match next {
            Next::Read | Next::Write => {}
            Next::Close => cx.close(conn),
            Next::Linger => {
                cx.shutdown_write(conn);
                self.wait(cx.now(), grace, conn);
            }
            Next::AwaitClose => self.wait(cx.now(), grace, conn),
        }
    }

    /// From now on, unless it does already, the client keeps us waiting.
    fn wait(&mut self, now: Instant, grace: &mut Grace, conn: Handle) {
        self.waits_since.get_or_insert(now);
        if !self.queued {
            self.queued = true;
            grace.start(now, conn.index());
        }
    }
}
