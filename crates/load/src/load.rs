//! The generator of one worker: an application that opens connections and talks.

use core::time::Duration;
use std::sync::Arc;

use hdrhistogram::Histogram;
use stack::{Application, CloseReason, Context, Handle};
use tcp::time::Instant;

use crate::deal::Deal;
use crate::exchange::Exchange;
use crate::flow::{Flow, Stage};
use crate::measure::{Alive, Counts, Latencies, Measured, nanos};
use crate::open::Held;
use crate::schedule::{Governor, Schedule, Turns};
use crate::spec::{Pace, Spec, SpecError};
use crate::waiting::{List, Waiting};

/// The most that is begun, ended or timed out in one turn of the loop, each, so that a burst never starves what is
/// alive.
pub(crate) const BUDGET: u32 = 32;
/// How long after the first turn that comes after the end of a run what was due before may still begin, so that this
/// turn is not missing.
const LATE: Duration = Duration::from_millis(1);
/// Flows looked at in one turn when the run ends.
const SWEPT: usize = 256;

/// How fast, how long and how many: what may change from one run to the next.
#[derive(Clone, PartialEq, Debug)]
pub struct Run {
    /// How fast.
    pub pace: Pace,
    /// How much later in its period than at its beginning each event of an open loop is, 0 to 1: workers that share
    /// a rate have different ones.
    pub phase: f64,
    /// How long connections are opened and requests sent; `None`: until told otherwise.
    pub duration: Option<Duration>,
    /// How many connections are opened at most.
    pub connections: Option<u64>,
    /// Whether latencies are recorded: four for each connection of one request, which costs a part of what the connection
    /// itself does.
    pub timed: bool,
}

/// What is under way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Phase {
    /// Nothing was begun yet.
    Rest,
    /// Connections are opened and requests sent.
    Running,
    /// What was begun goes on to its end.
    Ending,
}

/// A load generator for one [`stack::Stack`].
pub struct Load {
    pub(crate) spec: Spec,
    pub(crate) exchanges: Arc<[Exchange]>,
    /// What is sent in bulk.
    pub(crate) block: Arc<[u8]>,
    pub(crate) flows: Box<[Flow]>,
    pub(crate) waiting: Waiting,
    pub(crate) deal: Deal,
    pub(crate) phase: Phase,
    /// Of an open loop.
    pub(crate) schedule: Option<Schedule>,
    pub(crate) governor: Option<Governor>,
    pub(crate) turns: Turns,
    /// Connections that may still be opened in this run.
    pub(crate) openings_left: u64,
    /// Why the next opening, and the next request, is put off.
    pub(crate) held: Option<Held>,
    pub(crate) no_connection: bool,
    /// No opening before this: the stack has said that none is possible.
    pub(crate) held_until: Instant,
    /// Flows by stage.
    pub(crate) stages: [u32; 5],
    pub(crate) counts: Counts,
    pub(crate) measured: Box<Measured>,
    timed: bool,
    /// When this interval began, and the counts then.
    since: Instant,
    base: Counts,
    /// When the run begins, which may be yet to come.
    pub(crate) begins: Instant,
    /// When the run is to end, and when it has ended.
    pub(crate) ends: Instant,
    ended: Option<(Instant, Counts)>,
    /// It is to end as soon as what was due before has begun, at the latest then.
    overdue: Option<Instant>,
    /// Flows not looked at yet since the run has ended.
    unswept: usize,
}

/// Octets sent at once in bulk.
const BLOCK: usize = 64 * 1024;

impl Load {
    /// A generator at rest for a stack with room for `max_connections`; targets name `exchanges` by their places. Allocates everything that it will ever use.
    ///
    /// # Errors
    /// What cannot be done.
    pub fn new(
        spec: Spec,
        exchanges: Arc<[Exchange]>,
        max_connections: usize,
    ) -> Result<Load, SpecError> {
        spec.validate(&exchanges)?;
        // Octets that are unlike from one to the next; the period is a prime, so that a loss shows in a capture.
        let block = (0..BLOCK).map(|at| (at % 251) as u8);
        Ok(Load {
            deal: Deal::new(&spec.targets)?,
            exchanges,
            block: block.collect(),
            flows: vec![Flow::default(); max_connections].into(),
            waiting: Waiting::new(max_connections),
            phase: Phase::Rest,
            schedule: None,
            governor: None,
            turns: Turns::default(),
            openings_left: 0,
            held: None,
            no_connection: false,
            held_until: Instant::ZERO,
            stages: [0; 5],
            counts: Counts::default(),
            measured: Box::new(Measured::new()?),
            timed: false,
            since: Instant::ZERO,
            base: Counts::default(),
            begins: Instant::ZERO,
            ends: Instant::FAR_FUTURE,
            ended: None,
            overdue: None,
            unswept: 0,
            spec,
        })
    }

    /// Begins a run at `now`, which may be a little later than the time is: nothing is opened before. One that is under way is over, and what it measured since the last report is forgotten; its
    /// connections go on.
    pub fn start(&mut self, now: Instant, run: &Run) {
        (self.schedule, self.governor) = match &run.pace {
            Pace::Closed => (None, None),
            Pace::Open(profile) => (
                Some(Schedule::new(profile, now, run.phase)),
                Some(Governor::new(profile, now)),
            ),
        };
        self.phase = Phase::Running;
        self.openings_left = run.connections.unwrap_or(u64::MAX);
        self.timed = run.timed;
        self.held = None;
        self.no_connection = false;
        self.held_until = Instant::ZERO;
        self.since = now;
        self.base = self.counts;
        self.measured.reset();
        self.begins = now;
        self.ends = run.duration.map_or(Instant::FAR_FUTURE, |d| now + d);
        self.ended = None;
        self.overdue = None;
        self.unswept = 0;
    }

    /// Ends the run: nothing more is begun, what was begun goes on to its end.
    pub fn stop(&mut self, now: Instant) {
        if self.phase != Phase::Running {
            return;
        }
        self.phase = Phase::Ending;
        self.counts.not_begun += self.behind(now);
        self.ended = Some((now, self.counts));
        self.unswept = self.flows.len();
    }

    /// Whether the run has ended and no connection is left.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.phase == Phase::Ending && self.alive() == 0
    }

    /// What happened since the last report of this run, in exchange for one to fill next, which has been
    /// [reset](Measured::reset) by who hands it in. Neither allocates nor touches histograms.
    pub fn report(&mut self, now: Instant, mut blank: Box<Measured>) -> Box<Measured> {
        debug_assert!(
            blank.latencies.is_empty(),
            "the histograms are to be reset elsewhere"
        );
        blank.reset();
        let mut report = core::mem::replace(&mut self.measured, blank);
        let until = self.ended.map_or(now, |(at, _)| at);
        report.elapsed = match self.phase {
            Phase::Rest => Duration::ZERO,
            _ => until.since(self.since),
        };
        report.counts = self.counts.since(&self.base);
        if let Some((at, counts)) = &self.ended {
            let in_time = if *at > self.since { counts } else { &self.base };
            report.late = self.counts.since(in_time);
        }
        report.alive = Alive {
            opening: self.at(Stage::Opening).into(),
            open: u64::from(self.at(Stage::Busy)) + u64::from(self.at(Stage::Resting)),
            closing: self.at(Stage::Closing).into(),
            behind: match self.phase {
                Phase::Running => self.behind(now),
                Phase::Rest | Phase::Ending => 0,
            },
        };
        self.measured.first_wrong = None;
        self.since = now;
        self.base = self.counts;
        report
    }

    /// Events of an open loop that were due before `now` and have not begun. None is due behind the last of a set
    /// number of connections.
    fn behind(&self, now: Instant) -> u64 {
        match &self.schedule {
            Some(schedule) if self.openings_left > 0 || self.paces_requests() => {
                schedule.behind(now)
            }
            _ => 0,
        }
    }

    /// What happened so far, in all runs.
    #[must_use]
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Connections alive, in whatever state.
    #[must_use]
    pub fn alive(&self) -> u32 {
        self.stages.iter().sum::<u32>() - self.at(Stage::Free)
    }

    /// What is said on a connection.
    #[inline]
    pub(crate) fn exchange(&self, at: usize) -> &Exchange {
        &self.exchanges[usize::from(self.flows[at].exchange)]
    }

    /// Whether a connection is not in the middle of a script.
    #[inline]
    pub(crate) fn is_whole(&self, at: usize) -> bool {
        self.flows[at]
            .requests
            .is_multiple_of(self.exchange(at).steps())
    }

    /// Connections in a stage.
    #[inline]
    pub(crate) fn at(&self, stage: Stage) -> u32 {
        self.stages[stage as usize]
    }

    #[inline]
    pub(crate) fn enter(&mut self, at: usize, stage: Stage) {
        let flow = &mut self.flows[at];
        let before = core::mem::replace(&mut flow.stage, stage);
        // Free ones are not counted.
        if before != Stage::Free {
            self.stages[before as usize] -= 1;
        }
        if stage != Stage::Free {
            self.stages[stage as usize] += 1;
        }
    }

    /// Records how long it took from when what is under way was due.
    #[inline]
    pub(crate) fn record(
        &mut self,
        of: impl FnOnce(&mut Latencies) -> &mut Histogram<u64>,
        at: usize,
        now: Instant,
    ) {
        if self.timed {
            let took = nanos(now.since(self.flows[at].due));
            of(&mut self.measured.latencies).saturating_record(took);
        }
    }

    /// Puts a flow into a list for `time`.
    #[inline]
    pub(crate) fn wait(&mut self, list: List, at: usize, until: Instant) {
        self.flows[at].deadline = until;
        self.waiting.push(list, at);
    }

    /// The one whose wait in `list` is over.
    #[inline]
    fn over(&self, list: List, now: Instant) -> Option<usize> {
        let first = self.waiting.first(list)?;
        (self.flows[first].deadline <= now).then_some(first)
    }

    fn end_if_due(&mut self, now: Instant) {
        if self.phase != Phase::Running {
            return;
        }
        if now >= self.ends {
            let due = self.schedule.as_ref().and_then(Schedule::next);
            let until = *self.overdue.get_or_insert(now + LATE);
            if due.is_none_or(|due| due >= self.ends) || now >= until {
                self.stop(self.ends);
            }
        } else if self.has_run_dry() {
            self.stop(now);
        }
    }

    /// Nothing is there and nothing more is due: the last connection of a set number has gone, or the rate has ended at
    /// nothing without a time for the run to end.
    fn has_run_dry(&self) -> bool {
        let ceased = || {
            self.ends == Instant::FAR_FUTURE
                && (self.schedule.as_ref()).is_some_and(|schedule| schedule.next().is_none())
        };
        self.alive() == 0 && (self.openings_left == 0 || ceased())
    }

    /// Ends what would go on for ever, a few at a time.
    fn sweep(&mut self, cx: &mut Context<'_>) {
        let until = self.unswept.saturating_sub(SWEPT);
        for at in (until..self.unswept).rev() {
            self.wind_up(cx, at);
        }
        self.unswept = until;
    }
}

impl Application for Load {
    fn on_open(&mut self, cx: &mut Context<'_>, conn: Handle) {
        self.opened(cx, conn.index());
    }

    fn on_data(&mut self, cx: &mut Context<'_>, conn: Handle, data: &[u8]) -> usize {
        self.counts.bytes_received += data.len() as u64;
        let consumed = self.received(cx, conn.index(), data);
        // What is not consumed is shown again.
        self.counts.bytes_received -= (data.len() - consumed) as u64;
        consumed
    }

    fn on_writable(&mut self, cx: &mut Context<'_>, conn: Handle) {
        self.send_on(cx, conn.index());
    }

    fn on_peer_closed(&mut self, cx: &mut Context<'_>, conn: Handle) {
        self.peer_closed(cx, conn.index());
    }

    fn on_closed(&mut self, cx: &mut Context<'_>, conn: Handle, reason: CloseReason) {
        self.closed(cx.now(), conn.index(), reason);
    }

    fn on_drain(&mut self, cx: &mut Context<'_>) {
        self.stop(cx.now());
    }

    fn poll(&mut self, cx: &mut Context<'_>) {
        let now = cx.now();
        self.turns.begin(now);
        self.end_if_due(now);
        for _ in 0..BUDGET {
            let Some(at) = self.over(List::Timeout, now) else {
                break;
            };
            self.time_out(cx, at);
        }
        for _ in 0..BUDGET {
            let Some(at) = self.over(List::Pause, now) else {
                break;
            };
            self.wake(cx, at);
        }
        match self.phase {
            Phase::Rest => {}
            Phase::Running => {
                self.open_due(cx);
                self.request_due(cx);
                if self.overdue.is_some() {
                    self.end_if_due(now);
                }
            }
            Phase::Ending => self.sweep(cx),
        }
    }

    fn next_poll(&self) -> Option<Instant> {
        let first = |list| {
            let first = self.waiting.first(list)?;
            Some(self.flows[first].deadline)
        };
        let of_phase = match self.phase {
            Phase::Rest => None,
            Phase::Running => {
                let begin = [self.next_opening(), self.next_request()];
                let ends = (self.ends < Instant::FAR_FUTURE).then_some(self.ends);
                let ends = self.overdue.or(ends);
                let over = self.has_run_dry().then_some(Instant::ZERO);
                begin.into_iter().chain([ends, over]).flatten().min()
            }
            Phase::Ending => (self.unswept > 0).then_some(Instant::ZERO),
        };
        [first(List::Timeout), first(List::Pause), of_phase]
            .into_iter()
            .flatten()
            .min()
    }
}
