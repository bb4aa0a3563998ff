//! `tidewheel bench`: a server and a client over a link in memory, and what they did.

use std::io::{self, Write};

use anyhow::{Context as _, bail};

use self::args::BenchArgs;
use self::summary::{ProgressLine, Summary};

pub mod args;
pub mod ends;
pub mod hosts;
pub mod live;
pub mod memory;
pub mod outcome;
pub mod phases;
pub mod summary;
pub mod testbed;

/// Runs the bench and prints its result: an object on standard output for `--json`, else a
/// summary.
///
/// # Errors
/// Options that contradict each other, no link or memory, nothing moves, or the figures do not mean
/// what they say (they are printed nevertheless).
pub fn run(args: &BenchArgs) -> anyhow::Result<()> {
    args.check()?;
    let mut line = ProgressLine::default();
    let outcome = live::run(args, &mut |progress| line.show(progress));
    line.finish();
    let outcome = outcome?;
    let mut out = io::stdout();
    let written = if args.json {
        writeln!(out, "{}", serde_json::to_string(&outcome)?)
    } else {
        let summary = Summary {
            args,
            outcome: &outcome,
        };
        write!(out, "{summary}")
    };
    written.context("cannot write the result")?;
    if !outcome.valid {
        bail!("the run is not valid: {}", outcome.problems.join("; "));
    }
    Ok(())
}
