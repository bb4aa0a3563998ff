//! Responses, prepared at start: sending one is naming it and an offset.

use std::path::Path;
use std::sync::Arc;

use super::request::{Method, Persistence, Request};

/// Bodies up to this size are kept together with each form of their head, so that a response is
/// one piece.
const TOGETHER: usize = 16 * 1024;
/// Room for the one response that is not prepared: the answer to an upload.
pub(super) const SCRATCH: usize = 256;

/// Statuses other than 200 (RFC 9110 15).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Status {
    /// 400.
    BadRequest,
    /// 404.
    NotFound,
    /// 405.
    MethodNotAllowed,
    /// 414.
    UriTooLong,
    /// 417.
    ExpectationFailed,
    /// 431 (RFC 6585 5).
    FieldsTooLarge,
    /// 501.
    NotImplemented,
    /// 505.
    VersionNotSupported,
}

impl Status {
    /// All, in the order of their discriminants.
    const ALL: [Status; 8] = [
        Status::BadRequest,
        Status::NotFound,
        Status::MethodNotAllowed,
        Status::UriTooLong,
        Status::ExpectationFailed,
        Status::FieldsTooLarge,
        Status::NotImplemented,
        Status::VersionNotSupported,
    ];

    /// The code.
    #[must_use]
    pub const fn code(self) -> u16 {
        match self {
            Status::BadRequest => 400,
            Status::NotFound => 404,
            Status::MethodNotAllowed => 405,
            Status::UriTooLong => 414,
            Status::ExpectationFailed => 417,
            Status::FieldsTooLarge => 431,
            Status::NotImplemented => 501,
            Status::VersionNotSupported => 505,
        }
    }

    const fn line(self) -> &'static str {
        match self {
            Status::BadRequest => "400 Bad Request",
            Status::NotFound => "404 Not Found",
            Status::MethodNotAllowed => "405 Method Not Allowed",
            Status::UriTooLong => "414 URI Too Long",
            Status::ExpectationFailed => "417 Expectation Failed",
            Status::FieldsTooLarge => "431 Request Header Fields Too Large",
            Status::NotImplemented => "501 Not Implemented",
            Status::VersionNotSupported => "505 HTTP Version Not Supported",
        }
    }
}

/// What a request gets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reply {
    /// The resource; without its body for HEAD.
    Resource {
        /// HEAD.
        head_only: bool,
    },
    /// An upload was received.
    Received(Upload),
    /// An error; without its body for HEAD.
    Error {
        /// Which.
        status: Status,
        /// HEAD.
        head_only: bool,
    },
    /// 100 Continue: an interim response.
    Continue,
}

impl Reply {
    /// The status code of a final response.
    pub(super) fn status(&self) -> Option<u16> {
        match self {
            Reply::Resource { .. } | Reply::Received(_) => Some(200),
            Reply::Error { status, .. } => Some(status.code()),
            Reply::Continue => None,
        }
    }
}

/// What was received of an upload. Nothing of it is kept: the checksum is the client's evidence that
/// every byte came, in order.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Upload {
    bytes: u64,
    /// CRC-32 as in gzip (RFC 1952 8).
    crc32: u32,
}

impl Upload {
    /// Takes what follows.
    pub(super) fn add(&mut self, content: &[u8]) {
        let mut hasher = crc32fast::Hasher::new_with_initial_len(self.crc32, self.bytes);
        hasher.update(content);
        self.crc32 = hasher.finalize();
        self.bytes += content.len() as u64;
    }
}

/// A response's head, and its body if that is small, for one [`Persistence`].
#[derive(Debug, Default)]
struct Prepared {
    bytes: Vec<u8>,
    head: usize,
}

/// One resource and all that can be answered about it.
#[derive(Debug)]
pub struct Site {
    body: Arc<[u8]>,
    /// Where the resource is besides `/`.
    path: Option<String>,
    resource: [Prepared; 3],
    errors: [[Prepared; 3]; 8],
}

const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

impl Site {
    /// A resource at `/` whose body is `size` printable bytes.
    #[must_use]
    pub fn of_size(size: usize) -> Site {
        let line = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-\n";
        let body = line.iter().copied().cycle().take(size).collect();
        Site::new(body, "text/plain", None)
    }

    /// A resource at `/` and at `/` with the file's name, whose body is the file's content.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn of_file(file: &Path) -> std::io::Result<Site> {
        let body = std::fs::read(file)?.into();
        let name = file.file_name().map(|name| format!("/{}", name.display()));
        Ok(Site::new(body, media_type(file), name))
    }

    fn new(body: Arc<[u8]>, media_type: &str, path: Option<String>) -> Site {
        let attached = if body.len() <= TOGETHER {
            &body[..]
        } else {
            &[]
        };
        let resource = prepare("200 OK", media_type, "", body.len(), attached);
        let errors = Status::ALL.map(|status| {
            let text = format!("{}\n", status.line());
            //= RFC 9110 15.5.6
            //# The origin server MUST generate an Allow header field in a 405 response
            let extra = match status {
                Status::MethodNotAllowed => "Allow: GET, HEAD, POST, PUT\r\n",
                _ => "",
            };
            prepare(
                status.line(),
                "text/plain",
                extra,
                text.len(),
                text.as_bytes(),
            )
        });
        Site {
            body,
            path,
            resource,
            errors,
        }
    }

    /// What `request` gets once its body is in.
    pub(super) fn reply(&self, request: &Request<'_>) -> Reply {
        let head_only = request.method == Method::Head;
        let error = |status| Reply::Error { status, head_only };
        match request.method {
            Method::Upload => Reply::Received(Upload::default()),
            Method::NotAllowed => error(Status::MethodNotAllowed),
            Method::Unknown => error(Status::NotImplemented),
            Method::Get | Method::Head if self.is_here(request.path) => {
                Reply::Resource { head_only }
            }
            Method::Get | Method::Head => error(Status::NotFound),
        }
    }

    fn is_here(&self, path: &str) -> bool {
        path == "/" || self.path.as_deref() == Some(path)
    }

    /// The bytes of a response: two pieces, the second often empty.
    pub(super) fn render<'a>(
        &'a self,
        reply: Reply,
        persistence: Persistence,
        scratch: &'a mut [u8; SCRATCH],
    ) -> (&'a [u8], &'a [u8]) {
        let form = persistence as usize;
        match reply {
            Reply::Continue => (CONTINUE, &[]),
            Reply::Received(upload) => (received(upload, persistence, scratch), &[]),
            Reply::Error { status, head_only } => {
                let prepared = &self.errors[status as usize][form];
                (prepared.piece(head_only), &[])
            }
            Reply::Resource { head_only } => {
                let prepared = &self.resource[form];
                let apart = !head_only && prepared.head == prepared.bytes.len();
                let body = if apart { &self.body[..] } else { &[] };
                (prepared.piece(head_only), body)
            }
        }
    }
}

impl Prepared {
    fn piece(&self, head_only: bool) -> &[u8] {
        if head_only {
            &self.bytes[..self.head]
        } else {
            &self.bytes
        }
    }
}

/// The `Connection` field, for each [`Persistence`] in the order of its discriminants.
const CONNECTION: [&str; 3] = ["", "Connection: keep-alive\r\n", "Connection: close\r\n"];

/// The three forms of a response.
fn prepare(
    status: &str,
    media_type: &str,
    extra: &str,
    length: usize,
    attached: &[u8],
) -> [Prepared; 3] {
    CONNECTION.map(|connection| {
        let head = format!(
            "HTTP/1.1 {status}\r\nServer: tidewheel\r\nContent-Type: {media_type}\r\n{extra}\
             Content-Length: {length}\r\n{connection}\r\n"
        );
        Prepared {
            head: head.len(),
            bytes: [head.as_bytes(), attached].concat(),
        }
    })
}

/// The answer to an upload, written into `scratch`: its length in bytes and its CRC-32, eight
/// hexadecimal digits.
fn received(upload: Upload, persistence: Persistence, scratch: &mut [u8; SCRATCH]) -> &[u8] {
    use std::io::Write;
    let Upload { bytes, crc32 } = upload;
    let digits = bytes.checked_ilog10().unwrap_or(0) + 1;
    let mut rest = &mut scratch[..];
    let connection = CONNECTION[persistence as usize];
    // The longest answer is well below the room there is; if it were not, it would be cut short.
    let _ = write!(
        rest,
        "HTTP/1.1 200 OK\r\nServer: tidewheel\r\nContent-Type: text/plain\r\n\
         Content-Length: {}\r\n{connection}\r\n{bytes} {crc32:08x}\n",
        digits + " 01234567\n".len() as u32
    );
    let unused = rest.len();
    &scratch[..SCRATCH - unused]
}

/// The media type of a file, by its suffix.
fn media_type(file: &Path) -> &'static str {
    let suffix = file.extension().map(|suffix| suffix.to_ascii_lowercase());
    match suffix.as_deref().and_then(|suffix| suffix.to_str()) {
        Some("html" | "htm") => "text/html; charset=utf-8",
        Some("txt" | "md" | "log") => "text/plain; charset=utf-8",
        Some("css") => "text/css",
        Some("js" | "mjs") => "text/javascript",
        Some("json") => "application/json",
        Some("xml") => "application/xml",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("jpg" | "jpeg") => "image/jpeg",
        Some("gif") => "image/gif",
        Some("webp") => "image/webp",
        Some("ico") => "image/x-icon",
        Some("pdf") => "application/pdf",
        Some("wasm") => "application/wasm",
        Some("gz") => "application/gzip",
        _ => "application/octet-stream",
    }
}
