//! TIME-WAIT around the table and the rules of `tcp::time_wait`: what a segment meets there, and what
//! belongs to the sockets. Entering it is in [`enter`], recycling in [`recycle`], reuse by an active
//! open in [`reuse`].

use ::core::{mem, time::Duration};

use tcp::time::Instant;
use tcp::time_wait::{
    AckLimiter, AckLimits, AckReason, Anchor, AnchorId, Arrived, ClassId, Config as TableConfig,
    DropReason, Entry, Epochs, Incident, KillReason, Known, Pages, Permit, Probes, ResetReason,
    RstRule, Rules, StepLimit, Verdict, decide,
};
use tcp::{CloseReason, Config as TcpConfig, Segment, closed};
use wire::tcp::{Flags, Header, Options, Timestamps};
use wire::{FourTuple, Ip};

use crate::application::Application;
use crate::config::{Config, ConfigError, TimeWaitConfig};
use crate::core::{Core, Fixed};
use crate::frame::FramePool;
use crate::parse::Parsed;
use crate::stack::Stack;

mod enter;
mod recycle;
mod reuse;
mod tables;

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
    /// Steps within a tick of the peer's clock.
    ticks: StepLimit,
    /// Steps of the peer's clock.
    clocks: StepLimit,
    /// Connections whose FIN-WAIT-2 expired in the tables, as far as they are counted.
    orphans_expired: u64,
    /// Sockets were made at run time: a four-tuple may have an anchor on either side, and a socket
    /// several.
    several: bool,
    /// What happened away from the application, to be counted and told: one for each connection that
    /// ended or was opened in a turn, three at most, and for each local socket that was passed over, which is seldom.
    untold: Vec<Untold>,
}

/// For so many incidents there is room from the start: four times what one call of [`Stack::flush`] may end before they are told.
const UNTOLD: usize = 4096;

/// An incident of a four-tuple in TIME-WAIT, and what was known of that.
#[derive(Clone, Copy)]
pub(super) struct Untold {
    tuple: FourTuple,
    entry: Option<Entry>,
    incident: Incident,
    allowed_at: Option<Instant>,
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

/// A decision about a connection in TIME-WAIT, as it is made: all that [`Counters`](tcp::time_wait::Counters)
/// counts. For whoever wants to trace them.
#[derive(Clone, Copy, Debug)]
pub struct TimeWaitEvent<'a> {
    /// When.
    pub at: Instant,
    /// The four-tuple, local side first.
    pub tuple: &'a FourTuple,
    /// The segment. None: the connection that had taken the four-tuple over came to its end.
    pub segment: Option<Arrived<'a>>,
    /// What was known of the connection before, if it still was.
    pub entry: Option<&'a Entry>,
    /// What became of it.
    pub outcome: Outcome,
}

/// What a decision came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Outcome {
    /// What became of a segment that the rules judged.
    pub verdict: Option<Verdict>,
    /// What the limits said to the acknowledgment.
    pub permit: Option<Permit>,
    /// What else there is to say.
    pub incident: Option<Incident>,
    /// When a SYN may recycle that met the recycling bound.
    pub allowed_at: Option<Instant>,
}

impl From<Verdict> for Outcome {
    fn from(verdict: Verdict) -> Outcome {
        Outcome {
            verdict: Some(verdict),
            ..Outcome::default()
        }
    }
}

impl From<Incident> for Outcome {
    fn from(incident: Incident) -> Outcome {
        Outcome {
            incident: Some(incident),
            ..Outcome::default()
        }
    }
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
            ticks: StepLimit::ticks(),
            clocks: StepLimit::none(),
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
        if rules.bound && !self.clocks.covers(msl_ms) {
            self.clocks = StepLimit::clocks(msl_ms);
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
        let steps = self.ticks.allocated_bytes() + self.clocks.allocated_bytes();
        let limits = self.probes.allocated_bytes() + self.acks.allocated_bytes() + steps;
        self.tables.allocated_bytes() + limits
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

    /// Ends the TIME-WAIT of a four-tuple, if it lasts; `place` is where its entry was.
    #[inline]
    fn end(&mut self, place: Option<Place>, hash: u64, tuple: &FourTuple, now: Instant) {
        match place {
            Some(place) if self.tables.holds(place, tuple, now) => self.tables.remove(place),
            _ => self.seek_and_end(hash, tuple, now),
        }
    }

    #[inline(never)]
    fn seek_and_end(&mut self, hash: u64, tuple: &FourTuple, now: Instant) {
        if let Some(found) = self.find(hash, tuple, now) {
            self.tables.remove(found.slot);
        }
    }

    /// Something happened away from the application.
    fn note(&mut self, tuple: FourTuple, entry: Option<Entry>, incident: Incident) {
        self.untold.push(Untold {
            tuple,
            entry,
            incident,
            allowed_at: None,
        });
    }

    /// The turn of a local socket came, and it may not be used, before `until` if that is known.
    pub(crate) fn note_put_off(&mut self, tuple: FourTuple, until: Option<Instant>) {
        self.untold.push(Untold {
            tuple,
            entry: None,
            incident: Incident::PutOff,
            allowed_at: until,
        });
    }

    /// A connection was reset whose SYN only its timestamp had proven new.
    pub(crate) fn note_unproven_reset(&mut self, tuple: FourTuple) {
        self.note(tuple, None, Incident::ResetUnproven);
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

    /// A segment has ended what an entry stands for. One in FIN-WAIT-2 that had recycled is kept all the same, as
    /// [`Core::keep_recycled`] does.
    fn end_or_keep(
        &mut self,
        found: &Found,
        entry: &Entry,
        reason: CloseReason,
        now: Instant,
    ) -> Option<Incident> {
        let tables = &mut self.time_wait.tables;
        if !entry.fin_wait2 {
            tables.remove(found.slot);
            return None;
        }
        let keeps = found.socket.rules.bound && entry.recycled;
        let kept = Entry {
            rcv_nxt: entry.rcv_nxt + found.window,
            fin_wait2: false,
            reset: true,
            ..*entry
        };
        let is_kept = if keeps {
            tables.finish(found.slot, &kept, now)
        } else {
            tables.remove(found.slot);
            false
        };
        self.counters.host.time_wait_entered += u64::from(is_kept);
        self.count_orphan(reason);
        is_kept.then_some(Incident::KeptAfterReset)
    }

    /// What the rules need to know of an entry.
    #[inline(always)] // its result is large
    fn known(&self, found: &Found, tuple: &FourTuple) -> Known {
        // Only one rule asks for it.
        let age = match found.socket.rules.rst {
            RstRule::IgnoreBriefly => self.time_wait.tables.age(found.slot),
            _ => Duration::ZERO,
        };
        Known {
            entry: self.time_wait.tables.entry(found.slot),
            window: found.window,
            would_use_timestamps: match self.has_sockets {
                true => self.would_use_timestamps(tuple),
                false => found.socket.timestamps,
            },
            age,
            ts_recent_age: Duration::ZERO,
        }
    }

    /// Whether a SYN with timestamps would be answered with them: by who listens now, which may not
    /// be who accepted the connection in TIME-WAIT.
    #[cold]
    fn would_use_timestamps(&self, tuple: &FourTuple) -> bool {
        self.listener_for(tuple).is_some_and(|id| {
            let config = self.listeners[id.place()].config.of(tuple.local);
            self.tcp_configs[usize::from(config)].timestamps
        })
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
        let known = core.known(&found, &frame.tuple);
        let arrived = Arrived {
            header: segment.header,
            text_len: segment.payload.len() as u32,
        };
        let decision = decide(&found.socket.rules, &known, &arrived);
        let mut entry = known.entry;
        if let Some(ts_recent) = decision.ts_recent {
            core.time_wait.tables.set_ts_recent(found.slot, ts_recent);
            entry.ts_recent = Some(ts_recent);
        }
        if decision.verdict == Verdict::Ack(AckReason::FirstFin) {
            // Where there is no TIME-WAIT, the FIN is acknowledged all the same, this once.
            entry.rcv_nxt += 1;
            entry.fin_wait2 = false;
            if entry.ts_recent.is_none() && found.socket.rules.bound {
                entry.recycled |= !found.socket.timestamps;
            }
            let kept = core.time_wait.tables.finish(found.slot, &entry, now);
            core.counters.host.time_wait_entered += u64::from(kept);
            core.count_orphan(CloseReason::Normal);
        } else if decision.restart {
            core.time_wait.tables.restart(found.slot, now);
        }
        let outcome = match decision.verdict {
            Verdict::Recycle(reason) => self.recycle(now, frame, segment, &found, &known, reason),
            Verdict::Ack(reason) => self.acknowledge(now, frame, &found, &entry, reason),
            //= RFC 1337 3
            //# Ignore RST segments in TIME-WAIT state.
            //
            // But for the one that answers the acknowledgment of a refused SYN.
            Verdict::Drop(DropReason::RstExact) if core.time_wait.probes.take(frame.hash, now) => {
                core.time_wait.tables.remove(found.slot);
                core.time_wait.acks.forget(frame.hash, now);
                Verdict::Kill(KillReason::SynProbe).into()
            }
            Verdict::Drop(_) => decision.verdict.into(),
            Verdict::Kill(_) => {
                let incident = core.end_or_keep(&found, &entry, CloseReason::Reset, now);
                core.time_wait.acks.forget(frame.hash, now);
                Outcome {
                    incident,
                    ..decision.verdict.into()
                }
            }
            Verdict::Reset(reason) => {
                let incident = match reason {
                    ResetReason::HalfOpen => None,
                    _ => core.end_or_keep(&found, &entry, CloseReason::DataLost, now),
                };
                let reset = match reason {
                    ResetReason::SynInWindow | ResetReason::HalfOpen => closed::on_segment(segment),
                    // The connection's own, as long as it was one.
                    ResetReason::TextAfterClose => Some(reset(&frame.tuple, &entry)),
                };
                if let Some(reset) = reset {
                    self.reset(now, frame.src_mac, &frame.tuple, &reset);
                }
                Outcome {
                    incident,
                    ..decision.verdict.into()
                }
            }
            Verdict::Closed => {
                core.time_wait.tables.remove(found.slot);
                return false;
            }
        };
        self.decided(
            now,
            &frame.tuple,
            Some(arrived),
            Some(&known.entry),
            outcome,
        );
        true
    }

    /// Counts and tells what happened away from the application.
    #[inline]
    pub(crate) fn tell_incidents(&mut self, now: Instant) {
        if !self.core.time_wait.untold.is_empty() {
            self.tell_untold(now);
        }
    }

    #[cold]
    fn tell_untold(&mut self, now: Instant) {
        let mut untold = mem::take(&mut self.core.time_wait.untold);
        for what in untold.drain(..) {
            let outcome = Outcome {
                allowed_at: what.allowed_at,
                ..what.incident.into()
            };
            self.decided(now, &what.tuple, None, what.entry.as_ref(), outcome);
        }
        self.core.time_wait.untold = untold;
    }

    /// A decision was made: it is counted, and told.
    pub(super) fn decided(
        &mut self,
        at: Instant,
        tuple: &FourTuple,
        segment: Option<Arrived<'_>>,
        entry: Option<&Entry>,
        outcome: Outcome,
    ) {
        let count = &mut self.core.counters.time_wait;
        outcome.verdict.iter().for_each(|v| count.record(*v));
        outcome.permit.iter().for_each(|p| count.record_permit(*p));
        let incidents = outcome.incident.iter();
        incidents.for_each(|i| count.record_incident(*i));
        self.app.on_time_wait(&TimeWaitEvent {
            at,
            tuple,
            segment,
            entry,
            outcome,
        });
    }

    /// `<SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>`, as far as the limits permit.
    fn acknowledge(
        &mut self,
        now: Instant,
        frame: &Parsed,
        found: &Found,
        entry: &Entry,
        reason: AckReason,
    ) -> Outcome {
        let core = &mut self.core;
        let probing = found.socket.rules.syn_probe;
        let permit = core.time_wait.acks.permit(reason, probing, frame.hash, now);
        let outcome = Outcome {
            verdict: Some(Verdict::Ack(reason)),
            permit: Some(permit),
            ..Outcome::default()
        };
        if permit != Permit::Send {
            return outcome;
        }
        if probing {
            if reason.refuses_syn() {
                core.time_wait.probes.grant(frame.hash, now);
            } else {
                core.time_wait.probes.cancel(frame.hash, now);
            }
        }
        let timestamps = entry.ts_recent.map(|ecr| Timestamps {
            val: core
                .ts_clock
                .at(now)
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
        outcome
    }
}

/// `<SEQ=SND.NXT><ACK=RCV.NXT><CTL=RST,ACK>`.
fn reset(tuple: &FourTuple, entry: &Entry) -> Header {
    Header {
        src_port: tuple.local_port,
        dst_port: tuple.remote_port,
        seq: entry.snd_nxt,
        ack: entry.rcv_nxt,
        flags: Flags::RST | Flags::ACK,
        ..Header::default()
    }
}
