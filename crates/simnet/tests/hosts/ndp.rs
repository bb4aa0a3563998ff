//! Neighbour discovery and duplicate address detection.

use crate::common::ipv6::{
    ALL_NODES_MAC, HOST, PEER, all_nodes, answers, header, link_local, network, replies,
};
use crate::common::plain::{Plain, Told};
use crate::common::{self, CLIENT, Family, LINK, PORT, SERVER, configs, ip, mac, over, pair};
use simnet::craft::{self, Addresses};
use simnet::decode::{Packet, packet, stations};
use simnet::{Fate, Network, Peer, StationId};
use stack::{CloseReason, DestinationId};
use wire::icmpv6::Message;
use wire::icmpv6::ndp::{NeighborAdvertisement, NeighborSolicitation};
use wire::tcp::Flags;
use wire::{Ip, MacAddr, ipv6};

fn group_of(ip: Ip) -> Ip {
    Ip::v6(ipv6::solicited_node(ip.octets()))
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
