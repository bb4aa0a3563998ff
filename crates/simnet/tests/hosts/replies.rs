//! What a host answers that belongs to no connection: echo, unreachable ports and protocols, and
//! RST; and what it leaves unanswered.

use crate::common;
use crate::common::plain::{Plain, Told};
use crate::common::{LINK, PORT, ip, mac};
use simnet::craft::{self, Addresses};
use simnet::decode::{Packet, Segment, packet};
use simnet::{Network, Peer, StationId};
use wire::icmpv4::{self, Message};
use wire::tcp::{Flags, Header};
use wire::{Ip, MacAddr, Seq};

const HOST: StationId = StationId(0);
const PEER: StationId = StationId(1);

fn network(replies_per_second: u32) -> (Network<Plain>, Addresses) {
    let mut net = Network::new(1);
    let mut config = common::host(1);
    config
        .listeners
        .push(common::listener(tcp::Config::default()));
    config.control_replies_per_second = replies_per_second;
    net.add_host(common::stack(config, 1, Plain::default(), 256), LINK);
    let peer = Peer::new(mac(9), ip(9));
    let to = peer.to(mac(1), ip(1));
    net.add_peer(peer, LINK);
    net.run_ms(5);
    net.peer_mut(PEER).take();
    (net, to)
}

/// What the host answers to a frame, within 10 ms, what is about neighbours apart.
fn answers(net: &mut Network<Plain>, frame: Vec<u8>) -> Vec<(Packet, Vec<u8>)> {
    net.send(PEER, frame);
    net.run_ms(10);
    net.peer_mut(PEER)
        .take()
        .into_iter()
        .map(|r| (packet(&r.frame), r.frame))
        .filter(|(p, _)| !p.is_about_neighbors())
        .collect()
}

#[test]
fn echo_returns_what_it_was_sent() {
    let (mut net, to) = network(100);
    for len in [0, 1, 56, 1472] {
        let data: Vec<u8> = (0..len).map(|i| i as u8).collect();
        let got = answers(&mut net, craft::echo_request(&to, 77, len, &data));
        assert_eq!(got.len(), 1, "{len} bytes");
        let (
            Packet::Icmp {
                src,
                dst,
                message,
                body,
            },
            frame,
        ) = &got[0]
        else {
            panic!("{got:?}");
        };
        assert_eq!((*src, *dst), (ip(1), ip(9)));
        let Message::EchoReply {
            ident,
            seq,
            data: range,
        } = message
        else {
            panic!("{message:?}");
        };
        assert_eq!((*ident, *seq), (77, len));
        assert_eq!(&frame[body.clone()][range.clone()], data);
        assert!(wire::ipv4::checksum_ok(&frame[14..]));
    }
    assert_eq!(net.host(HOST).counters().host.icmp_echo_replies, 4);
}

#[test]
fn echo_to_everybody_or_damaged_is_not_answered() {
    let (mut net, to) = network(100);
    let all = Addresses {
        dst_mac: MacAddr::BROADCAST,
        dst: Ip::v4([10, 0, 0, 255]),
        ..to
    };
    assert!(answers(&mut net, craft::echo_request(&all, 1, 1, b"x")).is_empty());
    let mut damaged = craft::echo_request(&to, 1, 1, b"x");
    *damaged.last_mut().unwrap() ^= 0x10;
    assert!(answers(&mut net, damaged).is_empty());
    let elsewhere = Addresses { dst: ip(77), ..to };
    assert!(answers(&mut net, craft::echo_request(&elsewhere, 1, 1, b"x")).is_empty());
    assert_eq!(net.host(HOST).counters().host.drop_ip_not_ours, 1);
}

#[test]
fn closed_udp_ports_and_unknown_protocols_are_unreachable() {
    let (mut net, to) = network(100);
    let udp = craft::udp(&to, 1234, 53, b"question");
    for (frame, code) in [
        (udp, icmpv4::CODE_PORT_UNREACHABLE),
        (
            craft::ipv4(&to, 132, &[0; 40]),
            icmpv4::CODE_PROTOCOL_UNREACHABLE,
        ),
    ] {
        let got = answers(&mut net, frame.clone());
        let [(Packet::Icmp { message, body, .. }, reply)] = &got[..] else {
            panic!("{got:?}");
        };
        let Message::DestinationUnreachable {
            code: told,
            original,
            ..
        } = message
        else {
            panic!("{message:?}");
        };
        assert_eq!(*told, code);
        assert_eq!(&reply[body.clone()][original.clone()], &frame[14..]);
    }
    let all = Addresses {
        dst_mac: MacAddr::BROADCAST,
        dst: Ip::v4([255; 4]),
        ..to
    };
    assert!(answers(&mut net, craft::udp(&all, 68, 67, b"who am I")).is_empty());
}

fn errors_are_rationed() {
    rationed(|to| craft::udp(to, 1, 9, b""));
}

fn echo_replies_are_rationed() {
    rationed(|to| craft::echo_request(to, 1, 1, b"x"));
}

fn rationed(provoke: impl Fn(&Addresses) -> Vec<u8>) {
    let (mut net, to) = network(10);
    let mut sent = 0;
    for _ in 0..100 {
        sent += answers(&mut net, provoke(&to)).len();
    }
    // A second's worth in a second, and the one that was saved up.
    assert!((9..=11).contains(&sent), "{sent}");
    assert!(net.host(HOST).counters().host.replies_limited >= 89);
}

#[test]
fn who_claims_to_be_everybody_is_not_answered() {
    let (mut net, to) = network(100);
    let all = Addresses {
        src: Ip::v4([10, 0, 0, 255]),
        ..to
    };
    assert!(answers(&mut net, craft::echo_request(&all, 1, 1, b"x")).is_empty());
    assert!(answers(&mut net, craft::udp(&all, 1, 9, b"")).is_empty());
    assert_eq!(net.host(HOST).counters().host.drop_ip_source, 2);
}

fn segment(flags: Flags, dst_port: u16) -> Header {
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

fn tcp_answers(net: &mut Network<Plain>, frame: Vec<u8>) -> Vec<Segment> {
    answers(net, frame)
        .into_iter()
        .filter_map(|(p, _)| match p {
            Packet::Tcp(segment) => Some(segment),
            _ => None,
        })
        .collect()
}

fn a_closed_port_answers_with_rst() {
    let (mut net, to) = network(100);
    //= RFC 9293 3.10.7.1
    //# If the ACK bit is off, sequence number zero is used,
    //# <SEQ=0><ACK=SEG.SEQ+SEG.LEN><CTL=RST,ACK>
    let got = tcp_answers(&mut net, craft::tcp(&to, &segment(Flags::SYN, 81), b"abc"));
    assert_eq!(got.len(), 1);
    assert_eq!(got[0].header.flags, Flags::RST | Flags::ACK);
    assert_eq!((got[0].header.seq, got[0].header.ack), (Seq(0), Seq(1_004)));
    //= RFC 9293 3.10.7.1
    //# If the ACK bit is on,
    //# <SEQ=SEG.ACK><CTL=RST>
    for port in [81, PORT] {
        let got = tcp_answers(&mut net, craft::tcp(&to, &segment(Flags::ACK, port), b""));
        assert_eq!(got.len(), 1, "port {port}");
        assert_eq!(got[0].header.flags, Flags::RST);
        assert_eq!(got[0].header.seq, Seq(2_000));
        assert!(got[0].intact);
    }
    //= RFC 9293 3.10.7.1
    //# An incoming segment containing a RST is discarded.
    for port in [81, PORT] {
        let reset = segment(Flags::RST, port);
        assert!(tcp_answers(&mut net, craft::tcp(&to, &reset, b"")).is_empty());
    }
    let mut damaged = craft::tcp(&to, &segment(Flags::SYN, 81), b"abc");
    let in_header = common::headers_len() as usize;
    damaged[in_header] ^= 1;
    assert!(tcp_answers(&mut net, damaged).is_empty());
    assert_eq!(net.host(HOST).counters().host.drop_tcp_checksum, 1);
}

#[test]
fn an_icmp_error_does_not_end_a_connection() {
    let (mut net, to) = network(100);
    let got = tcp_answers(&mut net, craft::tcp(&to, &segment(Flags::SYN, PORT), b""));
    let syn_ack = got[0].header;
    let ack = Header {
        seq: Seq(1_001),
        ack: syn_ack.seq + 1,
        ..segment(Flags::ACK, PORT)
    };
    net.send(PEER, craft::tcp(&to, &ack, b""));
    net.run_ms(10);
    net.with_app(HOST, |app, cx| {
        let conn = app.last();
        app.send(cx, conn, b"hello");
    });
    net.run_ms(5);
    let sent = net.peer_mut(PEER).take();
    let quoted = sent.last().unwrap().frame[14..].to_vec();
    for code in [
        icmpv4::CODE_HOST_UNREACHABLE,
        icmpv4::CODE_PORT_UNREACHABLE,
        icmpv4::CODE_PROTOCOL_UNREACHABLE,
    ] {
        net.send(PEER, craft::unreachable(&to, code, 0, &quoted));
    }
    net.run_ms(5);
    assert_eq!(net.host(HOST).counters().host.icmp_errors_received, 3);
    assert_eq!(net.host(HOST).usage().live, 1);
    let data = Header {
        ack: ack.ack + 5,
        ..ack
    };
    net.send(PEER, craft::tcp(&to, &data, b"world"));
    net.run_ms(5);
    assert_eq!(net.host(HOST).app().received, b"world");
    assert_eq!(net.host(HOST).app().events(), [Told::Open, Told::Data(5)]);
}

#[test]
fn every_address_is_announced_however_many_there_are() {
    let mut net: Network<Plain> = Network::new(1);
    let mut config = common::host(1);
    config.addresses = (0..600u16)
        .map(|n| stack::InterfaceAddress {
            ip: Ip::v4([10, 1, (n >> 8) as u8, n as u8]),
            prefix: 16,
        })
        .collect();
    net.add_host(common::stack(config, 1, Plain::default(), 256), LINK);
    net.add_peer(Peer::new(mac(9), ip(9)), LINK);
    net.run_ms(100);
    let announced: std::collections::HashSet<[u8; 4]> = net
        .peer_mut(PEER)
        .take()
        .into_iter()
        .filter_map(|r| match packet(&r.frame) {
            Packet::Arp(p) if p.spa == p.tpa => Some(p.spa),
            _ => None,
        })
        .collect();
    assert_eq!(announced.len(), 600);
}

over_both! {
    errors_are_rationed
    echo_replies_are_rationed
    a_closed_port_answers_with_rst
}
