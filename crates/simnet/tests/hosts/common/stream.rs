//! Streams in which every byte is known beforehand: a client's begins with a header that names the
//! connection by a key and says how long request and response are and who ends it how; every byte
//! after it follows from the key.

/// Length of the header, in bytes.
pub(crate) const HEADER: usize = 24;

/// Who ends a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Ender {
    /// The client half-closes after its request; the server answers and closes.
    Client,
    /// The server closes after its response; the client then.
    Server,
    /// Each as soon as it has sent and received everything: their FINs may cross.
    Both,
    /// The client aborts, at a time of its own.
    ClientAborts,
    /// The server aborts, at a time of its own.
    ServerAborts,
}

const ENDERS: [Ender; 5] = [
    Ender::Client,
    Ender::Server,
    Ender::Both,
    Ender::ClientAborts,
    Ender::ServerAborts,
];

/// What the header says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Plan {
    pub(crate) key: u64,
    pub(crate) request: u32,
    pub(crate) response: u32,
    pub(crate) ender: Ender,
}

impl Plan {
    pub(crate) fn header(&self) -> [u8; HEADER] {
        let mut h = [0; HEADER];
        h[..8].copy_from_slice(&self.key.to_le_bytes());
        h[8..12].copy_from_slice(&self.request.to_le_bytes());
        h[12..16].copy_from_slice(&self.response.to_le_bytes());
        h[16] = self.ender as u8;
        h[17..].copy_from_slice(b"traffic");
        h
    }

    pub(crate) fn parse(h: &[u8]) -> Option<Plan> {
        let word = |at: usize| h[at..at + 4].try_into().ok().map(u32::from_le_bytes);
        (h[17..] == *b"traffic").then_some(Plan {
            key: u64::from(word(0)?) | u64::from(word(4)?) << 32,
            request: word(8)?,
            response: word(12)?,
            ender: *ENDERS.get(usize::from(h[16]))?,
        })
    }
}

/// The byte at `offset` of the stream that `key` names.
pub(crate) fn pattern(key: u64, offset: u32) -> u8 {
    let word = (key ^ u64::from(offset / 8)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (word ^ (word >> 29)).to_le_bytes()[(offset % 8) as usize]
}
