//! How the local sockets of active opens are chosen.

use clap::ValueEnum;
use serde::Deserialize;
use stack::PortAlgorithm;

/// Which of the free pairs of local address and port is next.
#[derive(Deserialize, ValueEnum, Clone, Copy, PartialEq, Eq, Debug, Default)]
#[serde(rename_all = "kebab-case")]
pub enum Ports {
    /// The one that has rested longest.
    #[default]
    LongestRest,
    /// The first free one from a random place on (RFC 6056 3.3.1).
    Random,
    /// A random one, and another one if it is not free (RFC 6056 3.3.2).
    RandomRetry,
    /// From a place that depends on the destination and a counter of all (RFC 6056 3.3.3).
    Hash,
    /// The same with a counter for each destination (RFC 6056 3.3.4).
    DoubleHash,
    /// A random step after the last one (RFC 6056 3.3.5).
    RandomIncrements,
}

impl From<Ports> for PortAlgorithm {
    fn from(ports: Ports) -> PortAlgorithm {
        match ports {
            Ports::LongestRest => PortAlgorithm::LongestRest,
            Ports::Random => PortAlgorithm::Random,
            Ports::RandomRetry => PortAlgorithm::RandomRetry,
            Ports::Hash => PortAlgorithm::Hash,
            Ports::DoubleHash => PortAlgorithm::DoubleHash,
            Ports::RandomIncrements => PortAlgorithm::RandomIncrements,
        }
    }
}
