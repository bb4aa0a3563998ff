//! What is decided in TIME-WAIT is counted and told.

use ::core::mem;

use tcp::time::Instant;
use tcp::time_wait::{Arrived, Entry, Incident, Permit, Verdict};
use wire::FourTuple;

use super::TimeWait;
use crate::application::Application;
use crate::frame::FramePool;
use crate::stack::Stack;

/// For so many incidents there is room from the start: four times what one call of [`Stack::flush`] may end before they are told.
pub(super) const UNTOLD: usize = 4096;

/// An incident of a four-tuple in TIME-WAIT, and what was known of that.
#[derive(Clone, Copy)]
pub(super) struct Untold {
    tuple: FourTuple,
    entry: Option<Entry>,
    incident: Incident,
    allowed_at: Option<Instant>,
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
    /// Something happened away from the application.
    pub(super) fn note(&mut self, tuple: FourTuple, entry: Option<Entry>, incident: Incident) {
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
}

impl<A: Application, P: FramePool> Stack<A, P> {
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
}
