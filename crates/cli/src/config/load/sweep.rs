//! `[load.sweep]`: trials that look for the highest rate that is sustained.

use core::fmt;
use core::str::FromStr;

use serde::Deserialize;
use serde::de::{self, Deserializer};

use super::Rate;
use crate::config::quantity::{Count, Millis};

/// The range of the search, what a trial is, and which one passes.
#[derive(Deserialize, Clone, PartialEq, Debug)]
#[serde(deny_unknown_fields)]
pub struct Sweep {
    /// The lowest rate, which is tried first, 1 to 1G a second. Required.
    pub from: Rate,
    /// The highest rate, 1 to 1G a second. Required.
    pub to: Rate,
    /// How far above the rate that is found one has failed at most, as a share of it: 0.1% to 100%. Default `"1%"`.
    #[serde(default = "resolution")]
    pub resolution: Share,
    /// How long a trial is measured, 1ms to 24h. Default `"10s"`.
    #[serde(default = "time")]
    pub time: Millis<1, 86_400_000>,
    /// How long each trial runs at its rate before it is measured, 0s to 24h. Default `"1s"`.
    #[serde(default = "warm_up")]
    pub warm_up: Millis<0, 86_400_000>,
    /// The pause between the end of a trial's last connection and the next trial, 0s to 24h: so long whoever is on the way
    /// has to get rid of its leavings (RFC 2544 23). Default `"5s"`.
    #[serde(default = "settle")]
    pub settle: Millis<0, 86_400_000>,
    /// The greatest share of events (connections, or requests where `mode` is `"requests"`) that may go wrong, be cut off at
    /// the end or not be begun in time, 0% to 100%. Default `"0%"`.
    #[serde(default)]
    pub errors: Share,
    /// What a trial has to satisfy beside that, as with `--pass`: `"connect.p99<1ms"`. Default: nothing.
    #[serde(default)]
    pub pass: Option<String>,
    /// How often the rate that is found has to pass again, 0 to 100; if it fails, the search goes on below it. Default 1.
    #[serde(default = "confirm")]
    pub confirm: Count<0, 100>,
}

/// A share of a whole, from 0 to 1; in words, percent.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Share(f64);

const fn resolution() -> Share {
    Share(0.01)
}

const fn time() -> Millis<1, 86_400_000> {
    Millis::of(10_000)
}

const fn warm_up() -> Millis<0, 86_400_000> {
    Millis::of(1_000)
}

const fn settle() -> Millis<0, 86_400_000> {
    Millis::of(5_000)
}

const fn confirm() -> Count<0, 100> {
    Count::of(1)
}

impl Share {
    /// From 0 to 1.
    #[must_use]
    pub const fn get(self) -> f64 {
        self.0
    }
}

impl FromStr for Share {
    type Err = String;
    fn from_str(text: &str) -> Result<Share, String> {
        let number = text.strip_suffix('%').map(|number| number.trim().parse());
        match number {
            Some(Ok(percent)) if (0.0..=100.0).contains(&percent) => Ok(Share(percent / 100.0)),
            Some(Ok(_)) => Err(format!("`{text}` is out of range: 0% to 100%")),
            _ => Err(format!("`{text}` is no share: write it as \"0.1%\"")),
        }
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", self.0 * 100.0)
    }
}

impl<'de> Deserialize<'de> for Share {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Share, D::Error> {
        struct Reader;
        impl de::Visitor<'_> for Reader {
            type Value = Share;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a share such as \"0.1%\"")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Share, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_any(Reader)
    }
}
