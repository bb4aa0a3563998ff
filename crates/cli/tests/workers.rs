//! Several workers of `load` and of `serve` over links in memory whose devices spread nothing by our key: each answer comes to
//! the worker that asked, and all shares together are the whole.

use std::sync::Arc;
use std::time::{Duration, Instant};

use load::{Load, Measured};
use runtime::{
    Board, Clock, Commands, Control, ControlArgs, Eal, EalArgs, Idle, MemoryPolicy, Port, PortArgs,
    Run, Worker, WorkerThread, seats,
};
use stack::{Offload, Secrets};
use tidewheel::apps::{Apps, Service};
use tidewheel::config::{Config, Purpose, Source, resolve};
use tidewheel::load::app::{DONE, Generator};
use tidewheel::load::plan::Plan;

const CONNECTIONS: u64 = 3_000;
const ANSWER: Duration = Duration::from_secs(20);

fn config(text: &str, purpose: Purpose) -> Config {
    let text = format!(
        "[port]\ndevice = \"in memory\"\n[time_wait]\ncapacity = \"64k\"\n[limits]\nconnections = 4096\n{text}"
    );
    resolve(&Source::from_text("test", &text).unwrap(), purpose).unwrap()
}

fn secrets() -> Secrets {
    Secrets {
        isn: tcp::isn::Secret::new([7; 32]),
        table: [1, 2],
    }
}

/// A thread for all of `workers`: there may be fewer processors than workers.
fn thread<A>(workers: Vec<Worker<A>>) -> WorkerThread
where
    Worker<A>: Run + 'static,
{
    let boxed = |worker| Box::new(worker) as Box<dyn Run>;
    WorkerThread {
        cpu: None,
        idle: Idle::Yield,
        workers: workers.into_iter().map(boxed).collect(),
    }
}

fn value(board: &Board, name: &str) -> u64 {
    board.get(name).expect("a field of that name")
}

fn sum(boards: &[Arc<Board>], name: &str) -> u64 {
    boards.iter().map(|board| value(board, name)).sum()
}

fn answers_come_to_who_asked(eal: &Eal, workers: u16, (mut a, mut b): (Port, Port)) {
    let serve = config(
        "[host]\naddresses = [\"10.0.0.1/24\"]\n[[listen]]\nport = 7\napp = \"echo\"",
        Purpose::Serve,
    );
    let load = config(
        &format!(
            "[host]\naddresses = [\"10.0.0.2/24\"]\n[load]\ntargets = [\"tcp://10.0.0.1:7\"]\nrequests = 2\n\
             count = {CONNECTIONS}\nrequest_bytes = 100\nresponse_bytes = 100\nsources = [\"10.0.0.10-10.0.0.40\"]\n\
             pairs = \"64k\""
        ),
        Purpose::Load,
    );
    let plan = Plan::new(&load).unwrap();
    let args = PortArgs {
        workers,
        rx_descriptors: 256,
        tx_descriptors: 256,
        ..PortArgs::default()
    };
    let (server_seats, client_seats) = (
        seats(eal, &mut a, &args).expect("seats"),
        seats(eal, &mut b, &args).expect("seats"),
    );
    for port in [&a, &b] {
        runtime::link::wait_until_up(port, Duration::from_secs(10)).expect("link");
    }
    let clock = Clock::start(eal);
    let servers = server_seats.into_iter().map(|seat| {
        let host = serve.host(seat.mac(), Offload::default(), 0);
        let apps = Apps::new(vec![Service::Echo], host.max_connections as usize);
        Worker::new("server", seat, clock, host, secrets(), apps).unwrap()
    });
    let servers: Vec<_> = servers.collect();
    let clients = client_seats.into_iter().zip(0..).map(|(seat, n)| {
        let host = plan.host(&load, seat.mac(), n, workers);
        let (spec, _) = plan.spec.share(n, workers);
        let room = host.max_connections as usize;
        let app = Load::new(spec, Arc::clone(&plan.exchanges), room).unwrap();
        Worker::new("client", seat, clock, host, secrets(), Generator(app)).unwrap()
    });
    let clients: Vec<_> = clients.collect();
    let commands: Vec<Commands<Generator>> = clients.iter().map(Worker::commands).collect();
    let server_boards: Vec<_> = servers.iter().map(|w| Arc::clone(w.board())).collect();
    let client_boards: Vec<_> = clients.iter().map(|w| Arc::clone(w.board())).collect();
    let control = ControlArgs {
        interval: Duration::ZERO,
        drain_timeout: Duration::from_secs(10),
    };
    let threads = vec![thread(servers), thread(clients)];
    let control = Control::start(eal, vec![a, b], threads, control).expect("threads");
    for (worker, n) in commands.iter().zip(0..) {
        let (_, run) = plan.spec.share(n, workers);
        let start = move |stack: &mut stack::Stack<Generator, _>, now| {
            stack.app_mut().0.start(now, &run);
        };
        worker.ask(ANSWER, start).expect("a worker");
    }
    let until = Instant::now() + Duration::from_secs(60);
    while !client_boards.iter().all(|board| value(board, DONE) == 1) {
        assert!(Instant::now() < until, "the run does not end");
        std::thread::sleep(Duration::from_millis(5));
    }
    let mut total = Measured::new().unwrap();
    for worker in &commands {
        let blank = Box::new(Measured::new().unwrap());
        let report =
            |stack: &mut stack::Stack<Generator, _>, now| stack.app_mut().0.report(now, blank);
        let share = worker.ask(ANSWER, report).expect("a worker");
        assert_eq!(share.counts.completed, CONNECTIONS / u64::from(workers));
        assert_eq!(share.latencies.connect.len(), share.counts.established);
        total.beside(&share);
    }
    control.finish(|_| {}).expect("an orderly end");

    let counts = &total.counts;
    assert_eq!(
        (counts.completed, counts.responses),
        (CONNECTIONS, 2 * CONNECTIONS)
    );
    assert_eq!((counts.errors(), counts.cut_off), (0, 0), "{counts:?}");
    assert_eq!(total.latencies.request.len(), 2 * CONNECTIONS);
    assert_eq!(sum(&server_boards, "echo_bytes"), counts.bytes_received);
    for boards in [&server_boards, &client_boards] {
        assert_eq!(sum(boards, "established"), CONNECTIONS);
        assert_eq!(sum(boards, "closed_normal"), CONNECTIONS);
        assert_eq!(sum(boards, "resets_sent") + sum(boards, "live"), 0);
        assert_eq!(sum(boards, "handed_over"), sum(boards, "taken_over"));
        assert_eq!(sum(boards, "drop_handover_full"), 0);
        for board in boards {
            // Half a fair share is far more than chance denies.
            assert!(value(board, "established") > CONNECTIONS / u64::from(workers) / 2);
            assert!(value(board, "handed_over") > 0 && value(board, "taken_over") > 0);
        }
    }
}

/// EAL exists once in a process, so this is one test.
#[test]
fn two_and_four_workers_over_links_that_do_not_steer() {
    let eal = Eal::init(&EalArgs {
        memory: MemoryPolicy::Plain,
        memory_mb: 512,
        ..EalArgs::default()
    });
    let eal = eal.expect("EAL with plain memory");
    for queues in [2, 4] {
        let args = dpdk::ring::RingArgs {
            queues,
            ..dpdk::ring::RingArgs::default()
        };
        let rings = dpdk::ring::pair(&eal, &args).expect("link");
        answers_come_to_who_asked(&eal, queues, rings);
    }
    let memif = dpdk::memif::pair(&eal).expect("link");
    answers_come_to_who_asked(&eal, 2, memif);
}
