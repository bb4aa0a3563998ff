//! TCP in IPv6 as nearly every segment comes: right behind the fixed header, without extension
//! headers.
//!
//! The counterpart of [`tcp_ipv4`](crate::tcp_ipv4), with the same idea: headers and timestamps are
//! read and written as arrays, and the checksum is made of words that are at hand. Everything else is
//! for [`ipv6`](crate::ipv6), [`tcp`](crate::tcp) and [`checksum`](crate::checksum), which say the same
//! of what is read here, and write the same bytes.

use core::ops::Range;

use crate::bytes::{array, be16, be32, put_word, put32};
use crate::checksum::{self, Sum};
use crate::ipv6::NEXT_HEADER_TCP;
use crate::tcp::{Flags, Header, Options, Timestamps};
use crate::{Ip, Seq};

const IP_LEN: usize = crate::ipv6::Header::LEN;
const TCP_LEN: usize = Header::LEN;
/// The TCP header with timestamps.
const TCP_LEN_WITH_TIMESTAMPS: usize = 32;

/// Version 6; traffic class and flow label 0.
const VERSION_CLASS_LABEL: u32 = 6 << 28;
const HOP_LIMIT: u32 = 64;
/// NOP NOP and the kind and length of a timestamps option (RFC 7323 appendix A).
const NOP_NOP_TIMESTAMPS: u32 = 0x0101_080a;

/// What [`parse`] read beside the TCP header.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Packet {
    /// Source address.
    pub src: Ip,
    /// Destination address.
    pub dst: Ip,
    /// Both ports as they stand in the header: the source in the upper half.
    pub ports: u32,
    /// Where the text lies in the packet.
    pub text: Range<u16>,
}

/// Reads the packet at the start of `packet`, its TCP header into `header`: in place, because to
/// move it costs more than to fill it. Bytes after the payload length are ignored. The checksum is
/// looked at if `verify`.
///
/// `None` if the packet is not of this form, has a v4-mapped address, or is damaged: the parsers of
/// each header say what it is. `header` may have been written to all the same.
#[inline(always)]
#[must_use]
pub fn parse(packet: &[u8], verify: bool, header: &mut Header) -> Option<Packet> {
    let (ip, payload) = packet.split_first_chunk::<IP_LEN>()?;
    if ip[0] >> 4 != 6 || ip[6] != NEXT_HEADER_TCP {
        return None;
    }
    let payload_len = be16(ip, 4);
    let segment = payload.get(..usize::from(payload_len))?;
    let (h, after) = segment.split_first_chunk::<TCP_LEN>()?;
    let (src, dst) = (Ip::v6(array(ip, 8)), Ip::v6(array(ip, 24)));
    if src.is_v4() || dst.is_v4() {
        return None;
    }
    let start = usize::from(h[12] >> 4) * 4;
    if start < TCP_LEN || start > segment.len() {
        return None;
    }
    header.options = Options::NONE;
    let addresses: [u8; 32] = array(ip, 8);
    let mut sum = pseudo_header(words(&addresses), payload_len).plus(words(h));
    let summed = if start == TCP_LEN_WITH_TIMESTAMPS
        && let Some((o, text)) = after.split_first_chunk::<{ TCP_LEN_WITH_TIMESTAMPS - TCP_LEN }>()
        && be32(o, 0) == NOP_NOP_TIMESTAMPS
    {
        sum = sum.plus(words(o));
        header.options.timestamps = Some(Timestamps {
            val: be32(o, 4),
            ecr: be32(o, 8),
        });
        text
    } else {
        if start > TCP_LEN {
            header.options.read(&segment[TCP_LEN..start]).ok()?;
        }
        after
    };
    if verify {
        if !summed.is_empty() {
            sum = sum.combine(checksum::sum(summed));
        }
        if !sum.is_right() {
            return None;
        }
    }
    header.src_port = be16(h, 0);
    header.dst_port = be16(h, 2);
    header.seq = Seq(be32(h, 4));
    header.ack = Seq(be32(h, 8));
    header.flags = Flags::from_bits(h[13]);
    header.window = be16(h, 14);
    header.urgent = be16(h, 18);
    // A packet of 65,535 bytes of payload is longer than what 16 bits count; no frame holds it.
    let text_start = u16::try_from(IP_LEN + start).ok()?;
    let text_end = (IP_LEN as u16).checked_add(payload_len)?;
    Some(Packet {
        src,
        dst,
        ports: be32(h, 0),
        text: text_start..text_end,
    })
}

/// The sum of a few whole words.
#[inline(always)]
fn words<const N: usize>(bytes: &[u8; N]) -> Sum {
    let (words, _) = bytes.as_chunks::<4>();
    Sum::of(
        words
            .iter()
            .map(|w| u64::from(u32::from_ne_bytes(*w)))
            .sum(),
    )
}

/// The sum of the pseudo-header (RFC 8200 8.1) of a TCP segment of `len` bytes between `addresses`.
#[inline(always)]
fn pseudo_header(addresses: Sum, len: u16) -> Sum {
    let rest = u64::from(len.to_be()) + u64::from(u16::from(NEXT_HEADER_TCP).to_be());
    addresses.plus(Sum::of(rest))
}

/// Writes both headers to `packet`, which is as long as the datagram and has its text in place, as
/// [`ipv6::Header::new`](crate::ipv6::Header::new) and [`Header::emit`] would. `options_len` is
/// [`Options::len`] of the header's. Without `fill` the checksum is the sum of the pseudo-header, as
/// devices want it.
///
/// False if `packet` is too short, or its payload longer than 65,535 bytes; what it contains is then
/// unspecified.
#[inline(always)]
#[must_use]
pub fn emit(
    packet: &mut [u8],
    src: Ip,
    dst: Ip,
    header: &Header,
    options_len: usize,
    fill: bool,
) -> bool {
    let Some((ip, segment)) = packet.split_first_chunk_mut::<IP_LEN>() else {
        return false;
    };
    let Ok(payload_len) = u16::try_from(segment.len()) else {
        return false;
    };
    put32(ip, 0, VERSION_CLASS_LABEL);
    let next = u32::from(NEXT_HEADER_TCP);
    put32(ip, 4, u32::from(payload_len) << 16 | next << 8 | HOP_LIMIT);
    let (src, dst) = (src.octets(), dst.octets());
    ip[8..24].copy_from_slice(&src);
    ip[24..40].copy_from_slice(&dst);
    let Some((h, rest)) = segment.split_first_chunk_mut::<TCP_LEN>() else {
        return false;
    };
    let timestamps = match header.options.timestamps {
        Some(ts) if options_len == TCP_LEN_WITH_TIMESTAMPS - TCP_LEN => {
            (!header.options.sack_permitted).then_some(ts)
        }
        _ => None,
    };
    let Some((o, text)) = rest.split_at_mut_checked(options_len) else {
        return false;
    };
    let options = match timestamps {
        Some(ts) => {
            put_word(o, 0, NOP_NOP_TIMESTAMPS) + put_word(o, 4, ts.val) + put_word(o, 8, ts.ecr)
        }
        None => header.options.emit_summed(o).1,
    };
    // At most 15.
    let data_offset = (5 + options_len / 4) as u32;
    let offset_flags = data_offset << 12 | u32::from(header.flags.bits());
    let ports = u32::from(header.src_port) << 16 | u32::from(header.dst_port);
    let fixed = put_word(h, 0, ports)
        + put_word(h, 4, header.seq.0)
        + put_word(h, 8, header.ack.0)
        + put_word(h, 12, offset_flags << 16 | u32::from(header.window))
        + put_word(h, 16, header.urgent.into());
    let mut sum = pseudo_header(words(&src).plus(words(&dst)), payload_len);
    let tcp_checksum = if fill {
        sum = sum.plus(Sum::of(fixed + options));
        if !text.is_empty() {
            sum = sum.combine(checksum::sum(text));
        }
        sum.checksum()
    } else {
        sum.fold().to_be_bytes()
    };
    h[16..18].copy_from_slice(&tcp_checksum);
    true
}

#[cfg(test)]
mod tests;
