//! The short way and the long way are the same: what one reads the other reads, and they write
//! the same bytes.

use proptest::prelude::*;

use super::*;
use crate::{ipv6, tcp};

/// What [`super::parse`] makes of the packet, in one value.
#[derive(PartialEq, Debug)]
struct Whole(Packet, Header);

fn parse(packet: &[u8], verify: bool) -> Option<Whole> {
    let mut header = Header::default();
    let packet = super::parse(packet, verify, &mut header)?;
    Some(Whole(packet, header))
}

/// What the parsers of each header make of a packet without extension headers.
fn long_way(packet: &[u8], verify: bool) -> Option<Whole> {
    let (ip, payload) = ipv6::Header::parse(packet).ok()?;
    if ip.next_header != NEXT_HEADER_TCP {
        return None;
    }
    let (src, dst) = (Ip::v6(ip.src), Ip::v6(ip.dst));
    let segment = &packet[payload.clone()];
    if verify && !checksum::tcp_ok(src, dst, segment) {
        return None;
    }
    let (header, text) = tcp::Header::parse(segment).ok()?;
    let text = (payload.start + text) as u16..payload.end as u16;
    let ports = u32::from(header.src_port) << 16 | u32::from(header.dst_port);
    let packet = Packet {
        src,
        dst,
        ports,
        text,
    };
    Some(Whole(packet, header))
}

/// The packet as the writers of each header make it, and `padding` bytes after it.
fn written(src: Ip, dst: Ip, header: &Header, text: &[u8], padding: usize) -> Vec<u8> {
    let len = header.header_len() + text.len();
    let mut packet = vec![0; IP_LEN + len];
    ipv6::Header::new(src.octets(), dst.octets(), NEXT_HEADER_TCP, len as u16).emit(&mut packet);
    let segment = &mut packet[IP_LEN..];
    let at = header.emit(segment);
    segment[at..].copy_from_slice(text);
    checksum::fill_tcp(src, dst, segment);
    packet.resize(packet.len() + padding, 0x55);
    packet
}

fn any_ip() -> impl Strategy<Value = Ip> {
    prop_oneof![
        9 => any::<[u8; 16]>().prop_map(Ip::v6),
        1 => any::<[u8; 4]>().prop_map(Ip::v4),
    ]
}

prop_compose! {
    fn any_header()(
        src_port in any::<u16>(), dst_port in any::<u16>(), seq in any::<u32>(), ack in any::<u32>(),
        flags in any::<u8>(), window in any::<u16>(), urgent in any::<u16>(),
        timestamps in any::<Option<(u32, u32)>>(),
        mss in prop_oneof![4 => Just(None), 1 => any::<u16>().prop_map(Some)],
        window_scale in prop_oneof![4 => Just(None), 1 => any::<u8>().prop_map(Some)],
        sack_permitted in prop::bool::weighted(0.2),
        sack in prop_oneof![4 => Just(0u8), 1 => Just(8), 1 => Just(16)],
    ) -> Header {
        let timestamps = timestamps.map(|(val, ecr)| Timestamps { val, ecr });
        Header {
            src_port, dst_port, seq: Seq(seq), ack: Seq(ack), flags: Flags::from_bits(flags), window, urgent,
            options: Options { timestamps, mss, window_scale, sack_permitted, sack },
        }
    }
}

proptest! {
    #[test]
    fn what_is_whole_is_read_alike(
        src in any_ip(), dst in any_ip(), header in any_header(),
        text in proptest::collection::vec(any::<u8>(), 0..300), padding in 0..8usize,
    ) {
        let packet = written(src, dst, &header, &text, padding);
        let read = parse(&packet, true);
        prop_assert_eq!(&read, &long_way(&packet, true));
        let mapped = src.is_v4() || dst.is_v4();
        prop_assert_eq!(read.map(|p| p.1), (!mapped).then_some(header));
    }

    #[test]
    fn what_is_damaged_is_read_alike(
        src in any_ip(), dst in any_ip(), header in any_header(),
        text in proptest::collection::vec(any::<u8>(), 0..40),
        damage in proptest::collection::vec((prop_oneof![0..80usize, any::<usize>()], any::<u8>()), 0..3),
        cut in any::<prop::sample::Index>(), is_cut in any::<bool>(), verify in any::<bool>(),
    ) {
        let mut packet = written(src, dst, &header, &text, 3);
        for (at, byte) in damage {
            let at = at % packet.len();
            packet[at] = byte;
        }
        if is_cut {
            packet.truncate(cut.index(packet.len()));
        }
        prop_assert_eq!(parse(&packet, verify), long_way(&packet, verify));
    }

    #[test]
    fn the_same_bytes_are_written(
        src in any_ip(), dst in any_ip(), header in any_header(),
        text in proptest::collection::vec(any::<u8>(), 0..300), fill in any::<bool>(),
    ) {
        let mut expected = written(src, dst, &header, &text, 0);
        if !fill {
            let segment = &mut expected[IP_LEN..];
            let len = segment.len() as u32;
            checksum::fill_tcp_pseudo_header(src, dst, len, segment);
        }
        let mut packet = vec![0xaa; expected.len()];
        let at = packet.len() - text.len();
        packet[at..].copy_from_slice(&text);
        let blocks = at - usize::from(header.options.sack)..at;
        packet[blocks.clone()].copy_from_slice(&expected[blocks]);
        prop_assert!(emit(&mut packet, src, dst, &header, header.options.len(), fill));
        prop_assert_eq!(packet, expected);
    }

    #[test]
    fn what_is_too_short_is_refused(
        src in any_ip(), header in any_header(), cut in any::<prop::sample::Index>(),
    ) {
        let mut packet = vec![0xaa; cut.index(IP_LEN + header.header_len())];
        prop_assert!(!emit(&mut packet, src, src, &header, header.options.len(), true));
    }
}

#[test]
fn too_long_is_neither_written_nor_read() {
    let (ip, header) = (Ip::v6([0x20; 16]), Header::default());
    let write = |len| {
        let mut packet = vec![0; IP_LEN + len];
        let written = emit(&mut packet, ip, ip, &header, 0, true);
        (written, parse(&packet, true).is_some())
    };
    assert_eq!(write(65_535 - IP_LEN), (true, true));
    assert_eq!(write(65_535), (true, false));
    assert!(!write(65_536).0);
}
