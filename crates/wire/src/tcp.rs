//! The TCP header (RFC 9293 3.1) and its options.

mod flags;
mod options;
pub mod sack;

use core::fmt;

pub use flags::Flags;
pub use options::{Options, Timestamps};

use crate::Seq;
use crate::bytes::{be16, be32, put16, put32};

/// Why a segment was refused.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Error {
    /// Shorter than 20 bytes, or than its data offset.
    Truncated,
    /// The data offset is less than 20 bytes.
    DataOffset,
    /// An option's length is less than 2 or runs past the header: see [`Options::parse`].
    OptionLength,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Error::Truncated => "segment ends inside the TCP header",
            Error::DataOffset => "TCP data offset below 20 bytes",
            Error::OptionLength => "TCP option of impossible length",
        })
    }
}

impl core::error::Error for Error {}

/// A TCP header. The checksum is not part of it: see [`crate::checksum::tcp_ok`] and
/// [`crate::checksum::fill_tcp`].
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Header {
    /// Source port.
    pub src_port: u16,
    /// Destination port.
    pub dst_port: u16,
    /// SEG.SEQ.
    pub seq: Seq,
    /// SEG.ACK; meaningful if `flags` contains [`Flags::ACK`].
    pub ack: Seq,
    /// The control bits.
    pub flags: Flags,
    /// SEG.WND as it stands in the segment, not yet scaled.
    pub window: u16,
    /// SEG.UP; meaningful if `flags` contains [`Flags::URG`].
    pub urgent: u16,
    /// The options.
    pub options: Options,
}

impl Header {
    /// Length without options, in bytes.
    pub const LEN: usize = 20;
    /// Greatest length with options, in bytes.
    pub const MAX_LEN: usize = 60;

    /// Reads the header at the start of `segment`; returns it and the offset of the text. The
    /// checksum is not verified.
    ///
    /// # Errors
    /// All of [`Error`].
    #[inline]
    pub fn parse(segment: &[u8]) -> Result<(Header, usize), Error> {
        let Some(h) = segment.first_chunk::<{ Header::LEN }>() else {
            return Err(Error::Truncated);
        };
        let data_offset = usize::from(h[12] >> 4) * 4;
        // Each path makes its own header where it is to be returned: one that is completed step
        // by step is moved after it was written in small pieces, which stalls the loads.
        if data_offset == Header::LEN {
            return Ok((Header::from_fixed(h, Options::NONE), data_offset));
        }
        if data_offset < Header::LEN {
            return Err(Error::DataOffset);
        }
        let Some(options) = segment.get(Header::LEN..data_offset) else {
            return Err(Error::Truncated);
        };
        if let Some(timestamps) = Options::timestamps_alone(options) {
            let options = Options {
                timestamps: Some(timestamps),
                ..Options::NONE
            };
            return Ok((Header::from_fixed(h, options), data_offset));
        }
        let options = Options::parse(options)?;
        Ok((Header::from_fixed(h, options), data_offset))
    }

    #[inline(always)]
    fn from_fixed(h: &[u8; Header::LEN], options: Options) -> Header {
        Header {
            src_port: be16(h, 0),
            dst_port: be16(h, 2),
            seq: Seq(be32(h, 4)),
            ack: Seq(be32(h, 8)),
            flags: Flags::from_bits(h[13]),
            window: be16(h, 14),
            urgent: be16(h, 18),
            options,
        }
    }

    /// Length on the wire: 20 to 60, a multiple of 4.
    #[inline]
    #[must_use]
    pub const fn header_len(&self) -> usize {
        Header::LEN + self.options.len()
    }

    /// Writes the header with its options to the start of `buf`, the checksum zero, the blocks of a
    /// SACK option left as they are; returns its length.
    ///
    /// # Panics
    /// If `buf` is shorter than [`Header::header_len`].
    #[inline]
    pub fn emit(&self, buf: &mut [u8]) -> usize {
        let len = self.header_len();
        let buf = &mut buf[..len];
        put16(buf, 0, self.src_port);
        put16(buf, 2, self.dst_port);
        put32(buf, 4, self.seq.0);
        put32(buf, 8, self.ack.0);
        // len is a multiple of 4 and at most 60, so it fits the four bits of the data offset.
        buf[12] = (len as u8 / 4) << 4;
        buf[13] = self.flags.bits();
        put16(buf, 14, self.window);
        put16(buf, 16, 0);
        put16(buf, 18, self.urgent);
        self.options.emit(&mut buf[Header::LEN..]);
        len
    }
}

/// What the first 8 bytes of a TCP header say: as much of the segment in error as an ICMP message
/// is sure to quote (RFC 792).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Quoted {
    /// Source port: ours, if the quoted segment is.
    pub src_port: u16,
    /// Destination port.
    pub dst_port: u16,
    /// SEG.SEQ, by which a forged message can be told (RFC 5927 4.1).
    pub seq: Seq,
}

impl Quoted {
    /// Reads the start of a TCP header.
    ///
    /// # Errors
    /// [`Error::Truncated`] if there are fewer than 8 bytes.
    pub fn parse(bytes: &[u8]) -> Result<Quoted, Error> {
        let Some(h) = bytes.first_chunk::<8>() else {
            return Err(Error::Truncated);
        };
        Ok(Quoted {
            src_port: be16(h, 0),
            dst_port: be16(h, 2),
            seq: Seq(be32(h, 4)),
        })
    }
}

#[cfg(test)]
mod tests;
