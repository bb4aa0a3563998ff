//! Where connections lie, by the hash of their four-tuple: open addressing, one word a place.
//!
//! A word has half of the hash beside the connection's number, so a look touches a connection only if it
//! is the right one, or one in four thousand million. At most half of the places are taken, so a search
//! ends after one and a half on average; what is removed leaves no mark, so it stays that way for ever.

use tcp::prefetch::prefetch_slice_elem;

/// A place that is free.
const FREE: u64 = 0;

/// The table. It never grows.
pub(super) struct Index {
    /// A power of two, at least twice as many as there may be entries.
    words: Box<[u64]>,
    len: usize,
}

impl Index {
    /// For at most `capacity` entries.
    pub(super) fn new(capacity: usize) -> Index {
        let places = (2 * capacity).next_power_of_two().max(2);
        Index {
            words: vec![FREE; places].into(),
            len: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn allocated_bytes(&self) -> usize {
        size_of_val(&*self.words)
    }

    /// A search begins at the low bits of the half of the hash that the words have.
    #[inline(always)]
    fn home(&self, hash_or_word: u64) -> usize {
        (hash_or_word >> 32) as usize & (self.words.len() - 1)
    }

    #[inline(always)]
    fn next(&self, place: usize) -> usize {
        (place + 1) & (self.words.len() - 1)
    }

    /// Starts loading where a search begins.
    #[inline(always)]
    pub(super) fn prefetch(&self, hash: u64) {
        prefetch_slice_elem(&self.words, self.home(hash));
    }

    /// The first entry with this half of the hash that `is` the one; and its place.
    #[inline(always)]
    fn seek(&self, hash: u64, is: impl Fn(u32) -> bool) -> Option<(usize, u32)> {
        let mut place = self.home(hash);
        // There is always a free place.
        while let Some(&word) = self.words.get(place)
            && word != FREE
        {
            let number = number(word);
            if word >> 32 == hash >> 32 && is(number) {
                return Some((place, number));
            }
            place = self.next(place);
        }
        None
    }

    /// The entry of `hash` that `is` the one.
    #[inline(always)]
    pub(super) fn find(&self, hash: u64, is: impl Fn(u32) -> bool) -> Option<u32> {
        let (_, number) = self.seek(hash, is)?;
        Some(number)
    }

    /// Adds an entry. The caller sees to it that there are never more than was said.
    #[inline(always)]
    pub(super) fn insert(&mut self, hash: u64, number: u32) {
        debug_assert!(2 * self.len < self.words.len(), "more entries than places");
        let mut place = self.home(hash);
        while self.words[place] != FREE {
            place = self.next(place);
        }
        // Not zero, so that no entry looks like a free place; a number is less than 2^32 - 1.
        self.words[place] = hash >> 32 << 32 | (u64::from(number) + 1);
        self.len += 1;
    }

    /// Removes the entry; whether it was there.
    #[inline(always)]
    pub(super) fn remove(&mut self, hash: u64, number: u32) -> bool {
        let Some((mut hole, _)) = self.seek(hash, |n| n == number) else {
            return false;
        };
        self.len -= 1;
        // What lies behind without a gap moves up, unless that were before its home: a search would
        // no longer find it (Knuth, The Art of Computer Programming 3, 6.4, algorithm R).
        let mut place = hole;
        loop {
            place = self.next(place);
            let word = self.words[place];
            if word == FREE {
                break;
            }
            let last = self.words.len() - 1;
            let far = place.wrapping_sub(self.home(word)) & last;
            if far >= place.wrapping_sub(hole) & last {
                self.words[hole] = word;
                hole = place;
            }
        }
        self.words[hole] = FREE;
        true
    }
}

#[inline(always)]
fn number(word: u64) -> u32 {
    (word as u32).wrapping_sub(1)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn entries_of_like_hash_are_told_apart() {
        let mut index = Index::new(4);
        let hash = 0xffff_ffff_0000_0000;
        for number in 0..4 {
            index.insert(hash | u64::from(number), number);
        }
        assert_eq!(index.find(hash, |n| n == 2), Some(2));
        assert_eq!(index.find(hash, |n| n == 7), None);
        assert_eq!(index.find(hash ^ 1 << 32, |_| true), None);
        assert!(index.remove(hash, 1) && !index.remove(hash, 1));
        assert_eq!(index.find(hash, |n| n == 3), Some(3));
        assert_eq!(index.len(), 3);
    }

    proptest! {
        /// Few homes, so that searches run into each other and around the end.
        #[test]
        fn it_is_a_map(steps in prop::collection::vec((any::<bool>(), 0u64..24, 0u32..16), 1..400)) {
            let mut index = Index::new(16);
            let mut model = HashMap::new();
            for (insert, home, number) in steps {
                let hash = home << 32 | 5;
                if insert && !model.contains_key(&number) {
                    index.insert(hash, number);
                    model.insert(number, hash);
                } else if let Some(hash) = model.remove(&number) {
                    prop_assert!(index.remove(hash, number));
                } else {
                    prop_assert!(!index.remove(hash, number));
                }
                prop_assert_eq!(index.len(), model.len());
                for number in 0..16 {
                    let hash = model.get(&number).copied();
                    let found = hash.and_then(|h| index.find(h, |n| n == number));
                    prop_assert_eq!(found, hash.map(|_| number));
                }
            }
        }
    }
}
