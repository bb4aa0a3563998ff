//! What only several keys together can get wrong.

use core::net::IpAddr;
use std::collections::HashSet;
use std::path::Path;

use super::{App, Close, Config, ConfigError, Listen, Purpose, Source};
use ::http::MAX_HEAD;

/// Checks `config` across keys; `source` gives the place of what is wrong.
///
/// # Errors
/// The first contradiction, at the line of one of its keys and naming the other's.
pub fn check(config: &Config, source: &Source, purpose: Purpose) -> Result<(), ConfigError> {
    let fail = |path: &str, message: String| Err(source.error_at(path, message));
    if config.port.device.is_empty() {
        return fail(
            "port",
            "no device: set port.device (--device) to a PCI address or a virtual device such as \
             net_tap0,iface=tw0"
                .into(),
        );
    }
    cpus(config, source)?;
    host(config, source)?;
    tcp(config, source)?;
    config.time_wait.validate(source)?;
    if let Some(listen) = config.metrics.listen
        && !listen.ip().is_loopback()
    {
        return fail(
            "metrics.listen",
            format!(
                "{} is not a loopback address, and whoever asks is answered",
                listen.ip()
            ),
        );
    }
    let (to_serve, to_load) = match purpose {
        Purpose::Serve => (true, false),
        Purpose::Load => (false, true),
        Purpose::Either => {
            let to_load = !config.load.targets.is_empty();
            (!to_load || !config.listen.is_empty(), to_load)
        }
    };
    if to_load {
        super::load::check(config, source)?;
    }
    if to_serve && config.listen.is_empty() {
        return fail(
            "listen",
            "nothing to serve: add a [[listen]] section or --listen PORT=APP".into(),
        );
    }
    for (index, listen) in config.listen.iter().enumerate() {
        listener(config, source, index, listen)?;
    }
    Ok(())
}

fn cpus(config: &Config, source: &Source) -> Result<(), ConfigError> {
    let cpus = &config.eal.cpus;
    if !(1..=64).contains(&cpus.len()) {
        return Err(source.error_at(
            "eal.cpus",
            format!("{} CPUs are out of range: 1 to 64", cpus.len()),
        ));
    }
    match cpus
        .iter()
        .enumerate()
        .find(|(i, cpu)| cpus[..*i].contains(cpu))
    {
        Some((_, cpu)) => Err(source.error_at(
            "eal.cpus",
            format!("CPU {cpu} is there twice: each worker needs one of its own"),
        )),
        None => Ok(()),
    }
}

fn host(config: &Config, source: &Source) -> Result<(), ConfigError> {
    let host = &config.host;
    if host.addresses.is_empty() {
        return Err(source.error_at(
            "host.addresses",
            "the host has no address: set host.addresses (--address), such as 192.0.2.1/24",
        ));
    }
    let mut seen = HashSet::new();
    for (i, prefix) in host.addresses.iter().enumerate() {
        let a = prefix.address;
        let path = format!("host.addresses.{i}");
        if !is_unicast(a) {
            return Err(source.error_at(&path, format!("{a} is not a unicast address")));
        }
        if !seen.insert(a) {
            return Err(source.error_at(&path, format!("{a} is there twice")));
        }
    }
    let mtu = config.port.mtu.get();
    if mtu < 1280 && host.addresses.iter().any(|p| p.address.is_ipv6()) {
        return Err(contradiction(
            source,
            "port.mtu",
            &format!(
                "an MTU of {mtu} is too small for IPv6, whose links carry at least 1280 bytes"
            ),
            "host.addresses",
        ));
    }
    gateway(config, source, "host.gateway", host.gateway.map(Into::into))?;
    let v6 = host.gateway_v6.map(Into::into);
    gateway(config, source, "host.gateway_v6", v6)
}

fn gateway(
    config: &Config,
    source: &Source,
    path: &str,
    gateway: Option<IpAddr>,
) -> Result<(), ConfigError> {
    let addresses = &config.host.addresses;
    let Some(gateway) = gateway else {
        return Ok(());
    };
    // Whoever speaks IPv6 has a link-local address.
    let link_local = matches!(gateway, IpAddr::V6(g) if g.is_unicast_link_local())
        && addresses.iter().any(|p| p.address.is_ipv6());
    if !link_local && !addresses.iter().any(|p| p.contains(gateway)) {
        return Err(source.error_at(
            path,
            format!("the gateway {gateway} is not on the prefix of any host.addresses"),
        ));
    }
    if addresses.iter().any(|p| p.address == gateway) {
        return Err(source.error_at(
            path,
            format!("the gateway {gateway} is an address of this host itself"),
        ));
    }
    Ok(())
}

pub(super) fn is_unicast(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(a) => !a.is_multicast() && !a.is_broadcast() && a.octets()[0] != 0,
        IpAddr::V6(a) => !a.is_multicast() && !a.is_unspecified() && !a.is_loopback(),
    }
}

fn tcp(config: &Config, source: &Source) -> Result<(), ConfigError> {
    let tcp = &config.tcp;
    let mtu = config.port.mtu.get();
    if let Some(mss) = tcp.mss
        && mss.get() + 40 > mtu
    {
        return Err(contradiction(
            source,
            "tcp.mss",
            &format!(
                "an MSS of {mss} does not fit an MTU of {mtu}: at most {}",
                mtu - 40
            ),
            "port.mtu",
        ));
    }
    if tcp.rto_min > tcp.rto_initial {
        return Err(contradiction(
            source,
            "tcp.rto_min",
            &format!(
                "the least retransmission time-out {} is above the initial one, {}",
                tcp.rto_min, tcp.rto_initial
            ),
            "tcp.rto_initial",
        ));
    }
    if tcp.rto_initial.get() > tcp.rto_max.get() {
        return Err(contradiction(
            source,
            "tcp.rto_initial",
            &format!(
                "the initial retransmission time-out {} is above the greatest one, {}",
                tcp.rto_initial, tcp.rto_max
            ),
            "tcp.rto_max",
        ));
    }
    let http = config.listen.iter().position(|l| l.app == App::Http);
    if let Some(http) = http
        && tcp.rcv_buf.get() < MAX_HEAD as u64
    {
        return Err(contradiction(
            source,
            "tcp.rcv_buf",
            &format!(
                "a receive buffer of {} bytes may not hold the head of a request: at least \
                 {MAX_HEAD} for the http application",
                tcp.rcv_buf
            ),
            &format!("listen.{http}.app"),
        ));
    }
    if !tcp.window_scaling && tcp.rcv_buf.get() > 65_535 && source.has("tcp.rcv_buf") {
        return Err(contradiction(
            source,
            "tcp.rcv_buf",
            &format!(
                "a window of {} needs window scaling: at most 65535 bytes without",
                tcp.rcv_buf
            ),
            "tcp.window_scaling",
        ));
    }
    Ok(())
}

fn listener(
    config: &Config,
    source: &Source,
    index: usize,
    listen: &Listen,
) -> Result<(), ConfigError> {
    let at = |key: &str| format!("listen.{index}.{key}");
    let time_wait = config.time_wait.stack();
    listen
        .time_wait
        .validate(&time_wait, source, &at("time_wait"))?;
    if let Some(address) = listen.address
        && !config.host.addresses.iter().any(|p| p.address == address)
    {
        return Err(source.error_at(
            &at("address"),
            format!("{address} is not one of host.addresses"),
        ));
    }
    for (other_index, other) in config.listen[..index].iter().enumerate() {
        let overlap =
            listen.address.is_none() || other.address.is_none() || listen.address == other.address;
        if other.port == listen.port && overlap {
            return Err(contradiction(
                source,
                &at("port"),
                &format!("port {} is taken by another listener", listen.port),
                &format!("listen.{other_index}.port"),
            ));
        }
    }
    let app = listen.app.name();
    for (key, given, of) in [
        ("body", listen.body.is_some(), App::Http),
        ("file", listen.file.is_some(), App::Http),
        (
            "request_bytes",
            listen.request_bytes.is_some(),
            App::Exchange,
        ),
        (
            "response_bytes",
            listen.response_bytes.is_some(),
            App::Exchange,
        ),
    ] {
        if given && listen.app != of {
            return Err(contradiction(
                source,
                &at(key),
                &format!(
                    "`{key}` is for the {} application, not for {app}",
                    of.name()
                ),
                &at("app"),
            ));
        }
    }
    if matches!(listen.app, App::Echo | App::Discard) && listen.close == Some(Close::Server) {
        return Err(contradiction(
            source,
            &at("close"),
            &format!("{app} has no end of its own: only the client can close first"),
            &at("app"),
        ));
    }
    if listen.body.is_some() && listen.file.is_some() {
        return Err(contradiction(
            source,
            &at("file"),
            "`body` and `file` both say what the body is: give one",
            &at("body"),
        ));
    }
    match &listen.file {
        Some(path) => file(source, &at("file"), path),
        None => Ok(()),
    }
}

/// A file that is served has to be there.
fn file(source: &Source, path: &str, file: &Path) -> Result<(), ConfigError> {
    match std::fs::metadata(file) {
        Ok(found) if found.is_file() => Ok(()),
        Ok(_) => Err(source.error_at(path, format!("{} is not a file", file.display()))),
        Err(e) => Err(source.error_at(path, format!("{}: {e}", file.display()))),
    }
}

/// An error at `path` that names the place of the key it contradicts, if that was given.
fn contradiction(source: &Source, path: &str, message: &str, other: &str) -> ConfigError {
    match source.place_of(other) {
        Some(place) => source.error_at(path, format!("{message} ({other} is at {place})")),
        None => source.error_at(path, message),
    }
}
