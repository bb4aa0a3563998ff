//! Connections a second, closed and open loop.

use core::num::NonZeroU32;
use core::time::Duration;

use load::{Caps, Mode, Pace, Profile, Segment, Target};
use stack::DestinationId;
use tcp::time::Instant;

use crate::bench::{
    Bench, RESPONSE, ROUND_TRIP, alone, destination, exchange, open_loop, server, spec,
};

#[test]
fn a_closed_loop_keeps_as_many_alive_as_it_is_told() {
    let mut bench = Bench::new(spec(), server());
    let m = bench.run();
    let c = &m.counts;
    assert_eq!(c.errors(), 0, "{c:?}");
    // Open, ask and be answered, close: three round trips of 2 ms each, 100 at a time, for a second; the
    // neighbour has to be found first.
    assert!((16_000..=16_700).contains(&c.completed), "{c:?}");
    assert_eq!((c.requests, c.responses), (c.completed, c.completed));
    assert_eq!(c.bytes_received, c.responses * RESPONSE as u64);
    assert_eq!(bench.server().most, 100);
    // What was begun in time went on to its end.
    assert!((1..=100).contains(&m.late.closed), "{:?}", m.late);
    assert_eq!(m.elapsed, Duration::from_secs(1));
    for (name, histogram) in m.latencies.named() {
        assert_eq!(histogram.len(), c.completed, "{name}");
        let median = histogram.value_at_quantile(0.5);
        assert!(median.abs_diff(ROUND_TRIP) < 50_000, "{name}: {median}");
    }
    bench.assert_nothing_held();
}

#[test]
fn an_open_loop_is_even_within_each_millisecond() {
    let mut spec = spec();
    spec.pace = open_loop(10_000.0);
    let mut bench = Bench::new(spec, server());
    let m = bench.run();
    assert_eq!((m.counts.opened, m.counts.completed), (10_000, 10_000));
    assert_eq!(m.counts.not_begun, 0);
    // After the neighbour was found, each connection comes 100 µs after the one before.
    let opens = &bench.server().opens[50..];
    for pair in opens.windows(2) {
        let gap = pair[1].since(pair[0]).as_micros();
        assert!((98..=102).contains(&gap), "{gap}");
    }
}

#[test]
fn what_is_due_in_time_is_begun_though_turns_are_far_apart() {
    let mut spec = spec();
    spec.caps = Caps {
        connections: 4_000,
        opening: 4_000,
    };
    // No multiple of a turn, and the last turn comes after it.
    spec.duration = Some(Duration::from_millis(100));
    // In the last one, many more are due in a turn than begin in a short one.
    let cases = [
        (10_000_u32, 300_000),
        (1_000, 17_000_000),
        (30_000, 5_000_000),
    ];
    for (rate, turn) in cases {
        spec.pace = open_loop(f64::from(rate));
        let mut stack = alone(spec.clone());
        for turn in (0..200_000_000).step_by(turn).map(Instant::from_nanos) {
            stack.advance(turn);
            stack.transmit(turn);
            stack.out().clear();
        }
        let now = Instant::from_millis(200);
        let blank = Box::new(load::Measured::new().unwrap());
        let m = stack.app_mut().report(now, blank);
        let counts = (m.counts.opened, m.counts.not_begun);
        assert_eq!(counts, (u64::from(rate) / 10, 0));
        assert_eq!(m.elapsed, Duration::from_millis(100));
    }
}

#[test]
fn a_pause_at_a_low_rate_allows_no_burst() {
    let mut spec = spec();
    spec.duration = None;
    // Nobody answers.
    spec.caps = Caps {
        connections: 1_000,
        opening: 1_000,
    };
    // An event each 2 ms, and so at most two in a millisecond.
    spec.pace = open_loop(500.0);
    let mut stack = alone(spec);
    // The turns are short but for one, in which 50 come due.
    let turns = (0..100_000).chain(200_000..300_000).step_by(20);
    let (mut begun, mut most) = (0, 0);
    for turn in turns.map(|us| Instant::from_nanos(us * 1_000)) {
        stack.advance(turn);
        stack.transmit(turn);
        stack.out().clear();
        let opened = stack.app().counts().opened;
        most = most.max(opened - begun);
        begun = opened;
    }
    assert_eq!(begun, 150);
    assert!(most <= 2, "{most} at once");
}

#[test]
fn several_requests_a_connection_go_over_one_connection() {
    let mut spec = spec();
    spec.mode = Mode::Connections {
        requests: NonZeroU32::new(5).unwrap(),
    };
    spec.connections = Some(300);
    spec.duration = None;
    spec.think = Duration::from_millis(10);
    let mut bench = Bench::new(spec, server());
    let m = bench.run();
    assert_eq!((m.counts.completed, m.counts.responses), (300, 1_500));
    // Three times: open, five answers with a pause behind each, and close.
    let each = 7 * ROUND_TRIP + 5 * 10_000_000;
    let took = u64::try_from(m.elapsed.as_nanos()).unwrap();
    assert!(took.abs_diff(3 * each) < 10_000_000, "{took}");
}

#[test]
fn a_set_number_of_connections_ends_the_run() {
    let mut spec = spec();
    spec.connections = Some(1_234);
    spec.duration = None;
    let m = Bench::new(spec, server()).run();
    assert_eq!((m.counts.opened, m.counts.completed), (1_234, 1_234));
    assert_eq!(m.late.closed, 0, "all of it was the run");
}

#[test]
fn nothing_is_due_behind_a_set_number_of_connections() {
    let mut spec = spec();
    spec.pace = open_loop(5_000.0);
    spec.connections = Some(250);
    spec.duration = None;
    let mut bench = Bench::new(spec, server());
    // The last has been opened, and lives for some round trips yet.
    bench.net.run_ms(51);
    assert_eq!(bench.report().alive.behind, 0);
    let m = bench.run();
    assert_eq!((m.counts.not_begun, m.alive.behind), (0, 0));
    assert_eq!(bench.load().counts().completed, 250);
}

#[test]
fn latency_counts_from_when_an_opening_was_due() {
    let mut spec = spec();
    spec.pace = open_loop(1_000.0);
    spec.duration = Some(Duration::from_secs(3));
    // Enough for 2,500 a second; then the cable is pulled for a while.
    spec.caps = Caps {
        connections: 1_000,
        opening: 5,
    };
    let mut bench = Bench::new(spec, server());
    bench.net.run_ms(500);
    bench.net.link_mut(simnet::StationId(0)).connected = false;
    bench.net.run_ms(300);
    bench.net.link_mut(simnet::StationId(0)).connected = true;
    let m = bench.run();
    assert_eq!((m.counts.completed, m.counts.errors()), (3_000, 0));
    assert!(m.counts.held_opening >= 1);
    // Five SYNs were lost and sent again after a second; all that were due meanwhile waited behind them, and are
    // as late as they are, though none of them was lost.
    let l = &m.latencies;
    for (what, of) in [
        ("connect", &l.connect),
        ("first byte", &l.first_byte),
        ("request", &l.request),
    ] {
        let late = of.count_between(100_000_000, 1_100_000_000);
        assert!(late > 900, "{what}: {late}");
    }
    // A handshake that took long is no part of what follows it: it was no connection that was late.
    let mut spec = self::spec();
    spec.connections = Some(5);
    let mut bench = Bench::new(spec, server());
    bench.net.link_mut(simnet::StationId(0)).connected = false;
    bench.net.run_ms(300);
    bench.net.link_mut(simnet::StationId(0)).connected = true;
    let m = bench.run();
    assert_eq!(m.counts.completed, 5);
    assert!(m.latencies.connect.min() >= 900_000_000);
    assert!(m.latencies.request.max() < 100_000_000);
}

#[test]
fn a_run_that_is_to_begin_later_begins_then() {
    for pace in [Pace::Closed, open_loop(10_000.0)] {
        for mode in [
            Mode::Connections {
                requests: NonZeroU32::MIN,
            },
            Mode::Requests {
                per_connection: None,
            },
        ] {
            let mut spec = spec();
            spec.mode = mode;
            spec.pace = pace.clone();
            spec.connections = Some(100);
            let mut bench = Bench::new(spec.clone(), server());
            let run = spec.run();
            bench.load().start(Instant::from_millis(10), &run);
            bench.net.run_ms(9);
            assert_eq!(bench.load().counts().opened, 0, "{mode:?}, {pace:?}");
            bench.net.run_ms(11);
            assert!(bench.load().counts().opened >= 10, "{mode:?}, {pace:?}");
            let elapsed = bench.report().elapsed;
            let whole = Duration::from_millis(10);
            assert!(
                !elapsed.is_zero() && elapsed <= whole,
                "{mode:?}, {pace:?}: {elapsed:?}"
            );
        }
    }
}

#[test]
fn the_caps_hold_and_are_counted() {
    let mut spec = spec();
    spec.pace = open_loop(50_000.0);
    spec.caps.connections = 40;
    let mut bench = Bench::new(spec, server());
    let m = bench.run();
    assert_eq!(bench.server().most, 40);
    assert!(m.counts.held_connections > 100, "{:?}", m.counts);
    assert_eq!(m.counts.opened + m.counts.not_begun, 50_000);
    assert!(m.counts.not_begun > 40_000);
}

#[test]
fn a_ramp_and_a_step() {
    let mut spec = spec();
    let segment = |ms, from, to| Segment {
        duration: Duration::from_millis(ms),
        from,
        to,
    };
    spec.pace = Pace::Open(Profile {
        segments: vec![segment(500, 0.0, 4_000.0), segment(250, 800.0, 800.0)],
    });
    spec.duration = Some(Duration::from_millis(750));
    let mut bench = Bench::new(spec, server());
    let m = bench.run();
    assert_eq!(m.counts.completed, 1_000 + 200);
    let at = Instant::from_millis(503);
    let opens = &bench.server().opens;
    let after = opens.iter().filter(|open| **open > at).count();
    assert!(after.abs_diff(200) <= 2, "{after}");
}

#[test]
fn a_rate_that_ends_at_nothing_ends_the_run() {
    let mut spec = spec();
    spec.pace = Pace::Open(Profile {
        segments: vec![
            Segment {
                duration: Duration::from_millis(100),
                from: 1_000.0,
                to: 1_000.0,
            },
            Segment {
                duration: Duration::from_millis(100),
                from: 0.0,
                to: 0.0,
            },
        ],
    });
    spec.duration = None;
    spec.connections = Some(1_000);
    let mut bench = Bench::new(spec, server());
    let m = bench.run();
    assert_eq!(m.counts.completed, 100, "of a thousand");
    bench.assert_nothing_held();
}

#[test]
fn destinations_have_their_share() {
    let mut spec = spec();
    spec.targets = [(0, 3), (1, 1)]
        .map(|(destination, weight)| Target {
            destination: DestinationId(destination),
            weight: NonZeroU32::new(weight).unwrap(),
            exchange: 0,
        })
        .into();
    spec.connections = Some(400);
    let mut bench = Bench::with(spec, exchange(), server(), |here| {
        here.destinations.push(destination(81));
    });
    let m = bench.run();
    assert_eq!(m.counts.completed, 400);
    // TIME-WAIT is ours: one entry for each local port, of 300 and of 100.
    assert_eq!(bench.client_usage().time_wait, 400);
    let usage = bench.client_usage();
    assert_eq!(usage.free_tuples, 2 * 64_512);
}

#[test]
fn another_destination_stands_in_where_no_tuple_is_free() {
    let mut spec = spec();
    spec.targets = [(0, 65_535), (1, 1)]
        .map(|(destination, weight)| Target {
            destination: DestinationId(destination),
            weight: NonZeroU32::new(weight).unwrap(),
            exchange: 0,
        })
        .into();
    spec.connections = Some(400);
    let mut bench = Bench::with(spec, exchange(), server(), |here| {
        here.destinations[0].last_port = 1_033;
        here.destinations[0].selection.min_interval_ms = 60_000;
        here.destinations.push(destination(81));
    });
    let m = bench.run();
    assert_eq!(m.counts.completed, 400);
    // The first one has ten pairs, and none of them comes back within the minute; no opening was put off for that.
    assert_eq!(m.counts.held_no_tuple, 0);
    assert!(m.elapsed < Duration::from_millis(40), "{:?}", m.elapsed);
}

#[test]
fn every_refusal_for_want_of_a_tuple_is_counted() {
    let mut spec = spec();
    spec.pace = open_loop(1_000.0);
    let mut bench = Bench::with(spec, exchange(), server(), |here| {
        here.destinations[0].last_port = 1_123;
        here.destinations[0].selection.min_interval_ms = 500;
        // No TIME-WAIT of ours, so that it is the interval alone that counts.
        here.destinations[0].time_wait.length_ms = 0;
    });
    let m = bench.run();
    // 100 pairs, each used once in half a second and 6 ms.
    assert!((200..=300).contains(&m.counts.opened), "{:?}", m.counts);
    assert_eq!(m.counts.opened + m.counts.not_begun, 1_000);
    assert!(m.counts.held_no_tuple >= 1);
    assert_eq!(m.counts.errors(), 0);
}

#[test]
fn intervals_add_up() {
    let mut spec = spec();
    spec.pace = open_loop(5_000.0);
    let mut bench = Bench::new(spec, server());
    let mut total = load::Measured::new().unwrap();
    for _ in 0..9 {
        bench.net.run_ms(100);
        let interval = bench.report();
        assert_eq!(interval.elapsed, Duration::from_millis(100));
        assert!(interval.alive.open + interval.alive.opening > 0);
        total.after(&interval);
    }
    total.after(&bench.run());
    assert_eq!(total.elapsed, Duration::from_secs(1));
    assert_eq!(
        (total.counts.opened, total.counts.completed),
        (5_000, 5_000)
    );
    assert_eq!(total.latencies.request.len(), 5_000);
    let rate = total.per_second(|c| c.completed);
    assert!((4_950.0..=5_000.0).contains(&rate), "{rate}");
}

#[test]
fn a_second_run_begins_anew() {
    let mut spec = spec();
    spec.pace = open_loop(1_000.0);
    let mut run = spec.run();
    let mut bench = Bench::new(spec, server());
    assert_eq!(bench.run().counts.completed, 1_000);
    run.pace = open_loop(2_000.0);
    let now = bench.net.now();
    bench.load().start(now, &run);
    let m = bench.run();
    assert_eq!((m.counts.completed, m.elapsed.as_millis()), (2_000, 1_000));
}
