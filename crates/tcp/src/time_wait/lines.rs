//! How much memory a call of the table touches, for those who want it counted.

use core::cell::RefCell;
use core::fmt::Debug;
use core::marker::PhantomData;

use wire::Ip;

use super::anchor::AnchorId;
use super::family::Family;

/// What is told of every bucket that is looked at. `()` does not listen, and costs nothing.
pub trait Lines: Default + Debug {
    /// Bucket `index` is looked at, written or prefetched.
    #[inline(always)]
    fn note(&self, _index: usize) {}
}

impl Lines for () {}

/// The buckets that were looked at since the last [`Counter::take`].
#[derive(Debug, Default)]
pub struct Counter(RefCell<Vec<usize>>);

impl Counter {
    /// How many different buckets were looked at since the last time.
    pub fn take(&self) -> usize {
        let mut seen = self.0.borrow_mut();
        seen.sort_unstable();
        seen.dedup();
        let buckets = seen.len();
        seen.clear();
        buckets
    }
}

impl Lines for Counter {
    fn note(&self, index: usize) {
        self.0.borrow_mut().push(index);
    }
}

/// The family `F`, with its buckets counted: see [`Table::lines`](super::Table::lines).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Counted<F>(PhantomData<F>);

impl<F: Family> Family for Counted<F> {
    type Key = F::Key;
    type Bucket = F::Bucket;
    type Lines = Counter;

    const ENTRY_BYTES: usize = F::ENTRY_BYTES;

    #[inline]
    fn key(anchor: AnchorId, ip: Ip, port: u16) -> Option<F::Key> {
        F::key(anchor, ip, port)
    }

    #[inline]
    fn parts(key: &F::Key) -> (AnchorId, Ip, u16) {
        F::parts(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_bucket_counts_once() {
        let counter = Counter::default();
        assert_eq!(counter.take(), 0);
        for index in [7, 5, 7, 1_000_000, 7] {
            counter.note(index);
        }
        assert_eq!(counter.take(), 3);
        assert_eq!(counter.take(), 0);
    }
}
