//! A table with a row a second. Times are in microseconds; what was not measured is empty.

use core::fmt::Write as _;

use super::sink::Sink;
use super::{Figure, Report, figures};
use crate::load::unit::Unit;

/// A table that is being written.
pub(super) struct Csv {
    sink: Sink,
    has_header: bool,
}

impl Csv {
    /// An empty one.
    pub(super) fn begin(sink: Sink) -> Csv {
        Csv {
            sink,
            has_header: false,
        }
    }

    /// Writes a row, and before the first one the names of the columns.
    pub(super) fn row(&mut self, interval: &Report<'_>) {
        let figures = figures(interval);
        let mut text = String::new();
        if !self.has_header {
            text.push_str("at");
            for figure in &figures {
                let _ = write!(text, ",{}{}", figure.name, suffix(figure));
            }
            text.push('\n');
            self.has_header = true;
        }
        let _ = write!(text, "{}", interval.at.as_secs_f64());
        for figure in &figures {
            text.push(',');
            if let Some(value) = figure.value {
                let value = match figure.unit {
                    Unit::Time => value / 1000.0,
                    Unit::Number | Unit::Share => value,
                };
                let _ = write!(text, "{value}");
            }
        }
        text.push('\n');
        self.sink.write(|to| to.write_all(text.as_bytes()));
    }

    pub(super) fn end(self) -> Option<String> {
        self.sink.end()
    }
}

fn suffix(figure: &Figure) -> &'static str {
    match figure.unit {
        Unit::Time => "_us",
        Unit::Number | Unit::Share => "",
    }
}
