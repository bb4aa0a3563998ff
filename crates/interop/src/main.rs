//! A peer that says exactly what it is told to: it forges single segments towards a server whose
//! connection is in TIME-WAIT, and judges the answers by the tables of RFC 9293, 6191, 1337 and
//! 7323.
//!
//! This crate knows frames (through `wire`) and one packet socket. It must never know the code
//! that it judges: no connection, table or rule of `tcp` or `stack` is used here.

mod client;
mod expiry;
mod host;
mod link;
mod packet;
mod replay;
mod report;
mod time_wait;
mod vectors;

use core::net::{IpAddr, SocketAddr};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::{Args, Parser, Subcommand};

use crate::host::Host;
use crate::link::Link;
use crate::report::Report;

/// Forges segments towards a server in TIME-WAIT and judges its answers.
///
/// Prints `ok NAME` or `FAIL NAME why` for each test. Exit status 0 if all passed, 1 if not, 2 if
/// they could not be carried out.
#[derive(Parser, Debug)]
#[command(version, disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Be a host of its own on the link, and send each segment of the tables to a tuple of its own
    Vectors(ScriptedArgs),
    /// Be a host of its own, and see what restarts the timer and when an entry expires
    Expiry {
        #[command(flatten)]
        scripted: ScriptedArgs,
        /// The server's length of TIME-WAIT, in milliseconds
        #[arg(long, value_parser = clap::value_parser!(u64).range(1000..=60_000))]
        time_wait_ms: u64,
    },
    /// Watch a connection of this machine's kernel until the server is in TIME-WAIT, then send its
    /// old segments again in the kernel's name
    Replay {
        /// The interface between the kernel and the server
        #[arg(long)]
        interface: String,
        /// The server
        #[arg(long)]
        server: SocketAddr,
        /// The kernel's end of the connection
        #[arg(long)]
        client: SocketAddr,
    },
}

/// Where the scripted host lives and whom it talks to.
#[derive(Args, Debug)]
struct ScriptedArgs {
    /// The interface that leads to the server
    #[arg(long)]
    interface: String,
    /// An HTTP server that closes first
    #[arg(long)]
    server: SocketAddr,
    /// The address to use, which must not be one of the kernel's: nobody else answers for it
    #[arg(long)]
    address: IpAddr,
}

impl ScriptedArgs {
    fn host(&self) -> anyhow::Result<Host> {
        let link = Link::open(&self.interface)?;
        Host::new(link, self.address, self.server.ip())
    }
}

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(report) if report.passed() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("tidewheel-interop: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn run(command: Command) -> anyhow::Result<Report> {
    let mut report = Report::default();
    match command {
        Command::Vectors(args) => {
            let mut host = args.host()?;
            time_wait::run(&mut host, args.server.port(), &mut report)?;
        }
        Command::Expiry {
            scripted,
            time_wait_ms,
        } => {
            let mut host = scripted.host()?;
            let length = Duration::from_millis(time_wait_ms);
            expiry::run(&mut host, scripted.server.port(), length, &mut report)?;
        }
        Command::Replay {
            interface,
            server,
            client,
        } => {
            let mut link = Link::open(&interface)?;
            replay::run(&mut link, server, client, &mut report)
                .with_context(|| format!("connection {client} to {server}"))?;
        }
    }
    Ok(report)
}
