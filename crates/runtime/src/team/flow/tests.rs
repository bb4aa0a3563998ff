use super::*;
use wire::ethernet::Tag;
use wire::tcp::Flags;
use wire::{MacAddr, Seq};

const V4: [Ip; 2] = [Ip::v4([192, 0, 2, 1]), Ip::v4([198, 51, 100, 7])];

fn v6() -> [Ip; 2] {
    ["2001:db8::1", "2001:db8:1::7"].map(|ip| {
        let ip: core::net::Ipv6Addr = ip.parse().expect("an address");
        ip.into()
    })
}

/// Our end first.
fn tuple([local, remote]: [Ip; 2]) -> FourTuple {
    FourTuple {
        local,
        remote,
        local_port: 80,
        remote_port: 40_000,
    }
}

fn segment(src_port: u16, dst_port: u16) -> Vec<u8> {
    let header = tcp::Header {
        src_port,
        dst_port,
        seq: Seq(7),
        flags: Flags::ACK,
        ..tcp::Header::default()
    };
    let mut bytes = vec![0; header.header_len()];
    header.emit(&mut bytes);
    bytes
}

fn packet([src, dst]: [Ip; 2], protocol: u8, payload: &[u8]) -> Vec<u8> {
    let len = payload.len() as u16;
    let mut bytes;
    if src.is_v4() {
        bytes = vec![0; ipv4::Header::LEN];
        ipv4::Header::new(src.v4_octets(), dst.v4_octets(), protocol, len).emit(&mut bytes, true);
    } else {
        bytes = vec![0; ipv6::Header::LEN];
        ipv6::Header::new(src.octets(), dst.octets(), protocol, len).emit(&mut bytes);
    }
    bytes.extend_from_slice(payload);
    bytes
}

fn frame(vlan: Option<u16>, packet: &[u8]) -> Vec<u8> {
    let header = ethernet::Header {
        dst: MacAddr([2, 0, 0, 0, 0, 1]),
        src: MacAddr([2, 0, 0, 0, 0, 9]),
        vlan: vlan.map(Tag::new),
        ethertype: match packet[0] >> 4 {
            4 => ethernet::ETHERTYPE_IPV4,
            _ => ethernet::ETHERTYPE_IPV6,
        },
    };
    let mut bytes = vec![0; header.len()];
    header.emit(&mut bytes);
    bytes.extend_from_slice(packet);
    bytes
}

/// A segment from the peer.
fn received_packet([ours, peer]: [Ip; 2]) -> Vec<u8> {
    packet([peer, ours], ipv4::PROTOCOL_TCP, &segment(40_000, 80))
}

/// An error of a router about a segment of ours.
fn error_packet(ends: [Ip; 2]) -> Vec<u8> {
    let sent = packet(ends, ipv4::PROTOCOL_TCP, &segment(80, 40_000));
    let mut message = vec![0; 8 + sent.len()];
    message[8..].copy_from_slice(&sent);
    if ends[0].is_v4() {
        let router = Ip::v4([198, 51, 100, 1]);
        let code = icmpv4::CODE_FRAGMENTATION_NEEDED;
        icmpv4::emit_destination_unreachable(&mut message, code, 1400, &sent);
        packet([router, ends[0]], ipv4::PROTOCOL_ICMP, &message)
    } else {
        let (src, dst) = (v6()[1], ends[0]);
        // Packet too big, MTU 1400.
        message[..8].copy_from_slice(&[2, 0, 0, 0, 0, 0, 5, 120]);
        let sum = checksum_v6(src, dst, &message);
        message[2..4].copy_from_slice(&sum.to_be_bytes());
        packet([src, dst], ipv6::NEXT_HEADER_ICMPV6, &message)
    }
}

/// RFC 8200 8.1, a word at a time.
fn checksum_v6(src: Ip, dst: Ip, message: &[u8]) -> u16 {
    let mut bytes = [src.octets(), dst.octets()].concat();
    bytes.extend_from_slice(&(message.len() as u32).to_be_bytes());
    bytes.extend_from_slice(&[0, 0, 0, ipv6::NEXT_HEADER_ICMPV6]);
    bytes.extend_from_slice(message);
    let mut sum: u32 = bytes
        .chunks(2)
        .map(|w| u32::from(w[0]) << 8 | u32::from(*w.get(1).unwrap_or(&0)))
        .sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

#[test]
fn a_segment_names_its_connection_with_and_without_a_tag() {
    for ends in [V4, v6()] {
        for vlan in [None, Some(7)] {
            let frame = frame(vlan, &received_packet(ends));
            assert_eq!(of(&frame), Some(tuple(ends)));
            assert_eq!(is_plain_tcp(&frame), vlan.is_none());
        }
    }
}

#[test]
fn an_error_names_the_connection_that_it_is_about() {
    for ends in [V4, v6()] {
        let frame = frame(None, &error_packet(ends));
        assert_eq!(of(&frame), Some(tuple(ends)));
        assert!(!is_plain_tcp(&frame));
    }
}

#[test]
fn extension_headers_are_passed() {
    let [ours, peer] = v6();
    // Destination options, padded with PadN.
    let mut payload = vec![ipv6::NEXT_HEADER_TCP, 0, 1, 4, 0, 0, 0, 0];
    payload.extend_from_slice(&segment(40_000, 80));
    let frame = frame(None, &packet([peer, ours], 60, &payload));
    assert_eq!(of(&frame), Some(tuple([ours, peer])));
    assert!(!is_plain_tcp(&frame));
}

#[test]
fn ip_options_and_fragments_are_not_plain() {
    let mut packet = received_packet(V4);
    // A first fragment, then a later one, then none but with "don't fragment".
    for (flags, offset, plain) in [(0x20, 0, false), (0, 9, false), (0x40, 0, true)] {
        packet[6] = flags;
        packet[7] = offset;
        let frame = frame(None, &packet);
        assert_eq!(is_plain_tcp(&frame), plain);
        assert_eq!(of(&frame).is_some(), plain, "a fragment is nobody's");
    }
    packet[0] = 0x46;
    assert!(!is_plain_tcp(&frame(None, &packet)));
}

#[test]
fn what_names_no_connection_is_nobodys() {
    let mut echo = vec![0; 16];
    icmpv4::emit_echo_request(&mut echo, 1, 1, &[0; 8]);
    let [ours, peer] = V4;
    let echo = packet([peer, ours], ipv4::PROTOCOL_ICMP, &echo);
    let udp = packet([peer, ours], ipv4::PROTOCOL_UDP, &[0; 8]);
    for packet in [echo, udp] {
        let frame = frame(None, &packet);
        assert_eq!(of(&frame), None);
        assert!(!is_plain_tcp(&frame));
    }
}

#[test]
fn any_part_of_a_frame_is_read_without_harm() {
    for packet in [
        received_packet(V4),
        received_packet(v6()),
        error_packet(V4),
        error_packet(v6()),
    ] {
        let frame = frame(None, &packet);
        for len in 0..frame.len() {
            let _ = (of(&frame[..len]), is_plain_tcp(&frame[..len]));
        }
        // Of a segment the ports alone would do, but the packet says that it is longer.
        assert_eq!(of(&frame[..frame.len() - 1]), None);
    }
}
