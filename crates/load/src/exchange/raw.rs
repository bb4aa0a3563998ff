//! Octets that mean nothing: a request as it is, and an answer of a set length.

use super::{Content, Progress};

/// The same octets each time, and so many back.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Raw {
    request: Content,
    answer: Content,
}

/// What has been read of an answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RawReader {
    received: u64,
}

impl Raw {
    /// `request` is sent; `response_len` octets are the answer, whatever they are.
    #[must_use]
    pub fn new(request: impl Into<Box<[u8]>>, response_len: u64) -> Raw {
        Raw::checked(Content::exactly(request), Content::any(response_len))
    }

    /// `request` is sent, and `answer` has to come back. Of a request that may be [`Content::any`] nothing is sent.
    #[must_use]
    pub fn checked(request: Content, answer: Content) -> Raw {
        Raw { request, answer }
    }

    #[inline]
    pub(super) fn request(&self, offset: u64) -> &[u8] {
        self.request.piece(offset)
    }

    #[inline]
    pub(super) fn is_unanswered(&self) -> bool {
        self.answer.is_empty()
    }

    pub(super) fn reader(&self, _n: u32) -> RawReader {
        RawReader { received: 0 }
    }
}

impl RawReader {
    pub(super) fn read(&mut self, raw: &Raw, data: &[u8]) -> Progress {
        let missing = raw.answer.len() - self.received;
        // At most the length of `data`.
        let consumed = missing.min(data.len() as u64) as usize;
        if !raw.answer.matches(self.received, &data[..consumed]) {
            return Progress::Wrong("has a wrong octet");
        }
        self.received += consumed as u64;
        if self.received < raw.answer.len() {
            return Progress::More { consumed };
        }
        Progress::Done {
            consumed,
            status: None,
            last: false,
        }
    }

    pub(super) fn end(&mut self, raw: &Raw) -> Progress {
        if self.received < raw.answer.len() {
            return Progress::Wrong("ended too early");
        }
        Progress::More { consumed: 0 }
    }
}
