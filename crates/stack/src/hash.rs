//! Keyed hashing: peers choose four-tuples and addresses, so every table's hash has a secret.

use core::hash::BuildHasher;

use siphasher::sip::SipHasher13;
use wire::FourTuple;

/// The secret of the tables, new at every start.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Keyed(SipHasher13);

impl Keyed {
    pub(crate) fn new(k0: u64, k1: u64) -> Keyed {
        Keyed(SipHasher13::new_with_keys(k0, k1))
    }

    /// The hash of a four-tuple: one a packet, for every table.
    #[inline]
    pub(crate) fn flow(&self, tuple: &FourTuple) -> u64 {
        let [l0, l1] = tuple.local_port.to_ne_bytes();
        let [r0, r1] = tuple.remote_port.to_ne_bytes();
        // One call on one slice: piecewise hashing costs twice as much.
        if tuple.local.is_v4() {
            let [a, b, c, d] = tuple.local.v4_octets();
            let [e, f, g, h] = tuple.remote.v4_octets();
            self.0.hash(&[a, b, c, d, e, f, g, h, l0, l1, r0, r1])
        } else {
            let mut bytes = [0; 36];
            bytes[..16].copy_from_slice(&tuple.local.octets());
            bytes[16..32].copy_from_slice(&tuple.remote.octets());
            bytes[32..].copy_from_slice(&[l0, l1, r0, r1]);
            self.0.hash(&bytes)
        }
    }
}

impl BuildHasher for Keyed {
    type Hasher = SipHasher13;
    fn build_hasher(&self) -> SipHasher13 {
        self.0
    }
}
