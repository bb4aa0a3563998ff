//! The head of a request (RFC 9112 2 to 6), read by httparse and judged here.

use core::mem::MaybeUninit;

use super::response::Status;
use crate::fields::{Connection, decimal};
use crate::{MAX_FIELDS, MAX_HEAD};

/// What the bytes at hand are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Parsed<'a> {
    /// The beginning of a head.
    Incomplete,
    /// A whole head.
    Request(Request<'a>),
    /// Not a request that can be understood; where the next one begins is not known.
    Bad(Status),
}

/// A request's head.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Request<'a> {
    /// Bytes of the head, the empty line included.
    pub len: usize,
    /// The method.
    pub method: Method,
    /// The path of the target, without scheme, authority and query.
    pub path: &'a str,
    /// What becomes of the connection after the response.
    pub persistence: Persistence,
    /// What follows the head.
    pub body: Body,
    /// Expect: 100-continue (RFC 9110 10.1.1).
    pub expects_continue: bool,
}

/// Methods (RFC 9110 9).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Method {
    /// GET.
    Get,
    /// HEAD.
    Head,
    /// POST or PUT.
    Upload,
    /// A method of RFC 9110 that no resource here allows.
    NotAllowed,
    /// Anything else.
    Unknown,
}

/// Whether the connection outlives the response (RFC 9112 9.3).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Persistence {
    /// It does, as HTTP/1.1 has it.
    KeepAlive,
    /// It does although the client speaks HTTP/1.0, and has to be told so.
    KeepAlive10,
    /// It does not.
    Close,
}

/// How the body is framed (RFC 9112 6).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Body {
    /// So many bytes; 0 is no body.
    Length(u64),
    /// The chunked transfer coding.
    Chunked,
}

/// Reads the head at the beginning of `bytes`.
#[must_use]
pub fn parse(bytes: &[u8]) -> Parsed<'_> {
    // Only what may belong to the head is looked at, so that the verdict does not depend on how
    // much has arrived after it.
    let head = &bytes[..bytes.len().min(MAX_HEAD)];
    let mut fields = [const { MaybeUninit::uninit() }; MAX_FIELDS];
    let mut request = httparse::Request::new(&mut []);
    match request.parse_with_uninit_headers(head, &mut fields) {
        Ok(httparse::Status::Complete(len)) => judge(len, &request),
        Ok(httparse::Status::Partial) if bytes.len() < MAX_HEAD => Parsed::Incomplete,
        //= RFC 9112 3
        //# A server that receives a request-target longer than any URI it wishes to parse MUST
        //# respond with a 414 (URI Too Long) status code
        Ok(httparse::Status::Partial) if request.path.is_none() => Parsed::Bad(Status::UriTooLong),
        Ok(httparse::Status::Partial) | Err(httparse::Error::TooManyHeaders) => {
            Parsed::Bad(Status::FieldsTooLarge)
        }
        Err(httparse::Error::Version) => Parsed::Bad(Status::VersionNotSupported),
        Err(_) => Parsed::Bad(Status::BadRequest),
    }
}

/// What the header fields say, as far as this server cares.
#[derive(Default)]
struct Fields {
    hosts: usize,
    length: Option<u64>,
    chunked: bool,
    connection: Connection,
    expects_continue: bool,
}

fn judge<'a>(len: usize, request: &httparse::Request<'_, 'a>) -> Parsed<'a> {
    let (Some(method), Some(target), Some(minor)) = (request.method, request.path, request.version)
    else {
        return Parsed::Bad(Status::BadRequest);
    };
    let fields = match Fields::read(request.headers) {
        Ok(fields) => fields,
        Err(status) => return Parsed::Bad(status),
    };
    //= RFC 9112 3.2
    //# A server MUST respond with a 400 (Bad Request) status code to any HTTP/1.1 request message
    //# that lacks a Host header field and to any request message that contains more than one Host
    //# header field line
    if fields.hosts > 1 || (fields.hosts == 0 && minor == 1) {
        return Parsed::Bad(Status::BadRequest);
    }
    let body = match (fields.chunked, fields.length) {
        (false, length) => Body::Length(length.unwrap_or(0)),
        //= RFC 9112 6.1
        //# A server or client that receives an HTTP/1.0 message containing a Transfer-Encoding
        //# header field MUST treat the message as if the framing is faulty
        (true, None) if minor == 1 => Body::Chunked,
        //= RFC 9112 6.3
        //# Such a message might indicate an attempt to perform request smuggling
        (true, _) => return Parsed::Bad(Status::BadRequest),
    };
    let persistence = match (fields.connection.close, minor, fields.connection.keep_alive) {
        (true, ..) | (false, 0, false) => Persistence::Close,
        (false, 0, true) => Persistence::KeepAlive10,
        (false, ..) => Persistence::KeepAlive,
    };
    Parsed::Request(Request {
        len,
        method: Method::named(method),
        path: path_of(target),
        persistence,
        body,
        expects_continue: fields.expects_continue && minor == 1,
    })
}

impl Fields {
    fn read(headers: &[httparse::Header<'_>]) -> Result<Fields, Status> {
        let mut fields = Fields::default();
        for header in headers {
            let name = header.name;
            if name.eq_ignore_ascii_case("host") {
                fields.hosts += 1;
            } else if name.eq_ignore_ascii_case("connection") {
                fields.connection.add(header.value);
            } else if name.eq_ignore_ascii_case("content-length") {
                //= RFC 9112 6.3
                //# the message framing is invalid and the recipient MUST treat it as an
                //# unrecoverable error
                if fields.length.is_some() {
                    return Err(Status::BadRequest);
                }
                fields.length = Some(decimal(header.value).ok_or(Status::BadRequest)?);
            } else if name.eq_ignore_ascii_case("transfer-encoding") {
                //= RFC 9112 6.1
                //# A server that receives a request message with a transfer coding it does not
                //# understand SHOULD respond with 501 (Not Implemented).
                if fields.chunked || !header.value.trim_ascii().eq_ignore_ascii_case(b"chunked") {
                    return Err(Status::NotImplemented);
                }
                fields.chunked = true;
            } else if name.eq_ignore_ascii_case("expect") {
                if !header.value.eq_ignore_ascii_case(b"100-continue") {
                    return Err(Status::ExpectationFailed);
                }
                fields.expects_continue = true;
            }
        }
        Ok(fields)
    }
}

impl Method {
    fn named(name: &str) -> Method {
        match name {
            "GET" => Method::Get,
            "HEAD" => Method::Head,
            "POST" | "PUT" => Method::Upload,
            "DELETE" | "CONNECT" | "OPTIONS" | "TRACE" | "PATCH" => Method::NotAllowed,
            _ => Method::Unknown,
        }
    }
}

/// The path of an origin-form or absolute-form target (RFC 9112 3.2), without the query.
fn path_of(target: &str) -> &str {
    let path = match target.split_once("://") {
        Some((scheme, rest)) if !scheme.contains('/') => {
            rest.find('/').map_or("/", |slash| &rest[slash..])
        }
        _ => target,
    };
    path.split('?').next().unwrap_or(path)
}

#[cfg(test)]
mod tests;
