//! The Address Resolution Protocol for IPv4 over Ethernet (RFC 826).

use core::fmt;

use crate::MacAddr;
use crate::bytes::{array, be16, put16};
use crate::ethernet::ETHERTYPE_IPV4;

/// `ar$hrd` of Ethernet.
const HARDWARE_ETHERNET: u16 = 1;

/// What an ARP packet is for (`ar$op`).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u16)]
pub enum Operation {
    /// Who has `tpa`?
    Request = 1,
    /// `spa` is at `sha`.
    Reply = 2,
}

/// Why an ARP packet was refused.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Error {
    /// Shorter than 28 bytes.
    Truncated,
    /// The addresses are not Ethernet and IPv4.
    AddressKind,
    /// Neither a request nor a reply.
    Operation,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Error::Truncated => "ARP packet shorter than 28 bytes",
            Error::AddressKind => "ARP packet for addresses other than Ethernet and IPv4",
            Error::Operation => "ARP packet that is neither request nor reply",
        })
    }
}

impl core::error::Error for Error {}

/// An ARP packet, with RFC 826's field names.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Packet {
    /// Request or reply.
    pub operation: Operation,
    /// Sender's hardware address.
    pub sha: MacAddr,
    /// Sender's protocol address; `0.0.0.0` in an address conflict probe (RFC 5227).
    pub spa: [u8; 4],
    /// Target's hardware address; without meaning in a request.
    pub tha: MacAddr,
    /// Target's protocol address.
    pub tpa: [u8; 4],
}

impl Packet {
    /// Length on the wire, in bytes.
    pub const LEN: usize = 28;

    /// The request for the station that has `tpa`.
    #[must_use]
    pub const fn request(sha: MacAddr, spa: [u8; 4], tpa: [u8; 4]) -> Packet {
        Packet {
            operation: Operation::Request,
            sha,
            spa,
            tha: MacAddr::ZERO,
            tpa,
        }
    }

    /// The reply to this packet from the station `sha` that has its `tpa`.
    #[must_use]
    pub const fn reply(&self, sha: MacAddr) -> Packet {
        Packet {
            operation: Operation::Reply,
            sha,
            spa: self.tpa,
            tha: self.sha,
            tpa: self.spa,
        }
    }

    /// Reads the packet at the start of `bytes`; what follows it is padding.
    ///
    /// # Errors
    /// [`Error::Truncated`], [`Error::AddressKind`], [`Error::Operation`].
    pub fn parse(bytes: &[u8]) -> Result<Packet, Error> {
        let Some(p) = bytes.first_chunk::<{ Packet::LEN }>() else {
            return Err(Error::Truncated);
        };
        let lengths = [p[4], p[5]];
        if be16(p, 0) != HARDWARE_ETHERNET || be16(p, 2) != ETHERTYPE_IPV4 || lengths != [6, 4] {
            return Err(Error::AddressKind);
        }
        let operation = match be16(p, 6) {
            1 => Operation::Request,
            2 => Operation::Reply,
            _ => return Err(Error::Operation),
        };
        Ok(Packet {
            operation,
            sha: MacAddr(array(p, 8)),
            spa: array(p, 14),
            tha: MacAddr(array(p, 18)),
            tpa: array(p, 24),
        })
    }

    /// Writes the packet to the start of `buf`; returns 28.
    ///
    /// # Panics
    /// If `buf` is shorter than 28 bytes.
    pub fn emit(&self, buf: &mut [u8]) -> usize {
        let buf = &mut buf[..Packet::LEN];
        put16(buf, 0, HARDWARE_ETHERNET);
        put16(buf, 2, ETHERTYPE_IPV4);
        buf[4] = 6;
        buf[5] = 4;
        put16(buf, 6, self.operation as u16);
        buf[8..14].copy_from_slice(&self.sha.0);
        buf[14..18].copy_from_slice(&self.spa);
        buf[18..24].copy_from_slice(&self.tha.0);
        buf[24..28].copy_from_slice(&self.tpa);
        Packet::LEN
    }
}

#[cfg(test)]
mod tests;
