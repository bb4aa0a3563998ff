//! A TCP segment with the headers around it, read from a frame and written to one.

use core::net::SocketAddr;

use wire::ethernet::{self, ETHERTYPE_IPV4, ETHERTYPE_IPV6};
use wire::ipv4::{self, PROTOCOL_TCP};
use wire::tcp::{self, Flags};
use wire::{Ip, MacAddr, Seq, checksum, ipv6};

/// A TCP segment over IP over Ethernet.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Packet {
    /// Link addresses: source, destination.
    pub(crate) macs: [MacAddr; 2],
    /// Source address and port.
    pub(crate) src: SocketAddr,
    /// Destination address and port.
    pub(crate) dst: SocketAddr,
    /// The TCP header; its ports are those of `src` and `dst`.
    pub(crate) tcp: tcp::Header,
    /// SEG.TEXT.
    pub(crate) text: Vec<u8>,
}

impl Packet {
    /// The segment in `frame`; `None` if there is none, or its checksums are wrong.
    pub(crate) fn parse(frame: &[u8]) -> Option<Packet> {
        let (eth, at) = ethernet::Header::parse(frame).ok()?;
        let (src, dst, segment) = match eth.ethertype {
            ETHERTYPE_IPV4 => segment_v4(&frame[at..])?,
            ETHERTYPE_IPV6 => segment_v6(&frame[at..])?,
            _ => return None,
        };
        if !checksum::tcp_ok(src, dst, segment) {
            return None;
        }
        let (header, text) = tcp::Header::parse(segment).ok()?;
        Some(Packet {
            macs: [eth.src, eth.dst],
            src: SocketAddr::new(src.into(), header.src_port),
            dst: SocketAddr::new(dst.into(), header.dst_port),
            tcp: header,
            text: segment[text..].to_vec(),
        })
    }

    /// The frame of this segment, with right checksums.
    pub(crate) fn frame(&self) -> Vec<u8> {
        let [src, dst] = self.macs;
        let header = tcp::Header {
            src_port: self.src.port(),
            dst_port: self.dst.port(),
            ..self.tcp
        };
        let (from, to) = (Ip::from(self.src.ip()), Ip::from(self.dst.ip()));
        let eth = ethernet::Header {
            dst,
            src,
            vlan: None,
            ethertype: if from.is_v4() {
                ETHERTYPE_IPV4
            } else {
                ETHERTYPE_IPV6
            },
        };
        let ip_len = match from.is_v4() {
            true => ipv4::Header::LEN,
            false => ipv6::Header::LEN,
        };
        let segment_len = header.header_len() + self.text.len();
        let len = u16::try_from(segment_len).unwrap_or(u16::MAX);
        let mut frame = vec![0; eth.len() + ip_len + segment_len];
        let mut at = eth.emit(&mut frame);
        at += match from.is_v4() {
            true => ipv4::Header::new(from.v4_octets(), to.v4_octets(), PROTOCOL_TCP, len)
                .emit(&mut frame[at..], true),
            false => ipv6::Header::new(from.octets(), to.octets(), PROTOCOL_TCP, len)
                .emit(&mut frame[at..]),
        };
        let segment = &mut frame[at..];
        let text = header.emit(segment);
        segment[text..].copy_from_slice(&self.text);
        checksum::fill_tcp(from, to, segment);
        frame
    }

    /// Whether all of `flags` are set.
    pub(crate) fn has(&self, flags: Flags) -> bool {
        self.tcp.flags.contains(flags)
    }

    /// SEG.LEN: the text, and one each for SYN and FIN.
    pub(crate) fn len(&self) -> u32 {
        let controls = u32::from(self.has(Flags::SYN)) + u32::from(self.has(Flags::FIN));
        self.text.len() as u32 + controls
    }

    /// The number after the last one that this segment takes.
    pub(crate) fn end(&self) -> Seq {
        self.tcp.seq + self.len()
    }

    /// TSval, if the segment has one.
    pub(crate) fn ts_val(&self) -> Option<u32> {
        self.tcp.options.timestamps.map(|ts| ts.val)
    }
}

fn segment_v4(packet: &[u8]) -> Option<(Ip, Ip, &[u8])> {
    let (ip, payload) = ipv4::Header::parse(packet).ok()?;
    let right = ip.protocol == PROTOCOL_TCP && !ip.is_fragment() && ipv4::checksum_ok(packet);
    right.then(|| (Ip::v4(ip.src), Ip::v4(ip.dst), &packet[payload]))
}

fn segment_v6(packet: &[u8]) -> Option<(Ip, Ip, &[u8])> {
    let (ip, payload) = ipv6::Header::parse(packet).ok()?;
    let right = ip.next_header == PROTOCOL_TCP;
    right.then(|| (Ip::v6(ip.src), Ip::v6(ip.dst), &packet[payload]))
}

/// As the RFCs write it: `<SEQ=301><ACK=101><CTL=ACK>`.
impl core::fmt::Display for Packet {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "<SEQ={}>", self.tcp.seq)?;
        if self.has(Flags::ACK) {
            write!(f, "<ACK={}>", self.tcp.ack)?;
        }
        write!(f, "<CTL={:?}>", self.tcp.flags)?;
        if !self.text.is_empty() {
            write!(f, "<{} bytes>", self.text.len())?;
        }
        if let Some(ts) = self.tcp.options.timestamps {
            write!(f, "<TSval={},TSecr={}>", ts.val, ts.ecr)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::tcp::{Options, Timestamps};

    fn packet() -> Packet {
        Packet {
            macs: [MacAddr([2, 0, 0, 0, 0, 1]), MacAddr([2, 0, 0, 0, 0, 2])],
            src: "192.0.2.3:5000".parse().expect("an address"),
            dst: "192.0.2.1:80".parse().expect("an address"),
            tcp: tcp::Header {
                src_port: 5000,
                dst_port: 80,
                seq: Seq(u32::MAX - 1),
                ack: Seq(7),
                flags: Flags::FIN | Flags::ACK,
                window: 1000,
                options: Options {
                    timestamps: Some(Timestamps { val: 9, ecr: 8 }),
                    ..Options::NONE
                },
                ..tcp::Header::default()
            },
            text: b"abc".to_vec(),
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let packet = packet();
        assert!(Packet::parse(&packet.frame()) == Some(packet.clone()));
        assert_eq!(packet.end(), Seq(2), "three bytes and a FIN, past the wrap");
        assert_eq!(packet.ts_val(), Some(9));
    }

    #[test]
    fn a_flipped_bit_anywhere_past_the_link_header_is_refused() {
        let frame = packet().frame();
        for bit in 14 * 8..frame.len() * 8 {
            let mut damaged = frame.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(Packet::parse(&damaged).is_none(), "bit {bit}");
        }
    }
}
