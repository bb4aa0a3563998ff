//! How often TIME-WAIT was restored, by hash: each time an initial sequence number was used that its entry knows nothing of.
//!
//! The entry keeps SND.NXT as it was, since it acknowledges the old FIN with it, and a peer in LAST-ACK takes no number beyond its
//! window. So the next ISS is larger by what is counted here. Four-tuples share places: where they do, it is larger than it need be.

use crate::time::Instant;

/// A power of two.
const PLACES: usize = 4_096;

/// The most that an ISS is larger by. Who has it come to more within one TIME-WAIT, by so many SYNs and resets, has it begin anew.
const MOST: u32 = u16::MAX as u32;

#[derive(Clone, Copy, Default, Debug)]
struct Place {
    /// When it was last counted.
    at: Instant,
    count: u32,
}

/// The counts of one core.
#[derive(Debug, Default)]
pub struct Restores {
    /// None until there is something to restore.
    places: Box<[Place]>,
    /// How long a count lasts after the last time, in milliseconds: as long as the entries.
    keep_ms: u32,
    /// Until when one of them lasts.
    until: Instant,
}

impl Restores {
    /// Counts last for TIME-WAITs of so many milliseconds too.
    pub fn cover(&mut self, length_ms: u32) {
        self.keep_ms = self.keep_ms.max(length_ms);
        if self.places.is_empty() {
            self.places = vec![Place::default(); PLACES].into();
        }
    }

    /// Bytes of memory.
    #[must_use]
    pub fn allocated_bytes(&self) -> usize {
        size_of_val(&*self.places)
    }

    /// The TIME-WAIT of the four-tuple with this hash was restored.
    #[cold]
    pub fn note(&mut self, hash: u64, now: Instant) {
        let count = self.count(hash, now);
        let until = now.plus_millis(self.keep_ms.into());
        if let Some(place) = self.places.get_mut(hash as usize % PLACES) {
            let count = if count < MOST { count + 1 } else { 1 };
            *place = Place { at: now, count };
            self.until = until;
        }
    }

    /// How often that was within a TIME-WAIT, at most.
    #[inline]
    #[must_use]
    pub fn count(&self, hash: u64, now: Instant) -> u32 {
        // As a rule there are none.
        if now >= self.until {
            return 0;
        }
        let place = self.places.get(hash as usize % PLACES);
        let lasts = |place: &&Place| now < place.at.plus_millis(self.keep_ms.into());
        place.filter(lasts).map_or(0, |place| place.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: u64 = 0x1234_5678_9abc_def0;

    #[test]
    fn it_grows_as_long_as_time_wait_lasts() {
        let mut restores = Restores::default();
        let at = Instant::from_millis;
        restores.note(HASH, at(5));
        assert_eq!(restores.count(HASH, at(5)), 0, "nothing is restored here");
        restores.cover(60_000);
        restores.cover(10_000);
        for n in 1..=5 {
            restores.note(HASH, at(n * 50_000));
            assert_eq!(u64::from(restores.count(HASH, at(n * 50_000))), n);
        }
        assert_eq!(restores.count(HASH ^ 1, at(250_000)), 0, "another place");
        assert_eq!(restores.count(HASH, at(309_999)), 5);
        restores.note(HASH ^ 1, at(309_999));
        assert_eq!(restores.count(HASH, at(310_000)), 0);
        assert_eq!(restores.count(HASH ^ 1, at(310_000)), 1);
    }

    #[test]
    fn it_has_an_end() {
        let mut restores = Restores::default();
        restores.cover(1_000);
        for _ in 0..MOST {
            restores.note(HASH, Instant::ZERO);
        }
        assert_eq!(restores.count(HASH, Instant::ZERO), MOST);
        restores.note(HASH, Instant::ZERO);
        assert_eq!(restores.count(HASH, Instant::ZERO), 1);
    }
}
