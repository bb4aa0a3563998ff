//! What is known of one connection.

use core::time::Duration;

use stack::Handle;
use tcp::time::Instant;

use crate::exchange::Reader;

/// Where a connection is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Stage {
    /// There is none.
    #[default]
    Free,
    /// SYN-SENT.
    Opening,
    /// A request is under way, or its answer.
    Busy,
    /// It is open, and waits for its next request.
    Resting,
    /// It has had its answers and is being closed.
    Closing,
}

/// Bits of [`Flow::marks`].
pub(crate) mod mark {
    /// The first octet of the answer at hand was seen.
    pub(crate) const SEEN: u8 = 1;
    /// Something went wrong and was counted: whatever follows is not.
    pub(crate) const FAILED: u8 = 1 << 1;
    /// The peer takes no further request.
    pub(crate) const LAST: u8 = 1 << 2;
    /// The peer has closed.
    pub(crate) const PEER_CLOSED: u8 = 1 << 3;
}

/// One connection, in a cache line or two.
#[derive(Clone, Copy, Default)]
pub(crate) struct Flow {
    pub(crate) handle: Option<Handle>,
    pub(crate) stage: Stage,
    pub(crate) marks: u8,
    /// The place of what is said.
    pub(crate) exchange: u16,
    /// Requests begun.
    pub(crate) requests: u32,
    /// When what is under way was due: the opening, the request, or the close.
    pub(crate) due: Instant,
    /// By how much it was opened later than it was due: its first request is late by as much.
    pub(crate) late: Duration,
    /// When our FIN was sent behind the last request.
    pub(crate) half_closed: Option<Instant>,
    /// When its wait in a list is over.
    pub(crate) deadline: Instant,
    /// Octets sent: of the request at hand, or of all in bulk.
    pub(crate) sent: u64,
    /// Octets received, in bulk.
    pub(crate) received: u64,
    pub(crate) reader: Reader,
}

impl Flow {
    #[inline]
    pub(crate) fn has(&self, mark: u8) -> bool {
        self.marks & mark != 0
    }
}
