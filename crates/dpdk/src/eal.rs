//! DPDK's environment abstraction layer: one in a process.

use std::ffi::{CStr, CString, c_char, c_int};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::{env, fs, process};

use dpdk_sys as sys;

use crate::interrupt;
use crate::thread::allowed_cpus;
use crate::{Error, hugepages, log};

/// What EAL is given at start.
#[derive(Debug, Clone)]
pub struct EalArgs {
    /// CPUs that the initialising thread may run on; it is not pinned to one of them. Empty: all that
    /// the process may use.
    pub cpus: Vec<usize>,
    /// Name of the runtime folder, unique among the DPDK processes of the machine. `None`:
    /// `tidewheel-` and the process id.
    pub file_prefix: Option<String>,
    /// PCI devices (with their arguments, if any) that DPDK may touch. Empty: none.
    pub pci: Vec<String>,
    /// Virtual devices to make at start; [`crate::Port::open`] also makes them later.
    pub vdevs: Vec<String>,
    /// Which memory to use.
    pub memory: MemoryPolicy,
    /// How much memory to take at start, in MiB. Plain memory cannot grow beyond this; huge pages can,
    /// as long as there are some.
    pub memory_mb: u32,
    /// What of DPDK's log is wanted.
    pub log_level: LogLevel,
    /// Further EAL options, for what has no field here.
    pub extra: Vec<String>,
}

impl Default for EalArgs {
    fn default() -> Self {
        Self {
            cpus: Vec::new(),
            file_prefix: None,
            pci: Vec::new(),
            vdevs: Vec::new(),
            memory: MemoryPolicy::Auto,
            memory_mb: 256,
            log_level: LogLevel::Notice,
            extra: Vec::new(),
        }
    }
}

/// Which memory EAL is to use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MemoryPolicy {
    /// Huge pages when enough are free, else plain memory; [`Error::NoHugepages`] if they are taken meanwhile.
    #[default]
    Auto,
    /// Huge pages, or an error.
    Huge,
    /// Plain memory.
    Plain,
}

/// The memory that EAL got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Memory {
    /// Huge pages without files: nothing is left behind, however the process ends.
    Huge,
    /// Pages of the usual size. Tables larger than the TLB's reach cost more.
    Plain,
}

/// The least severe of DPDK's messages that is passed on to `tracing`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum LogLevel {
    /// Errors only.
    Error = sys::RTE_LOG_ERR,
    /// And warnings.
    Warning = sys::RTE_LOG_WARNING,
    /// And what is normal but notable.
    Notice = sys::RTE_LOG_NOTICE,
    /// And progress.
    Info = sys::RTE_LOG_INFO,
    /// Everything.
    Debug = sys::RTE_LOG_DEBUG,
}

/// The version of the DPDK that is linked, as in `DPDK 22.11.11`.
#[must_use]
pub fn version() -> &'static str {
    // SAFETY: DPDK returns a constant string.
    unsafe { CStr::from_ptr(sys::shim_version()) }
        .to_str()
        .unwrap_or("DPDK")
}

/// EAL, initialised. Clones are handles to the same one.
///
/// Ports and pools hold a handle; when the last is gone, EAL is cleaned up and its runtime folder
/// removed. Buffers that outlive everything else keep the memory mapped instead. The folder goes at
/// the exit of the process in any case, unless a signal kills it.
#[derive(Debug, Clone)]
pub struct Eal(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    memory: Memory,
    /// Bit n: somebody has port n.
    claimed: AtomicU64,
    /// Opening and closing of ports, one at a time.
    ports: Mutex<()>,
    /// DPDK keeps pointers into these.
    _argv: Vec<CString>,
}

static INITIALISED: AtomicBool = AtomicBool::new(false);

impl Eal {
    /// Initialises EAL. The calling thread becomes DPDK's main lcore and stays unpinned.
    ///
    /// # Errors
    /// [`Error::AlreadyInitialised`], [`Error::NoHugepages`], [`Error::Permission`],
    /// [`Error::BadArgument`], or what else DPDK says.
    pub fn init(args: &EalArgs) -> Result<Self, Error> {
        let memory = choose_memory(args)?;
        let prefix = match &args.file_prefix {
            Some(prefix) => prefix.clone(),
            None => format!("tidewheel-{}", process::id()),
        };
        let argv = argv(args, &prefix, memory)?;
        if INITIALISED.swap(true, Ordering::SeqCst) {
            return Err(Error::AlreadyInitialised);
        }
        let guard = Retry;
        let folder_was_there = runtime_folder(&prefix).exists();
        log::install()?;

        let mut pointers: Vec<*mut c_char> =
            argv.iter().map(|arg| arg.as_ptr().cast_mut()).collect();
        let argc = pointers.len() as c_int;
        pointers.push(std::ptr::null_mut());
        let ((ret, errno), log) = log::watch(|| {
            // SAFETY: argc strings and a null pointer; EAL permutes the array but not the strings,
            // which live as long as EAL does.
            let ret = unsafe { sys::rte_eal_init(argc, pointers.as_mut_ptr()) };
            // SAFETY: reads a thread-local variable.
            (ret, unsafe { sys::shim_errno() })
        });
        if ret < 0 {
            if !folder_was_there {
                remove_folder(&runtime_folder(&prefix));
            }
            return Err(explain(errno, args, memory, log));
        }
        std::mem::forget(guard);
        // SAFETY: returns a string that lives as long as EAL.
        let folder = unsafe { CStr::from_ptr(sys::rte_eal_get_runtime_dir()) };
        let folder = folder.to_str().ok().map(PathBuf::from);
        if let Some(folder) = folder {
            remove_at_exit(folder);
        }
        Ok(Self(Arc::new(Inner {
            memory,
            claimed: AtomicU64::new(0),
            ports: Mutex::new(()),
            _argv: argv,
        })))
    }

    /// Which memory packet buffers live in.
    #[must_use]
    pub fn memory(&self) -> Memory {
        self.0.memory
    }

    /// Ticks of [`crate::tsc`] a second.
    #[must_use]
    pub fn tsc_hz(&self) -> u64 {
        // SAFETY: EAL is initialised, so the frequency is known.
        unsafe { sys::rte_get_tsc_hz() }
    }

    /// Holds off others who open or close ports.
    pub(crate) fn lock_ports(&self) -> std::sync::MutexGuard<'_, ()> {
        self.0.ports.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the caller the owner of a port; false when it has one.
    pub(crate) fn claim(&self, port: u16) -> bool {
        match 1u64.checked_shl(port.into()) {
            Some(bit) => self.0.claimed.fetch_or(bit, Ordering::AcqRel) & bit == 0,
            None => false,
        }
    }

    pub(crate) fn is_claimed(&self, port: u16) -> bool {
        1u64.checked_shl(port.into())
            .is_none_or(|bit| self.0.claimed.load(Ordering::Acquire) & bit != 0)
    }

    pub(crate) fn release(&self, port: u16) {
        if let Some(bit) = 1u64.checked_shl(port.into()) {
            self.0.claimed.fetch_and(!bit, Ordering::AcqRel);
        }
    }

    /// Keeps EAL's memory mapped to the end of the process, because something still points into it.
    pub(crate) fn keep_forever(&self) {
        std::mem::forget(self.clone());
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // Else the memory goes with the process; its files are in memory or removed below.
        if !interrupt::HANDLERS_LINGER.load(Ordering::Acquire) {
            // SAFETY: nothing made from EAL is left, since everything holds a handle.
            let ret = unsafe { sys::rte_eal_cleanup() };
            if ret != 0 {
                tracing::warn!("rte_eal_cleanup failed: {ret}");
            }
        }
        remove_now();
    }
}

/// Lets a failed initialisation be tried again, as far as DPDK allows it.
struct Retry;

impl Drop for Retry {
    fn drop(&mut self) {
        INITIALISED.store(false, Ordering::SeqCst);
    }
}

fn choose_memory(args: &EalArgs) -> Result<Memory, Error> {
    let needed_mb = u64::from(args.memory_mb);
    let free_mb = hugepages::free_bytes() >> 20;
    match args.memory {
        MemoryPolicy::Plain => Ok(Memory::Plain),
        _ if free_mb > 0 && free_mb >= needed_mb => Ok(Memory::Huge),
        MemoryPolicy::Auto => Ok(Memory::Plain),
        MemoryPolicy::Huge => Err(Error::NoHugepages { needed_mb, free_mb }),
    }
}

fn argv(args: &EalArgs, prefix: &str, memory: Memory) -> Result<Vec<CString>, Error> {
    if prefix.is_empty() || prefix.contains('/') || prefix.starts_with('.') {
        return Err(Error::BadArgument(format!(
            "`{prefix}` cannot be the file prefix: it names a folder"
        )));
    }
    if args.memory_mb == 0 {
        return Err(Error::BadArgument(
            "EAL needs memory: 0 MiB are too few".into(),
        ));
    }
    let cpus = match args.cpus.as_slice() {
        [] => allowed_cpus()?,
        cpus => cpus.to_vec(),
    };
    let cpus: Vec<String> = cpus.iter().map(usize::to_string).collect();
    let mut argv = vec![
        prefix.to_owned(),
        // One lcore that floats over all CPUs: workers are threads of our own, registered later.
        "--lcores".into(),
        format!("0@({})", cpus.join(",")),
        "--file-prefix".into(),
        prefix.to_owned(),
        // Its socket is a file and a thread that nobody here uses.
        "--no-telemetry".into(),
        "--log-level".into(),
        (args.log_level as u32).to_string(),
        "-m".into(),
        args.memory_mb.to_string(),
    ];
    match memory {
        // No files in hugetlbfs, no mount needed, nothing left behind by a crash.
        Memory::Huge => argv.push("--in-memory".into()),
        // DPDK 22.11 refuses --no-huge together with --in-memory; this avoids the files that it can.
        Memory::Plain => argv.extend(["--no-huge".into(), "--no-shconf".into()]),
    }
    if args.pci.is_empty() {
        argv.push("--no-pci".into());
    }
    for device in &args.pci {
        argv.extend(["-a".into(), device.clone()]);
    }
    for device in &args.vdevs {
        argv.extend(["--vdev".into(), device.clone()]);
    }
    argv.extend(args.extra.iter().cloned());
    argv.into_iter()
        .map(|arg| {
            CString::new(arg).map_err(|_| Error::BadArgument("an EAL argument contains NUL".into()))
        })
        .collect()
}

fn explain(errno: i32, args: &EalArgs, memory: Memory, log: String) -> Error {
    let no_hugepages = Error::NoHugepages {
        needed_mb: args.memory_mb.into(),
        free_mb: hugepages::free_bytes() >> 20,
    };
    match errno {
        libc::EALREADY => Error::AlreadyInitialised,
        _ if log.contains("Cannot get hugepage information") => no_hugepages,
        // They were free when they were counted: somebody else was faster. EAL cannot be tried again in
        // this process, so not even `MemoryPolicy::Auto` gets plain memory: that is for another process.
        libc::ENOMEM if memory == Memory::Huge => no_hugepages,
        libc::EACCES | libc::EPERM => Error::Permission {
            what: "initialising DPDK".into(),
            log,
        },
        libc::ENODEV if !args.vdevs.is_empty() => Error::BadDevargs {
            devargs: args.vdevs.join(" "),
            log,
        },
        _ => Error::Dpdk {
            call: "rte_eal_init",
            errno,
            log,
        },
    }
}

/// Where EAL puts its runtime folder: the rules are those of DPDK's Linux EAL parameters.
fn runtime_folder(prefix: &str) -> PathBuf {
    let set = |name| env::var_os(name).map(PathBuf::from);
    // SAFETY: always succeeds.
    let root = unsafe { libc::getuid() } == 0;
    let base = match set("RUNTIME_DIRECTORY") {
        Some(folder) => folder,
        None if root => PathBuf::from("/var/run"),
        None => set("XDG_RUNTIME_DIR").unwrap_or_else(|| PathBuf::from("/tmp")),
    };
    base.join("dpdk").join(prefix)
}

/// The runtime folder of this process.
static RUNTIME_FOLDER: Mutex<Option<PathBuf>> = Mutex::new(None);

/// Removes `folder` when the process exits, if EAL has not been cleaned up before: handles may be in
/// statics, and `exit` runs no destructors.
fn remove_at_exit(folder: PathBuf) {
    *RUNTIME_FOLDER
        .lock()
        .unwrap_or_else(PoisonError::into_inner) = Some(folder);
    // SAFETY: the handler does not unwind. When it cannot be registered, the folder stays.
    unsafe { libc::atexit(at_exit) };
}

extern "C" fn at_exit() {
    remove_now();
}

fn remove_now() {
    let folder = RUNTIME_FOLDER
        .try_lock()
        .ok()
        .and_then(|mut folder| folder.take());
    if let Some(folder) = folder {
        remove_folder(&folder);
    }
}

fn remove_folder(folder: &std::path::Path) {
    match fs::remove_dir_all(folder) {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => tracing::warn!("cannot remove {}: {error}", folder.display()),
    }
}

#[cfg(test)]
mod tests;
