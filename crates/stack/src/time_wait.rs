//! TIME-WAIT around the table and the rules of `tcp::time_wait`: entering, what a segment meets
//! there, recycling, expiry, and reuse by an active open.

use ::core::time::Duration;

use tcp::time::Instant;
use tcp::time_wait::isn::{GAP, GAP_WITH_TIMESTAMPS};
use tcp::time_wait::{
    self, AckLimiter, AckLimits, AckReason, Anchor, Arrived, ClassId, Config as TableConfig,
    DropReason, Entry, Family, Inserted, Known, Pages, Permit, Recycle, Rules, Slot, Table, V4,
    Verdict, decide,
};
use tcp::{Config as TcpConfig, Segment};
use wire::tcp::{Flags, Header, Options, Timestamps};
use wire::{FourTuple, Seq};

use crate::application::{Application, DestinationId};
use crate::config::{Config, ConfigError, TimeWaitConfig};
use crate::core::{Core, Fixed, ts_clock};
use crate::frame::FramePool;
use crate::parse::Parsed;
use crate::stack::Stack;
use crate::tuples::LastUse;

/// Cache lines of the table that one turn of the loop sweeps at most. At ten thousand turns a
/// second that walks a hundred million entries four times in a minute.
const SWEEP_BUDGET: usize = 512;

/// TIME-WAIT entries of every family, with the sockets that they belong to.
pub(crate) struct TimeWait {
    v4: Table<V4>,
    /// The protocol's parameters of each anchor.
    configs: Vec<u16>,
    /// The lengths in use, by class.
    durations_ms: Vec<u64>,
    acks: AckLimiter,
}

/// An entry, and what its socket says of it.
struct Found {
    slot: Slot,
    window: u32,
    window_field: u16,
    config: u16,
}

impl TimeWait {
    pub(crate) fn new(
        config: &Config,
        fixed: &[Fixed],
        tcp_configs: &[TcpConfig],
        seed: u64,
    ) -> Result<TimeWait, ConfigError> {
        let mut durations_ms: Vec<u64> = fixed
            .iter()
            .map(|f| f.length_ms)
            .chain(config.time_wait_lengths_ms.iter().copied())
            .map(u64::from)
            .collect();
        durations_ms.sort_unstable();
        durations_ms.dedup();
        if durations_ms.is_empty() {
            durations_ms.push(0);
        }
        let limits = AckLimits {
            per_second: config.control_replies_per_second,
            ..AckLimits::default()
        };
        let table = TableConfig {
            capacity: config.time_wait_capacity,
            durations_ms: durations_ms.clone(),
            pages: Pages::default(),
        };
        let error = |e: &dyn core::fmt::Display| ConfigError::TimeWait(e.to_string());
        let v4 = Table::new(&table, Instant::ZERO).map_err(|e| error(&e))?;
        let mut time_wait = TimeWait {
            v4,
            configs: Vec::new(),
            durations_ms,
            acks: AckLimiter::new(&limits, seed, Instant::ZERO),
        };
        for f in fixed {
            time_wait.add_fixed(f, &tcp_configs[usize::from(f.config)])?;
        }
        Ok(time_wait)
    }

    /// Makes the fixed side of four-tuples known; one that is known already stays what it was.
    pub(crate) fn add_fixed(&mut self, f: &Fixed, tcp: &TcpConfig) -> Result<(), ConfigError> {
        let class = self
            .durations_ms
            .iter()
            .position(|&ms| ms == u64::from(f.length_ms))
            .ok_or(ConfigError::UnknownTimeWait(f.length_ms))?;
        let anchor = Anchor {
            side: f.side,
            ip: f.ip,
            port: f.port,
            class: ClassId(class as u8),
            window: tcp.rcv_buf,
            window_shift: tcp.rcv_wind_shift(),
        };
        let id = self
            .v4
            .add_anchor(anchor)
            .map_err(|e| ConfigError::TimeWait(e.to_string()))?;
        if id.index() == self.configs.len() {
            self.configs.push(f.config);
        }
        Ok(())
    }

    /// When the entry of a four-tuple expires.
    pub(crate) fn until(&mut self, hash: u64, tuple: &FourTuple, now: Instant) -> Option<Instant> {
        let found = self.find(hash, tuple, now)?;
        Some(self.v4.expires_at(found.slot))
    }

    #[inline]
    pub(crate) fn prefetch(&self, hash: u64) {
        self.v4.prefetch(hash);
    }

    /// The next line, where the first overflowed: once the whole burst's first lines are on the way.
    #[inline]
    pub(crate) fn prefetch_next(&self, hash: u64) {
        self.v4.prefetch_next(hash);
    }

    /// When a slice of the table is to be swept.
    pub(crate) fn next_sweep(&self) -> Option<Instant> {
        self.v4.next_sweep(SWEEP_BUDGET)
    }

    pub(crate) fn live(&self) -> usize {
        self.v4.live()
    }

    pub(crate) fn allocated_bytes(&self) -> usize {
        self.v4.allocated_bytes()
    }

    #[inline]
    fn find(&mut self, hash: u64, tuple: &FourTuple, now: Instant) -> Option<Found> {
        let key = self.v4.key(tuple)?;
        let slot = self.v4.find(hash, &key, now)?;
        let anchor = self.v4.anchor(&key)?;
        Some(Found {
            slot,
            window: anchor.window,
            window_field: anchor.window_field(),
            config: *self.configs.get(V4::parts(&key).0.index())?,
        })
    }

    /// A receive burst begins: an entry gets at most one acknowledgment in it.
    pub(crate) fn begin_burst(&mut self) {
        self.acks.begin_burst();
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

    /// The ISS for an active open of a pair with this last use, or when it may be used. `clock` is
    /// the ISN that the clock gives.
    pub(crate) fn may_reuse(
        &mut self,
        id: DestinationId,
        tuple: &FourTuple,
        hash: u64,
        last: Option<LastUse>,
        clock: Seq,
        now: Instant,
    ) -> Result<Seq, Instant> {
        let Some(last) = last else {
            return Ok(clock);
        };
        if last.time_wait {
            let config = self.destinations[usize::from(id.0)].time_wait;
            self.end_time_wait(hash, tuple, &config, Some(last.at), now)?;
        }
        let gap = match last.tsval {
            Some(_) => GAP_WITH_TIMESTAMPS,
            None => GAP,
        };
        Ok(time_wait::client_isn(last.snd_nxt, clock, gap))
    }

    /// The ISS for an active open of a four-tuple of the application's choice, or when it may be
    /// used.
    pub(crate) fn may_open(
        &mut self,
        hash: u64,
        tuple: &FourTuple,
        config: &TimeWaitConfig,
        clock: Seq,
        now: Instant,
    ) -> Result<Seq, Instant> {
        Ok(match self.end_time_wait(hash, tuple, config, None, now)? {
            Some(entry) if entry.ts_recent.is_some() => {
                time_wait::client_isn(entry.snd_nxt, clock, GAP_WITH_TIMESTAMPS)
            }
            Some(entry) => time_wait::client_isn(entry.snd_nxt, clock, GAP),
            None => clock,
        })
    }

    /// Ends the TIME-WAIT of a four-tuple that an active open takes over, if it may; else when it
    /// may. What was known of it, if it was in TIME-WAIT, since `entered` or else since its timer
    /// was last started.
    fn end_time_wait(
        &mut self,
        hash: u64,
        tuple: &FourTuple,
        config: &TimeWaitConfig,
        entered: Option<Instant>,
        now: Instant,
    ) -> Result<Option<Entry>, Instant> {
        let Some(Found { slot, .. }) = self.time_wait.find(hash, tuple, now) else {
            return Ok(None);
        };
        let entry = self.time_wait.v4.entry(slot);
        let expiry = self.time_wait.v4.expires_at(slot);
        let from = match config.local_reuse_ms {
            Some(ms) if entry.ts_recent.is_some() => {
                let length_ns = u64::from(config.length_ms) * 1_000_000;
                let started = Instant::from_nanos(expiry.as_nanos().saturating_sub(length_ns));
                let entered = entered.unwrap_or(started);
                entered.plus_millis(ms.into()).min(expiry)
            }
            _ => expiry,
        };
        if now < from {
            return Err(from);
        }
        self.time_wait.v4.remove(slot);
        self.counters.host.time_wait_local_reuse += 1;
        Ok(Some(entry))
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
        frame: &Parsed,
        segment: &Segment<'_>,
    ) -> bool {
        let core = &mut self.core;
        let Some(found) = core.time_wait.find(frame.hash, &frame.tuple, now) else {
            return false;
        };
        let known = Known {
            entry: core.time_wait.v4.entry(found.slot),
            window: found.window,
            would_use_timestamps: core.tcp_configs[usize::from(found.config)].timestamps,
            ts_recent_age: Duration::ZERO,
        };
        let arrived = Arrived {
            header: segment.header,
            text_len: segment.payload.len() as u32,
        };
        let decision = decide(&Rules::default(), &known, &arrived);
        if decision.restart {
            core.time_wait.v4.restart(found.slot, now);
        }
        if let Some(ts_recent) = decision.ts_recent {
            core.time_wait.v4.set_ts_recent(found.slot, ts_recent);
        }
        let verdict = match decision.verdict {
            Verdict::Recycle(reason) => self.recycle(now, frame, segment, &found, &known, reason),
            Verdict::Ack(reason) => {
                self.acknowledge(now, frame, &found, reason);
                decision.verdict
            }
            Verdict::Drop(_) => decision.verdict,
        };
        self.core.counters.time_wait.record(verdict);
        true
    }

    /// A SYN that is proven new takes the entry's place, if there is who may accept it; otherwise
    /// the entry stays.
    fn recycle(
        &mut self,
        now: Instant,
        frame: &Parsed,
        segment: &Segment<'_>,
        found: &Found,
        known: &Known,
        reason: Recycle,
    ) -> Verdict {
        let Some(id) = self.core.listener_for(&frame.tuple) else {
            return Verdict::Drop(DropReason::SynNoListener);
        };
        if !self.may_accept(id) {
            return Verdict::Drop(DropReason::SynBacklogFull);
        }
        let numbers = self.core.secret.numbers(&frame.tuple);
        let clock = self.core.clock_isn(numbers, now);
        let timestamps = known.would_use_timestamps && segment.header.options.timestamps.is_some();
        let iss = time_wait::iss(known.entry.snd_nxt, clock, timestamps);
        if !self.accept(now, id, frame, segment, iss, numbers.ts_offset) {
            return Verdict::Drop(DropReason::SynBacklogFull);
        }
        self.core.time_wait.v4.remove(found.slot);
        Verdict::Recycle(reason)
    }

    /// `<SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>`, as far as the limits permit.
    fn acknowledge(&mut self, now: Instant, frame: &Parsed, found: &Found, reason: AckReason) {
        let core = &mut self.core;
        let permit = core.time_wait.acks.permit(reason, frame.hash, now);
        core.counters.time_wait.record_permit(permit);
        if permit != Permit::Send {
            return;
        }
        // Read again: what the segment taught is in it.
        let entry = core.time_wait.v4.entry(found.slot);
        let timestamps = entry.ts_recent.map(|ecr| Timestamps {
            val: ts_clock(core.real_time_at_zero_ns, now)
                .wrapping_add(core.secret.numbers(&frame.tuple).ts_offset),
            ecr,
        });
        let header = Header {
            src_port: frame.tuple.local_port,
            dst_port: frame.tuple.remote_port,
            seq: entry.snd_nxt,
            ack: entry.rcv_nxt,
            flags: Flags::ACK,
            window: found.window_field,
            urgent: 0,
            options: Options {
                timestamps,
                ..Options::NONE
            },
        };
        self.reply(frame.src_mac, &frame.tuple, &header);
    }
}
