//! What came of it, for people and for programs: a line a second, a summary, JSON, CSV, and logs of histograms.
//!
//! Everything that cannot be written (a full disk, a reader that has gone) is told at once and makes the exit
//! status a failure, but ends neither the run nor the other outputs.

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use clap::Args;

use self::csv::Csv;
use self::hdr::HdrLog;
use self::sink::Sink;
use super::pass::Criteria;
use super::problems::Problem;
use super::sweep::{Swept, Trial};
use crate::config::ConfigError;

pub use self::figures::{Figure, Report, figures};
pub(super) use self::figures::{known, value};
pub use self::outcome::{Outcome, Title};
pub use self::traffic::Traffic;

mod csv;
mod figures;
mod hdr;
mod json;
mod live;
mod outcome;
mod sink;
mod summary;
mod traffic;

/// What is written, and where to.
#[derive(Args, Clone, Debug, Default)]
pub struct OutputArgs {
    /// Print one JSON object at the end, and nothing else, on standard output
    #[arg(long)]
    pub json: bool,
    /// Print one JSON object a second on standard output, and one of the whole run at the end
    #[arg(long, conflicts_with = "json")]
    pub json_lines: bool,
    /// Write a row a second to FILE, with a column for each figure
    #[arg(long, value_name = "FILE")]
    pub csv: Option<PathBuf>,
    /// Write the latencies of each second to FILE, as an HdrHistogram log
    #[arg(long, value_name = "FILE")]
    pub hdr: Option<PathBuf>,
    /// No line a second
    #[arg(short, long)]
    pub quiet: bool,
    /// What has to be reached, such as "errors==0 && p99<500us && cps>1M"; if it is not, the exit status is 3
    #[arg(long, value_name = "EXPRESSION")]
    pub pass: Option<String>,
}

/// The run ended as it should, but did not reach what `--pass` asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the run did not pass")]
pub struct NotPassed;

/// Open outputs of a run.
pub struct Outputs {
    title: Title,
    criteria: Option<Criteria>,
    /// What is printed: lines for people or for programs.
    standard: Sink,
    json: bool,
    json_lines: bool,
    live: Option<Live>,
    csv: Option<Csv>,
    hdr: Option<HdrLog>,
    /// When the last interval ended.
    last: Duration,
}

/// Where the line a second goes.
enum Live {
    Standard,
    /// Standard output belongs to programs.
    Terminal(Sink),
}

impl Outputs {
    /// Opens what `args` asks for.
    ///
    /// # Errors
    /// `--pass` cannot be understood, or a file cannot be made.
    pub fn open(args: &OutputArgs, title: Title) -> Result<Outputs, ConfigError> {
        let criteria = args.pass.as_ref().map(|text| {
            let criteria = known().and_then(|known| Criteria::parse(text, &known));
            criteria.map_err(|error| ConfigError::flag("--pass", error))
        });
        let file = |flag: &str, path: &Option<PathBuf>| {
            path.as_ref().map(|path| Sink::file(flag, path)).transpose()
        };
        let for_programs = args.json || args.json_lines;
        let live = match (args.quiet, for_programs) {
            (false, false) => Some(Live::Standard),
            (false, true) if io::stderr().is_terminal() => Some(Live::Terminal(Sink::new(
                "standard error",
                Box::new(io::stderr()),
            ))),
            _ => None,
        };
        Ok(Outputs {
            criteria: criteria.transpose()?,
            standard: Sink::new("standard output", Box::new(io::stdout())),
            json: args.json,
            json_lines: args.json_lines,
            live,
            csv: file("--csv", &args.csv)?.map(Csv::begin),
            hdr: file("--hdr", &args.hdr)?.map(HdrLog::new),
            title,
            last: Duration::ZERO,
        })
    }

    /// The run begins at `start`: what the times of reports count from.
    pub fn begin(&mut self, start: SystemTime) {
        if let Some(hdr) = &mut self.hdr {
            hdr.begin(&self.title, start);
        }
    }

    /// An interval has passed; `total` is the run up to its end.
    pub fn interval(&mut self, interval: &Report<'_>, total: &Report<'_>) {
        let took = interval.at.saturating_sub(self.last);
        let line = |to: &mut dyn Write| live::write(to, interval, total, took);
        match &mut self.live {
            Some(Live::Standard) => self.standard.write(line),
            Some(Live::Terminal(sink)) => sink.write(line),
            None => {}
        }
        self.record(interval);
    }

    /// What is left behind the last whole interval, so that what programs read adds up to the run. Nothing, if nothing
    /// happened.
    pub fn rest(&mut self, rest: &Report<'_>) {
        let measured = rest.measured;
        if measured.counts != load::Counts::default() || !measured.latencies.is_empty() {
            self.record(rest);
        }
    }

    fn record(&mut self, interval: &Report<'_>) {
        if self.json_lines {
            self.standard
                .write(|to| json::line(to, &json::Interval(interval)));
        }
        if let Some(csv) = &mut self.csv {
            csv.row(interval);
        }
        if let Some(hdr) = &mut self.hdr {
            hdr.interval(interval, self.last);
        }
        self.last = interval.at;
    }

    /// A trial of a sweep was judged.
    pub fn trial(&mut self, trial: &Trial) {
        match &mut self.live {
            Some(Live::Standard) => self.standard.write(|to| writeln!(to, "{trial}")),
            Some(Live::Terminal(sink)) => sink.write(|to| writeln!(to, "{trial}")),
            None => {}
        }
        if self.json_lines {
            self.standard.write(|to| json::line(to, trial));
        }
    }

    /// The run is over: prints its result, and that of the sweep if it was one. `problems` are what keeps the figures
    /// from meaning what they say: with one that `--pass` does not name, the run does not pass.
    ///
    /// # Errors
    /// [`NotPassed`], or something could not be written.
    pub fn finish(
        mut self,
        total: &Report<'_>,
        sweep: Option<&Swept>,
        problems: &[Problem],
    ) -> anyhow::Result<()> {
        let verdict = self.criteria.as_ref().map(|criteria| {
            let figures = figures(total);
            let verdict = criteria.judge(|name| value(&figures, name));
            // Whoever names what shows a problem has judged it; any other makes the figures worthless.
            let judged = |problem: &&Problem| problem.is_judged(|figure| criteria.names(figure));
            match problems.iter().find(|problem| !judged(problem)) {
                Some(problem) => verdict.void(problem.text()),
                None => verdict,
            }
        });
        let outcome = Outcome {
            title: &self.title,
            total,
            verdict: verdict.as_ref(),
            sweep,
            problems,
        };
        if self.json || self.json_lines {
            self.standard.write(|to| json::line(to, &outcome));
        } else {
            self.standard
                .write(|to| write!(to, "{}", summary::Summary(&outcome)));
        }
        let files = [self.csv.map(Csv::end), self.hdr.map(HdrLog::end)];
        let ends = files.into_iter().flatten().chain([self.standard.end()]);
        let failures: Vec<String> = ends.flatten().collect();
        if !failures.is_empty() {
            anyhow::bail!("not everything was written: {}", failures.join("; "));
        }
        let passed = verdict.is_none_or(|verdict| verdict.passed);
        match passed && sweep.is_none_or(|swept| swept.found.rate.is_some()) {
            true => Ok(()),
            false => Err(NotPassed.into()),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
