use clap::Parser;
use load::{Counts, Measured};

use super::*;
use crate::bench::hosts;
use crate::testing::Pair;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    args: BenchArgs,
}

type Bench = Pair<Generator, Apps>;

fn options(options: &[&str]) -> BenchArgs {
    let line = Line::try_parse_from([&["bench"], options].concat());
    line.unwrap().args
}

/// A client with the options `of`, and a server with those `there`.
fn pair(of: &[&str], there: &[&str]) -> Bench {
    let (args, there) = (options(of), options(there));
    let layout = Layout::of(args.tuples.get(), args.ipv6);
    let (b, a) = (hosts::server(&args, &layout), hosts::client(&args, &layout));
    let app = client(&args, &layout, a.max_connections as usize).unwrap();
    let apps = server(&there, &layout, b.max_connections as usize);
    Pair::new((a, app), (b, apps))
}

fn bench(options: &[&str]) -> Bench {
    pair(options, options)
}

/// What became of `run` in `ms`, and of everything after another 100 ms.
fn phase(bench: &mut Bench, run: &Run, ms: u64) -> (Measured, Counts) {
    let now = bench.now;
    bench.a.app_mut().0.start(now, run);
    bench.run(Duration::from_millis(ms));
    let (now, load) = (bench.now, &mut bench.a.app_mut().0);
    load.stop(now);
    let report = load.report(now, Box::new(Measured::new().unwrap()));
    bench.run(Duration::from_millis(100));
    (*report, *bench.a.app().0.counts())
}

#[test]
fn connections_are_exchanged_whole_and_end() {
    for more in [
        &[][..],
        &["--ipv6"],
        &["--profile", "dperf"],
        &["--close", "client"],
        &["--request-bytes", "5000", "--response-bytes", "100k"],
        &["--request-bytes", "100k", "--close", "client"],
    ] {
        let options = [more, &["--tuples", "200", "--concurrency", "20"]].concat();
        let mut bench = bench(&options);
        let (_, counts) = phase(&mut bench, &closed_loop(Some(100)), 500);
        let seen = (counts.opened, counts.completed, counts.closed);
        assert_eq!(seen, (100, 100, 100), "{more:?} {counts:?}");
        assert_eq!(counts.errors(), 0, "{more:?} {counts:?}");
        assert_eq!(bench.b.usage().live, 0, "{more:?}");
    }
}

#[test]
fn profile_dperf_is_six_packets() {
    let mut bench = bench(&["--profile", "dperf", "--tuples", "100"]);
    let (_, counts) = phase(&mut bench, &closed_loop(Some(100)), 100);
    assert_eq!(counts.completed, 100);
    let host = bench.b.counters().host;
    assert_eq!((host.rx_segments, host.tx_segments), (300, 300));
}

#[test]
fn tuples_in_time_wait_are_recycled() {
    for profile in ["default", "dperf"] {
        let mut bench = bench(&[
            "--profile",
            profile,
            "--tuples",
            "64",
            "--concurrency",
            "16",
        ]);
        let (_, fill) = phase(&mut bench, &closed_loop(Some(64)), 50);
        assert_eq!((fill.completed, bench.b.usage().time_wait), (64, 64));
        let (report, _) = phase(&mut bench, &closed_loop(Some(640)), 200);
        let counts = report.counts;
        assert_eq!((counts.completed, counts.errors()), (640, 0), "{counts:?}");
        assert_eq!(bench.b.usage().time_wait, 64);
        assert_eq!(bench.b.counters().host.passive_opens, 704);
    }
}

#[test]
fn launches_that_must_wait_are_not_left_out_of_the_latency() {
    // Timestamps off and TIME-WAIT on the client: no tuple is free after the first ten.
    let options = ["--tuples", "10", "--close", "client", "--timestamps", "off"];
    let mut bench = bench(&[&options[..], &["--time-wait", "50ms"]].concat());
    let (report, counts) = phase(&mut bench, &open_loop(1_000, 20), 300);
    assert_eq!(counts.completed, 20, "{counts:?}");
    assert!(crate::bench::phases::put_off(&counts) > 0);
    let connect = &report.latencies.connect;
    assert!(connect.max() > 30_000_000, "{}", connect.max());
}

#[test]
fn a_wrong_answer_is_an_error() {
    let here = ["--tuples", "10", "--response-bytes", "10"];
    for wrong in ["9", "11"] {
        let there = ["--tuples", "10", "--response-bytes", wrong];
        let mut bench = pair(&here, &there);
        let (_, counts) = phase(&mut bench, &closed_loop(Some(5)), 50);
        assert_eq!((counts.completed, counts.errors()), (0, 5), "{counts:?}");
        assert_eq!(
            counts.err_wrong + counts.err_cut_short,
            5,
            "{wrong} {counts:?}"
        );
    }
}

#[test]
fn a_request_that_is_too_long_is_reset() {
    let here = ["--tuples", "10", "--request-bytes", "11"];
    let there = ["--tuples", "10", "--request-bytes", "10"];
    let mut bench = pair(&here, &there);
    let (_, counts) = phase(&mut bench, &closed_loop(Some(5)), 50);
    assert_eq!((counts.completed, counts.err_reset), (0, 5), "{counts:?}");
}

#[test]
fn a_refused_open_is_an_error() {
    let args = options(&["--tuples", "10"]);
    let layout = Layout::of(args.tuples.get(), args.ipv6);
    let (mut b, a) = (hosts::server(&args, &layout), hosts::client(&args, &layout));
    b.listeners.clear();
    let app = client(&args, &layout, a.max_connections as usize).unwrap();
    let apps = server(&args, &layout, b.max_connections as usize);
    let mut bench = Pair::new((a, app), (b, apps));
    let (_, counts) = phase(&mut bench, &closed_loop(Some(1)), 20);
    let seen = (counts.opened, counts.completed, counts.err_refused);
    assert_eq!(seen, (1, 0, 1), "{counts:?}");
}
