//! What the client is told to do, and what it tells.

use core::time::Duration;

use hdrhistogram::Histogram;

/// What one connection exchanges. Both ends must have the same.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Exchange {
    /// Bytes from the client.
    pub request_bytes: u64,
    /// Bytes from the server.
    pub response_bytes: u64,
    /// The server sends the first FIN, behind its response; else the client, when it has checked
    /// the response.
    pub server_closes: bool,
}

/// How connections are launched.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Pace {
    /// Not at all.
    Rest,
    /// As soon as fewer than this many are alive.
    Closed {
        /// Connections alive at a time.
        concurrency: u32,
    },
    /// So many a second, evenly, whether or not the server keeps up.
    Open {
        /// Connections a second, at least 1.
        rate: u64,
        /// The most alive at a time: a launch that finds so many waits, and its latency counts
        /// from when it should have been.
        concurrency: u32,
    },
}

/// One phase of the bench.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Plan {
    /// How to launch.
    pub pace: Pace,
    /// Launch so many at most.
    pub limit: Option<u64>,
    /// Record the time from the intended launch to `on_open`.
    pub latency: bool,
}

impl Plan {
    /// No launches; what is alive goes on to its end.
    pub const REST: Plan = Plan {
        pace: Pace::Rest,
        limit: None,
        latency: false,
    };
}

/// What happened, in numbers that only grow.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// Active opens.
    pub launched: u64,
    /// Connections over, whatever the reason.
    pub ended: u64,
    /// Connections whose response was checked and that both ends closed.
    pub completed: u64,
    /// Connections that ended by a timer.
    pub timeouts: u64,
    /// Connections that the peer reset.
    pub resets: u64,
    /// Opens answered by RST.
    pub refusals: u64,
    /// Connections with a byte that was wrong, missing or too many.
    pub wrong_bytes: u64,
    /// Launches put off because no tuple was free or a table was full.
    pub put_off: u64,
}

impl Counts {
    /// Everything that went wrong.
    #[must_use]
    pub const fn errors(&self) -> u64 {
        self.timeouts + self.resets + self.refusals + self.wrong_bytes
    }

    /// Connections opened and not over; 0 if more ended than were opened meanwhile.
    #[must_use]
    pub const fn live(&self) -> u64 {
        self.launched.saturating_sub(self.ended)
    }

    const fn values(&self) -> [u64; 8] {
        [
            self.launched,
            self.ended,
            self.completed,
            self.timeouts,
            self.resets,
            self.refusals,
            self.wrong_bytes,
            self.put_off,
        ]
    }

    const fn from_values(v: [u64; 8]) -> Counts {
        Counts {
            launched: v[0],
            ended: v[1],
            completed: v[2],
            timeouts: v[3],
            resets: v[4],
            refusals: v[5],
            wrong_bytes: v[6],
            put_off: v[7],
        }
    }

    /// What happened since `earlier`.
    #[must_use]
    pub fn since(&self, earlier: &Counts) -> Counts {
        let (now, then) = (self.values(), earlier.values());
        Counts::from_values(core::array::from_fn(|i| now[i].saturating_sub(then[i])))
    }
}

/// What a phase came to, by the client's own clock.
#[derive(Clone, Debug)]
pub struct Report {
    /// From the phase's beginning to the next plan.
    pub elapsed: Duration,
    /// What happened meanwhile.
    pub counts: Counts,
    /// Nanoseconds from the intended launch to `on_open`; empty unless the plan asked for it.
    pub latency: Histogram<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_and_differences() {
        let counts = Counts::from_values([9, 8, 7, 6, 5, 4, 3, 2]);
        assert_eq!((counts.errors(), counts.live()), (6 + 5 + 4 + 3, 1));
        assert_eq!(counts.since(&counts), Counts::default());
    }
}
