//! What the unit tests share: EAL exists once in a process.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use dpdk::{Eal, EalArgs, MemoryPolicy, Mempool, MempoolArgs};

/// EAL with plain memory.
pub(crate) fn eal() -> &'static Eal {
    static EAL: OnceLock<Eal> = OnceLock::new();
    EAL.get_or_init(|| {
        let args = EalArgs {
            memory: MemoryPolicy::Plain,
            memory_mb: 64,
            ..EalArgs::default()
        };
        Eal::init(&args).expect("EAL")
    })
}

/// A pool of 1023 buffers.
pub(crate) fn pool(frame_room: u16) -> Mempool {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let args = MempoolArgs {
        name: format!("test{}", NUMBER.fetch_add(1, Ordering::Relaxed)),
        n: 1023,
        frame_room,
        ..MempoolArgs::default()
    };
    Mempool::new(eal(), &args).expect("a pool")
}
