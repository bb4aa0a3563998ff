//! An active open of a four-tuple in our own TIME-WAIT, or one whose last use is remembered.

use tcp::time::Instant;
use tcp::time_wait::isn::{GAP, GAP_WITH_TIMESTAMPS};
use tcp::time_wait::{self, Arrived, Entry, Incident};
use tcp::{Connection, Segment, State, closed};
use wire::tcp::Flags;
use wire::{FourTuple, Seq};

use crate::application::{Application, DestinationId};
use crate::config::TimeWaitConfig;
use crate::core::Core;
use crate::frame::FramePool;
use crate::parse::Parsed;
use crate::slab::{Origin, flag};
use crate::stack::Stack;
use crate::tuples::LastUse;

/// What an active open begins with.
#[derive(Clone, Copy)]
pub(crate) struct Opening {
    pub(crate) iss: Seq,
    /// The four-tuple is in TIME-WAIT until the peer's SYN,ACK has proven itself newer.
    pub(crate) shadow: bool,
}

/// So far ahead of its clock a client that recycles a four-tuple spares numbers: the server's
/// recycling bound would meet them.
const LEAD: i32 = 1 << 29;

/// How far after `last` an ISN must be. Without timestamps more than any unscaled window, so that
/// servers take it that want a SYN beyond theirs, unless the four-tuple is recycled so fast that
/// this would use its numbers up.
fn gap(timestamps: bool, last: Seq, clock: Seq) -> u32 {
    if timestamps || last.since(clock) > LEAD {
        GAP_WITH_TIMESTAMPS
    } else {
        GAP
    }
}

impl Core {
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
    ) -> Result<Opening, Instant> {
        let Some(last) = last else {
            return Ok(Opening {
                iss: clock,
                shadow: false,
            });
        };
        let mut shadow = false;
        if last.time_wait {
            let config = self.destinations[usize::from(id.0)].time_wait;
            let entry = self.take_over(hash, tuple, &config, Some(last.at), now)?;
            shadow = entry.is_some();
        }
        let gap = gap(last.tsval.is_some(), last.snd_nxt, clock);
        let iss = time_wait::client_isn(last.snd_nxt, clock, gap);
        Ok(Opening { iss, shadow })
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
    ) -> Result<Opening, Instant> {
        Ok(match self.take_over(hash, tuple, config, None, now)? {
            Some(entry) => {
                let gap = gap(entry.ts_recent.is_some(), entry.snd_nxt, clock);
                Opening {
                    iss: time_wait::client_isn(entry.snd_nxt, clock, gap),
                    shadow: true,
                }
            }
            None => Opening {
                iss: clock,
                shadow: false,
            },
        })
    }

    /// What is known of a four-tuple in TIME-WAIT that an active open takes over, if it may; else
    /// when it may. `None` if it is not in TIME-WAIT. It has been since `entered`, or else since its
    /// timer was last started.
    ///
    /// The entry stays, whatever `shadow` says of SYNs: the SYN,ACK has to prove itself newer first.
    fn take_over(
        &mut self,
        hash: u64,
        tuple: &FourTuple,
        config: &TimeWaitConfig,
        entered: Option<Instant>,
        now: Instant,
    ) -> Result<Option<Entry>, Instant> {
        let Some(found) = self.time_wait.find(hash, tuple, now) else {
            return Ok(None);
        };
        let slot = found.slot;
        let entry = self.time_wait.tables.entry(slot);
        let expiry = self.time_wait.tables.expires_at(slot);
        let from = match config.local_reuse_ms {
            Some(ms) if entry.ts_recent.is_some() && !entry.fin_wait2 => {
                let length_ns = u64::from(found.socket.length_ms) * 1_000_000;
                let started = Instant::from_nanos(expiry.as_nanos().saturating_sub(length_ns));
                let entered = entered.unwrap_or(started);
                entered.plus_millis(ms.into()).min(expiry)
            }
            _ => expiry,
        };
        if now < from {
            return Err(from);
        }
        let age = self.time_wait.tables.age(slot);
        self.counters.time_wait.reuse_age.record(age);
        self.counters.host.time_wait_local_reuse += 1;
        self.time_wait
            .note(*tuple, Some(entry), Incident::TakenOver);
        Ok(Some(entry))
    }

    /// What is known of the connection in TIME-WAIT that the active open has taken over, if a SYN,ACK is not
    /// newer than that: by its timestamp, else by its sequence number.
    fn outdoes(&mut self, index: u32, segment: &Segment<'_>, now: Instant) -> Option<Entry> {
        let slot = self.slab.get(index);
        // None: its time was over.
        let found = self.time_wait.find(slot.hash, &slot.tuple, now)?;
        let entry = self.time_wait.tables.entry(found.slot);
        let header = segment.header;
        let newer = match (entry.ts_recent, header.options.timestamps) {
            (Some(ts_recent), Some(timestamps)) if timestamps.val != ts_recent => {
                Seq(timestamps.val).gt(Seq(ts_recent))
            }
            _ => header.seq.ge(entry.rcv_nxt),
        };
        (!newer).then_some(entry)
    }

    /// Opens what failed on one four-tuple on another one of the same destination, with what the
    /// application has queued. `false`: there is none, or the application chose the four-tuple.
    fn open_elsewhere(&mut self, index: u32, now: Instant) -> bool {
        let slot = self.slab.get(index);
        let Origin::Destination(id, pair) = slot.origin else {
            return false;
        };
        // A server that started anew has every four-tuple's SYN,ACK look old: not all are tried.
        let tcp = &self.tcp_configs[usize::from(slot.config)];
        if !slot.conn.may_reopen(tcp) {
            return false;
        }
        let Ok(chosen) = self.choose_pair(id, now) else {
            return false;
        };
        let pool = &mut self.destinations[usize::from(id.0)].pool;
        // Its TIME-WAIT goes on, and what is known of its last use holds still.
        pool.put_off(pair, now);
        self.slab.rename(index, chosen.tuple, chosen.hash);
        let slot = self.slab.get_mut(index);
        slot.origin = Origin::Destination(id, chosen.pair);
        slot.flags &= !flag::SHADOW;
        if chosen.opening.shadow {
            slot.flags |= flag::SHADOW;
        }
        let tcp = &self.tcp_configs[usize::from(slot.config)];
        let (iss, ts_offset) = (chosen.opening.iss, chosen.numbers.ts_offset);
        slot.conn.reopen(tcp, now, iss, ts_offset);
        self.mark_dirty(index);
        true
    }
}

impl<A: Application, P: FramePool> Stack<A, P> {
    /// A segment for a connection that has taken a four-tuple in TIME-WAIT over and is not yet
    /// proven new. `true`: it is dealt with.
    pub(crate) fn on_shadowed(
        &mut self,
        now: Instant,
        index: u32,
        frame: &Parsed,
        segment: &Segment<'_>,
    ) -> bool {
        let core = &mut self.core;
        let conn: &Connection = &core.slab.get(index).conn;
        match conn.state() {
            State::SynReceived => self.on_shadowed_fin(now, index, frame, segment),
            State::SynSent => {
                let header = segment.header;
                let syn_ack = Flags::SYN | Flags::ACK;
                let answers = header.flags & (syn_ack | Flags::RST) == syn_ack
                    && header.ack == conn.snd_nxt();
                if !answers {
                    return false;
                }
                let Some(entry) = core.outdoes(index, segment, now) else {
                    return false;
                };
                if !core.open_elsewhere(index, now) {
                    core.slab
                        .get_mut(index)
                        .conn
                        .fail(tcp::CloseReason::Refused);
                    core.mark_dirty(index);
                }
                if let Some(reset) = closed::on_segment(segment) {
                    self.reset(now, frame.src_mac, &frame.tuple, &reset);
                }
                let arrived = Arrived {
                    header,
                    text_len: segment.payload.len() as u32,
                };
                let outcome = Incident::SynAckOld.into();
                self.decided(&frame.tuple, Some(arrived), Some(&entry), outcome);
                true
            }
            _ => false,
        }
    }
}
