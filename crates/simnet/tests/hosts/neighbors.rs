//! Neighbours, by ARP and by neighbour discovery: resolution, neighbours that answer late or never, ageing, and an address that moves to
//! another station.

use crate::common;
use crate::common::plain::{End, Plain, Told};
use crate::common::{CLIENT, Family, LINK, SERVER, configs, host, ip, mac, pair};
use simnet::decode::{Packet, packet, stations};
use simnet::{Action, Fate, Network, Peer, StationId, Which, craft};
use stack::{CloseReason, DestinationId};
use tcp::time::Instant;
use wire::MacAddr;
use wire::arp::{Operation, Packet as Arp};
use wire::icmpv6::Message;

/// The ARP packets that a station sent: when, to whom.
fn arp_sent(net: &Network<Plain>, from: StationId) -> Vec<(Instant, MacAddr, Arp)> {
    net.log()
        .records()
        .filter(|r| r.fate == Fate::Sent && r.from == Some(from))
        .filter_map(|r| match packet(&r.frame) {
            Packet::Arp(arp) => Some((r.at, stations(&r.frame)?.1, arp)),
            _ => None,
        })
        .collect()
}

/// The questions for station `n` that a station sent: when, to whom.
fn requests_for(net: &Network<Plain>, from: StationId, n: u8) -> Vec<(Instant, MacAddr)> {
    let asks = |frame: &[u8]| match packet(frame) {
        Packet::Arp(arp) => {
            arp.operation == Operation::Request
                && wire::Ip::v4(arp.tpa) == ip(n)
                && arp.tpa != arp.spa
        }
        Packet::Icmpv6 {
            message: Message::NeighborSolicitation(asked),
            ..
        } => asked.target == ip(n).octets(),
        _ => false,
    };
    net.log()
        .records()
        .filter(|r| r.fate == Fate::Sent && r.from == Some(from) && asks(&r.frame))
        .filter_map(|r| Some((r.at, stations(&r.frame)?.1)))
        .collect()
}

/// Where a question for station `n` goes when it is not known where that is.
fn everybody(n: u8) -> MacAddr {
    match common::family() {
        Family::V4 => MacAddr::BROADCAST,
        Family::V6 => MacAddr([0x33, 0x33, 0xff, 0, 0, n]),
    }
}

fn connect(net: &mut Network<Plain>) {
    net.with_app(CLIENT, |_, cx| cx.connect(DestinationId(0)).unwrap());
}

/// A server and a client, both idle, one connection between them.
fn connected(tcp: &tcp::Config) -> Network<Plain> {
    let mut net = pair(configs(1, tcp), (Plain::default(), Plain::default()));
    connect(&mut net);
    net.run_ms(20);
    assert_eq!(net.host(SERVER).app().events(), [Told::Open]);
    net
}

fn say(net: &mut Network<Plain>, bytes: &[u8]) {
    net.with_app(CLIENT, |app, cx| {
        let conn = app.last();
        app.send(cx, conn, bytes);
    });
}

#[test]
fn hosts_announce_themselves_ask_and_answer() {
    let net = connected(&tcp::Config::default());
    for (id, n) in [(SERVER, 1), (CLIENT, 2)] {
        let (_, to, arp) = arp_sent(&net, id)[0];
        assert_eq!(to, MacAddr::BROADCAST);
        assert_eq!((arp.spa, arp.tpa), (ip(n).v4_octets(), ip(n).v4_octets()));
    }
    let asked = requests_for(&net, CLIENT, 1);
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].1, MacAddr::BROADCAST);
    // The server has learnt the client's address from the request itself.
    assert!(requests_for(&net, SERVER, 2).is_empty());
    let replies: Vec<_> = arp_sent(&net, SERVER)
        .into_iter()
        .filter(|(.., arp)| arp.operation == Operation::Reply)
        .collect();
    assert_eq!(replies.len(), 1);
    assert_eq!(replies[0].1, mac(2));
    assert_eq!(replies[0].2.sha, mac(1));
}

/// A client, station 0, and a peer, station 9, that does not say where it is.
fn with_mute_peer() -> (Network<Plain>, StationId, StationId) {
    let mut net = Network::new(1);
    let mut config = host(2);
    config
        .destinations
        .push(common::destination(9, 1, tcp::Config::default()));
    let client = net.add_host(common::stack(config, 1, Plain::default(), 64), LINK);
    let mut peer = Peer::new(mac(9), ip(9));
    peer.answers_arp = false;
    let peer = net.add_peer(peer, LINK);
    net.run_ms(5);
    net.with_app(client, |_, cx| cx.connect(DestinationId(0)).unwrap());
    (net, client, peer)
}

fn a_neighbour_that_never_answers_ends_the_open() {
    let (mut net, client, _) = with_mute_peer();
    net.run_ms(20_000);
    let ended = net.host(client).app().told.clone();
    assert!(
        matches!(ended[..], [(_, _, Told::Closed(CloseReason::Unreachable))]),
        "{ended:?}"
    );
    let asked = requests_for(&net, client, 9);
    assert_eq!(asked.len(), 3, "{}", net.log().tail(20));
    assert!(
        asked
            .windows(2)
            .all(|w| w[1].0.since(w[0].0).as_millis() >= 1_000)
    );
    assert!(net.host(client).counters().host.neighbor_failures >= 1);
    assert_eq!(net.log().sent_segments().count(), 0);
    common::assert_nothing_held(&mut net, client, 1, "after failure");
    // It is asked for again when somebody wants it.
    net.with_app(client, |_, cx| cx.connect(DestinationId(0)).unwrap());
    net.run_ms(100);
    assert_eq!(requests_for(&net, client, 9).len(), 4);
}

fn a_neighbour_that_answers_late_gets_the_syn() {
    let (mut net, client, peer) = with_mute_peer();
    net.run_ms(1_500);
    assert_eq!(requests_for(&net, client, 9).len(), 2);
    net.peer_mut(peer).answers_arp = true;
    net.run_ms(600);
    let got = net.peer_mut(peer).take_segments();
    assert_eq!(got.len(), 1, "{}", net.log().tail(20));
    assert_eq!(got[0].0.header.flags, wire::tcp::Flags::SYN);
}

fn a_neighbour_is_confirmed_by_what_it_acknowledges() {
    let mut net = connected(&tcp::Config::default());
    let asked = requests_for(&net, CLIENT, 1).len();
    // While nothing is sent nobody is asked.
    net.run_ms(95_000);
    for _ in 0..20 {
        say(&mut net, b"still there. ");
        net.run_ms(10_000);
    }
    assert_eq!(net.host(SERVER).app().received.len(), 20 * 13);
    let by_client = requests_for(&net, CLIENT, 1).split_off(asked);
    assert!(by_client.is_empty(), "{}", net.log().tail(20));
    // The server's acknowledgments are not acknowledged: it must ask, that station alone, half a
    // minute after each answer and the time that an upper layer is given.
    let by_server = requests_for(&net, SERVER, 2);
    assert!(by_server.iter().all(|(_, to)| *to == mac(2)));
    assert!((4..=6).contains(&by_server.len()), "{by_server:?}");
}

fn a_neighbour_that_falls_silent_is_asked_for_and_comes_back() {
    let mut net = connected(&tcp::Config::default());
    net.run_ms(31_000);
    let mute = net.add_rule(Action::Drop, Which::All, |seen| seen.from == SERVER);
    let asked = requests_for(&net, CLIENT, 1).len();
    say(&mut net, b"patience");
    net.run_ms(9_000);
    let probes = requests_for(&net, CLIENT, 1).split_off(asked);
    // It is doubted at the second retransmission, fails, and is asked for again.
    assert!((3..=6).contains(&probes.len()), "{}", net.log().tail(20));
    assert_eq!([probes[0].1, probes[1].1], [mac(1); 2]);
    assert!(
        probes[2..].iter().all(|p| p.1 == everybody(1)),
        "{probes:?}"
    );
    let apart = |w: &[(Instant, MacAddr)]| w[1].0.since(w[0].0).as_millis();
    assert!(probes.windows(2).all(|w| apart(w) >= 1_000), "{probes:?}");
    assert!(net.host(CLIENT).counters().host.neighbor_failures >= 1);
    // What is sent now waits for the neighbour, and is not lost.
    say(&mut net, b", please");
    net.end_rule(mute);
    net.run_ms(20_000);
    assert_eq!(
        net.host(SERVER).app().received,
        b"patience, please",
        "{}",
        net.log().tail(20)
    );
}

/// Another station has the server's address, and says so to nobody who does not ask.
fn an_address_that_moves_in_silence_is_found_by_retransmissions() {
    let mut net = connected(&tcp::Config::default());
    let standby = net.add_peer(Peer::new(mac(9), ip(1)), LINK);
    net.add_rule(Action::Drop, Which::All, |seen| seen.from == SERVER);
    let asked = requests_for(&net, CLIENT, 1).len();
    say(&mut net, b"anybody?");
    net.run_ms(3_500);
    let got = net.peer_mut(standby).take_segments();
    assert_eq!(got.len(), 1, "{}", net.log().tail(20));
    assert_eq!(got[0].1, b"anybody?");
    let requests = requests_for(&net, CLIENT, 1).split_off(asked);
    let to: Vec<MacAddr> = requests.iter().map(|r| r.1).collect();
    // Then the standby, which has not acknowledged anything either.
    assert!(
        to.starts_with(&[mac(1), mac(1), everybody(1)]),
        "{requests:?}"
    );
}

/// A neighbour that answers, though nothing gets through to the peer: it is asked, and not too often.
fn many_that_retransmit_ask_once_a_second() {
    let mut net = pair(
        configs(50, &tcp::Config::default()),
        (Plain::default(), Plain::default()),
    );
    net.run_ms(5);
    for _ in 0..50 {
        connect(&mut net);
    }
    net.run_ms(20);
    assert_eq!(net.host(SERVER).app().count(Told::Open), 50);
    net.add_rule(Action::Drop, Which::All, |seen| {
        seen.from == SERVER && seen.segment().is_some()
    });
    let asked = requests_for(&net, CLIENT, 1).len();
    for conn in net.host(CLIENT).app().told.clone() {
        net.with_app(CLIENT, |app, cx| app.send(cx, conn.1, b"hello?"));
        net.run_ms(17);
    }
    net.run_ms(20_000);
    let requests = requests_for(&net, CLIENT, 1).split_off(asked);
    assert!((5..=21).contains(&requests.len()), "{requests:?}");
    let apart = |w: &[(Instant, MacAddr)]| w[1].0.since(w[0].0).as_millis();
    assert!(
        requests.windows(2).all(|w| apart(w) >= 1_000),
        "{requests:?}"
    );
    assert!(requests.iter().all(|r| r.1 == mac(1)), "{requests:?}");
}

#[test]
fn a_gratuitous_arp_moves_an_address_at_once() {
    let mut net = connected(&tcp::Config::default());
    // Another station takes the server's address over, as a standby would.
    let mut standby = Peer::new(mac(9), ip(1));
    standby.answers_arp = false;
    let standby = net.add_peer(standby, LINK);
    let announce = |sha| {
        craft::arp(
            MacAddr::BROADCAST,
            &Arp::request(sha, ip(1).v4_octets(), ip(1).v4_octets()),
        )
    };
    net.send(standby, announce(mac(9)));
    net.run_ms(5);
    say(&mut net, b"to whom?");
    net.run_ms(5);
    let got = net.peer_mut(standby).take_segments();
    assert_eq!(got.len(), 1, "{}", net.log().tail(20));
    assert_eq!(got[0].1, b"to whom?");
    assert!(net.host(SERVER).app().received.is_empty());
    // And back: the retransmission finds the server.
    assert!(net.host(SERVER).counters().host.arp_conflicts >= 1);
    net.send(SERVER, announce(mac(1)));
    net.run_ms(2_000);
    assert_eq!(net.host(SERVER).app().received, b"to whom?");
}

fn packets_for_other_networks_go_to_the_gateway() {
    let mut net: Network<Plain> = Network::new(1);
    let mut config = host(2);
    let elsewhere = match common::family() {
        Family::V4 => {
            config.gateway = Some(ip(9));
            wire::Ip::v4([192, 0, 2, 80])
        }
        Family::V6 => {
            config.gateway_v6 = Some(ip(9));
            wire::Ip::v6([0x20; 16])
        }
    };
    config.destinations.push(stack::DestinationConfig {
        address: elsewhere,
        ..common::destination(9, 1, tcp::Config::default())
    });
    let client = net.add_host(common::stack(config, 1, Plain::default(), 64), LINK);
    let router = net.add_peer(Peer::new(mac(9), ip(9)), LINK);
    net.with_app(client, |_, cx| cx.connect(DestinationId(0)).unwrap());
    net.run_ms(100);
    assert_eq!(requests_for(&net, client, 9).len(), 1);
    let got = net.peer_mut(router).take_segments();
    assert_eq!(got[0].0.dst, elsewhere);
}

fn a_full_neighbour_table_is_counted_and_recovers() {
    let (mut server, mut client) = configs(4, &tcp::Config::default());
    server.max_neighbors = 1;
    client.max_neighbors = 1;
    let app = Plain {
        at_peer_closed: End::Close,
        ..Plain::default()
    };
    let mut net = pair((server, client), (app, Plain::default()));
    let stranger = net.add_peer(Peer::new(mac(9), ip(9)), LINK);
    connect(&mut net);
    net.run_ms(20);
    assert_eq!(net.host(SERVER).app().events(), [Told::Open]);
    // The one place is in use: a stranger's SYN finds none.
    let to = net.peer_mut(stranger).to(mac(1), ip(1));
    let syn = wire::tcp::Header {
        src_port: 7,
        dst_port: common::PORT,
        flags: wire::tcp::Flags::SYN,
        window: 1000,
        ..wire::tcp::Header::default()
    };
    net.send(stranger, craft::tcp(&to, &syn, b""));
    net.run_ms(20);
    assert!(net.peer_mut(stranger).take_segments().is_empty());
    assert_eq!(net.host(SERVER).counters().host.neighbor_table_full, 1);
    net.with_app(CLIENT, |app, cx| cx.close(app.last()));
    net.run_ms(100);
    net.send(stranger, craft::tcp(&to, &syn, b""));
    net.run_ms(20);
    let answer = net.peer_mut(stranger).take_segments();
    assert_eq!(answer.len(), 1, "{}", net.log().tail(20));
    assert!(answer[0].0.has(wire::tcp::Flags::SYN));
}

fn hosts_of_one_vlan_talk_and_others_are_not_heard() {
    let open = |server_vlan, client_vlan| {
        let (mut server, mut client) = configs(1, &tcp::Config::default());
        server.vlan = server_vlan;
        client.vlan = client_vlan;
        let mut net = pair((server, client), (Plain::default(), Plain::default()));
        net.run_ms(5);
        connect(&mut net);
        net.run_ms(100);
        let dropped = net.host(SERVER).counters().host.drop_ethernet;
        (net.host(SERVER).app().count(Told::Open), dropped > 0)
    };
    assert_eq!(open(Some(7), Some(7)), (1, false));
    assert_eq!(open(Some(7), Some(8)), (0, true));
    assert_eq!(open(Some(7), None), (0, true));
    assert_eq!(open(None, Some(7)), (0, true));
}

over_both! {
    a_neighbour_that_never_answers_ends_the_open
    a_neighbour_that_answers_late_gets_the_syn
    a_neighbour_is_confirmed_by_what_it_acknowledges
    a_neighbour_that_falls_silent_is_asked_for_and_comes_back
    an_address_that_moves_in_silence_is_found_by_retransmissions
    many_that_retransmit_ask_once_a_second
    packets_for_other_networks_go_to_the_gateway
    a_full_neighbour_table_is_counted_and_recovers
    hosts_of_one_vlan_talk_and_others_are_not_heard
}
