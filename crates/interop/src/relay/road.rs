//! One way of a relay: what happens to frames between the end at which they come in and the other.
//!
//! Without a clock: the caller says what time it is. The same seed and the same frames have the same
//! fate.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::{Duration, Instant};

use fastrand::Rng;

/// What a network does to frames. Shares are of 1.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub(crate) struct Trouble {
    /// The share that is lost.
    pub(crate) loss: f64,
    /// The share that arrives twice.
    pub(crate) duplication: f64,
    /// The share that is held back, for up to `hold`, while later ones overtake.
    pub(crate) reordering: f64,
    /// The longest that a frame is held back.
    pub(crate) hold: Duration,
    /// What each frame takes.
    pub(crate) delay: Duration,
}

/// What became of the frames of one way.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) received: u64,
    pub(crate) lost: u64,
    pub(crate) duplicated: u64,
    pub(crate) held: u64,
    /// Lost because too many were under way already.
    pub(crate) crowded_out: u64,
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "received {} lost {} duplicated {} held {} crowded_out {}",
            self.received, self.lost, self.duplicated, self.held, self.crowded_out
        )
    }
}

/// The frames under way, and the chance that decides on each.
pub(crate) struct Road<F> {
    trouble: Trouble,
    rng: Rng,
    under_way: BinaryHeap<Reverse<UnderWay<F>>>,
    capacity: usize,
    number: u64,
    tally: Tally,
}

/// A frame and when it arrives; of two at one time the one that set out first is first.
struct UnderWay<F> {
    due: Instant,
    number: u64,
    frame: F,
}

impl<F> Road<F> {
    /// A road with at most `capacity` frames on it.
    pub(crate) fn new(trouble: Trouble, rng: Rng, capacity: usize) -> Road<F> {
        Road {
            trouble,
            rng,
            under_way: BinaryHeap::with_capacity(capacity),
            capacity,
            number: 0,
            tally: Tally::default(),
        }
    }

    /// A frame sets out. `copy` makes the second of one that is to arrive twice, if it can.
    pub(crate) fn enter(&mut self, now: Instant, frame: F, copy: impl FnOnce(&F) -> Option<F>) {
        self.tally.received += 1;
        if self.happens(self.trouble.loss) {
            self.tally.lost += 1;
            return;
        }
        if self.happens(self.trouble.duplication)
            && let Some(second) = copy(&frame)
        {
            self.tally.duplicated += 1;
            self.send_off(now, second);
        }
        self.send_off(now, frame);
    }

    fn send_off(&mut self, now: Instant, frame: F) {
        if self.under_way.len() == self.capacity {
            self.tally.crowded_out += 1;
            return;
        }
        let mut due = now + self.trouble.delay;
        if self.happens(self.trouble.reordering) {
            self.tally.held += 1;
            due += self.trouble.hold.mul_f64(self.rng.f64());
        }
        self.number += 1;
        let number = self.number;
        self.under_way
            .push(Reverse(UnderWay { due, number, frame }));
    }

    fn happens(&mut self, share: f64) -> bool {
        share > 0.0 && self.rng.f64() < share
    }

    /// The next frame that has arrived by `now`.
    pub(crate) fn leave(&mut self, now: Instant) -> Option<F> {
        if self.under_way.peek()?.0.due > now {
            return None;
        }
        Some(self.under_way.pop()?.0.frame)
    }

    /// When the next frame arrives.
    pub(crate) fn next(&self) -> Option<Instant> {
        Some(self.under_way.peek()?.0.due)
    }

    pub(crate) fn tally(&self) -> &Tally {
        &self.tally
    }
}

impl<F> UnderWay<F> {
    fn place(&self) -> (Instant, u64) {
        (self.due, self.number)
    }
}

impl<F> PartialEq for UnderWay<F> {
    fn eq(&self, other: &Self) -> bool {
        self.place() == other.place()
    }
}

impl<F> Eq for UnderWay<F> {}

impl<F> PartialOrd for UnderWay<F> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<F> Ord for UnderWay<F> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.place().cmp(&other.place())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// What arrives of frames 0, 1, …, one entering each millisecond, in order of arrival.
    fn arrivals(trouble: Trouble, seed: u64, frames: u32) -> (Vec<u32>, Tally) {
        let mut road = Road::new(trouble, Rng::with_seed(seed), 1000);
        let start = Instant::now();
        let mut arrived = Vec::new();
        for frame in 0..frames {
            let now = start + MS * frame;
            road.enter(now, frame, |frame| Some(*frame));
            arrived.extend(std::iter::from_fn(|| road.leave(now)));
        }
        while let Some(due) = road.next() {
            arrived.extend(road.leave(due));
        }
        (arrived, *road.tally())
    }

    #[test]
    fn without_trouble_all_arrive_in_order_and_at_once() {
        let (arrived, tally) = arrivals(Trouble::default(), 1, 100);
        assert_eq!(arrived, (0..100).collect::<Vec<_>>());
        let received = Tally {
            received: 100,
            ..Tally::default()
        };
        assert_eq!(tally, received);
    }

    #[test]
    fn a_delay_alone_changes_no_order() {
        let trouble = Trouble {
            delay: 20 * MS,
            ..Trouble::default()
        };
        assert_eq!(arrivals(trouble, 1, 50).0, (0..50).collect::<Vec<_>>());
        let mut road = Road::new(trouble, Rng::with_seed(1), 1);
        let now = Instant::now();
        road.enter(now, 'a', |_| None);
        road.enter(now, 'b', |_| None);
        assert_eq!(road.tally().crowded_out, 1);
        assert_eq!(road.leave(now + 19 * MS), None);
        assert_eq!(road.leave(now + 20 * MS), Some('a'));
    }

    #[test]
    fn trouble_comes_in_its_share_and_a_seed_names_it() {
        let trouble = Trouble {
            loss: 0.1,
            duplication: 0.05,
            reordering: 0.1,
            hold: 10 * MS,
            delay: MS,
        };
        let (arrived, tally) = arrivals(trouble, 7, 10_000);
        assert_eq!(arrivals(trouble, 7, 10_000).0, arrived);
        assert_ne!(arrivals(trouble, 8, 10_000).0, arrived);
        let expected = tally.received - tally.lost + tally.duplicated;
        assert_eq!(arrived.len() as u64, expected);
        for (count, share) in [
            (tally.lost, 0.1),
            (tally.duplicated, 0.045),
            (tally.held, 0.1),
        ] {
            let share = share * 10_000.0;
            assert!((0.8..1.2).contains(&(count as f64 / share)), "{tally}");
        }
        assert!(arrived.windows(2).any(|pair| pair[0] > pair[1]));
    }
}
