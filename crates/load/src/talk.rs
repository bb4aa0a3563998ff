//! Requests are sent and answers read.

use core::num::NonZeroU32;

use stack::Context;
use tcp::time::Instant;

use crate::exchange::{Progress, Reader};
use crate::flow::{Stage, mark};
use crate::load::{Load, Phase};
use crate::measure::nanos;
use crate::spec::{Close, Mode};
use crate::waiting::List;

impl Load {
    /// The connection is ESTABLISHED.
    pub(crate) fn opened(&mut self, cx: &mut Context<'_>, at: usize) {
        let now = cx.now();
        self.counts.established += 1;
        self.record(|l| &mut l.connect, at, now);
        self.waiting.remove(at);
        match self.spec.mode {
            Mode::Connections { .. } => {
                // When it would have been, had the connection been opened when it was due.
                let late = nanos(self.flows[at].late);
                let due = now.as_nanos().saturating_sub(late);
                self.request(cx, at, Instant::from_nanos(due));
            }
            Mode::Bulk { .. } => self.begin_bulk(cx, at),
            Mode::Requests { .. } | Mode::Held { .. } => {
                self.enter(at, Stage::Resting);
                self.go_on(cx, at);
            }
        }
    }

    /// Whether the connection has nothing more to ask.
    fn is_finished(&self, at: usize) -> bool {
        let flow = &self.flows[at];
        if flow.has(mark::LAST) {
            return true;
        }
        // A script is not left in the middle.
        let ending = self.phase != Phase::Running && self.is_whole(at);
        let all = |quota: NonZeroU32| flow.requests >= quota.get();
        match self.spec.mode {
            Mode::Connections { requests } => all(requests),
            Mode::Requests { per_connection } => ending || per_connection.is_some_and(all),
            Mode::Held { .. } | Mode::Bulk { .. } => ending,
        }
    }

    /// A connection that rests, or has its answer: on to what is next.
    fn go_on(&mut self, cx: &mut Context<'_>, at: usize) {
        let now = cx.now();
        let begun = self.flows[at].requests > 0;
        let think = self.spec.think;
        if self.is_finished(at) {
            // Nothing that is to end waits longer.
            if begun && !think.is_zero() && self.phase == Phase::Running {
                self.pause(at, now + think);
            } else {
                self.finish(cx, at);
            }
            return;
        }
        let whole = self.is_whole(at);
        match self.spec.mode {
            Mode::Held { every: None } => {
                self.enter(at, Stage::Resting);
                self.waiting.remove(at);
            }
            Mode::Held { every: Some(every) } if whole => self.pause(at, now + every),
            Mode::Requests { .. } if whole && self.paces_requests() => {
                self.enter(at, Stage::Resting);
                self.waiting.push(List::Idle, at);
            }
            _ if begun && !think.is_zero() => self.pause(at, now + think),
            _ => self.request(cx, at, now),
        }
    }

    fn pause(&mut self, at: usize, until: Instant) {
        self.enter(at, Stage::Resting);
        self.wait(List::Pause, at, until);
    }

    /// A pause is over.
    pub(crate) fn wake(&mut self, cx: &mut Context<'_>, at: usize) {
        self.waiting.remove(at);
        if self.is_finished(at) {
            self.finish(cx, at);
        } else {
            let due = self.flows[at].deadline;
            self.request(cx, at, due);
        }
    }

    /// Begins the next request.
    pub(crate) fn request(&mut self, cx: &mut Context<'_>, at: usize, due: Instant) {
        self.enter(at, Stage::Busy);
        let exchange = &self.exchanges[usize::from(self.flows[at].exchange)];
        let flow = &mut self.flows[at];
        flow.reader = exchange.reader(flow.requests);
        flow.requests += 1;
        flow.sent = 0;
        flow.due = due;
        flow.marks &= !mark::SEEN;
        self.counts.requests += 1;
        self.limit_time(at, cx.now());
        self.send_on(cx, at);
    }

    /// Sends what there is room for.
    pub(crate) fn send_on(&mut self, cx: &mut Context<'_>, at: usize) {
        let flow = &mut self.flows[at];
        let (Some(conn), Stage::Busy) = (flow.handle, flow.stage) else {
            return;
        };
        if matches!(self.spec.mode, Mode::Bulk { .. }) {
            self.send_bulk(cx, at);
            return;
        }
        let n = flow.requests.saturating_sub(1);
        let exchange = &self.exchanges[usize::from(flow.exchange)];
        loop {
            let rest = exchange.request(n, flow.sent);
            if rest.is_empty() {
                break;
            }
            let taken = cx.send(conn, rest);
            flow.sent += taken as u64;
            self.counts.bytes_sent += taken as u64;
            if taken < rest.len() {
                return;
            }
        }
        if self.spec.close == Close::HalfClose && self.is_finished(at) {
            cx.shutdown_write(conn);
            self.flows[at].half_closed = Some(cx.now());
        }
        if self.exchange(at).is_unanswered(n) {
            self.answered(cx.now(), at, None, false);
            if self.is_finished(at) {
                self.go_on(cx, at);
            } else {
                // Not at once: the next may want none either.
                self.pause(at, cx.now() + self.spec.think);
            }
        }
    }

    /// Octets have come. Returns how many are done with.
    pub(crate) fn received(&mut self, cx: &mut Context<'_>, at: usize, data: &[u8]) -> usize {
        let flow = &mut self.flows[at];
        if flow.has(mark::FAILED) {
            return data.len();
        }
        if matches!(self.spec.mode, Mode::Bulk { .. }) {
            return self.received_bulk(cx, at, data);
        }
        self.read_answers(cx, at, data)
    }

    /// Reads answers, and goes on behind each. Returns how many octets are done with.
    pub(crate) fn read_answers(&mut self, cx: &mut Context<'_>, at: usize, data: &[u8]) -> usize {
        let now = cx.now();
        let mut consumed = 0;
        loop {
            let flow = &mut self.flows[at];
            if flow.stage != Stage::Busy {
                flow.reader = Reader::Idle;
            } else if !flow.has(mark::SEEN) {
                flow.marks |= mark::SEEN;
                self.record(|l| &mut l.first_byte, at, now);
            }
            let flow = &mut self.flows[at];
            let exchange = &self.exchanges[usize::from(flow.exchange)];
            match flow.reader.read(exchange, &data[consumed..]) {
                Progress::More { consumed: more } => return (consumed + more).min(data.len()),
                Progress::Done {
                    consumed: more,
                    status,
                    last,
                } => {
                    consumed = (consumed + more).min(data.len());
                    self.answered(now, at, status, last);
                    self.go_on(cx, at);
                    if consumed == data.len() {
                        return consumed;
                    }
                    // The rest was sent before it was asked for, unless nothing is to be asked.
                    let n = self.flows[at].requests.saturating_sub(1);
                    if !self.exchange(at).request(n, 0).is_empty() {
                        self.flows[at].reader = Reader::Idle;
                    }
                }
                Progress::Wrong(why) => {
                    self.measured.first_wrong.get_or_insert(why);
                    self.counts.err_wrong += 1;
                    self.fail(cx, at);
                    return data.len();
                }
            }
        }
    }

    /// An answer is complete and right.
    pub(crate) fn answered(&mut self, now: Instant, at: usize, status: Option<u8>, last: bool) {
        let flow = &mut self.flows[at];
        if last {
            flow.marks |= mark::LAST;
        }
        self.record(|l| &mut l.request, at, now);
        let counts = &mut self.counts;
        counts.responses += 1;
        match status {
            Some(1) => counts.status_1xx += 1,
            Some(2) => counts.status_2xx += 1,
            Some(3) => counts.status_3xx += 1,
            Some(4) => counts.status_4xx += 1,
            Some(5) => counts.status_5xx += 1,
            _ => {}
        }
    }
}
