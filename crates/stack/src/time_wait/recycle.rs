//! A SYN that is proven new takes over a four-tuple in TIME-WAIT; and gives it back if it was not.

use tcp::Segment;
use tcp::time::Instant;
use tcp::time_wait::bound::{Exceeded, MAX_STEP, UNCOUNTED};
use tcp::time_wait::isn::{self, GAP_WITH_TIMESTAMPS};
use tcp::time_wait::{
    AckReason, Age, DropReason, Incident, IssRule, Known, Movement, Positions, Recycle, Space,
    StepLimit, SynRefusal, Verdict, decide,
};
use wire::Seq;
use wire::tcp::Flags;

use super::arrive::arrived;
use super::{Found, Outcome, Socket, TimeWait};
use crate::application::Application;
use crate::core::Core;
use crate::frame::FramePool;
use crate::parse::Parsed;
use crate::slab::flag;
use crate::stack::Stack;

/// The slowest timestamp clock ticks once a second (RFC 7323 5.4).
const SLOWEST_TICK_MS: u64 = 1_000;
/// From one clock to another: 2^31 less what clocks may go on by in an MSL, so that what was before it stays older: 2^28 microseconds of
/// time, as long as an MSL is not longer than that, and what the two [`StepLimit`] allow beyond it.
const LONGEST_STEP_OF_CLOCKS: u64 =
    (1 << 31) - (1 << 28) - StepLimit::CLOCKS - StepLimit::FAST_CLOCKS;
/// Clocks of a microsecond are the fastest seen.
//= RFC 7323 5.4
//# Based upon these considerations, we choose a timestamp clock frequency in the range 1 ms to 1 sec
//# per tick.
const FASTEST_TICK_NS: u64 = 1_000;
const USUAL_TICK_NS: u64 = 1_000_000;
/// A SYN may be so much faster than the last segment of the connection before was.
const DELAYED_NS: u64 = 1_000_000;

/// What a recycle begins with.
struct Granted {
    iss: Seq,
    /// How far both spaces have moved, where timestamps do not tell.
    movement: Option<Movement>,
}

/// A recycle beyond the bound.
pub(super) struct Refused {
    why: Incident,
    /// From when on it is allowed.
    allowed_at: Instant,
}

impl Refused {
    fn beyond(socket: &Socket, exceeded: Exceeded) -> Refused {
        Refused {
            why: match exceeded.space {
                Space::Peer => Incident::BoundPeer,
                Space::Own => Incident::BoundOwn,
            },
            allowed_at: socket.epochs.start(exceeded.epoch),
        }
    }
}

impl<A: Application, P: FramePool> Stack<A, P> {
    /// A SYN that is proven new takes the entry's place, if there is who may accept it and the
    /// recycling bound allows it; otherwise the entry stays.
    pub(super) fn recycle(
        &mut self,
        now: Instant,
        frame: &Parsed,
        segment: &Segment<'_>,
        found: &Found,
        known: &Known,
        reason: Recycle,
    ) -> Outcome {
        let rules = &found.socket.rules;
        // First, so that neither nobody who listens nor a full backlog costs the entry.
        let Some(id) = self.core.listener_for(&frame.tuple) else {
            let answers = (AckReason::SynNoListener, DropReason::SynNoListener);
            return self.refuse(now, frame, (found, known), answers);
        };
        if !self.may_accept(id) {
            return Verdict::Drop(DropReason::SynBacklogFull).into();
        }
        let numbers = self.core.secret.numbers(&frame.tuple);
        let clock = self.core.clock_isn(numbers, now);
        let seq = segment.header.seq;
        let offered = segment.header.options.timestamps;
        let val = offered
            .filter(|_| known.would_use_timestamps)
            .map(|ts| ts.val);
        let age = self.core.time_wait.tables.age(found.slot);
        let restores = self.core.time_wait.restores.count(frame.hash, now);
        let mut granted = Granted {
            iss: isn::iss(rules.iss, known.entry.snd_nxt, clock, val.is_some()) + restores,
            movement: None,
        };
        let bounded = match (reason, val) {
            _ if !rules.bound => Ok(()),
            (Recycle::NewerTimestamp, Some(val)) => {
                let step = val.wrapping_sub(known.entry.ts_recent.unwrap_or(val));
                let since = (age, known.entry.recycled);
                let time_wait = &mut self.core.time_wait;
                match time_wait.is_of_one_clock(frame.hash, since, step, now) {
                    true => Ok(()),
                    false => self.core.other_clock(now, found),
                }
            }
            (_, Some(_)) => {
                let hash = frame.hash;
                (self.core).bounded_beside_timestamps(now, hash, (found, known), seq, reason)
            }
            (_, None) => {
                let numbers = (seq, clock, restores);
                let bounded = self.core.bounded(now, (found, known), numbers);
                bounded.map(|by_numbers| granted = by_numbers)
            }
        };
        if let Err(Refused { why, allowed_at }) = bounded {
            let answers = (AckReason::SynBound, DropReason::SynBound);
            return Outcome {
                incident: Some(why),
                allowed_at: Some(allowed_at),
                ..self.refuse(now, frame, (found, known), answers)
            };
        }
        let Some(index) = self.accept(now, id, frame, segment, granted.iss, numbers.ts_offset)
        else {
            return Verdict::Drop(DropReason::SynBacklogFull).into();
        };
        let core = &mut self.core;
        core.counters.time_wait.reuse_age.record(age.at_most_ns);
        let movement = match core.time_wait.several {
            true => core.movement_in_its_socket(now, index, found, known, granted.movement),
            false => granted.movement,
        };
        let slot = core.slab.get_mut(index);
        slot.flags |= flag::RECYCLED;
        if let Some(movement) = movement {
            slot.conn.set_note(movement.bits());
        }
        let had = known.entry.ts_recent.is_some();
        let doubted = match val {
            // Without the bound nothing says how far those before it have come.
            Some(_) => !rules.bound || !had || known.entry.recycled || seq.lt(known.entry.rcv_nxt),
            None => had || known.entry.recycled,
        };
        if doubted {
            slot.flags |= flag::UNPROVEN;
        }
        if rules.shadow {
            //= RFC 9293 3.6.1
            //# returns to TIME-WAIT state if the SYN turns out to be an old duplicate
            //
            // The entry stays where it is until the handshake has proven the SYN: segments meet the
            // live connection first.
            slot.flags |= flag::SHADOW;
            slot.shadow = Some(found.slot);
        } else {
            core.time_wait.tables.remove(found.slot);
        }
        Verdict::Recycle(reason).into()
    }

    /// What a SYN that would recycle and may not gets.
    fn refuse(
        &mut self,
        now: Instant,
        frame: &Parsed,
        (found, known): (&Found, &Known),
        (ack, drop): (AckReason, DropReason),
    ) -> Outcome {
        match found.socket.rules.syn_refusal {
            SynRefusal::Ack => self.acknowledge(now, frame, found, &known.entry, ack),
            SynRefusal::Drop => Verdict::Drop(drop).into(),
        }
    }

    /// A FIN of the old connection, retransmitted while the SYN that recycles it is being proven:
    /// the entry answers, not the embryo, to which it is nothing. `true` if it was one.
    pub(crate) fn on_shadowed_fin(
        &mut self,
        now: Instant,
        index: u32,
        frame: &Parsed,
        segment: &Segment<'_>,
    ) -> bool {
        let core = &mut self.core;
        let flags = segment.header.flags;
        let is_fin = flags & (Flags::FIN | Flags::SYN | Flags::RST) == Flags::FIN;
        let theirs = core.slab.get(index).conn.rcv_nxt() == segment.header.seq;
        if !is_fin || theirs {
            return false;
        }
        let Some(found) = core.time_wait.find(frame.hash, &frame.tuple, now) else {
            return false;
        };
        let known = core.known(&found, &frame.tuple);
        let arrived = arrived(segment);
        let decision = decide(&found.socket.rules, &known, &arrived);
        let reason = AckReason::RetransmittedFin;
        if decision.verdict != Verdict::Ack(reason) {
            return false;
        }
        core.time_wait.tables.restart(found.slot, now);
        let outcome = Outcome {
            incident: Some(Incident::ShadowAnswered),
            ..self.acknowledge(now, frame, &found, &known.entry, reason)
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
}

impl Core {
    /// The handshake has proven the SYN: what it recycled is over.
    #[inline]
    pub(crate) fn drop_shadow(&mut self, index: u32, now: Instant) {
        let slot = self.slab.get_mut(index);
        slot.flags &= !flag::SHADOW;
        self.time_wait.end(slot.shadow, slot.hash, &slot.tuple, now);
    }

    /// A connection ended. If it had recycled and was never proven new, TIME-WAIT is what it was:
    /// `true` if that still lasts.
    #[inline]
    pub(crate) fn restore_shadow(&mut self, index: u32, now: Instant) -> bool {
        let slot = self.slab.get_mut(index);
        if !slot.has(flag::SHADOW) {
            return false;
        }
        slot.flags &= !flag::SHADOW;
        let (tuple, hash) = (slot.tuple, slot.hash);
        let found = self.time_wait.find(hash, &tuple, now);
        let entry = found.map(|found| self.time_wait.tables.entry(found.slot));
        let incident = match entry {
            Some(_) => Incident::Restored,
            None => Incident::NotRestored,
        };
        // The SYN had our ISS.
        self.time_wait.restores.note(hash, now);
        self.time_wait.note(tuple, entry, incident);
        entry.is_some()
    }

    /// The movement that a connection begins with, by the epochs of its own socket: a listener made at run time is not
    /// the one that accepted what it recycles.
    #[cold]
    fn movement_in_its_socket(
        &self,
        now: Instant,
        index: u32,
        found: &Found,
        known: &Known,
        movement: Option<Movement>,
    ) -> Option<Movement> {
        let epochs = self.time_wait.epochs(self.slab.get(index))?;
        if epochs == found.socket.epochs && movement.is_some() {
            return movement;
        }
        let at = Positions {
            peer: known.entry.rcv_nxt,
            own: known.entry.snd_nxt,
        };
        Some(match movement {
            Some(movement) => movement.in_epochs_of_another(epochs.at(now)),
            // Nothing was counted, or it will have timestamps, and this is not looked at.
            None => Movement::unknown(epochs.at(now), at),
        })
    }

    /// Whether a SYN with number `seq` may recycle whose timestamp is not newer than the last, or the first.
    fn bounded_beside_timestamps(
        &mut self,
        now: Instant,
        hash: u64,
        (found, known): (&Found, &Known),
        seq: Seq,
        reason: Recycle,
    ) -> Result<(), Refused> {
        let entry = &known.entry;
        if entry.ts_recent.is_none() && entry.recycled {
            // One before the last had timestamps, of which nothing is known any more: they may be of another clock, and
            // newer than those to come.
            self.other_clock(now, found)?;
        }
        // PAWS drops what is of an earlier tick, and without timestamps at all. Within a tick
        // the numbers must tell.
        let step = seq.offset_from(entry.rcv_nxt);
        if reason == Recycle::EqualTimestamp
            && !self.time_wait.may_step_within_tick(hash, step, now)
        {
            return Err(Refused {
                why: Incident::BoundTick,
                allowed_at: now.plus_millis(SLOWEST_TICK_MS),
            });
        }
        Ok(())
    }

    /// What a SYN with number `seq` and no timestamp begins with if the recycling bound allows it.
    fn bounded(
        &self,
        now: Instant,
        (found, known): (&Found, &Known),
        (seq, clock, restores): (Seq, Seq, u32),
    ) -> Result<Granted, Refused> {
        let socket = &found.socket;
        let entry = &known.entry;
        let at = Positions {
            peer: entry.rcv_nxt,
            own: entry.snd_nxt,
        };
        let epoch = socket.epochs.at(now);
        let mut movement = entry.movement;
        if entry.ts_recent.is_some() {
            movement = self.uncounted(now, found, at, epoch, entry.recycled)?;
        }
        // A gap costs room that may be needed for more recycles.
        let moved = movement.own(epoch, at.own) > UNCOUNTED;
        let iss = isn::iss(socket.rules.iss, at.own, clock, moved) + restores;
        let to = |own| Positions { peer: seq, own };
        let mut granted = (iss, movement.recycle(epoch, at, to(iss)));
        if socket.rules.iss == IssRule::Max && granted.1.is_err_and(|e| e.space == Space::Own) {
            // Where the clock is too far ahead, the number after the last will do.
            let next = at.own + GAP_WITH_TIMESTAMPS + restores;
            granted = (next, movement.recycle(epoch, at, to(next)));
        }
        match granted {
            (iss, Ok(movement)) => Ok(Granted {
                iss,
                movement: Some(movement),
            }),
            (_, Err(exceeded)) => Err(Refused::beyond(socket, exceeded)),
        }
    }

    /// A SYN with the timestamp of another clock is allowed when nothing of the connection before is under way.
    #[cold]
    fn other_clock(&self, now: Instant, found: &Found) -> Result<(), Refused> {
        let allowed_at = self.rested(found);
        if now >= allowed_at {
            return Ok(());
        }
        Err(Refused {
            why: Incident::BoundOtherClock,
            allowed_at,
        })
    }

    /// From when on nothing of the connection before is under way any more.
    pub(super) fn rested(&self, found: &Found) -> Instant {
        let Socket {
            msl_ms, length_ms, ..
        } = found.socket;
        let expiry = self.time_wait.tables.expires_at(found.slot);
        let left_ms = u64::from(length_ms.saturating_sub(msl_ms));
        Instant::from_nanos(expiry.as_nanos().saturating_sub(left_ms * 1_000_000))
    }

    /// The movement of a connection that had timestamps, when the next does without.
    pub(super) fn uncounted(
        &self,
        now: Instant,
        found: &Found,
        at: Positions,
        epoch: u64,
        recycled: bool,
    ) -> Result<Movement, Refused> {
        let rested = self.rested(found);
        if now >= rested {
            // Nothing of it is under way any more.
            return Ok(Movement::first(epoch, at));
        }
        if recycled {
            return Err(Refused {
                why: Incident::BoundUncounted,
                allowed_at: rested,
            });
        }
        let began = Positions {
            peer: at.peer - UNCOUNTED,
            own: at.own - UNCOUNTED,
        };
        Ok(Movement::first(epoch, began))
    }
}

impl TimeWait {
    /// Whether a space may go on by `step` although the peer's timestamp is that of the connection before.
    pub(super) fn may_step_within_tick(&mut self, hash: u64, step: u32, now: Instant) -> bool {
        step <= MAX_STEP && self.ticks.take(hash, step, now)
    }

    /// Whether a timestamp newer by `step` than an entry's, of that age, proves something: it does where one clock counted
    /// both. Several hosts behind one address, or a random offset for each connection, step around the circle in a few
    /// incarnations, and then what is old is newer again. One such step is no harm within an MSL, if it leaves what was
    /// before it older.
    pub(super) fn is_of_one_clock(
        &mut self,
        hash: u64,
        (age, recycled): (Age, bool),
        step: u32,
        now: Instant,
    ) -> bool {
        let step = u64::from(step);
        if step <= age.at_least_ns / FASTEST_TICK_NS {
            return true;
        }
        // What the age is in doubt by, by a tick of the table and by what the network delayed, would come to a circle over many
        // incarnations.
        let at_most_ns = age.at_most_ns + DELAYED_NS;
        let (tick_ns, limit) = if step <= at_most_ns / USUAL_TICK_NS {
            (USUAL_TICK_NS, &mut self.clocks)
        } else {
            (FASTEST_TICK_NS, &mut self.fast_clocks)
        };
        let beyond = step.saturating_sub(age.at_least_ns / tick_ns);
        (step <= at_most_ns / tick_ns && limit.take(hash, beyond as u32, now))
            || (step <= LONGEST_STEP_OF_CLOCKS && !recycled)
    }
}
