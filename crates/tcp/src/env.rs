//! What a connection is lent for a call, and what it hands back.

use core::ops::Range;

use wire::tcp::{Flags, Header};

use crate::time::Instant;
use crate::{ChallengeLimit, Config, Counters, Memory};

/// What a connection is lent for the duration of a call.
#[derive(Debug)]
pub struct Env<'a> {
    /// The time of this call; never earlier than at any call before.
    pub now: Instant,
    /// The timestamp clock (RFC 7323 5.4) in milliseconds, before the four-tuple's offset is added.
    pub ts_clock: u32,
    /// The connection's parameters; the same at every call for one connection.
    pub config: &'a Config,
    /// Where unread and out-of-order bytes are kept.
    pub rcv_memory: &'a mut Memory,
    /// Where unsent and unacknowledged bytes are kept.
    pub snd_memory: &'a mut Memory,
    /// The core's limit on challenge ACKs.
    pub challenge: &'a mut ChallengeLimit,
    /// The core's counters.
    pub counters: &'a mut Counters,
}

/// A received segment whose checksum is verified.
#[derive(Clone, Copy, Debug)]
pub struct Segment<'a> {
    /// Its header.
    pub header: &'a Header,
    /// Its text.
    pub payload: &'a [u8],
    /// The blocks of its SACK option, as they are on the wire: see [`wire::tcp::sack::bytes`].
    pub sack: &'a [u8],
}

impl Segment<'_> {
    /// SEG.LEN: the text, and one each for SYN and FIN (RFC 9293 3.4).
    #[inline]
    #[must_use]
    pub fn len(&self) -> u32 {
        // An IP datagram has at most 65,535 bytes; a jumbogram (RFC 2675) less than 2^32.
        self.payload.len() as u32
            + u32::from(self.header.flags.contains(Flags::SYN))
            + u32::from(self.header.flags.contains(Flags::FIN))
    }

    /// Whether the segment occupies no sequence number.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

bitflags::bitflags! {
    /// What has become true of a connection during a call.
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
    pub struct Events: u8 {
        /// The connection is ESTABLISHED.
        const ESTABLISHED = 1;
        /// Everything that was sent is acknowledged.
        const ACKED_ALL = 1 << 1;
        /// There is room to send again after [`crate::Connection::send`] took less than offered.
        const WRITABLE = 1 << 2;
        /// There are bytes to [`crate::Connection::peek`]: text that had arrived out of order
        /// has become contiguous.
        const READABLE = 1 << 3;
        /// The peer's FIN and all text before it are received. Bytes may be unread.
        const PEER_CLOSED = 1 << 4;
        /// TIME-WAIT is entered. The last acknowledgment may be due.
        const TIME_WAIT = 1 << 5;
        /// CLOSED is entered; [`crate::Connection::close_reason`] says why. A RST may be due.
        const CLOSED = 1 << 6;
    }
}

/// What came of a segment.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Outcome {
    /// What has become true.
    pub events: Events,
    /// New in-order text: a range of the segment's payload, trimmed to the window, that begins at
    /// RCV.NXT. If not empty, [`crate::Connection::commit_text`] must follow.
    pub text: Range<usize>,
    /// The segment is to be answered with a RST: that of [`crate::closed::on_segment`].
    pub reset: bool,
}

/// A segment to send.
#[derive(Clone, PartialEq, Debug)]
pub struct Transmit {
    /// Its header, ports zero.
    pub header: Header,
    /// Where its text begins in the send queue: see [`crate::Connection::copy_payload`]. Before the text
    /// come the blocks that [`wire::tcp::Options::sack`] announces: [`crate::Connection::copy_sacks`].
    pub offset: u32,
    /// The length of its text, in bytes.
    pub len: u16,
}
