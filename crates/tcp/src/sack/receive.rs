//! The data receiver's part (RFC 2018 sections 2 to 4).

use wire::tcp::Options;
use wire::tcp::sack::{self, BLOCK_LEN};

use crate::connection::{Connection, Flag};
use crate::open::TIMESTAMPS_LEN;

/// What stands before the blocks: padding, the option's kind and its length.
const BEFORE_BLOCKS: usize = 4;

impl Connection {
    /// [`Options::sack`] of a segment: the bytes of the blocks that tell of what is held out of order, where the whole
    /// option has `room` bytes at most.
    #[inline]
    pub(crate) fn sack_len(&self, room: usize) -> u8 {
        if self.ranges.is_empty() {
            0
        } else {
            self.blocks_len(room)
        }
    }

    //= RFC 2018 4
    //# If the data receiver has received a SACK-Permitted option on the SYN
    //# for this connection, the data receiver MAY elect to generate SACK
    //# options as described below.  If the data receiver generates SACK
    //# options under any circumstance, it SHOULD generate them under all
    //# permitted circumstances.
    #[cold]
    fn blocks_len(&self, room: usize) -> u8 {
        if !self.flags.contains(Flag::SACK) {
            return 0;
        }
        let timestamps = match self.flags.contains(Flag::TIMESTAMPS) {
            true => usize::from(TIMESTAMPS_LEN),
            false => 0,
        };
        let room = room.min(Options::MAX_LEN - timestamps);
        let fit = room.saturating_sub(BEFORE_BLOCKS) / BLOCK_LEN;
        //= RFC 2018 4
        //# The data receiver SHOULD include as many distinct SACK blocks as
        //# possible in the SACK option.
        let blocks = self.ranges.count().min(fit);
        // At most four.
        (blocks * BLOCK_LEN) as u8
    }

    /// Writes the blocks of a segment just returned by [`Connection::poll_transmit`] to `dst`, which is
    /// [`Options::sack`] bytes long: they lie before the text.
    #[cold]
    pub fn copy_sacks(&self, dst: &mut [u8]) {
        //= RFC 2018 4
        //# The first SACK block (i.e., the one immediately following the
        //# kind and length fields in the option) MUST specify the contiguous
        //# block of data containing the segment which triggered this ACK,
        //# unless that segment advanced the Acknowledgment Number field in
        //# the header.
        //
        // Of several that are owed at the end of a burst only the last can be told so. If not all fit,
        // those before it begin with what grew before.
        let fit = dst.len() / BLOCK_LEN;
        let skip = if self.ranges.count() > fit {
            usize::from(self.acks_owed)
        } else {
            0
        };
        sack::put(dst, &self.ranges.latest_first(skip));
    }
}
