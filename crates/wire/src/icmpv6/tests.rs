use super::ndp::{
    NeighborAdvertisement, NeighborSolicitation, PrefixInformation, RouterSolicitation,
};
use super::*;
use crate::MacAddr;
use crate::ipv6::{ALL_NODES, solicited_node};
use proptest::prelude::*;

const MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);

fn link_local(last: u8) -> [u8; 16] {
    [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last]
}

fn context(src: [u8; 16], dst: [u8; 16]) -> Context {
    Context {
        src,
        dst,
        hop_limit: ndp::HOP_LIMIT,
    }
}

/// `bytes` as a message with its checksum made right.
fn parse(context: &Context, bytes: &[u8]) -> Result<Message, Error> {
    let mut bytes = bytes.to_vec();
    fill_checksum(&mut bytes, context.src, context.dst);
    Message::parse(context, &bytes)
}

#[test]
fn known_echo() {
    // From fe80::1 to fe80::2: identifier 0x1234, sequence number 1, data "tide".
    let known = [
        0x80, 0x00, 0x97, 0xb0, 0x12, 0x34, 0x00, 0x01, b't', b'i', b'd', b'e',
    ];
    let context = context(link_local(1), link_local(2));
    let expected = Message::EchoRequest {
        ident: 0x1234,
        seq: 1,
        data: 8..12,
    };
    assert_eq!(Message::parse(&context, &known), Ok(expected));
    let mut buf = [0; 12];
    emit_echo_request(&mut buf, context.src, context.dst, 0x1234, 1, b"tide");
    assert_eq!(buf, known);
    buf[11] ^= 1;
    assert_eq!(Message::parse(&context, &buf), Err(Error::Checksum));
}

#[test]
fn known_router_advertisement() {
    let mut bytes = vec![134, 0, 0, 0, 64, 0xc0, 0x07, 0x08];
    bytes.extend_from_slice(&[0, 0, 0x75, 0x30, 0, 0, 0x03, 0xe8]);
    bytes.extend_from_slice(&[1, 1, 2, 0, 0, 0, 0, 1]);
    bytes.extend_from_slice(&[5, 1, 0, 0, 0, 0, 0x05, 0xdc]);
    bytes.extend_from_slice(&[24, 1, 0, 0, 0, 0, 0, 0]); // route information: not known here
    let prefix = |last: u8| {
        let mut option = vec![3, 4, 64, 0x80, 0, 1, 0, 0, 0, 0, 0x80, 0, 0, 0, 0, 0];
        option.extend_from_slice(&[0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, last]);
        option.extend_from_slice(&[0; 8]);
        option
    };
    for i in 0..5 {
        bytes.extend(prefix(i));
    }
    let context = context(link_local(1), ALL_NODES);
    let Ok(Message::RouterAdvertisement(ra)) = parse(&context, &bytes) else {
        panic!("{:?}", parse(&context, &bytes));
    };
    assert_eq!(
        (ra.cur_hop_limit, ra.managed, ra.other_config),
        (64, true, true)
    );
    assert_eq!(
        (ra.router_lifetime, ra.reachable_time, ra.retrans_timer),
        (1800, 30000, 1000)
    );
    assert_eq!((ra.source_lladdr, ra.mtu), (Some(MAC), Some(1500)));
    let prefixes = ra.prefixes.as_slice();
    assert_eq!(prefixes.len(), 4, "the fifth is ignored");
    let expected = PrefixInformation {
        prefix: [0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0],
        prefix_len: 64,
        on_link: true,
        autonomous: false,
        valid_lifetime: 65536,
        preferred_lifetime: 32768,
    };
    assert_eq!(prefixes[3], expected);

    let mut impossible = bytes[..40].to_vec();
    impossible.extend(prefix(0));
    impossible[42] = 129;
    let Ok(Message::RouterAdvertisement(ra)) = parse(&context, &impossible) else {
        panic!("{:?}", parse(&context, &impossible));
    };
    assert_eq!(ra.prefixes.as_slice(), [], "no prefix has 129 bits");

    let mut from_afar = context;
    from_afar.src[0] = 0x20;
    assert_eq!(parse(&from_afar, &bytes), Err(Error::Neighbor));
    assert_eq!(parse(&context, &bytes[..15]), Err(Error::Truncated));
    assert_eq!(
        parse(&context, &bytes[..bytes.len() - 1]),
        Err(Error::Neighbor)
    );
}

#[test]
fn neighbour_discovery_is_believed_only_if_valid() {
    let unspecified = [0; 16];
    let target = link_local(2);
    let ns = |source_lladdr, src, dst| {
        let message = NeighborSolicitation {
            target,
            source_lladdr,
        };
        let mut buf = [0; 32];
        let len = message.emit(&mut buf, src, dst);
        Message::parse(&context(src, dst), &buf[..len]).map(|_| ())
    };
    let (host, group) = (link_local(1), solicited_node(target));
    assert_eq!(ns(Some(MAC), host, group), Ok(()));
    assert_eq!(ns(None, host, target), Ok(()));
    assert_eq!(ns(None, unspecified, group), Ok(()));
    assert_eq!(ns(None, unspecified, target), Err(Error::Neighbor));
    assert_eq!(ns(Some(MAC), unspecified, group), Err(Error::Neighbor));

    let na = |solicited, target, dst| {
        let message = NeighborAdvertisement {
            router: false,
            solicited,
            override_entry: true,
            target,
            target_lladdr: Some(MAC),
        };
        let mut buf = [0; 32];
        let len = message.emit(&mut buf, host, dst);
        Message::parse(&context(host, dst), &buf[..len]).map(|_| ())
    };
    assert_eq!(na(true, target, target), Ok(()));
    assert_eq!(na(false, target, ALL_NODES), Ok(()));
    assert_eq!(na(true, target, ALL_NODES), Err(Error::Neighbor));
    assert_eq!(na(false, ALL_NODES, target), Err(Error::Neighbor));

    let rs = |source_lladdr, src| {
        let mut buf = [0; 16];
        let dst = crate::ipv6::ALL_ROUTERS;
        let len = RouterSolicitation { source_lladdr }.emit(&mut buf, src, dst);
        Message::parse(&context(src, dst), &buf[..len])
    };
    let expected = RouterSolicitation {
        source_lladdr: Some(MAC),
    };
    assert_eq!(
        rs(Some(MAC), host),
        Ok(Message::RouterSolicitation(expected))
    );
    assert!(rs(None, unspecified).is_ok());
    assert_eq!(rs(Some(MAC), unspecified), Err(Error::Neighbor));
}

#[test]
fn neighbour_discovery_defects_of_any_type() {
    let mut good = [0; 32];
    let context = context(link_local(1), link_local(2));
    let message = NeighborSolicitation {
        target: link_local(2),
        source_lladdr: Some(MAC),
    };
    message.emit(&mut good, context.src, context.dst);
    assert!(parse(&context, &good).is_ok());
    let defect = |at: usize, value: u8| {
        let mut bytes = good;
        bytes[at] = value;
        parse(&context, &bytes)
    };
    assert_eq!(defect(1, 1), Err(Error::Neighbor), "code");
    assert_eq!(defect(8, 0xff), Err(Error::Neighbor), "target is a group");
    assert_eq!(defect(25, 0), Err(Error::Neighbor), "option of length 0");
    assert_eq!(defect(25, 2), Err(Error::Neighbor), "option past the end");
    assert!(defect(24, 200).is_ok(), "unknown option");
    assert_eq!(parse(&context, &good[..23]), Err(Error::Truncated));
    let forwarded = Context {
        hop_limit: 254,
        ..context
    };
    assert_eq!(parse(&forwarded, &good), Err(Error::HopLimit));
}

#[test]
fn other_types_are_reported() {
    let context = context(link_local(1), link_local(2));
    let expected = Message::Other { kind: 137, code: 7 };
    assert_eq!(parse(&context, &[137, 7, 0, 0, 0, 0, 0, 0]), Ok(expected));
}

fn any_mac() -> impl Strategy<Value = Option<MacAddr>> {
    any::<Option<[u8; 6]>>().prop_map(|mac| mac.map(MacAddr))
}

proptest! {
    #[test]
    fn echo(src in any::<[u8; 16]>(), dst in any::<[u8; 16]>(), ident in any::<u16>(), seq in any::<u16>(),
        data in proptest::collection::vec(any::<u8>(), 0..100),
    ) {
        let context = Context { src, dst, hop_limit: 1 };
        let mut buf = vec![0; 120];
        let len = emit_echo_reply(&mut buf, src, dst, ident, seq, &data);
        prop_assert_eq!(&buf[8..len], &data[..]);
        prop_assert_eq!(Message::parse(&context, &buf[..len]), Ok(Message::EchoReply { ident, seq, data: 8..len }));
        for cut in 0..8 {
            prop_assert_eq!(Message::parse(&context, &buf[..cut]), Err(Error::Truncated));
        }
    }

    #[test]
    fn reports_fit_1280_bytes(code in any::<u8>(), field in any::<u32>(), original in proptest::collection::vec(any::<u8>(), 40..1500)) {
        let context = context(link_local(1), link_local(2));
        let mut buf = vec![0; 1500];
        let mut round = |report| {
            let len = emit_report(&mut buf, context.src, context.dst, report, &original);
            assert_eq!(len, 8 + original.len().min(1232));
            assert_eq!(buf[8..len], original[..len - 8]);
            (Message::parse(&context, &buf[..len]), 8..len)
        };
        let (message, original) = round(Report::DestinationUnreachable { code });
        prop_assert_eq!(message, Ok(Message::DestinationUnreachable { code, original }));
        let (message, original) = round(Report::PacketTooBig { mtu: field });
        prop_assert_eq!(message, Ok(Message::PacketTooBig { mtu: field, original }));
        let (message, original) = round(Report::TimeExceeded { code });
        prop_assert_eq!(message, Ok(Message::TimeExceeded { code, original }));
        let (message, original) = round(Report::ParameterProblem { code, pointer: field });
        prop_assert_eq!(message, Ok(Message::ParameterProblem { code, pointer: field, original }));
    }

    #[test]
    fn neighbour_messages(target in any::<[u8; 16]>(), mac in any_mac(), flags in any::<[bool; 3]>()) {
        let mut target = target;
        target[0] &= 0x7f;
        let context = context(link_local(1), link_local(2));
        let mut buf = [0xaa; NeighborSolicitation::MAX_LEN];

        let ns = NeighborSolicitation { target, source_lladdr: mac };
        let len = ns.emit(&mut buf, context.src, context.dst);
        prop_assert_eq!(Message::parse(&context, &buf[..len]), Ok(Message::NeighborSolicitation(ns)));

        let [router, solicited, override_entry] = flags;
        let na = NeighborAdvertisement { router, solicited, override_entry, target, target_lladdr: mac };
        let len = na.emit(&mut buf, context.src, context.dst);
        prop_assert_eq!(Message::parse(&context, &buf[..len]), Ok(Message::NeighborAdvertisement(na)));
    }

    #[test]
    fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..100), kind in 0u8..8, small in any::<bool>()) {
        let context = context(link_local(1), link_local(2));
        prop_assert!(Message::parse(&context, &bytes).is_err() || bytes.len() >= 8);
        if bytes.len() >= 2 {
            let mut bytes = bytes;
            bytes[0] = 130 + kind;
            bytes[1] = 0;
            if small {
                // Option lengths that fit are rare in random bytes.
                bytes.iter_mut().skip(8).for_each(|b| *b %= 6);
            }
            if bytes.len() >= 4 {
                fill_checksum(&mut bytes, context.src, context.dst);
            }
            let _ = Message::parse(&context, &bytes);
        }
    }
}
