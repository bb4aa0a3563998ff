//! Flows that wait: lists in which each enters at the end and may leave from anywhere.

const NONE: u32 = u32::MAX;

/// What flows wait for. A flow waits for one thing at most.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum List {
    /// An answer, or to be open or closed: until the time-out.
    Timeout,
    /// The end of a pause.
    Pause,
    /// A request that is due.
    Idle,
}

#[derive(Clone, Copy)]
struct Link {
    previous: u32,
    next: u32,
    list: Option<List>,
}

/// The lists of one worker, over its flows' places.
pub(crate) struct Waiting {
    links: Box<[Link]>,
    first: [u32; 3],
    last: [u32; 3],
}

impl Waiting {
    pub(crate) fn new(flows: usize) -> Waiting {
        let alone = Link {
            previous: NONE,
            next: NONE,
            list: None,
        };
        Waiting {
            links: vec![alone; flows].into(),
            first: [NONE; 3],
            last: [NONE; 3],
        }
    }

    /// The one that has waited longest.
    #[inline]
    pub(crate) fn first(&self, list: List) -> Option<usize> {
        let first = self.first[list as usize];
        (first != NONE).then_some(first as usize)
    }

    /// Puts a flow at the end of `list`, out of the one that it was in.
    #[inline]
    pub(crate) fn push(&mut self, list: List, flow: usize) {
        self.remove(flow);
        let last = self.last[list as usize];
        self.links[flow] = Link {
            previous: last,
            next: NONE,
            list: Some(list),
        };
        // A worker has fewer than 2^30 flows.
        let place = flow as u32;
        match last {
            NONE => self.first[list as usize] = place,
            last => self.links[last as usize].next = place,
        }
        self.last[list as usize] = place;
    }

    /// Takes a flow out of the list that it is in, if it is in one.
    #[inline]
    pub(crate) fn remove(&mut self, flow: usize) {
        let Link {
            previous,
            next,
            list,
        } = self.links[flow];
        let Some(list) = list else {
            return;
        };
        match previous {
            NONE => self.first[list as usize] = next,
            previous => self.links[previous as usize].next = next,
        }
        match next {
            NONE => self.last[list as usize] = previous,
            next => self.links[next as usize].previous = previous,
        }
        self.links[flow].list = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(waiting: &mut Waiting, list: List) -> Vec<usize> {
        let mut all = Vec::new();
        while let Some(first) = waiting.first(list) {
            all.push(first);
            waiting.remove(first);
        }
        all
    }

    #[test]
    fn in_order_and_out_from_anywhere() {
        let mut waiting = Waiting::new(8);
        (0..8).for_each(|flow| waiting.push(List::Timeout, flow));
        for flow in [3, 0, 7, 3] {
            waiting.remove(flow);
        }
        waiting.push(List::Timeout, 0);
        // From one list to the other.
        waiting.push(List::Idle, 4);
        waiting.push(List::Pause, 5);
        assert_eq!(all(&mut waiting, List::Timeout), [1, 2, 6, 0]);
        assert_eq!(all(&mut waiting, List::Idle), [4]);
        assert_eq!(all(&mut waiting, List::Pause), [5]);
    }
}
