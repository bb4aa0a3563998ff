//! Why a configuration cannot be.

use wire::Ip;

/// A configuration that cannot be.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConfigError {
    /// No address.
    #[error("the host has no address: give it at least one, such as 192.0.2.1/24")]
    NoAddress,
    /// A prefix too long for its family.
    #[error("{0}/{1}: the prefix is 0 to 32 bits of an IPv4 address, 0 to 128 of an IPv6 address")]
    BadPrefix(Ip, u8),
    /// Two addresses of one connection are of different families.
    #[error("{0} and {1} are of different families")]
    FamiliesDiffer(Ip, Ip),
    /// A gateway of the wrong family.
    #[error("the gateway {0} is of the other family: there is one gateway for each")]
    GatewayFamily(Ip),
    /// An MTU that IPv6 does not allow.
    #[error("an MTU of {0} is too small for IPv6, whose links carry at least 1280 bytes")]
    MtuTooSmallForIpv6(u16),
    /// Not an address a host can have.
    #[error("{0} is not a unicast address")]
    NotUnicast(Ip),
    /// VLAN out of range.
    #[error("VLAN {0} is out of range: 1 to 4094, or leave it out")]
    BadVlan(u16),
    /// MTU out of range.
    #[error("an MTU of {0} is out of range: 576 to 9216 bytes")]
    BadMtu(u16),
    /// The gateway cannot be reached.
    #[error("the gateway {0} is not on the prefix of any address of the host")]
    GatewayOffLink(Ip),
    /// A socket's address is not the host's.
    #[error("{0} is not an address of this host")]
    NotOurs(Ip),
    /// Two listeners on one socket.
    #[error("two listeners on port {0} overlap")]
    DuplicateListener(u16),
    /// A zero port, or a port range in the wrong order.
    #[error("ports {0} to {1}: the range is empty or begins at 0")]
    BadPorts(u16, u16),
    /// No local socket of this destination belongs to this shard.
    #[error("no source address and port for {0}:{1} belongs to this worker: widen the port range")]
    NoTuples(Ip, u16),
    /// A local socket that was asked for, with which a connection would be another worker's.
    #[error(
        "a connection from {0}:{1} to there belongs to another worker: choose another local port"
    )]
    AnotherWorkers(Ip, u16),
    /// Two destinations would use one four-tuple.
    #[error("two destinations {0}:{1} share source addresses and ports: give them separate ranges")]
    DuplicateDestination(Ip, u16),
    /// Two destinations on one socket with different TIME-WAIT, or parameters of the protocol.
    #[error(
        "two destinations {0}:{1} want different TIME-WAIT or TCP parameters: they belong to the address and port"
    )]
    TimeWaitDiffers(Ip, u16),
    /// Nothing fits the destination's path.
    #[error("{0} is neither on-link nor is there a gateway")]
    NoRoute(Ip),
    /// More sockets than the TIME-WAIT table can name.
    #[error(
        "there are {0} sockets already, of listeners, destinations and connections, or with connections in TIME-WAIT: close some, and wait until TIME-WAIT is over"
    )]
    TooManySockets(usize),
    /// More sets of the protocol's parameters than can be told apart.
    #[error("65,535 different sets of TCP parameters have been in use: use one of them again")]
    TooManyParameters,
    /// A listener that was closed.
    #[error("this listener has been closed: use the id of one that is open")]
    NoSuchListener,
    /// A TIME-WAIT length out of range.
    #[error("a TIME-WAIT length of {0} ms is out of range: 0 to 86400000")]
    BadTimeWait(u32),
    /// A least interval between two uses of a four-tuple out of range.
    #[error(
        "a least interval of {0} ms between uses of a four-tuple is out of range: 0 to 86400000"
    )]
    BadInterval(u32),
    /// An MSL longer than TIME-WAIT.
    #[error(
        "an MSL of {0} ms is longer than the TIME-WAIT of {1} ms: old segments would outlive what guards against them"
    )]
    MslOutlives(u32, u32),
    /// Rules of TIME-WAIT that contradict themselves.
    #[error("TIME-WAIT: {0}")]
    TimeWaitRules(#[from] tcp::time_wait::Contradiction),
    /// A capacity of zero or too large.
    #[error("{0} must be {1} to {2}, not {3}")]
    BadCapacity(&'static str, u64, u64, u64),
    /// A socket of run time with a length of TIME-WAIT that was not named.
    #[error(
        "a TIME-WAIT length of {0} ms is none of those that the host was configured with: name it in time_wait_lengths_ms"
    )]
    UnknownTimeWait(u32),
    /// The TIME-WAIT table cannot be made.
    #[error("the TIME-WAIT table: {0}")]
    TimeWait(String),
    /// The protocol's parameters.
    #[error(transparent)]
    Tcp(#[from] tcp::ConfigError),
}
