//! The Internet checksum (RFC 1071): computed, verified, filled in, and updated (RFC 1624).
//!
//! Words are added in the byte order of the machine, which one's complement addition allows
//! (RFC 1071 section 2 (B)); only the finished value is brought into host order.

use crate::Ip;
use crate::bytes::{be16, put16};

/// Protocol number of TCP, as it stands in the pseudo-header.
const TCP: u8 = 6;
/// Offset of the checksum in the TCP header.
const TCP_CHECKSUM: usize = 16;

/// A one's complement sum that is not yet folded to 16 bits.
///
/// Sums of parts are combined in any order as long as each part starts at an even offset of the
/// whole; for a part at an odd offset see [`Sum::at_odd_offset`].
#[derive(Clone, Copy, Default, Debug)]
#[repr(transparent)]
pub struct Sum(u64);

/// Adds with the carry brought around: 2^64 is 1 modulo 2^16 - 1.
#[inline(always)]
const fn add(a: u64, b: u64) -> u64 {
    let (sum, carry) = a.overflowing_add(b);
    // Cannot overflow: after a carry the sum is at most 2^64 - 2.
    sum + carry as u64
}

impl Sum {
    /// The sum of nothing.
    pub const ZERO: Sum = Sum(0);

    /// The sum of two parts.
    #[inline]
    #[must_use]
    pub const fn combine(self, other: Sum) -> Sum {
        Sum(add(self.0, other.0))
    }

    /// Adds one 16-bit field, given in host order.
    #[inline]
    #[must_use]
    pub const fn add_u16(self, field: u16) -> Sum {
        Sum(add(self.0, field.to_be() as u64))
    }

    /// This sum as it counts if its bytes start at an odd offset of the whole.
    #[inline]
    #[must_use]
    pub const fn at_odd_offset(self) -> Sum {
        Sum(self.fold_native().swap_bytes() as u64)
    }

    /// The sum folded to 16 bits in host order, not complemented: what a NIC that completes the
    /// checksum wants to find in the checksum field, computed over the pseudo-header.
    #[inline]
    #[must_use]
    pub const fn fold(self) -> u16 {
        u16::from_be(self.fold_native())
    }

    /// The checksum, in host order: the complement of the folded sum. Zero if the bytes summed
    /// include a right checksum.
    #[inline]
    #[must_use]
    pub const fn finish(self) -> u16 {
        !self.fold()
    }

    /// From the plain sum of a few words of 32 bits, as they lie in memory: too few for the carry of
    /// 2^32 of them.
    #[inline(always)]
    pub(crate) const fn of(words: u64) -> Sum {
        Sum(words)
    }

    /// The checksum as it is written to memory.
    #[inline(always)]
    pub(crate) const fn checksum(self) -> [u8; 2] {
        (!self.fold_native()).to_ne_bytes()
    }

    /// The sum of two parts that are both of a few words.
    #[inline(always)]
    pub(crate) const fn plus(self, other: Sum) -> Sum {
        Sum(self.0 + other.0)
    }

    /// Whether the bytes summed include a right checksum: [`Sum::finish`] would be 0.
    #[inline]
    #[must_use]
    pub const fn is_right(self) -> bool {
        // A sum of nothing but zeros folds to zero, which is not right: not to all ones.
        self.fold_native() == 0xffff
    }

    #[inline(always)]
    const fn fold_native(self) -> u16 {
        fold(self.0)
    }
}

/// A one's complement sum in 16 bits.
#[inline(always)]
const fn fold(s: u64) -> u16 {
    // The two halves are added both ways round at once: the upper half of the sum then has the
    // carry of the lower, which is its own carry brought around.
    let s = (s.wrapping_add(s.rotate_right(32)) >> 32) as u32;
    (s.wrapping_add(s.rotate_right(16)) >> 16) as u16
}

/// Bytes summed per step of the long loop; a multiple of every vector width in use.
const BLOCK: usize = 64;

/// The sum of `bytes`; an odd last byte counts as if a zero byte followed.
#[inline]
#[must_use]
pub fn sum(bytes: &[u8]) -> Sum {
    if bytes.len() < 2 * BLOCK {
        sum_short(0, bytes)
    } else {
        sum_long(bytes)
    }
}

/// Eight bytes a step with a carried add: the quickest for headers.
#[inline(always)]
fn sum_short(start: u64, bytes: &[u8]) -> Sum {
    let (mut acc, mut rest) = (start, bytes);
    // Not over `as_chunks`, which the compiler unrolls: most often there is less than one word.
    while let Some((w, after)) = rest.split_first_chunk::<8>() {
        acc = add(acc, u64::from_ne_bytes(*w));
        rest = after;
    }
    if let Some((w, after)) = rest.split_first_chunk::<4>() {
        acc = add(acc, u64::from(u32::from_ne_bytes(*w)));
        rest = after;
    }
    if let Some((w, after)) = rest.split_first_chunk::<2>() {
        acc = add(acc, u64::from(u16::from_ne_bytes(*w)));
        rest = after;
    }
    if let [last] = rest {
        acc = add(acc, u64::from(u16::from_ne_bytes([*last, 0])));
    }
    Sum(acc)
}

/// 32-bit lanes added to 64-bit accumulators, which the compiler turns into vector code: no carry
/// to bring around, and no overflow before 2^32 additions to one lane.
fn sum_long(bytes: &[u8]) -> Sum {
    let (blocks, rest) = bytes.as_chunks::<BLOCK>();
    let mut lanes = [0u64; 8];
    for block in blocks {
        let (words, _) = block.as_chunks::<8>();
        for (lane, w) in lanes.iter_mut().zip(words) {
            let w = u64::from_ne_bytes(*w);
            *lane += (w & 0xffff_ffff) + (w >> 32);
        }
    }
    let acc = lanes.iter().fold(0, |acc, lane| add(acc, *lane));
    sum_short(acc, rest)
}

/// The sum of the pseudo-header of `protocol` between `src` and `dst` with an upper-layer length
/// of `len` bytes (RFC 9293 3.1 for IPv4, RFC 8200 8.1 for IPv6).
///
/// Both families take the same path: the `::ffff` of a v4-mapped address adds 2^16 - 1, which is
/// zero in one's complement arithmetic.
#[inline]
#[must_use]
pub const fn pseudo_header(src: Ip, dst: Ip, protocol: u8, len: u32) -> Sum {
    let tail = (len.to_be() as u64) + (protocol as u16).to_be() as u64;
    let (s_hi, s_lo) = halves(src);
    let (d_hi, d_lo) = halves(dst);
    Sum(add(add(add(s_hi, s_lo), add(d_hi, d_lo)), tail))
}

/// [`pseudo_header`] of IPv4.
#[inline]
#[must_use]
pub const fn pseudo_header_v4(src: [u8; 4], dst: [u8; 4], protocol: u8, len: u16) -> Sum {
    Sum(u32::from_ne_bytes(src) as u64
        + u32::from_ne_bytes(dst) as u64
        + len.to_be() as u64
        + (protocol as u16).to_be() as u64)
}

#[inline(always)]
const fn halves(ip: Ip) -> (u64, u64) {
    let b = ip.octets();
    (
        u64::from_ne_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]]),
        u64::from_ne_bytes([b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]]),
    )
}

/// Whether the checksum of the TCP `segment` (header and text, nothing after it) is right.
#[inline]
#[must_use]
pub fn tcp_ok(src: Ip, dst: Ip, segment: &[u8]) -> bool {
    tcp_sum(src, dst, segment).is_right()
}

/// Computes the checksum of the TCP `segment` (header and text) and stores it in its header.
///
/// # Panics
/// If `segment` is shorter than 18 bytes.
#[inline]
pub fn fill_tcp(src: Ip, dst: Ip, segment: &mut [u8]) {
    put16(segment, TCP_CHECKSUM, 0);
    let checksum = tcp_sum(src, dst, segment).finish();
    put16(segment, TCP_CHECKSUM, checksum);
}

/// Stores the pseudo-header's sum in the checksum field of the TCP `segment`, for a NIC that
/// completes the checksum. `len` is the length of header and text, which need not be in `segment`
/// as a whole.
///
/// # Panics
/// If `segment` is shorter than 18 bytes.
#[inline]
pub fn fill_tcp_pseudo_header(src: Ip, dst: Ip, len: u32, segment: &mut [u8]) {
    put16(
        segment,
        TCP_CHECKSUM,
        pseudo_header(src, dst, TCP, len).fold(),
    );
}

#[inline(always)]
fn tcp_sum(src: Ip, dst: Ip, segment: &[u8]) -> Sum {
    // A segment longer than 4 GiB does not exist; the cast only has to be total.
    pseudo_header(src, dst, TCP, segment.len() as u32).combine(sum(segment))
}

/// The checksum after one 16-bit field that it covers changed from `old` to `new` (RFC 1624).
#[inline]
#[must_use]
pub const fn update(checksum: u16, old: u16, new: u16) -> u16 {
    //= RFC 1624 3
    //# HC' = ~(C + (-m) + m')    --    [Eqn. 3]
    //#     = ~(~HC + ~m + m')
    let s = !checksum as u32 + !old as u32 + new as u32;
    let s = (s >> 16) + (s & 0xffff);
    let s = (s >> 16) + (s & 0xffff);
    !(s as u16)
}

/// [`update`] for a 32-bit field at an even offset.
#[inline]
#[must_use]
pub const fn update_u32(checksum: u16, old: u32, new: u32) -> u16 {
    let checksum = update(checksum, (old >> 16) as u16, (new >> 16) as u16);
    update(checksum, old as u16, new as u16)
}

/// Replaces the 16-bit field at `field` by `new` and corrects the checksum at `checksum`.
///
/// # Panics
/// If `buf` does not contain both.
#[inline]
pub fn replace_u16(buf: &mut [u8], checksum: usize, field: usize, new: u16) {
    let updated = update(be16(buf, checksum), be16(buf, field), new);
    put16(buf, field, new);
    put16(buf, checksum, updated);
}

#[cfg(test)]
mod tests;
