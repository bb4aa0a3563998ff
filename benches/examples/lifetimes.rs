//! Runs whole connections on one core and prints their rate: for profilers and callgrind.
//!
//! Arguments: connections, tuples, concurrent, timestamps (0 or 1), IPv6 (0 or 1), TIME-WAIT in milliseconds
//! (60000; 0: there is none, as under the policy `none`).

use std::time::Instant;

use tidewheel_benches::{Pair, numbers};

fn main() {
    let arg = numbers("numbers: connections tuples concurrent timestamps ipv6 time-wait");
    let (connections, tuples) = (arg(0, 1_000_000), arg(1, 65_536));
    let (concurrent, timestamps, ipv6) = (arg(2, 64) as usize, arg(3, 1) == 1, arg(4, 0) == 1);
    let time_wait = arg(5, 60_000) as u32;
    let mut pair = Pair::over(ipv6, tuples as u32, concurrent, timestamps, time_wait);
    let start = Instant::now();
    pair.run(tuples, 1_000);
    println!(
        "fill: {:.1} ns each",
        start.elapsed().as_secs_f64() * 1e9 / tuples as f64
    );
    let start = Instant::now();
    pair.run(connections, 1_000);
    pair.print(connections, tuples, start.elapsed());
    println!("{:?}", pair.server.usage());
    println!("{:?}", pair.client.usage());
}
