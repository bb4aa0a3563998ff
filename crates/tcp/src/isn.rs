//! Initial sequence numbers (RFC 6528, RFC 9293 3.4.1) and timestamp offsets (RFC 7323 5.4): keyed
//! functions of the four-tuple.

use core::fmt;

use siphasher::sip::SipHasher24;
use wire::{FourTuple, Seq};

/// The secret of a host. It must not be guessable, and must outlive 2 MSL, or servers in TIME-WAIT
/// will not believe the new sequence numbers: keep it over a restart.
#[derive(Clone)]
pub struct Secret {
    isn: SipHasher24,
    timestamps: SipHasher24,
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

impl Secret {
    /// From 32 random bytes: the first half keys sequence numbers, the second timestamp offsets.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Secret {
        let (isn, timestamps) = bytes.split_at(16);
        let hasher = |half: &[u8]| {
            let mut key = [0; 16];
            key.copy_from_slice(half);
            SipHasher24::new_with_key(&key)
        };
        Secret {
            isn: hasher(isn),
            timestamps: hasher(timestamps),
        }
    }

    /// The initial sequence number for a connection opened at `real_time_ns`: nanoseconds of a
    /// clock that never steps back, not even over a restart.
    #[inline]
    #[must_use]
    pub fn isn(&self, tuple: &FourTuple, real_time_ns: u64) -> Seq {
        //= RFC 9293 3.4.1
        //# ISN = M + F(localip, localport, remoteip, remoteport, secretkey)
        let m = (real_time_ns / NS_PER_TICK) as u32;
        Seq(keyed(&self.isn, tuple).wrapping_add(m))
    }

    /// What to add to the timestamp clock for this four-tuple (RFC 7323 5.4): the same at every
    /// connection, so that timestamps are monotonic for the tuple and RFC 6191 works.
    #[inline]
    #[must_use]
    pub fn ts_offset(&self, tuple: &FourTuple) -> u32 {
        keyed(&self.timestamps, tuple)
    }
}

/// "a (virtual) clock that increments roughly every 4 microseconds" (RFC 9293 3.4.1).
const NS_PER_TICK: u64 = 4_000;

#[inline]
fn keyed(hasher: &SipHasher24, tuple: &FourTuple) -> u32 {
    let mut bytes = [0; 36];
    bytes[..16].copy_from_slice(&tuple.local.octets());
    bytes[16..32].copy_from_slice(&tuple.remote.octets());
    bytes[32..34].copy_from_slice(&tuple.local_port.to_be_bytes());
    bytes[34..].copy_from_slice(&tuple.remote_port.to_be_bytes());
    hasher.hash(&bytes) as u32
}

#[cfg(test)]
mod tests {
    use wire::Ip;

    use super::*;

    const TUPLE: FourTuple = FourTuple {
        local: Ip::v4([10, 0, 0, 1]),
        remote: Ip::v4([10, 0, 0, 2]),
        local_port: 80,
        remote_port: 55000,
    };

    #[test]
    fn the_hash_is_siphash_2_4() {
        // The reference vector of the SipHash paper, appendix A: key 00..0f, message 00..0e.
        let key: [u8; 16] = core::array::from_fn(|i| i as u8);
        let message: [u8; 15] = core::array::from_fn(|i| i as u8);
        assert_eq!(
            SipHasher24::new_with_key(&key).hash(&message),
            0xa129_ca61_49be_45e5
        );
    }

    #[test]
    fn the_clock_ticks_every_four_microseconds_and_wraps() {
        let s = Secret::new([7; 32]);
        let at = |ns| s.isn(&TUPLE, ns);
        assert_eq!(at(3_999), at(0));
        assert_eq!(at(4_000), at(0) + 1);
        assert_eq!(at(1_000_000_000), at(0) + 250_000);
        assert_eq!(at(4_000 << 32), at(0));
    }

    #[test]
    fn tuple_key_and_purpose_matter() {
        let a = Secret::new([7; 32]);
        let b = Secret::new([8; 32]);
        assert_ne!(a.isn(&TUPLE, 0), b.isn(&TUPLE, 0));
        assert_ne!(a.isn(&TUPLE, 0), a.isn(&TUPLE.reversed(), 0));
        assert_eq!(
            a.ts_offset(&TUPLE),
            a.isn(&TUPLE, 0).0,
            "the same key in both halves"
        );
        let c = Secret::new(core::array::from_fn(|i| i as u8));
        assert_ne!(c.ts_offset(&TUPLE), c.isn(&TUPLE, 0).0);
        assert_eq!(c.ts_offset(&TUPLE), c.ts_offset(&TUPLE));
    }

    #[test]
    fn the_secret_is_not_printed() {
        assert_eq!(format!("{:?}", Secret::new([7; 32])), "Secret");
    }
}
