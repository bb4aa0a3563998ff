//! The flags string: what a system under test is configured with. `include/sut.h` lists the keys.

use std::str::FromStr;

use tcp::time_wait::rules::{RstRule, SynRefusal};
use tcp::time_wait::{Contradiction, Policy, Rules};

/// Everything that can be chosen. [`Flags::parse`] reads it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Flags {
    /// The protocol's parameters of new sockets.
    pub tcp: tcp::Config,
    /// The most bytes of an IP packet sent.
    pub mtu: u16,
    /// The length of TIME-WAIT in milliseconds.
    pub time_wait_ms: u32,
    /// What segments meet in TIME-WAIT. Without the recycling bound: the policies to the letter.
    pub rules: Rules,
    /// The least time between two acknowledgments of segments that are not acceptable in one
    /// TIME-WAIT, in milliseconds.
    pub tw_ack_ms: u32,
    /// RSTs, ICMP errors, echo replies and challenge ACKs a second, each kind on its own budget.
    pub replies: u32,
    /// Connections in SYN-RECEIVED that any listener may have.
    pub backlog: u32,
    /// The most live connections.
    pub connections: u16,
    /// Four-tuples in TIME-WAIT at a time; beyond, the oldest go first.
    pub time_waits: u16,
    /// Bytes for text each way, of all connections together; at least one connection's buffers.
    pub memory: u32,
    /// What the secrets are made from.
    pub seed: u64,
    /// Items that were passed over, for nobody here knows their keys: a string written for several
    /// stacks may have some.
    pub ignored: Vec<String>,
}

/// A flags string that cannot be used.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum FlagsError {
    /// A value that the key does not take.
    #[error("{key}={value}: {need} is needed")]
    BadValue {
        /// The key.
        key: String,
        /// What was given.
        value: String,
        /// What it takes.
        need: &'static str,
    },
    /// Values that do not go together.
    #[error(transparent)]
    Tcp(#[from] tcp::ConfigError),
    /// Rules of TIME-WAIT that contradict themselves.
    #[error(transparent)]
    TimeWait(#[from] Contradiction),
}

fn rules(policy: Policy) -> Rules {
    Rules {
        bound: false,
        ..Rules::of(policy)
    }
}

impl Default for Flags {
    fn default() -> Flags {
        Flags {
            tcp: tcp::Config {
                rcv_buf: 65_535,
                // RFC 6298 2.4 to the letter, where the product takes what hosts use.
                rto_min_ms: 1000,
                ..tcp::Config::default()
            },
            mtu: 1500,
            time_wait_ms: 60_000,
            rules: rules(Policy::Rfc6191),
            tw_ack_ms: 0,
            replies: 10_000_000,
            backlog: 128,
            connections: 1024,
            time_waits: 16_384,
            memory: 4 << 20,
            seed: 1,
            ignored: vec![],
        }
    }
}

impl Flags {
    /// Reads `key=value,key=value`; an empty string gives the defaults, and a key alone is a switch
    /// that is on.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn parse(text: &str) -> Result<Flags, FlagsError> {
        let mut flags = Flags::default();
        for item in text.split(',').map(str::trim).filter(|i| !i.is_empty()) {
            let (key, value) = item.split_once('=').unwrap_or((item, "on"));
            if !flags.set(key.trim(), value.trim())? {
                flags.ignored.push(item.into());
            }
        }
        flags.tcp.validate()?;
        flags.rules.validate()?;
        Ok(flags)
    }

    /// False if there is no such key.
    fn set(&mut self, key: &str, value: &str) -> Result<bool, FlagsError> {
        let item = Item { key, value };
        let tcp = &mut self.tcp;
        match key {
            "rcvbuf" => tcp.rcv_buf = item.number()?,
            "sndbuf" => tcp.snd_buf = item.number()?,
            "wscale" => tcp.window_scaling = item.switch()?,
            "timestamps" => tcp.timestamps = item.switch()?,
            "sack" => tcp.sack = item.switch()?,
            "mss" => tcp.mss = item.number()?,
            "default_mss" => tcp.default_mss = item.number()?,
            "mtu" => self.mtu = item.within(576, 9216, "576 to 9216")?,
            "delack_ms" => tcp.delayed_ack_ms = item.number()?,
            "nagle" => tcp.nodelay = !item.switch()?,
            "nodelay" => tcp.nodelay = item.switch()?,
            "cc" | "congestion" => item.one_of(&["reno", "newreno"], "reno or newreno")?,
            "pmtud" => item.one_of(&["on"], "on (it cannot be turned off)")?,
            "ecn" | "tfo" | "syncookies" | "keepalive" => {
                item.one_of(&["off"], "off (there is none, or a socket option for it)")?;
            }
            "iw" | "initial_window" => tcp.initial_window = item.number()?,
            "rto_initial_ms" => tcp.rto_initial_ms = item.number()?,
            "rto_min_ms" => tcp.rto_min_ms = item.number()?,
            "rto_max_ms" => tcp.rto_max_ms = item.number()?,
            "syn_retries" => tcp.syn_retries = item.number()?,
            "synack_retries" => tcp.synack_retries = item.number()?,
            "data_retries" => tcp.data_retries = item.number()?,
            "user_timeout_ms" => tcp.user_timeout_ms = item.number()?,
            "fin_wait2_ms" => tcp.fin_wait2_timeout_ms = item.number()?,
            "time_wait_ms" => {
                self.time_wait_ms = item.within(0, 86_400_000, "0 to 86400000")?;
            }
            "policy" => {
                let named = Policy::ALL.into_iter().find(|p| p.name() == item.value);
                let need = "strict, rfc1122, rfc6191, linux, windows or none";
                self.rules = rules(named.ok_or_else(|| item.error(need))?);
            }
            "tw_rst" => {
                let named = RstRule::ALL.into_iter().find(|r| r.name() == item.value);
                let need = "rfc793, rfc5961, ignore, ignore-2s or linux";
                self.rules.rst = named.ok_or_else(|| item.error(need))?;
            }
            "tw_syn" => {
                self.rules.syn_refusal = match item.value {
                    "ack" => SynRefusal::Ack,
                    "drop" => SynRefusal::Drop,
                    _ => return Err(item.error("ack or drop")),
                };
            }
            "tw_probe" => self.rules.syn_probe = item.switch()?,
            "tw_shadow" => self.rules.shadow = item.switch()?,
            "tw_ack_ms" => self.tw_ack_ms = item.number()?,
            "replies" => self.replies = item.number()?,
            "backlog" => self.backlog = item.number()?,
            "connections" => self.connections = item.within(1, u16::MAX, "1 to 65535")?,
            "time_waits" => self.time_waits = item.within(1, u16::MAX, "1 to 65535")?,
            "memory" => self.memory = item.within(1 << 16, 1 << 30, "65536 to 2^30")?,
            "seed" => self.seed = item.number()?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

struct Item<'a> {
    key: &'a str,
    value: &'a str,
}

impl Item<'_> {
    fn error(&self, need: &'static str) -> FlagsError {
        FlagsError::BadValue {
            key: self.key.into(),
            value: self.value.into(),
            need,
        }
    }

    fn number<T: FromStr>(&self) -> Result<T, FlagsError> {
        self.value
            .parse()
            .map_err(|_| self.error("a number that fits"))
    }

    fn within<T: FromStr + PartialOrd>(
        &self,
        low: T,
        high: T,
        need: &'static str,
    ) -> Result<T, FlagsError> {
        let n = self.number()?;
        if n < low || n > high {
            return Err(self.error(need));
        }
        Ok(n)
    }

    fn switch(&self) -> Result<bool, FlagsError> {
        match self.value {
            "on" | "1" | "yes" | "true" => Ok(true),
            "off" | "0" | "no" | "false" => Ok(false),
            _ => Err(self.error("on or off")),
        }
    }

    fn one_of(&self, values: &[&str], need: &'static str) -> Result<(), FlagsError> {
        if values.contains(&self.value) {
            Ok(())
        } else {
            Err(self.error(need))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_sets_what_it_names() {
        let flags = Flags::parse(
            "rcvbuf=1000, sndbuf=2000,wscale=off,timestamps=off,sack=off,mss=900,default_mss=500,\
             mtu=1400,delack_ms=0,nagle=off,initial_window=3,rto_initial_ms=1500,rto_min_ms=300,\
             rto_max_ms=70000,syn_retries=2,synack_retries=3,data_retries=4,user_timeout_ms=5,\
             fin_wait2_ms=6,time_wait_ms=7,policy=linux,tw_rst=ignore,tw_syn=ack,tw_probe=on,\
             tw_shadow=on,tw_ack_ms=100,replies=8,backlog=9,connections=10,time_waits=12,memory=70000,\
             seed=11",
        )
        .unwrap();
        let tcp = tcp::Config {
            mss: 900,
            default_mss: 500,
            rcv_buf: 1000,
            snd_buf: 2000,
            window_scaling: false,
            timestamps: false,
            sack: false,
            nodelay: true,
            delayed_ack_ms: 0,
            initial_window: 3,
            rto_initial_ms: 1500,
            rto_min_ms: 300,
            rto_max_ms: 70_000,
            syn_retries: 2,
            synack_retries: 3,
            data_retries: 4,
            user_timeout_ms: 5,
            keepalive: None,
            fin_wait2_timeout_ms: 6,
            ack_check: true,
            linger_zero: false,
        };
        let want = Flags {
            tcp,
            mtu: 1400,
            time_wait_ms: 7,
            rules: Rules {
                rst: RstRule::Ignore,
                syn_refusal: SynRefusal::Ack,
                syn_probe: true,
                shadow: true,
                ..Rules::LINUX
            },
            tw_ack_ms: 100,
            replies: 8,
            backlog: 9,
            connections: 10,
            time_waits: 12,
            memory: 70_000,
            seed: 11,
            ignored: vec![],
        };
        assert_eq!(flags, want);
    }

    #[test]
    fn nothing_is_the_default_and_is_valid() {
        assert_eq!(Flags::parse(" , ").unwrap(), Flags::default());
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (text, want) in [
            ("rcvbuf", "rcvbuf=on: a number that fits is needed"),
            ("cc=cubic", "cc=cubic: reno or newreno is needed"),
            ("rcvbuf=x", "rcvbuf=x: a number that fits is needed"),
            ("wscale=maybe", "wscale=maybe: on or off is needed"),
            (
                "tw_rst=never",
                "tw_rst=never: rfc793, rfc5961, ignore, ignore-2s or linux is needed",
            ),
            ("mtu=100", "mtu=100: 576 to 9216 is needed"),
            (
                "delack_ms=501",
                "delayed_ack_ms must not exceed 500 (RFC 9293 MUST-40)",
            ),
        ] {
            assert_eq!(Flags::parse(text).unwrap_err().to_string(), want);
        }
    }

    #[test]
    fn what_is_so_anyway_may_be_said_and_what_nobody_knows_is_passed_over() {
        let flags =
            Flags::parse("nodelay,cc=reno,ecn=off,pmtud=on,iw=4,frobnicate=1,wscale=no").unwrap();
        assert!(flags.tcp.nodelay && !flags.tcp.window_scaling);
        assert_eq!(flags.tcp.initial_window, 4);
        assert_eq!(flags.ignored, ["frobnicate=1"]);
    }
}
