//! TIME-WAIT of one listener or destination.

use tcp::Config as TcpConfig;
use tcp::time_wait::{Policy, Rules};

use super::ConfigError;

/// TIME-WAIT of one listener or destination.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TimeWaitConfig {
    /// How long a connection that closed first stays in TIME-WAIT, in milliseconds, 0 to
    /// 86,400,000. 0 keeps no TIME-WAIT at all: old duplicates are then not guarded against.
    pub length_ms: u32,
    /// MSL: how long a segment may be under way at most, in milliseconds, 0 to `length_ms`. `None`: half
    /// of the length (RFC 9293 3.4.2). The recycling bound looks back so far.
    pub msl_ms: Option<u32>,
    /// What segments meet there, and who may recycle.
    pub rules: Rules,
    /// Whether a connection in FIN-WAIT-2 that its user has closed gives its control block back.
    pub compact_fin_wait2: bool,
    /// Whether an active open may take over a four-tuple that is in our own TIME-WAIT, when
    /// timestamps were in use and this many milliseconds have passed. `None`: never.
    pub local_reuse_ms: Option<u32>,
}

impl Default for TimeWaitConfig {
    /// A minute, by the rules of the profile `safe`.
    fn default() -> Self {
        TimeWaitConfig {
            length_ms: 60_000,
            msl_ms: None,
            rules: Rules::SAFE,
            compact_fin_wait2: true,
            local_reuse_ms: Some(1_000),
        }
    }
}

/// A day.
pub(super) const MAX_LENGTH_MS: u32 = 86_400_000;

impl TimeWaitConfig {
    /// The length that is kept: none under the policy `none`.
    #[must_use]
    pub fn kept_ms(&self) -> u32 {
        match self.rules.policy {
            Policy::None => 0,
            _ => self.length_ms,
        }
    }

    /// The MSL, in milliseconds.
    #[must_use]
    pub fn msl_ms(&self) -> u32 {
        self.msl_ms.unwrap_or(self.length_ms / 2)
    }

    /// How long FIN-WAIT-2 may last in the compact form of TIME-WAIT once the user has closed;
    /// `None` if connections keep their control block there.
    #[must_use]
    pub fn fin_wait2_ms(&self, tcp: &TcpConfig) -> Option<u32> {
        let ms = tcp.fin_wait2_timeout_ms;
        let kept = self.compact_fin_wait2 && self.rules.policy != Policy::None;
        (kept && (1..=MAX_LENGTH_MS).contains(&ms)).then_some(ms)
    }

    /// The protocol's parameters with what the rules say of them.
    #[must_use]
    pub(crate) fn protocol(&self, tcp: &TcpConfig) -> TcpConfig {
        protocol(&self.rules, tcp)
    }

    pub(crate) fn validate(&self) -> Result<(), ConfigError> {
        if self.length_ms > MAX_LENGTH_MS {
            return Err(ConfigError::BadTimeWait(self.length_ms));
        }
        if let Some(msl_ms) = self.msl_ms
            && msl_ms > self.length_ms
        {
            return Err(ConfigError::MslOutlives(msl_ms, self.length_ms));
        }
        self.rules.validate()?;
        Ok(())
    }
}

/// The protocol's parameters with what `rules` say of them.
#[must_use]
pub(crate) fn protocol(rules: &Rules, tcp: &TcpConfig) -> TcpConfig {
    TcpConfig {
        ack_check: tcp.ack_check && rules.ack_check,
        ..tcp.clone()
    }
}
