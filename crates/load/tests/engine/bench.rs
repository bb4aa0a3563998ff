//! A client and a server, 2 ms of round trip apart.

use core::num::NonZeroU32;
use core::time::Duration;
use std::sync::Arc;

use load::{Caps, Close, Exchange, Load, Measured, Mode, Pace, Profile, Raw, Spec, Target};
use simnet::{Link, Network, StationId};
use stack::{
    Application, CloseReason, Config, Context, DestinationConfig, DestinationId, Handle,
    InterfaceAddress, ListenerConfig, MemPool, PortSelection, Secrets, Stack, TimeWaitConfig,
};
use tcp::time::Instant;
use wire::{Ip, MacAddr};

use crate::server::Server;

/// Half a millisecond to the switch and as much from there.
pub(crate) const LINK: Link = Link::ideal(500_000);
/// The round trip, in nanoseconds.
pub(crate) const ROUND_TRIP: u64 = 2_000_000;
const SERVER: StationId = StationId(0);
const CLIENT: StationId = StationId(1);
/// The octets of a request.
pub(crate) const REQUEST: &[u8] = b"ping";
/// The octets of an answer.
pub(crate) const RESPONSE: usize = 100;

/// Either end.
pub(crate) enum End {
    Load(Box<Load>),
    Server(Server),
}

macro_rules! either {
    ($end:expr, $app:ident => $what:expr) => {
        match $end {
            End::Load($app) => $what,
            End::Server($app) => $what,
        }
    };
}

impl Application for End {
    fn on_open(&mut self, cx: &mut Context<'_>, conn: Handle) {
        either!(self, app => app.on_open(cx, conn));
    }
    fn on_data(&mut self, cx: &mut Context<'_>, conn: Handle, data: &[u8]) -> usize {
        either!(self, app => app.on_data(cx, conn, data))
    }
    fn on_writable(&mut self, cx: &mut Context<'_>, conn: Handle) {
        either!(self, app => app.on_writable(cx, conn));
    }
    fn on_peer_closed(&mut self, cx: &mut Context<'_>, conn: Handle) {
        either!(self, app => app.on_peer_closed(cx, conn));
    }
    fn on_closed(&mut self, cx: &mut Context<'_>, conn: Handle, reason: CloseReason) {
        either!(self, app => app.on_closed(cx, conn, reason));
    }
    fn on_drain(&mut self, cx: &mut Context<'_>) {
        either!(self, app => app.on_drain(cx));
    }
    fn poll(&mut self, cx: &mut Context<'_>) {
        either!(self, app => app.poll(cx));
    }
    fn next_poll(&self) -> Option<Instant> {
        either!(self, app => app.next_poll())
    }
}

/// One request a connection, 100 at a time, for a second.
pub(crate) fn spec() -> Spec {
    Spec {
        mode: Mode::Connections {
            requests: NonZeroU32::MIN,
        },
        pace: Pace::Closed,
        close: Close::Fin,
        think: Duration::ZERO,
        timeout: Some(Duration::from_secs(5)),
        caps: Caps {
            connections: 100,
            opening: 100,
        },
        duration: Some(Duration::from_secs(1)),
        connections: None,
        targets: vec![Target {
            destination: DestinationId(0),
            weight: NonZeroU32::MIN,
            exchange: 0,
        }],
    }
}

pub(crate) fn open_loop(rate: f64) -> Pace {
    Pace::Open(Profile::constant(rate))
}

pub(crate) fn exchange() -> Exchange {
    Exchange::Raw(Raw::new(REQUEST, RESPONSE as u64))
}

/// A server that answers what [`exchange`] asks.
pub(crate) fn server() -> Server {
    Server::new(REQUEST.len(), RESPONSE)
}

fn host(n: u8) -> Config {
    let address = InterfaceAddress {
        ip: Ip::v4([10, 0, 0, n]),
        prefix: 24,
    };
    Config {
        max_connections: 4096,
        time_wait_capacity: 1 << 17,
        max_neighbors: 16,
        ..Config::new(MacAddr([2, 0, 0, 0, 0, n]), address)
    }
}

fn secrets(seed: u8) -> Secrets {
    Secrets {
        isn: tcp::isn::Secret::new([seed; 32]),
        table: [seed.into(), 7],
    }
}

/// The two of them.
pub(crate) struct Bench {
    pub(crate) net: Network<End>,
}

impl Bench {
    pub(crate) fn new(spec: Spec, server: Server) -> Bench {
        Bench::with(spec, exchange(), server, |_| {})
    }

    /// `change` changes the client's host.
    pub(crate) fn with(
        spec: Spec,
        exchange: Exchange,
        server: Server,
        change: impl FnOnce(&mut Config),
    ) -> Bench {
        let mut there = host(1);
        let listener = |port| ListenerConfig {
            address: None,
            port,
            backlog: 4096,
            tcp: tcp::Config::default(),
            time_wait: TimeWaitConfig::default(),
        };
        there.listeners = [80, 81].map(listener).into();
        let mut here = host(2);
        here.destinations = vec![destination(80)];
        change(&mut here);
        let run = spec.run();
        let mut load =
            Load::new(spec, Arc::new([exchange]), here.max_connections as usize).unwrap();
        load.start(Instant::ZERO, &run);
        let mut net = Network::new(1);
        net.limit_log(0);
        let pool = || MemPool::new(1 << 14);
        let end = End::Server(server);
        net.add_host(Stack::new(there, secrets(1), end, pool()).unwrap(), LINK);
        let end = End::Load(Box::new(load));
        net.add_host(Stack::new(here, secrets(2), end, pool()).unwrap(), LINK);
        Bench { net }
    }

    pub(crate) fn load(&mut self) -> &mut Load {
        match self.net.host_mut(CLIENT).app_mut() {
            End::Load(load) => load,
            End::Server(_) => panic!("the client is no server"),
        }
    }

    pub(crate) fn server(&mut self) -> &mut Server {
        match self.net.host_mut(SERVER).app_mut() {
            End::Server(server) => server,
            End::Load(_) => panic!("the server is no client"),
        }
    }

    /// Runs until the load is done, a minute at most, and reports.
    pub(crate) fn run(&mut self) -> Measured {
        let done = |net: &Network<End>| match net.host(CLIENT).app() {
            End::Load(load) => load.is_done(),
            End::Server(_) => true,
        };
        assert!(self.net.run_to(Instant::from_millis(60_000), done));
        self.report()
    }

    pub(crate) fn report(&mut self) -> Measured {
        let now = self.net.now();
        let blank = Box::new(Measured::new().unwrap());
        let measured = *self.load().report(now, blank);
        assert_eq!(
            measured.latencies.connect.len(),
            measured.counts.established
        );
        consistent(self.load());
        measured
    }

    pub(crate) fn client_usage(&self) -> stack::Usage {
        self.net.host(CLIENT).usage()
    }

    pub(crate) fn server_usage(&self) -> stack::Usage {
        self.net.host(SERVER).usage()
    }

    /// What stays when all is over.
    pub(crate) fn assert_nothing_held(&mut self) {
        self.net.run_ms(1_000);
        for id in [CLIENT, SERVER] {
            let usage = self.net.host(id).usage();
            assert_eq!(
                (usage.live, usage.send_chunks, usage.receive_chunks),
                (0, 0, 0)
            );
        }
    }
}

/// A client that nobody answers, begun at 0.
pub(crate) fn alone(spec: Spec) -> Stack<Load, MemPool> {
    let mut here = host(2);
    here.destinations = vec![destination(80)];
    let run = spec.run();
    let mut load = Load::new(spec, Arc::new([exchange()]), here.max_connections as usize).unwrap();
    load.start(Instant::ZERO, &run);
    Stack::new(here, secrets(2), load, MemPool::new(1 << 14)).unwrap()
}

pub(crate) fn destination(port: u16) -> DestinationConfig {
    DestinationConfig {
        address: Ip::v4([10, 0, 0, 1]),
        port,
        sources: vec![],
        first_port: 1_024,
        last_port: 65_535,
        unused_ports: Vec::new(),
        limit: None,
        selection: PortSelection::default(),
        tcp: tcp::Config::default(),
        time_wait: TimeWaitConfig::default(),
    }
}

/// Every connection is accounted for once.
fn consistent(load: &Load) {
    let c = load.counts();
    if load.alive() == 0 {
        assert_eq!(c.closed, c.completed + c.errors() + c.cut_off, "{c:?}");
        assert_eq!(c.opened, c.closed, "{c:?}");
    }
}
