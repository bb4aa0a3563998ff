//! Frames made by hand, for peers without a stack and for injection.

use wire::icmpv6::{self, ndp};
use wire::{Ip, MacAddr, arp, checksum, ethernet, icmpv4, ipv4, ipv6, tcp};

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

/// An IPv6 packet with any payload; its extension headers, if any, are the payload's beginning.
#[must_use]
pub fn ipv6(to: &Addresses, next_header: u8, payload: &[u8]) -> Vec<u8> {
    ipv6_with(to, next_header, 64, payload)
}

fn ipv6_with(to: &Addresses, next_header: u8, hop_limit: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0; ethernet::Header::LEN + ipv6::Header::LEN];
    let at = ethernet_header(&mut frame, to.dst_mac, to.src_mac, ethernet::ETHERTYPE_IPV6);
    let len = u16::try_from(payload.len()).unwrap_or(u16::MAX);
    let header = ipv6::Header::new(to.src.octets(), to.dst.octets(), next_header, len);
    ipv6::Header {
        hop_limit,
        ..header
    }
    .emit(&mut frame[at..]);
    frame.extend_from_slice(payload);
    frame
}

/// A packet of the family of the addresses.
#[must_use]
pub fn ip(to: &Addresses, protocol: u8, payload: &[u8]) -> Vec<u8> {
    match to.src.is_v4() {
        true => ipv4(to, protocol, payload),
        false => ipv6(to, protocol, payload),
    }
}

/// A TCP segment, with its checksum.
#[must_use]
pub fn tcp(to: &Addresses, header: &tcp::Header, text: &[u8]) -> Vec<u8> {
    ip(to, ipv4::PROTOCOL_TCP, &tcp_bytes(to, header, text))
}

/// The same behind IPv6 extension headers, of which the first is `first`.
#[must_use]
pub fn tcp_behind(
    to: &Addresses,
    (first, extensions): (u8, &[u8]),
    header: &tcp::Header,
    text: &[u8],
) -> Vec<u8> {
    let payload = [extensions, &tcp_bytes(to, header, text)].concat();
    ipv6(to, first, &payload)
}

fn tcp_bytes(to: &Addresses, header: &tcp::Header, text: &[u8]) -> Vec<u8> {
    let mut segment = vec![0; header.header_len()];
    header.emit(&mut segment);
    segment.extend_from_slice(text);
    checksum::fill_tcp(to.src, to.dst, &mut segment);
    segment
}

/// An ICMP echo request.
#[must_use]
pub fn echo_request(to: &Addresses, ident: u16, seq: u16, data: &[u8]) -> Vec<u8> {
    let mut message = vec![0; icmpv4::HEADER_LEN + data.len()];
    if to.src.is_v4() {
        icmpv4::emit_echo_request(&mut message, ident, seq, data);
        return ipv4(to, ipv4::PROTOCOL_ICMP, &message);
    }
    let (src, dst) = (to.src.octets(), to.dst.octets());
    icmpv6::emit_echo_request(&mut message, src, dst, ident, seq, data);
    ipv6(to, ipv6::NEXT_HEADER_ICMPV6, &message)
}

/// An ICMP destination unreachable message about `original`, an IPv4 packet.
#[must_use]
pub fn unreachable(to: &Addresses, code: u8, mtu: u16, original: &[u8]) -> Vec<u8> {
    let quote = original.len().min(icmpv4::MAX_QUOTE);
    let mut message = vec![0; icmpv4::HEADER_LEN + quote];
    icmpv4::emit_destination_unreachable(&mut message, code, mtu, original);
    ipv4(to, ipv4::PROTOCOL_ICMP, &message)
}

/// An ICMPv6 error message about `original`, an IPv6 packet.
#[must_use]
pub fn icmpv6_error(to: &Addresses, report: icmpv6::Report, original: &[u8]) -> Vec<u8> {
    let quote = original.len().min(icmpv6::MAX_QUOTE);
    let mut message = vec![0; icmpv6::HEADER_LEN + quote];
    let (src, dst) = (to.src.octets(), to.dst.octets());
    icmpv6::emit_report(&mut message, src, dst, report, original);
    ipv6(to, ipv6::NEXT_HEADER_ICMPV6, &message)
}

/// A neighbour solicitation.
#[must_use]
pub fn neighbor_solicitation(to: &Addresses, message: &ndp::NeighborSolicitation) -> Vec<u8> {
    let mut bytes = [0; ndp::NeighborSolicitation::MAX_LEN];
    let len = message.emit(&mut bytes, to.src.octets(), to.dst.octets());
    ipv6_with(to, ipv6::NEXT_HEADER_ICMPV6, ndp::HOP_LIMIT, &bytes[..len])
}

/// A neighbour advertisement.
#[must_use]
pub fn neighbor_advertisement(to: &Addresses, message: &ndp::NeighborAdvertisement) -> Vec<u8> {
    let mut bytes = [0; ndp::NeighborAdvertisement::MAX_LEN];
    let len = message.emit(&mut bytes, to.src.octets(), to.dst.octets());
    ipv6_with(to, ipv6::NEXT_HEADER_ICMPV6, ndp::HOP_LIMIT, &bytes[..len])
}

/// A UDP datagram (RFC 768): over IPv4 without a checksum, over IPv6 with it.
#[must_use]
pub fn udp(to: &Addresses, src_port: u16, dst_port: u16, data: &[u8]) -> Vec<u8> {
    let len = u16::try_from(8 + data.len()).unwrap_or(u16::MAX);
    let mut datagram = Vec::with_capacity(8 + data.len());
    for field in [src_port, dst_port, len, 0] {
        datagram.extend_from_slice(&field.to_be_bytes());
    }
    datagram.extend_from_slice(data);
    if !to.src.is_v4() {
        let pseudo = checksum::pseudo_header(to.src, to.dst, ipv4::PROTOCOL_UDP, len.into());
        let sum = pseudo.combine(checksum::sum(&datagram)).finish();
        // RFC 8200 8.1: a zero is sent as all ones.
        let sum = if sum == 0 { u16::MAX } else { sum };
        datagram[6..8].copy_from_slice(&sum.to_be_bytes());
    }
    ip(to, ipv4::PROTOCOL_UDP, &datagram)
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
