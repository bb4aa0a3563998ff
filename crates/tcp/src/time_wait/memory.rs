//! The memory of a table: one allocation, on huge pages where they can be had, touched at start.
//!
//! Beside [`crate::prefetch`] the one module of the crate with `unsafe` in it: where the buckets lie is worked
//! out and checked once. To cast them from the map's octets at each look, with its checks of length and
//! alignment, was measured to take a tenth of the instructions of a connection's life.

use core::ptr::NonNull;
use std::io;

use super::family::Bucket;
use super::lines::Lines;
use crate::prefetch::prefetch;

/// What pages a table lies on, from the best to the least.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Pages {
    /// 2 MiB pages of the kernel's hugetlb pool.
    Explicit,
    /// Anonymous memory for which transparent huge pages were asked.
    #[default]
    Transparent,
    /// The base page size: 1.25 to 1.7 times slower from some ten million entries on.
    Base,
}

#[cfg(not(miri))]
const HUGE_PAGE: usize = 2 << 20;

const CACHE_LINE: usize = 64;

/// What holds the buckets. Miri knows neither anonymous maps nor pages.
#[cfg(not(miri))]
type Backing<B> = (memmap2::MmapMut, core::marker::PhantomData<B>);
#[cfg(miri)]
type Backing<B> = Vec<B>;

/// The buckets of a table.
#[derive(Debug)]
pub(super) struct Memory<B, L> {
    /// The first of `count` buckets in `backing`.
    first: NonNull<B>,
    count: usize,
    /// How many of them, from the first on, can be home; at least 1.
    homes: usize,
    pages: Pages,
    /// Bytes that are resident.
    bytes: usize,
    /// Never touched but by way of `first`.
    _backing: Backing<B>,
    lines: L,
}

// SAFETY: `first` points into what `_backing` owns, and nothing else does; it is read through `&self` and
// written through `&mut self` only.
#[allow(unsafe_code)]
unsafe impl<B: Bucket + Send, L: Send> Send for Memory<B, L> {}
impl<B: Bucket, L: Lines> Memory<B, L> {
    /// Maps and writes `homes` empty buckets and `more` after them: after that there is no page fault.
    ///
    /// The kernel places a page on the NUMA node of the core that writes it first, so call this on
    /// the core that will use it.
    #[cfg(not(miri))]
    pub(super) fn new(homes: usize, more: usize, wanted: Pages) -> io::Result<Memory<B, L>> {
        use memmap2::{MmapMut, MmapOptions};

        let too_large = || io::Error::new(io::ErrorKind::OutOfMemory, "size overflows");
        let count = homes.checked_add(more).ok_or_else(too_large)?;
        let len = count.checked_mul(size_of::<B>()).ok_or_else(too_large)?;
        // One page more, so that the buckets can begin on a huge page's boundary.
        let padded = len
            .checked_next_multiple_of(HUGE_PAGE)
            .and_then(|n| n.checked_add(HUGE_PAGE))
            .ok_or_else(too_large)?;

        let explicit = (wanted == Pages::Explicit).then(|| {
            MmapOptions::new()
                .len(padded - HUGE_PAGE)
                .huge(Some(21))
                .map_anon()
        });
        let (mut map, pages, bytes) = match explicit {
            Some(Ok(map)) => (map, Pages::Explicit, padded - HUGE_PAGE),
            _ => {
                let map = MmapMut::map_anon(padded)?;
                match wanted != Pages::Base && advise_huge(&map) {
                    true => (map, Pages::Transparent, len),
                    false => (map, Pages::Base, len),
                }
            }
        };
        let address = map.as_ptr().addr();
        let start = address.next_multiple_of(HUGE_PAGE) - address;
        let buckets: &mut [B] = bytemuck::cast_slice_mut(&mut map[start..start + len]);
        let first = Self::fill(buckets, count);
        let backing = (map, core::marker::PhantomData);
        Self::of(first, homes, count, pages, bytes, backing)
    }

    /// The same in ordinary memory.
    #[cfg(miri)]
    pub(super) fn new(homes: usize, more: usize, _wanted: Pages) -> io::Result<Memory<B, L>> {
        let count = homes + more;
        let mut buckets = vec![B::EMPTY; count];
        let first = Self::fill(&mut buckets, count);
        let bytes = size_of_val(&*buckets);
        Self::of(first, homes, count, Pages::Base, bytes, buckets)
    }

    /// Empties the buckets, and says where they are.
    fn fill(buckets: &mut [B], count: usize) -> NonNull<B> {
        assert_eq!(buckets.len(), count);
        buckets.fill(B::EMPTY);
        NonNull::from(buckets).cast()
    }

    fn of(
        first: NonNull<B>,
        homes: usize,
        count: usize,
        pages: Pages,
        bytes: usize,
        backing: Backing<B>,
    ) -> io::Result<Memory<B, L>> {
        assert!(0 < homes && homes <= count);
        Ok(Memory {
            first,
            count,
            homes,
            pages,
            bytes,
            _backing: backing,
            lines: L::default(),
        })
    }

    #[inline(always)]
    pub(super) fn buckets(&self) -> &[B] {
        // SAFETY: `first` is the first of `count` buckets, checked and written in `new`, which the backing
        // holds at the same place as long as this value lives. They are borrowed with it.
        #[allow(unsafe_code)]
        unsafe {
            NonNull::slice_from_raw_parts(self.first, self.count).as_ref()
        }
    }

    /// How many buckets can be home.
    #[inline(always)]
    pub(super) fn homes(&self) -> usize {
        self.homes
    }

    /// The bucket that an entry of this hash prefers: its upper bits, scaled. Where it is used as an index, that needs no check.
    #[inline(always)]
    pub(super) fn home(&self, hash: u64) -> usize {
        let home = home(hash, self.homes);
        // SAFETY: it is less than `homes`, which is at most `count`, checked in `of`; neither ever changes.
        #[allow(unsafe_code)]
        unsafe {
            core::hint::assert_unchecked(home < self.count);
        }
        home
    }

    /// So many buckets from `index` on, with their indices; those count that are taken.
    #[inline(always)]
    pub(super) fn run(&self, index: usize, count: usize) -> impl Iterator<Item = (usize, &B)> {
        let buckets = &self.buckets()[index..index + count];
        (index..)
            .zip(buckets)
            .inspect(|(index, _)| self.lines.note(*index))
    }

    /// The buckets for writing, and who is to be told of each.
    #[inline(always)]
    pub(super) fn buckets_and_lines(&mut self) -> (&mut [B], &L) {
        // SAFETY: as in `buckets`, and borrowed for writing; the other borrow is of another member.
        #[allow(unsafe_code)]
        let buckets = unsafe { NonNull::slice_from_raw_parts(self.first, self.count).as_mut() };
        (buckets, &self.lines)
    }

    pub(super) fn lines(&self) -> &L {
        &self.lines
    }

    #[inline(always)]
    pub(super) fn bucket(&self, index: usize) -> &B {
        self.lines.note(index);
        &self.buckets()[index]
    }

    #[inline(always)]
    pub(super) fn bucket_mut(&mut self, index: usize) -> &mut B {
        self.lines.note(index);
        &mut self.buckets_and_lines().0[index]
    }

    /// Bytes that are resident.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn pages(&self) -> Pages {
        self.pages
    }
}

/// The bucket of `homes`, at least 1, that an entry of this hash prefers: less than `homes`.
#[inline(always)]
pub(super) fn home(hash: u64, homes: usize) -> usize {
    ((u128::from(hash) * homes as u128) >> 64) as usize
}

/// Asks for the cache lines of a bucket.
#[inline(always)]
pub(super) fn prefetch_bucket<B: Bucket>(bucket: &B) {
    for line in bytemuck::bytes_of(bucket).chunks(CACHE_LINE) {
        prefetch(line);
    }
}

#[cfg(all(not(miri), target_os = "linux"))]
fn advise_huge(map: &memmap2::MmapMut) -> bool {
    map.advise(memmap2::Advice::HugePage).is_ok()
}

#[cfg(all(not(miri), not(target_os = "linux")))]
fn advise_huge(_map: &memmap2::MmapMut) -> bool {
    false
}
