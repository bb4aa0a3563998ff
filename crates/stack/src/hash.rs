//! Keyed hashing: peers choose four-tuples and addresses, so every table's hash has a secret.

use core::hash::{BuildHasher, Hasher};

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
        let mut hasher = self.0;
        let ports = u32::from(tuple.local_port) | u32::from(tuple.remote_port) << 16;
        if tuple.local.is_v4() {
            let local = u32::from_ne_bytes(tuple.local.v4_octets());
            let remote = u32::from_ne_bytes(tuple.remote.v4_octets());
            hasher.write_u64(u64::from(local) | u64::from(remote) << 32);
        } else {
            hasher.write(&tuple.local.octets());
            hasher.write(&tuple.remote.octets());
        }
        hasher.write_u32(ports);
        hasher.finish()
    }
}

impl BuildHasher for Keyed {
    type Hasher = SipHasher13;
    fn build_hasher(&self) -> SipHasher13 {
        self.0
    }
}
