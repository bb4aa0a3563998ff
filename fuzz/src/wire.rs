//! Bytes into every parser of `wire`. What is parsed is written again and parsed again, and must be
//! the same; the short way into a TCP segment must agree with the long one.

use wire::tcp_ipv4::{self, Checksums};
use wire::{Ip, arp, checksum, ethernet, icmpv4, icmpv6, ipv4, ipv6, tcp};

/// The first byte chooses the parser.
pub fn run(data: &[u8]) {
    let Some((which, bytes)) = data.split_first() else {
        return;
    };
    match which % 10 {
        0 => ethernet_frame(bytes),
        1 => arp_packet(bytes),
        2 => ipv4_packet(bytes),
        3 => _ = ipv4::Header::parse_quoted(bytes),
        4 => ipv6_packet(bytes),
        5 => _ = ipv6::Header::parse_quoted(bytes),
        6 => _ = icmpv4::Message::parse(bytes),
        7 => icmpv6_message(bytes),
        8 => tcp_segment(bytes),
        _ => {
            _ = tcp::Quoted::parse(bytes);
            checksums(bytes);
        }
    }
}

fn ethernet_frame(bytes: &[u8]) {
    let Ok((header, offset)) = ethernet::Header::parse(bytes) else {
        return;
    };
    let mut again = vec![0; offset];
    assert_eq!(header.emit(&mut again), offset);
    assert_eq!(ethernet::Header::parse(&again), Ok((header, offset)));
}

fn arp_packet(bytes: &[u8]) {
    let Ok(packet) = arp::Packet::parse(bytes) else {
        return;
    };
    let mut again = [0; arp::Packet::LEN];
    packet.emit(&mut again);
    assert_eq!(arp::Packet::parse(&again), Ok(packet));
}

fn ipv4_packet(bytes: &[u8]) {
    let Ok((header, payload)) = ipv4::Header::parse(bytes) else {
        // What the long way refuses, the short one does not take.
        assert!(
            short(
                bytes,
                Checksums {
                    ip: false,
                    tcp: false
                }
            )
            .is_none()
        );
        return;
    };
    assert!(payload.start >= ipv4::Header::LEN && payload.end <= bytes.len());
    let src = Ip::v4(header.src);
    let dst = Ip::v4(header.dst);
    let segment = &bytes[payload.clone()];
    let long = tcp::Header::parse(segment).ok();
    let intact = ipv4::checksum_ok(bytes) && checksum::tcp_ok(src, dst, segment);
    if let Some((read, text)) = short(
        bytes,
        Checksums {
            ip: true,
            tcp: true,
        },
    ) {
        assert!(intact && header.protocol == ipv4::PROTOCOL_TCP && !header.is_fragment());
        let (want, offset) = long.expect("the long way takes it");
        assert_eq!(read, want);
        assert_eq!(text, payload.start + offset..payload.end);
    }
}

fn short(bytes: &[u8], checksums: Checksums) -> Option<(tcp::Header, core::ops::Range<usize>)> {
    let mut header = tcp::Header::default();
    let packet = tcp_ipv4::parse(bytes, checksums, &mut header)?;
    let text = usize::from(packet.text.start)..usize::from(packet.text.end);
    assert!(text.start <= text.end && text.end <= bytes.len());
    Some((header, text))
}

fn ipv6_packet(bytes: &[u8]) {
    let Ok((header, payload)) = ipv6::Header::parse(bytes) else {
        return;
    };
    let payload = &bytes[payload];
    if let Ok(upper) = ipv6::walk(payload, header.next_header) {
        assert!(upper.offset <= payload.len());
    }
}

fn icmpv6_message(bytes: &[u8]) {
    let Some((addresses, message)) = bytes.split_first_chunk::<33>() else {
        return;
    };
    let mut context = icmpv6::Context {
        src: [0; 16],
        dst: [0; 16],
        hop_limit: addresses[32],
    };
    context.src.copy_from_slice(&addresses[..16]);
    context.dst.copy_from_slice(&addresses[16..32]);
    // The checksum is right, so that what is behind it is reached.
    let mut message = message.to_vec();
    if let Some(field) = message.get_mut(2..4) {
        field.fill(0);
        let (src, dst) = (context.src, context.dst);
        let len = message.len() as u32;
        let pseudo = [&src[..], &dst[..], &len.to_be_bytes(), &[0, 0, 0, 58]].concat();
        let sum =
            crate::packet::checksum(&message, u32::from(!crate::packet::checksum(&pseudo, 0)));
        message[2..4].copy_from_slice(&sum.to_be_bytes());
    }
    _ = icmpv6::Message::parse(&context, &message);
}

fn tcp_segment(bytes: &[u8]) {
    let Ok((mut header, text)) = tcp::Header::parse(bytes) else {
        return;
    };
    assert!(text <= bytes.len() && text >= 20);
    // A SACK option that is written comes last; what is read may have others or padding behind it.
    let sack = usize::from(header.options.sack);
    if sack > 0 && usize::from(bytes[text - sack - 1]) != sack + 2 {
        header.options.sack = 0;
    }
    let mut again = vec![0; header.header_len()];
    let len = header.emit(&mut again);
    assert_eq!(len, again.len());
    let (read, at) = tcp::Header::parse(&again).expect("what is written can be read");
    assert_eq!((read, at), (header, len));
}

fn checksums(bytes: &[u8]) {
    let want = crate::packet::checksum(bytes, 0);
    assert_eq!(checksum::sum(bytes).finish(), want);
    let (left, right) = bytes.split_at(bytes.len() / 4 * 2);
    let pieces = crate::packet::checksum(right, u32::from(!crate::packet::checksum(left, 0)));
    assert_eq!(pieces, want);
}
