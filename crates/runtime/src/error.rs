//! What ends a program that runs workers.

use std::io;

/// Why workers could not be started, or had to end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// DPDK, a device or memory.
    #[error(transparent)]
    Dpdk(#[from] dpdk::Error),
    /// The link of a port did not come up.
    #[error("the link of {device} is down: is its other end there and running?")]
    LinkDown {
        /// The device.
        device: String,
    },
    /// The device cannot have a queue each way for every worker.
    #[error(
        "{workers} workers need a queue each way of their own, and {device} has {queues}: have fewer workers, or give the \
         device more queues where it can have them (net_af_packet: qpairs={workers})"
    )]
    TooFewQueues {
        /// The device.
        device: String,
        /// Workers.
        workers: u16,
        /// Queues that the device can have each way.
        queues: u16,
    },
    /// A worker panicked: a defect of this program.
    #[error("worker {worker} panicked: {message}")]
    Panicked {
        /// Names of the workers of the thread.
        worker: String,
        /// What it said.
        message: String,
    },
    /// A worker does not take its turns.
    #[error("worker {worker} does not react; leaving without it")]
    Stuck {
        /// Names of the workers of the thread.
        worker: String,
    },
    /// The operating system refused something.
    #[error("cannot {what}: {cause}")]
    Os {
        /// What was tried.
        what: &'static str,
        /// The reason. Not named `source`, or whoever prints the whole chain would print it twice.
        cause: io::Error,
    },
}

impl Error {
    pub(crate) fn os(what: &'static str) -> impl FnOnce(io::Error) -> Error {
        move |cause| Error::Os { what, cause }
    }
}
