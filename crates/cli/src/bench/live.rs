//! The bench on DPDK: two workers on their threads, and the control thread that asks them.

use core::time::Duration;
use std::time::Instant;

use anyhow::{Context as _, bail};
use load::{Counts, Measured, Run};
use runtime::link::{self, Link};
use runtime::{
    Clock, Commands, Control, ControlArgs, Event, Idle, PortArgs, Worker, WorkerThread,
    allowed_cpus, thread_cpu_time,
};

use super::args::{BenchArgs, LinkKind};
use super::ends;
use super::hosts::{self, Layout};
use super::memory;
use super::outcome::{Baseline, Outcome};
use super::phases::{self, Progress};
use super::testbed::{Sample, Testbed};
use crate::apps::Apps;
use crate::config::ConfigError;
use crate::environment::{Environment, random, secrets};
use crate::load::app::Generator;

/// Memory for packet buffers and rings, in MiB.
const MEMORY_MB: u32 = 256;
/// The shortest Ethernet frame, without its FCS.
const SHORTEST_FRAME: usize = 60;
/// How long the bare link is measured, before and after.
const BASELINE: Duration = Duration::from_secs(1);
/// How long a worker may take to answer. It looks for questions about once a millisecond.
const ANSWER: Duration = Duration::from_secs(5);

/// Runs the bench that `args` describes; `show` is told once a second what happens.
///
/// # Errors
/// Too few CPUs, no memory, no link, or nothing moves.
pub fn run(args: &BenchArgs, show: &mut dyn FnMut(&Progress)) -> anyhow::Result<Outcome> {
    let cpus = cpus(args)?;
    memory::fits(args, u64::from(MEMORY_MB) << 20)?;
    let link = match args.link {
        LinkKind::Ring => Link::Ring,
        LinkKind::Memif => Link::Memif,
    };
    let environment = Environment::new(args.hugepages, MEMORY_MB, Vec::new())?;
    let eal = &environment.eal;
    let bare = || -> anyhow::Result<f64> {
        let bare = link::baseline(eal, link, &cpus, SHORTEST_FRAME, BASELINE)?;
        Ok(f64::midpoint(bare.there_pps, bare.back_pps))
    };
    let before = bare()?;
    environment.go_on()?;
    let mut bed = Live::start(&environment, args, link, &cpus)?;
    environment.go_on()?;
    let measured = phases::run(&mut bed, args, show);
    let end = bed.control.finish(|_| {});
    let measured = measured?;
    end?;
    let baseline = Baseline {
        before,
        after: bare()?,
    };
    environment.go_on()?;
    Ok(Outcome::new(args, &measured, baseline))
}

/// The CPUs to run on: the first that this process may use.
fn cpus(args: &BenchArgs) -> anyhow::Result<Vec<usize>> {
    let cores = usize::try_from(args.cores.get())?;
    let mut cpus = allowed_cpus()?;
    if cpus.len() < cores {
        let message = format!("this process may use {} CPU: try --cores 1", cpus.len());
        bail!(ConfigError::flag(&format!("--cores {cores}"), message));
    }
    cpus.truncate(cores);
    Ok(cpus)
}

/// The two workers, running.
struct Live {
    control: Control,
    client: Commands<Generator>,
    server: Commands<Apps>,
}

impl Live {
    fn start(
        environment: &Environment,
        args: &BenchArgs,
        link: Link,
        cpus: &[usize],
    ) -> anyhow::Result<Live> {
        let eal = &environment.eal;
        let layout = Layout::of(args.tuples.get(), args.ipv6);
        let (server, client) = (hosts::server(args, &layout), hosts::client(args, &layout));
        let server_app = ends::server(args, &layout, server.max_connections as usize);
        let client_app = ends::client(args, &layout, client.max_connections as usize)?;
        let clock = Clock::start(eal);
        let (a, b) = link::pair(eal, link, &PortArgs::default())?;
        let server = Worker::new(
            "server",
            a.seat,
            clock,
            server,
            secrets(random()?)?,
            server_app,
        )
        .context("the server's host")?;
        let client = Worker::new(
            "client",
            b.seat,
            clock,
            client,
            secrets(random()?)?,
            client_app,
        )
        .context("the client's host")?;
        let (server_commands, client_commands) = (server.commands(), client.commands());
        let thread = |at: usize| cpus.get(at).copied();
        let threads = match cpus.len() {
            1 => vec![WorkerThread::new(thread(0), Idle::Poll, server).and(client)],
            _ => vec![
                WorkerThread::new(thread(0), Idle::Poll, server),
                WorkerThread::new(thread(1), Idle::Poll, client),
            ],
        };
        let quiet = ControlArgs {
            interval: Duration::ZERO,
            ..ControlArgs::default()
        };
        Ok(Live {
            control: Control::start(eal, vec![a.port, b.port], threads, quiet)?,
            client: client_commands,
            server: server_commands,
        })
    }
}

impl Testbed for Live {
    fn begin(&mut self, run: Run) -> anyhow::Result<()> {
        let begin = self.client.ask(ANSWER, move |stack, now| {
            stack.app_mut().0.start(now, &run);
        });
        begin.context("the client's worker")
    }

    fn end(&mut self) -> anyhow::Result<Box<Measured>> {
        let blank = Box::new(Measured::new()?);
        let end = self.client.ask(ANSWER, move |stack, now| {
            let load = &mut stack.app_mut().0;
            load.stop(now);
            load.report(now, blank)
        });
        end.context("the client's worker")
    }

    fn wait(&mut self, time: Duration) -> anyhow::Result<Duration> {
        let begun = Instant::now();
        let until = begun + time;
        loop {
            match self.control.next(Some(until))? {
                Event::Elapsed => return Ok(begun.elapsed()),
                Event::Tick(_) => {}
                Event::Signal => bail!("stopped by a signal"),
                Event::Ended => bail!("a worker has ended"),
            }
        }
    }

    fn counts(&mut self) -> anyhow::Result<Counts> {
        let counts = self.client.ask(ANSWER, |stack, _| *stack.app().0.counts());
        counts.context("the client's worker")
    }

    fn sample(&mut self) -> anyhow::Result<Sample> {
        let server = self
            .server
            .ask(ANSWER, |stack, now| (now, *stack.counters(), stack.usage()));
        let (at, server, usage) = server.context("the server's worker")?;
        let client = self
            .client
            .ask(ANSWER, |stack, _| (*stack.counters(), stack.usage()));
        let (client, client_usage) = client.context("the client's worker")?;
        let snapshot = self.control.snapshot();
        let lost = snapshot.ports.iter().map(|port| {
            let stats = &port.stats;
            stats.imissed + stats.ierrors + stats.rx_nombuf
        });
        Ok(Sample {
            at,
            server,
            client,
            usage,
            client_usage,
            link_drops: lost.sum(),
            control_cpu: thread_cpu_time(),
            longest_turn: Duration::from_nanos(snapshot.total("loop_longest_turn_ns")),
        })
    }
}
