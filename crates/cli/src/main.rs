//! The `tidewheel` program.

use std::process::ExitCode;

use clap::Parser;
use tidewheel::args::{Cli, Command};
use tidewheel::check::Description;
use tidewheel::config::ConfigError;

/// Exit status for a configuration or command line that cannot be used.
const BAD_CONFIGURATION: u8 = 2;
/// Exit status for what went wrong while running.
const FAILED: u8 = 1;

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tidewheel: {error:#}");
            let bad = error.downcast_ref::<ConfigError>().is_some();
            ExitCode::from(if bad { BAD_CONFIGURATION } else { FAILED })
        }
    }
}

fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Check(args) => {
            let config = args.config()?;
            print!("{}", Description(&config));
        }
    }
    Ok(())
}
