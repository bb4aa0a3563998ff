//! Active opens of four-tuples in our own TIME-WAIT: what proves a SYN,ACK newer, and what comes of one that is not.

use crate::common::forge::{assert_all_told, closes_second, last_sent, segment, syn};
use crate::common::plain::Plain;
use crate::common::recycle::{client_closes, once, protocol};
use crate::common::{CLIENT, SERVER, between, configs, ip, pair};
use simnet::{Action, Network, Which, craft};
use stack::{CloseReason, DestinationId, OpenConfig};
use tcp::time_wait::Rules;
use wire::tcp::{Flags, Header};

fn a_syn_ack_that_is_not_newer_is_refused_and_another_tuple_tried() {
    for rules in [Rules::SAFE, Rules::LINUX] {
        a_syn_ack_that_is_not_newer(rules);
    }
}

/// Whatever the client's rules say of SYNs that it receives.
fn a_syn_ack_that_is_not_newer(rules: Rules) {
    let (server, mut client) = configs(2, &protocol(true));
    client.destinations[0].time_wait.rules = rules;
    let mut net = client_closes((server, client));
    once(&mut net).unwrap();
    let servers_last = last_sent(&net, SERVER);
    once(&mut net).unwrap();
    assert_eq!(net.host(CLIENT).usage().time_wait, 2);
    // Both four-tuples may be taken over after a second; the first is, and an old SYN,ACK answers.
    net.run_ms(1_500);
    let mute = net.add_rule(Action::Drop, Which::All, |seen| {
        seen.from == SERVER && seen.segment().is_some()
    });
    net.with_app(CLIENT, |_, cx| cx.connect(DestinationId(0)).unwrap());
    net.run_ms(5);
    let syn = last_sent(&net, CLIENT);
    assert_eq!(
        (syn.flags, syn.src_port),
        (Flags::SYN, servers_last.dst_port)
    );
    let old = segment(
        &servers_last,
        Flags::SYN | Flags::ACK,
        servers_last.seq - 1_000,
        syn.seq + 1,
    );
    let to = between(1, 2);
    net.end_rule(mute);
    let before = net.log().sent_segments().count();
    let now = net.now();
    net.inject(now, &craft::tcp(&to, &old, b""));
    net.run_ms(20);
    assert_all_told(&net);
    let counters = net.host(CLIENT).counters();
    assert_eq!(counters.time_wait.syn_ack_old, 1);
    let sent: Vec<(Flags, u16)> = net
        .log()
        .sent_segments()
        .skip(before)
        .filter(|(id, _)| *id == CLIENT)
        .map(|(_, s)| (s.header.flags, s.header.src_port))
        .collect();
    assert!(sent.contains(&(Flags::RST, syn.src_port)), "{sent:?}");
    let other = |&(flags, port): &(Flags, u16)| flags == Flags::SYN && port != syn.src_port;
    assert!(sent.iter().any(other), "{sent:?}");
    // What was queued has come through there; the first one is in TIME-WAIT as before.
    assert_eq!(net.host(SERVER).app().received, b"xxx");
    assert_eq!(net.host(CLIENT).usage().time_wait, 2);
}

/// Hosts whose client closes first, keeps to the recycling bound or not, has had so many connections on its four-tuple, and opens
/// another, whose SYN,ACK is forged: what `forge` makes of the last segment of the server's. Whether that was taken.
fn takes(connections: usize, bound: bool, forge: impl FnOnce(&mut Header)) -> bool {
    let (server, mut client) = configs(1, &protocol(true));
    client.destinations[0].time_wait.rules.bound = bound;
    let mut net = client_closes((server, client));
    for _ in 0..connections {
        once(&mut net).unwrap();
        net.run_ms(1_500);
    }
    let last = last_sent(&net, SERVER);
    net.add_rule(Action::Drop, Which::All, |seen| {
        seen.from == SERVER && seen.segment().is_some()
    });
    net.with_app(CLIENT, |_, cx| cx.connect(DestinationId(0)).unwrap());
    net.run_ms(5);
    let syn = last_sent(&net, CLIENT);
    let flags = Flags::SYN | Flags::ACK;
    let mut answer = segment(&last, flags, last.seq + 1, syn.seq + 1);
    forge(&mut answer);
    let now = net.now();
    net.inject(now, &craft::tcp(&between(1, 2), &answer, b""));
    net.run_ms(5);
    let refused = net.host(CLIENT).counters().time_wait.syn_ack_old;
    assert!(refused <= 1);
    refused == 0
}

/// A SYN,ACK with the timestamp of another clock: one such step in an MSL is taken, as from a server that began anew.
fn a_syn_ack_of_another_clock_is_no_proof_twice() {
    for (connections, newer, bound, taken) in [
        (1, 1u32 << 30, true, true),
        (2, 1 << 30, true, false),
        (2, 1 << 30, false, true),
        (2, 1_000, true, true),
        (1, i32::MAX as u32, true, false),
    ] {
        let got = takes(connections, bound, |answer| {
            answer.seq += 1_000;
            let stamps = answer.options.timestamps.as_mut().expect("timestamps");
            stamps.val = stamps.val.wrapping_add(newer);
        });
        assert_eq!(got, taken, "{connections} {newer} {bound}");
    }
}

/// The same where the timestamp is that of the connection before, or there is none any more, and the number is to tell.
fn a_syn_ack_too_far_ahead_is_no_proof() {
    for (connections, ahead, stamped, bound, taken) in [
        (1, 1u32 << 17, true, true, true),
        (1, (1 << 17) + 100, true, true, false),
        (1, (1 << 17) + 100, true, false, true),
        (1, 1 << 29, false, true, true),
        (1, 1 << 30, false, true, false),
        (2, 1_000, false, true, false),
        (2, 1_000, false, false, true),
    ] {
        let got = takes(connections, bound, |answer| {
            answer.seq += ahead;
            answer.options.timestamps = answer.options.timestamps.filter(|_| stamped);
        });
        assert_eq!(got, taken, "{connections} {ahead} {stamped} {bound}");
    }
}

/// It would open simultaneously, and end the open when the peer resets what it has long forgotten.
fn an_old_syn_does_not_disturb_an_active_open() {
    for (behind, taken) in [(true, false), (false, true)] {
        let mut net = client_closes(configs(1, &protocol(true)));
        once(&mut net).unwrap();
        net.run_ms(1_500);
        let last = last_sent(&net, SERVER);
        let mute = net.add_rule(Action::Drop, Which::All, |seen| {
            seen.from == SERVER && seen.segment().is_some()
        });
        net.with_app(CLIENT, |_, cx| cx.connect(DestinationId(0)).unwrap());
        net.run_ms(5);
        let mut old = syn(&last, if behind { -5_000 } else { 5_000 }, 0);
        let stamps = old.options.timestamps.as_mut().expect("timestamps");
        stamps.val = match behind {
            true => stamps.val.wrapping_sub(1_000),
            false => stamps.val.wrapping_add(1_000),
        };
        let before = net.log().sent_segments().count();
        let now = net.now();
        net.inject(now, &craft::tcp(&between(1, 2), &old, b""));
        net.run_ms(5);
        let sent = net.log().sent_segments().skip(before);
        let answers = sent.filter(|(id, _)| *id == CLIENT).count();
        assert_eq!(answers, usize::from(taken));
        let count = net.host(CLIENT).counters().time_wait.syn_ack_old;
        assert_eq!(count, u64::from(!taken));
        assert_all_told(&net);
        if taken {
            continue;
        }
        // The SYN goes again, and the open is as good as if nothing had been.
        net.end_rule(mute);
        net.run_ms(3_000);
        assert_eq!(net.host(CLIENT).app().ended(CloseReason::Normal), 2);
    }
}

/// A server that has forgotten everything: its every SYN,ACK looks old.
fn not_every_tuple_is_tried_where_every_syn_ack_looks_old() {
    const TUPLES: u16 = 8;
    let tcp = tcp::Config {
        syn_retries: 2,
        ..protocol(true)
    };
    let mut net = client_closes(configs(TUPLES, &tcp));
    for _ in 0..TUPLES {
        once(&mut net).unwrap();
    }
    net.run_ms(1_500);
    net.add_rule(Action::Drop, Which::All, |seen| {
        seen.from == SERVER && seen.segment().is_some()
    });
    let before = net.log().sent_segments().count();
    net.with_app(CLIENT, |_, cx| cx.connect(DestinationId(0)).unwrap());
    let to = between(1, 2);
    let mut ports = Vec::new();
    for _ in 0..TUPLES {
        net.run_ms(5);
        let mine = net.log().sent_segments().skip(before);
        let syns = mine.filter(|(id, s)| *id == CLIENT && s.header.flags == Flags::SYN);
        let syn = syns.last().expect("it opens").1.header;
        if ports.last() == Some(&syn.src_port) {
            break;
        }
        ports.push(syn.src_port);
        let servers = net.log().sent_segments().take(before);
        let to_it = |s: &Header| s.dst_port == syn.src_port;
        let last = servers.map(|(_, s)| s.header).filter(to_it).last();
        let last = last.expect("the tuple was used");
        let old = segment(
            &last,
            Flags::SYN | Flags::ACK,
            last.seq - 1_000,
            syn.seq + 1,
        );
        let now = net.now();
        net.inject(now, &craft::tcp(&to, &old, b""));
    }
    assert_eq!(ports.len(), 3, "the first and two more: {ports:?}");
    let client = net.host(CLIENT);
    assert_eq!(
        client.app().ended(CloseReason::Refused),
        1,
        "{:?}",
        client.app().told
    );
    assert_eq!(client.usage().live, 0);
}

/// A port that a destination's pool has as well.
fn a_pair_that_a_socket_has_taken_is_not_taken_again() {
    let (server, client) = configs(2, &protocol(true));
    let destination = client.destinations[0].clone();
    let mut net = pair((server, client), (closes_second(), closes_second()));
    net.run_ms(5);
    let open = OpenConfig {
        local: (ip(2), destination.first_port),
        remote: (destination.address, destination.port),
        tcp: protocol(true),
        time_wait: destination.time_wait,
    };
    let tuple = |net: &mut Network<Plain>, conn| net.with_app(CLIENT, |_, cx| cx.tuple(conn));
    let own = net.with_app(CLIENT, |_, cx| cx.connect_from(&open).unwrap());
    let pools = net.with_app(CLIENT, |_, cx| cx.connect(DestinationId(0)).unwrap());
    assert_ne!(tuple(&mut net, own), tuple(&mut net, pools));
    let none = net.with_app(CLIENT, |_, cx| cx.connect(DestinationId(0)));
    assert!(none.is_err(), "{none:?}");
    net.run_ms(50);
    assert_eq!(net.host(CLIENT).counters().host.established, 2);
}

over_both! {
    an_old_syn_does_not_disturb_an_active_open
    a_syn_ack_of_another_clock_is_no_proof_twice
    a_syn_ack_too_far_ahead_is_no_proof
    not_every_tuple_is_tried_where_every_syn_ack_looks_old
    a_pair_that_a_socket_has_taken_is_not_taken_again
    a_syn_ack_that_is_not_newer_is_refused_and_another_tuple_tried
}
