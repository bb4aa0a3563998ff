//! The options of `tidewheel bench`.

use clap::{Args, ValueEnum};

use stack::TimeWaitConfig;
use tcp::time_wait::Rules;

use crate::config::quantity::{Bytes, Count, Millis};
use crate::config::{self, Close, ConfigError, Hugepages, Policy, Ports};

/// `tidewheel bench`: server and client over a link in memory.
#[derive(Args, Clone, Debug)]
pub struct BenchArgs {
    /// Traffic: `default` (timestamps and window scaling) or `dperf` (six packets, one byte each
    /// way, MSS option only, the server closes)
    #[arg(long, default_value = "default")]
    pub profile: Profile,
    /// Link between the two: DPDK's net_ring or net_memif
    #[arg(long, default_value = "ring")]
    pub link: LinkKind,
    /// Connections over IPv6 instead of IPv4
    #[arg(long)]
    pub ipv6: bool,
    /// Cores: 2 for one each, 1 for both on one in turn
    #[arg(long, default_value_t = Count::of(2), value_name = "1|2")]
    pub cores: Count<1, 2>,
    /// Four-tuples, each used once before the measurement: 1 to 268435456
    #[arg(long, default_value_t = Count::of(1_000_000), value_name = "N")]
    pub tuples: Count<1, { 1 << 28 }>,
    /// Who closes first [default: server]
    #[arg(long)]
    pub close: Option<Close>,
    /// Bytes from the client: 1 to 1G [default: 1]
    #[arg(long, value_name = "N")]
    pub request_bytes: Option<Bytes<1, { 1 << 30 }>>,
    /// Bytes from the server: 1 to 1G [default: 1]
    #[arg(long, value_name = "N")]
    pub response_bytes: Option<Bytes<1, { 1 << 30 }>>,
    /// Length of TIME-WAIT: 0s to 24h [default: 60s]
    #[arg(long, value_name = "TIME")]
    pub time_wait: Option<Millis<0, 86_400_000>>,
    /// What opens a four-tuple in TIME-WAIT anew, with the switches that belong to it. `none`: there is no
    /// TIME-WAIT
    #[arg(long, value_name = "POLICY", conflicts_with = "time_wait_profile")]
    pub time_wait_policy: Option<Policy>,
    /// A set of rules instead [default: safe]
    #[arg(long, value_name = "PROFILE")]
    pub time_wait_profile: Option<config::Profile>,
    /// Which of the client's free four-tuples is next
    #[arg(long, value_name = "ALGORITHM", default_value = "longest-rest")]
    pub ports: Ports,
    /// TCP timestamps [default: on, off in profile dperf]
    #[arg(long)]
    pub timestamps: Option<Switch>,
    /// Length of the measured window, and of the one for latency at most: 100ms to 24h
    #[arg(long, default_value = "10s", value_name = "TIME")]
    pub duration: Millis<100, 86_400_000>,
    /// Connections alive at a time: 1 to 65536
    #[arg(long, default_value_t = Count::of(1024), value_name = "N")]
    pub concurrency: Count<1, 65_536>,
    /// Whether to use huge pages
    #[arg(long, default_value = "auto")]
    pub hugepages: Hugepages,
    /// Print one JSON object instead of a summary
    #[arg(long)]
    pub json: bool,
}

/// A named kind of traffic.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum Profile {
    /// Timestamps and window scaling.
    Default,
    /// What the generator dperf sends.
    Dperf,
}

/// How the two ends are joined.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum LinkKind {
    /// A pair of net_ring ports: buffers change hands by pointer.
    Ring,
    /// A pair of net_memif ports: packets are copied through shared memory.
    Memif,
}

/// What one connection exchanges.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Exchange {
    /// Bytes from the client.
    pub request_bytes: u64,
    /// Bytes from the server.
    pub response_bytes: u64,
    /// The server sends the first FIN, behind its response; else the client, when it has checked the response.
    pub server_closes: bool,
}

/// On or off.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum Switch {
    /// On.
    On,
    /// Off.
    Off,
}

impl LinkKind {
    /// The name of the option's value.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            LinkKind::Ring => "ring",
            LinkKind::Memif => "memif",
        }
    }
}

impl Profile {
    /// The name of the option's value.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Profile::Default => "default",
            Profile::Dperf => "dperf",
        }
    }
}

impl BenchArgs {
    /// Refuses options that contradict each other.
    ///
    /// # Errors
    /// Which option and why.
    pub fn check(&self) -> Result<(), ConfigError> {
        self.check_time_wait()?;
        if self.profile != Profile::Dperf {
            return Ok(());
        }
        let contradicts = |flag: &str, what: &str| {
            let message = format!("contradicts --profile dperf: {what}");
            Err(ConfigError::flag(flag, message))
        };
        if self.timestamps == Some(Switch::On) {
            return contradicts("--timestamps on", "it sends the MSS option only");
        }
        if self.close == Some(Close::Client) {
            return contradicts("--close client", "the server closes");
        }
        if self.request_bytes.is_some_and(|n| n.get() != 1) {
            return contradicts("--request-bytes", "one byte each way");
        }
        if self.response_bytes.is_some_and(|n| n.get() != 1) {
            return contradicts("--response-bytes", "one byte each way");
        }
        Ok(())
    }

    fn check_time_wait(&self) -> Result<(), ConfigError> {
        let fail = |flag: &str, message: &str| Err(ConfigError::flag(flag, message));
        let kept = self.time_wait.is_some_and(|length| length.get() > 0);
        match self.time_wait_policy {
            Some(Policy::None) if kept => fail(
                "--time-wait",
                "contradicts --time-wait-policy none: it keeps no TIME-WAIT",
            ),
            Some(Policy::Strict) => fail(
                "--time-wait-policy strict",
                "no SYN opens a four-tuple in TIME-WAIT anew, so there is nothing to measure: it \
                 would be the length of TIME-WAIT",
            ),
            _ => Ok(()),
        }
    }

    /// TIME-WAIT on both ends.
    #[must_use]
    pub fn time_wait(&self) -> TimeWaitConfig {
        let rules = match (self.time_wait_policy, self.time_wait_profile) {
            (Some(policy), _) => Rules::of(policy.into()),
            (None, Some(profile)) => profile.rules(),
            (None, None) => Rules::SAFE,
        };
        let length = self.time_wait.map_or(60_000, Millis::get);
        TimeWaitConfig {
            length_ms: u32::try_from(length).unwrap_or(u32::MAX),
            rules,
            ..TimeWaitConfig::default()
        }
    }

    /// The rules of TIME-WAIT, in a word.
    #[must_use]
    pub fn time_wait_rules(&self) -> &'static str {
        match (self.time_wait_policy, self.time_wait_profile) {
            (Some(policy), _) => tcp::time_wait::Policy::from(policy).name(),
            (None, profile) => profile.unwrap_or(config::Profile::Safe).name(),
        }
    }

    /// Whether timestamps are offered.
    #[must_use]
    pub fn timestamps(&self) -> bool {
        match (self.timestamps, self.profile) {
            (Some(switch), _) => switch == Switch::On,
            (None, profile) => profile == Profile::Default,
        }
    }

    /// What one connection exchanges.
    #[must_use]
    pub fn exchange(&self) -> Exchange {
        Exchange {
            request_bytes: self.request_bytes.map_or(1, Bytes::get),
            response_bytes: self.response_bytes.map_or(1, Bytes::get),
            server_closes: self.close != Some(Close::Client),
        }
    }
}
