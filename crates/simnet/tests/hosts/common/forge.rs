//! A four-tuple in TIME-WAIT, and segments forged for it one by one.

use simnet::{Action, Network, Which, craft};
use tcp::time_wait::Rules;
use wire::Seq;
use wire::tcp::{Flags, Header, Timestamps};

use super::plain::{End, Plain};
use super::recycle::{once, protocol};
use super::{CLIENT, SERVER, between, configs, pair};

/// A server by `rules` that answers one byte and closes, a client of one tuple; one connection over.
pub(crate) fn in_time_wait(rules: Rules, timestamps: bool) -> (Network<Plain>, Header) {
    in_time_wait_with(rules, &protocol(timestamps))
}

pub(crate) fn in_time_wait_with(rules: Rules, tcp: &tcp::Config) -> (Network<Plain>, Header) {
    let (mut server, client) = configs(1, tcp);
    server.listeners[0].time_wait.rules = rules;
    let net = after_one(server, client);
    assert_eq!(net.host(SERVER).usage().time_wait, 1);
    let last = last_sent(&net, CLIENT);
    (net, last)
}

/// The two after one connection, on which the server answered one byte and closed.
pub(crate) fn after_one(server: stack::Config, client: stack::Config) -> Network<Plain> {
    let server_app = Plain {
        reply: b"r".to_vec(),
        after_reply: End::Close,
        ..Plain::default()
    };
    let client_app = Plain {
        greeting: b"q".to_vec(),
        at_peer_closed: End::Close,
        ..Plain::default()
    };
    let mut net = pair((server, client), (server_app, client_app));
    net.run_ms(5);
    once(&mut net).unwrap();
    net
}

/// Each decision of TIME-WAIT that a host has counted was told to its application, and none else.
pub(crate) fn assert_all_told(net: &Network<Plain>) {
    for id in [SERVER, CLIENT] {
        let told = net.host(id).app().decided;
        // Ages are no decisions.
        let counted = tcp::time_wait::Counters {
            reuse_age: told.reuse_age,
            evicted_age: told.evicted_age,
            ..net.host(id).counters().time_wait
        };
        assert_eq!(counted, told, "station {}", id.0);
    }
}

/// A client that says nothing and closes when the server has.
pub(crate) fn closes_second() -> Plain {
    Plain {
        at_peer_closed: End::Close,
        ..Plain::default()
    }
}

/// The header of the last segment that `from` sent.
pub(crate) fn last_sent(net: &Network<Plain>, from: simnet::StationId) -> Header {
    let sent = net.log().sent_segments().filter(|(id, _)| *id == from);
    sent.last().expect("it sent something").1.header
}

/// What the server sent since `before` segments were in the log.
pub(crate) fn answers(net: &Network<Plain>, before: usize) -> Vec<Header> {
    let sent = net.log().sent_segments().skip(before);
    let servers = sent.filter(|(id, _)| *id == SERVER);
    servers.map(|(_, s)| s.header).collect()
}

/// Lets a segment from the client's socket arrive at the server, out of which the client hears
/// nothing; returns what the server answered.
pub(crate) fn forge(net: &mut Network<Plain>, header: &Header) -> Vec<Header> {
    forge_burst(net, &[(header, b"")])
}

/// The same for several with their texts, which arrive together.
pub(crate) fn forge_burst(net: &mut Network<Plain>, segments: &[(&Header, &[u8])]) -> Vec<Header> {
    let to = between(2, 1);
    let deaf = net.add_rule(Action::Drop, Which::All, |seen| {
        seen.from == SERVER && seen.segment().is_some()
    });
    let before = net.log().sent_segments().count();
    let now = net.now();
    for (header, text) in segments {
        net.inject(now, &craft::tcp(&to, header, text));
    }
    net.run_ms(5);
    net.end_rule(deaf);
    answers(net, before)
}

/// A segment of the client's with its last timestamp.
pub(crate) fn segment(last: &Header, flags: Flags, seq: Seq, ack: Seq) -> Header {
    Header {
        seq,
        ack,
        flags,
        ..*last
    }
}

/// A SYN `ahead` of the last number, its timestamp `newer` than the last.
pub(crate) fn syn(last: &Header, ahead: i32, newer: u32) -> Header {
    let next = last.seq + 1;
    let mut syn = segment(last, Flags::SYN, next + ahead as u32, Seq(0));
    if let Some(Timestamps { val, ecr }) = &mut syn.options.timestamps {
        *val = val.wrapping_add(newer);
        *ecr = 0;
    }
    syn
}
