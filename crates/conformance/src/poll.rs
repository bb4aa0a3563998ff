//! What a socket is ready for, as poll(2) tells it on Linux.

use core::ffi::c_short;
use core::fmt;
use core::ops::BitOr;

use tcp::State;

use crate::errno::Errno;
use crate::socket::Kind;
use crate::sut::Sut;

/// A mask of POLLIN and its kin.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Poll(pub c_short);

impl Poll {
    /// Nothing.
    pub const NONE: Poll = Poll(0);
    /// There is something to read or to accept, or the end of it.
    pub const IN: Poll = Poll(libc::POLLIN | libc::POLLRDNORM);
    /// There is room to write.
    pub const OUT: Poll = Poll(libc::POLLOUT | libc::POLLWRNORM);
    /// An error is to be told.
    pub const ERR: Poll = Poll(libc::POLLERR);
    /// Closed both ways, or not connected.
    pub const HUP: Poll = Poll(libc::POLLHUP);
    /// The peer will send no more.
    pub const RDHUP: Poll = Poll(libc::POLLRDHUP);

    /// Whether all of `other` is set.
    #[must_use]
    pub const fn contains(self, other: Poll) -> bool {
        self.0 & other.0 == other.0
    }

    fn when(self, condition: bool) -> Poll {
        if condition { self } else { Poll::NONE }
    }
}

impl BitOr for Poll {
    type Output = Poll;
    fn bitor(self, other: Poll) -> Poll {
        Poll(self.0 | other.0)
    }
}

impl fmt::Debug for Poll {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = [
            (Poll::IN, "IN"),
            (Poll::OUT, "OUT"),
            (Poll::ERR, "ERR"),
            (Poll::HUP, "HUP"),
            (Poll::RDHUP, "RDHUP"),
        ];
        let set = names.iter().filter(|(mask, _)| self.contains(*mask));
        f.write_str(&set.map(|(_, name)| *name).collect::<Vec<_>>().join("|"))
    }
}

impl Sut {
    /// What the socket is ready for.
    ///
    /// # Errors
    /// EBADF.
    pub fn poll(&mut self, h: i32) -> Result<Poll, Errno> {
        let (_, socket) = self.socket(h)?;
        let error = Poll::ERR.when(socket.error.is_some());
        let (read_closed, write_closed) = (socket.read_closed, socket.write_closed);
        let conn = match socket.kind {
            Kind::Listening { ref waiting, .. } => return Ok(Poll::IN.when(!waiting.is_empty())),
            Kind::Idle if socket.connected.is_none() => return Ok(Poll::OUT | Poll::HUP),
            Kind::Idle | Kind::Over => {
                return Ok(Poll::IN | Poll::OUT | Poll::HUP | Poll::RDHUP | error);
            }
            Kind::Connected(conn) => conn,
        };
        let snd_buf = socket.tcp.snd_buf;
        let seen = self
            .host
            .with(|_, cx| Some((cx.info(conn)?, cx.peer_closed(conn))));
        let Some((info, peer_closed)) = seen else {
            return Ok(Poll::HUP | error);
        };
        let at_end = read_closed || peer_closed;
        let is_over = matches!(info.state, State::Closed | State::TimeWait);
        let mut mask = error
            | Poll::HUP.when(is_over || (at_end && write_closed))
            | (Poll::IN | Poll::RDHUP).when(at_end);
        if info.state != State::SynSent {
            // Linux's rule: what is free is at least half of what is used.
            let room = snd_buf.saturating_sub(info.send_queue) >= info.send_queue / 2;
            let opened = info.state != State::SynReceived;
            mask = mask
                | Poll::IN.when(info.receive_queue > 0)
                | Poll::OUT.when(opened && (write_closed || (room && info.send_queue < snd_buf)));
        }
        Ok(mask)
    }
}
