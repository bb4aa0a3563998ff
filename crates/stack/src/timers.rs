//! The timers of live connections: one place in the wheel for each, moved lazily.
//!
//! A timer that is set too early is left where it is, also if there is no deadline any more or the
//! connection has gone: when it fires, it is set again or not. So the common case, a deadline that
//! moves away or is met before its time, costs nothing; and a connection that lives shorter than
//! the retransmission timeout finds the wheel as the one before it in the slot has left it.

use tcp::time::Instant;

use crate::application::Application;
use crate::core::{Core, env};
use crate::frame::FramePool;
use crate::stack::Stack;

/// A tick of the wheel is 2^20 ns, 1.05 ms: a division less each time.
const TICK_SHIFT: u32 = 20;

/// After so many retransmissions or probes without an answer the neighbour is in doubt.
const DOUBTFUL: u8 = 2;

/// The tick at which a deadline has passed.
#[inline]
pub(crate) fn tick_after(deadline: Instant) -> u64 {
    deadline.as_nanos().div_ceil(1 << TICK_SHIFT)
}

impl<A: Application, P: FramePool> Stack<A, P> {
    /// Runs the timers that are due, `budget` at most; the rest follows in the next turn.
    pub(crate) fn run_timers(&mut self, now: Instant, budget: usize) {
        let mut fired = ::core::mem::take(&mut self.fired);
        let tick = now.as_nanos() >> TICK_SHIFT;
        self.core
            .wheel
            .advance(tick, budget, &mut |index| fired.push(index));
        for index in fired.drain(..) {
            self.run_timer(now, index);
        }
        self.fired = fired;
    }

    /// Does what is due for a connection, if it is live, or sets its timer.
    #[inline]
    pub(crate) fn run_timer(&mut self, now: Instant, index: u32) {
        let core = &mut self.core;
        let Some(slot) = core.slab.live_mut(index) else {
            return;
        };
        match slot.conn.deadline() {
            Some(deadline) if deadline <= now => {
                let mut env = env!(core, &mut self.receive_memory, now, slot.config);
                let events = slot.conn.on_timer(&mut env);
                if slot.conn.unanswered() >= DOUBTFUL {
                    core.neighbors.doubt(slot.neighbor, now);
                }
                core.mark_dirty(index);
                self.on_events(now, index, events);
            }
            _ => core.arm(index),
        }
    }
}

impl Core {
    /// Sees to it that the wheel fires no later than the connection's earliest deadline.
    #[inline(always)]
    pub(crate) fn arm(&mut self, index: u32) {
        if let Some(deadline) = self.slab.get(index).conn.deadline() {
            self.wheel.schedule_by(index, tick_after(deadline));
        }
    }

    /// When the wheel is to be advanced.
    pub(crate) fn next_timer(&self) -> Option<Instant> {
        let tick = self.wheel.next_deadline()?;
        Some(Instant::from_nanos(tick << TICK_SHIFT))
    }
}
