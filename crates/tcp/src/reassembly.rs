//! Which numbers beyond RCV.NXT have been received (RFC 9293 3.10.7.4: "segments with higher
//! beginning sequence numbers SHOULD be held for later processing").

use wire::Seq;

/// Disjoint, non-adjacent ranges of received text, ascending.
#[derive(Clone, Debug)]
#[repr(C)]
pub(crate) struct Ranges {
    len: u8,
    ranges: [(Seq, Seq); Ranges::MAX],
}

impl Ranges {
    /// As many gaps as a connection may have.
    pub(crate) const MAX: usize = 4;

    pub(crate) const fn new() -> Ranges {
        Ranges {
            len: 0,
            ranges: [(Seq(0), Seq(0)); Ranges::MAX],
        }
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(crate) fn clear(&mut self) {
        self.len = 0;
    }

    pub(crate) fn as_slice(&self) -> &[(Seq, Seq)] {
        &self.ranges[..usize::from(self.len)]
    }

    /// Bytes in all ranges.
    pub(crate) fn bytes(&self) -> u32 {
        self.as_slice().iter().map(|&(s, e)| e.offset_from(s)).sum()
    }

    /// Whether [`Ranges::insert`] of `start..end` would succeed.
    pub(crate) fn accepts(&self, start: Seq, end: Seq) -> bool {
        usize::from(self.len) < Ranges::MAX
            || self
                .as_slice()
                .iter()
                .any(|&(s, e)| start.le(e) && end.ge(s))
    }

    /// Adds `start..end`, joined with all that it touches; false if there are too many gaps.
    pub(crate) fn insert(&mut self, mut start: Seq, mut end: Seq) -> bool {
        if !self.accepts(start, end) {
            return false;
        }
        let mut joined = Ranges::new();
        let mut placed = false;
        for &(s, e) in self.as_slice() {
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
        *self = joined;
        true
    }

    /// Removes what RCV.NXT = `next` has reached; returns the end of text contiguous from `next`.
    pub(crate) fn advance(&mut self, next: Seq) -> Seq {
        let mut next = next;
        let mut reached = 0;
        for &(s, e) in self.as_slice() {
            if s.gt(next) {
                break;
            }
            next = next.max(e);
            reached += 1;
        }
        let len = usize::from(self.len);
        self.ranges.copy_within(reached..len, 0);
        self.len -= reached as u8;
        next
    }

    fn push(&mut self, start: Seq, end: Seq) {
        if let Some(slot) = self.ranges.get_mut(usize::from(self.len)) {
            *slot = (start, end);
            self.len += 1;
        }
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
        assert_eq!(r.as_slice(), [(Seq(10), Seq(40))]);
        let r = ranges(&[(30, 40), (10, 20), (5, 50)]);
        assert_eq!(r.as_slice(), [(Seq(5), Seq(50))]);
    }

    #[test]
    fn a_fifth_gap_is_refused_but_a_join_is_not() {
        let mut r = ranges(&[(10, 20), (30, 40), (50, 60), (100, 110)]);
        assert!(!r.insert(Seq(70), Seq(80)));
        assert!(!r.insert(Seq(1), Seq(2)));
        assert!(r.insert(Seq(60), Seq(80)));
        assert!(r.insert(Seq(15), Seq(35)));
        assert_eq!(
            r.as_slice(),
            [(Seq(10), Seq(40)), (Seq(50), Seq(80)), (Seq(100), Seq(110))]
        );
    }

    #[test]
    fn advancing_takes_what_is_contiguous() {
        let mut r = ranges(&[(u32::MAX - 5, 4), (10, 20)]);
        assert_eq!(r.advance(Seq(u32::MAX - 9)), Seq(u32::MAX - 9));
        assert_eq!(r.advance(Seq(u32::MAX - 5)), Seq(4));
        assert_eq!(r.as_slice(), [(Seq(10), Seq(20))]);
        assert_eq!(r.advance(Seq(30)), Seq(30));
        assert!(r.is_empty());
    }

    proptest! {
        #[test]
        fn equals_a_set_of_bytes(
            base in any::<u32>(),
            inserts in proptest::collection::vec((1u32..100, 1u32..30), 0..40),
        ) {
            let mut r = Ranges::new();
            let mut model = [false; 140];
            for (at, n) in inserts {
                if r.insert(Seq(base) + at, Seq(base) + at + n) {
                    model[at as usize..(at + n) as usize].fill(true);
                }
            }
            for (i, &held) in model.iter().enumerate() {
                let seq = Seq(base) + i as u32;
                let found = r.as_slice().iter().any(|&(s, e)| seq.ge(s) && seq.lt(e));
                prop_assert_eq!(found, held);
            }
            prop_assert!(r.as_slice().windows(2).all(|w| w[0].1.lt(w[1].0)));
        }
    }
}
