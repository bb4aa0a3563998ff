//! Huge pages of the machine: what is free, and reserving more.

use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::Error;

/// Where the kernel keeps one folder for each page size.
const SYSFS: &str = "/sys/kernel/mm/hugepages";

/// The huge pages of one size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pages {
    /// Octets of a page.
    pub size: u64,
    /// Pages that the kernel holds ready.
    pub total: u64,
    /// Of these, pages that nobody uses or has reserved.
    pub free: u64,
}

/// The huge pages of this machine, by size, the smallest first; empty when the kernel has none.
#[must_use]
pub fn pages() -> Vec<Pages> {
    let mut pages: Vec<Pages> = fs::read_dir(SYSFS)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| read_pages(&entry.path()))
        .collect();
    pages.sort_by_key(|pages| pages.size);
    pages
}

/// Free huge pages of all sizes, in octets.
#[must_use]
pub fn free_bytes() -> u64 {
    pages().iter().map(|pages| pages.size * pages.free).sum()
}

fn read_pages(folder: &Path) -> Option<Pages> {
    let name = folder.file_name()?.to_str()?;
    let kib: u64 = name
        .strip_prefix("hugepages-")?
        .strip_suffix("kB")?
        .parse()
        .ok()?;
    let free = read_number(&folder.join("free_hugepages"))?;
    let reserved = read_number(&folder.join("resv_hugepages")).unwrap_or(0);
    Some(Pages {
        size: kib * 1024,
        total: read_number(&folder.join("nr_hugepages"))?,
        free: free.saturating_sub(reserved),
    })
}

fn read_number(path: &Path) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// How long to wait for others who count or take pages.
const PATIENCE: Duration = Duration::from_secs(5);

/// A turn at the machine's huge pages, given up when it is dropped.
///
/// Between counting free pages and mapping them, or between reading and writing their number,
/// another process could do the same, and one of the two would find too few. Processes that take turns do
/// not; others are not held off.
#[derive(Debug)]
#[must_use = "dropping the turn gives it up"]
pub struct Turn {
    _locked: Option<File>,
}

/// Waits for a turn, some seconds at most: whoever holds one for longer is stuck, and not waited for.
/// For the control thread only.
pub fn take_turn() -> Turn {
    Turn {
        // Without such a folder there are no huge pages to quarrel about.
        _locked: File::open(SYSFS).ok().filter(|file| lock(file, PATIENCE)),
    }
}

fn lock(file: &File, patience: Duration) -> bool {
    let until = Instant::now() + patience;
    // SAFETY: the descriptor is open; the lock goes with it.
    while unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) } != 0 {
        if Instant::now() >= until {
            return false;
        }
        sleep(Duration::from_millis(2));
    }
    true
}

/// Huge pages that this process reserved; the machine has so many less again when it is dropped.
///
/// Taken off what there is then, not set back to what there was: another process may have reserved
/// some in between.
///
/// Pages still mapped then are surplus: they stay with their user until it ends, and are given back after that. The kernel
/// counts them among all pages, but turns them into lasting ones as soon as more are asked for. So what is counted here are lasting
/// pages, or those of a process that is about to end would stay for ever.
#[derive(Debug)]
#[must_use = "dropping the reservation gives the pages back"]
pub struct Reservation {
    folder: PathBuf,
    /// Lasting pages that there are more.
    added: u64,
}

const NUMBER: &str = "nr_hugepages";

/// All pages in a folder, and those of them that last.
fn count(folder: &Path) -> Option<(u64, u64)> {
    let all = read_number(&folder.join(NUMBER))?;
    let surplus = read_number(&folder.join("surplus_hugepages")).unwrap_or(0);
    Some((all, all.saturating_sub(surplus)))
}

/// Reserves `n` huge pages of 2 MiB in addition to those there are. Only root can. The turn is to last
/// until the pages are mapped, or another process may take them.
///
/// # Errors
/// [`Error::Permission`] when not root; [`Error::NoHugepages`] when memory is too fragmented or
/// too little, in which case nothing stays reserved.
pub fn reserve(n: u64, _turn: &Turn) -> Result<Reservation, Error> {
    let folder = Path::new(SYSFS).join("hugepages-2048kB");
    let (before, lasting) = count(&folder).ok_or(Error::NoHugepages {
        needed_mb: n * 2,
        free_mb: 0,
    })?;
    let wanted = before.saturating_add(n);
    let path = folder.join(NUMBER);
    fs::write(&path, wanted.to_string()).map_err(|error| match error.kind() {
        std::io::ErrorKind::PermissionDenied => Error::Permission {
            what: format!("writing {}", path.display()),
            log: String::new(),
        },
        _ => Error::os(format!("writing {}", path.display()), error),
    })?;
    let (all, lasting_now) = count(&folder).unwrap_or((before, lasting));
    let reservation = Reservation {
        folder,
        added: lasting_now.saturating_sub(lasting),
    };
    let more = all.saturating_sub(before);
    if more < n {
        return Err(Error::NoHugepages {
            needed_mb: n * 2,
            free_mb: more * 2,
        });
    }
    Ok(reservation)
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let _turn = take_turn();
        let (_, lasting) = count(&self.folder).unwrap_or((self.added, self.added));
        let left = lasting.saturating_sub(self.added);
        let path = self.folder.join(NUMBER);
        if let Err(error) = fs::write(&path, left.to_string()) {
            tracing::warn!("cannot give huge pages back ({}): {error}", path.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_page_size_folder() {
        let root = tempfile::tempdir().expect("temporary folder");
        let folder = root.path().join("hugepages-2048kB");
        fs::create_dir(&folder).expect("folder");
        for (name, value) in [
            ("nr_hugepages", "10\n"),
            ("free_hugepages", "7\n"),
            ("resv_hugepages", "2\n"),
        ] {
            fs::write(folder.join(name), value).expect("file");
        }
        let expected = Pages {
            size: 2 << 20,
            total: 10,
            free: 5,
        };
        assert_eq!(read_pages(&folder), Some(expected));
        assert_eq!(read_pages(root.path()), None);
    }

    #[test]
    fn one_turn_at_a_time() {
        let root = tempfile::tempdir().expect("temporary folder");
        let open = || File::open(root.path()).expect("folder");
        let (first, second) = (open(), open());
        assert!(lock(&first, Duration::ZERO));
        assert!(!lock(&second, Duration::from_millis(20)));
        drop(first);
        assert!(lock(&second, Duration::ZERO));
    }

    /// Huge pages that are mapped.
    struct Used(*mut libc::c_void, usize);

    impl Used {
        fn new(pages: usize) -> Used {
            let len = pages << 21;
            let flags = libc::MAP_PRIVATE
                | libc::MAP_ANONYMOUS
                | libc::MAP_HUGETLB
                | libc::MAP_HUGE_2MB
                | libc::MAP_POPULATE;
            let access = libc::PROT_READ | libc::PROT_WRITE;
            // SAFETY: a new mapping, which nothing else knows of.
            let at = unsafe { libc::mmap(std::ptr::null_mut(), len, access, flags, -1, 0) };
            assert_ne!(at, libc::MAP_FAILED);
            Used(at, len)
        }
    }

    impl Drop for Used {
        fn drop(&mut self) {
            // SAFETY: the mapping is this value's own.
            unsafe { libc::munmap(self.0, self.1) };
        }
    }

    /// Lasting pages: with free pages besides, those in use stay lasting and free ones go instead, so
    /// that all pages would be fewer there than on a machine that had none.
    fn lasting() -> u64 {
        let folder = Path::new(SYSFS).join("hugepages-2048kB");
        count(&folder).map_or(0, |(_, lasting)| lasting)
    }

    #[test]
    fn a_reservation_is_given_back_or_refused_without_a_trace() {
        let before = lasting();
        let turn = take_turn();
        let reserved = reserve(2, &turn);
        match reserved {
            Ok(reservation) => {
                drop(turn);
                assert_eq!(lasting(), before + 2);
                // Their user has them for longer, and another one comes meanwhile.
                let used = Used::new(2);
                drop(reservation);
                assert_eq!(lasting(), before);
                let turn = take_turn();
                let second = reserve(3, &turn).expect("as before");
                let free: u64 = pages().iter().map(|pages| pages.free).sum();
                assert!(free >= 3, "{free} pages free");
                drop(turn);
                drop(second);
                assert_eq!(lasting(), before);
                drop(used);
            }
            // Not root, or a machine without huge pages.
            Err(error) => assert!(error.to_string().contains("huge"), "{error}"),
        }
        assert_eq!(lasting(), before);
    }
}
