use super::*;
use proptest::prelude::*;

/// RFC 1071 as its text puts it: 16-bit words in network order, the carries added in.
fn naive(bytes: &[u8]) -> u16 {
    let mut sum = 0u64;
    for pair in bytes.chunks(2) {
        let low = pair.get(1).copied().unwrap_or(0);
        sum += u64::from(u16::from_be_bytes([pair[0], low]));
    }
    while sum > 0xffff {
        sum = (sum >> 16) + (sum & 0xffff);
    }
    sum as u16
}

fn ipv4_pseudo_header(src: [u8; 4], dst: [u8; 4], protocol: u8, len: u16) -> Vec<u8> {
    let len = len.to_be_bytes();
    [&src[..], &dst, &[0, protocol], &len].concat()
}

fn ipv6_pseudo_header(src: [u8; 16], dst: [u8; 16], protocol: u8, len: u32) -> Vec<u8> {
    let len = len.to_be_bytes();
    [&src[..], &dst, &len, &[0, 0, 0, protocol]].concat()
}

#[test]
fn example_of_rfc_1071() {
    // Section 3: the sum of these bytes is ddf2.
    let bytes = [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7];
    assert_eq!(sum(&bytes).fold(), 0xddf2);
    assert_eq!(sum(&bytes).finish(), !0xddf2);
}

#[test]
fn known_ipv4_header() {
    let mut header = [
        0x45, 0x00, 0x00, 0x73, 0x00, 0x00, 0x40, 0x00, 0x40, 0x11, 0x00, 0x00, 0xc0, 0xa8, 0x00,
        0x01, 0xc0, 0xa8, 0x00, 0xc7,
    ];
    assert_eq!(sum(&header).finish(), 0xb861);
    header[10..12].copy_from_slice(&[0xb8, 0x61]);
    assert_eq!(sum(&header).finish(), 0);
}

#[test]
fn empty_and_extreme_inputs() {
    assert_eq!(sum(&[]).fold(), 0);
    assert_eq!(sum(&[0xab]).fold(), 0xab00);
    // All ones keep every carry busy, at every length around the switch to the long loop.
    let ones = [0xff; 4096];
    for len in 0..=ones.len() {
        assert_eq!(sum(&ones[..len]).fold(), naive(&ones[..len]), "{len} bytes");
    }
    assert_eq!(Sum(u64::MAX).combine(Sum(u64::MAX)).fold(), 0xffff);
}

#[test]
fn every_changed_bit_of_a_segment_is_seen() {
    let (src, dst) = (Ip::v4([10, 0, 0, 1]), Ip::v4([10, 0, 0, 2]));
    let mut segment: Vec<u8> = (0..37).collect();
    fill_tcp(src, dst, &mut segment);
    assert!(tcp_ok(src, dst, &segment));
    for bit in 0..segment.len() * 8 {
        segment[bit / 8] ^= 0x80 >> (bit % 8);
        assert!(!tcp_ok(src, dst, &segment), "bit {bit}");
        segment[bit / 8] ^= 0x80 >> (bit % 8);
    }
    assert!(!tcp_ok(src, Ip::v4([10, 0, 0, 3]), &segment));
    assert!(!tcp_ok(src, dst, &[]));
}

#[test]
fn rfc_1624_corner_case() {
    // Section 4: equation 2 gives ffff here, which is not what a full computation gives.
    assert_eq!(update(0xdd2f, 0x5555, 0x3285), 0x0000);
}

proptest! {
    #[test]
    fn equals_the_naive_sum(bytes in proptest::collection::vec(any::<u8>(), 0..2048), skip in 0usize..16) {
        let bytes = &bytes[skip.min(bytes.len())..];
        prop_assert_eq!(sum(bytes).fold(), naive(bytes));
    }

    #[test]
    fn parts_combine(bytes in proptest::collection::vec(any::<u8>(), 0..512), at in any::<prop::sample::Index>()) {
        let at = at.index(bytes.len() + 1);
        let (a, b) = bytes.split_at(at);
        let b = if at % 2 == 0 { sum(b) } else { sum(b).at_odd_offset() };
        prop_assert_eq!(sum(a).combine(b).fold(), naive(&bytes));
    }

    #[test]
    fn pseudo_headers(
        src in any::<[u8; 4]>(), dst in any::<[u8; 4]>(),
        src6 in any::<[u8; 16]>(), dst6 in any::<[u8; 16]>(),
        protocol in 1u8.., len in any::<u32>(),
    ) {
        let expected = naive(&ipv4_pseudo_header(src, dst, protocol, len as u16));
        let both = pseudo_header(Ip::v4(src), Ip::v4(dst), protocol, u32::from(len as u16));
        prop_assert_eq!(both.fold(), expected);
        prop_assert_eq!(pseudo_header_v4(src, dst, protocol, len as u16).fold(), expected);
        let expected = naive(&ipv6_pseudo_header(src6, dst6, protocol, len));
        prop_assert_eq!(pseudo_header(Ip::v6(src6), Ip::v6(dst6), protocol, len).fold(), expected);
    }

    #[test]
    fn tcp_both_ways_of_filling_in(
        src in any::<[u8; 16]>(), dst in any::<[u8; 16]>(), v4 in any::<bool>(),
        mut segment in proptest::collection::vec(any::<u8>(), 20..200),
    ) {
        let ip = |a: [u8; 16]| if v4 { Ip::v4([a[0], a[1], a[2], a[3]]) } else { Ip::v6(a) };
        let (src, dst) = (ip(src), ip(dst));
        fill_tcp(src, dst, &mut segment);
        prop_assert!(tcp_ok(src, dst, &segment));

        // As a NIC does: the sum over the segment with the pseudo-header's sum in its place.
        let full = be16(&segment, 16);
        let len = segment.len() as u32;
        fill_tcp_pseudo_header(src, dst, len, &mut segment);
        prop_assert_eq!(sum(&segment).finish(), full);
    }

    #[test]
    fn updated_equals_recomputed(mut words in any::<[u8; 20]>(), at in 0usize..8, new in any::<u32>()) {
        // A header that is zero throughout has no checksum that could be told from -0.
        words[18] |= 1;
        put16(&mut words, 10, 0);
        let checksum = sum(&words).finish();
        put16(&mut words, 10, checksum);
        let at = [0, 2, 4, 6, 8, 12, 14, 16][at];

        let mut short = words;
        replace_u16(&mut short, 10, at, new as u16);
        prop_assert_eq!(sum(&short).finish(), 0);
        prop_assert_eq!(be16(&short, at), new as u16);

        let at = at / 4 * 4;
        let mut long = words;
        if at == 8 { return Ok(()); }
        let updated = update_u32(checksum, crate::bytes::be32(&long, at), new);
        crate::bytes::put32(&mut long, at, new);
        put16(&mut long, 10, updated);
        prop_assert_eq!(sum(&long).finish(), 0);
    }
}
