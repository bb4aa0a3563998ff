//! The line a second, in dperf's words where they mean the same here.
//!
//! As there, numbers are those of the interval a second, but for skCon (connections alive) and the devices'
//! imissed, ierrors and oerrors (since the start). What went wrong and what was put off follows by its own name.

use core::fmt::Write as _;
use core::time::Duration;
use std::io::{self, Write};

use super::Report;
use crate::load::unit::{Unit, Written};

/// Writes the line of `interval`, which `took` so long; `total` is the run up to its end.
pub(super) fn write(
    to: &mut dyn Write,
    interval: &Report<'_>,
    total: &Report<'_>,
    took: Duration,
) -> io::Result<()> {
    writeln!(to, "{}", line(interval, total, took))
}

fn line(interval: &Report<'_>, total: &Report<'_>, took: Duration) -> String {
    let (measured, traffic) = (interval.measured, interval.traffic);
    let (counts, alive) = (measured.counts, measured.alive);
    // Not of the time in which connections were opened: what comes after that is shown, too.
    let rate = |number: u64| match took.as_secs_f64() {
        seconds if seconds > 0.0 => {
            Written(Unit::Number, (number as f64 / seconds).round()).to_string()
        }
        _ => "0".into(),
    };
    let number = |number: u64| Written(Unit::Number, number as f64).to_string();
    let mut line = format!("{:>4}s", interval.at.as_secs_f64().round());
    let mut word = |name: &str, value: String| {
        let _ = write!(line, "  {name} {value}");
    };
    word("skOpen", rate(counts.opened));
    word("skClose", rate(counts.closed));
    word("skCon", number(alive.opening + alive.open + alive.closing));
    word("skErr", rate(counts.errors()));
    word("tcpReq", rate(counts.requests));
    word("tcpRsp", rate(counts.responses));
    if total.measured.counts.status_2xx > 0 {
        word("http2XX", rate(counts.status_2xx));
    }
    word("pktRx", rate(traffic.rx_frames));
    word("pktTx", rate(traffic.tx_frames));
    word("bitsRx", rate(8 * traffic.rx_bytes));
    word("bitsTx", rate(8 * traffic.tx_bytes));
    let connect = &measured.latencies.connect;
    if !connect.is_empty() {
        word("rtt(us)", format!("{:.1}", connect.mean() / 1000.0));
    }
    let devices = total.traffic;
    for (name, value) in [
        ("imissed", devices.imissed),
        ("ierrors", devices.ierrors),
        ("oerrors", devices.oerrors),
    ] {
        if value > 0 {
            word(name, number(value));
        }
    }
    let busy = traffic
        .busy_shares()
        .map(|share| format!("{:.0}", share * 100.0));
    word("cpuUsage", busy.collect::<Vec<_>>().join(" "));
    counts.for_each(&mut |name, _, value| {
        let told = ["err_", "held_", "status_3xx", "status_4xx", "status_5xx"];
        if value > 0 && told.iter().any(|prefix| name.starts_with(prefix)) {
            word(name, rate(value));
        }
    });
    line
}
