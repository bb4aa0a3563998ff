//! The short way and the long way are the same: what one reads the other reads, and they write
//! the same bytes.

use proptest::prelude::*;

use super::*;
use crate::bytes::put16;
use crate::{Ip, ipv4, tcp};

/// What [`super::parse`] makes of the packet, in one value.
#[derive(PartialEq, Debug)]
struct Whole(Packet, Header);

fn parse(packet: &[u8], checksums: Checksums) -> Option<Whole> {
    let mut header = Header::default();
    let packet = super::parse(packet, checksums, &mut header)?;
    Some(Whole(packet, header))
}

/// What the parsers of each header make of the packet.
fn long_way(packet: &[u8], checksums: Checksums) -> Option<Whole> {
    let (ip, payload) = ipv4::Header::parse(packet).ok()?;
    if ip.is_fragment() || ip.protocol != PROTOCOL_TCP {
        return None;
    }
    if checksums.ip && !ipv4::checksum_ok(packet) {
        return None;
    }
    let segment = &packet[payload.clone()];
    if checksums.tcp && !checksum::tcp_ok(Ip::v4(ip.src), Ip::v4(ip.dst), segment) {
        return None;
    }
    let (header, text) = tcp::Header::parse(segment).ok()?;
    let packet = Packet {
        src: ip.src,
        dst: ip.dst,
        ports: u32::from(header.src_port) << 16 | u32::from(header.dst_port),
        text: (payload.start + text) as u16..payload.end as u16,
    };
    Some(Whole(packet, header))
}

/// The packet as the writers of each header make it, and `padding` bytes after it.
fn written(src: [u8; 4], dst: [u8; 4], header: &Header, text: &[u8], padding: usize) -> Vec<u8> {
    let len = header.header_len() + text.len();
    let mut packet = vec![0; IP_LEN + len];
    ipv4::Header::new(src, dst, PROTOCOL_TCP, len as u16).emit(&mut packet, true);
    let segment = &mut packet[IP_LEN..];
    let at = header.emit(segment);
    segment[at..].copy_from_slice(text);
    checksum::fill_tcp(Ip::v4(src), Ip::v4(dst), segment);
    packet.resize(packet.len() + padding, 0x55);
    packet
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

fn any_checksums() -> impl Strategy<Value = Checksums> {
    any::<(bool, bool)>().prop_map(|(ip, tcp)| Checksums { ip, tcp })
}

/// Changes of single bytes, most of them in the headers.
fn damage() -> impl Strategy<Value = Vec<(usize, u8)>> {
    proptest::collection::vec((prop_oneof![0..60usize, any::<usize>()], any::<u8>()), 0..3)
}

proptest! {
    #[test]
    fn what_is_whole_is_read_alike(
        src in any::<[u8; 4]>(), dst in any::<[u8; 4]>(), header in any_header(),
        text in proptest::collection::vec(any::<u8>(), 0..300), padding in 0..8usize,
    ) {
        let packet = written(src, dst, &header, &text, padding);
        let read = parse(&packet, Checksums::SOFTWARE);
        prop_assert_eq!(&read, &long_way(&packet, Checksums::SOFTWARE));
        prop_assert_eq!(read.map(|p| p.1), Some(header));
    }

    #[test]
    fn what_is_damaged_is_read_alike(
        src in any::<[u8; 4]>(), dst in any::<[u8; 4]>(), header in any_header(),
        text in proptest::collection::vec(any::<u8>(), 0..40), damage in damage(),
        cut in any::<prop::sample::Index>(), is_cut in any::<bool>(), checksums in any_checksums(),
    ) {
        let mut packet = written(src, dst, &header, &text, 3);
        for (at, byte) in damage {
            let at = at % packet.len();
            packet[at] = byte;
        }
        if is_cut {
            packet.truncate(cut.index(packet.len()));
        }
        let read = parse(&packet, checksums);
        let long = long_way(&packet, checksums);
        let with_ip_options = packet.first() != Some(&0x45);
        prop_assert!(read == long || read.is_none() && with_ip_options);
    }

    #[test]
    fn the_same_bytes_are_written(
        src in any::<[u8; 4]>(), dst in any::<[u8; 4]>(), header in any_header(),
        text in proptest::collection::vec(any::<u8>(), 0..300), checksums in any_checksums(),
    ) {
        let mut expected = written(src, dst, &header, &text, 0);
        if !checksums.ip {
            put16(&mut expected, 10, 0);
        }
        if !checksums.tcp {
            let segment = &mut expected[IP_LEN..];
            let len = segment.len() as u32;
            checksum::fill_tcp_pseudo_header(Ip::v4(src), Ip::v4(dst), len, segment);
        }
        let mut packet = vec![0xaa; expected.len()];
        let at = packet.len() - text.len();
        packet[at..].copy_from_slice(&text);
        let blocks = at - usize::from(header.options.sack)..at;
        packet[blocks.clone()].copy_from_slice(&expected[blocks]);
        let options_len = header.options.len();
        prop_assert!(emit(&mut packet, src, dst, &header, options_len, checksums));
        prop_assert_eq!(packet, expected);
    }

    #[test]
    fn what_is_too_short_is_refused(
        header in any_header(), cut in any::<prop::sample::Index>(),
    ) {
        let mut packet = vec![0xaa; cut.index(IP_LEN + header.header_len())];
        let options_len = header.options.len();
        prop_assert!(!emit(&mut packet, [1; 4], [2; 4], &header, options_len, Checksums::SOFTWARE));
    }
}

#[test]
fn too_long_is_not_written() {
    let header = Header::default();
    let write = |len| {
        emit(
            &mut vec![0; len],
            [1; 4],
            [2; 4],
            &header,
            0,
            Checksums::SOFTWARE,
        )
    };
    assert!(write(65_535));
    assert!(!write(65_536));
}

/// Of two zeros in one's complement the same is found.
#[test]
fn the_sum_that_is_all_ones() {
    let mut header = Header::default();
    for window in 0..=u16::MAX {
        header.window = window;
        let mut packet = [0; LEN];
        assert!(emit(
            &mut packet,
            [0; 4],
            [0; 4],
            &header,
            0,
            Checksums::SOFTWARE
        ));
        assert!(parse(&packet, Checksums::SOFTWARE).is_some());
        assert!(long_way(&packet, Checksums::SOFTWARE).is_some());
    }
}
