//! Parsing and writing of headers, and checksums.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use wire::tcp::{Flags, Header, Options, Timestamps};
use wire::{Ip, Seq, checksum, ethernet, ipv4, ipv6};

fn header(options: Options) -> Header {
    Header {
        src_port: 55_000,
        dst_port: 80,
        seq: Seq(1),
        ack: Seq(2),
        flags: Flags::ACK,
        window: 65_535,
        urgent: 0,
        options,
    }
}

/// The options of a segment without any, with timestamps, and of a SYN.
fn kinds() -> [(&'static str, Options); 3] {
    let timestamps = Some(Timestamps { val: 1, ecr: 2 });
    let with = Options {
        timestamps,
        ..Options::NONE
    };
    let syn = Options {
        mss: Some(1460),
        window_scale: Some(7),
        sack_permitted: true,
        sack: 0,
        timestamps,
    };
    [("plain", Options::NONE), ("timestamps", with), ("syn", syn)]
}

/// A family and the ends of its packets.
struct Family {
    name: &'static str,
    src: Ip,
    dst: Ip,
    ethertype: u16,
    header_len: usize,
}

const FAMILIES: [Family; 2] = [
    Family {
        name: "IPv4",
        src: Ip::v4([192, 0, 2, 1]),
        dst: Ip::v4([192, 0, 2, 2]),
        ethertype: ethernet::ETHERTYPE_IPV4,
        header_len: ipv4::Header::LEN,
    },
    Family {
        name: "IPv6",
        src: Ip::v6([0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]),
        dst: Ip::v6([0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]),
        ethertype: ethernet::ETHERTYPE_IPV6,
        header_len: ipv6::Header::LEN,
    },
];

impl Family {
    fn write(&self, header: &Header, frame: &mut [u8]) {
        let at = ethernet::Header::LEN + self.header_len;
        let len = (frame.len() - at) as u16;
        ethernet::Header {
            dst: wire::MacAddr([2, 0, 0, 0, 0, 1]),
            src: wire::MacAddr([2, 0, 0, 0, 0, 2]),
            vlan: None,
            ethertype: self.ethertype,
        }
        .emit(frame);
        let packet = &mut frame[ethernet::Header::LEN..];
        if self.src.is_v4() {
            let (src, dst) = (self.src.v4_octets(), self.dst.v4_octets());
            ipv4::Header::new(src, dst, ipv4::PROTOCOL_TCP, len).emit(packet, true);
        } else {
            let (src, dst) = (self.src.octets(), self.dst.octets());
            ipv6::Header::new(src, dst, ipv6::NEXT_HEADER_TCP, len).emit(packet);
        }
        header.emit(&mut frame[at..]);
        checksum::fill_tcp(self.src, self.dst, &mut frame[at..]);
    }
}

/// The TCP header of an intact frame of either family.
fn parse_and_verify(frame: &[u8]) -> Header {
    let (ethernet, at) = ethernet::Header::parse(frame).expect("ethernet");
    let packet = &frame[at..];
    let (src, dst, segment) = if ethernet.ethertype == ethernet::ETHERTYPE_IPV4 {
        let (ip, payload) = ipv4::Header::parse(packet).expect("ipv4");
        assert!(ipv4::checksum_ok(packet));
        (Ip::v4(ip.src), Ip::v4(ip.dst), &packet[payload])
    } else {
        let (ip, payload) = ipv6::Header::parse(packet).expect("ipv6");
        (Ip::v6(ip.src), Ip::v6(ip.dst), &packet[payload])
    };
    assert!(checksum::tcp_ok(src, dst, segment));
    Header::parse(segment).expect("tcp").0
}

fn headers(c: &mut Criterion) {
    for family in FAMILIES {
        let mut group = c.benchmark_group(format!("frame over {}", family.name));
        for (name, options) in kinds() {
            let header = header(options);
            let len = ethernet::Header::LEN + family.header_len + header.header_len();
            let mut frame = vec![0; len];
            group.bench_function(BenchmarkId::new("write", name), |b| {
                b.iter(|| family.write(&header, black_box(&mut frame)));
            });
            group.bench_function(BenchmarkId::new("parse and verify", name), |b| {
                b.iter(|| black_box(parse_and_verify(black_box(&frame))));
            });
        }
        group.finish();
    }
}

fn checksums(c: &mut Criterion) {
    let mut group = c.benchmark_group("checksum");
    for len in [20, 60, 1460, 9000] {
        let bytes = vec![0x5a; len];
        group.throughput(Throughput::Bytes(len as u64));
        group.bench_function(BenchmarkId::from_parameter(len), |b| {
            b.iter(|| checksum::sum(black_box(&bytes)));
        });
    }
    group.finish();
}

criterion_group!(benches, headers, checksums);
criterion_main!(benches);
