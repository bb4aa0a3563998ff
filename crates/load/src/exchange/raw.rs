//! Octets that mean nothing: a request as it is, and an answer of a set length.

use super::Progress;

/// The same octets each time, and so many back.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Raw {
    request: Box<[u8]>,
    response_len: u64,
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
        Raw {
            request: request.into(),
            response_len,
        }
    }

    pub(super) fn request(&self, _n: u32) -> &[u8] {
        &self.request
    }

    pub(super) fn reader(&self, _n: u32) -> RawReader {
        RawReader { received: 0 }
    }
}

impl RawReader {
    pub(super) fn read(&mut self, raw: &Raw, data: &[u8]) -> Progress {
        let missing = raw.response_len - self.received;
        let consumed = missing.min(data.len() as u64);
        self.received += consumed;
        // At most the length of `data`.
        let consumed = consumed as usize;
        if self.received < raw.response_len {
            return Progress::More { consumed };
        }
        Progress::Done {
            consumed,
            status: None,
            last: false,
        }
    }

    pub(super) fn end(&mut self, raw: &Raw) -> Progress {
        if self.received < raw.response_len {
            return Progress::Wrong("ended too early");
        }
        Progress::More { consumed: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Exchange, Progress, Reader};
    use super::*;

    #[test]
    fn an_answer_in_pieces_is_whole_at_its_length_and_not_before() {
        let exchange = Exchange::Raw(Raw::new(*b"hello", 5));
        assert_eq!(exchange.request(7), b"hello");
        let mut reader = exchange.reader(0);
        assert_eq!(
            reader.read(&exchange, b"abc"),
            Progress::More { consumed: 3 }
        );
        let early = reader;
        assert_eq!(
            reader.read(&exchange, b"defg"),
            Progress::Done {
                consumed: 2,
                status: None,
                last: false
            }
        );
        assert_eq!({ early }.end(&exchange), Progress::Wrong("ended too early"));
        assert_eq!(
            Reader::Idle.read(&exchange, b"x"),
            Progress::Wrong("was not asked for")
        );
    }
}
