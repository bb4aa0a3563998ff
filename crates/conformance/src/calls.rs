//! The calls on sockets, with the meaning that they have on Linux.

use core::ffi::c_int;
use std::collections::VecDeque;

use stack::{Handle, ListenerConfig, OpenConfig, TimeWaitConfig};
use tcp::State;
use wire::Ip;

use crate::address::Address;
use crate::errno::Errno;
use crate::socket::{Kind, Socket};
use crate::sut::Sut;

/// The longest queue of connections to accept: Linux's default net.core.somaxconn.
const MAX_BACKLOG: u32 = 4096;
/// The most sockets at a time.
const MAX_SOCKETS: usize = 65_536;

impl Sut {
    /// A new socket.
    ///
    /// # Errors
    /// EMFILE.
    pub fn socket_new(&mut self) -> Result<i32, Errno> {
        let socket = Socket::new(self.flags.tcp.clone());
        let sockets = self.host.sockets_mut();
        if sockets.len() >= MAX_SOCKETS {
            return Err(Errno::EMFILE);
        }
        i32::try_from(sockets.insert(socket)).map_err(|_| Errno::EMFILE)
    }

    /// Gives the socket a local address; port 0 takes a free one.
    ///
    /// # Errors
    /// EBADF, EINVAL (bound already), EADDRNOTAVAIL, EADDRINUSE.
    pub fn bind(&mut self, h: i32, ip: [u8; 4], port: u16) -> Result<(), Errno> {
        let (h, socket) = self.socket(h)?;
        if socket.local.is_some() || !matches!(socket.kind, Kind::Idle) {
            return Err(Errno::EINVAL);
        }
        let mut address = Address::new(ip, port);
        if address.ip.is_some_and(|ip| ip != self.ip) {
            return Err(Errno::EADDRNOTAVAIL);
        }
        if port == 0 {
            address.port = self.free_port(h, address.ip).ok_or(Errno::EADDRINUSE)?;
        } else if !self.may_bind(h, &address) {
            return Err(Errno::EADDRINUSE);
        }
        let (_, socket) = self.socket_at(h)?;
        socket.local = Some(address);
        Ok(())
    }

    /// Lets connections in, and says how many may wait.
    ///
    /// # Errors
    /// EBADF, EINVAL (connected), EADDRINUSE.
    pub fn listen(&mut self, h: i32, backlog: i32) -> Result<(), Errno> {
        let (h, socket) = self.socket(h)?;
        // As Linux has it: negative is as much as may be.
        let backlog = u32::try_from(backlog).map_or(MAX_BACKLOG, |n| n.min(MAX_BACKLOG));
        match &mut socket.kind {
            Kind::Listening { backlog: old, .. } => *old = backlog,
            Kind::Idle => self.listen_anew(h, backlog)?,
            Kind::Connected(_) | Kind::Over => return Err(Errno::EINVAL),
        }
        self.host.with(|sockets, cx| sockets.update_backlog(cx, h));
        Ok(())
    }

    fn listen_anew(&mut self, h: usize, backlog: u32) -> Result<(), Errno> {
        let local = match self.socket_at(h)?.1.local {
            Some(local) => local,
            None => Address {
                ip: None,
                port: self.free_port(h, None).ok_or(Errno::EADDRINUSE)?,
            },
        };
        let listener = ListenerConfig {
            address: local.ip,
            port: local.port,
            backlog,
            tcp: self.socket_at(h)?.1.tcp.clone(),
            time_wait: self.time_wait(),
        };
        let id = self.host.with(|_, cx| cx.listen(&listener))?;
        let (_, socket) = self.socket_at(h)?;
        socket.local = Some(local);
        socket.kind = Kind::Listening {
            id,
            backlog,
            waiting: VecDeque::new(),
        };
        Ok(())
    }

    /// Takes the connection that waits longest, with the peer's address.
    ///
    /// # Errors
    /// EBADF, EINVAL (not listening), EAGAIN.
    pub fn accept(&mut self, h: i32) -> Result<(i32, [u8; 4], u16), Errno> {
        let (listener, socket) = self.socket(h)?;
        let Kind::Listening { waiting, .. } = &mut socket.kind else {
            return Err(Errno::EINVAL);
        };
        let h = waiting.pop_front().ok_or(Errno::EAGAIN)?;
        self.host
            .with(|sockets, cx| sockets.update_backlog(cx, listener));
        let (_, socket) = self.socket_at(h)?;
        socket.has_user = true;
        let peer = socket.tuple.map(|t| (t.remote.v4_octets(), t.remote_port));
        let (ip, port) = peer.unwrap_or_default();
        Ok((i32::try_from(h).map_err(|_| Errno::EMFILE)?, ip, port))
    }

    /// Starts an active open.
    ///
    /// # Errors
    /// EBADF, EALREADY, EISCONN, ENETUNREACH, EADDRNOTAVAIL, ENOBUFS.
    pub fn connect(&mut self, h: i32, ip: [u8; 4], port: u16) -> Result<(), Errno> {
        let (h, socket) = self.socket(h)?;
        match socket.kind {
            Kind::Idle => {}
            Kind::Connected(_) if socket.connected.is_none() => return Err(Errno::EALREADY),
            _ => return Err(Errno::EISCONN),
        }
        let remote = (Ip::v4(ip), port);
        let (bound, tcp) = (socket.local, socket.tcp.clone());
        let local_ip = bound.and_then(|local| local.ip).unwrap_or(self.ip);
        let local_port = match bound {
            Some(local) => local.port,
            None => self.free_port(h, None).ok_or(Errno::EADDRNOTAVAIL)?,
        };
        let open = OpenConfig {
            local: (local_ip, local_port),
            remote,
            tcp,
            time_wait: self.time_wait(),
        };
        let conn = self.host.with(|sockets, cx| {
            let conn = cx.connect_from(&open)?;
            let tuple = cx.tuple(conn);
            if let Some(socket) = sockets.get_mut(h) {
                socket.local = bound.or(Some(Address {
                    ip: Some(local_ip),
                    port: local_port,
                }));
                socket.tuple = tuple;
                socket.error = None;
                socket.connected = None;
            }
            // Before anything is sent: the answer may follow at once.
            sockets.connect(h, conn);
            Ok::<_, stack::OpenError>(conn)
        });
        conn?;
        Ok(())
    }

    /// How the active open went.
    ///
    /// # Errors
    /// EBADF, EAGAIN while it goes on, ENOTCONN if there was none, or why it failed.
    pub fn connect_status(&mut self, h: i32) -> Result<(), Errno> {
        let (_, socket) = self.socket(h)?;
        match (socket.connected, &socket.kind) {
            (Some(outcome), _) => outcome,
            (None, Kind::Connected(_)) => Err(Errno::EAGAIN),
            (None, _) => Err(Errno::ENOTCONN),
        }
    }

    /// Reads what has arrived; 0 is the end. `flags` are those of recv(2).
    ///
    /// # Errors
    /// EBADF, ENOTCONN, EAGAIN, EOPNOTSUPP (a flag), or why the connection ended.
    pub fn read(&mut self, h: i32, buf: &mut [u8], flags: c_int) -> Result<usize, Errno> {
        const KNOWN: c_int = libc::MSG_PEEK
            | libc::MSG_TRUNC
            | libc::MSG_DONTWAIT
            | libc::MSG_NOSIGNAL
            | libc::MSG_WAITALL;
        if flags & !KNOWN != 0 {
            return Err(Errno::EOPNOTSUPP);
        }
        let peek = flags & libc::MSG_PEEK != 0;
        let (h, socket) = self.socket(h)?;
        match socket.kind {
            // No reason to tell why it ended.
            Kind::Connected(_) | Kind::Over if buf.is_empty() => return Ok(0),
            Kind::Connected(conn) => {
                let n = self.host.read(conn, buf, peek);
                if n > 0 {
                    return Ok(n);
                }
            }
            Kind::Over if !socket.unread.is_empty() => {
                let n = buf.len().min(socket.unread.len());
                buf[..n].copy_from_slice(&socket.unread[..n]);
                if !peek {
                    socket.unread.drain(..n);
                }
                return Ok(n);
            }
            _ => {}
        }
        self.nothing_to_read(h)
    }

    fn nothing_to_read(&mut self, h: usize) -> Result<usize, Errno> {
        let (_, socket) = self.socket_at(h)?;
        if socket.peer_closed {
            // As on Linux: the stream has its end, whatever came after it. SEND and SO_ERROR tell.
            return Ok(0);
        }
        if let Some(error) = socket.error.take() {
            return Err(error);
        }
        let read_closed = socket.read_closed;
        let conn = match socket.kind {
            // One that failed to open is at its end, where one that never tried is not connected.
            Kind::Idle if matches!(socket.connected, Some(Err(_))) => return Ok(0),
            Kind::Idle | Kind::Listening { .. } => return Err(Errno::ENOTCONN),
            Kind::Over => return Ok(0),
            Kind::Connected(conn) => conn,
        };
        if read_closed || self.host.with(|_, cx| cx.peer_closed(conn)) {
            Ok(0)
        } else {
            Err(Errno::EAGAIN)
        }
    }

    /// Queues bytes to be sent, and says how many; `flags` are those of send(2).
    ///
    /// # Errors
    /// EBADF, EPIPE (closed, or never opened), EAGAIN, EOPNOTSUPP (a flag), or why the connection
    /// ended.
    pub fn write(&mut self, h: i32, bytes: &[u8], flags: c_int) -> Result<usize, Errno> {
        if flags & !(libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL) != 0 {
            return Err(Errno::EOPNOTSUPP);
        }
        let (_, socket) = self.socket(h)?;
        if let Some(error) = socket.error.take() {
            return Err(error);
        }
        let write_closed = socket.write_closed;
        let Kind::Connected(conn) = socket.kind else {
            return Err(Errno::EPIPE);
        };
        let Some(state) = self.state(conn) else {
            return Err(Errno::EPIPE);
        };
        match state {
            _ if write_closed => Err(Errno::EPIPE),
            State::SynSent | State::SynReceived => Err(Errno::EAGAIN),
            State::Established | State::CloseWait => {
                let n = self.host.with(|_, cx| cx.send(conn, bytes));
                if n == 0 && !bytes.is_empty() {
                    return Err(Errno::EAGAIN);
                }
                Ok(n)
            }
            _ => Err(Errno::EPIPE),
        }
    }

    /// Ends reading, writing or both: SHUT_RD, SHUT_WR, SHUT_RDWR.
    ///
    /// # Errors
    /// EBADF, EINVAL, ENOTCONN.
    pub fn shutdown(&mut self, h: i32, how: c_int) -> Result<(), Errno> {
        let (h, socket) = self.socket(h)?;
        let (read, write) = match how {
            libc::SHUT_RD => (true, false),
            libc::SHUT_WR => (false, true),
            libc::SHUT_RDWR => (true, true),
            _ => return Err(Errno::EINVAL),
        };
        let conn = match socket.kind {
            Kind::Connected(conn) => conn,
            Kind::Listening { .. } => {
                // As Linux has it: it stops listening, if it is reading that ends.
                if read {
                    self.stop_listening(h);
                }
                return Ok(());
            }
            Kind::Idle | Kind::Over => return Err(Errno::ENOTCONN),
        };
        match self.state(conn) {
            None | Some(State::Closed | State::TimeWait) => return Err(Errno::ENOTCONN),
            Some(State::SynSent) => {
                self.host.with(|_, cx| cx.abort(conn));
                return Ok(());
            }
            Some(_) => {}
        }
        let (_, socket) = self.socket_at(h)?;
        socket.read_closed |= read;
        socket.write_closed |= write;
        if write {
            self.host.with(|_, cx| cx.shutdown_write(conn));
        }
        Ok(())
    }

    /// Ends the socket; its connection goes on to its end. Unread data, or SO_LINGER with time 0,
    /// end it with a RST.
    ///
    /// # Errors
    /// EBADF.
    pub fn close(&mut self, h: i32) -> Result<(), Errno> {
        let (h, socket) = self.socket(h)?;
        let aborts = socket.linger == Some(0);
        if socket.is_listening() {
            self.stop_listening(h);
        }
        let Some(socket) = self.host.sockets_mut().remove(h) else {
            return Ok(());
        };
        if let Kind::Connected(conn) = socket.kind {
            self.host.with(|_, cx| match aborts {
                true => cx.abort(conn),
                false => cx.close(conn),
            });
        }
        Ok(())
    }

    fn stop_listening(&mut self, h: usize) {
        self.host.with(|sockets, cx| {
            let Some(socket) = sockets.get_mut(h) else {
                return;
            };
            let kind = std::mem::replace(&mut socket.kind, Kind::Idle);
            let Kind::Listening { id, waiting, .. } = kind else {
                return;
            };
            cx.unlisten(id);
            // Nobody will ever accept them.
            for h in waiting {
                if let Some(Socket {
                    kind: Kind::Connected(conn),
                    ..
                }) = sockets.remove(h)
                {
                    cx.abort(conn);
                }
            }
        });
    }

    fn time_wait(&self) -> TimeWaitConfig {
        TimeWaitConfig {
            length_ms: self.flags.time_wait_ms,
            rules: self.flags.rules,
            // Every state can be seen.
            compact_fin_wait2: false,
            ..TimeWaitConfig::default()
        }
    }

    pub(crate) fn state(&mut self, conn: Handle) -> Option<State> {
        self.host.with(|_, cx| Some(cx.info(conn)?.state))
    }

    /// The user's socket `h`.
    pub(crate) fn socket(&mut self, h: i32) -> Result<(usize, &mut Socket), Errno> {
        let h = usize::try_from(h).map_err(|_| Errno::EBADF)?;
        let (h, socket) = self.socket_at(h)?;
        if socket.has_user {
            Ok((h, socket))
        } else {
            Err(Errno::EBADF)
        }
    }

    pub(crate) fn socket_at(&mut self, h: usize) -> Result<(usize, &mut Socket), Errno> {
        let socket = self.host.sockets_mut().get_mut(h);
        Ok((h, socket.ok_or(Errno::EBADF)?))
    }

    /// Whether socket `h` may have `address`: nobody else does, unless all agree to share it
    /// (SO_REUSEADDR) and nobody listens on it.
    fn may_bind(&mut self, h: usize, address: &Address) -> bool {
        let sockets = self.host.sockets();
        let shares = sockets.get(h).is_some_and(|s| s.reuse_address);
        let taken = sockets.iter().any(|(other, s)| {
            let overlaps = s.local.is_some_and(|local| local.overlaps(address));
            other != h && overlaps && !(shares && s.reuse_address && !s.is_listening())
        });
        !taken && (shares || !self.is_in_time_wait(address.port))
    }

    fn is_in_time_wait(&mut self, port: u16) -> bool {
        self.host.with(|sockets, cx| {
            sockets
                .time_wait
                .retain(|tuple| cx.time_wait_until(tuple).is_some());
            sockets.time_wait.iter().any(|t| t.local_port == port)
        })
    }

    fn free_port(&mut self, h: usize, ip: Option<Ip>) -> Option<u16> {
        let mut ephemeral =
            std::mem::replace(&mut self.ephemeral, crate::address::Ephemeral::new(0));
        let port = ephemeral.take(|port| self.may_bind(h, &Address { ip, port }));
        self.ephemeral = ephemeral;
        port
    }
}
