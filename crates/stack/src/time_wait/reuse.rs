//! An active open of a four-tuple in our own TIME-WAIT, or one whose last use is remembered.

use tcp::time::Instant;
use tcp::time_wait::isn::{GAP, GAP_WITH_TIMESTAMPS};
use tcp::time_wait::{self, Entry, Incident, Positions};
use tcp::{Connection, Segment, State, closed};
use wire::tcp::Flags;
use wire::{FourTuple, Seq};

use super::Found;
use super::arrive::arrived;
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

impl Opening {
    /// Of a four-tuple of which nothing is known.
    fn fresh(clock: Seq) -> Opening {
        Opening {
            iss: clock,
            shadow: false,
        }
    }

    /// Of one in TIME-WAIT.
    fn after(entry: &Entry, clock: Seq) -> Opening {
        let gap = gap(entry.ts_recent.is_some(), entry.snd_nxt, clock);
        Opening {
            iss: time_wait::client_isn(entry.snd_nxt, clock, gap),
            shadow: true,
        }
    }

    /// Of [`Slot::flags`](crate::slab::Slot::flags).
    pub(crate) fn flags(&self) -> u16 {
        if self.shadow {
            flag::SHADOW | flag::RECYCLED
        } else {
            0
        }
    }
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
        let ours = last.filter(|last| last.time_wait);
        // A socket of run time may have left one of which the pool knows nothing.
        if ours.is_some() || self.has_sockets {
            let config = self.destinations[usize::from(id.0)].time_wait;
            if let Some(entry) = self.take_over(hash, tuple, &config, ours, now)? {
                return Ok(Opening::after(&entry, clock));
            }
        }
        Ok(match last {
            Some(last) => {
                let gap = gap(last.tsval.is_some(), last.snd_nxt, clock);
                Opening {
                    iss: time_wait::client_isn(last.snd_nxt, clock, gap),
                    shadow: false,
                }
            }
            None => Opening::fresh(clock),
        })
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
        let entry = self.take_over(hash, tuple, config, None, now)?;
        Ok(match entry {
            Some(entry) => Opening::after(&entry, clock),
            None => Opening::fresh(clock),
        })
    }

    /// What is known of a four-tuple in TIME-WAIT that an active open takes over, if it may; else
    /// when it may. `None` if it is not in TIME-WAIT. It has been since its last use `ended`, if that is known, or else
    /// since its timer was last started.
    ///
    /// The entry stays, whatever `shadow` says of SYNs: the SYN,ACK has to prove itself newer first.
    fn take_over(
        &mut self,
        hash: u64,
        tuple: &FourTuple,
        config: &TimeWaitConfig,
        ended: Option<LastUse>,
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
                // Another use of a socket of run time may have come after it.
                let ended = ended.filter(|last| last.snd_nxt == entry.snd_nxt);
                let entered = ended.map_or(started, |last| last.at);
                entered.plus_millis(ms.into()).min(expiry)
            }
            _ => expiry,
        };
        if now < from {
            return Err(from);
        }
        let age = self.time_wait.tables.age(slot);
        self.counters.time_wait.reuse_age.record(age.at_most_ns);
        self.counters.host.time_wait_local_reuse += 1;
        self.time_wait
            .note(*tuple, Some(entry), Incident::TakenOver);
        Ok(Some(entry))
    }

    /// What is known of the connection in TIME-WAIT that the active open has taken over, if a SYN,ACK is not
    /// newer than that: by its timestamp, of the same clock if the recycling bound holds, else by its sequence number.
    fn outdoes(&mut self, index: u32, segment: &Segment<'_>, now: Instant) -> Option<Entry> {
        let slot = self.slab.get(index);
        // None: its time was over.
        let hash = slot.hash;
        let found = self.time_wait.find(hash, &slot.tuple, now)?;
        let entry = self.time_wait.tables.entry(found.slot);
        let header = segment.header;
        let iss = slot.conn.time_wait().iss;
        let newer = match (entry.ts_recent, header.options.timestamps) {
            (Some(ts_recent), Some(timestamps)) if timestamps.val != ts_recent => {
                let step = timestamps.val.wrapping_sub(ts_recent);
                let since = (self.time_wait.tables.age(found.slot), entry.recycled);
                let is_proof = !found.socket.rules.bound
                    || (self.time_wait).is_of_one_clock(hash, since, step, now)
                    || now >= self.rested(&found);
                Seq(timestamps.val).gt(Seq(ts_recent)) && is_proof
            }
            (had, has) => {
                let to = Positions {
                    peer: header.seq,
                    own: iss,
                };
                header.seq.ge(entry.rcv_nxt)
                    && (!found.socket.rules.bound
                        || self.numbers_tell(hash, &found, to, had.is_some() == has.is_some(), now))
            }
        };
        (!newer).then_some(entry)
    }

    /// Whether a SYN,ACK that goes on with the numbers `to` is newer by its number, where timestamps do not tell.
    fn numbers_tell(
        &mut self,
        hash: u64,
        found: &Found,
        to: Positions,
        within_tick: bool,
        now: Instant,
    ) -> bool {
        let entry = self.time_wait.tables.entry(found.slot);
        let at = Positions {
            peer: entry.rcv_nxt,
            own: entry.snd_nxt,
        };
        let step = to.peer.offset_from(at.peer);
        if within_tick {
            return self.time_wait.may_step_within_tick(hash, step, now);
        }
        let epoch = found.socket.epochs.at(now);
        let movement = self.uncounted(now, found, at, epoch, entry.recycled);
        movement.is_ok_and(|movement| movement.recycle(epoch, at, to).is_ok())
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
        pool.put_off(pair, now, None);
        self.slab.rename(index, chosen.tuple, chosen.hash);
        let slot = self.slab.get_mut(index);
        slot.origin = Origin::Destination(id, chosen.pair);
        slot.flags &= !(flag::SHADOW | flag::RECYCLED);
        slot.flags |= chosen.opening.flags();
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
                let answers = header.flags.contains(Flags::ACK);
                // A simultaneous open has a SYN without ACK, which must be as new.
                let opens = header.flags & (Flags::SYN | Flags::RST) == Flags::SYN
                    && (!answers || header.ack == conn.snd_nxt());
                if !opens {
                    return false;
                }
                let Some(entry) = core.outdoes(index, segment, now) else {
                    return false;
                };
                // Of an old SYN the peer that is being asked need not know.
                if answers {
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
                }
                let outcome = Incident::SynAckOld.into();
                let arrived = Some(arrived(segment));
                self.decided(now, &frame.tuple, arrived, Some(&entry), outcome);
                true
            }
            _ => false,
        }
    }
}
