//! Keyed hashing: peers choose four-tuples and addresses, so every table's hash has a secret.

use core::hash::BuildHasher;

use siphasher::sip::SipHasher13;
use wire::FourTuple;

/// The secret of the tables, new at every start.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Keyed {
    any: SipHasher13,
    /// The state that SipHash begins with.
    state: [u64; 4],
}

impl Keyed {
    pub(crate) fn new(k0: u64, k1: u64) -> Keyed {
        Keyed {
            any: SipHasher13::new_with_keys(k0, k1),
            // "somepseudorandomlygeneratedbytes" (SipHash paper, section 2.1).
            state: [
                k0 ^ 0x736f_6d65_7073_6575,
                k1 ^ 0x646f_7261_6e64_6f6d,
                k0 ^ 0x6c79_6765_6e65_7261,
                k1 ^ 0x7465_6462_7974_6573,
            ],
        }
    }

    /// The hash of a four-tuple: one a packet, for every table.
    #[inline]
    pub(crate) fn flow(&self, tuple: &FourTuple) -> u64 {
        if tuple.local.is_v4() {
            let local = u32::from_le_bytes(tuple.local.v4_octets());
            let remote = u32::from_le_bytes(tuple.remote.v4_octets());
            let addresses = u64::from(remote) << 32 | u64::from(local);
            let ports = u32::from(tuple.remote_port) << 16 | u32::from(tuple.local_port);
            self.twelve_bytes(addresses, ports)
        } else {
            let mut bytes = [0; 36];
            bytes[..16].copy_from_slice(&tuple.local.octets());
            bytes[16..32].copy_from_slice(&tuple.remote.octets());
            bytes[32..34].copy_from_slice(&tuple.local_port.to_le_bytes());
            bytes[34..].copy_from_slice(&tuple.remote_port.to_le_bytes());
            self.any.hash(&bytes)
        }
    }

    /// SipHash-1-3 of a message of twelve bytes: five rounds, and nothing to find out about its
    /// length.
    #[inline]
    fn twelve_bytes(&self, first: u64, last: u32) -> u64 {
        let last = 12 << 56 | u64::from(last);
        let mut v = self.state;
        v[3] ^= first;
        v = round(v);
        v[0] ^= first;
        v[3] ^= last;
        v = round(v);
        v[0] ^= last;
        v[2] ^= 0xff;
        v = round(round(round(v)));
        v[0] ^ v[1] ^ v[2] ^ v[3]
    }
}

/// SipRound (SipHash paper, figure 2.1).
#[inline(always)]
const fn round([mut a, mut b, mut c, mut d]: [u64; 4]) -> [u64; 4] {
    a = a.wrapping_add(b);
    c = c.wrapping_add(d);
    b = b.rotate_left(13) ^ a;
    d = d.rotate_left(16) ^ c;
    a = a.rotate_left(32).wrapping_add(d);
    c = c.wrapping_add(b);
    b = b.rotate_left(17) ^ c;
    d = d.rotate_left(21) ^ a;
    [a, b, c.rotate_left(32), d]
}

impl BuildHasher for Keyed {
    type Hasher = SipHasher13;
    fn build_hasher(&self) -> SipHasher13 {
        self.any
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_siphash(k0 in any::<u64>(), k1 in any::<u64>(), bytes in any::<[u8; 12]>()) {
            let [a, b, c, d, e, f, g, h, i, j, k, l] = bytes;
            let first = u64::from_le_bytes([a, b, c, d, e, f, g, h]);
            let last = u32::from_le_bytes([i, j, k, l]);
            let expected = SipHasher13::new_with_keys(k0, k1).hash(&bytes);
            prop_assert_eq!(Keyed::new(k0, k1).twelve_bytes(first, last), expected);
        }
    }
}
