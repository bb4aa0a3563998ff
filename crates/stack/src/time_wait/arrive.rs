//! What a segment for a four-tuple in TIME-WAIT meets.

use ::core::time::Duration;

use tcp::time::Instant;
use tcp::time_wait::{
    AckReason, Arrived, Decision, DropReason, Entry, Incident, KillReason, Known, Permit,
    ResetReason, RstRule, Verdict, decide,
};
use tcp::{CloseReason, Segment, closed};
use wire::FourTuple;
use wire::tcp::{Flags, Header, Options, Timestamps};

use super::{Found, Outcome};
use crate::application::Application;
use crate::core::Core;
use crate::frame::FramePool;
use crate::parse::Parsed;
use crate::stack::Stack;

/// A segment as the rules see it.
pub(super) fn arrived<'a>(segment: &Segment<'a>) -> Arrived<'a> {
    Arrived {
        header: segment.header,
        text_len: segment.payload.len() as u32,
    }
}

impl Core {
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
            rcv_nxt: Entry::edge(entry.rcv_nxt + found.window),
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
    pub(super) fn known(&self, found: &Found, tuple: &FourTuple) -> Known {
        // Only one rule asks for it.
        let age = match found.socket.rules.rst {
            RstRule::IgnoreBriefly => {
                Duration::from_nanos(self.time_wait.tables.age(found.slot).at_least_ns)
            }
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
        let arrived = arrived(segment);
        let decision = decide(&found.socket.rules, &known, &arrived);
        let outcome = match decision.verdict {
            // The usual one.
            Verdict::Recycle(reason) => self.recycle(now, frame, segment, &found, &known, reason),
            Verdict::Closed => {
                core.time_wait.tables.remove(found.slot);
                return false;
            }
            _ => self.answer(now, frame, segment, &found, &known.entry, &decision),
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

    /// What a segment meets that opens nothing.
    #[inline(never)] // so that a SYN that does is not delayed by what it needs
    fn answer(
        &mut self,
        now: Instant,
        frame: &Parsed,
        segment: &Segment<'_>,
        found: &Found,
        known: &Entry,
        decision: &Decision,
    ) -> Outcome {
        let core = &mut self.core;
        let mut entry = *known;
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
        match decision.verdict {
            Verdict::Ack(reason) => self.acknowledge(now, frame, found, &entry, reason),
            //= RFC 1337 3
            //# Ignore RST segments in TIME-WAIT state.
            //
            // But for the one that answers the acknowledgment of a refused SYN.
            Verdict::Drop(DropReason::RstExact) if core.time_wait.probes.take(frame.hash, now) => {
                core.time_wait.tables.remove(found.slot);
                core.time_wait.acks.forget(frame.hash, now);
                Verdict::Kill(KillReason::SynProbe).into()
            }
            Verdict::Kill(_) => {
                let incident = core.end_or_keep(found, &entry, CloseReason::Reset, now);
                core.time_wait.acks.forget(frame.hash, now);
                Outcome {
                    incident,
                    ..decision.verdict.into()
                }
            }
            Verdict::Reset(reason) => {
                let incident = match reason {
                    ResetReason::HalfOpen => None,
                    _ => core.end_or_keep(found, &entry, CloseReason::DataLost, now),
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
            Verdict::Drop(_) | Verdict::Recycle(_) | Verdict::Closed => decision.verdict.into(),
        }
    }

    /// `<SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>`, as far as the limits permit.
    pub(super) fn acknowledge(
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
