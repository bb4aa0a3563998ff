//! An HTTP/1.1 server (RFC 9110, RFC 9112) without I/O: bytes in, bytes out, decisions.
//!
//! It serves one resource: a body of a set size or the content of a file, prepared at start. It
//! takes uploads of any size and answers with the number of bytes and their CRC-32. It knows nothing of sockets and
//! has no clock (so it sends no Date, RFC 9110 6.6.1). A connection's state is a few words: what
//! is not consumed yet is held by whoever delivers bytes, what is not sent yet is an offset into a
//! prepared response.

pub use request::{Body, MAX_HEAD, Parsed, Persistence, Request, parse};
pub use response::{Reply, Site, Status, Upload};
pub use session::{Next, Session, Sink};

mod chunked;
mod request;
mod response;
mod session;
