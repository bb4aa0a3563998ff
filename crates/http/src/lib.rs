//! Both ends of HTTP/1.1 (RFC 9110, RFC 9112) without I/O: bytes in, bytes out, decisions.
//!
//! [`server`] answers requests for one resource, [`client`] reads responses. Neither knows sockets or a
//! clock (so the server sends no Date, RFC 9110 6.6.1), and neither holds bytes: what is not consumed
//! yet is kept by whoever delivers it, and shown again together with what follows. A connection's state is a
//! few words without a pointer.

pub mod client;
pub mod server;

mod chunked;
mod fields;

/// The most bytes of a message's head: the start line, the header fields and the empty line.
pub const MAX_HEAD: usize = 8192;
/// The most header fields of a message.
const MAX_FIELDS: usize = 64;
