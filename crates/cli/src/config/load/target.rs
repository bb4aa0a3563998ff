//! Where to connect to.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::str::FromStr;

use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, Visitor};

use crate::config::quantity::{Count, Millis};

/// A destination and its share of the connections.
#[derive(Clone, PartialEq, Debug)]
pub struct Target {
    /// Where and what.
    pub url: Url,
    /// Its share, relative to the others'.
    pub weight: Count<1, 65_535>,
    /// The least time between two connections of one four-tuple, where it is not that of all.
    pub reuse_interval: Option<Millis<0, 86_400_000>>,
}

/// What is spoken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scheme {
    /// HTTP/1.1.
    Http,
    /// Octets that mean nothing, or a script.
    Tcp,
}

/// `http://ADDRESS[:PORT][/PATH]` or `tcp://ADDRESS:PORT`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Url {
    /// What is spoken.
    pub scheme: Scheme,
    /// The address.
    pub address: IpAddr,
    /// The port.
    pub port: u16,
    /// `ADDRESS[:PORT]` as it was written: the field Host of HTTP.
    pub authority: String,
    /// Path and query, from the first `/`; `/` if there are none.
    pub path: String,
}

impl FromStr for Url {
    type Err = String;
    fn from_str(text: &str) -> Result<Url, String> {
        let Some((scheme, rest)) = text.split_once("://") else {
            return Err(format!(
                "`{text}` is not a URL: write it as http://{text}/ or tcp://{text}"
            ));
        };
        let scheme = match scheme.to_ascii_lowercase().as_str() {
            "http" => Scheme::Http,
            "tcp" => Scheme::Tcp,
            "https" => return Err(format!("`{text}`: TLS is not spoken here; http or tcp")),
            _ => return Err(format!("`{text}`: `{scheme}` is not http or tcp")),
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        // A fragment is not sent (RFC 9110 4.2.5).
        let path = path.split('#').next().unwrap_or_default();
        let path = match path.starts_with('/') {
            true => path.to_owned(),
            false => format!("/{path}"),
        };
        if scheme == Scheme::Tcp && path != "/" {
            return Err(format!("`{text}`: a tcp URL has no path"));
        }
        let (host, port) = host_and_port(authority);
        let address = host.ok_or_else(|| {
            format!(
                "`{authority}` does not begin with an IP address: names are not resolved; an IPv6 address is \
                 written in brackets"
            )
        })?;
        let port = match (port, scheme) {
            (Some(port), _) => port
                .parse::<u16>()
                .ok()
                .filter(|port| *port > 0)
                .ok_or_else(|| format!("`{text}`: `{port}` is not a port: 1 to 65535"))?,
            (None, Scheme::Http) => 80,
            (None, Scheme::Tcp) => return Err(format!("`{text}` needs a port: {text}:7")),
        };
        Ok(Url {
            scheme,
            address,
            port,
            authority: authority.to_owned(),
            path,
        })
    }
}

/// The two parts of an authority.
fn host_and_port(authority: &str) -> (Option<IpAddr>, Option<&str>) {
    if let Some(rest) = authority.strip_prefix('[') {
        let Some((host, rest)) = rest.split_once(']') else {
            return (None, None);
        };
        let host = host.parse::<Ipv6Addr>().ok().map(IpAddr::V6);
        return match (rest, rest.strip_prefix(':')) {
            ("", _) => (host, None),
            (_, Some(port)) => (host, Some(port)),
            (_, None) => (None, None),
        };
    }
    let (host, port) = match authority.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (authority, None),
    };
    (host.parse::<Ipv4Addr>().ok().map(IpAddr::V4), port)
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.scheme {
            Scheme::Http => write!(f, "http://{}{}", self.authority, self.path),
            Scheme::Tcp => write!(f, "tcp://{}", self.authority),
        }
    }
}

impl From<Url> for Target {
    fn from(url: Url) -> Target {
        Target {
            url,
            weight: Count::of(1),
            reuse_interval: None,
        }
    }
}

impl<'de> Deserialize<'de> for Target {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Target, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Target;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a URL such as \"http://10.0.0.2/\", or { url = ..., weight = ..., reuse_interval = ... }")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Target, E> {
                text.parse::<Url>().map(Target::from).map_err(E::custom)
            }
            fn visit_map<M: MapAccess<'de>>(self, map: M) -> Result<Target, M::Error> {
                let table = Table::deserialize(de::value::MapAccessDeserializer::new(map))?;
                Ok(Target {
                    url: table.url.parse().map_err(de::Error::custom)?,
                    weight: table.weight,
                    reuse_interval: table.reuse_interval,
                })
            }
        }
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Table {
            url: String,
            #[serde(default = "one")]
            weight: Count<1, 65_535>,
            reuse_interval: Option<Millis<0, 86_400_000>>,
        }
        const fn one() -> Count<1, 65_535> {
            Count::of(1)
        }
        deserializer.deserialize_any(Reader)
    }
}
