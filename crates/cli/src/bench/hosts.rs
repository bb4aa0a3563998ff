//! The two hosts of the bench, and how the four-tuples are laid out.
//!
//! The tuples are spread over server ports first and over client addresses second: a frame's
//! addresses are compared one by one, its ports are hashed, so ports are free and addresses are
//! not.

use core::net::{Ipv4Addr, Ipv6Addr};

use stack::{DestinationConfig, DestinationId, InterfaceAddress, ListenerConfig, PortSelection};
use wire::Ip;
use wire::ethernet::MacAddr;

use super::args::{BenchArgs, Profile};

/// Addresses of the block for benchmarks (RFC 2544 C.2.2, 198.18.0.0/15).
const SERVER: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 1);
const FIRST_CLIENT: Ipv4Addr = Ipv4Addr::new(198, 19, 0, 1);
const PREFIX: u8 = 15;
/// The same of IPv6 (RFC 5180 8, 2001:2::/48).
const SERVER_V6: Ipv6Addr = Ipv6Addr::new(0x2001, 2, 0, 0, 0, 0, 0, 1);
const FIRST_CLIENT_V6: Ipv6Addr = Ipv6Addr::new(0x2001, 2, 0, 1, 0, 0, 0, 1);
const PREFIX_V6: u8 = 48;
/// Locally administered Ethernet addresses.
const SERVER_MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);
const CLIENT_MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 2]);
/// The server's first port, and how many there are at most.
const SERVER_PORT: u16 = 8_000;
const SERVER_PORTS: u64 = 64;
/// The client's ports (RFC 6056 3.2).
const CLIENT_PORTS: core::ops::RangeInclusive<u16> = 1024..=u16::MAX;
/// Bytes of the largest IP packet.
const MTU: u16 = 1500;

/// How many server ports and client addresses hold so many tuples.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Layout {
    /// Four-tuples.
    pub tuples: u64,
    /// Server ports.
    pub ports: u16,
    /// Client addresses.
    pub clients: u32,
    /// Over IPv6.
    pub ipv6: bool,
}

impl Layout {
    /// The layout of `tuples`.
    #[must_use]
    pub fn of(tuples: u64, ipv6: bool) -> Layout {
        let each = CLIENT_PORTS.len() as u64;
        let pairs = tuples.div_ceil(each).max(1);
        let ports = pairs.min(SERVER_PORTS);
        Layout {
            tuples,
            // At most SERVER_PORTS.
            ports: ports as u16,
            clients: u32::try_from(pairs.div_ceil(ports)).unwrap_or(u32::MAX),
            ipv6,
        }
    }

    /// The destinations, in the order of the stack's.
    pub fn destinations(&self) -> impl Iterator<Item = DestinationId> {
        (0..self.ports).map(DestinationId)
    }

    /// The tuples of one destination: `tuples` dealt out in turn.
    fn share(&self, port: u16) -> u32 {
        let ports = u64::from(self.ports);
        let share = self.tuples / ports + u64::from(u64::from(port) < self.tuples % ports);
        u32::try_from(share).unwrap_or(u32::MAX)
    }

    fn server_address(&self) -> Ip {
        match self.ipv6 {
            true => SERVER_V6.into(),
            false => SERVER.into(),
        }
    }

    fn client_addresses(&self) -> Vec<Ip> {
        let nth = |i: u32| match self.ipv6 {
            true => Ipv6Addr::from(u128::from(FIRST_CLIENT_V6) + u128::from(i)).into(),
            false => Ipv4Addr::from(u32::from(FIRST_CLIENT) + i).into(),
        };
        (0..self.clients).map(nth).collect()
    }
}

/// The protocol's parameters on both ends.
fn protocol(args: &BenchArgs) -> tcp::Config {
    tcp::Config {
        mss: MTU - 40,
        timestamps: args.timestamps(),
        window_scaling: args.profile == Profile::Default,
        sack: args.profile == Profile::Default,
        nodelay: true,
        ..tcp::Config::default()
    }
}

fn host(args: &BenchArgs, mac: MacAddr, addresses: Vec<Ip>) -> stack::Config {
    let prefix = if args.ipv6 { PREFIX_V6 } else { PREFIX };
    let on_link = |ip| InterfaceAddress { ip, prefix };
    let concurrency = args.concurrency.get();
    let exchange = args.exchange();
    // Connections in their last exchange of FIN and ACK are alive on one end only.
    let max_connections = u32::try_from(concurrency * 4 + 1024).unwrap_or(u32::MAX);
    let bytes = exchange.request_bytes.max(exchange.response_bytes);
    let memory = (concurrency * bytes.min(64 << 10).next_multiple_of(4096)).max(16 << 20);
    let mut addresses = addresses.into_iter().map(on_link);
    let first = addresses.next().unwrap_or(on_link(SERVER.into()));
    let mut config = stack::Config::new(mac, first);
    config.addresses.extend(addresses);
    config.mtu = MTU;
    // Nobody else is on this link.
    config.address_probes = 0;
    config.max_connections = max_connections;
    config.time_wait_capacity = usize::try_from(args.tuples.get()).unwrap_or(usize::MAX);
    config.receive_memory = usize::try_from(memory).unwrap_or(usize::MAX);
    config.send_memory = config.receive_memory;
    config
}

/// The server's host.
#[must_use]
pub fn server(args: &BenchArgs, layout: &Layout) -> stack::Config {
    let mut config = host(args, SERVER_MAC, vec![layout.server_address()]);
    config.listeners = (0..layout.ports)
        .map(|port| ListenerConfig {
            address: None,
            port: SERVER_PORT + port,
            backlog: config.max_connections,
            tcp: protocol(args),
            time_wait: args.time_wait(),
        })
        .collect();
    config
}

/// The client's host.
#[must_use]
pub fn client(args: &BenchArgs, layout: &Layout) -> stack::Config {
    let mut config = host(args, CLIENT_MAC, layout.client_addresses());
    config.destinations = (0..layout.ports)
        .map(|port| DestinationConfig {
            address: layout.server_address(),
            port: SERVER_PORT + port,
            sources: layout.client_addresses(),
            first_port: *CLIENT_PORTS.start(),
            last_port: *CLIENT_PORTS.end(),
            unused_ports: Vec::new(),
            limit: Some(layout.share(port)),
            selection: PortSelection {
                algorithm: args.ports.into(),
                ..PortSelection::default()
            },
            tcp: protocol(args),
            time_wait: args.time_wait(),
        })
        .collect();
    config
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_of_tuples_fits_its_layout_exactly() {
        for tuples in [1, 2, 64_512, 64_513, 1_000_000, 5_000_001, 1 << 28] {
            let layout = Layout::of(tuples, false);
            let shares: u64 = (0..layout.ports).map(|p| u64::from(layout.share(p))).sum();
            assert_eq!(shares, tuples);
            let room = u64::from(layout.clients) * CLIENT_PORTS.len() as u64;
            assert!(u64::from(layout.share(0)) <= room, "{layout:?}");
            assert_eq!(layout.client_addresses().len(), layout.clients as usize);
        }
        let layout = Layout::of(1_000_000, true);
        assert_eq!((layout.clients, layout.ports), (1, 16));
        assert!(layout.client_addresses().iter().all(|ip| !ip.is_v4()));
    }
}
