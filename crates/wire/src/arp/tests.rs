use super::*;
use proptest::prelude::*;

/// 192.168.0.1 at 02:00:00:00:00:01 asks for 192.168.0.2.
const REQUEST: [u8; 28] = [
    0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 1, 192, 168, 0, 1, 0, 0, 0, 0, 0, 0, 192, 168, 0, 2,
];

#[test]
fn known_request_and_its_reply() {
    let asking = MacAddr([2, 0, 0, 0, 0, 1]);
    let request = Packet::request(asking, [192, 168, 0, 1], [192, 168, 0, 2]);
    assert_eq!(Packet::parse(&REQUEST), Ok(request));
    let mut buf = [0xff; 28];
    assert_eq!(request.emit(&mut buf), 28);
    assert_eq!(buf, REQUEST);

    let answering = MacAddr([2, 0, 0, 0, 0, 2]);
    let reply = request.reply(answering);
    assert_eq!(reply.operation, Operation::Reply);
    assert_eq!((reply.sha, reply.spa), (answering, [192, 168, 0, 2]));
    assert_eq!((reply.tha, reply.tpa), (asking, [192, 168, 0, 1]));
}

#[test]
fn other_kinds_are_refused() {
    for (at, value, error) in [
        (1, 6, Error::AddressKind),
        (3, 1, Error::AddressKind),
        (4, 8, Error::AddressKind),
        (5, 16, Error::AddressKind),
        (7, 0, Error::Operation),
        (7, 3, Error::Operation),
    ] {
        let mut packet = REQUEST;
        packet[at] = value;
        assert_eq!(Packet::parse(&packet), Err(error), "byte {at}");
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        reply in any::<bool>(), sha in any::<[u8; 6]>(), tha in any::<[u8; 6]>(),
        spa in any::<[u8; 4]>(), tpa in any::<[u8; 4]>(),
    ) {
        let operation = if reply { Operation::Reply } else { Operation::Request };
        let packet = Packet { operation, sha: MacAddr(sha), spa, tha: MacAddr(tha), tpa };
        let mut buf = [0; 28];
        packet.emit(&mut buf);
        prop_assert_eq!(Packet::parse(&buf), Ok(packet));
        for cut in 0..28 {
            prop_assert_eq!(Packet::parse(&buf[..cut]), Err(Error::Truncated));
        }
    }

    #[test]
    fn any_bytes(mut bytes in proptest::collection::vec(any::<u8>(), 0..64), fix in any::<bool>()) {
        if fix && bytes.len() >= 8 {
            bytes[..7].copy_from_slice(&REQUEST[..7]);
        }
        if let Ok(packet) = Packet::parse(&bytes) {
            let mut buf = [0; 28];
            packet.emit(&mut buf);
            prop_assert_eq!(&buf[..], &bytes[..28]);
        }
    }
}
