//! How many acknowledgments TIME-WAIT sends.
//!
//! A retransmitted FIN always gets its acknowledgment, and has no share in what limits the others.
//! Nor has that of a refused SYN under `syn_probe`, without which a peer would wait for its timeouts. Any other
//! acknowledgment is a courtesy, and there is a budget for all of them together, and at most
//! one an entry and half second unless it answers text, which is a retransmission, so that strays and attackers do not make this host a source of traffic. And an entry gets at
//! most one acknowledgment, of either kind, in a receive burst.
//!
//! Entries have no room for this; it is remembered by hash in two small arrays. In the first an entry may have any of four
//! places: where a fifth would need one within half a second, it gets no acknowledgment. Where two entries share a place in the
//! second, a burst may see an acknowledgment twice. Both err to the safe side.

use super::verdict::AckReason;
use crate::challenge::ChallengeLimit;
use crate::time::Instant;

/// The least time between two acknowledgments of invalid segments to one entry, by default: Linux's.
pub const INTERVAL_MS: u32 = 500;

/// Places of the array for bursts: eight times a burst of 64.
const BURST_PLACES: usize = 512;

/// Places in which an entry may be remembered: half of a cache line.
const WAYS: usize = 4;

/// Limits of one core.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AckLimits {
    /// Places to remember entries in, rounded up to a power of two, at least four: so many acknowledgments of
    /// invalid segments may be sent in a half second at most, but for those that answer text.
    pub places: usize,
    /// Acknowledgments of invalid segments a second (RFC 5961 section 7). 0: none.
    pub per_second: u32,
    /// The least time between two of them to one entry, in milliseconds; 0: none.
    pub interval_ms: u32,
    /// Acknowledgments of refused SYNs a second under `syn_probe`, which have a budget of their own and no interval: as
    /// a SYN gets an answer from a listener, each gets one, of its own size. 0: none.
    pub probes_per_second: u32,
}

impl Default for AckLimits {
    /// Far above what strays cause.
    fn default() -> AckLimits {
        AckLimits {
            places: 16_384,
            per_second: 10_000,
            interval_ms: INTERVAL_MS,
            // As many as a core can refuse.
            probes_per_second: 2_000_000,
        }
    }
}

/// What the limits say to an acknowledgment.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Permit {
    /// Send it.
    Send,
    /// Suppressed: the entry had one in this burst.
    SameBurst,
    /// Suppressed: the entry had one in the last half second.
    Interval,
    /// Suppressed: the budget is spent.
    Budget,
}

#[derive(Clone, Copy, Debug)]
struct Answered {
    hash: u64,
    burst: u64,
}

/// The last acknowledgment of an invalid segment to one entry.
#[derive(Clone, Copy, Debug)]
struct Last {
    /// The lower half of the entry's hash.
    tag: u32,
    /// When it was, in the low bits of milliseconds.
    ms: u32,
}

/// Limits the acknowledgments of one core.
#[derive(Debug)]
pub struct AckLimiter {
    last: Box<[[Last; WAYS]]>,
    interval_ms: u32,
    answered: Box<[Answered]>,
    /// The current burst, from 1.
    burst: u64,
    budget: ChallengeLimit,
    probes: ChallengeLimit,
}

impl AckLimiter {
    /// A limiter with a full budget. `seed` makes the budget of each second unpredictable.
    #[must_use]
    pub fn new(limits: &AckLimits, seed: u64, now: Instant) -> AckLimiter {
        let places = limits.places.clamp(WAYS, 1 << 24).next_power_of_two();
        let never = Last {
            tag: 0,
            ms: (now.as_millis() as u32).wrapping_sub(limits.interval_ms),
        };
        AckLimiter {
            last: vec![[never; WAYS]; places / WAYS].into(),
            interval_ms: limits.interval_ms,
            answered: vec![Answered { hash: 0, burst: 0 }; BURST_PLACES].into(),
            burst: 1,
            budget: ChallengeLimit::new(limits.per_second, seed),
            probes: ChallengeLimit::new(limits.probes_per_second, !seed),
        }
    }

    /// Bytes of memory.
    #[must_use]
    pub fn allocated_bytes(&self) -> usize {
        size_of_val(&*self.last) + size_of_val(&*self.answered)
    }

    /// A receive burst begins.
    #[inline]
    pub fn begin_burst(&mut self) {
        self.burst += 1;
    }

    /// The entry with this hash is over by a segment: the next one of its four-tuple begins anew.
    pub fn forget(&mut self, hash: u64, now: Instant) {
        let long_ago = (now.as_millis() as u32).wrapping_sub(self.interval_ms);
        let set = self.set(hash);
        for last in &mut self.last[set] {
            if last.tag == hash as u32 {
                last.ms = long_ago;
            }
        }
    }

    // The upper bits: the lower ones tell the entries of a set apart, and choose the place of the burst.
    fn set(&self, hash: u64) -> usize {
        (hash >> 32) as usize & (self.last.len() - 1)
    }

    /// Whether to send an acknowledgment to the entry with this hash; if so, it counts as sent. `probing`: the rules of
    /// the entry have `syn_probe`, by which the acknowledgment of a refused SYN is what helps a peer that is really there.
    //= RFC 9293 3.10.7.4
    //# For example, if the TCP endpoint is processing a series of queued segments, it MUST process
    //# them all before sending any ACK segments (MUST-59).
    //
    // All acknowledgments of an entry in a burst say the same, so the first speaks for all.
    #[inline]
    pub fn permit(&mut self, reason: AckReason, probing: bool, hash: u64, now: Instant) -> Permit {
        let set = self.set(hash);
        let answered = &mut self.answered[hash as usize % BURST_PLACES];
        let this = Answered {
            hash,
            burst: self.burst,
        };
        if answered.hash == this.hash && answered.burst == this.burst {
            return Permit::SameBurst;
        }
        if probing && reason.refuses_syn() {
            if !self.probes.take(now) {
                return Permit::Budget;
            }
        } else if !reason.answers_fin() {
            let this = Last {
                tag: hash as u32,
                ms: now.as_millis() as u32,
            };
            let interval_ms = self.interval_ms;
            let recent = |last: &Last| this.ms.wrapping_sub(last.ms) < interval_ms;
            let set = &mut self.last[set];
            let own = set.iter().position(|last| last.tag == this.tag);
            let place = own.or_else(|| set.iter().position(|last| !recent(last)));
            let place = place.and_then(|at| set.get_mut(at));
            let recently = place.as_deref().is_none_or(recent);
            if recently && reason != AckReason::OldText {
                return Permit::Interval;
            }
            if !self.budget.take(now) {
                return Permit::Budget;
            }
            if let Some(place) = place {
                *place = this;
            }
        }
        *answered = this;
        Permit::Send
    }
}

#[cfg(test)]
mod tests;
