//! What only several keys of a load together can get wrong.

use core::net::IpAddr;

use super::{Mode, Scheme, effect};
use crate::args::name_of;
use crate::config::{Config, ConfigError, Source};

/// Checks the load of `config`.
///
/// # Errors
/// The first contradiction, at the line of one of its keys.
pub(in crate::config) fn check(config: &Config, source: &Source) -> Result<(), ConfigError> {
    let load = &config.load;
    let fail = |path: &str, message: String| Err(source.error_at(path, message));
    if load.targets.is_empty() {
        return fail(
            "load",
            "nowhere to connect to: give a URL such as http://10.0.0.2/, or set load.targets"
                .into(),
        );
    }
    let workers = config.eal.cpus.len() as u64;
    if load.connections.get() < workers {
        return fail(
            "load.connections",
            format!(
                "{} connections for {workers} workers: at least one each",
                load.connections
            ),
        );
    }
    if load.rate.is_some() && !load.steps.is_empty() {
        return fail(
            "load.steps",
            "`rate` and `steps` both say how fast: give one".into(),
        );
    }
    if load.ramp.get() > 0 && load.rate.is_none() {
        return fail(
            "load.ramp",
            "a ramp needs the rate that it leads to: set load.rate (-R)".into(),
        );
    }
    if load
        .steps
        .iter()
        .all(|s| s.to.get() == 0 && s.from.is_none_or(|f| f.get() == 0))
        && !load.steps.is_empty()
    {
        return fail("load.steps", "the rate is 0 throughout".into());
    }
    let one_way = matches!(load.mode, Mode::Send | Mode::Both);
    if let Some(at) = load
        .targets
        .iter()
        .position(|t| t.url.scheme == Scheme::Http)
        && one_way
    {
        return fail(
            &format!("load.targets.{at}"),
            format!(
                "mode {} sends octets that are no requests: give a target that begins with tcp:// and discards or \
                 echoes them, or use mode \"connections\" or \"requests\" with load.http.body",
                name_of(load.mode)
            ),
        );
    }
    effect::check(load, source)?;
    sweep(config, source)?;
    addresses(config, source)
}

fn sweep(config: &Config, source: &Source) -> Result<(), ConfigError> {
    let load = &config.load;
    let Some(sweep) = &load.sweep else {
        return Ok(());
    };
    let fail = |path: &str, message: String| Err(source.error_at(path, message));
    for (key, given) in [
        ("rate", load.rate.is_some()),
        ("steps", !load.steps.is_empty()),
        ("duration", load.duration.is_some()),
        ("count", load.count.is_some()),
    ] {
        if given {
            return fail(
                &format!("load.{key}"),
                format!(
                    "a sweep has rates and a time for each trial of its own: no load.{key} beside load.sweep"
                ),
            );
        }
    }
    if !matches!(load.mode, Mode::Connections | Mode::Requests) {
        return fail(
            "load.sweep",
            "a sweep is for the modes \"connections\" and \"requests\", which have a rate".into(),
        );
    }
    if sweep.from.get() > sweep.to.get() {
        return fail(
            "load.sweep.to",
            format!(
                "the highest rate {} is below the lowest, {}",
                sweep.to, sweep.from
            ),
        );
    }
    if sweep.resolution.get() < load::search::Search::FINEST {
        return fail(
            "load.sweep.resolution",
            format!("{} is out of range: 0.1% to 100%", sweep.resolution),
        );
    }
    Ok(())
}

fn addresses(config: &Config, source: &Source) -> Result<(), ConfigError> {
    let load = &config.load;
    let sources = load
        .source_addresses()
        .map_err(|e| source.error_at("load.sources", e))?;
    if let Some(bad) = sources
        .iter()
        .find(|ip| !crate::config::check::is_unicast(**ip))
    {
        return Err(source.error_at("load.sources", format!("{bad} is not a unicast address")));
    }
    let ours = || {
        let host = config.host.addresses.iter().map(|p| p.address);
        host.chain(sources.iter().copied())
    };
    for (index, target) in load.targets.iter().enumerate() {
        let at = |key: &str| format!("load.targets.{index}{key}");
        let to = target.url.address;
        if !crate::config::check::is_unicast(to) {
            return Err(source.error_at(&at(""), format!("{to} is not a unicast address")));
        }
        if ours().any(|ip| ip == to) {
            return Err(source.error_at(&at(""), format!("{to} is an address of this host itself")));
        }
        let family = if to.is_ipv4() { "IPv4" } else { "IPv6" };
        let is_family = |ip: &IpAddr| ip.is_ipv4() == to.is_ipv4();
        let usable = match sources.is_empty() {
            true => config.host.addresses.iter().any(|p| is_family(&p.address)),
            false => sources.iter().any(is_family),
        };
        if !usable {
            return Err(source.error_at(
                &at(""),
                format!("there is no {family} address to connect to {to} from: add one to host.addresses or load.sources"),
            ));
        }
        let gateway = match to {
            IpAddr::V4(_) => config.host.gateway.is_some(),
            IpAddr::V6(_) => config.host.gateway_v6.is_some(),
        };
        let link_local = matches!(to, IpAddr::V6(ip) if ip.is_unicast_link_local());
        let on_link = link_local || config.host.addresses.iter().any(|p| p.contains(to));
        if !on_link && !gateway {
            return Err(source.error_at(
                &at(""),
                format!("{to} is on no prefix of host.addresses and there is no gateway: set host.gateway (--gateway)"),
            ));
        }
    }
    Ok(())
}
