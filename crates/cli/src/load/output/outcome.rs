//! A run, and what came of it.

use core::fmt;
use core::time::Duration;

use super::Report;
use crate::load::pass::Verdict;
use crate::load::problems::Problem;
use crate::load::sweep::{Swept, Trial};
use crate::load::unit::{Unit, Written};

/// What was run.
#[derive(Clone, PartialEq, Debug)]
pub struct Title {
    /// Where to: URLs.
    pub targets: Vec<String>,
    /// What counts, and how it is paced, such as "connections, closed loop".
    pub mode: String,
    /// Workers.
    pub workers: usize,
    /// The most connections alive at a time.
    pub connections: u64,
    /// How long; `None` if it ends with a number of connections.
    pub duration: Option<Duration>,
}

/// The result of a run.
#[derive(Clone, Copy)]
pub struct Outcome<'a> {
    /// What was run.
    pub title: &'a Title,
    /// What was measured.
    pub total: &'a Report<'a>,
    /// What `--pass` says of it.
    pub verdict: Option<&'a Verdict>,
    /// What was found, if the run was a sweep; what was measured is then what it found.
    pub sweep: Option<&'a Swept>,
    /// What keeps the figures from meaning what they say.
    pub problems: &'a [Problem],
}

impl fmt::Display for Title {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Running ")?;
        match self.duration {
            Some(time) => write!(f, "{} test @ ", humantime::format_duration(time))?,
            None => f.write_str("test @ ")?,
        }
        writeln!(f, "{}", self.targets.join(" "))?;
        let workers = if self.workers == 1 {
            "worker"
        } else {
            "workers"
        };
        writeln!(
            f,
            "  {} {workers} and {} connections: {}",
            self.workers, self.connections, self.mode
        )
    }
}

/// A rate a second, for people.
fn rate(value: f64) -> Written {
    Written(Unit::Number, value.round())
}

impl fmt::Display for Trial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "trial {}: {} a second", self.number, rate(self.rate))?;
        let again = if self.repeats { " again" } else { "" };
        let verdict = match (self.passed, self.void) {
            (true, _) => "passed",
            (false, false) => "failed",
            (false, true) => "void",
        };
        write!(f, " {verdict}{again}: {}", self.because)
    }
}

impl fmt::Display for Swept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found = &self.found;
        writeln!(
            f,
            "  Sweep from {} to {} a second, {} trials of {}{}",
            rate(self.from),
            rate(self.to),
            self.trials.len(),
            humantime::format_duration(self.time),
            if self.complete { "" } else { ", broken off" },
        )?;
        match found.rate {
            Some(found_rate) => {
                write!(f, "  Highest rate: {:>15}", rate(found_rate))?;
                match found.confirmed {
                    0 => f.write_str(", in one trial")?,
                    1 => f.write_str(", confirmed by another trial")?,
                    n => write!(f, ", confirmed by {n} more trials")?,
                }
            }
            None => write!(f, "  No rate passed")?,
        }
        match found.failed {
            Some(failed) => writeln!(f, "; {} failed", rate(failed)),
            None if found.rate.is_some() => writeln!(f, "; there may be room above"),
            None => writeln!(f),
        }
    }
}
