//! Ethernet II framing (IEEE 802.3) with at most one 802.1Q tag.

use core::fmt;
use core::str::FromStr;

use crate::bytes::{array, be16, put16};

/// EtherType of IPv4.
pub const ETHERTYPE_IPV4: u16 = 0x0800;
/// EtherType of ARP.
pub const ETHERTYPE_ARP: u16 = 0x0806;
/// EtherType of IPv6.
pub const ETHERTYPE_IPV6: u16 = 0x86dd;
/// Tag protocol identifier of an 802.1Q customer tag.
pub const ETHERTYPE_VLAN: u16 = 0x8100;
/// Tag protocol identifier of an 802.1ad service tag, the outer of two tags.
pub const ETHERTYPE_QINQ: u16 = 0x88a8;

/// A 48-bit MAC address, in the order of the wire.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
#[repr(transparent)]
pub struct MacAddr(pub [u8; 6]);

impl MacAddr {
    /// `ff:ff:ff:ff:ff:ff`.
    pub const BROADCAST: MacAddr = MacAddr([0xff; 6]);
    /// `00:00:00:00:00:00`: the unknown target of an ARP request; never a station.
    pub const ZERO: MacAddr = MacAddr([0; 6]);

    /// Whether this is a group address (broadcast included).
    #[inline]
    #[must_use]
    pub const fn is_multicast(&self) -> bool {
        self.0[0] & 1 != 0
    }

    /// Whether this is the broadcast address.
    #[inline]
    #[must_use]
    pub const fn is_broadcast(&self) -> bool {
        matches!(self.0, [0xff, 0xff, 0xff, 0xff, 0xff, 0xff])
    }

    /// Whether a station may have this address: neither a group nor all zero.
    #[inline]
    #[must_use]
    pub const fn is_unicast(&self) -> bool {
        !self.is_multicast() && !matches!(self.0, [0, 0, 0, 0, 0, 0])
    }

    /// The group address that carries the IPv6 multicast group `group` (RFC 2464 section 7).
    #[inline]
    #[must_use]
    pub const fn ipv6_multicast(group: [u8; 16]) -> MacAddr {
        MacAddr([0x33, 0x33, group[12], group[13], group[14], group[15]])
    }
}

impl fmt::Display for MacAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl fmt::Debug for MacAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text that is not a MAC address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ParseMacAddrError;

impl fmt::Display for ParseMacAddrError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a MAC address is six two-digit hexadecimal numbers with : or - between them")
    }
}

impl core::error::Error for ParseMacAddrError {}

impl FromStr for MacAddr {
    type Err = ParseMacAddrError;

    /// Reads `02:00:5e:10:00:01` or `02-00-5E-10-00-01`.
    fn from_str(s: &str) -> Result<MacAddr, ParseMacAddrError> {
        let s = s.as_bytes();
        let separator = *s.get(2).ok_or(ParseMacAddrError)?;
        if s.len() != 17 || !matches!(separator, b':' | b'-') {
            return Err(ParseMacAddrError);
        }
        let digit = |b: u8| (b as char).to_digit(16).ok_or(ParseMacAddrError);
        let mut mac = [0; 6];
        for (i, byte) in mac.iter_mut().enumerate() {
            let at = i * 3;
            if i > 0 && s[at - 1] != separator {
                return Err(ParseMacAddrError);
            }
            *byte = (digit(s[at])? * 16 + digit(s[at + 1])?) as u8;
        }
        Ok(MacAddr(mac))
    }
}

/// The tag control information of an 802.1Q tag: priority, drop eligibility, VLAN identifier.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
#[repr(transparent)]
pub struct Tag(pub u16);

impl Tag {
    /// A tag for VLAN `vid` (0 to 4095) with priority 0.
    #[inline]
    #[must_use]
    pub const fn new(vid: u16) -> Tag {
        Tag(vid & 0x0fff)
    }

    /// The VLAN identifier, 0 to 4095; 0 marks a frame that carries a priority only.
    #[inline]
    #[must_use]
    pub const fn vid(self) -> u16 {
        self.0 & 0x0fff
    }

    /// The priority code point, 0 to 7.
    #[inline]
    #[must_use]
    pub const fn pcp(self) -> u8 {
        (self.0 >> 13) as u8
    }

    /// The drop eligible indicator.
    #[inline]
    #[must_use]
    pub const fn dei(self) -> bool {
        self.0 & 0x1000 != 0
    }
}

/// Why a frame was refused.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Error {
    /// The frame ends inside its Ethernet header or tag.
    Truncated,
    /// The frame carries a service tag (0x88a8) or more than one tag. Endpoints see one tag at
    /// most; provider networks remove theirs at the edge.
    StackedTags,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Error::Truncated => "frame ends inside the Ethernet header",
            Error::StackedTags => "frame carries a service tag or more than one VLAN tag",
        })
    }
}

impl core::error::Error for Error {}

/// An Ethernet header with its 802.1Q tag, if any.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Header {
    /// Destination station or group.
    pub dst: MacAddr,
    /// Sending station.
    pub src: MacAddr,
    /// The 802.1Q tag.
    pub vlan: Option<Tag>,
    /// What the payload is, after the tag if there is one. Below 0x0600 it is the length of an
    /// IEEE 802.3 frame, which no protocol here uses.
    pub ethertype: u16,
}

impl Header {
    /// Length without a tag, in bytes.
    pub const LEN: usize = 14;
    /// Length with a tag, in bytes.
    pub const LEN_TAGGED: usize = 18;

    /// Reads the header at the start of `frame`; returns it and the offset of the payload.
    ///
    /// # Errors
    /// [`Error::Truncated`], [`Error::StackedTags`].
    #[inline]
    pub fn parse(frame: &[u8]) -> Result<(Header, usize), Error> {
        let Some(fixed) = frame.first_chunk::<{ Header::LEN }>() else {
            return Err(Error::Truncated);
        };
        let header = Header {
            dst: MacAddr(array(fixed, 0)),
            src: MacAddr(array(fixed, 6)),
            vlan: None,
            ethertype: be16(fixed, 12),
        };
        match header.ethertype {
            ETHERTYPE_VLAN => header.parse_tag(frame),
            ETHERTYPE_QINQ => Err(Error::StackedTags),
            _ => Ok((header, Header::LEN)),
        }
    }

    fn parse_tag(mut self, frame: &[u8]) -> Result<(Header, usize), Error> {
        let Some(tagged) = frame.first_chunk::<{ Header::LEN_TAGGED }>() else {
            return Err(Error::Truncated);
        };
        self.vlan = Some(Tag(be16(tagged, 14)));
        self.ethertype = be16(tagged, 16);
        if matches!(self.ethertype, ETHERTYPE_VLAN | ETHERTYPE_QINQ) {
            return Err(Error::StackedTags);
        }
        Ok((self, Header::LEN_TAGGED))
    }

    /// Length on the wire: 14, or 18 with a tag.
    #[allow(clippy::len_without_is_empty)] // a header is never empty
    #[inline]
    #[must_use]
    pub const fn len(&self) -> usize {
        match self.vlan {
            None => Header::LEN,
            Some(_) => Header::LEN_TAGGED,
        }
    }

    /// Writes the header to the start of `frame`; returns its length.
    ///
    /// # Panics
    /// If `frame` is shorter than [`Header::len`].
    #[inline]
    pub fn emit(&self, frame: &mut [u8]) -> usize {
        let len = self.len();
        // A copy of fixed length is one or two stores.
        if let Some(tag) = self.vlan {
            let frame = &mut frame[..Header::LEN_TAGGED];
            self.emit_addresses(frame);
            put16(frame, 12, ETHERTYPE_VLAN);
            put16(frame, 14, tag.0);
            put16(frame, 16, self.ethertype);
        } else {
            let frame = &mut frame[..Header::LEN];
            self.emit_addresses(frame);
            put16(frame, 12, self.ethertype);
        }
        len
    }

    #[inline(always)]
    fn emit_addresses(&self, frame: &mut [u8]) {
        frame[..6].copy_from_slice(&self.dst.0);
        frame[6..12].copy_from_slice(&self.src.0);
    }
}

#[cfg(test)]
mod tests;
