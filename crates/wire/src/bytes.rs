//! Big-endian loads and stores at an offset.

/// The 16-bit value at `at`. Panics unless `at + 2 <= b.len()`.
#[inline(always)]
pub(crate) const fn be16(b: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([b[at], b[at + 1]])
}

/// The 32-bit value at `at`. Panics unless `at + 4 <= b.len()`.
#[inline(always)]
pub(crate) const fn be32(b: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([b[at], b[at + 1], b[at + 2], b[at + 3]])
}

/// The `N` bytes at `at`. Panics unless `at + N <= b.len()`.
#[inline(always)]
pub(crate) fn array<const N: usize>(b: &[u8], at: usize) -> [u8; N] {
    let mut a = [0; N];
    a.copy_from_slice(&b[at..at + N]);
    a
}

/// Stores `v` at `at`. Panics unless `at + 2 <= b.len()`.
#[inline(always)]
pub(crate) fn put16(b: &mut [u8], at: usize, v: u16) {
    b[at..at + 2].copy_from_slice(&v.to_be_bytes());
}

/// Stores `v` at `at`; returns it as it counts in a sum of words in the byte order of the machine.
/// Panics unless `at + 4 <= b.len()`.
#[inline(always)]
pub(crate) fn put_word(b: &mut [u8], at: usize, v: u32) -> u64 {
    put32(b, at, v);
    u64::from(v.to_be())
}

/// Stores `v` at `at`. Panics unless `at + 4 <= b.len()`.
#[inline(always)]
pub(crate) fn put32(b: &mut [u8], at: usize, v: u32) {
    b[at..at + 4].copy_from_slice(&v.to_be_bytes());
}
