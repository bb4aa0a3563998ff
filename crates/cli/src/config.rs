//! The configuration: a TOML file, and the command line on top of it.
//!
//! One module per section. A key's documentation states its unit, range and default, and its type
//! enforces them. What only several keys together can get wrong is in [`check`](self::check()).

use std::path::Path;

use serde::Deserialize;

pub use check::check;
pub use eal::{Eal, Hugepages, Idle};
pub use error::ConfigError;
pub use host::{Host, Prefix};
pub use limits::{Control, Limits, Secrets};
pub use listen::{App, Close, Listen};
pub use load::Load;
pub use metrics::Metrics;
pub use port::Port;
pub use ports::Ports;
pub use source::Source;
pub use tcp::{Keepalive, Tcp};
pub use time_wait::{
    Iss, ListenTimeWait, LocalReuse, Policy, Profile, RstRule, SynRefuse, TimeWait,
};

mod check;
mod eal;
mod error;
mod host;
mod hosted;
mod limits;
mod listen;
pub mod load;
mod metrics;
mod port;
mod ports;
pub mod quantity;
mod source;
mod tcp;
mod time_wait;

/// A whole configuration.
#[derive(Deserialize, Clone, PartialEq, Debug, Default)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// `[eal]`: cores and memory.
    pub eal: Eal,
    /// `[port]`: the network device.
    pub port: Port,
    /// `[host]`: addresses and routes.
    pub host: Host,
    /// `[tcp]`: the protocol.
    pub tcp: Tcp,
    /// `[time_wait]`: the end of a connection.
    pub time_wait: TimeWait,
    /// `[limits]`: what is set aside at start.
    pub limits: Limits,
    /// `[[listen]]`: listening sockets and their applications.
    pub listen: Vec<Listen>,
    /// `[load]`: what `tidewheel load` does.
    pub load: Load,
    /// `[control]`: the control thread.
    pub control: Control,
    /// `[metrics]`: what monitoring is told.
    pub metrics: Metrics,
    /// `[secrets]`: keys kept across restarts.
    pub secrets: Secrets,
}

/// What a configuration is to be used for, and has to have.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Purpose {
    /// `serve`: listeners.
    Serve,
    /// `load`: targets.
    Load,
    /// `check`: either.
    Either,
}

impl Config {
    /// The maximum segment size announced, in bytes: as configured, or what the MTU leaves.
    #[must_use]
    pub fn mss(&self) -> u16 {
        let most = self.port.mtu.get() - 40;
        let mss = self.tcp.mss.map_or(most, quantity::Count::get);
        u16::try_from(mss).unwrap_or(u16::MAX)
    }
}

/// The text of `file` as a source of keys.
///
/// # Errors
/// The file cannot be read or is not TOML.
pub fn read_file(file: &Path) -> Result<Source, ConfigError> {
    let name = file.display().to_string();
    let text = std::fs::read_to_string(file)
        .map_err(|e| ConfigError::flag(&name, format!("cannot be read: {e}")))?;
    Source::from_text(&name, &text)
}

/// The configuration that `source` describes, checked key by key and as a whole.
///
/// # Errors
/// The first thing that is wrong, with its file and line or its flag.
pub fn resolve(source: &Source, purpose: Purpose) -> Result<Config, ConfigError> {
    let config: Config = source.read()?;
    check(&config, source, purpose)?;
    Ok(config)
}

#[cfg(test)]
mod tests;
