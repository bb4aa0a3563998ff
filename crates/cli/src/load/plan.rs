//! A configuration in the words of the stack and of the generator.

use core::net::IpAddr;
use core::num::NonZeroU32;
use std::collections::HashSet;
use std::sync::Arc;

use load::{Caps, Close, Exchange, Mode, Pace, Spec, Target};
use stack::{DestinationConfig, DestinationId, InterfaceAddress, Offload, PortSelection};
use wire::{Ip, MacAddr};

use super::exchange::exchanges;
use crate::config::load::{End, Load, Mode as Kind};
use crate::config::{Config, ConfigError};

/// What the workers are to do, and what is said.
#[derive(Clone, Debug)]
pub struct Plan {
    /// For all workers together.
    pub spec: Spec,
    /// What is said, by target.
    pub exchanges: Arc<[Exchange]>,
    /// Source addresses.
    sources: Vec<Ip>,
    destinations: Vec<Destination>,
}

/// A socket that is connected to.
#[derive(Clone, Copy, Debug)]
struct Destination {
    socket: (Ip, u16),
    /// The least time between two connections of one four-tuple, in milliseconds.
    interval_ms: u64,
}

impl Plan {
    /// What `config` says.
    ///
    /// # Errors
    /// What cannot be done.
    pub fn new(config: &Config) -> Result<Plan, ConfigError> {
        let load = &config.load;
        let mut destinations: Vec<Destination> = Vec::new();
        let mut targets = Vec::new();
        let (exchanges, requests) = exchanges(load)?;
        for (target, place) in load.targets.iter().zip(0..) {
            let socket = (Ip::from(target.url.address), target.url.port);
            // Several URLs may lead to one socket, which has one pool of local ones.
            let interval_ms = target.reuse_interval.unwrap_or(load.reuse_interval).get();
            let known = destinations.iter().position(|d| d.socket == socket);
            let at = known.unwrap_or_else(|| {
                destinations.push(Destination {
                    socket,
                    interval_ms,
                });
                destinations.len() - 1
            });
            // What one URL of a socket needs holds for all.
            let longest = destinations[at].interval_ms.max(interval_ms);
            destinations[at].interval_ms = longest;
            targets.push(Target {
                destination: DestinationId(u16::try_from(at).unwrap_or(u16::MAX)),
                weight: nonzero(target.weight.get()),
                exchange: place,
            });
        }
        let addresses = load.source_addresses().map_err(ConfigError::nowhere)?;
        let plan = Plan {
            spec: spec(load, requests, targets),
            exchanges: exchanges.into(),
            sources: addresses.into_iter().map(Ip::from).collect(),
            destinations,
        };
        plan.spec
            .validate(&plan.exchanges)
            .map_err(|e| ConfigError::nowhere(e.to_string()))?;
        Ok(plan)
    }

    /// The host of the `n`th worker of `of`, on a port with the address `mac`.
    #[must_use]
    pub fn host(&self, config: &Config, mac: MacAddr, n: u16, of: u16) -> stack::Config {
        let mut host = config.host(mac, Offload::default(), 0);
        host.listeners.clear();
        // There may be tens of thousands.
        let known: HashSet<Ip> = host.addresses.iter().map(|a| a.ip).collect();
        let new = self.sources.iter().filter(|ip| !known.contains(ip));
        let on_link = |ip: &Ip| on_link(&config.host.addresses, *ip);
        host.addresses.extend(new.map(on_link));
        let (share, _) = self.spec.share(n, of);
        // Connections that were reset are alive until their RST is sent.
        let room = share.caps.connections.saturating_add(64);
        host.max_connections = host.max_connections.max(room);
        let destination = |to: &Destination| self.destination(config, to);
        host.destinations = self.destinations.iter().map(destination).collect();
        host
    }

    fn destination(&self, config: &Config, to: &Destination) -> DestinationConfig {
        let load = &config.load;
        let (address, port) = to.socket;
        let sources = self.sources_for(config, address);
        let ports = load.ports.lowest(ports_of_each(load, sources.len() as u64));
        let (first_port, last_port, unused_ports) = ports.span();
        let length = |ms: u64| u32::try_from(ms).unwrap_or(u32::MAX);
        DestinationConfig {
            address,
            port,
            sources,
            first_port,
            last_port,
            unused_ports,
            limit: None,
            selection: PortSelection {
                algorithm: load.port_algorithm.into(),
                min_interval_ms: length(to.interval_ms),
            },
            tcp: config.tcp.protocol(config.mss()),
            time_wait: config.time_wait.stack(),
        }
    }

    /// The addresses that `to` is connected to from: those that were given for it, or those of the host.
    fn sources_for(&self, config: &Config, to: Ip) -> Vec<Ip> {
        let of_family = |ip: &Ip| ip.is_v4() == to.is_v4();
        if self.sources.is_empty() {
            let host = config.host.addresses.iter().map(|p| Ip::from(p.address));
            let link_local =
                |ip: &Ip| matches!(IpAddr::from(*ip), IpAddr::V6(v6) if v6.is_unicast_link_local());
            // Of the same scope, as far as there are such (RFC 6724 5).
            let scope = link_local(&to);
            let all: Vec<Ip> = host.filter(of_family).collect();
            let same: Vec<Ip> = all
                .iter()
                .copied()
                .filter(|ip| link_local(ip) == scope)
                .collect();
            return if same.is_empty() && !scope { all } else { same };
        }
        self.sources.iter().copied().filter(of_family).collect()
    }

    /// Pairs of local address and port of each destination, over all workers.
    #[must_use]
    pub fn pairs(&self, config: &Config) -> Vec<Pairs> {
        let load = &config.load;
        let of = |to: &Destination| {
            let sources = self.sources_for(config, to.socket.0).len() as u64;
            Pairs {
                destination: to.socket,
                interval_ms: to.interval_ms,
                sources,
                ports: ports_of_each(load, sources).into(),
            }
        };
        self.destinations.iter().map(of).collect()
    }
}

/// How many local sockets there are for a destination.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pairs {
    /// The destination.
    pub destination: (Ip, u16),
    /// The least time between two connections of one pair, in milliseconds.
    pub interval_ms: u64,
    /// Local addresses.
    pub sources: u64,
    /// Ports of each.
    pub ports: u64,
}

/// Ports of each source address: all, unless there would be more pairs than are remembered.
fn ports_of_each(load: &Load, sources: u64) -> u32 {
    let most = load.pairs.get() / sources.max(1);
    load.ports
        .count()
        .min(u32::try_from(most).unwrap_or(u32::MAX))
        .max(1)
}

/// `ip` on the prefix of the host that it is on, or else on none.
fn on_link(prefixes: &[crate::config::Prefix], ip: Ip) -> InterfaceAddress {
    let prefix = prefixes.iter().find(|p| p.contains(IpAddr::from(ip)));
    let alone = if ip.is_v4() { 32 } else { 128 };
    InterfaceAddress {
        ip,
        prefix: prefix.map_or(alone, |p| p.length),
    }
}

fn nonzero(value: u64) -> NonZeroU32 {
    let value = u32::try_from(value).unwrap_or(u32::MAX);
    NonZeroU32::new(value).unwrap_or(NonZeroU32::MIN)
}

fn spec(load: &Load, requests: NonZeroU32, targets: Vec<Target>) -> Spec {
    let narrow = |value: u64| u32::try_from(value).unwrap_or(u32::MAX);
    let bulk = |send, receive| Mode::Bulk {
        send,
        receive,
        per_connection: None,
    };
    Spec {
        mode: match load.mode {
            Kind::Connections => Mode::Connections { requests },
            Kind::Requests => Mode::Requests {
                per_connection: load.requests.map(|_| requests),
            },
            Kind::Held => Mode::Held {
                every: load.every.map(|t| t.duration()),
            },
            Kind::Send => bulk(true, false),
            Kind::Receive => bulk(false, true),
            Kind::Both => bulk(true, true),
        },
        pace: load.profile().map_or(Pace::Closed, Pace::Open),
        close: match load.close {
            End::Fin => Close::Fin,
            End::Reset => Close::Reset,
            End::Half => Close::HalfClose,
            End::Server => Close::Peer,
        },
        think: load.think.duration(),
        timeout: Some(load.timeout.duration()),
        caps: Caps {
            connections: narrow(load.connections.get()),
            opening: narrow(load.opening()),
        },
        duration: load.duration_ms().map(core::time::Duration::from_millis),
        connections: load.count.map(|n| n.get()),
        targets,
    }
}

#[cfg(test)]
mod tests;
