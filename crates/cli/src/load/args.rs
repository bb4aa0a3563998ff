//! The options of `tidewheel load`.

use std::io::{self, Write as _};
use std::path::PathBuf;

use clap::Args;

use super::dperf::Dperf;
use super::output::OutputArgs;
use super::said::SaidArgs;
use crate::args::{HostArgs, SetArgs, bare, list, name_of, quoted};
use crate::config::load::{End, Mode, Ports, Rate, Url};
use crate::config::quantity::{Count, Millis, seconds};
use crate::config::{self, Config, ConfigError, Purpose, Source};

/// `tidewheel load`: what it runs.
#[derive(Args, Debug)]
pub struct LoadArgs {
    /// Where to: http://ADDRESS[:PORT]/PATH or tcp://ADDRESS:PORT; several share the connections evenly
    #[arg(value_name = "URL")]
    urls: Vec<String>,
    /// Configuration file (TOML); flags come on top of it
    #[arg(long, value_name = "FILE", env = "TIDEWHEEL_CONFIG")]
    config: Option<PathBuf>,
    /// Configuration file of dperf, a client's, on top of that; says on standard error what has no meaning here
    #[arg(long, value_name = "FILE")]
    dperf: Option<PathBuf>,
    /// Connections alive at a time
    #[arg(short, long, value_name = "N")]
    connections: Option<Count<1, { 1 << 24 }>>,
    /// How long, such as 30s or 2m; a number without a unit is of seconds
    #[arg(short, long, value_name = "TIME", value_parser = seconds::<1, 2_592_000_000>)]
    duration: Option<Millis<1, 2_592_000_000>>,
    /// Open loop: so many connections a second (requests with --mode requests), such as 250k or 1M
    #[arg(short = 'R', long, value_name = "N")]
    rate: Option<Rate>,
    /// How long the rate takes to rise from 0
    #[arg(long, value_name = "TIME")]
    ramp: Option<Millis<0, 86_400_000>>,
    /// Look for the highest rate that is sustained, such as 10k-1M, in trials (load.sweep has more keys)
    #[arg(long, value_name = "FROM-TO")]
    sweep: Option<Range>,
    /// Open so many connections and end
    #[arg(short = 'n', long, value_name = "N")]
    count: Option<Count<1, { 1 << 48 }>>,
    /// What counts
    #[arg(short, long)]
    mode: Option<Mode>,
    /// Requests a connection
    #[arg(short, long, value_name = "N")]
    requests: Option<Count<1, { u32::MAX as u64 }>>,
    /// Pause between an answer and what follows on its connection
    #[arg(long, value_name = "TIME")]
    think: Option<Millis<0, 86_400_000>>,
    /// How long an opening, an answer or a close may take; a number without a unit is of seconds
    #[arg(long, value_name = "TIME", value_parser = seconds::<1, 86_400_000>)]
    timeout: Option<Millis<1, 86_400_000>>,
    /// Who closes first, and how
    #[arg(long)]
    close: Option<End>,
    /// Addresses to connect from: 10.0.1.0/24, 10.0.2.1-10.0.2.9; may be repeated
    #[arg(long = "source", value_name = "ADDRESSES")]
    sources: Vec<String>,
    /// Ports to connect from, such as 1024-9999,20000-65535
    #[arg(long, value_name = "FIRST-LAST,...")]
    ports: Option<Ports>,
    /// The least time between two connections of one four-tuple
    #[arg(long, value_name = "TIME")]
    reuse_interval: Option<Millis<0, 86_400_000>>,
    /// What is said
    #[command(flatten)]
    said: SaidArgs,
    /// What is written, and where to
    #[command(flatten)]
    pub output: OutputArgs,
    #[command(flatten)]
    host: HostArgs,
    #[command(flatten)]
    set: SetArgs,
}

/// The rates of a sweep.
#[derive(Clone, Copy, PartialEq, Debug)]
struct Range {
    from: Rate,
    to: Rate,
}

impl core::str::FromStr for Range {
    type Err = String;
    fn from_str(text: &str) -> Result<Range, String> {
        let (from, to) = text
            .split_once('-')
            .ok_or_else(|| format!("`{text}` is no range: write it as FROM-TO, such as 10k-1M"))?;
        Ok(Range {
            from: from.trim().parse()?,
            to: to.trim().parse()?,
        })
    }
}

impl LoadArgs {
    /// The file, the flags on top of it, and every `--set` on top of those.
    ///
    /// # Errors
    /// What is wrong and where.
    pub fn config(&self) -> Result<Config, ConfigError> {
        let mut source = match &self.config {
            Some(file) => config::read_file(file)?,
            None => Source::empty(),
        };
        if let Some(file) = &self.dperf {
            let dperf = Dperf::read(file)?;
            // Whoever reads it may have gone: no reason not to run.
            let _ = write!(io::stderr(), "{dperf}");
            dperf.apply(&mut source)?;
        }
        self.host.apply(&mut source)?;
        self.apply(&mut source)?;
        self.said.apply(&mut source)?;
        self.set.apply(&mut source)?;
        config::resolve(&source, Purpose::Load)
    }

    fn apply(&self, source: &mut Source) -> Result<(), ConfigError> {
        let shown = |value: &dyn ToString| quoted(&value.to_string());
        let time = |value: Option<String>| value.map(|t| quoted(&t));
        let flags = [
            (
                "--connections",
                "connections",
                self.connections.map(|n| n.to_string()),
            ),
            (
                "--duration",
                "duration",
                time(self.duration.map(|t| t.to_string())),
            ),
            ("--rate", "rate", self.rate.map(|n| n.to_string())),
            ("--ramp", "ramp", time(self.ramp.map(|t| t.to_string()))),
            ("--count", "count", self.count.map(|n| n.to_string())),
            ("--mode", "mode", self.mode.map(name_of)),
            (
                "--requests",
                "requests",
                self.requests.map(|n| n.to_string()),
            ),
            ("--think", "think", time(self.think.map(|t| t.to_string()))),
            (
                "--timeout",
                "timeout",
                time(self.timeout.map(|t| t.to_string())),
            ),
            ("--close", "close", self.close.map(name_of)),
            ("--source", "sources", list(&self.sources, |s| quoted(s))),
            (
                "--ports",
                "ports",
                self.ports.as_ref().map(|p| quoted(&p.to_string())),
            ),
            (
                "--reuse-interval",
                "reuse_interval",
                time(self.reuse_interval.map(|t| t.to_string())),
            ),
        ];
        for (flag, key, value) in flags {
            if let Some(value) = value {
                let flag = format!("{flag} {}", bare(&value));
                source.set(&flag, &format!("load.{key}"), &value)?;
            }
        }
        if let Some(Range { from, to }) = self.sweep {
            let flag = format!("--sweep {from}-{to}");
            source.set(&flag, "load.sweep.from", &from.to_string())?;
            source.set(&flag, "load.sweep.to", &to.to_string())?;
        }
        // Each on its own, so that an error names the URL that it is about.
        for url in &self.urls {
            url.parse::<Url>().map_err(|e| ConfigError::flag(url, e))?;
        }
        if let Some(urls) = list(&self.urls, |url| shown(url)) {
            source.set(&self.urls.join(" "), "load.targets", &urls)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
