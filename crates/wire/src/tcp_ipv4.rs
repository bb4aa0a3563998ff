//! TCP in IPv4 as nearly every segment comes: no IP options, and no fragment.
//!
//! Both fixed headers, and the timestamps that are all the options of most segments, are then read
//! or written as one array: no offset is computed or checked, and the checksums are made of values
//! that are at hand. Everything else is for [`ipv4`](crate::ipv4), [`tcp`](crate::tcp) and [`checksum`](crate::checksum), which say the
//! same of what is read here, and write the same bytes.

use core::ops::Range;

use crate::Seq;
use crate::bytes::{array, be16, be32, put_word};
use crate::checksum::{self, Sum};
use crate::ipv4::PROTOCOL_TCP;
use crate::tcp::{Flags, Header, Options, Timestamps};

/// Both headers without TCP options.
const LEN: usize = 40;
/// Both headers with timestamps.
const LEN_WITH_TIMESTAMPS: usize = 52;
const IP_LEN: usize = 20;

/// Version 4, a header of 20 bytes; no special service.
const VERSION_LENGTH_SERVICE: u32 = 0x4500;
/// Of identification 0 (RFC 6864 4.1).
const DONT_FRAGMENT: u32 = 0x4000;
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
    /// Both ports as they stand in the header: the source in the upper half.
    pub ports: u32,
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
    let word = |at: usize| u64::from(u32::from_ne_bytes(array(h, at)));
    let addresses = word(12) + word(16);
    if checksums.ip && !Sum::of(word(0) + word(4) + word(8) + addresses).is_right() {
        return None;
    }
    // Not less than LEN.
    let pseudo_header = native16(u16::from(PROTOCOL_TCP)) + native16(total_len - IP_LEN as u16);
    let fixed = word(20) + word(24) + word(28) + word(32) + word(36);
    let mut sum = Sum::of(pseudo_header + addresses + fixed);
    let start = IP_LEN + usize::from(h[32] >> 4) * 4;
    if start < LEN || start > end {
        return None;
    }
    header.options = Options::NONE;
    let summed = if start == LEN_WITH_TIMESTAMPS
        && let Some((b, text)) = packet[..end].split_first_chunk::<LEN_WITH_TIMESTAMPS>()
        && be32(b, LEN) == NOP_NOP_TIMESTAMPS
    {
        let word = |at: usize| u64::from(u32::from_ne_bytes(array(b, at)));
        sum = sum.plus(Sum::of(word(LEN) + word(LEN + 4) + word(LEN + 8)));
        header.options.timestamps = Some(Timestamps {
            val: be32(b, LEN + 4),
            ecr: be32(b, LEN + 8),
        });
        text
    } else {
        if start > LEN {
            header.options.read(&packet[LEN..start]).ok()?;
        }
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
    let ports = be32(h, 20);
    header.src_port = (ports >> 16) as u16;
    header.dst_port = ports as u16;
    header.seq = Seq(be32(h, 24));
    header.ack = Seq(be32(h, 28));
    header.flags = Flags::from_bits(h[33]);
    header.window = be16(h, 34);
    header.urgent = be16(h, 38);
    Some(Packet {
        src: array(h, 12),
        dst: array(h, 16),
        ports,
        text: start as u16..total_len,
    })
}

/// A 16-bit field as it counts in a sum of words in the byte order of the machine.
#[inline(always)]
const fn native16(field: u16) -> u64 {
    field.to_be() as u64
}

/// Writes both headers to `packet`, which is as long as the datagram and has its text in place, as
/// [`ipv4::Header::new`](crate::ipv4::Header::new) and [`Header::emit`] would. `options_len` is
/// [`Options::len`] of the header's: who knows how long the datagram is has asked for it. Of the
/// checksums those named are filled; that of the IP header is else zero, and that of TCP the sum of
/// the pseudo-header, as devices want it.
///
/// False if `packet` is too short or longer than 65,535 bytes; what it contains is then unspecified.
#[inline(always)]
#[must_use]
pub fn emit(
    packet: &mut [u8],
    src: [u8; 4],
    dst: [u8; 4],
    header: &Header,
    options_len: usize,
    checksums: Checksums,
) -> bool {
    match header.options.timestamps {
        Some(ts) if options_len == LEN_WITH_TIMESTAMPS - LEN && !header.options.sack_permitted => {
            let Some((b, text)) = packet.split_first_chunk_mut::<LEN_WITH_TIMESTAMPS>() else {
                return false;
            };
            let options = put_word(b, LEN, NOP_NOP_TIMESTAMPS)
                + put_word(b, LEN + 4, ts.val)
                + put_word(b, LEN + 8, ts.ecr);
            let Some(h) = b.first_chunk_mut() else {
                return false;
            };
            emit_fixed(
                h,
                (src, dst),
                header,
                (LEN_WITH_TIMESTAMPS - LEN, options),
                text,
                checksums,
            )
        }
        _ => emit_any_options(packet, (src, dst), header, options_len, checksums),
    }
}

/// [`emit`], of other options than timestamps alone, or none.
#[inline(never)] // to be out of the way of most segments
fn emit_any_options(
    packet: &mut [u8],
    addresses: ([u8; 4], [u8; 4]),
    header: &Header,
    options_len: usize,
    checksums: Checksums,
) -> bool {
    let Some((h, rest)) = packet.split_first_chunk_mut::<LEN>() else {
        return false;
    };
    let Some((o, text)) = rest.split_at_mut_checked(options_len) else {
        return false;
    };
    let options = match options_len {
        0 => 0,
        _ => header.options.emit_summed(o).1,
    };
    emit_fixed(
        h,
        addresses,
        header,
        (options_len, options),
        text,
        checksums,
    )
}

/// Writes both headers but for the options, whose length and sum are given, like the `text` behind them.
#[inline(always)]
fn emit_fixed(
    h: &mut [u8; LEN],
    (src, dst): ([u8; 4], [u8; 4]),
    header: &Header,
    (options_len, options): (usize, u64),
    text: &[u8],
    checksums: Checksums,
) -> bool {
    // Sums are of words as they lie in memory: nothing is turned round for them.
    let Ok(total_len) = u16::try_from(LEN + options_len + text.len()) else {
        return false;
    };
    h[12..16].copy_from_slice(&src);
    h[16..20].copy_from_slice(&dst);
    let addresses = u64::from(u32::from_ne_bytes(src)) + u64::from(u32::from_ne_bytes(dst));
    let ttl_protocol = u32::from(u16::from_be_bytes([TTL, PROTOCOL_TCP]));
    let ip = put_word(h, 0, VERSION_LENGTH_SERVICE << 16 | u32::from(total_len))
        + put_word(h, 4, DONT_FRAGMENT)
        + put_word(h, 8, ttl_protocol << 16);
    if checksums.ip {
        h[10..12].copy_from_slice(&Sum::of(ip + addresses).checksum());
    }
    // At most 15.
    let data_offset = (5 + options_len / 4) as u32;
    let offset_flags = data_offset << 12 | u32::from(header.flags.bits());
    let ports = u32::from(header.src_port) << 16 | u32::from(header.dst_port);
    let fixed = put_word(h, 20, ports)
        + put_word(h, 24, header.seq.0)
        + put_word(h, 28, header.ack.0)
        + put_word(h, 32, offset_flags << 16 | u32::from(header.window))
        + put_word(h, 36, header.urgent.into());
    // Not less than LEN.
    let pseudo_header = native16(u16::from(PROTOCOL_TCP)) + native16(total_len - IP_LEN as u16);
    let mut sum = Sum::of(pseudo_header + addresses);
    let tcp_checksum = if checksums.tcp {
        sum = sum.plus(Sum::of(fixed + options));
        if !text.is_empty() {
            sum = sum.combine(checksum::sum(text));
        }
        sum.checksum()
    } else {
        sum.fold().to_be_bytes()
    };
    h[36..38].copy_from_slice(&tcp_checksum);
    true
}

#[cfg(test)]
mod tests;
