//! The time stamp counter.

/// Ticks of the time stamp counter of this CPU; [`crate::Eal::tsc_hz`] says how many make a second.
///
/// Not serialising: neighbouring instructions may be executed before or after it.
#[inline]
#[must_use]
pub fn tsc() -> u64 {
    #[cfg(target_arch = "x86_64")]
    {
        // SAFETY: every x86-64 CPU has the instruction, and it touches no memory.
        unsafe { core::arch::x86_64::_rdtsc() }
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        // SAFETY: reads a counter register.
        unsafe { dpdk_sys::shim_tsc() }
    }
}
