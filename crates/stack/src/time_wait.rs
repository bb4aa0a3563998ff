//! TIME-WAIT around the table and the rules of `tcp::time_wait`, and what belongs to the sockets. What a segment meets is in
//! [`arrive`], entering in [`enter`], recycling in [`recycle`], reuse by an active open in [`reuse`].

use tcp::time::Instant;
use tcp::time_wait::{
    AckLimiter, AckLimits, Anchor, AnchorId, ClassId, Config as TableConfig, Epochs, Pages, Probes,
    Restores, Rules, StepLimit,
};
use tcp::{CloseReason, Config as TcpConfig};
use wire::{FourTuple, Ip};

use crate::config::{Config, ConfigError, TimeWaitConfig};
use crate::core::{Core, Fixed};

mod arrive;
mod enter;
mod events;
mod recycle;
mod reuse;
mod tables;

pub use events::{Outcome, TimeWaitEvent};
use events::{UNTOLD, Untold};
pub(crate) use reuse::Opening;
pub(crate) use tables::Place;
use tables::{Key, Tables};

/// Cache lines of the table that one turn of the loop sweeps at most. At ten thousand turns a
/// second that walks a hundred million entries four times in a minute.
const SWEEP_BUDGET: usize = 512;

/// TIME-WAIT entries of every family, with the sockets that they belong to.
pub(crate) struct TimeWait {
    /// With what belongs to each fixed side.
    tables: Tables<Socket>,
    /// The lengths in use, by class.
    durations_ms: Vec<u64>,
    acks: AckLimiter,
    probes: Probes,
    /// Initial sequence numbers of which the entries know nothing.
    restores: Restores,
    /// Steps within a tick of the peer's clock.
    ticks: StepLimit,
    /// Steps of the peer's clock, and those of clocks that are faster than a millisecond.
    clocks: StepLimit,
    fast_clocks: StepLimit,
    /// Connections whose FIN-WAIT-2 expired in the tables, as far as they are counted.
    orphans_expired: u64,
    /// Sockets were made at run time: a four-tuple may have an anchor on either side, and a socket
    /// several.
    several: bool,
    /// What happened away from the application, to be counted and told: one for each connection that
    /// ended or was opened in a turn, three at most, and for each local socket that was passed over, which is seldom.
    untold: Vec<Untold>,
}

/// What belongs to the fixed side of four-tuples.
#[derive(Clone, Copy, PartialEq)]
struct Socket {
    rules: Rules,
    epochs: Epochs,
    msl_ms: u32,
    length_ms: u32,
    /// Whether its connections use timestamps.
    timestamps: bool,
    /// How long FIN-WAIT-2 lasts in compact form; 0: there is none.
    fin_wait2_ms: u32,
}

/// An entry, and what its socket says of it.
struct Found {
    slot: Place,
    window: u32,
    window_field: u16,
    socket: Socket,
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
            .flat_map(|f| {
                let tcp = &tcp_configs[usize::from(f.config)];
                [Some(f.time_wait.kept_ms()), f.time_wait.fin_wait2_ms(tcp)]
            })
            .flatten()
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
            interval_ms: config.time_wait_ack_interval_ms,
            ..AckLimits::default()
        };
        // What nobody enters needs no room, and is looked up in one cache line.
        let kept = durations_ms.iter().any(|&ms| ms > 0);
        let table = TableConfig {
            capacity: if kept { config.time_wait_capacity } else { 1 },
            durations_ms: durations_ms.clone(),
            pages: Pages::default(),
        };
        let mut time_wait = TimeWait {
            tables: Tables::new(table),
            durations_ms,
            acks: AckLimiter::new(&limits, seed, Instant::ZERO),
            probes: Probes::new(fixed.iter().any(|f| f.time_wait.rules.syn_probe)),
            restores: Restores::default(),
            ticks: StepLimit::ticks(),
            clocks: StepLimit::clocks(),
            fast_clocks: StepLimit::fast_clocks(config.time_wait_capacity),
            orphans_expired: 0,
            several: false,
            untold: Vec::with_capacity(UNTOLD),
        };
        for f in fixed {
            time_wait.acquire(f, &tcp_configs[usize::from(f.config)])?;
        }
        Ok(time_wait)
    }

    /// The class of a length that is known.
    fn class(&self, ms: u32) -> Option<ClassId> {
        let place = self.durations_ms.iter().position(|&d| d == u64::from(ms))?;
        Some(ClassId(place as u8))
    }

    /// One more user of the fixed side of four-tuples, with what it is to have in common.
    fn acquire(&mut self, f: &Fixed, tcp: &TcpConfig) -> Result<AnchorId, ConfigError> {
        let TimeWaitConfig {
            length_ms, rules, ..
        } = f.time_wait;
        let class = self
            .class(f.time_wait.kept_ms())
            .ok_or(ConfigError::UnknownTimeWait(length_ms))?;
        let msl_ms = f.time_wait.msl_ms();
        // A length of run time that is not known leaves FIN-WAIT-2 to the control blocks.
        let fin_wait2 = f.time_wait.fin_wait2_ms(tcp);
        let fin_wait2 = fin_wait2.and_then(|ms| Some((self.class(ms)?, ms)));
        let anchor = Anchor {
            side: f.side,
            ip: f.ip,
            port: f.port,
            class,
            fin_wait2_class: fin_wait2.map_or(class, |(class, _)| class),
            // What it recycled may be under way for longer than such a connection waits for the peer.
            fin_wait2_recycled_class: fin_wait2
                .filter(|&(_, ms)| !rules.bound || ms >= msl_ms)
                .map_or(class, |(class, _)| class),
            window: tcp.rcv_buf,
            window_shift: tcp.rcv_wind_shift(),
        };
        if rules.syn_probe && !self.tables.sockets().any(|s| s.rules.syn_probe) {
            self.probes = Probes::new(true);
        }
        if rules.shadow {
            self.restores.cover(length_ms);
        }
        if rules.bound {
            self.clocks.cover(msl_ms);
            self.fast_clocks.cover(msl_ms);
        }
        let socket = Socket {
            rules,
            epochs: Epochs::new(msl_ms, length_ms),
            msl_ms,
            length_ms,
            timestamps: tcp.timestamps,
            fin_wait2_ms: fin_wait2.map_or(0, |(_, ms)| ms),
        };
        self.tables.acquire(anchor, socket)
    }

    /// The same for a socket of run time; what it gets is to be given back.
    pub(crate) fn acquire_at_run_time(
        &mut self,
        f: &Fixed,
        tcp: &TcpConfig,
    ) -> Result<AnchorId, ConfigError> {
        self.several = true;
        self.acquire(f, tcp)
    }

    /// One user more of a fixed side that has some.
    pub(crate) fn share(&mut self, ip: Ip, id: AnchorId) {
        self.tables.share(ip.is_v4(), id);
    }

    /// One user less. It is forgotten when its last entry has gone.
    pub(crate) fn release(&mut self, ip: Ip, id: AnchorId) {
        self.tables.release(ip.is_v4(), id);
    }

    /// When the entry of a four-tuple expires.
    pub(crate) fn until(&mut self, hash: u64, tuple: &FourTuple, now: Instant) -> Option<Instant> {
        let found = self.find(hash, tuple, now)?;
        Some(self.tables.expires_at(found.slot))
    }

    #[inline]
    pub(crate) fn prefetch(&self, is_v4: bool, hash: u64) {
        self.tables.prefetch(is_v4, hash);
    }

    /// The next line, where the first overflowed: once the whole burst's first lines are on the way.
    #[inline]
    pub(crate) fn prefetch_next(&self, tuple: &FourTuple, hash: u64) {
        self.tables.prefetch_next(tuple, hash);
    }

    /// When a slice of the table is to be swept.
    pub(crate) fn next_sweep(&self) -> Option<Instant> {
        self.tables.next_sweep(SWEEP_BUDGET)
    }

    pub(crate) fn live(&self) -> usize {
        self.tables.live()
    }

    pub(crate) fn allocated_bytes(&self) -> usize {
        let steps = [&self.ticks, &self.clocks, &self.fast_clocks].map(StepLimit::allocated_bytes);
        let limits = self.probes.allocated_bytes()
            + self.acks.allocated_bytes()
            + self.restores.allocated_bytes();
        self.tables.allocated_bytes() + limits + steps.iter().sum::<usize>()
    }

    #[inline]
    fn find(&mut self, hash: u64, tuple: &FourTuple, now: Instant) -> Option<Found> {
        let key = self.tables.key(tuple)?;
        match self.tables.find(hash, &key, now) {
            Some(slot) => self.found(slot, &key),
            None if self.several => self.find_elsewhere(hash, tuple, now),
            None => None,
        }
    }

    /// The entry of a four-tuple under whichever anchor.
    #[cold]
    fn find_elsewhere(&mut self, hash: u64, tuple: &FourTuple, now: Instant) -> Option<Found> {
        let keys = self.tables.keys(tuple);
        let (slot, key) = keys
            .into_iter()
            .find_map(|key| Some((self.tables.find(hash, &key, now)?, key)))?;
        self.found(slot, &key)
    }

    #[inline]
    fn found(&self, slot: Place, key: &Key) -> Option<Found> {
        let (anchor, &socket) = self.tables.anchor(key)?;
        Some(Found {
            slot,
            window: anchor.window,
            window_field: anchor.window_field(),
            socket,
        })
    }

    /// Ends the TIME-WAIT of a four-tuple, if it has one; `place` is where its entry was.
    #[inline]
    fn end(&mut self, place: Option<Place>, hash: u64, tuple: &FourTuple, now: Instant) {
        match place {
            Some(place) if self.tables.remove_of(place, tuple) => {}
            _ => self.seek_and_end(hash, tuple, now),
        }
    }

    #[inline(never)]
    fn seek_and_end(&mut self, hash: u64, tuple: &FourTuple, now: Instant) {
        if let Some(found) = self.find(hash, tuple, now) {
            self.tables.remove(found.slot);
        }
    }

    /// A receive burst begins: an entry gets at most one acknowledgment in it.
    pub(crate) fn begin_burst(&mut self) {
        self.acks.begin_burst();
    }
}

impl Core {
    /// Ends entries whose time is over: a bounded slice of the table a turn.
    pub(crate) fn expire_time_wait(&mut self, now: Instant) {
        let key = self.key;
        let tables = &mut self.time_wait.tables;
        tables.sweep(now, SWEEP_BUDGET, |tuple| key.flow(tuple));
        let (expired, fin_wait2) = tables.expired();
        let timeouts = fin_wait2 - self.time_wait.orphans_expired;
        self.time_wait.orphans_expired = fin_wait2;
        self.counters.host.time_wait_expired = expired;
        self.counters.tcp.fin_wait2_timeouts += timeouts;
        self.counters.host.closed += timeouts;
        self.counters.host.closed_timeout += timeouts;
    }

    /// A connection in FIN-WAIT-2 whose user was told of its end before is over.
    fn count_orphan(&mut self, reason: CloseReason) {
        let count = &mut self.counters.host;
        count.closed += 1;
        match reason {
            CloseReason::Normal => count.closed_normal += 1,
            CloseReason::Reset => count.closed_reset += 1,
            CloseReason::DataLost => count.closed_data_lost += 1,
            _ => count.closed_aborted += 1,
        }
    }
}
