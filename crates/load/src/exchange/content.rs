//! The octets that an answer should have.

use std::sync::Arc;

/// Octets are compared in runs of at least this many, if there are so many.
const RUN: usize = 4096;
/// The period of [`Content::pattern`]: a prime, so that a shift by any power of two shows.
const PRIME: usize = 251;
/// The most octets that are laid out of it, a whole number of periods: enough to fill a send buffer at once.
const PATTERN: usize = 65_536 / PRIME * PRIME;

/// So many octets, of which each is known by its place, or none.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Content {
    len: u64,
    /// The octets over and over, a whole number of times; empty if any will do. Clones share them.
    period: Arc<[u8]>,
}

impl Content {
    /// `len` octets, whatever they are.
    #[must_use]
    pub fn any(len: u64) -> Content {
        Content {
            len,
            period: Arc::default(),
        }
    }

    /// Just these octets.
    #[must_use]
    pub fn exactly(octets: impl Into<Box<[u8]>>) -> Content {
        let period: Arc<[u8]> = Arc::from(octets.into());
        Content {
            len: period.len() as u64,
            period,
        }
    }

    /// `len` octets: those of `pattern` over and over. An empty pattern is any octets.
    #[must_use]
    pub fn repeated(pattern: &[u8], len: u64) -> Content {
        // Short patterns are laid out several times.
        let times = RUN / pattern.len().max(1) + 1;
        Content {
            len,
            period: pattern.repeat(times).into(),
        }
    }

    /// `len` octets that are unlike from one to the next, so that one that is lost, doubled or moved shows.
    #[must_use]
    pub fn pattern(len: u64) -> Content {
        // At most PATTERN. A multiplication by a unit modulo the prime permutes the values of a period, so neighbours
        // differ by more than one.
        let laid_out = len.min(PATTERN as u64) as usize;
        let octets: Vec<u8> = (0..laid_out)
            .map(|at| (at % PRIME * 97 % PRIME) as u8)
            .collect();
        Content {
            len,
            period: octets.into(),
        }
    }

    /// How many octets.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether nothing is to come.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// What comes at `offset`: all of the rest, or as much of it as is laid out in one piece. Empty at the end, and if
    /// any octets will do.
    #[inline]
    #[must_use]
    pub fn piece(&self, offset: u64) -> &[u8] {
        let rest = self.len.saturating_sub(offset);
        if rest == 0 || self.period.is_empty() {
            return &[];
        }
        let piece = &self.period[self.place(offset)..];
        // At most the length of the piece.
        &piece[..rest.min(piece.len() as u64) as usize]
    }

    /// Where in the period, which is not empty, `offset` is.
    #[inline]
    fn place(&self, offset: u64) -> usize {
        // Less than the period's length, which is one of a slice. Most contents are short, and a division is dear.
        let period = self.period.len() as u64;
        (if offset < period {
            offset
        } else {
            offset % period
        }) as usize
    }

    /// Whether `piece` is what comes at `offset`; what is past the end is not.
    #[inline]
    #[must_use]
    pub fn matches(&self, offset: u64, mut piece: &[u8]) -> bool {
        let end = offset.checked_add(piece.len() as u64);
        if end.is_none_or(|end| end > self.len) {
            return false;
        }
        if self.period.is_empty() {
            return true;
        }
        let mut at = self.place(offset);
        while !piece.is_empty() {
            let expected = &self.period[at..];
            let run = expected.len().min(piece.len());
            let (now, later) = piece.split_at(run);
            if now != &expected[..run] {
                return false;
            }
            (piece, at) = (later, 0);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_past_the_end_does_not_match() {
        let content = Content::exactly(*b"abc");
        assert!(content.matches(0, b"abc") && content.matches(3, b""));
        assert!(!content.matches(0, b"abcd") && !content.matches(3, b"a"));
        assert!(!content.matches(u64::MAX, b"a"));
        assert!(Content::any(0).is_empty() && Content::exactly(*b"").is_empty());
    }

    #[test]
    fn a_pattern_shows_every_shift() {
        let content = Content::pattern(1 << 40);
        let piece = content.piece(7)[..1_000].to_vec();
        assert!(content.matches(7, &piece));
        for shift in (0..20).map(|power| 1u64 << power) {
            assert!(!content.matches(7 + shift, &piece), "{shift}");
        }
        assert!(!Content::pattern(10).matches(0, &piece));
    }

    #[test]
    fn clones_share_their_octets() {
        let content = Content::pattern(100_000);
        assert!(core::ptr::eq(content.piece(0), content.clone().piece(0)));
    }

    proptest! {
        #[test]
        fn pieces_join(
            len in 0u64..200_000,
            pattern in proptest::collection::vec(any::<u8>(), 1..40),
        ) {
            for content in [Content::pattern(len), Content::repeated(&pattern, len)] {
                let mut offset = 0;
                while offset < len {
                    let piece = content.piece(offset);
                    prop_assert!(!piece.is_empty() && content.matches(offset, piece));
                    offset += piece.len() as u64;
                }
                prop_assert_eq!(offset, len);
                prop_assert!(content.piece(len).is_empty() && content.piece(u64::MAX).is_empty());
            }
        }

        #[test]
        fn an_octet_is_known_by_its_place(
            pattern in proptest::collection::vec(any::<u8>(), 1..40),
            offset in 0u64..20_000,
            len in 0usize..9_000,
            wrong in any::<proptest::sample::Index>(),
        ) {
            let content = Content::repeated(&pattern, 1 << 40);
            let octet = |at: u64| pattern[(at % pattern.len() as u64) as usize];
            let mut piece: Vec<u8> = (offset..offset + len as u64).map(octet).collect();
            prop_assert!(content.matches(offset, &piece));
            if len > 0 {
                piece[wrong.index(len)] ^= 1;
                prop_assert!(!content.matches(offset, &piece));
                prop_assert!(Content::any(1 << 40).matches(offset, &piece));
            }
        }
    }
}
