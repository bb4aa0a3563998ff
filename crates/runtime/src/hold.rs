//! Signals while nobody can drain: before the control thread takes them over, and after it has left.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::SigId;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use signal_hook::low_level::unregister;

use crate::error::Error;

/// SIGINT and SIGTERM noted instead of ending the process on the spot, which would leave DPDK's
/// runtime folder and reserved huge pages behind.
///
/// [`crate::Control`] is told of signals in any case; those that came before it was started are
/// seen here only.
#[derive(Debug)]
pub struct HeldSignals {
    came: Arc<AtomicBool>,
    ids: Vec<SigId>,
}

impl HeldSignals {
    /// Holds them from now on.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn hold() -> Result<HeldSignals, Error> {
        let mut held = HeldSignals {
            came: Arc::new(AtomicBool::new(false)),
            ids: Vec::new(),
        };
        for signal in [SIGINT, SIGTERM] {
            let id = flag::register(signal, Arc::clone(&held.came));
            held.ids.push(id.map_err(Error::os("take over signals"))?);
        }
        Ok(held)
    }

    /// Whether one has come.
    #[must_use]
    pub fn came(&self) -> bool {
        self.came.load(Ordering::Relaxed)
    }
}

impl Drop for HeldSignals {
    fn drop(&mut self) {
        for id in self.ids.drain(..) {
            unregister(id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_is_noted_and_does_not_kill() {
        let held = HeldSignals::hold().unwrap();
        assert!(!held.came());
        signal_hook::low_level::raise(SIGTERM).unwrap();
        assert!(held.came());
    }
}
