//! A worker's board: where it publishes what it counts and reads what it is ordered.
//!
//! The worker alone writes values and phase, the control thread alone writes the order, each on
//! cache lines of its own. Everything is relaxed: a value is a moment old, and two values need
//! not be of the same moment.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use crossbeam::utils::CachePadded;

use crate::field::Field;

/// Values on a cache line (and its neighbour, which the prefetcher fetches with it).
const PER_LINE: usize = 16;

/// What a worker is to do; a later order is never taken back.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum Phase {
    /// Serve.
    Run = 0,
    /// Open and accept nothing more; what is live goes on to its end.
    Drain = 1,
    /// Reset what is live, send the RSTs, leave.
    Stop = 2,
    /// The worker has left its loop.
    Left = 3,
}

impl Phase {
    fn from_u8(value: u8) -> Phase {
        match value {
            0 => Phase::Run,
            1 => Phase::Drain,
            2 => Phase::Stop,
            _ => Phase::Left,
        }
    }
}

/// A worker's board.
#[derive(Debug)]
pub struct Board {
    name: String,
    fields: Vec<Field>,
    order: CachePadded<AtomicU8>,
    phase: CachePadded<AtomicU8>,
    values: Box<[CachePadded<[AtomicU64; PER_LINE]>]>,
}

impl Board {
    pub(crate) fn new(name: String, fields: Vec<Field>) -> Board {
        let lines = fields.len().div_ceil(PER_LINE);
        Board {
            name,
            order: CachePadded::new(AtomicU8::new(Phase::Run as u8)),
            phase: CachePadded::new(AtomicU8::new(Phase::Run as u8)),
            values: (0..lines).map(|_| CachePadded::default()).collect(),
            fields,
        }
    }

    /// The worker's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What is published, in the order of the values.
    #[must_use]
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// Orders the worker to drain. It sees that within a millisecond or two.
    pub fn drain(&self) {
        self.order.fetch_max(Phase::Drain as u8, Ordering::Relaxed);
    }

    /// Orders the worker to reset what is live and to leave.
    pub fn stop(&self) {
        self.order.fetch_max(Phase::Stop as u8, Ordering::Relaxed);
    }

    /// What the worker does now.
    #[must_use]
    pub fn phase(&self) -> Phase {
        Phase::from_u8(self.phase.load(Ordering::Acquire))
    }

    /// The value of the field at `place`, 0 if there is none.
    #[must_use]
    pub fn value(&self, place: usize) -> u64 {
        self.values
            .get(place / PER_LINE)
            .map_or(0, |line| line[place % PER_LINE].load(Ordering::Relaxed))
    }

    /// The value of the field `name`, if there is such a one. Searches; not for a hot path.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<u64> {
        let place = self.fields.iter().position(|f| f.name == name)?;
        Some(self.value(place))
    }

    /// Reads all values, in the order of the fields.
    #[must_use]
    pub fn read(&self) -> Vec<u64> {
        (0..self.fields.len()).map(|i| self.value(i)).collect()
    }

    #[inline]
    pub(crate) fn order(&self) -> Phase {
        Phase::from_u8(self.order.load(Ordering::Relaxed))
    }

    /// Publishes the phase, after everything that was published before it.
    pub(crate) fn set_phase(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::Release);
    }

    /// A cursor that writes the values from the first field on.
    pub(crate) fn writer(&self) -> Writer<'_> {
        Writer {
            board: self,
            place: 0,
        }
    }
}

/// Writes the values of a board, one after the other.
pub(crate) struct Writer<'a> {
    board: &'a Board,
    place: usize,
}

impl Writer<'_> {
    #[inline]
    pub(crate) fn put(&mut self, value: u64) {
        if let Some(line) = self.board.values.get(self.place / PER_LINE) {
            line[self.place % PER_LINE].store(value, Ordering::Relaxed);
        }
        self.place += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn board(n: usize) -> Board {
        let names = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];
        let fields = (0..n).map(|i| Field::gauge(names[i % 10], "A value."));
        Board::new("w".into(), fields.collect())
    }

    #[test]
    fn values_keep_their_places_over_lines() {
        let board = board(40);
        let mut writer = board.writer();
        (0..40).for_each(|i| writer.put(i * i));
        assert_eq!(board.read(), (0..40).map(|i| i * i).collect::<Vec<u64>>());
        assert_eq!(board.get("c"), Some(4));
        assert_eq!(board.get("z"), None);
        assert_eq!(board.value(1_000), 0);
    }

    #[test]
    fn a_value_too_many_is_ignored() {
        let board = board(16);
        let mut writer = board.writer();
        (0..40).for_each(|i| writer.put(i));
        assert_eq!(board.value(15), 15);
        assert_eq!(board.value(16), 0);
    }

    #[test]
    fn an_order_is_never_taken_back() {
        let board = board(1);
        board.stop();
        board.drain();
        assert_eq!(board.order(), Phase::Stop);
        assert_eq!(board.phase(), Phase::Run);
    }
}
