//! The short way takes nothing that the long way would not take, and makes the same of it.

use proptest::prelude::*;
use wire::tcp::{Flags, Header, Options, Timestamps};

use super::*;
use crate::config::{Config, InterfaceAddress};
use crate::frame::{RxChecksum, TxOffload};

/// A frame with the verdicts of a device, and the tag that it took off.
struct Received(Vec<u8>, RxChecksum, Option<u16>);

impl Frame for Received {
    fn data(&self) -> &[u8] {
        &self.0
    }
    fn data_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
    fn rx_checksum(&self) -> RxChecksum {
        self.1
    }
    fn stripped_vlan(&self) -> Option<u16> {
        self.2
    }
    fn set_tx_offload(&mut self, _: TxOffload) {}
}

const US: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);
const PEER: MacAddr = MacAddr([2, 0, 0, 0, 0, 2]);
const ADDRESS: [u8; 4] = [10, 0, 0, 1];
const SECOND: [u8; 4] = [10, 0, 0, 9];

fn link(vlan: Option<u16>) -> Link {
    let address = |ip| InterfaceAddress {
        ip: Ip::v4(ip),
        prefix: 24,
    };
    let mut config = Config::new(US, address(ADDRESS));
    config.addresses.push(address(SECOND));
    config.vlan = vlan;
    Link::new(&config)
}

/// Everything that says where a frame is from, where it goes, and what is in it.
#[derive(Clone, Debug)]
struct Sent {
    dst_mac: MacAddr,
    src_mac: MacAddr,
    tag: Option<u16>,
    src: [u8; 4],
    dst: [u8; 4],
    header: Header,
    text: Vec<u8>,
    padding: usize,
}

impl Sent {
    fn frame(&self) -> Vec<u8> {
        let ethernet = ethernet::Header {
            dst: self.dst_mac,
            src: self.src_mac,
            vlan: self.tag.map(ethernet::Tag),
            ethertype: ethernet::ETHERTYPE_IPV4,
        };
        let len = self.header.header_len() + self.text.len();
        let l2 = ethernet.len();
        let mut frame = vec![0; l2 + 20 + len];
        ethernet.emit(&mut frame);
        ipv4::Header::new(self.src, self.dst, ipv4::PROTOCOL_TCP, len as u16)
            .emit(&mut frame[l2..], true);
        let segment = &mut frame[l2 + 20..];
        let at = self.header.emit(segment);
        segment[at..].copy_from_slice(&self.text);
        wire::checksum::fill_tcp(Ip::v4(self.src), Ip::v4(self.dst), segment);
        frame.resize(frame.len() + self.padding, 0);
        frame
    }
}

fn any_header() -> impl Strategy<Value = Header> {
    let numbers = any::<(u16, u16, u32, u32, u8, u16)>();
    let options = (any::<Option<(u32, u32)>>(), prop::bool::weighted(0.2));
    (numbers, options).prop_map(|((src_port, dst_port, seq, ack, flags, window), options)| {
        let (timestamps, is_syn) = options;
        Header {
            src_port,
            dst_port,
            seq: Seq(seq),
            ack: Seq(ack),
            flags: Flags::from_bits(flags),
            window,
            urgent: 0,
            options: Options {
                timestamps: timestamps.map(|(val, ecr)| Timestamps { val, ecr }),
                mss: is_syn.then_some(1460),
                ..Options::NONE
            },
        }
    })
}

prop_compose! {
    fn any_sent()(
        dst_mac in prop_oneof![
            8 => Just(US), 1 => Just(PEER), 1 => Just(MacAddr::BROADCAST), 1 => any::<[u8; 6]>().prop_map(MacAddr),
        ],
        src_mac in prop_oneof![
            8 => Just(PEER), 1 => Just(US), 1 => Just(MacAddr::BROADCAST), 1 => any::<[u8; 6]>().prop_map(MacAddr),
        ],
        tag in prop_oneof![4 => Just(None), 1 => Just(Some(0)), 3 => Just(Some(0xa007)), 1 => any::<Option<u16>>()],
        src in prop_oneof![8 => Just([10, 0, 0, 2]), 1 => Just(ADDRESS), 1 => any::<[u8; 4]>(), 1 => Just([127, 0, 0, 1])],
        dst in prop_oneof![
            8 => Just(ADDRESS), 4 => Just(SECOND), 1 => Just([10, 0, 0, 255]), 1 => Just([255; 4]), 1 => any::<[u8; 4]>(),
        ],
        header in any_header(),
        text in proptest::collection::vec(any::<u8>(), 0..64),
        padding in 0..7usize,
    ) -> Sent {
        Sent { dst_mac, src_mac, tag, src, dst, header, text, padding }
    }
}

fn any_verdict() -> impl Strategy<Value = Verdict> {
    prop_oneof![
        4 => Just(Verdict::Unknown),
        2 => Just(Verdict::Good),
        1 => Just(Verdict::Bad),
    ]
}

/// Both ways give the same, as far as the short way gives anything; whether it did.
fn compare(frame: &Received, link: &Link) -> Result<bool, TestCaseError> {
    let (mut short, mut long) = (Parsed::EMPTY, Parsed::EMPTY);
    let mut count = Host::default();
    long_way(frame, link, &mut count, &mut long);
    let key = Keyed::new(1, 2);
    let mut ours = Ip::UNSPECIFIED_V6;
    let taken = short_way(frame, link, &key, &mut ours, &mut short);
    if let Some((is_v4, hash)) = taken {
        prop_assert_eq!(hash, key.flow(&long.tuple));
        prop_assert_eq!((is_v4, ours), (long.tuple.local.is_v4(), long.tuple.local));
        // The same again, when the address is known.
        let mut again = Parsed::EMPTY;
        let known = short_way(frame, link, &key, &mut ours, &mut again);
        prop_assert_eq!(known, taken);
        prop_assert_eq!(long.kind, Kind::Tcp);
        prop_assert_eq!(format!("{short:?}"), format!("{long:?}"));
        prop_assert_eq!(count.rx_segments, 1);
    }
    Ok(taken.is_some())
}

proptest! {
    #[test]
    fn both_ways_are_one(
        sent in any_sent(), ip in any_verdict(), tcp in any_verdict(), tagged in any::<bool>(),
        stripped in prop_oneof![3 => Just(None), 1 => Just(Some(0xa007)), 1 => any::<Option<u16>>()],
        damage in proptest::collection::vec((0..70usize, any::<u8>()), 0..3),
        cut in any::<prop::sample::Index>(), is_cut in prop::bool::weighted(0.2),
    ) {
        let mut bytes = sent.frame();
        for (at, byte) in damage {
            if let Some(b) = bytes.get_mut(at) {
                *b = byte;
            }
        }
        if is_cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        compare(&Received(bytes, RxChecksum { ip, tcp }, stripped), &link(tagged.then_some(7)))?;
    }

    #[test]
    fn what_is_usual_goes_the_short_way(mut sent in any_sent(), tagged in any::<bool>()) {
        sent.dst_mac = US;
        sent.src_mac = PEER;
        sent.src = [10, 0, 0, 2];
        sent.dst = ADDRESS;
        sent.tag = tagged.then_some(7);
        let link = link(tagged.then_some(7));
        let mut frame = Received(sent.frame(), RxChecksum::default(), None);
        prop_assert!(compare(&frame, &link)?);
        // And so if the device has taken the tag off.
        if tagged {
            frame.2 = Some(7);
            prop_assert!(!compare(&frame, &link)?);
            frame.0.drain(12..16);
            prop_assert!(compare(&frame, &link)?);
            frame.2 = Some(8);
            prop_assert!(!compare(&frame, &link)?);
        }
    }
}

/// How many frames of 60 octets to us, which hold nothing that anybody speaks, are of the wrong network.
fn foreign(vlan: Option<u16>, stripped: Option<u16>, inside: Option<u16>) -> u64 {
    let ethernet = ethernet::Header {
        dst: US,
        src: PEER,
        vlan: inside.map(ethernet::Tag),
        ethertype: 0x1234,
    };
    let mut bytes = vec![0; 60];
    ethernet.emit(&mut bytes);
    let mut count = Host::default();
    let frame = Received(bytes, RxChecksum::default(), stripped);
    long_way(&frame, &link(vlan), &mut count, &mut Parsed::EMPTY.clone());
    assert_eq!(count.drop_ethernet + count.drop_ethertype, 1);
    count.drop_ethernet
}

#[test]
fn a_tag_counts_wherever_it_is_and_one_within_another_is_refused() {
    for tag in [7, 0xa007] {
        assert_eq!(foreign(Some(7), Some(tag), None), 0);
        assert_eq!(foreign(Some(7), None, Some(tag)), 0);
        assert_eq!(foreign(Some(7), Some(tag), Some(tag)), 1);
        assert_eq!(foreign(None, Some(tag), None), 1);
    }
    assert_eq!(foreign(Some(7), Some(8), None), 1);
    assert_eq!(foreign(Some(7), None, None), 1);
    assert_eq!(foreign(Some(7), Some(8), Some(7)), 1);
    assert_eq!(foreign(None, Some(0), None), 0);
}
