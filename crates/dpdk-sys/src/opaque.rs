//! DPDK's structures that are only ever seen through pointers.

use core::marker::{PhantomData, PhantomPinned};

macro_rules! opaque {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[allow(non_camel_case_types)]
        #[repr(C)]
        pub struct $name {
            _data: [u8; 0],
            _marker: PhantomData<(*mut u8, PhantomPinned)>,
        }
    };
}

opaque! {
    /// A packet buffer; its fields are reached through [`crate::mbuf`].
    rte_mbuf
}
opaque! {
    /// A pool of objects of one size.
    rte_mempool
}
opaque! {
    /// A bounded queue of pointers.
    rte_ring
}
opaque! {
    /// A device on one of EAL's buses.
    rte_device
}
