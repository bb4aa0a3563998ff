//! As many octets as fit.

use core::time::Duration;

use load::exchange::{Expects, Http};
use load::{Close, Exchange, Mode, Raw};

use crate::bench::{Bench, REQUEST, open_loop, spec};
use crate::server::{Fault, Server};

#[test]
fn sent_in_bulk() {
    let mut spec = spec();
    spec.mode = Mode::Bulk {
        send: true,
        receive: false,
        per_connection: None,
    };
    spec.caps.connections = 3;
    let mut bench = Bench::with(spec, crate::bench::exchange(), Server::new(0, 0), |_| {});
    let m = bench.run();
    assert_eq!(
        (m.counts.completed, m.counts.errors()),
        (3, 0),
        "{:?}",
        m.counts
    );
    assert_eq!(bench.server().received, m.counts.bytes_sent);
    assert!(m.counts.bytes_sent > 10_000_000, "{:?}", m.counts);
}

#[test]
fn a_rate_is_the_ramp_to_as_many_as_may_be_there() {
    let mut spec = spec();
    spec.mode = Mode::Bulk {
        send: true,
        receive: false,
        per_connection: None,
    };
    spec.pace = open_loop(100.0);
    spec.caps.connections = 5;
    spec.duration = Some(Duration::from_secs(1));
    let mut bench = Bench::with(spec, crate::bench::exchange(), Server::new(0, 0), |_| {});
    let m = bench.run();
    assert_eq!((m.counts.opened, m.counts.not_begun), (5, 0));
}

#[test]
fn received_in_bulk_and_in_pieces_of_a_set_size() {
    let mut spec = spec();
    spec.mode = Mode::Bulk {
        send: false,
        receive: true,
        per_connection: Some(1 << 20),
    };
    spec.caps.connections = 2;
    let mut bench = Bench::new(spec, Server::new(REQUEST.len(), 1 << 20));
    let m = bench.run();
    let c = &m.counts;
    assert_eq!(c.errors(), 0, "{c:?}");
    assert!(c.completed > 20, "{c:?}");
    assert_eq!(c.requests, c.opened);
    // What was begun in time is whole but for the connections that the end of the run found.
    assert!(c.bytes_received >= (c.completed - 2) << 20, "{c:?}");
}

#[test]
fn sent_in_pieces_of_a_set_size_that_the_server_gets_whole() {
    let mut spec = spec();
    spec.mode = Mode::Bulk {
        send: true,
        receive: false,
        per_connection: Some(100_000),
    };
    spec.close = Close::HalfClose;
    spec.connections = Some(25);
    spec.duration = None;
    let exchange = Exchange::Raw(Raw::new(*b"", 0));
    let mut bench = Bench::with(spec, exchange, Server::new(0, 0), |_| {});
    let m = bench.run();
    assert_eq!((m.counts.completed, m.counts.errors()), (25, 0));
    assert_eq!(bench.server().received, 2_500_000);
}

/// An HTTP request, and a server that answers it with so many octets.
fn http(content: usize) -> (Exchange, Server) {
    let request = http::client::Request::new("GET", "/", "host");
    let http = Http::new(&request, Expects::default()).unwrap();
    let exchange = Exchange::Http(http);
    let mut server = Server::new(exchange.request(0, 0).len(), 0);
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {content}\r\n\r\n");
    server.response = head.into_bytes();
    server
        .response
        .resize(server.response.len() + content, b'x');
    (exchange, server)
}

#[test]
fn answers_of_http_are_received_one_after_the_other() {
    let mut spec = spec();
    spec.mode = Mode::Bulk {
        send: false,
        receive: true,
        per_connection: None,
    };
    spec.caps.connections = 2;
    let (exchange, server) = http(100_000);
    let mut bench = Bench::with(spec, exchange, server, |_| {});
    let m = bench.run();
    let c = &m.counts;
    assert_eq!((c.opened, c.completed, c.errors()), (2, 2, 0), "{c:?}");
    assert!(c.responses > 20, "{c:?}");
    assert_eq!(c.status_2xx, c.responses);
    // The end of the run finds one on each connection.
    assert!(c.requests - c.responses <= 2, "{c:?}");
    assert!(c.bytes_received >= c.responses * 100_000, "{c:?}");
}

#[test]
fn an_answer_of_http_that_is_cut_short_is_an_error_in_bulk_too() {
    let mut spec = spec();
    spec.mode = Mode::Bulk {
        send: false,
        receive: true,
        per_connection: None,
    };
    spec.connections = Some(3);
    let (exchange, mut server) = http(1_000);
    server.fault = Fault::CutShort;
    let mut bench = Bench::with(spec, exchange, server, |_| {});
    let c = bench.run().counts;
    assert_eq!((c.err_cut_short, c.errors()), (3, 3), "{c:?}");
}
