//! Whether there are enough local sockets for the rate.

use load::{Close, Mode, Pace, Spec};

use super::plan::{Pairs, Plan};
use crate::bench::summary::grouped;
use crate::config::{Config, ConfigError};

/// How long a four-tuple rests after a connection, at least, and which key says so.
fn rest(config: &Config, spec: &Spec, pairs: &Pairs) -> (u64, &'static str) {
    let interval = (pairs.interval_ms, "load.reuse_interval");
    // Whoever closes first keeps TIME-WAIT.
    let ours = match spec.close {
        Close::Peer | Close::Reset => (0, ""),
        Close::Fin | Close::HalfClose => {
            let kept = config.time_wait.stack();
            let length = kept.kept_ms();
            let reuse = kept.local_reuse_ms.filter(|_| config.tcp.timestamps);
            match reuse.filter(|reuse| *reuse < length) {
                Some(reuse) => (reuse.into(), "time_wait.local_reuse"),
                None => (length.into(), "time_wait.length"),
            }
        }
    };
    if interval.0 >= ours.0 { interval } else { ours }
}

/// When connections are opened: all the time, or in the trials of a sweep. In seconds.
#[derive(Clone, Copy)]
enum Times {
    For(f64),
    Trials {
        /// From the beginning of one to that of the next one.
        cycle: f64,
        /// How long each opens.
        opens: f64,
        /// From the end of one to where the next one is measured.
        pause: f64,
    },
}

impl Times {
    fn of(config: &Config, spec: &Spec) -> Times {
        let Some(sweep) = &config.load.sweep else {
            let duration = spec.duration.map(|d| d.as_secs_f64());
            return Times::For(duration.unwrap_or(f64::INFINITY));
        };
        let (warm_up, settle) = (sweep.warm_up.duration(), sweep.settle.duration());
        let opens = warm_up + sweep.time.duration();
        Times::Trials {
            cycle: (opens + settle).as_secs_f64(),
            opens: opens.as_secs_f64(),
            pause: (settle + warm_up).as_secs_f64(),
        }
    }

    /// In how much of `rest` connections are opened.
    fn within(self, rest: f64) -> f64 {
        match self {
            Times::For(duration) => rest.min(duration),
            Times::Trials { cycle, opens, .. } => {
                let whole = (rest / cycle).floor();
                whole * opens + (rest - whole * cycle).min(opens)
            }
        }
    }

    /// How many trials before one have left connections that still rest when it is measured.
    fn before(self, rest: f64) -> f64 {
        match self {
            Times::For(_) => 0.0,
            Times::Trials { cycle, pause, .. } => ((rest - pause) / cycle).ceil().max(0.0),
        }
    }

    /// A key that gives the pairs more time, if there is one.
    fn key(self) -> &'static str {
        match self {
            Times::For(_) => "",
            Times::Trials { .. } => ", raise load.sweep.settle",
        }
    }
}

/// Connections a second at most, if a rate says so; of a sweep, the highest.
fn wanted(spec: &Spec) -> Option<f64> {
    let Pace::Open(profile) = &spec.pace else {
        return None;
    };
    match spec.mode {
        Mode::Connections { .. } => Some(profile.peak()),
        Mode::Requests {
            per_connection: Some(n),
        } => Some(profile.peak() / f64::from(n.get())),
        // They are opened once.
        Mode::Requests { .. } | Mode::Held { .. } | Mode::Bulk { .. } => None,
    }
}

/// Refuses a rate that the local sockets cannot sustain, and a number of connections that they cannot hold.
///
/// # Errors
/// How much it would take, how much there is, and which keys to change.
pub(super) fn check(config: &Config, plan: &Plan) -> Result<(), ConfigError> {
    let spec = &plan.spec;
    let pairs = plan.pairs(config);
    let weights: u64 = spec.targets.iter().map(|t| u64::from(t.weight.get())).sum();
    for (place, pairs) in pairs.iter().enumerate() {
        let here = spec
            .targets
            .iter()
            .filter(|t| usize::from(t.destination.0) == place);
        let weight: u64 = here.map(|t| u64::from(t.weight.get())).sum();
        let share = weight as f64 / weights as f64;
        held(config, spec, pairs, share)?;
        if let Some(rate) = wanted(spec) {
            sustained(config, spec, pairs, rate, share)?;
        }
    }
    Ok(())
}

/// As many connections as are to be alive need as many pairs, and those of the trials before that still rest.
fn held(config: &Config, spec: &Spec, pairs: &Pairs, share: f64) -> Result<(), ConfigError> {
    let all = (pairs.sources * pairs.ports) as f64;
    let alive = f64::from(spec.caps.connections) * share;
    if matches!(spec.mode, Mode::Connections { .. }) {
        return Ok(());
    }
    let (rest_ms, key) = rest(config, spec, pairs);
    let times = Times::of(config, spec);
    let before = times.before(rest_ms as f64 / 1000.0);
    if alive * (1.0 + before) <= all {
        return Ok(());
    }
    if alive <= all {
        return Err(ConfigError::nowhere(format!(
            "{} connections to {} in each trial need {} pairs of local address and port, because each rests for {} ms ({key}) \
             after a trial, and there are {}: {}, lower {key}{}",
            grouped(alive as u64),
            socket(pairs),
            grouped((alive * (1.0 + before)) as u64),
            grouped(rest_ms),
            counted(pairs),
            more(config, pairs),
            times.key(),
        )));
    }
    Err(ConfigError::nowhere(format!(
        "{} connections to {} need as many pairs of local address and port, and there are {}: {}",
        grouped(alive as u64),
        socket(pairs),
        counted(pairs),
        more(config, pairs),
    )))
}

fn sustained(
    config: &Config,
    spec: &Spec,
    pairs: &Pairs,
    rate: f64,
    share: f64,
) -> Result<(), ConfigError> {
    let (rest_ms, key) = rest(config, spec, pairs);
    let there = (pairs.sources * pairs.ports) as f64;
    let times = Times::of(config, spec);
    // A run that is over before the first pair would be used again needs no more than it uses.
    let seconds = times.within(rest_ms as f64 / 1000.0);
    let needed = rate * share * seconds;
    let all = spec.connections.map(|count| count as f64 * share);
    if needed <= there || all.is_some_and(|all| all <= there) {
        return Ok(());
    }
    Err(ConfigError::nowhere(format!(
        "{} connections a second to {} need {} pairs of local address and port, each of which rests for {} ms \
         ({key}), and there are {}: at most {} a second; {}, or lower {key}{}",
        grouped((rate * share) as u64),
        socket(pairs),
        grouped(needed as u64),
        grouped(rest_ms),
        counted(pairs),
        grouped((there / seconds) as u64),
        more(config, pairs),
        times.key(),
    )))
}

fn socket(pairs: &Pairs) -> String {
    let (address, port) = pairs.destination;
    core::net::SocketAddr::new(address.into(), port).to_string()
}

fn counted(pairs: &Pairs) -> String {
    let s = if pairs.sources == 1 { "" } else { "es" };
    format!(
        "{} ({} address{s} with {} ports)",
        grouped(pairs.sources * pairs.ports),
        grouped(pairs.sources),
        grouped(pairs.ports)
    )
}

/// What to change, so that there are more pairs.
fn more(config: &Config, pairs: &Pairs) -> &'static str {
    if pairs.ports < config.load.ports.count().into() {
        "raise load.pairs"
    } else if pairs.ports < 64_000 {
        "widen load.ports, add addresses to load.sources"
    } else {
        "add addresses to load.sources (--source), or destinations"
    }
}

#[cfg(test)]
mod tests;
