//! IPv4 and TCP packets, written and read without the code under test.

/// The host under test, and its peer.
pub const HOST: [u8; 4] = [192, 0, 2, 1];
/// The peer.
pub const PEER: [u8; 4] = [192, 0, 2, 9];

pub const FIN: u8 = 1;
pub const SYN: u8 = 2;
pub const RST: u8 = 4;
pub const PSH: u8 = 8;
pub const ACK: u8 = 16;

/// A TCP segment.
#[derive(Clone, Debug, Default)]
pub struct Seg {
    pub src: u16,
    pub dst: u16,
    pub flags: u8,
    pub seq: u32,
    pub ack: u32,
    pub wnd: u16,
    pub urgent: u16,
    pub options: Vec<u8>,
    pub text: Vec<u8>,
}

/// The Internet checksum (RFC 1071), continued from `sum`.
#[must_use]
pub fn checksum(bytes: &[u8], mut sum: u32) -> u16 {
    for pair in bytes.chunks(2) {
        sum += u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0));
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

/// An IPv4 packet.
#[must_use]
pub fn ipv4(src: [u8; 4], dst: [u8; 4], protocol: u8, payload: &[u8]) -> Vec<u8> {
    let mut p = vec![0x45, 0];
    p.extend(((20 + payload.len()) as u16).to_be_bytes());
    p.extend([0, 0, 0x40, 0, 64, protocol, 0, 0]);
    p.extend(src);
    p.extend(dst);
    let sum = checksum(&p, 0);
    p[10..12].copy_from_slice(&sum.to_be_bytes());
    p.extend(payload);
    p
}

impl Seg {
    /// The packet from the peer to the host, or back.
    #[must_use]
    pub fn packet(&self, src: [u8; 4], dst: [u8; 4]) -> Vec<u8> {
        let mut options = self.options.clone();
        options.truncate(40);
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
        let pseudo = [
            &src[..],
            &dst[..],
            &[0, 6],
            &(t.len() as u16).to_be_bytes()[..],
        ]
        .concat();
        let sum = checksum(&t, u32::from(!checksum(&pseudo, 0)));
        t[16..18].copy_from_slice(&sum.to_be_bytes());
        ipv4(src, dst, 6, &t)
    }

    /// The segment in a packet of the host's, if it is one.
    #[must_use]
    pub fn parse(packet: &[u8]) -> Option<Seg> {
        if packet.get(9) != Some(&6) {
            return None;
        }
        let t = &packet[20..];
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

    /// One past its last sequence number.
    #[must_use]
    pub fn end(&self) -> u32 {
        let control = [SYN, FIN].iter().filter(|f| self.flags & **f != 0).count();
        self.seq.wrapping_add((self.text.len() + control) as u32)
    }
}
