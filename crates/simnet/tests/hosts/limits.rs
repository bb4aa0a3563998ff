//! What is full: backlog, connection table, TIME-WAIT table, frame pool and receive memory. Each has a
//! counted policy, and goes on when there is room again.

use crate::common;
use crate::common::plain::{End, Plain, Told};
use crate::common::{CLIENT, LINK, PORT, SERVER, assert_nothing_held, configs, ip, mac, pair};
use simnet::craft::{self, Addresses};
use simnet::{Network, Peer, StationId};
use stack::{CloseReason, ConnectError, DestinationId, FramePool, MemFrame};
use wire::Seq;
use wire::tcp::{Flags, Header};

const PEER: StationId = StationId(1);

/// A server with this configuration, and a peer.
fn with_peer(change: impl FnOnce(&mut stack::Config)) -> (Network<Plain>, Addresses) {
    let mut net = Network::new(1);
    let (mut config, _) = configs(1, &tcp::Config::default());
    change(&mut config);
    net.add_host(common::stack(config, 1, Plain::default(), 64), LINK);
    let peer = Peer::new(mac(9), ip(9));
    let to = peer.to(mac(1), ip(1));
    net.add_peer(peer, LINK);
    net.run_ms(5);
    (net, to)
}

fn syn(src_port: u16) -> Header {
    Header {
        src_port,
        dst_port: PORT,
        seq: Seq(100),
        flags: Flags::SYN,
        window: 8_000,
        ..Header::default()
    }
}

/// Sends a segment and returns the headers of the answers that come within 10 ms.
fn send(net: &mut Network<Plain>, to: &Addresses, header: &Header) -> Vec<Header> {
    net.peer_mut(PEER).take();
    net.send(PEER, craft::tcp(to, header, b""));
    net.run_ms(10);
    let got = net.peer_mut(PEER).take_segments();
    got.into_iter().map(|(s, _)| s.header).collect()
}

fn a_full_backlog_drops_syns_until_there_is_room() {
    let (mut net, to) = with_peer(|config| config.listeners[0].backlog = 2);
    let answers: Vec<Vec<Header>> = (1..=5)
        .map(|port| send(&mut net, &to, &syn(port)))
        .collect();
    let answered: Vec<usize> = answers.iter().map(Vec::len).collect();
    assert_eq!(answered, [1, 1, 0, 0, 0]);
    let count = net.host(SERVER).counters().host;
    assert_eq!((count.drop_backlog_full, count.passive_opens), (3, 2));
    // One becomes ESTABLISHED: its place in the backlog is free.
    let ack = Header {
        seq: Seq(101),
        ack: answers[0][0].seq + 1,
        flags: Flags::ACK,
        ..syn(1)
    };
    assert!(send(&mut net, &to, &ack).is_empty());
    assert_eq!(send(&mut net, &to, &syn(3)).len(), 1);
    // The embryos give up after their retransmissions, and their places are free too.
    net.run_ms(200_000);
    let usage = net.host(SERVER).usage();
    assert_eq!(usage.live, 1);
    assert_eq!(net.host(SERVER).counters().host.embryo_failures, 2);
    assert_eq!(send(&mut net, &to, &syn(4)).len(), 1);
    assert_eq!(send(&mut net, &to, &syn(5)).len(), 1);
    assert_eq!(send(&mut net, &to, &syn(6)).len(), 0);
}

fn a_syn_ack_is_repeated_as_often_as_configured() {
    let (mut net, to) = with_peer(|config| config.listeners[0].tcp.synack_retries = 3);
    assert_eq!(send(&mut net, &to, &syn(1)).len(), 1);
    net.run_ms(100_000);
    let again = net.peer_mut(PEER).take_segments();
    let syn_acks = again.iter().filter(|(s, _)| s.has(Flags::SYN | Flags::ACK));
    assert_eq!(syn_acks.count(), 3, "{}", net.log().tail(20));
    assert_nothing_held(&mut net, SERVER, 0, "after the last");
}

fn a_full_connection_table_refuses_and_recovers() {
    let (mut server, mut client) = configs(16, &tcp::Config::default());
    server.max_connections = 2;
    client.max_connections = 3;
    let app = || Plain {
        at_peer_closed: End::Close,
        ..Plain::default()
    };
    let mut net = pair((server, client), (app(), app()));
    net.run_ms(5);
    let opened: Vec<_> = net.with_app(CLIENT, |_, cx| {
        (0..4).map(|_| cx.connect(DestinationId(0))).collect()
    });
    assert_eq!(opened[3], Err(ConnectError::TableFull));
    net.run_ms(500);
    // The third SYN finds the server full, and is tried again.
    assert_eq!(net.host(SERVER).app().count(Told::Open), 2);
    assert!(net.host(SERVER).counters().host.drop_table_full >= 1);
    let first = net.host(CLIENT).app().told[0].1;
    net.with_app(CLIENT, |_, cx| cx.close(first));
    net.run_ms(5_000);
    assert_eq!(
        net.host(SERVER).app().count(Told::Open),
        3,
        "{}",
        net.log().tail(20)
    );
    let ended = net.host(SERVER).app().ended(CloseReason::Normal);
    assert_eq!((ended, net.host(SERVER).usage().live), (1, 2));
}

fn a_full_time_wait_table_evicts_and_serves_on() {
    let (mut server, client) = configs(512, &tcp::Config::default());
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
    for _ in 0..300 {
        net.with_app(CLIENT, |_, cx| cx.connect(DestinationId(0)))
            .unwrap();
        net.run_ms(10);
    }
    assert_eq!(net.host(CLIENT).app().ended(CloseReason::Normal), 300);
    let count = net.host(SERVER).counters().host;
    let live = net.host(SERVER).usage().time_wait;
    assert!(live < 300, "{live}");
    assert_eq!(count.time_wait_entered, 300);
    assert_eq!(count.time_wait_evicted, 300 - live);
    net.run_ms(common::TIME_WAIT_GONE_MS);
    assert_nothing_held(&mut net, SERVER, 0, "after TIME-WAIT");
    assert_nothing_held(&mut net, CLIENT, 512, "after TIME-WAIT");
}

/// Sends 50,000 bytes each way; `at_start` may make the hosts short of something.
fn transfer(net: &mut Network<Plain>, limit_ms: u64) {
    let bytes: Vec<u8> = (0..50_000u32).map(|i| (i * 7 / 3) as u8).collect();
    net.host_mut(CLIENT).app_mut().greeting = bytes.clone();
    net.host_mut(SERVER).app_mut().greeting = bytes.clone();
    net.with_app(CLIENT, |_, cx| cx.connect(DestinationId(0)))
        .unwrap();
    let limit = net.now().plus_millis(limit_ms);
    let all = |net: &Network<Plain>| {
        [CLIENT, SERVER]
            .iter()
            .all(|id| net.host(*id).app().received.len() == bytes.len())
    };
    assert!(net.run_to(limit, all), "{}", net.log().tail(30));
    for id in [CLIENT, SERVER] {
        assert_eq!(net.host(id).app().received, bytes);
    }
}

fn a_handful_of_frames_is_enough() {
    // One for what arrives, one for the answer to it: with less no ARP request is ever answered.
    for frames in [2, 3, 8] {
        let (server, client) = configs(1, &tcp::Config::default());
        let mut net = Network::new(1);
        net.add_host(common::stack(server, 1, Plain::default(), frames), LINK);
        net.add_host(common::stack(client, 2, Plain::default(), frames), LINK);
        transfer(&mut net, 600_000);
        let short = net.host(CLIENT).counters().host.drop_tx_no_buffer;
        assert!(short > 0, "{frames} frames were never too few");
        assert_eq!(net.host_mut(CLIENT).pool_mut().in_use(), 0);
    }
}

fn an_exhausted_pool_delays_and_loses_nothing() {
    let (server, client) = configs(2, &tcp::Config::default());
    let mut net = pair((server, client), (Plain::default(), Plain::default()));
    // A first connection, so that the two know each other's Ethernet address.
    net.with_app(CLIENT, |_, cx| cx.connect(DestinationId(0)))
        .unwrap();
    net.run_ms(20);
    // Somebody else has all the buffers of the server for five seconds.
    let pool = net.host_mut(SERVER).pool_mut();
    let taken: Vec<MemFrame> = std::iter::from_fn(|| pool.alloc(64)).collect();
    assert_eq!(taken.len(), 4096);
    net.with_app(CLIENT, |_, cx| cx.connect(DestinationId(0)))
        .unwrap();
    net.run_ms(5_000);
    assert_eq!(net.host(CLIENT).app().events(), [Told::Open]);
    for frame in taken {
        net.host_mut(SERVER).pool_mut().free(frame);
    }
    net.run_ms(10_000);
    let told = net.host(CLIENT).app().events();
    assert_eq!(told, [Told::Open, Told::Open], "{}", net.log().tail(20));
    assert_eq!(net.host_mut(SERVER).pool_mut().in_use(), 0);
}

fn a_transmit_queue_of_one_frame_slows_and_loses_nothing() {
    let (server, client) = configs(1, &tcp::Config::default());
    let mut net = pair((server, client), (Plain::default(), Plain::default()));
    for id in [CLIENT, SERVER] {
        net.set_tx_per_turn(id, 1);
    }
    transfer(&mut net, 10_000);
    let resent = net.host(CLIENT).counters().tcp.retransmitted_segments;
    assert_eq!(resent, 0, "{}", net.log().tail(20));
}

fn many_readers_that_stop_share_little_receive_memory() {
    let mut net = with_readers_that_stop(40, &tcp::Config::default());
    assert_eq!(net.host(SERVER).usage().receive_chunks, 32);
    // They read again: everything arrives.
    net.with_app(SERVER, |app, cx| {
        app.deaf = false;
        for (_, conn, _) in app.told.clone() {
            cx.resume(conn);
        }
    });
    net.run_ms(600_000);
    let got = net.host(SERVER).app().received.len();
    assert_eq!(got, 40 * 30_000, "{}", net.log().tail(20));
    assert_eq!(net.host(SERVER).usage().receive_chunks, 0);
}

/// Connections that are offered 30,000 bytes each, of which nobody reads any, at a server with 32 chunks of receive memory.
fn with_readers_that_stop(readers: u16, tcp: &tcp::Config) -> Network<Plain> {
    let (mut server, client) = configs(readers + 1, tcp);
    server.receive_memory = 1 << 16;
    let server_app = Plain {
        deaf: true,
        ..Plain::default()
    };
    let client_app = Plain {
        greeting: vec![5; 30_000],
        ..Plain::default()
    };
    let mut net = pair((server, client), (server_app, client_app));
    net.limit_log(1_000);
    net.run_ms(5);
    net.with_app(CLIENT, |_, cx| {
        for _ in 0..readers {
            cx.connect(DestinationId(0)).unwrap();
        }
    });
    net.run_ms(30_000);
    assert_eq!(net.host(SERVER).usage().live, readers.into());
    net
}

fn senders_wait_while_receive_memory_is_short() {
    // They would give up soon, were they not answered.
    let tcp = tcp::Config {
        data_retries: 3,
        ..tcp::Config::default()
    };
    let mut net = with_readers_that_stop(40, &tcp);
    assert_eq!(net.host(SERVER).usage().receive_chunks, 32);
    net.run_ms(600_000);
    assert_eq!(net.host(CLIENT).usage().live, 40, "{}", net.log().tail(20));
    let closed = net.host(SERVER).counters().tcp.windows_closed_memory;
    assert!((30..=40).contains(&closed), "{closed}");
    // All read again, and nobody waits for his next probe, which is minutes away.
    net.with_app(SERVER, |app, cx| {
        app.deaf = false;
        for (_, conn, _) in app.told.clone() {
            cx.resume(conn);
        }
    });
    net.run_ms(5_000);
    let got = net.host(SERVER).app().received.len();
    assert_eq!(got, 40 * 30_000, "{}", net.log().tail(20));
    assert_eq!(net.host(SERVER).usage().receive_chunks, 0);
}

fn who_reads_is_not_hurt_by_those_who_do_not() {
    // They hold everything but what is kept for those who hold little.
    let mut net = with_readers_that_stop(4, &tcp::Config::default());
    assert_eq!(net.host(SERVER).usage().receive_chunks, 28);
    // Another connection is read, by whole requests: the segment that begins one is held until the next is there.
    net.host_mut(CLIENT).app_mut().greeting.clear();
    net.with_app(CLIENT, |_, cx| cx.connect(DestinationId(0)))
        .unwrap();
    net.run_ms(5);
    let server = net.host_mut(SERVER).app_mut();
    server.record = 2_000;
    server.reads = Some(server.last());
    let before = (
        net.host(CLIENT).counters().tcp.retransmission_timeouts,
        net.host(SERVER).counters().tcp.text_dropped_memory,
    );
    net.with_app(CLIENT, |app, cx| {
        let conn = app.last();
        app.send(cx, conn, &[5; 30_000]);
    });
    net.run_ms(50);
    let got = net.host(SERVER).app().received.len();
    assert_eq!(got, 30_000, "{}", net.log().tail(20));
    let after = (
        net.host(CLIENT).counters().tcp.retransmission_timeouts,
        net.host(SERVER).counters().tcp.text_dropped_memory,
    );
    assert_eq!(after, before);
}

fn slow_readers_share_little_receive_memory_and_lose_nothing() {
    let (mut server, client) = configs(12, &tcp::Config::default());
    // 64 chunks for 12 buffers of 64 KiB.
    server.receive_memory = 1 << 17;
    let server_app = Plain {
        deaf: true,
        ..Plain::default()
    };
    let client_app = Plain {
        greeting: vec![5; 200_000],
        ..Plain::default()
    };
    let mut net = pair((server, client), (server_app, client_app));
    net.limit_log(1_000);
    net.run_ms(5);
    net.with_app(CLIENT, |_, cx| {
        for _ in 0..12 {
            cx.connect(DestinationId(0)).unwrap();
        }
    });
    // Every 10 ms they read what there is, one after the other.
    let mut turns = 0;
    while net.host(SERVER).app().received.len() < 12 * 200_000 {
        net.run_ms(10);
        net.with_app(SERVER, |app, cx| {
            let open = app.told.iter().filter(|told| told.2 == Told::Open);
            let reader = open.map(|told| told.1).nth(turns % 12);
            app.reads = reader;
            if let Some(reader) = reader {
                cx.resume(reader);
            }
        });
        turns += 1;
        assert!(turns < 1_000, "{}", net.log().tail(20));
    }
    let count = net.host(SERVER).counters().tcp;
    assert_eq!(count.text_dropped_memory, 0, "in {turns} turns");
    let count = net.host(CLIENT).counters().tcp;
    assert_eq!(count.retransmitted_segments, 0, "in {turns} turns");
}

fn many_senders_share_little_send_memory() {
    let (server, mut client) = configs(40, &tcp::Config::default());
    // 32 chunks for 40 connections: the first few take all, and the others have nothing under way
    // whose acknowledgment could tell them that there is room again.
    client.send_memory = 1 << 16;
    let client_app = Plain {
        greeting: vec![5; 30_000],
        ..Plain::default()
    };
    let mut net = pair((server, client), (Plain::default(), client_app));
    net.limit_log(1_000);
    net.run_ms(5);
    net.with_app(CLIENT, |_, cx| {
        for _ in 0..40 {
            cx.connect(DestinationId(0)).unwrap();
        }
    });
    net.run_ms(60_000);
    let got = net.host(SERVER).app().received.len();
    assert_eq!(got, 40 * 30_000, "{}", net.log().tail(20));
    assert_eq!(net.host(CLIENT).usage().send_chunks, 0);
}

over_both! {
    a_full_backlog_drops_syns_until_there_is_room
    a_syn_ack_is_repeated_as_often_as_configured
    a_full_connection_table_refuses_and_recovers
    a_full_time_wait_table_evicts_and_serves_on
    a_handful_of_frames_is_enough
    an_exhausted_pool_delays_and_loses_nothing
    a_transmit_queue_of_one_frame_slows_and_loses_nothing
    many_readers_that_stop_share_little_receive_memory
    senders_wait_while_receive_memory_is_short
    who_reads_is_not_hurt_by_those_who_do_not
    slow_readers_share_little_receive_memory_and_lose_nothing
    many_senders_share_little_send_memory
}
