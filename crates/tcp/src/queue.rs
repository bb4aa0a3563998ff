//! A queue of bytes in chunks of [`Memory`]: what a connection has to send or has received.

use crate::memory::{Memory, NONE};

/// Bytes in order, in chunks that are linked by index.
///
/// A byte has a position: a wrapping counter whose low bits are the offset in its chunk. The queue
/// may hold chunks beyond its length: bytes received out of order are written where they belong.
/// The chunk used last is remembered, so that a long queue is read or written sequentially without
/// walking it each time. It must be [`Queue::clear`]ed before it is dropped, and is not `Clone`: the
/// chunks are the pool's.
#[derive(Debug)]
#[repr(C)]
pub struct Queue {
    head: u32,
    tail: u32,
    /// Position of the first byte; in the head chunk.
    start: u32,
    len: u32,
    /// Position after the last byte of the tail chunk.
    end: u32,
    /// The chunk used last, or `NONE`.
    cursor: u32,
    /// Position of the cursor chunk's first byte.
    cursor_base: u32,
}

impl Default for Queue {
    fn default() -> Queue {
        Queue::new()
    }
}

impl Queue {
    /// An empty queue.
    #[inline]
    #[must_use]
    pub const fn new() -> Queue {
        Queue {
            head: NONE,
            tail: NONE,
            start: 0,
            len: 0,
            end: 0,
            cursor: NONE,
            cursor_base: 0,
        }
    }

    /// Bytes in the queue.
    #[inline]
    #[must_use]
    pub const fn len(&self) -> u32 {
        self.len
    }

    /// Whether there are no bytes; chunks may be held for bytes out of order.
    #[inline]
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether no chunk is held.
    #[inline]
    #[must_use]
    pub const fn is_released(&self) -> bool {
        self.head == NONE
    }

    /// Appends as much of `bytes` as memory allows; returns how much.
    #[inline]
    pub fn append(&mut self, memory: &mut Memory, bytes: &[u8]) -> usize {
        if self.head == NONE && bytes.len() <= memory.chunk_size() as usize && !bytes.is_empty() {
            return self.begin(memory, bytes);
        }
        self.append_more(memory, bytes)
    }

    /// [`Queue::append`], but at least `reserve` chunks stay free.
    pub(crate) fn append_leaving(
        &mut self,
        memory: &mut Memory,
        bytes: &[u8],
        reserve: u32,
    ) -> usize {
        let chunks = memory.free().saturating_sub(reserve) as usize;
        let room = self.room(self.len) + chunks * memory.chunk_size() as usize;
        self.append(memory, &bytes[..bytes.len().min(room)])
    }

    /// [`Queue::append`] to a queue without chunks, of what fits one.
    #[inline]
    fn begin(&mut self, memory: &mut Memory, bytes: &[u8]) -> usize {
        let Some(chunk) = memory.alloc() else {
            return 0;
        };
        memory.bytes_mut(chunk)[..bytes.len()].copy_from_slice(bytes);
        *self = Queue {
            head: chunk,
            tail: chunk,
            len: bytes.len() as u32,
            end: memory.chunk_size(),
            ..Queue::new()
        };
        bytes.len()
    }

    fn append_more(&mut self, memory: &mut Memory, bytes: &[u8]) -> usize {
        self.grow(memory, self.len as usize + bytes.len());
        let room = self.room(self.len);
        let bytes = &bytes[..bytes.len().min(room)];
        self.copy_in(memory, self.len, bytes);
        self.len += bytes.len() as u32;
        bytes.len()
    }

    /// Writes all of `bytes` at `offset` from the front, beyond the length, if that leaves
    /// `reserve` chunks free; returns whether it did. [`Queue::extend`] makes them part of the queue.
    pub(crate) fn write_ahead(
        &mut self,
        memory: &mut Memory,
        offset: u32,
        bytes: &[u8],
        reserve: u32,
    ) -> bool {
        let needed = offset as usize + bytes.len();
        let missing = needed.saturating_sub(self.room(0));
        let chunks = missing.div_ceil(memory.chunk_size() as usize);
        if chunks + reserve as usize > memory.free() as usize {
            return false;
        }
        self.grow(memory, needed);
        self.copy_in(memory, offset, bytes);
        true
    }

    /// Makes the `n` bytes after the last, written ahead before, part of the queue.
    #[inline]
    pub(crate) fn extend(&mut self, n: u32) {
        self.len += n.min(self.room(self.len) as u32);
    }

    /// Removes up to `n` bytes from the front. A queue that becomes empty holds no chunk.
    #[inline]
    pub fn drop_front(&mut self, memory: &mut Memory, n: u32) {
        if n >= self.len {
            self.clear(memory);
        } else {
            self.skip(memory, n);
        }
    }

    /// Moves the front by `n`, also over bytes that were never written; what was written ahead
    /// stays where it is.
    pub(crate) fn skip(&mut self, memory: &mut Memory, n: u32) {
        if n as usize >= self.room(0) {
            self.clear(memory);
            return;
        }
        let size = memory.chunk_size();
        let mut base = self.start & !(size - 1);
        self.start = self.start.wrapping_add(n);
        self.len = self.len.saturating_sub(n);
        while self.start.wrapping_sub(base) >= size {
            if self.cursor == self.head {
                self.cursor = NONE;
            }
            self.head = memory.release(self.head);
            base = base.wrapping_add(size);
        }
    }

    /// Removes everything and gives every chunk back.
    #[inline]
    pub fn clear(&mut self, memory: &mut Memory) {
        if self.head == NONE {
            // It is as it was made.
            return;
        }
        let mut chunk = self.head;
        while chunk != NONE {
            chunk = memory.release(chunk);
        }
        *self = Queue::new();
    }

    /// The first bytes of the queue that are contiguous in memory; empty only if the queue is.
    #[inline]
    #[must_use]
    pub fn peek<'m>(&self, memory: &'m Memory) -> &'m [u8] {
        if self.len == 0 {
            return &[];
        }
        let bytes = &memory.bytes(self.head)[self.offset_in_chunk(memory, self.start)..];
        &bytes[..bytes.len().min(self.len as usize)]
    }

    /// Copies the bytes from `offset` on to `dst`; returns how many there were.
    #[inline]
    pub fn copy_out(&mut self, memory: &Memory, offset: u32, dst: &mut [u8]) -> usize {
        let total = dst.len().min(self.len.saturating_sub(offset) as usize);
        let at = self.offset_in_chunk(memory, self.start) + offset as usize;
        if at + total <= memory.chunk_size() as usize && total > 0 {
            dst[..total].copy_from_slice(&memory.bytes(self.head)[at..at + total]);
            return total;
        }
        self.copy_out_chunks(memory, offset, &mut dst[..total])
    }

    /// [`Queue::copy_out`] of bytes that are there, and may lie in several chunks.
    fn copy_out_chunks(&mut self, memory: &Memory, offset: u32, dst: &mut [u8]) -> usize {
        let total = dst.len();
        let mut done = 0;
        while done < total {
            let position = self.start.wrapping_add(offset).wrapping_add(done as u32);
            let chunk = self.seek(memory, position);
            let src = &memory.bytes(chunk)[self.offset_in_chunk(memory, position)..];
            let n = src.len().min(total - done);
            dst[done..done + n].copy_from_slice(&src[..n]);
            done += n;
        }
        total
    }

    /// Bytes from `offset` on for which there are chunks.
    #[inline]
    fn room(&self, offset: u32) -> usize {
        self.end.wrapping_sub(self.start).saturating_sub(offset) as usize
    }

    #[inline]
    fn offset_in_chunk(&self, memory: &Memory, position: u32) -> usize {
        (position & (memory.chunk_size() - 1)) as usize
    }

    /// Adds chunks until there is room for `needed` bytes from the front, or memory is exhausted.
    #[inline]
    fn grow(&mut self, memory: &mut Memory, needed: usize) {
        while self.room(0) < needed {
            let Some(chunk) = memory.alloc() else { return };
            if self.tail == NONE {
                self.head = chunk;
            } else {
                memory.link(self.tail, chunk);
            }
            self.tail = chunk;
            self.end = self.end.wrapping_add(memory.chunk_size());
        }
    }

    /// Writes `bytes` at `offset`; there are chunks for all of them.
    #[inline]
    fn copy_in(&mut self, memory: &mut Memory, offset: u32, bytes: &[u8]) {
        let mut done = 0;
        while done < bytes.len() {
            let position = self.start.wrapping_add(offset).wrapping_add(done as u32);
            let chunk = self.seek(memory, position);
            let at = self.offset_in_chunk(memory, position);
            let dst = &mut memory.bytes_mut(chunk)[at..];
            let n = dst.len().min(bytes.len() - done);
            dst[..n].copy_from_slice(&bytes[done..done + n]);
            done += n;
        }
    }

    /// The chunk with `position`, which is between the front and `end`.
    #[inline]
    fn seek(&mut self, memory: &Memory, position: u32) -> u32 {
        let size = memory.chunk_size();
        let head_base = self.start & !(size - 1);
        let distance = position.wrapping_sub(head_base);
        if self.cursor == NONE || self.cursor_base.wrapping_sub(head_base) > distance {
            self.cursor = self.head;
            self.cursor_base = head_base;
        }
        while position.wrapping_sub(self.cursor_base) >= size {
            self.cursor = memory.next(self.cursor);
            self.cursor_base = self.cursor_base.wrapping_add(size);
        }
        self.cursor
    }
}

#[cfg(test)]
mod tests;
