//! The bench's client: opens connections at a pace, checks every byte, and says what happened.

use core::time::Duration;

use hdrhistogram::Histogram;
use stack::{Application, Context, DestinationId, Handle};
use tcp::CloseReason;
use tcp::time::Instant;

use super::pattern::Pattern;
use super::plan::{Counts, Exchange, Pace, Plan, Report};
use super::server::send_pattern;

/// How long to wait after a launch was not possible.
const PUT_OFF: Duration = Duration::from_micros(250);
/// The most launches in one turn of the loop, so that a burst never starves what is alive.
const LAUNCHES_A_TURN: u32 = 32;
/// The longest connect latency told apart, in nanoseconds: 100 s.
const MAX_LATENCY: u64 = 100_000_000_000;

/// One connection.
#[derive(Clone, Copy, Default)]
struct Opened {
    /// When it should have been launched.
    intended: Instant,
    sent: u64,
    received: u64,
    /// It had a wrong byte and was counted.
    failed: bool,
}

/// The client of one worker.
pub struct Client {
    exchange: Exchange,
    destinations: Vec<DestinationId>,
    /// Whose turn it is.
    turn: usize,
    pattern: Pattern,
    connections: Vec<Opened>,
    plan: Plan,
    counts: Counts,
    /// Launches of this plan.
    launched: u64,
    /// When this plan began, and the counters then.
    began: Instant,
    base: Counts,
    latency: Histogram<u64>,
    /// No launch before this: the stack has said that none is possible.
    held_up_until: Instant,
}

impl Client {
    /// A client at rest for a stack of `max_connections`, that opens connections to
    /// `destinations` in turn.
    ///
    /// # Errors
    /// The histogram cannot be made.
    pub fn new(
        exchange: Exchange,
        destinations: Vec<DestinationId>,
        max_connections: usize,
    ) -> Result<Client, hdrhistogram::CreationError> {
        Ok(Client {
            exchange,
            destinations,
            turn: 0,
            pattern: Pattern::new(),
            connections: vec![Opened::default(); max_connections],
            plan: Plan::REST,
            counts: Counts::default(),
            launched: 0,
            began: Instant::ZERO,
            base: Counts::default(),
            latency: Histogram::new_with_bounds(1, MAX_LATENCY, 3)?,
            held_up_until: Instant::ZERO,
        })
    }

    /// Follows `plan` from `now` on. Returns what came of the plan before it.
    pub fn follow(&mut self, now: Instant, plan: Plan) -> Report {
        let report = Report {
            elapsed: now.since(self.began),
            counts: self.counts.since(&self.base),
            latency: self.latency.clone(),
        };
        self.latency.reset();
        self.plan = plan;
        self.launched = 0;
        self.began = now;
        self.base = self.counts;
        self.held_up_until = Instant::ZERO;
        report
    }

    /// What has happened so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// When the next launch should be; `None` if there is to be none.
    fn next_launch(&self, now: Instant) -> Option<Instant> {
        if self.plan.limit.is_some_and(|limit| self.launched >= limit) {
            return None;
        }
        let live = self.counts.live();
        match self.plan.pace {
            Pace::Rest => None,
            Pace::Closed { concurrency } => (live < u64::from(concurrency)).then_some(now),
            Pace::Open { rate, concurrency } => (live < u64::from(concurrency)).then(|| {
                let offset = u128::from(self.launched) * 1_000_000_000 / u128::from(rate.max(1));
                self.began + Duration::from_nanos(u64::try_from(offset).unwrap_or(u64::MAX))
            }),
        }
    }

    fn launch(&mut self, cx: &mut Context<'_>) {
        let now = cx.now();
        if now < self.held_up_until {
            return;
        }
        for _ in 0..LAUNCHES_A_TURN {
            let Some(intended) = self.next_launch(now).filter(|at| *at <= now) else {
                return;
            };
            let Some(&destination) = self.destinations.get(self.turn) else {
                return;
            };
            match cx.connect(destination) {
                Ok(conn) => {
                    self.turn = (self.turn + 1) % self.destinations.len();
                    self.launched += 1;
                    self.counts.launched += 1;
                    self.connections[conn.index()] = Opened {
                        intended,
                        ..Opened::default()
                    };
                }
                // The launch stays due: nothing is silently lost.
                Err(_) => {
                    self.counts.put_off += 1;
                    self.held_up_until = now + PUT_OFF;
                    return;
                }
            }
        }
    }

    /// Closes if the whole response is there and it is the client's turn.
    fn after_bytes(&self, cx: &mut Context<'_>, conn: Handle) {
        let opened = &self.connections[conn.index()];
        if !self.exchange.server_closes && opened.received == self.exchange.response_bytes {
            cx.close(conn);
        }
    }
}

impl Application for Client {
    fn on_open(&mut self, cx: &mut Context<'_>, conn: Handle) {
        let opened = &mut self.connections[conn.index()];
        if self.plan.latency {
            let waited = cx.now().since(opened.intended).as_nanos();
            self.latency
                .saturating_record(u64::try_from(waited).unwrap_or(u64::MAX));
        }
        let end = self.exchange.request_bytes;
        if send_pattern(cx, conn, &self.pattern, &mut opened.sent, end)
            && self.exchange.response_bytes == 0
        {
            self.after_bytes(cx, conn);
        }
    }

    fn on_data(&mut self, cx: &mut Context<'_>, conn: Handle, data: &[u8]) -> usize {
        let opened = &mut self.connections[conn.index()];
        let right = self.pattern.matches(opened.received, data);
        opened.received += data.len() as u64;
        if !right || opened.received > self.exchange.response_bytes {
            if !opened.failed {
                opened.failed = true;
                self.counts.wrong_bytes += 1;
            }
            cx.abort(conn);
        } else {
            self.after_bytes(cx, conn);
        }
        data.len()
    }

    fn on_writable(&mut self, cx: &mut Context<'_>, conn: Handle) {
        let opened = &mut self.connections[conn.index()];
        let end = self.exchange.request_bytes;
        if send_pattern(cx, conn, &self.pattern, &mut opened.sent, end)
            && self.exchange.response_bytes == 0
        {
            self.after_bytes(cx, conn);
        }
    }

    fn on_peer_closed(&mut self, cx: &mut Context<'_>, conn: Handle) {
        cx.close(conn);
    }

    fn on_closed(&mut self, _cx: &mut Context<'_>, conn: Handle, reason: CloseReason) {
        self.counts.ended += 1;
        let opened = &self.connections[conn.index()];
        if opened.failed {
            return;
        }
        match reason {
            CloseReason::Normal if opened.received == self.exchange.response_bytes => {
                self.counts.completed += 1;
            }
            CloseReason::Normal | CloseReason::DataLost => self.counts.wrong_bytes += 1,
            CloseReason::Reset => self.counts.resets += 1,
            CloseReason::Refused => self.counts.refusals += 1,
            // The host gave up (unanswered SYN, data, FIN or ARP), or was told to stop.
            _ => self.counts.timeouts += 1,
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) {
        self.launch(cx);
    }

    fn next_poll(&self) -> Option<Instant> {
        // In a closed loop the next launch is due at once, which any time in the past says.
        let launch = self.next_launch(self.began)?;
        Some(launch.max(self.held_up_until))
    }
}

#[cfg(test)]
mod tests;
