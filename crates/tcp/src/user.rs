//! The user's calls (RFC 9293 3.10.2 to 3.10.5): SEND, RECEIVE, CLOSE, ABORT.

use crate::connection::{Connection, Flag};
use crate::{CloseReason, Config, Env, Memory, State};

impl Connection {
    /// SEND: queues as much of `bytes` as there is room for and returns how much that was: 0 if
    /// the sending side is closed. If it is less than offered, [`crate::Events::WRITABLE`] will tell
    /// when to go on, once something of this connection is acknowledged; if nothing of it is
    /// queued, send memory is exhausted by others and only trying again helps.
    #[inline]
    pub fn send(&mut self, config: &Config, snd_memory: &mut Memory, bytes: &[u8]) -> usize {
        if !self.may_send() {
            return 0;
        }
        let room = self.snd_room(config);
        let taken = self.snd.append(snd_memory, &bytes[..bytes.len().min(room)]);
        if taken < bytes.len() {
            self.flags |= Flag::WANTS_WRITABLE;
        }
        taken
    }

    /// Bytes that [`Connection::send`] would take, as far as memory allows; 0 if the sending side is
    /// closed.
    #[inline]
    #[must_use]
    pub fn writable(&self, config: &Config) -> usize {
        if self.may_send() {
            self.snd_room(config)
        } else {
            0
        }
    }

    /// Bytes queued that the peer has not acknowledged.
    #[inline]
    #[must_use]
    pub fn unacknowledged(&self) -> usize {
        self.snd.len() as usize
    }

    #[inline]
    fn may_send(&self) -> bool {
        let open = matches!(
            self.state,
            State::Established | State::CloseWait | State::SynSent | State::SynReceived
        );
        open && !self.flags.contains(Flag::FIN_QUEUED)
    }

    /// Bytes received in order and not consumed.
    #[inline]
    #[must_use]
    pub fn readable(&self) -> usize {
        self.rcv.len() as usize
    }

    /// RECEIVE: the first unread bytes, as many as are contiguous in memory. Empty only if nothing
    /// is unread.
    #[inline]
    #[must_use]
    pub fn peek<'m>(&self, rcv_memory: &'m Memory) -> &'m [u8] {
        self.rcv.peek(rcv_memory)
    }

    /// Copies unread bytes from the one at `offset` on to `dst`, without consuming them; returns how
    /// many.
    pub fn copy_readable(&mut self, rcv_memory: &Memory, offset: usize, dst: &mut [u8]) -> usize {
        let n = dst.len().min(self.readable().saturating_sub(offset));
        self.rcv.copy_out(rcv_memory, offset as u32, &mut dst[..n])
    }

    /// Ends the connection without a word to the peer: it cannot be reached.
    pub fn fail(&mut self, reason: CloseReason) {
        self.enter_closed(reason);
    }

    /// The application has read `n` bytes. A window update may become due.
    pub fn consume(&mut self, env: &mut Env<'_>, n: usize) {
        let n = u32::try_from(n).unwrap_or(u32::MAX).min(self.rcv.len());
        if self.ranges.is_empty() {
            self.rcv.drop_front(env.rcv_memory, n);
        } else {
            self.rcv.skip(env.rcv_memory, n);
        }
        if self.waits_for_memory() && self.rcv.is_empty() {
            self.memory_is_back(env.config, env.rcv_memory);
        } else if self.window_update_due(env.config, env.rcv_memory) {
            self.flags |= Flag::ACK_NOW;
        }
    }

    /// Closes the sending side; receiving continues (a half close). What is queued is sent first.
    pub fn shutdown_write(&mut self) {
        if self.flags.contains(Flag::FIN_QUEUED) {
            return;
        }
        match self.state {
            //= RFC 9293 3.10.4
            //# Delete the TCB and return "error: closing" responses to any queued SENDs, or RECEIVEs.
            State::SynSent => {
                self.enter_closed(CloseReason::Aborted);
                return;
            }
            //= RFC 9293 3.10.4
            //# If no SENDs have been issued and there is no pending data to
            //# send, then form a FIN segment and send it, and enter FIN-WAIT-1 state; otherwise,
            //# queue for processing after entering ESTABLISHED state.
            //
            // By the standard's names it is FIN-WAIT-1 then. It goes on as SYN-RECEIVED here: until our SYN is acknowledged that
            // is what has to be sent again.
            State::SynReceived => self.flags.set(Flag::ACK_NOW, self.snd.is_empty()),
            //= RFC 9293 3.10.4
            //# Queue this until all preceding SENDs have been segmentized, then
            //# form a FIN segment and send it.  In any case, enter FIN-WAIT-1 state.
            State::Established => self.state = State::FinWait1,
            //= RFC 9293 3.10.4
            //# Queue this request until all preceding SENDs have been segmentized;
            //# then send a FIN segment, enter LAST-ACK state.
            State::CloseWait => self.state = State::LastAck,
            _ => return,
        }
        self.flags |= Flag::FIN_QUEUED;
        self.flags.remove(Flag::WANTS_WRITABLE);
    }

    /// CLOSE: the application will neither send nor read any more. Unread bytes, now or later,
    /// end the connection with a RST (RFC 9293 3.6.1), as does linger zero at once.
    pub fn close(&mut self) {
        if self.flags.contains(Flag::LINGER_ZERO) {
            self.abort();
            return;
        }
        if !self.rcv.is_empty() && self.state.is_synchronized() {
            self.abort_with(CloseReason::DataLost);
            return;
        }
        self.shutdown_write();
        self.flags |= Flag::ORPHAN;
        if self.state == State::FinWait2 {
            self.flags |= Flag::FIN_WAIT2_DUE;
        }
    }

    /// ABORT: the connection is over at once, with a RST where the standard asks for one.
    pub fn abort(&mut self) {
        self.abort_with(CloseReason::Aborted);
    }

    fn abort_with(&mut self, reason: CloseReason) {
        match self.state {
            State::Closed => {}
            // By the standard's names this is still CLOSE-WAIT: text, or the window, is before our
            // FIN, and the peer waits for it.
            State::LastAck if !self.flags.contains(Flag::FIN_SENT) => self.reset(reason),
            //= RFC 9293 3.10.5
            //# Send a reset segment: <SEQ=SND.NXT><CTL=RST>
            State::SynReceived
            | State::Established
            | State::FinWait1
            | State::FinWait2
            | State::CloseWait => self.reset(reason),
            //= RFC 9293 3.10.5
            //# Respond with "ok" and delete the TCB, enter CLOSED state, and return.
            State::SynSent | State::Closing | State::LastAck | State::TimeWait => {
                self.enter_closed(reason);
            }
        }
    }

    /// Enters CLOSED, a RST due.
    pub(crate) fn reset(&mut self, reason: CloseReason) {
        self.enter_closed(reason);
        self.flags |= Flag::RST_DUE;
    }

    /// The path carries no datagram larger than what fits `mss` bytes of text without options
    /// (RFC 1191, RFC 8201): smaller segments from now on, and what is in flight again. True if
    /// that changes anything.
    pub fn reduce_mss(&mut self, mss: u16) -> bool {
        let options = if self.flags.contains(Flag::TIMESTAMPS) {
            crate::open::TIMESTAMPS_LEN
        } else {
            0
        };
        let mss = mss.max(crate::config::MIN_MSS) - options;
        if mss >= self.snd_mss || !self.state.is_synchronized() {
            return false;
        }
        self.snd_mss = mss;
        self.snd_cursor = self.snd_una;
        self.flags.remove(Flag::TIMING);
        true
    }
}
