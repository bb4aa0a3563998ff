//! The Internet Protocol, version 4 (RFC 791).

use core::fmt;
use core::ops::Range;

use crate::bytes::{array, be16, put16};
use crate::checksum::{self, pseudo_header_v4};

/// Protocol number of ICMP.
pub const PROTOCOL_ICMP: u8 = 1;
/// Protocol number of TCP.
pub const PROTOCOL_TCP: u8 = 6;
/// Protocol number of UDP.
pub const PROTOCOL_UDP: u8 = 17;

/// The first byte of a header without options.
const VERSION_AND_LENGTH: u8 = 0x45;
const DONT_FRAGMENT: u16 = 0x4000;
const MORE_FRAGMENTS: u16 = 0x2000;
const FRAGMENT_OFFSET: u16 = 0x1fff;
/// Offset of the header checksum.
const CHECKSUM: usize = 10;

/// Why a datagram was refused.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Error {
    /// Shorter than its header.
    Truncated,
    /// The version is not 4.
    Version,
    /// The header length is less than 20 bytes.
    HeaderLength,
    /// The total length is less than the header's, or more than what was received.
    TotalLength,
    /// An option's length is less than 2 or runs past the header.
    Option,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Error::Truncated => "IPv4 datagram ends inside its header",
            Error::Version => "IP version is not 4",
            Error::HeaderLength => "IPv4 header length below 20 bytes",
            Error::TotalLength => "IPv4 total length does not fit the frame",
            Error::Option => "IPv4 option of impossible length",
        })
    }
}

impl core::error::Error for Error {}

/// An IPv4 header. Options are skipped, except that a source route is reported.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Header {
    /// Differentiated services code point (upper 6 bits) and ECN (lower 2).
    pub dscp_ecn: u8,
    /// Length of header and payload, in bytes.
    pub total_len: u16,
    /// Identification of the datagram that a fragment belongs to.
    pub ident: u16,
    /// DF: routers must not fragment.
    pub dont_fragment: bool,
    /// MF: not the last fragment.
    pub more_fragments: bool,
    /// Position of the fragment in units of 8 bytes, 0 to 8191.
    pub fragment_offset: u16,
    /// Time to live, in hops.
    pub ttl: u8,
    /// What the payload is.
    pub protocol: u8,
    /// Source address.
    pub src: [u8; 4],
    /// Destination address.
    pub dst: [u8; 4],
    /// Length of the header with its options as parsed, 20 to 60 bytes. [`Header::emit`] writes
    /// no options and so does not use it.
    pub header_len: u8,
    /// Whether a loose or strict source route option (RFC 791 3.1) is present.
    /// [`Header::emit`] does not use it.
    pub source_route: bool,
}

impl Header {
    /// Length without options, in bytes: what [`Header::emit`] writes.
    pub const LEN: usize = 20;

    /// A header without options for `payload_len` bytes: DF set, TTL 64, and the identification 0
    /// that an atomic datagram may have (RFC 6864 4.1). `payload_len` is at most 65515.
    #[inline]
    #[must_use]
    pub const fn new(src: [u8; 4], dst: [u8; 4], protocol: u8, payload_len: u16) -> Header {
        Header {
            dscp_ecn: 0,
            total_len: payload_len.saturating_add(Header::LEN as u16),
            ident: 0,
            dont_fragment: true,
            more_fragments: false,
            fragment_offset: 0,
            ttl: 64,
            protocol,
            src,
            dst,
            header_len: Header::LEN as u8,
            source_route: false,
        }
    }

    /// Whether this is a part of a larger datagram.
    #[inline]
    #[must_use]
    pub const fn is_fragment(&self) -> bool {
        self.more_fragments || self.fragment_offset != 0
    }

    /// Reads the header at the start of `bytes`; returns it and where its payload lies in `bytes`.
    /// Bytes after the total length (Ethernet padding) are outside of that range. The header
    /// checksum is not verified: see [`checksum_ok`].
    ///
    /// # Errors
    /// All of [`Error`].
    #[inline]
    pub fn parse(bytes: &[u8]) -> Result<(Header, Range<usize>), Error> {
        let header = Header::parse_quoted(bytes)?;
        let total_len = usize::from(header.total_len);
        let header_len = usize::from(header.header_len);
        if total_len < header_len || total_len > bytes.len() {
            return Err(Error::TotalLength);
        }
        Ok((header, header_len..total_len))
    }

    /// Reads a header whose payload may be cut short, as in an ICMP error message: the total
    /// length is not compared with what is there. The payload starts at `header_len`.
    ///
    /// # Errors
    /// All of [`Error`] but [`Error::TotalLength`].
    #[inline]
    pub fn parse_quoted(bytes: &[u8]) -> Result<Header, Error> {
        let Some(h) = bytes.first_chunk::<{ Header::LEN }>() else {
            return Err(Error::Truncated);
        };
        if h[0] >> 4 != 4 {
            return Err(Error::Version);
        }
        let header_len = usize::from(h[0] & 0x0f) * 4;
        let mut source_route = false;
        if header_len != Header::LEN {
            if header_len < Header::LEN {
                return Err(Error::HeaderLength);
            }
            let Some(options) = bytes.get(Header::LEN..header_len) else {
                return Err(Error::Truncated);
            };
            source_route = has_source_route(options)?;
        }
        let fragment = be16(h, 6);
        Ok(Header {
            dscp_ecn: h[1],
            total_len: be16(h, 2),
            ident: be16(h, 4),
            dont_fragment: fragment & DONT_FRAGMENT != 0,
            more_fragments: fragment & MORE_FRAGMENTS != 0,
            fragment_offset: fragment & FRAGMENT_OFFSET,
            ttl: h[8],
            protocol: h[9],
            src: array(h, 12),
            dst: array(h, 16),
            header_len: header_len as u8,
            source_route,
        })
    }

    /// Writes the header without options to the start of `buf`; returns 20. The checksum is
    /// computed if `fill_checksum`, else it is zero, for a NIC to fill in.
    ///
    /// # Panics
    /// If `buf` is shorter than 20 bytes.
    #[inline]
    pub fn emit(&self, buf: &mut [u8], fill_checksum: bool) -> usize {
        let buf = &mut buf[..Header::LEN];
        buf[0] = VERSION_AND_LENGTH;
        buf[1] = self.dscp_ecn;
        put16(buf, 2, self.total_len);
        put16(buf, 4, self.ident);
        let mut fragment = self.fragment_offset & FRAGMENT_OFFSET;
        if self.dont_fragment {
            fragment |= DONT_FRAGMENT;
        }
        if self.more_fragments {
            fragment |= MORE_FRAGMENTS;
        }
        put16(buf, 6, fragment);
        buf[8] = self.ttl;
        buf[9] = self.protocol;
        buf[12..16].copy_from_slice(&self.src);
        buf[16..20].copy_from_slice(&self.dst);
        let mut checksum = 0;
        if fill_checksum {
            // From the values: to read back what was just stored in small pieces would stall.
            // Addresses, protocol and a length are what a pseudo-header consists of.
            checksum = pseudo_header_v4(self.src, self.dst, self.protocol, self.total_len)
                .add_u16(u16::from_be_bytes([VERSION_AND_LENGTH, self.dscp_ecn]))
                .add_u16(self.ident)
                .add_u16(fragment)
                .add_u16(u16::from_be_bytes([self.ttl, 0]))
                .finish();
        }
        put16(buf, CHECKSUM, checksum);
        Header::LEN
    }
}

/// Whether the checksum of the header at the start of `bytes` is right; false if the header is cut
/// short.
#[inline]
#[must_use]
pub fn checksum_ok(bytes: &[u8]) -> bool {
    let Some(first) = bytes.first() else {
        return false;
    };
    let header_len = usize::from(first & 0x0f) * 4;
    match bytes.get(..header_len) {
        Some(header) if header_len >= Header::LEN => checksum::sum(header).is_right(),
        _ => false,
    }
}

/// Walks the options (RFC 791 3.1).
#[cold]
fn has_source_route(mut options: &[u8]) -> Result<bool, Error> {
    const END_OF_OPTION_LIST: u8 = 0;
    const NO_OPERATION: u8 = 1;
    const LOOSE_SOURCE_ROUTE: u8 = 131;
    const STRICT_SOURCE_ROUTE: u8 = 137;

    let mut found = false;
    while let [kind, rest @ ..] = options {
        match *kind {
            END_OF_OPTION_LIST => break,
            NO_OPERATION => options = rest,
            kind => {
                let len = usize::from(*rest.first().ok_or(Error::Option)?);
                if len < 2 {
                    return Err(Error::Option);
                }
                found |= matches!(kind, LOOSE_SOURCE_ROUTE | STRICT_SOURCE_ROUTE);
                options = options.get(len..).ok_or(Error::Option)?;
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests;
