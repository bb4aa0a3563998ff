//! How large a table is, for how long it keeps, and why it could not be made.

use core::fmt;
use std::io;

use super::expiry::{MAX_CLASSES, MAX_DURATION_MS};
use super::memory::Pages;

/// How large, for how long.
#[derive(Clone, Debug)]
pub struct Config {
    /// Entries that the table is meant to hold: at this number it is half full. A seventh more find
    /// room, for those whose time is over but whose bucket the sweep has not yet come to (an eighth
    /// in a steady state). From then on the oldest near its home goes for each one that comes.
    pub capacity: usize,
    /// The lengths of TIME-WAIT in milliseconds, by [`ClassId`](super::ClassId); 0 keeps nothing. At most
    /// [`MAX_CLASSES`], each at most [`MAX_DURATION_MS`].
    pub durations_ms: Vec<u64>,
    /// The pages to ask for.
    pub pages: Pages,
}

/// Why a table could not be made.
#[derive(Debug)]
pub enum BuildError {
    /// The capacity is 0 or needs more than 2^32 buckets.
    Capacity(usize),
    /// There is no class, or more than [`MAX_CLASSES`].
    Classes(usize),
    /// A length is more than [`MAX_DURATION_MS`].
    Duration(u64),
    /// The system gave no memory.
    Memory(io::Error),
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BuildError::Capacity(n) => write!(f, "a TIME-WAIT table cannot hold {n} entries"),
            BuildError::Classes(n) => {
                write!(
                    f,
                    "{n} different lengths of TIME-WAIT and FIN-WAIT-2, and 1 to {MAX_CLASSES} are possible: give listeners lengths in common"
                )
            }
            BuildError::Duration(ms) => {
                write!(
                    f,
                    "a TIME-WAIT of {ms} ms is longer than {MAX_DURATION_MS} ms"
                )
            }
            BuildError::Memory(e) => write!(f, "no memory for the TIME-WAIT table: {e}"),
        }
    }
}

impl core::error::Error for BuildError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            BuildError::Memory(e) => Some(e),
            _ => None,
        }
    }
}
