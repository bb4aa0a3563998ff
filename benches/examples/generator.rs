//! Runs the load generator against a server on one core, joined by memory, and prints its rate: for profilers
//! and callgrind. What goes over the link is the same as in `lifetimes`, whose client does nothing else.
//!
//! Arguments: connections, tuples, concurrent, timestamps (0 or 1), IPv6 (0 or 1).

use core::num::NonZeroU32;
use core::time::Duration;
use std::sync::Arc;
use std::time::Instant;

use load::{Caps, Close, Exchange, Load, Mode, Pace, Raw, Run, Spec, Target};
use stack::DestinationId;
use tidewheel_benches::{Pair, numbers};

/// What passes in a turn of both ends.
const STEP_NS: u64 = 1_000;

fn main() {
    let arg = numbers("numbers: connections tuples concurrent timestamps ipv6");
    let (connections, tuples) = (arg(0, 1_000_000), arg(1, 65_536));
    let (concurrent, timestamps, ipv6) = (arg(2, 64) as u32, arg(3, 1) == 1, arg(4, 0) == 1);
    let load = Load::new(spec(concurrent), exchanges(), 65_536).expect("a load");
    let mut pair = Pair::of(load, ipv6, tuples as u32, timestamps, 60_000);
    run(&mut pair, tuples);
    let start = Instant::now();
    run(&mut pair, connections);
    pair.print(connections, tuples, start.elapsed());
}

/// One octet each way a connection, in a closed loop; the server closes first.
fn spec(concurrent: u32) -> Spec {
    Spec {
        mode: Mode::Connections {
            requests: NonZeroU32::MIN,
        },
        pace: Pace::Closed,
        close: Close::Peer,
        think: Duration::ZERO,
        timeout: Some(Duration::from_secs(10)),
        caps: Caps {
            connections: concurrent,
            opening: concurrent,
        },
        duration: None,
        connections: None,
        targets: vec![Target {
            destination: DestinationId(0),
            weight: NonZeroU32::MIN,
            exchange: 0,
        }],
    }
}

fn exchanges() -> Arc<[Exchange]> {
    Arc::new([Exchange::Raw(Raw::new(*b"q", 1))])
}

/// Opens so many connections and sees them to their end.
fn run(pair: &mut Pair<Load>, connections: u64) {
    let before = pair.client.app().counts().completed;
    let run = Run {
        connections: Some(connections),
        ..spec(1).run()
    };
    let now = pair.now();
    pair.client.app_mut().start(now, &run);
    while !pair.client.app().is_done() {
        pair.turn(STEP_NS);
    }
    let counts = pair.client.app().counts();
    assert_eq!(counts.completed - before, connections, "{counts:?}");
}
