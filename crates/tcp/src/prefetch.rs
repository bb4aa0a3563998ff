//! Asking for a cache line before it is needed.
//!
//! At millions of connections every table look-up is a cache miss of 100 ns and more; only
//! starting the misses of a whole burst before the first look-up hides them. This is the one
//! module of the crate, beside the memory of the TIME-WAIT table, with `unsafe` in it: the standard
//! library has no portable prefetch.

/// Starts to load the cache line at `r` for reading and writing, and does not wait for it.
///
/// A hint: it changes no state and cannot fault. Nothing happens on processors other than x86-64.
#[inline(always)]
pub fn prefetch<T: ?Sized>(r: &T) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    {
        use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: the pointer comes from a reference, and PREFETCHT0 is architecturally a hint
        // that neither faults nor changes memory; SSE is part of the x86-64 baseline.
        #[allow(unsafe_code)]
        unsafe {
            _mm_prefetch::<_MM_HINT_T0>(core::ptr::from_ref(r).cast());
        }
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    let _ = r;
}

/// [`prefetch`] of `slice[index]`; nothing if `index` is out of range.
#[inline(always)]
pub fn prefetch_slice_elem<T>(slice: &[T], index: usize) {
    if let Some(r) = slice.get(index) {
        prefetch(r);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_index_is_harmless_and_nothing_changes() {
        let lines = [[7u8; 64]; 4];
        for i in [0, 3, 4, usize::MAX] {
            prefetch_slice_elem(&lines, i);
        }
        prefetch(&());
        assert_eq!(lines, [[7u8; 64]; 4]);
    }
}
