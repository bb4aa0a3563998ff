//! What to do: the kind of traffic, its pace, how connections end, and within which bounds.

use core::num::NonZeroU32;
use core::time::Duration;

use stack::DestinationId;

use crate::exchange::Exchange;
use crate::load::Run;

/// What one worker is to do.
#[derive(Clone, PartialEq, Debug)]
pub struct Spec {
    /// The kind of traffic.
    pub mode: Mode,
    /// How fast.
    pub pace: Pace,
    /// How connections end.
    pub close: Close,
    /// How long a connection waits between an answer and the next request, and between the last answer and its
    /// end.
    pub think: Duration,
    /// How long an answer, or the opening of a connection, may take before the connection is reset and counted as
    /// timed out. `None`: as long as TCP lets it.
    pub timeout: Option<Duration>,
    /// The bounds.
    pub caps: Caps,
    /// How long connections are opened and requests sent; `None`: until told otherwise.
    pub duration: Option<Duration>,
    /// How many connections are opened at most; `None`: as many as the duration allows.
    pub connections: Option<u64>,
    /// Where to: at least one.
    pub targets: Vec<Target>,
}

/// The kind of traffic.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// Connections are what counts: each opens, makes so many requests, and closes. An open loop's rate is that of
    /// connections.
    Connections {
        /// Requests a connection.
        requests: NonZeroU32,
    },
    /// Requests over kept connections are what counts. An open loop's rate is that of requests; a request that is due
    /// while every connection is busy waits, and its latency counts from when it was due.
    Requests {
        /// Requests after which a connection is replaced by a new one; `None`: never.
        per_connection: Option<NonZeroU32>,
    },
    /// Connections are opened up to the cap, at the pace, and held until the duration ends. Each makes a request now
    /// and then, or none.
    Held {
        /// Time between an answer and the next request of a connection; `None`: they are silent.
        every: Option<Duration>,
    },
    /// As many octets as fit, on kept connections.
    Bulk {
        /// Whether to send.
        send: bool,
        /// Whether octets are expected.
        receive: bool,
        /// Octets after which a connection is replaced by a new one, counted over both directions; `None`: never.
        per_connection: Option<u64>,
    },
}

/// How fast.
#[derive(Clone, PartialEq, Debug)]
pub enum Pace {
    /// Closed loop: as fast as the answers come.
    Closed,
    /// Open loop: at a rate, whether or not the other end keeps up.
    Open(Profile),
}

/// A rate over time. After its last segment the rate stays.
#[derive(Clone, PartialEq, Debug)]
pub struct Profile {
    /// In order of time; at least one.
    pub segments: Vec<Segment>,
}

/// A rate that stays, or changes evenly.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Segment {
    /// How long.
    pub duration: Duration,
    /// Events a second at its beginning, 0 or more.
    pub from: f64,
    /// Events a second at its end, 0 or more.
    pub to: f64,
}

/// How a connection ends when it has had its answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Close {
    /// We send the first FIN.
    #[default]
    Fin,
    /// We send RST.
    Reset,
    /// We send FIN right behind the last request, and read on (half close).
    HalfClose,
    /// The peer sends the first FIN.
    Peer,
}

/// Bounds of one worker.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Caps {
    /// Connections alive at a time, at least 1. In a closed loop, as many are kept alive.
    pub connections: u32,
    /// Connections in SYN-SENT at a time, at least 1.
    pub opening: u32,
}

/// A destination and its share of the connections.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Target {
    /// Its place in the host's configuration.
    pub destination: DestinationId,
    /// Its share, relative to the others', at least 1.
    pub weight: NonZeroU32,
    /// The place of what is said there among the exchanges of the [`crate::Load`].
    pub exchange: u16,
}

/// What cannot be done.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
pub enum SpecError {
    /// Nowhere to connect to.
    #[error("there is no destination")]
    NoTarget,
    /// A target without anything to say.
    #[error("there is no exchange {0}")]
    NoExchange(u16),
    /// A cap of zero.
    #[error("a cap of 0 {0} lets nothing happen: at least 1")]
    ZeroCap(&'static str),
    /// Weights that cannot be dealt out finely enough.
    #[error("the destinations' weights, reduced, add up to {0}: at most {1}")]
    Weights(u64, u64),
    /// A rate that is no rate.
    #[error("a rate of {0} a second: it has to be a number, 0 or more, and at most {1:e}")]
    BadRate(f64, f64),
    /// A profile at which nothing happens.
    #[error("the rate is 0 throughout: nothing would happen")]
    NoRate,
    /// Bulk without a direction.
    #[error("bulk that neither sends nor receives")]
    NoDirection,
    /// A number of requests in which a script would be left in the middle.
    #[error("{requests} requests a connection are no multiple of the {steps} steps of the script")]
    Steps {
        /// Requests a connection.
        requests: u32,
        /// Steps of the exchange.
        steps: u32,
    },
    /// A histogram cannot be made.
    #[error("the histograms: {0}")]
    Histogram(#[from] hdrhistogram::CreationError),
}

impl Profile {
    /// The greatest rate, in events a second.
    pub const MAX_RATE: f64 = 1e9;

    /// A constant rate.
    #[must_use]
    pub fn constant(rate: f64) -> Profile {
        Profile {
            segments: vec![Segment {
                duration: Duration::MAX,
                from: rate,
                to: rate,
            }],
        }
    }

    /// The same shape, with every rate times `factor`: the share of one of several workers.
    #[must_use]
    pub fn scaled(&self, factor: f64) -> Profile {
        let scaled = |s: &Segment| Segment {
            from: s.from * factor,
            to: s.to * factor,
            ..*s
        };
        Profile {
            segments: self.segments.iter().map(scaled).collect(),
        }
    }

    /// The greatest rate that is reached.
    #[must_use]
    pub fn peak(&self) -> f64 {
        let rates = self.segments.iter().map(|s| s.from.max(s.to));
        rates.fold(0.0, f64::max)
    }

    fn validate(&self) -> Result<(), SpecError> {
        for rate in self.segments.iter().flat_map(|s| [s.from, s.to]) {
            if !(0.0..=Profile::MAX_RATE).contains(&rate) {
                return Err(SpecError::BadRate(rate, Profile::MAX_RATE));
            }
        }
        match self.peak() > 0.0 {
            true => Ok(()),
            false => Err(SpecError::NoRate),
        }
    }
}

impl Spec {
    /// Checks everything that does not depend on the host.
    ///
    /// # Errors
    /// The first thing that cannot be done.
    pub fn validate(&self, exchanges: &[Exchange]) -> Result<(), SpecError> {
        if let Some(target) = self
            .targets
            .iter()
            .find(|t| usize::from(t.exchange) >= exchanges.len())
        {
            return Err(SpecError::NoExchange(target.exchange));
        }
        let whole = |requests: NonZeroU32| {
            let requests = requests.get();
            let steps = exchanges.iter().map(Exchange::steps);
            match steps
                .into_iter()
                .find(|steps| !requests.is_multiple_of(*steps))
            {
                Some(steps) => Err(SpecError::Steps { requests, steps }),
                None => Ok(()),
            }
        };
        if self.targets.is_empty() {
            return Err(SpecError::NoTarget);
        }
        if self.caps.connections == 0 {
            return Err(SpecError::ZeroCap("connections"));
        }
        if self.caps.opening == 0 {
            return Err(SpecError::ZeroCap("outstanding SYNs"));
        }
        if let Pace::Open(profile) = &self.pace {
            profile.validate()?;
        }
        match self.mode {
            Mode::Bulk {
                send: false,
                receive: false,
                ..
            } => Err(SpecError::NoDirection),
            Mode::Connections { requests } => whole(requests),
            Mode::Requests {
                per_connection: Some(requests),
            } => whole(requests),
            _ => Ok(()),
        }
    }

    /// The first run.
    #[must_use]
    pub fn run(&self) -> Run {
        Run {
            pace: self.pace.clone(),
            phase: 0.0,
            duration: self.duration,
            connections: self.connections,
            timed: true,
        }
    }
}

/// The share of the `n`th of `of` in a number: the first ones have one more if need be.
fn part(number: u64, n: u64, of: u64) -> u64 {
    number / of + u64::from(n < number % of)
}

impl Spec {
    /// What the `n`th of `of` workers is to do, and its first run; all shares together are the whole.
    #[must_use]
    pub fn share(&self, n: u16, of: u16) -> (Spec, Run) {
        // Not above the whole.
        let narrow = |cap: u32| part(cap.into(), n.into(), of.max(1).into()) as u32;
        let mut spec = self.clone();
        spec.caps = Caps {
            connections: narrow(self.caps.connections),
            opening: narrow(self.caps.opening).max(1),
        };
        let run = self.run().share(n, of);
        spec.pace = run.pace.clone();
        spec.connections = run.connections;
        (spec, run)
    }
}

impl Run {
    /// The share of the `n`th of `of` workers in a run of all of them.
    #[must_use]
    pub fn share(&self, n: u16, of: u16) -> Run {
        let of = of.max(1);
        Run {
            pace: match &self.pace {
                Pace::Closed => Pace::Closed,
                Pace::Open(profile) => Pace::Open(profile.scaled(1.0 / f64::from(of))),
            },
            phase: f64::from(n) / f64::from(of),
            duration: self.duration,
            connections: self.connections.map(|all| part(all, n.into(), of.into())),
            timed: self.timed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shares_of_all_workers_are_the_whole() {
        let whole = Spec {
            mode: Mode::Held { every: None },
            pace: Pace::Open(Profile::constant(1_000.0)),
            close: Close::Fin,
            think: Duration::ZERO,
            timeout: None,
            caps: Caps {
                connections: 1_000,
                opening: 2,
            },
            duration: None,
            connections: Some(5),
            targets: vec![],
        };
        let shares: Vec<_> = (0..3).map(|n| whole.share(n, 3)).collect();
        let sum = |f: fn(&Spec) -> u64| shares.iter().map(|(s, _)| f(s)).sum::<u64>();
        assert_eq!(sum(|s| s.caps.connections.into()), 1_000);
        assert_eq!(sum(|s| s.connections.unwrap()), 5);
        // Each may open one at a time at least.
        assert_eq!(sum(|s| s.caps.opening.into()), 3);
        let phases: Vec<f64> = shares.iter().map(|(_, run)| run.phase).collect();
        assert_eq!(phases, [0.0, 1.0 / 3.0, 2.0 / 3.0]);
        let Pace::Open(profile) = &shares[1].0.pace else {
            panic!("{:?}", shares[1])
        };
        assert!((profile.peak() - 1_000.0 / 3.0).abs() < 1e-9);
    }
}
