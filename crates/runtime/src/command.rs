//! Commands: closures that a worker carries out between two turns of its loop.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant as SystemInstant};

use crossbeam::channel::{RecvTimeoutError, bounded};
use crossbeam::queue::ArrayQueue;
use stack::Stack;
use tcp::time::Instant;

use crate::board::{Board, Phase};
use crate::pool::MbufPool;

/// Commands that wait at most; a worker looks about once a millisecond.
const QUEUE: usize = 64;

type Command<A> = Box<dyn FnOnce(&mut Stack<A, MbufPool>, Instant) + Send>;

/// A worker's queue of commands. Clones are handles to the same one.
pub struct Commands<A> {
    queue: Arc<ArrayQueue<Command<A>>>,
    board: Arc<Board>,
}

/// Why a command was not carried out, or why its answer is not known.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CommandError {
    /// The worker has not taken up those before.
    #[error("the worker's queue of commands is full")]
    QueueFull,
    /// The worker has left its loop.
    #[error("the worker has left its loop")]
    Left,
    /// No answer in time; it may still be carried out.
    #[error("the worker did not answer in time")]
    Timeout,
}

impl<A> Commands<A> {
    pub(crate) fn new(board: Arc<Board>) -> Commands<A> {
        Commands {
            queue: Arc::new(ArrayQueue::new(QUEUE)),
            board,
        }
    }

    /// The worker's board.
    #[must_use]
    pub fn board(&self) -> &Arc<Board> {
        &self.board
    }

    /// Has the worker call `command`, between two turns and with the time of its clock. The
    /// worker serves nobody meanwhile: keep it short.
    ///
    /// # Errors
    /// [`CommandError::QueueFull`] or [`CommandError::Left`].
    pub fn tell(
        &self,
        command: impl FnOnce(&mut Stack<A, MbufPool>, Instant) + Send + 'static,
    ) -> Result<(), CommandError> {
        if self.board.phase() == Phase::Left {
            return Err(CommandError::Left);
        }
        self.queue
            .push(Box::new(command))
            .map_err(|_| CommandError::QueueFull)
    }

    /// As [`Commands::tell`], and waits for the answer, at most for `timeout`. Not for workers.
    ///
    /// # Errors
    /// [`CommandError`].
    pub fn ask<R: Send + 'static>(
        &self,
        timeout: Duration,
        command: impl FnOnce(&mut Stack<A, MbufPool>, Instant) -> R + Send + 'static,
    ) -> Result<R, CommandError> {
        let (answer, answered) = bounded(1);
        self.tell(move |stack, now| {
            // There is room for one, so this does not wait; whoever asked may be gone.
            let _ = answer.send(command(stack, now));
        })?;
        let until = SystemInstant::now() + timeout;
        loop {
            let left = until.saturating_duration_since(SystemInstant::now());
            match answered.recv_timeout(left.min(Duration::from_millis(10))) {
                Ok(answer) => return Ok(answer),
                Err(RecvTimeoutError::Disconnected) => return Err(CommandError::Left),
                // A command that came in while the worker was leaving lies there for good.
                Err(RecvTimeoutError::Timeout) if self.board.phase() == Phase::Left => {
                    return answered.try_recv().map_err(|_| CommandError::Left);
                }
                Err(RecvTimeoutError::Timeout) if left.is_zero() => {
                    return Err(CommandError::Timeout);
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    /// Takes the next command.
    pub(crate) fn next(&self) -> Option<Command<A>> {
        self.queue.pop()
    }
}

impl<A> Clone for Commands<A> {
    fn clone(&self) -> Self {
        Commands {
            queue: Arc::clone(&self.queue),
            board: Arc::clone(&self.board),
        }
    }
}

impl<A> fmt::Debug for Commands<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Commands")
            .field("worker", &self.board.name())
            .field("waiting", &self.queue.len())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commands() -> Commands<()> {
        Commands::new(Arc::new(Board::new("w".into(), Vec::new())))
    }

    #[test]
    fn a_full_queue_refuses() {
        let commands = commands();
        for _ in 0..QUEUE {
            commands.tell(|_, _| {}).unwrap();
        }
        assert_eq!(commands.tell(|_, _| {}), Err(CommandError::QueueFull));
        assert!(commands.next().is_some());
        assert_eq!(commands.tell(|_, _| {}), Ok(()));
    }

    #[test]
    fn nobody_waits_for_a_worker_that_left() {
        let commands = commands();
        let asked = commands.ask(Duration::from_millis(1), |_, _| ());
        assert_eq!(asked, Err(CommandError::Timeout));

        let (clone, minute) = (commands.clone(), Duration::from_secs(60));
        let asker = std::thread::spawn(move || clone.ask(minute, |_, _| ()));
        while commands.queue.len() < 2 {
            std::thread::yield_now();
        }
        commands.board.set_phase(Phase::Left);
        assert_eq!(asker.join().unwrap(), Err(CommandError::Left));
        assert_eq!(commands.tell(|_, _| {}), Err(CommandError::Left));
    }
}
