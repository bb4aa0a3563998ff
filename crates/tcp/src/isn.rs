//! Initial sequence numbers (RFC 6528, RFC 9293 3.4.1) and timestamp offsets (RFC 7323 5.4): keyed
//! functions of the four-tuple.

use core::fmt;

use siphasher::sip::SipHasher24;
use wire::{FourTuple, Seq};

/// The secret of a host. It must not be guessable, and must outlive 2 MSL, or servers in TIME-WAIT
/// will not believe the new sequence numbers: keep it over a restart.
#[derive(Clone)]
pub struct Secret {
    any: SipHasher24,
    /// The state that SipHash begins with.
    state: [u64; 4],
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// What the secret gives one four-tuple: the same at every connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Numbers {
    /// F(): where the tuple's sequence number space begins.
    isn_base: u32,
    /// What to add to the timestamp clock for this four-tuple (RFC 7323 5.4): always the same, so
    /// that timestamps are monotonic for the tuple and RFC 6191 works.
    pub ts_offset: u32,
}

impl Numbers {
    /// The initial sequence number for a connection opened at `real_time_ns`: nanoseconds of a
    /// clock that never steps back, not even over a restart.
    #[inline]
    #[must_use]
    pub const fn isn(self, real_time_ns: u64) -> Seq {
        //= RFC 9293 3.4.1
        //# ISN = M + F(localip, localport, remoteip, remoteport, secretkey)
        let m = (real_time_ns / NS_PER_TICK) as u32;
        Seq(self.isn_base.wrapping_add(m))
    }
}

impl Secret {
    /// From 32 random bytes. SipHash takes 16: the first half keys a hash of the second.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Secret {
        let (first, second) = bytes.split_at(16);
        let mut key = [0; 16];
        key.copy_from_slice(first);
        let key = siphasher::sip128::SipHasher24::new_with_key(&key).hash(second);
        let (k0, k1) = key.as_u64();
        Secret {
            any: SipHasher24::new_with_keys(k0, k1),
            // "somepseudorandomlygeneratedbytes" (SipHash paper, section 2.1).
            state: [
                k0 ^ 0x736f_6d65_7073_6575,
                k1 ^ 0x646f_7261_6e64_6f6d,
                k0 ^ 0x6c79_6765_6e65_7261,
                k1 ^ 0x7465_6462_7974_6573,
            ],
        }
    }

    /// SipHash-2-4 of a message of twelve bytes: nothing to find out about its length.
    #[inline]
    fn twelve_bytes(&self, first: u64, last: u32) -> u64 {
        let last = 12 << 56 | u64::from(last);
        let mut v = self.state;
        v[3] ^= first;
        v = round(round(v));
        v[0] ^= first;
        v[3] ^= last;
        v = round(round(v));
        v[0] ^= last;
        v[2] ^= 0xff;
        v = round(round(round(round(v))));
        v[0] ^ v[1] ^ v[2] ^ v[3]
    }

    /// The numbers of a four-tuple.
    ///
    /// Both come from one hash. SipHash is a pseudorandom function, of whose output no part says
    /// anything about another: who sees the timestamps of a connection, or all its sequence
    /// numbers, is not nearer to the other, as RFC 7323 5.4 and RFC 6528 want it.
    #[inline]
    #[must_use]
    pub fn numbers(&self, tuple: &FourTuple) -> Numbers {
        let hash = if tuple.local.is_v4() && tuple.remote.is_v4() {
            let local = u32::from_le_bytes(tuple.local.v4_octets());
            let remote = u32::from_le_bytes(tuple.remote.v4_octets());
            let addresses = u64::from(remote) << 32 | u64::from(local);
            let ports = u32::from(tuple.remote_port.to_be()) << 16;
            self.twelve_bytes(addresses, ports | u32::from(tuple.local_port.to_be()))
        } else {
            let mut bytes = [0; 36];
            bytes[..16].copy_from_slice(&tuple.local.octets());
            bytes[16..32].copy_from_slice(&tuple.remote.octets());
            bytes[32..34].copy_from_slice(&tuple.local_port.to_be_bytes());
            bytes[34..].copy_from_slice(&tuple.remote_port.to_be_bytes());
            self.any.hash(&bytes)
        };
        Numbers {
            isn_base: hash as u32,
            ts_offset: (hash >> 32) as u32,
        }
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

/// "a (virtual) clock that increments roughly every 4 microseconds" (RFC 9293 3.4.1).
const NS_PER_TICK: u64 = 4_000;

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
    fn the_short_way_is_the_same_hash() {
        for n in 0..100u8 {
            let message: [u8; 12] = core::array::from_fn(|i| (i as u8).wrapping_mul(n) ^ n);
            let [a, b, c, d, e, f, g, h, i, j, k, l] = message;
            let first = u64::from_le_bytes([a, b, c, d, e, f, g, h]);
            let last = u32::from_le_bytes([i, j, k, l]);
            let secret = Secret::new([n; 32]);
            assert_eq!(secret.twelve_bytes(first, last), secret.any.hash(&message));
        }
    }

    /// What a host's ISNs are must not change: a secret may be kept over an update.
    #[test]
    fn the_message_is_addresses_and_ports_in_network_order() {
        let secret = Secret::new([7; 32]);
        let message = [10, 0, 0, 1, 10, 0, 0, 2, 0, 80, 0xd6, 0xd8];
        let hash = secret.any.hash(&message);
        assert_eq!(secret.numbers(&TUPLE).isn_base, hash as u32);
        assert_eq!(secret.numbers(&TUPLE).ts_offset, (hash >> 32) as u32);
    }

    #[test]
    fn the_clock_ticks_every_four_microseconds_and_wraps() {
        let s = Secret::new([7; 32]);
        let at = |ns| s.numbers(&TUPLE).isn(ns);
        assert_eq!(at(3_999), at(0));
        assert_eq!(at(4_000), at(0) + 1);
        assert_eq!(at(1_000_000_000), at(0) + 250_000);
        assert_eq!(at(4_000 << 32), at(0));
    }

    #[test]
    fn tuple_key_and_purpose_matter() {
        let key: [u8; 32] = core::array::from_fn(|i| i as u8);
        let numbers = Secret::new(key).numbers(&TUPLE);
        assert_eq!(numbers, Secret::new(key).numbers(&TUPLE));
        assert_ne!(numbers.isn_base, numbers.ts_offset);
        let differ = |other: Numbers| {
            assert_ne!(numbers.isn_base, other.isn_base);
            assert_ne!(numbers.ts_offset, other.ts_offset);
        };
        // Every byte of the secret counts.
        for i in 0..32 {
            let mut key = key;
            key[i] ^= 1;
            differ(Secret::new(key).numbers(&TUPLE));
        }
        let secret = Secret::new(key);
        differ(secret.numbers(&TUPLE.reversed()));
        let (local_port, remote_port) = (81, 55001);
        differ(secret.numbers(&FourTuple {
            local_port,
            ..TUPLE
        }));
        differ(secret.numbers(&FourTuple {
            remote_port,
            ..TUPLE
        }));
        // Addresses that differ in what an IPv4 address does not have.
        let mut v6 = TUPLE.remote.octets();
        v6[0] = 0x20;
        let v6 = FourTuple {
            remote: Ip::v6(v6),
            ..TUPLE
        };
        differ(secret.numbers(&v6));
        v6_in_full(&secret, v6);
    }

    fn v6_in_full(secret: &Secret, tuple: FourTuple) {
        for i in 0..16 {
            let mut octets = tuple.local.octets();
            octets[i] ^= 1;
            let other = FourTuple {
                local: Ip::v6(octets),
                ..tuple
            };
            assert_ne!(secret.numbers(&other), secret.numbers(&tuple));
        }
    }

    #[test]
    fn the_secret_is_not_printed() {
        assert_eq!(format!("{:?}", Secret::new([7; 32])), "Secret");
    }
}
