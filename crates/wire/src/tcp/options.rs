//! TCP options: maximum segment size (RFC 9293 3.7.1), window scale and timestamps (RFC 7323),
//! selective acknowledgment (RFC 2018).

use core::fmt;

use super::Error;
use crate::Seq;
use crate::bytes::{be16, be32, put16, put32};

const END_OF_OPTION_LIST: u8 = 0;
const NO_OPERATION: u8 = 1;
const MAXIMUM_SEGMENT_SIZE: u8 = 2;
const WINDOW_SCALE: u8 = 3;
const SACK_PERMITTED: u8 = 4;
const SACK: u8 = 5;
const TIMESTAMPS: u8 = 8;

/// NOP NOP and the kind and length of a timestamps option, as RFC 7323 appendix A recommends.
const NOP_NOP_TIMESTAMPS: [u8; 4] = [NO_OPERATION, NO_OPERATION, TIMESTAMPS, 10];
/// The same four bytes when SACK-permitted takes the place of the padding.
const SACK_PERMITTED_TIMESTAMPS: [u8; 4] = [SACK_PERMITTED, 2, TIMESTAMPS, 10];

/// The timestamps option (RFC 7323 section 3).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub struct Timestamps {
    /// SEG.TSval: the sender's timestamp clock.
    pub val: u32,
    /// SEG.TSecr: the echoed timestamp; meaningful if the segment has ACK set.
    pub ecr: u32,
}

/// The blocks of a SACK option (RFC 2018 section 3): up to four, each the range
/// `left <= seq < right` that its sender holds.
///
/// Kept in full in the header and not read lazily: constructing the empty list is one byte of
/// meaning and two vector stores, and a header that owns all it says can outlive its frame.
#[derive(Clone, Copy, Default)]
pub struct SackBlocks {
    blocks: [(Seq, Seq); SackBlocks::MAX],
    len: u8,
}

impl SackBlocks {
    /// The most blocks that fit the 40 bytes of options; three beside timestamps.
    pub const MAX: usize = 4;

    /// No blocks.
    pub const NONE: SackBlocks = SackBlocks {
        blocks: [(Seq(0), Seq(0)); SackBlocks::MAX],
        len: 0,
    };

    /// Number of blocks, 0 to 4.
    #[inline]
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len as usize
    }

    /// Whether there is no block.
    #[inline]
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The blocks in the order of the option: the most recently received comes first.
    #[inline]
    #[must_use]
    pub fn as_slice(&self) -> &[(Seq, Seq)] {
        &self.blocks[..self.len()]
    }

    /// Appends a block; returns false and changes nothing if there are four already.
    #[inline]
    pub fn push(&mut self, left: Seq, right: Seq) -> bool {
        match self.blocks.get_mut(usize::from(self.len)) {
            Some(block) => {
                *block = (left, right);
                self.len += 1;
                true
            }
            None => false,
        }
    }

    /// From the body of the option, of 8, 16, 24 or 32 bytes; else no blocks.
    fn parse(body: &[u8]) -> SackBlocks {
        let mut sack = SackBlocks::NONE;
        let (pairs, rest) = body.as_chunks::<8>();
        if rest.is_empty() && pairs.len() <= SackBlocks::MAX {
            for p in pairs {
                sack.push(Seq(be32(p, 0)), Seq(be32(p, 4)));
            }
        }
        sack
    }
}

impl PartialEq for SackBlocks {
    fn eq(&self, other: &SackBlocks) -> bool {
        self.as_slice() == other.as_slice()
    }
}

impl Eq for SackBlocks {}

impl fmt::Debug for SackBlocks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ranges = self.as_slice().iter().map(|(left, right)| left.0..right.0);
        f.debug_list().entries(ranges).finish()
    }
}

/// The options of a segment, as far as they are known here. What the parser finds is reported as
/// it stands: that an option counts only in a SYN, or only once negotiated, is the protocol's rule.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Options {
    /// Maximum segment size, in bytes.
    pub mss: Option<u16>,
    /// Shift count of the window, as received; more than 14 counts as 14 (RFC 7323 2.3).
    pub window_scale: Option<u8>,
    /// Whether SACK may be sent to the sender of this segment.
    pub sack_permitted: bool,
    /// Timestamps.
    pub timestamps: Option<Timestamps>,
    /// Selective acknowledgments.
    pub sack: SackBlocks,
}

impl Options {
    /// No options.
    pub const NONE: Options = Options {
        mss: None,
        window_scale: None,
        sack_permitted: false,
        timestamps: None,
        sack: SackBlocks::NONE,
    };

    /// The most bytes of options that a header can carry.
    pub const MAX_LEN: usize = 40;

    /// Reads the options between the fixed header and the text.
    ///
    /// Unknown options are skipped, and so are known ones whose length is not theirs (as unknown
    /// variants). If an option comes twice the last one counts. An option that is shorter than 2
    /// or runs past the end makes the whole segment an error: what follows it cannot be
    /// delimited, and acting on half of a SYN's options would leave the two ends in disagreement
    /// about the other half. The connection is not reset, as RFC 9293 3.1 suggests (MUST-7),
    /// because anyone can forge such a segment.
    ///
    /// # Errors
    /// [`Error::OptionLength`].
    pub fn parse(mut bytes: &[u8]) -> Result<Options, Error> {
        let mut options = Options::NONE;
        while let [kind, rest @ ..] = bytes {
            match *kind {
                END_OF_OPTION_LIST => break,
                NO_OPERATION => bytes = rest,
                kind => {
                    //= RFC 9293 3.1
                    //# TCP implementations MUST be prepared to handle an illegal option length
                    //# (e.g., zero)
                    let len = usize::from(*rest.first().ok_or(Error::OptionLength)?);
                    let option = bytes.get(..len).ok_or(Error::OptionLength)?;
                    let body = option.get(2..).ok_or(Error::OptionLength)?;
                    options.take(kind, body);
                    bytes = &bytes[len..];
                }
            }
        }
        Ok(options)
    }

    /// The timestamps, if `bytes` are NOP NOP timestamps and nothing else: the layout of nearly
    /// all segments of a connection that uses them, and of those only.
    #[inline(always)]
    pub(super) fn timestamps_alone(bytes: &[u8]) -> Option<Timestamps> {
        let b = <&[u8; 12]>::try_from(bytes).ok()?;
        (b[..4] == NOP_NOP_TIMESTAMPS).then(|| Timestamps {
            val: be32(b, 4),
            ecr: be32(b, 8),
        })
    }

    fn take(&mut self, kind: u8, body: &[u8]) {
        match (kind, body.len()) {
            (MAXIMUM_SEGMENT_SIZE, 2) => self.mss = Some(be16(body, 0)),
            (WINDOW_SCALE, 1) => self.window_scale = Some(body[0]),
            (SACK_PERMITTED, 0) => self.sack_permitted = true,
            (SACK, _) => self.sack = SackBlocks::parse(body),
            (TIMESTAMPS, 8) => {
                self.timestamps = Some(Timestamps {
                    val: be32(body, 0),
                    ecr: be32(body, 4),
                });
            }
            //= RFC 9293 3.1
            //# A TCP implementation MUST (MUST-6) ignore without error any TCP Option it does
            //# not implement, assuming that the option has a length field.
            _ => {}
        }
    }

    /// Length of all options but SACK.
    #[inline]
    const fn len_without_sack(&self) -> usize {
        let mut len = 0;
        if self.mss.is_some() {
            len += 4;
        }
        if self.timestamps.is_some() {
            len += 12;
        } else if self.sack_permitted {
            len += 4;
        }
        if self.window_scale.is_some() {
            len += 4;
        }
        len
    }

    /// How many SACK blocks [`Options::emit`] writes: those that fit beside the other options,
    /// the first ones.
    #[inline]
    #[must_use]
    pub const fn sack_blocks_emitted(&self) -> usize {
        // The other options take 20 bytes at most, so two blocks always fit.
        let room = (Options::MAX_LEN - self.len_without_sack() - 4) / 8;
        if self.sack.len() < room {
            self.sack.len()
        } else {
            room
        }
    }

    /// Length of the options as emitted, 0 to 40, a multiple of 4.
    #[allow(clippy::len_without_is_empty)] // asked for the length of the header only
    #[inline]
    #[must_use]
    pub const fn len(&self) -> usize {
        let sack = match self.sack_blocks_emitted() {
            0 => 0,
            n => 4 + 8 * n,
        };
        self.len_without_sack() + sack
    }

    /// Writes the options to the start of `buf` in the customary layout, every option on a 4-byte
    /// boundary: MSS; SACK-permitted and timestamps, each with NOPs in the other's place if
    /// alone; NOP and window scale; NOP NOP SACK. Returns the length.
    ///
    /// # Panics
    /// If `buf` is shorter than [`Options::len`].
    #[inline]
    pub fn emit(&self, buf: &mut [u8]) -> usize {
        let mut at = 0;
        if let Some(mss) = self.mss {
            buf[..2].copy_from_slice(&[MAXIMUM_SEGMENT_SIZE, 4]);
            put16(buf, 2, mss);
            at = 4;
        }
        if let Some(Timestamps { val, ecr }) = self.timestamps {
            let head = if self.sack_permitted {
                SACK_PERMITTED_TIMESTAMPS
            } else {
                NOP_NOP_TIMESTAMPS
            };
            let b = &mut buf[at..at + 12];
            b[..4].copy_from_slice(&head);
            put32(b, 4, val);
            put32(b, 8, ecr);
            at += 12;
        } else if self.sack_permitted {
            buf[at..at + 4].copy_from_slice(&[NO_OPERATION, NO_OPERATION, SACK_PERMITTED, 2]);
            at += 4;
        }
        if let Some(shift) = self.window_scale {
            buf[at..at + 4].copy_from_slice(&[NO_OPERATION, WINDOW_SCALE, 3, shift]);
            at += 4;
        }
        let n = self.sack_blocks_emitted();
        if n != 0 {
            let option_len = 2 + 8 * n as u8;
            buf[at..at + 4].copy_from_slice(&[NO_OPERATION, NO_OPERATION, SACK, option_len]);
            at += 4;
            for (left, right) in &self.sack.as_slice()[..n] {
                put32(buf, at, left.0);
                put32(buf, at + 4, right.0);
                at += 8;
            }
        }
        at
    }
}
