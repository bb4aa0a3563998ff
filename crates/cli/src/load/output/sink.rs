//! Something that is written to, and may stop taking anything.

use std::fs::File;
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::Path;

use crate::config::ConfigError;

/// A file or a stream. After its first error nothing more is written to it.
pub(super) struct Sink {
    name: String,
    to: Box<dyn Write>,
    failed: Option<String>,
}

impl Sink {
    pub(super) fn new(name: &str, to: Box<dyn Write>) -> Sink {
        Sink {
            name: name.to_owned(),
            to,
            failed: None,
        }
    }

    /// Makes the file at `path`, or empties it.
    pub(super) fn file(flag: &str, path: &Path) -> Result<Sink, ConfigError> {
        let name = path.display().to_string();
        match File::create(path) {
            Ok(file) => Ok(Sink::new(&name, Box::new(BufWriter::new(file)))),
            Err(error) => Err(ConfigError::flag(
                &format!("{flag} {name}"),
                format!("the file cannot be made: {error}"),
            )),
        }
    }

    /// Has `write` write something whole, which is then handed on.
    pub(super) fn write(&mut self, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) {
        if self.failed.is_some() {
            return;
        }
        if let Err(error) = write(&mut self.to).and_then(|()| self.to.flush()) {
            let why = format!("{}: {}", self.name, explained(&error));
            // If that cannot be told either, it is told at the end.
            let _ = writeln!(
                io::stderr(),
                "tidewheel: cannot write {why}; the run goes on"
            );
            self.failed = Some(why);
        }
    }

    /// Why not everything was written.
    pub(super) fn end(self) -> Option<String> {
        self.failed
    }
}

/// The error, and what to do.
fn explained(error: &io::Error) -> String {
    let remedy = match error.kind() {
        ErrorKind::BrokenPipe => ": whoever read it has ended",
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            ": make room, or give the name of a file elsewhere"
        }
        _ => "",
    };
    format!("{error}{remedy}")
}
