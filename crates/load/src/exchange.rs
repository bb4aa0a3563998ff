//! What is said on a connection: requests to send, and the judgement of answers.
//!
//! An [`Exchange`] is made once and shared by every connection of every worker. What one connection has read of
//! the answer at hand is a [`Reader`]: small, plain, and part of the connection's own state, so
//! that nothing is allocated for a connection or for a request.

mod content;
mod http;
mod raw;
mod script;

pub use content::Content;
pub use http::{Expects, Http, Status};
pub use raw::Raw;
pub use script::{Expect, Pattern, Script, ScriptError, Step};

use http::HttpReader;
use raw::RawReader;
use script::ScriptReader;

/// What is sent, and which answers are right. Immutable.
#[derive(Clone, Debug)]
pub enum Exchange {
    /// Octets that mean nothing, and an answer of a set length.
    Raw(Raw),
    /// One HTTP/1.1 request over and over.
    Http(Http),
    /// A conversation in steps.
    Script(Script),
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
    /// Of [`Exchange::Http`].
    Http(HttpReader),
    /// Of [`Exchange::Script`].
    Script(ScriptReader),
}

// It is a part of each connection's state.
const _: () = assert!(size_of::<Reader>() <= 64);

impl Exchange {
    /// What is to be sent of the `n`th request of a connection, counted from 0, from `offset` on: all of the rest,
    /// or a piece of it, and nothing at its end.
    #[inline]
    #[must_use]
    pub fn request(&self, n: u32, offset: u64) -> &[u8] {
        // An offset into a slice.
        let from = |whole: &[u8]| whole.len().min(offset as usize);
        match self {
            Exchange::Raw(raw) => raw.request(offset),
            Exchange::Http(http) => {
                let whole = http.request(n);
                &whole[from(whole)..]
            }
            Exchange::Script(script) => {
                let whole = script.request(n);
                &whole[from(whole)..]
            }
        }
    }

    /// Whether the `n`th request of a connection has no answer.
    #[inline]
    #[must_use]
    pub fn is_unanswered(&self, n: u32) -> bool {
        match self {
            Exchange::Raw(raw) => raw.is_unanswered(),
            Exchange::Http(_) => false,
            Exchange::Script(script) => script.is_unanswered(n),
        }
    }

    /// The reader of the answer to the `n`th request of a connection.
    #[inline]
    #[must_use]
    pub fn reader(&self, n: u32) -> Reader {
        match self {
            Exchange::Raw(raw) => Reader::Raw(raw.reader(n)),
            Exchange::Http(_) => Reader::Http(HttpReader::default()),
            Exchange::Script(script) => Reader::Script(script.reader(n)),
        }
    }

    /// How many requests a connection must make for the exchange to be whole, at least 1: the steps of a
    /// script. A connection makes a multiple of them.
    #[must_use]
    pub fn steps(&self) -> u32 {
        match self {
            Exchange::Raw(_) | Exchange::Http(_) => 1,
            Exchange::Script(script) => script.steps(),
        }
    }
}

impl Reader {
    /// Reads `data`, the octets of the answer that were not yet consumed.
    #[inline]
    pub fn read(&mut self, exchange: &Exchange, data: &[u8]) -> Progress {
        match (self, exchange) {
            (Reader::Raw(reader), Exchange::Raw(raw)) => reader.read(raw, data),
            (Reader::Http(reader), Exchange::Http(http)) => reader.read(http, data),
            (Reader::Script(reader), Exchange::Script(script)) => reader.read(script, data),
            // Readers are made by the exchange that they read for.
            (_, _) => Progress::Wrong("was not asked for"),
        }
    }

    /// The peer has sent its FIN, and everything before it was shown.
    #[inline]
    pub fn end(&mut self, exchange: &Exchange) -> Progress {
        match (self, exchange) {
            (Reader::Raw(reader), Exchange::Raw(raw)) => reader.end(raw),
            (Reader::Http(reader), Exchange::Http(http)) => reader.end(http),
            (Reader::Script(reader), Exchange::Script(script)) => reader.end(script),
            (_, _) => Progress::More { consumed: 0 },
        }
    }
}

#[cfg(test)]
mod tests;
