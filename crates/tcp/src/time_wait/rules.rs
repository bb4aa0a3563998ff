//! What a host may choose about TIME-WAIT: a policy and its switches, and the profiles that are
//! sensible sets of them.

use core::fmt;

use super::isn::GAP;

/// Which SYN may recycle a four-tuple in TIME-WAIT.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Policy {
    /// None: no SYN shortens a TIME-WAIT (RFC 9293 3.6.1, MUST-13). A RST at RCV.NXT ends it, as RFC 9293 3.10.7.4 has it,
    /// unless `rst` says otherwise: the way back for a peer whose SYN was acknowledged.
    Strict,
    /// One whose sequence number is new, whatever its timestamp (RFC 1122 4.2.2.13, as the BSDs read
    /// it).
    Rfc1122,
    /// One whose timestamp is newer, or else whose sequence number is new (RFC 6191).
    #[default]
    Rfc6191,
    /// What Linux does: a newer timestamp or a greater sequence number; nearly everything restarts the
    /// timer.
    Linux,
    /// One whose sequence number is greater; timestamps are not looked at, a refused SYN gets silence
    /// (Windows as far as it is known, and FreeBSD).
    Windows,
    /// There is no TIME-WAIT: the rules of CLOSED and LISTEN apply at once.
    None,
}

impl Policy {
    /// Every policy.
    pub const ALL: [Policy; 6] = [
        Policy::Strict,
        Policy::Rfc1122,
        Policy::Rfc6191,
        Policy::Linux,
        Policy::Windows,
        Policy::None,
    ];

    /// Its name in configurations.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Policy::Strict => "strict",
            Policy::Rfc1122 => "rfc1122",
            Policy::Rfc6191 => "rfc6191",
            Policy::Linux => "linux",
            Policy::Windows => "windows",
            Policy::None => "none",
        }
    }
}

/// What a RST does to an entry. PAWS never applies to one (RFC 7323 5.2).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum RstRule {
    /// It ends TIME-WAIT if it is in the window (RFC 793).
    Rfc793,
    /// It ends TIME-WAIT if it is at RCV.NXT exactly, and is challenged elsewhere in the window
    /// (RFC 5961 3.2, RFC 9293 3.10.7.4).
    Rfc5961,
    /// Nothing: an old segment cannot end TIME-WAIT through the peer's RST (RFC 1337, fix F1).
    #[default]
    Ignore,
    /// Nothing in the first two seconds if timestamps are in use, later and without them what
    /// [`RstRule::Rfc793`] says (RFC 1337, fix F2).
    IgnoreBriefly,
    /// It ends TIME-WAIT if it is at RCV.NXT exactly; elsewhere nothing (Linux, tcp_rfc1337 = 0).
    Linux,
}

impl RstRule {
    /// Every rule.
    pub const ALL: [RstRule; 5] = [
        RstRule::Rfc793,
        RstRule::Rfc5961,
        RstRule::Ignore,
        RstRule::IgnoreBriefly,
        RstRule::Linux,
    ];

    /// Its name in configurations.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            RstRule::Rfc793 => "rfc793",
            RstRule::Rfc5961 => "rfc5961",
            RstRule::Ignore => "ignore",
            RstRule::IgnoreBriefly => "ignore-2s",
            RstRule::Linux => "linux",
        }
    }
}

/// What a SYN that may not recycle gets.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum SynRefusal {
    /// A challenge ACK, within the limits (RFC 5961 4.2). The peer's RST is to end TIME-WAIT.
    Ack,
    /// Nothing (RFC 6191 2).
    #[default]
    Drop,
}

/// The ISS of a passive open that recycles.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum IssRule {
    /// The ISN clock (RFC 9293 3.4.1), though it may be behind what was used before.
    Clock,
    /// So far after SND.NXT (Linux: 65,537).
    Gap(u32),
    /// The ISN clock if it is ahead of SND.NXT, else a gap after it (RFC 9293 3.6.1, MAY-2).
    #[default]
    Max,
}

/// A policy and its switches. The default is the profile `safe`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Rules {
    /// Which SYN may recycle.
    pub policy: Policy,
    /// What a RST does.
    pub rst: RstRule,
    /// What a SYN that may not recycle gets.
    pub syn_refusal: SynRefusal,
    /// Within a second of the acknowledgment of a refused SYN, a RST at RCV.NXT ends TIME-WAIT
    /// although `rst` ignores it: it is the peer in SYN-SENT that has forgotten the connection.
    pub syn_probe: bool,
    /// An accepted SYN that turns out to be an old duplicate restores TIME-WAIT with its original
    /// end (RFC 9293 3.6.1, MAY-2).
    pub shadow: bool,
    /// A recycled connection drops segments whose acknowledgment is outside of RFC 5961 5.2's range
    /// (RFC 9293 3.10.7.4, MAY-12).
    pub ack_check: bool,
    /// The ISS of a connection that recycles.
    pub iss: IssRule,
    /// A recycle that could make sequence numbers of the last MSL ambiguous is refused.
    pub bound: bool,
}

impl Default for Rules {
    fn default() -> Rules {
        Rules::SAFE
    }
}

impl Rules {
    /// Profile `safe`: RFC 6191 to the letter, and nothing that could end TIME-WAIT before a proof.
    /// A peer whose SYN is refused hears nothing until TIME-WAIT is over.
    pub const SAFE: Rules = Rules {
        policy: Policy::Rfc6191,
        rst: RstRule::Ignore,
        syn_refusal: SynRefusal::Drop,
        syn_probe: false,
        shadow: true,
        ack_check: true,
        iss: IssRule::Max,
        bound: true,
    };

    /// Profile `fast-recovery`: as `safe`, but a refused SYN is acknowledged, and the RST with which
    /// a peer in SYN-SENT answers ends TIME-WAIT. What remains possible is that an old duplicate SYN
    /// whose sender is gone does the same.
    pub const FAST_RECOVERY: Rules = Rules {
        syn_refusal: SynRefusal::Ack,
        syn_probe: true,
        ..Rules::SAFE
    };

    /// Profile `linux`: what Linux does with tcp_rfc1337 = 0.
    pub const LINUX: Rules = Rules {
        policy: Policy::Linux,
        rst: RstRule::Linux,
        syn_refusal: SynRefusal::Ack,
        syn_probe: false,
        shadow: false,
        ack_check: true,
        iss: IssRule::Gap(GAP),
        bound: false,
    };

    /// A policy with the switches that belong to it.
    #[must_use]
    pub const fn of(policy: Policy) -> Rules {
        match policy {
            Policy::Rfc6191 => Rules::SAFE,
            Policy::Linux => Rules::LINUX,
            Policy::Strict => Rules {
                policy,
                rst: RstRule::Rfc5961,
                syn_refusal: SynRefusal::Ack,
                shadow: false,
                bound: false,
                ..Rules::SAFE
            },
            Policy::Rfc1122 => Rules {
                policy,
                rst: RstRule::Rfc5961,
                syn_refusal: SynRefusal::Ack,
                bound: false,
                ..Rules::SAFE
            },
            Policy::Windows | Policy::None => Rules {
                policy,
                shadow: false,
                bound: false,
                ..Rules::SAFE
            },
        }
    }

    /// Whether the switches agree with each other.
    ///
    /// # Errors
    /// The first contradiction, with its reason and what to do.
    pub const fn validate(&self) -> Result<(), Contradiction> {
        let ignores = matches!(self.rst, RstRule::Ignore);
        let acks = matches!(self.syn_refusal, SynRefusal::Ack);
        let recycles = !matches!(self.policy, Policy::Strict | Policy::None);
        if self.syn_probe && !acks {
            return Err(Contradiction::ProbeWithoutAck);
        }
        if self.syn_probe && !ignores {
            return Err(Contradiction::ProbeWithoutIgnore);
        }
        if acks && ignores && !self.syn_probe {
            return Err(Contradiction::AckIgnored);
        }
        if self.shadow && !recycles {
            return Err(Contradiction::ShadowWithoutRecycling(self.policy));
        }
        if self.bound && !matches!(self.policy, Policy::Rfc6191) {
            return Err(Contradiction::BoundWithoutProof(self.policy));
        }
        if self.bound && !ignores {
            return Err(Contradiction::BoundWithReset(self.rst));
        }
        if self.bound && !self.shadow {
            return Err(Contradiction::BoundWithoutShadow);
        }
        if self.bound && matches!(self.iss, IssRule::Clock) {
            return Err(Contradiction::BoundWithClock);
        }
        if let IssRule::Gap(gap) = self.iss
            && gap > MAX_GAP
        {
            return Err(Contradiction::Gap(gap));
        }
        Ok(())
    }
}

/// The largest gap of [`IssRule::Gap`].
pub const MAX_GAP: u32 = 1 << 24;

/// Why [`Rules`] contradict themselves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Contradiction {
    /// Refused SYNs are acknowledged, and the RST that this provokes is ignored.
    AckIgnored,
    /// `syn_probe` without an acknowledgment that it could wait for an answer to.
    ProbeWithoutAck,
    /// `syn_probe` with a rule by which a RST ends TIME-WAIT anyway.
    ProbeWithoutIgnore,
    /// `shadow` with a policy that never recycles.
    ShadowWithoutRecycling(Policy),
    /// `bound` with a policy that does not take timestamps for what they prove.
    BoundWithoutProof(Policy),
    /// `bound` with a rule by which a RST ends TIME-WAIT, and with it what the bound knows.
    BoundWithReset(RstRule),
    /// `bound` without `shadow`: what it knows ends with a SYN of nobody's and its RST.
    BoundWithoutShadow,
    /// `bound` with an ISS that may be behind.
    BoundWithClock,
    /// A gap larger than [`MAX_GAP`].
    Gap(u32),
}

impl fmt::Display for Contradiction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Contradiction::AckIgnored => f.write_str(
                "the acknowledgment of a refused SYN can only provoke a RST, which rst = ignore \
                 ignores: use syn_refuse = drop, or syn_probe = true, or another rst rule",
            ),
            Contradiction::ProbeWithoutAck => f.write_str(
                "syn_probe waits for the RST that answers the acknowledgment of a refused SYN: it \
                 needs syn_refuse = ack",
            ),
            Contradiction::ProbeWithoutIgnore => f.write_str(
                "syn_probe makes an exception of rst = ignore: with another rst rule a RST ends \
                 TIME-WAIT anyway, so leave one of them out",
            ),
            Contradiction::ShadowWithoutRecycling(policy) => write!(
                f,
                "shadow restores TIME-WAIT after a mistaken recycle, and the policy {} never \
                 recycles: use shadow = false",
                policy.name()
            ),
            Contradiction::BoundWithoutProof(policy) => write!(
                f,
                "the recycling bound counts what timestamps do not prove, and the policy {} does \
                 not take their proof: use bound = false, or policy = rfc6191",
                policy.name()
            ),
            Contradiction::BoundWithReset(rst) => write!(
                f,
                "the recycling bound is kept in TIME-WAIT, which an old RST ends under rst = {}: use rst = ignore, or \
                 bound = false",
                rst.name()
            ),
            Contradiction::BoundWithoutShadow => f.write_str(
                "the recycling bound is kept in TIME-WAIT, which an old SYN and its RST end where nothing restores it: use \
                 shadow = true, or bound = false",
            ),
            Contradiction::BoundWithClock => f.write_str(
                "the recycling bound needs an ISS that is never behind: use iss = max or a gap, or \
                 bound = false",
            ),
            Contradiction::Gap(gap) => {
                write!(f, "an ISS gap of {gap} is out of range: 0 to {MAX_GAP}")
            }
        }
    }
}

impl core::error::Error for Contradiction {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_policy_and_profile_agrees_with_itself() {
        for rules in Policy::ALL.map(Rules::of).into_iter().chain([
            Rules::SAFE,
            Rules::FAST_RECOVERY,
            Rules::LINUX,
        ]) {
            assert_eq!(rules.validate(), Ok(()), "{rules:?}");
        }
    }

    #[test]
    fn contradictions_are_refused_with_their_reason() {
        use Contradiction as C;
        let cases = [
            (
                Rules {
                    syn_refusal: SynRefusal::Ack,
                    ..Rules::SAFE
                },
                C::AckIgnored,
                "syn_refuse = drop",
            ),
            (
                Rules {
                    syn_refusal: SynRefusal::Drop,
                    ..Rules::FAST_RECOVERY
                },
                C::ProbeWithoutAck,
                "syn_refuse = ack",
            ),
            (
                Rules {
                    rst: RstRule::Rfc5961,
                    ..Rules::FAST_RECOVERY
                },
                C::ProbeWithoutIgnore,
                "leave one of them out",
            ),
            (
                Rules {
                    shadow: true,
                    ..Rules::of(Policy::Strict)
                },
                C::ShadowWithoutRecycling(Policy::Strict),
                "strict never recycles",
            ),
            (
                Rules {
                    bound: true,
                    ..Rules::LINUX
                },
                C::BoundWithoutProof(Policy::Linux),
                "policy = rfc6191",
            ),
            (
                Rules {
                    rst: RstRule::IgnoreBriefly,
                    ..Rules::SAFE
                },
                C::BoundWithReset(RstRule::IgnoreBriefly),
                "bound = false",
            ),
            (
                Rules {
                    shadow: false,
                    ..Rules::SAFE
                },
                C::BoundWithoutShadow,
                "bound = false",
            ),
            (
                Rules {
                    iss: IssRule::Clock,
                    ..Rules::SAFE
                },
                C::BoundWithClock,
                "iss = max",
            ),
            (
                Rules {
                    iss: IssRule::Gap(MAX_GAP + 1),
                    ..Rules::SAFE
                },
                C::Gap(MAX_GAP + 1),
                "out of range",
            ),
        ];
        for (rules, expected, remedy) in cases {
            assert_eq!(rules.validate(), Err(expected));
            assert!(expected.to_string().contains(remedy), "{expected}");
        }
    }

    /// Of each policy with every RST rule, refusal, probe, shadow and bound: `true` where they agree. `none` takes
    /// what the others take, since it looks at nothing; a configuration refuses to set it.
    #[test]
    fn every_combination_is_judged_by_its_reasons() {
        for policy in Policy::ALL {
            for rst in RstRule::ALL {
                for bits in 0..16 {
                    let on = |bit: u8| bits >> bit & 1 != 0;
                    let rules = Rules {
                        policy,
                        rst,
                        syn_refusal: if on(0) {
                            SynRefusal::Ack
                        } else {
                            SynRefusal::Drop
                        },
                        syn_probe: on(1),
                        shadow: on(2),
                        bound: on(3),
                        ..Rules::SAFE
                    };
                    let ignores = rst == RstRule::Ignore;
                    // F-7: who acknowledges a refused SYN has to heed the RST that comes of it, by one rule.
                    let recovery = match (on(0), on(1), ignores) {
                        (true, true, true) | (true, false, false) | (false, false, _) => true,
                        (true, true, false) | (true, false, true) | (false, true, _) => false,
                    };
                    let recycles = !matches!(policy, Policy::Strict | Policy::None);
                    let shadow = !on(2) || recycles;
                    let bound = !on(3) || policy == Policy::Rfc6191 && ignores && on(2);
                    let agree = recovery && shadow && bound;
                    assert_eq!(
                        rules.validate().is_ok(),
                        agree,
                        "{rules:?}: {:?}",
                        rules.validate()
                    );
                }
            }
        }
    }
}
