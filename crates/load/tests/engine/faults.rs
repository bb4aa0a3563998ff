//! What a server does wrong is counted as what it is, and once.

use core::time::Duration;

use load::{Close, Counts, Measured};

use crate::bench::{Bench, destination, exchange, server, spec};
use crate::server::Fault;

fn with(fault: Fault, close: Close) -> Measured {
    let mut spec = spec();
    spec.close = close;
    spec.connections = Some(50);
    spec.timeout = Some(Duration::from_millis(500));
    let mut server = server();
    server.fault = fault;
    let mut bench = Bench::new(spec, server);
    let m = bench.run();
    bench.assert_nothing_held();
    m
}

fn only(m: &Measured, count: impl Fn(&Counts) -> u64) {
    let c = &m.counts;
    assert_eq!((count(c), c.errors(), c.completed), (50, 50, 0), "{c:?}");
}

#[test]
fn no_answer() {
    let m = with(Fault::Silent, Close::Fin);
    only(&m, |c| c.err_timeout);
}

#[test]
fn half_an_answer() {
    let m = with(Fault::CutShort, Close::Fin);
    only(&m, |c| c.err_cut_short);
}

#[test]
fn more_than_an_answer() {
    let m = with(Fault::TooLong, Close::Fin);
    only(&m, |c| c.err_wrong);
    assert_eq!(m.first_wrong, Some("was not asked for"));
}

#[test]
fn a_reset() {
    let m = with(Fault::Reset, Close::Fin);
    only(&m, |c| c.err_reset);
}

#[test]
fn a_server_that_never_closes() {
    only(&with(Fault::NeverCloses, Close::Peer), |c| c.err_close);
    only(&with(Fault::NeverCloses, Close::Fin), |c| c.err_close);
}

#[test]
fn nobody_listens() {
    let mut spec = spec();
    spec.connections = Some(50);
    let mut bench = Bench::with(spec, exchange(), server(), |here| {
        here.destinations = vec![destination(82)];
    });
    only(&bench.run(), |c| c.err_refused);
}

#[test]
fn nobody_is_there() {
    let mut spec = spec();
    spec.connections = Some(50);
    spec.timeout = Some(Duration::from_millis(500));
    let mut bench = Bench::with(spec, exchange(), server(), |here| {
        here.destinations[0].address = wire::Ip::v4([10, 0, 0, 9]);
    });
    only(&bench.run(), |c| c.err_connect_timeout);
}

#[test]
fn without_a_time_limit_tcp_gives_up() {
    let mut spec = spec();
    spec.connections = Some(50);
    spec.timeout = None;
    let mut bench = Bench::with(spec, exchange(), server(), |here| {
        here.destinations[0].address = wire::Ip::v4([10, 0, 0, 9]);
    });
    only(&bench.run(), |c| c.err_connect_timeout);
}

#[test]
fn what_the_end_of_the_program_cuts_off_is_no_error_of_the_server() {
    let mut spec = spec();
    spec.timeout = None;
    let mut server = server();
    server.fault = Fault::Silent;
    let mut bench = Bench::new(spec, server);
    bench.net.run_ms(2_000);
    let client = simnet::StationId(1);
    bench.net.host_mut(client).abort_all();
    let m = bench.run();
    assert_eq!((m.counts.cut_off, m.counts.errors()), (100, 0));
}

#[test]
fn frames_are_lost_doubled_and_out_of_order_and_every_answer_is_right() {
    let mut spec = spec();
    spec.duration = Some(Duration::from_secs(3));
    let mut bench = Bench::new(spec, server());
    let link = bench.net.link_mut(simnet::StationId(1));
    for path in [&mut link.up, &mut link.down] {
        path.loss = 0.02;
        path.duplicate = 0.02;
        (path.reorder, path.reorder_ns) = (0.05, 300_000);
    }
    let m = bench.run();
    assert_eq!(m.counts.err_wrong + m.counts.err_cut_short, 0);
    assert!(m.counts.completed > 1_000, "{:?}", m.counts);
    // A SYN or the last of a server's FINs may be lost more often than five seconds allow.
    assert!(
        m.counts.errors() < m.counts.completed / 100,
        "{:?}",
        m.counts
    );
}
