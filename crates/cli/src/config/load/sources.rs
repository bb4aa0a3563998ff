//! Addresses to connect from: single ones, ranges and prefixes.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::str::FromStr;
use std::collections::HashSet;

use serde::Deserialize;
use serde::de::{self, Deserializer};

/// Addresses of each family at most: so many the host looks up in constant time.
const MOST: u128 = 65_536;

/// Consecutive addresses of one family.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sources {
    is_v4: bool,
    /// As numbers, both included.
    first: u128,
    last: u128,
}

fn number(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(v4) => u32::from(v4).into(),
        IpAddr::V6(v6) => v6.into(),
    }
}

impl Sources {
    fn len(&self) -> u128 {
        (self.last - self.first).saturating_add(1)
    }

    /// All of `list`, each once, in order.
    pub(super) fn all(list: &[Sources]) -> Result<Vec<IpAddr>, String> {
        for (is_v4, family) in [(true, "IPv4"), (false, "IPv6")] {
            let of_family = list.iter().filter(|s| s.is_v4 == is_v4);
            let count = of_family.fold(0, |sum: u128, s| sum.saturating_add(s.len()));
            if count > MOST {
                return Err(format!(
                    "{count} {family} addresses to connect from: at most {MOST}"
                ));
            }
        }
        let mut seen = HashSet::new();
        let mut all = Vec::new();
        for sources in list {
            for n in sources.first..=sources.last {
                let ip = match sources.is_v4 {
                    // It came from 32 bits.
                    true => IpAddr::V4(Ipv4Addr::from(n as u32)),
                    false => IpAddr::V6(Ipv6Addr::from(n)),
                };
                if seen.insert(ip) {
                    all.push(ip);
                }
            }
        }
        Ok(all)
    }
}

fn address(text: &str) -> Result<IpAddr, String> {
    let text = text.trim();
    text.parse()
        .map_err(|_| format!("`{text}` is not an IP address"))
}

impl FromStr for Sources {
    type Err = String;
    fn from_str(text: &str) -> Result<Sources, String> {
        if let Some((network, bits)) = text.split_once('/') {
            return prefix(text, address(network)?, bits);
        }
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let (first, last) = (address(first)?, address(last)?);
        if first.is_ipv4() != last.is_ipv4() {
            return Err(format!("`{text}`: both ends have to be of one family"));
        }
        if number(first) > number(last) {
            return Err(format!("`{text}` is empty: write the lower address first"));
        }
        Ok(Sources {
            is_v4: first.is_ipv4(),
            first: number(first),
            last: number(last),
        })
    }
}

/// The addresses of hosts on a network.
fn prefix(text: &str, network: IpAddr, bits: &str) -> Result<Sources, String> {
    let width: u32 = if network.is_ipv4() { 32 } else { 128 };
    let bits = bits.parse::<u32>().ok().filter(|bits| *bits <= width);
    let bits = bits.ok_or_else(|| format!("`{text}`: the prefix is 0 to {width} bits"))?;
    let host = u128::MAX
        .checked_shr(128 - (width - bits))
        .unwrap_or_default();
    let first = number(network) & !host;
    let last = number(network) | host;
    if first != number(network) {
        return Err(format!(
            "`{text}` is an address with a prefix: write {} for the network, or the address alone",
            match network.is_ipv4() {
                true => format!("{}/{bits}", Ipv4Addr::from(first as u32)),
                false => format!("{}/{bits}", Ipv6Addr::from(first)),
            }
        ));
    }
    // Network and broadcast addresses are no host's (RFC 1122 3.2.1.3), nor is the anycast address of the routers (RFC
    // 4291 2.6.1).
    let (first, last) = match (network.is_ipv4(), width - bits) {
        (_, 0) | (true, 1) => (first, last),
        (true, _) => (first + 1, last - 1),
        (false, _) => (first + 1, last),
    };
    Ok(Sources {
        is_v4: network.is_ipv4(),
        first,
        last,
    })
}

impl<'de> Deserialize<'de> for Sources {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Sources, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}
