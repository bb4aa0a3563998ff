//! Applications and hosts that the tests share.

use std::sync::OnceLock;
use std::time::Duration;

use runtime::link::End;
use runtime::{Clock, Eal, EalArgs, Field, MemoryPolicy, Publish, Seat, Worker};
use stack::{
    Application, CloseReason, Config, Context, DestinationConfig, DestinationId, Handle,
    InterfaceAddress, ListenerConfig, Secrets, TimeWaitConfig,
};
use wire::Ip;

pub(crate) const SERVER: Ip = Ip::v4([192, 0, 2, 1]);
pub(crate) const CLIENT: Ip = Ip::v4([192, 0, 2, 2]);
pub(crate) const PORT: u16 = 7;

/// EAL exists once in a process.
pub(crate) fn eal() -> &'static Eal {
    static EAL: OnceLock<Eal> = OnceLock::new();
    EAL.get_or_init(|| {
        let args = EalArgs {
            memory: MemoryPolicy::Plain,
            memory_mb: 768,
            ..EalArgs::default()
        };
        Eal::init(&args).expect("EAL with plain memory")
    })
}

/// Sends back what comes, and closes when the peer has.
#[derive(Debug, Default)]
pub(crate) struct Echo {
    /// Whether the first connection makes it panic.
    pub(crate) panic_at_open: bool,
    /// Whether it consumes nothing.
    pub(crate) deaf: bool,
    /// Whether it never closes.
    pub(crate) keeps: bool,
    /// Who has something that was not consumed.
    pub(crate) unread: Vec<Handle>,
    /// How long it is stuck in the next callback with data.
    pub(crate) nap: Duration,
}

impl Application for Echo {
    fn on_open(&mut self, _: &mut Context<'_>, _: Handle) {
        assert!(!self.panic_at_open, "this server breaks on purpose");
    }
    fn on_data(&mut self, cx: &mut Context<'_>, conn: Handle, data: &[u8]) -> usize {
        std::thread::sleep(std::mem::take(&mut self.nap));
        match self.deaf {
            true => {
                self.unread.push(conn);
                0
            }
            false => cx.send(conn, data),
        }
    }
    fn on_writable(&mut self, cx: &mut Context<'_>, conn: Handle) {
        cx.resume(conn);
    }
    fn on_peer_closed(&mut self, cx: &mut Context<'_>, conn: Handle) {
        if !self.keeps {
            cx.close(conn);
        }
    }
    fn on_closed(&mut self, _: &mut Context<'_>, _: Handle, _: CloseReason) {}
}

impl Publish for Echo {}

/// Opens connections, sends some bytes on each, and checks that they come back.
#[derive(Debug)]
pub(crate) struct Client {
    /// Connections still to be opened.
    pub(crate) to_open: u64,
    /// At most so many at a time.
    pub(crate) at_once: u64,
    /// Bytes sent on each.
    pub(crate) bytes: usize,
    /// Closes when all bytes are back; else keeps the connection open.
    pub(crate) close: bool,
    pub(crate) live: u64,
    pub(crate) echoed: u64,
    pub(crate) normal: u64,
    pub(crate) otherwise: u64,
    pub(crate) wrong_bytes: u64,
    received: Vec<usize>,
    sent: Vec<usize>,
}

impl Client {
    pub(crate) fn new(to_open: u64, at_once: u64, bytes: usize) -> Client {
        Client {
            to_open,
            at_once,
            bytes,
            close: true,
            live: 0,
            echoed: 0,
            normal: 0,
            otherwise: 0,
            wrong_bytes: 0,
            received: vec![0; 4096],
            sent: vec![0; 4096],
        }
    }

    fn send(&mut self, cx: &mut Context<'_>, conn: Handle) {
        let sent = &mut self.sent[conn.index()];
        while *sent < self.bytes {
            let piece: Vec<u8> = (*sent..self.bytes.min(*sent + 1024)).map(pattern).collect();
            match cx.send(conn, &piece) {
                0 => return,
                n => *sent += n,
            }
        }
    }
}

fn pattern(at: usize) -> u8 {
    (at % 251) as u8
}

impl Application for Client {
    fn on_open(&mut self, cx: &mut Context<'_>, conn: Handle) {
        self.received[conn.index()] = 0;
        self.sent[conn.index()] = 0;
        self.send(cx, conn);
    }
    fn on_data(&mut self, cx: &mut Context<'_>, conn: Handle, data: &[u8]) -> usize {
        let received = &mut self.received[conn.index()];
        let right = data
            .iter()
            .zip(*received..)
            .all(|(b, at)| *b == pattern(at));
        self.wrong_bytes += u64::from(!right);
        *received += data.len();
        if *received == self.bytes {
            self.echoed += 1;
            if self.close {
                cx.close(conn);
            }
        }
        data.len()
    }
    fn on_writable(&mut self, cx: &mut Context<'_>, conn: Handle) {
        self.send(cx, conn);
    }
    fn on_peer_closed(&mut self, cx: &mut Context<'_>, conn: Handle) {
        cx.close(conn);
    }
    fn on_closed(&mut self, _: &mut Context<'_>, _: Handle, reason: CloseReason) {
        self.live -= 1;
        match reason {
            CloseReason::Normal => self.normal += 1,
            _ => self.otherwise += 1,
        }
    }
    fn poll(&mut self, cx: &mut Context<'_>) {
        while self.to_open > 0 && self.live < self.at_once {
            if cx.connect(DestinationId(0)).is_err() {
                return;
            }
            self.to_open -= 1;
            self.live += 1;
        }
    }
    fn next_poll(&self) -> Option<tcp::time::Instant> {
        let ready = self.to_open > 0 && self.live < self.at_once;
        ready.then_some(tcp::time::Instant::ZERO)
    }
}

impl Publish for Client {
    fn fields() -> &'static [Field] {
        const {
            &[
                Field::counter("client_normal", "Connections that ended as they should."),
                Field::counter("client_otherwise", "Connections that ended otherwise."),
                Field::counter("client_echoed", "Connections whose bytes came back."),
            ]
        }
    }
    fn values(&self, put: &mut dyn FnMut(u64)) {
        [self.normal, self.otherwise, self.echoed]
            .into_iter()
            .for_each(put);
    }
}

fn secrets() -> Secrets {
    Secrets {
        isn: tcp::isn::Secret::new([7; 32]),
        table: [1, 2],
    }
}

fn config(seat: &Seat, ip: Ip) -> Config {
    let mut config = Config::new(seat.mac(), InterfaceAddress { ip, prefix: 24 });
    config.max_connections = 4096;
    config.time_wait_capacity = 1 << 16;
    config
}

pub(crate) fn server(end: End, clock: Clock, app: Echo) -> (Worker<Echo>, runtime::Port) {
    (server_on(end.seat, clock, app), end.port)
}

pub(crate) fn server_on(seat: Seat, clock: Clock, app: Echo) -> Worker<Echo> {
    server_with(seat, clock, app, |_| {})
}

/// A server whose configuration is changed before it starts.
pub(crate) fn server_with(
    seat: Seat,
    clock: Clock,
    app: Echo,
    change: impl FnOnce(&mut Config),
) -> Worker<Echo> {
    let mut config = config(&seat, SERVER);
    config.listeners.push(ListenerConfig {
        address: None,
        port: PORT,
        backlog: 1024,
        tcp: tcp::Config::default(),
        time_wait: TimeWaitConfig::default(),
    });
    change(&mut config);
    Worker::new("server", seat, clock, config, secrets(), app).expect("a good configuration")
}

pub(crate) fn client(end: End, clock: Clock, app: Client) -> (Worker<Client>, runtime::Port) {
    (client_on(end.seat, clock, app), end.port)
}

pub(crate) fn client_on(seat: Seat, clock: Clock, app: Client) -> Worker<Client> {
    client_with(seat, clock, app, |_| {})
}

/// A client whose configuration is changed before it starts.
pub(crate) fn client_with(
    seat: Seat,
    clock: Clock,
    app: Client,
    change: impl FnOnce(&mut Config),
) -> Worker<Client> {
    let mut config = config(&seat, CLIENT);
    config.destinations.push(DestinationConfig {
        address: SERVER,
        port: PORT,
        sources: vec![CLIENT],
        first_port: 1024,
        last_port: 65_535,
        unused_ports: Vec::new(),
        limit: None,
        selection: stack::PortSelection::default(),
        tcp: tcp::Config::default(),
        time_wait: TimeWaitConfig::default(),
    });
    change(&mut config);
    Worker::new("client", seat, clock, config, secrets(), app).expect("a good configuration")
}
