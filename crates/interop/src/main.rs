//! What stands at the other end of the link when a server is tested: a peer that says exactly what
//! it is told to, a flood of SYNs, and a relay that gives frames the trouble of a network.
//!
//! The peer forges single segments towards a server whose connection is in TIME-WAIT, and judges the
//! answers by the tables of RFC 9293, 6191, 1337 and 7323.
//!
//! This crate knows frames (through `wire`), one packet socket and DPDK's devices. It must never know the
//! code that it judges: no connection, table or rule of `tcp` or `stack` is used here.

mod client;
mod expiry;
mod flood;
mod host;
mod link;
mod packet;
mod relay;
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
use crate::relay::{Plan, Trouble};
use crate::report::Report;

/// Forges segments towards a server in TIME-WAIT and judges its answers; or relays frames.
///
/// A test prints `ok NAME` or `FAIL NAME why`. Exit status 0 if all passed, 1 if not, 2 if they could not
/// be carried out.
#[derive(Parser, Debug)]
#[command(version, disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    #[command(flatten)]
    Test(Test),
    /// Be a host of its own that sends SYNs and never answers, then print how many of them were answered
    Flood {
        #[command(flatten)]
        scripted: ScriptedArgs,
        /// How long, in milliseconds
        #[arg(long, value_parser = clap::value_parser!(u64).range(1..=60_000))]
        for_ms: u64,
        /// With wrong TCP checksums
        #[arg(long)]
        damaged: bool,
    },
    /// Pass frames from one DPDK device to another and back until SIGTERM, then print what became
    /// of them each way
    Relay(RelayArgs),
}

/// What prints a line for each test.
#[derive(Subcommand, Debug)]
enum Test {
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

/// Two devices, and what a network between them does. What fits on one link, such as a VLAN tag, is
/// done to frames from the first device to the second and undone the other way.
#[derive(Args, Debug)]
struct RelayArgs {
    /// The first device, such as net_memif0,role=client,socket=s,socket-abstract=yes
    #[arg(long)]
    from: String,
    /// The second device, such as net_tap0,iface=tw0
    #[arg(long)]
    to: String,
    /// Frames of this VLAN on the first device are untagged on the second; no others pass
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=4094))]
    vlan: Option<u16>,
    /// Percent of the frames that are lost, each way
    #[arg(long, default_value_t = 0.0, value_parser = percent)]
    loss: f64,
    /// Percent of the frames that arrive twice
    #[arg(long, default_value_t = 0.0, value_parser = percent)]
    duplicate: f64,
    /// Percent of the frames that are held back while others overtake
    #[arg(long, default_value_t = 0.0, value_parser = percent)]
    reorder: f64,
    /// The longest that a frame is held back, in milliseconds
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(..=60_000))]
    hold_ms: u64,
    /// What each frame takes, in milliseconds
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u64).range(..=60_000))]
    delay_ms: u64,
    /// The same seed gives the same frames the same fate
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

impl RelayArgs {
    fn plan(self) -> Plan {
        Plan {
            devices: [self.from, self.to],
            vlan: self.vlan,
            trouble: Trouble {
                loss: self.loss,
                duplication: self.duplicate,
                reordering: self.reorder,
                hold: Duration::from_millis(self.hold_ms),
                delay: Duration::from_millis(self.delay_ms),
            },
            seed: self.seed,
        }
    }
}

/// A share of 1, given as percent.
fn percent(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(percent) if (0.0..=100.0).contains(&percent) => Ok(percent / 100.0),
        _ => Err("a percentage is a number from 0 to 100".into()),
    }
}

/// Where the scripted host lives and whom it talks to.
#[derive(Args, Debug)]
struct ScriptedArgs {
    /// The interface that leads to the server
    #[arg(long)]
    interface: String,
    /// The server: for tables of segments, one of HTTP that closes first
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
    let outcome = match Cli::parse().command {
        Command::Relay(args) => relay::run(&args.plan()).map(|()| true),
        Command::Flood {
            scripted,
            for_ms,
            damaged,
        } => flood(&scripted, for_ms, damaged),
        Command::Test(test) => run(test).map(|report| report.passed()),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("tidewheel-interop: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn flood(scripted: &ScriptedArgs, for_ms: u64, damaged: bool) -> anyhow::Result<bool> {
    let mut host = scripted.host()?;
    let time = Duration::from_millis(for_ms);
    let port = scripted.server.port();
    println!("{}", flood::run(&mut host, port, time, damaged)?);
    Ok(true)
}

fn run(test: Test) -> anyhow::Result<Report> {
    let mut report = Report::default();
    match test {
        Test::Vectors(args) => {
            let mut host = args.host()?;
            time_wait::run(&mut host, args.server.port(), &mut report)?;
        }
        Test::Expiry {
            scripted,
            time_wait_ms,
        } => {
            let mut host = scripted.host()?;
            let length = Duration::from_millis(time_wait_ms);
            expiry::run(&mut host, scripted.server.port(), length, &mut report)?;
        }
        Test::Replay {
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
