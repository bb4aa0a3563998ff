//! Requests and answers of set sizes: what `tidewheel load` has over `tcp://`, and what `bench` measures.

use load::exchange::Content;
use stack::{Context, Handle};

use super::counters::Counters;

/// What the connections of one listener exchange: each sends a request and is answered, over and over, unless the
/// server closes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Exchange {
    request: Content,
    response: Content,
    server_closes: bool,
}

/// The state of one connection.
#[derive(Clone, Copy, Default)]
pub(super) struct Exchanging {
    handle: Option<Handle>,
    /// It ends behind the answer at hand, or the next one.
    last: bool,
    /// Octets of the request at hand, and of the answer to it.
    received: u64,
    sent: u64,
}

impl Exchange {
    /// `request`, of one octet at least, is awaited, and `response` sent; behind the first one of a connection the
    /// server closes, if it is to.
    #[must_use]
    pub fn new(request: Content, response: Content, server_closes: bool) -> Exchange {
        Exchange {
            request,
            response,
            server_closes,
        }
    }
}

impl Exchanging {
    /// `draining`: its first answer will be its last.
    #[inline]
    pub(super) fn open(&mut self, conn: Handle, exchange: &Exchange, draining: bool) {
        *self = Exchanging {
            handle: Some(conn),
            last: exchange.server_closes || draining,
            received: 0,
            sent: 0,
        };
    }

    pub(super) fn closed(&mut self) {
        self.handle = None;
    }

    /// Octets have come. Returns how many are done with: those behind a request wait until it is answered.
    #[inline]
    pub(super) fn on_data(
        &mut self,
        cx: &mut Context<'_>,
        counters: &mut Counters,
        exchange: &Exchange,
        data: &[u8],
    ) -> usize {
        let Some(conn) = self.handle else {
            return data.len();
        };
        let mut consumed = 0;
        while consumed < data.len() {
            let missing = exchange.request.len() - self.received;
            if missing == 0 && self.sent < exchange.response.len() {
                break;
            }
            let rest = &data[consumed..];
            // At most the length of the rest.
            let piece = &rest[..missing.min(rest.len() as u64) as usize];
            if piece.is_empty() || !exchange.request.matches(self.received, piece) {
                // Another request than was agreed upon, or one behind the last: the client sees a reset.
                cx.abort(conn);
                return data.len();
            }
            self.received += piece.len() as u64;
            consumed += piece.len();
            if self.received == exchange.request.len() {
                self.answer(cx, counters, exchange, conn);
            }
        }
        consumed
    }

    /// Sends what there is room for of the answer to the request at hand, which is complete.
    #[inline]
    fn answer(
        &mut self,
        cx: &mut Context<'_>,
        counters: &mut Counters,
        exchange: &Exchange,
        conn: Handle,
    ) {
        while self.sent < exchange.response.len() {
            let piece = exchange.response.piece(self.sent);
            let taken = cx.send(conn, piece);
            self.sent += taken as u64;
            if taken < piece.len() {
                return;
            }
        }
        counters.exchange_responses += 1;
        if self.last {
            cx.close(conn);
        } else {
            (self.received, self.sent) = (0, 0);
        }
    }

    pub(super) fn on_writable(
        &mut self,
        cx: &mut Context<'_>,
        counters: &mut Counters,
        exchange: &Exchange,
    ) {
        if let Some(conn) = self.handle
            && self.received == exchange.request.len()
            && self.sent < exchange.response.len()
        {
            self.answer(cx, counters, exchange, conn);
            cx.resume(conn);
        }
    }

    /// An answer that is under way goes on; else there is nothing more to do.
    #[inline]
    pub(super) fn on_peer_closed(&mut self, cx: &mut Context<'_>, exchange: &Exchange) {
        let Some(conn) = self.handle else {
            return;
        };
        if self.received == exchange.request.len() && self.sent < exchange.response.len() {
            self.last = true;
        } else {
            cx.close(conn);
        }
    }

    /// A connection that has asked for nothing is closed; another one behind its answer.
    pub(super) fn drain(&mut self, cx: &mut Context<'_>) {
        self.last = true;
        if let Some(conn) = self.handle
            && self.received == 0
        {
            cx.close(conn);
        }
    }
}
