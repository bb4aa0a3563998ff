//! What the benchmarks share: a server and a client on one core, joined by memory, a TIME-WAIT table
//! ([`tables`]), and a shard of connections in one ([`shard`]).

pub mod shard;
pub mod tables;

use core::time::Duration;

use stack::{
    Application, CloseReason, Config, Context, DestinationConfig, DestinationId, Handle,
    InterfaceAddress, ListenerConfig, MemFrame, MemPool, Secrets, Stack, TimeWaitConfig,
};
use tcp::time::Instant;
use wire::{Ip, MacAddr};

/// Answers every byte with one byte, and closes.
#[derive(Default)]
pub struct Server;

impl Application for Server {
    fn on_open(&mut self, _cx: &mut Context<'_>, _conn: Handle) {}
    fn on_data(&mut self, cx: &mut Context<'_>, conn: Handle, data: &[u8]) -> usize {
        cx.send(conn, b"a");
        cx.close(conn);
        data.len()
    }
    fn on_writable(&mut self, _cx: &mut Context<'_>, _conn: Handle) {}
    fn on_peer_closed(&mut self, _cx: &mut Context<'_>, _conn: Handle) {}
    fn on_closed(&mut self, _cx: &mut Context<'_>, _conn: Handle, _reason: CloseReason) {}
}

/// Opens connections, asks one byte, and closes when the server has.
#[derive(Default)]
pub struct Client {
    /// Connections to have at a time.
    pub concurrent: usize,
    /// Those that ended as they should.
    pub completed: u64,
    /// Those that did not.
    pub failed: u64,
    open: usize,
}

impl Application for Client {
    fn on_open(&mut self, cx: &mut Context<'_>, conn: Handle) {
        cx.send(conn, b"q");
    }
    fn on_data(&mut self, _cx: &mut Context<'_>, _conn: Handle, data: &[u8]) -> usize {
        data.len()
    }
    fn on_writable(&mut self, _cx: &mut Context<'_>, _conn: Handle) {}
    fn on_peer_closed(&mut self, cx: &mut Context<'_>, conn: Handle) {
        cx.close(conn);
    }
    fn on_closed(&mut self, _cx: &mut Context<'_>, _conn: Handle, reason: CloseReason) {
        self.open -= 1;
        match reason {
            CloseReason::Normal => self.completed += 1,
            _ => self.failed += 1,
        }
    }
    fn poll(&mut self, cx: &mut Context<'_>) {
        while self.open < self.concurrent && cx.connect(DestinationId(0)).is_ok() {
            self.open += 1;
        }
    }
    fn next_poll(&self) -> Option<Instant> {
        (self.open < self.concurrent).then_some(Instant::ZERO)
    }
}

/// A server and a client, joined by memory.
pub struct Pair<C: Application = Client> {
    /// The server's host.
    pub server: Stack<Server, MemPool>,
    /// The client's host.
    pub client: Stack<C, MemPool>,
    to_server: Vec<MemFrame>,
    to_client: Vec<MemFrame>,
    now: u64,
}

impl Pair {
    /// A pair with `tuples` four-tuples, of which `concurrent` are in use at a time.
    ///
    /// # Panics
    /// If the configuration is refused.
    #[must_use]
    pub fn new(tuples: u32, concurrent: usize, timestamps: bool, time_wait_ms: u32) -> Pair {
        Pair::over(false, tuples, concurrent, timestamps, time_wait_ms)
    }

    /// The same, over IPv6 if so.
    ///
    /// # Panics
    /// If the configuration is refused.
    #[must_use]
    pub fn over(
        ipv6: bool,
        tuples: u32,
        concurrent: usize,
        timestamps: bool,
        time_wait_ms: u32,
    ) -> Pair {
        let app = Client {
            concurrent,
            ..Client::default()
        };
        Pair::of(app, ipv6, tuples, timestamps, time_wait_ms)
    }

    /// Runs until `connections` more have completed.
    ///
    /// # Panics
    /// If one fails.
    pub fn run(&mut self, connections: u64, step_ns: u64) {
        let target = self.client.app().completed + connections;
        while self.client.app().completed < target {
            self.turn(step_ns);
            assert_eq!(self.client.app().failed, 0);
        }
    }
}

impl<C: Application> Pair<C> {
    /// A pair with `client` as the client's application, which connects to the destination 0.
    ///
    /// # Panics
    /// If the configuration is refused.
    #[must_use]
    pub fn of(
        client_app: C,
        ipv6: bool,
        tuples: u32,
        timestamps: bool,
        time_wait_ms: u32,
    ) -> Pair<C> {
        let tcp = tcp::Config {
            timestamps,
            nodelay: true,
            ..tcp::Config::default()
        };
        let time_wait = TimeWaitConfig {
            length_ms: time_wait_ms,
            ..TimeWaitConfig::default()
        };
        let ip = |[b, c, d]: [u8; 3]| match ipv6 {
            true => Ip::v6([0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, b, c, d]),
            false => Ip::v4([10, b, c, d]),
        };
        let address = |last| ip([0, 0, last]);
        let host = |last: u8| {
            let address = InterfaceAddress {
                ip: address(last),
                prefix: 8,
            };
            let mut config = Config::new(MacAddr([2, 0, 0, 0, 0, last]), address);
            config.real_time_at_zero_ns = 1_700_000_000_000_000_000;
            config.time_wait_capacity = tuples as usize + 1024;
            config.address_probes = 0;
            config
        };
        let secrets = |byte: u8| Secrets {
            isn: tcp::isn::Secret::new([byte; 32]),
            table: [byte.into(), 7],
        };
        let mut server = host(1);
        server.listeners.push(ListenerConfig {
            address: None,
            port: 80,
            backlog: 65_536,
            tcp: tcp.clone(),
            time_wait,
        });
        let mut client = host(2);
        let sources = tuples.div_ceil(60_000);
        let sources: Vec<Ip> = (0..sources)
            .map(|i| ip([1, (i >> 8) as u8, i as u8]))
            .collect();
        for &ip in &sources {
            client.addresses.push(InterfaceAddress { ip, prefix: 8 });
        }
        client.destinations.push(DestinationConfig {
            address: address(1),
            port: 80,
            sources,
            first_port: 1024,
            last_port: 61_023,
            unused_ports: Vec::new(),
            limit: Some(tuples),
            selection: stack::PortSelection::default(),
            tcp,
            time_wait,
        });
        let pool = || MemPool::new(1 << 20);
        Pair {
            server: Stack::new(server, secrets(1), Server, pool()).expect("server"),
            client: Stack::new(client, secrets(2), client_app, pool()).expect("client"),
            to_server: Vec::new(),
            to_client: Vec::new(),
            now: 0,
        }
    }

    /// The time that both loops have reached.
    #[must_use]
    pub fn now(&self) -> Instant {
        Instant::from_nanos(self.now)
    }

    /// One turn of both loops; `step_ns` nanoseconds pass.
    pub fn turn(&mut self, step_ns: u64) {
        self.now += step_ns;
        let now = Instant::from_nanos(self.now);
        self.client.receive(now, &mut self.to_client);
        self.client.advance(now);
        self.client.transmit(now);
        self.to_server.append(self.client.out());
        self.server.receive(now, &mut self.to_server);
        self.server.advance(now);
        self.server.transmit(now);
        self.to_client.append(self.server.out());
    }

    /// Prints what `connections` took that came after `before` of them.
    pub fn print(&self, connections: u64, before: u64, took: Duration) {
        let seconds = took.as_secs_f64();
        println!(
            "{connections} connections in {seconds:.3} s: {:.0} a second, {:.1} ns each",
            connections as f64 / seconds,
            seconds * 1e9 / connections as f64
        );
        let host = &self.server.counters().host;
        let each = |segments: u64| segments as f64 / (connections + before) as f64;
        println!(
            "server segments a connection: {:.4} in, {:.4} out",
            each(host.rx_segments),
            each(host.tx_segments)
        );
    }
}

/// The numbers of a command line, by their places, with a default for those that are not there.
///
/// # Panics
/// With `usage`, if something is no number.
pub fn numbers(usage: &str) -> impl Fn(usize, u64) -> u64 {
    let number = |text: String| text.parse().unwrap_or_else(|_| panic!("{usage}"));
    let args: Vec<u64> = std::env::args().skip(1).map(number).collect();
    move |place, default| args.get(place).copied().unwrap_or(default)
}

/// A connection by its number: its key's bits are a bijection of it, so no two are the same.
#[must_use]
pub fn name(n: u64) -> u64 {
    n.wrapping_mul(0x9e37_79b9_7f4a_7c15) & 0xffff_ffff_ffff
}

/// A keyed hash of two multiplications, the same for all.
#[must_use]
pub fn hash(name: u64) -> u64 {
    let wide = u128::from(name ^ 0x2d35_8dcc_aa6c_78a5) * 0x8bb8_4b93_962e_acc9_u128;
    let folded = (wide as u64) ^ ((wide >> 64) as u64);
    folded.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ folded >> 32
}
