//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::bench::args::BenchArgs;
use crate::config::quantity::Millis;
use crate::config::{self, Config, ConfigError, Hugepages, Idle, Prefix, Purpose, Source};
use crate::load::args::LoadArgs;

/// A TCP endpoint on DPDK with compact TIME-WAIT and reuse of four-tuples.
#[derive(Parser, Debug)]
#[command(name = "tidewheel", version, about, disable_help_subcommand = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Serve applications (echo, discard, exchange, http) on a DPDK device
    #[command(args_override_self = true)]
    Serve(ConfigArgs),
    /// Put load on a server: connections and requests at a pace, measured
    #[command(args_override_self = true)]
    Load(Box<LoadArgs>),
    /// Measure server and client over a link in memory
    #[command(args_override_self = true)]
    Bench(BenchArgs),
    /// Validate a configuration and say what would run
    #[command(args_override_self = true)]
    Check(ConfigArgs),
}

/// What `serve` runs and `check` describes.
#[derive(Args, Debug)]
pub struct ConfigArgs {
    /// Configuration file (TOML); flags come on top of it
    pub file: Option<PathBuf>,
    /// Listener: [ADDRESS:]PORT=APP[,KEY=VALUE...], such as 80=http,body=1k; may be repeated, and
    /// then replaces the listeners of the file
    #[arg(short, long = "listen", value_name = "PORT=APP")]
    listen: Vec<String>,
    #[command(flatten)]
    host: HostArgs,
    #[command(flatten)]
    set: SetArgs,
}

/// The device, the host on it, and the workers. Short names are left to what `load` is used to.
#[derive(Args, Debug)]
pub struct HostArgs {
    /// DPDK device: a PCI address or a virtual device, such as net_tap0,iface=tw0
    #[arg(long, value_name = "DEVARGS")]
    device: Option<String>,
    /// Address of the host with its prefix, such as 192.0.2.1/24 or 2001:db8::1/64; may be repeated
    #[arg(short, long = "address", value_name = "ADDRESS/PREFIX")]
    addresses: Vec<Prefix>,
    /// Where packets go that are for no prefix of the host: one of each family at most
    #[arg(short, long = "gateway", value_name = "ADDRESS")]
    gateways: Vec<core::net::IpAddr>,
    /// CPUs to run workers on, such as 2,3
    #[arg(long, value_delimiter = ',', value_name = "CPU")]
    cpus: Vec<u16>,
    /// Whether to use huge pages
    #[arg(long)]
    hugepages: Option<Hugepages>,
    /// What a worker does while nothing arrives
    #[arg(long)]
    idle: Option<Idle>,
    /// Length of TIME-WAIT, such as 60s or 250ms
    #[arg(long, value_name = "TIME")]
    time_wait: Option<Millis<0, 86_400_000>>,
}

/// `--set`, for every command that has a configuration.
#[derive(Args, Debug)]
pub struct SetArgs {
    /// Set any key of the configuration, such as --set tcp.mss=1400; may be repeated
    #[arg(long = "set", value_name = "PATH=VALUE")]
    set: Vec<String>,
}

impl SetArgs {
    /// Puts each `path=value` on top of `source`.
    ///
    /// # Errors
    /// Not of that form, or the path leads nowhere.
    pub fn apply(&self, source: &mut Source) -> Result<(), ConfigError> {
        for assignment in &self.set {
            let flag = format!("--set {assignment}");
            let (path, value) = assignment
                .split_once('=')
                .ok_or_else(|| ConfigError::flag(&flag, "write it as --set PATH=VALUE"))?;
            source.set(&flag, path.trim(), value.trim())?;
        }
        Ok(())
    }
}

impl ConfigArgs {
    /// The file, the flags on top of it, and every `--set` on top of those.
    ///
    /// # Errors
    /// What is wrong and where.
    pub fn config(&self, purpose: Purpose) -> Result<Config, ConfigError> {
        let mut source = match &self.file {
            Some(file) => config::read_file(file)?,
            None => Source::empty(),
        };
        self.host.apply(&mut source)?;
        if !self.listen.is_empty() {
            source.set("--listen", "listen", "[]")?;
        }
        for spec in &self.listen {
            let flag = format!("--listen {spec}");
            let table = listener(spec).map_err(|e| ConfigError::flag(&flag, e))?;
            source.push(&flag, "listen", &table)?;
        }
        self.set.apply(&mut source)?;
        config::resolve(&source, purpose)
    }
}

impl HostArgs {
    /// Puts the flags on top of `source`.
    ///
    /// # Errors
    /// A path leads nowhere.
    pub fn apply(&self, source: &mut Source) -> Result<(), ConfigError> {
        let mut set = |flag: &str, path: &str, value: Option<String>| match value {
            Some(value) => source.set(&format!("{flag} {}", bare(&value)), path, &value),
            None => Ok(()),
        };
        set(
            "--device",
            "port.device",
            self.device.as_deref().map(quoted),
        )?;
        for gateway in &self.gateways {
            let path = match gateway.is_ipv4() {
                true => "host.gateway",
                false => "host.gateway_v6",
            };
            set("--gateway", path, Some(quoted(&gateway.to_string())))?;
        }
        set(
            "--addresses",
            "host.addresses",
            list(&self.addresses, |a| quoted(&a.to_string())),
        )?;
        set("--cpus", "eal.cpus", list(&self.cpus, u16::to_string))?;
        set("--hugepages", "eal.hugepages", self.hugepages.map(name_of))?;
        set("--idle", "eal.idle", self.idle.map(name_of))?;
        set(
            "--time-wait",
            "time_wait.length",
            self.time_wait.map(|t| quoted(&t.to_string())),
        )?;
        Ok(())
    }
}

/// `[ADDRESS:]PORT=APP[,KEY=VALUE...]` as a TOML table; an IPv6 address is in brackets.
fn listener(spec: &str) -> Result<String, String> {
    let mut parts = spec.split(',');
    let (socket, app) = parts
        .next()
        .and_then(|first| first.split_once('='))
        .ok_or("write it as PORT=APP, such as 80=http")?;
    let (address, port) = match socket.rsplit_once(':') {
        Some((address, port)) => {
            let bare = address.strip_prefix('[').and_then(|a| a.strip_suffix(']'));
            if bare.is_none() && address.contains(':') {
                return Err(format!(
                    "`{socket}`: write an IPv6 address in brackets, [{address}]:{port}"
                ));
            }
            (Some(bare.unwrap_or(address)), port)
        }
        None => (None, socket),
    };
    let port = port
        .parse::<u16>()
        .map_err(|_| format!("`{port}` is not a port: 1 to 65535"))?;
    let mut keys = vec![format!("port = {port}"), format!("app = {}", quoted(app))];
    keys.extend(address.map(|a| format!("address = {}", quoted(a))));
    for part in parts {
        let (key, value) = part
            .split_once('=')
            .ok_or_else(|| format!("`{part}` is not KEY=VALUE"))?;
        keys.push(format!("{} = {}", quoted(key.trim()), quoted(value.trim())));
    }
    Ok(format!("{{ {} }}", keys.join(", ")))
}

/// `text` as a TOML string.
pub(crate) fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

/// A TOML value as a user would write it on the command line.
pub(crate) fn bare(value: &str) -> &str {
    value.trim_matches(['"', '[', ']'])
}

/// The values as a TOML array; `None` if there are none.
pub(crate) fn list<T>(values: &[T], show: impl Fn(&T) -> String) -> Option<String> {
    let values: Vec<String> = values.iter().map(show).collect();
    (!values.is_empty()).then(|| format!("[{}]", values.join(", ")))
}

/// The name that clap and TOML know a value by.
pub(crate) fn name_of<T: clap::ValueEnum>(value: T) -> String {
    let name = value.to_possible_value();
    quoted(name.as_ref().map_or("", |name| name.get_name()))
}

#[cfg(test)]
mod tests;
