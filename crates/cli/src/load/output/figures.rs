//! Every figure by its name: what `--pass` compares, and what JSON and CSV hold.

use core::time::Duration;

use hdrhistogram::Histogram;
use load::Measured;

use super::Traffic;
use crate::load::unit::Unit;

/// The quantiles that are told, in percent, and their names.
pub(super) const PERCENTILES: [(&str, f64); 7] = [
    ("p50", 50.0),
    ("p75", 75.0),
    ("p90", 90.0),
    ("p99", 99.0),
    ("p99_9", 99.9),
    ("p99_99", 99.99),
    ("p99_999", 99.999),
];

/// An interval, or a whole run.
#[derive(Clone, Copy, Debug)]
pub struct Report<'a> {
    /// Time from the beginning of the run to the end of what is told.
    pub at: Duration,
    /// What the generators did.
    pub measured: &'a Measured,
    /// What was counted beside it in the same time.
    pub traffic: &'a Traffic,
}

/// Something that was measured.
#[derive(Clone, PartialEq, Debug)]
pub struct Figure {
    /// Its name: a word, or that of a latency, a point, and that of a statistic.
    pub name: String,
    /// The unit of its value.
    pub unit: Unit,
    /// What it is.
    pub help: String,
    /// `None`: nothing was measured.
    pub value: Option<f64>,
}

/// Names and units of all figures.
///
/// # Errors
/// There is no memory to measure with.
pub(in crate::load) fn known() -> Result<Vec<(String, Unit)>, String> {
    let measured = Measured::new().map_err(|error| error.to_string())?;
    let nothing = Report {
        at: Duration::ZERO,
        measured: &measured,
        traffic: &Traffic::default(),
    };
    let mut all = figures(&nothing);
    all.extend(short(&all));
    Ok(all
        .into_iter()
        .map(|figure| (figure.name, figure.unit))
        .collect())
}

/// The figures whose names are short: those of requests.
fn short(figures: &[Figure]) -> Vec<Figure> {
    let of_requests = |figure: &Figure| {
        let name = figure.name.strip_prefix("request.")?.to_owned();
        Some(Figure {
            name,
            ..figure.clone()
        })
    };
    figures.iter().filter_map(of_requests).collect()
}

/// The value of the figure `name`, short or not.
pub(in crate::load) fn value(figures: &[Figure], name: &str) -> Option<f64> {
    let is = |figure: &&Figure| {
        figure.name == name || figure.name.strip_prefix("request.") == Some(name)
    };
    figures.iter().find(is)?.value
}

/// All of them, in their order.
#[must_use]
pub fn figures(report: &Report<'_>) -> Vec<Figure> {
    let mut all = All(Vec::new());
    rates(&mut all, report);
    report.measured.counts.for_each(&mut |name, help, value| {
        all.number(name, help, value as f64);
    });
    moments(&mut all, report);
    around(&mut all, report);
    for (name, histogram) in report.measured.latencies.named() {
        latency(&mut all, name, histogram);
    }
    all.0
}

struct All(Vec<Figure>);

impl All {
    fn add(&mut self, name: &str, unit: Unit, help: &str, value: Option<f64>) {
        self.0.push(Figure {
            name: name.to_owned(),
            unit,
            help: help.to_owned(),
            value,
        });
    }

    fn number(&mut self, name: &str, help: &str, value: f64) {
        self.add(name, Unit::Number, help, Some(value));
    }
}

fn rates(all: &mut All, report: &Report<'_>) {
    let measured = report.measured;
    all.number(
        "seconds",
        "How long connections were being opened and requests sent, in seconds: what rates refer to. Where a number of \
         connections ends the run, until the last of them was over.",
        measured.elapsed.as_secs_f64(),
    );
    all.number(
        "cps",
        "Connections a second that reached ESTABLISHED.",
        measured.per_second(|counts| counts.established),
    );
    all.number(
        "completed_per_second",
        "Connections a second that were over as they should be.",
        measured.per_second(|counts| counts.completed),
    );
    all.number(
        "rps",
        "Right answers a second.",
        measured.per_second(|counts| counts.responses),
    );
    all.number(
        "sent_bps",
        "Bits a second that TCP has taken to send.",
        8.0 * measured.per_second(|counts| counts.bytes_sent),
    );
    all.number(
        "received_bps",
        "Bits a second received in order.",
        8.0 * measured.per_second(|counts| counts.bytes_received),
    );
    all.number(
        "errors",
        "Everything that went wrong on connections: all `err_` figures together.",
        measured.counts.errors() as f64,
    );
}

fn moments(all: &mut All, report: &Report<'_>) {
    let alive = report.measured.alive;
    for (name, help, value) in [
        (
            "opening",
            "Connections in SYN-SENT, at the end.",
            alive.opening,
        ),
        (
            "open",
            "Connections that are ESTABLISHED and that neither end has closed, at the end.",
            alive.open,
        ),
        (
            "closing",
            "Connections that are being closed, at the end.",
            alive.closing,
        ),
        (
            "behind",
            "Events that were due and had not begun, at the end: how far an open loop is behind.",
            alive.behind,
        ),
        (
            "time_wait",
            "Entries in our own TIME-WAIT, at the end.",
            report.traffic.time_wait,
        ),
    ] {
        all.number(name, help, value as f64);
    }
}

fn around(all: &mut All, report: &Report<'_>) {
    let traffic = report.traffic;
    for (name, help, value) in [
        (
            "time_wait_reused",
            "Connections whose four-tuple was taken from our own TIME-WAIT.",
            traffic.reused,
        ),
        (
            "time_wait_evicted",
            "Entries of our own TIME-WAIT that had to go before their time.",
            traffic.evicted,
        ),
        (
            "syn_challenged",
            "SYNs that the peer answered by an acknowledgment of an earlier connection, which it has in TIME-WAIT or \
             half open: that gets a RST, and the SYN is sent again.",
            traffic.challenged,
        ),
        (
            "retransmitted",
            "Segments sent again.",
            traffic.retransmitted,
        ),
        ("rx_frames", "Frames received.", traffic.rx_frames),
        ("rx_bytes", "Octets of frames received.", traffic.rx_bytes),
        ("tx_frames", "Frames sent.", traffic.tx_frames),
        ("tx_bytes", "Octets of frames sent.", traffic.tx_bytes),
        (
            "imissed",
            "Frames that devices dropped on receipt: no descriptor or no buffer was free.",
            traffic.imissed,
        ),
        (
            "ierrors",
            "Frames that devices received with an error.",
            traffic.ierrors,
        ),
        (
            "oerrors",
            "Frames that devices failed to send.",
            traffic.oerrors,
        ),
    ] {
        all.number(name, help, value as f64);
    }
    all.add(
        "busy",
        Unit::Share,
        "Share of the time in which the busiest worker had something to do.",
        traffic.busy_shares().reduce(f64::max),
    );
}

fn latency(all: &mut All, of: &str, histogram: &Histogram<u64>) {
    let measured = |value: f64| (!histogram.is_empty()).then_some(value);
    all.number(
        &format!("{of}.count"),
        &format!("How often `{of}` was measured."),
        histogram.len() as f64,
    );
    let mut time = |name: &str, help: &str, value: f64| {
        all.add(&format!("{of}.{name}"), Unit::Time, help, measured(value));
    };
    time("mean", "Arithmetic mean.", histogram.mean());
    time("stdev", "Standard deviation.", histogram.stdev());
    time("min", "The fastest.", histogram.min() as f64);
    for (name, percent) in PERCENTILES {
        let help = format!("{percent} of 100 were as fast, or faster.");
        let value = histogram.value_at_percentile(percent) as f64;
        time(name, &help, value);
    }
    time("max", "The slowest.", histogram.max() as f64);
}
