//! `[host]`: the addresses of the host that lives on the port.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::str::FromStr;

use serde::Deserialize;
use serde::de::{self, Deserializer};

use super::quantity::Count;

/// Addresses and routes.
#[derive(Deserialize, Clone, PartialEq, Debug)]
#[serde(deny_unknown_fields, default)]
pub struct Host {
    /// Addresses of both families with their on-link prefix: `["192.0.2.1/24", "2001:db8::1/64"]`. At
    /// least one. With one of IPv6 the host has a link-local address, too: that which follows from the
    /// port's Ethernet address, unless one is given here.
    pub addresses: Vec<Prefix>,
    /// Where IPv4 packets go that are for no on-link prefix. Must be on-link itself. Default: none,
    /// such packets are not sent.
    pub gateway: Option<Ipv4Addr>,
    /// The same for IPv6; may be link-local. Routers are not looked for: this is the only one.
    pub gateway_v6: Option<Ipv6Addr>,
    /// How often the link is asked, a second apart, whether another host has an IPv6 address, before it
    /// is used (RFC 4862 5.4), 0 to 16. Default 1; 0: not at all.
    pub address_probes: Count<0, 16>,
    /// The most neighbours remembered (ARP and neighbour discovery), 1 to 65535. Default 1024.
    pub neighbors: Count<1, 65535>,
    /// RSTs, ICMP errors, echo replies and challenge ACKs a second and worker, each kind on its own budget, 0
    /// to 1000000000. Default 10000.
    pub replies_per_second: Count<0, 1_000_000_000>,
}

impl Default for Host {
    fn default() -> Host {
        Host {
            addresses: Vec::new(),
            gateway: None,
            gateway_v6: None,
            address_probes: Count::of(1),
            neighbors: Count::of(1024),
            replies_per_second: Count::of(10_000),
        }
    }
}

/// An address and the length of its on-link prefix.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Prefix {
    /// The address.
    pub address: IpAddr,
    /// Bits, 0 to 32 for IPv4, 0 to 128 for IPv6.
    pub length: u8,
}

impl Prefix {
    /// Whether `other` is on the same link.
    #[must_use]
    pub fn contains(&self, other: IpAddr) -> bool {
        stack::InterfaceAddress::from(*self).on_link(other.into())
    }
}

impl FromStr for Prefix {
    type Err = String;
    fn from_str(text: &str) -> Result<Prefix, String> {
        let (address, length) = text.split_once('/').ok_or_else(|| {
            let usual = if text.contains(':') { 64 } else { 24 };
            format!("`{text}` needs the length of its prefix: {text}/{usual}")
        })?;
        let address: IpAddr = address
            .parse()
            .map_err(|_| format!("`{address}` is not an IP address"))?;
        if let IpAddr::V6(v6) = address
            && let Some(v4) = v6.to_ipv4_mapped()
        {
            return Err(format!("`{text}` is an IPv4 address: write it as {v4}"));
        }
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let length = length
            .parse::<u8>()
            .ok()
            .filter(|length| *length <= longest)
            .ok_or_else(|| format!("`{length}` is not a prefix length: 0 to {longest}"))?;
        Ok(Prefix { address, length })
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.length)
    }
}

impl<'de> Deserialize<'de> for Prefix {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Prefix, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}
