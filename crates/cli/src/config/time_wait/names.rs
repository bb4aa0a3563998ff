//! The names that keys of `[time_wait]` take.

use clap::ValueEnum;
use serde::Deserialize;
use tcp::time_wait::{self, Rules, SynRefusal};

macro_rules! names {
    ($(#[$meta:meta])* $name:ident for $other:ty { $($text:literal => $variant:ident = $value:path, $doc:literal;)* }) => {
        $(#[$meta])*
        #[derive(Deserialize, ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
        pub enum $name {
            $(#[doc = $doc] #[serde(rename = $text)] #[value(name = $text)] $variant,)*
        }

        impl From<$name> for $other {
            fn from(name: $name) -> $other {
                match name {
                    $($name::$variant => $value,)*
                }
            }
        }
    };
}

names! {
    /// When a four-tuple in TIME-WAIT may be opened anew.
    Policy for time_wait::Policy {
        "strict" => Strict = time_wait::Policy::Strict, "Never.";
        "rfc1122" => Rfc1122 = time_wait::Policy::Rfc1122, "By a new sequence number.";
        "rfc6191" => Rfc6191 = time_wait::Policy::Rfc6191, "By a newer timestamp, else by a new sequence number.";
        "linux" => Linux = time_wait::Policy::Linux, "As Linux does.";
        "windows" => Windows = time_wait::Policy::Windows, "By a greater sequence number only.";
        "none" => None = time_wait::Policy::None, "There is no TIME-WAIT.";
    }
}

names! {
    /// What a RST does.
    RstRule for time_wait::RstRule {
        "rfc793" => Rfc793 = time_wait::RstRule::Rfc793, "Ends TIME-WAIT if it is in the window.";
        "rfc5961" => Rfc5961 = time_wait::RstRule::Rfc5961, "Ends TIME-WAIT if it is exact.";
        "ignore" => Ignore = time_wait::RstRule::Ignore, "Nothing.";
        "ignore-2s" => IgnoreBriefly = time_wait::RstRule::IgnoreBriefly, "Nothing at first, with timestamps.";
        "linux" => Linux = time_wait::RstRule::Linux, "Ends TIME-WAIT if it is exact; elsewhere nothing.";
    }
}

names! {
    /// What a refused SYN gets.
    SynRefuse for SynRefusal {
        "ack" => Ack = SynRefusal::Ack, "A challenge ACK.";
        "drop" => Drop = SynRefusal::Drop, "Nothing.";
    }
}

/// A set of rules.
#[derive(Deserialize, ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
#[serde(rename_all = "kebab-case")]
pub enum Profile {
    /// RFC 6191, RSTs ignored, refused SYNs dropped.
    Safe,
    /// The same, but a peer whose SYN is refused is helped out at once.
    FastRecovery,
    /// What Linux does.
    Linux,
}

impl Profile {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Profile::Safe => "safe",
            Profile::FastRecovery => "fast-recovery",
            Profile::Linux => "linux",
        }
    }

    /// Its rules.
    #[must_use]
    pub const fn rules(self) -> Rules {
        match self {
            Profile::Safe => Rules::SAFE,
            Profile::FastRecovery => Rules::FAST_RECOVERY,
            Profile::Linux => Rules::LINUX,
        }
    }
}
