//! Peers that fall silent: cut cables, closed windows, idle hours. Connections end by their timers or
//! survive, as configured, and hold nothing afterwards.

use crate::common;
use crate::common::plain::{Plain, Told};
use crate::common::{CLIENT, SERVER, assert_nothing_held, configs, pair};
use simnet::{Network, StationId};
use stack::{CloseReason, DestinationId};
use tcp::Keepalive;
use wire::tcp::Flags;

fn connected(tcp: &tcp::Config) -> Network<Plain> {
    let mut net = pair(configs(1, tcp), (Plain::default(), Plain::default()));
    net.run_ms(5);
    net.with_app(CLIENT, |_, cx| cx.connect(DestinationId(0)))
        .unwrap();
    net.run_ms(20);
    assert_eq!(net.host(SERVER).app().events(), [Told::Open]);
    net
}

fn send(net: &mut Network<Plain>, id: StationId, bytes: &[u8]) {
    net.with_app(id, |app, cx| {
        let conn = app.last();
        app.send(cx, conn, bytes);
    });
}

/// How the only connection of a station ended, and after how many seconds.
fn end(net: &Network<Plain>, id: StationId) -> Option<(CloseReason, u64)> {
    net.host(id)
        .app()
        .told
        .iter()
        .find_map(|(at, _, told)| match told {
            Told::Closed(reason) => Some((*reason, at.as_millis() / 1_000)),
            _ => None,
        })
}

fn a_cut_cable_ends_both_sides_by_their_timers() {
    let tcp = tcp::Config {
        data_retries: 6,
        keepalive: Some(Keepalive {
            idle_ms: 10_000,
            interval_ms: 4_000,
            count: 4,
        }),
        ..tcp::Config::default()
    };
    let mut net = connected(&tcp);
    net.link_mut(SERVER).connected = false;
    // The client has something to say; the server only waits.
    send(&mut net, CLIENT, b"anybody there?");
    net.run_ms(120_000);
    let (reason, seconds) = end(&net, CLIENT).expect("the client gives up");
    assert_eq!(reason, CloseReason::TimedOut);
    // 0.2 s doubled six times and waited out: 25.4 s.
    assert!((24..=27).contains(&seconds), "{seconds}");
    assert_eq!(net.host(CLIENT).counters().tcp.retransmitted_segments, 6);
    let (reason, seconds) = end(&net, SERVER).expect("the server gives up");
    assert_eq!(reason, CloseReason::KeepaliveTimeout);
    // Before the neighbour itself is found to be gone: probes are not sent to nobody.
    assert!((25..=28).contains(&seconds), "{seconds}");
    assert_eq!(net.host(SERVER).counters().tcp.keepalive_probes_sent, 4);
    assert_nothing_held(&mut net, CLIENT, 1, "after the timeout");
    assert_nothing_held(&mut net, SERVER, 0, "after the timeout");
}

fn a_station_that_is_gone_from_the_link_ends_the_connection_too() {
    let tcp = tcp::Config {
        data_retries: 6,
        ..tcp::Config::default()
    };
    let mut net = connected(&tcp);
    net.link_mut(SERVER).connected = false;
    // Long enough for the neighbour to be doubted: when nothing comes back, it is asked for in vain,
    // and segments go nowhere at all.
    net.run_ms(60_000);
    send(&mut net, CLIENT, b"anybody there?");
    net.run_ms(120_000);
    let (reason, seconds) = end(&net, CLIENT).expect("the client gives up");
    assert_eq!(reason, CloseReason::TimedOut);
    // The same 25 s, and up to 3 s for each time that the neighbour is asked for in vain.
    assert!((80..=110).contains(&seconds), "{seconds}");
    assert!(net.host(CLIENT).counters().host.drop_tx_unresolved >= 1);
    assert_nothing_held(&mut net, CLIENT, 1, "after the timeout");
}

fn the_user_timeout_comes_first_if_it_is_shorter() {
    let tcp = tcp::Config {
        user_timeout_ms: 5_000,
        ..tcp::Config::default()
    };
    let mut net = connected(&tcp);
    net.link_mut(CLIENT).connected = false;
    send(&mut net, CLIENT, b"anybody there?");
    net.run_ms(20_000);
    let (reason, seconds) = end(&net, CLIENT).expect("the client gives up");
    assert_eq!(reason, CloseReason::UserTimeout);
    assert!((5..=7).contains(&seconds), "{seconds}");
}

fn an_open_into_the_void_is_given_up() {
    let tcp = tcp::Config {
        syn_retries: 3,
        ..tcp::Config::default()
    };
    let mut net = pair(configs(1, &tcp), (Plain::default(), Plain::default()));
    net.run_ms(5);
    // ARP is answered, SYNs are lost.
    let rule = net.add_rule(simnet::Action::Drop, simnet::Which::All, |seen| {
        seen.segment().is_some()
    });
    let start = net.now();
    net.with_app(CLIENT, |_, cx| cx.connect(DestinationId(0)))
        .unwrap();
    net.run_ms(60_000);
    let times: Vec<u64> = net
        .log()
        .records()
        .filter(|r| r.fate == simnet::Fate::Dropped)
        .map(|r| r.at.since(start).as_millis() as u64)
        .collect();
    assert_eq!(net.taken(rule), 4);
    for (time, expected) in times.iter().zip([0, 1_000, 3_000, 7_000]) {
        assert!((expected..expected + 20).contains(time), "{times:?}");
    }
    let (reason, seconds) = end(&net, CLIENT).expect("it is given up");
    assert_eq!((reason, seconds), (CloseReason::TimedOut, 15));
    assert_nothing_held(&mut net, CLIENT, 1, "after the timeout");
}

fn a_cable_that_flaps_delays_and_loses_nothing() {
    let mut net = connected(&tcp::Config::default());
    let bytes: Vec<u8> = (0..2_000_000u32).map(|i| (i / 3) as u8).collect();
    for id in [CLIENT, SERVER] {
        send(&mut net, id, &bytes);
    }
    // Out for longer and longer, and each time long enough in that something gets through.
    for out_ms in [1, 10, 100, 300, 1_000, 3_000] {
        net.run_ms(2);
        net.link_mut(SERVER).connected = false;
        net.run_ms(out_ms);
        net.link_mut(SERVER).connected = true;
    }
    net.run_ms(60_000);
    for id in [CLIENT, SERVER] {
        assert_eq!(
            net.host(id).app().received.len(),
            bytes.len(),
            "{}",
            net.log().tail(20)
        );
        assert_eq!(net.host(id).app().received, bytes);
        assert!(net.host(id).counters().tcp.retransmission_timeouts > 0);
        assert_eq!(end(&net, id), None);
    }
}

fn an_application_that_never_closes_keeps_no_place_for_ever() {
    let tcp = tcp::Config {
        keepalive: Some(Keepalive {
            idle_ms: 120_000,
            ..Keepalive::default()
        }),
        ..tcp::Config::default()
    };
    let (mut server, client) = configs(8, &tcp);
    server.max_connections = 4;
    let mut net = pair((server, client), (Plain::default(), Plain::default()));
    net.run_ms(5);
    let open = |net: &mut Network<Plain>, n: usize| {
        for _ in 0..n {
            net.with_app(CLIENT, |_, cx| cx.connect(DestinationId(0)))
                .unwrap();
        }
        net.run_ms(50);
    };
    open(&mut net, 4);
    net.with_app(CLIENT, |app, cx| {
        for (_, conn, _) in app.told.clone() {
            cx.close(conn);
        }
    });
    net.run_ms(1_000);
    // The client is through with them. They are in CLOSE-WAIT, for as long as the application likes.
    assert_eq!(net.host(SERVER).app().count(Told::PeerClosed), 4);
    open(&mut net, 1);
    assert_eq!(net.host(SERVER).app().count(Told::Open), 4);
    assert!(net.host(SERVER).counters().host.drop_table_full > 0);
    // FIN-WAIT-2 is over after a minute; the first probe after that is answered by RST.
    net.run_ms(200_000);
    assert_eq!(net.host(SERVER).app().ended(CloseReason::Reset), 4);
    open(&mut net, 4);
    net.run_ms(60_000);
    assert!(
        net.host(SERVER).app().count(Told::Open) >= 8,
        "{}",
        net.log().tail(20)
    );
}

fn a_window_closed_for_an_hour_opens_again() {
    let tcp = tcp::Config {
        rcv_buf: 10_000,
        ..tcp::Config::default()
    };
    let mut net = connected(&tcp);
    let bytes: Vec<u8> = (0..100_000u32).map(|i| (i / 5) as u8).collect();
    net.host_mut(SERVER).app_mut().deaf = true;
    send(&mut net, CLIENT, &bytes);
    net.run_ms(3_600_000);
    let count = net.host(CLIENT).counters().tcp;
    // RFC 9293 3.8.6.1: as long as the probes are answered, the connection stays open. Backed off
    // to a minute they are some sixty.
    assert!(
        (50..=80).contains(&count.window_probes_sent),
        "{}",
        count.window_probes_sent
    );
    assert_eq!(end(&net, CLIENT), None);
    assert!(net.host(SERVER).usage().receive_chunks * 2_048 >= 10_000);
    assert!(net.host(SERVER).usage().receive_chunks <= 10);
    net.with_app(SERVER, |app, cx| {
        app.deaf = false;
        cx.resume(app.last());
    });
    // The window update is sent by the receiver: nobody waits for a probe.
    net.run_ms(2_000);
    assert_eq!(
        net.host(SERVER).app().received,
        bytes,
        "{}",
        net.log().tail(20)
    );
    assert_eq!(net.host(SERVER).usage().receive_chunks, 0);
}

fn a_lost_window_update_does_not_stop_a_transfer() {
    let tcp = tcp::Config {
        rcv_buf: 5_000,
        ..tcp::Config::default()
    };
    let mut net = connected(&tcp);
    net.host_mut(SERVER).app_mut().deaf = true;
    send(&mut net, CLIENT, &[9; 20_000]);
    net.run_ms(10_000);
    let rule = net.add_rule(simnet::Action::Drop, simnet::Which::First(1), |seen| {
        seen.from == SERVER && seen.segment().is_some()
    });
    net.with_app(SERVER, |app, cx| {
        app.deaf = false;
        cx.resume(app.last());
    });
    net.run_ms(60_000);
    assert_eq!(net.taken(rule), 1);
    assert_eq!(
        net.host(SERVER).app().received.len(),
        20_000,
        "{}",
        net.log().tail(20)
    );
}

fn an_idle_connection_is_silent_unless_kept_alive() {
    for keepalive in [
        None,
        Some(Keepalive {
            idle_ms: 60_000,
            ..Keepalive::default()
        }),
    ] {
        let tcp = tcp::Config {
            keepalive,
            ..tcp::Config::default()
        };
        let mut net = connected(&tcp);
        let before = net.log().sent_segments().count();
        net.run_ms(3 * 3_600_000);
        let segments = net.log().sent_segments().count() - before;
        match keepalive {
            None => assert_eq!(segments, 0, "{}", net.log().tail(20)),
            // Probe and answer, at least once a minute or two for three hours.
            Some(_) => assert!((180..=720).contains(&segments), "{segments}"),
        }
        send(&mut net, CLIENT, b"good morning");
        net.run_ms(100);
        assert_eq!(net.host(SERVER).app().received, b"good morning");
        assert_eq!((end(&net, CLIENT), end(&net, SERVER)), (None, None));
    }
}

fn a_peer_that_never_closes_is_left_in_fin_wait_2_for_a_minute() {
    let mut net = connected(&tcp::Config::default());
    net.with_app(CLIENT, |app, cx| cx.close(app.last()));
    net.run_ms(1_000);
    // For the application it is over; what waits for the peer's FIN is an entry of TIME-WAIT's table.
    assert_eq!(end(&net, CLIENT).map(|e| e.0), Some(CloseReason::Normal));
    let held = |net: &simnet::Network<_>| {
        let usage = net.host(CLIENT).usage();
        (usage.live, usage.time_wait)
    };
    assert_eq!(held(&net), (0, 1));
    net.with_app(CLIENT, |_, cx| {
        let refused = cx.connect(stack::DestinationId(0)).unwrap_err();
        assert!(matches!(refused, stack::ConnectError::NoTupleFree { .. }));
    });
    net.run_ms(58_000);
    assert_eq!(held(&net), (0, 1));
    net.run_ms(common::TIME_WAIT_GONE_MS - 59_000);
    assert_eq!(held(&net), (0, 0));
    // The server learns of it when it has something to say.
    assert_eq!(
        net.host(SERVER).app().events(),
        [Told::Open, Told::PeerClosed]
    );
    send(&mut net, SERVER, b"too late");
    net.run_ms(1_000);
    assert_eq!(end(&net, SERVER).map(|e| e.0), Some(CloseReason::Reset));
    assert_nothing_held(&mut net, SERVER, 0, "after the reset");
}

fn a_half_closed_connection_still_receives() {
    let mut net = connected(&tcp::Config::default());
    net.with_app(CLIENT, |app, cx| cx.shutdown_write(app.last()));
    // Half-closed, not closed: it may stay so for as long as it likes.
    net.run_ms(600_000);
    send(&mut net, SERVER, &[3; 30_000]);
    net.run_ms(5_000);
    assert_eq!(
        net.host(CLIENT).app().received.len(),
        30_000,
        "{}",
        net.log().tail(20)
    );
    net.with_app(SERVER, |app, cx| cx.close(app.last()));
    net.run_ms(1_000);
    assert_eq!(end(&net, CLIENT).map(|e| e.0), Some(CloseReason::Normal));
    assert_eq!(end(&net, SERVER).map(|e| e.0), Some(CloseReason::Normal));
}

fn a_host_that_stops_at_once_resets_everybody() {
    let mut net = connected(&tcp::Config::default());
    net.host_mut(SERVER).abort_all();
    net.run_ms(100);
    assert_eq!(end(&net, SERVER).map(|e| e.0), Some(CloseReason::Aborted));
    assert_eq!(end(&net, CLIENT).map(|e| e.0), Some(CloseReason::Reset));
    let resets = net.log().sent_segments().filter(|(_, s)| s.has(Flags::RST));
    assert_eq!(resets.count(), 1);
}

fn a_draining_host_finishes_what_it_has_and_takes_nothing_new() {
    let mut net = pair(
        configs(4, &tcp::Config::default()),
        (Plain::default(), Plain::default()),
    );
    net.with_app(CLIENT, |_, cx| cx.connect(DestinationId(0)))
        .unwrap();
    net.run_ms(20);
    let now = net.now();
    net.host_mut(SERVER).drain(now);
    net.with_app(CLIENT, |_, cx| cx.connect(DestinationId(0)))
        .unwrap();
    net.run_ms(500);
    assert_eq!(net.host(SERVER).app().count(Told::Open), 1);
    assert!(net.host(SERVER).counters().host.drop_draining >= 1);
    let first = net.host(CLIENT).app().told[0].1;
    net.with_app(CLIENT, |app, cx| app.send(cx, first, b"go on"));
    net.run_ms(100);
    assert_eq!(net.host(SERVER).app().received, b"go on");
}

over_both! {
    a_cut_cable_ends_both_sides_by_their_timers
    a_station_that_is_gone_from_the_link_ends_the_connection_too
    the_user_timeout_comes_first_if_it_is_shorter
    an_open_into_the_void_is_given_up
    a_cable_that_flaps_delays_and_loses_nothing
    an_application_that_never_closes_keeps_no_place_for_ever
    a_window_closed_for_an_hour_opens_again
    a_lost_window_update_does_not_stop_a_transfer
    an_idle_connection_is_silent_unless_kept_alive
    a_peer_that_never_closes_is_left_in_fin_wait_2_for_a_minute
    a_half_closed_connection_still_receives
    a_host_that_stops_at_once_resets_everybody
    a_draining_host_finishes_what_it_has_and_takes_nothing_new
}
