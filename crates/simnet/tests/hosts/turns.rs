//! One turn of the loop does so much and no more, however many connections there are: the rest comes in the
//! turns after it.

use crate::common::plain::{Plain, Told};
use crate::common::{self, CLIENT, LINK, PORT, SERVER, configs, host, ip, mac, pair};
use simnet::craft::{self, Addresses};
use simnet::{Network, Peer};
use stack::{CloseReason, DestinationId, Frame, FramePool, MemPool, OUT_CAPACITY, Stack};
use tcp::time::Instant;
use wire::Seq;
use wire::tcp::{Flags, Header};

/// What one turn looks at: see `FLUSH_BUDGET`.
const A_TURN: usize = 1024;

fn segment(src_port: u16, seq: u32, flags: Flags) -> Header {
    Header {
        src_port,
        dst_port: PORT,
        seq: Seq(seq),
        flags,
        window: 8_000,
        ..Header::default()
    }
}

/// Gives the host one frame, and lets it answer.
fn input(stack: &mut Stack<Plain, MemPool>, now: Instant, to: &Addresses, header: &Header) {
    let bytes = craft::tcp(to, header, b"");
    let mut frame = stack.pool_mut().alloc(bytes.len()).expect("a frame");
    frame.data_mut().copy_from_slice(&bytes);
    stack.receive(now, &mut vec![frame]);
    stack.transmit(now);
}

fn a_connection_waits_for_its_turn_in_one_place() {
    let mut net = Network::new(1);
    let (mut config, _) = configs(1, &tcp::Config::default());
    config.max_connections = 512;
    config.listeners[0].backlog = 512;
    net.add_host(common::stack(config, 1, Plain::default(), 1024), LINK);
    let peer = Peer::new(mac(9), ip(9));
    let to = peer.to(mac(1), ip(1));
    let peer = net.add_peer(peer, LINK);
    net.run_ms(5);
    // The host learns where the peer is.
    net.send(peer, craft::tcp(&to, &segment(1, 100, Flags::SYN), b""));
    net.run_ms(10);
    let now = net.now();
    let host = net.host_mut(SERVER);
    // The link takes nothing any more.
    for port in 2..=300 {
        input(host, now, &to, &segment(port, 100, Flags::SYN));
    }
    assert_eq!(host.out().len(), OUT_CAPACITY);
    let live = host.usage().live;
    assert_eq!((live, host.usage().due), (300, 299 - OUT_CAPACITY as u64));
    // What is answered by nothing ends and begins again.
    for round in 0..1_000 {
        input(host, now, &to, &segment(2, 101, Flags::RST));
        input(host, now, &to, &segment(2, 100, Flags::SYN));
        let usage = host.usage();
        assert!(
            usage.due <= live && usage.live == live,
            "{round}: {usage:?}"
        );
    }
    assert_eq!(host.counters().host.passive_opens, 1_300);
    // The link recovers, and every one of them is answered.
    net.run_ms(20);
    let usage = net.host(SERVER).usage();
    assert_eq!((usage.live, usage.due), (300, 0));
    let answered = net.peer_mut(peer).take_segments();
    let last = |port| answered.iter().rfind(|(s, _)| s.header.dst_port == port);
    for port in 2..=300 {
        let (last, _) = last(port).unwrap_or_else(|| panic!("port {port} has no answer"));
        assert!(last.has(Flags::SYN | Flags::ACK));
    }
}

fn those_who_wait_for_a_neighbour_in_vain_end_in_many_turns() {
    const MANY: usize = 3_000;
    let mut config = host(2);
    config.max_connections = MANY as u32;
    let destination = common::destination(9, MANY as u16, tcp::Config::default());
    config.destinations.push(destination);
    let mut stack = common::stack(config, 1, Plain::default(), 1024);
    stack.with_app(Instant::ZERO, |_, cx| {
        for _ in 0..MANY {
            cx.connect(DestinationId(0)).unwrap();
        }
    });
    let mut now = Instant::ZERO;
    let mut ended = 0;
    for turn in 0.. {
        now = now.plus_millis(10);
        stack.advance(now);
        stack.transmit(now);
        for frame in stack.out().split_off(0) {
            stack.pool_mut().free(frame);
        }
        let all = stack.app().ended(CloseReason::Unreachable);
        assert!(all - ended <= A_TURN, "turn {turn} ends {}", all - ended);
        ended = all;
        if ended == MANY {
            break;
        }
        assert!(turn < 1_000, "{ended} of {MANY} ended");
    }
    assert!(now >= Instant::from_millis(3_000), "{now:?}");
    assert_eq!(stack.usage().live, 0);
}

fn those_who_wait_for_memory_are_told_in_many_turns() {
    const MANY: usize = 1_500;
    const GREEDY: usize = 32;
    let (mut server, mut client) = configs(MANY as u16, &tcp::Config::default());
    server.max_connections = MANY as u32;
    server.listeners[0].backlog = MANY as u32;
    client.max_connections = MANY as u32;
    // 32 chunks, which as many connections take.
    client.send_memory = 1 << 16;
    let server_app = Plain {
        deaf: true,
        ..Plain::default()
    };
    let mut net = pair((server, client), (server_app, Plain::default()));
    net.limit_log(1_000);
    net.run_ms(5);
    net.with_app(CLIENT, |_, cx| {
        for _ in 0..MANY {
            cx.connect(DestinationId(0)).unwrap();
        }
    });
    net.run_ms(2_000);
    assert_eq!(net.host(CLIENT).app().count(Told::Open), MANY);
    net.with_app(CLIENT, |app, cx| {
        let all: Vec<_> = app.told.iter().map(|(_, conn, _)| *conn).collect();
        let (greedy, others) = all.split_at(GREEDY);
        for &conn in greedy {
            assert_eq!(cx.send(conn, b"a chunk"), 7);
        }
        for &conn in others {
            assert_eq!(cx.send(conn, b"nothing"), 0);
        }
        for &conn in greedy {
            cx.abort(conn);
        }
    });
    net.run_ms(100);
    let told = &net.host(CLIENT).app().told;
    let writable: Vec<Instant> = told
        .iter()
        .filter(|(_, _, told)| *told == Told::Writable)
        .map(|(at, _, _)| *at)
        .collect();
    assert_eq!(writable.len(), MANY - GREEDY);
    let turns = writable.chunk_by(|a, b| a == b);
    let most = turns.map(<[Instant]>::len).max();
    assert_eq!(most, Some(A_TURN));
}

over_both! {
    a_connection_waits_for_its_turn_in_one_place
    those_who_wait_for_a_neighbour_in_vain_end_in_many_turns
    those_who_wait_for_memory_are_told_in_many_turns
}
