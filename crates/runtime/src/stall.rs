//! Transmit queues that take nothing.

use std::time::{Duration, Instant};

/// A queue takes nothing for so long, with the link up, before that is told.
const TOLD_AFTER: Duration = Duration::from_secs(2);

/// What one worker's transmit queue was seen to do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stall {
    /// Frames that it had taken when it was last seen to take some, and when that was.
    taken: u64,
    at: Instant,
    told: bool,
}

impl Stall {
    /// Seen at `now` for the first time.
    pub(crate) fn new(now: Instant) -> Stall {
        Stall {
            taken: 0,
            at: now,
            told: false,
        }
    }

    /// A look at the queue: of `made` frames `waiting` are left. Whether it is to be told that it takes none;
    /// once, until it takes some again.
    pub(crate) fn see(&mut self, now: Instant, made: u64, waiting: u64, link_up: bool) -> bool {
        let taken = made.saturating_sub(waiting);
        if taken != self.taken || waiting == 0 || !link_up {
            *self = Stall {
                taken,
                ..Stall::new(now)
            };
            return false;
        }
        let tell = !self.told && now.saturating_duration_since(self.at) >= TOLD_AFTER;
        self.told |= tell;
        tell
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_that_takes_nothing_is_told_of_once() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut stall = Stall::new(start);
        // Nothing to take, then something that is taken.
        assert!(!stall.see(at(5_000), 0, 0, true));
        assert!(!stall.see(at(6_000), 10, 3, true));
        assert!(!stall.see(at(7_900), 10, 3, true));
        // More is made and none of it taken.
        assert!(stall.see(at(8_100), 40, 33, true));
        assert!(!stall.see(at(20_000), 40, 33, true));
        // It goes on, and gets stuck again.
        assert!(!stall.see(at(20_500), 60, 33, true));
        assert!(!stall.see(at(22_000), 60, 33, true));
        assert!(stall.see(at(23_000), 60, 33, true));
    }

    #[test]
    fn without_a_link_nothing_is_expected() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut stall = Stall::new(start);
        assert!(!stall.see(at(9_000), 4, 4, false));
        // What waited has two seconds from the time at which the link is up.
        assert!(!stall.see(at(10_000), 4, 4, true));
        assert!(stall.see(at(11_000), 4, 4, true));
    }
}
