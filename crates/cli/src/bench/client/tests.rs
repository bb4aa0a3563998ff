use clap::Parser;

use super::*;
use crate::bench::args::BenchArgs;
use crate::bench::hosts::{self, Layout};
use crate::bench::server::Server;
use crate::testing::Pair;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    args: BenchArgs,
}

type Bench = Pair<Client, Server>;

/// A bench with the given options; the server follows `exchange` if that is not the client's.
fn bench(options: &[&str], exchange: Option<Exchange>) -> Bench {
    let line = Line::try_parse_from([&["bench"], options].concat()).unwrap();
    pair(&line.args, exchange)
}

fn pair(args: &BenchArgs, exchange: Option<Exchange>) -> Bench {
    let layout = Layout::of(args.tuples.get(), args.ipv6);
    let (server, client) = (hosts::server(args, &layout), hosts::client(args, &layout));
    let max = client.max_connections as usize;
    let a = Client::new(args.exchange(), layout.destinations().collect(), max).unwrap();
    let b = Server::new(
        exchange.unwrap_or(args.exchange()),
        server.max_connections as usize,
    );
    Pair::new((client, a), (server, b))
}

/// Follows `plan` for `ms`, then rests for 100 ms; what happened during the plan, and all.
fn phase(bench: &mut Bench, plan: Plan, ms: u64) -> (Report, Counts) {
    let now = bench.now;
    bench.a.app_mut().follow(now, plan);
    bench.run(Duration::from_millis(ms));
    let now = bench.now;
    let report = bench.a.app_mut().follow(now, Plan::REST);
    bench.run(Duration::from_millis(100));
    (report, bench.a.app().counts())
}

fn closed(concurrency: u32, limit: u64) -> Plan {
    Plan {
        pace: Pace::Closed { concurrency },
        limit: Some(limit),
        latency: false,
    }
}

#[test]
fn connections_are_completed_whoever_closes_and_whatever_the_sizes() {
    for options in [
        &["--profile", "dperf"][..],
        &[],
        &["--close", "client"],
        &["--request-bytes", "5000", "--response-bytes", "100k"],
        &["--request-bytes", "100k", "--close", "client"],
    ] {
        let mut bench = bench(&[options, &["--tuples", "200"]].concat(), None);
        let (_, counts) = phase(&mut bench, closed(20, 100), 500);
        assert_eq!(
            (counts.launched, counts.completed),
            (100, 100),
            "{options:?} {counts:?}"
        );
        assert_eq!(
            (counts.live(), counts.errors()),
            (0, 0),
            "{options:?} {counts:?}"
        );
        assert_eq!(bench.b.usage().live, 0, "{options:?}");
    }
}

#[test]
fn profile_dperf_is_six_packets() {
    let mut bench = bench(&["--profile", "dperf", "--tuples", "100"], None);
    let (_, counts) = phase(&mut bench, closed(10, 100), 100);
    assert_eq!(counts.completed, 100);
    let host = bench.b.counters().host;
    assert_eq!((host.rx_segments, host.tx_segments), (300, 300));
}

#[test]
fn tuples_in_time_wait_are_recycled() {
    for options in [&["--profile", "dperf"][..], &[]] {
        let mut bench = bench(&[options, &["--tuples", "64"]].concat(), None);
        let (_, fill) = phase(&mut bench, closed(16, 64), 50);
        assert_eq!((fill.completed, bench.b.usage().time_wait), (64, 64));
        let (report, _) = phase(&mut bench, closed(16, 640), 200);
        assert_eq!(
            report.counts.completed, 640,
            "{options:?} {:?}",
            report.counts
        );
        assert_eq!(report.counts.errors(), 0);
        assert_eq!(bench.b.usage().time_wait, 64);
        assert_eq!(bench.b.counters().host.passive_opens, 704);
    }
}

#[test]
fn an_open_loop_keeps_its_rate_and_measures_from_the_intended_launch() {
    let mut bench = bench(&["--tuples", "5000"], None);
    let plan = Plan {
        pace: Pace::Open {
            rate: 10_000,
            concurrency: 100,
        },
        limit: None,
        latency: true,
    };
    let (report, _) = phase(&mut bench, plan, 200);
    assert!(
        (1990..=2010).contains(&report.counts.launched),
        "{:?}",
        report.counts
    );
    // Two turns of 10 µs to open, and launches are due between turns.
    assert!(report.latency.max() < 100_000, "{}", report.latency.max());
    assert!(report.latency.len() >= 1990);
    assert!(
        report.elapsed >= Duration::from_millis(199),
        "{:?}",
        report.elapsed
    );
}

#[test]
fn launches_that_must_wait_are_not_left_out_of_the_latency() {
    // Timestamps off and TIME-WAIT on the client: no tuple is free after the first ten.
    let options = ["--tuples", "10", "--close", "client", "--timestamps", "off"];
    let mut bench = bench(&[&options[..], &["--time-wait", "50ms"]].concat(), None);
    let plan = Plan {
        pace: Pace::Open {
            rate: 1_000,
            concurrency: 100,
        },
        limit: Some(20),
        latency: true,
    };
    let (report, counts) = phase(&mut bench, plan, 300);
    assert_eq!(counts.completed, 20, "{counts:?}");
    assert!(counts.put_off > 0);
    assert!(
        report.latency.max() > 30_000_000,
        "{}",
        report.latency.max()
    );
}

#[test]
fn a_response_of_the_wrong_length_is_an_error() {
    let exchange = |response_bytes| Exchange {
        request_bytes: 1,
        response_bytes,
        server_closes: true,
    };
    for wrong in [9, 11] {
        let mut bench = bench(
            &["--tuples", "10", "--response-bytes", "10"],
            Some(exchange(wrong)),
        );
        let (_, counts) = phase(&mut bench, closed(1, 5), 50);
        assert_eq!(
            (counts.completed, counts.wrong_bytes),
            (0, 5),
            "{wrong} {counts:?}"
        );
        assert_eq!(counts.errors(), 5);
    }
}

#[test]
fn a_refused_open_is_an_error() {
    let mut bench = bench(&["--tuples", "10"], None);
    bench.b.drain(bench.now);
    let (_, counts) = phase(&mut bench, closed(1, 1), 20);
    assert_eq!((counts.launched, counts.completed), (1, 0));
}
