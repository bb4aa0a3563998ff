//! The Internet Protocol, version 6 (RFC 8200): the fixed header and the extension headers.

mod extension;

use core::fmt;
use core::ops::Range;

pub use extension::{
    Fragment, MAX_EXTENSION_HEADERS, MAX_EXTENSION_LEN, OptionAction, Upper, walk,
};

use crate::Ip;
use crate::bytes::{array, be16, be32, put16, put32};

/// Next header: hop-by-hop options.
pub const NEXT_HEADER_HOP_BY_HOP: u8 = 0;
/// Next header: TCP.
pub const NEXT_HEADER_TCP: u8 = 6;
/// Next header: UDP.
pub const NEXT_HEADER_UDP: u8 = 17;
/// Next header: routing.
pub const NEXT_HEADER_ROUTING: u8 = 43;
/// Next header: fragment.
pub const NEXT_HEADER_FRAGMENT: u8 = 44;
/// Next header: encapsulating security payload; encrypted, so an unknown upper layer here.
pub const NEXT_HEADER_ESP: u8 = 50;
/// Next header: authentication header.
pub const NEXT_HEADER_AH: u8 = 51;
/// Next header: ICMPv6.
pub const NEXT_HEADER_ICMPV6: u8 = 58;
/// Next header: nothing follows.
pub const NEXT_HEADER_NONE: u8 = 59;
/// Next header: destination options.
pub const NEXT_HEADER_DESTINATION: u8 = 60;

/// `ff02::1`, all nodes of the link.
pub const ALL_NODES: [u8; 16] = [0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
/// `ff02::2`, all routers of the link.
pub const ALL_ROUTERS: [u8; 16] = [0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2];

/// Whether `a` is in `ff00::/8`.
#[inline]
#[must_use]
pub const fn is_multicast(a: [u8; 16]) -> bool {
    a[0] == 0xff
}

/// Whether `a` is in `fe80::/10`.
#[inline]
#[must_use]
pub const fn is_link_local(a: [u8; 16]) -> bool {
    a[0] == 0xfe && a[1] & 0xc0 == 0x80
}

/// The solicited-node multicast group of `a` (RFC 4291 2.7.1).
#[inline]
#[must_use]
pub const fn solicited_node(a: [u8; 16]) -> [u8; 16] {
    let (x, y, z) = (a[13], a[14], a[15]);
    [0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, x, y, z]
}

/// Why a packet was refused. Offsets are from the end of the fixed header; the pointer of a
/// parameter problem message is 40 more.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Error {
    /// Ends inside a header.
    Truncated,
    /// The version is not 6.
    Version,
    /// The payload length is more than what was received.
    PayloadLength,
    /// A v4-mapped address (`::ffff:a.b.c.d`), which must not be seen on a wire.
    MappedAddress,
    /// More than [`MAX_EXTENSION_HEADERS`] extension headers, or [`MAX_EXTENSION_LEN`] bytes of
    /// them.
    TooManyExtensions,
    /// Hop-by-hop options after another extension header; the next header field that says so is
    /// at `offset`.
    HopByHopNotFirst {
        /// Offset of the next header field.
        offset: u16,
    },
    /// A routing header of any type (all are unknown here, type 0 by RFC 5095) with segments left:
    /// the packet asks to be forwarded. The type is at `offset`.
    RoutingType {
        /// Offset of the routing type field.
        offset: u16,
    },
    /// An option whose length runs past its header.
    OptionLength,
    /// An unknown option whose type says that the packet is to be discarded (RFC 8200 4.2).
    UnknownOption {
        /// Offset of the option.
        offset: u16,
        /// Whether the sender is to be told.
        action: OptionAction,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Error::Truncated => "IPv6 packet ends inside a header",
            Error::Version => "IP version is not 6",
            Error::PayloadLength => "IPv6 payload length does not fit the frame",
            Error::MappedAddress => "v4-mapped address in an IPv6 header",
            Error::TooManyExtensions => "too many IPv6 extension headers",
            Error::HopByHopNotFirst { .. } => "IPv6 hop-by-hop options are not first",
            Error::RoutingType { .. } => "IPv6 routing header asks to forward",
            Error::OptionLength => "IPv6 option of impossible length",
            Error::UnknownOption { .. } => "unknown IPv6 option that must not be ignored",
        })
    }
}

impl core::error::Error for Error {}

/// The fixed header.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Header {
    /// Differentiated services code point (upper 6 bits) and ECN (lower 2).
    pub traffic_class: u8,
    /// Flow label, 20 bits.
    pub flow_label: u32,
    /// Length of what follows the fixed header, extension headers included, in bytes.
    pub payload_len: u16,
    /// What follows the fixed header.
    pub next_header: u8,
    /// Hops that remain.
    pub hop_limit: u8,
    /// Source address.
    pub src: [u8; 16],
    /// Destination address.
    pub dst: [u8; 16],
}

impl Header {
    /// Length in bytes.
    pub const LEN: usize = 40;

    /// A header with hop limit 64, traffic class and flow label 0.
    #[inline]
    #[must_use]
    pub const fn new(src: [u8; 16], dst: [u8; 16], next_header: u8, payload_len: u16) -> Header {
        Header {
            traffic_class: 0,
            flow_label: 0,
            payload_len,
            next_header,
            hop_limit: 64,
            src,
            dst,
        }
    }

    /// Reads the header at the start of `bytes`; returns it and where its payload (extension
    /// headers, see [`walk`], and upper layer) lies in `bytes`. Bytes after the payload length
    /// are outside of that range.
    ///
    /// # Errors
    /// [`Error::Truncated`], [`Error::Version`], [`Error::PayloadLength`],
    /// [`Error::MappedAddress`].
    #[inline]
    pub fn parse(bytes: &[u8]) -> Result<(Header, Range<usize>), Error> {
        let header = Header::parse_quoted(bytes)?;
        let end = Header::LEN + usize::from(header.payload_len);
        if end > bytes.len() {
            return Err(Error::PayloadLength);
        }
        // Ip tells the families apart by this prefix, so a mapped address would pass for IPv4.
        if Ip::v6(header.src).is_v4() || Ip::v6(header.dst).is_v4() {
            return Err(Error::MappedAddress);
        }
        Ok((header, Header::LEN..end))
    }

    /// Reads a header whose payload may be cut short, as in an ICMPv6 error message. The payload
    /// starts at [`Header::LEN`].
    ///
    /// # Errors
    /// [`Error::Truncated`], [`Error::Version`].
    #[inline]
    pub fn parse_quoted(bytes: &[u8]) -> Result<Header, Error> {
        let Some(h) = bytes.first_chunk::<{ Header::LEN }>() else {
            return Err(Error::Truncated);
        };
        let word = be32(h, 0);
        if word >> 28 != 6 {
            return Err(Error::Version);
        }
        Ok(Header {
            traffic_class: (word >> 20) as u8,
            flow_label: word & 0x000f_ffff,
            payload_len: be16(h, 4),
            next_header: h[6],
            hop_limit: h[7],
            src: array(h, 8),
            dst: array(h, 24),
        })
    }

    /// Writes the header to the start of `buf`; returns 40.
    ///
    /// # Panics
    /// If `buf` is shorter than 40 bytes.
    #[inline]
    pub fn emit(&self, buf: &mut [u8]) -> usize {
        let buf = &mut buf[..Header::LEN];
        let class = u32::from(self.traffic_class) << 20;
        put32(buf, 0, 6 << 28 | class | (self.flow_label & 0x000f_ffff));
        put16(buf, 4, self.payload_len);
        buf[6] = self.next_header;
        buf[7] = self.hop_limit;
        buf[8..24].copy_from_slice(&self.src);
        buf[24..40].copy_from_slice(&self.dst);
        Header::LEN
    }
}

#[cfg(test)]
mod tests;
