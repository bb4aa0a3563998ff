//! `[time_wait]`: what becomes of a connection that this end closed first. A listener may have its
//! own: `time_wait = { ... }`.

use serde::Deserialize;
use serde::de::{self, Deserializer};
use stack::TimeWaitConfig;
use tcp::time_wait::{IssRule, Rules};

use super::quantity::{Count, Millis};
use super::{ConfigError, Source};

pub use names::{Policy, Profile, RstRule, SynRefuse};

mod names;

macro_rules! with_rules {
    ($(#[$meta:meta])* $name:ident { $($(#[$extra_meta:meta])* $extra:ident: $ty:ty,)* }) => {
        $(#[$meta])*
        #[derive(Deserialize, Clone, PartialEq, Debug)]
        #[serde(deny_unknown_fields, default)]
        pub struct $name {
            $($(#[$extra_meta])* pub $extra: $ty,)*
            /// MSL: how long a segment may be under way at most, up to `length`. The recycling bound
            /// looks back so far. Default: half of `length`.
            pub msl: Option<Millis<0, 86_400_000>>,
            /// A set of the keys below: `"safe"`, the default, `"fast-recovery"` or `"linux"`.
            pub profile: Option<Profile>,
            /// When a SYN may open a four-tuple that is in TIME-WAIT: `"strict"`, `"rfc1122"`,
            /// `"rfc6191"`, `"linux"`, `"windows"` or `"none"` (no TIME-WAIT at all). Default: the profile's.
            pub policy: Option<Policy>,
            /// What a RST does: `"rfc793"`, `"rfc5961"`, `"ignore"`, `"ignore-2s"` or `"linux"`. Default:
            /// the profile's or policy's.
            pub rst: Option<RstRule>,
            /// What a refused SYN gets: `"ack"` or `"drop"`.
            pub syn_refuse: Option<SynRefuse>,
            /// Whether the RST that answers the acknowledgment of a refused SYN ends TIME-WAIT, although
            /// `rst` is `"ignore"`.
            pub syn_probe: Option<bool>,
            /// Whether a SYN of the peer's that was honoured and comes to nothing restores TIME-WAIT.
            pub shadow: Option<bool>,
            /// Whether acknowledgments out of range are dropped (RFC 5961 5.2).
            pub ack_check: Option<bool>,
            /// The ISS of a connection that recycles: `"clock"`, `"max"`, or `"gap=65537"`, 0 to 16777216
            /// after the last number used.
            pub iss: Option<Iss>,
            /// Whether recycling is bounded so that numbers of the last MSL stay unambiguous. With
            /// `"rfc6191"` only.
            pub bound: Option<bool>,
        }

        impl $name {
            /// `base`, or the profile or policy that is given, with the switches that are given.
            fn rules_on(&self, base: Rules) -> Rules {
                let mut rules = match (self.profile, self.policy) {
                    (Some(profile), _) => profile.rules(),
                    (None, Some(policy)) => Rules::of(policy.into()),
                    (None, None) => base,
                };
                let set = |to: &mut bool, given: Option<bool>| *to = given.unwrap_or(*to);
                rules.rst = self.rst.map_or(rules.rst, Into::into);
                rules.syn_refusal = self.syn_refuse.map_or(rules.syn_refusal, Into::into);
                rules.iss = self.iss.map_or(rules.iss, |iss| iss.0);
                set(&mut rules.syn_probe, self.syn_probe);
                set(&mut rules.shadow, self.shadow);
                set(&mut rules.ack_check, self.ack_check);
                set(&mut rules.bound, self.bound);
                rules
            }

            /// Checks `kept`, what comes of the section at `path`.
            fn check(
                &self,
                kept: &TimeWaitConfig,
                source: &Source,
                path: &str,
            ) -> Result<(), ConfigError> {
                let at = |key: &str| format!("{path}.{key}");
                if let (Some(profile), Some(policy)) = (self.profile, self.policy)
                    && profile.rules().policy != policy.into()
                {
                    let message = format!(
                        "the profile has the policy {}: leave one of them out",
                        profile.rules().policy.name()
                    );
                    return Err(source.error_at(&at("policy"), message));
                }
                if let Some(msl) = self.msl
                    && msl.get() > u64::from(kept.length_ms)
                {
                    let message = format!(
                        "an MSL of {msl} is longer than the TIME-WAIT: old segments would outlive \
                         what guards against them"
                    );
                    return Err(source.error_at(&at("msl"), message));
                }
                if kept.rules.policy == tcp::time_wait::Policy::None
                    && kept.length_ms != 0
                    && source.has(&at("length"))
                {
                    let message = "the policy none keeps no TIME-WAIT: leave the length out";
                    return Err(source.error_at(&at("length"), message));
                }
                for (key, given) in [
                    ("msl", self.msl.is_some_and(|msl| msl.get() > 0)),
                    ("rst", self.rst.is_some()),
                    ("syn_refuse", self.syn_refuse.is_some()),
                    ("syn_probe", self.syn_probe.is_some()),
                    ("shadow", self.shadow.is_some()),
                    ("ack_check", self.ack_check.is_some()),
                    ("iss", self.iss.is_some()),
                    ("bound", self.bound.is_some()),
                ] {
                    if let Some(why) = idle(kept, key).filter(|_| given) {
                        let message = format!("{why}, so `{key}` would do nothing: leave one of them out");
                        return Err(source.error_at(&at(key), message));
                    }
                }
                kept.rules
                    .validate()
                    .map_err(|e| source.error_at(path, e.to_string()))
            }
        }
    };
}

/// Why the switch `key` does nothing; `None`: it does something.
fn idle(kept: &TimeWaitConfig, key: &str) -> Option<&'static str> {
    let rules = &kept.rules;
    match key {
        _ if kept.length_ms == 0 => Some("a length of 0 keeps no TIME-WAIT"),
        _ if rules.policy == Policy::None.into() => Some("the policy none keeps no TIME-WAIT"),
        "iss" | "ack_check" if rules.policy == Policy::Strict.into() => {
            Some("the policy strict never recycles")
        }
        "msl" if !rules.bound => {
            Some("only the recycling bound looks back for an MSL, and it is off")
        }
        _ => None,
    }
}

with_rules! {
    /// TIME-WAIT.
    TimeWait {
        /// How long a four-tuple stays in TIME-WAIT (2 MSL, RFC 9293 3.4.2), 0s to 24h. Default
        /// `"60s"`. `"0s"` keeps none, and nothing guards against old duplicates then.
        length: Millis<0, 86_400_000>,
        /// Entries of a worker's table, 1 to 2^31. Default 1048576. When it is full the oldest of
        /// some ten near the new one's place gives way, which is counted with its age.
        capacity: Count<1, { 1 << 31 }>,
        /// For how long a four-tuple of our own TIME-WAIT that had timestamps is not opened again by an
        /// active open, 0s to 24h, or `"never"`: not before its TIME-WAIT is over. Default `"1s"`, so
        /// that the timestamps have moved on (RFC 7323 5.4) and the peer believes the new SYN.
        local_reuse: LocalReuse,
    }
}

with_rules! {
    /// TIME-WAIT of one listener, where it differs.
    #[derive(Default)]
    ListenTimeWait {
        /// How long a four-tuple stays in TIME-WAIT, 0s to 24h. All listeners together have 16 different lengths at most,
        /// `tcp.fin_wait2_timeout` included.
        length: Option<Millis<0, 86_400_000>>,
    }
}

impl Default for TimeWait {
    fn default() -> TimeWait {
        TimeWait {
            length: Millis::of(60_000),
            capacity: Count::of(1 << 20),
            local_reuse: LocalReuse::After(Millis::of(1_000)),
            msl: None,
            profile: None,
            policy: None,
            rst: None,
            syn_refuse: None,
            syn_probe: None,
            shadow: None,
            ack_check: None,
            iss: None,
            bound: None,
        }
    }
}

impl TimeWait {
    /// In the words of the stack.
    #[must_use]
    pub fn stack(&self) -> TimeWaitConfig {
        TimeWaitConfig {
            length_ms: narrow(self.length),
            msl_ms: self.msl.map(narrow),
            rules: self.rules_on(Rules::SAFE),
            local_reuse_ms: self.local_reuse.ms(),
            ..TimeWaitConfig::default()
        }
    }

    pub(super) fn validate(&self, source: &Source) -> Result<(), ConfigError> {
        self.check(&self.stack(), source, "time_wait")
    }
}

impl ListenTimeWait {
    /// In the words of the stack: `base` with what differs.
    #[must_use]
    pub fn stack(&self, base: &TimeWaitConfig) -> TimeWaitConfig {
        TimeWaitConfig {
            length_ms: self.length.map_or(base.length_ms, narrow),
            // Half of its own length, if it has one.
            msl_ms: self
                .msl
                .map(narrow)
                .or_else(|| base.msl_ms.filter(|_| self.length.is_none())),
            rules: self.rules_on(base.rules),
            ..*base
        }
    }

    pub(super) fn validate(
        &self,
        base: &TimeWaitConfig,
        source: &Source,
        path: &str,
    ) -> Result<(), ConfigError> {
        self.check(&self.stack(base), source, path)
    }
}

fn narrow(time: Millis<0, 86_400_000>) -> u32 {
    // The range is in the type.
    u32::try_from(time.get()).unwrap_or(u32::MAX)
}

/// When an active open may take over a four-tuple of our own TIME-WAIT.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LocalReuse {
    /// Not at all.
    Never,
    /// So long after the connection ended, if it had timestamps.
    After(Millis<0, 86_400_000>),
}

impl LocalReuse {
    /// The same in milliseconds.
    #[must_use]
    pub fn ms(self) -> Option<u32> {
        match self {
            LocalReuse::Never => None,
            LocalReuse::After(time) => Some(narrow(time)),
        }
    }
}

impl<'de> Deserialize<'de> for LocalReuse {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<LocalReuse, D::Error> {
        let text = String::deserialize(deserializer)?;
        match text.as_str() {
            "never" => Ok(LocalReuse::Never),
            time => time
                .parse()
                .map(LocalReuse::After)
                .map_err(|why| de::Error::custom(format!("{why}, or use \"never\""))),
        }
    }
}

/// The ISS of a connection that recycles.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Iss(pub IssRule);

impl<'de> Deserialize<'de> for Iss {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Iss, D::Error> {
        let text = String::deserialize(deserializer)?;
        let rule = match text.split_once('=') {
            None if text == "clock" => Some(IssRule::Clock),
            None if text == "max" => Some(IssRule::Max),
            Some(("gap", gap)) => gap.parse().ok().map(IssRule::Gap),
            _ => None,
        };
        rule.map(Iss).ok_or_else(|| {
            de::Error::custom(format!(
                "`{text}` is not a rule for the ISS: use \"clock\", \"max\" or \"gap=65537\""
            ))
        })
    }
}
