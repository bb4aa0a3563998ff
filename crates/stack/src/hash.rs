//! Keyed hashing: peers choose four-tuples and addresses, so every table's hash has a secret.
//!
//! A peer that knew which four-tuples share a bucket could make a table's operations slow, or push
//! chosen entries out of TIME-WAIT. It learns nothing of the hash: no value of it and no order
//! that depends on it leaves this host. Against whoever must choose without the key, a universal
//! hash is enough, and it takes a third of SipHash's instructions:
//!
//! 1. NH (Black, Halevi, Krawczyk, Krovetz and Rogaway, *UMAC*, CRYPTO 1999) makes 128 bits of the
//!    tuple; two tuples have the same with a probability of at most 2^-64.
//! 2. A multilinear hash with keys of 128 bits (Thorup, *High Speed Hashing for Integers
//!    and Strings*, 2015) makes 64 bits of those, and is strongly universal: whichever k bits of the
//!    result a table uses, two different inputs agree in them with a probability of 2^-k.
//! 3. A fixed bijection, which changes nothing of this, scatters the arithmetic progressions that
//!    consecutive ports are until then.
//!
//! So any two tuples chosen without the key share k given bits with a probability of at most
//! 2^-k + 2^-64, and the expected length of a search is that of a random function.

use core::hash::BuildHasher;

use siphasher::sip::SipHasher13;
use wire::FourTuple;

/// The secret of the tables, new at every start.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Keyed {
    any: SipHasher13,
    /// Keys of NH: two words for each product.
    nh: [u64; 6],
    multilinear: [u128; 2],
    /// What the multilinear hash adds: without it, it would be universal, but not strongly.
    added: u128,
}

/// What a number is derived for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Purpose {
    /// The budget of acknowledgments out of TIME-WAIT.
    TimeWaitAcks,
    /// The budget of challenge ACKs (RFC 5961 7).
    ChallengeAcks,
    /// Where `next_ephemeral` begins (RFC 6056 3.3.3).
    NextEphemeral,
    /// The key of a destination's choice of ports: its place, and the first or the second half.
    Ports(u64, bool),
}

impl Keyed {
    pub(crate) fn new(k0: u64, k1: u64) -> Keyed {
        // SipHash is a pseudorandom function: its values are keys independent of each other.
        let any = SipHasher13::new_with_keys(k0, k1);
        let word = |n: u64| any.hash(&n.to_le_bytes());
        let wide = |n: u64| u128::from(word(n)) << 64 | u128::from(word(n + 1));
        Keyed {
            any,
            nh: [0, 1, 2, 3, 4, 5].map(word),
            multilinear: [wide(6), wide(8)],
            added: wide(10),
        }
    }

    /// A number for a purpose of its own, such as the seed of a budget: independent of the hash's keys
    /// and of the numbers for other purposes, so that what is seen of one tells nothing of the others.
    pub(crate) fn derived(&self, purpose: Purpose) -> u64 {
        let (label, number) = match purpose {
            Purpose::TimeWaitAcks => (0u64, 0u64),
            Purpose::ChallengeAcks => (1, 0),
            Purpose::NextEphemeral => (2, 0),
            Purpose::Ports(place, half) => (3 + u64::from(half), place),
        };
        // Twice as long as what the keys were made of.
        let message = u128::from(label) << 64 | u128::from(number);
        self.any.hash(&message.to_le_bytes())
    }

    /// The hash of a four-tuple: one a packet, for every table.
    #[inline]
    pub(crate) fn flow(&self, tuple: &FourTuple) -> u64 {
        let ports = u32::from(tuple.remote_port) << 16 | u32::from(tuple.local_port);
        if tuple.local.is_v4() {
            let (local, remote) = (tuple.local.v4_octets(), tuple.remote.v4_octets());
            self.v4(local, remote, ports)
        } else {
            self.v6(tuple.local, tuple.remote, ports)
        }
    }

    /// The same, of the addresses and of the ports, the remote one in the upper half: as a segment's
    /// headers have them. A packet's hash is made of these, not of a tuple that was written a moment
    /// ago: the processor would wait until it is in the cache, and the table's line waits for the hash.
    #[inline(always)]
    pub(crate) fn v4(&self, local: [u8; 4], remote: [u8; 4], ports: u32) -> u64 {
        let [k0, k1, ..] = self.nh;
        let (local, remote) = (u32::from_le_bytes(local), u32::from_le_bytes(remote));
        let addresses = u64::from(remote) << 32 | u64::from(local);
        self.narrow(product(addresses, k0, ports.into(), k1))
    }

    /// The same for IPv6.
    #[inline(always)]
    pub(crate) fn v6(&self, local: wire::Ip, remote: wire::Ip, ports: u32) -> u64 {
        let [k0, k1, k2, k3, k4, k5] = self.nh;
        let halves = |ip: wire::Ip| {
            let ip = u128::from_le_bytes(ip.octets());
            (ip as u64, (ip >> 64) as u64)
        };
        let ((l0, l1), (r0, r1)) = (halves(local), halves(remote));
        let sum = product(l0, k0, l1, k1)
            .wrapping_add(product(r0, k2, r1, k3))
            .wrapping_add(product(ports.into(), k4, 0, k5));
        self.narrow(sum)
    }

    /// 64 bits of 128, and the bijection.
    #[inline(always)]
    fn narrow(&self, wide: u128) -> u64 {
        let [m0, m1] = self.multilinear;
        let (low, high) = (wide as u64, (wide >> 64) as u64);
        let sum = m0
            .wrapping_mul(low.into())
            .wrapping_add(m1.wrapping_mul(high.into()))
            .wrapping_add(self.added);
        let hash = (sum >> 64) as u64;
        (hash ^ hash >> 32).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }
}

/// A term of NH.
#[inline(always)]
const fn product(a: u64, key_a: u64, b: u64, key_b: u64) -> u128 {
    a.wrapping_add(key_a) as u128 * b.wrapping_add(key_b) as u128
}

/// A multiply-and-fold hash of an address with something beside it, for tables whose keys are
/// configuration: peers do not choose them, so it needs no secret.
#[inline]
pub(crate) const fn configured(address: u128, beside: u64) -> u64 {
    let low = address as u64 ^ beside << 48 ^ 0x9e37_79b9_7f4a_7c15;
    let high = (address >> 64) as u64 ^ 0xd6e8_feb8_6659_fd93;
    let wide = low as u128 * high as u128;
    wide as u64 ^ (wide >> 64) as u64
}

impl BuildHasher for Keyed {
    type Hasher = SipHasher13;
    fn build_hasher(&self) -> SipHasher13 {
        self.any
    }
}

#[cfg(test)]
mod tests;
