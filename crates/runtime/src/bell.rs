//! What wakes the control thread: signals, and threads that end.

use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use signal_hook::SigId;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::low_level::{pipe, unregister};

/// What a thread writes; signals write [`SIGNAL`].
const ENDED: u8 = b'e';
/// What signal-hook's pipes write.
const SIGNAL: u8 = b'X';

/// The control thread's side: a socket that it sleeps on.
#[derive(Debug)]
pub(crate) struct Bell {
    read: UnixStream,
    write: UnixStream,
    signals: Vec<SigId>,
}

/// Why the control thread woke up.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Rings {
    /// Signals that came.
    pub(crate) signals: usize,
    /// Whether threads have ended.
    pub(crate) ended: bool,
}

/// A thread's side: rings when it is dropped, that is, however the thread ends.
#[derive(Debug)]
pub(crate) struct RingAtEnd(UnixStream);

impl Bell {
    /// A bell that SIGINT and SIGTERM ring.
    pub(crate) fn with_signals() -> io::Result<Bell> {
        let mut bell = Bell::new()?;
        for signal in [SIGINT, SIGTERM] {
            bell.signals
                .push(pipe::register(signal, bell.write.try_clone()?)?);
        }
        Ok(bell)
    }

    fn new() -> io::Result<Bell> {
        let (read, write) = UnixStream::pair()?;
        // Whoever rings must not wait, should the bell have been rung very often.
        write.set_nonblocking(true)?;
        Ok(Bell {
            read,
            write,
            signals: Vec::new(),
        })
    }

    pub(crate) fn ring_at_end(&self) -> io::Result<RingAtEnd> {
        Ok(RingAtEnd(self.write.try_clone()?))
    }

    /// Sleeps until it rings, at most for `timeout`; a signal may end the sleep, too.
    pub(crate) fn wait(&mut self, timeout: Duration) -> io::Result<Rings> {
        // Zero would mean to wait for ever.
        let timeout = timeout.max(Duration::from_micros(1));
        self.read.set_read_timeout(Some(timeout))?;
        let mut bytes = [0; 64];
        match self.read.read(&mut bytes) {
            Ok(n) => {
                let bytes = &bytes[..n];
                Ok(Rings {
                    signals: bytes.iter().filter(|&&b| b == SIGNAL).count(),
                    ended: bytes.contains(&ENDED),
                })
            }
            // A signal, and not always one of ours: net_tap has the kernel send one for each frame,
            // so to wait here for the whole time again could be to wait for ever.
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::Interrupted | ErrorKind::WouldBlock | ErrorKind::TimedOut
                ) =>
            {
                Ok(Rings::default())
            }
            Err(error) => Err(error),
        }
    }
}

impl Drop for Bell {
    fn drop(&mut self) {
        for id in self.signals.drain(..) {
            unregister(id);
        }
    }
}

impl Drop for RingAtEnd {
    fn drop(&mut self) {
        // If there is no room, it has been rung often enough.
        let _ = self.0.write(&[ENDED]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    #[test]
    fn a_thread_that_panics_rings_too() {
        let mut bell = Bell::new().unwrap();
        let ring = bell.ring_at_end().unwrap();
        let start = Instant::now();
        let thread = std::thread::spawn(move || {
            let _ring = ring;
            panic!("on purpose");
        });
        let rings = bell.wait(Duration::from_secs(60)).unwrap();
        assert_eq!((rings.signals, rings.ended), (0, true));
        assert!(start.elapsed() < Duration::from_secs(30));
        assert!(thread.join().is_err());
    }

    #[test]
    fn silence_is_silence() {
        let mut bell = Bell::new().unwrap();
        assert_eq!(bell.wait(Duration::ZERO).unwrap(), Rings::default());
    }
}
