//! What `serve` and `bench` ask of DPDK's environment, and the secrets that both need.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::{env, process};

use anyhow::{Context as _, bail};
use runtime::hugepages::{self, Reservation, Turn};
use runtime::{DpdkError, Eal, EalArgs, HeldSignals, Memory, MemoryPolicy};
use stack::Secrets;

use crate::config::Hugepages;

/// Set for a program that started anew because huge pages were free and could not be had.
const ORDINARY_PAGES: &str = "TIDEWHEEL_ORDINARY_PAGES";

/// DPDK's environment, and the huge pages that were reserved for it.
pub struct Environment {
    /// EAL.
    pub eal: Eal,
    // After EAL, so that its pages are free when they are given back.
    _reservation: Option<Reservation>,
    // Last: while there is something to be left behind, no signal ends the process on the spot.
    held: HeldSignals,
}

impl Environment {
    /// Initialises EAL with `memory_mb` MiB, and says on standard error when that is not on huge
    /// pages although it might have been.
    ///
    /// # Errors
    /// What DPDK says, with its remedy.
    pub fn new(hugepages: Hugepages, memory_mb: u32, pci: Vec<String>) -> anyhow::Result<Self> {
        let hugepages = match hugepages {
            Hugepages::Auto if env::var_os(ORDINARY_PAGES).is_some() => Hugepages::No,
            hugepages => hugepages,
        };
        let held = HeldSignals::hold()?;
        // Until DPDK has mapped its pages, so that two programs started at once do not both count the
        // same ones as theirs.
        let turn = (hugepages != Hugepages::No).then(hugepages::take_turn);
        let reservation = turn.as_ref().and_then(|turn| reserve(memory_mb, turn));
        let args = EalArgs {
            memory: match hugepages {
                Hugepages::Auto => MemoryPolicy::Auto,
                Hugepages::No => MemoryPolicy::Plain,
                Hugepages::Required => MemoryPolicy::Huge,
            },
            memory_mb,
            pci,
            ..EalArgs::default()
        };
        let started = Eal::init(&args);
        drop(turn);
        let eal = match started {
            Ok(eal) => eal,
            Err(DpdkError::NoHugepages { .. }) if hugepages == Hugepages::Auto => {
                drop((reservation, held));
                return Err(start_anew());
            }
            Err(error @ DpdkError::NoHugepages { .. }) => {
                return Err(anyhow::Error::new(error)
                    .context("DPDK did not start (--hugepages no does without)"));
            }
            Err(error) => return Err(anyhow::Error::new(error).context("DPDK did not start")),
        };
        if hugepages == Hugepages::Auto && eal.memory() == Memory::Plain {
            let _ = writeln!(
                io::stderr(),
                "tidewheel: no huge pages: packet buffers are on ordinary pages, which is slower \
                 (as root, or with pages reserved, they would be used)"
            );
        }
        Ok(Environment {
            eal,
            _reservation: reservation,
            held,
        })
    }

    /// To be asked where no control thread listens to signals.
    ///
    /// # Errors
    /// SIGINT or SIGTERM has come since the start.
    pub fn go_on(&self) -> anyhow::Result<()> {
        if self.held.came() {
            bail!("stopped by a signal");
        }
        Ok(())
    }
}

/// Another process took the huge pages between the look and DPDK's start, which cannot be tried twice in
/// a process: this program from its beginning, without them. Returns only why it cannot.
fn start_anew() -> anyhow::Error {
    let _ = writeln!(
        io::stderr(),
        "tidewheel: huge pages were free and could not be had (another process was faster, or a limit \
         forbids them): starting anew on ordinary pages, which is slower"
    );
    let mut arguments = env::args_os();
    let name = arguments.next().unwrap_or_default();
    let error = process::Command::new("/proc/self/exe")
        .arg0(name)
        .args(arguments)
        .env(ORDINARY_PAGES, "1")
        .exec();
    anyhow::Error::new(error).context("cannot start anew (--hugepages no does without)")
}

/// Reserves the huge pages that are missing, if this process may. Not to get them is no error
/// here: whether that matters is the policy's to say.
fn reserve(memory_mb: u32, turn: &Turn) -> Option<Reservation> {
    let missing = (u64::from(memory_mb) << 20).saturating_sub(hugepages::free_bytes());
    let pages = missing.div_ceil(2 << 20);
    (pages > 0)
        .then(|| hugepages::reserve(pages, turn).ok())
        .flatten()
}

/// Bytes from the operating system's generator.
///
/// # Errors
/// It cannot be read.
pub fn random<const N: usize>() -> anyhow::Result<[u8; N]> {
    let mut bytes = [0; N];
    File::open("/dev/urandom")
        .and_then(|mut file| file.read_exact(&mut bytes))
        .context("cannot read /dev/urandom")?;
    Ok(bytes)
}

/// Secrets of which the one of sequence numbers is given, and the other new.
///
/// # Errors
/// No randomness.
pub fn secrets(isn: [u8; 32]) -> anyhow::Result<Secrets> {
    let table: [u8; 16] = random()?;
    let (a, b) = table.split_at(8);
    let word = |bytes: &[u8]| {
        bytes
            .iter()
            .fold(0, |word, byte| word << 8 | u64::from(*byte))
    };
    Ok(Secrets {
        isn: tcp::isn::Secret::new(isn),
        table: [word(a), word(b)],
    })
}
