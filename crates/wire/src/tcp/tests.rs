use super::*;

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
            timestamps: Some(Timestamps {
                val: 0xdead_beef,
                ecr: 0,
            }),
            sack: SackBlocks::NONE,
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
