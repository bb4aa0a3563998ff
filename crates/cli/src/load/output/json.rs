//! Objects for programs. Times are in microseconds, shares from 0 to 1, and what was not measured is `null`.

use std::io::{self, Write};

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::{Figure, Outcome, Report, figures};
use crate::load::problems::Problem;
use crate::load::sweep::{Swept, Trial};
use crate::load::unit::Unit;

/// One object on a line of its own.
pub(super) fn line(to: &mut dyn Write, object: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *to, object)?;
    writeln!(to)
}

/// A second of a run.
pub(super) struct Interval<'a>(pub(super) &'a Report<'a>);

impl Serialize for Interval<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("of", "interval")?;
        map.serialize_entry("at", &self.0.at.as_secs_f64())?;
        report(&mut map, self.0)?;
        map.end()
    }
}

impl Serialize for Outcome<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let title = self.title;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("of", "run")?;
        map.serialize_entry("targets", &title.targets)?;
        map.serialize_entry("mode", &title.mode)?;
        map.serialize_entry("workers", &title.workers)?;
        map.serialize_entry("connections", &title.connections)?;
        report(&mut map, self.total)?;
        map.serialize_entry("first_wrong", &self.total.measured.first_wrong)?;
        map.serialize_entry("pass", &self.verdict)?;
        map.serialize_entry("sweep", &self.sweep)?;
        let problems: Vec<&str> = self.problems.iter().map(Problem::text).collect();
        map.serialize_entry("problems", &problems)?;
        map.end()
    }
}

impl Serialize for Swept {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("from", &self.from)?;
        map.serialize_entry("to", &self.to)?;
        map.serialize_entry("rate", &self.found.rate)?;
        map.serialize_entry("confirmed", &self.found.confirmed)?;
        map.serialize_entry("failed", &self.found.failed)?;
        map.serialize_entry("complete", &self.complete)?;
        map.serialize_entry("trials", &self.trials)?;
        map.end()
    }
}

impl Serialize for Trial {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("of", "trial")?;
        map.serialize_entry("number", &self.number)?;
        map.serialize_entry("rate", &self.rate)?;
        map.serialize_entry("repeats", &self.repeats)?;
        map.serialize_entry("passed", &self.passed)?;
        map.serialize_entry("void", &self.void)?;
        map.serialize_entry("lost", &self.lost)?;
        map.serialize_entry("because", &self.because)?;
        all(&mut map, &self.figures)?;
        map.end()
    }
}

/// The figures of `report`.
fn report<M: SerializeMap>(map: &mut M, report: &Report<'_>) -> Result<(), M::Error> {
    all(map, &figures(report))
}

/// The figures, and the latencies in objects of their own.
fn all<M: SerializeMap>(map: &mut M, figures: &[Figure]) -> Result<(), M::Error> {
    for figure in figures.iter().filter(|figure| !figure.name.contains('.')) {
        map.serialize_entry(&figure.name, &Value(figure))?;
    }
    map.serialize_entry("latency_us", &Latencies(figures))
}

struct Latencies<'a>(&'a [Figure]);

impl Serialize for Latencies<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        // Those of one latency follow each other.
        let of = |figure: &Figure| Some(figure.name.split_once('.')?.0.to_owned());
        for group in self.0.chunk_by(|one, next| of(one) == of(next)) {
            if let Some(name) = group.first().and_then(of) {
                map.serialize_entry(&name, &Latency(group))?;
            }
        }
        map.end()
    }
}

struct Latency<'a>(&'a [Figure]);

impl Serialize for Latency<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let named = self.0.iter().filter_map(|figure| {
            let (_, name) = figure.name.split_once('.')?;
            Some((name, Value(figure)))
        });
        serializer.collect_map(named)
    }
}

struct Value<'a>(&'a Figure);

impl Serialize for Value<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        /// Above it, floating point does not tell one whole number from the next.
        const EXACT: f64 = (1_u64 << 53) as f64;
        match (self.0.value, self.0.unit) {
            (None, _) => serializer.serialize_none(),
            (Some(time), Unit::Time) => serializer.serialize_f64(time / 1000.0),
            (Some(number), Unit::Number) if number.fract() == 0.0 && number.abs() < EXACT => {
                serializer.serialize_u64(number as u64)
            }
            (Some(value), _) => serializer.serialize_f64(value),
        }
    }
}
