//! Addresses and four-tuples, one representation for IPv4 and IPv6.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An IPv4 or IPv6 address in 16 bytes; IPv4 is held as `::ffff:a.b.c.d` (RFC 4291 2.5.5.2).
///
/// One type for both families keeps the connection table and the applications free of a type
/// parameter. A v4-mapped address never appears on the wire as IPv6; the IPv6 parser refuses it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(transparent)]
pub struct Ip([u8; 16]);

const V4_PREFIX: [u8; 12] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];

impl Ip {
    /// `::`, the unspecified IPv6 address.
    pub const UNSPECIFIED_V6: Ip = Ip([0; 16]);

    /// From the four bytes of an IPv4 address, in network order.
    #[inline]
    #[must_use]
    pub const fn v4(a: [u8; 4]) -> Ip {
        // Made of one number, to be stored as the two words that everybody reads: a processor cannot
        // forward a load from stores that are narrower than it.
        let prefix = 0xffff << 80;
        let address = (u32::from_le_bytes(a) as u128) << 96;
        Ip((prefix | address).to_le_bytes())
    }

    /// From the sixteen bytes of an IPv6 address, in network order.
    #[inline]
    #[must_use]
    pub const fn v6(a: [u8; 16]) -> Ip {
        Ip(a)
    }

    /// Whether this is an IPv4 address.
    #[inline]
    #[must_use]
    pub fn is_v4(&self) -> bool {
        self.0[..12] == V4_PREFIX
    }

    /// The four bytes if this is an IPv4 address.
    #[inline]
    #[must_use]
    pub fn as_v4(&self) -> Option<[u8; 4]> {
        self.is_v4().then(|| self.v4_octets())
    }

    /// The last four bytes: the IPv4 address, if [`Ip::is_v4`].
    #[inline]
    #[must_use]
    pub const fn v4_octets(&self) -> [u8; 4] {
        [self.0[12], self.0[13], self.0[14], self.0[15]]
    }

    /// All sixteen bytes (v4-mapped for IPv4).
    #[inline]
    #[must_use]
    pub const fn octets(&self) -> [u8; 16] {
        self.0
    }
}

impl From<Ipv4Addr> for Ip {
    fn from(a: Ipv4Addr) -> Ip {
        Ip::v4(a.octets())
    }
}

impl From<Ipv6Addr> for Ip {
    fn from(a: Ipv6Addr) -> Ip {
        Ip(a.octets())
    }
}

impl From<IpAddr> for Ip {
    fn from(a: IpAddr) -> Ip {
        match a {
            IpAddr::V4(a) => a.into(),
            IpAddr::V6(a) => a.into(),
        }
    }
}

impl From<Ip> for IpAddr {
    fn from(a: Ip) -> IpAddr {
        match a.as_v4() {
            Some(v4) => IpAddr::V4(v4.into()),
            None => IpAddr::V6(a.0.into()),
        }
    }
}

impl fmt::Display for Ip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        IpAddr::from(*self).fmt(f)
    }
}

impl fmt::Debug for Ip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The two sockets of a connection, as this host sees them.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
#[repr(C)]
pub struct FourTuple {
    /// Our address.
    pub local: Ip,
    /// The peer's address.
    pub remote: Ip,
    /// Our port, host order.
    pub local_port: u16,
    /// The peer's port, host order.
    pub remote_port: u16,
}

impl FourTuple {
    /// The same connection as the peer sees it.
    #[must_use]
    pub const fn reversed(&self) -> FourTuple {
        FourTuple {
            local: self.remote,
            remote: self.local,
            local_port: self.remote_port,
            remote_port: self.local_port,
        }
    }
}

impl fmt::Debug for FourTuple {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = |ip: Ip, port| core::net::SocketAddr::new(ip.into(), port);
        write!(
            f,
            "{} <-> {}",
            side(self.local, self.local_port),
            side(self.remote, self.remote_port)
        )
    }
}

#[cfg(test)]
mod tests;
