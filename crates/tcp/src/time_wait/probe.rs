//! `syn_probe`: who was just told that its SYN is refused.
//!
//! A peer in SYN-SENT answers the acknowledgment of its refused SYN with a RST at RCV.NXT. That is
//! the proof that it has forgotten the old connection, where RSTs otherwise prove nothing
//! (RFC 1337). Entries have no room to remember that the acknowledgment was sent; it is remembered by
//! hash in a small array. Where two entries share a place the older loses its permission: the
//! safe side.

use crate::time::Instant;

/// How long the answer is waited for.
pub const PERMISSION_MS: u64 = 1_000;

/// Permissions at a time, at most.
const PLACES: usize = 4_096;

#[derive(Clone, Copy, Debug)]
struct Permission {
    hash: u64,
    until: Instant,
}

/// The permissions of one core.
#[derive(Debug)]
pub struct Probes(Box<[Permission]>);

impl Probes {
    /// None granted. Without `used`, none ever will be, and no memory is taken.
    #[must_use]
    pub fn new(used: bool) -> Probes {
        let none = Permission {
            hash: 0,
            until: Instant::ZERO,
        };
        Probes(vec![none; if used { PLACES } else { 0 }].into())
    }

    /// A refused SYN was acknowledged.
    pub fn grant(&mut self, hash: u64, now: Instant) {
        if let Some(place) = self.place(hash) {
            *place = Permission {
                hash,
                until: now.plus_millis(PERMISSION_MS),
            };
        }
    }

    /// Something else was acknowledged, whose sender may answer with a RST too.
    pub fn cancel(&mut self, hash: u64) {
        if let Some(place) = self.place(hash)
            && place.hash == hash
        {
            place.until = Instant::ZERO;
        }
    }

    /// Whether a RST at RCV.NXT is the answer; that uses the permission up.
    pub fn take(&mut self, hash: u64, now: Instant) -> bool {
        let Some(place) = self.place(hash) else {
            return false;
        };
        let granted = place.hash == hash && now < place.until;
        if granted {
            place.until = Instant::ZERO;
        }
        granted
    }

    fn place(&mut self, hash: u64) -> Option<&mut Permission> {
        // The upper bits: the lower ones choose places of other arrays.
        self.0.get_mut((hash >> 40) as usize % PLACES)
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
        probes.cancel(HASH ^ 1);
        probes.grant(HASH, at(4_000));
        probes.cancel(HASH);
        assert!(!probes.take(HASH, at(4_001)), "cancelled");
        // Another entry in the same place takes it over.
        probes.grant(HASH, at(5_000));
        probes.grant(HASH ^ 1, at(5_000));
        assert!(!probes.take(HASH, at(5_001)));
        assert!(probes.take(HASH ^ 1, at(5_001)));
    }

    #[test]
    fn unused_it_grants_nothing() {
        let mut probes = Probes::new(false);
        probes.grant(HASH, Instant::ZERO);
        assert!(!probes.take(HASH, Instant::ZERO));
    }
}
