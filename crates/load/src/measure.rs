//! What came of it: counters and histograms.
//!
//! Each worker has its own; whoever collects them hands in blank ones and gets the filled ones back, so that
//! the worker neither allocates nor copies.

use core::time::Duration;

use hdrhistogram::{CreationError, Histogram};

/// The longest time told apart, in nanoseconds: 1,000 s.
const MAX_NS: u64 = 1_000_000_000_000;
/// Decimal digits that are exact.
const DIGITS: u8 = 3;

macro_rules! counts {
    ($($(#[doc = $doc:literal])+ $field:ident,)+) => {
        /// What happened, in numbers. Each says what its name does over the time of its [`Measured`].
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
        pub struct Counts { $($(#[doc = $doc])+ pub $field: u64,)+ }

        impl Counts {
            /// How many there are.
            pub const LEN: usize = [$(stringify!($field)),+].len();

            /// The name of each, `load_` before it, for those who show it beside the counters of others.
            pub const PREFIXED: [(&'static str, &'static str); Self::LEN] = [
                $((concat!("load_", stringify!($field)), concat!($($doc),+)),)+
            ];

            /// Calls `f` with each one's name, meaning and value, in the order of their declaration.
            pub fn for_each(&self, f: &mut impl FnMut(&'static str, &'static str, u64)) {
                $(f(stringify!($field), concat!($($doc),+).trim_ascii(), self.$field);)+
            }

            /// Adds `other`.
            pub fn add(&mut self, other: &Counts) {
                $(self.$field += other.$field;)+
            }

            /// What happened since `earlier`.
            #[must_use]
            pub fn since(&self, earlier: &Counts) -> Counts {
                Counts { $($field: self.$field.saturating_sub(earlier.$field),)+ }
            }
        }
    };
}

counts! {
    /// Connections begun: SYNs sent for the first time.
    opened,
    /// Connections that reached ESTABLISHED.
    established,
    /// Connections over, whatever the reason.
    closed,
    /// Connections over as they should be: every answer right, and closed as was asked for.
    completed,
    /// Requests sent.
    requests,
    /// Right answers.
    responses,
    /// Answers with a status of 100 to 199.
    status_1xx,
    /// Answers with a status of 200 to 299.
    status_2xx,
    /// Answers with a status of 300 to 399.
    status_3xx,
    /// Answers with a status of 400 to 499.
    status_4xx,
    /// Answers with a status of 500 to 599.
    status_5xx,
    /// Octets that TCP has taken to send.
    bytes_sent,
    /// Octets received in order.
    bytes_received,
    /// Errors: the peer answered a SYN with RST.
    err_refused,
    /// Errors: a SYN was not answered in time.
    err_connect_timeout,
    /// Errors: the peer reset an open connection.
    err_reset,
    /// Errors: an answer, or the acknowledgment of data, did not come in time.
    err_timeout,
    /// Errors: an answer was wrong.
    err_wrong,
    /// Errors: the peer closed in the middle of an answer, or before it.
    err_cut_short,
    /// Errors: the peer did not close in time, or not in order.
    err_close,
    /// Openings put off: no local address and port was free for any destination.
    held_no_tuple,
    /// Openings put off: the connection table was full.
    held_table_full,
    /// Openings put off: the neighbour table was full.
    held_no_neighbor,
    /// Openings put off: as many connections were alive as are allowed.
    held_connections,
    /// Openings put off: as many SYNs were unanswered as are allowed.
    held_opening,
    /// Requests put off: no connection was idle.
    held_no_connection,
    /// Connections that the peer closed between two requests, where neither had said that it would. Not an error.
    closed_early,
    /// Connections that had not ended when the program did, and were reset.
    cut_off,
    /// Those of them whose SYN had not been answered.
    cut_off_opening,
    /// Events that were due while the run lasted and had not been begun when it ended.
    not_begun,
}

impl Counts {
    /// Everything that went wrong on connections.
    #[must_use]
    pub const fn errors(&self) -> u64 {
        self.err_refused
            + self.err_connect_timeout
            + self.err_reset
            + self.err_timeout
            + self.err_wrong
            + self.err_cut_short
            + self.err_close
    }
}

/// Connections alive at a moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Alive {
    /// In SYN-SENT.
    pub opening: u64,
    /// ESTABLISHED, and neither end has closed.
    pub open: u64,
    /// Being closed.
    pub closing: u64,
    /// Events that are due and have not begun: how far an open loop is behind.
    pub behind: u64,
}

/// Times in nanoseconds. In an open loop each counts from when its event was due, not from when it was begun, so
/// that what an overloaded end delays is not left out (no coordinated omission).
#[derive(Clone, PartialEq, Debug)]
pub struct Latencies {
    /// From when a connection was due to ESTABLISHED.
    pub connect: Histogram<u64>,
    /// From when a request was due to the first octet of its answer. The first of a new connection
    /// is due when the connection would have been open, had it been begun when it was due.
    pub first_byte: Histogram<u64>,
    /// From when a request was due to the last octet of its answer.
    pub request: Histogram<u64>,
    /// From the first FIN of either end, as seen here, to the end of the connection here (TIME-WAIT not included).
    pub close: Histogram<u64>,
}

impl Latencies {
    /// Empty ones.
    ///
    /// # Errors
    /// The library does not make such.
    pub fn new() -> Result<Latencies, CreationError> {
        let blank = || Histogram::new_with_bounds(1, MAX_NS, DIGITS);
        Ok(Latencies {
            connect: blank()?,
            first_byte: blank()?,
            request: blank()?,
            close: blank()?,
        })
    }

    /// Each by its name.
    #[must_use]
    pub fn named(&self) -> [(&'static str, &Histogram<u64>); 4] {
        [
            ("connect", &self.connect),
            ("first_byte", &self.first_byte),
            ("request", &self.request),
            ("close", &self.close),
        ]
    }

    fn each(&mut self) -> [&mut Histogram<u64>; 4] {
        [
            &mut self.connect,
            &mut self.first_byte,
            &mut self.request,
            &mut self.close,
        ]
    }

    /// Adds what `other` has recorded.
    pub fn add(&mut self, other: &Latencies) {
        let others = other.named();
        for (ours, (_, theirs)) in self.each().into_iter().zip(others) {
            // They have the same bounds, so nothing is out of range.
            if ours.add(theirs).is_err() {
                debug_assert!(false, "histograms of different bounds");
            }
        }
    }

    /// Forgets everything; the memory stays. What is empty is left alone: a quarter of a megabyte each.
    pub fn reset(&mut self) {
        for histogram in self.each() {
            if !histogram.is_empty() {
                histogram.reset();
            }
        }
    }

    /// Whether nothing is recorded.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.named()
            .iter()
            .all(|(_, histogram)| histogram.is_empty())
    }
}

/// What one worker did in an interval, or several workers, or in several intervals.
#[derive(Clone, PartialEq, Debug)]
pub struct Measured {
    /// How long connections were being opened and requests sent: what rates refer to.
    pub elapsed: Duration,
    /// What happened.
    pub counts: Counts,
    /// The part of it that happened after the end of the run, while what was begun went on to its end.
    pub late: Counts,
    /// How long things took.
    pub latencies: Latencies,
    /// What was alive at the end of the interval.
    pub alive: Alive,
    /// Why the first wrong answer was wrong, in words that complete "the answer …".
    pub first_wrong: Option<&'static str>,
}

impl Measured {
    /// Nothing.
    ///
    /// # Errors
    /// As [`Latencies::new`].
    pub fn new() -> Result<Measured, CreationError> {
        Ok(Measured {
            elapsed: Duration::ZERO,
            counts: Counts::default(),
            late: Counts::default(),
            latencies: Latencies::new()?,
            alive: Alive::default(),
            first_wrong: None,
        })
    }

    /// Adds what another worker did in the same interval.
    pub fn beside(&mut self, other: &Measured) {
        self.elapsed = self.elapsed.max(other.elapsed);
        self.add(other);
        self.alive.opening += other.alive.opening;
        self.alive.open += other.alive.open;
        self.alive.closing += other.alive.closing;
        self.alive.behind += other.alive.behind;
    }

    /// Adds a later interval.
    pub fn after(&mut self, later: &Measured) {
        self.elapsed += later.elapsed;
        self.add(later);
        self.alive = later.alive;
    }

    fn add(&mut self, other: &Measured) {
        self.counts.add(&other.counts);
        self.late.add(&other.late);
        self.latencies.add(&other.latencies);
        self.first_wrong = self.first_wrong.or(other.first_wrong);
    }

    /// How often a second `count` grew while the run lasted.
    #[must_use]
    pub fn per_second(&self, count: impl Fn(&Counts) -> u64) -> f64 {
        let seconds = self.elapsed.as_secs_f64();
        let in_time = count(&self.counts).saturating_sub(count(&self.late));
        match seconds > 0.0 {
            true => in_time as f64 / seconds,
            false => 0.0,
        }
    }

    /// Forgets everything; the memory stays.
    pub fn reset(&mut self) {
        self.elapsed = Duration::ZERO;
        self.counts = Counts::default();
        self.late = Counts::default();
        self.latencies.reset();
        self.alive = Alive::default();
        self.first_wrong = None;
    }
}

/// `time` in nanoseconds.
#[inline]
pub(crate) fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
