//! Frames made by hand, for peers without a stack and for injection.

use wire::{Ip, MacAddr, arp, checksum, ethernet, icmpv4, ipv4, tcp};

/// The addresses of a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Addresses {
    /// Source station.
    pub src_mac: MacAddr,
    /// Destination station.
    pub dst_mac: MacAddr,
    /// Source address.
    pub src: Ip,
    /// Destination address.
    pub dst: Ip,
}

/// An IPv4 packet with any payload.
#[must_use]
pub fn ipv4(to: &Addresses, protocol: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0; ethernet::Header::LEN + ipv4::Header::LEN];
    let at = ethernet_header(&mut frame, to.dst_mac, to.src_mac, ethernet::ETHERTYPE_IPV4);
    let len = u16::try_from(payload.len()).unwrap_or(u16::MAX);
    ipv4::Header::new(to.src.v4_octets(), to.dst.v4_octets(), protocol, len)
        .emit(&mut frame[at..], true);
    frame.extend_from_slice(payload);
    frame
}

/// A TCP segment, with its checksum.
#[must_use]
pub fn tcp(to: &Addresses, header: &tcp::Header, text: &[u8]) -> Vec<u8> {
    let mut segment = vec![0; header.header_len()];
    header.emit(&mut segment);
    segment.extend_from_slice(text);
    checksum::fill_tcp(to.src, to.dst, &mut segment);
    ipv4(to, ipv4::PROTOCOL_TCP, &segment)
}

/// An ICMP echo request.
#[must_use]
pub fn echo_request(to: &Addresses, ident: u16, seq: u16, data: &[u8]) -> Vec<u8> {
    let mut message = vec![0; icmpv4::HEADER_LEN + data.len()];
    icmpv4::emit_echo_request(&mut message, ident, seq, data);
    ipv4(to, ipv4::PROTOCOL_ICMP, &message)
}

/// An ICMP destination unreachable message about `original`, an IPv4 packet.
#[must_use]
pub fn unreachable(to: &Addresses, code: u8, mtu: u16, original: &[u8]) -> Vec<u8> {
    let quote = original.len().min(icmpv4::MAX_QUOTE);
    let mut message = vec![0; icmpv4::HEADER_LEN + quote];
    icmpv4::emit_destination_unreachable(&mut message, code, mtu, original);
    ipv4(to, ipv4::PROTOCOL_ICMP, &message)
}

/// A UDP datagram (RFC 768) without a checksum, which IPv4 allows.
#[must_use]
pub fn udp(to: &Addresses, src_port: u16, dst_port: u16, data: &[u8]) -> Vec<u8> {
    let len = u16::try_from(8 + data.len()).unwrap_or(u16::MAX);
    let mut datagram = Vec::with_capacity(8 + data.len());
    for field in [src_port, dst_port, len, 0] {
        datagram.extend_from_slice(&field.to_be_bytes());
    }
    datagram.extend_from_slice(data);
    ipv4(to, ipv4::PROTOCOL_UDP, &datagram)
}

/// An ARP packet in a frame to `dst_mac`.
#[must_use]
pub fn arp(dst_mac: MacAddr, packet: &arp::Packet) -> Vec<u8> {
    let mut frame = vec![0; ethernet::Header::LEN + arp::Packet::LEN];
    let at = ethernet_header(&mut frame, dst_mac, packet.sha, ethernet::ETHERTYPE_ARP);
    packet.emit(&mut frame[at..]);
    frame
}

fn ethernet_header(frame: &mut [u8], dst: MacAddr, src: MacAddr, ethertype: u16) -> usize {
    ethernet::Header {
        dst,
        src,
        vlan: None,
        ethertype,
    }
    .emit(frame)
}
