//! What is exhausted, dead or stuck under DPDK: counted, without harm to the connections beside it, and
//! over by itself when its cause is.

use std::sync::Arc;
use std::time::Duration;

use dpdk::Mempool;
use runtime::link::{self, Link};
use runtime::{
    Board, Clock, Commands, Control, ControlArgs, Idle, MbufFrame, Phase, Port, PortArgs,
    WorkerThread,
};
use stack::{Config, FramePool};

use crate::common::{Client, Echo, client_with, eal, server_with};
use crate::{value, wait_until};

/// A server and a client on threads of their own.
struct Pair {
    control: Control,
    server: Commands<Echo>,
    client: Commands<Client>,
    pools: [Mempool; 2],
}

/// Retransmits soon, so that tests do not wait.
fn hasty(tcp: &mut tcp::Config) {
    tcp.rto_initial_ms = 100;
    tcp.rto_min_ms = 20;
    tcp.rto_max_ms = 1_000;
    tcp.syn_retries = 30;
    tcp.data_retries = 30;
    tcp.fin_wait2_timeout_ms = 1_000;
}

fn pair(link: Link, app: (Echo, Client), change_server: impl FnOnce(&mut Config)) -> Pair {
    let (a, b) = link::pair(eal(), link, &PortArgs::default()).expect("link");
    let pools = [a.seat.pool().clone(), b.seat.pool().clone()];
    let clock = Clock::start(eal());
    let server = server_with(a.seat, clock, app.0, |config| {
        hasty(&mut config.listeners[0].tcp);
        change_server(config);
    });
    let client = client_with(b.seat, clock, app.1, |config| {
        hasty(&mut config.destinations[0].tcp);
    });
    let (server_commands, client_commands) = (server.commands(), client.commands());
    let threads = vec![
        WorkerThread::new(None, Idle::Yield, server),
        WorkerThread::new(None, Idle::Yield, client),
    ];
    let ports: Vec<Port> = vec![a.port, b.port];
    let args = ControlArgs {
        interval: Duration::ZERO,
        drain_timeout: Duration::from_secs(30),
    };
    Pair {
        control: Control::start(eal(), ports, threads, args).expect("threads"),
        server: server_commands,
        client: client_commands,
        pools,
    }
}

impl Pair {
    fn boards(&self) -> [Arc<Board>; 2] {
        [
            Arc::clone(self.server.board()),
            Arc::clone(self.client.board()),
        ]
    }

    /// Has the client open `more` connections.
    fn open(&self, more: u64) {
        let answer = self.client.ask(Duration::from_secs(60), move |stack, _| {
            stack.app_mut().to_open += more;
        });
        answer.expect("an answer");
    }

    /// Changes the server.
    fn server(&self, change: impl FnOnce(&mut Echo) + Send + 'static) {
        let answer = self.server.ask(Duration::from_secs(60), |stack, _| {
            change(stack.app_mut());
        });
        answer.expect("an answer");
    }

    /// Drains both ends: nothing is left, no buffer is missing, and every connection of the client but
    /// `otherwise` ended as it should.
    fn end(self, otherwise: u64) {
        let boards = self.boards();
        let end = self.control.finish(|_| {}).expect("an orderly end");
        assert!(end.drained);
        for board in &boards {
            assert_eq!(board.phase(), Phase::Left);
            assert_eq!(value(board, "live"), 0);
            assert_eq!(value(board, "receive_chunks"), 0);
            assert_eq!(value(board, "send_chunks"), 0);
        }
        assert_eq!(value(&boards[1], "client_otherwise"), otherwise);
        for pool in &self.pools {
            assert_eq!(pool.available(), pool.size(), "packet buffers are missing");
        }
    }
}

fn all_normal(board: &Arc<Board>, n: u64) {
    wait_until("all connections done", || {
        value(board, "client_normal") + value(board, "client_otherwise") == n
    });
    assert_eq!(value(board, "client_normal"), n);
}

/// Takes all buffers that a worker can get hold of, those in caches of its thread included.
fn take_all<A: stack::Application + 'static>(commands: &Commands<A>, taken: &mut Vec<MbufFrame>) {
    let all = commands.ask(Duration::from_secs(60), |stack, _| {
        let pool = stack.pool_mut();
        std::iter::from_fn(|| pool.alloc(64)).collect::<Vec<_>>()
    });
    taken.extend(all.expect("an answer"));
}

/// Somebody else has all buffers of both ends, in the middle of transfers both ways: what cannot be received
/// or sent is counted, and everything comes to its end when there are buffers again.
fn no_buffers(link: Link) {
    const N: u64 = 32;
    let pair = pair(
        link,
        (Echo::default(), Client::new(N, N, 1_000_000)),
        |_| {},
    );
    let [server, client] = pair.boards();
    wait_until("transfers", || value(&server, "rx_segments") > 1_000);
    let mut taken = Vec::new();
    wait_until("a lack of buffers", || {
        take_all(&pair.server, &mut taken);
        take_all(&pair.client, &mut taken);
        let unsent = |board| value(board, "drop_tx_no_buffer");
        unsent(&server) + unsent(&client) > 0
    });
    // The worker goes on all the while.
    let turns = value(&server, "loop_turns");
    wait_until("turns", || value(&server, "loop_turns") > turns + 100);
    assert_eq!(value(&client, "client_otherwise"), 0);
    drop(taken);
    all_normal(&client, N);
    pair.end(0);
}

#[test]
fn no_buffers_to_send_with() {
    // Frames arrive in the buffers of whoever sent them.
    no_buffers(Link::Ring);
}

#[test]
fn no_buffers_to_receive_into() {
    // Frames for which there is none stay in the link.
    no_buffers(Link::Memif);
}

/// Three times as many connections as the table has places: the newest wait, and none is lost.
#[test]
fn a_full_table_takes_the_others_later() {
    const N: u64 = 96;
    let app = (Echo::default(), Client::new(N, N, 20_000));
    let pair = pair(Link::Ring, app, |config| config.max_connections = 32);
    let [server, client] = pair.boards();
    all_normal(&client, N);
    assert!(value(&server, "drop_table_full") > 0);
    pair.end(0);
}

/// The same with a backlog of two.
#[test]
fn a_full_backlog_takes_the_others_later() {
    const N: u64 = 16;
    let app = (Echo::default(), Client::new(N, N, 1_000));
    let pair = pair(Link::Memif, app, |config| config.listeners[0].backlog = 2);
    let [server, client] = pair.boards();
    all_normal(&client, N);
    assert!(value(&server, "drop_backlog_full") > 0);
    pair.end(0);
}

/// An application that consumes nothing holds no more than its windows and the receive memory, and gets
/// everything once it reads again.
#[test]
fn an_application_that_does_not_read_holds_little() {
    const N: u64 = 64;
    let echo = Echo {
        deaf: true,
        ..Echo::default()
    };
    let pair = pair(Link::Ring, (echo, Client::new(N, N, 200_000)), |config| {
        config.receive_memory = 1 << 20;
    });
    let [server, client] = pair.boards();
    wait_until("a lack of memory", || {
        value(&server, "established") == N && value(&server, "text_dropped_memory") > N
    });
    assert!(value(&server, "receive_chunks") <= (1 << 20) / 2_048);
    let answer = pair.server.ask(Duration::from_secs(60), |stack, now| {
        stack.with_app(now, |app, cx| {
            app.deaf = false;
            app.unread.drain(..).for_each(|conn| cx.resume(conn));
        });
    });
    answer.expect("an answer");
    all_normal(&client, N);
    pair.end(0);
}

/// An application that is stuck in a callback for half a second: its worker counts that, and what it was
/// sent meanwhile is worked off or sent again.
#[test]
fn a_stuck_application_is_caught_up_with() {
    const N: u64 = 64;
    const NAP: Duration = Duration::from_millis(500);
    let echo = Echo {
        nap: NAP,
        ..Echo::default()
    };
    let pair = pair(Link::Memif, (echo, Client::new(N, N, 500_000)), |_| {});
    let [server, client] = pair.boards();
    // The rate of the TSC is an estimate, so a nap may show as a little less than it took.
    wait_until("the nap", || {
        value(&server, "loop_longest_turn_ns") >= NAP.as_nanos() as u64 * 9 / 10
    });
    all_normal(&client, N);
    pair.end(0);
}

/// An application that never closes fills the table with connections whose peers have gone. New ones are
/// refused and counted; keep-alive finds that nobody is there, and its places are free again.
#[test]
fn an_application_that_never_closes_loses_its_peers_in_time() {
    const PLACES: u64 = 16;
    let echo = Echo {
        keeps: true,
        ..Echo::default()
    };
    let pair = pair(
        Link::Ring,
        (echo, Client::new(PLACES, PLACES, 100)),
        |config| {
            config.max_connections = PLACES as u32;
            config.listeners[0].tcp.keepalive = Some(tcp::Keepalive {
                idle_ms: 3_000,
                interval_ms: 1_000,
                count: 3,
            });
        },
    );
    let [server, client] = pair.boards();
    // The client has closed and waits in FIN-WAIT-2, which ends after a second.
    all_normal(&client, PLACES);
    assert_eq!(value(&server, "live"), PLACES);
    pair.open(PLACES);
    wait_until("refusals", || value(&server, "drop_table_full") > 0);
    pair.server(|echo| echo.keeps = false);
    all_normal(&client, 2 * PLACES);
    assert_eq!(value(&server, "closed_reset"), PLACES);
    assert!(value(&server, "keepalive_probes_sent") >= PLACES);
    pair.end(0);
}
