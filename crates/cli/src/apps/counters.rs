//! What the applications of a worker count.

use runtime::Field;

macro_rules! counters {
    ($($(#[doc = $help:literal])+ $name:ident,)+) => {
        /// Event counts since start.
        #[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
        pub(super) struct Counters {
            $($(#[doc = $help])+ pub(super) $name: u64,)+
        }

        impl Counters {
            /// Names and meanings, in the order of [`Counters::values`].
            pub(super) const FIELDS: [Field; [$(stringify!($name)),+].len()] =
                [$(Field::counter(stringify!($name), concat!($($help),+).trim_ascii())),+];

            pub(super) fn values(&self) -> [u64; Counters::FIELDS.len()] {
                [$(self.$name),+]
            }
        }
    };
}

counters! {
    /// HTTP responses with a status of 2xx, handed over to TCP whole.
    http_responses_2xx,
    /// HTTP responses with a status of 4xx, handed over to TCP whole.
    http_responses_4xx,
    /// HTTP responses with a status of 5xx, handed over to TCP whole.
    http_responses_5xx,
    /// HTTP connections closed because the client kept the server waiting for too long.
    http_waits_ended,
    /// Bytes sent back by echo.
    echo_bytes,
    /// Bytes received by discard.
    discard_bytes,
    /// Answers of exchange, handed over to TCP whole.
    exchange_responses,
}

impl Counters {
    /// Counts a response by the class of its status.
    #[inline]
    pub(super) fn answered(&mut self, status: u16) {
        match status / 100 {
            4 => self.http_responses_4xx += 1,
            5 => self.http_responses_5xx += 1,
            _ => self.http_responses_2xx += 1,
        }
    }
}
