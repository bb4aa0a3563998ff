//! A memif link between two processes: this program, and itself started again as the client, which sends
//! back what it receives.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use std::{env, fs, process};

use anyhow::{Context, Result, ensure};
use dpdk::memif::{self, MemifArgs, Role, Socket};
use dpdk::{Eal, EalArgs, MbufCache, MemoryPolicy, Mempool, MempoolArgs, Port, PortConfig, Queues};

/// How the other process is told where to connect.
const SOCKET: &str = "DPDK_TEST_MEMIF_SOCKET";
/// Frames sent forth and back.
const FRAMES: u32 = 100;
/// Nothing here takes long.
const PATIENCE: Duration = Duration::from_secs(10);

/// Releases whose memif driver carries nothing between two processes, and crashes as a server: DPDK's own
/// testpmd shows the same. Within a process it works.
const BROKEN: [&str; 2] = ["DPDK 24.11.", "DPDK 25.11."];

fn main() -> Result<()> {
    let version = dpdk::version();
    if BROKEN.iter().any(|broken| version.starts_with(broken)) {
        println!("skipped: memif between two processes does not work in {version}");
        return Ok(());
    }
    match env::var_os(SOCKET) {
        Some(socket) => client(Path::new(&socket)),
        None => server(),
    }
}

/// One end of the link, started and up.
struct End {
    _port: Port,
    queues: Queues,
    mbufs: MbufCache,
}

fn end(eal: &Eal, role: Role, socket: &Path, peer: impl FnOnce() -> Result<()>) -> Result<End> {
    let pool = Mempool::new(eal, &MempoolArgs::default())?;
    let args = MemifArgs::new(role, Socket::Path(socket.to_owned()), 0);
    let mut port = memif::open(eal, &args)?;
    let queues = port.start(&PortConfig::default(), std::slice::from_ref(&pool))?;
    peer()?;
    ensure!(
        port.wait_for_link(PATIENCE)?.up,
        "{role}: the link stays down"
    );
    Ok(End {
        _port: port,
        queues,
        mbufs: MbufCache::new(&pool),
    })
}

fn eal() -> Result<Eal> {
    Ok(Eal::init(&EalArgs {
        memory: MemoryPolicy::Plain,
        memory_mb: 64,
        ..EalArgs::default()
    })?)
}

fn server() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let socket = folder.path().join("memif.sock");
    let eal = eal()?;
    let mut child = None;
    let mut end = end(&eal, Role::Server, &socket, || {
        let program = env::current_exe()?;
        child = Some(Command::new(program).env(SOCKET, &socket).spawn()?);
        Ok(())
    })?;
    let mut child = child.context("the client was not started")?;

    let start = Instant::now();
    let mut received = Vec::with_capacity(32);
    for number in 0..FRAMES {
        let mut frame = end.mbufs.alloc().context("no buffer")?;
        let octets = frame.append(60).context("no room")?;
        octets.fill(number as u8);
        let mut frames = vec![frame];
        while end.queues.tx[0].tx_burst(&mut frames) == 0 {
            ensure!(start.elapsed() < PATIENCE, "the client takes nothing");
        }
        while end.queues.rx[0].rx_burst(&mut received) == 0 {
            ensure!(
                start.elapsed() < PATIENCE,
                "frame {number} did not come back"
            );
        }
        ensure!(received.len() == 1 && received[0][..] == [number as u8; 60]);
        end.mbufs.free_all(&mut received);
    }
    ensure!(child.wait()?.success(), "the client failed");
    ensure!(
        runtime_folders(child.id()).is_empty(),
        "the client left its folder"
    );
    println!("memif between two processes: {FRAMES} frames forth and back");
    Ok(())
}

fn client(socket: &Path) -> Result<()> {
    let eal = eal()?;
    ensure!(
        !runtime_folders(process::id()).is_empty(),
        "EAL has no folder"
    );
    let mut end = end(&eal, Role::Client, socket, || Ok(()))?;
    let start = Instant::now();
    let mut frames = Vec::with_capacity(32);
    let mut returned = 0;
    while returned < FRAMES as usize {
        end.queues.rx[0].rx_burst(&mut frames);
        returned += end.queues.tx[0].tx_burst(&mut frames);
        ensure!(start.elapsed() < PATIENCE, "only {returned} frames came");
    }
    // The server may not have taken the last one yet, and the memory it is in goes with this process.
    std::thread::sleep(Duration::from_secs(1));
    Ok(())
}

/// Folders of EAL for a process, wherever it puts them.
fn runtime_folders(pid: u32) -> Vec<PathBuf> {
    let bases = [
        Some("/var/run".into()),
        Some("/tmp".into()),
        env::var_os("XDG_RUNTIME_DIR"),
    ];
    let folders = bases.into_iter().flatten();
    folders
        .map(|base| PathBuf::from(base).join(format!("dpdk/tidewheel-{pid}")))
        .filter(|folder| fs::exists(folder).unwrap_or(false))
        .collect()
}
