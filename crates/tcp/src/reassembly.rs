//! Which numbers beyond RCV.NXT have been received (RFC 9293 3.10.7.4: "segments with higher
//! beginning sequence numbers SHOULD be held for later processing").

use wire::Seq;
use wire::tcp::sack::Block;

/// Words for the lengths of ranges and of the gaps between them.
const WORDS: usize = 14;
/// A length from here on takes two words.
const LONG: u32 = 1 << 15;
/// No range's place.
const NO_RANGE: u8 = 7;

/// Disjoint, non-adjacent ranges of received text, ascending.
///
/// Kept as lengths, which are most often short: there is room for seven ranges if all of them and
/// the gaps between them are shorter than 32 KiB, and for four in any case (below 2^31).
#[derive(Clone, Debug)]
#[repr(C)]
pub(crate) struct Ranges {
    len: u8,
    /// The places of all, those that grew last first.
    recent: Recent,
    /// Where the first begins.
    first: Seq,
    /// The first range's length, the gap after it, the second's length and so on.
    words: [u16; WORDS],
}

/// Places of ranges, in three bits each; [`NO_RANGE`] for none.
#[derive(Clone, Copy, Debug)]
struct Recent([u8; 3]);

impl Recent {
    const NONE: Recent = Recent([u8::MAX; 3]);

    fn of(places: [u8; Ranges::MAX]) -> Recent {
        let bits = places
            .iter()
            .rev()
            .fold(0, |bits, &place| bits << 3 | u32::from(place));
        let [a, b, c, _] = bits.to_le_bytes();
        Recent([a, b, c])
    }

    fn places(self) -> [u8; Ranges::MAX] {
        let [a, b, c] = self.0;
        let bits = u32::from_le_bytes([a, b, c, 0]);
        core::array::from_fn(|i| (bits >> (3 * i) & 7) as u8)
    }
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
            recent: Recent::NONE,
            first: Seq(0),
            words: [0; WORDS],
        }
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(crate) fn clear(&mut self) {
        *self = Ranges::new();
    }

    /// How many ranges there are.
    #[inline]
    pub(crate) fn count(&self) -> usize {
        usize::from(self.len)
    }

    /// The ranges as SACK tells of them: those that grew last come first, the others after them, and
    /// then the first `skip` of these.
    /// Places beyond [`Ranges::count`] repeat the last.
    pub(crate) fn latest_first(&self, skip: usize) -> [Block; 4] {
        let list = self.list();
        let all = list.as_slice();
        let mut order: [usize; Ranges::MAX] = [usize::MAX; Ranges::MAX];
        let recent = self.recent.places().into_iter().map(usize::from);
        let mut n = 0;
        for place in recent.chain(0..all.len()) {
            if n < order.len() && place < all.len() && !order.contains(&place) {
                order[n] = place;
                n += 1;
            }
        }
        let mut blocks = [(Seq(0), Seq(0)); 4];
        for (i, block) in blocks.iter_mut().enumerate().take_while(|_| n > 0) {
            *block = all[order[(i.min(n - 1) + skip) % n]];
        }
        blocks
    }

    /// The same ranges as `joined` has, in the order in which those here grew, and before them the one
    /// that has `newest`.
    fn remembered(&self, joined: Ranges, newest: Option<Seq>) -> Ranges {
        let (old, new) = (self.list(), joined.list());
        let place = |seq: Seq| {
            let has = |&(s, e): &Block| s.le(seq) && seq.lt(e);
            new.as_slice().iter().position(has)
        };
        let former = self.recent.places().into_iter();
        let former = former.filter_map(|p| Some(old.as_slice().get(usize::from(p))?.0));
        let mut recent = [NO_RANGE; Ranges::MAX];
        let mut n = 0;
        for place in newest.into_iter().chain(former).filter_map(place) {
            let place = place as u8;
            if n < recent.len() && !recent.contains(&place) {
                recent[n] = place;
                n += 1;
            }
        }
        Ranges {
            recent: Recent::of(recent),
            ..joined
        }
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
        let Some(joined) = self.with(start, end) else {
            return false;
        };
        *self = self.remembered(joined, Some(start));
        true
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
        let left = left.ranges().unwrap_or_else(Ranges::new);
        *self = self.remembered(left, None);
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

    #[test]
    fn what_grew_last_is_told_first() {
        let starts = |r: &Ranges| r.latest_first(0).map(|(s, _)| s.0);
        let mut r = ranges(&[(10, 20), (50, 60), (30, 40)]);
        assert_eq!(starts(&r), [30, 50, 10, 10]);
        assert!(r.insert(Seq(60), Seq(65)));
        assert_eq!(starts(&r), [50, 30, 10, 10]);
        for s in [70, 90, 110] {
            assert!(r.insert(Seq(s), Seq(s + 5)));
        }
        assert_eq!(starts(&r), [110, 90, 70, 50]);
        let skipped = |skip| r.latest_first(skip).map(|(s, _)| s.0);
        assert_eq!(skipped(1), [90, 70, 50, 30]);
        assert_eq!(skipped(5), [10, 110, 90, 70]);
        // Two become one, and so is what was told of them.
        assert!(r.insert(Seq(95), Seq(110)));
        assert_eq!(starts(&r), [90, 70, 50, 30]);
        assert_eq!(r.advance(Seq(72)), Seq(75));
        assert_eq!((starts(&r), r.count()), ([90, 90, 90, 90], 1));
        r.clear();
        assert_eq!(r.latest_first(0)[0], (Seq(0), Seq(0)));
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
