//! Four-tuples that come back while the last incarnation is in TIME-WAIT: served at any rate,
//! safe from what the last incarnation left under way.

mod common;

use common::plain::{End, Plain, Told};
use common::{CLIENT, SERVER, configs, ip, mac, pair};
use simnet::{Action, Fate, Network, RuleId, Seen, Which, craft};
use stack::{CloseReason, ConnectError, Counters, DestinationId, TimeWaitConfig};
use tcp::time::Instant;
use wire::Seq;
use wire::tcp::{Flags, Header};

fn protocol(timestamps: bool) -> tcp::Config {
    tcp::Config {
        timestamps,
        ..tcp::Config::default()
    }
}

/// A server that answers each request with one byte and closes, and a client that asks with `ask`.
fn server_closes(tuples: u16, tcp: &tcp::Config, ask: &[u8]) -> Network<Plain> {
    let server = Plain {
        reply: b"r".to_vec(),
        after_reply: End::Close,
        ..Plain::default()
    };
    let client = Plain {
        greeting: ask.to_vec(),
        at_peer_closed: End::Close,
        ..Plain::default()
    };
    let mut net = pair(configs(tuples, tcp), (server, client));
    net.run_ms(5);
    net
}

/// Opens one connection and runs until both ends have told of its end.
fn once(net: &mut Network<Plain>) -> Result<(), ConnectError> {
    let over = |net: &Network<Plain>| {
        [CLIENT, SERVER].map(|id| net.host(id).app().ended(CloseReason::Normal))
    };
    let before = over(net);
    net.with_app(CLIENT, |_, cx| cx.connect(DestinationId(0)))?;
    let limit = net.now().plus_millis(10_000);
    let done = net.run_to(limit, |net| over(net) == before.map(|n| n + 1));
    assert!(done, "{}", net.log().tail(20));
    Ok(())
}

fn time_wait(net: &Network<Plain>, count: impl Fn(&Counters) -> u64) -> u64 {
    count(net.host(SERVER).counters())
}

fn count_sent(net: &Network<Plain>, pick: impl Fn(Flags) -> bool) -> usize {
    net.log()
        .sent_segments()
        .filter(|(_, s)| pick(s.header.flags))
        .count()
}

#[test]
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

/// Tuples that were recycled, for whatever reason.
fn recycled(counters: &Counters) -> u64 {
    let mut sum = 0;
    counters.for_each(|name, _, value| {
        if name.starts_with("tw_recycled") {
            sum += value;
        }
    });
    sum
}

#[test]
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

#[test]
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

#[test]
fn local_reuse_waits_for_what_the_configuration_says() {
    for (timestamps, reuse_ms) in [(true, Some(1_000)), (true, None), (false, Some(1_000))] {
        let (mut server, mut client) = configs(1, &protocol(timestamps));
        let waits = TimeWaitConfig {
            local_reuse_ms: reuse_ms,
            ..TimeWaitConfig::default()
        };
        server.listeners[0].time_wait = waits;
        client.destinations[0].time_wait = waits;
        let app = |end| Plain {
            greeting: b"x".to_vec(),
            after_greeting: end,
            at_peer_closed: End::Close,
            ..Plain::default()
        };
        let mut net = pair((server, client), (app(End::Stay), app(End::Shutdown)));
        net.run_ms(5);
        once(&mut net).unwrap();
        assert_eq!(net.host(CLIENT).usage().time_wait, 1);
        let refused = once(&mut net);
        let Err(ConnectError::NoTupleFree { next_free }) = refused else {
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
            let Err(ConnectError::NoTupleFree { next_free }) = once(&mut net) else {
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

#[test]
fn local_reuse_while_the_peer_is_still_in_last_ack() {
    // The client closes first and its last ACK never arrives, again and again. It reuses the tuple
    // after a second, when the server still retransmits its FIN: challenge ACK, RST, SYN.
    let (server, client) = configs(1, &protocol(true));
    let app = |end| Plain {
        greeting: b"x".to_vec(),
        after_greeting: end,
        at_peer_closed: End::Close,
        ..Plain::default()
    };
    let mut net = pair((server, client), (app(End::Stay), app(End::Shutdown)));
    net.run_ms(5);
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

/// The header of the last segment that `from` sent.
fn last_header(net: &Network<Plain>, from: simnet::StationId) -> Header {
    let sent = net.log().sent_segments().filter(|(id, _)| *id == from);
    sent.last().expect("it sent something").1.header
}

/// Lets a segment from the client's socket arrive at the server.
fn inject(net: &mut Network<Plain>, header: &Header, text: &[u8]) {
    let to = craft::Addresses {
        src_mac: mac(2),
        dst_mac: mac(1),
        src: ip(2),
        dst: ip(1),
    };
    let now = net.now();
    net.inject(now, &craft::tcp(&to, header, text));
    net.run_ms(50);
}

#[test]
fn resets_and_refused_syns_meet_silence() {
    for timestamps in [false, true] {
        let mut net = server_closes(1, &protocol(timestamps), b"q");
        once(&mut net).unwrap();
        let last = last_header(&net, CLIENT);
        let rcv_nxt = last.seq + 1;
        let sent = count_sent(&net, |_| true);
        for seq in [rcv_nxt, rcv_nxt + 1, rcv_nxt - 1, rcv_nxt + 5_000] {
            let reset = Header {
                seq,
                flags: Flags::RST,
                options: wire::tcp::Options::NONE,
                ..last
            };
            inject(&mut net, &reset, b"");
        }
        // The lowest number that is refused, and the corner that would be a black hole.
        for seq in [rcv_nxt - 1, rcv_nxt - 1_000, rcv_nxt + (1 << 31)] {
            let mut syn = Header {
                seq,
                ack: Seq(0),
                flags: Flags::SYN,
                ..last
            };
            if let Some(ts) = &mut syn.options.timestamps {
                ts.val = ts.val.wrapping_sub(10);
                ts.ecr = 0;
            }
            inject(&mut net, &syn, b"");
        }
        assert_eq!(count_sent(&net, |_| true), sent, "{}", net.log().tail(20));
        assert_eq!(net.host(SERVER).usage().time_wait, 1);
        assert_eq!(net.host(SERVER).usage().live, 0);
        assert_eq!(time_wait(&net, recycled), 0);
    }
}

#[test]
fn a_lost_last_ack_is_answered_by_the_entry() {
    let mut net = server_closes(1, &protocol(true), b"q");
    // The server's fifth and last segment acknowledges the client's FIN.
    let rule = net.add_rule(Action::Drop, Which::Nth(1), |seen| {
        seen.from == SERVER
            && seen
                .segment()
                .is_some_and(|s| s.header.flags == Flags::ACK && s.text.is_empty())
    });
    net.with_app(CLIENT, |_, cx| cx.connect(DestinationId(0)).unwrap());
    let entered = net.run_to(Instant::from_millis(10_000), |net| net.taken(rule) == 1);
    assert!(entered, "{}", net.log().tail(20));
    assert_eq!(net.host(SERVER).usage().time_wait, 1);
    let at = net.now();
    let limit = at.plus_millis(5_000);
    let closed = net.run_to(limit, |net| {
        net.host(CLIENT).app().ended(CloseReason::Normal) == 1
    });
    assert!(closed, "{}", net.log().tail(20));
    // LAST-ACK: the FIN came again after an RTO, and the entry's timer began anew.
    let again = net.now();
    assert!(again.since(at).as_millis() >= 200);
    net.run_until(at.plus_millis(60_100));
    assert_eq!(
        net.host(SERVER).usage().time_wait,
        1,
        "restarted by the FIN"
    );
    net.run_until(again.plus_millis(common::TIME_WAIT_GONE_MS));
    assert_eq!(net.host(SERVER).usage().time_wait, 0);
}

/// Keeps a copy of the client's segments that `pick` picks.
fn keep(
    net: &mut Network<Plain>,
    which: Which,
    pick: impl Fn(&simnet::decode::Segment) -> bool + 'static,
) -> RuleId {
    net.add_rule(Action::Copy, which, move |seen: &Seen<'_>| {
        seen.from == CLIENT && seen.segment().is_some_and(|s| pick(&s))
    })
}

#[test]
fn old_duplicates_do_no_harm() {
    for timestamps in [false, true] {
        let mut net = server_closes(1, &protocol(timestamps), b"old request");
        let syn = keep(&mut net, Which::Nth(1), |s| s.has(Flags::SYN));
        let data = keep(&mut net, Which::Nth(1), |s| !s.text.is_empty());
        let fin = keep(&mut net, Which::Nth(1), |s| s.has(Flags::FIN));
        for n in 0..50 {
            once(&mut net).unwrap();
            // While the tuple is in TIME-WAIT.
            for old in [data, fin, syn] {
                let now = net.now();
                net.release(old, now);
            }
            net.run_ms(20);
            assert_eq!(net.host(SERVER).usage().time_wait, 1, "after {n}");
            assert_eq!(net.host(SERVER).usage().live, 0, "after {n}");
        }
        net.host_mut(SERVER).app_mut().reply.clear();
        net.host_mut(SERVER).app_mut().after_reply = End::Stay;
        net.host_mut(CLIENT).app_mut().greeting = b"new".to_vec();
        let before = net.host(SERVER).app().received.len();
        let told = net.host(SERVER).app().told.len();
        net.with_app(CLIENT, |_, cx| cx.connect(DestinationId(0)).unwrap());
        net.run_ms(20);
        // While the tuple is in use again, over and over.
        for _ in 0..20 {
            for old in [data, fin, syn] {
                let now = net.now();
                net.release(old, now);
            }
            let reset = Header {
                flags: Flags::RST,
                options: wire::tcp::Options::NONE,
                ..net.log().sent_segments().next().unwrap().1.header
            };
            inject(&mut net, &reset, b"");
        }
        net.with_app(CLIENT, |app, cx| {
            let conn = app.last();
            app.send(cx, conn, b" bytes");
        });
        net.run_ms(500);
        let server = net.host(SERVER).app();
        assert_eq!(
            &server.received[before..],
            b"new bytes",
            "{}",
            net.log().tail(30)
        );
        let since: Vec<Told> = server.told[told..].iter().map(|t| t.2).collect();
        assert!(
            matches!(since[..], [Told::Open, Told::Data(_), Told::Data(_)]),
            "{since:?}"
        );
        let refused = net
            .log()
            .records()
            .filter(|r| r.fate == Fate::Released)
            .count();
        assert_eq!(refused, 3 * 70);
    }
}

#[test]
fn an_old_syn_that_passes_for_new_ends_as_an_embryo() {
    // A SYN above RCV.NXT is accepted, as it must be. When the client denies it, the embryo goes,
    // nothing is held, and the next return is served.
    let mut net = server_closes(1, &protocol(false), b"q");
    once(&mut net).unwrap();
    net.run_ms(20_000);
    let last = last_header(&net, CLIENT);
    let syn = Header {
        seq: last.seq + 1_000_000,
        ack: Seq(0),
        flags: Flags::SYN,
        ..last
    };
    inject(&mut net, &syn, b"");
    // The client knows of no such connection and says so.
    assert_eq!(
        count_sent(&net, |f| f.contains(Flags::RST)),
        1,
        "{}",
        net.log().tail(9)
    );
    assert_eq!(net.host(SERVER).usage().live, 0);
    assert_eq!(net.host(SERVER).counters().host.embryo_failures, 1);
    assert_eq!(net.host(SERVER).app().count(Told::Open), 1);
    once(&mut net).unwrap();
    assert_eq!(net.host(SERVER).app().count(Told::Open), 2);
}
