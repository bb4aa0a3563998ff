//! What the tests of all themes share: addresses, configurations, seeds and applications.

use std::cell::Cell;

pub(crate) mod forge;
pub(crate) mod ipv6;
pub(crate) mod plain;
pub(crate) mod recycle;
pub(crate) mod stream;
pub(crate) mod traffic;

use simnet::{Link, Network, StationId};
use stack::{
    Application, Config, DestinationConfig, InterfaceAddress, ListenerConfig, MemPool, Secrets,
    Stack, TimeWaitConfig, Usage,
};
use wire::{Ip, MacAddr};

/// The port that servers listen on.
pub(crate) const PORT: u16 = 80;
/// Half a millisecond to the switch and as much from there.
pub(crate) const LINK: Link = Link::ideal(500_000);

/// After this long, in ms, the entry of a TIME-WAIT of 60 s has expired and the sweep, which walks
/// the table four times in that time, has given its place back.
pub(crate) const TIME_WAIT_GONE_MS: u64 = 76_000;

/// The family that a test runs over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Family {
    V4,
    V6,
}

thread_local! {
    /// A test has a thread of its own.
    static FAMILY: Cell<Family> = const { Cell::new(Family::V4) };
}

pub(crate) fn family() -> Family {
    FAMILY.get()
}

/// Runs a test over one family.
pub(crate) fn over(family: Family, test: impl FnOnce()) {
    FAMILY.set(family);
    test();
    FAMILY.set(Family::V4);
}

/// Makes a test of each function for each family.
macro_rules! over_both {
    ($($test:ident)+) => {$(
        mod $test {
            use crate::common::{Family, over};

            #[test]
            fn ipv4() {
                over(Family::V4, super::$test);
            }

            #[test]
            fn ipv6() {
                over(Family::V6, super::$test);
            }
        }
    )+};
}

/// The address of the n-th station, counted from 1.
pub(crate) fn ip(n: u8) -> Ip {
    match family() {
        Family::V4 => Ip::v4([10, 0, 0, n]),
        Family::V6 => Ip::v6([0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, n]),
    }
}

/// The bytes of IP and TCP headers without options.
pub(crate) fn headers_len() -> u16 {
    match family() {
        Family::V4 => 40,
        Family::V6 => 60,
    }
}

/// The Ethernet address of the n-th station, counted from 1.
pub(crate) const fn mac(n: u8) -> MacAddr {
    MacAddr([2, 0, 0, 0, 0, n])
}

/// Secrets that a seed determines; in production the operating system's generator does.
pub(crate) fn secrets(seed: u64) -> Secrets {
    let mut rng = simnet::Rng::new(seed ^ 0x5ec7_e75e);
    let mut isn = [0; 32];
    rng.fill(&mut isn);
    Secrets {
        isn: tcp::isn::Secret::new(isn),
        table: [rng.next_u64(), rng.next_u64()],
    }
}

/// A small host: 10.0.0.n/24 or fd00::n/64, not verified, with 256 connections and 1,024 TIME-WAIT entries.
pub(crate) fn host(n: u8) -> Config {
    let address = InterfaceAddress {
        ip: ip(n),
        prefix: if family() == Family::V4 { 24 } else { 64 },
    };
    Config {
        max_connections: 256,
        time_wait_capacity: 1024,
        receive_memory: 4 << 20,
        send_memory: 4 << 20,
        max_neighbors: 16,
        address_probes: 0,
        // Some day in 2026: clocks that start at zero would hide mistakes of the upper bits.
        real_time_at_zero_ns: 1_790_000_000_123_456_789,
        ..Config::new(mac(n), address)
    }
}

/// A listener on [`PORT`] of every address.
pub(crate) fn listener(tcp: tcp::Config) -> ListenerConfig {
    ListenerConfig {
        address: None,
        port: PORT,
        backlog: 128,
        tcp,
        time_wait: TimeWaitConfig::default(),
    }
}

/// [`PORT`] of station `n`, from `ports` local ports beginning with 55,000.
pub(crate) fn destination(n: u8, ports: u16, tcp: tcp::Config) -> DestinationConfig {
    DestinationConfig {
        address: ip(n),
        port: PORT,
        sources: vec![],
        first_port: 55_000,
        last_port: 55_000 + ports - 1,
        unused_ports: Vec::new(),
        limit: None,
        selection: stack::PortSelection::default(),
        tcp,
        time_wait: TimeWaitConfig::default(),
    }
}

/// A stack with a pool of `frames` buffers.
pub(crate) fn stack<A: Application>(
    config: Config,
    seed: u64,
    app: A,
    frames: usize,
) -> Stack<A, MemPool> {
    Stack::new(config, secrets(seed), app, MemPool::new(frames)).expect("a valid configuration")
}

/// The stations of [`pair`].
pub(crate) const SERVER: StationId = StationId(0);
pub(crate) const CLIENT: StationId = StationId(1);

/// A server, station 1, that listens on [`PORT`], and a client, station 2, that connects to it from
/// `ports` ports.
pub(crate) fn configs(ports: u16, tcp: &tcp::Config) -> (Config, Config) {
    let mut server = host(1);
    server.listeners.push(listener(tcp.clone()));
    let mut client = host(2);
    client.destinations.push(destination(1, ports, tcp.clone()));
    (server, client)
}

/// What is on the headers of a packet from station `from` to station `to`.
pub(crate) fn between(from: u8, to: u8) -> simnet::craft::Addresses {
    simnet::craft::Addresses {
        src_mac: mac(from),
        dst_mac: mac(to),
        src: ip(from),
        dst: ip(to),
    }
}

/// The two hosts on faultless cables, 1 ms from each other.
pub(crate) fn pair<A: Application>(
    (server, client): (Config, Config),
    (server_app, client_app): (A, A),
) -> Network<A> {
    let mut net = Network::new(1);
    net.add_host(stack(server, 11, server_app, 4096), LINK);
    net.add_host(stack(client, 22, client_app, 4096), LINK);
    net
}

/// Asserts that a host at rest holds nothing; `tuples` is how many local sockets it has.
pub(crate) fn assert_nothing_held<A: Application>(
    net: &mut Network<A>,
    id: StationId,
    tuples: u64,
    context: &str,
) {
    let usage = net.host(id).usage();
    let held = Usage {
        time_wait_bytes: 0,
        connection_bytes: 0,
        tuple_bytes: 0,
        // Timers are moved lazily: what is set stays set until it fires for nobody.
        timers: 0,
        ..usage
    };
    let nothing = Usage {
        free_tuples: tuples,
        ..Usage::default()
    };
    assert_eq!(held, nothing, "station {} leaks; {context}", id.0);
    let frames = net.host_mut(id).pool_mut().in_use();
    assert_eq!(frames, 0, "station {} leaks frames; {context}", id.0);
}

/// How many seeds to run: `SIMNET_SEEDS`, or 100.
pub(crate) fn seeds() -> u64 {
    number("SIMNET_SEEDS").unwrap_or(100)
}

/// The first seed: `SIMNET_SEED`, or 0. With `SIMNET_SEEDS=1` a single run is repeated.
pub(crate) fn first_seed() -> u64 {
    number("SIMNET_SEED").unwrap_or(0)
}

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{name}={text} is not a number")),
    )
}
