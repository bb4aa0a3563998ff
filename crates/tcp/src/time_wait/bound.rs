//! The recycling bound: how far the two sequence number spaces of a four-tuple have moved within the
//! last MSL.
//!
//! A segment of an earlier incarnation is told from a new one because its numbers lie behind. That
//! holds as long as a space has moved by less than 2^31 while the segment was under way, at most an
//! MSL. One incarnation hardly moves it so far; many in a row do: at 102 numbers each and an MSL of
//! 30 s, 702,000 a second. So a recycle that would take either space beyond is refused, with
//! the time from which it may be. Where timestamps tell the incarnations apart there is no need: then
//! what counts is how far a space moves within one tick of the peer's clock (RFC 7323 5.4 wants a
//! tick for every 2^31 octets), and a SYN that repeats the tick may jump by [`MAX_STEP`] only, and
//! not more often than [`StepLimit`](super::StepLimit) allows.
//!
//! Without timestamps an entry's four octets of TS.Recent are free. They hold, for each space, where
//! it stood when this epoch and the one before began (floor, in units of 2^25), and the epoch
//! (modulo 16). Epochs are at least an MSL long, so the last MSL lies within the two. What is not
//! known exactly errs to the safe side: a space is taken to have moved further than it has, by up to
//! 2^25, and the time looked back on is up to two epochs instead of one MSL.
//!
//! What the bound rests on: while segments of incarnations before it are under way, an incarnation without
//! timestamps moves by less than 2^31 less two windows of its own. TCP itself, without them, cannot tell its own segments apart far
//! beyond that. How far it has come is known when it ends, in steps of [`UNCOUNTED`]: one that made such a step lately counts as
//! [`Movement::unknown`].

use core::fmt;

use wire::Seq;

use crate::time::Instant;

/// A space may move by less than this within the last MSL.
pub const LIMIT: u32 = 1 << 31;

/// How far a SYN may be beyond RCV.NXT that repeats the timestamp of the last incarnation: twice the
/// largest gap in use (65,537).
pub const MAX_STEP: u32 = 1 << 17;

/// Further than this an incarnation with timestamps, which nothing counts, must not have come if
/// the next is to do without them.
pub const UNCOUNTED: u32 = 1 << 30;

/// Positions are kept in units of 2^25.
const UNIT_SHIFT: u32 = 25;
const UNIT_MASK: u32 = 0x7f;
const EPOCH_MASK: u32 = 0xf;

/// The epochs of one socket.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Epochs {
    ns: u64,
}

impl Epochs {
    /// Epochs of an MSL, or of an eighth of the time that entries stay if that is longer: then an
    /// entry never lives through so many that their numbers repeat. In milliseconds.
    #[must_use]
    pub fn new(msl_ms: u32, length_ms: u32) -> Epochs {
        let ms = u64::from(msl_ms.max(length_ms.div_ceil(8)).max(1));
        Epochs { ns: ms * 1_000_000 }
    }

    /// The epoch of a point in time.
    #[inline]
    #[must_use]
    pub fn at(&self, now: Instant) -> u64 {
        now.as_nanos() / self.ns
    }

    /// What a [`Movement`] looks back on at most: two epochs, in milliseconds.
    #[inline]
    #[must_use]
    pub fn marked_ms(&self) -> u64 {
        2 * self.ns / 1_000_000
    }

    /// When an epoch begins.
    #[must_use]
    pub fn start(&self, epoch: u64) -> Instant {
        Instant::from_nanos(epoch.saturating_mul(self.ns))
    }
}

/// A number in each of the two spaces.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Positions {
    /// In the space of the peer.
    pub peer: Seq,
    /// In ours.
    pub own: Seq,
}

/// Which space.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Space {
    /// The peer's: it chose a number too far on, or recycles too fast.
    Peer,
    /// Ours.
    Own,
}

/// A recycle that must wait.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Exceeded {
    /// Which space would move too far.
    pub space: Space,
    /// The epoch from whose beginning it may.
    pub epoch: u64,
}

/// How far both spaces have moved, in four octets.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Movement(u32);

/// A space at the beginning of an epoch and of the one before, in units.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Marks {
    before: u32,
    current: u32,
}

impl Marks {
    fn at(position: Seq) -> Marks {
        let unit = unit(position);
        Marks {
            before: unit,
            current: unit,
        }
    }

    /// How far the space has moved since it stood at the mark that the last MSL begins with, when
    /// it stands at `now` and the marks are `age` epochs old.
    fn moved(self, age: u32, now: Seq) -> u32 {
        let mark = match age {
            0 => self.before,
            1 => self.current,
            // It has stood still since.
            _ => return 0,
        };
        now.0.wrapping_sub(mark << UNIT_SHIFT)
    }

    /// The marks `age` epochs later, for a space that has stood at `now` since the marks were made.
    fn later(self, age: u32, now: Seq) -> Marks {
        match age {
            0 => self,
            1 => Marks {
                before: self.current,
                current: unit(now),
            },
            _ => Marks::at(now),
        }
    }

    /// How many epochs to wait until the space may move on by `step`: 0 if it may now.
    fn wait(self, age: u32, now: Seq, step: u32) -> u64 {
        let may = |age| u64::from(self.moved(age, now)) + u64::from(step) < u64::from(LIMIT);
        let waits = (age..age + 2).take_while(|&age| !may(age)).count();
        waits as u64
    }
}

#[inline]
fn unit(position: Seq) -> u32 {
    position.0 >> UNIT_SHIFT
}

impl Movement {
    /// Of an incarnation that did not recycle, and began with the numbers `began`, IRS and ISS.
    /// Called when it ends, in `epoch`.
    #[inline]
    #[must_use]
    pub fn first(epoch: u64, began: Positions) -> Movement {
        Movement::pack(epoch, Marks::at(began.peer), Marks::at(began.own))
    }

    /// Of an incarnation that ended in `epoch` with RCV.NXT and SND.NXT `at`, when how far it has moved is not known:
    /// by [`LIMIT`] or more, also when it goes on by less than that.
    #[inline]
    #[must_use]
    pub fn unknown(epoch: u64, at: Positions) -> Movement {
        let opposite = |position: Seq| Marks::at(position + LIMIT);
        Movement::pack(epoch, opposite(at.peer), opposite(at.own))
    }

    /// The same by the epochs of another socket, where it is `epoch`: as made just now, with all that its own look
    /// back on.
    #[must_use]
    pub fn in_epochs_of_another(self, epoch: u64) -> Movement {
        let (peer, own) = self.unpack();
        let all = |marks: Marks| Marks {
            before: marks.before,
            current: marks.before,
        };
        Movement::pack(epoch, all(peer), all(own))
    }

    /// When an incarnation ends that recycled with `self` and began with `began`.
    ///
    /// If the epoch is another, the spaces stood somewhere between the beginning and the end of it
    /// when the epoch began: at its beginning, in doubt.
    #[inline]
    #[must_use]
    pub fn ended(self, epoch: u64, began: Positions) -> Movement {
        let age = self.age(epoch);
        if age == 0 {
            return self;
        }
        let (peer, own) = self.unpack();
        let (peer, own) = (peer.later(age, began.peer), own.later(age, began.own));
        Movement::pack(epoch, peer, own)
    }

    /// Whether an incarnation that ended with RCV.NXT and SND.NXT `at` may be followed by one that
    /// begins with `to`, IRS and ISS; if so, what is known of it.
    ///
    /// # Errors
    /// [`Exceeded`], the peer's space first.
    #[inline]
    pub fn recycle(self, epoch: u64, at: Positions, to: Positions) -> Result<Movement, Exceeded> {
        let age = self.age(epoch);
        let (peer, own) = self.unpack();
        for (space, marks, at, to) in [
            (Space::Peer, peer, at.peer, to.peer),
            (Space::Own, own, at.own, to.own),
        ] {
            let wait = marks.wait(age, at, to.offset_from(at));
            if wait > 0 {
                let epoch = epoch + wait;
                return Err(Exceeded { space, epoch });
            }
        }
        let (peer, own) = (peer.later(age, at.peer), own.later(age, at.own));
        Ok(Movement::pack(epoch, peer, own))
    }

    /// How far our space has moved within the last MSL if it stands at `at`.
    #[inline]
    #[must_use]
    pub fn own(self, epoch: u64, at: Seq) -> u32 {
        self.unpack().1.moved(self.age(epoch), at)
    }

    /// The four octets.
    #[inline]
    #[must_use]
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// From four octets.
    #[inline]
    #[must_use]
    pub const fn from_bits(bits: u32) -> Movement {
        Movement(bits)
    }

    /// Epochs since the marks were made, modulo 16. Where that is too few, the space is taken to
    /// have moved further than it has.
    #[inline]
    fn age(self, epoch: u64) -> u32 {
        (epoch as u32).wrapping_sub(self.0) & EPOCH_MASK
    }

    #[inline]
    fn pack(epoch: u64, peer: Marks, own: Marks) -> Movement {
        let marks = [peer.before, peer.current, own.before, own.current];
        let packed = marks.iter().fold(0, |bits, mark| bits << 7 | mark);
        Movement(packed << 4 | epoch as u32 & EPOCH_MASK)
    }

    #[inline]
    fn unpack(self) -> (Marks, Marks) {
        let mark = |n: u32| self.0 >> (4 + 7 * n) & UNIT_MASK;
        let marks = |n| Marks {
            before: mark(n + 1),
            current: mark(n),
        };
        (marks(2), marks(0))
    }
}

impl fmt::Debug for Movement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (peer, own) = self.unpack();
        f.debug_struct("Movement")
            .field("epoch", &(self.0 & EPOCH_MASK))
            .field("peer", &peer)
            .field("own", &own)
            .finish()
    }
}

#[cfg(test)]
mod tests;
