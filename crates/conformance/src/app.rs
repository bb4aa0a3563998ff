//! The application that the stack runs: it keeps the sockets up to date, and consumes nothing, for
//! it is the user who reads.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use stack::{Application, CloseReason, Context, Handle};
use wire::FourTuple;

use crate::errno;
use crate::socket::{Kind, Socket};

/// The sockets, by handle.
#[derive(Debug, Default)]
pub(crate) struct Sockets {
    sockets: Vec<Option<Socket>>,
    /// Handles that are free again, lowest first.
    free: BinaryHeap<Reverse<usize>>,
    by_conn: HashMap<Handle, usize>,
    /// Four-tuples that went into TIME-WAIT, and may be there still.
    pub(crate) time_wait: Vec<FourTuple>,
    /// The least number of embryos that a listener may have.
    least_backlog: u32,
}

impl Sockets {
    pub(crate) fn new(least_backlog: u32) -> Sockets {
        Sockets {
            least_backlog,
            ..Sockets::default()
        }
    }

    /// Keeps `socket` under the lowest free handle.
    pub(crate) fn insert(&mut self, socket: Socket) -> usize {
        let conn = match socket.kind {
            Kind::Connected(conn) => Some(conn),
            _ => None,
        };
        let h = self.free.pop().map_or_else(
            || {
                self.sockets.push(None);
                self.sockets.len() - 1
            },
            |Reverse(h)| h,
        );
        self.sockets[h] = Some(socket);
        if let Some(conn) = conn {
            self.by_conn.insert(conn, h);
        }
        h
    }

    pub(crate) fn get(&self, h: usize) -> Option<&Socket> {
        self.sockets.get(h)?.as_ref()
    }

    pub(crate) fn get_mut(&mut self, h: usize) -> Option<&mut Socket> {
        self.sockets.get_mut(h)?.as_mut()
    }

    /// Socket `h` opens `conn`.
    pub(crate) fn connect(&mut self, h: usize, conn: Handle) {
        if let Some(socket) = self.get_mut(h) {
            socket.kind = Kind::Connected(conn);
            self.by_conn.insert(conn, h);
        }
    }

    /// Forgets the socket; its connection goes on alone.
    pub(crate) fn remove(&mut self, h: usize) -> Option<Socket> {
        let socket = self.sockets.get_mut(h)?.take()?;
        self.free.push(Reverse(h));
        if let Kind::Connected(conn) = socket.kind {
            self.by_conn.remove(&conn);
        }
        Some(socket)
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.sockets.len() - self.free.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (usize, &Socket)> {
        let sockets = self.sockets.iter().enumerate();
        sockets.filter_map(|(h, s)| Some((h, s.as_ref()?)))
    }

    /// Lets the listener take new connections, and complete those that it has, while there is room for one
    /// to wait.
    pub(crate) fn update_backlog(&self, cx: &mut Context<'_>, listener: usize) {
        if let Some(Socket {
            kind:
                Kind::Listening {
                    id,
                    backlog,
                    waiting,
                },
            ..
        }) = self.get(listener)
        {
            let is_full = waiting.len() as u64 > u64::from(*backlog);
            let embryos = if is_full {
                0
            } else {
                backlog.saturating_add(1).max(self.least_backlog)
            };
            cx.set_backlog(*id, embryos);
            cx.set_accepting(*id, !is_full);
        }
    }

    /// Notes a four-tuple in TIME-WAIT; once in a while forgets those that are over.
    fn note_time_wait(&mut self, cx: &mut Context<'_>, tuple: FourTuple) {
        if self.time_wait.len() == self.time_wait.capacity() {
            self.time_wait
                .retain(|tuple| cx.time_wait_until(tuple).is_some());
        }
        self.time_wait.push(tuple);
    }

    /// A passive open is complete: the connection waits to be accepted.
    fn on_accepted(&mut self, cx: &mut Context<'_>, conn: Handle) {
        let (Some(id), Some(tuple)) = (cx.listener(conn), cx.tuple(conn)) else {
            return;
        };
        let is_its = |s: &Socket| matches!(s.kind, Kind::Listening { id: i, .. } if i == id);
        let listener = self.iter().find(|(_, s)| is_its(s)).map(|(h, _)| h);
        let accepted = listener
            .and_then(|h| self.get(h))
            .map(|l| Socket::accepted(l, conn, tuple));
        let (Some(listener), Some(socket)) = (listener, accepted) else {
            cx.abort(conn);
            return;
        };
        let h = self.insert(socket);
        if let Some(Socket {
            kind: Kind::Listening { waiting, .. },
            ..
        }) = self.get_mut(listener)
        {
            waiting.push_back(h);
        }
        self.update_backlog(cx, listener);
    }
}

impl Application for Sockets {
    fn on_open(&mut self, cx: &mut Context<'_>, conn: Handle) {
        match self.by_conn.get(&conn) {
            Some(&h) => {
                if let Some(socket) = self.get_mut(h) {
                    socket.connected = Some(Ok(()));
                }
            }
            None => self.on_accepted(cx, conn),
        }
    }

    fn on_data(&mut self, _: &mut Context<'_>, _: Handle, _: &[u8]) -> usize {
        0
    }

    fn on_writable(&mut self, _: &mut Context<'_>, _: Handle) {}

    fn on_peer_closed(&mut self, _: &mut Context<'_>, _: Handle) {}

    fn on_unread(&mut self, conn: Handle, text: &[u8]) {
        let h = self.by_conn.get(&conn).copied();
        if let Some(socket) = h.and_then(|h| self.get_mut(h)) {
            socket.unread.extend_from_slice(text);
        }
    }

    fn on_closed(&mut self, cx: &mut Context<'_>, conn: Handle, reason: CloseReason) {
        let peer_closed = cx.peer_closed(conn);
        if let Some(tuple) = cx.tuple(conn)
            && cx.time_wait_until(&tuple).is_some()
        {
            self.note_time_wait(cx, tuple);
        }
        let Some(h) = self.by_conn.remove(&conn) else {
            return;
        };
        let Some(socket) = self.get_mut(h) else {
            return;
        };
        let error = errno::of_close(reason, peer_closed);
        socket.error = error;
        if socket.connected.is_none() {
            // The open failed: the socket may try again.
            socket.connected = Some(Err(error.unwrap_or(errno::Errno::ECONNABORTED)));
            socket.kind = Kind::Idle;
            socket.tuple = None;
        } else {
            socket.kind = Kind::Over;
            socket.peer_closed = peer_closed;
        }
    }
}
