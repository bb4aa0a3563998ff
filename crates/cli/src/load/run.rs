//! `load` on DPDK: begins a run, shows it, and sees to its end.

use std::time::{Instant, SystemTime};

use anyhow::bail;
use load::{Measured, Mode, Pace};
use runtime::Event;

use super::args::LoadArgs;
use super::feasible;
use super::output::{Outputs, Report, Title, Traffic};
use super::plan::Plan;
use super::problems::problems;
use super::team::Team;
use crate::check;
use crate::config::Config;
use crate::environment::Environment;
use crate::serve::{key, pci};

/// Runs the load that `args` describe and shows what comes of it.
///
/// # Errors
/// A configuration that cannot be used, memory, device, or a worker; not one connection was established; or the
/// run did not pass.
pub fn run(args: &LoadArgs) -> anyhow::Result<()> {
    let config = &args.config()?;
    check::fits(config)?;
    let plan = Plan::new(config)?;
    feasible::check(config, &plan)?;
    let isn_key = key::load_or_make(config.secrets.file.as_deref())?;
    let outputs = Outputs::open(&args.output, title(config, &plan), SystemTime::now())?;
    let memory_mb = u32::try_from(config.eal.memory.get() >> 20).unwrap_or(u32::MAX);
    let environment = Environment::new(config.eal.hugepages, memory_mb, pci(config))?;
    let mut team = Team::start(&environment, config, &plan, isn_key)?;
    environment.go_on()?;
    team.wait_for_link()?;
    let mut show = Show::new(&mut team, outputs)?;
    let measured = measure(&mut team, &plan, config, &mut show);
    let snapshot = team.control.snapshot();
    let end = team.control.finish(|_| {});
    measured?;
    end?;
    show.finish(&snapshot)
}

/// Runs `plan` to its end, and gives what was begun some time to end by itself.
fn measure(team: &mut Team, plan: &Plan, config: &Config, show: &mut Show) -> anyhow::Result<()> {
    let drain = config.control.drain_timeout.duration();
    let begun = team.begin(|n, of| plan.spec.share(n, of).1)?;
    show.begun = begun;
    let mut until = plan.spec.duration.map(|d| begun + d + drain);
    let mut stopped = false;
    while !team.is_done() && until.is_none_or(|until| Instant::now() < until) {
        match team.next()? {
            Event::Tick(snapshot) => show.interval(team.collect()?, &snapshot),
            // The first one ends the run in order, the second at once.
            Event::Signal if !stopped => {
                stopped = true;
                team.stop()?;
                until = Some(Instant::now() + drain);
            }
            Event::Signal => break,
            Event::Ended | Event::Elapsed => {}
        }
    }
    team.stop()?;
    if !team.is_done() {
        team.cut_off()?;
    }
    show.total.after(team.collect()?);
    Ok(())
}

/// What is shown of a run.
struct Show {
    outputs: Outputs,
    begun: Instant,
    total: Measured,
    /// Counters when the run began, and at the end of the last interval.
    base: Traffic,
    last: Traffic,
}

impl Show {
    fn new(team: &mut Team, outputs: Outputs) -> anyhow::Result<Show> {
        let base = Traffic::of(&team.control.snapshot());
        Ok(Show {
            outputs,
            begun: Instant::now(),
            total: Measured::new()?,
            last: base.clone(),
            base,
        })
    }

    fn interval(&mut self, measured: &Measured, snapshot: &runtime::Snapshot) {
        let now = Traffic::of(snapshot);
        let (since_last, since_base) = (now.since(&self.last), now.since(&self.base));
        self.total.after(measured);
        let at = self.begun.elapsed();
        self.outputs.interval(
            &Report {
                at,
                measured,
                traffic: &since_last,
            },
            &Report {
                at,
                measured: &self.total,
                traffic: &since_base,
            },
        );
        self.last = now;
    }

    fn finish(self, snapshot: &runtime::Snapshot) -> anyhow::Result<()> {
        let traffic = Traffic::of(snapshot).since(&self.base);
        let total = Report {
            at: self.begun.elapsed(),
            measured: &self.total,
            traffic: &traffic,
        };
        let problems = problems(&self.total, snapshot);
        self.outputs.finish(&total, &problems)?;
        if self.total.counts.established == 0 {
            bail!("not one connection was established");
        }
        Ok(())
    }
}

fn title(config: &Config, plan: &Plan) -> Title {
    let spec = &plan.spec;
    let mode = match spec.mode {
        Mode::Connections { requests } if requests.get() == 1 => "connections".to_owned(),
        Mode::Connections { requests } => format!("connections of {requests} requests"),
        Mode::Requests { .. } => "requests".to_owned(),
        Mode::Held { .. } => "held connections".to_owned(),
        Mode::Bulk {
            send: true,
            receive: false,
            ..
        } => "bulk sent".to_owned(),
        Mode::Bulk { send: false, .. } => "bulk received".to_owned(),
        Mode::Bulk { .. } => "bulk both ways".to_owned(),
    };
    let pace = match &spec.pace {
        Pace::Closed => "closed loop".to_owned(),
        Pace::Open(profile) => {
            let peak = crate::bench::summary::grouped(profile.peak() as u64);
            let change = if profile.segments.len() > 1 {
                "up to "
            } else {
                ""
            };
            format!("open loop at {change}{peak} a second")
        }
    };
    Title {
        targets: config
            .load
            .targets
            .iter()
            .map(|t| t.url.to_string())
            .collect(),
        mode: format!("{mode}, {pace}"),
        workers: config.eal.cpus.len(),
        connections: config.load.connections.get(),
        duration: spec.duration,
    }
}
