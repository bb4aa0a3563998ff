//! When events are due: the inverse of a rate's integral.

use core::time::Duration;

use tcp::time::Instant;

use crate::spec::{Profile, Segment};

const NS: f64 = 1e9;
/// What the integral of a rate may be off by, in events.
const ROUNDING: f64 = 1e-4;

/// The due times of a [`Profile`]'s events, one after the other, evenly and without drift: each is computed from
/// the profile, not from the one before.
#[derive(Clone, Debug)]
pub(crate) struct Schedule {
    segments: Vec<Segment>,
    start: Instant,
    /// Where in its period each event is: workers that share a rate have different ones.
    phase: f64,
    /// The segment of the next event, and its beginning in seconds after the start.
    at: usize,
    begun: f64,
    /// The next event: how much of the segment's integral comes before it.
    ahead: f64,
    /// Events begun.
    taken: u64,
    next: Option<Instant>,
}

/// The time in seconds from the beginning of `segment` at which its integral is `events`; `None` if that is
/// not within it.
fn time_of(segment: &Segment, events: f64) -> Option<f64> {
    let length = segment.duration.as_secs_f64();
    let slope = (segment.to - segment.from) / length;
    // The solution of from * t + slope / 2 * t^2 = events that does not cancel.
    let root = (segment.from * segment.from + 2.0 * slope * events).sqrt();
    let time = if events > 0.0 {
        2.0 * events / (segment.from + root)
    } else {
        0.0
    };
    (time < length && segment.from.max(segment.to) > 0.0).then_some(time)
}

/// The integral of `segment` after `seconds`.
fn events_by(segment: &Segment, seconds: f64) -> f64 {
    let length = segment.duration.as_secs_f64();
    let t = seconds.clamp(0.0, length);
    let slope = (segment.to - segment.from) / length;
    (segment.from + slope / 2.0 * t) * t
}

impl Schedule {
    /// The events of `profile` from `start` on, each `phase` of a period late, 0 to 1.
    pub(crate) fn new(profile: &Profile, start: Instant, phase: f64) -> Schedule {
        let mut segments: Vec<Segment> = profile.segments.clone();
        segments.retain(|s| !s.duration.is_zero());
        if let Some(last) = profile.segments.last() {
            segments.push(Segment {
                duration: Duration::MAX,
                from: last.to,
                to: last.to,
            });
        }
        let mut schedule = Schedule {
            segments,
            start,
            phase,
            at: 0,
            begun: 0.0,
            ahead: phase,
            taken: 0,
            next: None,
        };
        schedule.find();
        schedule
    }

    /// When the next event is due; `None` if there is none any more.
    #[inline]
    pub(crate) fn next(&self) -> Option<Instant> {
        self.next
    }

    /// The next event has begun.
    #[inline]
    pub(crate) fn take(&mut self) {
        self.taken += 1;
        self.ahead += 1.0;
        self.find();
    }

    fn find(&mut self) {
        while let Some(segment) = self.segments.get(self.at) {
            if let Some(time) = time_of(segment, self.ahead) {
                let ns = (self.begun + time) * NS;
                self.next = Some(self.start + Duration::from_nanos(ns as u64));
                return;
            }
            let length = segment.duration.as_secs_f64();
            // So that the rest of a period at its end is not lost.
            self.ahead -= events_by(segment, length);
            self.begun += length;
            self.at += 1;
        }
        self.next = None;
    }

    /// How many events were due before `now` and have not begun.
    pub(crate) fn behind(&self, now: Instant) -> u64 {
        if self.next.is_none_or(|next| next >= now) {
            return 0;
        }
        let seconds = now.since(self.start).as_secs_f64();
        let (mut begun, mut events) = (0.0, 0.0);
        for segment in &self.segments {
            events += events_by(segment, seconds - begun);
            begun += segment.duration.as_secs_f64();
            if begun > seconds {
                break;
            }
        }
        // One that is due now is not due before.
        let due = (events - self.phase - ROUNDING).ceil();
        (due.max(0.0) as u64).saturating_sub(self.taken).max(1)
    }
}

/// Sees to it that what is made up for after a pause does not come as one burst: it is spread over windows of a
/// millisecond, or of a turn of the loop where each takes longer, as on a processor that others use too.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Governor {
    /// Events in a millisecond at most.
    most: u32,
    window: Instant,
    left: u32,
}

const WINDOW: Duration = Duration::from_millis(1);

impl Governor {
    /// Twice the greatest rate of `profile`, from `start` on.
    pub(crate) fn new(profile: &Profile, start: Instant) -> Governor {
        // At most 2 million.
        let most = (profile.peak() / 500.0).ceil() as u32 + 1;
        Governor {
            most,
            window: start,
            left: most,
        }
    }

    /// Whether one more event may begin now, where a turn takes `turn`.
    #[inline]
    pub(crate) fn allows(&mut self, now: Instant, turn: Duration) -> bool {
        if now.since(self.window) >= WINDOW {
            let windows = turn.as_millis().max(1);
            self.left = u32::try_from(u128::from(self.most) * windows).unwrap_or(u32::MAX);
            self.window = now;
        }
        self.left > 0
    }

    /// An event has begun.
    #[inline]
    pub(crate) fn take(&mut self) {
        self.left = self.left.saturating_sub(1);
    }

    /// When an event may begin.
    pub(crate) fn next(&self) -> Instant {
        match self.left {
            0 => self.window + WINDOW,
            _ => Instant::ZERO,
        }
    }
}

/// How long the turns of the loop take. One that was long alone is a pause.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Turns {
    last: Option<Instant>,
    before: Duration,
    length: Duration,
}

impl Turns {
    /// A turn begins.
    #[inline]
    pub(crate) fn begin(&mut self, now: Instant) {
        let took = self.last.map_or(Duration::ZERO, |last| now.since(last));
        self.length = took.min(self.before);
        self.before = took;
        self.last = Some(now);
    }

    /// The shorter one of the last two.
    #[inline]
    pub(crate) fn length(&self) -> Duration {
        self.length
    }
}

#[cfg(test)]
mod tests;
