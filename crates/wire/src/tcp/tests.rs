use super::*;
use proptest::prelude::*;

/// A SYN as Linux sends it: MSS 1460, SACK permitted, timestamps, window scale 7.
const SYN: [u8; 40] = [
    0x9c, 0x40, 0x00, 0x50, 0x12, 0x34, 0x56, 0x78, 0x00, 0x00, 0x00, 0x00, 0xa0, 0x02, 0xfa, 0xf0,
    0x00, 0x00, 0x00, 0x00, 0x02, 0x04, 0x05, 0xb4, 0x04, 0x02, 0x08, 0x0a, 0xde, 0xad, 0xbe, 0xef,
    0x00, 0x00, 0x00, 0x00, 0x01, 0x03, 0x03, 0x07,
];

fn syn() -> Header {
    Header {
        src_port: 40000,
        dst_port: 80,
        seq: Seq(0x1234_5678),
        ack: Seq(0),
        flags: Flags::SYN,
        window: 64240,
        urgent: 0,
        options: Options {
            mss: Some(1460),
            window_scale: Some(7),
            sack_permitted: true,
            sack: 0,
            timestamps: Some(Timestamps {
                val: 0xdead_beef,
                ecr: 0,
            }),
        },
    }
}

#[test]
fn known_syn_is_read_and_written() {
    assert_eq!(Header::parse(&SYN), Ok((syn(), 40)));
    let mut buf = [0xff; 60];
    assert_eq!(syn().emit(&mut buf), 40);
    assert_eq!(buf[..40], SYN);
    assert_eq!(buf[40..], [0xff; 20]);
}

/// A header with `options`, padded to a multiple of 4 with zero bytes.
fn with_options(options: &[u8]) -> Vec<u8> {
    let mut bytes = SYN[..20].to_vec();
    bytes.extend_from_slice(options);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes[12] = (bytes.len() as u8 / 4) << 4;
    bytes
}

fn options(options: &[u8]) -> Result<Options, Error> {
    let bytes = with_options(options);
    Header::parse(&bytes).map(|(header, offset)| {
        assert_eq!(offset, bytes.len());
        header.options
    })
}

const TIMESTAMPS: Options = Options {
    timestamps: Some(Timestamps {
        val: 0x0102_0304,
        ecr: 0x0506_0708,
    }),
    ..Options::NONE
};

#[test]
fn data_segment_with_timestamps_takes_the_usual_layout() {
    let layout = [1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8];
    assert_eq!(options(&layout), Ok(TIMESTAMPS));
    assert_eq!(Options::timestamps_alone(&layout), TIMESTAMPS.timestamps);
    assert_eq!(
        Options::parse(&layout),
        Ok(TIMESTAMPS),
        "without the short cut"
    );
    let mut buf = [0; 12];
    assert_eq!(TIMESTAMPS.emit(&mut buf), 12);
    assert_eq!(buf, layout);
}

#[test]
fn timestamps_in_other_layouts() {
    for layout in [
        &[8, 10, 1, 2, 3, 4, 5, 6, 7, 8][..],
        &[8, 10, 1, 2, 3, 4, 5, 6, 7, 8, 1, 1],
        &[1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8, 0],
        &[1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8, 1, 1, 1, 1],
    ] {
        assert_eq!(options(layout), Ok(TIMESTAMPS));
    }
}

#[test]
fn sack_blocks_are_located() {
    let mut layout = vec![1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8, 1, 1, 5, 18];
    layout.extend_from_slice(&[0xff, 0xff, 0xff, 0, 0, 0, 1, 0, 0, 0, 0, 5, 0, 0, 0, 6]);
    let located = Options {
        sack: 16,
        ..TIMESTAMPS
    };
    assert_eq!(options(&layout), Ok(located));
}

#[test]
fn each_error() {
    assert_eq!(Header::parse(&SYN[..19]), Err(Error::Truncated));
    assert_eq!(Header::parse(&SYN[..39]), Err(Error::Truncated));
    let mut short = SYN;
    short[12] = 0x40;
    assert_eq!(Header::parse(&short), Err(Error::DataOffset));
    for illegal in [
        &[2, 0, 5, 0xb4][..],
        &[2, 1, 5, 0xb4],
        &[2, 5, 5, 0xb4],
        &[99, 0, 0, 0],
        &[1, 1, 1, 8],
        &[1, 1, 8, 10],
        &[2, 4, 5, 0xb4, 3, 255, 0, 0],
    ] {
        assert_eq!(options(illegal), Err(Error::OptionLength), "{illegal:?}");
    }
}

#[test]
fn options_that_are_skipped() {
    let mss = Options {
        mss: Some(1460),
        ..Options::NONE
    };
    for skipped in [
        &[99, 4, 2, 4, 2, 4, 5, 0xb4][..],
        &[2, 3, 9, 2, 4, 5, 0xb4],
        &[2, 5, 9, 9, 9, 2, 4, 5, 0xb4],
        &[3, 4, 9, 9, 2, 4, 5, 0xb4],
        &[4, 3, 9, 2, 4, 5, 0xb4],
        &[8, 9, 9, 9, 9, 9, 9, 9, 9, 2, 4, 5, 0xb4],
        &[5, 2, 2, 4, 5, 0xb4],
        &[5, 4, 9, 9, 2, 4, 5, 0xb4],
        &[254, 2, 2, 4, 0, 1, 2, 4, 5, 0xb4],
        &[2, 4, 5, 0xb4, 0, 9, 1, 0],
    ] {
        assert_eq!(options(skipped), Ok(mss), "{skipped:?}");
    }
}

#[test]
fn blocks_of_sack_are_found_wherever_they_are() {
    let two = [(Seq(1000), Seq(2000)), (Seq(u32::MAX), Seq(5))];
    let mut blocks = [0; 16];
    sack::put(&mut blocks, &two);
    let ts = [8, 10, 1, 2, 3, 4, 5, 6, 7, 8];
    for before in [
        &[][..],
        &[1, 1],
        &ts,
        &[1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8],
    ] {
        for after in [&[][..], &[1, 1], &[0, 9, 9], &[254, 4, 0, 0]] {
            let bytes = with_options(&[before, &[5, 18], &blocks, after].concat());
            let (header, text) = Header::parse(&bytes).unwrap();
            let found = sack::bytes(&bytes[..text], header.options.sack);
            assert!(sack::blocks(found).eq(two), "{before:?} {after:?}");
        }
    }
    // A length that is not one of blocks; and a place that is not in the segment.
    for none in [&[5, 2][..], &[5, 4, 9, 9], &[5, 9, 0, 0, 0, 0, 0, 0, 0]] {
        assert_eq!(options(none), Ok(Options::NONE));
    }
    assert_eq!(sack::bytes(&[], 8), []);
    assert_eq!(sack::bytes(&[1; 9], 8), []);
    assert_eq!(sack::bytes(&[200; 9], 8), []);
}

#[test]
fn flags_as_text_and_as_set() {
    assert_eq!((Flags::ACK | Flags::SYN).to_string(), "SYN|ACK");
    assert_eq!(
        (Flags::FIN | Flags::PSH | Flags::ACK).to_string(),
        "FIN|PSH|ACK"
    );
    assert_eq!(Flags::EMPTY.to_string(), "-");
    assert_eq!(Flags::from_bits(0xff).to_string().matches('|').count(), 7);
    let mut flags = Flags::SYN.union(Flags::ACK);
    assert!(flags.contains(Flags::SYN) && !flags.contains(Flags::SYN | Flags::FIN));
    assert!(flags.intersects(Flags::SYN | Flags::FIN) && !flags.intersects(Flags::RST));
    flags |= Flags::FIN;
    assert_eq!(flags - Flags::SYN, Flags::FIN | Flags::ACK);
    assert_eq!(flags & !Flags::ACK, Flags::FIN | Flags::SYN);
    assert_eq!(flags.bits(), 0x13);
}

#[test]
fn quoted_start() {
    let quoted = Quoted {
        src_port: 40000,
        dst_port: 80,
        seq: Seq(0x1234_5678),
    };
    assert_eq!(Quoted::parse(&SYN[..8]), Ok(quoted));
    assert_eq!(Quoted::parse(&SYN[..7]), Err(Error::Truncated));
}

fn any_options() -> impl Strategy<Value = Options> {
    (
        any::<Option<u16>>(),
        any::<Option<u8>>(),
        any::<bool>(),
        prop_oneof![Just(0u8), Just(8), Just(16)],
        any::<Option<(u32, u32)>>(),
    )
        .prop_map(
            |(mss, window_scale, sack_permitted, sack, timestamps)| Options {
                mss,
                window_scale,
                sack_permitted,
                sack,
                timestamps: timestamps.map(|(val, ecr)| Timestamps { val, ecr }),
            },
        )
}

prop_compose! {
    fn any_header()(
        src_port in any::<u16>(), dst_port in any::<u16>(), seq in any::<u32>(), ack in any::<u32>(),
        flags in any::<u8>(), window in any::<u16>(), urgent in any::<u16>(), options in any_options(),
    ) -> Header {
        Header {
            src_port, dst_port, seq: Seq(seq), ack: Seq(ack), flags: Flags::from_bits(flags), window, urgent, options,
        }
    }
}

/// Options as an adversary would write them: many known kinds, lengths near the right ones.
fn hostile_options() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![0u8..12, any::<u8>()];
    proptest::collection::vec(byte, 0..=40)
}

proptest! {
    #[test]
    fn what_is_written_is_read(header in any_header()) {
        let mut buf = [0xaa; 64];
        let len = header.emit(&mut buf);
        prop_assert_eq!(len, header.header_len());
        prop_assert!(len % 4 == 0 && len <= Header::MAX_LEN);
        prop_assert!(buf[len..].iter().all(|b| *b == 0xaa));
        for cut in 0..len {
            prop_assert_eq!(Header::parse(&buf[..cut]), Err(Error::Truncated));
        }
        prop_assert_eq!(Header::parse(&buf), Ok((header, len)));
    }

    #[test]
    fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
        if let Ok((header, offset)) = Header::parse(&bytes) {
            prop_assert!(offset >= 20 && offset <= bytes.len());
            prop_assert_eq!(header.flags.bits(), bytes[13]);
        }
    }

    #[test]
    fn any_options_bytes(bytes in hostile_options()) {
        // What is understood can be said again and is understood the same.
        if let Ok(mut understood) = Options::parse(&bytes) {
            // Where blocks lie is not where they would be written.
            understood.sack = 0;
            let mut buf = [0; Options::MAX_LEN];
            let len = understood.emit(&mut buf);
            let again = Options::parse(&buf[..len]);
            prop_assert_eq!(again, Ok(understood));
        }
    }

    #[test]
    fn a_customary_syn_is_read_as_any_other(
        start in prop_oneof![Just([2, 4]), any::<[u8; 2]>()], mss in any::<[u8; 2]>(),
        second in prop_oneof![Just([1, 1, 8, 10]), Just([4, 2, 8, 10]), any::<[u8; 4]>()],
        ts in any::<[u8; 8]>(),
        end in prop_oneof![4 => Just([1, 3, 3]), 1 => any::<[u8; 3]>()], shift in any::<u8>(),
    ) {
        let bytes = [&start[..], &mss, &second, &ts, &end, &[shift]].concat();
        prop_assert_eq!(Options::parse(&bytes), Options::parse_walking(&bytes));
    }

    #[test]
    fn customary_layouts_are_read_as_any_other(
        words in proptest::collection::vec(prop_oneof![
            Just([2, 4, 5, 0xb4]), Just([1, 3, 3, 7]), Just([1, 1, 8, 10]), Just([4, 2, 8, 10]), Just([1, 1, 4, 2]),
            Just([0; 4]), any::<[u8; 4]>(),
        ], 0..10), cut in 0..4usize,
    ) {
        let mut bytes = words.concat();
        bytes.truncate(bytes.len().saturating_sub(cut));
        prop_assert_eq!(Options::parse(&bytes), Options::parse_walking(&bytes));
    }

    #[test]
    fn short_cut_equals_the_long_way(
        mut bytes in proptest::collection::vec(any::<u8>(), 12), head in prop_oneof![
            3 => Just([1, 1, 8, 10]), 1 => Just([1, 8, 10, 1]), 1 => Just([4, 2, 8, 10]),
        ],
    ) {
        bytes[..4].copy_from_slice(&head);
        prop_assert_eq!(Options::timestamps_alone(&bytes).is_some(), head == [1, 1, 8, 10]);
        prop_assert_eq!(options(&bytes), Options::parse(&bytes));
    }
}
