//! Sockets that applications make at run time, and what TIME-WAIT keeps of them.

use simnet::{Action, Network, Which, craft};
use stack::{
    ConfigError, DestinationId, ListenerConfig, ListenerId, OpenConfig, OpenError, TimeWaitConfig,
};
use tcp::time_wait::Rules;
use wire::FourTuple;
use wire::tcp::{Flags, Header, Timestamps};

use crate::common::forge::{
    after_one, closes_second, forge, forge_burst, in_time_wait, last_sent, segment, syn,
};
use crate::common::plain::{End, Plain};
use crate::common::recycle::{once, protocol};
use crate::common::{CLIENT, PORT, SERVER, between, configs, ip, listener, pair};

/// A listener on another port of every address.
fn on_port(port: u16) -> ListenerConfig {
    ListenerConfig {
        port,
        ..listener(protocol(true))
    }
}

/// A socket of the client's for [`PORT`] of the server.
fn open(port: u16, length_ms: u32) -> OpenConfig {
    OpenConfig {
        local: (ip(2), port),
        remote: (ip(1), PORT),
        tcp: protocol(true),
        time_wait: TimeWaitConfig {
            length_ms,
            ..TimeWaitConfig::default()
        },
    }
}

/// The first local port of the client's destination.
fn first_port() -> u16 {
    configs(1, &protocol(true)).1.destinations[0].first_port
}

/// A server that says nothing and a client that closes first and may use these lengths.
fn client_closes(lengths_ms: &[u32]) -> Network<Plain> {
    let (server, mut client) = configs(1, &protocol(true));
    client.time_wait_lengths_ms = lengths_ms.to_vec();
    let client_app = Plain {
        greeting: b"q".to_vec(),
        after_greeting: End::Close,
        ..Plain::default()
    };
    let mut net = pair((server, client), (closes_second(), client_app));
    net.run_ms(5);
    net
}

/// One connection from a socket of run time; how long its TIME-WAIT lasts, in ms.
fn time_wait_of(net: &mut Network<Plain>, open: &OpenConfig) -> Option<u64> {
    let conn = net.with_app(CLIENT, |_, cx| cx.connect_from(open).unwrap());
    let tuple = net.with_app(CLIENT, |_, cx| cx.tuple(conn).unwrap());
    net.run_ms(20);
    let now = net.now();
    let until = net.with_app(CLIENT, |_, cx| cx.time_wait_until(&tuple))?;
    Some(until.as_millis() - now.as_millis())
}

fn a_socket_that_is_used_again_has_the_time_wait_of_its_last_use() {
    let mut net = client_closes(&[2_000, 20_000]);
    let near = |length: u64, left: Option<u64>| {
        let left = left.expect("it is in TIME-WAIT");
        assert!(
            left > length - 100 && left <= length + length / 80,
            "{left}"
        );
    };
    near(2_000, time_wait_of(&mut net, &open(40_000, 2_000)));
    // Another connection of the same socket meanwhile, and the first once more.
    net.run_ms(2_500);
    near(20_000, time_wait_of(&mut net, &open(40_000, 20_000)));
    net.run_ms(21_000);
    near(2_000, time_wait_of(&mut net, &open(40_000, 2_000)));
    assert_eq!(net.host(CLIENT).usage().time_wait, 1);
}

fn an_entry_is_found_whatever_its_socket_has_become() {
    let mut net = client_closes(&[20_000, 60_000]);
    assert!(time_wait_of(&mut net, &open(40_000, 20_000)).is_some());
    let tuple = FourTuple {
        local: ip(2),
        local_port: 40_000,
        remote: ip(1),
        remote_port: PORT,
    };
    let until = |net: &mut Network<Plain>| net.with_app(CLIENT, |_, cx| cx.time_wait_until(&tuple));
    let before = until(&mut net);
    let mut on = on_port(40_000);
    on.time_wait.length_ms = 60_000;
    let id = net.with_app(CLIENT, |_, cx| cx.listen(&on).unwrap());
    assert_eq!(until(&mut net), before);
    net.with_app(CLIENT, |_, cx| cx.unlisten(id));
    assert_eq!(until(&mut net), before);
    net.run_ms(25_000);
    assert_eq!(until(&mut net), None);
}

/// A connection that had timestamps, one that took its four-tuple over and had none, and a SYN that has some again, for a
/// listener on the port: the first one may have sent it.
fn what_an_active_open_took_over_is_not_forgotten_by_a_listener() {
    let mut net = client_closes(&[]);
    once(&mut net).unwrap();
    net.run_ms(1_500);
    let last = last_sent(&net, SERVER);
    net.add_rule(Action::Drop, Which::All, |seen| {
        seen.from == SERVER && seen.segment().is_some()
    });
    let conn = net.with_app(CLIENT, |_, cx| cx.connect(DestinationId(0)).unwrap());
    let port = net
        .with_app(CLIENT, |_, cx| cx.tuple(conn).unwrap())
        .local_port;
    net.run_ms(5);
    let ours = last_sent(&net, CLIENT).seq;
    let iss = last.seq + 1;
    let servers = |flags, seq, ack| {
        let mut header = segment(&last, flags, seq, ack);
        header.options.timestamps = None;
        header
    };
    let inject = |net: &mut Network<Plain>, header: &Header| {
        let now = net.now();
        net.inject(now, &craft::tcp(&between(1, 2), header, b""));
        net.run_ms(5);
    };
    let fin = Flags::FIN | Flags::ACK;
    inject(&mut net, &servers(Flags::SYN | Flags::ACK, iss, ours + 1));
    // What the client asked, and its FIN.
    inject(&mut net, &servers(fin, iss + 1, ours + 3));
    let on = on_port(port);
    net.with_app(CLIENT, |_, cx| cx.listen(&on).unwrap());
    let client = |net: &Network<Plain>| {
        let host = net.host(CLIENT);
        (
            host.usage().live,
            host.usage().time_wait,
            host.counters().host.passive_opens,
        )
    };
    assert_eq!(client(&net), (0, 1, 0));
    let again = syn(&last, 5_000, 1);
    inject(&mut net, &again);
    assert_eq!(client(&net), (0, 1, 0));
    assert_eq!(net.host(CLIENT).counters().time_wait.bound_other_clock, 1);
    net.run_ms(31_000);
    inject(&mut net, &again);
    assert_eq!(client(&net), (1, 1, 1));
}

/// The pool's entries are named by the destination; the listener's socket comes first in a look-up.
fn a_listener_on_a_port_of_a_pool_does_not_hide_the_pools_time_wait() {
    let mut net = client_closes(&[]);
    let tuple = net.with_app(CLIENT, |_, cx| {
        let conn = cx.connect(DestinationId(0)).unwrap();
        cx.tuple(conn).unwrap()
    });
    net.run_ms(20);
    let until = |net: &mut Network<Plain>| net.with_app(CLIENT, |_, cx| cx.time_wait_until(&tuple));
    let before = until(&mut net);
    assert!(before.is_some());
    let on = on_port(tuple.local_port);
    net.with_app(CLIENT, |_, cx| cx.listen(&on).unwrap());
    assert_eq!(until(&mut net), before);
    // Nor is it taken over by a SYN of the peer's that proves nothing.
    let again = OpenConfig {
        local: (tuple.local, tuple.local_port),
        ..open(0, 60_000)
    };
    let refused = net.with_app(CLIENT, |_, cx| cx.connect_from(&again));
    assert!(matches!(refused, Err(OpenError::Connect(_))), "{refused:?}");
}

fn sockets_come_and_go_as_many_as_there_are_ports() {
    let mut net = client_closes(&[]);
    net.with_app(CLIENT, |_, cx| {
        for port in 1_000..50_000 {
            let id = cx.listen(&on_port(port)).unwrap();
            cx.unlisten(id);
        }
    });
    // With an entry in the table, the sweep must have come by before a socket is known for unused.
    once(&mut net).unwrap();
    assert_eq!(net.host(CLIENT).usage().time_wait, 1);
    let full = net.with_app(CLIENT, |_, cx| {
        (1_000..50_000).find_map(|port| {
            let id = match cx.listen(&on_port(port)) {
                Ok(id) => id,
                Err(why) => return Some(why),
            };
            cx.unlisten(id);
            None
        })
    });
    assert_eq!(full, Some(ConfigError::TooManySockets(8_191)));
    net.run_ms(50_000);
    assert_eq!(net.host(CLIENT).usage().time_wait, 1);
    net.with_app(CLIENT, |_, cx| {
        // Two addresses each over IPv6.
        for port in 1_000..5_000 {
            let id = cx.listen(&on_port(port)).unwrap();
            cx.unlisten(id);
        }
    });
}

fn a_listener_that_was_closed_is_not_taken_for_the_one_in_its_place() {
    let (server, client) = configs(1, &protocol(true));
    let mut net = pair((server, client), (Plain::default(), Plain::default()));
    net.run_ms(5);
    let (first, second) = net.with_app(SERVER, |_, cx| {
        let first = cx.listen(&on_port(81)).unwrap();
        cx.unlisten(first);
        (first, cx.listen(&on_port(82)).unwrap())
    });
    assert_ne!(first, second);
    assert_eq!(first.place(), second.place());
    net.with_app(SERVER, |_, cx| {
        cx.unlisten(first);
        cx.set_backlog(first, 0);
        let changed = cx.set_listener_config(first, &protocol(false));
        assert_eq!(changed, Err(ConfigError::NoSuchListener));
        let taken = cx.listen(&on_port(82));
        assert_eq!(taken, Err(ConfigError::DuplicateListener(82)));
    });
    let to = OpenConfig {
        remote: (ip(1), 82),
        ..open(40_000, 60_000)
    };
    net.with_app(CLIENT, |_, cx| cx.connect_from(&to).unwrap());
    net.run_ms(20);
    let conn = net.host(SERVER).app().last();
    let of = |net: &mut Network<Plain>| net.with_app(SERVER, |_, cx| cx.listener(conn));
    assert_eq!(of(&mut net), Some(second));
    // A connection goes on naming the listener that accepted it.
    let third = net.with_app(SERVER, |_, cx| {
        cx.unlisten(second);
        cx.listen(&on_port(83)).unwrap()
    });
    assert_eq!(third.place(), second.place());
    assert_eq!(of(&mut net), Some(second));
}

/// Without timestamps in the answer, a newer timestamp in a SYN guards nothing (RFC 6191 2).
fn a_syn_is_judged_by_who_listens_now() {
    for timestamps in [true, false] {
        let (mut net, last) = in_time_wait(Rules::SAFE, true);
        let id = ListenerId::configured(0);
        net.with_app(SERVER, |_, cx| {
            cx.set_listener_config(id, &protocol(timestamps)).unwrap();
        });
        let reply = forge(&mut net, &syn(&last, -1_000, 1));
        let accepted = reply.iter().any(|r| r.flags == Flags::SYN | Flags::ACK);
        assert_eq!(accepted, timestamps, "{reply:?}");
    }
}

fn connections_of_a_changed_listener_end_as_it_is_now() {
    let (mut net, _) = in_time_wait(Rules::SAFE, true);
    let windows = [1 << 15, 1 << 14];
    for rcv_buf in windows {
        let tcp = tcp::Config {
            rcv_buf,
            window_scaling: false,
            ..protocol(true)
        };
        net.with_app(SERVER, |_, cx| {
            cx.set_listener_config(ListenerId::configured(0), &tcp)
                .unwrap();
        });
        net.run_ms(1_500);
        once(&mut net).unwrap();
        let last = last_sent(&net, CLIENT);
        let fin = segment(&last, Flags::FIN | Flags::ACK, last.seq, last.ack);
        let reply = forge(&mut net, &fin);
        assert_eq!(u32::from(reply[0].window), rcv_buf, "{reply:?}");
    }
}

fn what_the_rules_of_time_wait_say_of_the_protocol_outlasts_a_change() {
    let rules = Rules {
        ack_check: false,
        ..Rules::of(tcp::time_wait::Policy::Rfc1122)
    };
    let (mut server, client) = configs(1, &protocol(true));
    server.listeners[0].time_wait.rules = rules;
    let mut net = pair((server, client), (Plain::default(), Plain::default()));
    net.run_ms(5);
    let checks = |net: &mut Network<Plain>| {
        net.with_app(CLIENT, |_, cx| cx.connect(DestinationId(0)).unwrap());
        net.run_ms(20);
        let conn = net.host(SERVER).app().last();
        let checks = net.with_app(SERVER, |_, cx| {
            let before = cx.tcp_config(conn).unwrap().ack_check;
            cx.set_tcp_config(conn, &protocol(true)).unwrap();
            (before, cx.tcp_config(conn).unwrap().ack_check)
        });
        net.with_app(SERVER, |_, cx| cx.abort(conn));
        net.run_ms(20);
        checks
    };
    assert_eq!(checks(&mut net), (false, false));
    net.with_app(SERVER, |_, cx| {
        cx.set_listener_config(ListenerId::configured(0), &protocol(true))
            .unwrap();
    });
    assert_eq!(checks(&mut net), (false, false));
}

/// What a pool does not know of: the application has used one of its local sockets itself.
fn a_pool_heeds_the_time_wait_of_a_socket() {
    let mut net = client_closes(&[]);
    let tuple = |net: &mut Network<Plain>| {
        let opened = net.with_app(CLIENT, |_, cx| cx.connect(DestinationId(0)));
        opened.map(|conn| net.with_app(CLIENT, |_, cx| cx.tuple(conn).unwrap()))
    };
    // The pool has one local socket.
    let pools = tuple(&mut net).unwrap();
    net.run_ms(70_000);
    let own = open(pools.local_port, 60_000);
    assert!(time_wait_of(&mut net, &own).is_some());
    let last = last_sent(&net, CLIENT);
    let early = tuple(&mut net);
    assert!(early.is_err(), "{early:?}");
    net.run_ms(1_500);
    assert_eq!(tuple(&mut net).unwrap(), pools);
    net.run_ms(5);
    let syns = net.log().sent_segments();
    let syns = syns.filter(|(id, s)| *id == CLIENT && s.header.flags == Flags::SYN);
    let syn = syns.last().unwrap().1.header;
    assert!(syn.seq.ge(last.seq), "{syn:?} {last:?}");
    assert_eq!(net.host(CLIENT).counters().host.time_wait_local_reuse, 1);
}

/// Nor does it know a local socket that it has never used itself.
fn a_pool_heeds_the_time_wait_of_a_socket_that_it_has_not_used() {
    let mut net = client_closes(&[]);
    let port = first_port();
    assert!(time_wait_of(&mut net, &open(port, 60_000)).is_some());
    let early = net.with_app(CLIENT, |_, cx| cx.connect(DestinationId(0)));
    assert!(early.is_err(), "{early:?}");
    net.run_ms(1_500);
    net.with_app(CLIENT, |_, cx| cx.connect(DestinationId(0)).unwrap());
    assert_eq!(net.host(CLIENT).counters().host.time_wait_local_reuse, 1);
}

/// Timestamps alone had proven it, and it has none: how far the spaces have come is not known.
fn a_connection_that_took_a_four_tuple_over_is_not_counted() {
    for connections in [1, 2] {
        let mut net = client_closes(&[]);
        let on = ListenerConfig {
            tcp: protocol(false),
            ..on_port(first_port())
        };
        net.with_app(CLIENT, |_, cx| cx.listen(&on).unwrap());
        for i in 1..=connections {
            net.with_app(SERVER, |_, cx| {
                let last = protocol(i < connections);
                cx.set_listener_config(ListenerId::configured(0), &last)
                    .unwrap();
            });
            once(&mut net).unwrap();
            net.run_ms(1_500);
        }
        let mut next = syn(&last_sent(&net, SERVER), 1_000, 0);
        next.options.timestamps = None;
        let now = net.now();
        net.inject(now, &craft::tcp(&between(1, 2), &next, b""));
        net.run_ms(5);
        let counters = net.host(CLIENT).counters();
        let refused = u64::from(connections == 2);
        assert_eq!(counters.time_wait.bound_peer, refused);
        assert_eq!(counters.time_wait.recycled_sequence, 1 - refused);
    }
}

/// A listener in the place of another one, with epochs of its own: the numbers of both are not of one count.
fn how_far_a_space_has_come_outlasts_a_change_of_the_listener() {
    let (mut server, client) = configs(1, &protocol(false));
    server.time_wait_lengths_ms = vec![10_000];
    let mut net = after_one(server, client);
    net.run_ms(75_000);
    once(&mut net).unwrap();
    // Far, but not too far; the next one then may not go so far.
    let step = (1 << 30) + (1 << 29);
    let far = syn(&last_sent(&net, CLIENT), step, 0);
    let first = finish(&mut net, &far);
    let on = ListenerConfig {
        time_wait: TimeWaitConfig {
            length_ms: 10_000,
            ..TimeWaitConfig::default()
        },
        ..listener(protocol(false))
    };
    net.with_app(SERVER, |_, cx| {
        cx.unlisten(ListenerId::configured(0));
        cx.listen(&on).unwrap();
    });
    let second = finish(&mut net, &syn(&first, 1_000, 0));
    assert_eq!(forge(&mut net, &syn(&second, step, 0)), []);
    assert_eq!(net.host(SERVER).counters().time_wait.bound_peer, 1);
    assert_eq!(
        forge(&mut net, &syn(&second, 1_000, 0))[0].flags,
        Flags::SYN | Flags::ACK
    );
}

/// The connection that `syn` opens: one octet, which the server answers and closes.
fn finish(net: &mut Network<Plain>, syn: &Header) -> Header {
    let answer = forge(net, syn)[0];
    assert_eq!(answer.flags, Flags::SYN | Flags::ACK);
    let ask = segment(syn, Flags::ACK, syn.seq + 1, answer.seq + 1);
    let answers = forge_burst(net, &[(&ask, b"q")]);
    let fin = answers.iter().find(|s| s.flags.contains(Flags::FIN));
    let end = fin.expect("FIN").seq + 2;
    let last = segment(syn, Flags::FIN | Flags::ACK, syn.seq + 2, end);
    forge(net, &last);
    assert_eq!(net.host(SERVER).usage().time_wait, 1);
    last
}

/// The peer had offered timestamps to the listener as it was, so they are not new, and an old SYN may have them.
fn timestamps_that_a_changed_listener_takes_are_no_proof() {
    for had in [false, true] {
        let (mut net, last) = in_time_wait(Rules::SAFE, had);
        net.with_app(SERVER, |_, cx| {
            cx.set_listener_config(ListenerId::configured(0), &protocol(true))
                .unwrap();
        });
        let mut old = syn(&last, -1_000, 0);
        old.options.timestamps = Some(Timestamps { val: 5, ecr: 0 });
        if had {
            old.options.timestamps = syn(&last, 0, 1).options.timestamps;
        }
        let taken = !forge(&mut net, &old).is_empty();
        assert_eq!(taken, had);
        let counters = net.host(SERVER).counters().time_wait;
        assert_eq!(counters.syn_old_sequence, u64::from(!had));
    }
}

/// The same where the connection came to TIME-WAIT by way of FIN-WAIT-2, in the table.
fn nor_where_a_connection_waited_for_the_peer() {
    let (mut net, last) = in_time_wait(Rules::SAFE, false);
    net.run_ms(120_000);
    assert_eq!(net.host(SERVER).usage().time_wait, 0);
    let syn_again = syn(&last, 1_000, 0);
    let answer = forge(&mut net, &syn_again)[0];
    let ask = segment(&syn_again, Flags::ACK, syn_again.seq + 1, answer.seq + 1);
    let answers = forge_burst(&mut net, &[(&ask, b"q")]);
    let fin = answers.iter().find(|s| s.flags.contains(Flags::FIN));
    let end = fin.expect("FIN").seq + 2;
    forge(&mut net, &segment(&ask, Flags::ACK, ask.seq + 1, end));
    let entered = |net: &Network<Plain>| net.host(SERVER).counters().host.fin_wait2_entered;
    assert_eq!(entered(&net), 1);
    net.with_app(SERVER, |_, cx| {
        cx.set_listener_config(ListenerId::configured(0), &protocol(true))
            .unwrap();
    });
    let last = segment(&ask, Flags::FIN | Flags::ACK, ask.seq + 1, end);
    forge(&mut net, &last);
    let mut old = syn(&last, -1_000, 0);
    old.options.timestamps = Some(Timestamps { val: 5, ecr: 0 });
    assert_eq!(forge(&mut net, &old), []);
    let counters = net.host(SERVER).counters().time_wait;
    assert_eq!(counters.syn_old_sequence, 1);
}

over_both! {
    what_an_active_open_took_over_is_not_forgotten_by_a_listener
    a_pool_heeds_the_time_wait_of_a_socket_that_it_has_not_used
    a_connection_that_took_a_four_tuple_over_is_not_counted
    a_pool_heeds_the_time_wait_of_a_socket
    how_far_a_space_has_come_outlasts_a_change_of_the_listener
    timestamps_that_a_changed_listener_takes_are_no_proof
    nor_where_a_connection_waited_for_the_peer
    a_socket_that_is_used_again_has_the_time_wait_of_its_last_use
    an_entry_is_found_whatever_its_socket_has_become
    a_listener_on_a_port_of_a_pool_does_not_hide_the_pools_time_wait
    sockets_come_and_go_as_many_as_there_are_ports
    a_listener_that_was_closed_is_not_taken_for_the_one_in_its_place
    a_syn_is_judged_by_who_listens_now
    connections_of_a_changed_listener_end_as_it_is_now
    what_the_rules_of_time_wait_say_of_the_protocol_outlasts_a_change
}
