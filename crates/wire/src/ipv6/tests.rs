use super::*;
use proptest::prelude::*;

/// TCP from 2001:db8::1 to 2001:db8::2, after hop-by-hop options (router alert), destination
/// options (PadN) and an atomic fragment header.
const KNOWN: [u8; 68] = [
    0x6b, 0x81, 0x23, 0x45, 0x00, 0x1c, 0x00, 0x40, 0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 1, 0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, // fixed header
    0x3c, 0x00, 0x05, 0x02, 0x00, 0x00, 0x01, 0x00, // hop-by-hop: router alert, PadN
    0x2c, 0x00, 0x01, 0x04, 0x00, 0x00, 0x00, 0x00, // destination: PadN
    0x06, 0x00, 0x00, 0x00, 0x12, 0x34, 0x56, 0x78, // fragment: offset 0, last
    0xde, 0xad, 0xbe, 0xef,
];

fn address(last: u8) -> [u8; 16] {
    [
        0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last,
    ]
}

#[test]
fn known_packet() {
    let mut padded = [0; 80];
    padded[..68].copy_from_slice(&KNOWN);
    let (header, payload) = Header::parse(&padded).unwrap();
    let expected = Header {
        traffic_class: 0xb8,
        flow_label: 0x12345,
        payload_len: 28,
        next_header: NEXT_HEADER_HOP_BY_HOP,
        hop_limit: 64,
        src: address(1),
        dst: address(2),
    };
    assert_eq!(header, expected);
    assert_eq!(payload, 40..68, "padding is cut off");
    let mut buf = [0xff; 40];
    assert_eq!(header.emit(&mut buf), 40);
    assert_eq!(buf, KNOWN[..40]);

    let upper = walk(&padded[payload], header.next_header);
    let fragment = Fragment {
        offset: 0,
        more: false,
        ident: 0x1234_5678,
    };
    assert_eq!(
        upper,
        Ok(Upper {
            protocol: NEXT_HEADER_TCP,
            offset: 24,
            named_at: Some(16),
            fragment: Some(fragment),
        })
    );
    for cut in 0..24 {
        assert_eq!(
            walk(&KNOWN[40..40 + cut], 0),
            Err(Error::Truncated),
            "{cut}"
        );
    }
}

#[test]
fn each_error_of_the_fixed_header() {
    let error = |edit: fn(&mut [u8; 68])| {
        let mut bytes = KNOWN;
        edit(&mut bytes);
        Header::parse(&bytes).map(|_| ())
    };
    let mapped = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 1];
    assert_eq!(Ip::v6(mapped), Ip::v4([10, 0, 0, 1]));
    assert_eq!(error(|_| ()), Ok(()));
    assert_eq!(error(|b| b[0] = 0x45), Err(Error::Version));
    assert_eq!(error(|b| b[5] = 29), Err(Error::PayloadLength));
    assert_eq!(error(|b| b[8..18].fill(0)), Ok(()));
    assert_eq!(
        error(|b| { b[8..20].copy_from_slice(&Ip::v4([0; 4]).octets()[..12]) }),
        Err(Error::MappedAddress)
    );
    assert_eq!(
        error(|b| { b[24..36].copy_from_slice(&Ip::v4([0; 4]).octets()[..12]) }),
        Err(Error::MappedAddress)
    );
}

#[test]
fn upper_layers_are_left_to_the_caller() {
    for protocol in [
        NEXT_HEADER_TCP,
        NEXT_HEADER_ICMPV6,
        NEXT_HEADER_ESP,
        NEXT_HEADER_NONE,
        135,
    ] {
        let upper = walk(&[], protocol).unwrap();
        assert_eq!(
            (upper.protocol, upper.offset, upper.named_at),
            (protocol, 0, None)
        );
        let upper = walk(&[protocol, 0, 1, 4, 0, 0, 0, 0], NEXT_HEADER_DESTINATION).unwrap();
        assert_eq!(
            (upper.protocol, upper.offset, upper.named_at),
            (protocol, 8, Some(0))
        );
    }
}

#[test]
fn fragments_end_the_walk() {
    // Not the first: what follows is no header, whatever the next header field says.
    let later = [
        NEXT_HEADER_DESTINATION,
        0,
        0x05,
        0xb8,
        0,
        0,
        0,
        9,
        0xff,
        0xff,
    ];
    let upper = walk(&later, NEXT_HEADER_FRAGMENT).unwrap();
    let fragment = upper.fragment.unwrap();
    assert_eq!(
        (fragment.offset, fragment.more, fragment.ident),
        (183, false, 9)
    );
    assert!(!fragment.is_atomic());
    assert_eq!((upper.protocol, upper.offset), (NEXT_HEADER_DESTINATION, 8));

    let first = [NEXT_HEADER_TCP, 0, 0, 1, 0, 0, 0, 9];
    let fragment = walk(&first, NEXT_HEADER_FRAGMENT)
        .unwrap()
        .fragment
        .unwrap();
    assert_eq!((fragment.offset, fragment.more), (0, true));
    assert!(!fragment.is_atomic());
}

#[test]
fn routing_headers() {
    for routing_type in [0, 2, 3, 4, 253] {
        let header = |segments_left| [NEXT_HEADER_TCP, 0, routing_type, segments_left, 0, 0, 0, 0];
        assert_eq!(
            walk(&header(1), NEXT_HEADER_ROUTING),
            Err(Error::RoutingType { offset: 2 })
        );
        assert_eq!(
            walk(&header(0), NEXT_HEADER_ROUTING).map(|u| u.offset),
            Ok(8)
        );
    }
}

#[test]
fn authentication_header_counts_in_words() {
    // 12 fixed bytes and a 12-byte value: 6 words, less 2.
    let mut ah = [0; 24];
    ah[..2].copy_from_slice(&[NEXT_HEADER_TCP, 4]);
    let upper = walk(&ah, NEXT_HEADER_AH).unwrap();
    assert_eq!((upper.protocol, upper.offset), (NEXT_HEADER_TCP, 24));
    assert_eq!(walk(&ah[..23], NEXT_HEADER_AH), Err(Error::Truncated));
}

#[test]
fn hop_by_hop_options_come_first() {
    let payload = [0, 0, 1, 4, 0, 0, 0, 0, 6, 0, 1, 4, 0, 0, 0, 0];
    for first in [NEXT_HEADER_DESTINATION, NEXT_HEADER_HOP_BY_HOP] {
        assert_eq!(
            walk(&payload, first),
            Err(Error::HopByHopNotFirst { offset: 0 })
        );
    }
}

#[test]
fn unknown_options_say_what_to_do() {
    let option = |kind| {
        let payload = [6, 1, 0, 1, 1, 0, kind, 4, 0, 0, 0, 0, 0, 1, 0, 0];
        let of = |first| walk(&payload, first).map(|u| u.offset);
        assert_eq!(of(NEXT_HEADER_HOP_BY_HOP), of(NEXT_HEADER_DESTINATION));
        of(NEXT_HEADER_DESTINATION)
    };
    let unknown = |action| Err(Error::UnknownOption { offset: 6, action });
    assert_eq!(option(0x3e), Ok(16));
    assert_eq!(option(0x7e), unknown(OptionAction::Discard));
    assert_eq!(option(0xbe), unknown(OptionAction::Report));
    assert_eq!(option(0xfe), unknown(OptionAction::ReportUnicast));
    assert_eq!(
        option(0xc2),
        unknown(OptionAction::ReportUnicast),
        "jumbo payload"
    );
}

#[test]
fn option_lengths() {
    for bad in [
        [6, 0, 1, 5, 0, 0, 0, 0],
        [6, 0, 1, 3, 0, 0, 0, 1],
        [6, 0, 1, 2, 0, 0, 0x3e, 1],
    ] {
        assert_eq!(
            walk(&bad, NEXT_HEADER_DESTINATION),
            Err(Error::OptionLength),
            "{bad:?}"
        );
    }
}

#[test]
fn the_walk_is_bounded() {
    let chain = |n: usize| {
        let mut payload = [NEXT_HEADER_DESTINATION, 0, 1, 4, 0, 0, 0, 0].repeat(n);
        payload[(n - 1) * 8] = NEXT_HEADER_TCP;
        walk(&payload, NEXT_HEADER_DESTINATION).map(|u| u.offset)
    };
    assert_eq!(chain(MAX_EXTENSION_HEADERS), Ok(MAX_EXTENSION_HEADERS * 8));
    assert_eq!(
        chain(MAX_EXTENSION_HEADERS + 1),
        Err(Error::TooManyExtensions)
    );

    let long = |n: usize| {
        let mut payload = vec![0; n];
        payload[..2].copy_from_slice(&[NEXT_HEADER_TCP, (n / 8 - 1) as u8]);
        walk(&payload, NEXT_HEADER_DESTINATION).map(|u| u.offset)
    };
    assert_eq!(long(MAX_EXTENSION_LEN), Ok(MAX_EXTENSION_LEN));
    assert_eq!(long(MAX_EXTENSION_LEN + 8), Err(Error::TooManyExtensions));
}

#[test]
fn kinds_of_addresses() {
    assert!(is_multicast(ALL_NODES) && is_multicast(ALL_ROUTERS));
    assert!(!is_multicast(address(1)) && !is_link_local(address(1)));
    let mut link_local = [0; 16];
    link_local[..2].copy_from_slice(&[0xfe, 0xbf]);
    assert!(is_link_local(link_local));
    link_local[1] = 0xc0;
    assert!(!is_link_local(link_local));
    let group: Ip = core::net::Ipv6Addr::from(solicited_node(address(7))).into();
    assert_eq!(group.to_string(), "ff02::1:ff00:7");
}

prop_compose! {
    fn any_header()(
        traffic_class in any::<u8>(), flow_label in 0u32..1 << 20, payload_len in 0u16..100,
        next_header in any::<u8>(), hop_limit in any::<u8>(), src in any::<[u8; 16]>(), dst in any::<[u8; 16]>(),
    ) -> Header {
        Header { traffic_class, flow_label, payload_len, next_header, hop_limit, src, dst }
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read(header in any_header()) {
        let mut buf = [0xaa; 140];
        prop_assert_eq!(header.emit(&mut buf), 40);
        prop_assert!(buf[40..].iter().all(|b| *b == 0xaa));
        let end = 40 + usize::from(header.payload_len);
        prop_assert_eq!(Header::parse(&buf), Ok((header, 40..end)));
        for cut in 0..end {
            let expected = if cut < 40 { Error::Truncated } else { Error::PayloadLength };
            prop_assert_eq!(Header::parse(&buf[..cut]), Err(expected));
        }
    }

    #[test]
    fn any_bytes(mut bytes in proptest::collection::vec(any::<u8>(), 0..100), fix in any::<bool>()) {
        if fix && bytes.len() >= 40 {
            bytes[0] = 0x60 | bytes[0] & 0x0f;
            bytes[4] = 0;
            bytes[5] %= 61;
        }
        if let Ok((header, payload)) = Header::parse(&bytes) {
            let mut buf = [0; 40];
            header.emit(&mut buf);
            prop_assert_eq!(&buf[..], &bytes[..40]);
            prop_assert_eq!(payload.end, 40 + usize::from(header.payload_len));
        }
    }

    #[test]
    fn any_extensions(
        // Few values, so that chains of known headers with short lengths are common.
        payload in proptest::collection::vec(prop_oneof![
            3 => proptest::sample::select(vec![0u8, 0, 0, 1, 2, 4, 6, 43, 44, 51, 60]), 1 => any::<u8>(),
        ], 0..200),
        first in proptest::sample::select(vec![0u8, 6, 43, 44, 51, 60]),
    ) {
        if let Ok(upper) = walk(&payload, first) {
            prop_assert!(upper.offset <= payload.len());
            prop_assert_eq!(upper.offset == 0, upper.named_at.is_none());
            let named = upper.named_at.map_or(first, |at| payload[usize::from(at)]);
            prop_assert_eq!(named, upper.protocol);
            for cut in 0..upper.offset {
                prop_assert_eq!(walk(&payload[..cut], first), Err(Error::Truncated));
            }
        }
    }
}
