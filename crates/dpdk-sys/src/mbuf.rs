//! Pointers to the fields of `struct rte_mbuf`, without a function call per packet.

use core::ffi::c_void;

use crate::bindings as raw;
use crate::opaque::{rte_mbuf, rte_mempool};

macro_rules! field {
    ($(#[$doc:meta])* $name:ident: $type:ty = $offset:ident) => {
        $(#[$doc])*
        ///
        /// # Safety
        /// `mbuf` points to an mbuf.
        #[inline(always)]
        #[must_use]
        pub unsafe fn $name(mbuf: *mut rte_mbuf) -> *mut $type {
            // SAFETY: the offset lies within the mbuf, by the C compiler's own account.
            unsafe { mbuf.byte_add(raw::$offset as usize).cast() }
        }
    };
}

field! {
    /// Address of the segment's buffer (`void *`).
    buf_addr: *mut c_void = SHIM_MBUF_BUF_ADDR
}
field! {
    /// Where in the buffer the data begin, in octets.
    data_off: u16 = SHIM_MBUF_DATA_OFF
}
field! {
    /// Number of owners.
    refcnt: u16 = SHIM_MBUF_REFCNT
}
field! {
    /// Number of segments; valid in the first.
    nb_segs: u16 = SHIM_MBUF_NB_SEGS
}
field! {
    /// The port it came from.
    port: u16 = SHIM_MBUF_PORT
}
field! {
    /// Offload flags (`RTE_MBUF_F_*`).
    ol_flags: u64 = SHIM_MBUF_OL_FLAGS
}
field! {
    /// What the device says about the packet's layers (`RTE_PTYPE_*`).
    packet_type: u32 = SHIM_MBUF_PACKET_TYPE
}
field! {
    /// Octets of all segments; valid in the first.
    pkt_len: u32 = SHIM_MBUF_PKT_LEN
}
field! {
    /// Octets of this segment.
    data_len: u16 = SHIM_MBUF_DATA_LEN
}
field! {
    /// VLAN tag control information in host order.
    vlan_tci: u16 = SHIM_MBUF_VLAN_TCI
}
field! {
    /// RSS hash, when the flag says so.
    hash_rss: u32 = SHIM_MBUF_HASH_RSS
}
field! {
    /// Octets of the buffer.
    buf_len: u16 = SHIM_MBUF_BUF_LEN
}
field! {
    /// The pool that the mbuf returns to.
    pool: *mut rte_mempool = SHIM_MBUF_POOL
}
field! {
    /// The next segment, or null.
    next: *mut rte_mbuf = SHIM_MBUF_NEXT
}
field! {
    /// Header lengths for transmit offloads, as one word.
    tx_offload: u64 = SHIM_MBUF_TX_OFFLOAD
}
