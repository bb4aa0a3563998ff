//! The states of a connection (RFC 9293 3.3.2) and why it ended.

use core::fmt;

/// The state of a connection (RFC 9293 3.3.2). LISTEN is a configuration, not a connection: see
/// [`crate::listen`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum State {
    /// No connection: it is over, and its slot may be freed once nothing is left to transmit.
    Closed,
    /// Waiting for a matching connection request after having sent one.
    SynSent,
    /// Waiting for the acknowledgment of our SYN after having received one.
    SynReceived,
    /// Data moves in both directions.
    Established,
    /// We have closed; waiting for the peer's FIN or the acknowledgment of ours.
    FinWait1,
    /// Our FIN is acknowledged; waiting for the peer's.
    FinWait2,
    /// The peer has closed; waiting for the local user to close.
    CloseWait,
    /// Both have closed at the same time; waiting for the acknowledgment of our FIN.
    Closing,
    /// The peer closed first, then we; waiting for the acknowledgment of our FIN.
    LastAck,
    /// Both FINs are acknowledged; our last ACK is due or sent. What follows is
    /// [`crate::time_wait`]'s.
    TimeWait,
}

impl State {
    /// RFC 9293 3.3.1: synchronized states are those in which both SYNs are acknowledged.
    #[inline]
    #[must_use]
    pub const fn is_synchronized(self) -> bool {
        !matches!(self, State::Closed | State::SynSent | State::SynReceived)
    }

    /// The standard's name, as in `FIN-WAIT-1`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            State::Closed => "CLOSED",
            State::SynSent => "SYN-SENT",
            State::SynReceived => "SYN-RECEIVED",
            State::Established => "ESTABLISHED",
            State::FinWait1 => "FIN-WAIT-1",
            State::FinWait2 => "FIN-WAIT-2",
            State::CloseWait => "CLOSE-WAIT",
            State::Closing => "CLOSING",
            State::LastAck => "LAST-ACK",
            State::TimeWait => "TIME-WAIT",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why a connection is over.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum CloseReason {
    /// Both sides sent a FIN and both were acknowledged, or the peer, which had sent its own, answered
    /// ours by a RST: what it closed is gone (RFC 9293 3.10.7.4 signals nothing then).
    Normal,
    /// Our SYN was answered with a RST.
    Refused,
    /// The peer sent a RST, or (passive open) a SYN that begins another connection.
    Reset,
    /// The local user aborted, or closed with linger zero.
    Aborted,
    /// Data was unread at CLOSE or arrived after it (RFC 9293 3.6.1); the peer was sent a RST.
    DataLost,
    /// SYN, data or FIN stayed unacknowledged through every retransmission.
    TimedOut,
    /// Data stayed unacknowledged for longer than the user timeout.
    UserTimeout,
    /// The peer did not answer keep-alive probes.
    KeepaliveTimeout,
    /// The local user had closed and the peer sent no FIN within the FIN-WAIT-2 timeout.
    FinWait2Timeout,
    /// Nobody on the way to the peer answers (RFC 1122 4.2.3.9).
    Unreachable,
}

impl CloseReason {
    /// A stable lower-case name, for logs and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            CloseReason::Normal => "normal",
            CloseReason::Refused => "refused",
            CloseReason::Reset => "reset",
            CloseReason::Aborted => "aborted",
            CloseReason::DataLost => "data_lost",
            CloseReason::TimedOut => "timed_out",
            CloseReason::UserTimeout => "user_timeout",
            CloseReason::KeepaliveTimeout => "keepalive_timeout",
            CloseReason::FinWait2Timeout => "fin_wait2_timeout",
            CloseReason::Unreachable => "unreachable",
        }
    }
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
