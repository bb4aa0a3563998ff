//! The latencies of each second as an HdrHistogram log, which the tools of that project read: values in
//! nanoseconds, and the name of the latency as the tag.

use core::time::Duration;
use std::io;
use std::time::SystemTime;

use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{
    IntervalLogWriterBuilder, IntervalLogWriterError, Tag,
};

use super::sink::Sink;
use super::{Report, Title};

/// A log that is being written.
pub(super) struct HdrLog {
    sink: Sink,
    serializer: V2DeflateSerializer,
}

impl HdrLog {
    pub(super) fn new(sink: Sink) -> HdrLog {
        let serializer = V2DeflateSerializer::new();
        HdrLog { sink, serializer }
    }

    /// Writes the header; `start` is what its times count from.
    pub(super) fn begin(&mut self, title: &Title, start: SystemTime) {
        let serializer = &mut self.serializer;
        self.sink.write(|mut to| {
            IntervalLogWriterBuilder::new()
                .add_comment("[Histogram log format version 1.3]")
                .add_comment(&format!("[Logged with tidewheel {}]", env!("CARGO_PKG_VERSION")))
                .add_comment(title.to_string().trim_end())
                .with_base_time(start)
                .with_start_time(start)
                .begin_log_with(&mut to, serializer)?;
            writeln!(
                to,
                "\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\"Interval_Compressed_Histogram\""
            )
        });
    }

    /// Writes the latencies of an interval, which began at `begin`, of which there are any.
    pub(super) fn interval(&mut self, interval: &Report<'_>, begin: Duration) {
        let length = interval.at.saturating_sub(begin);
        let serializer = &mut self.serializer;
        self.sink.write(|mut to| {
            let mut log = IntervalLogWriterBuilder::new().begin_log_with(&mut to, serializer)?;
            for (name, histogram) in interval.measured.latencies.named() {
                if !histogram.is_empty() {
                    log.write_histogram(histogram, begin, length, Tag::new(name))
                        .map_err(|error| match error {
                            IntervalLogWriterError::IoError(error) => error,
                            IntervalLogWriterError::SerializeError(error) => {
                                io::Error::other(error)
                            }
                        })?;
                }
            }
            Ok(())
        });
    }

    pub(super) fn end(self) -> Option<String> {
        self.sink.end()
    }
}
