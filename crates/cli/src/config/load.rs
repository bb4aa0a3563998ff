//! `[load]`: what `tidewheel load` does.

use core::net::IpAddr;
use std::path::PathBuf;

use serde::Deserialize;

use super::Ports as Algorithm;
use super::quantity::{Count, Millis};

pub use http::{ExpectStatus, Header, Http};
pub use profile::{Rate, Step};
pub use sources::Sources;
pub use sweep::{Share, Sweep};
pub use target::{Scheme, Target, Url};

mod check;
mod effect;
mod http;
mod profile;
mod sources;
mod sweep;
mod target;

pub(super) use check::check;

/// The load generator. Numbers and rates are those of all workers together.
#[derive(Deserialize, Clone, PartialEq, Debug)]
#[serde(deny_unknown_fields, default)]
pub struct Load {
    /// Where to: `"http://10.0.0.2/"`, `"tcp://[2001:db8::2]:7"`, or with a share of the connections of its own
    /// `{ url = "http://10.0.0.2:8080/x", weight = 3 }`, 1 to 65535, and a `reuse_interval` of its own. Names are not resolved.
    /// Required.
    pub targets: Vec<Target>,
    /// `"connections"`: each opens, asks, is answered and closes. `"requests"`: over kept connections. `"held"`: opened and
    /// kept. `"send"`, `"receive"`, `"both"`: as many octets as fit; received over HTTP, answer after answer. Default
    /// `"connections"`.
    pub mode: Mode,
    /// The most connections alive at a time, 1 to 16777216; without a rate, so many are kept alive. Default 100.
    pub connections: Count<1, { 1 << 24 }>,
    /// The most unanswered SYNs at a time, 1 to 16777216. Default: as many as `connections`.
    pub opening: Option<Count<1, { 1 << 24 }>>,
    /// Open loop: so many connections a second (requests, where `mode` is `"requests"`), 1 to 1G, whether or not the
    /// server keeps up. Default: closed loop, as fast as the answers come.
    pub rate: Option<Rate>,
    /// How long the rate takes to rise evenly from 0, 0s to 24h. Default `"0s"`.
    pub ramp: Millis<0, 86_400_000>,
    /// A rate that changes, instead of `rate`: `[{ time = "10s", from = 0, to = "100k" }, { time = "1m", to = "100k" }]`.
    /// `from` is where the step before ended, unless it is given; the last rate stays. Default: none.
    pub steps: Vec<Step>,
    /// `[load.sweep]`: trials that look for the highest rate that is sustained, instead of `rate`.
    pub sweep: Option<Sweep>,
    /// How long, 1ms to 30d. Default `"10s"`, unless `count` is given and connections end by themselves (mode connections, or requests with `requests`).
    pub duration: Option<Millis<1, 2_592_000_000>>,
    /// How many connections are opened, 1 to 2^48. Default: as many as there is time for.
    pub count: Option<Count<1, { 1 << 48 }>>,
    /// Requests a connection, 1 to 4294967295. Default 1, with a script as many as it has steps; where `mode` is
    /// `"requests"`, no end.
    pub requests: Option<Count<1, { u32::MAX as u64 }>>,
    /// `"held"`: time between an answer and the next request, 1ms to 24h. Default: no requests.
    pub every: Option<Millis<1, 86_400_000>>,
    /// Pause between an answer and what follows on its connection, 0s to 24h. Default `"0s"`.
    pub think: Millis<0, 86_400_000>,
    /// How long an opening, an answer or a close may take, 1ms to 24h; in bulk, how long nothing may move. What takes longer
    /// is reset and counted. Default `"10s"`.
    pub timeout: Millis<1, 86_400_000>,
    /// `"fin"`: we close first. `"reset"`: with RST. `"half"`: FIN right behind the last request. `"server"`: the server
    /// closes first. Default `"fin"`.
    pub close: End,
    /// Addresses to connect from: `["10.0.1.0/24", "10.0.2.1-10.0.2.9", "2001:db8:1::/112"]`, up to 65,536 of each
    /// family; of an IPv4 network, those of hosts. They become addresses of the host, and take turns. Default: `host.addresses`.
    pub sources: Vec<Sources>,
    /// Ports to connect from, such as `"1024-9999,20000-65535"`. Default `"1024-65535"` (RFC 6056 3.2).
    pub ports: Ports,
    /// The most pairs of local address and port of a destination that a worker remembers, 64k to 512M (16 bytes each). With
    /// more, fewer ports of each address are used. Default `"16M"`.
    pub pairs: Count<64_000, 512_000_000>,
    /// Which pair is next: `"longest-rest"`, or RFC 6056's `"random"`, `"random-retry"`, `"hash"`, `"double-hash"`,
    /// `"random-increments"`. Default `"longest-rest"`, which begins somewhere else at each start.
    pub port_algorithm: Algorithm,
    /// The least time between the end of a connection and the next one of the same four-tuple, 0s to 24h: so long the
    /// server, or something on the way, may remember it. Default `"0s"`.
    pub reuse_interval: Millis<0, 86_400_000>,
    /// `tcp://`: a file with what is sent and expected, step by step. Default: `request_bytes` and `response_bytes`.
    pub script: Option<PathBuf>,
    /// `[load.http]`: requests and answers of targets that begin with `http://`.
    pub http: Http,
    /// `tcp://`: octets of a request, 0 to 1G. Default 1.
    pub request_bytes: super::quantity::Bytes<0, { 1 << 30 }>,
    /// `tcp://`: octets of an answer, 0 to 1024G. Default 1.
    pub response_bytes: super::quantity::Bytes<0, { 1 << 40 }>,
}

impl Default for Load {
    fn default() -> Load {
        Load {
            targets: Vec::new(),
            mode: Mode::Connections,
            connections: Count::of(100),
            opening: None,
            rate: None,
            ramp: Millis::of(0),
            steps: Vec::new(),
            sweep: None,
            duration: None,
            count: None,
            requests: None,
            every: None,
            think: Millis::of(0),
            timeout: Millis::of(10_000),
            close: End::Fin,
            sources: Vec::new(),
            ports: Ports::range(1024, u16::MAX),
            pairs: Count::of(16_000_000),
            port_algorithm: Algorithm::LongestRest,
            reuse_interval: Millis::of(0),
            script: None,
            http: Http::default(),
            request_bytes: super::quantity::Bytes::of(1),
            response_bytes: super::quantity::Bytes::of(1),
        }
    }
}

/// The kind of traffic.
#[derive(Deserialize, clap::ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Connections: open, ask, be answered, close.
    Connections,
    /// Requests over kept connections.
    Requests,
    /// Connections opened and kept.
    Held,
    /// Octets, as many as fit, from us.
    Send,
    /// Octets, as many as fit, from the server.
    Receive,
    /// Octets both ways.
    Both,
}

/// How connections end.
#[derive(Deserialize, clap::ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
#[serde(rename_all = "lowercase")]
pub enum End {
    /// We send the first FIN.
    Fin,
    /// We send RST.
    Reset,
    /// We send FIN right behind the last request.
    Half,
    /// The server sends the first FIN.
    Server,
}

/// Ranges of ports, both ends included: `"1024-9999,20000-65535"`, or single ports.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ports {
    /// In order, with a gap between each and the next.
    ranges: Vec<(u16, u16)>,
}

impl core::str::FromStr for Ports {
    type Err = String;
    fn from_str(text: &str) -> Result<Ports, String> {
        let mut ranges = Vec::new();
        for range in text.split(',') {
            ranges.push(port_range(range)?);
        }
        ranges.sort_unstable();
        let mut merged: Vec<(u16, u16)> = Vec::new();
        for (first, last) in ranges {
            match merged.last_mut() {
                Some(before) if first <= before.1.saturating_add(1) => {
                    before.1 = before.1.max(last)
                }
                _ => merged.push((first, last)),
            }
        }
        Ok(Ports { ranges: merged })
    }
}

fn port_range(text: &str) -> Result<(u16, u16), String> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let port = |text: &str| {
        let port = text.trim().parse::<u16>().ok().filter(|port| *port > 0);
        port.ok_or_else(|| format!("`{text}` is not a port: 1 to 65535"))
    };
    let (first, last) = (port(first)?, port(last)?);
    match first <= last {
        true => Ok((first, last)),
        false => Err(format!("`{text}` is empty: write the lower port first")),
    }
}

impl core::fmt::Display for Ports {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        for (at, (first, last)) in self.ranges.iter().enumerate() {
            let comma = if at > 0 { "," } else { "" };
            write!(f, "{comma}{first}-{last}")?;
        }
        Ok(())
    }
}

impl<'de> Deserialize<'de> for Ports {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Ports, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl Ports {
    /// From one port to another.
    #[must_use]
    pub fn range(first: u16, last: u16) -> Ports {
        Ports {
            ranges: vec![(first, last)],
        }
    }

    /// How many.
    #[must_use]
    pub fn count(&self) -> u32 {
        let of = |&(first, last): &(u16, u16)| u32::from(last - first) + 1;
        self.ranges.iter().map(of).sum()
    }

    /// The lowest so many of them, at least one.
    #[must_use]
    pub fn lowest(&self, count: u32) -> Ports {
        let mut left = count.max(1);
        let mut ranges = Vec::new();
        for &(first, last) in &self.ranges {
            let here = (u32::from(last - first) + 1).min(left);
            // At most the last of the range.
            ranges.push((first, first + (here - 1) as u16));
            left -= here;
            if left == 0 {
                break;
            }
        }
        Ports { ranges }
    }

    /// The first and the last, and the ranges between them that are left out.
    #[must_use]
    pub fn span(&self) -> (u16, u16, Vec<(u16, u16)>) {
        let ends = self.ranges.first().zip(self.ranges.last());
        let (first, last) = ends.map_or((1, u16::MAX), |(first, last)| (first.0, last.1));
        let between = self
            .ranges
            .windows(2)
            .map(|pair| (pair[0].1 + 1, pair[1].0 - 1));
        (first, last, between.collect())
    }
}

impl Load {
    /// The most SYNs unanswered at a time.
    #[must_use]
    pub fn opening(&self) -> u64 {
        self.opening.map_or(self.connections.get(), Count::get)
    }

    /// How long, in milliseconds: as configured, or 10 s unless a number of connections that end by themselves ends the
    /// run, or a sweep does.
    #[must_use]
    pub fn duration_ms(&self) -> Option<u64> {
        let by_themselves = match self.mode {
            Mode::Connections => true,
            Mode::Requests => self.requests.is_some(),
            Mode::Held | Mode::Send | Mode::Receive | Mode::Both => false,
        };
        match (
            self.duration,
            self.count.filter(|_| by_themselves),
            &self.sweep,
        ) {
            (Some(duration), ..) => Some(duration.get()),
            (None, None, None) => Some(10_000),
            (None, ..) => None,
        }
    }

    /// Every source address, in order.
    ///
    /// # Errors
    /// There are too many of one family.
    pub fn source_addresses(&self) -> Result<Vec<IpAddr>, String> {
        Sources::all(&self.sources)
    }
}

#[cfg(test)]
mod tests;
