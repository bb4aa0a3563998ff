use super::*;
use proptest::prelude::*;

const DST: MacAddr = MacAddr([0x02, 0, 0, 0, 0, 1]);
const SRC: MacAddr = MacAddr([0x02, 0, 0, 0, 0, 2]);

#[test]
fn mac_addresses_as_text() {
    let mac = MacAddr([0x02, 0x00, 0x5e, 0x10, 0xab, 0x01]);
    assert_eq!(mac.to_string(), "02:00:5e:10:ab:01");
    assert_eq!("02:00:5e:10:ab:01".parse(), Ok(mac));
    assert_eq!("02-00-5E-10-AB-01".parse(), Ok(mac));
    for bad in [
        "",
        "02",
        "02:00:5e:10:ab",
        "02:00:5e:10:ab:0",
        "02:00:5e:10:ab:012",
        "02:00:5e:10-ab:01",
        "02 00 5e 10 ab 01",
        "02:00:5e:10:ab:0g",
        "02:00:5e:10:ab:+1",
        "02:00:5e:10:ab:é",
    ] {
        assert_eq!(bad.parse::<MacAddr>(), Err(ParseMacAddrError), "{bad:?}");
    }
}

#[test]
fn kinds_of_mac_addresses() {
    assert!(MacAddr::BROADCAST.is_broadcast() && MacAddr::BROADCAST.is_multicast());
    let group = MacAddr::ipv6_multicast([0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 4, 5, 6]);
    assert_eq!(group.to_string(), "33:33:ff:04:05:06");
    assert!(group.is_multicast() && !group.is_broadcast() && !group.is_unicast());
    assert!(SRC.is_unicast());
    assert!(!MacAddr::ZERO.is_unicast() && !MacAddr::ZERO.is_multicast());
}

#[test]
fn known_frames() {
    let mut frame = [0; 60];
    frame[..12].copy_from_slice(&[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2]);
    frame[12..14].copy_from_slice(&[0x08, 0x00]);
    let plain = Header {
        dst: DST,
        src: SRC,
        vlan: None,
        ethertype: ETHERTYPE_IPV4,
    };
    assert_eq!(Header::parse(&frame), Ok((plain, 14)));

    frame[12..18].copy_from_slice(&[0x81, 0x00, 0xb0, 0x64, 0x86, 0xdd]);
    let (tagged, offset) = Header::parse(&frame).unwrap();
    assert_eq!(offset, 18);
    assert_eq!(tagged.ethertype, ETHERTYPE_IPV6);
    let tag = tagged.vlan.unwrap();
    assert_eq!((tag.vid(), tag.pcp(), tag.dei()), (100, 5, true));
    assert_eq!(Tag::new(100).vid(), 100);

    for stacked in [
        [0x88, 0xa8, 0, 1, 0x81, 0x00],
        [0x81, 0, 0, 1, 0x81, 0x00],
        [0x81, 0, 0, 1, 0x88, 0xa8],
    ] {
        frame[12..18].copy_from_slice(&stacked);
        assert_eq!(Header::parse(&frame), Err(Error::StackedTags));
    }
}

prop_compose! {
    fn header()(dst in any::<[u8; 6]>(), src in any::<[u8; 6]>(), tag in any::<Option<u16>>(),
        ethertype in any::<u16>().prop_filter("a tag", |t| ![ETHERTYPE_VLAN, ETHERTYPE_QINQ].contains(t)),
    ) -> Header {
        Header { dst: MacAddr(dst), src: MacAddr(src), vlan: tag.map(Tag), ethertype }
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read(header in header()) {
        let mut frame = [0xaa; 20];
        let len = header.emit(&mut frame);
        prop_assert_eq!(len, header.len());
        prop_assert!(frame[len..].iter().all(|b| *b == 0xaa));
        prop_assert_eq!(Header::parse(&frame), Ok((header, len)));
        for cut in 0..len {
            prop_assert_eq!(Header::parse(&frame[..cut]), Err(Error::Truncated));
        }
    }

    #[test]
    fn any_bytes(mut bytes in proptest::collection::vec(any::<u8>(), 0..32), tpid in 0usize..3) {
        // Random types are hardly ever tags.
        if let Some(t) = bytes.get_mut(12..14) {
            t.copy_from_slice(&[t.to_vec(), vec![0x81, 0], vec![0x88, 0xa8]][tpid]);
        }
        if let Ok((header, offset)) = Header::parse(&bytes) {
            let mut frame = [0; Header::LEN_TAGGED];
            prop_assert_eq!(header.emit(&mut frame), offset);
            prop_assert_eq!(&frame[..offset], &bytes[..offset]);
        }
    }

    #[test]
    fn text_is_read_back(mac in any::<[u8; 6]>(), other in ".{0,20}") {
        let mac = MacAddr(mac);
        prop_assert_eq!(mac.to_string().parse(), Ok(mac));
        if let Ok(mac) = other.parse::<MacAddr>() {
            prop_assert_eq!(mac.to_string(), other.to_lowercase().replace('-', ":"));
        }
    }
}
