//! Connections are opened, and requests begun, when they are due and as far as the bounds allow.

use core::time::Duration;

use stack::{ConnectError, Context};
use tcp::time::Instant;

use crate::flow::{Flow, Stage};
use crate::load::{BUDGET, Load, Phase};
use crate::schedule::Schedule;
use crate::spec::Mode;
use crate::waiting::List;

/// How long to wait when the stack has said that nothing can be opened.
const PUT_OFF: Duration = Duration::from_micros(250);

/// The most turns of [`SHORT`] whose events are begun in one that takes longer.
const MOST: u128 = 32;
/// How long a turn may take in which no more than [`BUDGET`] events begin.
const SHORT: Duration = Duration::from_micros(100);

/// Why an opening is put off.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Held {
    Connections,
    Opening,
    NoTuple,
    TableFull,
    NoNeighbor,
}

impl Load {
    /// Whether the events of an open loop are requests on kept connections.
    pub(crate) fn paces_requests(&self) -> bool {
        self.schedule.is_some() && matches!(self.spec.mode, Mode::Requests { .. })
    }

    /// How many events of the schedule may begin in this turn: more in one that takes long, or the rate is not kept.
    fn budget(&self) -> u32 {
        let turns = self.turns.length().as_nanos() / SHORT.as_nanos();
        // At most MOST.
        BUDGET * turns.clamp(1, MOST) as u32
    }

    /// When the next opening is due, if there is to be one: in a closed loop at once, from the beginning of the run on.
    #[inline]
    fn opening_due(&self) -> Option<Instant> {
        if self.phase != Phase::Running || self.openings_left == 0 {
            return None;
        }
        match &self.schedule {
            Some(schedule) if !self.paces_requests() => schedule.next(),
            _ => (self.alive() < self.spec.caps.connections).then_some(self.begins),
        }
    }

    /// Whether what is due at `due` is to be begun: not what is due when the run is over.
    #[inline]
    fn is_due(&self, due: Instant, now: Instant) -> bool {
        due <= now && due < self.ends
    }

    /// The bound that is reached, if one is.
    #[inline]
    fn bound(&self) -> Option<Held> {
        if self.alive() >= self.spec.caps.connections {
            return Some(Held::Connections);
        }
        (self.at(Stage::Opening) >= self.spec.caps.opening).then_some(Held::Opening)
    }

    /// Connections do not end: a rate of openings is the ramp to as many as may be there.
    fn keeps_connections(&self) -> bool {
        matches!(
            self.spec.mode,
            Mode::Held { .. }
                | Mode::Bulk {
                    per_connection: None,
                    ..
                }
        )
    }

    /// When an opening can be made, for all that is known now.
    pub(crate) fn next_opening(&self) -> Option<Instant> {
        let due = self.opening_due()?;
        match self.bound() {
            Some(Held::Connections) if self.keeps_connections() => {
                return Some(due);
            }
            // Some connection's end or opening comes first.
            Some(_) => return self.held.is_none().then_some(due),
            None => {}
        }
        let paced = match &self.governor {
            Some(governor) if !self.paces_requests() => governor.next(),
            _ => Instant::ZERO,
        };
        Some(due.max(self.held_until).max(paced))
    }

    /// Opens what is due.
    pub(crate) fn open_due(&mut self, cx: &mut Context<'_>) {
        let now = cx.now();
        let of_schedule = self.schedule.is_some() && !self.paces_requests();
        let budget = if of_schedule { self.budget() } else { BUDGET };
        for _ in 0..budget {
            if now < self.held_until {
                return;
            }
            let Some(due) = self.opening_due().filter(|due| self.is_due(*due, now)) else {
                return;
            };
            match self.bound() {
                // The ramp has reached its end; what is due later is for those that will be lost.
                Some(Held::Connections) if self.keeps_connections() => {
                    self.schedule.as_mut().map(Schedule::take);
                    continue;
                }
                Some(bound) => return self.hold(bound),
                None => {}
            }
            if let Some(governor) = self.governor.as_mut().filter(|_| of_schedule)
                && !governor.allows(now, self.turns.length())
            {
                return;
            }
            // In a closed loop it is due when it can be made.
            let due = if of_schedule { due } else { now };
            if !self.open(cx, due) {
                self.held_until = now + PUT_OFF;
                return;
            }
            if of_schedule {
                if let Some(schedule) = &mut self.schedule {
                    schedule.take();
                }
                if let Some(governor) = &mut self.governor {
                    governor.take();
                }
            }
        }
    }

    /// Opens one connection; whether that was possible. Where the destination whose turn it is has no local socket left,
    /// another one stands in.
    fn open(&mut self, cx: &mut Context<'_>, due: Instant) -> bool {
        let mut target = self.deal.next();
        let (first, mut tried) = (target.destination, 0);
        loop {
            let why = match cx.connect(target.destination) {
                Ok(conn) => {
                    let at = conn.index();
                    self.openings_left -= 1;
                    self.held = None;
                    self.counts.opened += 1;
                    self.enter(at, Stage::Opening);
                    self.flows[at] = Flow {
                        handle: Some(conn),
                        stage: Stage::Opening,
                        exchange: target.exchange,
                        due,
                        late: cx.now().since(due),
                        ..Flow::default()
                    };
                    self.limit_time(at, cx.now());
                    return true;
                }
                Err(why) => why,
            };
            match why {
                ConnectError::NoTupleFree { .. } => match self.deal.stand_in(first, &mut tried) {
                    Some(other) => target = other,
                    None => {
                        self.hold(Held::NoTuple);
                        return false;
                    }
                },
                ConnectError::TableFull => {
                    self.hold(Held::TableFull);
                    return false;
                }
                ConnectError::NoNeighbor => {
                    self.hold(Held::NoNeighbor);
                    return false;
                }
                // The program is to end, or was given a destination that its host has not.
                _ => {
                    self.openings_left = 0;
                    return false;
                }
            }
        }
    }

    /// An opening is put off; each counts once for each reason in a row.
    fn hold(&mut self, why: Held) {
        if self.held == Some(why) {
            return;
        }
        self.held = Some(why);
        let counts = &mut self.counts;
        *match why {
            // That as many are alive as there are to be is what a closed loop is about.
            Held::Connections => &mut counts.held_connections,
            Held::Opening => &mut counts.held_opening,
            Held::NoTuple => &mut counts.held_no_tuple,
            Held::TableFull => &mut counts.held_table_full,
            Held::NoNeighbor => &mut counts.held_no_neighbor,
        } += 1;
    }

    /// The time-out, if there is one, begins.
    #[inline]
    pub(crate) fn limit_time(&mut self, at: usize, now: Instant) {
        match self.spec.timeout {
            Some(timeout) => self.wait(List::Timeout, at, now + timeout),
            None => self.waiting.remove(at),
        }
    }

    /// When a request can begin, for all that is known now.
    pub(crate) fn next_request(&self) -> Option<Instant> {
        if !self.paces_requests() {
            return None;
        }
        let due = self.schedule.as_ref()?.next()?;
        if self.waiting.first(List::Idle).is_none() {
            return (!self.no_connection).then_some(due);
        }
        Some(due.max(self.governor.as_ref()?.next()))
    }

    /// Begins the requests that are due, on the connections that have been idle longest.
    pub(crate) fn request_due(&mut self, cx: &mut Context<'_>) {
        if !self.paces_requests() {
            return;
        }
        let now = cx.now();
        for _ in 0..self.budget() {
            let due = self.schedule.as_ref().and_then(Schedule::next);
            let Some(due) = due.filter(|due| self.is_due(*due, now)) else {
                return;
            };
            let Some(at) = self.waiting.first(List::Idle) else {
                self.counts.held_no_connection += u64::from(!self.no_connection);
                self.no_connection = true;
                return;
            };
            let (Some(schedule), Some(governor)) = (&mut self.schedule, &mut self.governor) else {
                return;
            };
            if !governor.allows(now, self.turns.length()) {
                return;
            }
            schedule.take();
            governor.take();
            self.no_connection = false;
            self.request(cx, at, due);
        }
    }
}
