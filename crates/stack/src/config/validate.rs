//! What can be checked of a configuration before anything is allocated.

use wire::Ip;

use super::{
    Config, ConfigError, DestinationConfig, InterfaceAddress, ListenerConfig, is_unicast, time_wait,
};
use crate::link::{Addresses, Prefixes, is_link_local};

/// What is asked of the addresses again and again: there may be tens of thousands.
struct Own {
    addresses: Addresses,
    prefixes: Prefixes,
    speaks_v4: bool,
    speaks_v6: bool,
}

impl Own {
    fn new(addresses: &[InterfaceAddress]) -> Own {
        Own {
            addresses: addresses.iter().map(|a| a.ip).collect(),
            prefixes: Prefixes::new(addresses),
            speaks_v4: addresses.iter().any(|a| a.ip.is_v4()),
            speaks_v6: addresses.iter().any(|a| !a.ip.is_v4()),
        }
    }

    fn speaks(&self, is_v4: bool) -> bool {
        if is_v4 {
            self.speaks_v4
        } else {
            self.speaks_v6
        }
    }

    /// The link-local prefix is every host's that speaks IPv6.
    fn is_on_link(&self, ip: Ip) -> bool {
        is_link_local(ip) && self.speaks_v6 || self.prefixes.contain(ip)
    }
}

impl Config {
    /// Checks what can be checked before anything is allocated.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn validate(&self) -> Result<(), ConfigError> {
        if self.addresses.is_empty() {
            return Err(ConfigError::NoAddress);
        }
        for a in &self.addresses {
            let longest = if a.ip.is_v4() { 32 } else { 128 };
            if a.prefix > longest {
                return Err(ConfigError::BadPrefix(a.ip, a.prefix));
            }
            if !is_unicast(a.ip) {
                return Err(ConfigError::NotUnicast(a.ip));
            }
        }
        if let Some(vlan) = self.vlan
            && !(1..=4094).contains(&vlan)
        {
            return Err(ConfigError::BadVlan(vlan));
        }
        if !(576..=9216).contains(&self.mtu) {
            return Err(ConfigError::BadMtu(self.mtu));
        }
        //= RFC 8200 5
        //# IPv6 requires that every link in the Internet have an MTU of 1280
        //# octets or greater.
        let own = Own::new(&self.addresses);
        if self.mtu < 1280 && own.speaks_v6 {
            return Err(ConfigError::MtuTooSmallForIpv6(self.mtu));
        }
        validate_gateway(self.gateway, true, &own)?;
        validate_gateway(self.gateway_v6, false, &own)?;
        for &length_ms in &self.time_wait_lengths_ms {
            if length_ms > time_wait::MAX_LENGTH_MS {
                return Err(ConfigError::BadTimeWait(length_ms));
            }
        }
        self.validate_capacities()?;
        self.validate_listeners(&own)?;
        self.validate_destinations(&own)
    }

    fn validate_capacities(&self) -> Result<(), ConfigError> {
        let range = |name, low, high, value| {
            if (low..=high).contains(&value) {
                Ok(())
            } else {
                Err(ConfigError::BadCapacity(name, low, high, value))
            }
        };
        let gib = 1u64 << 30;
        range("max_connections", 1, 1 << 30, self.max_connections.into())?;
        range("max_neighbors", 1, 65_535, self.max_neighbors.into())?;
        range(
            "time_wait_capacity",
            1,
            1 << 31,
            self.time_wait_capacity as u64,
        )?;
        range(
            "receive_memory",
            1 << 16,
            1024 * gib,
            self.receive_memory as u64,
        )?;
        range("send_memory", 1 << 16, 1024 * gib, self.send_memory as u64)
    }

    fn validate_listeners(&self, own: &Own) -> Result<(), ConfigError> {
        for (i, l) in self.listeners.iter().enumerate() {
            if l.port == 0 {
                return Err(ConfigError::BadPorts(0, 0));
            }
            if let Some(address) = l.address
                && !own.addresses.contains(address)
            {
                return Err(ConfigError::NotOurs(address));
            }
            // A wildcard and a specific address on one port would be legal with a rule of
            // precedence; nobody here needs the ambiguity.
            let overlaps = |other: &ListenerConfig| {
                other.port == l.port
                    && (other.address.is_none()
                        || l.address.is_none()
                        || other.address == l.address)
            };
            if self.listeners[..i].iter().any(overlaps) {
                return Err(ConfigError::DuplicateListener(l.port));
            }
            l.time_wait.validate()?;
            l.tcp.validate()?;
        }
        Ok(())
    }

    fn validate_destinations(&self, own: &Own) -> Result<(), ConfigError> {
        for (i, d) in self.destinations.iter().enumerate() {
            if !is_unicast(d.address) {
                return Err(ConfigError::NotUnicast(d.address));
            }
            let is_v4 = d.address.is_v4();
            if let Some(&source) = d.sources.iter().find(|s| s.is_v4() != is_v4) {
                return Err(ConfigError::FamiliesDiffer(source, d.address));
            }
            if d.port == 0 || d.first_port == 0 || d.first_port > d.last_port {
                return Err(ConfigError::BadPorts(d.first_port, d.last_port));
            }
            if let Some(&source) = d.sources.iter().find(|s| !own.addresses.contains(**s)) {
                return Err(ConfigError::NotOurs(source));
            }
            let gateway = if is_v4 { self.gateway } else { self.gateway_v6 };
            if !own.is_on_link(d.address) && (gateway.is_none() || !own.speaks(is_v4)) {
                return Err(ConfigError::NoRoute(d.address));
            }
            let overlaps = |other: &DestinationConfig| {
                let any = |x: &DestinationConfig| x.sources.is_empty();
                (other.address, other.port) == (d.address, d.port)
                    && other.first_port <= d.last_port
                    && d.first_port <= other.last_port
                    && (any(other) || any(d) || share(&other.sources, &d.sources))
            };
            if self.destinations[..i].iter().any(overlaps) {
                return Err(ConfigError::DuplicateDestination(d.address, d.port));
            }
            // TIME-WAIT knows a destination by its address and port.
            let differs = |other: &DestinationConfig| {
                (other.address, other.port) == (d.address, d.port)
                    && (other.time_wait != d.time_wait || other.tcp != d.tcp)
            };
            if self.destinations[..i].iter().any(differs) {
                return Err(ConfigError::TimeWaitDiffers(d.address, d.port));
            }
            d.time_wait.validate()?;
            if d.selection.min_interval_ms > time_wait::MAX_LENGTH_MS {
                return Err(ConfigError::BadInterval(d.selection.min_interval_ms));
            }
            d.tcp.validate()?;
        }
        Ok(())
    }
}

fn validate_gateway(gateway: Option<Ip>, is_v4: bool, own: &Own) -> Result<(), ConfigError> {
    match gateway {
        Some(ip) if ip.is_v4() != is_v4 => Err(ConfigError::GatewayFamily(ip)),
        Some(ip) if !own.is_on_link(ip) => Err(ConfigError::GatewayOffLink(ip)),
        _ => Ok(()),
    }
}

/// Whether an address is in both lists.
fn share(some: &[Ip], others: &[Ip]) -> bool {
    let some: Addresses = some.iter().copied().collect();
    others.iter().any(|&ip| some.contains(ip))
}

#[cfg(test)]
mod tests;
