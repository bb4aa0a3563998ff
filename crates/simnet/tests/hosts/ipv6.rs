//! What IPv6 has of its own besides neighbour discovery: extension headers, ICMPv6 and the path MTU; and both families in one host.

use crate::common::ipv6::{
    ALL_NODES_MAC, HOST, PEER, all_nodes, header, link_local, network, replies,
};
use crate::common::plain::Plain;
use crate::common::{Family, PORT, ip, over};
use simnet::craft::{self, Addresses};
use simnet::decode::{Packet, segment};
use simnet::{Network, Peer};
use wire::icmpv6::{self, Message, Report};
use wire::tcp::{Flags, Header};
use wire::{Ip, MacAddr, Seq, ipv6};

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
