//! The end of a connection, as it was asked for and as it comes.

use stack::{CloseReason, Context};
use tcp::time::Instant;

use crate::exchange::Progress;
use crate::flow::{Stage, mark};
use crate::load::Load;
use crate::spec::{Close, Mode};

impl Load {
    /// The connection has had its answers: it is closed as was asked for.
    pub(crate) fn finish(&mut self, cx: &mut Context<'_>, at: usize) {
        let complete = self.is_complete(at);
        self.enter(at, Stage::Closing);
        let flow = &mut self.flows[at];
        flow.due = flow.half_closed.unwrap_or(cx.now());
        self.limit_time(at, cx.now());
        let Some(conn) = self.flows[at].handle else {
            return;
        };
        match self.spec.close {
            Close::Reset => cx.abort(conn),
            // The peer does not know that nothing more is asked.
            Close::Peer if complete => {}
            Close::Fin | Close::HalfClose | Close::Peer => cx.shutdown_write(conn),
        }
    }

    /// Whether the peer knows that the connection has had all its requests.
    fn is_complete(&self, at: usize) -> bool {
        let flow = &self.flows[at];
        let all = match self.spec.mode {
            Mode::Connections { requests } => flow.requests >= requests.get(),
            Mode::Requests { per_connection } => {
                per_connection.is_some_and(|quota| flow.requests >= quota.get())
            }
            Mode::Held { .. } => false,
            Mode::Bulk { .. } => self.has_all_bulk(at),
        };
        all || flow.has(mark::LAST)
    }

    /// The run is over: what rests, or would go on for ever, is closed.
    pub(crate) fn wind_up(&mut self, cx: &mut Context<'_>, at: usize) {
        let endless = match self.spec.mode {
            Mode::Connections { .. } => false,
            Mode::Requests { .. } | Mode::Held { .. } => self.flows[at].stage == Stage::Resting,
            Mode::Bulk { .. } => self.flows[at].stage == Stage::Busy,
        };
        if endless && self.is_whole(at) {
            self.finish(cx, at);
        }
    }

    /// Something went wrong, and was counted.
    pub(crate) fn fail(&mut self, cx: &mut Context<'_>, at: usize) {
        self.waiting.remove(at);
        self.flows[at].marks |= mark::FAILED;
        if let Some(conn) = self.flows[at].handle {
            cx.abort(conn);
        }
    }

    /// What a connection waited for did not come in time.
    pub(crate) fn time_out(&mut self, cx: &mut Context<'_>, at: usize) {
        let counts = &mut self.counts;
        *match self.flows[at].stage {
            Stage::Opening => &mut counts.err_connect_timeout,
            Stage::Closing => &mut counts.err_close,
            Stage::Free | Stage::Busy | Stage::Resting => &mut counts.err_timeout,
        } += 1;
        self.fail(cx, at);
    }

    /// The peer has sent its FIN.
    pub(crate) fn peer_closed(&mut self, cx: &mut Context<'_>, at: usize) {
        let now = cx.now();
        let unasked = matches!(self.spec.mode, Mode::Bulk { .. }) && !self.asks_for_bulk(at);
        let flow = &mut self.flows[at];
        flow.marks |= mark::PEER_CLOSED;
        let Some(conn) = flow.handle.filter(|_| !flow.has(mark::FAILED)) else {
            return;
        };
        match flow.stage {
            Stage::Busy if unasked => self.bulk_cut_short(at),
            Stage::Busy => match flow.reader.end(&self.exchanges[usize::from(flow.exchange)]) {
                Progress::Done { status, .. } => self.answered(now, at, status, true),
                Progress::More { .. } | Progress::Wrong(_) => {
                    self.counts.err_cut_short += 1;
                    self.flows[at].marks |= mark::FAILED;
                }
            },
            Stage::Resting if !flow.has(mark::LAST) => self.counts.closed_early += 1,
            Stage::Free | Stage::Opening | Stage::Resting | Stage::Closing => {}
        }
        let flow = &mut self.flows[at];
        // It began now, unless we were first.
        if flow.stage != Stage::Closing || self.spec.close == Close::Peer {
            flow.due = flow.half_closed.unwrap_or(now);
        }
        if flow.stage != Stage::Closing {
            self.enter(at, Stage::Closing);
        }
        self.limit_time(at, now);
        cx.close(conn);
    }

    /// In bulk the peer's FIN is the end of what it had to send.
    fn bulk_cut_short(&mut self, at: usize) {
        let Mode::Bulk {
            send,
            per_connection,
            ..
        } = self.spec.mode
        else {
            return;
        };
        if send || per_connection.is_some() {
            self.counts.err_cut_short += 1;
            self.flows[at].marks |= mark::FAILED;
        }
    }

    /// The connection is over.
    pub(crate) fn closed(&mut self, now: Instant, at: usize, reason: CloseReason) {
        self.waiting.remove(at);
        let flow = self.flows[at];
        self.enter(at, Stage::Free);
        self.flows[at].handle = None;
        self.counts.closed += 1;
        if flow.has(mark::FAILED) {
            return;
        }
        let counts = &mut self.counts;
        let ours = flow.stage == Stage::Closing && self.spec.close == Close::Reset;
        match (flow.stage, reason) {
            (Stage::Closing, CloseReason::Normal) => {
                counts.completed += 1;
                self.record(|l| &mut l.close, at, now);
            }
            (_, CloseReason::Aborted) if ours => counts.completed += 1,
            (stage, CloseReason::Aborted) => {
                counts.cut_off += 1;
                counts.cut_off_opening += u64::from(stage == Stage::Opening);
            }
            (_, CloseReason::Refused) => counts.err_refused += 1,
            (_, CloseReason::Reset) => counts.err_reset += 1,
            (_, CloseReason::DataLost) => counts.err_wrong += 1,
            (_, CloseReason::Normal) => counts.err_cut_short += 1,
            // The host gave up: an unanswered SYN or ARP request, data, or FIN.
            (Stage::Opening, _) => counts.err_connect_timeout += 1,
            (Stage::Closing, _) => counts.err_close += 1,
            (_, _) => counts.err_timeout += 1,
        }
    }
}
