//! ICMPv6 (RFC 4443), and neighbour discovery over it (RFC 4861) in [`ndp`].

pub mod ndp;

use core::fmt;
use core::ops::Range;

use crate::Ip;
use crate::bytes::{be16, be32, put16, put32};
use crate::checksum;
use crate::ipv6::NEXT_HEADER_ICMPV6;

const DESTINATION_UNREACHABLE: u8 = 1;
const PACKET_TOO_BIG: u8 = 2;
const TIME_EXCEEDED: u8 = 3;
const PARAMETER_PROBLEM: u8 = 4;
const ECHO_REQUEST: u8 = 128;
const ECHO_REPLY: u8 = 129;

/// Destination unreachable: no route.
pub const CODE_NO_ROUTE: u8 = 0;
/// Destination unreachable: communication administratively prohibited.
pub const CODE_ADMINISTRATIVELY_PROHIBITED: u8 = 1;
/// Destination unreachable: the address does not answer.
pub const CODE_ADDRESS_UNREACHABLE: u8 = 3;
/// Destination unreachable: nobody at the port.
pub const CODE_PORT_UNREACHABLE: u8 = 4;
/// Parameter problem: erroneous header field.
pub const CODE_ERRONEOUS_FIELD: u8 = 0;
/// Parameter problem: unrecognized next header.
pub const CODE_UNRECOGNIZED_NEXT_HEADER: u8 = 1;
/// Parameter problem: unrecognized option.
pub const CODE_UNRECOGNIZED_OPTION: u8 = 2;

/// Length of the header that all messages here share, in bytes.
pub const HEADER_LEN: usize = 8;

/// The most bytes of the original packet that an error message quotes: as much as possible
/// without exceeding the minimum IPv6 MTU of 1280 (RFC 4443 2.4 (c)).
pub const MAX_QUOTE: usize = 1280 - 40 - HEADER_LEN;

/// Why a message was refused.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Error {
    /// Shorter than its type requires.
    Truncated,
    /// The checksum is wrong.
    Checksum,
    /// A neighbour discovery message whose hop limit is not 255: it may come from off the link.
    HopLimit,
    /// A neighbour discovery message that fails another test of RFC 4861 6.1 or 7.1: its code, its
    /// addresses, or the length of an option.
    Neighbor,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Error::Truncated => "ICMPv6 message shorter than its type requires",
            Error::Checksum => "ICMPv6 checksum is wrong",
            Error::HopLimit => "neighbour discovery message that is not from this link",
            Error::Neighbor => "invalid neighbour discovery message",
        })
    }
}

impl core::error::Error for Error {}

/// A received message. Ranges are into the bytes that were parsed.
///
/// `original` is the quoted start of the packet in error; read it with
/// [`crate::ipv6::Header::parse_quoted`], [`crate::ipv6::walk`] and [`crate::tcp::Quoted::parse`].
#[derive(Clone, PartialEq, Eq, Debug)]
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
    /// A packet could not be delivered.
    DestinationUnreachable {
        /// Why: `CODE_...` of this module.
        code: u8,
        /// The quoted packet.
        original: Range<usize>,
    },
    /// A packet was larger than the MTU of a link on its way.
    PacketTooBig {
        /// The MTU of that link, in bytes. May be below 1280, which RFC 8201 says to ignore.
        mtu: u32,
        /// The quoted packet.
        original: Range<usize>,
    },
    /// A packet's hop limit (code 0) or its reassembly (code 1) ran out.
    TimeExceeded {
        /// 0 in transit, 1 in reassembly.
        code: u8,
        /// The quoted packet.
        original: Range<usize>,
    },
    /// A packet's headers could not be understood.
    ParameterProblem {
        /// What: `CODE_...` of this module.
        code: u8,
        /// Offset of the byte in error.
        pointer: u32,
        /// The quoted packet.
        original: Range<usize>,
    },
    /// Who has an address?
    NeighborSolicitation(ndp::NeighborSolicitation),
    /// Where an address is.
    NeighborAdvertisement(ndp::NeighborAdvertisement),
    /// A host asks for advertisements.
    RouterSolicitation(ndp::RouterSolicitation),
    /// A router presents itself.
    RouterAdvertisement(ndp::RouterAdvertisement),
    /// Any other type.
    Other {
        /// The type; below 128 it is an error message, which is not answered with another.
        kind: u8,
        /// The code.
        code: u8,
    },
}

/// The fields of the IPv6 header by which a message is verified.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Context {
    /// Source address.
    pub src: [u8; 16],
    /// Destination address.
    pub dst: [u8; 16],
    /// Hop limit as received.
    pub hop_limit: u8,
}

impl Message {
    /// Reads the message that fills `bytes` and verifies its checksum; for neighbour discovery
    /// also everything else that RFC 4861 demands before a message may be believed.
    ///
    /// # Errors
    /// All of [`Error`].
    pub fn parse(context: &Context, bytes: &[u8]) -> Result<Message, Error> {
        let Some(h) = bytes.first_chunk::<HEADER_LEN>() else {
            return Err(Error::Truncated);
        };
        if message_checksum(context.src, context.dst, bytes) != 0 {
            return Err(Error::Checksum);
        }
        let (kind, code) = (h[0], h[1]);
        let rest = HEADER_LEN..bytes.len();
        Ok(match kind {
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
                original: rest,
            },
            PACKET_TOO_BIG => Message::PacketTooBig {
                mtu: be32(h, 4),
                original: rest,
            },
            TIME_EXCEEDED => Message::TimeExceeded {
                code,
                original: rest,
            },
            PARAMETER_PROBLEM => Message::ParameterProblem {
                code,
                pointer: be32(h, 4),
                original: rest,
            },
            ndp::ROUTER_SOLICITATION..=ndp::NEIGHBOR_ADVERTISEMENT => ndp::parse(context, bytes)?,
            kind => Message::Other { kind, code },
        })
    }
}

/// An error message to send. Whether one may be sent at all (never about another error, and about
/// a group or broadcast only where RFC 4443 2.4 (e) says so) is for the caller to know.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Report {
    /// Destination unreachable, with its code.
    DestinationUnreachable {
        /// Why: `CODE_...` of this module.
        code: u8,
    },
    /// Packet too big.
    PacketTooBig {
        /// The MTU of the next link, in bytes.
        mtu: u32,
    },
    /// Time exceeded, with its code.
    TimeExceeded {
        /// 0 in transit, 1 in reassembly.
        code: u8,
    },
    /// Parameter problem.
    ParameterProblem {
        /// What: `CODE_...` of this module.
        code: u8,
        /// Offset of the byte in error, from the start of the IPv6 header.
        pointer: u32,
    },
}

/// Writes an echo request to the start of `buf`; returns its length, 8 + `data.len()`.
///
/// # Panics
/// If `buf` is shorter than that.
pub fn emit_echo_request(
    buf: &mut [u8],
    src: [u8; 16],
    dst: [u8; 16],
    ident: u16,
    seq: u16,
    data: &[u8],
) -> usize {
    let field = u32::from(ident) << 16 | u32::from(seq);
    emit(buf, src, dst, [ECHO_REQUEST, 0], field, data)
}

/// Writes an echo reply to the start of `buf`; returns its length, 8 + `data.len()`.
///
/// # Panics
/// If `buf` is shorter than that.
pub fn emit_echo_reply(
    buf: &mut [u8],
    src: [u8; 16],
    dst: [u8; 16],
    ident: u16,
    seq: u16,
    data: &[u8],
) -> usize {
    let field = u32::from(ident) << 16 | u32::from(seq);
    emit(buf, src, dst, [ECHO_REPLY, 0], field, data)
}

/// Writes an error message about the packet `original` (from its IPv6 header on) to the start of
/// `buf`; returns its length, 8 and as much of `original` as [`MAX_QUOTE`] allows.
///
/// # Panics
/// If `buf` is shorter than that.
pub fn emit_report(
    buf: &mut [u8],
    src: [u8; 16],
    dst: [u8; 16],
    report: Report,
    original: &[u8],
) -> usize {
    let (kind, code, field) = match report {
        Report::DestinationUnreachable { code } => (DESTINATION_UNREACHABLE, code, 0),
        Report::PacketTooBig { mtu } => (PACKET_TOO_BIG, 0, mtu),
        Report::TimeExceeded { code } => (TIME_EXCEEDED, code, 0),
        Report::ParameterProblem { code, pointer } => (PARAMETER_PROBLEM, code, pointer),
    };
    let quote = &original[..original.len().min(MAX_QUOTE)];
    emit(buf, src, dst, [kind, code], field, quote)
}

fn emit(
    buf: &mut [u8],
    src: [u8; 16],
    dst: [u8; 16],
    kind_and_code: [u8; 2],
    field: u32,
    body: &[u8],
) -> usize {
    let len = HEADER_LEN + body.len();
    let buf = &mut buf[..len];
    buf[..2].copy_from_slice(&kind_and_code);
    put32(buf, 4, field);
    buf[HEADER_LEN..].copy_from_slice(body);
    fill_checksum(buf, src, dst);
    len
}

/// Computes and stores the checksum of the message that fills `buf`.
fn fill_checksum(buf: &mut [u8], src: [u8; 16], dst: [u8; 16]) {
    put16(buf, 2, 0);
    let checksum = message_checksum(src, dst, buf);
    put16(buf, 2, checksum);
}

fn message_checksum(src: [u8; 16], dst: [u8; 16], bytes: &[u8]) -> u16 {
    // A message longer than 4 GiB does not exist; the cast only has to be total.
    let (src, dst, len) = (Ip::v6(src), Ip::v6(dst), bytes.len() as u32);
    checksum::pseudo_header(src, dst, NEXT_HEADER_ICMPV6, len)
        .combine(checksum::sum(bytes))
        .finish()
}

#[cfg(test)]
mod tests;
