//! The table of this project.

use tcp::time::Instant;
use tcp::time_wait::{
    Anchor, AnchorId, ClassId, Config, Entry, Family, KeyV4, Pages, Side, Table, V4,
};
use tidewheel_benches::hash;
use wire::{Ip, Seq};

use crate::contender::{Contender, TIME_WAIT_MS, rcv_nxt};

/// The table of this project.
pub(crate) struct Ours {
    table: Table<V4>,
    anchor: AnchorId,
    now: Instant,
    step_ns: f64,
    elapsed_ns: f64,
}

impl Ours {
    fn key(&self, name: u64) -> KeyV4 {
        let ip = Ip::v4((name as u32).to_be_bytes());
        V4::key(self.anchor, ip, (name >> 32) as u16).expect("an IPv4 address")
    }
}

impl Ours {
    pub(crate) fn new(n: usize) -> Ours {
        let config = Config {
            capacity: n,
            durations_ms: vec![TIME_WAIT_MS],
            pages: Pages::Transparent,
        };
        let mut table = Table::new(&config, Instant::ZERO).expect("memory for the table");
        let anchor = table
            .add_anchor(Anchor {
                side: Side::Local,
                ip: Ip::v4([10, 0, 0, 1]),
                port: 80,
                class: ClassId(0),
                fin_wait2_class: ClassId(0),
                window: 65_535,
                window_shift: 0,
            })
            .expect("room for an anchor");
        Ours {
            table,
            anchor,
            now: Instant::ZERO,
            step_ns: TIME_WAIT_MS as f64 * 1e6 / n as f64,
            elapsed_ns: 0.0,
        }
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
        let entry = Entry {
            rcv_nxt: rcv_nxt(name),
            snd_nxt: Seq(name as u32),
            ts_recent: Some(7),
            ..Entry::default()
        };
        let key = self.key(name);
        self.table.insert(hash, &key, &entry, self.now);
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
        self.table.sweep(self.now, usize::MAX, |t| {
            let ip = u32::from_be_bytes(t.remote.v4_octets());
            hash(u64::from(ip) | u64::from(t.remote_port) << 32)
        });
    }

    fn bytes(&self) -> usize {
        assert_eq!(self.table.stats().evicted_probe, 0);
        assert_eq!(self.table.stats().lost, 0);
        assert_eq!(self.table.stats().evicted_capacity, 0);
        self.table.allocated_bytes()
    }
}
