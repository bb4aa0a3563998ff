use super::*;
use proptest::prelude::*;

/// An echo request: identifier 0x1234, sequence number 1, data "tidewheel".
const ECHO: [u8; 17] = [
    0x08, 0x00, 0xc4, 0x2d, 0x12, 0x34, 0x00, 0x01, b't', b'i', b'd', b'e', b'w', b'h', b'e', b'e',
    b'l',
];

#[test]
fn known_echo() {
    let expected = Message::EchoRequest {
        ident: 0x1234,
        seq: 1,
        data: 8..17,
    };
    assert_eq!(Message::parse(&ECHO), Ok(expected));
    let mut buf = [0; 17];
    assert_eq!(emit_echo_request(&mut buf, 0x1234, 1, b"tidewheel"), 17);
    assert_eq!(buf, ECHO);
    let mut bad = ECHO;
    bad[16] ^= 1;
    assert_eq!(Message::parse(&bad), Err(Error::Checksum));
}

#[test]
fn errors_that_routers_send() {
    let message = |kind_and_code, fields| {
        let mut buf = [0; 12];
        emit(&mut buf, kind_and_code, fields, b"orig");
        Message::parse(&buf).unwrap()
    };
    let original = 8..12;
    assert_eq!(
        message([TIME_EXCEEDED, 1], [0, 0]),
        Message::TimeExceeded {
            code: 1,
            original: original.clone()
        }
    );
    assert_eq!(
        message([PARAMETER_PROBLEM, 0], [0x1400, 0]),
        Message::ParameterProblem {
            code: 0,
            pointer: 20,
            original: original.clone()
        }
    );
    assert_eq!(
        message(
            [DESTINATION_UNREACHABLE, CODE_FRAGMENTATION_NEEDED],
            [0, 1400]
        ),
        Message::DestinationUnreachable {
            code: 4,
            mtu: 1400,
            original
        }
    );
    assert_eq!(message([5, 1], [0, 0]), Message::Other { kind: 5, code: 1 });
}

proptest! {
    #[test]
    fn echo_reply(ident in any::<u16>(), seq in any::<u16>(), data in proptest::collection::vec(any::<u8>(), 0..100)) {
        let mut buf = vec![0; 120];
        let len = emit_echo_reply(&mut buf, ident, seq, &data);
        prop_assert_eq!(&buf[8..len], &data[..]);
        prop_assert_eq!(Message::parse(&buf[..len]), Ok(Message::EchoReply { ident, seq, data: 8..len }));
        for cut in 0..8 {
            prop_assert_eq!(Message::parse(&buf[..cut]), Err(Error::Truncated));
        }
    }

    #[test]
    fn destination_unreachable_fits_576_bytes(code in any::<u8>(), mtu in any::<u16>(), original in proptest::collection::vec(any::<u8>(), 20..1500)) {
        let mut buf = vec![0; 1500];
        let len = emit_destination_unreachable(&mut buf, code, mtu, &original);
        prop_assert_eq!(len, 8 + original.len().min(548));
        prop_assert_eq!(&buf[8..len], &original[..len - 8]);
        let expected = Message::DestinationUnreachable { code, mtu, original: 8..len };
        prop_assert_eq!(Message::parse(&buf[..len]), Ok(expected));
    }

    #[test]
    fn any_bytes(mut bytes in proptest::collection::vec(any::<u8>(), 0..64), fix in any::<bool>()) {
        if fix && bytes.len() >= 8 {
            put16(&mut bytes, 2, 0);
            let checksum = checksum::sum(&bytes).finish();
            put16(&mut bytes, 2, checksum);
            prop_assert!(Message::parse(&bytes).is_ok());
        } else {
            let _ = Message::parse(&bytes);
        }
    }
}
