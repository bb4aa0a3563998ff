//! The blocks of a SACK option (RFC 2018 section 3): contiguous text that was received and queued.

use crate::Seq;
use crate::bytes::{be32, put32};

/// Bytes of a block.
pub const BLOCK_LEN: usize = 8;

/// A block: its first number, and the one after its last.
pub type Block = (Seq, Seq);

/// The bytes of the blocks in `before_text`, which ends where the text of a segment begins: `at` is
/// [`Options::sack`](super::Options::sack) of the segment. Empty without them.
#[inline]
#[must_use]
pub fn bytes(before_text: &[u8], at: u8) -> &[u8] {
    if at == 0 {
        return &[];
    }
    locate(before_text, usize::from(at)).unwrap_or_default()
}

#[cold]
fn locate(before_text: &[u8], at: usize) -> Option<&[u8]> {
    let start = before_text.len().checked_sub(at)?;
    let len = usize::from(*before_text.get(start.checked_sub(1)?)?);
    before_text.get(start..start + len.checked_sub(2)?)
}

/// The blocks in `bytes`, in their order.
pub fn blocks(bytes: &[u8]) -> impl Iterator<Item = Block> + '_ {
    let (blocks, _) = bytes.as_chunks::<BLOCK_LEN>();
    blocks.iter().map(|b| (Seq(be32(b, 0)), Seq(be32(b, 4))))
}

/// Writes `blocks` to `buf`, as many as it has room for.
pub fn put(buf: &mut [u8], blocks: &[Block]) {
    let (places, _) = buf.as_chunks_mut::<BLOCK_LEN>();
    for (place, (left, right)) in places.iter_mut().zip(blocks) {
        put32(place, 0, left.0);
        put32(place, 4, right.0);
    }
}
