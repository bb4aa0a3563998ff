//! A server and a client over links in memory: on one thread in turn and on two, to the end of
//! everything. Needs neither root nor huge pages.

#[path = "../common/mod.rs"]
mod common;
mod team;
mod trouble;

use std::sync::Arc;
use std::time::{Duration, Instant};

use common::{Client, Echo, client, eal, server};
use runtime::link::{self, Link};
use runtime::{
    Board, Clock, CommandError, Commands, Control, ControlArgs, Error, Event, Idle, Phase, Port,
    PortArgs, WorkerThread, seats,
};

/// How many threads the two workers run on.
#[derive(Clone, Copy)]
enum Threads {
    One,
    Two,
}

struct Scene {
    control: Control,
    server: Commands<Echo>,
    client: Commands<Client>,
    /// Reads of both pools how many buffers are missing.
    missing: Box<dyn Fn() -> u32>,
}

fn start(link: Link, threads: Threads, server_app: Echo, client_app: Client) -> Scene {
    let args = ControlArgs {
        interval: Duration::from_millis(50),
        drain_timeout: Duration::from_millis(200),
    };
    start_with(link, threads, server_app, client_app, args)
}

fn start_with(
    link: Link,
    threads: Threads,
    server_app: Echo,
    client_app: Client,
    args: ControlArgs,
) -> Scene {
    let (a, b) = link::pair(eal(), link, &PortArgs::default()).expect("link");
    let pools = [a.seat.pool().clone(), b.seat.pool().clone()];
    let missing = move || pools.iter().map(|p| p.size() - p.available()).sum();
    let clock = Clock::start(eal());
    let (server, a) = server(a, clock, server_app);
    let (client, b) = client(b, clock, client_app);
    let (server_commands, client_commands) = (server.commands(), client.commands());
    let threads = match threads {
        Threads::One => vec![WorkerThread::new(None, Idle::Yield, server).and(client)],
        Threads::Two => vec![
            WorkerThread::new(None, Idle::Yield, server),
            WorkerThread::new(None, Idle::Yield, client),
        ],
    };
    let ports: Vec<Port> = vec![a, b];
    Scene {
        control: Control::start(eal(), ports, threads, args).expect("threads"),
        server: server_commands,
        client: client_commands,
        missing: Box::new(missing),
    }
}

fn value(board: &Arc<Board>, name: &str) -> u64 {
    board.get(name).expect("a field of that name")
}

/// Waits until `done`, for a minute at most.
fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(
            start.elapsed() < Duration::from_secs(60),
            "still not: {what}"
        );
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Every connection comes to its proper end, and then nothing is left of any of them.
fn all_complete(link: Link, threads: Threads) {
    const N: u64 = 3_000;
    let scene = start(link, threads, Echo::default(), Client::new(N, 100, 100));
    let board = Arc::clone(scene.client.board());
    wait_until("all connections done", || {
        value(&board, "client_normal") + value(&board, "client_otherwise") == N
    });
    assert_eq!(value(&board, "client_otherwise"), 0);
    let second = Duration::from_secs(10);
    let (wrong, echoed) = scene
        .client
        .ask(second, |stack, _| {
            (stack.app().wrong_bytes, stack.app().echoed)
        })
        .expect("an answer");
    assert_eq!((wrong, echoed), (0, N));

    let server = Arc::clone(scene.server.board());
    let end = scene.control.finish(|_| {}).expect("an orderly end");
    assert!(end.drained);
    assert_eq!(end.reset, 0);
    for board in [&board, &server] {
        assert_eq!(board.phase(), Phase::Left);
        assert_eq!(value(board, "live"), 0);
        assert_eq!(value(board, "established"), N);
        assert_eq!(value(board, "loop_tx_waiting"), 0);
        assert!(value(board, "loop_busy_ns") <= value(board, "loop_ns"));
        assert!(value(board, "loop_busy_turns") < value(board, "loop_turns"));
    }
    assert_eq!((scene.missing)(), 0, "packet buffers are missing");
}

#[test]
fn ring_in_turn() {
    all_complete(Link::Ring, Threads::One);
}

#[test]
fn ring_on_two_threads() {
    all_complete(Link::Ring, Threads::Two);
}

#[test]
fn memif_in_turn() {
    all_complete(Link::Memif, Threads::One);
}

#[test]
fn memif_on_two_threads() {
    all_complete(Link::Memif, Threads::Two);
}

/// Much data both ways at once: full queues facing each other do not block each other.
#[test]
fn full_queues_go_on() {
    let scene = start(
        Link::Ring,
        Threads::Two,
        Echo::default(),
        Client::new(64, 64, 500_000),
    );
    let board = Arc::clone(scene.client.board());
    wait_until("all bytes back", || value(&board, "client_normal") == 64);
    scene.control.finish(|_| {}).expect("an orderly end");
    assert_eq!((scene.missing)(), 0);
}

/// Connections that do not end by themselves are reset when the drain timeout is over.
#[test]
fn what_does_not_drain_is_reset() {
    let mut app = Client::new(10, 10, 10);
    app.close = false;
    let scene = start(Link::Ring, Threads::Two, Echo::default(), app);
    let (client, server) = (
        Arc::clone(scene.client.board()),
        Arc::clone(scene.server.board()),
    );
    wait_until("all open", || value(&client, "client_echoed") == 10);
    wait_until("published", || value(&server, "live") == 10);
    let begin = Instant::now();
    let end = scene.control.finish(|_| {}).expect("an orderly end");
    assert!(begin.elapsed() >= Duration::from_millis(200));
    assert!(!end.drained);
    assert_eq!(end.reset, 20);
    for board in [&client, &server] {
        assert_eq!(value(board, "live"), 0);
    }
    assert_eq!((scene.missing)(), 0);
}

/// A worker's panic ends everything, with an error that says so, and leaves no thread behind.
#[test]
fn a_panic_ends_the_program_with_an_error() {
    let app = Echo {
        panic_at_open: true,
        ..Echo::default()
    };
    let scene = start(Link::Ring, Threads::Two, app, Client::new(1, 1, 10));
    let (client, server) = (scene.client.clone(), scene.server.clone());
    let error = scene.control.run(|_| {}).expect_err("a panic");
    let Error::Panicked { worker, message } = &error else {
        panic!("{error}");
    };
    assert_eq!(worker, "server");
    assert!(message.contains("on purpose"), "{message}");
    for phase in [client.board().phase(), server.board().phase()] {
        assert_eq!(phase, Phase::Left);
    }
    let asked = server.ask(Duration::from_secs(60), |_, _| ());
    assert_eq!(asked, Err(CommandError::Left));
    assert_eq!((scene.missing)(), 0);
}

/// Ticks come in time and carry what happened within them.
#[test]
fn snapshots_tell_what_happened() {
    let app = Client::new(500, 10, 10);
    let mut scene = start(Link::Ring, Threads::One, Echo::default(), app);
    let (mut ticks, mut closed, mut frames) = (0, 0, 0);
    let until = Instant::now() + Duration::from_secs(30);
    while closed < 1_000 {
        match scene.control.next(Some(until)).expect("an event") {
            Event::Tick(snapshot) => {
                ticks += 1;
                closed += snapshot.delta("closed_normal");
                frames += snapshot
                    .ports
                    .iter()
                    .map(|p| p.stats.opackets - p.before.opackets)
                    .sum::<u64>();
                assert_eq!(snapshot.workers.len(), 2);
                assert!(snapshot.line().to_string().contains("opened "));
                for worker in &snapshot.workers {
                    assert!((0.0..=1.0).contains(&worker.busy_share()));
                }
            }
            event => panic!("{event:?}"),
        }
    }
    assert_eq!(closed, 1_000);
    assert!(frames >= 3_000, "{frames} frames for 500 connections");
    let soon = Instant::now() + Duration::from_millis(500);
    while let Event::Tick(_) = scene.control.next(Some(soon)).expect("an event") {
        ticks += 1;
    }
    assert!((8..=12).contains(&(ticks.min(12))), "{ticks}");
    scene.control.finish(|_| {}).expect("an orderly end");
}

/// More workers than the device has queues are refused, and the device is named.
#[test]
fn more_workers_than_queues_are_refused() {
    let (mut port, _other) =
        dpdk::ring::pair(eal(), &dpdk::ring::RingArgs::default()).expect("link");
    let args = PortArgs {
        workers: 2,
        ..PortArgs::default()
    };
    let Err(error) = seats(eal(), &mut port, &args) else {
        panic!("two workers on one queue");
    };
    let error = error.to_string();
    assert!(
        error.starts_with("2 workers need a queue each way of their own, and net_ring_")
            && error.contains(" has 1: have fewer workers"),
        "{error}"
    );
    // The device is as it was, and does for one.
    let args = PortArgs::default();
    assert_eq!(seats(eal(), &mut port, &args).expect("a seat").len(), 1);
}

/// A thread that cannot be pinned is an error at start, and the others do not run on.
#[test]
fn a_cpu_that_is_not_there() {
    let (a, b) = link::pair(eal(), Link::Ring, &PortArgs::default()).expect("link");
    let clock = Clock::start(eal());
    let (server, a) = server(a, clock, Echo::default());
    let (client, b) = client(b, clock, Client::new(0, 0, 0));
    let boards = [server.commands(), server.commands()].map(|c| Arc::clone(c.board()));
    let threads = vec![
        WorkerThread::new(None, Idle::Yield, server),
        WorkerThread::new(Some(1 << 20), Idle::Yield, client),
    ];
    let error = Control::start(eal(), vec![a, b], threads, ControlArgs::default());
    assert!(matches!(error, Err(Error::Dpdk(_))), "{error:?}");
    assert!(boards.iter().all(|b| b.phase() == Phase::Left));
}

/// The bare link carries frames both ways, on one thread and on two.
#[test]
fn baseline() {
    let cpus = runtime::allowed_cpus().expect("CPUs");
    for cpus in [&cpus[..1], &cpus[..cpus.len().min(2)]] {
        for link in [Link::Ring, Link::Memif] {
            let duration = Duration::from_millis(100);
            let measured = link::baseline(eal(), link, cpus, 64, duration).expect("a measurement");
            assert!(measured.there_pps > 0.0, "{link:?} {measured:?}");
            assert!(measured.back_pps > 0.0, "{link:?} {measured:?}");
        }
    }
}
