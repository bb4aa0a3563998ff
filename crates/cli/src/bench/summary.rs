//! The bench's result for people, and its progress on a terminal.

use core::fmt;
use std::io::{self, IsTerminal, Write};

use super::args::BenchArgs;
use super::outcome::Outcome;
use super::phases::{Progress, live};
use crate::config::Ports;
use crate::config::quantity::Millis;

/// A result in words.
#[derive(Debug)]
pub struct Summary<'a> {
    /// What was asked for.
    pub args: &'a BenchArgs,
    /// What was found.
    pub outcome: &'a Outcome,
}

impl fmt::Display for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (args, o) = (self.args, self.outcome);
        let exchange = args.exchange();
        let closer = if exchange.server_closes {
            "server"
        } else {
            "client"
        };
        writeln!(
            f,
            "{:.1} s over {}, {} core{}, profile {}: {} + {} bytes, timestamps {}, the {closer} \
             closes first,\n{} four-tuples, {} before the window, {}",
            o.seconds,
            args.link.name(),
            args.cores,
            if args.cores.get() == 1 { "" } else { "s" },
            args.profile.name(),
            exchange.request_bytes,
            exchange.response_bytes,
            if args.timestamps() { "on" } else { "off" },
            grouped(args.tuples.get()),
            match args.ports {
                Ports::LongestRest => "each used once",
                _ => "as many connections",
            },
            match args.time_wait().kept_ms() {
                0 => "no TIME-WAIT".to_string(),
                ms => format!(
                    "TIME-WAIT {}, {}",
                    Millis::<0, { u64::MAX }>::of(ms.into()),
                    args.time_wait_rules()
                ),
            },
        )?;
        writeln!(f)?;
        row(f, "connections", &grouped(o.connections), "")?;
        row(
            f,
            "connections/s",
            &grouped(o.connections_per_second as u64),
            "",
        )?;
        row(
            f,
            "packets/connection",
            &format!("{:.3}", o.packets_per_connection),
            "",
        )?;
        row(
            f,
            "server packets/s",
            &format!(
                "{} in, {} out",
                grouped(o.rx_pps as u64),
                grouped(o.tx_pps as u64)
            ),
            &format!(
                "{:.0} % of the bare link's {} each way",
                o.link_share * 100.0,
                grouped(o.link_baseline_pps as u64)
            ),
        )?;
        let l = &o.connect_latency_us;
        row(
            f,
            "connect latency",
            &format!(
                "{:.1} us p50, {:.1} p99, {:.1} p99.9, {:.1} max",
                l.p50, l.p99, l.p99_9, l.max
            ),
            "open loop at half the rate",
        )?;
        row(
            f,
            "recycled",
            &if exchange.server_closes {
                format!(
                    "{} by sequence, {} by timestamp",
                    grouped(o.recycled_by_sequence),
                    grouped(o.recycled_by_timestamp)
                )
            } else {
                format!("{} by the client", grouped(o.reused_by_client))
            },
            &format!("{} SYNs refused", grouped(o.syn_refused)),
        )?;
        row(
            f,
            "TIME-WAIT",
            &format!("{} entries at most", grouped(o.time_wait_peak)),
            &format!(
                "{} bytes an entry, {:.1} a place, {:.1} all in",
                o.tw_entry_bytes, o.tw_slot_bytes, o.tw_all_in_bytes_per_entry
            ),
        )?;
        row(
            f,
            "errors",
            &grouped(o.errors),
            &format!(
                "{} retransmissions, {} frames lost by the link",
                grouped(o.retransmissions),
                grouped(o.link_drops)
            ),
        )?;
        if o.launches_put_off > 0 {
            row(
                f,
                "put off",
                &format!("{} launches", grouped(o.launches_put_off)),
                "no four-tuple was free: more --tuples, or fewer --concurrency",
            )?;
        }
        row(
            f,
            "longest turn",
            &format!("{:.0} us", o.longest_turn_us),
            "of either worker, whatever else its core ran included",
        )?;
        row(
            f,
            "control thread",
            &format!("{:.3} s of processor time", o.control_thread_cpu_seconds),
            "",
        )?;
        writeln!(f)?;
        for problem in &o.problems {
            writeln!(f, "NOT VALID: {problem}")?;
        }
        if o.valid {
            let what = match (args.time_wait().kept_ms(), o.found_unused) {
                (0, _) => "no SYN of the window met TIME-WAIT".to_string(),
                (_, 0) => "every SYN of the window recycled a tuple".to_string(),
                (_, n) => format!(
                    "every SYN of the window recycled a tuple, but for {} that found theirs unused",
                    grouped(n)
                ),
            };
            writeln!(f, "valid: {what}, without an error")?;
        }
        Ok(())
    }
}

fn row(f: &mut fmt::Formatter<'_>, name: &str, value: &str, remark: &str) -> fmt::Result {
    if remark.is_empty() {
        writeln!(f, "{name:>20}  {value}")
    } else {
        writeln!(f, "{name:>20}  {value}  ({remark})")
    }
}

/// `1234567` as `1,234,567`.
#[must_use]
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A line on standard error that is written over once a second, if that is a terminal.
#[derive(Debug)]
pub struct ProgressLine {
    terminal: bool,
    shown: bool,
}

impl Default for ProgressLine {
    fn default() -> ProgressLine {
        ProgressLine {
            terminal: io::stderr().is_terminal(),
            shown: false,
        }
    }
}

impl ProgressLine {
    /// Shows `progress`.
    pub fn show(&mut self, progress: &Progress) {
        if !self.terminal {
            return;
        }
        self.shown = true;
        // A terminal that has gone away is no reason to stop.
        let _ = write!(
            io::stderr(),
            "\r\x1b[K{:7} {:3} s  {:>10}/s  {} alive  {} in TIME-WAIT  {} errors",
            progress.phase,
            progress.elapsed.as_secs(),
            grouped(progress.rate as u64),
            grouped(live(&progress.counts)),
            grouped(progress.time_wait),
            grouped(progress.counts.errors()),
        );
        let _ = io::stderr().flush();
    }

    /// Leaves the line empty for what follows.
    pub fn finish(&mut self) {
        if self.shown {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}
