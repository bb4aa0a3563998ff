//! A load made ready from its configuration, and in words: what `load` runs and `check` describes.

use core::fmt;

use load::{Mode, Pace};

use super::feasible;
use super::output::Title;
use super::plan::{Pairs, Plan};
use super::sweep::Judge;
use crate::bench::summary::grouped;
use crate::config::load::Rate;
use crate::config::{Config, ConfigError};

/// What is to be run.
pub struct Ready {
    /// What the workers do.
    pub plan: Plan,
    /// What judges the trials of a sweep.
    pub(super) judge: Option<Judge>,
}

impl Ready {
    /// What `config` says.
    ///
    /// # Errors
    /// What cannot be done, or not with the local addresses and ports that there are.
    pub fn new(config: &Config) -> Result<Ready, ConfigError> {
        let plan = Plan::new(config)?;
        feasible::check(config, &plan)?;
        let judge = config.load.sweep.as_ref();
        let judge = judge.map(|sweep| Judge::new(sweep, plan.spec.mode));
        Ok(Ready {
            judge: judge.transpose()?,
            plan,
        })
    }

    /// How it is named in what is shown.
    pub(super) fn title(&self, config: &Config) -> Title {
        let spec = &self.plan.spec;
        let urls = config.load.targets.iter().map(|t| t.url.to_string());
        Title {
            targets: urls.collect(),
            mode: format!("{}, {}", mode(spec.mode), pace(config, &spec.pace)),
            workers: config.eal.cpus.len(),
            connections: config.load.connections.get(),
            duration: spec.duration,
        }
    }

    /// In words, for people.
    #[must_use]
    pub fn described<'a>(&'a self, config: &'a Config) -> Described<'a> {
        Described {
            ready: self,
            config,
        }
    }
}

/// A load in words.
pub struct Described<'a> {
    ready: &'a Ready,
    config: &'a Config,
}

impl fmt::Display for Described<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let load = &self.config.load;
        let title = self.ready.title(self.config);
        let most = grouped(title.connections);
        write!(
            f,
            "load       {}, {most} connections at a time at most",
            title.mode
        )?;
        if let Some(duration) = title.duration {
            write!(f, ", for {duration:?}")?;
        }
        if let Some(count) = load.count {
            write!(f, ", {} connections in all", grouped(count.get()))?;
        }
        writeln!(f)?;
        for target in &load.targets {
            writeln!(f, "target     {}, weight {}", target.url, target.weight)?;
        }
        for pairs in self.ready.plan.pairs(self.config) {
            sources(f, &pairs)?;
        }
        Ok(())
    }
}

fn sources(f: &mut fmt::Formatter<'_>, pairs: &Pairs) -> fmt::Result {
    let (address, port) = pairs.destination;
    let to = core::net::SocketAddr::new(address.into(), port);
    let s = if pairs.sources == 1 { "" } else { "es" };
    writeln!(
        f,
        "sources    {} address{s} with {} ports to {to}{}",
        grouped(pairs.sources),
        grouped(pairs.ports),
        match pairs.interval_ms {
            0 => String::new(),
            ms => format!(", each of which rests for {} ms at least", grouped(ms)),
        }
    )
}

fn mode(mode: Mode) -> String {
    match mode {
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
    }
}

fn pace(config: &Config, pace: &Pace) -> String {
    match (pace, &config.load.sweep) {
        (_, Some(sweep)) => {
            let number = |rate: &Rate| grouped(rate.get());
            let (from, to) = (number(&sweep.from), number(&sweep.to));
            format!("sweep from {from} to {to} a second")
        }
        (Pace::Closed, _) => "closed loop".to_owned(),
        (Pace::Open(profile), _) => {
            let peak = grouped(profile.peak() as u64);
            let change = if profile.segments.len() > 1 {
                "up to "
            } else {
                ""
            };
            format!("open loop at {change}{peak} a second")
        }
    }
}
