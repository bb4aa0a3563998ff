//! What Prometheus is told: everything that workers publish and devices count, in OpenMetrics text.
//!
//! Names, types and meanings come from the fields themselves; `config/METRICS.md` lists them.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;
use runtime::{Field, Kind, Monitor, PortReport};

mod limited;
pub mod server;

/// Before each name.
const PREFIX: &str = "tidewheel";

/// Fields of a port, with where they are read.
type PortField = (Field, fn(&PortReport) -> u64);

const PORT: [PortField; 11] = [
    (
        Field::counter("port_rx_frames", "Frames that the device received."),
        |port| port.stats.ipackets,
    ),
    (
        Field::counter("port_tx_frames", "Frames that the device sent."),
        |port| port.stats.opackets,
    ),
    (
        Field::counter("port_rx_octets", "Octets that the device received."),
        |port| port.stats.ibytes,
    ),
    (
        Field::counter("port_tx_octets", "Octets that the device sent."),
        |port| port.stats.obytes,
    ),
    (
        Field::counter(
            "port_rx_missed",
            "Frames that the device dropped because a receive queue was full.",
        ),
        |port| port.stats.imissed,
    ),
    (
        Field::counter("port_rx_errors", "Frames received with an error."),
        |port| port.stats.ierrors,
    ),
    (
        Field::counter(
            "port_rx_no_buffer",
            "Failures to get a buffer for a frame to be received.",
        ),
        |port| port.stats.rx_nombuf,
    ),
    (
        Field::counter("port_tx_errors", "Frames that could not be sent."),
        |port| port.stats.oerrors,
    ),
    (
        Field::gauge("port_link_up", "1 while frames can pass, else 0."),
        |port| u64::from(port.link.is_some_and(|link| link.up)),
    ),
    (
        Field::counter(
            "port_link_changes",
            "Times that the link was seen to go down or to come up, by a look each statistics interval and scrape.",
        ),
        |port| port.link_changes,
    ),
    (
        Field::gauge(
            "port_free_buffers",
            "Packet buffers that are free to receive into and to send with; none left stops a driver (memif) that counts no failure.",
        ),
        |port| port.free_buffers,
    ),
];

/// What a driver counts under names of its own, as far as something went wrong.
const FAULT: Field = Field::counter(
    "port_fault",
    "What the driver counts under a name of its own that tells of an error or a loss.",
);
/// In the names of such counters.
const FAULTS: [&str; 8] = [
    "err", "drop", "miss", "discard", "crc", "no_mbuf", "overflow", "fail",
];

const WORKER_PHASE: Field = Field::gauge(
    "worker_phase",
    "What the worker does: 0 serve, 1 drain, 2 stop, 3 it has ended.",
);
const INFO: Field = Field::gauge("info", "1; its labels tell the versions.");

/// A registry of everything that `monitor` sees.
#[must_use]
pub fn registry(monitor: Monitor) -> Registry {
    let mut registry = Registry::with_prefix(PREFIX);
    registry.register_collector(Box::new(Everything(monitor)));
    registry
}

#[derive(Debug)]
struct Everything(Monitor);

impl Collector for Everything {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let versions = [
            ("version", env!("CARGO_PKG_VERSION")),
            ("dpdk", runtime::dpdk_version()),
        ];
        sample(&mut describe(&mut encoder, &INFO)?, &versions, &INFO, 1)?;
        self.workers(&mut encoder)?;
        ports(&mut encoder, &self.0.ports())
    }
}

impl Everything {
    fn workers(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let boards = self.0.boards();
        let Some(first) = boards.first() else {
            return Ok(());
        };
        // The workers of a server publish all the same.
        for (place, field) in first.fields().iter().enumerate() {
            let mut metric = describe(encoder, field)?;
            for board in boards {
                let labels = [("worker", board.name())];
                sample(&mut metric, &labels, field, board.value(place))?;
            }
        }
        let mut metric = describe(encoder, &WORKER_PHASE)?;
        for board in boards {
            let labels = [("worker", board.name())];
            sample(&mut metric, &labels, &WORKER_PHASE, board.phase() as u64)?;
        }
        Ok(())
    }
}

fn ports(encoder: &mut DescriptorEncoder<'_>, ports: &[PortReport]) -> fmt::Result {
    for (field, read) in &PORT {
        let mut metric = describe(encoder, field)?;
        for port in ports {
            sample(&mut metric, &[("port", &port.name)], field, read(port))?;
        }
    }
    let mut metric = describe(encoder, &FAULT)?;
    for port in ports {
        for (name, value) in &port.xstats {
            if FAULTS.iter().any(|fault| name.contains(fault)) {
                let labels = [("port", port.name.as_str()), ("counter", name)];
                sample(&mut metric, &labels, &FAULT, *value)?;
            }
        }
    }
    Ok(())
}

fn describe<'a>(
    encoder: &'a mut DescriptorEncoder<'_>,
    field: &'a Field,
) -> Result<MetricEncoder<'a>, fmt::Error> {
    let metric_type = match field.kind {
        Kind::Counter => MetricType::Counter,
        Kind::Gauge | Kind::Max => MetricType::Gauge,
    };
    encoder.encode_descriptor(field.name, field.help, None, metric_type)
}

fn sample<const N: usize>(
    metric: &mut MetricEncoder<'_>,
    labels: &[(&str, &str); N],
    field: &Field,
    value: u64,
) -> fmt::Result {
    let mut metric = metric.encode_family(labels)?;
    match field.kind {
        Kind::Counter => metric.encode_counter::<NoLabelSet, _, u64>(&value, None),
        Kind::Gauge | Kind::Max => metric.encode_gauge(&value),
    }
}

#[cfg(test)]
mod tests;
