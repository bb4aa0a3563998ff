use std::fmt::Write as _;
use std::path::Path;

use super::*;
use crate::apps::Apps;

/// The name under which Prometheus has a field.
fn name(field: &Field) -> String {
    let suffix = if field.kind == Kind::Counter {
        "_total"
    } else {
        ""
    };
    format!("{PREFIX}_{}{suffix}", field.name)
}

fn table(text: &mut String, title: &str, fields: impl IntoIterator<Item = Field>) {
    let _ = write!(
        text,
        "\n## {title}\n\n| name | type | meaning |\n|---|---|---|\n"
    );
    for field in fields {
        let kind = match field.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Max => "gauge, a maximum",
        };
        let _ = writeln!(text, "| `{}` | {kind} | {} |", name(&field), field.help);
    }
}

/// The document that this code asks for.
fn document() -> String {
    let mut text = "# Metrics

With `metrics.listen = \"127.0.0.1:9464\"`, `serve` answers `GET /metrics` there in OpenMetrics text. A scrape
reads what the workers publish about once a millisecond, and takes nothing from them. Counters count since
the start.

`load` answers in the same way. Instead of the counters of applications (`http_`, `echo_`, `discard_`, `exchange_`) it has
`tidewheel_load_` and the name of each count in [LOAD.md](LOAD.md), from `opened` to `not_begun`.
"
    .to_owned();
    let mut workers = runtime::fields::<Apps>();
    workers.push(WORKER_PHASE);
    table(&mut text, "Workers, by the label `worker`", workers);
    let ports = PORT.iter().map(|(field, _)| *field);
    table(&mut text, "Ports, by the label `port`", ports);
    table(
        &mut text,
        "Ports, by the labels `port` and `counter`",
        [FAULT],
    );
    table(
        &mut text,
        "The program, by the labels `version` and `dpdk`",
        [INFO],
    );
    text
}

#[test]
fn every_metric_is_documented_and_no_other() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config/METRICS.md");
    if std::env::var_os("TIDEWHEEL_UPDATE").is_some() {
        std::fs::write(&file, document()).unwrap();
    }
    let written = std::fs::read_to_string(&file).unwrap();
    let wanted = document();
    let missing: Vec<&str> = wanted.lines().filter(|l| !written.contains(l)).collect();
    let stale: Vec<&str> = written.lines().filter(|l| !wanted.contains(l)).collect();
    assert!(
        written == wanted,
        "config/METRICS.md lacks {missing:#?} and has {stale:#?}; this writes it anew: \
         TIDEWHEEL_UPDATE=1 cargo test --package tidewheel every_metric"
    );
}

#[test]
fn names_are_valid_and_unique() {
    let mut fields = runtime::fields::<Apps>();
    fields.extend(PORT.iter().map(|(field, _)| *field));
    fields.extend([WORKER_PHASE, FAULT, INFO]);
    let names: std::collections::HashSet<String> = fields.iter().map(name).collect();
    assert_eq!(names.len(), fields.len());
    for name in names {
        // A counter whose own name ended so would be doubled.
        assert!(!name.ends_with("_total_total"), "{name}");
        let valid = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        assert!(name.chars().all(valid), "{name}");
    }
}

/// What is written for a port with these counters.
fn text_of(port: PortReport) -> String {
    #[derive(Debug)]
    struct Only(Vec<PortReport>);
    impl Collector for Only {
        fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
            ports(&mut encoder, &self.0)
        }
    }
    let mut registry = Registry::with_prefix(PREFIX);
    registry.register_collector(Box::new(Only(vec![port])));
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
    text
}

#[test]
fn a_port_is_told_with_the_drivers_faults_and_no_other_of_its_counters() {
    let text = text_of(PortReport {
        name: "0000:00:\"5".into(),
        stats: runtime::PortStats {
            imissed: 7,
            ..Default::default()
        },
        xstats: vec![("rx_crc_errors".into(), 3), ("rx_q0_packets".into(), 9)],
        link: None,
        link_changes: 0,
        free_buffers: 5,
    });
    for line in [
        "# TYPE tidewheel_port_rx_missed counter",
        r#"tidewheel_port_rx_missed_total{port="0000:00:\"5"} 7"#,
        r#"tidewheel_port_link_up{port="0000:00:\"5"} 0"#,
        r#"tidewheel_port_free_buffers{port="0000:00:\"5"} 5"#,
        r#"tidewheel_port_fault_total{port="0000:00:\"5",counter="rx_crc_errors"} 3"#,
    ] {
        assert!(text.lines().any(|l| l == line), "{line} is not in:\n{text}");
    }
    assert!(!text.contains("rx_q0_packets"), "{text}");
}
