//! The table of this project.

use tcp::time::Instant;
use tcp::time_wait::{AnchorId, KeyV4, Pages, Table, V4};
use tidewheel_benches::tables::{entry, hash_of, key, table, v4};
use wire::{Ip, Seq};

use crate::contender::{Contender, TIME_WAIT_MS};

/// The table of this project.
pub(crate) struct Ours {
    table: Table<V4>,
    anchor: AnchorId,
    now: Instant,
    step_ns: f64,
    elapsed_ns: f64,
}

impl Ours {
    pub(crate) fn new(n: usize) -> Ours {
        let (table, anchor) = table(n, TIME_WAIT_MS, Pages::Transparent, Ip::v4([10, 0, 0, 1]));
        Ours {
            table,
            anchor,
            now: Instant::ZERO,
            step_ns: TIME_WAIT_MS as f64 * 1e6 / n as f64,
            elapsed_ns: 0.0,
        }
    }

    fn key(&self, name: u64) -> KeyV4 {
        key::<V4>(self.anchor, name, v4)
    }
}

impl Contender for Ours {
    fn name(&self) -> &'static str {
        "table"
    }

    fn prepare(&mut self, burst: &[(u64, u64)]) {
        for &(_, hash) in burst {
            self.table.prefetch(hash);
        }
        for &(_, hash) in burst {
            self.table.prefetch_next(hash);
        }
    }

    #[inline(always)]
    fn insert(&mut self, name: u64, hash: u64) {
        let key = self.key(name);
        self.table.insert(hash, &key, &entry(name), self.now);
    }

    #[inline(always)]
    fn hit(&mut self, name: u64, hash: u64, ts: Option<u32>) -> Option<Seq> {
        let key = self.key(name);
        let slot = self.table.find(hash, &key, self.now)?;
        if let Some(ts) = ts {
            self.table.set_ts_recent(slot, ts);
        }
        Some(self.table.entry(slot).rcv_nxt)
    }

    #[inline(always)]
    fn remove(&mut self, name: u64, hash: u64) -> Option<Seq> {
        let key = self.key(name);
        let slot = self.table.find(hash, &key, self.now)?;
        let rcv_nxt = self.table.entry(slot).rcv_nxt;
        self.table.remove(slot);
        Some(rcv_nxt)
    }

    fn wait(&mut self, connections: usize) {
        self.expire(connections);
    }

    fn expire(&mut self, connections: usize) {
        self.elapsed_ns += self.step_ns * connections as f64;
        self.now = Instant::from_nanos(self.elapsed_ns as u64);
        self.table.sweep(self.now, usize::MAX, hash_of);
    }

    fn bytes(&self) -> usize {
        assert_eq!(self.table.stats().evicted_probe, 0);
        assert_eq!(self.table.stats().lost, 0);
        assert_eq!(self.table.stats().evicted_capacity, 0);
        self.table.allocated_bytes()
    }
}
