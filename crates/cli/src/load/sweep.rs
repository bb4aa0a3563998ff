//! A sweep: trials that look for the highest rate that is sustained (RFC 2544 26.1).
//!
//! A trial passes if no more of its events than allowed went wrong, were cut off or could not be begun in time, and
//! if it satisfies an expression over its figures. What it began has ended, and some time has passed, before the
//! next one begins.
//!
//! Where nothing went wrong but that events were not begun, the offered load was not the intended one (RFC 2285 3.5),
//! which may be for no more than a pause of the generator's own processor. Unless too much was missing for that, such a trial
//! is void, once: the rate has another one, and that counts.

use core::time::Duration;

use load::search::{Found, Search};
use load::{Counts, Measured, Mode};

use super::output::{Figure, Report, Traffic, figures, known, value};
use super::pass::Criteria;
use super::unit::{Unit, Written};
use crate::config::ConfigError;
use crate::config::load::Sweep;

/// What conducts trials.
pub(super) trait Bed {
    /// Offers `rate` events a second. `None`: the user does not want to go on.
    ///
    /// # Errors
    /// A worker is gone.
    fn offer(&mut self, rate: f64) -> anyhow::Result<Option<Offered>>;

    /// Is told what came of it.
    fn judged(&mut self, trial: &Trial);
}

/// What came of a rate, without the time in which it warmed up.
pub(super) struct Offered {
    /// From the beginning of the first trial to the end of this one.
    pub(super) at: Duration,
    pub(super) measured: Measured,
    pub(super) traffic: Traffic,
}

/// A trial and what is said of it.
#[derive(Clone, PartialEq, Debug)]
pub struct Trial {
    /// Its number, from 1.
    pub number: usize,
    /// Events a second that were due.
    pub rate: f64,
    /// Whether the rate had passed before.
    pub repeats: bool,
    /// Whether it passed.
    pub passed: bool,
    /// Whether it does not count, because nothing was wrong but that events were not begun: the next one is at the same
    /// rate.
    pub void: bool,
    /// The share of events that went wrong, were cut off or were not begun in time, 0 to 1.
    pub lost: f64,
    /// Why it passed or not, in words.
    pub because: String,
    /// All figures.
    pub figures: Vec<Figure>,
}

/// What a sweep found.
#[derive(Clone, PartialEq, Debug)]
pub struct Swept {
    /// The range, in events a second.
    pub from: f64,
    /// Its end.
    pub to: f64,
    /// How long each trial was measured.
    pub time: Duration,
    /// The trials, in their order.
    pub trials: Vec<Trial>,
    /// The highest rate that passed.
    pub found: Found,
    /// Whether the search came to its end.
    pub complete: bool,
}

/// The share of events that a pause may leave not begun. What misses more is overloaded.
const PAUSE: f64 = 0.1;

/// What is said of a trial.
struct Judgement {
    passed: bool,
    /// Whether it would have passed, but for a pause.
    only_paused: bool,
    /// The share of events that were lost.
    lost: f64,
    because: String,
}

/// Which trials pass.
pub(super) struct Judge {
    errors: f64,
    criteria: Option<Criteria>,
    /// Whether events are requests.
    requests: bool,
}

impl Judge {
    /// As `sweep` says; events are what `mode` paces.
    ///
    /// # Errors
    /// Its expression cannot be understood.
    pub(super) fn new(sweep: &Sweep, mode: Mode) -> Result<Judge, ConfigError> {
        let criteria = sweep.pass.as_ref().map(|text| {
            let criteria = known().and_then(|known| Criteria::parse(text, &known));
            criteria.map_err(|error| ConfigError::flag("load.sweep.pass", error))
        });
        Ok(Judge {
            errors: sweep.errors.get(),
            criteria: criteria.transpose()?,
            requests: matches!(mode, Mode::Requests { .. }),
        })
    }

    /// Whether it passes, and why.
    fn judge(&self, counts: &Counts, figures: &[Figure]) -> Judgement {
        let begun = if self.requests {
            counts.requests
        } else {
            counts.opened
        };
        let due = begun + counts.not_begun;
        let failed = counts.errors() + counts.cut_off;
        let lost = failed + counts.not_begun;
        // Without a connection there may be errors and yet nothing that was begun.
        let share = |lost: u64| match due.max(lost) {
            0 => 1.0,
            all => lost as f64 / all as f64,
        };
        let number = |value: u64| Written(Unit::Number, value as f64);
        let mut because = format!("{} of {} lost", number(lost), number(due));
        counts.for_each(&mut |name, _, value| {
            let told = ["err_", "held_", "not_begun", "cut_off"];
            if value > 0 && told.iter().any(|prefix| name.starts_with(prefix)) {
                because = format!("{because}, {name} {}", number(value));
            }
        });
        let verdict = self
            .criteria
            .as_ref()
            .map(|criteria| criteria.judge(|name| value(figures, name)));
        if let Some(verdict) = &verdict {
            because = format!("{because}; {}", verdict.because);
        }
        let satisfied = verdict.is_none_or(|verdict| verdict.passed);
        let passed = share(lost) <= self.errors && satisfied;
        Judgement {
            passed,
            only_paused: !passed
                && satisfied
                && share(failed) <= self.errors
                && share(counts.not_begun) <= PAUSE,
            lost: share(lost),
            because,
        }
    }
}

/// Looks for the highest rate on `bed`. Returns what it found, and what came of the last trial at that rate, or if
/// none passed of the last trial.
///
/// # Errors
/// The bed fails, or the range cannot be searched.
pub(super) fn run(
    bed: &mut impl Bed,
    sweep: &Sweep,
    judge: &Judge,
) -> anyhow::Result<(Swept, Option<Offered>)> {
    let confirmations = u32::try_from(sweep.confirm.get()).unwrap_or(u32::MAX);
    let (from, to) = (sweep.from.get() as f64, sweep.to.get() as f64);
    let mut search = Search::new(from, to, sweep.resolution.get(), confirmations)?;
    let (mut trials, mut last) = (Vec::new(), None);
    // Those that passed, the last of each rate. What fails when it is repeated is found no more.
    let mut passed: Vec<(f64, Offered)> = Vec::new();
    let mut complete = true;
    let mut voided = false;
    while let Some(next) = search.next() {
        let Some(offered) = bed.offer(next.rate)? else {
            complete = false;
            break;
        };
        let figures = figures(&Report {
            at: offered.at,
            measured: &offered.measured,
            traffic: &offered.traffic,
        });
        let judgement = judge.judge(&offered.measured.counts, &figures);
        // Twice in a row is no accident.
        voided = judgement.only_paused && !voided;
        let trial = Trial {
            number: trials.len() + 1,
            rate: next.rate,
            repeats: next.repeats,
            passed: judgement.passed,
            void: voided,
            lost: judgement.lost,
            because: judgement.because,
            figures,
        };
        bed.judged(&trial);
        trials.push(trial);
        if voided {
            continue;
        }
        search.judge(judgement.passed);
        passed.retain(|(rate, _)| *rate < next.rate);
        match judgement.passed {
            true => passed.push((next.rate, offered)),
            false => last = Some(offered),
        }
    }
    let found = search.found();
    let best = passed.pop().map(|(_, offered)| offered);
    let swept = Swept {
        from,
        to,
        time: sweep.time.duration(),
        trials,
        found,
        complete,
    };
    Ok((swept, best.or(last)))
}

#[cfg(test)]
mod tests;
