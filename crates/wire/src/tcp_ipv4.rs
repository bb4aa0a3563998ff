//! TCP in IPv4 as nearly every segment comes: no IP options, and no fragment.
//!
//! Both fixed headers, and the timestamps that are all the options of most segments, are then read
//! or written as one array: no offset is computed or checked, and the checksums are made of values
//! that are at hand. Everything else is for [`ipv4`](crate::ipv4), [`tcp`](crate::tcp) and [`checksum`](crate::checksum), which say the
//! same of what is read here, and write the same bytes.

use core::ops::Range;

use crate::Seq;
use crate::bytes::{array, be16, be32, put16, put32};
use crate::checksum::{self, Sum};
use crate::ipv4::PROTOCOL_TCP;
use crate::tcp::{Flags, Header, Options, Timestamps};

/// Both headers without TCP options.
const LEN: usize = 40;
/// Both headers with timestamps.
const LEN_WITH_TIMESTAMPS: usize = 52;
const IP_LEN: usize = 20;

/// Version 4, a header of 20 bytes; no special service.
const VERSION_LENGTH_SERVICE: u16 = 0x4500;
const DONT_FRAGMENT: u16 = 0x4000;
/// More fragments, and the offset of a fragment.
const FRAGMENT: u16 = 0x3fff;
const TTL: u8 = 64;
/// NOP NOP and the kind and length of a timestamps option (RFC 7323 appendix A).
const NOP_NOP_TIMESTAMPS: u32 = 0x0101_080a;

/// The checksums that software verifies or fills; the others are the device's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Checksums {
    /// Of the IPv4 header.
    pub ip: bool,
    /// Of the TCP segment.
    pub tcp: bool,
}

impl Checksums {
    /// Both.
    pub const SOFTWARE: Checksums = Checksums {
        ip: true,
        tcp: true,
    };
}

/// What [`parse`] read beside the TCP header.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Packet {
    /// Source address.
    pub src: [u8; 4],
    /// Destination address.
    pub dst: [u8; 4],
    /// Where the text lies in the packet.
    pub text: Range<u16>,
}

/// Reads the datagram at the start of `packet`, its TCP header into `header`: in place, because to
/// move it costs more than to fill it. Bytes after the total length are ignored.
///
/// `None` if it is not of this form, or if one of the `checksums` is wrong: the parsers of each
/// header say what it is. `header` may have been written to all the same.
#[inline(always)]
#[must_use]
pub fn parse(packet: &[u8], checksums: Checksums, header: &mut Header) -> Option<Packet> {
    let h = packet.first_chunk::<LEN>()?;
    if h[0] != 0x45 || h[9] != PROTOCOL_TCP || be16(h, 6) & FRAGMENT != 0 {
        return None;
    }
    let total_len = be16(h, 2);
    let end = usize::from(total_len);
    if end < LEN || end > packet.len() {
        return None;
    }
    let (words, _) = h.as_chunks::<4>();
    let (ip, tcp) = words.split_at(IP_LEN / 4);
    if checksums.ip && !Sum::of_words(ip).is_right() {
        return None;
    }
    let mut sum = Sum::ZERO;
    if checksums.tcp {
        let (src, dst) = (array(h, 12), array(h, 16));
        // Not less than LEN.
        let len = total_len - IP_LEN as u16;
        sum = checksum::pseudo_header_v4(src, dst, PROTOCOL_TCP, len).plus(Sum::of_words(tcp));
    }
    let start = IP_LEN + usize::from(h[32] >> 4) * 4;
    if start < LEN || start > end {
        return None;
    }
    let timestamps = packet.first_chunk::<LEN_WITH_TIMESTAMPS>();
    let summed = if start == LEN {
        header.options = Options::NONE;
        &packet[LEN..end]
    } else if start == LEN_WITH_TIMESTAMPS
        && let Some(b) = timestamps
        && be32(b, LEN) == NOP_NOP_TIMESTAMPS
    {
        if checksums.tcp {
            let (words, _) = b.as_chunks::<4>();
            sum = sum.plus(Sum::of_words(&words[LEN / 4..]));
        }
        header.options = Options::NONE;
        header.options.timestamps = Some(Timestamps {
            val: be32(b, LEN + 4),
            ecr: be32(b, LEN + 8),
        });
        &packet[LEN_WITH_TIMESTAMPS..end]
    } else {
        header.options = Options::parse(&packet[LEN..start]).ok()?;
        &packet[LEN..end]
    };
    if checksums.tcp {
        if !summed.is_empty() {
            sum = sum.combine(checksum::sum(summed));
        }
        if !sum.is_right() {
            return None;
        }
    }
    header.src_port = be16(h, 20);
    header.dst_port = be16(h, 22);
    header.seq = Seq(be32(h, 24));
    header.ack = Seq(be32(h, 28));
    header.flags = Flags::from_bits(h[33]);
    header.window = be16(h, 34);
    header.urgent = be16(h, 38);
    Some(Packet {
        src: array(h, 12),
        dst: array(h, 16),
        text: start as u16..total_len,
    })
}

/// Writes both headers to `packet`, which is as long as the datagram and has its text in place, as
/// [`ipv4::Header::new`](crate::ipv4::Header::new) and [`Header::emit`] would. Of the checksums
/// those named are filled; that of the IP header is else zero, and that of TCP the sum of the
/// pseudo-header, as devices want it.
///
/// False, and nothing is written, if `packet` is too short or longer than 65,535 bytes.
#[inline(always)]
#[must_use]
pub fn emit(
    packet: &mut [u8],
    src: [u8; 4],
    dst: [u8; 4],
    header: &Header,
    checksums: Checksums,
) -> bool {
    let Ok(total_len) = u16::try_from(packet.len()) else {
        return false;
    };
    // The sum in host order: a 32-bit value counts as its two halves.
    let (from, to) = (u32::from_be_bytes(src), u32::from_be_bytes(dst));
    let addresses = u64::from(from) + u64::from(to);
    let mut sum = addresses + u64::from(PROTOCOL_TCP);
    let data_offset: u16;
    let summed: &[u8];
    let h: &mut [u8; LEN];
    match header.options.timestamps {
        Some(Timestamps { val, ecr }) if header.options.are_timestamps_or_none() => {
            let Some((b, text)) = packet.split_first_chunk_mut::<LEN_WITH_TIMESTAMPS>() else {
                return false;
            };
            put32(b, LEN, NOP_NOP_TIMESTAMPS);
            put32(b, LEN + 4, val);
            put32(b, LEN + 8, ecr);
            let Some(fixed) = b.first_chunk_mut() else {
                return false;
            };
            (h, summed, data_offset) = (fixed, text, 8);
            if checksums.tcp {
                sum += u64::from(NOP_NOP_TIMESTAMPS) + u64::from(val) + u64::from(ecr);
            }
        }
        _ => {
            let options_len = header.options.len();
            let Some((fixed, rest)) = packet.split_first_chunk_mut::<LEN>() else {
                return false;
            };
            if options_len > rest.len() {
                return false;
            }
            if options_len > 0 {
                header.options.emit(rest);
            }
            // At most 15.
            data_offset = 5 + options_len as u16 / 4;
            (h, summed) = (fixed, rest);
        }
    }
    let segment_len = total_len - IP_LEN as u16;
    sum += u64::from(segment_len);
    let offset_flags = data_offset << 12 | u16::from(header.flags.bits());
    let ttl_protocol = u16::from_be_bytes([TTL, PROTOCOL_TCP]);
    let mut ip_checksum = 0;
    if checksums.ip {
        let constant = VERSION_LENGTH_SERVICE as u64 + DONT_FRAGMENT as u64;
        let sum = constant + u64::from(ttl_protocol) + u64::from(total_len) + addresses;
        ip_checksum = !checksum::fold(sum);
    }
    let tcp_checksum = if checksums.tcp {
        sum += u64::from(header.src_port) + u64::from(header.dst_port);
        sum += u64::from(header.seq.0) + u64::from(header.ack.0);
        sum += u64::from(offset_flags) + u64::from(header.window) + u64::from(header.urgent);
        if !summed.is_empty() {
            sum += u64::from(checksum::sum(summed).fold());
        }
        !checksum::fold(sum)
    } else {
        checksum::fold(sum)
    };
    put16(h, 0, VERSION_LENGTH_SERVICE);
    put16(h, 2, total_len);
    put32(h, 4, u32::from(DONT_FRAGMENT));
    put16(h, 8, ttl_protocol);
    put16(h, 10, ip_checksum);
    put32(h, 12, from);
    put32(h, 16, to);
    put16(h, 20, header.src_port);
    put16(h, 22, header.dst_port);
    put32(h, 24, header.seq.0);
    put32(h, 28, header.ack.0);
    put16(h, 32, offset_flags);
    put16(h, 34, header.window);
    put16(h, 36, tcp_checksum);
    put16(h, 38, header.urgent);
    true
}

#[cfg(test)]
mod tests;
