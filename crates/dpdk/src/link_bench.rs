//! What a bare link carries: frames made, sent, received, read and freed, with nothing else done.
//!
//! This is the limit for everything that is built on the same link, ports and cores.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::{Mbuf, MbufCache, RxQueue, TxQueue, tsc};

/// Frames handed over at once.
pub const BURST: usize = 32;
/// Octets of headers that are written into every frame: Ethernet, IPv4, TCP without options.
pub const HEADERS: usize = 14 + 20 + 20;
/// The longest frame: what a buffer of the default pool surely holds.
pub const MAX_FRAME: usize = 1514;

/// One end of a link, with what it is driven by.
#[derive(Debug)]
pub struct Side<'a> {
    /// Where frames arrive.
    pub rx: &'a mut RxQueue,
    /// Where frames leave.
    pub tx: &'a mut TxQueue,
    /// Where buffers come from.
    pub mbufs: &'a mut MbufCache,
}

/// What one end counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Frames that the link took.
    pub sent: u64,
    /// Frames that arrived as they should be.
    pub received: u64,
    /// Frames that arrived otherwise: of another length, or not of this benchmark.
    pub strange: u64,
    /// Rounds in which no buffer could be had.
    pub no_mbufs: u64,
    /// Ticks of [`tsc`] that it took.
    pub ticks: u64,
}

impl Tally {
    /// Frames received a second.
    #[must_use]
    pub fn received_pps(&self, tsc_hz: u64) -> f64 {
        per_second(self.received, self.ticks, tsc_hz)
    }

    /// Frames sent a second.
    #[must_use]
    pub fn sent_pps(&self, tsc_hz: u64) -> f64 {
        per_second(self.sent, self.ticks, tsc_hz)
    }
}

fn per_second(count: u64, ticks: u64, tsc_hz: u64) -> f64 {
    if ticks == 0 {
        return 0.0;
    }
    count as f64 * tsc_hz as f64 / ticks as f64
}

/// Sends and receives on all `sides` in turn, on the calling thread, until `stop` is set. For two cores,
/// call it on two threads with one side each.
///
/// Every frame has `frame_len` octets (without FCS; brought into the range from [`HEADERS`] to
/// [`MAX_FRAME`]). Frames that still lie in the link at the end stay there.
pub fn run(sides: &mut [Side<'_>], frame_len: usize, stop: &AtomicBool) -> Vec<Tally> {
    let frame_len = frame_len.clamp(HEADERS, MAX_FRAME);
    let mut ends: Vec<End> = sides.iter().map(|_| End::new(frame_len)).collect();
    let start = tsc();
    while !stop.load(Ordering::Relaxed) {
        for (side, end) in sides.iter_mut().zip(&mut ends) {
            end.receive(side);
            end.send(side);
        }
    }
    let ticks = tsc().wrapping_sub(start);
    ends.iter()
        .map(|end| Tally { ticks, ..end.tally })
        .collect()
}

/// Takes what still lies in the link and frees it, after both ends have stopped sending.
pub fn drain(sides: &mut [Side<'_>]) -> u64 {
    let mut frames = Vec::with_capacity(BURST);
    let mut drained = 0;
    for side in sides {
        loop {
            let n = side.rx.rx_burst(&mut frames);
            if n == 0 {
                break;
            }
            drained += n as u64;
            side.mbufs.free_all(&mut frames);
        }
        side.mbufs.flush();
    }
    drained
}

/// The state of one end.
struct End {
    template: [u8; HEADERS],
    frame_len: usize,
    /// Sequence number of the next frame, so that no two frames are alike.
    sequence: u32,
    rx: Vec<Mbuf>,
    tx: Vec<Mbuf>,
    tally: Tally,
}

impl End {
    fn new(frame_len: usize) -> Self {
        Self {
            template: template(frame_len),
            frame_len,
            sequence: 0,
            rx: Vec::with_capacity(BURST),
            tx: Vec::with_capacity(BURST),
            tally: Tally::default(),
        }
    }

    fn receive(&mut self, side: &mut Side<'_>) {
        if side.rx.rx_burst(&mut self.rx) == 0 {
            return;
        }
        for frame in &self.rx {
            frame.prefetch_data();
        }
        for frame in &self.rx {
            if frame.len() == self.frame_len && frame[..14] == self.template[..14] {
                self.tally.received += 1;
            } else {
                self.tally.strange += 1;
            }
        }
        side.mbufs.free_all(&mut self.rx);
    }

    fn send(&mut self, side: &mut Side<'_>) {
        while self.tx.len() < BURST {
            let Some(mut frame) = side.mbufs.alloc() else {
                self.tally.no_mbufs += 1;
                break;
            };
            let Some(octets) = frame.append(self.frame_len) else {
                side.mbufs.free(frame);
                break;
            };
            octets[..HEADERS].copy_from_slice(&self.template);
            octets[38..42].copy_from_slice(&self.sequence.to_be_bytes());
            self.sequence = self.sequence.wrapping_add(1);
            self.tx.push(frame);
        }
        self.tally.sent += side.tx.tx_burst(&mut self.tx) as u64;
    }
}

/// Headers of a TCP segment between documentation addresses (RFC 5737) and locally administered ones.
fn template(frame_len: usize) -> [u8; HEADERS] {
    let mut headers = [0; HEADERS];
    headers[..12].copy_from_slice(&[2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1]);
    headers[12..14].copy_from_slice(&0x0800_u16.to_be_bytes());
    headers[14] = 0x45;
    headers[16..18].copy_from_slice(&((frame_len - 14) as u16).to_be_bytes());
    headers[22] = 64;
    headers[23] = 6;
    headers[26..30].copy_from_slice(&[192, 0, 2, 1]);
    headers[30..34].copy_from_slice(&[192, 0, 2, 2]);
    headers[34..38].copy_from_slice(&[0x04, 0x00, 0x00, 0x50]);
    headers[46] = 5 << 4;
    headers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates() {
        let tally = Tally {
            sent: 10,
            received: 30,
            ticks: 2_000,
            ..Tally::default()
        };
        assert_eq!(tally.sent_pps(1_000), 5.0);
        assert_eq!(tally.received_pps(1_000), 15.0);
        assert_eq!(Tally::default().received_pps(1_000), 0.0);
    }

    #[test]
    fn the_template_says_its_length() {
        let headers = template(64);
        assert_eq!(u16::from_be_bytes([headers[16], headers[17]]), 50);
    }
}
