//! Packet buffers, each with one owner.

use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

use dpdk_sys as sys;
use sys::mbuf as field;

use crate::offload::{RxChecksums, TxOffload};

/// Octets that a fresh buffer leaves free before its data, for headers to be prepended.
pub const HEADROOM: u16 = sys::SHIM_MBUF_HEADROOM as u16;

/// A packet buffer and the frame in it: usually one segment, from some devices a chain.
///
/// Derefs to the octets of the first segment. Dropping it returns all segments to their pools;
/// [`crate::MbufCache::free`] does the same for less.
///
/// It has one owner: whatever reached this crate's user from a device or a pool is reachable from
/// nowhere else.
#[repr(transparent)]
pub struct Mbuf(NonNull<sys::rte_mbuf>);

// SAFETY: an mbuf has one owner, and pools accept buffers from any thread.
unsafe impl Send for Mbuf {}
// SAFETY: a shared reference only allows reading.
unsafe impl Sync for Mbuf {}

/// A frame of several segments does not fit into its first buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a frame of several segments does not fit into its first buffer")]
pub struct NotLinear;

macro_rules! get {
    ($mbuf:expr, $field:ident) => {
        // SAFETY: `Mbuf` points to an mbuf that it alone owns.
        unsafe { field::$field($mbuf.as_ptr()).read() }
    };
}

macro_rules! set {
    ($mbuf:expr, $field:ident, $value:expr) => {{
        let value = $value;
        // SAFETY: `Mbuf` points to an mbuf that it alone owns.
        unsafe { field::$field($mbuf.as_ptr()).write(value) }
    }};
}

impl Mbuf {
    /// # Safety
    /// `raw` is an mbuf that nobody else owns, with its fields initialised.
    #[inline]
    pub(crate) unsafe fn from_raw(raw: NonNull<sys::rte_mbuf>) -> Self {
        Self(raw)
    }

    /// # Safety
    /// `raw` is a direct mbuf of one segment that nobody else owns, possibly straight from its pool.
    #[inline]
    pub(crate) unsafe fn from_pool(raw: NonNull<sys::rte_mbuf>) -> Self {
        let mut mbuf = Self(raw);
        mbuf.reset();
        mbuf
    }

    #[inline]
    pub(crate) fn as_ptr(&self) -> *mut sys::rte_mbuf {
        self.0.as_ptr()
    }

    /// Gives up ownership without freeing.
    #[inline]
    pub(crate) fn into_raw(self) -> NonNull<sys::rte_mbuf> {
        let raw = self.0;
        std::mem::forget(self);
        raw
    }

    /// Whether the buffer can be used again at once as one of `buf_len` octets: direct, one segment, one
    /// owner.
    #[inline]
    pub(crate) fn is_plain(&self, buf_len: u16) -> bool {
        get!(self, buf_len) == buf_len
            && get!(self, nb_segs) == 1
            && get!(self, refcnt) == 1
            && get!(self, ol_flags) & (sys::SHIM_MBUF_EXTERNAL | sys::SHIM_MBUF_INDIRECT) == 0
    }

    /// Empties a buffer of one segment: no data, full headroom, no flags.
    #[inline]
    fn reset(&mut self) {
        set!(self, data_off, HEADROOM.min(get!(self, buf_len)));
        set!(self, port, sys::SHIM_MBUF_PORT_INVALID as u16);
        // Header lengths for offloads (on another cache line) are valid with their flags only.
        set!(self, ol_flags, 0);
        set!(self, packet_type, 0);
        set!(self, pkt_len, 0);
        set!(self, data_len, 0);
        set!(self, vlan_tci, 0);
    }

    /// Octets of the whole frame.
    #[inline]
    #[must_use]
    pub fn frame_len(&self) -> usize {
        get!(self, pkt_len) as usize
    }

    /// Number of segments.
    #[inline]
    #[must_use]
    pub fn segment_count(&self) -> u16 {
        get!(self, nb_segs)
    }

    /// Whether the whole frame is in the first segment.
    #[inline]
    #[must_use]
    pub fn is_linear(&self) -> bool {
        self.segment_count() == 1
    }

    /// The octets of each segment in turn.
    #[must_use]
    pub fn segments(&self) -> Segments<'_> {
        Segments {
            next: self.as_ptr(),
            _mbuf: PhantomData,
        }
    }

    /// Makes the first segment hold the whole frame.
    ///
    /// # Errors
    /// [`NotLinear`] when it is too large for that; the frame is unchanged.
    pub fn linearise(&mut self) -> Result<(), NotLinear> {
        if self.is_linear() {
            return Ok(());
        }
        // SAFETY: an mbuf that we own; DPDK frees the other segments, to which we have no pointers.
        match unsafe { sys::shim_mbuf_linearize(self.as_ptr()) } {
            0 => Ok(()),
            _ => Err(NotLinear),
        }
    }

    /// Free octets before the data.
    #[inline]
    #[must_use]
    pub fn headroom(&self) -> usize {
        get!(self, data_off).into()
    }

    /// Free octets after the data of the first segment; 0 when it is not the last.
    #[inline]
    #[must_use]
    pub fn tailroom(&self) -> usize {
        if !self.is_linear() {
            return 0;
        }
        let used = usize::from(get!(self, data_off)) + usize::from(get!(self, data_len));
        usize::from(get!(self, buf_len)).saturating_sub(used)
    }

    /// Grows the data by `n` octets at the front and returns those, whose content is arbitrary;
    /// `None` when there is no headroom for them.
    #[inline]
    pub fn prepend(&mut self, n: usize) -> Option<&mut [u8]> {
        if n > self.headroom() || n > usize::from(u16::MAX - get!(self, data_len)) {
            return None;
        }
        set!(self, data_off, get!(self, data_off) - n as u16);
        set!(self, data_len, get!(self, data_len) + n as u16);
        set!(self, pkt_len, get!(self, pkt_len) + n as u32);
        Some(&mut self[..n])
    }

    /// Grows the data by `n` octets at the end and returns those, whose content is arbitrary; `None`
    /// when there is no tailroom for them.
    #[inline]
    pub fn append(&mut self, n: usize) -> Option<&mut [u8]> {
        if n > self.tailroom() {
            return None;
        }
        let old = usize::from(get!(self, data_len));
        set!(self, data_len, (old + n) as u16);
        set!(self, pkt_len, get!(self, pkt_len) + n as u32);
        Some(&mut self[old..])
    }

    /// Removes `n` octets at the front of the first segment; false, and nothing done, when it has
    /// fewer.
    #[inline]
    pub fn trim_front(&mut self, n: usize) -> bool {
        let len = get!(self, data_len);
        if n > usize::from(len) {
            return false;
        }
        set!(self, data_off, get!(self, data_off) + n as u16);
        set!(self, data_len, len - n as u16);
        set!(self, pkt_len, get!(self, pkt_len) - n as u32);
        true
    }

    /// Shortens a frame of one segment to its first `len` octets; false, and nothing done, when it has
    /// fewer or several segments.
    #[inline]
    pub fn truncate(&mut self, len: usize) -> bool {
        if !self.is_linear() || len > self.len() {
            return false;
        }
        set!(self, data_len, len as u16);
        set!(self, pkt_len, len as u32);
        true
    }

    /// Fetches the first 128 octets of the frame into the CPU's cache, for frames that are looked at soon:
    /// the headers of TCP with options take more than one cache line. Reads the buffer's description to
    /// find them.
    #[inline]
    pub fn prefetch_data(&self) {
        let address = get!(self, buf_addr).cast::<u8>();
        let data = address.wrapping_add(self.headroom());
        prefetch(data);
        prefetch(data.wrapping_add(64));
    }

    /// What the device says about the checksums of a received frame.
    #[inline]
    #[must_use]
    pub fn rx_checksums(&self) -> RxChecksums {
        RxChecksums::from_flags(get!(self, ol_flags))
    }

    /// The RSS hash of a received frame, if the device delivered it.
    #[inline]
    #[must_use]
    pub fn rss_hash(&self) -> Option<u32> {
        (get!(self, ol_flags) & sys::SHIM_RX_RSS_HASH != 0).then(|| get!(self, hash_rss))
    }

    /// The control information of the VLAN tag that the device took off a received frame.
    #[inline]
    #[must_use]
    pub fn stripped_vlan(&self) -> Option<u16> {
        (get!(self, ol_flags) & sys::SHIM_RX_VLAN_STRIPPED != 0).then(|| get!(self, vlan_tci))
    }

    /// Forgets what the device said and what it was to do, before a received frame is sent.
    #[inline]
    pub fn clear_offload(&mut self) {
        // How the buffer's memory is owned is told by two of the flags, and stays.
        let kept = sys::SHIM_MBUF_EXTERNAL | sys::SHIM_MBUF_INDIRECT;
        set!(self, ol_flags, get!(self, ol_flags) & kept);
    }

    /// Says what the device is to do when it sends the frame; replaces all that was said before.
    #[inline]
    pub fn set_tx_offload(&mut self, offload: &TxOffload) {
        self.clear_offload();
        set!(self, ol_flags, get!(self, ol_flags) | offload.flags());
        set!(self, tx_offload, offload.lengths());
        set!(self, vlan_tci, offload.vlan.unwrap_or(0));
    }
}

#[inline(always)]
fn prefetch(address: *const u8) {
    #[cfg(target_arch = "x86_64")]
    {
        use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch is a hint, which is harmless for any address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(address.cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = address;
}

impl Deref for Mbuf {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        let buffer = get!(self, buf_addr).cast::<u8>();
        let len = get!(self, data_len);
        // SAFETY: DPDK keeps `data_len` octets from `data_off` within the buffer, and so does this
        // module; the buffer is initialised memory that this mbuf alone owns.
        unsafe { std::slice::from_raw_parts(buffer.add(self.headroom()), len.into()) }
    }
}

impl DerefMut for Mbuf {
    #[inline]
    fn deref_mut(&mut self) -> &mut [u8] {
        let buffer = get!(self, buf_addr).cast::<u8>();
        let len = get!(self, data_len);
        // SAFETY: as in `deref`, and the reference to the mbuf is exclusive.
        unsafe { std::slice::from_raw_parts_mut(buffer.add(self.headroom()), len.into()) }
    }
}

impl Drop for Mbuf {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: we own it, and give it up here.
        unsafe { sys::shim_mbuf_free(self.as_ptr()) }
    }
}

impl fmt::Debug for Mbuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mbuf")
            .field("frame_len", &self.frame_len())
            .field("segments", &self.segment_count())
            .finish_non_exhaustive()
    }
}

/// Iterator over the segments of a frame; see [`Mbuf::segments`].
#[derive(Debug)]
pub struct Segments<'a> {
    next: *mut sys::rte_mbuf,
    _mbuf: PhantomData<&'a Mbuf>,
}

impl<'a> Iterator for Segments<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        if self.next.is_null() {
            return None;
        }
        // SAFETY: a segment of the borrowed frame, with its data within its buffer.
        unsafe {
            let segment = self.next;
            self.next = field::next(segment).read();
            let data = field::buf_addr(segment).read().cast::<u8>();
            let offset = usize::from(field::data_off(segment).read());
            let len = usize::from(field::data_len(segment).read());
            Some(std::slice::from_raw_parts(data.add(offset), len))
        }
    }
}
