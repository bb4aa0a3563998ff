//! `[host]`: the addresses of the host that lives on the port.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr};
use core::str::FromStr;

use serde::Deserialize;
use serde::de::{self, Deserializer};

use super::quantity::Count;

/// Addresses and routes.
#[derive(Deserialize, Clone, PartialEq, Debug)]
#[serde(deny_unknown_fields, default)]
pub struct Host {
    /// Addresses with their on-link prefix: `["192.0.2.1/24"]`. At least one.
    pub addresses: Vec<Prefix>,
    /// Where packets go that are for no on-link prefix. Must be on-link itself. Default: none,
    /// such packets are not sent.
    pub gateway: Option<Ipv4Addr>,
    /// The most neighbours remembered (ARP), 1 to 65535. Default 1024.
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
            neighbors: Count::of(1024),
            replies_per_second: Count::of(10_000),
        }
    }
}

/// An IPv4 address and the length of its on-link prefix.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Prefix {
    /// The address.
    pub address: Ipv4Addr,
    /// Bits, 0 to 32.
    pub length: u8,
}

impl Prefix {
    /// Whether `other` is on the same link.
    #[must_use]
    pub fn contains(&self, other: Ipv4Addr) -> bool {
        let mask = u32::MAX
            .checked_shl(32 - u32::from(self.length))
            .unwrap_or(0);
        (u32::from(self.address) ^ u32::from(other)) & mask == 0
    }
}

impl FromStr for Prefix {
    type Err = String;
    fn from_str(text: &str) -> Result<Prefix, String> {
        let (address, length) = text
            .split_once('/')
            .ok_or_else(|| format!("`{text}` needs the length of its prefix: {text}/24"))?;
        let address = match address.parse::<IpAddr>() {
            Ok(IpAddr::V4(address)) => address,
            Ok(IpAddr::V6(_)) => {
                return Err(format!("`{text}`: IPv6 is not carried yet; use IPv4"));
            }
            Err(_) => return Err(format!("`{address}` is not an IP address")),
        };
        let length = length
            .parse::<u8>()
            .ok()
            .filter(|length| *length <= 32)
            .ok_or_else(|| format!("`{length}` is not a prefix length: 0 to 32"))?;
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
