//! A host that listens, and a peer that is played frame by frame, for what IPv6 has of its own.

use simnet::craft::Addresses;
use simnet::decode::{Packet, packet};
use simnet::{Network, Peer, StationId};
use wire::tcp::{Flags, Header};
use wire::{Ip, MacAddr, Seq, ipv6};

use super::plain::{End, Plain};
use super::{LINK, host, ip, mac};

pub(crate) const HOST: StationId = StationId(0);
pub(crate) const PEER: StationId = StationId(1);
pub(crate) const ALL_NODES_MAC: MacAddr = MacAddr([0x33, 0x33, 0, 0, 0, 1]);

/// The link-local address of station `n`.
pub(crate) fn link_local(n: u8) -> Ip {
    Ip::v6([0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xfe, 0, 0, n])
}

pub(crate) fn all_nodes() -> Ip {
    Ip::v6(ipv6::ALL_NODES)
}

/// A host, station 1, that listens, and a peer, station 9.
pub(crate) fn network(change: impl Fn(&mut stack::Config)) -> (Network<Plain>, Addresses) {
    let mut net = Network::new(1);
    let mut config = host(1);
    config
        .listeners
        .push(super::listener(tcp::Config::default()));
    change(&mut config);
    let app = Plain {
        at_peer_closed: End::Close,
        ..Plain::default()
    };
    net.add_host(super::stack(config, 1, app, 256), LINK);
    let peer = Peer::new(mac(9), ip(9));
    let to = peer.to(mac(1), ip(1));
    net.add_peer(peer, LINK);
    net.run_ms(5);
    (net, to)
}

pub(crate) fn answers(net: &mut Network<Plain>, frame: Vec<u8>) -> Vec<(Packet, Vec<u8>)> {
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
pub(crate) fn replies(net: &mut Network<Plain>, frame: Vec<u8>) -> Vec<(Packet, Vec<u8>)> {
    let mut all = answers(net, frame);
    all.retain(|(p, _)| !p.is_about_neighbors());
    all
}

pub(crate) fn header(flags: Flags, dst_port: u16) -> Header {
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
