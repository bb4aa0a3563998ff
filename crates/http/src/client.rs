//! The client's end: requests written once, and responses read as they come.
//!
//! A [`Reader`] belongs to one connection and is told which request each response answers. Interim
//! responses (1xx) are passed over; content is shown piece by piece and forgotten.

use core::mem::MaybeUninit;

use crate::chunked::Decoder;
use crate::fields::{Connection, decimal, elements};
use crate::{MAX_FIELDS, MAX_HEAD};

pub use request::{InvalidRequest, Request};

mod request;

/// The state of one connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Reader {
    input: Input,
    response: Response,
}

/// What was answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Response {
    /// The status code, from 200 to 999.
    pub status: u16,
    /// Whether a further request may follow on the connection (RFC 9112 9.3).
    pub persistent: bool,
}

/// What the bytes shown were.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Progress {
    /// A part of a response: so many bytes of it are consumed, and the others are to be shown again
    /// together with what follows.
    More(usize),
    /// The response ends after so many bytes.
    Done(usize, Response),
}

/// Not a response; where a next one would begin is not known.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Malformed {
    /// The head is not that of a response.
    #[error("the status line or a header field is malformed")]
    Head,
    /// The head is longer than [`MAX_HEAD`], or has too many fields.
    #[error("the header fields are too large")]
    TooLarge,
    /// `Content-Length` and `Transfer-Encoding` are invalid or contradict each other.
    #[error("the length of the body is not certain")]
    Length,
    /// The chunked coding of the body is broken.
    #[error("the chunked coding is malformed")]
    Chunk,
    /// 101: the connection speaks another protocol now, which nobody asked for.
    #[error("the server has switched protocols")]
    Upgraded,
    /// The connection ended within the response, or instead of it.
    #[error("the connection ended before the response did")]
    Incomplete,
}

/// What comes next from the server.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Input {
    #[default]
    Head,
    /// So many bytes of a body.
    Body {
        left: u64,
    },
    Chunked(Decoder),
    /// A body that ends with the connection.
    UntilClosed,
}

impl Reader {
    /// Takes `bytes`, which begin where those consumed before them ended. `to_head`: the request
    /// was HEAD. `content` is called with each piece of the response's content.
    ///
    /// # Errors
    /// What the server sends is not HTTP/1.1; the reader is of no further use.
    pub fn read(
        &mut self,
        to_head: bool,
        bytes: &[u8],
        mut content: impl FnMut(&[u8]),
    ) -> Result<Progress, Malformed> {
        let mut used = 0;
        loop {
            let rest = &bytes[used..];
            match self.input {
                Input::Head => match parse(rest)? {
                    None => return Ok(Progress::More(used)),
                    Some(head) => {
                        used += head.len;
                        let Some(response) = head.last else { continue };
                        self.response = response;
                        self.input = match head.body {
                            _ if to_head => Input::Body { left: 0 },
                            Body::Length(left) => Input::Body { left },
                            Body::Chunked => Input::Chunked(Decoder::new()),
                            Body::UntilClosed => Input::UntilClosed,
                        };
                        if self.input == (Input::Body { left: 0 }) {
                            return Ok(self.done(used));
                        }
                    }
                },
                Input::Body { left } => {
                    let here = left.min(rest.len() as u64);
                    let piece = &rest[..here as usize];
                    if !piece.is_empty() {
                        content(piece);
                    }
                    used += piece.len();
                    self.input = Input::Body { left: left - here };
                    return Ok(if here == left {
                        self.done(used)
                    } else {
                        Progress::More(used)
                    });
                }
                Input::Chunked(mut decoder) => {
                    let progress = decoder.advance(rest, content);
                    let progress = progress.map_err(|_| Malformed::Chunk)?;
                    used += progress.used;
                    self.input = Input::Chunked(decoder);
                    return Ok(if progress.done {
                        self.done(used)
                    } else {
                        Progress::More(used)
                    });
                }
                Input::UntilClosed => {
                    if !rest.is_empty() {
                        content(rest);
                    }
                    return Ok(Progress::More(bytes.len()));
                }
            }
        }
    }

    /// The server sends nothing more, and everything before was shown: the response that this ends.
    ///
    /// # Errors
    /// It does not end one.
    pub fn end(&mut self) -> Result<Response, Malformed> {
        match core::mem::take(&mut self.input) {
            Input::UntilClosed => Ok(self.response),
            //= RFC 9112 6.3
            //# If the sender closes the connection or the recipient times out before the indicated
            //# number of octets are received, the recipient MUST consider the message to be
            //# incomplete and close the connection.
            _ => Err(Malformed::Incomplete),
        }
    }

    /// The status code of the response at hand, once its head is in.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        (self.input != Input::Head).then_some(self.response.status)
    }

    fn done(&mut self, used: usize) -> Progress {
        self.input = Input::Head;
        Progress::Done(used, self.response)
    }
}

/// A response's head.
struct Head {
    len: usize,
    /// What a final response says; `None` for an interim one.
    last: Option<Response>,
    body: Body,
}

/// How the body is framed (RFC 9112 6.3).
enum Body {
    Length(u64),
    Chunked,
    UntilClosed,
}

/// Reads the head at the beginning of `bytes`; `None` if there is more of it to come.
fn parse(bytes: &[u8]) -> Result<Option<Head>, Malformed> {
    if bytes.is_empty() {
        return Ok(None);
    }
    // Only what may belong to the head is looked at, so that the verdict does not depend on how
    // much has arrived after it.
    let shown = &bytes[..bytes.len().min(MAX_HEAD)];
    let mut fields = [const { MaybeUninit::uninit() }; MAX_FIELDS];
    let mut response = httparse::Response::new(&mut []);
    let config = httparse::ParserConfig::default();
    match config.parse_response_with_uninit_headers(&mut response, shown, &mut fields) {
        Ok(httparse::Status::Complete(len)) => judge(len, &response).map(Some),
        Ok(httparse::Status::Partial) if bytes.len() < MAX_HEAD => Ok(None),
        Ok(httparse::Status::Partial) | Err(httparse::Error::TooManyHeaders) => {
            Err(Malformed::TooLarge)
        }
        Err(_) => Err(Malformed::Head),
    }
}

/// What the header fields say, as far as a reader cares.
#[derive(Default)]
struct Fields {
    length: Option<u64>,
    /// There is a `Transfer-Encoding`, and whether its last coding is chunked.
    chunked: Option<bool>,
    connection: Connection,
}

fn judge(len: usize, response: &httparse::Response<'_, '_>) -> Result<Head, Malformed> {
    let (Some(status @ 100..=999), Some(minor)) = (response.code, response.version) else {
        return Err(Malformed::Head);
    };
    match status {
        101 => return Err(Malformed::Upgraded),
        //= RFC 9110 15.2
        //# A client MUST be able to parse one or more 1xx responses received
        //# prior to a final response, even if the client does not expect one.
        100..200 => {
            return Ok(Head {
                len,
                last: None,
                body: Body::Length(0),
            });
        }
        _ => {}
    }
    let fields = Fields::read(response.headers)?;
    let body = match (status, fields.chunked, fields.length) {
        //= RFC 9112 6.3
        //# Any response to a HEAD request and any response with a 1xx
        //# (Informational), 204 (No Content), or 304 (Not Modified) status
        //# code is always terminated by the first empty line after the
        //# header fields, regardless of the header fields present in the
        //# message
        (204 | 304, ..) => Body::Length(0),
        //= RFC 9112 6.1
        //# A server or client that receives an HTTP/1.0 message containing a Transfer-Encoding
        //# header field MUST treat the message as if the framing is faulty
        (_, Some(_), _) if minor == 0 => return Err(Malformed::Length),
        //= RFC 9112 6.3
        //# Such a message might indicate an attempt to
        //# perform request smuggling (Section 11.2) or response splitting
        //# (Section 11.1) and ought to be handled as an error.
        (_, Some(_), Some(_)) => return Err(Malformed::Length),
        (_, Some(true), None) => Body::Chunked,
        //= RFC 9112 6.3
        //# If a Transfer-Encoding header field is present in a response and
        //# the chunked transfer coding is not the final encoding, the
        //# message body length is determined by reading the connection until
        //# it is closed by the server.
        (_, Some(false), None) => Body::UntilClosed,
        (_, None, Some(length)) => Body::Length(length),
        //= RFC 9112 6.3
        //# Otherwise, this is a response message without a declared message
        //# body length, so the message body length is determined by the
        //# number of octets received prior to the server closing the
        //# connection.
        (_, None, None) => Body::UntilClosed,
    };
    let Connection { close, keep_alive } = fields.connection;
    let persistent = !close && (minor == 1 || keep_alive) && !matches!(body, Body::UntilClosed);
    Ok(Head {
        len,
        last: Some(Response { status, persistent }),
        body,
    })
}

impl Fields {
    fn read(headers: &[httparse::Header<'_>]) -> Result<Fields, Malformed> {
        let mut fields = Fields::default();
        for header in headers {
            let name = header.name;
            if name.eq_ignore_ascii_case("connection") {
                fields.connection.add(header.value);
            } else if name.eq_ignore_ascii_case("content-length") {
                for value in elements(header.value) {
                    let length = decimal(value).ok_or(Malformed::Length)?;
                    //= RFC 9112 6.3
                    //# unless the field value can be successfully parsed as a
                    //# comma-separated list (Section 5.6.1 of [HTTP]), all values in the
                    //# list are valid, and all values in the list are the same
                    if fields.length.is_some_and(|before| before != length) {
                        return Err(Malformed::Length);
                    }
                    fields.length = Some(length);
                }
            } else if name.eq_ignore_ascii_case("transfer-encoding") {
                let last = elements(header.value).last().unwrap_or_default();
                fields.chunked = Some(last.eq_ignore_ascii_case(b"chunked"));
            }
        }
        Ok(fields)
    }
}

#[cfg(test)]
mod tests;
