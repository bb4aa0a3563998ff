//! Whether there are enough local sockets for the rate.

use load::{Close, Mode, Pace, Spec};

use super::plan::{Pairs, Plan};
use crate::bench::summary::grouped;
use crate::config::{Config, ConfigError};

/// How long a four-tuple rests after a connection, at least, and which key says so.
fn rest(config: &Config, spec: &Spec) -> (u64, &'static str) {
    let load = &config.load;
    let interval = (load.reuse_interval.get(), "load.reuse_interval");
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

/// Connections a second at most, and in all, if the rate or the number says so.
fn wanted(spec: &Spec) -> Option<(f64, f64)> {
    let Pace::Open(profile) = &spec.pace else {
        return None;
    };
    let peak = match spec.mode {
        Mode::Connections { .. } => profile.peak(),
        Mode::Requests {
            per_connection: Some(n),
        } => profile.peak() / f64::from(n.get()),
        // They are opened once.
        Mode::Requests { .. } | Mode::Held { .. } | Mode::Bulk { .. } => return None,
    };
    let by_time = spec
        .duration
        .map_or(f64::INFINITY, |d| d.as_secs_f64() * peak);
    let by_count = spec.connections.map_or(f64::INFINITY, |n| n as f64);
    Some((peak, by_time.min(by_count)))
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
        if let Some((rate, all)) = wanted(spec) {
            sustained(config, spec, pairs, (rate * share, all * share))?;
        }
    }
    Ok(())
}

/// As many connections as are to be alive need as many pairs.
fn held(config: &Config, spec: &Spec, pairs: &Pairs, share: f64) -> Result<(), ConfigError> {
    let all = (pairs.sources * pairs.ports) as f64;
    let alive = f64::from(spec.caps.connections) * share;
    if matches!(spec.mode, Mode::Connections { .. }) || alive <= all {
        return Ok(());
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
    (rate, all): (f64, f64),
) -> Result<(), ConfigError> {
    let (rest_ms, key) = rest(config, spec);
    let there = (pairs.sources * pairs.ports) as f64;
    let needed = rate * rest_ms as f64 / 1000.0;
    // A run that is over before the first pair would be used again needs no more than it uses.
    if needed <= there || all <= there {
        return Ok(());
    }
    let most = there * 1000.0 / rest_ms as f64;
    Err(ConfigError::nowhere(format!(
        "{} connections a second to {} need {} pairs of local address and port, each of which rests for {} ms \
         ({key}), and there are {}: at most {} a second; {}, or lower {key}",
        grouped(rate as u64),
        socket(pairs),
        grouped(needed as u64),
        grouped(rest_ms),
        counted(pairs),
        grouped(most as u64),
        more(config, pairs),
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
mod tests {
    use super::*;
    use crate::config::{Purpose, Source, resolve};

    fn feasible(keys: &str) -> Result<(), String> {
        let text = format!(
            "[port]\ndevice = \"x\"\n[host]\naddresses = [\"10.0.0.1/16\"]\n[load]\n\
             targets = [\"tcp://10.0.0.2:7\"]\n{keys}"
        );
        let config = resolve(&Source::from_text("t", &text).unwrap(), Purpose::Load).unwrap();
        check(&config, &Plan::new(&config).unwrap()).map_err(|e| e.to_string())
    }

    #[test]
    fn our_time_wait_is_what_limits_us() {
        // 64,512 pairs, each a second in TIME-WAIT.
        assert_eq!(feasible("rate = 64_000"), Ok(()));
        let error = feasible("rate = 65_000").unwrap_err();
        for part in [
            "65,000 connections a second to 10.0.0.2:7 need 65,000 pairs",
            "rests for 1,000 ms (time_wait.local_reuse)",
            "there are 64,512 (1 address with 64,512 ports): at most 64,512 a second",
            "add addresses to load.sources (--source), or destinations, or lower time_wait.local_reuse",
        ] {
            assert!(error.contains(part), "{part} is not in: {error}");
        }
        let error =
            feasible("rate = \"2k\"\nduration = \"1m\"\n[tcp]\ntimestamps = false").unwrap_err();
        assert!(error.contains("60,000 ms (time_wait.length)"), "{error}");
    }

    #[test]
    fn more_addresses_or_less_rest_or_less_to_do_make_it_possible() {
        let sources = "sources = [\"10.0.1.0/28\"]\n";
        assert_eq!(feasible(&format!("{sources}rate = 900_000")), Ok(()));
        assert_eq!(feasible("rate = 900_000\nclose = \"server\""), Ok(()));
        assert_eq!(feasible("rate = 900_000\ncount = 64_512"), Ok(()));
        assert_eq!(feasible("rate = 900_000\nduration = \"70ms\""), Ok(()));
        let error = feasible("rate = 900_000\nclose = \"server\"\nreuse_interval = \"1m\"");
        assert!(error.unwrap_err().contains("lower load.reuse_interval"));
        let error = feasible("rate = 900_000\nports = \"5000-5999\"").unwrap_err();
        assert!(error.contains("widen load.ports"), "{error}");
    }

    #[test]
    fn held_connections_need_a_pair_each() {
        assert_eq!(feasible("mode = \"held\"\nconnections = 64_512"), Ok(()));
        let error = feasible("mode = \"held\"\nconnections = 64_513").unwrap_err();
        assert!(
            error.contains("64,513 connections to 10.0.0.2:7 need"),
            "{error}"
        );
    }

    #[test]
    fn several_targets_share_the_rate_by_weight() {
        let text = |weight: u32| {
            format!(
                "[port]\ndevice = \"x\"\n[host]\naddresses = [\"10.0.0.1/16\"]\n[load]\nrate = 120_000\n\
                 targets = [\"tcp://10.0.0.2:7\", {{ url = \"tcp://10.0.0.2:8\", weight = {weight} }}]\n"
            )
        };
        let check = |weight| {
            let source = Source::from_text("t", &text(weight)).unwrap();
            let config = resolve(&source, Purpose::Load).unwrap();
            check(&config, &Plan::new(&config).unwrap())
        };
        assert_eq!(check(1), Ok(()));
        assert!(
            check(2)
                .unwrap_err()
                .to_string()
                .contains("10.0.0.2:8 need 80,000")
        );
    }
}
