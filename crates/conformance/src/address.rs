//! Addresses and ports: as they are in C, and which of them a new socket gets.

use wire::Ip;

/// A local or remote socket.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Address {
    /// `None` for the wildcard, 0.0.0.0.
    pub(crate) ip: Option<Ip>,
    pub(crate) port: u16,
}

impl Address {
    pub(crate) fn new(ip: [u8; 4], port: u16) -> Address {
        let ip = (ip != [0; 4]).then_some(Ip::v4(ip));
        Address { ip, port }
    }

    /// Whether a segment could be for both.
    pub(crate) fn overlaps(&self, other: &Address) -> bool {
        self.port == other.port && (self.ip.is_none() || other.ip.is_none() || self.ip == other.ip)
    }
}

//= RFC 6056 2.1
//# The dynamic port range defined by IANA consists of the 49152-65535 range
const FIRST_EPHEMERAL: u16 = 49_152;
const EPHEMERAL: u16 = u16::MAX - FIRST_EPHEMERAL;

/// Ephemeral ports, one after the other from one that the seed chooses (RFC 6056 3.3.1).
#[derive(Debug)]
pub(crate) struct Ephemeral {
    next: u16,
}

impl Ephemeral {
    pub(crate) fn new(seed: u64) -> Ephemeral {
        Ephemeral {
            next: (seed % u64::from(EPHEMERAL)) as u16,
        }
    }

    /// The first port for which `is_free` says so; `None` if there is none.
    pub(crate) fn take(&mut self, mut is_free: impl FnMut(u16) -> bool) -> Option<u16> {
        for _ in 0..=EPHEMERAL {
            let port = FIRST_EPHEMERAL + self.next;
            self.next = if self.next == EPHEMERAL {
                0
            } else {
                self.next + 1
            };
            if is_free(port) {
                return Some(port);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_port_is_tried_once() {
        let mut ports = Ephemeral::new(7);
        let mut seen = Vec::new();
        assert_eq!(
            ports.take(|p| {
                seen.push(p);
                false
            }),
            None
        );
        assert_eq!(seen.len(), 16_384);
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(
            (seen.len(), seen[0], *seen.last().unwrap()),
            (16_384, 49_152, 65_535)
        );
        assert_eq!(ports.take(|p| p == 50_000), Some(50_000));
        assert_eq!(ports.take(|_| true), Some(50_001));
    }

    #[test]
    fn the_wildcard_overlaps_everything_on_its_port() {
        let a = Address::new([192, 0, 2, 1], 80);
        let b = Address::new([192, 0, 2, 2], 80);
        let any = Address::new([0; 4], 80);
        assert!(!a.overlaps(&b) && a.overlaps(&any) && any.overlaps(&b) && a.overlaps(&a));
        assert!(!a.overlaps(&Address::new([192, 0, 2, 1], 81)));
    }
}
