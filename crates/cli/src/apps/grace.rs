//! How long a connection may keep the server waiting: for the rest of a request's head, or for
//! its FIN once the server has said everything.

use core::time::Duration;
use std::collections::VecDeque;

use stack::Context;
use tcp::time::Instant;

use super::http::Connection;

/// The grace: at least this long, at most twice.
pub(super) const GRACE: Duration = Duration::from_secs(30);

/// How the wait for a client is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Wait {
    /// It goes on.
    On,
    /// Its grace was over.
    Over,
    /// Nobody waits any more.
    Gone,
}

/// The connections that keep the server waiting, oldest first. As the grace is the same for all
/// of them, this is a queue; a connection is in it at most once, and whether it still waits is
/// looked up when its turn comes.
pub(super) struct Grace {
    queue: VecDeque<(Instant, u32)>,
}

impl Grace {
    pub(super) fn new(max_connections: usize) -> Grace {
        Grace {
            queue: VecDeque::with_capacity(max_connections),
        }
    }

    /// Looks at the connection at `index` once the grace is over.
    pub(super) fn start(&mut self, now: Instant, index: usize) {
        if let Ok(index) = u32::try_from(index) {
            self.queue.push_back((now + GRACE, index));
        }
    }

    /// When somebody's grace is over next.
    pub(super) fn next(&self) -> Option<Instant> {
        self.queue.front().map(|(at, _)| *at)
    }

    /// Closes whoever has used up its grace; returns how many that were.
    #[inline]
    pub(super) fn expire(&mut self, cx: &mut Context<'_>, connections: &mut [Connection]) -> u64 {
        let mut closed = 0;
        while let Some(&(at, index)) = self.queue.front()
            && at <= cx.now()
        {
            self.queue.pop_front();
            let Some(connection) = connections.get_mut(index as usize) else {
                continue;
            };
            match connection.wait_state(cx) {
                Wait::On => self.queue.push_back((cx.now() + GRACE, index)),
                Wait::Over => closed += 1,
                Wait::Gone => {}
            }
        }
        closed
    }
}
