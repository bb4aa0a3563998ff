//! HTTP/1.1: one request over and over, and its responses.

use core::num::NonZeroU32;

use http::client;

use super::{Content, Progress};

/// A request, and which responses to it are right.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Http {
    request: Box<[u8]>,
    /// The last request of a connection, if it is another: the one that asks the server to close.
    last: Option<(NonZeroU32, Box<[u8]>)>,
    to_head: bool,
    expects: Expects,
}

/// Which responses are right. Whatever they are, the classes of their statuses are counted.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Expects {
    /// The status.
    pub status: Status,
    /// The content.
    pub content: Option<Content>,
}

/// Which statuses are right.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Status {
    /// Each.
    #[default]
    Any,
    /// Those of one class, 2 to 5: with 2, 200 to 299.
    Class(u8),
    /// One alone.
    Code(u16),
}

/// What has been read of a response.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct HttpReader {
    reader: client::Reader,
    /// Octets of its content.
    received: u64,
}

pub(super) const ANOTHER_STATUS: &str = "has another status than was asked for";

impl Http {
    /// `request` is sent each time.
    ///
    /// # Errors
    /// It is no request.
    pub fn new(
        request: &client::Request,
        expects: Expects,
    ) -> Result<Http, client::InvalidRequest> {
        Ok(Http {
            request: request.bytes()?.into(),
            last: None,
            to_head: request.is_head(),
            expects,
        })
    }

    /// The same, but each connection's last request of `requests` asks the server to close behind its answer
    /// (RFC 9112 9.6).
    ///
    /// # Errors
    /// It is no request.
    pub fn closed_by_server(
        request: &client::Request,
        expects: Expects,
        requests: NonZeroU32,
    ) -> Result<Http, client::InvalidRequest> {
        let last = client::Request {
            last: true,
            ..request.clone()
        };
        Ok(Http {
            last: Some((requests, last.bytes()?.into())),
            ..Http::new(request, expects)?
        })
    }

    #[inline]
    pub(super) fn request(&self, n: u32) -> &[u8] {
        match &self.last {
            Some((requests, last)) if n % *requests == requests.get() - 1 => last,
            _ => &self.request,
        }
    }

    fn judge(&self, consumed: usize, response: client::Response, received: u64) -> Progress {
        let client::Response { status, persistent } = response;
        if self
            .expects
            .content
            .as_ref()
            .is_some_and(|c| c.len() != received)
        {
            return Progress::Wrong("has a body that is too short");
        }
        Progress::Done {
            consumed,
            // 999 is the greatest status that is read.
            status: Some((status / 100) as u8),
            last: !persistent,
        }
    }
}

impl Status {
    fn is(self, status: u16) -> bool {
        match self {
            Status::Any => true,
            Status::Class(class) => status / 100 == u16::from(class),
            Status::Code(code) => status == code,
        }
    }
}

impl HttpReader {
    #[inline]
    pub(super) fn read(&mut self, http: &Http, data: &[u8]) -> Progress {
        let expected = http.expects.content.as_ref();
        let (mut received, mut right) = (self.received, true);
        let progress = self.reader.read(http.to_head, data, |piece| {
            right = right && expected.is_none_or(|content| content.matches(received, piece));
            received += piece.len() as u64;
        });
        self.received = received;
        let status = match progress {
            Ok(client::Progress::Done(_, response)) => Some(response.status),
            _ => self.reader.status(),
        };
        // In the order in which they show, so that it is the same however the octets come.
        if status.is_some_and(|status| !http.expects.status.is(status)) {
            return Progress::Wrong(ANOTHER_STATUS);
        }
        if !right {
            return Progress::Wrong("has a wrong octet in its body, or one too many");
        }
        match progress {
            Ok(client::Progress::More(consumed)) => Progress::More { consumed },
            Ok(client::Progress::Done(consumed, response)) => {
                http.judge(consumed, response, received)
            }
            Err(malformed) => Progress::Wrong(why(malformed)),
        }
    }

    pub(super) fn end(&mut self, http: &Http) -> Progress {
        match self.reader.end() {
            Ok(response) => http.judge(0, response, self.received),
            Err(_) => Progress::Wrong("ended too early"),
        }
    }
}

/// In words that complete "the answer …".
fn why(malformed: client::Malformed) -> &'static str {
    match malformed {
        client::Malformed::Head => "is no HTTP/1.1: its status line or a header field is malformed",
        client::Malformed::TooLarge => {
            "has header fields of more than 8192 octets, or more than 64"
        }
        client::Malformed::Length => {
            "is framed by lengths that are invalid or contradict each other"
        }
        client::Malformed::Chunk => "has a malformed chunk",
        client::Malformed::Upgraded => "switches to another protocol",
        client::Malformed::Incomplete => "ended too early",
    }
}
