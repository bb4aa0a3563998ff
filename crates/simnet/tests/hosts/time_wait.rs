//! TIME-WAIT's rules at work in a host: what each policy answers, the shadow that an unproven SYN
//! casts, FIN-WAIT-2 without a reader, and lengths from nothing to an hour side by side.

use crate::common;
use crate::common::forge::{
    assert_all_told, closes_second, forge, forge_burst, in_time_wait, in_time_wait_with, last_sent,
    segment, syn,
};
use crate::common::plain::{End, Plain, Told};
use crate::common::recycle::{count_sent, once, protocol, recycled, time_wait};
use crate::common::{CLIENT, SERVER, between, configs, pair};
use simnet::{Action, Network, Which, craft};
use stack::{CloseReason, DestinationId, TimeWaitConfig};
use tcp::time_wait::{Counters, Incident, IssRule, Policy, Rules};
use wire::Seq;
use wire::tcp::{Flags, Header};

fn counted(net: &Network<Plain>, count: impl Fn(&Counters) -> u64) -> u64 {
    assert_all_told(net);
    time_wait(net, |c| count(&c.time_wait))
}

fn entries(net: &Network<Plain>) -> (u64, u64) {
    let usage = net.host(SERVER).usage();
    (usage.live, usage.time_wait)
}

fn an_accepted_syn_that_proves_old_restores_time_wait_with_its_end() {
    for timestamps in [false, true] {
        let entered = 10;
        let (mut net, last) = in_time_wait(Rules::SAFE, timestamps);
        net.run_ms(20_000);
        let syn = syn(&last, 1, 1);
        let reply = forge(&mut net, &syn);
        assert_eq!(reply[0].flags, Flags::SYN | Flags::ACK);
        // MAY-2: larger than any number used before.
        assert!(reply[0].seq.ge(last.ack), "{} {}", reply[0].seq, last.ack);
        assert_eq!(entries(&net), (1, 1), "an embryo and its shadow");
        // A RST in the window changes nothing, the exact one ends the embryo.
        forge(&mut net, &segment(&last, Flags::RST, syn.seq + 2, Seq(0)));
        assert_eq!(entries(&net).0, 1);
        forge(&mut net, &segment(&last, Flags::RST, syn.seq + 1, Seq(0)));
        assert_eq!(entries(&net), (0, 1), "vector 19");
        assert_eq!(counted(&net, |c| c.shadow_restored), 1);
        // As it was: the old FIN is acknowledged as before, and does restart it.
        let fin = segment(&last, Flags::FIN | Flags::ACK, last.seq, last.ack);
        let reply = forge(&mut net, &fin);
        assert_eq!((reply[0].seq, reply[0].ack), (last.ack, last.seq + 1));
        // But nothing else had: without the FIN it ends after its minute.
        let (mut net, last) = in_time_wait(Rules::SAFE, timestamps);
        net.run_ms(50_000);
        let syn = self::syn(&last, 1, 1);
        forge(&mut net, &syn);
        forge(&mut net, &segment(&last, Flags::RST, syn.seq + 1, Seq(0)));
        assert_eq!(entries(&net), (0, 1));
        net.run_ms(common::TIME_WAIT_GONE_MS - 50_000 - entered);
        assert_eq!(entries(&net), (0, 0), "the original end");
    }
}

/// Old copies of its SYN, acknowledgment and text do not open again what was reset before its handshake: its ISS is not given twice.
fn an_iss_that_an_unproven_syn_had_is_not_given_again() {
    let by_gap = Rules {
        iss: IssRule::Gap(5),
        ..Rules::SAFE
    };
    for (rules, timestamps) in [
        (Rules::SAFE, false),
        (Rules::SAFE, true),
        (by_gap, false),
        (by_gap, true),
    ] {
        let (mut net, last) = in_time_wait(rules, timestamps);
        let syn = syn(&last, 1, 1);
        let rst = segment(&last, Flags::RST, syn.seq + 1, Seq(0));
        let mut used: Vec<Seq> = Vec::new();
        for _ in 0..4 {
            used.push(forge(&mut net, &syn)[0].seq);
            forge(&mut net, &rst);
        }
        assert!(used.is_sorted_by(|a, b| b.gt(*a)), "{used:?}");
        let again = forge(&mut net, &syn)[0];
        for iss in used {
            assert!(again.seq.gt(iss));
            let text = segment(&syn, Flags::ACK, syn.seq + 1, iss + 1);
            forge_burst(&mut net, &[(&text, b"old")]);
        }
        assert_eq!(net.host(SERVER).app().received, b"q");
        assert_eq!(time_wait(&net, |c| c.host.established), 1);
        assert_eq!(counted(&net, |c| c.shadow_restored), 4);
    }
}

fn an_embryo_that_times_out_restores_time_wait_if_it_still_lasts() {
    let mut outcomes = Vec::new();
    for rest_ms in [0, 59_000] {
        let tcp = tcp::Config {
            synack_retries: 2,
            ..protocol(true)
        };
        let (mut net, last) = in_time_wait_with(Rules::SAFE, &tcp);
        let entered = net.now();
        // The client does not know of the SYN, and cannot say so.
        net.run_ms(rest_ms);
        let deaf = net.add_rule(Action::Drop, Which::All, |seen| {
            seen.from == SERVER && seen.segment().is_some()
        });
        let syn = syn(&last, 1, 1);
        forge(&mut net, &syn);
        assert_eq!(entries(&net), (1, 1));
        let gave_up = net.now().plus_millis(200_000);
        let over = net.run_to(gave_up, |net| entries(net).0 == 0);
        assert!(over, "{}", net.log().tail(20));
        net.end_rule(deaf);
        let restored = net.now().since(entered).as_millis() < 60_000;
        let counts = [
            counted(&net, |c| c.shadow_restored),
            counted(&net, |c| c.shadow_expired),
        ];
        assert_eq!(counts, if restored { [1, 0] } else { [0, 1] });
        outcomes.push(restored);
    }
    assert_eq!(outcomes, [true, false]);
}

fn a_held_old_syn_costs_nothing() {
    // The SYN of a connection that the client gave up is held, comes late, and is newer than all
    // that the server knows. The client denies it.
    let (mut net, last) = in_time_wait(Rules::SAFE, true);
    net.run_ms(1_000);
    let old = syn(&last, 5_000, 100);
    let to = between(2, 1);
    let now = net.now();
    net.inject(now, &craft::tcp(&to, &old, b""));
    net.run_ms(20);
    assert_eq!(entries(&net), (0, 1), "{}", net.log().tail(9));
    assert_eq!(counted(&net, |c| c.shadow_restored), 1);
    assert_eq!(net.host(SERVER).app().count(Told::Open), 1);
    once(&mut net).unwrap();
    assert_eq!(net.host(SERVER).app().count(Told::Open), 2);
    assert_eq!(entries(&net), (0, 1));
}

fn the_shadow_acknowledges_the_old_fin() {
    let (mut net, last) = in_time_wait(Rules::SAFE, true);
    net.run_ms(10);
    let syn = syn(&last, 1, 5);
    forge(&mut net, &syn);
    let fin = segment(&last, Flags::FIN | Flags::ACK, last.seq, last.ack);
    let reply = forge(&mut net, &fin);
    assert_eq!(reply.len(), 1, "{reply:?}");
    assert_eq!(
        (reply[0].seq, reply[0].ack, reply[0].flags),
        (last.ack, last.seq + 1, Flags::ACK)
    );
    assert_eq!(counted(&net, |c| c.shadow_answered), 1);
    assert_eq!(entries(&net), (1, 1));
}

fn without_the_shadow_time_wait_is_lost() {
    let rules = Rules {
        shadow: false,
        bound: false,
        ..Rules::SAFE
    };
    let (mut net, last) = in_time_wait(rules, true);
    let syn = syn(&last, 1, 1);
    forge(&mut net, &syn);
    assert_eq!(entries(&net), (1, 0));
    forge(&mut net, &segment(&last, Flags::RST, syn.seq + 1, Seq(0)));
    assert_eq!(entries(&net), (0, 0));
}

fn a_proven_syn_ends_the_old_connection() {
    let (mut net, _) = in_time_wait(Rules::SAFE, true);
    net.host_mut(SERVER).app_mut().after_reply = End::Stay;
    net.with_app(CLIENT, |_, cx| cx.connect(DestinationId(0)).unwrap());
    net.run_ms(20);
    assert_eq!(entries(&net), (1, 0), "no shadow is left");
    let ages = net.host(SERVER).counters().time_wait.reuse_age;
    assert_eq!(ages.total(), 1);
}

fn what_each_policy_answers() {
    let silent: &[Flags] = &[];
    let (ack, syn_ack) = (&[Flags::ACK][..], &[Flags::SYN | Flags::ACK][..]);
    // A SYN that RFC 6191 takes by its timestamp, one that it takes by its number, one that it refuses;
    // and what is left after an exact RST.
    for (policy, expected, after_rst) in [
        (Policy::Strict, [ack, ack, ack], 0),
        (Policy::Rfc1122, [ack, syn_ack, ack], 0),
        (Policy::Rfc6191, [syn_ack, syn_ack, silent], 1),
        (Policy::Linux, [syn_ack, syn_ack, ack], 0),
        (Policy::Windows, [silent, syn_ack, silent], 1),
    ] {
        for (i, (ahead, newer)) in [(-5, 7), (7, 0), (-5, 0)].into_iter().enumerate() {
            let (mut net, last) = in_time_wait(Rules::of(policy), true);
            let reply = forge(&mut net, &syn(&last, ahead, newer));
            let flags: Vec<Flags> = reply.iter().map(|h| h.flags).collect();
            assert_eq!(flags, expected[i], "{policy:?} {i}");
            if expected[i] == ack {
                assert_eq!((reply[0].seq, reply[0].ack), (last.ack, last.seq + 1));
            }
        }
        let (mut net, last) = in_time_wait(Rules::of(policy), true);
        forge(&mut net, &segment(&last, Flags::RST, last.seq + 1, Seq(0)));
        assert_eq!(entries(&net).1, after_rst, "{policy:?}");
    }
}

fn the_policy_none_and_a_length_of_nothing_keep_nothing() {
    for none in [
        TimeWaitConfig {
            rules: Rules::of(Policy::None),
            ..TimeWaitConfig::default()
        },
        TimeWaitConfig {
            length_ms: 0,
            ..TimeWaitConfig::default()
        },
    ] {
        let (mut server, client) = configs(1, &protocol(true));
        server.listeners[0].time_wait = none;
        let app = |end| Plain {
            greeting: b"x".to_vec(),
            after_greeting: end,
            at_peer_closed: End::Close,
            ..Plain::default()
        };
        let mut net = pair((server, client), (app(End::Close), closes_second()));
        net.run_ms(5);
        once(&mut net).unwrap();
        assert_eq!(entries(&net), (0, 0));
        // RFC 9293 3.10.7.1 and 3.10.7.2: a listener resets what acknowledges, and opens for a SYN.
        let last = last_sent(&net, CLIENT);
        let reply = forge(
            &mut net,
            &segment(&last, Flags::ACK, last.seq + 1, last.ack),
        );
        assert_eq!((reply[0].flags, reply[0].seq), (Flags::RST, last.ack));
        let reply = forge(&mut net, &syn(&last, -5, 0));
        assert_eq!(reply[0].flags, Flags::SYN | Flags::ACK);
    }
}

fn lengths_differ_by_listener() {
    let tcp = protocol(true);
    let (mut server, mut client) = configs(1, &tcp);
    let lengths = [500, 2_000, 60_000, 3_600_000];
    let (mut listeners, mut destinations) = (Vec::new(), Vec::new());
    for (i, length_ms) in lengths.into_iter().enumerate() {
        let mut listener = server.listeners[0].clone();
        listener.port = 80 + i as u16;
        listener.time_wait.length_ms = length_ms;
        listeners.push(listener);
        let mut destination = client.destinations[0].clone();
        destination.port = 80 + i as u16;
        destinations.push(destination);
    }
    server.listeners = listeners;
    client.destinations = destinations;
    let app = |end| Plain {
        greeting: b"x".to_vec(),
        after_greeting: end,
        at_peer_closed: End::Close,
        ..Plain::default()
    };
    let mut net = pair((server, client), (app(End::Close), closes_second()));
    net.run_ms(5);
    for i in 0..lengths.len() as u16 {
        net.with_app(CLIENT, |_, cx| cx.connect(DestinationId(i)).unwrap());
    }
    net.run_ms(50);
    let start = net.now();
    assert_eq!(entries(&net), (0, 4));
    // The sweep gives places back within a quarter of the shortest length, and a tick.
    for (i, length_ms) in lengths.into_iter().enumerate() {
        net.run_until(start.plus_millis(u64::from(length_ms) - 60));
        assert_eq!(entries(&net).1, 4 - i as u64, "{length_ms}");
        net.run_until(start.plus_millis(u64::from(length_ms) * 101 / 100 + 200));
        assert_eq!(entries(&net).1, 3 - i as u64, "{length_ms}");
    }
}

/// A client whose every SYN lies behind what it used before, by random numbers: refused, told so, and
/// helped out.
fn fast_recovery_takes_no_ladder() {
    for (rules, ladder) in [(Rules::FAST_RECOVERY, false), (Rules::SAFE, true)] {
        let (mut net, last) = in_time_wait(rules, false);
        let syn = syn(&last, -100_000, 0);
        let reply = forge(&mut net, &syn);
        if ladder {
            assert_eq!(reply, []);
            continue;
        }
        assert_eq!((reply[0].flags, reply[0].ack), (Flags::ACK, last.seq + 1));
        // RFC 9293 3.10.7.3: <SEQ=SEG.ACK><CTL=RST>.
        forge(&mut net, &segment(&last, Flags::RST, reply[0].ack, Seq(0)));
        assert_eq!(entries(&net), (0, 0));
        assert_eq!(counted(&net, |c| c.killed_syn_probe), 1);
        let reply = forge(&mut net, &syn);
        assert_eq!(
            reply[0].flags,
            Flags::SYN | Flags::ACK,
            "the same SYN again"
        );
    }
}

fn a_probe_is_answered_once_and_only_soon() {
    let (mut net, last) = in_time_wait(Rules::FAST_RECOVERY, false);
    let exact = segment(&last, Flags::RST, last.seq + 1, Seq(0));
    let refused = syn(&last, -100_000, 0);
    // Unasked.
    forge(&mut net, &exact);
    assert_eq!(entries(&net).1, 1);
    // Too late.
    forge(&mut net, &refused);
    net.run_ms(1_000);
    forge(&mut net, &exact);
    assert_eq!(entries(&net).1, 1);
    // After an acknowledgment of something else, which an old connection may answer.
    forge(&mut net, &refused);
    let fin = segment(&last, Flags::FIN | Flags::ACK, last.seq, last.ack);
    assert_eq!(forge(&mut net, &fin).len(), 1);
    forge(&mut net, &exact);
    assert_eq!(entries(&net).1, 1);
    assert_eq!(counted(&net, |c| c.rst_exact), 3);
    assert_eq!(counted(&net, |c| c.killed_syn_probe), 0);
}

fn fin_wait_2_without_a_reader_becomes_time_wait() {
    for timestamps in [false, true] {
        let app = |end| Plain {
            greeting: b"x".to_vec(),
            after_greeting: end,
            ..Plain::default()
        };
        let mut net = pair(
            configs(1, &protocol(timestamps)),
            (app(End::Close), Plain::default()),
        );
        net.run_ms(5);
        net.with_app(CLIENT, |_, cx| cx.connect(DestinationId(0)).unwrap());
        net.run_ms(1_000);
        // Closed by its user and acknowledged: the control block is free.
        assert_eq!(entries(&net), (0, 1));
        assert_eq!(time_wait(&net, |c| c.host.fin_wait2_entered), 1);
        assert_eq!(net.host(SERVER).app().ended(CloseReason::Normal), 1);
        assert_eq!(time_wait(&net, |c| c.host.closed), 0, "it is not over");
        // Its minute is its own: TIME-WAIT has another before it.
        net.run_ms(40_000);
        net.with_app(CLIENT, |app, cx| cx.close(app.last()));
        net.run_ms(50);
        assert_eq!(net.host(CLIENT).app().ended(CloseReason::Normal), 1);
        assert_eq!(counted(&net, |c| c.ack_first_fin), 1);
        let closed = |c: &stack::Counters| (c.host.closed, c.host.closed_normal);
        assert_eq!(closed(net.host(SERVER).counters()), (1, 1));
        net.run_ms(40_000);
        assert_eq!(entries(&net), (0, 1));
        assert_eq!(count_sent(&net, |f| f.contains(Flags::RST)), 0);
        net.run_ms(common::TIME_WAIT_GONE_MS - 40_000);
        assert_eq!(entries(&net), (0, 0));
        // And it can be recycled like any other.
        net.host_mut(CLIENT).app_mut().at_peer_closed = End::Close;
        once(&mut net).unwrap();
        once(&mut net).unwrap();
        assert_eq!(time_wait(&net, recycled), 1);
    }
}

/// The server closes first, the client does not; so much of TIME-WAIT has the server.
fn orphaned(length_ms: u32) -> Network<Plain> {
    let app = |end| Plain {
        greeting: b"x".to_vec(),
        after_greeting: end,
        ..Plain::default()
    };
    let (mut server, client) = configs(1, &protocol(true));
    server.listeners[0].time_wait.length_ms = length_ms;
    let mut net = pair((server, client), (app(End::Close), Plain::default()));
    net.run_ms(5);
    net.with_app(CLIENT, |_, cx| cx.connect(DestinationId(0)).unwrap());
    net.run_ms(1_000);
    assert_eq!(entries(&net), (0, 1));
    net
}

fn fin_wait_2_without_a_reader_that_nobody_ends_is_a_time_out() {
    let mut net = orphaned(60_000);
    net.run_ms(common::TIME_WAIT_GONE_MS);
    assert_eq!(entries(&net), (0, 0));
    let c = *net.host(SERVER).counters();
    assert_eq!(c.tcp.fin_wait2_timeouts, 1);
    let closed = (c.host.closed, c.host.closed_timeout, c.host.closed_normal);
    assert_eq!(closed, (1, 1, 0));
    assert_eq!((c.host.time_wait_entered, c.host.time_wait_expired), (0, 1));
}

fn fin_wait_2_without_a_reader_and_without_time_wait_ends_with_the_fin() {
    let mut net = orphaned(0);
    net.with_app(CLIENT, |app, cx| cx.close(app.last()));
    net.run_ms(50);
    // The FIN was acknowledged, and nothing is kept.
    assert_eq!(net.host(CLIENT).app().ended(CloseReason::Normal), 1);
    assert_eq!(net.host(CLIENT).usage().live, 0);
    assert_eq!(entries(&net), (0, 0));
    let c = *net.host(SERVER).counters();
    assert_eq!((c.host.closed, c.host.closed_normal), (1, 1));
    assert_eq!(c.host.time_wait_entered, 0);
    assert_eq!(count_sent(&net, |f| f.contains(Flags::RST)), 0);
}

fn text_for_fin_wait_2_without_a_reader_is_reset() {
    let app = |end| Plain {
        greeting: b"x".to_vec(),
        after_greeting: end,
        ..Plain::default()
    };
    let mut net = pair(
        configs(1, &protocol(true)),
        (app(End::Close), Plain::default()),
    );
    net.run_ms(5);
    net.with_app(CLIENT, |_, cx| cx.connect(DestinationId(0)).unwrap());
    net.run_ms(1_000);
    assert_eq!(entries(&net), (0, 1));
    net.with_app(CLIENT, |app, cx| {
        let conn = app.last();
        app.send(cx, conn, b"nobody reads this");
    });
    net.run_ms(50);
    assert_eq!(entries(&net), (0, 0));
    assert_eq!(counted(&net, |c| c.reset_text_after_close), 1);
    assert_eq!(net.host(CLIENT).app().ended(CloseReason::Reset), 1);
}

fn a_full_table_loses_the_oldest_and_a_stray_stream_pins_nothing() {
    let (mut server, client) = configs(64, &protocol(true));
    server.time_wait_capacity = 16;
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
    for n in 0..64 {
        once(&mut net).unwrap();
        net.run_ms(500);
        // The newest is never the one that goes: its FIN is acknowledged.
        let last = last_sent(&net, CLIENT);
        let fin = segment(&last, Flags::FIN | Flags::ACK, last.seq, last.ack);
        assert_eq!(forge(&mut net, &fin).len(), 1, "after {n}");
        assert!(entries(&net).1 <= 19);
    }
    let evicted = time_wait(&net, |c| c.host.time_wait_evicted);
    assert!(evicted >= 40, "{evicted}");
    let told = net.host(SERVER).app().decisions.iter();
    let told = told.filter(|d| d.outcome.incident == Some(Incident::Evicted));
    assert_eq!(told.count() as u64, evicted);
    let ages = net.host(SERVER).counters().time_wait.evicted_age;
    assert_eq!(ages.total(), evicted);
    // None was younger than four connections, two seconds, of the 18 there is room for.
    assert_eq!(ages.0[..6].iter().sum::<u64>(), 0, "{ages:?}");

    // One old duplicate every ten seconds: acknowledged, and the minute is a minute.
    let (mut net, last) = in_time_wait(Rules::SAFE, true);
    let stray = segment(&last, Flags::ACK, last.seq - 10, last.ack);
    for _ in 0..6 {
        assert_eq!(forge(&mut net, &stray).len(), 1);
        net.run_ms(10_000);
    }
    net.run_ms(common::TIME_WAIT_GONE_MS - 60_000);
    assert_eq!(entries(&net).1, 0);
    // Linux's restarts each time.
    let (mut net, last) = in_time_wait(Rules::LINUX, true);
    for _ in 0..12 {
        forge(&mut net, &stray_of(&last));
        net.run_ms(10_000);
    }
    assert_eq!(entries(&net).1, 1);
}

fn stray_of(last: &Header) -> Header {
    segment(last, Flags::ACK, last.seq - 10, last.ack)
}

fn acknowledgments_are_limited_but_for_the_fin() {
    let (mut net, last) = in_time_wait(Rules::SAFE, true);
    let fin = segment(&last, Flags::FIN | Flags::ACK, last.seq, last.ack);
    let mut strays = 0;
    for _ in 0..20 {
        strays += forge(&mut net, &stray_of(&last)).len();
        assert_eq!(forge(&mut net, &fin).len(), 1, "a FIN always");
    }
    // 20 times 10 ms are less than half a second.
    assert_eq!(strays, 1);
    assert_eq!(counted(&net, |c| c.suppressed_interval), 19);
}

over_both! {
    an_accepted_syn_that_proves_old_restores_time_wait_with_its_end
    an_iss_that_an_unproven_syn_had_is_not_given_again
    an_embryo_that_times_out_restores_time_wait_if_it_still_lasts
    a_held_old_syn_costs_nothing
    the_shadow_acknowledges_the_old_fin
    without_the_shadow_time_wait_is_lost
    a_proven_syn_ends_the_old_connection
    what_each_policy_answers
    the_policy_none_and_a_length_of_nothing_keep_nothing
    lengths_differ_by_listener
    fast_recovery_takes_no_ladder
    a_probe_is_answered_once_and_only_soon
    fin_wait_2_without_a_reader_becomes_time_wait
    fin_wait_2_without_a_reader_that_nobody_ends_is_a_time_out
    fin_wait_2_without_a_reader_and_without_time_wait_ends_with_the_fin
    text_for_fin_wait_2_without_a_reader_is_reset
    a_full_table_loses_the_oldest_and_a_stray_stream_pins_nothing
    acknowledgments_are_limited_but_for_the_fin
}
