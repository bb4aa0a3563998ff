use core::time::Duration;
use std::io::{self, ErrorKind, Write};
use std::sync::{Arc, Mutex};

use hdrhistogram::serialization::Deserializer;
use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};
use load::{Alive, Measured};

use super::*;

/// A second, or several of them, in which everything has happened.
fn measured(seconds: u64) -> Measured {
    let mut measured = Measured::new().unwrap();
    measured.elapsed = Duration::from_secs(seconds);
    let counts = &mut measured.counts;
    counts.opened = 1_000_003 * seconds;
    counts.established = 1_000_001 * seconds;
    counts.closed = 1_000_000 * seconds;
    counts.completed = 999_990 * seconds;
    counts.requests = 1_000_001 * seconds;
    counts.responses = 999_999 * seconds;
    counts.status_2xx = 999_990 * seconds;
    counts.status_4xx = 9 * seconds;
    counts.bytes_sent = 70_000_000 * seconds;
    counts.bytes_received = 1_234_000_000 * seconds;
    counts.err_refused = 2 * seconds;
    counts.err_wrong = seconds;
    counts.held_no_tuple = 5 * seconds;
    measured.alive = Alive {
        opening: 1,
        open: 390,
        closing: 9,
        behind: 0,
    };
    for at in 1..=1000 {
        measured.latencies.connect.record(at * 100).unwrap();
        measured.latencies.request.record(at * at * 1_000).unwrap();
    }
    measured.first_wrong = Some("has a wrong octet");
    measured
}

fn traffic(seconds: u64) -> Traffic {
    Traffic {
        rx_frames: 3_000_000 * seconds,
        rx_bytes: 200_000_000 * seconds,
        tx_frames: 3_000_001 * seconds,
        tx_bytes: 210_000_000 * seconds,
        retransmitted: 4 * seconds,
        reused: 7 * seconds,
        challenged: 9 * seconds,
        imissed: 8 * seconds,
        ierrors: 0,
        oerrors: 0,
        evicted: 0,
        time_wait: 60_000,
        busy: vec![(450_000_000 * seconds, 1_000_000_000 * seconds), (0, 0)],
    }
}

fn title() -> Title {
    Title {
        targets: vec!["http://10.0.0.2:80/".into()],
        mode: "connections, open loop at 1,000,000 a second".into(),
        workers: 2,
        connections: 400,
        duration: Some(Duration::from_secs(30)),
    }
}

/// Has `then` see a report of `seconds`.
fn with_report<T>(at: u64, seconds: u64, then: impl FnOnce(&Report<'_>) -> T) -> T {
    let (measured, traffic) = (measured(seconds), traffic(seconds));
    then(&Report {
        at: Duration::from_secs(at),
        measured: &measured,
        traffic: &traffic,
    })
}

/// What was written, seen from outside.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Shared {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Nothing can be written to it.
struct Full(ErrorKind);

impl Write for Full {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(self.0.into())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Outputs whose standard output is `to`.
fn outputs(args: &OutputArgs, to: Box<dyn Write>) -> Outputs {
    let mut outputs = Outputs::open(args, title()).unwrap();
    outputs.begin(SystemTime::UNIX_EPOCH);
    outputs.standard = Sink::new("standard output", to);
    outputs
}

/// Two seconds of a run, and its end. Returns what was printed.
fn run(args: &OutputArgs) -> (String, anyhow::Result<()>) {
    let shared = Shared::default();
    let mut outputs = outputs(args, Box::new(shared.clone()));
    for at in 1..=2 {
        with_report(at, 1, |interval| {
            with_report(at, at, |total| outputs.interval(interval, total));
        });
    }
    let end = with_report(2, 2, |total| {
        outputs.finish(total, None, &[Problem::new(&["errors"], "a reason")])
    });
    (shared.text(), end)
}

#[test]
fn lines_and_a_summary() {
    let (text, end) = run(&OutputArgs {
        pass: Some("errors < 10 && connect.p99 < 1ms".into()),
        ..OutputArgs::default()
    });
    end.unwrap();
    insta::assert_snapshot!(text);
}

#[test]
fn a_run_whose_figures_mean_nothing_passes_nothing() {
    for (pass, passes) in [
        ("cps > 1", false),
        ("cps > 1 && errors < 1M", true),
        ("cps > 1 || errors < 1M", true),
        ("cps < 1 && errors < 1M", false),
    ] {
        let args = OutputArgs {
            json: true,
            pass: Some(pass.into()),
            ..OutputArgs::default()
        };
        let (text, end) = run(&args);
        assert_eq!(end.is_ok(), passes, "{pass}: {text}");
        let void = text.contains("the run is not valid: a reason");
        assert_eq!(void, !pass.contains("errors"), "{pass}: {text}");
    }
}

#[test]
fn a_run_in_which_nothing_happened() {
    let measured = Measured::new().unwrap();
    let nothing = Report {
        at: Duration::ZERO,
        measured: &measured,
        traffic: &Traffic::default(),
    };
    let shared = Shared::default();
    let args = OutputArgs {
        pass: Some("p99 < 1s".into()),
        ..OutputArgs::default()
    };
    let mut outputs = outputs(&args, Box::new(shared.clone()));
    outputs.interval(&nothing, &nothing);
    let end = outputs.finish(&nothing, None, &[]).unwrap_err();
    assert_eq!(end.downcast_ref::<NotPassed>(), Some(&NotPassed));
    insta::assert_snapshot!(shared.text());
}

#[test]
fn json_is_one_object() {
    let (text, end) = run(&OutputArgs {
        json: true,
        pass: Some("errors == 0".into()),
        ..OutputArgs::default()
    });
    assert!(end.unwrap_err().is::<NotPassed>());
    assert_eq!(text.lines().count(), 1);
    let object: serde_json::Value = serde_json::from_str(&text).unwrap();
    insta::assert_snapshot!(serde_json::to_string_pretty(&object).unwrap());
}

#[test]
fn json_lines_are_one_a_second_and_one_of_the_run() {
    let (text, end) = run(&OutputArgs {
        json_lines: true,
        ..OutputArgs::default()
    });
    end.unwrap();
    let objects: Vec<serde_json::Value> = text
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    let of: Vec<_> = objects.iter().map(|o| o["of"].as_str().unwrap()).collect();
    assert_eq!(of, ["interval", "interval", "run"]);
    assert_eq!(objects[1]["at"], 2.0);
    assert_eq!(objects[1]["established"], 1_000_001);
    assert_eq!(objects[2]["established"], 2_000_002);
    assert_eq!(objects[2]["latency_us"]["connect"]["max"], 100.031);
}

#[test]
fn what_is_left_of_an_interval_is_for_programs() {
    let printed = |json_lines: bool| {
        let shared = Shared::default();
        let args = OutputArgs {
            json_lines,
            ..OutputArgs::default()
        };
        let mut outputs = outputs(&args, Box::new(shared.clone()));
        with_report(1, 1, |interval| outputs.rest(interval));
        let measured = Measured::new().unwrap();
        outputs.rest(&Report {
            at: Duration::from_secs(2),
            measured: &measured,
            traffic: &traffic(1),
        });
        shared.text()
    };
    assert_eq!(printed(false), "");
    let text = printed(true);
    let object: serde_json::Value = serde_json::from_str(text.trim()).unwrap();
    assert_eq!(
        (&object["of"], &object["established"]),
        (&"interval".into(), &1_000_001.into())
    );
}

#[test]
fn a_table_has_a_column_for_each_figure() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.csv");
    let (_, end) = run(&OutputArgs {
        csv: Some(file.clone()),
        ..OutputArgs::default()
    });
    end.unwrap();
    let text = std::fs::read_to_string(file).unwrap();
    let rows: Vec<Vec<&str>> = text.lines().map(|l| l.split(',').collect()).collect();
    let [header, first, second] = &rows[..] else {
        panic!("{text}")
    };
    assert_eq!(header.len(), with_report(1, 1, |r| figures(r).len()) + 1);
    assert!(first.len() == header.len() && second.len() == header.len());
    let cell = |row: &[&str], name: &str| {
        let at = header.iter().position(|n| *n == name);
        row[at.unwrap()].to_owned()
    };
    assert_eq!(cell(second, "at"), "2");
    assert_eq!(cell(first, "errors"), "3");
    assert_eq!(cell(first, "connect.p50_us"), "50.015");
    assert_eq!(cell(first, "close.p50_us"), "");
}

#[test]
fn a_log_of_histograms_is_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.hlog");
    let (_, end) = run(&OutputArgs {
        hdr: Some(file.clone()),
        ..OutputArgs::default()
    });
    end.unwrap();
    let bytes = std::fs::read(file).unwrap();
    assert!(bytes.starts_with(b"#[Histogram log format version 1.3]\n"));
    let mut seen = Vec::new();
    for entry in IntervalLogIterator::new(&bytes) {
        let LogEntry::Interval(interval) = entry.unwrap() else {
            continue;
        };
        let compressed = base64(interval.encoded_histogram());
        let histogram = Deserializer::new().deserialize::<u64, _>(&mut &compressed[..]);
        seen.push((
            interval.start_timestamp().as_secs(),
            interval.tag().unwrap().as_str().to_owned(),
            histogram.unwrap(),
        ));
    }
    let names: Vec<_> = seen
        .iter()
        .map(|(at, tag, _)| (*at, tag.as_str()))
        .collect();
    assert_eq!(
        names,
        [
            (0, "connect"),
            (0, "request"),
            (1, "connect"),
            (1, "request")
        ]
    );
    assert_eq!(seen[2].2.len(), 1000);
    assert_eq!(seen[2].2.value_at_percentile(50.0), 50_015);
}

/// RFC 4648 4.
fn base64(text: &str) -> Vec<u8> {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut bytes, mut bits, mut held) = (Vec::new(), 0, 0_u32);
    for digit in text.bytes().filter(|b| *b != b'=') {
        let value = ALPHABET.iter().position(|b| *b == digit).unwrap();
        held = held << 6 | u32::try_from(value).unwrap();
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push((held >> bits) as u8);
        }
    }
    bytes
}

#[test]
fn what_cannot_be_written_is_told_at_the_end_and_stops_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.csv");
    let args = OutputArgs {
        csv: Some(file.clone()),
        ..OutputArgs::default()
    };
    for (kind, remedy) in [
        (ErrorKind::BrokenPipe, "whoever read it has ended"),
        (ErrorKind::StorageFull, "make room"),
    ] {
        let mut outputs = outputs(&args, Box::new(Full(kind)));
        for at in 1..=3 {
            with_report(at, 1, |r| outputs.interval(r, r));
        }
        let end = with_report(3, 3, |total| outputs.finish(total, None, &[])).unwrap_err();
        let text = end.to_string();
        assert!(
            text.contains("standard output") && text.contains(remedy),
            "{text}"
        );
        assert_eq!(std::fs::read_to_string(&file).unwrap().lines().count(), 4);
    }
}

#[test]
fn what_cannot_be_opened_or_understood_is_told_before_the_run() {
    let open = |args: OutputArgs| {
        let error = Outputs::open(&args, title()).err();
        error.unwrap().to_string()
    };
    let no_folder = open(OutputArgs {
        csv: Some("/nonexistent/a.csv".into()),
        ..OutputArgs::default()
    });
    assert!(no_folder.contains("--csv /nonexistent/a.csv: the file cannot be made"));
    let no_figure = open(OutputArgs {
        pass: Some("errorz == 0".into()),
        ..OutputArgs::default()
    });
    assert!(no_figure.contains("did you mean `errors`?"), "{no_figure}");
}

#[test]
fn figures_have_names_of_their_own_and_every_count_is_one() {
    let known = figures::known().unwrap();
    let names: std::collections::HashSet<_> = known.iter().map(|(name, _)| name).collect();
    assert_eq!(names.len(), known.len());
    load::Counts::default().for_each(&mut |name, _, _| {
        assert!(names.iter().any(|n| *n == name), "{name}");
    });
    for name in [
        "p99",
        "request.p99",
        "cps",
        "rps",
        "errors",
        "p99_999",
        "max",
    ] {
        assert!(names.iter().any(|n| *n == name), "{name}");
    }
}

/// A run that is over after a tenth of its last second: the line is of what happened in that second.
#[test]
fn the_line_is_of_the_time_since_the_last() {
    let (measured, traffic) = (
        Measured {
            elapsed: Duration::from_millis(100),
            ..measured(1)
        },
        traffic(1),
    );
    let shared = Shared::default();
    let mut outputs = outputs(&OutputArgs::default(), Box::new(shared.clone()));
    for at in [1, 3] {
        let report = Report {
            at: Duration::from_secs(at),
            measured: &measured,
            traffic: &traffic,
        };
        outputs.interval(&report, &report);
    }
    let text = shared.text();
    assert!(text.contains("pktRx 3,000,000"), "{text}");
    assert!(text.contains("pktRx 1,500,000"), "{text}");
}
