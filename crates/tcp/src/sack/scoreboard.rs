//! The scoreboard (RFC 6675 section 4): what the peer holds beyond SND.UNA, and what follows from
//! it about what is lost and what is still on its way.

use wire::Seq;
use wire::tcp::sack::Block;

/// Bytes before the ranges: HighRxt, and whether the rescue retransmission was sent; how many ranges.
const HEADER: usize = 16;
const RANGE: usize = 8;
/// RFC 6675 2: DupThresh.
const DUP_THRESH: u32 = 3;

/// What lies between what the peer holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Hole {
    pub(crate) start: Seq,
    pub(crate) end: Seq,
    /// RFC 6675 4: IsLost() of its numbers.
    pub(crate) lost: bool,
}

/// Disjoint ranges that do not touch, ascending, in memory that is lent.
///
/// There are as many as fit: a range for which there is no room is not remembered until another one
/// joins. Then more is taken to be on its way than is, and it is sent again later.
pub(crate) struct Scoreboard<'a>(&'a mut [u8]);

impl<'a> Scoreboard<'a> {
    /// One that lies in `bytes`, which has been [`Scoreboard::reset`].
    pub(crate) fn of(bytes: &'a mut [u8]) -> Scoreboard<'a> {
        debug_assert!(bytes.len() >= HEADER + RANGE);
        Scoreboard(bytes)
    }

    /// Nothing is known.
    pub(crate) fn reset(&mut self) {
        self.0[..HEADER].fill(0);
    }

    fn word(&self, at: usize) -> u32 {
        let mut word = [0; 4];
        word.copy_from_slice(&self.0[at..at + 4]);
        u32::from_ne_bytes(word)
    }

    fn set_word(&mut self, at: usize, word: u32) {
        self.0[at..at + 4].copy_from_slice(&word.to_ne_bytes());
    }

    /// RFC 6675 2: after the highest number retransmitted in this recovery, but for the rescue
    /// retransmission.
    pub(crate) fn high_rxt(&self) -> Seq {
        Seq(self.word(0))
    }

    pub(crate) fn set_high_rxt(&mut self, high_rxt: Seq) {
        self.set_word(0, high_rxt.0);
    }

    /// Whether this recovery has had its rescue retransmission.
    pub(crate) fn is_rescued(&self) -> bool {
        self.word(4) != 0
    }

    pub(crate) fn set_rescued(&mut self) {
        self.set_word(4, 1);
    }

    /// A recovery begins at `una`.
    pub(crate) fn begin(&mut self, una: Seq) {
        self.set_high_rxt(una);
        self.set_word(4, 0);
    }

    fn len(&self) -> usize {
        self.word(8) as usize
    }

    fn set_len(&mut self, len: usize) {
        self.set_word(8, len as u32);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn capacity(&self) -> usize {
        (self.0.len() - HEADER) / RANGE
    }

    fn range(&self, i: usize) -> Block {
        let at = HEADER + i * RANGE;
        (Seq(self.word(at)), Seq(self.word(at + 4)))
    }

    fn set_range(&mut self, i: usize, (start, end): Block) {
        let at = HEADER + i * RANGE;
        self.set_word(at, start.0);
        self.set_word(at + 4, end.0);
    }

    fn ranges(&self) -> impl DoubleEndedIterator<Item = Block> + ExactSizeIterator + '_ {
        (0..self.len()).map(|i| self.range(i))
    }

    /// Puts `put` in the place of `n` ranges from the one at `at` on; there is room.
    fn splice(&mut self, at: usize, n: usize, put: Option<Block>) {
        let len = self.len();
        let to = at + usize::from(put.is_some());
        let bytes = |i: usize| HEADER + i * RANGE;
        self.0.copy_within(bytes(at + n)..bytes(len), bytes(to));
        self.set_len(to + len - at - n);
        if let Some(range) = put {
            self.set_range(at, range);
        }
    }

    /// RFC 6675 4: Update(). The peer holds `start..end`, which is beyond SND.UNA; whether that was
    /// not known.
    pub(crate) fn insert(&mut self, mut start: Seq, mut end: Seq) -> bool {
        let at = self.ranges().take_while(|r| r.1.lt(start)).count();
        let touched = self.ranges().skip(at).take_while(|r| r.0.le(end)).count();
        if touched > 0 {
            let (first, last) = (self.range(at), self.range(at + touched - 1));
            if touched == 1 && first.0.le(start) && first.1.ge(end) {
                return false;
            }
            start = start.min(first.0);
            end = end.max(last.1);
        } else if self.len() == self.capacity() {
            return false;
        }
        self.splice(at, touched, Some((start, end)));
        true
    }

    /// All before `una` is acknowledged.
    pub(crate) fn advance(&mut self, una: Seq) {
        let gone = self.ranges().take_while(|r| r.1.le(una)).count();
        self.splice(0, gone, None);
        if !self.is_empty() {
            let (start, end) = self.range(0);
            self.set_range(0, (start.max(una), end));
        }
    }

    //= RFC 6675 4
    //# The routine returns true when either DupThresh discontiguous SACKed sequences have arrived
    //# above 'SeqNum' or more than (DupThresh - 1) * SMSS bytes with sequence numbers greater
    //# than 'SeqNum' have been SACKed.
    fn is_lost(above: u32, bytes_above: u32, mss: u32) -> bool {
        above >= DUP_THRESH || bytes_above > (DUP_THRESH - 1) * mss
    }

    /// The first hole with a number not before `from`, cut to begin there, and below the highest that
    /// the peer holds.
    pub(crate) fn hole_from(&self, from: Seq, mss: u32) -> Option<Hole> {
        let mut start = from;
        let at = self.ranges().position(|(s, e)| {
            let found = start.lt(s);
            if !found {
                start = start.max(e);
            }
            found
        })?;
        let mut above = self.ranges().skip(at);
        let end = above.next()?.0;
        let bytes: u32 = self.ranges().skip(at).map(|(s, e)| e.offset_from(s)).sum();
        Some(Hole {
            start,
            end,
            lost: Scoreboard::is_lost((self.len() - at) as u32, bytes, mss),
        })
    }

    /// After the highest number that the peer holds, or `una`.
    pub(crate) fn highest(&self, una: Seq) -> Seq {
        self.ranges().next_back().map_or(una, |r| r.1)
    }

    /// RFC 6675 4: SetPipe(). What of `una..nxt` is thought to be on its way, in bytes.
    pub(crate) fn pipe(&self, una: Seq, nxt: Seq, mss: u32) -> u32 {
        let high_rxt = self.high_rxt();
        let (mut pipe, mut above, mut bytes, mut end) = (0, 0, 0, nxt);
        let mut add = |start: Seq, end: Seq, lost: bool| {
            let len = end.since(start).max(0);
            //= RFC 6675 4
            //# (a) If IsLost (S1) returns false:
            if !lost {
                pipe += len as u32;
            }
            //= RFC 6675 4
            //# (b) If S1 <= HighRxt:
            pipe += high_rxt.since(start).clamp(0, len) as u32;
        };
        for (s, e) in self.ranges().rev() {
            add(e, end, Scoreboard::is_lost(above, bytes, mss));
            above += 1;
            bytes += e.offset_from(s);
            end = s;
        }
        add(una, end, Scoreboard::is_lost(above, bytes, mss));
        pipe
    }
}

#[cfg(test)]
mod tests;
