use super::*;
use proptest::prelude::*;

/// A header for 95 bytes of UDP from 192.168.0.1 to 192.168.0.199.
const KNOWN: [u8; 20] = [
    0x45, 0x00, 0x00, 0x73, 0x00, 0x00, 0x40, 0x00, 0x40, 0x11, 0xb8, 0x61, 0xc0, 0xa8, 0x00, 0x01,
    0xc0, 0xa8, 0x00, 0xc7,
];

fn with_options(options: &[u8]) -> Vec<u8> {
    let mut bytes = KNOWN.to_vec();
    bytes.extend_from_slice(options);
    bytes[0] = 0x40 | (bytes.len() / 4) as u8;
    let len = bytes.len() as u16;
    put16(&mut bytes, 2, len);
    bytes
}

#[test]
fn known_header() {
    let mut datagram = [0; 130];
    datagram[..20].copy_from_slice(&KNOWN);
    let (header, payload) = Header::parse(&datagram).unwrap();
    assert_eq!(
        header,
        Header::new([192, 168, 0, 1], [192, 168, 0, 199], PROTOCOL_UDP, 95)
    );
    assert_eq!(payload, 20..115, "padding is cut off");
    assert!(checksum_ok(&datagram));

    let mut buf = [0xff; 20];
    assert_eq!(header.emit(&mut buf, true), 20);
    assert_eq!(buf, KNOWN);
    header.emit(&mut buf, false);
    assert_eq!(buf[10..12], [0, 0]);
    assert!(!checksum_ok(&buf));
}

#[test]
fn each_error() {
    let error = |edit: fn(&mut Vec<u8>)| {
        let mut bytes = with_options(&[1, 1, 1, 0]);
        edit(&mut bytes);
        Header::parse(&bytes).map(|_| ())
    };
    assert_eq!(error(|_| ()), Ok(()));
    assert_eq!(error(|b| b.truncate(19)), Err(Error::Truncated));
    assert_eq!(error(|b| b.truncate(23)), Err(Error::Truncated));
    assert_eq!(error(|b| b[0] = 0x66), Err(Error::Version));
    assert_eq!(error(|b| b[0] = 0x44), Err(Error::HeaderLength));
    assert_eq!(error(|b| b[3] = 23), Err(Error::TotalLength));
    assert_eq!(error(|b| b[3] = 25), Err(Error::TotalLength));
}

#[test]
fn options() {
    let source_route = |options: &[u8]| {
        let bytes = with_options(options);
        let parsed = Header::parse(&bytes);
        parsed.map(|(h, payload)| {
            assert_eq!(payload, bytes.len()..bytes.len());
            assert_eq!(usize::from(h.header_len), bytes.len());
            h.source_route
        })
    };
    assert_eq!(source_route(&[148, 4, 0, 0]), Ok(false), "router alert");
    assert_eq!(source_route(&[1, 131, 3, 4]), Ok(true), "loose");
    assert_eq!(source_route(&[137, 3, 4, 0]), Ok(true), "strict");
    assert_eq!(
        source_route(&[0, 137, 3, 4]),
        Ok(false),
        "after the end of the list"
    );
    assert_eq!(source_route(&[148, 0, 0, 0]), Err(Error::Option));
    assert_eq!(source_route(&[148, 1, 0, 0]), Err(Error::Option));
    assert_eq!(source_route(&[148, 5, 0, 0]), Err(Error::Option));
    assert_eq!(source_route(&[1, 1, 1, 148]), Err(Error::Option));
}

prop_compose! {
    fn header()(
        dscp_ecn in any::<u8>(), total_len in 20u16..200, ident in any::<u16>(), dont_fragment in any::<bool>(),
        more_fragments in any::<bool>(), fragment_offset in 0u16..0x2000, ttl in any::<u8>(),
        protocol in any::<u8>(), src in any::<[u8; 4]>(), dst in any::<[u8; 4]>(),
    ) -> Header {
        Header {
            dscp_ecn, total_len, ident, dont_fragment, more_fragments, fragment_offset, ttl, protocol, src, dst,
            header_len: 20, source_route: false,
        }
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read(header in header()) {
        let mut buf = [0xaa; 200];
        prop_assert_eq!(header.emit(&mut buf, true), 20);
        prop_assert!(buf[20..].iter().all(|b| *b == 0xaa));
        prop_assert!(checksum_ok(&buf));
        let total_len = usize::from(header.total_len);
        prop_assert_eq!(Header::parse(&buf), Ok((header, 20..total_len)));
        prop_assert_eq!(header.is_fragment(), header.more_fragments || header.fragment_offset > 0);
        for cut in 0..total_len {
            let expected = if cut < 20 { Error::Truncated } else { Error::TotalLength };
            prop_assert_eq!(Header::parse(&buf[..cut]), Err(expected));
            prop_assert_eq!(checksum_ok(&buf[..cut]), cut >= 20);
        }
    }

    #[test]
    fn any_bytes(mut bytes in proptest::collection::vec(any::<u8>(), 0..100), words in 0u8..16, total in any::<bool>()) {
        if bytes.len() >= 4 && words != 0 {
            bytes[0] = 0x40 | words;
            if total {
                let len = bytes.len() as u16;
                put16(&mut bytes, 2, len);
            }
        }
        let _ = checksum_ok(&bytes);
        if let Ok((header, payload)) = Header::parse(&bytes) {
            prop_assert!(payload.start >= 20 && bytes.get(payload.clone()).is_some());
            prop_assert_eq!(payload.end, usize::from(header.total_len));
            prop_assert_eq!(Header::parse_quoted(&bytes), Ok(header));
        }
    }
}
