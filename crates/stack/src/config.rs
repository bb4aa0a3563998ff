//! What one core's host is made of. Everything is sized here, once, at start.

use tcp::Config as TcpConfig;
use wire::{FourTuple, Ip, ethernet::MacAddr};

use crate::frame::Offload;
use crate::link::is_link_local;
use crate::parse::is_impossible_source_v6;

pub use ports::{PortAlgorithm, PortSelection};
pub use time_wait::TimeWaitConfig;

mod ports;
mod time_wait;

/// An address of this host and the prefix that it is on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct InterfaceAddress {
    /// The address.
    pub ip: Ip,
    /// Length of the on-link prefix in bits: 0 to 32 for IPv4, 0 to 128 for IPv6.
    pub prefix: u8,
}

impl InterfaceAddress {
    /// Whether `other` is on the same link.
    #[must_use]
    pub fn on_link(&self, other: Ip) -> bool {
        match (self.ip.as_v4(), other.as_v4()) {
            (Some(a), Some(b)) => {
                let mask = u32::MAX
                    .checked_shl(32 - u32::from(self.prefix.min(32)))
                    .unwrap_or(0);
                (u32::from_be_bytes(a) ^ u32::from_be_bytes(b)) & mask == 0
            }
            (None, None) => {
                let mask = u128::MAX
                    .checked_shl(128 - u32::from(self.prefix.min(128)))
                    .unwrap_or(0);
                (u128::from_be_bytes(self.ip.octets()) ^ u128::from_be_bytes(other.octets())) & mask
                    == 0
            }
            _ => false,
        }
    }

    /// The directed broadcast address of an IPv4 prefix shorter than 31 bits (RFC 3021).
    #[must_use]
    pub fn broadcast(&self) -> Option<Ip> {
        let a = u32::from_be_bytes(self.ip.as_v4()?);
        (self.prefix < 31).then(|| Ip::v4((a | (u32::MAX >> self.prefix)).to_be_bytes()))
    }
}

/// A listening socket.
#[derive(Clone, Debug)]
pub struct ListenerConfig {
    /// The local address, or `None` for every address of the host, of both families.
    pub address: Option<Ip>,
    /// The local port.
    pub port: u16,
    /// The most connections in SYN-RECEIVED at a time; a further SYN is dropped and counted.
    pub backlog: u32,
    /// The protocol's parameters.
    pub tcp: TcpConfig,
    /// TIME-WAIT of its connections.
    pub time_wait: TimeWaitConfig,
}

/// A destination of active opens and the local sockets that may be used for it.
#[derive(Clone, Debug)]
pub struct DestinationConfig {
    /// The remote address.
    pub address: Ip,
    /// The remote port.
    pub port: u16,
    /// Local addresses to connect from; each must be an address of the host and of the family of
    /// `address`. None: all of that family and scope.
    pub sources: Vec<Ip>,
    /// First local port.
    pub first_port: u16,
    /// Last local port, inclusive.
    pub last_port: u16,
    /// Use only the first so many (address, port) pairs; `None` for all of them.
    pub limit: Option<u32>,
    /// Which of the pairs that are free is next, and how long one rests.
    pub selection: PortSelection,
    /// The protocol's parameters.
    pub tcp: TcpConfig,
    /// TIME-WAIT of its connections.
    pub time_wait: TimeWaitConfig,
}

/// Which four-tuples' frames arrive at this shard's queue.
pub type Owner = Box<dyn Fn(&FourTuple) -> bool + Send>;

/// One core's host.
pub struct Config {
    /// The port's Ethernet address.
    pub mac: MacAddr,
    /// 802.1Q VLAN identifier, 1 to 4094: every frame is sent with the tag, and frames without it
    /// are dropped. `None`: untagged.
    pub vlan: Option<u16>,
    /// The most bytes of an IP packet, 576 to 9,216; with IPv6 at least 1,280.
    pub mtu: u16,
    /// The host's addresses, of both families. With an IPv6 address and none that is link-local
    /// (`fe80::/64`), the host has one more: that which follows from `mac` (RFC 2464 5).
    pub addresses: Vec<InterfaceAddress>,
    /// Where IPv4 packets go that are not on-link.
    pub gateway: Option<Ip>,
    /// The same for IPv6. Routers are not looked for: this is the only one.
    pub gateway_v6: Option<Ip>,
    /// DupAddrDetectTransmits (RFC 4862 5.1): how often the link is asked, a second apart, whether
    /// another host has an IPv6 address before it is used. 0: not at all.
    pub address_probes: u8,
    /// Checksum work that the port does.
    pub offload: Offload,
    /// Listening sockets.
    pub listeners: Vec<ListenerConfig>,
    /// Destinations of active opens.
    pub destinations: Vec<DestinationConfig>,
    /// The most live connections (all states but TIME-WAIT).
    pub max_connections: u32,
    /// Lengths of TIME-WAIT of sockets opened at run time ([`crate::Context::listen`],
    /// [`crate::Context::connect_from`]), in milliseconds; those of `listeners` and `destinations` need
    /// not be named.
    pub time_wait_lengths_ms: Vec<u32>,
    /// The most TIME-WAIT entries, of each family that sockets use.
    pub time_wait_capacity: usize,
    /// Bytes for received data that applications have not read and for data out of order.
    pub receive_memory: usize,
    /// Bytes for data queued to be sent or not yet acknowledged.
    pub send_memory: usize,
    /// The most neighbours remembered.
    pub max_neighbors: u16,
    /// RSTs, ICMP errors, echo replies and challenge ACKs a second, each kind on its own budget.
    pub control_replies_per_second: u32,
    /// The least time between two acknowledgments of segments that are not acceptable to one
    /// connection in TIME-WAIT, in milliseconds.
    pub time_wait_ack_interval_ms: u32,
    /// Nanoseconds of real time (since 1970) at [`tcp::time::Instant::ZERO`]: the ISN and timestamp clocks
    /// follow real time, so that they go on where a former process left off.
    pub real_time_at_zero_ns: u64,
    /// Which tuples this shard owns; `None` for all.
    pub owner: Option<Owner>,
}

/// Secrets, given from outside: from the operating system's generator in production, from a seed
/// under test.
#[derive(Clone)]
pub struct Secrets {
    /// Key of ISNs and timestamp offsets; may be kept in a file across restarts, so that a peer in
    /// TIME-WAIT still believes this host.
    pub isn: tcp::isn::Secret,
    /// Key of the tables' hash; new at every start.
    pub table: [u64; 2],
}

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
    #[error("more than {0} listeners and destinations")]
    TooManySockets(usize),
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

impl Config {
    /// A host with `mac` and one address, and limits for a small machine: 64 Ki connections, 1 Mi
    /// TIME-WAIT entries, 16 MiB for data each way.
    #[must_use]
    pub fn new(mac: MacAddr, address: InterfaceAddress) -> Config {
        Config {
            mac,
            vlan: None,
            mtu: 1500,
            addresses: vec![address],
            gateway: None,
            gateway_v6: None,
            address_probes: 1,
            offload: Offload::default(),
            listeners: Vec::new(),
            destinations: Vec::new(),
            max_connections: 65_536,
            time_wait_lengths_ms: Vec::new(),
            time_wait_capacity: 1 << 20,
            receive_memory: 16 << 20,
            send_memory: 16 << 20,
            max_neighbors: 1024,
            control_replies_per_second: 10_000,
            time_wait_ack_interval_ms: tcp::time_wait::ack_limit::INTERVAL_MS,
            real_time_at_zero_ns: 0,
            owner: None,
        }
    }

    /// Checks what can be checked before anything is allocated.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn validate(&self) -> Result<(), ConfigError> {
        if self.addresses.is_empty() {
            return Err(ConfigError::NoAddress);
        }
        for a in &self.addresses {
            let longest = if a.ip.is_v4() { 32 } else { 128 };
            if a.prefix > longest {
                return Err(ConfigError::BadPrefix(a.ip, a.prefix));
            }
            if !is_unicast(a.ip) {
                return Err(ConfigError::NotUnicast(a.ip));
            }
        }
        if let Some(vlan) = self.vlan
            && !(1..=4094).contains(&vlan)
        {
            return Err(ConfigError::BadVlan(vlan));
        }
        if !(576..=9216).contains(&self.mtu) {
            return Err(ConfigError::BadMtu(self.mtu));
        }
        //= RFC 8200 5
        //# IPv6 requires that every link in the Internet have an MTU of 1280
        //# octets or greater.
        if self.mtu < 1280 && self.addresses.iter().any(|a| !a.ip.is_v4()) {
            return Err(ConfigError::MtuTooSmallForIpv6(self.mtu));
        }
        self.validate_gateway(self.gateway, true)?;
        self.validate_gateway(self.gateway_v6, false)?;
        for &length_ms in &self.time_wait_lengths_ms {
            if length_ms > time_wait::MAX_LENGTH_MS {
                return Err(ConfigError::BadTimeWait(length_ms));
            }
        }
        self.validate_capacities()?;
        self.validate_listeners()?;
        self.validate_destinations()
    }

    fn validate_gateway(&self, gateway: Option<Ip>, is_v4: bool) -> Result<(), ConfigError> {
        let Some(gateway) = gateway else {
            return Ok(());
        };
        if gateway.is_v4() != is_v4 {
            return Err(ConfigError::GatewayFamily(gateway));
        }
        // The link-local prefix is every host's that speaks IPv6.
        let has_v6 = self.addresses.iter().any(|a| !a.ip.is_v4());
        let on_link =
            is_link_local(gateway) && has_v6 || self.addresses.iter().any(|a| a.on_link(gateway));
        if !on_link {
            return Err(ConfigError::GatewayOffLink(gateway));
        }
        Ok(())
    }

    fn is_ours(&self, ip: Ip) -> bool {
        self.addresses.iter().any(|a| a.ip == ip)
    }

    fn validate_capacities(&self) -> Result<(), ConfigError> {
        let range = |name, low, high, value| {
            if (low..=high).contains(&value) {
                Ok(())
            } else {
                Err(ConfigError::BadCapacity(name, low, high, value))
            }
        };
        let gib = 1u64 << 30;
        range("max_connections", 1, 1 << 30, self.max_connections.into())?;
        range("max_neighbors", 1, 65_535, self.max_neighbors.into())?;
        range(
            "time_wait_capacity",
            1,
            1 << 31,
            self.time_wait_capacity as u64,
        )?;
        range(
            "receive_memory",
            1 << 16,
            1024 * gib,
            self.receive_memory as u64,
        )?;
        range("send_memory", 1 << 16, 1024 * gib, self.send_memory as u64)
    }

    fn validate_listeners(&self) -> Result<(), ConfigError> {
        for (i, l) in self.listeners.iter().enumerate() {
            if l.port == 0 {
                return Err(ConfigError::BadPorts(0, 0));
            }
            if let Some(address) = l.address
                && !self.is_ours(address)
            {
                return Err(ConfigError::NotOurs(address));
            }
            // A wildcard and a specific address on one port would be legal with a rule of
            // precedence; nobody here needs the ambiguity.
            let overlaps = |other: &ListenerConfig| {
                other.port == l.port
                    && (other.address.is_none()
                        || l.address.is_none()
                        || other.address == l.address)
            };
            if self.listeners[..i].iter().any(overlaps) {
                return Err(ConfigError::DuplicateListener(l.port));
            }
            l.time_wait.validate()?;
            l.tcp.validate()?;
        }
        Ok(())
    }

    fn validate_destinations(&self) -> Result<(), ConfigError> {
        for (i, d) in self.destinations.iter().enumerate() {
            if !is_unicast(d.address) {
                return Err(ConfigError::NotUnicast(d.address));
            }
            let is_v4 = d.address.is_v4();
            if let Some(&source) = d.sources.iter().find(|s| s.is_v4() != is_v4) {
                return Err(ConfigError::FamiliesDiffer(source, d.address));
            }
            if d.port == 0 || d.first_port == 0 || d.first_port > d.last_port {
                return Err(ConfigError::BadPorts(d.first_port, d.last_port));
            }
            if let Some(&source) = d.sources.iter().find(|s| !self.is_ours(**s)) {
                return Err(ConfigError::NotOurs(source));
            }
            let gateway = if is_v4 { self.gateway } else { self.gateway_v6 };
            let has_family = self.addresses.iter().any(|a| a.ip.is_v4() == is_v4);
            let on_link = is_link_local(d.address) && has_family
                || self.addresses.iter().any(|a| a.on_link(d.address));
            if !on_link && (gateway.is_none() || !has_family) {
                return Err(ConfigError::NoRoute(d.address));
            }
            let overlaps = |other: &DestinationConfig| {
                let any = |x: &DestinationConfig| x.sources.is_empty();
                (other.address, other.port) == (d.address, d.port)
                    && other.first_port <= d.last_port
                    && d.first_port <= other.last_port
                    && (any(other) || any(d) || other.sources.iter().any(|s| d.sources.contains(s)))
            };
            if self.destinations[..i].iter().any(overlaps) {
                return Err(ConfigError::DuplicateDestination(d.address, d.port));
            }
            // TIME-WAIT knows a destination by its address and port.
            let differs = |other: &DestinationConfig| {
                (other.address, other.port) == (d.address, d.port)
                    && (other.time_wait != d.time_wait || other.tcp != d.tcp)
            };
            if self.destinations[..i].iter().any(differs) {
                return Err(ConfigError::TimeWaitDiffers(d.address, d.port));
            }
            d.time_wait.validate()?;
            if d.selection.min_interval_ms > time_wait::MAX_LENGTH_MS {
                return Err(ConfigError::BadInterval(d.selection.min_interval_ms));
            }
            d.tcp.validate()?;
        }
        Ok(())
    }
}

/// Whether `ip` may be a host's address (RFC 1122 3.2.1.3, RFC 4291 2.5 and 2.7).
pub(crate) fn is_unicast(ip: Ip) -> bool {
    match ip.as_v4() {
        Some([first, ..]) => first != 0 && first != 127 && first < 224,
        None => !is_impossible_source_v6(ip),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: [Ip; 2] = [Ip::v4([192, 0, 2, 1]), Ip::v4([192, 0, 2, 2])];

    fn two_destinations(change: impl Fn(&mut DestinationConfig)) -> Result<(), ConfigError> {
        let address = |ip| InterfaceAddress { ip, prefix: 24 };
        let mut config = Config::new(MacAddr([2, 0, 0, 0, 0, 1]), address(OURS[0]));
        config.addresses.push(address(OURS[1]));
        let first = DestinationConfig {
            address: Ip::v4([192, 0, 2, 9]),
            port: 80,
            sources: vec![OURS[0]],
            first_port: 10_000,
            last_port: 19_999,
            limit: None,
            selection: PortSelection::default(),
            tcp: TcpConfig::default(),
            time_wait: TimeWaitConfig::default(),
        };
        let mut second = first.clone();
        change(&mut second);
        config.destinations = vec![first, second];
        config.validate()
    }

    #[test]
    fn no_four_tuple_belongs_to_two_destinations() {
        let error = Err(ConfigError::DuplicateDestination(
            Ip::v4([192, 0, 2, 9]),
            80,
        ));
        assert_eq!(two_destinations(|_| {}), error);
        assert_eq!(two_destinations(|d| d.sources.clear()), error);
        assert_eq!(two_destinations(|d| d.sources.push(OURS[1])), error);
        assert_eq!(
            two_destinations(|d| (d.first_port, d.last_port) = (19_999, 20_000)),
            error
        );
        assert_eq!(
            two_destinations(|d| (d.first_port, d.last_port) = (20_000, 29_999)),
            Ok(())
        );
        assert_eq!(two_destinations(|d| d.sources = vec![OURS[1]]), Ok(()));
        assert_eq!(two_destinations(|d| d.port = 81), Ok(()));
        assert_eq!(
            two_destinations(|d| d.address = Ip::v4([192, 0, 2, 8])),
            Ok(())
        );
    }

    #[test]
    fn one_remote_socket_has_one_length_of_time_wait() {
        let apart = |length_ms| {
            move |d: &mut DestinationConfig| {
                d.sources = vec![OURS[1]];
                d.time_wait.length_ms = length_ms;
            }
        };
        assert_eq!(two_destinations(apart(60_000)), Ok(()));
        assert_eq!(
            two_destinations(apart(1_000)),
            Err(ConfigError::TimeWaitDiffers(Ip::v4([192, 0, 2, 9]), 80))
        );
    }
}
