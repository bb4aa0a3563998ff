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
    reserve: u32,
    /// A connection's share is a chunk of 2^`shift` bytes divided by 2^`share_shift`, for each that is free.
    share_shift: u32,
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
            reserve: chunks / 8,
            share_shift: 0,
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

    /// Whether less than a quarter is free: who was promised more than there was goes on waiting.
    #[inline]
    #[must_use]
    pub fn is_scarce(&self) -> bool {
        self.free < self.chunks() / 4
    }

    /// Chunks that are kept for those who hold little.
    #[inline]
    #[must_use]
    pub fn reserve(&self) -> u32 {
        self.reserve
    }

    /// Whether most of what is kept for those who hold little is in use: nobody is promised more of it.
    #[inline]
    #[must_use]
    pub fn is_exhausted(&self) -> bool {
        self.free <= self.reserve / 4
    }

    /// How many connections share the memory, to be told once a turn. More than 16 count as 16: of many, most
    /// hold nothing.
    #[inline]
    pub fn set_users(&mut self, users: usize) {
        self.share_shift = users.min(16).next_power_of_two().ilog2();
    }

    /// Whether a connection's share is more than `bytes`, whatever it holds.
    #[inline]
    pub(crate) fn is_ample_for(&self, bytes: u32) -> bool {
        self.free > self.reserve + (bytes >> (self.shift - self.share_shift))
    }

    /// The share of a connection that holds `held` bytes, in bytes: of what is free, but for
    /// [`Memory::reserve`], and of its own.
    pub(crate) fn share(&self, held: u32) -> u64 {
        let free = u64::from(self.free.saturating_sub(self.reserve)) << self.shift;
        (free + u64::from(held)) >> self.share_shift
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
