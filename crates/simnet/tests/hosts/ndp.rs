//! What IPv6 has of its own: neighbour discovery, duplicate address detection, extension headers,
//! ICMPv6 and the path MTU.

use crate::common;
use crate::common::plain::{End, Plain, Told};
use crate::common::{CLIENT, Family, LINK, PORT, SERVER, configs, host, ip, mac, over, pair};
use simnet::craft::{self, Addresses};
use simnet::decode::{Packet, packet, segment, stations};
use simnet::{Fate, Network, Peer, StationId};
use stack::{CloseReason, DestinationId};
use wire::icmpv6::ndp::{NeighborAdvertisement, NeighborSolicitation};
use wire::icmpv6::{self, Message, Report};
use wire::tcp::{Flags, Header};
use wire::{Ip, MacAddr, Seq, ipv6};

const HOST: StationId = StationId(0);
const PEER: StationId = StationId(1);
const ALL_NODES_MAC: MacAddr = MacAddr([0x33, 0x33, 0, 0, 0, 1]);

/// The link-local address of station `n`.
fn link_local(n: u8) -> Ip {
    Ip::v6([0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xfe, 0, 0, n])
}

fn all_nodes() -> Ip {
    Ip::v6(ipv6::ALL_NODES)
}

fn group_of(ip: Ip) -> Ip {
    Ip::v6(ipv6::solicited_node(ip.octets()))
}

/// A host, station 1, that listens, and a peer, station 9.
fn network(change: impl Fn(&mut stack::Config)) -> (Network<Plain>, Addresses) {
    let mut net = Network::new(1);
    let mut config = host(1);
    config
        .listeners
        .push(common::listener(tcp::Config::default()));
    change(&mut config);
    let app = Plain {
        at_peer_closed: End::Close,
        ..Plain::default()
    };
    net.add_host(common::stack(config, 1, app, 256), LINK);
    let peer = Peer::new(mac(9), ip(9));
    let to = peer.to(mac(1), ip(1));
    net.add_peer(peer, LINK);
    net.run_ms(5);
    (net, to)
}

fn answers(net: &mut Network<Plain>, frame: Vec<u8>) -> Vec<(Packet, Vec<u8>)> {
    net.peer_mut(PEER).take();
    net.send(PEER, frame);
    net.run_ms(10);
    let received = net.peer_mut(PEER).take();
    received
        .into_iter()
        .map(|r| (packet(&r.frame), r.frame))
        .collect()
}

/// What is no question about neighbours.
fn replies(net: &mut Network<Plain>, frame: Vec<u8>) -> Vec<(Packet, Vec<u8>)> {
    let mut all = answers(net, frame);
    all.retain(|(p, _)| !p.is_about_neighbors());
    all
}

/// The neighbour discovery that a station sent.
fn sent(net: &Network<Plain>, from: StationId) -> Vec<(Ip, Ip, MacAddr, Message)> {
    net.log()
        .records()
        .filter(|r| r.fate == Fate::Sent && r.from == Some(from))
        .filter_map(|r| match packet(&r.frame) {
            Packet::Icmpv6 {
                src, dst, message, ..
            } => Some((src, dst, stations(&r.frame)?.1, message)),
            _ => None,
        })
        .collect()
}

fn solicitation(target: Ip, source: Option<MacAddr>) -> NeighborSolicitation {
    NeighborSolicitation {
        target: target.octets(),
        source_lladdr: source,
    }
}

fn advertisement(
    target: Ip,
    mac: MacAddr,
    solicited: bool,
    replace: bool,
) -> NeighborAdvertisement {
    NeighborAdvertisement {
        router: false,
        solicited,
        override_entry: replace,
        target: target.octets(),
        target_lladdr: Some(mac),
    }
}

fn header(flags: Flags, dst_port: u16) -> Header {
    Header {
        src_port: 4000,
        dst_port,
        seq: Seq(1_000),
        ack: Seq(2_000),
        flags,
        window: 1_000,
        ..Header::default()
    }
}

#[test]
fn addresses_are_verified_then_announced_then_used() {
    over(Family::V6, || {
        let (mut server, mut client) = configs(1, &tcp::Config::default());
        server.address_probes = 2;
        client.address_probes = 2;
        let mut net = pair((server, client), (Plain::default(), Plain::default()));
        net.with_app(CLIENT, |_, cx| cx.connect(DestinationId(0)).unwrap());
        net.run_ms(1_900);
        // Two questions each, for the address and for the link-local one; no answer yet is none.
        for (id, n) in [(SERVER, 1), (CLIENT, 2)] {
            let sent = sent(&net, id);
            assert_eq!(sent.len(), 4, "{}", net.log().tail(20));
            for (src, dst, to, message) in sent {
                let Message::NeighborSolicitation(asked) = message else {
                    panic!("{message:?}");
                };
                let target = Ip::v6(asked.target);
                assert!([ip(n), link_local(n)].contains(&target), "{target}");
                assert_eq!((src, dst), (Ip::UNSPECIFIED_V6, group_of(target)));
                assert_eq!(asked.source_lladdr, None);
                assert_eq!(to.0[..2], [0x33, 0x33]);
            }
        }
        assert_eq!(net.log().sent_segments().count(), 0);
        net.run_ms(200);
        let announced: Vec<_> = sent(&net, SERVER).split_off(4);
        assert_eq!(announced.len(), 3, "two announcements and an answer");
        for (src, dst, to, message) in &announced[..2] {
            let Message::NeighborAdvertisement(said) = message else {
                panic!("{message:?}");
            };
            assert_eq!(*src, Ip::v6(said.target));
            assert_eq!((*dst, *to), (all_nodes(), ALL_NODES_MAC));
            assert!(said.override_entry && !said.solicited && !said.router);
            assert_eq!(said.target_lladdr, Some(mac(1)));
        }
        // What wanted to be opened meanwhile has been.
        assert_eq!(net.host(SERVER).app().events(), [Told::Open]);
    });
}

/// Another host has one of the two addresses of station 1 that are being verified.
fn duplicate(of: Ip, tell: impl Fn(&mut Network<Plain>)) -> Network<Plain> {
    let (mut net, _) = network(|config| {
        config.address_probes = 1;
        config
            .destinations
            .push(common::destination(9, 4, tcp::Config::default()));
    });
    net.with_app(HOST, |_, cx| cx.connect(DestinationId(0)).unwrap());
    net.run_ms(100);
    tell(&mut net);
    net.run_ms(100);
    assert_eq!(net.host(HOST).counters().host.duplicate_addresses, 1);
    assert_eq!(net.host_mut(HOST).take_duplicate(), Some(of));
    assert_eq!(net.host_mut(HOST).take_duplicate(), None);
    net.run_ms(2_000);
    net
}

#[test]
fn an_address_that_another_host_has_is_not_used() {
    over(Family::V6, || {
        let to_all = Addresses {
            src_mac: mac(9),
            dst_mac: ALL_NODES_MAC,
            src: ip(1),
            dst: all_nodes(),
        };
        let to_group = Addresses {
            dst_mac: MacAddr([0x33, 0x33, 0xff, 0, 0, 1]),
            src: Ip::UNSPECIFIED_V6,
            dst: group_of(ip(1)),
            ..to_all
        };
        let says =
            craft::neighbor_advertisement(&to_all, &advertisement(ip(1), mac(9), false, true));
        let asks = craft::neighbor_solicitation(&to_group, &solicitation(ip(1), None));
        for frame in [says, asks] {
            let mut net = duplicate(ip(1), |net| net.send(PEER, frame.clone()));
            // The open that would have come from there fails, and no other is possible.
            let told = net.host(HOST).app().told.clone();
            assert!(
                matches!(told[..], [(_, _, Told::Closed(CloseReason::Unreachable))]),
                "{told:?}"
            );
            assert!(net.with_app(HOST, |_, cx| cx.connect(DestinationId(0)).is_err()));
            assert_eq!(net.log().sent_segments().count(), 0);
            let peer = Peer::new(mac(9), ip(9));
            let echo = craft::echo_request(&peer.to(mac(1), ip(1)), 1, 1, b"x");
            assert!(replies(&mut net, echo).is_empty());
            // The link-local address is not concerned.
            let from = Addresses {
                src: link_local(9),
                ..peer.to(mac(1), link_local(1))
            };
            let echo = craft::echo_request(&from, 1, 1, b"x");
            assert_eq!(replies(&mut net, echo).len(), 1);
            common::assert_nothing_held(&mut net, HOST, 0, "after the duplicate");
        }
    });
}

#[test]
fn a_link_local_duplicate_leaves_the_other_address() {
    over(Family::V6, || {
        let to_all = Addresses {
            src_mac: mac(9),
            dst_mac: ALL_NODES_MAC,
            src: link_local(1),
            dst: all_nodes(),
        };
        let says = advertisement(link_local(1), mac(9), false, true);
        let says = craft::neighbor_advertisement(&to_all, &says);
        let mut net = duplicate(link_local(1), |net| net.send(PEER, says.clone()));
        let syn = net.peer_mut(PEER).take_segments();
        assert!(!syn.is_empty(), "{}", net.log().tail(20));
    });
}

#[test]
fn a_tentative_address_is_silent() {
    over(Family::V6, || {
        let (mut net, to) = network(|config| config.address_probes = 1);
        let echo = craft::echo_request(&to, 1, 1, b"x");
        let syn = craft::tcp(&to, &header(Flags::SYN, PORT), b"");
        let question = Addresses {
            dst_mac: MacAddr([0x33, 0x33, 0xff, 0, 0, 1]),
            dst: group_of(ip(1)),
            ..to
        };
        let asked = solicitation(ip(1), Some(mac(9)));
        let question = craft::neighbor_solicitation(&question, &asked);
        let frames = [echo, syn, question];
        for frame in &frames {
            assert!(answers(&mut net, frame.clone()).is_empty());
        }
        net.run_ms(2_000);
        for frame in &frames {
            assert!(!answers(&mut net, frame.clone()).is_empty());
        }
    });
}

#[test]
fn solicitations_are_answered_as_they_ask() {
    over(Family::V6, || {
        let (mut net, to) = network(|_| ());
        let group = Addresses {
            dst_mac: MacAddr([0x33, 0x33, 0xff, 0, 0, 1]),
            dst: group_of(ip(1)),
            ..to
        };
        let from_link_local = Addresses {
            src: link_local(9),
            ..group
        };
        let probe = Addresses {
            src: Ip::UNSPECIFIED_V6,
            ..group
        };
        // Who asks, and for what: to whom the answer goes, and whether it is solicited.
        for (way, source, to, to_mac, solicited) in [
            (group, Some(mac(9)), ip(9), mac(9), true),
            (to, None, ip(9), mac(9), true),
            (from_link_local, Some(mac(9)), link_local(9), mac(9), true),
            (probe, None, all_nodes(), ALL_NODES_MAC, false),
        ] {
            let asked = craft::neighbor_solicitation(&way, &solicitation(ip(1), source));
            let got = answers(&mut net, asked);
            let [
                (
                    Packet::Icmpv6 {
                        src, dst, message, ..
                    },
                    frame,
                ),
            ] = &got[..]
            else {
                panic!("{got:?}");
            };
            assert_eq!((*src, *dst), (ip(1), to));
            assert_eq!(stations(frame), Some((mac(1), to_mac)));
            let expected = advertisement(ip(1), mac(1), solicited, true);
            assert_eq!(*message, Message::NeighborAdvertisement(expected));
        }
        // Another's address in the same group, one that came from off the link, one with a bad
        // checksum.
        let other = Ip::v6([0xfd, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 1]);
        let foreign = craft::neighbor_solicitation(&group, &solicitation(other, Some(mac(9))));
        let mut far = craft::neighbor_solicitation(&group, &solicitation(ip(1), Some(mac(9))));
        let mut bad = far.clone();
        far[21] = 254;
        *bad.last_mut().unwrap() ^= 1;
        for frame in [foreign, far, bad] {
            assert!(answers(&mut net, frame).is_empty());
        }
        let count = net.host(HOST).counters().host;
        assert_eq!((count.drop_ndp, count.drop_icmp), (2, 1));
        assert_eq!(count.ndp_advertisements, 4);
    });
}

#[test]
fn an_unsolicited_advertisement_moves_an_address_at_once() {
    over(Family::V6, || {
        let mut net = pair(
            configs(1, &tcp::Config::default()),
            (Plain::default(), Plain::default()),
        );
        net.with_app(CLIENT, |_, cx| cx.connect(DestinationId(0)).unwrap());
        net.run_ms(20);
        let mut standby = Peer::new(mac(9), ip(1));
        standby.answers_arp = false;
        let standby = net.add_peer(standby, LINK);
        let announce = |sha| {
            let to = Addresses {
                src_mac: sha,
                dst_mac: ALL_NODES_MAC,
                src: ip(1),
                dst: all_nodes(),
            };
            craft::neighbor_advertisement(&to, &advertisement(ip(1), sha, false, true))
        };
        net.send(standby, announce(mac(9)));
        net.run_ms(5);
        net.with_app(CLIENT, |app, cx| {
            let conn = app.last();
            app.send(cx, conn, b"to whom?");
        });
        net.run_ms(5);
        let got = net.peer_mut(standby).take_segments();
        assert_eq!(got.len(), 1, "{}", net.log().tail(20));
        assert!(net.host(SERVER).counters().host.arp_conflicts >= 1);
        // And back: the retransmission finds the server.
        net.send(SERVER, announce(mac(1)));
        net.run_ms(2_000);
        assert_eq!(net.host(SERVER).app().received, b"to whom?");
    });
}

#[test]
fn echo_is_answered_also_when_it_was_for_all_nodes() {
    over(Family::V6, || {
        let (mut net, to) = network(|_| ());
        let all = Addresses {
            dst_mac: ALL_NODES_MAC,
            dst: all_nodes(),
            ..to
        };
        let from_link_local = Addresses {
            src: link_local(9),
            ..all
        };
        for (way, from) in [(to, ip(1)), (all, ip(1)), (from_link_local, link_local(1))] {
            let got = replies(&mut net, craft::echo_request(&way, 77, 3, b"hello"));
            let [
                (
                    Packet::Icmpv6 {
                        src,
                        dst,
                        message,
                        body,
                    },
                    frame,
                ),
            ] = &got[..]
            else {
                panic!("{got:?}");
            };
            assert_eq!((*src, *dst), (from, way.src));
            let Message::EchoReply {
                ident: 77,
                seq: 3,
                data,
            } = message
            else {
                panic!("{message:?}");
            };
            assert_eq!(&frame[body.clone()][data.clone()], b"hello");
        }
        assert_eq!(net.host(HOST).counters().host.icmp_echo_replies, 3);
        // A group that the host is not in.
        let routers = Addresses {
            dst_mac: MacAddr([0x33, 0x33, 0, 0, 0, 2]),
            dst: Ip::v6(ipv6::ALL_ROUTERS),
            ..to
        };
        assert!(replies(&mut net, craft::echo_request(&routers, 1, 1, b"")).is_empty());
    });
}

/// Hop-by-hop or destination options with one option of this type.
fn options(next: u8, kind: u8) -> [u8; 8] {
    [next, 0, kind, 4, 0, 0, 0, 0]
}

#[test]
fn what_is_not_understood_is_reported_where_it_is() {
    over(Family::V6, || {
        let (mut net, to) = network(|_| ());
        let problem = |code, pointer| Some(Report::ParameterProblem { code, pointer });
        let unreachable = Report::DestinationUnreachable {
            code: icmpv6::CODE_PORT_UNREACHABLE,
        };
        let unknown_option = |kind| craft::ipv6(&to, 60, &options(59, kind));
        let cases = [
            (craft::udp(&to, 1234, 53, b"question"), Some(unreachable)),
            (craft::ipv6(&to, 132, &[0; 40]), problem(1, 6)),
            (craft::ipv6(&to, 60, &options(132, 1)), problem(1, 40)),
            // Segments left of a routing header of type 0.
            (
                craft::ipv6(&to, 43, &[59, 0, 0, 1, 0, 0, 0, 0]),
                problem(0, 42),
            ),
            (unknown_option(0x40), None),
            (unknown_option(0x80), problem(2, 42)),
            (unknown_option(0xc0), problem(2, 42)),
            (craft::ipv6(&to, 59, &[]), None),
        ];
        for (frame, expected) in cases {
            let got = replies(&mut net, frame.clone());
            let Some(expected) = expected else {
                assert!(got.is_empty(), "{got:?}");
                continue;
            };
            let [(Packet::Icmpv6 { message, body, .. }, reply)] = &got[..] else {
                panic!("{expected:?}: {got:?}");
            };
            let (told, original) = match message {
                Message::DestinationUnreachable { code, original } => {
                    (Report::DestinationUnreachable { code: *code }, original)
                }
                Message::ParameterProblem {
                    code,
                    pointer,
                    original,
                } => {
                    let (code, pointer) = (*code, *pointer);
                    (Report::ParameterProblem { code, pointer }, original)
                }
                other => panic!("{other:?}"),
            };
            assert_eq!(told, expected);
            assert_eq!(&reply[body.clone()][original.clone()], &frame[14..]);
        }
        // To a group nothing is said, but for options that ask for it; to errors never.
        let all = Addresses {
            dst_mac: ALL_NODES_MAC,
            dst: all_nodes(),
            ..to
        };
        assert!(replies(&mut net, craft::udp(&all, 1, 53, b"")).is_empty());
        let unknown_option = |kind| craft::ipv6(&all, 60, &options(59, kind));
        assert_eq!(replies(&mut net, unknown_option(0x80)).len(), 1);
        assert!(replies(&mut net, unknown_option(0xc0)).is_empty());
        let about = craft::icmpv6_error(&to, unreachable, &[0x60; 60]);
        assert!(replies(&mut net, about).is_empty());
    });
}

#[test]
fn segments_behind_extension_headers_are_read_and_fragments_are_not() {
    over(Family::V6, || {
        let (mut net, to) = network(|_| ());
        let syn = header(Flags::SYN, 81);
        let atomic = [6, 0, 0, 0, 0, 0, 0, 1];
        for (first, extensions) in [(0, options(6, 1)), (60, options(6, 1)), (44, atomic)] {
            let frame = craft::tcp_behind(&to, (first, &extensions), &syn, b"");
            let got = replies(&mut net, frame);
            assert_eq!(got.len(), 1, "{first}");
            assert!(segment(&got[0].1).is_some_and(|s| s.has(Flags::RST)));
        }
        let first_fragment = [6, 0, 0, 1, 0, 0, 0, 1];
        let frame = craft::tcp_behind(&to, (44, &first_fragment), &syn, b"");
        assert!(replies(&mut net, frame).is_empty());
        assert_eq!(net.host(HOST).counters().host.drop_ip_fragment, 1);
    });
}

#[test]
fn the_mss_is_that_of_ipv6() {
    over(Family::V6, || {
        let (mut net, to) = network(|_| ());
        let got = replies(&mut net, craft::tcp(&to, &header(Flags::SYN, PORT), b""));
        let syn_ack = segment(&got[0].1).unwrap().header;
        assert_eq!(syn_ack.options.mss, Some(1500 - 60));
        let ack = Header {
            seq: Seq(1_001),
            ack: syn_ack.seq + 1,
            window: u16::MAX,
            ..header(Flags::ACK, PORT)
        };
        net.send(PEER, craft::tcp(&to, &ack, b""));
        net.run_ms(10);
        net.peer_mut(PEER).take();
        net.with_app(HOST, |app, cx| {
            let conn = app.last();
            app.send(cx, conn, &[7; 4_000]);
        });
        net.run_ms(5);
        let longest = |net: &mut Network<Plain>| {
            let got = net.peer_mut(PEER).take();
            let lens = got
                .iter()
                .filter_map(|r| Some(segment(&r.frame)?.text.len()));
            let quoted = got.last().map(|r| r.frame[14..].to_vec());
            (lens.max(), quoted.unwrap_or_default())
        };
        //= RFC 9293 3.7.1
        //# implementations MUST assume a default send MSS of 536 (576 - 40)
        //# for IPv4 or 1220 (1280 - 60) for IPv6 (MUST-15).
        assert_eq!(longest(&mut net).0, Some(1_220));
    });
}

#[test]
fn packet_too_big_is_obeyed_for_the_connection_that_it_quotes() {
    over(Family::V6, || {
        let (mut net, to) = network(|_| ());
        let mut syn = header(Flags::SYN, PORT);
        syn.options.mss = Some(1_440);
        let got = replies(&mut net, craft::tcp(&to, &syn, b""));
        let nxt = segment(&got[0].1).unwrap().header.seq + 1;
        let ack = Header {
            seq: Seq(1_001),
            ack: nxt,
            window: u16::MAX,
            ..header(Flags::ACK, PORT)
        };
        net.send(PEER, craft::tcp(&to, &ack, b""));
        net.run_ms(10);
        net.peer_mut(PEER).take();
        net.with_app(HOST, |app, cx| {
            let conn = app.last();
            app.send(cx, conn, &[7; 1_440]);
        });
        net.run_ms(5);
        let frame = net.peer_mut(PEER).take().pop().unwrap().frame;
        assert_eq!(segment(&frame).unwrap().text.len(), 1_440);
        let quoted = &frame[14..];
        let mut foreign = quoted.to_vec();
        foreign[41] ^= 1;
        let mut stale = quoted.to_vec();
        stale[44] ^= 0x80;
        // Below the least MTU, of another connection, of a number never sent; then a right one.
        for (mtu, original) in [(1_279, quoted), (1_300, &foreign[..]), (1_300, &stale[..])] {
            let report = Report::PacketTooBig { mtu };
            net.send(PEER, craft::icmpv6_error(&to, report, original));
        }
        net.run_ms(5);
        assert_eq!(net.host(HOST).counters().host.path_mtu_reduced, 0);
        let report = Report::PacketTooBig { mtu: 1_300 };
        net.send(PEER, craft::icmpv6_error(&to, report, quoted));
        net.run_ms(1_000);
        assert_eq!(net.host(HOST).counters().host.path_mtu_reduced, 1);
        let again = net.peer_mut(PEER).take_segments();
        assert!(!again.is_empty());
        assert!(again.iter().all(|(_, text)| text.len() <= 1_240));
    });
}

#[test]
fn both_families_are_served_at_once() {
    let v4 = Ip::v4([10, 0, 0, 1]);
    over(Family::V6, || {
        let (mut net, to) = network(|config| {
            config
                .addresses
                .push(stack::InterfaceAddress { ip: v4, prefix: 24 });
        });
        let to_v4 = Addresses {
            src: Ip::v4([10, 0, 0, 9]),
            dst: v4,
            ..to
        };
        for to in [to, to_v4] {
            let mut ours = Peer::new(to.src_mac, to.src);
            ours.inbox = net.peer_mut(PEER).inbox.clone();
            *net.peer_mut(PEER) = ours;
            let mut syn = header(Flags::SYN, PORT);
            syn.options.mss = Some(9_000);
            let got = replies(&mut net, craft::tcp(&to, &syn, b""));
            let syn_ack = segment(&got[0].1).unwrap();
            assert_eq!((syn_ack.src, syn_ack.dst), (to.dst, to.src));
            let headers = if to.src.is_v4() { 40 } else { 60 };
            assert_eq!(syn_ack.header.options.mss, Some(1500 - headers));
        }
        assert_eq!(net.host(HOST).counters().host.passive_opens, 2);
    });
}

#[test]
fn only_the_family_that_is_used_has_a_time_wait_table() {
    let bytes = |family, both: bool| {
        let mut bytes = 0;
        over(family, || {
            let (net, _) = network(|config| {
                config.time_wait_capacity = 100_000;
                if both {
                    let ip = Ip::v4([10, 0, 0, 1]);
                    config
                        .addresses
                        .push(stack::InterfaceAddress { ip, prefix: 24 });
                }
            });
            bytes = net.host(HOST).usage().time_wait_bytes;
        });
        bytes
    };
    let (v4, v6) = (bytes(Family::V4, false), bytes(Family::V6, false));
    assert!(v4 > 4_000_000 && v6 > v4 + 4_000_000, "{v4} {v6}");
    // What limits acknowledgments is there once for both.
    let limits = v4 + v6 - bytes(Family::V6, true);
    assert!((1..1_000_000).contains(&limits), "{limits}");
}
