//! Segments merge where TCP allows: a one-byte exchange that the server closes is six segments,
//! three each way.

use crate::common;
use crate::common::plain::{End, Plain};
use crate::common::{CLIENT, LINK, SERVER, configs, pair};
use simnet::{Network, StationId};
use stack::{CloseReason, DestinationId};
use wire::tcp::Flags;

const SYN: Flags = Flags::SYN;
const SYN_ACK: Flags = Flags::SYN.union(Flags::ACK);
const ACK: Flags = Flags::ACK;
const FIN_ACK: Flags = Flags::FIN.union(Flags::ACK);

fn exchange(tcp: &tcp::Config, server: Plain, client: Plain) -> Network<Plain> {
    let mut net = pair(configs(1, tcp), (server, client));
    // Announcements and ARP first: what is counted are segments.
    net.run_ms(5);
    net.with_app(CLIENT, |_, cx| cx.connect(DestinationId(0)).unwrap());
    net.run_ms(5_000);
    net
}

/// Sender, control bits without PSH, and text of every segment.
fn segments(net: &Network<Plain>) -> Vec<(StationId, Flags, usize)> {
    net.log()
        .sent_segments()
        .map(|(from, s)| (from, s.header.flags - Flags::PSH, s.text.len()))
        .collect()
}

fn one_byte_each_way_closed_by_the_server() {
    for timestamps in [false, true] {
        let tcp = tcp::Config {
            timestamps,
            ..tcp::Config::default()
        };
        let server = Plain {
            reply: b"r".to_vec(),
            after_reply: End::Close,
            ..Plain::default()
        };
        let client = Plain {
            greeting: b"q".to_vec(),
            at_peer_closed: End::Close,
            ..Plain::default()
        };
        let net = exchange(&tcp, server, client);
        let expected = [
            (CLIENT, SYN, 0),
            (SERVER, SYN_ACK, 0),
            (CLIENT, ACK, 1),
            (SERVER, FIN_ACK, 1),
            (CLIENT, FIN_ACK, 0),
            (SERVER, ACK, 0),
        ];
        assert_eq!(segments(&net), expected, "{}", net.log().tail(40));
        for id in [CLIENT, SERVER] {
            assert_eq!(net.host(id).app().ended(CloseReason::Normal), 1);
        }
        assert_eq!(net.host(SERVER).app().received, b"q");
        assert_eq!(net.host(CLIENT).app().received, b"r");
        assert_eq!(net.host(SERVER).usage().time_wait, 1);
        assert_eq!(net.host(CLIENT).usage().time_wait, 0);
    }
}

fn one_byte_each_way_closed_by_the_client() {
    let server = Plain {
        reply: b"r".to_vec(),
        at_peer_closed: End::Close,
        ..Plain::default()
    };
    let client = Plain {
        greeting: b"q".to_vec(),
        after_greeting: End::Shutdown,
        ..Plain::default()
    };
    let net = exchange(&tcp::Config::default(), server, client);
    // Request and FIN share a segment, and so do the response, its FIN and the acknowledgment.
    let expected = [
        (CLIENT, SYN, 0),
        (SERVER, SYN_ACK, 0),
        (CLIENT, FIN_ACK, 1),
        (SERVER, FIN_ACK, 1),
        (CLIENT, ACK, 0),
    ];
    assert_eq!(segments(&net), expected, "{}", net.log().tail(40));
    assert_eq!(net.host(CLIENT).usage().time_wait, 1);
    assert_eq!(net.host(SERVER).usage().time_wait, 0);
}

fn nothing_but_open_and_close() {
    let server = Plain {
        at_peer_closed: End::Close,
        ..Plain::default()
    };
    let client = Plain {
        after_greeting: End::Close,
        ..Plain::default()
    };
    let net = exchange(&tcp::Config::default(), server, client);
    let expected = [
        (CLIENT, SYN, 0),
        (SERVER, SYN_ACK, 0),
        (CLIENT, FIN_ACK, 0),
        (SERVER, FIN_ACK, 0),
        (CLIENT, ACK, 0),
    ];
    assert_eq!(segments(&net), expected, "{}", net.log().tail(40));
}

fn simultaneous_close_ends_in_two_time_waits_and_silence() {
    let mut net = pair(
        configs(1, &tcp::Config::default()),
        (Plain::default(), Plain::default()),
    );
    net.run_ms(5);
    net.with_app(CLIENT, |_, cx| cx.connect(DestinationId(0)).unwrap());
    net.run_ms(10);
    let before = net.log().sent_segments().count();
    for id in [CLIENT, SERVER] {
        net.with_app(id, |app, cx| cx.close(app.last()));
    }
    net.run_ms(10);
    let after = segments(&net)[before..].to_vec();
    let of = |id| -> Vec<_> { after.iter().filter(|s| s.0 == id).map(|s| s.1).collect() };
    // CLOSING: each acknowledges the other's FIN, and nobody acknowledges an acknowledgment.
    assert_eq!(of(CLIENT), [FIN_ACK, ACK], "{}", net.log().tail(20));
    assert_eq!(of(SERVER), [FIN_ACK, ACK], "{}", net.log().tail(20));
    for id in [CLIENT, SERVER] {
        assert_eq!(net.host(id).usage().time_wait, 1);
        assert_eq!(net.host(id).app().ended(CloseReason::Normal), 1);
    }
    net.run_ms(common::TIME_WAIT_GONE_MS);
    assert_eq!(segments(&net).len(), before + 4);
    for (id, tuples) in [(CLIENT, 1), (SERVER, 0)] {
        common::assert_nothing_held(&mut net, id, tuples, "after TIME-WAIT");
    }
}

fn simultaneous_open_makes_one_connection() {
    let tcp = tcp::Config::default();
    let mut configs = [common::host(1), common::host(2)];
    for (n, config) in [2, 1].into_iter().zip(&mut configs) {
        // Each connects from port 80 to port 80.
        config.destinations.push(stack::DestinationConfig {
            first_port: common::PORT,
            last_port: common::PORT,
            unused_ports: Vec::new(),
            ..common::destination(n, 1, tcp.clone())
        });
    }
    let mut net: Network<Plain> = Network::new(1);
    for (seed, config) in (1..).zip(configs) {
        net.add_host(common::stack(config, seed, Plain::default(), 64), LINK);
    }
    net.run_ms(5);
    // A first look at ARP, so that both SYNs leave at one instant.
    for id in [SERVER, CLIENT] {
        net.with_app(id, |_, cx| cx.connect(DestinationId(0)).unwrap());
    }
    net.run_ms(1_000);
    for id in [SERVER, CLIENT] {
        assert_eq!(
            net.host(id).app().events(),
            [common::plain::Told::Open],
            "{}",
            net.log().tail(20)
        );
    }
    net.with_app(SERVER, |app, cx| {
        let conn = app.last();
        app.send(cx, conn, b"both asked");
    });
    net.run_ms(100);
    assert_eq!(net.host(CLIENT).app().received, b"both asked");
}

over_both! {
    one_byte_each_way_closed_by_the_server
    one_byte_each_way_closed_by_the_client
    nothing_but_open_and_close
    simultaneous_close_ends_in_two_time_waits_and_silence
    simultaneous_open_makes_one_connection
}
