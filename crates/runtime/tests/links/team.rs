//! Several workers on a port that does not steer: every connection is with its owner all the same.

use std::sync::Arc;
use std::time::Duration;

use runtime::{
    Board, Clock, Control, ControlArgs, Idle, Port, PortArgs, Run, Worker, WorkerThread, link,
    seats,
};

use crate::common::{Client, Echo, client_on, eal, server_on};
use crate::{value, wait_until};

fn boards<A>(workers: &[Worker<A>]) -> Vec<Arc<Board>>
where
    Worker<A>: Run,
{
    workers.iter().map(|w| Arc::clone(w.board())).collect()
}

/// One thread for all of `workers`.
fn thread<A>(workers: Vec<Worker<A>>) -> WorkerThread
where
    Worker<A>: Run + 'static,
{
    WorkerThread {
        cpu: None,
        idle: Idle::Yield,
        workers: workers
            .into_iter()
            .map(|worker| Box::new(worker) as Box<dyn Run>)
            .collect(),
    }
}

/// A link in memory with so many queues each way.
fn rings(queues: u16) -> (Port, Port) {
    let args = dpdk::ring::RingArgs {
        queues,
        ..dpdk::ring::RingArgs::default()
    };
    dpdk::ring::pair(eal(), &args).expect("link")
}

/// Servers on all queues of one end of a link, clients on all of the other; neither end's device steers.
/// Each end on a thread of its own.
fn every_connection_is_with_its_owner(workers: u16, (mut a, mut b): (Port, Port)) {
    const EACH: u64 = 500;
    let args = PortArgs {
        workers,
        rx_descriptors: 256,
        tx_descriptors: 256,
        ..PortArgs::default()
    };
    let server_seats = seats(eal(), &mut a, &args).expect("seats");
    let client_seats = seats(eal(), &mut b, &args).expect("seats");
    for port in [&a, &b] {
        link::wait_until_up(port, Duration::from_secs(10)).expect("link");
    }
    let all = server_seats.iter().chain(&client_seats);
    let pools: Vec<_> = all.map(|seat| seat.pool().clone()).collect();
    let clock = Clock::start(eal());
    let servers = server_seats
        .into_iter()
        .map(|seat| server_on(seat, clock, Echo::default()));
    let servers: Vec<_> = servers.collect();
    let clients = client_seats
        .into_iter()
        .map(|seat| client_on(seat, clock, Client::new(EACH, 20, 3_000)));
    let clients: Vec<_> = clients.collect();
    let server_boards = boards(&servers);
    let client_boards = boards(&clients);

    let threads = vec![thread(servers), thread(clients)];
    let args = ControlArgs {
        interval: Duration::ZERO,
        drain_timeout: Duration::from_secs(10),
    };
    let control = Control::start(eal(), vec![a, b], threads, args).expect("threads");
    wait_until("all connections done", || {
        client_boards
            .iter()
            .all(|board| value(board, "client_normal") + value(board, "client_otherwise") == EACH)
    });
    control.finish(|_| {}).expect("an orderly end");

    let sum = |boards: &[Arc<Board>], name| boards.iter().map(|b| value(b, name)).sum::<u64>();
    for boards in [&server_boards, &client_boards] {
        let all = EACH * u64::from(workers);
        assert_eq!(sum(boards, "established"), all);
        assert_eq!(sum(boards, "closed_normal"), all);
        assert_eq!(sum(boards, "closed_resets") + sum(boards, "resets_sent"), 0);
        assert_eq!(sum(boards, "live"), 0);
        assert_eq!(sum(boards, "drop_handover_full"), 0);
        assert_eq!(sum(boards, "handed_over"), sum(boards, "taken_over"));
        for board in boards {
            assert!(value(board, "established") > EACH / 2, "a fair share");
            assert!(value(board, "handed_over") > 0);
            assert!(value(board, "taken_over") > 0);
        }
    }
    assert_eq!(
        sum(&client_boards, "client_echoed"),
        EACH * u64::from(workers)
    );
    let missing: u32 = pools.iter().map(|p| p.size() - p.available()).sum();
    assert_eq!(missing, 0, "packet buffers are missing");
}

#[test]
fn two_workers_hand_over() {
    every_connection_is_with_its_owner(2, rings(2));
}

#[test]
fn two_workers_hand_over_on_memif() {
    every_connection_is_with_its_owner(2, dpdk::memif::pair(eal()).expect("link"));
}

#[test]
fn four_workers_hand_over() {
    every_connection_is_with_its_owner(4, rings(4));
}
