//! The applications of `serve`, several at once in one stack: which one answers a connection is
//! decided by the listener that accepted it.

use std::io;
use std::sync::Arc;

use runtime::{Field, Publish};
use stack::{Application, Context, Handle, TimeWaitEvent};
use tcp::CloseReason;
use tcp::time::Instant;
use tracing::field;

use crate::config::{App, Close, Listen};
use ::http::server::Site;
use load::exchange::Content;

mod counters;
mod exchange;
mod grace;
mod http;

use counters::Counters;
use exchange::Exchanging;
use grace::Grace;
use http::Connection;

pub use exchange::Exchange;

/// What answers the connections of one listener. Shared by all workers.
#[derive(Clone, Debug)]
pub enum Service {
    /// Sends back what it receives (RFC 862).
    Echo,
    /// Receives and ignores (RFC 863).
    Discard,
    /// Answers requests of a set size.
    Exchange(Exchange),
    /// Answers HTTP requests.
    Http {
        /// What it serves.
        site: Arc<Site>,
        /// The client is to close first.
        client_closes: bool,
    },
}

impl Service {
    /// The application of `listen`, its file loaded.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn new(listen: &Listen) -> io::Result<Service> {
        Ok(match listen.app {
            App::Echo => Service::Echo,
            App::Discard => Service::Discard,
            App::Exchange => Service::Exchange(Exchange::new(
                Content::any(listen.request_len()),
                Content::pattern(listen.response_len()),
                listen.closes() == Close::Server,
            )),
            App::Http => Service::Http {
                site: Arc::new(match &listen.file {
                    Some(file) => Site::of_file(file)?,
                    None => Site::of_size(usize::try_from(listen.body_len()).unwrap_or(usize::MAX)),
                }),
                client_closes: listen.closes() == Close::Client,
            },
        })
    }
}

/// All applications of one worker.
pub struct Apps {
    /// In the order of the stack's listeners.
    services: Vec<Service>,
    /// By connection, if there is a service of the kind.
    connections: Box<[Connection]>,
    exchanging: Box<[Exchanging]>,
    shared: Shared,
    draining: bool,
}

/// What the connections of a worker share.
struct Shared {
    grace: Grace,
    counters: Counters,
}

impl Apps {
    /// `services` in the order of the stack's listeners, for a stack of `max_connections`.
    #[must_use]
    pub fn new(services: Vec<Service>, max_connections: usize) -> Apps {
        let is_http = |service: &Service| matches!(service, Service::Http { .. });
        let is_exchange = |service: &Service| matches!(service, Service::Exchange(_));
        let room = |is: fn(&Service) -> bool| match services.iter().any(is) {
            true => max_connections,
            false => 0,
        };
        let (http, exchanges) = (room(is_http), room(is_exchange));
        Apps {
            services,
            connections: vec![Connection::default(); http].into(),
            exchanging: vec![Exchanging::default(); exchanges].into(),
            shared: Shared {
                grace: Grace::new(http),
                counters: Counters::default(),
            },
            draining: false,
        }
    }
}

/// The service of a connection. One that no listener of ours accepted does not exist; its bytes
/// would be discarded.
macro_rules! service {
    ($self:ident, $cx:ident, $conn:ident) => {
        $cx.listener($conn)
            .and_then(|id| $self.services.get(id.place()))
            .unwrap_or(&Service::Discard)
    };
}

impl Application for Apps {
    fn on_open(&mut self, cx: &mut Context<'_>, conn: Handle) {
        match service!(self, cx, conn) {
            Service::Echo | Service::Discard => {}
            Service::Exchange(exchange) => {
                self.exchanging[conn.index()].open(conn, exchange, self.draining);
            }
            Service::Http { .. } => self.connections[conn.index()].open(conn, self.draining),
        }
    }

    fn on_data(&mut self, cx: &mut Context<'_>, conn: Handle, data: &[u8]) -> usize {
        match service!(self, cx, conn) {
            // What does not fit into the send buffer stays in the receive buffer and closes the
            // window: the peer is slowed down to the pace at which it reads its echo.
            Service::Echo => {
                let taken = cx.send(conn, data);
                self.shared.counters.echo_bytes += taken as u64;
                taken
            }
            Service::Discard => {
                self.shared.counters.discard_bytes += data.len() as u64;
                data.len()
            }
            Service::Exchange(exchange) => {
                let connection = &mut self.exchanging[conn.index()];
                connection.on_data(cx, &mut self.shared.counters, exchange, data)
            }
            Service::Http {
                site,
                client_closes,
            } => {
                let connection = &mut self.connections[conn.index()];
                connection.on_data(cx, &mut self.shared, site, *client_closes, data)
            }
        }
    }

    fn on_writable(&mut self, cx: &mut Context<'_>, conn: Handle) {
        match service!(self, cx, conn) {
            Service::Echo => cx.resume(conn),
            Service::Discard => {}
            Service::Exchange(exchange) => {
                let connection = &mut self.exchanging[conn.index()];
                connection.on_writable(cx, &mut self.shared.counters, exchange);
            }
            Service::Http {
                site,
                client_closes,
            } => {
                let connection = &mut self.connections[conn.index()];
                connection.on_writable(cx, &mut self.shared, site, *client_closes);
            }
        }
    }

    fn on_peer_closed(&mut self, cx: &mut Context<'_>, conn: Handle) {
        match service!(self, cx, conn) {
            Service::Echo | Service::Discard => cx.close(conn),
            Service::Exchange(exchange) => {
                self.exchanging[conn.index()].on_peer_closed(cx, exchange);
            }
            Service::Http { .. } => self.connections[conn.index()].on_peer_closed(cx),
        }
    }

    fn on_closed(&mut self, _cx: &mut Context<'_>, conn: Handle, _reason: CloseReason) {
        if let Some(connection) = self.exchanging.get_mut(conn.index()) {
            connection.closed();
        }
        if let Some(connection) = self.connections.get_mut(conn.index()) {
            connection.closed();
        }
    }

    fn on_drain(&mut self, cx: &mut Context<'_>) {
        self.draining = true;
        for connection in &mut self.connections {
            connection.drain(cx);
        }
        for connection in &mut self.exchanging {
            connection.drain(cx);
        }
    }

    fn on_time_wait(&mut self, event: &TimeWaitEvent<'_>) {
        trace(event);
    }

    fn poll(&mut self, cx: &mut Context<'_>) {
        let Shared { grace, counters } = &mut self.shared;
        counters.http_waits_ended += grace.expire(cx, &mut self.connections);
    }

    fn next_poll(&self) -> Option<Instant> {
        self.shared.grace.next()
    }
}

impl Publish for Apps {
    fn fields() -> &'static [Field] {
        &Counters::FIELDS
    }

    fn values(&self, put: &mut dyn FnMut(u64)) {
        self.shared.counters.values().into_iter().for_each(put);
    }
}

/// Tells those who trace it what was decided about a connection in TIME-WAIT.
pub(crate) fn trace(event: &TimeWaitEvent<'_>) {
    let header = event.segment.map(|segment| segment.header);
    tracing::debug!(
        // Since the program began, as what follows.
        at = ?event.at,
        tuple = ?event.tuple,
        verdict = event.outcome.verdict.map(field::debug),
        permit = event.outcome.permit.map(field::debug),
        incident = event.outcome.incident.map(field::debug),
        allowed_at = event.outcome.allowed_at.map(field::debug),
        flags = header.map(|h| field::debug(h.flags)),
        seq = header.map(|h| h.seq.0),
        ack = header.map(|h| h.ack.0),
        len = event.segment.map(|segment| segment.text_len),
        timestamps = header.and_then(|h| h.options.timestamps).map(field::debug),
        entry = event.entry.map(field::debug),
        "TIME-WAIT"
    );
}

#[cfg(test)]
mod tests;
