//! Four-tuples that come back while the last incarnation is in TIME-WAIT: served at any rate.

use crate::common;
use crate::common::forge::last_sent;
use crate::common::plain::{End, Plain, Told};
use crate::common::recycle::{
    client_closes, count_sent, once, protocol, recycled, server_closes, time_wait,
};
use crate::common::{CLIENT, SERVER, between, configs, pair};
use simnet::{Action, Network, Which, craft};
use stack::{CloseReason, ConnectError, DestinationId, TimeWaitConfig};
use wire::tcp::Flags;

fn every_return_is_served_as_fast_as_it_comes() {
    for timestamps in [false, true] {
        for tuples in [1, 4] {
            let mut net = server_closes(tuples, &protocol(timestamps), b"q");
            // One millisecond apart by the wire alone: many within one tick of the timestamp clock
            // and of the ISN clock's advance.
            for cable in [SERVER, CLIENT] {
                *net.link_mut(cable) = simnet::Link::ideal(1_000);
            }
            for _ in 0..500 {
                once(&mut net).unwrap();
            }
            let what = format!("timestamps {timestamps}, {tuples} tuples");
            let syns = count_sent(&net, |f| f == Flags::SYN);
            assert_eq!(syns, 500, "{what}: SYNs repeated\n{}", net.log().tail(20));
            assert_eq!(count_sent(&net, |f| f.contains(Flags::RST)), 0, "{what}");
            let recycled = time_wait(&net, recycled);
            assert_eq!(recycled, 500 - u64::from(tuples), "{what}");
            let by_sequence = time_wait(&net, |c| c.time_wait.recycled_sequence);
            assert_eq!(by_sequence, if timestamps { 0 } else { recycled }, "{what}");
            assert_eq!(
                time_wait(&net, |c| c.tcp.retransmitted_segments),
                0,
                "{what}"
            );
            assert_eq!(
                net.host(SERVER).usage().time_wait,
                u64::from(tuples),
                "{what}"
            );
            net.run_ms(common::TIME_WAIT_GONE_MS);
            common::assert_nothing_held(&mut net, SERVER, 0, &what);
            common::assert_nothing_held(&mut net, CLIENT, tuples.into(), &what);
        }
    }
}

fn the_port_that_comes_back_after_664_ms_is_served() {
    // The experiment of the Windows article: source port 55000, the server closes first.
    for timestamps in [false, true] {
        let mut net = server_closes(1, &protocol(timestamps), b"GET / HTTP/1.0\r\n\r\n");
        once(&mut net).unwrap();
        let syn = |net: &Network<Plain>| {
            let syns = net.log().sent_segments();
            let last = syns.filter(|(_, s)| s.header.flags == Flags::SYN).last();
            last.unwrap().1.header
        };
        let (first, at) = (syn(&net), net.now());
        assert_eq!(first.src_port, 55_000);
        net.run_until(at.plus_millis(664));
        once(&mut net).unwrap();
        let second = syn(&net);
        assert_eq!(second.src_port, 55_000);
        // A clock of 4 us has moved by 166,000 and a few milliseconds.
        let step = second.seq.since(first.seq);
        assert!((166_000..170_000).contains(&step), "{step}");
        assert_eq!(time_wait(&net, recycled), 1);
        assert_eq!(count_sent(&net, |f| f == Flags::SYN), 2);
    }
}

fn large_requests_that_outrun_the_isn_clock_are_served_too() {
    // 60,000 bytes in about a millisecond move the sequence number further than a 4 us clock does:
    // the client must remember where it was.
    let ask = vec![7; 60_000];
    for timestamps in [false, true] {
        let mut net = server_closes(1, &protocol(timestamps), b"");
        let app = net.host_mut(SERVER).app_mut();
        app.reply.clear();
        app.after_reply = End::Stay;
        app.at_peer_closed = End::Close;
        net.host_mut(CLIENT).app_mut().greeting = ask.clone();
        net.host_mut(CLIENT).app_mut().after_greeting = End::Stay;
        for cable in [SERVER, CLIENT] {
            *net.link_mut(cable) = simnet::Link::ideal(1_000);
        }
        for n in 1..=20 {
            // The server closes when it has all of it.
            net.with_app(CLIENT, |_, cx| cx.connect(DestinationId(0)))
                .unwrap();
            let limit = net.now().plus_millis(10_000);
            let all = net.run_to(limit, |net| {
                net.host(SERVER).app().received.len() == n * ask.len()
            });
            assert!(all, "{}", net.log().tail(20));
            net.with_app(SERVER, |app, cx| cx.close(app.last()));
            let over = net.run_to(limit, |net| {
                net.host(CLIENT).app().ended(CloseReason::Normal) == n
                    && net.host(SERVER).app().ended(CloseReason::Normal) == n
            });
            assert!(over, "{}", net.log().tail(20));
        }
        assert_eq!(count_sent(&net, |f| f == Flags::SYN), 20);
        assert_eq!(time_wait(&net, recycled), 19);
    }
}

fn local_reuse_waits_for_what_the_configuration_says() {
    for (timestamps, reuse_ms) in [(true, Some(1_000)), (true, None), (false, Some(1_000))] {
        let (mut server, mut client) = configs(1, &protocol(timestamps));
        let waits = TimeWaitConfig {
            local_reuse_ms: reuse_ms,
            ..TimeWaitConfig::default()
        };
        server.listeners[0].time_wait = waits;
        client.destinations[0].time_wait = waits;
        let mut net = client_closes((server, client));
        once(&mut net).unwrap();
        assert_eq!(net.host(CLIENT).usage().time_wait, 1);
        let refused = once(&mut net);
        let Err(ConnectError::NoTupleFree { next_free, .. }) = refused else {
            panic!("a tuple in our own TIME-WAIT was given at once: {refused:?}");
        };
        let rest = if timestamps {
            reuse_ms.unwrap_or(60_000)
        } else {
            60_000
        };
        let wait = next_free.unwrap().since(net.now()).as_millis() as u32;
        assert!(
            (rest - 10..=rest + 1_000).contains(&wait),
            "{wait} of {rest}"
        );
        // Again and again, as soon as it may.
        for _ in 0..20 {
            let Err(ConnectError::NoTupleFree { next_free, .. }) = once(&mut net) else {
                panic!("too early");
            };
            net.run_until(next_free.unwrap());
            once(&mut net).unwrap();
        }
        let reused = net.host(CLIENT).counters().host.time_wait_local_reuse;
        let reusable = timestamps && reuse_ms.is_some();
        assert_eq!(reused, if reusable { 20 } else { 0 });
        assert_eq!(count_sent(&net, |f| f == Flags::SYN), 21);
        assert_eq!(net.host(SERVER).app().count(Told::Open), 21);
    }
}

fn a_pair_whose_time_wait_was_prolonged_is_put_off_until_that_is_over() {
    let mut net = client_closes(configs(1, &protocol(false)));
    once(&mut net).unwrap();
    let ended = net.now();
    net.run_ms(30_000);
    // The server's FIN again: as if our last acknowledgment had been lost.
    let fin = last_sent(&net, SERVER);
    let now = net.now();
    net.inject(now, &craft::tcp(&between(1, 2), &fin, b"x"));
    net.run_ms(10);
    let client = net.host(CLIENT).counters().time_wait;
    assert_eq!(client.ack_retransmitted_fin, 1, "{}", net.log().tail(9));
    net.run_until(ended.plus_millis(61_000));
    // Its turn has come, and its TIME-WAIT lasts: not before that, but then.
    let refused = once(&mut net);
    let Err(ConnectError::NoTupleFree {
        next_free, free_in, ..
    }) = refused
    else {
        panic!("{refused:?}");
    };
    let text = refused.unwrap_err().to_string();
    assert!(text.contains("the first of them for 29."), "{text}");
    let at = next_free.unwrap();
    assert_eq!(free_in, Some(at.since(net.now())));
    let prolonged = at.since(ended).as_millis();
    assert!((90_000..90_500).contains(&prolonged), "{prolonged}");
    net.run_until(at);
    assert_eq!(net.host(CLIENT).counters().time_wait.put_off, 1);
    once(&mut net).unwrap();
}

fn local_reuse_while_the_peer_is_still_in_last_ack() {
    // The client closes first and its last ACK never arrives, again and again. It reuses the tuple
    // after a second, when the server still retransmits its FIN: challenge ACK, RST, SYN.
    let mut net = client_closes(configs(1, &protocol(true)));
    let mute = net.add_rule(Action::Drop, Which::All, |seen| {
        seen.from == CLIENT
            && seen
                .segment()
                .is_some_and(|s| s.header.flags == Flags::ACK && s.text.is_empty())
    });
    net.with_app(CLIENT, |_, cx| cx.connect(DestinationId(0)))
        .unwrap();
    net.run_ms(1_200);
    assert_eq!(net.host(CLIENT).usage().time_wait, 1);
    assert_eq!(
        net.host(SERVER).usage().live,
        1,
        "LAST-ACK\n{}",
        net.log().tail(20)
    );
    net.with_app(CLIENT, |_, cx| cx.connect(DestinationId(0)))
        .unwrap();
    net.end_rule(mute);
    let start = net.now();
    let opened = net.run_to(start.plus_millis(5_000), |net| {
        net.host(SERVER).app().count(Told::Open) == 2
    });
    assert!(opened, "{}", net.log().tail(20));
    assert_eq!(
        count_sent(&net, |f| f.contains(Flags::RST)),
        1,
        "{}",
        net.log().tail(20)
    );
    // One further round trip and not the second that a SYN usually waits for.
    let took = net.now().since(start).as_millis();
    assert!(took <= 10, "{took} ms\n{}", net.log().tail(20));
}

fn a_return_that_nobody_may_accept_leaves_the_entry() {
    let mut net = server_closes(1, &protocol(true), b"q");
    once(&mut net).unwrap();
    let now = net.now();
    net.host_mut(SERVER).drain(now);
    net.with_app(CLIENT, |_, cx| cx.connect(DestinationId(0)))
        .unwrap();
    net.run_ms(500);
    let usage = net.host(SERVER).usage();
    assert_eq!(
        (usage.live, usage.time_wait),
        (0, 1),
        "{}",
        net.log().tail(20)
    );
    assert_eq!(time_wait(&net, |c| c.time_wait.syn_backlog_full), 1);
    assert_eq!(time_wait(&net, recycled), 0);
    // Silence, not a RST: the tuple is not closed, it rests.
    assert_eq!(count_sent(&net, |f| f.contains(Flags::RST)), 0);
}

fn without_time_wait_nothing_rests() {
    let (mut server, client) = configs(1, &protocol(false));
    server.listeners[0].time_wait.length_ms = 0;
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
    for _ in 0..10 {
        once(&mut net).unwrap();
        assert_eq!(net.host(SERVER).usage().time_wait, 0);
    }
    assert_eq!(time_wait(&net, recycled), 0);
    common::assert_nothing_held(&mut net, SERVER, 0, "at once");
}

fn a_local_socket_in_time_wait_does_not_keep_others_from_use() {
    let tcp = tcp::Config {
        timestamps: false,
        ..tcp::Config::default()
    };
    let mut net = pair(configs(4, &tcp), (Plain::default(), Plain::default()));
    net.run_ms(5);
    let mut first = Vec::new();
    // The first two end in the client's TIME-WAIT, the others by a RST: they may be used again.
    for n in 0..4 {
        net.with_app(CLIENT, |_, cx| {
            let conn = cx.connect(DestinationId(0)).unwrap();
            first.push(cx.tuple(conn).unwrap().local_port);
        });
        net.run_ms(10);
        if n < 2 {
            net.with_app(CLIENT, |app, cx| cx.close(app.last()));
            net.run_ms(10);
            net.with_app(SERVER, |app, cx| cx.close(app.last()));
        } else {
            net.with_app(SERVER, |app, cx| cx.abort(app.last()));
        }
        net.run_ms(10);
    }
    assert_eq!(net.host(CLIENT).usage().time_wait, 2);
    net.with_app(CLIENT, |_, cx| {
        for port in &first[2..] {
            let conn = cx.connect(DestinationId(0)).unwrap();
            assert_eq!(cx.tuple(conn).unwrap().local_port, *port);
        }
        // The others are told when the first of them may be used.
        let error = cx.connect(DestinationId(0)).unwrap_err();
        let ConnectError::NoTupleFree {
            next_free: Some(at),
            ..
        } = error
        else {
            panic!("{error:?}");
        };
        assert!(at > cx.now().plus_millis(59_000) && at < cx.now().plus_millis(61_000));
    });
    net.run_ms(61_000);
    net.with_app(CLIENT, |_, cx| {
        for port in &first[..2] {
            let conn = cx.connect(DestinationId(0)).unwrap();
            assert_eq!(cx.tuple(conn).unwrap().local_port, *port);
        }
    });
}

over_both! {
    a_pair_whose_time_wait_was_prolonged_is_put_off_until_that_is_over
    every_return_is_served_as_fast_as_it_comes
    the_port_that_comes_back_after_664_ms_is_served
    large_requests_that_outrun_the_isn_clock_are_served_too
    local_reuse_waits_for_what_the_configuration_says
    local_reuse_while_the_peer_is_still_in_last_ack
    a_return_that_nobody_may_accept_leaves_the_entry
    without_time_wait_nothing_rests
    a_local_socket_in_time_wait_does_not_keep_others_from_use
}
