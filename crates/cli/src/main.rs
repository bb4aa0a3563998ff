//! The `tidewheel` program.

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser;
use tidewheel::args::{Cli, Command};
use tidewheel::check::{self, Description};
use tidewheel::config::{ConfigError, Purpose};
use tidewheel::load::output::NotPassed;
use tidewheel::load::ready::Ready;
use tidewheel::{bench, load, serve};
use tracing_subscriber::EnvFilter;

/// Exit status for a configuration or command line that cannot be used.
const BAD_CONFIGURATION: u8 = 2;
/// Exit status for what went wrong while running.
const FAILED: u8 = 1;
/// Exit status for a load that did not reach what `--pass` asks for.
const NOT_PASSED: u8 = 3;

fn main() -> ExitCode {
    let command = Cli::parse().command;
    log();
    match run(command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "tidewheel: {error:#}");
            ExitCode::from(match () {
                () if error.is::<ConfigError>() => BAD_CONFIGURATION,
                () if error.is::<NotPassed>() => NOT_PASSED,
                () => FAILED,
            })
        }
    }
}

fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Check(args) => {
            let config = &args.config(Purpose::Either)?;
            let to_load = !config.load.targets.is_empty();
            let load = to_load.then(|| Ready::new(config)).transpose()?;
            // Of both, the server is what takes memory for others.
            let takes = load.as_ref().filter(|_| config.listen.is_empty());
            let description = Description {
                config,
                load: load.as_ref(),
                usage: check::usage(config, takes)?,
            };
            write!(io::stdout(), "{description}").context("cannot write the description")?;
        }
        Command::Serve(args) => serve::run(&args.config(Purpose::Serve)?)?,
        Command::Load(args) => load::run(&args)?,
        Command::Bench(args) => bench::run(&args)?,
    }
    Ok(())
}

/// Messages of the program's parts go to standard error; `RUST_LOG` selects them.
fn log() {
    // What DPDK warns of is of interest to those who look for it: the program names what matters.
    let usual = || EnvFilter::new("warn,dpdk=error");
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| usual());
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .without_time()
        .init();
}
