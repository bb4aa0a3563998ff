//! What happens next: frames under way, ordered by (time, sequence number), so that equal times
//! keep the order in which they were scheduled and a run never depends on a heap's whim.

use core::cmp::Reverse;
use std::collections::BinaryHeap;

use tcp::time::Instant;

use crate::network::StationId;

/// Where a frame arrives.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Place {
    /// At the switch, from this station.
    Switch(StationId),
    /// At this station.
    Station(StationId),
}

/// A frame that arrives.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Arrival {
    pub(crate) at: Instant,
    sequence: u64,
    pub(crate) place: Place,
    /// Who sent it; `None` if it was injected.
    pub(crate) from: Option<StationId>,
    pub(crate) frame: Vec<u8>,
}

/// Frames under way.
#[derive(Default, Debug)]
pub(crate) struct Queue {
    heap: BinaryHeap<Reverse<Arrival>>,
    scheduled: u64,
}

impl Queue {
    pub(crate) fn schedule(
        &mut self,
        at: Instant,
        place: Place,
        from: Option<StationId>,
        frame: Vec<u8>,
    ) {
        self.scheduled += 1;
        self.heap.push(Reverse(Arrival {
            at,
            sequence: self.scheduled,
            place,
            from,
            frame,
        }));
    }

    pub(crate) fn next_at(&self) -> Option<Instant> {
        self.heap.peek().map(|Reverse(arrival)| arrival.at)
    }

    /// The next arrival if it is due at `now`.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<Arrival> {
        if self.next_at()? > now {
            return None;
        }
        self.heap.pop().map(|Reverse(arrival)| arrival)
    }

    pub(crate) fn len(&self) -> usize {
        self.heap.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_time_then_by_order_of_scheduling() {
        let mut queue = Queue::default();
        let place = Place::Station(StationId(0));
        for (ms, byte) in [(5, 1), (3, 2), (5, 3), (3, 4), (4, 5)] {
            queue.schedule(Instant::from_millis(ms), place, None, vec![byte]);
        }
        assert_eq!(queue.next_at(), Some(Instant::from_millis(3)));
        let mut order = vec![];
        while let Some(arrival) = queue.pop_due(Instant::from_millis(4)) {
            order.push(arrival.frame[0]);
        }
        assert_eq!(order, [2, 4, 5]);
        assert_eq!(queue.len(), 2);
        while let Some(arrival) = queue.pop_due(Instant::FAR_FUTURE) {
            order.push(arrival.frame[0]);
        }
        assert_eq!(order, [2, 4, 5, 1, 3]);
    }
}
