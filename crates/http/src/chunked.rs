//! The chunked transfer coding (RFC 9112 7.1), decoded as it comes: content is shown and
//! forgotten, so no byte ever has to be held.

/// The most bytes of chunk extensions and trailers in a row that are put up with.
const MAX_OVERHEAD: u16 = 8192;

/// Where in a chunked body the next byte is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Decoder {
    state: State,
    /// Bytes of the current line after which it is too long.
    patience: u16,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// In a chunk's size; whether there was a digit.
    Size {
        size: u64,
        digits: bool,
    },
    /// In a chunk extension.
    Extension {
        size: u64,
    },
    /// After the CR of a chunk's first line.
    SizeLf {
        size: u64,
    },
    /// In a chunk's data, so many bytes before its end.
    Data {
        left: u64,
    },
    DataCr,
    DataLf,
    /// At the beginning of a trailer line.
    TrailerStart,
    Trailer,
    /// After the CR that ends the body, if a LF follows.
    EndLf,
    Done,
}

/// What a piece of a body was.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Progress {
    /// Bytes that belong to the body's coding.
    pub(crate) used: usize,
    /// The body is at its end.
    pub(crate) done: bool,
}

/// Not the chunked coding.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Malformed;

impl Decoder {
    pub(crate) const fn new() -> Decoder {
        Decoder {
            state: State::Size {
                size: 0,
                digits: false,
            },
            patience: MAX_OVERHEAD,
        }
    }

    /// Takes as many of `bytes` as belong to the body, and calls `content` with each piece of its
    /// content.
    pub(crate) fn advance(
        &mut self,
        bytes: &[u8],
        mut content: impl FnMut(&[u8]),
    ) -> Result<Progress, Malformed> {
        let mut used = 0;
        while let Some(&byte) = bytes.get(used) {
            if self.state == State::Done {
                break;
            }
            if let State::Data { left } = self.state {
                let rest = &bytes[used..];
                let here = left.min(rest.len() as u64);
                content(&rest[..here as usize]);
                used += here as usize;
                self.state = if here == left {
                    State::DataCr
                } else {
                    State::Data { left: left - here }
                };
                continue;
            }
            self.state = self.step(byte)?;
            used += 1;
        }
        Ok(Progress {
            used,
            done: self.state == State::Done,
        })
    }

    fn step(&mut self, byte: u8) -> Result<State, Malformed> {
        self.patience = self.patience.checked_sub(1).ok_or(Malformed)?;
        Ok(match (self.state, byte) {
            (State::Size { size, .. }, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => {
                let digit = (byte as char).to_digit(16).ok_or(Malformed)?;
                //= RFC 9112 7.1
                //# recipients MUST anticipate potentially large hexadecimal numerals and prevent
                //# parsing errors due to integer conversion overflows
                let size = size
                    .checked_mul(16)
                    .and_then(|size| size.checked_add(u64::from(digit)))
                    .ok_or(Malformed)?;
                State::Size { size, digits: true }
            }
            (State::Size { size, digits: true }, b'\r') => State::SizeLf { size },
            (State::Size { size, digits: true }, b';' | b' ' | b'\t') => State::Extension { size },
            (State::Extension { size }, b'\r') => State::SizeLf { size },
            (State::Extension { size }, byte) if byte != b'\n' => State::Extension { size },
            (State::SizeLf { size: 0 }, b'\n') => State::TrailerStart,
            (State::SizeLf { size }, b'\n') => State::Data { left: size },
            (State::DataCr, b'\r') => State::DataLf,
            (State::DataLf, b'\n') => {
                self.patience = MAX_OVERHEAD;
                State::Size {
                    size: 0,
                    digits: false,
                }
            }
            (State::TrailerStart, b'\r') => State::EndLf,
            (State::EndLf, b'\n') => State::Done,
            (State::Trailer, b'\n') => State::TrailerStart,
            (State::TrailerStart | State::Trailer, byte) if byte != b'\n' => State::Trailer,
            _ => return Err(Malformed),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(bytes: &[u8]) -> Result<(Progress, Vec<u8>), Malformed> {
        let mut content = Vec::new();
        let progress = Decoder::new().advance(bytes, |piece| content.extend_from_slice(piece))?;
        Ok((progress, content))
    }

    #[test]
    fn chunks_extensions_and_trailers() {
        let body = b"4;a=b\r\nWiki\r\n00A\r\n0123456789\r\n0\r\nX: y\r\n\r\nGET";
        let (progress, content) = decode(body).unwrap();
        assert!(progress.done);
        assert_eq!(content, b"Wiki0123456789");
        assert_eq!(&body[progress.used..], b"GET");
    }

    #[test]
    fn every_split_is_the_same() {
        let body = b"4\r\nWiki\r\n0\r\nX: y\r\n\r\nrest";
        let (whole, _) = decode(body).unwrap();
        for cut in 0..body.len() {
            let mut decoder = Decoder::new();
            let mut content = Vec::new();
            let mut keep = |piece: &[u8]| content.extend_from_slice(piece);
            let first = decoder.advance(&body[..cut], &mut keep).unwrap();
            let second = decoder.advance(&body[first.used..], &mut keep).unwrap();
            assert_eq!(first.used + second.used, whole.used, "{cut}");
            assert_eq!(content, b"Wiki", "{cut}");
            assert!(second.done, "{cut}");
        }
    }

    #[test]
    fn malformed_bodies() {
        for body in [
            &b"\r\n"[..],
            b"g\r\n",
            b"4\n",
            b"1\r\nab\r\n",
            b"fffffffffffffffff\r\n",
            b"0\r\n\n",
            b"4 x\n",
        ] {
            assert_eq!(decode(body), Err(Malformed), "{body:?}");
        }
    }

    #[test]
    fn endless_extensions_are_refused() {
        let body = [b"1;".to_vec(), vec![b'x'; 10_000]].concat();
        assert_eq!(decode(&body), Err(Malformed));
        let body = [b"0\r\n".to_vec(), b"a: b\r\n".repeat(2_000)].concat();
        assert_eq!(decode(&body), Err(Malformed));
    }
}
