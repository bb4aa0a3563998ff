//! Everything that happened to every frame, its digest, and captures to look at it with tcpdump
//! or Wireshark.

use std::collections::VecDeque;
use std::io::Write;
use std::rc::Rc;

use pcap_file::pcap::{PcapHeader, PcapPacket, PcapWriter};
use pcap_file::{DataLink, TsResolution};
use tcp::time::Instant;

use crate::decode::{self, Segment};
use crate::network::StationId;

/// What happened to a frame.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Fate {
    /// A station sent it.
    Sent,
    /// It arrived at a station.
    Delivered,
    /// The path lost it.
    Lost,
    /// It will also arrive a second time.
    Duplicated,
    /// A bit was inverted: the bytes are those after.
    Corrupted,
    /// A rule took it off the wire and keeps it.
    Held,
    /// A rule kept a copy of it.
    Copied,
    /// A rule dropped it.
    Dropped,
    /// A rule let what it kept go.
    Released,
    /// A test made it up.
    Injected,
    /// It found the cable cut.
    Unplugged,
    /// It arrived at a station whose pool had no buffer for it.
    NoBuffer,
}

/// One entry of the log.
#[derive(Clone, Debug)]
pub struct Record {
    /// When it happened.
    pub at: Instant,
    /// The station that sent the frame; `None` if it was injected.
    pub from: Option<StationId>,
    /// The station it concerns, where that is known: a sent frame has none yet.
    pub to: Option<StationId>,
    /// What happened.
    pub fate: Fate,
    /// The frame.
    pub frame: Rc<[u8]>,
}

impl Record {
    /// The TCP segment that the frame carries, if any.
    #[must_use]
    pub fn segment(&self) -> Option<Segment> {
        decode::segment(&self.frame)
    }
}

/// The log: the last records up to a limit, and a digest of all.
#[derive(Debug)]
pub struct Log {
    records: VecDeque<Record>,
    limit: usize,
    digest: u64,
    total: u64,
}

/// Which frames a capture shows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Capture {
    /// What a program at this station's port would see: what it sent and what arrived.
    At(StationId),
    /// Every frame once, as it was sent, injected or released.
    Wire,
}

impl Capture {
    fn shows(self, record: &Record) -> bool {
        match self {
            Capture::At(station) => match record.fate {
                Fate::Sent => record.from == Some(station),
                Fate::Delivered => record.to == Some(station),
                _ => false,
            },
            Capture::Wire => {
                matches!(record.fate, Fate::Sent | Fate::Injected | Fate::Released)
            }
        }
    }
}

impl Log {
    /// A log that remembers the last `limit` records.
    #[must_use]
    pub(crate) fn new(limit: usize) -> Log {
        Log {
            records: VecDeque::new(),
            limit,
            digest: 0xcbf2_9ce4_8422_2325,
            total: 0,
        }
    }

    pub(crate) fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
        while self.records.len() > limit {
            self.records.pop_front();
        }
    }

    pub(crate) fn add(
        &mut self,
        at: Instant,
        from: Option<StationId>,
        to: Option<StationId>,
        fate: Fate,
        frame: &[u8],
    ) {
        let station = |s: Option<StationId>| s.map_or(u64::MAX, |s| s.0 as u64);
        self.absorb(&at.as_nanos().to_le_bytes());
        self.absorb(&station(from).to_le_bytes());
        self.absorb(&station(to).to_le_bytes());
        self.absorb(&[fate as u8]);
        self.absorb(frame);
        self.total += 1;
        if self.limit == 0 {
            return;
        }
        if self.records.len() == self.limit {
            self.records.pop_front();
        }
        self.records.push_back(Record {
            at,
            from,
            to,
            fate,
            frame: frame.into(),
        });
    }

    /// FNV-1a, eight bytes a step: it need not resist anybody, only tell two runs apart.
    fn absorb(&mut self, bytes: &[u8]) {
        const PRIME: u64 = 0x0000_0100_0000_01b3;
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.digest = (self.digest ^ u64::from_le_bytes(word)).wrapping_mul(PRIME);
            self.digest ^= self.digest >> 29;
        }
        self.digest = (self.digest ^ bytes.len() as u64).wrapping_mul(PRIME);
    }

    /// A digest of every record since the start, forgotten ones included: equal for equal runs.
    #[must_use]
    pub fn digest(&self) -> u64 {
        self.digest
    }

    /// Records since the start, forgotten ones included.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.total
    }

    /// The records that are remembered, oldest first.
    pub fn records(&self) -> impl DoubleEndedIterator<Item = &Record> {
        self.records.iter()
    }

    /// The TCP segments that stations sent, oldest first, with their senders.
    pub fn sent_segments(&self) -> impl Iterator<Item = (StationId, Segment)> {
        self.records
            .iter()
            .filter(|r| r.fate == Fate::Sent)
            .filter_map(|r| Some((r.from?, r.segment()?)))
    }

    /// The last `n` records as lines.
    #[must_use]
    pub fn tail(&self, n: usize) -> String {
        let from = self.records.len().saturating_sub(n);
        let mut text = String::new();
        for record in self.records.range(from..) {
            text.push_str(&crate::trace::line(record));
            text.push('\n');
        }
        text
    }

    /// Writes a capture in pcap format with nanosecond timestamps, counted from the origin of
    /// virtual time.
    ///
    /// # Errors
    /// What the writer says.
    pub fn write_pcap<W: Write>(
        &self,
        writer: W,
        capture: Capture,
    ) -> Result<(), pcap_file::PcapError> {
        let header = PcapHeader {
            datalink: DataLink::ETHERNET,
            ts_resolution: TsResolution::NanoSecond,
            ..PcapHeader::default()
        };
        let mut pcap = PcapWriter::with_header(writer, header)?;
        for record in self.records.iter().filter(|r| capture.shows(r)) {
            let time = record.at.since(Instant::ZERO);
            let len = u32::try_from(record.frame.len()).unwrap_or(u32::MAX);
            pcap.write_packet(&PcapPacket::new(time, len, &record.frame))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_sees_everything_and_outlives_the_records() {
        let add = |log: &mut Log, ns, from, fate, frame: &[u8]| {
            log.add(
                Instant::from_nanos(ns),
                Some(StationId(from)),
                None,
                fate,
                frame,
            );
        };
        let digest = |ns, from, fate, frame: &[u8]| {
            let mut log = Log::new(0);
            add(&mut log, ns, from, fate, frame);
            log.digest()
        };
        let one = digest(1, 0, Fate::Sent, b"12345678");
        assert_eq!(one, digest(1, 0, Fate::Sent, b"12345678"));
        for other in [
            digest(2, 0, Fate::Sent, b"12345678"),
            digest(1, 1, Fate::Sent, b"12345678"),
            digest(1, 0, Fate::Lost, b"12345678"),
            digest(1, 0, Fate::Sent, b"12345679"),
            digest(1, 0, Fate::Sent, b"12345678\0"),
        ] {
            assert_ne!(one, other);
        }
        let mut log = Log::new(2);
        for ns in 0..5 {
            add(&mut log, ns, 0, Fate::Sent, b"x");
        }
        assert_eq!((log.records().count(), log.total()), (2, 5));
    }

    #[test]
    fn a_capture_reads_back() {
        let mut log = Log::new(10);
        let (a, b) = (StationId(0), StationId(1));
        let at = Instant::from_nanos(1_000_000_001);
        log.add(at, Some(a), None, Fate::Sent, &[1; 60]);
        log.add(at, Some(a), Some(b), Fate::Lost, &[1; 60]);
        log.add(at, Some(b), Some(a), Fate::Delivered, &[2; 61]);
        log.add(at, None, Some(b), Fate::Injected, &[3; 62]);
        let lengths = |capture| {
            let mut bytes = Vec::new();
            log.write_pcap(&mut bytes, capture).unwrap();
            let mut reader = pcap_file::pcap::PcapReader::new(&bytes[..]).unwrap();
            let mut lengths = vec![];
            while let Some(packet) = reader.next_packet() {
                let packet = packet.unwrap();
                assert_eq!(packet.timestamp.as_nanos(), 1_000_000_001);
                lengths.push(packet.data.len());
            }
            lengths
        };
        assert_eq!(lengths(Capture::At(a)), [60, 61]);
        assert_eq!(lengths(Capture::At(b)), [] as [usize; 0]);
        assert_eq!(lengths(Capture::Wire), [60, 62]);
    }
}
