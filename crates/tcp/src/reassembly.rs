//! Which numbers beyond RCV.NXT have been received (RFC 9293 3.10.7.4: "segments with higher
//! beginning sequence numbers SHOULD be held for later processing").

use wire::Seq;

/// Words for the lengths of ranges and of the gaps between them.
const WORDS: usize = 14;
/// A length from here on takes two words.
const LONG: u32 = 1 << 15;

/// Disjoint, non-adjacent ranges of received text, ascending.
///
/// Kept as lengths, which are most often short: there is room for seven ranges if all of them and
/// the gaps between them are shorter than 32 KiB, and for four in any case (below 2^31).
#[derive(Clone, Debug)]
#[repr(C)]
pub(crate) struct Ranges {
    len: u8,
    /// Where the first begins.
    first: Seq,
    /// The first range's length, the gap after it, the second's length and so on.
    words: [u16; WORDS],
}

/// The same, to be worked with.
struct List {
    len: usize,
    ranges: [(Seq, Seq); Ranges::MAX + 1],
}

impl Ranges {
    /// The most ranges that there may be.
    const MAX: usize = WORDS / 2;

    pub(crate) const fn new() -> Ranges {
        Ranges {
            len: 0,
            first: Seq(0),
            words: [0; WORDS],
        }
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(crate) fn clear(&mut self) {
        self.len = 0;
    }

    /// Bytes in all ranges.
    pub(crate) fn bytes(&self) -> u32 {
        let list = self.list();
        let lens = list.as_slice().iter().map(|&(s, e)| e.offset_from(s));
        lens.sum()
    }

    /// Whether [`Ranges::insert`] of `start..end` would succeed.
    pub(crate) fn accepts(&self, start: Seq, end: Seq) -> bool {
        self.with(start, end).is_some()
    }

    /// Adds `start..end`, joined with all that it touches; false if there are too many gaps.
    pub(crate) fn insert(&mut self, start: Seq, end: Seq) -> bool {
        let joined = self.with(start, end);
        if let Some(joined) = &joined {
            *self = joined.clone();
        }
        joined.is_some()
    }

    /// Removes what RCV.NXT = `next` has reached; returns the end of text contiguous from `next`.
    pub(crate) fn advance(&mut self, next: Seq) -> Seq {
        let mut next = next;
        let mut left = List::new();
        for &(s, e) in self.list().as_slice() {
            if s.gt(next) {
                left.push(s, e);
            } else {
                next = next.max(e);
            }
        }
        // What is less needs no more words.
        *self = left.ranges().unwrap_or_else(Ranges::new);
        next
    }

    /// These and `start..end`.
    fn with(&self, mut start: Seq, mut end: Seq) -> Option<Ranges> {
        let mut joined = List::new();
        let mut placed = false;
        for &(s, e) in self.list().as_slice() {
            if start.le(e) && end.ge(s) {
                start = start.min(s);
                end = end.max(e);
            } else {
                if !placed && end.lt(s) {
                    joined.push(start, end);
                    placed = true;
                }
                joined.push(s, e);
            }
        }
        if !placed {
            joined.push(start, end);
        }
        joined.ranges()
    }

    fn list(&self) -> List {
        let mut list = List::new();
        let mut words = self.words.iter().map(|&w| u32::from(w));
        let mut length = || match words.next().unwrap_or(0) {
            high if high >= LONG => (high - LONG) << 16 | words.next().unwrap_or(0),
            short => short,
        };
        let mut start = self.first;
        for _ in 0..self.len {
            let end = start + length();
            list.push(start, end);
            start = end + length();
        }
        list
    }
}

impl List {
    fn new() -> List {
        List {
            len: 0,
            ranges: [(Seq(0), Seq(0)); Ranges::MAX + 1],
        }
    }

    fn as_slice(&self) -> &[(Seq, Seq)] {
        &self.ranges[..self.len]
    }

    /// There is room for one more than can be kept.
    fn push(&mut self, start: Seq, end: Seq) {
        if let Some(slot) = self.ranges.get_mut(self.len) {
            *slot = (start, end);
            self.len += 1;
        }
    }

    /// As they are kept, if there is room.
    fn ranges(&self) -> Option<Ranges> {
        let mut kept = Ranges::new();
        let mut free = kept.words.iter_mut();
        let mut put = |length: u32| {
            if length < LONG {
                *free.next()? = length as u16;
            } else {
                // Below 2^31, so the mark is not in the way.
                *free.next()? = (LONG | length >> 16) as u16;
                *free.next()? = length as u16;
            }
            Some(())
        };
        let mut last = None;
        for &(start, end) in self.as_slice() {
            if let Some(last) = last {
                put(start.offset_from(last))?;
            }
            put(end.offset_from(start))?;
            last = Some(end);
        }
        kept.len = self.len as u8;
        kept.first = self.ranges[0].0;
        Some(kept)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ranges(list: &[(u32, u32)]) -> Ranges {
        let mut r = Ranges::new();
        for &(s, e) in list {
            assert!(r.insert(Seq(s), Seq(e)));
        }
        r
    }

    #[test]
    fn ranges_join_when_they_touch() {
        let r = ranges(&[(10, 20), (30, 40), (20, 30)]);
        assert_eq!(r.list().as_slice(), [(Seq(10), Seq(40))]);
        let r = ranges(&[(30, 40), (10, 20), (5, 50)]);
        assert_eq!(r.list().as_slice(), [(Seq(5), Seq(50))]);
    }

    #[test]
    fn an_eighth_range_is_refused_but_a_join_is_not() {
        let mut r = Ranges::new();
        for i in 1..=7 {
            assert!(r.insert(Seq(i * 100), Seq(i * 100 + 10)));
        }
        assert!(!r.insert(Seq(870), Seq(880)));
        assert!(!r.insert(Seq(1), Seq(2)));
        assert!(!r.insert(Seq(150), Seq(151)));
        assert!(r.insert(Seq(710), Seq(720)));
        assert!(r.insert(Seq(105), Seq(205)));
        assert_eq!(r.list().as_slice()[0], (Seq(100), Seq(210)));
        assert_eq!(r.list().as_slice().len(), 6);
        assert_eq!(r.bytes(), 110 + 4 * 10 + 20);
    }

    #[test]
    fn four_ranges_are_held_however_long_they_are() {
        for unit in [1u32 << 15, 1 << 16, (1 << 27) + 1] {
            let mut r = Ranges::new();
            for i in [3u32, 1, 7, 5] {
                assert!(r.insert(Seq(i.wrapping_mul(unit)), Seq((i + 1).wrapping_mul(unit))));
            }
            assert!(!r.insert(Seq(9 * unit), Seq(10 * unit)));
            assert_eq!(r.list().as_slice().len(), 4);
            assert_eq!(r.bytes(), 4 * unit);
            assert_eq!(r.advance(Seq(unit)), Seq(2 * unit));
            assert!(r.insert(Seq(9 * unit), Seq(10 * unit)));
        }
    }

    #[test]
    fn advancing_takes_what_is_contiguous() {
        let mut r = ranges(&[(u32::MAX - 5, 4), (10, 20)]);
        assert_eq!(r.advance(Seq(u32::MAX - 9)), Seq(u32::MAX - 9));
        assert_eq!(r.advance(Seq(u32::MAX - 5)), Seq(4));
        assert_eq!(r.list().as_slice(), [(Seq(10), Seq(20))]);
        assert_eq!(r.advance(Seq(30)), Seq(30));
        assert!(r.is_empty());
    }

    proptest! {
        #[test]
        fn equals_a_set_of_bytes(
            base in any::<u32>(),
            unit in prop_oneof![Just(1u32), Just(1500), Just(40_000), Just(3_000_000)],
            inserts in proptest::collection::vec((1u32..100, 1u32..30), 0..40),
        ) {
            let mut r = Ranges::new();
            let mut model = [false; 140];
            for (at, n) in inserts {
                if r.insert(Seq(base) + at * unit, Seq(base) + (at + n) * unit) {
                    model[at as usize..(at + n) as usize].fill(true);
                }
            }
            for (i, &held) in model.iter().enumerate() {
                let seq = Seq(base) + i as u32 * unit;
                let found = r.list().as_slice().iter().any(|&(s, e)| seq.ge(s) && seq.lt(e));
                prop_assert_eq!(found, held);
            }
            prop_assert!(r.list().as_slice().windows(2).all(|w| w[0].1.lt(w[1].0)));
        }
    }
}
