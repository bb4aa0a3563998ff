//! What a frame says, for rules, assertions and the trace: never for the stack, which has its own
//! eyes.

use core::ops::Range;

use wire::{FourTuple, Ip, MacAddr, arp, checksum, ethernet, icmpv4, icmpv6, ipv4, ipv6, tcp};

/// A TCP segment with the addresses of its packet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Segment {
    /// Source address.
    pub src: Ip,
    /// Destination address.
    pub dst: Ip,
    /// The TCP header.
    pub header: tcp::Header,
    /// The text, within the frame.
    pub text: Range<usize>,
    /// Whether the checksums of TCP and, if it is there, IPv4 are right.
    pub intact: bool,
}

impl Segment {
    /// Whether all of `flags` are set.
    #[must_use]
    pub fn has(&self, flags: tcp::Flags) -> bool {
        self.header.flags.contains(flags)
    }

    /// SEG.LEN: text, SYN and FIN (RFC 9293 3.3.1).
    #[must_use]
    pub fn seg_len(&self) -> u32 {
        self.text.len() as u32
            + u32::from(self.has(tcp::Flags::SYN))
            + u32::from(self.has(tcp::Flags::FIN))
    }

    /// The connection as the sender sees it.
    #[must_use]
    pub fn tuple(&self) -> FourTuple {
        FourTuple {
            local: self.src,
            remote: self.dst,
            local_port: self.header.src_port,
            remote_port: self.header.dst_port,
        }
    }
}

/// What a frame carries.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Packet {
    /// ARP.
    Arp(arp::Packet),
    /// TCP, over IPv4 or IPv6.
    Tcp(Segment),
    /// ICMP over IPv4.
    Icmp {
        /// Source address.
        src: Ip,
        /// Destination address.
        dst: Ip,
        /// The message; its ranges are relative to `body`.
        message: icmpv4::Message,
        /// The whole message, within the frame.
        body: Range<usize>,
    },
    /// ICMP over IPv6, neighbour discovery included, with the right checksum.
    Icmpv6 {
        /// Source address.
        src: Ip,
        /// Destination address.
        dst: Ip,
        /// The message; its ranges are relative to `body`.
        message: icmpv6::Message,
        /// The whole message, within the frame.
        body: Range<usize>,
    },
    /// Another protocol over IPv6, or a malformed packet of one of the above.
    Ipv6 {
        /// Source address.
        src: Ip,
        /// Destination address.
        dst: Ip,
        /// Protocol number.
        protocol: u8,
    },
    /// Another IPv4 protocol, or a malformed packet of one of the above.
    Ipv4 {
        /// Source address.
        src: Ip,
        /// Destination address.
        dst: Ip,
        /// Protocol number.
        protocol: u8,
    },
    /// None of these.
    Other,
}

impl Packet {
    /// Whether it is ARP or neighbour discovery.
    #[must_use]
    pub fn is_about_neighbors(&self) -> bool {
        use icmpv6::Message::{NeighborAdvertisement, NeighborSolicitation};
        match self {
            Packet::Arp(_) => true,
            Packet::Icmpv6 { message, .. } => {
                matches!(message, NeighborSolicitation(_) | NeighborAdvertisement(_))
            }
            _ => false,
        }
    }
}

/// Where the IP packet of a frame lies, if it carries one that is not damaged.
pub(crate) fn intact_ip(frame: &[u8]) -> Option<Range<usize>> {
    let (header, offset) = ethernet::Header::parse(frame).ok()?;
    let packet = &frame[offset..];
    match header.ethertype {
        ethernet::ETHERTYPE_IPV4 if ipv4::checksum_ok(packet) => {
            let (ip, payload) = ipv4::Header::parse(packet).ok()?;
            let payload = &packet[payload];
            let intact = match ip.protocol {
                ipv4::PROTOCOL_TCP => checksum::tcp_ok(Ip::v4(ip.src), Ip::v4(ip.dst), payload),
                ipv4::PROTOCOL_ICMP => icmpv4::Message::parse(payload).is_ok(),
                _ => true,
            };
            intact.then(|| offset..offset + usize::from(ip.total_len))
        }
        ethernet::ETHERTYPE_IPV6 => {
            let (ip, payload) = ipv6::Header::parse(packet).ok()?;
            let end = offset + payload.end;
            let intact = match ip.next_header {
                ipv6::NEXT_HEADER_TCP => {
                    checksum::tcp_ok(Ip::v6(ip.src), Ip::v6(ip.dst), &packet[payload])
                }
                ipv6::NEXT_HEADER_ICMPV6 => icmpv6_message(&ip, &packet[payload]).is_some(),
                _ => true,
            };
            intact.then_some(offset..end)
        }
        _ => None,
    }
}

fn icmpv6_message(ip: &ipv6::Header, bytes: &[u8]) -> Option<icmpv6::Message> {
    let context = icmpv6::Context {
        src: ip.src,
        dst: ip.dst,
        hop_limit: ip.hop_limit,
    };
    icmpv6::Message::parse(&context, bytes).ok()
}

/// Source and destination of the frame, if it has them.
#[must_use]
pub fn stations(frame: &[u8]) -> Option<(MacAddr, MacAddr)> {
    let (header, _) = ethernet::Header::parse(frame).ok()?;
    Some((header.src, header.dst))
}

/// Reads a frame. Checksums are noted, not enforced.
#[must_use]
pub fn packet(frame: &[u8]) -> Packet {
    let Ok((ethernet, offset)) = ethernet::Header::parse(frame) else {
        return Packet::Other;
    };
    match ethernet.ethertype {
        ethernet::ETHERTYPE_ARP => {
            arp::Packet::parse(&frame[offset..]).map_or(Packet::Other, Packet::Arp)
        }
        ethernet::ETHERTYPE_IPV4 => ipv4_packet(frame, offset),
        ethernet::ETHERTYPE_IPV6 => ipv6_packet(frame, offset),
        _ => Packet::Other,
    }
}

fn ipv6_packet(frame: &[u8], offset: usize) -> Packet {
    let Ok((header, payload)) = ipv6::Header::parse(&frame[offset..]) else {
        return Packet::Other;
    };
    let (src, dst) = (Ip::v6(header.src), Ip::v6(header.dst));
    let start = offset + payload.start;
    let Ok(upper) = ipv6::walk(&frame[start..offset + payload.end], header.next_header) else {
        return Packet::Other;
    };
    let body = start + upper.offset..offset + payload.end;
    let bytes = &frame[body.clone()];
    let protocol = upper.protocol;
    let unknown = Packet::Ipv6 { src, dst, protocol };
    match protocol {
        ipv6::NEXT_HEADER_TCP => match tcp::Header::parse(bytes) {
            Ok((tcp, text)) => Packet::Tcp(Segment {
                src,
                dst,
                header: tcp,
                text: body.start + text..body.end,
                intact: checksum::tcp_ok(src, dst, bytes),
            }),
            Err(_) => unknown,
        },
        ipv6::NEXT_HEADER_ICMPV6 => match icmpv6_message(&header, bytes) {
            Some(message) => Packet::Icmpv6 {
                src,
                dst,
                message,
                body,
            },
            None => unknown,
        },
        _ => unknown,
    }
}

fn ipv4_packet(frame: &[u8], offset: usize) -> Packet {
    let datagram = &frame[offset..];
    let Ok((header, payload)) = ipv4::Header::parse(datagram) else {
        return Packet::Other;
    };
    let (src, dst) = (Ip::v4(header.src), Ip::v4(header.dst));
    let body = offset + payload.start..offset + payload.end;
    let bytes = &frame[body.clone()];
    let unknown = Packet::Ipv4 {
        src,
        dst,
        protocol: header.protocol,
    };
    match header.protocol {
        ipv4::PROTOCOL_TCP => match tcp::Header::parse(bytes) {
            Ok((tcp, text)) => Packet::Tcp(Segment {
                src,
                dst,
                header: tcp,
                text: body.start + text..body.end,
                intact: ipv4::checksum_ok(datagram) && checksum::tcp_ok(src, dst, bytes),
            }),
            Err(_) => unknown,
        },
        ipv4::PROTOCOL_ICMP => match icmpv4::Message::parse(bytes) {
            Ok(message) => Packet::Icmp {
                src,
                dst,
                message,
                body,
            },
            Err(_) => unknown,
        },
        _ => unknown,
    }
}

/// The TCP segment of a frame, if it carries one.
#[must_use]
pub fn segment(frame: &[u8]) -> Option<Segment> {
    match packet(frame) {
        Packet::Tcp(segment) => Some(segment),
        _ => None,
    }
}
