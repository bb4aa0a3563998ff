//! Parsing and writing of headers, and checksums.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use wire::tcp::{Flags, Header, Options, Timestamps};
use wire::{Ip, Seq, checksum, ethernet, ipv4};

const SRC: Ip = Ip::v4([192, 0, 2, 1]);
const DST: Ip = Ip::v4([192, 0, 2, 2]);

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

fn headers(c: &mut Criterion) {
    let mut group = c.benchmark_group("frame");
    for (name, options) in kinds() {
        let header = header(options);
        let mut frame = vec![0; 14 + 20 + header.header_len()];
        let write = |frame: &mut [u8]| {
            let l4 = frame.len() - 34;
            ethernet::Header {
                dst: wire::MacAddr([2, 0, 0, 0, 0, 1]),
                src: wire::MacAddr([2, 0, 0, 0, 0, 2]),
                vlan: None,
                ethertype: ethernet::ETHERTYPE_IPV4,
            }
            .emit(frame);
            ipv4::Header::new(
                SRC.v4_octets(),
                DST.v4_octets(),
                ipv4::PROTOCOL_TCP,
                l4 as u16,
            )
            .emit(&mut frame[14..], true);
            header.emit(&mut frame[34..]);
            checksum::fill_tcp(SRC, DST, &mut frame[34..]);
        };
        group.bench_function(BenchmarkId::new("write", name), |b| {
            b.iter(|| write(black_box(&mut frame)));
        });
        group.bench_function(BenchmarkId::new("parse and verify", name), |b| {
            b.iter(|| {
                let frame = black_box(&frame[..]);
                let (ethernet, at) = ethernet::Header::parse(frame).expect("ethernet");
                let (ip, payload) = ipv4::Header::parse(&frame[at..]).expect("ipv4");
                assert!(ipv4::checksum_ok(&frame[at..]));
                let segment = &frame[at..][payload];
                assert!(checksum::tcp_ok(Ip::v4(ip.src), Ip::v4(ip.dst), segment));
                let parsed = Header::parse(segment).expect("tcp");
                black_box((ethernet, ip, parsed))
            });
        });
    }
    group.finish();
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
