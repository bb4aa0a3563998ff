//! Requests over kept connections.

use core::num::NonZeroU32;
use core::time::Duration;

use load::Mode;

use crate::bench::{Bench, ROUND_TRIP, open_loop, server, spec};

#[test]
fn a_closed_loop_asks_as_soon_as_it_was_answered() {
    let mut spec = spec();
    spec.mode = Mode::Requests {
        per_connection: None,
    };
    spec.caps.connections = 20;
    let mut bench = Bench::new(spec, server());
    let m = bench.run();
    // 20 at a time, each answered after a round trip, for a second less opening.
    assert!(
        (9_800..=10_000).contains(&m.counts.responses),
        "{:?}",
        m.counts
    );
    assert_eq!((m.counts.opened, m.counts.completed), (20, 20));
    assert_eq!(m.counts.errors(), 0);
    bench.assert_nothing_held();
}

#[test]
fn connections_are_replaced_after_their_requests() {
    let mut spec = spec();
    spec.mode = Mode::Requests {
        per_connection: NonZeroU32::new(10),
    };
    spec.caps.connections = 20;
    let mut bench = Bench::new(spec, server());
    let m = bench.run();
    assert_eq!(m.counts.errors(), 0);
    assert_eq!(bench.server().most, 20);
    // Each connection lasts twelve round trips.
    assert!((780..=860).contains(&m.counts.completed), "{:?}", m.counts);
    assert!(m.counts.responses <= 10 * m.counts.completed);
}

#[test]
fn an_open_loop_paces_requests_over_few_connections() {
    let mut spec = spec();
    spec.mode = Mode::Requests {
        per_connection: None,
    };
    spec.pace = open_loop(2_000.0);
    spec.caps.connections = 10;
    let mut bench = Bench::new(spec, server());
    let m = bench.run();
    assert_eq!((m.counts.opened, m.counts.responses), (10, 2_000));
    let arrivals = &bench.server().arrivals[100..];
    for pair in arrivals.windows(2) {
        let gap = pair[1].since(pair[0]).as_micros();
        assert!((490..=510).contains(&gap), "{gap}");
    }
    assert_eq!(m.latencies.request.len(), 2_000);
    let median = m.latencies.request.value_at_quantile(0.5);
    assert!(median.abs_diff(ROUND_TRIP) < 50_000, "{median}");
}

#[test]
fn a_request_that_finds_no_connection_waits_and_its_latency_says_so() {
    let mut spec = spec();
    spec.mode = Mode::Requests {
        per_connection: None,
    };
    // One connection carries 500 a second at most.
    spec.pace = open_loop(600.0);
    spec.caps.connections = 1;
    let mut bench = Bench::new(spec, server());
    let m = bench.run();
    let c = &m.counts;
    assert_eq!(c.responses + c.not_begun, 600);
    assert!((95..=110).contains(&c.not_begun), "{c:?}");
    assert!(c.held_no_connection >= 100);
    // The last that was sent had waited for a sixth of the second.
    let longest = m.latencies.request.max();
    assert!((160_000_000..=180_000_000).contains(&longest), "{longest}");
}

#[test]
fn a_server_that_closes_between_requests_is_no_error() {
    let mut spec = spec();
    spec.mode = Mode::Requests {
        per_connection: None,
    };
    spec.caps.connections = 4;
    spec.think = Duration::from_millis(20);
    let mut server = server();
    server.closes_after = Some(3);
    let mut bench = Bench::new(spec, server);
    let m = bench.run();
    assert_eq!(m.counts.errors(), 0, "{:?}", m.counts);
    assert!(m.counts.closed_early > 20);
    assert_eq!(m.counts.completed, m.counts.opened);
}
