//! The memory of a table: one allocation, on huge pages where they can be had, touched at start.

use std::io;

use super::family::Bucket;
#[cfg(not(miri))]
use crate::prefetch::prefetch_slice_elem;

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

#[cfg(not(miri))]
const CACHE_LINE: usize = 64;

/// `count` buckets.
#[derive(Debug)]
pub(super) struct Memory<B> {
    #[cfg(not(miri))]
    map: memmap2::MmapMut,
    #[cfg(not(miri))]
    bytes: core::ops::Range<usize>,
    #[cfg(not(miri))]
    bucket: core::marker::PhantomData<B>,
    #[cfg(miri)]
    buckets: Vec<B>,
    pages: Pages,
}

#[cfg(not(miri))]
impl<B: Bucket> Memory<B> {
    /// Maps and writes `count` empty buckets: after that there is no page fault.
    ///
    /// The kernel places a page on the NUMA node of the core that writes it first, so call this on
    /// the core that will use it.
    pub(super) fn new(count: usize, wanted: Pages) -> io::Result<Memory<B>> {
        use memmap2::{Advice, MmapMut, MmapOptions};

        let too_large = || io::Error::new(io::ErrorKind::OutOfMemory, "size overflows");
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
        let (map, pages) = match explicit {
            Some(Ok(map)) => (map, Pages::Explicit),
            _ => {
                let map = MmapMut::map_anon(padded)?;
                let advised = wanted != Pages::Base && advise_huge(&map);
                let pages = if advised {
                    Pages::Transparent
                } else {
                    Pages::Base
                };
                (map, pages)
            }
        };
        let address = map.as_ptr().addr();
        let start = address.next_multiple_of(HUGE_PAGE) - address;
        let mut memory = Memory {
            map,
            bytes: start..start + len,
            bucket: core::marker::PhantomData,
            pages,
        };
        memory.buckets_mut().fill(B::EMPTY);
        return Ok(memory);

        #[cfg(target_os = "linux")]
        fn advise_huge(map: &MmapMut) -> bool {
            map.advise(Advice::HugePage).is_ok()
        }
        #[cfg(not(target_os = "linux"))]
        fn advise_huge(_map: &MmapMut) -> bool {
            false
        }
    }

    #[inline(always)]
    pub(super) fn buckets(&self) -> &[B] {
        bytemuck::cast_slice(&self.map[self.bytes.clone()])
    }

    fn buckets_mut(&mut self) -> &mut [B] {
        bytemuck::cast_slice_mut(&mut self.map[self.bytes.clone()])
    }

    /// `n` buckets from `index` on. With a constant `n` it costs one range check, where
    /// [`Memory::buckets`] works its length out first.
    #[inline(always)]
    pub(super) fn run(&self, index: usize, n: usize) -> &[B] {
        bytemuck::cast_slice(&self.map[self.place(index, n)])
    }

    #[inline(always)]
    pub(super) fn bucket(&self, index: usize) -> &B {
        bytemuck::from_bytes(&self.map[self.place(index, 1)])
    }

    #[inline(always)]
    pub(super) fn bucket_mut(&mut self, index: usize) -> &mut B {
        let place = self.place(index, 1);
        bytemuck::from_bytes_mut(&mut self.map[place])
    }

    /// Asks for the cache lines of a bucket.
    #[inline(always)]
    pub(super) fn prefetch(&self, index: usize) {
        let start = self.place(index, 1).start;
        for line in (0..size_of::<B>()).step_by(CACHE_LINE) {
            prefetch_slice_elem(&self.map, start + line);
        }
    }

    /// Where `n` buckets lie in the map.
    #[inline(always)]
    fn place(&self, index: usize, n: usize) -> core::ops::Range<usize> {
        let start = self.bytes.start + index * size_of::<B>();
        start..start + n * size_of::<B>()
    }

    /// Bytes that are resident.
    pub(super) fn bytes(&self) -> usize {
        match self.pages {
            Pages::Explicit => self.map.len(),
            Pages::Transparent | Pages::Base => self.bytes.len(),
        }
    }
}

/// Miri knows neither anonymous maps nor pages.
#[cfg(miri)]
impl<B: Bucket> Memory<B> {
    pub(super) fn new(count: usize, _wanted: Pages) -> io::Result<Memory<B>> {
        Ok(Memory {
            buckets: vec![B::EMPTY; count],
            pages: Pages::Base,
        })
    }

    pub(super) fn buckets(&self) -> &[B] {
        &self.buckets
    }

    pub(super) fn run(&self, index: usize, n: usize) -> &[B] {
        &self.buckets[index..index + n]
    }

    pub(super) fn bucket(&self, index: usize) -> &B {
        &self.buckets[index]
    }

    pub(super) fn bucket_mut(&mut self, index: usize) -> &mut B {
        &mut self.buckets[index]
    }

    pub(super) fn prefetch(&self, _index: usize) {}

    pub(super) fn bytes(&self) -> usize {
        size_of_val(&*self.buckets)
    }
}

impl<B> Memory<B> {
    pub(super) fn pages(&self) -> Pages {
        self.pages
    }
}
