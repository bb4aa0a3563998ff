//! One shard's TIME-WAIT table from empty to full to empty: bytes an entry, operations a second, longest turn.
//!
//! Arguments: entries (100000000), TIME-WAIT in seconds of virtual time (240), lengths of TIME-WAIT of churn (2),
//! and `count` to count the buckets that each call looks at, and hold them against the stated constants.

use std::time::Duration;

use tcp::time_wait::{Pages, Table, V4};
use tidewheel_benches::shard::{Part, Plan, run, run_counted};

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let number = |i: usize, default: u64| match args.get(i) {
        Some(text) => text.parse().expect("entries, seconds, lengths, count"),
        None => default,
    };
    let plan = Plan {
        entries: number(0, 100_000_000),
        time_wait: Duration::from_secs(number(1, 240)),
        turnovers: number(2, 2),
        pages: Pages::Explicit,
    };
    println!(
        "{:<18} {:>13} {:>12} {:>9} {:>14} {:>12}",
        "", "connections", "most entries", "seconds", "operations/s", "longest turn"
    );
    let tell = &mut |part: &Part| {
        let seconds = part.took.as_secs_f64();
        println!(
            "{:<18} {:>13} {:>12} {:>9.1} {:>14.0} {:>9.0} us",
            part.name,
            part.connections,
            part.most,
            seconds,
            part.operations as f64 / seconds,
            part.worst_turn.as_secs_f64() * 1e6
        );
    };
    let report = match args.get(3).map(String::as_str) {
        Some("count") => run_counted(&plan, tell),
        _ => run(&plan, tell),
    };
    println!(
        "{} bytes an entry, {:.1} a place, {:.1} all in ({} bytes, pages {:?})",
        Table::<V4>::ENTRY_BYTES,
        Table::<V4>::slot_bytes(),
        report.bytes as f64 / plan.entries as f64,
        report.bytes,
        report.pages
    );
    println!("{} entries evicted at the probe limit", report.evicted);
    if let Some((call, sweep)) = report.buckets {
        println!("{call} cache lines at most in one call, {sweep} in one sweep");
    }
}
