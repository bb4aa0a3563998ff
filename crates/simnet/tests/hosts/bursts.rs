//! Segments of one burst of which the later depends on what the earlier did.

use crate::common;
use crate::common::plain::{Plain, Told};
use crate::common::{LINK, PORT, ip, mac};
use simnet::craft::{self, Addresses};
use simnet::decode::{Packet, packet};
use simnet::{Network, Peer, StationId};
use stack::CloseReason;
use wire::Seq;
use wire::tcp::{Flags, Header};

const HOST: StationId = StationId(0);
const PEER: StationId = StationId(1);
const ISS: Seq = Seq(7_000);

fn network() -> (Network<Plain>, Addresses) {
    let mut net = Network::new(1);
    let mut config = common::host(1);
    config
        .listeners
        .push(common::listener(tcp::Config::default()));
    net.add_host(common::stack(config, 1, Plain::default(), 256), LINK);
    let peer = Peer::new(mac(9), ip(9));
    let to = peer.to(mac(1), ip(1));
    net.add_peer(peer, LINK);
    net.run_ms(5);
    (net, to)
}

fn segment(to: &Addresses, flags: Flags, seq: Seq, ack: Seq) -> Vec<u8> {
    let header = Header {
        src_port: 55_000,
        dst_port: PORT,
        seq,
        ack,
        flags,
        window: 60_000,
        ..Header::default()
    };
    craft::tcp(to, &header, b"")
}

/// What the host sends in answer to frames that arrive together.
fn answers(net: &mut Network<Plain>, frames: Vec<Vec<u8>>) -> Vec<Header> {
    net.peer_mut(PEER).take();
    for frame in frames {
        net.send(PEER, frame);
    }
    net.run_ms(10);
    let received = net.peer_mut(PEER).take();
    received
        .into_iter()
        .filter_map(|r| match packet(&r.frame) {
            Packet::Tcp(segment) => Some(segment.header),
            _ => None,
        })
        .collect()
}

/// Opens a connection; returns the host's SND.NXT.
fn open(net: &mut Network<Plain>, to: &Addresses) -> Seq {
    let syn_ack = answers(net, vec![segment(to, Flags::SYN, ISS, Seq(0))]);
    assert_eq!(syn_ack.len(), 1);
    let nxt = syn_ack[0].seq + 1;
    assert!(answers(net, vec![segment(to, Flags::ACK, ISS + 1, nxt)]).is_empty());
    assert_eq!(net.host(HOST).app().events(), [Told::Open]);
    nxt
}

fn a_syn_right_after_the_reset_of_the_last_connection_is_accepted() {
    let (mut net, to) = network();
    let nxt = open(&mut net, &to);
    let new = ISS + 5_000;
    let got = answers(
        &mut net,
        vec![
            segment(&to, Flags::RST | Flags::ACK, ISS + 1, nxt),
            segment(&to, Flags::SYN, new, Seq(0)),
        ],
    );
    assert_eq!(got.len(), 1, "{got:?}");
    assert_eq!(
        (got[0].flags, got[0].ack),
        (Flags::SYN | Flags::ACK, new + 1)
    );
    let got = answers(
        &mut net,
        vec![segment(&to, Flags::ACK, new + 1, got[0].seq + 1)],
    );
    assert!(got.is_empty());
    assert_eq!(
        net.host(HOST).app().events(),
        [Told::Open, Told::Closed(CloseReason::Reset), Told::Open]
    );
    assert_eq!(net.host(HOST).usage().live, 1);
}

fn a_syn_right_after_the_acknowledgment_of_our_fin_is_accepted() {
    // The peer closed first and keeps no TIME-WAIT.
    let (mut net, to) = network();
    let nxt = open(&mut net, &to);
    answers(
        &mut net,
        vec![segment(&to, Flags::FIN | Flags::ACK, ISS + 1, nxt)],
    );
    net.with_app(HOST, |app, cx| cx.close(app.last()));
    let fin = answers(&mut net, vec![]);
    assert!(fin[0].flags.contains(Flags::FIN));
    let new = ISS + 5_000;
    let got = answers(
        &mut net,
        vec![
            segment(&to, Flags::ACK, ISS + 2, nxt + 1),
            segment(&to, Flags::SYN, new, Seq(0)),
        ],
    );
    assert_eq!(got.len(), 1, "{got:?}");
    assert_eq!(
        (got[0].flags, got[0].ack),
        (Flags::SYN | Flags::ACK, new + 1)
    );
    assert_eq!(net.host(HOST).usage().live, 1);
}

over_both! {
    a_syn_right_after_the_reset_of_the_last_connection_is_accepted
    a_syn_right_after_the_acknowledgment_of_our_fin_is_accepted
}
