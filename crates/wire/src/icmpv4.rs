//! The Internet Control Message Protocol (RFC 792), as far as a host needs it (RFC 1122 3.2.2).

use core::fmt;
use core::ops::Range;

use crate::bytes::{be16, put16};
use crate::checksum;

const ECHO_REPLY: u8 = 0;
const DESTINATION_UNREACHABLE: u8 = 3;
const ECHO_REQUEST: u8 = 8;
const TIME_EXCEEDED: u8 = 11;
const PARAMETER_PROBLEM: u8 = 12;

/// Destination unreachable: no route to the network.
pub const CODE_NET_UNREACHABLE: u8 = 0;
/// Destination unreachable: the host does not answer.
pub const CODE_HOST_UNREACHABLE: u8 = 1;
/// Destination unreachable: the transport protocol is not supported.
pub const CODE_PROTOCOL_UNREACHABLE: u8 = 2;
/// Destination unreachable: nobody at the port.
pub const CODE_PORT_UNREACHABLE: u8 = 3;
/// Destination unreachable: fragmentation needed and DF set; carries the next hop's MTU (RFC 1191).
pub const CODE_FRAGMENTATION_NEEDED: u8 = 4;
/// Destination unreachable: communication administratively prohibited (RFC 1812 5.2.7.1).
pub const CODE_ADMINISTRATIVELY_PROHIBITED: u8 = 13;

/// Length of the header that all messages here share, in bytes.
pub const HEADER_LEN: usize = 8;

/// The most bytes of the original datagram that an error message quotes.
///
/// RFC 1812 4.3.2.3: as much as possible without the message's datagram exceeding 576 bytes.
pub const MAX_QUOTE: usize = 576 - 20 - HEADER_LEN;

/// Why a message was refused.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Error {
    /// Shorter than 8 bytes.
    Truncated,
    /// The checksum is wrong.
    Checksum,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Error::Truncated => "ICMP message shorter than 8 bytes",
            Error::Checksum => "ICMP checksum is wrong",
        })
    }
}

impl core::error::Error for Error {}

/// A received message. Ranges are into the bytes that were parsed.
///
/// `original` is the quoted start of the datagram in error: its IPv4 header and 8 bytes or more;
/// read it with [`crate::ipv4::Header::parse_quoted`] and [`crate::tcp::Quoted::parse`].
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Message {
    /// Asks for a reply with the same data.
    EchoRequest {
        /// Identifier of the asking process.
        ident: u16,
        /// Sequence number of the request.
        seq: u16,
        /// The data to return.
        data: Range<usize>,
    },
    /// Answers a request.
    EchoReply {
        /// Identifier of the request.
        ident: u16,
        /// Sequence number of the request.
        seq: u16,
        /// The data of the request.
        data: Range<usize>,
    },
    /// A datagram could not be delivered.
    DestinationUnreachable {
        /// Why: `CODE_...` of this module.
        code: u8,
        /// With [`CODE_FRAGMENTATION_NEEDED`] the MTU of the next hop in bytes, 0 from a router
        /// older than RFC 1191; without meaning for other codes.
        mtu: u16,
        /// The quoted datagram.
        original: Range<usize>,
    },
    /// A datagram's time to live (code 0) or its reassembly (code 1) ran out.
    TimeExceeded {
        /// 0 in transit, 1 in reassembly.
        code: u8,
        /// The quoted datagram.
        original: Range<usize>,
    },
    /// A datagram's header could not be understood.
    ParameterProblem {
        /// 0: `pointer` says where.
        code: u8,
        /// Offset of the byte in error.
        pointer: u8,
        /// The quoted datagram.
        original: Range<usize>,
    },
    /// Any other type: redirects, timestamps, router discovery.
    Other {
        /// The type.
        kind: u8,
        /// The code.
        code: u8,
    },
}

impl Message {
    /// Reads the message that fills `bytes` and verifies its checksum.
    ///
    /// # Errors
    /// [`Error::Truncated`], [`Error::Checksum`].
    pub fn parse(bytes: &[u8]) -> Result<Message, Error> {
        let Some(h) = bytes.first_chunk::<HEADER_LEN>() else {
            return Err(Error::Truncated);
        };
        if checksum::sum(bytes).finish() != 0 {
            return Err(Error::Checksum);
        }
        let code = h[1];
        let rest = HEADER_LEN..bytes.len();
        Ok(match h[0] {
            ECHO_REQUEST => Message::EchoRequest {
                ident: be16(h, 4),
                seq: be16(h, 6),
                data: rest,
            },
            ECHO_REPLY => Message::EchoReply {
                ident: be16(h, 4),
                seq: be16(h, 6),
                data: rest,
            },
            DESTINATION_UNREACHABLE => Message::DestinationUnreachable {
                code,
                mtu: be16(h, 6),
                original: rest,
            },
            TIME_EXCEEDED => Message::TimeExceeded {
                code,
                original: rest,
            },
            PARAMETER_PROBLEM => Message::ParameterProblem {
                code,
                pointer: h[4],
                original: rest,
            },
            kind => Message::Other { kind, code },
        })
    }
}

/// Writes an echo request to the start of `buf`; returns its length, 8 + `data.len()`.
///
/// # Panics
/// If `buf` is shorter than that.
pub fn emit_echo_request(buf: &mut [u8], ident: u16, seq: u16, data: &[u8]) -> usize {
    emit(buf, [ECHO_REQUEST, 0], [ident, seq], data)
}

/// Writes an echo reply to the start of `buf`; returns its length, 8 + `data.len()`.
///
/// # Panics
/// If `buf` is shorter than that.
pub fn emit_echo_reply(buf: &mut [u8], ident: u16, seq: u16, data: &[u8]) -> usize {
    emit(buf, [ECHO_REPLY, 0], [ident, seq], data)
}

/// Writes a destination unreachable message about the datagram `original` (from its IPv4 header
/// on) to the start of `buf`; returns its length, 8 and as much of `original` as
/// [`MAX_QUOTE`] allows. `mtu` is 0 unless `code` is [`CODE_FRAGMENTATION_NEEDED`].
///
/// Whether a message may be sent at all (never about another ICMP error, a broadcast or a later
/// fragment: RFC 1122 3.2.2) is for the caller to know.
///
/// # Panics
/// If `buf` is shorter than that.
pub fn emit_destination_unreachable(buf: &mut [u8], code: u8, mtu: u16, original: &[u8]) -> usize {
    let quote = &original[..original.len().min(MAX_QUOTE)];
    emit(buf, [DESTINATION_UNREACHABLE, code], [0, mtu], quote)
}

fn emit(buf: &mut [u8], kind_and_code: [u8; 2], fields: [u16; 2], body: &[u8]) -> usize {
    let len = HEADER_LEN + body.len();
    let buf = &mut buf[..len];
    buf[..2].copy_from_slice(&kind_and_code);
    put16(buf, 2, 0);
    put16(buf, 4, fields[0]);
    put16(buf, 6, fields[1]);
    buf[HEADER_LEN..].copy_from_slice(body);
    let checksum = checksum::sum(buf).finish();
    put16(buf, 2, checksum);
    len
}

#[cfg(test)]
mod tests;
