//! The server's end.
//!
//! It serves one resource: a body of a set size or the content of a file, prepared at start. It
//! takes uploads of any size and answers with the number of bytes and their CRC-32. What is not sent yet
//! is an offset into a prepared response.

pub use request::{Body, Parsed, Persistence, Request, parse};
pub use response::{Reply, Site, Status, Upload};
pub use session::{Next, Session, Sink};

mod request;
mod response;
mod session;
