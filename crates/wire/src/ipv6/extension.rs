//! Extension headers (RFC 8200 section 4), as their destination processes them.

use super::{
    Error, NEXT_HEADER_AH, NEXT_HEADER_DESTINATION, NEXT_HEADER_FRAGMENT, NEXT_HEADER_HOP_BY_HOP,
    NEXT_HEADER_ROUTING,
};
use crate::bytes::{be16, be32};

/// The most extension headers that [`walk`] passes; RFC 8504 5.3 allows a host to set a limit.
pub const MAX_EXTENSION_HEADERS: usize = 8;

/// The most bytes of extension headers that [`walk`] passes: what one packet can make it read.
pub const MAX_EXTENSION_LEN: usize = 512;

/// The two highest bits of an unknown option's type, where they ask for the packet to be
/// discarded.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum OptionAction {
    /// `01`: discard.
    Discard,
    /// `10`: discard, and send a parameter problem (code 2) even if the destination was a group.
    Report,
    /// `11`: discard, and send a parameter problem unless the destination was a group.
    ReportUnicast,
}

/// A fragment header (RFC 8200 4.5).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Fragment {
    /// Position in units of 8 bytes, 0 to 8191.
    pub offset: u16,
    /// Whether more fragments follow.
    pub more: bool,
    /// Identification of the packet.
    pub ident: u32,
}

impl Fragment {
    /// Whether this is the whole packet after all (RFC 6946).
    #[inline]
    #[must_use]
    pub const fn is_atomic(&self) -> bool {
        self.offset == 0 && !self.more
    }
}

/// What follows the extension headers.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Upper {
    /// Next header value of the upper layer. [`super::NEXT_HEADER_NONE`] if nothing follows;
    /// after a fragment that is not atomic, what the fragmented part starts with.
    pub protocol: u8,
    /// Where it starts, from the end of the fixed header.
    pub offset: usize,
    /// Offset of the next header field that named it, from the end of the fixed header; `None`
    /// if that is the fixed header's. A parameter problem (code 1) points there.
    pub named_at: Option<u16>,
    /// The fragment header, if there is one. Unless it [`Fragment::is_atomic`], nothing after it
    /// was looked at.
    pub fragment: Option<Fragment>,
}

/// Passes the extension headers in `payload` (what follows the fixed header) of which the first
/// is `first_next_header`.
///
/// A value that is no extension header known here ends the walk: ESP, no-next-header and
/// protocols that the caller does not know are for the caller to refuse. AH is passed and not
/// verified, as by a host that has no security association.
///
/// # Errors
/// All of [`Error`] but those of the fixed header.
#[inline]
pub fn walk(payload: &[u8], first_next_header: u8) -> Result<Upper, Error> {
    match first_next_header {
        NEXT_HEADER_HOP_BY_HOP
        | NEXT_HEADER_ROUTING
        | NEXT_HEADER_FRAGMENT
        | NEXT_HEADER_AH
        | NEXT_HEADER_DESTINATION => walk_extensions(payload, first_next_header),
        protocol => Ok(Upper {
            protocol,
            offset: 0,
            named_at: None,
            fragment: None,
        }),
    }
}

#[cold]
fn walk_extensions(payload: &[u8], first_next_header: u8) -> Result<Upper, Error> {
    let mut upper = Upper {
        protocol: first_next_header,
        offset: 0,
        named_at: None,
        fragment: None,
    };
    for _ in 0..=MAX_EXTENSION_HEADERS {
        if upper.offset > MAX_EXTENSION_LEN {
            return Err(Error::TooManyExtensions);
        }
        let at = upper.offset;
        let header_len = match upper.protocol {
            NEXT_HEADER_HOP_BY_HOP => {
                //= RFC 8200 4
                //# The same action should be taken if a node encounters a Next Header value of
                //# zero in any header other than an IPv6 header.
                if let Some(offset) = upper.named_at {
                    return Err(Error::HopByHopNotFirst { offset });
                }
                options(extension(payload, at, 8)?, at)?
            }
            NEXT_HEADER_DESTINATION => options(extension(payload, at, 8)?, at)?,
            NEXT_HEADER_ROUTING => routing(extension(payload, at, 8)?, at)?,
            NEXT_HEADER_AH => extension(payload, at, 4)?.len(),
            NEXT_HEADER_FRAGMENT => {
                let fragment = fragment(payload, at)?;
                upper.fragment = Some(fragment);
                8
            }
            _ => return Ok(upper),
        };
        // The header is there, and at most 512 bytes in: both casts hold.
        upper.protocol = payload[at];
        upper.named_at = Some(at as u16);
        upper.offset = at + header_len;
        if upper.fragment.is_some_and(|f| !f.is_atomic()) {
            return Ok(upper);
        }
    }
    Err(Error::TooManyExtensions)
}

/// The extension header at `at`, whose second byte counts units of `unit` bytes: beyond the first
/// 8 bytes for all of them (AH counts 4-byte units less 2, RFC 4302 2.2, which is the same).
fn extension(payload: &[u8], at: usize, unit: usize) -> Result<&[u8], Error> {
    let rest = payload.get(at..).ok_or(Error::Truncated)?;
    let count = usize::from(*rest.get(1).ok_or(Error::Truncated)?);
    rest.get(..8 + count * unit).ok_or(Error::Truncated)
}

fn fragment(payload: &[u8], at: usize) -> Result<Fragment, Error> {
    let header = payload
        .get(at..)
        .and_then(|rest| rest.first_chunk::<8>())
        .ok_or(Error::Truncated)?;
    let field = be16(header, 2);
    Ok(Fragment {
        offset: field >> 3,
        more: field & 1 != 0,
        ident: be32(header, 4),
    })
}

/// Checks a routing header; returns its length.
fn routing(header: &[u8], at: usize) -> Result<usize, Error> {
    //= RFC 8200 4.4
    //# If Segments Left is zero, the node must ignore the Routing header and proceed to process
    //# the next header in the packet [...]
    //# If Segments Left is non-zero, the node must discard the packet and send an ICMP Parameter
    //# Problem, Code 0, message to the packet's Source Address, pointing to the unrecognized
    //# Routing Type.
    // No type is recognized here. RFC 5095 demands the same for type 0.
    let segments_left = header[3];
    if segments_left != 0 {
        let offset = at as u16 + 2;
        return Err(Error::RoutingType { offset });
    }
    Ok(header.len())
}

/// Checks the options of a hop-by-hop or destination options header; returns its length.
fn options(header: &[u8], at: usize) -> Result<usize, Error> {
    const PAD1: u8 = 0;

    let mut i = 2;
    while let Some(&kind) = header.get(i) {
        if kind == PAD1 {
            i += 1;
            continue;
        }
        let len = usize::from(*header.get(i + 1).ok_or(Error::OptionLength)?);
        if i + 2 + len > header.len() {
            return Err(Error::OptionLength);
        }
        // No option with these bits set is known here (the jumbo payload's are 11). Those with
        // 00, PadN and router alert among them, are skipped.
        let action = match kind >> 6 {
            0b00 => {
                i += 2 + len;
                continue;
            }
            0b01 => OptionAction::Discard,
            0b10 => OptionAction::Report,
            _ => OptionAction::ReportUnicast,
        };
        // at <= 512 and i < 8 + 255 * 8.
        let offset = (at + i) as u16;
        return Err(Error::UnknownOption { offset, action });
    }
    Ok(header.len())
}
