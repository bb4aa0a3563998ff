//! `syn_probe`: who was just told that its SYN is refused.
//!
//! A peer in SYN-SENT answers the acknowledgment of its refused SYN with a RST at RCV.NXT. That is
//! the proof that it has forgotten the old connection, where RSTs otherwise prove nothing
//! (RFC 1337). Entries have no room to remember that the acknowledgment was sent; it is remembered by
//! hash in a small array, in which it may have any of four places: where a fifth is told within a second, the
//! oldest loses its permission, the safe side. A permission is used after a round trip, so that of a
//! million refusals a second and a round trip of ten milliseconds ten thousand are there at a time, in an array for 65,536.

use crate::time::Instant;

/// How long the answer is waited for.
pub const PERMISSION_MS: u64 = 1_000;

/// Permissions at a time, at most.
const PLACES: usize = 65_536;

/// Places in which a permission may lie: half of a cache line.
const WAYS: usize = 4;

const SETS: usize = PLACES / WAYS;

#[derive(Clone, Copy, Debug)]
struct Permission {
    /// The lower half of the entry's hash.
    tag: u32,
    /// When it ends, in the low bits of milliseconds.
    until_ms: u32,
}

impl Permission {
    /// How long it is still good for, in milliseconds; `None`: it has ended.
    fn left(self, now_ms: u32) -> Option<u32> {
        let left = self.until_ms.wrapping_sub(now_ms);
        (1..=PERMISSION_MS as u32).contains(&left).then_some(left)
    }
}

/// The permissions of one core.
#[derive(Debug)]
pub struct Probes(Box<[[Permission; WAYS]]>);

impl Probes {
    /// None granted. Without `used`, none ever will be, and no memory is taken.
    #[must_use]
    pub fn new(used: bool) -> Probes {
        let none = Permission {
            tag: 0,
            until_ms: 0,
        };
        Probes(vec![[none; WAYS]; if used { SETS } else { 0 }].into())
    }

    /// Bytes of memory.
    #[must_use]
    pub fn allocated_bytes(&self) -> usize {
        size_of_val(&*self.0)
    }

    /// A refused SYN was acknowledged.
    pub fn grant(&mut self, hash: u64, now: Instant) {
        let now_ms = now.as_millis() as u32;
        let this = Permission {
            tag: hash as u32,
            until_ms: now_ms.wrapping_add(PERMISSION_MS as u32),
        };
        let Some(set) = self.set(hash) else {
            return;
        };
        let own = set.iter().position(|p| p.tag == this.tag);
        let place = match own {
            Some(own) => set.get_mut(own),
            // One that has ended, or else the one that ends first.
            None => set.iter_mut().min_by_key(|p| p.left(now_ms)),
        };
        if let Some(place) = place {
            *place = this;
        }
    }

    /// Something else was acknowledged, whose sender may answer with a RST too.
    pub fn cancel(&mut self, hash: u64, now: Instant) {
        self.end(hash, now);
    }

    /// Whether a RST at RCV.NXT is the answer; that uses the permission up.
    pub fn take(&mut self, hash: u64, now: Instant) -> bool {
        self.end(hash, now)
    }

    /// Ends the permission of an entry; whether there was one.
    fn end(&mut self, hash: u64, now: Instant) -> bool {
        let now_ms = now.as_millis() as u32;
        let Some(set) = self.set(hash) else {
            return false;
        };
        let own = set.iter_mut().find(|p| p.tag == hash as u32);
        own.is_some_and(|own| {
            let granted = own.left(now_ms).is_some();
            own.until_ms = now_ms;
            granted
        })
    }

    fn set(&mut self, hash: u64) -> Option<&mut [Permission; WAYS]> {
        // The upper bits: the lower ones tell those of a set apart.
        self.0.get_mut((hash >> 32) as usize % SETS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: u64 = 0x1234_5678_9abc_def0;

    #[test]
    fn once_within_a_second_and_for_its_entry_only() {
        let mut probes = Probes::new(true);
        let at = Instant::from_millis;
        assert!(!probes.take(HASH, at(5)));
        probes.grant(HASH, at(5));
        assert!(!probes.take(HASH ^ 1, at(6)));
        assert!(probes.take(HASH, at(1_004)));
        assert!(!probes.take(HASH, at(1_004)), "used up");
        probes.grant(HASH, at(2_000));
        assert!(!probes.take(HASH, at(3_000)), "too late");
        probes.grant(HASH, at(4_000));
        probes.cancel(HASH ^ 1, at(4_000));
        probes.grant(HASH, at(4_000));
        probes.cancel(HASH, at(4_000));
        assert!(!probes.take(HASH, at(4_001)), "cancelled");
        // Four of a set are remembered; a fifth takes the place of the oldest.
        for n in 0..5 {
            probes.grant(HASH ^ n, at(5_000 + n));
        }
        assert!(!probes.take(HASH, at(5_010)));
        for n in 1..5 {
            assert!(probes.take(HASH ^ n, at(5_010)), "{n}");
        }
        // Long after: what is left of 32 bits of milliseconds is no permission.
        probes.grant(HASH, at(6_000));
        assert!(!probes.take(HASH, at(6_000 + (1 << 31))));
    }

    #[test]
    fn ten_thousand_at_a_time_find_room() {
        let mut probes = Probes::new(true);
        let mut hash = HASH;
        let mut next = || {
            hash = hash.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
            hash ^ hash >> 29
        };
        let hashes: Vec<u64> = (0..10_000).map(|_| next()).collect();
        let now = Instant::from_millis(5_000);
        hashes.iter().for_each(|hash| probes.grant(*hash, now));
        let taken = hashes
            .iter()
            .filter(|hash| probes.take(**hash, now))
            .count();
        assert!(taken > 9_980, "{taken}");
    }

    #[test]
    fn unused_it_grants_nothing() {
        let mut probes = Probes::new(false);
        probes.grant(HASH, Instant::ZERO);
        assert!(!probes.take(HASH, Instant::ZERO));
    }
}
