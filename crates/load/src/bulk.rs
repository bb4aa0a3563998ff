//! As many octets as fit.

use stack::Context;

use crate::exchange::Exchange;
use crate::flow::{Stage, mark};
use crate::load::{Load, Phase};
use crate::spec::Mode;

impl Load {
    /// What is wanted of each connection: whether to send, whether to receive, and how much.
    fn wanted(&self) -> (bool, bool, u64) {
        match self.spec.mode {
            Mode::Bulk {
                send,
                receive,
                per_connection,
            } => (send, receive, per_connection.unwrap_or(u64::MAX)),
            _ => (false, false, 0),
        }
    }

    pub(crate) fn begin_bulk(&mut self, cx: &mut Context<'_>, at: usize) {
        self.enter(at, Stage::Busy);
        self.flows[at].due = cx.now();
        let (send, ..) = self.wanted();
        if send {
            self.send_bulk(cx, at);
        } else {
            self.request(cx, at, cx.now());
        }
        self.after_bulk(cx, at);
    }

    /// Whether answers are told apart, and each is followed by the next request: octets that mean nothing are asked
    /// for once.
    pub(crate) fn asks_for_bulk(&self, at: usize) -> bool {
        let (send, ..) = self.wanted();
        !send && matches!(self.exchange(at), Exchange::Http(_))
    }

    /// What the peer sends may have to be asked for.
    fn ask_for_bulk(&mut self, cx: &mut Context<'_>, at: usize) {
        let flow = &mut self.flows[at];
        let Some(conn) = flow.handle else {
            return;
        };
        let exchange = &self.exchanges[usize::from(flow.exchange)];
        loop {
            let rest = exchange.request(0, flow.sent);
            if rest.is_empty() {
                return;
            }
            let taken = cx.send(conn, rest);
            flow.sent += taken as u64;
            self.counts.bytes_sent += taken as u64;
            if taken < rest.len() {
                return;
            }
        }
    }

    /// Sends until the send buffer is full.
    pub(crate) fn send_bulk(&mut self, cx: &mut Context<'_>, at: usize) {
        let (send, _, quota) = self.wanted();
        if !send {
            self.ask_for_bulk(cx, at);
            return;
        }
        let flow = &mut self.flows[at];
        let Some(conn) = flow.handle else {
            return;
        };
        while flow.sent < quota {
            let most = (quota - flow.sent).min(self.block.len() as u64);
            let piece = &self.block[..most as usize];
            let taken = cx.send(conn, piece);
            flow.sent += taken as u64;
            self.counts.bytes_sent += taken as u64;
            if taken < piece.len() {
                break;
            }
        }
        self.after_bulk(cx, at);
    }

    pub(crate) fn received_bulk(&mut self, cx: &mut Context<'_>, at: usize, data: &[u8]) -> usize {
        let consumed = if self.flows[at].stage == Stage::Busy && self.asks_for_bulk(at) {
            self.read_answers(cx, at, data)
        } else {
            data.len()
        };
        self.flows[at].received += consumed as u64;
        if !self.flows[at].has(mark::FAILED) {
            self.after_bulk(cx, at);
        }
        consumed
    }

    /// Whether everything that was wanted was sent and received.
    pub(crate) fn has_all_bulk(&self, at: usize) -> bool {
        let (send, receive, quota) = self.wanted();
        let flow = &self.flows[at];
        (!send || flow.sent >= quota) && (!receive || flow.received >= quota)
    }

    /// Something has moved.
    fn after_bulk(&mut self, cx: &mut Context<'_>, at: usize) {
        if self.flows[at].stage != Stage::Busy {
            return;
        }
        if self.has_all_bulk(at) {
            self.flows[at].marks |= mark::LAST;
            self.finish(cx, at);
        } else if self.phase != Phase::Running {
            self.finish(cx, at);
        } else {
            self.limit_time(at, cx.now());
        }
    }
}
