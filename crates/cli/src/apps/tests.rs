use core::time::Duration;

use stack::{ConnectError, DestinationConfig, DestinationId, InterfaceAddress, TimeWaitConfig};
use wire::{Ip, MacAddr};

use super::*;
use crate::config::{Config, Source};
use crate::testing::Pair;

/// A client of one connection: sends `request` as far as there is room, keeps what comes back.
#[derive(Default)]
struct Script {
    request: Vec<u8>,
    sent: usize,
    received: Vec<u8>,
    /// Sends FIN behind the request.
    half_close: bool,
    /// Closes when the peer has.
    follows: bool,
    peer_closed: bool,
    ended: Option<CloseReason>,
    port: u16,
    conn: Option<Handle>,
}

impl Script {
    fn send(&mut self, cx: &mut Context<'_>, conn: Handle) {
        self.sent += cx.send(conn, &self.request[self.sent..]);
        if self.sent == self.request.len() && self.half_close {
            cx.shutdown_write(conn);
        }
    }

    fn connect(&self, cx: &mut Context<'_>) -> Result<Handle, ConnectError> {
        cx.connect(DestinationId(self.port))
    }
}

impl Application for Script {
    fn on_open(&mut self, cx: &mut Context<'_>, conn: Handle) {
        self.conn = Some(conn);
        self.send(cx, conn);
    }
    fn on_data(&mut self, _cx: &mut Context<'_>, _conn: Handle, data: &[u8]) -> usize {
        self.received.extend_from_slice(data);
        data.len()
    }
    fn on_writable(&mut self, cx: &mut Context<'_>, conn: Handle) {
        self.send(cx, conn);
    }
    fn on_peer_closed(&mut self, cx: &mut Context<'_>, conn: Handle) {
        self.peer_closed = true;
        if self.follows {
            cx.close(conn);
        }
    }
    fn on_closed(&mut self, _cx: &mut Context<'_>, _conn: Handle, reason: CloseReason) {
        self.ended = Some(reason);
    }
}

const SERVER: [u8; 4] = [192, 0, 2, 1];
const CLIENT: [u8; 4] = [192, 0, 2, 2];
const CONFIG: &str = r#"
port = { device = "net_null0" }
host = { addresses = ["192.0.2.1/24"] }
limits = { connections = 64 }
listen = [
    { port = 80, app = "http", body = "300k" },
    { port = 81, app = "http", body = 5, close = "client" },
    { port = 7, app = "echo" },
    { port = 9, app = "discard" },
    { port = 90, app = "exchange", request_bytes = 3, response_bytes = "300k" },
    { port = 91, app = "exchange", close = "server" },
]
"#;

/// A server of `config` and a client that connects to the listener at `place`.
fn pair_of(config: &str, place: u16, script: Script) -> Pair<Script, Apps> {
    let source = Source::from_text("test.toml", config).unwrap();
    let config: Config = crate::config::resolve(&source, crate::config::Purpose::Serve).unwrap();
    let host = config.host(MacAddr([2, 0, 0, 0, 0, 1]), stack::Offload::default(), 0);
    let services: Result<Vec<_>, _> = config.listen.iter().map(Service::new).collect();
    let apps = Apps::new(services.unwrap(), host.max_connections as usize);
    let address = InterfaceAddress {
        ip: Ip::v4(CLIENT),
        prefix: 24,
    };
    let mut client = stack::Config::new(MacAddr([2, 0, 0, 0, 0, 2]), address);
    client.destinations = config
        .listen
        .iter()
        .map(|listen| DestinationConfig {
            address: Ip::v4(SERVER),
            port: listen.port.get() as u16,
            sources: Vec::new(),
            first_port: 5000,
            last_port: 5010,
            unused_ports: Vec::new(),
            limit: None,
            selection: stack::PortSelection::default(),
            tcp: tcp::Config::default(),
            time_wait: TimeWaitConfig::default(),
        })
        .collect();
    let script = Script {
        port: place,
        ..script
    };
    Pair::new((client, script), (host, apps))
}

fn connect(pair: &mut Pair<Script, Apps>) {
    pair.a
        .with_app(pair.now, |app, cx| app.connect(cx).map(|_| ()))
        .unwrap();
}

/// Runs one connection to a server of [`CONFIG`] for `ms`.
fn run(place: u16, script: Script, ms: u64) -> Pair<Script, Apps> {
    let mut pair = pair_of(CONFIG, place, script);
    connect(&mut pair);
    pair.run(Duration::from_millis(ms));
    pair
}

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

fn script(request: impl Into<Vec<u8>>) -> Script {
    Script {
        request: request.into(),
        follows: true,
        ..Script::default()
    }
}

/// The status and the length of the body of the only response.
fn response(pair: &Pair<Script, Apps>) -> (String, usize) {
    let received = &pair.a.app().received;
    let end = received.windows(4).position(|w| w == b"\r\n\r\n").unwrap() + 4;
    let status = String::from_utf8_lossy(&received[9..12]).into_owned();
    (status, received.len() - end)
}

#[test]
fn echo_sends_everything_back_and_closes_after_the_client() {
    let request: Vec<u8> = (0..500_000u32).map(|i| (i % 251) as u8).collect();
    let pair = run(
        2,
        Script {
            half_close: true,
            ..script(request.clone())
        },
        3_000,
    );
    assert_eq!(pair.a.app().received.len(), request.len());
    assert!(pair.a.app().received == request);
    assert_eq!(pair.a.app().ended, Some(CloseReason::Normal));
    assert_eq!(pair.b.usage().live, 0);
    // The client closed first and keeps TIME-WAIT.
    assert_eq!((pair.a.usage().time_wait, pair.b.usage().time_wait), (1, 0));
}

#[test]
fn discard_takes_everything_and_says_nothing() {
    let pair = run(
        3,
        Script {
            half_close: true,
            ..script(vec![7; 300_000])
        },
        3_000,
    );
    assert_eq!(pair.a.app().sent, 300_000);
    assert!(pair.a.app().received.is_empty());
    assert_eq!(pair.a.app().ended, Some(CloseReason::Normal));
}

#[test]
fn exchange_answers_each_request_and_then_the_end_of_the_stream() {
    // The third request is not whole; the first two are in one segment, and their answers do not fit into one buffer.
    let pair = run(
        4,
        Script {
            half_close: true,
            ..script("abcdefgh")
        },
        5_000,
    );
    let received = &pair.a.app().received;
    let answer = Content::pattern(300 << 10);
    assert_eq!(received.len(), 600 << 10);
    let (first, second) = received.split_at(300 << 10);
    for answered in [first, second] {
        let mut offset = 0;
        for piece in answered.chunks(50_000) {
            assert!(answer.matches(offset, piece));
            offset += piece.len() as u64;
        }
    }
    assert_eq!(pair.a.app().ended, Some(CloseReason::Normal));
    assert_eq!((pair.a.usage().time_wait, pair.b.usage().time_wait), (1, 0));
}

#[test]
fn exchange_goes_on_until_the_client_closes() {
    let pair = run(4, script("abc"), 1_000);
    assert_eq!(pair.a.app().received.len(), 300 << 10);
    assert_eq!((pair.a.app().ended, pair.b.usage().live), (None, 1));
}

#[test]
fn exchange_may_close_behind_the_first_answer_and_takes_no_second_request() {
    let pair = run(5, script("a"), 1_000);
    assert_eq!(pair.a.app().received.len(), 1);
    assert_eq!(pair.a.app().ended, Some(CloseReason::Normal));
    assert_eq!((pair.a.usage().time_wait, pair.b.usage().time_wait), (0, 1));
    let pair = run(5, script("aa"), 1_000);
    assert_eq!(pair.a.app().ended, Some(CloseReason::Reset));
}

#[test]
fn draining_ends_an_exchange_behind_its_answer() {
    for (place, request, answered) in [
        (4, "", 0),
        (4, "a", 300 << 10),
        (4, "abc", 300 << 10),
        // The server would close anyway, but behind an answer.
        (5, "", 0),
    ] {
        let mut pair = pair_of(CONFIG, place, script(request));
        connect(&mut pair);
        pair.run(Duration::from_micros(100));
        let now = pair.now;
        pair.b.drain(now);
        if request == "a" {
            // Of a request that is not whole, the rest is waited for.
            pair.a.with_app(now, |app, cx| {
                assert_eq!(cx.send(app.conn.unwrap(), b"bc"), 2);
            });
        }
        pair.run(Duration::from_secs(1));
        assert_eq!(pair.a.app().received.len(), answered, "{request}");
        assert_eq!(pair.a.app().ended, Some(CloseReason::Normal), "{request}");
        assert_eq!(pair.b.usage().live, 0);
    }
}

#[test]
fn a_response_larger_than_the_send_buffer_arrives_whole_and_the_server_closes_first() {
    let get = GET.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n");
    let pair = run(0, script(get), 3_000);
    assert_eq!(response(&pair), ("200".to_owned(), 300 << 10));
    assert_eq!(pair.a.app().ended, Some(CloseReason::Normal));
    assert_eq!((pair.a.usage().time_wait, pair.b.usage().time_wait), (0, 1));
}

#[test]
fn pipelined_requests_are_held_while_a_response_is_stuck() {
    let pair = run(0, script(GET.repeat(5)), 5_000);
    let received = &pair.a.app().received;
    let heads = received
        .windows(12)
        .filter(|w| w == b"HTTP/1.1 200")
        .count();
    assert_eq!(heads, 5);
    assert!(received.len() > 5 * (300 << 10));
    assert_eq!(pair.a.app().ended, None);
    assert_eq!(pair.b.usage().live, 1);
}

#[test]
fn what_applications_do_is_published() {
    let published = |pair: &Pair<Script, Apps>, name: &str| {
        let place = Apps::fields().iter().position(|f| f.name == name).unwrap();
        let mut values = Vec::new();
        pair.b.app().values(&mut |value| values.push(value));
        assert_eq!(values.len(), Apps::fields().len());
        values[place]
    };
    let not_found = "GET /no HTTP/1.1\r\nHost: a\r\n\r\n";
    let unknown = "BREW / HTTP/1.1\r\nHost: a\r\n\r\n";
    let pair = run(1, script([GET, GET, not_found, unknown].concat()), 1_000);
    assert_eq!(published(&pair, "http_responses_2xx"), 2);
    assert_eq!(published(&pair, "http_responses_4xx"), 1);
    assert_eq!(published(&pair, "http_responses_5xx"), 1);
    let pair = run(2, script(vec![7; 5_000]), 1_000);
    assert_eq!(published(&pair, "echo_bytes"), 5_000);
    let pair = run(3, script(vec![7; 5_000]), 1_000);
    assert_eq!(published(&pair, "discard_bytes"), 5_000);
    let mut pair = run(0, script("GET / HT"), 100);
    pair.run_coarsely(Duration::from_secs(61));
    assert_eq!(published(&pair, "http_waits_ended"), 1);
}

#[test]
fn an_upload_is_counted() {
    let head = "PUT /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 1000000\r\n\r\n";
    let pair = run(
        0,
        script([head.as_bytes(), &vec![b'x'; 1_000_000]].concat()),
        5_000,
    );
    let received = String::from_utf8_lossy(&pair.a.app().received).into_owned();
    assert!(
        received.ends_with("\r\n\r\n1000000 63745bc2\n"),
        "{received}"
    );
    assert_eq!(pair.a.app().ended, Some(CloseReason::Normal));
}

#[test]
fn the_client_is_left_to_close_first_but_not_for_ever() {
    let get = GET.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n");
    let mut pair = run(1, script(get), 100);
    assert_eq!(response(&pair), ("200".to_owned(), 5));
    assert!(!pair.a.app().peer_closed);
    pair.run_coarsely(Duration::from_secs(29));
    assert!(!pair.a.app().peer_closed);
    pair.run_coarsely(Duration::from_secs(32));
    assert!(pair.a.app().peer_closed);
    assert_eq!(pair.b.usage().live, 0);
}

#[test]
fn an_error_is_read_before_the_connection_ends() {
    let junk = [b"junk\x01\r\n\r\n".to_vec(), vec![b'x'; 200_000]].concat();
    let pair = run(0, script(junk), 3_000);
    assert_eq!(response(&pair).0, "400");
    assert!(pair.a.app().peer_closed);
    assert_eq!(pair.a.app().ended, Some(CloseReason::Normal));
}

#[test]
fn half_a_request_is_not_waited_for_for_ever() {
    let mut pair = run(0, script("GET / HT"), 100);
    pair.run_coarsely(Duration::from_secs(29));
    assert_eq!(pair.b.usage().live, 1);
    pair.run_coarsely(Duration::from_secs(32));
    assert_eq!(pair.b.usage().live, 0);
}

#[test]
fn half_a_request_and_a_fin_end_too() {
    let mut pair = run(
        0,
        Script {
            half_close: true,
            ..script("GET / HT")
        },
        100,
    );
    pair.run_coarsely(Duration::from_secs(61));
    assert_eq!(pair.b.usage().live, 0);
    assert_eq!(pair.b.app().shared.grace.next(), None);
}

#[test]
fn draining_ends_an_idle_connection_at_once() {
    let mut pair = run(0, script(GET), 500);
    assert_eq!(pair.b.usage().live, 1);
    pair.b.drain(pair.now);
    pair.run(Duration::from_millis(10));
    assert_eq!(pair.b.usage().live, 0);
    assert_eq!(pair.a.app().ended, Some(CloseReason::Normal));
}

#[test]
fn draining_ends_a_busy_connection_after_its_response() {
    let mut pair = run(0, script(GET), 0);
    while pair.a.app().received.is_empty() {
        pair.run(Duration::from_micros(10));
    }
    assert!(pair.a.app().received.len() < 300 << 10);
    pair.b.drain(pair.now);
    pair.run(Duration::from_millis(1_000));
    assert_eq!(response(&pair), ("200".to_owned(), 300 << 10));
    assert_eq!(pair.a.app().ended, Some(CloseReason::Normal));
    assert_eq!(pair.b.usage().live, 0);
}

#[test]
fn the_smallest_receive_buffer_holds_the_longest_head() {
    let config = format!("{CONFIG}\n[tcp]\nrcv_buf = 8192\n");
    let long = |fields: usize| {
        let fields: String = (0..fields)
            .map(|i| format!("X-{i}: {}\r\n", "x".repeat(990)))
            .collect();
        format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}Connection: close\r\n\r\n")
    };
    for (fields, status) in [(8, "200"), (9, "431")] {
        let mut pair = pair_of(&config, 0, script(long(fields)));
        connect(&mut pair);
        pair.run(Duration::from_millis(5_000));
        assert_eq!(response(&pair).0, status, "{fields} fields");
    }
}

/// What is written at the level of debugging while `f` runs.
fn traced(f: impl FnOnce()) -> String {
    use std::sync::Mutex;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::DEBUG)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    tracing::subscriber::with_default(subscriber, f);
    let bytes = lines.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap()
}

#[test]
fn a_decision_of_time_wait_is_traced_with_its_segment() {
    use ::tcp::time_wait::{AckReason, Arrived, Entry, Incident, Permit, Verdict};
    use wire::tcp::{Flags, Header, Options, Timestamps};
    use wire::{FourTuple, Seq};

    let tuple = FourTuple {
        local: Ip::v4(SERVER),
        remote: Ip::v4(CLIENT),
        local_port: 80,
        remote_port: 55_000,
    };
    let header = Header {
        seq: Seq(4_000),
        ack: Seq(0),
        flags: Flags::SYN,
        options: Options {
            timestamps: Some(Timestamps { val: 77, ecr: 0 }),
            ..Options::NONE
        },
        ..Header::default()
    };
    let entry = Entry {
        rcv_nxt: Seq(301),
        ..Entry::default()
    };
    let text = traced(|| {
        trace(&TimeWaitEvent {
            at: Instant::from_millis(4_000),
            tuple: &tuple,
            segment: Some(Arrived {
                header: &header,
                text_len: 9,
            }),
            entry: Some(&entry),
            outcome: stack::TimeWaitOutcome {
                verdict: Some(Verdict::Ack(AckReason::SynBound)),
                permit: Some(Permit::Interval),
                incident: Some(Incident::BoundPeer),
                allowed_at: Some(Instant::from_millis(5_000)),
            },
        });
        trace(&TimeWaitEvent {
            at: Instant::from_millis(4_000),
            tuple: &tuple,
            segment: None,
            entry: None,
            outcome: Incident::NotRestored.into(),
        });
    });
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 2, "{text}");
    for part in [
        "DEBUG tidewheel::apps: TIME-WAIT",
        "tuple=192.0.2.1:80 <-> 192.0.2.2:55000",
        "verdict=Ack(SynBound)",
        "permit=Interval",
        "incident=BoundPeer",
        "seq=4000",
        "ack=0",
        "len=9",
        "val: 77",
        "rcv_nxt: 301",
        " at=4.000000000s",
        "allowed_at=5.000000000s",
        "flags=",
    ] {
        assert!(lines[0].contains(part), "{part} is not in {}", lines[0]);
    }
    assert!(lines[1].contains("incident=NotRestored"), "{}", lines[1]);
    assert!(!lines[1].contains("seq="), "{}", lines[1]);
}

/// A server's own decision, of a four-tuple that comes back.
#[test]
fn what_comes_back_is_traced() {
    let text = traced(|| {
        // The exchange that the server closes.
        const PLACE: u16 = 5;
        let mut pair = pair_of(CONFIG, PLACE, script("q"));
        // One more than there are ports.
        for _ in 0..12 {
            *pair.a.app_mut() = Script {
                port: PLACE,
                ..script("q")
            };
            connect(&mut pair);
            pair.run(Duration::from_millis(5));
            assert_eq!(pair.a.app().ended, Some(CloseReason::Normal));
        }
        assert_eq!(pair.b.usage().time_wait, 11);
    });
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 1, "{text}");
    for part in [
        "192.0.2.1:91 <-> 192.0.2.2:500",
        "verdict=Recycle(",
        "flags=",
    ] {
        assert!(lines[0].contains(part), "{part} is not in {text}");
    }
}
