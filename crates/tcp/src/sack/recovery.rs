//! The data sender's part: loss recovery (RFC 6675).

use wire::Seq;
use wire::tcp::sack;

use super::scoreboard::{Hole, Scoreboard};
use crate::connection::{Connection, Flag};
use crate::memory::NONE;
use crate::output::Piece;
use crate::{Env, Memory, Segment};

impl Connection {
    /// Whether lost segments are being sent again by what the peer tells of those that it has. After a
    /// timeout, or when smaller segments are to be sent, everything is sent again from SND.UNA on.
    #[inline]
    pub(crate) fn recovers_by_sack(&self) -> bool {
        self.scoreboard != NONE && self.congestion.in_recovery() && self.snd_cursor == self.snd_nxt
    }

    fn board<'m>(&self, memory: &'m mut Memory) -> Scoreboard<'m> {
        Scoreboard::of(memory.bytes_mut(self.scoreboard))
    }

    /// Whether a block is of text that is on its way. One that is acknowledged tells of a duplicate
    /// (RFC 2883), and those that were not sent are forged, or old. What SND.UNA is at is missing. Both
    /// ends are held against SND.NXT: numbers compare within half of the space only.
    fn is_told(&self, oldest: Seq, start: Seq, end: Seq) -> bool {
        start.gt(oldest) && start.lt(self.snd_nxt) && start.lt(end) && end.le(self.snd_nxt)
    }

    /// Whether `seg`, of a connection with SACK, tells of nothing but what is acknowledged, or was never
    /// sent: as a duplicate that has arrived does (RFC 2883).
    #[inline]
    pub(crate) fn tells_only_of_old(&self, seg: &Segment<'_>) -> bool {
        !seg.sack.is_empty()
            && self.flags.contains(Flag::SACK)
            && !sack::blocks(seg.sack).any(|(start, end)| self.is_told(self.snd_una, start, end))
    }

    /// Takes what `seg`, whose ACK is acceptable, tells of text beyond it; true if some of it was not
    /// known.
    #[cold]
    pub(crate) fn note_sacks(&mut self, env: &mut Env<'_>, seg: &Segment<'_>) -> bool {
        let oldest = self.snd_una.max(seg.header.ack);
        let mut new = false;
        for (start, end) in sack::blocks(seg.sack) {
            if !self.is_told(oldest, start, end) {
                env.counters.sack_blocks_ignored += 1;
                continue;
            }
            if self.scoreboard == NONE {
                // A recovery that began without goes on without.
                if self.congestion.in_recovery() {
                    return false;
                }
                let Some(chunk) = env.snd_memory.alloc() else {
                    env.counters.sack_no_memory += 1;
                    return false;
                };
                self.scoreboard = chunk;
                let mut board = self.board(env.snd_memory);
                board.reset();
                board.begin(oldest);
            }
            new |= self.board(env.snd_memory).insert(start, end);
        }
        new
    }

    /// Forgets what the peer told. In recovery what is lost is found out anew, as without SACK.
    #[inline]
    pub(crate) fn forget_sacks(&mut self, memory: &mut Memory) {
        if self.scoreboard != NONE {
            memory.release(self.scoreboard);
            self.scoreboard = NONE;
            self.flags.remove(Flag::SACK_DUE);
        }
    }

    /// The peer tells of text that it has got beyond SND.UNA.
    #[cold]
    pub(crate) fn on_sack_duplicate(&mut self, env: &mut Env<'_>) {
        env.counters.duplicate_acks += 1;
        if self.congestion.in_recovery() {
            self.flags |= Flag::SACK_DUE;
            return;
        }
        let mss = u32::from(self.snd_mss);
        let hole = self.board(env.snd_memory).hole_from(self.snd_una, mss);
        //= RFC 6675 5
        //# (2) If DupAcks < DupThresh but IsLost (HighACK + 1) returns true
        let lost = hole.is_some_and(|h| h.start == self.snd_una && h.lost);
        let (una, nxt) = (self.snd_una, self.snd_nxt);
        if self.congestion.on_sack_duplicate(lost, una, nxt, mss) {
            //= RFC 6675 5
            //# (4.3) Retransmit the first data segment presumed dropped -- the segment starting with
            //# sequence number HighACK + 1.
            env.counters.fast_retransmits += 1;
            env.counters.sack_recoveries += 1;
            self.board(env.snd_memory).begin(una);
            self.flags |= Flag::HEAD_DUE | Flag::SACK_DUE;
        }
    }

    /// SND.UNA has moved, and there is a scoreboard; whether a recovery goes on, or ends by this: until
    /// all is acknowledged that was sent before the loss was found.
    #[cold]
    pub(crate) fn on_new_ack_with_sacks(&mut self, env: &mut Env<'_>) -> bool {
        let una = self.snd_una;
        let mut board = self.board(env.snd_memory);
        board.advance(una);
        let is_empty = board.is_empty();
        let was_in_recovery = self.congestion.in_recovery();
        if was_in_recovery && !self.congestion.on_sack_ack(una) {
            env.counters.partial_acks += 1;
            self.flags.remove(Flag::HEAD_DUE);
            self.flags |= Flag::SACK_DUE;
            return true;
        }
        self.flags.remove(Flag::SACK_DUE);
        if is_empty {
            self.forget_sacks(env.snd_memory);
        }
        was_in_recovery
    }

    /// RFC 6675 4: NextSeg(), as often as cwnd allows.
    #[cold]
    pub(crate) fn recovery_piece(&mut self, env: &mut Env<'_>) -> Option<Piece> {
        // What was not sent yet may have been written since, or the window opened.
        let waits = self.snd_cursor != self.snd_end();
        if !self.flags.intersects(Flag::HEAD_DUE | Flag::SACK_DUE) && !waits {
            return None;
        }
        let is_first = self.flags.contains(Flag::HEAD_DUE);
        self.flags.remove(Flag::HEAD_DUE | Flag::SACK_DUE);
        let (una, nxt, mss) = (self.snd_una, self.snd_nxt, u32::from(self.snd_mss));
        let board = self.board(env.snd_memory);
        //= RFC 6675 5
        //# (C) If cwnd - pipe >= 1 SMSS, the sender SHOULD transmit one or more segments as follows:
        let allowed = self
            .congestion
            .cwnd
            .saturating_sub(board.pipe(una, nxt, mss))
            >= mss;
        if !allowed && !is_first {
            return None;
        }
        let hole = board.hole_from(board.high_rxt().max(una), mss);
        let highest = board.highest(una);
        let is_rescued = board.is_rescued();
        let piece = match hole {
            //= RFC 6675 4
            //# (1) If there exists a smallest unSACKed sequence number 'S2' that meets the following
            //# three criteria for determining loss, the sequence range of one segment of up to SMSS
            //# octets starting with S2 MUST be returned.
            Some(hole) if hole.lost || is_first => Some(self.piece_of(hole)),
            //= RFC 6675 4
            //# (2) If no sequence number 'S2' per rule (1) exists but there exists available unsent data
            //# and the receiver's advertised window allows, the sequence range of one segment of up to
            //# SMSS octets of previously unsent data starting with sequence number HighData+1 MUST be
            //# returned.
            //
            // Then (3): as (1), of what is not known to be lost.
            hole => self
                .next_piece(env)
                .or_else(|| hole.map(|hole| self.piece_of(hole))),
        };
        // The one that is sent anew begins at SND.NXT.
        if let Some(piece) = &piece
            && piece.seq.lt(nxt)
        {
            env.counters.sack_retransmissions += 1;
            let end = piece.seq + piece.len + u32::from(piece.fin);
            self.board(env.snd_memory).set_high_rxt(end);
        }
        let piece = piece.or_else(|| {
            //= RFC 6675 4
            //# (4) If the conditions for (1), (2), and (3) fail, but there exists outstanding unSACKed data,
            //# we provide the opportunity for a single "rescue" retransmission per entry into loss
            //# recovery.
            if is_rescued || highest.ge(nxt) {
                return None;
            }
            env.counters.sack_rescues += 1;
            self.board(env.snd_memory).set_rescued();
            Some(self.piece_of(Hole {
                start: highest.max(nxt - mss),
                end: nxt,
                lost: false,
            }))
        });
        if piece.is_some() {
            self.flags |= Flag::SACK_DUE;
        }
        piece
    }

    /// `piece` is sent again because smaller segments are to be sent: that, too, is a retransmission
    /// of this recovery.
    #[cold]
    pub(crate) fn note_sent_again(&self, memory: &mut Memory, piece: &Piece) {
        let mut board = self.board(memory);
        let end = piece.seq + piece.len + u32::from(piece.fin);
        let high_rxt = board.high_rxt().max(end);
        board.set_high_rxt(high_rxt);
    }

    /// The first segment of `hole`.
    fn piece_of(&self, hole: Hole) -> Piece {
        let text_end = self.snd_una + self.snd.len();
        let text = hole
            .end
            .min(text_end)
            .min(self.snd_nxt)
            .since(hole.start)
            .max(0) as u32;
        let len = text.min(u32::from(self.snd_mss));
        let last = hole.start + len == text_end;
        Piece {
            seq: hole.start,
            len,
            fin: last && hole.end.gt(text_end),
            last,
        }
    }

    /// Sending again from the cursor on, after a timeout: what the peer has told of since is left
    /// out. Returns how much is to be sent until the next of it.
    #[cold]
    pub(crate) fn skip_sacked(&mut self, memory: &mut Memory) -> u32 {
        let board = self.board(memory);
        let cursor: Seq = self.snd_cursor;
        let highest = board.highest(self.snd_una);
        match board.hole_from(cursor, u32::from(self.snd_mss)) {
            Some(hole) => {
                self.snd_cursor = hole.start;
                hole.end.offset_from(hole.start)
            }
            None => {
                self.snd_cursor = cursor.max(highest);
                u32::MAX
            }
        }
    }
}
