//! What the bench needs of whatever carries it: a client that is told what to do, a server that can be looked at, and
//! time that passes.

use core::time::Duration;

use load::{Counts, Measured, Run};
use tcp::time::Instant;

/// Counters of both hosts and of the link at a moment; those that count only grow.
#[derive(Clone, Debug, Default)]
pub struct Sample {
    /// When the server's counters were read, by its clock.
    pub at: Instant,
    /// The server's counters.
    pub server: stack::Counters,
    /// The client's counters.
    pub client: stack::Counters,
    /// What the server holds.
    pub usage: stack::Usage,
    /// What the client holds.
    pub client_usage: stack::Usage,
    /// Frames that the link lost, both ways.
    pub link_drops: u64,
    /// Processor time of the control thread since it began.
    pub control_cpu: Duration,
    /// The longest turn of either worker's loop within the last second or two.
    pub longest_turn: Duration,
}

impl Sample {
    /// What the host holds that closes first: it is the one with TIME-WAIT (RFC 9293 3.6).
    #[must_use]
    pub fn closer(&self, server_closes: bool) -> &stack::Usage {
        if server_closes {
            &self.usage
        } else {
            &self.client_usage
        }
    }
}

/// Something that carries a bench.
pub trait Testbed {
    /// Begins a run of the client.
    ///
    /// # Errors
    /// A worker is gone.
    fn begin(&mut self, run: Run) -> anyhow::Result<()>;

    /// Ends the run, if it goes on: nothing more is begun. Returns what came of it so far.
    ///
    /// # Errors
    /// A worker is gone.
    fn end(&mut self) -> anyhow::Result<Box<Measured>>;

    /// Lets `time` pass, and says how much it was.
    ///
    /// # Errors
    /// A worker is gone, or the user wants to stop.
    fn wait(&mut self, time: Duration) -> anyhow::Result<Duration>;

    /// The client's counters now.
    ///
    /// # Errors
    /// A worker is gone.
    fn counts(&mut self) -> anyhow::Result<Counts>;

    /// Counters of everything now.
    ///
    /// # Errors
    /// A worker is gone.
    fn sample(&mut self) -> anyhow::Result<Sample>;
}
