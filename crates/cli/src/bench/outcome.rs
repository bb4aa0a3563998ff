//! What the bench found: the object that `--json` prints, and whether it is valid.

use hdrhistogram::Histogram;
use serde::Serialize;
use tcp::time_wait::{Table, V4, V6};

use super::args::{BenchArgs, Profile};
use super::phases::{Measured, put_off, rate};
use crate::config::Ports;

/// What the bare link carries on the same cores, in packets a second each way.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Baseline {
    /// Measured before the bench.
    pub before: f64,
    /// Measured after it.
    pub after: f64,
}

/// The result of a bench. Counters are of the measured window with everything that began in it;
/// rates are of the window alone.
#[derive(Serialize, Clone, PartialEq, Debug)]
pub struct Outcome {
    /// Length of the measured window, by the client's clock.
    pub seconds: f64,
    /// Connections completed in the window: response checked, both ends closed.
    pub connections: u64,
    /// The same, a second.
    pub connections_per_second: f64,
    /// TCP segments that the server received and sent, over the connections.
    pub packets_per_connection: f64,
    /// Packets a second that the server received.
    pub rx_pps: f64,
    /// Packets a second that the server sent.
    pub tx_pps: f64,
    /// Time-outs, resets, refusals and wrong bytes together.
    pub errors: u64,
    /// Segments retransmitted by either end.
    pub retransmissions: u64,
    /// Frames that the link lost.
    pub link_drops: u64,
    /// The profile or policy of TIME-WAIT.
    pub time_wait_rules: &'static str,
    /// SYNs accepted in TIME-WAIT because their sequence number proved them new.
    pub recycled_by_sequence: u64,
    /// SYNs accepted in TIME-WAIT because their timestamp proved them new.
    pub recycled_by_timestamp: u64,
    /// SYNs refused in TIME-WAIT.
    pub syn_refused: u64,
    /// SYNs whose four-tuple had not been used before: with `--ports` at random, the connections before
    /// the window do not come by every one.
    pub found_unused: u64,
    /// Four-tuples that the client opened again out of its own TIME-WAIT (it closes first).
    pub reused_by_client: u64,
    /// Times that the client could not launch, because every four-tuple was in use or was not to be
    /// used yet. The rate is then that of the tuples, not that of the server.
    pub launches_put_off: u64,
    /// The most TIME-WAIT entries of the end that closes first.
    pub time_wait_peak: u64,
    /// Bytes of one TIME-WAIT entry.
    pub tw_entry_bytes: u64,
    /// Bytes of memory for each place that an entry can have.
    pub tw_slot_bytes: f64,
    /// All memory of the table and its expiry, over the peak.
    pub tw_all_in_bytes_per_entry: f64,
    /// Packets a second each way of the bare link on the same cores: the mean of before and after.
    pub link_baseline_pps: f64,
    /// The same, measured before the bench.
    pub link_baseline_before_pps: f64,
    /// And after it.
    pub link_baseline_after_pps: f64,
    /// The busier direction's packets a second over `link_baseline_pps`.
    pub link_share: f64,
    /// From the intended launch to ESTABLISHED, in microseconds, at half the rate. The worker reads its
    /// clock once a turn of its loop, before it receives: so each is low by up to one turn.
    pub connect_latency_us: Latency,
    /// The longest turn of either worker's loop in the whole run, in microseconds: what else the machine runs
    /// on their cores is in it.
    pub longest_turn_us: f64,
    /// Processor time of the control thread from the window's beginning to the end of its last
    /// connection.
    pub control_thread_cpu_seconds: f64,
    /// Whether the figures mean what they say.
    pub valid: bool,
    /// Why they do not.
    pub problems: Vec<String>,
}

/// Percentiles in microseconds.
#[derive(Serialize, Clone, Copy, PartialEq, Debug, Default)]
pub struct Latency {
    /// Median.
    pub p50: f64,
    /// 99 of 100 were faster.
    pub p99: f64,
    /// 999 of 1000 were faster.
    pub p99_9: f64,
    /// The slowest.
    pub max: f64,
}

impl Latency {
    fn of(histogram: &Histogram<u64>) -> Latency {
        let micros = |nanos: u64| nanos as f64 / 1_000.0;
        let at = |quantile| micros(histogram.value_at_quantile(quantile));
        Latency {
            p50: at(0.5),
            p99: at(0.99),
            p99_9: at(0.999),
            max: micros(histogram.max()),
        }
    }
}

impl Outcome {
    /// The result of `measured`.
    #[must_use]
    pub fn new(args: &BenchArgs, measured: &Measured, baseline: Baseline) -> Outcome {
        let (entry, slot) = match args.ipv6 {
            false => (Table::<V4>::ENTRY_BYTES, Table::<V4>::slot_bytes()),
            true => (Table::<V6>::ENTRY_BYTES, Table::<V6>::slot_bytes()),
        };
        let Measured {
            window,
            before,
            within: [early, late],
            after,
            counts,
            ..
        } = measured;
        let pps = |of: fn(&stack::HostCounters) -> u64| {
            rate(
                of(&late.server.host) - of(&early.server.host),
                late.at.since(early.at),
            )
        };
        let rx_pps = pps(|host| host.rx_frames);
        let tx_pps = pps(|host| host.tx_frames);
        let link_baseline_pps = f64::midpoint(baseline.before, baseline.after);
        let retransmitted = |s: &super::testbed::Sample| {
            s.server.tcp.retransmitted_segments + s.client.tcp.retransmitted_segments
        };
        let time_wait = |of: fn(&tcp::time_wait::Counters) -> u64| {
            of(&after.server.time_wait) - of(&before.server.time_wait)
        };
        let server_closes = args.exchange().server_closes;
        let table = after.closer(server_closes).time_wait_bytes;
        let reused = |s: &super::testbed::Sample| s.client.host.time_wait_local_reuse;
        let latency = measured.latency.as_ref();
        let mut outcome = Outcome {
            seconds: window.elapsed.as_secs_f64(),
            connections: window.counts.completed,
            connections_per_second: rate(window.counts.completed, window.elapsed),
            packets_per_connection: over(segments(measured), counts.completed),
            rx_pps,
            tx_pps,
            errors: counts.errors(),
            retransmissions: retransmitted(after) - retransmitted(before),
            link_drops: after.link_drops - before.link_drops,
            time_wait_rules: args.time_wait_rules(),
            recycled_by_sequence: time_wait(tcp::time_wait::Counters::recycled_by_sequence),
            recycled_by_timestamp: time_wait(tcp::time_wait::Counters::recycled_by_timestamp),
            syn_refused: time_wait(tcp::time_wait::Counters::syn_refused),
            found_unused: match args.ports {
                Ports::LongestRest => 0,
                // Nothing expires in a valid window, so each of those has made an entry.
                _ => {
                    let entries = |s: &super::testbed::Sample| s.closer(server_closes).time_wait;
                    entries(after).saturating_sub(entries(before))
                }
            },
            reused_by_client: reused(after) - reused(before),
            launches_put_off: put_off(counts),
            time_wait_peak: measured.time_wait_peak,
            tw_entry_bytes: entry as u64,
            tw_slot_bytes: slot,
            longest_turn_us: measured.longest_turn.as_nanos() as f64 / 1e3,
            tw_all_in_bytes_per_entry: over(table, measured.time_wait_peak),
            link_baseline_pps,
            link_baseline_before_pps: baseline.before,
            link_baseline_after_pps: baseline.after,
            link_share: if link_baseline_pps > 0.0 {
                rx_pps.max(tx_pps) / link_baseline_pps
            } else {
                0.0
            },
            connect_latency_us: latency
                .map_or(Latency::default(), |l| Latency::of(&l.latencies.connect)),
            control_thread_cpu_seconds: (after.control_cpu - before.control_cpu).as_secs_f64(),
            valid: true,
            problems: Vec::new(),
        };
        outcome.problems = outcome.judge(args, measured);
        outcome.valid = outcome.problems.is_empty();
        outcome
    }

    /// What keeps the figures from meaning what they say.
    fn judge(&self, args: &BenchArgs, measured: &Measured) -> Vec<String> {
        let mut problems = Vec::new();
        let mut say = |wrong: bool, problem: String| {
            if wrong {
                problems.push(problem);
            }
        };
        let host = |of: fn(&stack::HostCounters) -> u64| {
            of(&measured.after.server.host) - of(&measured.before.server.host)
        };
        let accepted = host(|host| host.passive_opens);
        // Whoever closed first keeps TIME-WAIT, and reuse is its decision.
        let recycled = if args.exchange().server_closes {
            self.recycled_by_sequence + self.recycled_by_timestamp
        } else {
            self.reused_by_client
        };
        say(
            measured.counts.completed == 0,
            "no connection was completed".into(),
        );
        let c = &measured.counts;
        say(
            self.errors > 0,
            format!(
                "{} errors: {} time-outs, {} resets, {} refusals, {} with wrong bytes",
                self.errors,
                c.err_connect_timeout + c.err_timeout + c.err_close,
                c.err_reset,
                c.err_refused,
                c.err_wrong + c.err_cut_short,
            ),
        );
        let early = measured.fill.errors();
        say(
            early > 0,
            format!("{early} errors when the four-tuples were used for the first time"),
        );
        let late = measured.latency.as_ref().map_or(0, |l| l.counts.errors());
        say(late > 0, format!("{late} errors in the run for latency"));
        say(
            measured.latency.is_none() && measured.counts.completed > 0,
            "no latency: fewer than two connections a second".into(),
        );
        // Where no TIME-WAIT is kept, there is nothing that a SYN could recycle.
        let kept = args.time_wait().kept_ms() > 0;
        say(
            kept && recycled + self.found_unused != accepted,
            format!(
                "{recycled} of {accepted} accepted SYNs recycled a four-tuple in TIME-WAIT: the \
                 others found it unused or expired"
            ),
        );
        say(
            !kept && (recycled > 0 || measured.time_wait_peak > 0),
            format!(
                "there is to be no TIME-WAIT, but {} entries were seen, and {recycled} SYNs met one",
                measured.time_wait_peak
            ),
        );
        say(
            args.profile == Profile::Dperf && segments(measured) != 6 * measured.counts.completed,
            format!(
                "profile dperf is six packets a connection: {} connections had {}, {:.3} each",
                measured.counts.completed,
                segments(measured),
                self.packets_per_connection
            ),
        );
        problems
    }
}

/// TCP segments of the server, both ways, from the window's beginning to its last connection's end.
fn segments(measured: &Measured) -> u64 {
    let of = |s: &super::testbed::Sample| s.server.host.rx_segments + s.server.host.tx_segments;
    of(&measured.after) - of(&measured.before)
}

fn over(count: u64, of: u64) -> f64 {
    if of == 0 {
        0.0
    } else {
        count as f64 / of as f64
    }
}
