//! DPDK's interrupt thread, in which drivers react to what happens on their control channels.

use std::ffi::c_void;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc;
use std::time::Duration;

use dpdk_sys as sys;

/// Whether a driver was used whose handlers in the interrupt thread outlive its ports: net_memif. EAL unmaps
/// its memory at the end and leaves that thread running, so a socket that has just closed would be
/// handled with memory that is gone: a crash at the exit of one run in ten.
pub(crate) static HANDLERS_LINGER: AtomicBool = AtomicBool::new(false);

/// How long the interrupt thread may be busy with something else.
const PATIENCE: Duration = Duration::from_secs(5);

type Job = Box<dyn FnOnce() + Send>;

/// Calls `f` in the interrupt thread, where no driver's handler runs meanwhile, and waits for it; `None`
/// when that thread does not get to it in time.
pub(crate) fn run<R: Send + 'static>(f: impl FnOnce() -> R + Send + 'static) -> Option<R> {
    let (done, result) = mpsc::sync_channel(1);
    let job: Job = Box::new(move || {
        // Whoever waits may have lost patience.
        let _ = done.send(f());
    });
    let raw = Box::into_raw(Box::new(job)).cast::<c_void>();
    // SAFETY: EAL is initialised; the callback gets `raw` once, and it is its own from then on.
    if unsafe { sys::rte_eal_alarm_set(1, Some(call), raw) } != 0 {
        // SAFETY: the alarm was refused, so nobody else has the job.
        let job = unsafe { Box::from_raw(raw.cast::<Job>()) };
        job();
    }
    result.recv_timeout(PATIENCE).ok()
}

unsafe extern "C" fn call(raw: *mut c_void) {
    // SAFETY: made by `run`, and handed over with the alarm, which fires once.
    let job = unsafe { Box::from_raw(raw.cast::<Job>()) };
    job();
}
