//! A socket: what the user sees of a listener or a connection.

use std::collections::VecDeque;

use stack::{Handle, ListenerId};
use wire::FourTuple;

use crate::address::Address;
use crate::errno::Errno;

/// What a socket is.
#[derive(Debug)]
pub(crate) enum Kind {
    /// Neither listening nor connected, never or not any more.
    Idle,
    /// A listener.
    Listening {
        /// The stack's.
        id: ListenerId,
        /// Connections that may wait to be accepted, less one.
        backlog: u32,
        /// The sockets that wait, longest first.
        waiting: VecDeque<usize>,
    },
    /// A connection of the stack's.
    Connected(Handle),
    /// A connection that is over. It may be in TIME-WAIT.
    Over,
}

/// A socket.
#[derive(Debug)]
pub(crate) struct Socket {
    pub(crate) kind: Kind,
    /// The user has a handle of it: a connection that waits to be accepted has none.
    pub(crate) has_user: bool,
    /// What it is bound to.
    pub(crate) local: Option<Address>,
    /// The connection's.
    pub(crate) tuple: Option<FourTuple>,
    /// The protocol's parameters, for what it will open and, once open, in force.
    pub(crate) tcp: tcp::Config,
    /// The delay of acknowledgments without TCP_QUICKACK, in ms.
    pub(crate) delayed_ack_ms: u16,
    /// SO_KEEPALIVE, and TCP_KEEPIDLE, TCP_KEEPINTVL and TCP_KEEPCNT, which wait for it.
    pub(crate) keepalive_on: bool,
    pub(crate) keepalive: tcp::Keepalive,
    /// SO_REUSEADDR.
    pub(crate) reuse_address: bool,
    /// SO_LINGER: seconds, if on.
    pub(crate) linger: Option<i32>,
    /// SO_ERROR: told once.
    pub(crate) error: Option<Errno>,
    /// How connect went, once it is known.
    pub(crate) connected: Option<Result<(), Errno>>,
    /// What had been received and not read when the connection was reset or given up.
    pub(crate) unread: Vec<u8>,
    /// The peer had ended its stream when the connection came to its end.
    pub(crate) peer_closed: bool,
    /// Shut down for reading.
    pub(crate) read_closed: bool,
    /// Shut down for writing.
    pub(crate) write_closed: bool,
}

impl Socket {
    pub(crate) fn new(tcp: tcp::Config) -> Socket {
        Socket {
            kind: Kind::Idle,
            has_user: true,
            local: None,
            tuple: None,
            delayed_ack_ms: tcp.delayed_ack_ms,
            tcp,
            keepalive_on: false,
            keepalive: tcp::Keepalive::default(),
            reuse_address: false,
            linger: None,
            error: None,
            connected: None,
            unread: Vec::new(),
            peer_closed: false,
            read_closed: false,
            write_closed: false,
        }
    }

    /// A connection that a listener accepted: it inherits the listener's options.
    pub(crate) fn accepted(listener: &Socket, conn: Handle, tuple: FourTuple) -> Socket {
        Socket {
            kind: Kind::Connected(conn),
            has_user: false,
            local: Some(Address {
                ip: Some(tuple.local),
                port: tuple.local_port,
            }),
            tuple: Some(tuple),
            tcp: listener.tcp.clone(),
            delayed_ack_ms: listener.delayed_ack_ms,
            keepalive_on: listener.keepalive_on,
            keepalive: listener.keepalive,
            reuse_address: listener.reuse_address,
            linger: listener.linger,
            error: None,
            connected: Some(Ok(())),
            unread: Vec::new(),
            peer_closed: false,
            read_closed: false,
            write_closed: false,
        }
    }

    pub(crate) fn is_listening(&self) -> bool {
        matches!(self.kind, Kind::Listening { .. })
    }
}
