//! Pairs that rest, in the order in which they began: a list whose links lie in the records.

use super::Record;

/// The next pair of the list, and what is true of the pair's last connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Links(u32);

const USED: u32 = 1 << 31;
const HAS_TSVAL: u32 = 1 << 30;
const TIME_WAIT: u32 = 1 << 29;

impl Links {
    /// The number of no pair.
    pub(super) const NONE: u32 = TIME_WAIT - 1;
    /// Never used, and in no list.
    pub(super) const UNUSED: Links = Links(Links::NONE);

    /// Used, with timestamps or not, in our TIME-WAIT or not.
    pub(super) fn used(tsval: bool, time_wait: bool) -> Links {
        let bit = |on, bit| if on { bit } else { 0 };
        Links(Links::NONE | USED | bit(tsval, HAS_TSVAL) | bit(time_wait, TIME_WAIT))
    }

    pub(super) fn is_used(self) -> bool {
        self.0 & USED != 0
    }

    pub(super) fn has_tsval(self) -> bool {
        self.0 & HAS_TSVAL != 0
    }

    pub(super) fn time_wait(self) -> bool {
        self.0 & TIME_WAIT != 0
    }

    fn next(self) -> u32 {
        self.0 & Links::NONE
    }

    fn set_next(&mut self, next: u32) {
        self.0 = self.0 & !Links::NONE | next;
    }
}

/// Pairs that rest equally long.
#[derive(Debug)]
pub(super) struct Resting {
    /// How long, in milliseconds.
    pub(super) ms: u32,
    pub(super) len: u32,
    head: u32,
    tail: u32,
}

impl Resting {
    pub(super) fn new(ms: u32) -> Resting {
        Resting {
            ms,
            len: 0,
            head: Links::NONE,
            tail: Links::NONE,
        }
    }

    /// The one that has rested longest.
    #[inline]
    pub(super) fn first(&self) -> Option<u32> {
        (self.len > 0).then_some(self.head)
    }

    pub(super) fn push(&mut self, records: &mut [Record], id: u32) {
        records[id as usize].link.set_next(Links::NONE);
        if self.len == 0 {
            self.head = id;
        } else {
            records[self.tail as usize].link.set_next(id);
        }
        self.tail = id;
        self.len += 1;
    }

    pub(super) fn pop(&mut self, records: &mut [Record]) {
        if self.len > 0 {
            self.head = records[self.head as usize].link.next();
            self.len -= 1;
        }
    }
}
