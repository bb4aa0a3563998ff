//! DPDK's log: forwarded to `tracing`, and kept while a call runs that may need an explanation.

use std::ffi::{c_char, c_void};
use std::sync::{Mutex, PoisonError};

use dpdk_sys as sys;

use crate::Error;

/// How much of DPDK's words goes into an error.
const KEPT_LINES: usize = 6;

/// The lines of the call that is being watched.
static CAPTURED: Mutex<Option<String>> = Mutex::new(None);
/// Only one call is watched at a time, so that no error carries another's words.
static WATCHING: Mutex<()> = Mutex::new(());

/// Sends DPDK's log here instead of to stderr and syslog.
pub(crate) fn install() -> Result<(), Error> {
    // SAFETY: `sink` lives as long as the program.
    match unsafe { sys::shim_log_to(Some(sink)) } {
        0 => Ok(()),
        _ => Err(Error::os(
            "no stream for DPDK's log",
            std::io::Error::last_os_error(),
        )),
    }
}

/// Runs `call` and returns what it returned and what DPDK logged meanwhile, ready to end an error.
pub(crate) fn watch<R>(call: impl FnOnce() -> R) -> (R, String) {
    let _one = WATCHING.lock().unwrap_or_else(PoisonError::into_inner);
    *lock() = Some(String::new());
    let result = call();
    let text = lock().take().unwrap_or_default();
    (result, digest(&text))
}

fn lock() -> std::sync::MutexGuard<'static, Option<String>> {
    CAPTURED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The last lines that are not mere progress, on one line.
fn digest(text: &str) -> String {
    let lines: Vec<&str> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    if lines.is_empty() {
        return String::new();
    }
    let last = &lines[lines.len().saturating_sub(KEPT_LINES)..];
    format!("DPDK says: {}", last.join("; "))
}

extern "C" fn sink(level: u32, text: *const c_char, len: usize) {
    // SAFETY: stdio hands over `len` readable octets for the time of this call.
    let bytes = unsafe { std::slice::from_raw_parts(text.cast::<c_void>().cast::<u8>(), len) };
    let text = String::from_utf8_lossy(bytes);
    if level <= sys::RTE_LOG_NOTICE
        && let Some(captured) = lock().as_mut()
    {
        captured.push_str(&text);
    }
    let line = text.trim_end();
    match level {
        0..=sys::RTE_LOG_ERR => tracing::error!(target: "dpdk", "{line}"),
        sys::RTE_LOG_WARNING => tracing::warn!(target: "dpdk", "{line}"),
        sys::RTE_LOG_NOTICE => tracing::info!(target: "dpdk", "{line}"),
        sys::RTE_LOG_INFO => tracing::debug!(target: "dpdk", "{line}"),
        _ => tracing::trace!(target: "dpdk", "{line}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digest_keeps_the_end_on_one_line() {
        assert_eq!(digest("\n"), "");
        assert_eq!(digest("EAL: a\nEAL: b\n"), "DPDK says: EAL: a; EAL: b");
        let long: String = (0..20).map(|i| format!("line {i}\n")).collect();
        assert!(digest(&long).starts_with("DPDK says: line 14; "));
    }

    #[test]
    fn watched_calls_get_their_lines() {
        let ((), log) = watch(|| sink(sys::RTE_LOG_ERR, c"EAL: no\n".as_ptr(), 8));
        assert_eq!(log, "DPDK says: EAL: no");
    }
}
