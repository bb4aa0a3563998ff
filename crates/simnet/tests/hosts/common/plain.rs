//! An application for tests of single connections: it notes what it is told and reacts by a few
//! set reflexes; everything else the test does through the context.

use std::collections::BTreeMap;

use stack::{Application, CloseReason, Context, Handle, TimeWaitEvent, TimeWaitOutcome};
use tcp::time::Instant;
use tcp::time_wait::{Counters, Entry};
use wire::FourTuple;
use wire::tcp::Header;

/// What the application was told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Told {
    Open,
    Data(usize),
    Writable,
    PeerClosed,
    Closed(CloseReason),
}

/// How a side ends a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum End {
    /// Not at all.
    #[default]
    Stay,
    Close,
    Shutdown,
    Abort,
}

#[derive(Default, Debug)]
pub(crate) struct Plain {
    /// Sent when a connection opens.
    pub(crate) greeting: Vec<u8>,
    /// Done after the greeting.
    pub(crate) after_greeting: End,
    /// Sent for each delivery of data.
    pub(crate) reply: Vec<u8>,
    /// Done after the reply.
    pub(crate) after_reply: End,
    /// Done when the peer has closed.
    pub(crate) at_peer_closed: End,
    /// Only whole records of so many bytes are consumed; 0 or 1 for all there is.
    pub(crate) record: usize,
    /// How often data was shown.
    pub(crate) shown: usize,
    /// Nothing is consumed, but on the connection `reads`.
    pub(crate) deaf: bool,
    pub(crate) reads: Option<Handle>,
    /// Everything that it was told, with the time.
    pub(crate) told: Vec<(Instant, Handle, Told)>,
    /// Everything received, all connections together.
    pub(crate) received: Vec<u8>,
    /// What is left to send on connections that took less than offered, by slot.
    pub(crate) unsent: BTreeMap<usize, Vec<u8>>,
    /// Every decision of TIME-WAIT that it was told of.
    pub(crate) decisions: Vec<Decision>,
    /// The same, counted.
    pub(crate) decided: Counters,
}

/// A decision of TIME-WAIT.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Decision {
    pub(crate) tuple: FourTuple,
    /// The header of the segment, and the length of its text.
    pub(crate) segment: Option<(Header, u32)>,
    pub(crate) entry: Option<Entry>,
    pub(crate) outcome: TimeWaitOutcome,
}

impl Plain {
    /// What was told, connections and times apart.
    pub(crate) fn events(&self) -> Vec<Told> {
        self.told.iter().map(|(_, _, told)| *told).collect()
    }

    /// How many connections ended so.
    pub(crate) fn ended(&self, reason: CloseReason) -> usize {
        self.count(Told::Closed(reason))
    }

    pub(crate) fn count(&self, what: Told) -> usize {
        self.told
            .iter()
            .filter(|(_, _, told)| *told == what)
            .count()
    }

    /// The handle of the last event.
    pub(crate) fn last(&self) -> Handle {
        self.told.last().expect("something was told").1
    }

    fn note(&mut self, cx: &Context<'_>, conn: Handle, told: Told) {
        self.told.push((cx.now(), conn, told));
    }

    /// Sends all of `bytes`, the rest when there is room.
    pub(crate) fn send(&mut self, cx: &mut Context<'_>, conn: Handle, bytes: &[u8]) {
        let taken = cx.send(conn, bytes);
        if taken < bytes.len() {
            self.unsent.insert(conn.index(), bytes[taken..].to_vec());
        }
    }
}

fn end(cx: &mut Context<'_>, conn: Handle, how: End) {
    match how {
        End::Stay => {}
        End::Close => cx.close(conn),
        End::Shutdown => cx.shutdown_write(conn),
        End::Abort => cx.abort(conn),
    }
}

impl Application for Plain {
    fn on_open(&mut self, cx: &mut Context<'_>, conn: Handle) {
        self.note(cx, conn, Told::Open);
        let greeting = self.greeting.clone();
        self.send(cx, conn, &greeting);
        end(cx, conn, self.after_greeting);
    }

    fn on_data(&mut self, cx: &mut Context<'_>, conn: Handle, data: &[u8]) -> usize {
        self.shown += 1;
        let whole = data.len() - data.len() % self.record.max(1);
        let data = &data[..whole];
        if (self.deaf && self.reads != Some(conn)) || data.is_empty() {
            return 0;
        }
        self.note(cx, conn, Told::Data(data.len()));
        self.received.extend_from_slice(data);
        let reply = self.reply.clone();
        self.send(cx, conn, &reply);
        end(cx, conn, self.after_reply);
        data.len()
    }

    fn on_writable(&mut self, cx: &mut Context<'_>, conn: Handle) {
        self.note(cx, conn, Told::Writable);
        if let Some(rest) = self.unsent.remove(&conn.index()) {
            self.send(cx, conn, &rest);
        }
    }

    fn on_peer_closed(&mut self, cx: &mut Context<'_>, conn: Handle) {
        self.note(cx, conn, Told::PeerClosed);
        end(cx, conn, self.at_peer_closed);
    }

    fn on_closed(&mut self, cx: &mut Context<'_>, conn: Handle, reason: CloseReason) {
        self.note(cx, conn, Told::Closed(reason));
    }

    fn on_time_wait(&mut self, event: &TimeWaitEvent<'_>) {
        let outcome = event.outcome;
        outcome.verdict.iter().for_each(|v| self.decided.record(*v));
        let permits = outcome.permit.iter();
        permits.for_each(|p| self.decided.record_permit(*p));
        let incidents = outcome.incident.iter();
        incidents.for_each(|i| self.decided.record_incident(*i));
        self.decisions.push(Decision {
            tuple: *event.tuple,
            segment: event.segment.map(|s| (*s.header, s.text_len)),
            entry: event.entry.copied(),
            outcome,
        });
    }
}
