//! `[time_wait]`: what becomes of a connection that this end closed first.

use serde::Deserialize;
use serde::de::{self, Deserializer};

use super::quantity::{Count, Millis};

/// TIME-WAIT.
#[derive(Deserialize, Clone, PartialEq, Debug)]
#[serde(deny_unknown_fields, default)]
pub struct TimeWait {
    /// How long a four-tuple stays in TIME-WAIT (2 MSL, RFC 9293 3.4.2), 0s to 24h. Default
    /// `"60s"`. `"0s"` keeps none, and nothing guards against old duplicates then.
    pub length: Millis<0, 86_400_000>,
    /// Entries of a worker's table, 1 to 2^31. Default 1048576. When it is full the oldest gives
    /// way, which is counted.
    pub capacity: Count<1, { 1 << 31 }>,
    /// When a SYN may open a four-tuple that is in TIME-WAIT. `"rfc6191"`, the default and the
    /// only one so far: when its timestamp or its sequence number proves it new.
    pub policy: Policy,
}

impl Default for TimeWait {
    fn default() -> TimeWait {
        TimeWait {
            length: Millis::of(60_000),
            capacity: Count::of(1 << 20),
            policy: Policy::Rfc6191,
        }
    }
}

/// When a four-tuple in TIME-WAIT may be opened anew.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Policy {
    /// RFC 6191: a newer timestamp, or a sequence number beyond the old connection's.
    Rfc6191,
}

impl<'de> Deserialize<'de> for Policy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Policy, D::Error> {
        let name = String::deserialize(deserializer)?;
        match name.as_str() {
            "rfc6191" => Ok(Policy::Rfc6191),
            "strict" | "rfc1122" | "linux" | "windows" | "none" => Err(de::Error::custom(format!(
                "the TIME-WAIT policy `{name}` is not implemented yet: use \"rfc6191\""
            ))),
            _ => Err(de::Error::custom(format!(
                "`{name}` is not a TIME-WAIT policy: use \"rfc6191\""
            ))),
        }
    }
}
