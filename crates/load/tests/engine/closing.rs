//! Who closes, and how.

use core::num::NonZeroU32;

use load::{Close, Measured, Mode};
use stack::CloseReason;

use crate::bench::{Bench, ROUND_TRIP, server, spec};

fn closed(close: Close, closes_after: Option<u32>) -> (Measured, Bench) {
    let mut spec = spec();
    spec.mode = Mode::Connections {
        requests: NonZeroU32::new(2).unwrap(),
    };
    spec.close = close;
    spec.connections = Some(100);
    let mut server = server();
    server.closes_after = closes_after;
    let mut bench = Bench::new(spec, server);
    let m = bench.run();
    assert_eq!((m.counts.completed, m.counts.responses), (100, 200));
    assert_eq!(m.counts.errors(), 0, "{:?}", m.counts);
    bench.net.run_ms(10);
    (m, bench)
}

fn time_waits(bench: &Bench) -> (u64, u64) {
    (
        bench.client_usage().time_wait,
        bench.server_usage().time_wait,
    )
}

#[test]
fn we_close_first_and_keep_time_wait() {
    let (m, bench) = closed(Close::Fin, None);
    assert_eq!(time_waits(&bench), (100, 0));
    let median = m.latencies.close.value_at_quantile(0.5);
    assert!(median.abs_diff(ROUND_TRIP) < 50_000, "{median}");
}

#[test]
fn the_server_closes_first_and_keeps_time_wait() {
    let (m, bench) = closed(Close::Peer, Some(2));
    assert_eq!(time_waits(&bench), (0, 100));
    assert_eq!(m.latencies.close.len(), 100);
}

#[test]
fn a_reset_leaves_no_time_wait_anywhere() {
    let (m, mut bench) = closed(Close::Reset, None);
    assert_eq!(time_waits(&bench), (0, 0));
    assert_eq!(m.latencies.close.len(), 0);
    assert!(
        bench
            .server()
            .closed
            .iter()
            .all(|r| *r == CloseReason::Reset)
    );
}

#[test]
fn half_close_is_ours_and_before_the_last_answer() {
    let (m, bench) = closed(Close::HalfClose, None);
    assert_eq!(time_waits(&bench), (100, 0));
    // It begins with our FIN, behind the request: the answer and the server's FIN are a round trip later.
    let median = m.latencies.close.value_at_quantile(0.5);
    assert!(median.abs_diff(ROUND_TRIP) < 50_000, "{median}");
}
