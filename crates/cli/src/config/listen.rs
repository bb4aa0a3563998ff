//! `[[listen]]`: a listening socket and the application behind it.

use core::net::IpAddr;
use std::path::PathBuf;

use serde::Deserialize;

use super::ListenTimeWait;
use super::quantity::{Bytes, Count};

/// A listening socket.
#[derive(Deserialize, Clone, PartialEq, Debug)]
#[serde(deny_unknown_fields)]
pub struct Listen {
    /// The local address. Default: every address of the host, of both families.
    pub address: Option<IpAddr>,
    /// The local port, 1 to 65535. Required.
    pub port: Count<1, 65535>,
    /// `"echo"`, `"discard"`, `"exchange"` or `"http"`. Required.
    pub app: App,
    /// The most connections in SYN-RECEIVED at a time, 1 to 65535; a further SYN is dropped and
    /// counted. Default 4096.
    #[serde(default = "backlog")]
    pub backlog: Count<1, 65535>,
    /// TIME-WAIT of its connections, where it differs from `[time_wait]`:
    /// `{ length = "10s", profile = "fast-recovery" }`.
    #[serde(default)]
    pub time_wait: ListenTimeWait,
    /// Who closes first: `"server"` or `"client"`. Default `"server"` for http (after the response
    /// that ends the connection), else `"client"`; echo and discard have no other.
    pub close: Option<Close>,
    /// http: the size of the body of every response, 0 to 1G. Default 0, with no `file`.
    pub body: Option<Bytes<0, { 1 << 30 }>>,
    /// http: the file that is the body of every response, loaded at start. Its suffix gives the
    /// Content-Type.
    pub file: Option<PathBuf>,
    /// exchange: the size of a request, 1 to 1G; whatever it is, so many octets are answered. Default 1.
    pub request_bytes: Option<Bytes<1, { 1 << 30 }>>,
    /// exchange: the size of an answer, 0 to 1024G. Default 1.
    pub response_bytes: Option<Bytes<0, { 1 << 40 }>>,
}

const fn backlog() -> Count<1, 65535> {
    Count::of(4096)
}

/// What answers a connection.
#[derive(Deserialize, clap::ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
#[serde(rename_all = "lowercase")]
pub enum App {
    /// Sends back what it receives (RFC 862).
    Echo,
    /// Receives and ignores (RFC 863).
    Discard,
    /// Answers requests of a set size.
    Exchange,
    /// An HTTP/1.1 server.
    Http,
}

impl App {
    /// The name in configurations.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            App::Echo => "echo",
            App::Discard => "discard",
            App::Exchange => "exchange",
            App::Http => "http",
        }
    }
}

/// Who sends the first FIN, and so keeps TIME-WAIT.
#[derive(Deserialize, clap::ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
#[serde(rename_all = "lowercase")]
pub enum Close {
    /// The server, which was connected to.
    Server,
    /// The client, which connected.
    Client,
}

impl Listen {
    /// Who closes first, the application's default included.
    #[must_use]
    pub fn closes(&self) -> Close {
        match (self.app, self.close) {
            (_, Some(close)) => close,
            (App::Http, None) => Close::Server,
            (App::Echo | App::Discard | App::Exchange, None) => Close::Client,
        }
    }

    /// Octets of a request.
    #[must_use]
    pub fn request_len(&self) -> u64 {
        self.request_bytes.map_or(1, Bytes::get)
    }

    /// Octets of an answer.
    #[must_use]
    pub fn response_len(&self) -> u64 {
        self.response_bytes.map_or(1, Bytes::get)
    }

    /// Bytes of the body of a response when no file gives it.
    #[must_use]
    pub fn body_len(&self) -> u64 {
        self.body.map_or(0, Bytes::get)
    }
}
