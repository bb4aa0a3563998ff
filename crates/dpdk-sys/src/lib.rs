//! Raw bindings to the system's libdpdk (22.11 or a later long-term release), made at build time.
//!
//! This crate knows DPDK's C interface and nothing else: DPDK functions under their own names,
//! `shim_*` functions for what DPDK has only as static inlines, and flat structures and constants for
//! what has another shape or name from release to release (`src/shim.h` explains each). It must never
//! know a policy: the crate `dpdk` makes it safe.
//!
//! Fields of `struct rte_mbuf` are reached through the offsets in [`mbuf`], which the C compiler
//! computed from the headers of the DPDK that is linked, so no layout is assumed here.
#![no_std]

/// The generated bindings.
#[allow(
    missing_docs,
    non_camel_case_types,
    non_snake_case,
    non_upper_case_globals,
    unreachable_pub,
    clippy::all
)]
mod bindings {
    include!(concat!(env!("OUT_DIR"), "/bindings.rs"));
}

pub mod mbuf;
mod opaque;

pub use bindings::*;
pub use opaque::*;
