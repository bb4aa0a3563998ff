//! The bench's course: every tuple once, the measured window, the end of what was begun in it,
//! and a second window for latency.

use core::fmt;
use core::time::Duration;

use anyhow::bail;
use load::{Counts, Measured as Report};

use super::args::BenchArgs;
use super::ends::{closed_loop, open_loop};
use super::testbed::{Sample, Testbed};

/// The bench gives up when nothing has moved for so long.
const STUCK: Duration = Duration::from_secs(20);
/// How often the phases look at what happens.
const LOOK: Duration = Duration::from_millis(50);
/// The longest window for latency.
const LATENCY_WINDOW: Duration = Duration::from_secs(5);

/// Where the bench is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phase {
    /// Each tuple is used for the first time.
    Fill,
    /// The measured window.
    Measure,
    /// Connections begun in a window come to their end.
    Drain,
    /// An open loop at half the measured rate.
    Latency,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Phase::Fill => "fill",
            Phase::Measure => "measure",
            Phase::Drain => "drain",
            Phase::Latency => "latency",
        })
    }
}

/// What is shown while the bench runs.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Progress {
    /// Where it is.
    pub phase: Phase,
    /// Since the phase began.
    pub elapsed: Duration,
    /// What the client did in it.
    pub counts: Counts,
    /// Connections completed in the last second.
    pub rate: f64,
    /// TIME-WAIT entries of the end that closes first.
    pub time_wait: u64,
}

/// What was measured.
#[derive(Clone, Debug)]
pub struct Measured {
    /// The measured window, by the client's clock.
    pub window: Report,
    /// What the client did from the window's beginning to the end of the last connection that
    /// began in it.
    pub counts: Counts,
    /// What the client did when each tuple was used for the first time.
    pub fill: Counts,
    /// Counters before the window, when no connection was alive.
    pub before: Sample,
    /// Counters at two moments within the window, soon after its beginning and shortly before its end.
    pub within: [Sample; 2],
    /// Counters when its last connection had ended.
    pub after: Sample,
    /// The most TIME-WAIT entries seen on the end that closes first.
    pub time_wait_peak: u64,
    /// The longest turn of either worker's loop, from the first connection to the end of the run for latency.
    pub longest_turn: Duration,
    /// The run for latency, to the end of its last connection; `None` if too little was completed
    /// before.
    pub latency: Option<Report>,
}

/// A run in progress.
struct Run<'a, T> {
    bed: &'a mut T,
    show: &'a mut dyn FnMut(&Progress),
    server_closes: bool,
    time_wait_peak: u64,
    longest_turn: Duration,
}

/// Runs the whole course on `bed`; `show` is told once a second what happens, and whenever a phase begins.
///
/// # Errors
/// The bed fails, or nothing moves any more.
pub fn run<T: Testbed>(
    bed: &mut T,
    args: &BenchArgs,
    show: &mut dyn FnMut(&Progress),
) -> anyhow::Result<Measured> {
    let mut run = Run {
        bed,
        show,
        server_closes: args.exchange().server_closes,
        time_wait_peak: 0,
        longest_turn: Duration::ZERO,
    };
    let duration = args.duration.duration();

    let tuples = args.tuples.get();
    let begun = run.bed.counts()?;
    run.bed.begin(closed_loop(Some(tuples)))?;
    run.until(Phase::Fill, &begun, |counts| counts.opened == tuples)?;
    run.bed.end()?;
    run.drain()?;
    let fill = run.bed.counts()?.since(&begun);

    let before = run.bed.sample()?;
    let begun = run.bed.counts()?;
    run.bed.begin(closed_loop(None))?;
    let early = run.bed.sample()?;
    run.stay(Phase::Measure, &begun, duration)?;
    let late = run.bed.sample()?;
    let window = *run.bed.end()?;
    run.drain()?;
    let after = run.bed.sample()?;
    let counts = run.bed.counts()?.since(&begun);

    let latency = run.latency(&window, duration)?;
    Ok(Measured {
        window,
        counts,
        fill,
        before,
        within: [early, late],
        after,
        time_wait_peak: run.time_wait_peak,
        longest_turn: run.longest_turn,
        latency,
    })
}

impl<T: Testbed> Run<'_, T> {
    /// An open loop at half the rate of `window`: so many launches as fit into the time, however
    /// late, and all of their latencies. A window that ended on time would leave out those that it
    /// had to wait for, which are the worst.
    fn latency(&mut self, window: &Report, duration: Duration) -> anyhow::Result<Option<Report>> {
        let rate = (rate(window.counts.completed, window.elapsed) / 2.0) as u64;
        if rate == 0 {
            return Ok(None);
        }
        let time = duration.min(LATENCY_WINDOW).as_secs_f64();
        let launches = ((rate as f64 * time) as u64).max(1);
        let begun = self.bed.counts()?;
        self.bed.begin(open_loop(rate, launches))?;
        self.until(Phase::Latency, &begun, |counts| {
            counts.opened == launches && counts.closed == launches
        })?;
        self.bed.end().map(|report| Some(*report))
    }

    /// Waits until nothing is alive.
    fn drain(&mut self) -> anyhow::Result<()> {
        let begun = self.bed.counts()?;
        self.until(Phase::Drain, &begun, |counts| counts.closed >= live(&begun))
    }

    /// Waits until what the client has done since `begun` is enough.
    fn until(
        &mut self,
        phase: Phase,
        begun: &Counts,
        enough: impl Fn(&Counts) -> bool,
    ) -> anyhow::Result<()> {
        let mut moved = Duration::ZERO;
        let mut last = Counts::default();
        self.watch(phase, begun, |counts, elapsed| {
            if counts.closed != last.closed || counts.opened != last.opened {
                (last, moved) = (*counts, elapsed);
            }
            if elapsed - moved > STUCK {
                bail!(
                    "nothing has moved for {} s in phase {phase}: {} connections are alive, \
                     {} launches were put off, {} errors so far",
                    STUCK.as_secs(),
                    live(counts),
                    put_off(counts),
                    counts.errors(),
                );
            }
            Ok(enough(counts))
        })
    }

    /// Stays in a phase for `time`.
    fn stay(&mut self, phase: Phase, begun: &Counts, time: Duration) -> anyhow::Result<()> {
        self.watch(phase, begun, |_, elapsed| Ok(elapsed >= time))
    }

    /// Looks at what happens until `done` says so, and shows it at once and every second.
    fn watch(
        &mut self,
        phase: Phase,
        begun: &Counts,
        mut done: impl FnMut(&Counts, Duration) -> anyhow::Result<bool>,
    ) -> anyhow::Result<()> {
        let (mut elapsed, mut shown, mut completed) = (Duration::ZERO, Duration::ZERO, 0);
        loop {
            let counts = self.bed.counts()?.since(begun);
            if elapsed.is_zero() || elapsed - shown >= Duration::from_secs(1) {
                let progress = Progress {
                    phase,
                    elapsed,
                    counts,
                    rate: rate(counts.completed - completed, elapsed - shown),
                    time_wait: self.note_peak()?,
                };
                (shown, completed) = (elapsed, counts.completed);
                (self.show)(&progress);
            }
            if done(&counts, elapsed)? {
                return self.note_peak().map(|_| ());
            }
            elapsed += self.bed.wait(LOOK)?;
        }
    }

    fn note_peak(&mut self) -> anyhow::Result<u64> {
        let sample = self.bed.sample()?;
        self.longest_turn = self.longest_turn.max(sample.longest_turn);
        let now = sample.closer(self.server_closes).time_wait;
        self.time_wait_peak = self.time_wait_peak.max(now);
        Ok(now)
    }
}

/// Connections opened and not over; 0 if more ended than were opened meanwhile.
#[must_use]
pub const fn live(counts: &Counts) -> u64 {
    counts.opened.saturating_sub(counts.closed)
}

/// Openings put off for want of a four-tuple, or because a table was full.
#[must_use]
pub const fn put_off(counts: &Counts) -> u64 {
    counts.held_no_tuple + counts.held_table_full + counts.held_no_neighbor
}

/// So many in that time, a second.
#[must_use]
pub fn rate(count: u64, time: Duration) -> f64 {
    let seconds = time.as_secs_f64();
    if seconds > 0.0 {
        count as f64 / seconds
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests;
