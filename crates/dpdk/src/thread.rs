//! Worker threads: threads of the program that DPDK knows as lcores.

use std::io;
use std::marker::PhantomData;

use dpdk_sys as sys;

use crate::{Eal, Error};

/// The calling thread, known to DPDK until this is dropped.
///
/// A registered thread has a cache of its own in every pool, so that it takes and returns buffers
/// without touching what other threads use.
#[derive(Debug)]
pub struct WorkerThread {
    registered: bool,
    _eal: Eal,
    /// Belongs to the thread that made it.
    _thread: PhantomData<*const ()>,
}

/// Registers the calling thread with DPDK and pins it to `cpu`, if given.
///
/// The thread that initialised EAL is known already; it is only pinned.
///
/// # Errors
/// [`Error::NoLcore`] when DPDK has no id left; [`Error::Os`] when the CPU is not there or not allowed.
pub fn register_worker_thread(eal: &Eal, cpu: Option<usize>) -> Result<WorkerThread, Error> {
    if let Some(cpu) = cpu {
        pin(&[cpu])?;
    }
    // SAFETY: reads a thread-local variable.
    let known = unsafe { sys::shim_lcore_id() } != sys::SHIM_LCORE_ID_ANY;
    if !known {
        // SAFETY: EAL is initialised, and this thread is not registered.
        let ret = unsafe { sys::rte_thread_register() };
        if ret != 0 {
            return Err(Error::NoLcore);
        }
    }
    Ok(WorkerThread {
        registered: !known,
        _eal: eal.clone(),
        _thread: PhantomData,
    })
}

impl WorkerThread {
    /// DPDK's number for this thread.
    #[must_use]
    pub fn lcore_id(&self) -> u32 {
        // SAFETY: reads a thread-local variable.
        unsafe { sys::shim_lcore_id() }
    }
}

impl Drop for WorkerThread {
    fn drop(&mut self) {
        if self.registered {
            // SAFETY: this is the thread that was registered, since `WorkerThread` is not Send.
            unsafe { sys::rte_thread_unregister() };
        }
    }
}

/// Has the calling thread run on any of `cpus` and on no other.
///
/// # Errors
/// [`Error::BadArgument`] or [`Error::Os`] when one of them is not there, or none is allowed.
pub fn pin(cpus: &[usize]) -> Result<(), Error> {
    // SAFETY: an all-zero set is a valid, empty one.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    for &cpu in cpus {
        if cpu >= libc::CPU_SETSIZE as usize {
            return Err(Error::BadArgument(format!("there is no CPU {cpu}")));
        }
        // SAFETY: `cpu` is within the set, as checked above.
        unsafe { libc::CPU_SET(cpu, &mut set) };
    }
    // SAFETY: `set` is a valid set of the size given; 0 is the calling thread.
    match unsafe { libc::sched_setaffinity(0, size_of_val(&set), &set) } {
        0 => Ok(()),
        _ => Err(Error::os(
            format!("cannot pin a thread to {}", names(cpus)),
            io::Error::last_os_error(),
        )),
    }
}

/// `CPU 1`, `CPUs 1, 2`.
fn names(cpus: &[usize]) -> String {
    let numbers: Vec<String> = cpus.iter().map(usize::to_string).collect();
    let plural = if cpus.len() == 1 { "" } else { "s" };
    format!("CPU{plural} {}", numbers.join(", "))
}

/// The CPUs that the calling thread may run on, in ascending order.
///
/// # Errors
/// [`Error::Os`] when the kernel does not say.
pub fn allowed_cpus() -> Result<Vec<usize>, Error> {
    // SAFETY: an all-zero set is a valid, empty one.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: `set` is writable and of the size given.
    if unsafe { libc::sched_getaffinity(0, size_of_val(&set), &mut set) } != 0 {
        return Err(Error::os(
            "cannot read the CPU affinity",
            io::Error::last_os_error(),
        ));
    }
    Ok((0..libc::CPU_SETSIZE as usize)
        // SAFETY: `cpu` is within the set.
        .filter(|&cpu| unsafe { libc::CPU_ISSET(cpu, &set) })
        .collect())
}
