//! Memory that connections hold while data is in flight, out of order or unread: a pool of chunks.

/// No chunk.
pub(crate) const NONE: u32 = u32::MAX;

/// A fixed number of chunks of fixed size, allocated once. A connection is charged by the chunk;
/// an idle connection holds none.
///
/// Free chunks form a stack, so that what was freed last, and is still in the cache, is used first.
#[derive(Debug)]
pub struct Memory {
    data: Box<[u8]>,
    /// For a chunk in use the next of its queue, for a free one the next free.
    next: Box<[u32]>,
    free_head: u32,
    free: u32,
    shift: u32,
}

impl Memory {
    /// `chunks` chunks of `chunk_size` bytes. The size is rounded up to a power of two from 64 to
    /// 2^20; the number is at most 2^32 - 2.
    #[must_use]
    pub fn new(chunks: u32, chunk_size: u32) -> Memory {
        let chunks = chunks.min(NONE - 1);
        let shift = chunk_size.clamp(64, 1 << 20).next_power_of_two().ilog2();
        let mut next: Vec<u32> = (1..=chunks).collect();
        if let Some(last) = next.last_mut() {
            *last = NONE;
        }
        Memory {
            data: vec![0; (chunks as usize) << shift].into_boxed_slice(),
            next: next.into_boxed_slice(),
            free_head: if chunks == 0 { NONE } else { 0 },
            free: chunks,
            shift,
        }
    }

    /// Chunks that nobody holds.
    #[inline]
    #[must_use]
    pub fn free(&self) -> u32 {
        self.free
    }

    /// Chunks that connections hold.
    #[inline]
    #[must_use]
    pub fn in_use(&self) -> u32 {
        self.chunks() - self.free
    }

    /// All chunks.
    #[inline]
    #[must_use]
    pub fn chunks(&self) -> u32 {
        self.next.len() as u32
    }

    /// Whether less than a quarter is free: nobody is promised more than what it can use at once.
    #[inline]
    #[must_use]
    pub fn is_scarce(&self) -> bool {
        self.free < self.chunks() / 4
    }

    /// Chunks that are kept for those who hold little.
    #[inline]
    #[must_use]
    pub fn reserve(&self) -> u32 {
        self.chunks() / 8
    }

    /// Bytes of one chunk.
    #[inline]
    #[must_use]
    pub fn chunk_size(&self) -> u32 {
        1 << self.shift
    }

    /// Takes a chunk, whose link is [`NONE`].
    #[inline]
    pub(crate) fn alloc(&mut self) -> Option<u32> {
        let chunk = self.free_head;
        let next = self.next.get_mut(chunk as usize)?;
        self.free_head = *next;
        *next = NONE;
        self.free -= 1;
        Some(chunk)
    }

    /// Gives `chunk` back and returns the next of its queue.
    #[inline]
    pub(crate) fn release(&mut self, chunk: u32) -> u32 {
        let next = core::mem::replace(&mut self.next[chunk as usize], self.free_head);
        self.free_head = chunk;
        self.free += 1;
        next
    }

    #[inline]
    pub(crate) fn next(&self, chunk: u32) -> u32 {
        self.next[chunk as usize]
    }

    #[inline]
    pub(crate) fn link(&mut self, chunk: u32, next: u32) {
        self.next[chunk as usize] = next;
    }

    #[inline]
    pub(crate) fn bytes(&self, chunk: u32) -> &[u8] {
        let start = (chunk as usize) << self.shift;
        &self.data[start..start + (1 << self.shift)]
    }

    #[inline]
    pub(crate) fn bytes_mut(&mut self, chunk: u32) -> &mut [u8] {
        let start = (chunk as usize) << self.shift;
        &mut self.data[start..start + (1 << self.shift)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_come_back_last_in_first_out() {
        let mut m = Memory::new(3, 100);
        assert_eq!((m.chunk_size(), m.chunks(), m.free()), (128, 3, 3));
        let a = m.alloc().unwrap();
        let b = m.alloc().unwrap();
        let c = m.alloc().unwrap();
        assert_eq!((m.alloc(), m.in_use()), (None, 3));
        m.bytes_mut(a).fill(1);
        m.bytes_mut(b).fill(2);
        m.bytes_mut(c).fill(3);
        assert!(m.bytes(b).iter().all(|&x| x == 2));
        m.link(a, b);
        assert_eq!(m.release(a), b);
        assert_eq!(m.release(c), NONE);
        assert_eq!(m.alloc(), Some(c));
        assert_eq!(m.alloc(), Some(a));
        assert_eq!((m.alloc(), m.free()), (None, 0));
    }

    #[test]
    fn an_empty_pool_gives_nothing() {
        let mut m = Memory::new(0, 2048);
        assert_eq!((m.alloc(), m.free(), m.in_use()), (None, 0, 0));
    }
}
