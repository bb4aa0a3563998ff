//! The bench's server: reads a request of a set size, answers with a response of a set size.

use stack::{Application, Context, Handle};
use tcp::CloseReason;

use super::pattern::Pattern;
use super::plan::Exchange;

/// One connection.
#[derive(Clone, Copy, Default)]
struct Served {
    received: u64,
    sent: u64,
}

/// The server of one worker.
pub struct Server {
    exchange: Exchange,
    pattern: Pattern,
    connections: Vec<Served>,
}

impl Server {
    /// A server for a stack of `max_connections`.
    #[must_use]
    pub fn new(exchange: Exchange, max_connections: usize) -> Server {
        Server {
            exchange,
            pattern: Pattern::new(),
            connections: vec![Served::default(); max_connections],
        }
    }

    /// Sends what there is room for, once the request is there.
    fn answer(&mut self, cx: &mut Context<'_>, conn: Handle) {
        let served = &mut self.connections[conn.index()];
        if served.received < self.exchange.request_bytes {
            return;
        }
        if !send_pattern(
            cx,
            conn,
            &self.pattern,
            &mut served.sent,
            self.exchange.response_bytes,
        ) {
            return;
        }
        if self.exchange.server_closes {
            cx.close(conn);
        }
    }
}

impl Application for Server {
    fn on_open(&mut self, cx: &mut Context<'_>, conn: Handle) {
        self.connections[conn.index()] = Served::default();
        self.answer(cx, conn);
    }

    fn on_data(&mut self, cx: &mut Context<'_>, conn: Handle, data: &[u8]) -> usize {
        let served = &mut self.connections[conn.index()];
        let right = self.pattern.matches(served.received, data);
        served.received += data.len() as u64;
        if !right || served.received > self.exchange.request_bytes {
            // The client sees a reset and counts it.
            cx.abort(conn);
        } else if served.received == self.exchange.request_bytes {
            self.answer(cx, conn);
        }
        data.len()
    }

    fn on_writable(&mut self, cx: &mut Context<'_>, conn: Handle) {
        self.answer(cx, conn);
    }

    fn on_peer_closed(&mut self, cx: &mut Context<'_>, conn: Handle) {
        cx.close(conn);
    }

    fn on_closed(&mut self, _cx: &mut Context<'_>, _conn: Handle, _reason: CloseReason) {}
}

/// Sends the pattern from `sent` up to `end`, as far as there is room. Whether all is sent.
pub(super) fn send_pattern(
    cx: &mut Context<'_>,
    conn: Handle,
    pattern: &Pattern,
    sent: &mut u64,
    end: u64,
) -> bool {
    while *sent < end {
        let piece = pattern.piece(*sent, end - *sent);
        let taken = cx.send(conn, piece);
        *sent += taken as u64;
        if taken < piece.len() {
            return false;
        }
    }
    true
}
