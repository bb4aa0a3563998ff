//! A run, and what came of it.

use core::fmt;
use core::time::Duration;

use super::Report;
use crate::load::pass::Verdict;

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
    /// What keeps the figures from meaning what they say.
    pub problems: &'a [String],
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
