//! A set of numbers below a fixed one, in which the next member from anywhere on is found in a
//! constant number of steps: a bitmap, with a bitmap of its words that are not empty, and so on.

/// Levels for 2^30 numbers: the uppermost is one word. A look-up reads a word of each on its way up and one on its way
/// down, and does so once more if it comes to the end.
const LEVELS: usize = 5;
const _: () = assert!(64u64.pow(LEVELS as u32) >= 1 << 30);

#[derive(Debug)]
pub(super) struct FreeSet {
    /// The members first, a bit each.
    levels: [Vec<u64>; LEVELS],
    len: usize,
}

impl FreeSet {
    /// Empty, for numbers below `size`.
    pub(super) fn new(size: usize) -> FreeSet {
        let mut words = size;
        let levels = core::array::from_fn(|_| {
            words = words.div_ceil(64).max(1);
            vec![0; words]
        });
        FreeSet { levels, len: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn contains(&self, n: u32) -> bool {
        let (word, bit) = (n as usize / 64, n % 64);
        self.levels[0].get(word).is_some_and(|w| w >> bit & 1 != 0)
    }

    pub(super) fn insert(&mut self, n: u32) {
        self.len += usize::from(!self.contains(n));
        let mut at = n as usize;
        for level in &mut self.levels {
            level[at / 64] |= 1 << (at % 64);
            at /= 64;
        }
    }

    pub(super) fn remove(&mut self, n: u32) {
        self.len -= usize::from(self.contains(n));
        let mut at = n as usize;
        for level in &mut self.levels {
            level[at / 64] &= !(1 << (at % 64));
            if level[at / 64] != 0 {
                return;
            }
            at /= 64;
        }
    }

    /// The first member from `from` on, round the end if need be.
    pub(super) fn next_from(&self, from: u32) -> Option<u32> {
        self.next(from as usize)
            .or_else(|| self.next(0))
            .map(|n| n as u32)
    }

    fn next(&self, from: usize) -> Option<usize> {
        let mut at = from;
        for (height, level) in self.levels.iter().enumerate() {
            let word = at / 64;
            let bits = level.get(word).copied().unwrap_or(0) & u64::MAX << (at % 64);
            if bits != 0 {
                let mut found = word * 64 + bits.trailing_zeros() as usize;
                for below in self.levels[..height].iter().rev() {
                    found = found * 64 + below[found].trailing_zeros() as usize;
                }
                return Some(found);
            }
            at = word + 1;
        }
        None
    }

    pub(super) fn allocated_bytes(&self) -> usize {
        self.levels.iter().map(|l| l.capacity() * 8).sum()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn like_an_ordered_set(
            size in prop_oneof![1u32..200, 4_000u32..5_000, 260_000u32..270_000],
            ops in prop::collection::vec((any::<bool>(), any::<u32>()), 1..300),
        ) {
            let mut set = FreeSet::new(size as usize);
            let mut model = BTreeSet::new();
            for (insert, n) in ops {
                let n = n % size;
                if insert {
                    set.insert(n);
                    model.insert(n);
                } else {
                    set.remove(n);
                    model.remove(&n);
                }
                prop_assert_eq!(set.len(), model.len());
                for from in [0, n, n + 1, size - 1] {
                    let next = model.range(from..).next().or_else(|| model.first());
                    prop_assert_eq!(set.next_from(from), next.copied());
                    prop_assert_eq!(set.contains(from), model.contains(&from));
                }
            }
        }
    }
}
