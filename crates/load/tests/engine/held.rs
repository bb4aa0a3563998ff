//! Connections that are held.

use core::time::Duration;

use load::Mode;

use crate::bench::{Bench, open_loop, server, spec};

#[test]
fn a_ramp_to_so_many_that_are_kept_and_drained() {
    let mut spec = spec();
    spec.mode = Mode::Held { every: None };
    spec.pace = open_loop(2_000.0);
    spec.caps.connections = 1_000;
    spec.duration = Some(Duration::from_secs(2));
    let mut bench = Bench::new(spec, server());
    bench.net.run_ms(250);
    let early = bench.report();
    assert!(early.alive.open.abs_diff(500) < 10, "{:?}", early.alive);
    bench.net.run_ms(1_700);
    assert_eq!(bench.report().alive.open, 1_000);
    let m = bench.run();
    assert_eq!(m.counts.completed, 1_000);
    assert_eq!(m.counts.errors(), 0);
    assert_eq!(bench.server().most, 1_000);
    bench.assert_nothing_held();
}

#[test]
fn held_connections_ask_now_and_then() {
    let mut spec = spec();
    spec.mode = Mode::Held {
        every: Some(Duration::from_millis(100)),
    };
    spec.caps.connections = 50;
    let mut bench = Bench::new(spec, server());
    let m = bench.run();
    // The first after 100 ms, then one each 102.
    assert_eq!(m.counts.responses, 50 * 9);
    assert_eq!((m.counts.completed, m.counts.errors()), (50, 0));
}
