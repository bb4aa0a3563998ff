//! The summary for people, in the manner of wrk.

use core::fmt;

use hdrhistogram::Histogram;

use super::Outcome;
use super::figures::PERCENTILES;
use crate::load::unit::{Unit, Written};

/// A result in words.
pub(super) struct Summary<'a>(pub(super) &'a Outcome<'a>);

impl fmt::Display for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let outcome = self.0;
        write!(f, "{}", outcome.title)?;
        self.latencies(f)?;
        self.numbers(f)?;
        self.failures(f)?;
        self.rates(f)?;
        if let Some(swept) = outcome.sweep {
            write!(f, "{swept}")?;
        }
        if let Some(verdict) = outcome.verdict {
            writeln!(f, "{verdict}")?;
        }
        for problem in outcome.problems {
            writeln!(f, "NOT VALID: {}", problem.text())?;
        }
        Ok(())
    }
}

fn number(value: u64) -> Written {
    Written(Unit::Number, value as f64)
}

fn time(nanos: f64) -> String {
    Written(Unit::Time, nanos).to_string()
}

impl Summary<'_> {
    /// One column for each latency of which there is any.
    fn latencies(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = self.0.total.measured.latencies.named();
        let columns: Vec<_> = named.iter().filter(|(_, h)| !h.is_empty()).collect();
        if columns.is_empty() {
            return Ok(());
        }
        let row =
            |f: &mut fmt::Formatter<'_>, name: &str, cell: &dyn Fn(&Histogram<u64>) -> String| {
                write!(f, "    {name:<8}")?;
                for (_, histogram) in &columns {
                    write!(f, "{:>12}", cell(histogram))?;
                }
                writeln!(f)
            };
        write!(f, "  {:<10}", "Latency")?;
        for (name, _) in &columns {
            write!(f, "{:>12}", name.replace('_', " "))?;
        }
        writeln!(f)?;
        row(f, "Avg", &|h| time(h.mean()))?;
        row(f, "Stdev", &|h| time(h.stdev()))?;
        for (_, percent) in PERCENTILES {
            let value = |h: &Histogram<u64>| time(h.value_at_percentile(percent) as f64);
            row(f, &format!("{percent}%"), &value)?;
        }
        row(f, "Max", &|h| time(h.max() as f64))
    }

    fn numbers(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (measured, traffic) = (self.0.total.measured, self.0.total.traffic);
        let counts = &measured.counts;
        writeln!(
            f,
            "  {} connections, {} answers in {:.2}s, {} read, {} sent",
            number(counts.established),
            number(counts.responses),
            measured.elapsed.as_secs_f64(),
            Octets(counts.bytes_received as f64),
            Octets(counts.bytes_sent as f64),
        )?;
        write!(
            f,
            "  {} packets in, {} out, {} segments retransmitted",
            number(traffic.rx_frames),
            number(traffic.tx_frames),
            number(traffic.retransmitted),
        )?;
        match traffic.reused {
            0 => writeln!(f),
            reused => writeln!(f, "; {} four-tuples out of TIME-WAIT", number(reused)),
        }
    }

    /// What went wrong and what was put off, in the words of the counters.
    fn failures(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (measured, traffic) = (self.0.total.measured, self.0.total.traffic);
        let counts = &measured.counts;
        writeln!(f, "  {} errors", number(counts.errors()))?;
        let mut told = Ok(());
        counts.for_each(&mut |name, help, value| {
            let is_told = ["err_", "held_", "not_begun", "closed_early", "cut_off"];
            if value > 0 && is_told.iter().any(|prefix| name.starts_with(prefix)) {
                let help = help.trim_start_matches("Errors: ").trim_end_matches('.');
                let line = writeln!(f, "    {:>10}  {name}: {help}", number(value));
                told = told.and(line);
            }
        });
        told?;
        if let Some(why) = measured.first_wrong {
            writeln!(f, "    the first wrong answer {why}")?;
        }
        let other = counts.status_1xx + counts.status_4xx + counts.status_5xx;
        if other > 0 {
            writeln!(f, "  Non-2xx or 3xx responses: {}", number(other))?;
        }
        if traffic.challenged > 0 {
            writeln!(
                f,
                "  {} SYNs were refused by a peer that remembers an earlier connection (syn_challenged)",
                number(traffic.challenged)
            )?;
        }
        for (name, lost) in [
            ("missed by the device (imissed)", traffic.imissed),
            ("received with an error (ierrors)", traffic.ierrors),
            ("that the device could not send (oerrors)", traffic.oerrors),
        ] {
            if lost > 0 {
                writeln!(f, "  {} frames {name}", number(lost))?;
            }
        }
        Ok(())
    }

    fn rates(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let measured = self.0.total.measured;
        let rate = |value: f64| Written(Unit::Number, value);
        let connections = measured.per_second(|counts| counts.established);
        let requests = measured.per_second(|counts| counts.responses);
        let received = measured.per_second(|counts| counts.bytes_received);
        let sent = measured.per_second(|counts| counts.bytes_sent);
        writeln!(f, "Connections/sec: {:>12}", rate(connections))?;
        writeln!(f, "Requests/sec:    {:>12}", rate(requests))?;
        writeln!(f, "Transfer/sec:    {:>12}", Octets(received).to_string())?;
        // As with wrk that is what was read, which in bulk may be nothing.
        if sent > received {
            writeln!(f, "Sent/sec:        {:>12}", Octets(sent).to_string())?;
        }
        Ok(())
    }
}

/// A number of octets as wrk writes it: in powers of 1024.
struct Octets(f64);

impl fmt::Display for Octets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [&str; 5] = ["B", "KB", "MB", "GB", "TB"];
        let (mut value, mut unit) = (self.0, 0);
        while value >= 1024.0 && unit + 1 < UNITS.len() {
            value /= 1024.0;
            unit += 1;
        }
        write!(f, "{value:.2}{}", UNITS[unit])
    }
}
