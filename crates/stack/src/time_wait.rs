//! TIME-WAIT around the table and the rules of `tcp::time_wait`: entering, what a segment meets
//! there, recycling, expiry, and reuse by an active open.

use tcp::time::Instant;
use tcp::time_wait::{
    Anchor, ClassId, Config as TableConfig, Entry, Inserted, Pages, Slot, Table, V4,
};
use tcp::{Config as TcpConfig, Segment};
use wire::{FourTuple, Seq};

use crate::application::{Application, DestinationId};
use crate::config::{Config, ConfigError};
use crate::core::{Core, Fixed};
use crate::frame::FramePool;
use crate::parse::TcpFrame;
use crate::stack::Stack;
use crate::tuples::LastUse;

/// Cache lines of the table that one turn of the loop sweeps at most. At ten thousand turns a
/// second that walks a hundred million entries four times in a minute.
const SWEEP_BUDGET: usize = 512;

/// TIME-WAIT entries of every family, with the sockets that they belong to.
pub(crate) struct TimeWait {
    v4: Table<V4>,
}

impl TimeWait {
    pub(crate) fn new(
        config: &Config,
        fixed: &[Fixed],
        tcp_configs: &[TcpConfig],
    ) -> Result<TimeWait, ConfigError> {
        let mut durations_ms: Vec<u64> = fixed.iter().map(|f| f.length_ms.into()).collect();
        durations_ms.sort_unstable();
        durations_ms.dedup();
        if durations_ms.is_empty() {
            durations_ms.push(0);
        }
        let table = TableConfig {
            capacity: config.time_wait_capacity,
            durations_ms: durations_ms.clone(),
            pages: Pages::default(),
        };
        let error = |e: &dyn core::fmt::Display| ConfigError::TimeWait(e.to_string());
        let mut v4 = Table::new(&table, Instant::ZERO).map_err(|e| error(&e))?;
        for f in fixed {
            let class = durations_ms
                .iter()
                .position(|&ms| ms == u64::from(f.length_ms));
            let tcp = &tcp_configs[usize::from(f.config)];
            v4.add_anchor(Anchor {
                side: f.side,
                ip: f.ip,
                port: f.port,
                class: ClassId(class.unwrap_or(0) as u8),
                window: tcp.rcv_buf,
                window_shift: tcp.rcv_wind_shift(),
            })
            .map_err(|e| error(&e))?;
        }
        Ok(TimeWait { v4 })
    }

    #[inline]
    pub(crate) fn prefetch(&self, hash: u64) {
        self.v4.prefetch(hash);
    }

    pub(crate) fn live(&self) -> usize {
        self.v4.live()
    }

    pub(crate) fn allocated_bytes(&self) -> usize {
        self.v4.allocated_bytes()
    }

    #[inline]
    fn find(&mut self, hash: u64, tuple: &FourTuple, now: Instant) -> Option<Slot> {
        let key = self.v4.key(tuple)?;
        self.v4.find(hash, &key, now)
    }
}

impl Core {
    /// Moves a connection in TIME-WAIT from its slot to the table. `false`: its length is 0.
    pub(crate) fn enter_time_wait(&mut self, index: u32, now: Instant) -> bool {
        let slot = self.slab.get(index);
        let Some(key) = self.time_wait.v4.key(&slot.tuple) else {
            return false;
        };
        let info = slot.conn.time_wait();
        let entry = Entry {
            rcv_nxt: info.rcv_nxt,
            snd_nxt: info.snd_nxt,
            ts_recent: info.ts_recent,
        };
        let inserted = self.time_wait.v4.insert(slot.hash, &key, &entry, now);
        match inserted {
            Inserted::NotKept => return false,
            Inserted::Evicted(..) => self.counters.host.time_wait_evicted += 1,
            Inserted::Placed(_) | Inserted::Replaced(_) => {}
        }
        self.counters.host.time_wait_entered += 1;
        true
    }

    /// The ISS for an active open of a pair with this last use, or when it may be used.
    pub(crate) fn may_reuse(
        &mut self,
        id: DestinationId,
        tuple: &FourTuple,
        hash: u64,
        last: Option<LastUse>,
        now: Instant,
    ) -> Result<Seq, Option<Instant>> {
        let clock = self.clock_isn(tuple, now);
        let Some(last) = last else {
            return Ok(clock);
        };
        if last.time_wait
            && let Some(slot) = self.time_wait.find(hash, tuple, now)
        {
            let config = self.destinations[usize::from(id.0)].time_wait;
            let timestamps = self.time_wait.v4.entry(slot).ts_recent.is_some();
            let expiry = self.time_wait.v4.expires_at(slot);
            let from = match config.local_reuse_ms {
                Some(ms) if timestamps => last.at.plus_millis(ms.into()).min(expiry),
                _ => expiry,
            };
            if now < from {
                return Err(Some(from));
            }
            self.time_wait.v4.remove(slot);
            self.counters.host.time_wait_local_reuse += 1;
        }
        Ok(client_isn(last.snd_nxt, clock))
    }
}

impl Core {
    /// Ends entries whose time is over: a bounded slice of the table a turn.
    pub(crate) fn expire_time_wait(&mut self, now: Instant) {
        let key = self.key;
        let expired = self
            .time_wait
            .v4
            .sweep(now, SWEEP_BUDGET, |tuple| key.flow(tuple));
        self.counters.host.time_wait_expired += expired as u64;
    }
}

impl<A: Application, P: FramePool> Stack<A, P> {
    /// What a segment for a four-tuple in TIME-WAIT meets. `false`: there is no such entry.
    pub(crate) fn on_time_wait(
        &mut self,
        now: Instant,
        frame: &TcpFrame,
        segment: &Segment<'_>,
    ) -> bool {
        let Some(_slot) = self.core.time_wait.find(frame.hash, &frame.tuple, now) else {
            return false;
        };
        let _ = segment;
        true
    }
}

fn client_isn(last: Seq, clock: Seq) -> Seq {
    if clock.ge(last) { clock } else { last + 1 }
}
