//! The workers of a load, and what they are asked.

use core::time::Duration;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, bail};
use load::{Load, Measured, Run};
use runtime::{Clock, Commands, Control, ControlArgs, Event, Port, Worker, WorkerThread, seats};

use super::app::{DONE, Generator};
use super::plan::Plan;
use crate::config::{Config, ConfigError};
use crate::environment::{Environment, secrets};
use crate::serve::{idle, port_args};

/// How long a worker may take to answer. It looks for questions about once a millisecond.
const ANSWER: Duration = Duration::from_secs(5);
/// Time between two looks at what cannot be waited for.
const LOOK: Duration = Duration::from_millis(10);
/// How long before a run its beginning is announced, so that all workers begin at once.
const NOTICE: Duration = Duration::from_millis(10);
/// How long the link may take to come up.
const LINK: Duration = Duration::from_secs(20);

/// The workers, running.
pub(super) struct Team {
    pub(super) control: Control,
    workers: Vec<Commands<Generator>>,
    /// A report for each worker to fill; it has the other one of the two that it ever needs.
    blanks: Vec<Option<Box<Measured>>>,
    sum: Measured,
}

impl Team {
    pub(super) fn start(
        environment: &Environment,
        config: &Config,
        plan: &Plan,
        isn_key: [u8; 32],
    ) -> anyhow::Result<Team> {
        let eal = &environment.eal;
        let clock = Clock::start(eal);
        let mut port = Port::open(eal, &config.port.device)?;
        let seats = seats(eal, &mut port, &port_args(config))?;
        let secrets = secrets(isn_key)?;
        let of = u16::try_from(seats.len()).unwrap_or(u16::MAX);
        let (mut threads, mut workers, mut blanks) = (Vec::new(), Vec::new(), Vec::new());
        for ((seat, &cpu), n) in seats.into_iter().zip(&config.eal.cpus).zip(0..) {
            let host = plan.host(config, seat.mac(), n, of);
            let (spec, _) = plan.spec.share(n, of);
            let room = host.max_connections as usize;
            let load = Load::new(spec, Arc::clone(&plan.exchanges), room)
                .map_err(|e| ConfigError::nowhere(e.to_string()))?;
            let (name, app) = (format!("worker{cpu}"), Generator(load));
            let worker = Worker::new(name, seat, clock, host, secrets.clone(), app)
                .map_err(|e| ConfigError::nowhere(e.to_string()))?;
            workers.push(worker.commands());
            blanks.push(Some(Box::new(Measured::new()?)));
            threads.push(WorkerThread::new(Some(cpu.into()), idle(config), worker));
        }
        let control = ControlArgs {
            interval: config.control.stats_interval.duration(),
            drain_timeout: Duration::ZERO,
        };
        Ok(Team {
            control: Control::start(eal, vec![port], threads, control)?,
            workers,
            blanks,
            sum: Measured::new()?,
        })
    }

    /// Waits until the link is up, as far as the device tells, so that the first connections do not find it down.
    pub(super) fn wait_for_link(&mut self) -> anyhow::Result<()> {
        let monitor = self.control.monitor();
        let until = Instant::now() + LINK;
        let is_down = |port: &runtime::PortReport| port.link.is_some_and(|link| !link.up);
        while monitor.ports().iter().any(is_down) {
            if Instant::now() >= until {
                bail!(
                    "the link is down after {} s: is the other end there, and has a memif's as many workers?",
                    LINK.as_secs()
                );
            }
            self.look()?;
        }
        Ok(())
    }

    /// Waits until the hosts' IPv6 addresses are verified, which takes a second for each of `host.address_probes`: the
    /// first connections are not to be measured with it.
    pub(super) fn wait_for_addresses(&mut self) -> anyhow::Result<()> {
        for worker in 0..self.workers.len() {
            let verifying =
                |stack: &mut stack::Stack<Generator, _>, _| stack.is_verifying_addresses();
            while self.workers[worker]
                .ask(ANSWER, verifying)
                .context("a worker")?
            {
                self.look()?;
            }
        }
        Ok(())
    }

    /// Waits a little.
    fn look(&mut self) -> anyhow::Result<()> {
        match self.control.next(Some(Instant::now() + LOOK))? {
            Event::Signal => bail!("stopped by a signal"),
            Event::Ended => bail!("a worker has ended"),
            Event::Tick(_) | Event::Elapsed => Ok(()),
        }
    }

    /// Begins a run on all workers at the same time. Returns when that will be.
    pub(super) fn begin(&self, run: impl Fn(u16, u16) -> Run) -> anyhow::Result<Instant> {
        let of = u16::try_from(self.workers.len()).unwrap_or(u16::MAX);
        let Some(first) = self.workers.first() else {
            bail!("there is no worker");
        };
        let now = first.ask(ANSWER, |_, now| now).context("a worker")?;
        let (at, begun) = (now + NOTICE, Instant::now() + NOTICE);
        for (worker, n) in self.workers.iter().zip(0..) {
            let run = run(n, of);
            let start = move |stack: &mut stack::Stack<Generator, _>, _| {
                stack.app_mut().0.start(at, &run);
            };
            worker.ask(ANSWER, start).context("a worker")?;
        }
        Ok(begun)
    }

    /// What happens next: an interval, a signal, or at the latest a look later nothing.
    pub(super) fn next(&mut self) -> anyhow::Result<Event> {
        match self.control.next(Some(Instant::now() + LOOK))? {
            Event::Ended => bail!("a worker has ended"),
            event => Ok(event),
        }
    }

    /// Whether the run has ended on all workers, and none has a connection left.
    pub(super) fn is_done(&self) -> bool {
        let mut boards = self.workers.iter().map(Commands::board);
        boards.all(|board| board.get(DONE) == Some(1))
    }

    /// Ends the run: nothing more is begun.
    pub(super) fn stop(&self) -> anyhow::Result<()> {
        for worker in &self.workers {
            let stop = |stack: &mut stack::Stack<Generator, _>, now| stack.app_mut().0.stop(now);
            worker.ask(ANSWER, stop).context("a worker")?;
        }
        Ok(())
    }

    /// Resets what has not ended.
    pub(super) fn cut_off(&mut self) -> anyhow::Result<()> {
        for worker in &self.workers {
            worker
                .ask(ANSWER, |stack, _| stack.abort_all())
                .context("a worker")?;
        }
        let until = Instant::now() + ANSWER;
        while !self.is_done() && Instant::now() < until {
            self.next()?;
        }
        Ok(())
    }

    /// What all workers measured since the last time.
    pub(super) fn collect(&mut self) -> anyhow::Result<&Measured> {
        self.sum.reset();
        for (worker, blank) in self.workers.iter().zip(&mut self.blanks) {
            // It is gone if the worker did not answer the last time.
            let Some(mut given) = blank.take() else {
                bail!("a worker does not answer");
            };
            // Here and not by the worker: it is a megabyte.
            given.reset();
            let report = move |stack: &mut stack::Stack<Generator, _>, now| {
                stack.app_mut().0.report(now, given)
            };
            let filled = worker.ask(ANSWER, report).context("a worker")?;
            self.sum.beside(&filled);
            *blank = Some(filled);
        }
        Ok(&self.sum)
    }
}
