//! IPv4 and TCP packets as these tests write and read them: on purpose not with the code under test.

use std::fmt;

pub(crate) const FIN: u8 = 1;
pub(crate) const SYN: u8 = 2;
pub(crate) const RST: u8 = 4;
pub(crate) const PSH: u8 = 8;
pub(crate) const ACK: u8 = 16;
pub(crate) const URG: u8 = 32;

/// The host under test, and its peer.
pub(crate) const HOST: [u8; 4] = [192, 0, 2, 1];
pub(crate) const PEER: [u8; 4] = [192, 0, 2, 9];

/// A TCP segment, ports in the order in which they are on the wire.
#[derive(Clone, PartialEq, Eq, Default)]
pub(crate) struct Seg {
    pub(crate) src: u16,
    pub(crate) dst: u16,
    pub(crate) flags: u8,
    pub(crate) seq: u32,
    pub(crate) ack: u32,
    pub(crate) wnd: u16,
    pub(crate) urgent: u16,
    /// As on the wire, without padding.
    pub(crate) options: Vec<u8>,
    pub(crate) text: Vec<u8>,
}

pub(crate) fn flag_names(flags: u8) -> String {
    let names = [
        (SYN, "SYN"),
        (FIN, "FIN"),
        (RST, "RST"),
        (PSH, "PSH"),
        (ACK, "ACK"),
        (URG, "URG"),
    ];
    let set: Vec<_> = names
        .iter()
        .filter(|(f, _)| flags & f != 0)
        .map(|(_, n)| *n)
        .collect();
    if set.is_empty() {
        "none".into()
    } else {
        set.join("-")
    }
}

impl fmt::Debug for Seg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "<{} SEQ={} ACK={} LEN={} WND={}>",
            flag_names(self.flags),
            self.seq,
            self.ack,
            self.text.len(),
            self.wnd
        )
    }
}

/// The Internet checksum of `bytes`, to be continued from `sum` (RFC 1071).
pub(crate) fn checksum(bytes: &[u8], sum: u32) -> u16 {
    let mut sum = bytes.chunks(2).fold(sum, |sum, pair| {
        sum + u32::from(u16::from_be_bytes([pair[0], *pair.get(1).unwrap_or(&0)]))
    });
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

fn pseudo_header(src: [u8; 4], dst: [u8; 4], len: usize) -> u32 {
    let words = [
        [src[0], src[1]],
        [src[2], src[3]],
        [dst[0], dst[1]],
        [dst[2], dst[3]],
    ];
    let addresses: u32 = words
        .iter()
        .map(|w| u32::from(u16::from_be_bytes(*w)))
        .sum();
    addresses + 6 + len as u32
}

/// An IPv4 packet.
pub(crate) fn ipv4(src: [u8; 4], dst: [u8; 4], protocol: u8, payload: &[u8]) -> Vec<u8> {
    let len = (20 + payload.len()) as u16;
    let mut p = vec![0x45, 0];
    p.extend(len.to_be_bytes());
    p.extend([0, 0, 0x40, 0, 64, protocol, 0, 0]);
    p.extend(src);
    p.extend(dst);
    let sum = checksum(&p, 0);
    p[10..12].copy_from_slice(&sum.to_be_bytes());
    p.extend(payload);
    p
}

impl Seg {
    /// The packet from `src` to `dst` that carries it.
    pub(crate) fn packet(&self, src: [u8; 4], dst: [u8; 4]) -> Vec<u8> {
        let mut options = self.options.clone();
        while !options.len().is_multiple_of(4) {
            options.push(0);
        }
        let mut t = Vec::new();
        t.extend(self.src.to_be_bytes());
        t.extend(self.dst.to_be_bytes());
        t.extend(self.seq.to_be_bytes());
        t.extend(self.ack.to_be_bytes());
        t.push((((20 + options.len()) / 4) << 4) as u8);
        t.push(self.flags);
        t.extend(self.wnd.to_be_bytes());
        t.extend([0, 0]);
        t.extend(self.urgent.to_be_bytes());
        t.extend(&options);
        t.extend(&self.text);
        let sum = checksum(&t, pseudo_header(src, dst, t.len()));
        t[16..18].copy_from_slice(&sum.to_be_bytes());
        ipv4(src, dst, 6, &t)
    }

    /// The segment in a packet, whose checksums must be right; `None` if it carries another protocol.
    pub(crate) fn parse(packet: &[u8]) -> Option<Seg> {
        assert_eq!(packet[0], 0x45, "IPv4 without options");
        let total = usize::from(u16::from_be_bytes([packet[2], packet[3]]));
        assert_eq!(total, packet.len(), "the packet is as long as it says");
        assert_eq!(checksum(&packet[..20], 0), 0, "the header's checksum");
        if packet[9] != 6 {
            return None;
        }
        let address = |at: usize| [packet[at], packet[at + 1], packet[at + 2], packet[at + 3]];
        let t = &packet[20..];
        let sum = pseudo_header(address(12), address(16), t.len());
        assert_eq!(checksum(t, sum), 0, "the segment's checksum");
        let be16 = |at: usize| u16::from_be_bytes([t[at], t[at + 1]]);
        let be32 = |at: usize| u32::from_be_bytes([t[at], t[at + 1], t[at + 2], t[at + 3]]);
        let header = usize::from(t[12] >> 4) * 4;
        Some(Seg {
            src: be16(0),
            dst: be16(2),
            flags: t[13],
            seq: be32(4),
            ack: be32(8),
            wnd: be16(14),
            urgent: be16(18),
            options: t[20..header].to_vec(),
            text: t[header..].to_vec(),
        })
    }

    /// The body of option `kind`.
    pub(crate) fn option(&self, kind: u8) -> Option<&[u8]> {
        let mut rest = &self.options[..];
        loop {
            match rest {
                [] | [0, ..] => return None,
                [1, ..] => rest = &rest[1..],
                [k, len, ..] => {
                    let (option, after) = rest.split_at(usize::from(*len));
                    if *k == kind {
                        return Some(&option[2..]);
                    }
                    rest = after;
                }
                [_] => panic!("half of an option"),
            }
        }
    }

    /// TSval and TSecr.
    pub(crate) fn timestamps(&self) -> Option<(u32, u32)> {
        let body = self.option(8)?;
        let be32 = |at: usize| u32::from_be_bytes(body[at..at + 4].try_into().unwrap());
        Some((be32(0), be32(4)))
    }
}

/// A timestamps option.
pub(crate) fn timestamps(val: u32, ecr: u32) -> Vec<u8> {
    [
        &[1, 1, 8, 10],
        &val.to_be_bytes()[..],
        &ecr.to_be_bytes()[..],
    ]
    .concat()
}

/// An MSS option.
pub(crate) fn mss(mss: u16) -> Vec<u8> {
    [&[2, 4], &mss.to_be_bytes()[..]].concat()
}
