//! `load` on DPDK: begins a run, shows it, and sees to its end.

use core::time::Duration;
use std::io::{self, Write as _};
use std::time::{Instant, SystemTime};

use anyhow::bail;
use load::{Measured, Pace, Profile, Run};
use runtime::Event;

use super::args::LoadArgs;
use super::output::{Outputs, Report, Traffic};
use super::plan::Plan;
use super::problems::{Problem, problems};
use super::ready::Ready;
use super::sweep::{self, Bed, Judge, Offered, Swept, Trial};
use super::team::Team;
use crate::check;
use crate::config::load::Sweep;
use crate::environment::Environment;
use crate::serve::{self, key, pci};

/// How long after the beginning of a run the workers' boards are sure to tell of it, and not of the one before.
const SHOWN: Duration = Duration::from_millis(50);

/// Runs the load that `args` describe and shows what comes of it.
///
/// # Errors
/// A configuration that cannot be used, memory, device, or a worker; not one connection was established; or the
/// run did not pass.
pub fn run(args: &LoadArgs) -> anyhow::Result<()> {
    let config = &args.config()?;
    check::fits(config)?;
    let ready = Ready::new(config)?;
    let plan = &ready.plan;
    let isn_key = key::load_or_make(config.secrets.file.as_deref())?;
    let outputs = Outputs::open(&args.output, ready.title(config))?;
    let memory_mb = u32::try_from(config.eal.memory.get() >> 20).unwrap_or(u32::MAX);
    let environment = Environment::new(config.eal.hugepages, memory_mb, pci(config))?;
    let mut team = Team::start(&environment, config, plan, isn_key)?;
    environment.go_on()?;
    // They are answered as long as this is here.
    let metrics = serve::metrics(config, &team.control)?;
    if let Some(metrics) = &metrics {
        // Whoever reads it may have gone: no reason not to run.
        let _ = writeln!(
            io::stderr(),
            "metrics    http://{}/metrics",
            metrics.address()
        );
    }
    team.wait_for_link()?;
    team.wait_for_addresses()?;
    let mut course = Course {
        show: Show::new(&mut team, outputs)?,
        team,
        plan,
        drain: config.control.drain_timeout.duration(),
        stopped: false,
    };
    let swept = match (&config.load.sweep, &ready.judge) {
        (Some(sweep), Some(judge)) => course.sweep(sweep, judge).map(Some),
        _ => course.measure().map(|()| None),
    };
    let Course { mut team, show, .. } = course;
    let snapshot = team.control.snapshot();
    let end = team.control.finish(|_| {});
    let swept = swept?;
    end?;
    // A sweep has a rate, too.
    let is_open = matches!(plan.spec.pace, Pace::Open(_));
    show.finish(&snapshot, swept.as_ref(), is_open)
}

/// The way of a run from its beginning to its end.
struct Course<'a> {
    team: Team,
    plan: &'a Plan,
    show: Show,
    /// How long what was begun may take to end by itself.
    drain: Duration,
    /// The user does not want to go on.
    stopped: bool,
}

impl Course<'_> {
    /// Runs the plan to its end.
    fn measure(&mut self) -> anyhow::Result<()> {
        let plan = self.plan;
        let begun = self.team.begin(|n, of| plan.spec.share(n, of).1)?;
        self.show.count_from(begun);
        let until = plan.spec.duration.map(|d| begun + d + self.drain);
        self.pass(until, true)?;
        self.end()
    }

    /// Looks for the highest rate.
    fn sweep(&mut self, sweep: &Sweep, judge: &Judge) -> anyhow::Result<Swept> {
        self.show.count_from(Instant::now());
        let mut trials = Trials {
            course: self,
            sweep,
            first: true,
        };
        let (swept, best) = sweep::run(&mut trials, sweep, judge)?;
        if let Some(best) = best {
            (self.show.total, self.show.best) = (best.measured, Some(best.traffic));
        }
        Ok(swept)
    }

    /// Shows each interval until `until`, or until the run is done if that ends it, or the user does.
    fn pass(&mut self, until: Option<Instant>, done: bool) -> anyhow::Result<()> {
        let (mut until, mut done) = (until, done || self.stopped);
        while !(done && self.team.is_done()) && until.is_none_or(|until| Instant::now() < until) {
            match self.team.next()? {
                Event::Tick(snapshot) => self.show.interval(self.team.collect()?, &snapshot),
                // The first one ends the run in order, the second at once.
                Event::Signal if !self.stopped => {
                    self.stopped = true;
                    self.team.stop()?;
                    (until, done) = (Some(Instant::now() + self.drain), true);
                }
                Event::Signal => break,
                Event::Ended | Event::Elapsed => {}
            }
        }
        Ok(())
    }

    /// Ends what has not ended by itself.
    fn end(&mut self) -> anyhow::Result<()> {
        self.team.stop()?;
        if !self.team.is_done() {
            self.team.cut_off()?;
        }
        self.rest()
    }

    /// Takes what was measured since the last interval.
    fn rest(&mut self) -> anyhow::Result<()> {
        let snapshot = self.team.control.snapshot();
        self.show.rest(self.team.collect()?, &snapshot);
        Ok(())
    }
}

/// The trials of a sweep.
struct Trials<'a, 'b> {
    course: &'a mut Course<'b>,
    sweep: &'a Sweep,
    /// None was before.
    first: bool,
}

impl Bed for Trials<'_, '_> {
    fn offer(&mut self, rate: f64) -> anyhow::Result<Option<Offered>> {
        let (course, sweep) = (&mut *self.course, self.sweep);
        if !self.first {
            course.pass(Some(Instant::now() + sweep.settle.duration()), false)?;
        }
        if course.stopped {
            return Ok(None);
        }
        // That it has begun shows a moment later, and all of `time` is measured.
        let warm_up = sweep.warm_up.duration().max(SHOWN);
        let time = sweep.time.duration();
        let run = Run {
            pace: Pace::Open(Profile::constant(rate)),
            phase: 0.0,
            duration: Some(warm_up + time),
            connections: None,
            timed: true,
        };
        let begun = course.team.begin(|n, of| run.share(n, of))?;
        course.pass(Some(begun + warm_up), false)?;
        course.rest()?;
        course.show.begin(&course.team.control.snapshot());
        course.pass(Some(begun + warm_up + time + course.drain), true)?;
        course.end()?;
        if course.stopped {
            return Ok(None);
        }
        let now = Traffic::of(&course.team.control.snapshot());
        let offered = Offered {
            at: course.show.begun.elapsed(),
            measured: course.show.total.clone(),
            traffic: now.since(&course.show.base),
        };
        self.first = false;
        Ok(Some(offered))
    }

    fn judged(&mut self, trial: &Trial) {
        self.course.show.outputs.trial(trial);
    }
}

/// What is shown of a run.
struct Show {
    outputs: Outputs,
    begun: Instant,
    total: Measured,
    /// Counters when the run began, and at the end of the last interval.
    base: Traffic,
    last: Traffic,
    /// What was counted in what a sweep has found.
    best: Option<Traffic>,
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
            best: None,
        })
    }

    /// What counts begins now.
    /// The times of reports count from `begun`, which may be a little later than now.
    fn count_from(&mut self, begun: Instant) {
        self.begun = begun;
        self.outputs
            .begin(SystemTime::now() + begun.saturating_duration_since(Instant::now()));
    }

    fn begin(&mut self, snapshot: &runtime::Snapshot) {
        self.total.reset();
        self.base = Traffic::of(snapshot);
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

    /// What is left of an interval that does not come to its end.
    fn rest(&mut self, measured: &Measured, snapshot: &runtime::Snapshot) {
        let now = Traffic::of(snapshot);
        self.total.after(measured);
        self.outputs.rest(&Report {
            at: self.begun.elapsed(),
            measured,
            traffic: &now.since(&self.last),
        });
        self.last = now;
    }

    fn finish(
        self,
        snapshot: &runtime::Snapshot,
        swept: Option<&Swept>,
        is_open: bool,
    ) -> anyhow::Result<()> {
        let whole = || Traffic::of(snapshot).since(&self.base);
        let traffic = self.best.clone().unwrap_or_else(whole);
        let total = Report {
            at: self.begun.elapsed(),
            measured: &self.total,
            traffic: &traffic,
        };
        let mut problems = problems(&self.total, &traffic, is_open);
        if swept.is_some_and(|swept| !swept.complete) {
            problems.push(Problem::new(
                &[],
                "the sweep was broken off before it had found the highest rate",
            ));
        }
        self.outputs.finish(&total, swept, &problems)?;
        if self.total.counts.established == 0 {
            bail!("not one connection was established");
        }
        Ok(())
    }
}
