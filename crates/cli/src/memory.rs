//! How much memory this machine has, and sizes as people read them.

use std::fs;

/// Bytes of memory of this machine; `None` where the system does not tell.
#[must_use]
pub fn total() -> Option<u64> {
    of_meminfo(&fs::read_to_string("/proc/meminfo").ok()?, "MemTotal")
}

/// Bytes of memory that can be had without swapping, by the kernel's estimate.
#[must_use]
pub fn available() -> Option<u64> {
    of_meminfo(&fs::read_to_string("/proc/meminfo").ok()?, "MemAvailable")
}

/// Bytes that the text of `/proc/meminfo` tells of under `key` (proc_meminfo(5)).
fn of_meminfo(text: &str, key: &str) -> Option<u64> {
    let line = text.lines().find_map(|l| l.strip_prefix(key))?;
    let kib: u64 = line
        .strip_prefix(':')?
        .trim()
        .strip_suffix("kB")?
        .trim()
        .parse()
        .ok()?;
    Some(kib << 10)
}

/// `bytes` in GiB.
#[must_use]
pub fn gib(bytes: u64) -> String {
    format!("{:.1} GiB", bytes as f64 / f64::from(1 << 30))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn meminfo_is_read() {
        let text = "MemTotal:       1024 kB\nMemFree: 1 kB\nMemAvailable:    512 kB\n";
        assert_eq!(of_meminfo(text, "MemTotal"), Some(1 << 20));
        assert_eq!(of_meminfo(text, "MemAvailable"), Some(512 << 10));
        assert_eq!(of_meminfo(text, "Mem"), None);
        assert_eq!(of_meminfo("", "MemTotal"), None);
        assert!(available() <= total());
    }
}
