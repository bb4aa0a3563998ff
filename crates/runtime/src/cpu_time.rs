//! What a thread has cost.

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

/// CPU time that the calling thread has used, user and system together; zero if the kernel does not
/// say.
#[must_use]
pub fn thread_cpu_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map_or(Duration::ZERO, Duration::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_costs_and_sleep_does_not() {
        let start = thread_cpu_time();
        std::thread::sleep(Duration::from_millis(50));
        let slept = thread_cpu_time() - start;
        assert!(slept < Duration::from_millis(25), "{slept:?}");
        let mut x = 1u64;
        while thread_cpu_time() - start < slept + Duration::from_millis(2) {
            x = std::hint::black_box(x.wrapping_mul(3));
        }
    }
}
