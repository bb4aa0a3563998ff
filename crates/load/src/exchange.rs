//! What is said on a connection: requests to send, and the judgement of answers.
//!
//! An [`Exchange`] is made once and shared by every connection of every worker. What one connection has read of
//! the answer at hand is a [`Reader`]: small, plain, and part of the connection's own state, so
//! that nothing is allocated for a connection or for a request.

mod raw;

pub use raw::Raw;
use raw::RawReader;

/// What is sent, and which answers are right. Immutable.
#[derive(Clone, Debug)]
pub enum Exchange {
    /// Octets that mean nothing, and an answer of a set length.
    Raw(Raw),
}

/// What has become of the answer at hand.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Progress {
    /// There is more to come. What was not consumed is shown again, together with what follows it.
    More {
        /// Octets that need not be shown again.
        consumed: usize,
    },
    /// The answer is complete.
    Done {
        /// Octets of those shown that belong to it.
        consumed: usize,
        /// The class of its status, 1 to 5, for protocols that have such.
        status: Option<u8>,
        /// The peer will close the connection behind it: no further request is to be sent.
        last: bool,
    },
    /// It is not an answer that was asked for; says why, in words that complete "the answer …".
    Wrong(&'static str),
}

/// What one connection has read of the answer at hand.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Reader {
    /// No answer is expected.
    #[default]
    Idle,
    /// Of [`Exchange::Raw`].
    Raw(RawReader),
}

impl Exchange {
    /// The `n`th request of a connection, counted from 0.
    #[inline]
    #[must_use]
    pub fn request(&self, n: u32) -> &[u8] {
        match self {
            Exchange::Raw(raw) => raw.request(n),
        }
    }

    /// The reader of the answer to the `n`th request of a connection.
    #[inline]
    #[must_use]
    pub fn reader(&self, n: u32) -> Reader {
        match self {
            Exchange::Raw(raw) => Reader::Raw(raw.reader(n)),
        }
    }

    /// How many requests a connection must make for the exchange to be whole, at least 1: the steps of a
    /// script. A connection makes a multiple of them.
    #[must_use]
    pub fn steps(&self) -> u32 {
        match self {
            Exchange::Raw(_) => 1,
        }
    }
}

impl Reader {
    /// Reads `data`, the octets of the answer that were not yet consumed.
    #[inline]
    pub fn read(&mut self, exchange: &Exchange, data: &[u8]) -> Progress {
        match (self, exchange) {
            (Reader::Raw(reader), Exchange::Raw(raw)) => reader.read(raw, data),
            (Reader::Idle, _) => Progress::Wrong("was not asked for"),
        }
    }

    /// The peer has sent its FIN, and everything before it was shown.
    #[inline]
    pub fn end(&mut self, exchange: &Exchange) -> Progress {
        match (self, exchange) {
            (Reader::Raw(reader), Exchange::Raw(raw)) => reader.end(raw),
            (Reader::Idle, _) => Progress::More { consumed: 0 },
        }
    }
}
