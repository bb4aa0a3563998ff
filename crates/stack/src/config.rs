//! What one core's host is made of. Everything is sized here, once, at start.

use tcp::Config as TcpConfig;
use wire::{FourTuple, Ip, ethernet::MacAddr};

use crate::frame::Offload;
use crate::parse::is_impossible_source_v6;

pub use error::ConfigError;
pub use ports::{PortAlgorithm, PortSelection};
pub use time_wait::TimeWaitConfig;
pub(crate) use time_wait::protocol;

mod error;
mod ports;
mod time_wait;
mod validate;

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
    /// Ranges of local ports between those, ends included, that are not used: where several ranges are.
    pub unused_ports: Vec<(u16, u16)>,
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
    /// Work on frames that the port does.
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
}

/// Whether `ip` may be a host's address (RFC 1122 3.2.1.3, RFC 4291 2.5 and 2.7).
pub(crate) fn is_unicast(ip: Ip) -> bool {
    match ip.as_v4() {
        Some([first, ..]) => first != 0 && first != 127 && first < 224,
        None => !is_impossible_source_v6(ip),
    }
}
