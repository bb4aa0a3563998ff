//! The bytes that the bench's two ends exchange: any of them can be checked at any offset.

/// The pattern's period: a prime, so that a shift by any power of two shows.
const PERIOD: usize = 251;
/// The most bytes that are handed out in one piece.
const PIECE: usize = 64 * 1024;

/// A stream of bytes in which the byte at an offset is known.
#[derive(Clone, Debug)]
pub struct Pattern {
    table: Box<[u8]>,
}

impl Default for Pattern {
    fn default() -> Pattern {
        Pattern::new()
    }
}

impl Pattern {
    /// The pattern.
    #[must_use]
    pub fn new() -> Pattern {
        // A multiplication by a unit modulo the period permutes the values of one period, so
        // neighbours differ by more than one.
        let table = (0..PERIOD + PIECE).map(|i| ((i % PERIOD) * 97 % PERIOD) as u8);
        Pattern {
            table: table.collect(),
        }
    }

    /// At most `len` bytes of the stream from `offset` on: all of them if `len` is not above
    /// 64 KiB.
    #[inline]
    #[must_use]
    pub fn piece(&self, offset: u64, len: u64) -> &[u8] {
        let begin = (offset % PERIOD as u64) as usize;
        let len = len.min(PIECE as u64) as usize;
        &self.table[begin..begin + len]
    }

    /// Whether `data` is the stream from `offset` on.
    #[inline]
    #[must_use]
    pub fn matches(&self, mut offset: u64, data: &[u8]) -> bool {
        data.chunks(PIECE).all(|chunk| {
            let expected = self.piece(offset, chunk.len() as u64);
            offset += chunk.len() as u64;
            chunk == expected
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_join() {
        let pattern = Pattern::new();
        let whole: Vec<u8> = (0..300_000).map(|i| pattern.piece(i, 1)[0]).collect();
        assert!(pattern.matches(0, &whole));
        assert_eq!(pattern.piece(1_000, 70_000).len(), 65_536);
        assert_eq!(pattern.piece(1_000, 500), &whole[1_000..1_500]);
    }

    #[test]
    fn any_wrong_or_shifted_byte_shows() {
        let pattern = Pattern::new();
        let mut data = pattern.piece(7, 1_000).to_vec();
        assert!(pattern.matches(7, &data));
        for shift in (0..16).map(|power| 1u64 << power) {
            assert!(!pattern.matches(7 + shift, &data), "{shift}");
        }
        data[999] ^= 1;
        assert!(!pattern.matches(7, &data));
    }
}
