//! TCP options: maximum segment size (RFC 9293 3.7.1), window scale and timestamps (RFC 7323), and
//! SACK-permitted (RFC 2018).
//!
//! Of a SACK option only where its blocks lie is kept: in every header that is parsed, kept and
//! written the blocks would be half of it. [`sack`](super::sack) reads and writes them.

use super::Error;
use crate::bytes::{be16, be32, put_word};

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
    /// How far before the text the first block of a SACK option begins, in bytes; 0 without one. The
    /// byte before it is the option's length. An option to be sent comes last, so this is the length
    /// of its blocks, which are not written by who writes the header: they are in place.
    pub sack: u8,
    /// Timestamps.
    pub timestamps: Option<Timestamps>,
}

impl Options {
    /// No options.
    pub const NONE: Options = Options {
        mss: None,
        window_scale: None,
        sack_permitted: false,
        sack: 0,
        timestamps: None,
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
    #[inline]
    pub fn parse(bytes: &[u8]) -> Result<Options, Error> {
        let mut options = Options::NONE;
        options.read(bytes)?;
        Ok(options)
    }

    /// [`Options::parse`] where they are to be, which are [`Options::NONE`] before: to move them costs more than to
    /// read them. After an error they are unspecified.
    #[inline(always)]
    pub(crate) fn read(&mut self, bytes: &[u8]) -> Result<(), Error> {
        match Options::customary_syn(bytes) {
            Some(options) => {
                *self = options;
                Ok(())
            }
            None => self.read_any(bytes),
        }
    }

    /// The options of nearly every SYN, in the order in which hosts send them: MSS, SACK-permitted
    /// or its place, timestamps, window scale.
    #[inline(always)]
    fn customary_syn(bytes: &[u8]) -> Option<Options> {
        let b = <&[u8; 20]>::try_from(bytes).ok()?;
        let sack_permitted = match be32(b, 4).to_be_bytes() {
            SACK_PERMITTED_TIMESTAMPS => true,
            NOP_NOP_TIMESTAMPS => false,
            _ => return None,
        };
        let mss = [MAXIMUM_SEGMENT_SIZE, 4];
        let scale = [NO_OPERATION, WINDOW_SCALE, 3];
        (b[..2] == mss && b[16..19] == scale).then(|| Options {
            mss: Some(be16(b, 2)),
            window_scale: Some(b[19]),
            sack_permitted,
            sack: 0,
            timestamps: Some(Timestamps {
                val: be32(b, 8),
                ecr: be32(b, 12),
            }),
        })
    }

    #[inline(never)]
    fn read_any(&mut self, mut bytes: &[u8]) -> Result<(), Error> {
        // The customary layouts, every option on a 4-byte boundary. What is not one of them, the
        // walk below reads from there on.
        while let Some((word, rest)) = bytes.split_first_chunk::<4>() {
            match *word {
                [MAXIMUM_SEGMENT_SIZE, 4, a, b] => self.mss = Some(u16::from_be_bytes([a, b])),
                [NO_OPERATION, WINDOW_SCALE, 3, shift] => self.window_scale = Some(shift),
                NOP_NOP_TIMESTAMPS | SACK_PERMITTED_TIMESTAMPS => {
                    let Some((body, rest)) = rest.split_first_chunk::<8>() else {
                        break;
                    };
                    self.sack_permitted |= word[0] == SACK_PERMITTED;
                    self.take(TIMESTAMPS, body);
                    bytes = rest;
                    continue;
                }
                _ => break,
            }
            bytes = rest;
        }
        self.walk(bytes)
    }

    /// [`Options::parse`] without its short cut.
    #[cfg(test)]
    pub(super) fn parse_walking(bytes: &[u8]) -> Result<Options, Error> {
        let mut options = Options::NONE;
        options.walk(bytes)?;
        Ok(options)
    }

    /// Reads options in any layout.
    fn walk(&mut self, mut bytes: &[u8]) -> Result<(), Error> {
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
                    if kind == SACK && !body.is_empty() && body.len().is_multiple_of(8) {
                        // At most 38.
                        self.sack = (bytes.len() - 2) as u8;
                    } else {
                        self.take(kind, body);
                    }
                    bytes = &bytes[len..];
                }
            }
        }
        Ok(())
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

    /// Whether these are timestamps alone, or nothing.
    #[inline(always)]
    pub(crate) const fn are_timestamps_or_none(&self) -> bool {
        self.mss.is_none() && self.window_scale.is_none() && !self.sack_permitted && self.sack == 0
    }

    #[inline]
    fn take(&mut self, kind: u8, body: &[u8]) {
        match (kind, body.len()) {
            (MAXIMUM_SEGMENT_SIZE, 2) => self.mss = Some(be16(body, 0)),
            (WINDOW_SCALE, 1) => self.window_scale = Some(body[0]),
            (SACK_PERMITTED, 0) => self.sack_permitted = true,
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

    /// Length of the options as emitted, with the blocks of a SACK option, a multiple of 4.
    #[allow(clippy::len_without_is_empty)] // asked for the length of the header only
    #[inline]
    #[must_use]
    pub const fn len(&self) -> usize {
        let mut len = 0;
        if self.timestamps.is_some() {
            len += 12;
        }
        if self.are_timestamps_or_none() {
            return len;
        }
        if self.sack != 0 {
            len += 4 + self.sack as usize;
        }
        if self.mss.is_some() {
            len += 4;
        }
        if self.sack_permitted && self.timestamps.is_none() {
            len += 4;
        }
        if self.window_scale.is_some() {
            len += 4;
        }
        len
    }

    /// Writes the options to the start of `buf` in the customary layout, every option on a 4-byte
    /// boundary: MSS; SACK-permitted and timestamps, each with NOPs in the other's place if
    /// alone; NOP and window scale; NOPs and what precedes the blocks of SACK. Returns the length.
    ///
    /// # Panics
    /// If `buf` is shorter than [`Options::len`].
    #[inline]
    pub fn emit(&self, buf: &mut [u8]) -> usize {
        self.emit_summed(buf).0
    }

    /// Like [`Options::emit`]; returns their sum, too, in words in the byte order of the machine. To
    /// read again what was only just written takes longer than to write it.
    #[inline]
    pub(crate) fn emit_summed(&self, buf: &mut [u8]) -> (usize, u64) {
        let (mut at, mut sum) = (0, 0);
        let mut put = |word: [u8; 4]| {
            sum += put_word(buf, at, u32::from_be_bytes(word));
            at += 4;
        };
        if let Some(mss) = self.mss {
            let [high, low] = mss.to_be_bytes();
            put([MAXIMUM_SEGMENT_SIZE, 4, high, low]);
        }
        if let Some(Timestamps { val, ecr }) = self.timestamps {
            put(if self.sack_permitted {
                SACK_PERMITTED_TIMESTAMPS
            } else {
                NOP_NOP_TIMESTAMPS
            });
            put(val.to_be_bytes());
            put(ecr.to_be_bytes());
        } else if self.sack_permitted {
            put([NO_OPERATION, NO_OPERATION, SACK_PERMITTED, 2]);
        }
        if let Some(shift) = self.window_scale {
            put([NO_OPERATION, WINDOW_SCALE, 3, shift]);
        }
        if self.sack != 0 {
            put([NO_OPERATION, NO_OPERATION, SACK, 2 + self.sack]);
            let blocks = &buf[at..at + usize::from(self.sack)];
            let words = blocks.as_chunks::<4>().0.iter();
            sum += words
                .map(|w| u64::from(u32::from_ne_bytes(*w)))
                .sum::<u64>();
            at += blocks.len();
        }
        (at, sum)
    }
}
