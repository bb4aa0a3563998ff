//! How local sockets for active opens are chosen.

/// Which of the free pairs of local address and port is next. Each takes a constant number of steps.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum PortAlgorithm {
    /// The one that has rested longest: no other has a longer time before a pair is used again.
    #[default]
    LongestRest,
    /// RFC 6056 3.3.1: the first free one from a random place on.
    Random,
    /// RFC 6056 3.3.2: a random one, and another one if it is not free.
    RandomRetry,
    /// RFC 6056 3.3.3: from a place that depends on the destination and a counter of all destinations.
    Hash,
    /// RFC 6056 3.3.4: the same with a counter for each destination.
    DoubleHash,
    /// RFC 6056 3.3.5: a random step, 1 to 500, after the last one.
    RandomIncrements,
}

impl PortAlgorithm {
    /// Every algorithm.
    pub const ALL: [PortAlgorithm; 6] = [
        PortAlgorithm::LongestRest,
        PortAlgorithm::Random,
        PortAlgorithm::RandomRetry,
        PortAlgorithm::Hash,
        PortAlgorithm::DoubleHash,
        PortAlgorithm::RandomIncrements,
    ];
}

/// How the local sockets of a destination are chosen.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct PortSelection {
    /// Which one is next.
    pub algorithm: PortAlgorithm,
    /// The least time between the end of a connection and the next one of the same four-tuple, in
    /// milliseconds, 0 to 86,400,000: so long the destination, or something on the way, may remember it.
    pub min_interval_ms: u32,
}
