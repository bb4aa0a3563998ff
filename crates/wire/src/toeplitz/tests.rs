use super::*;
use core::net::{Ipv4Addr, Ipv6Addr};

/// Microsoft, "Verifying the RSS hash calculation": destination, source, hash of the addresses,
/// hash with the ports.
const VECTORS_V4: [(&str, u16, &str, u16, u32, u32); 5] = [
    (
        "161.142.100.80",
        1766,
        "66.9.149.187",
        2794,
        0x323e_8fc2,
        0x51cc_c178,
    ),
    (
        "65.69.140.83",
        4739,
        "199.92.111.2",
        14230,
        0xd718_262a,
        0xc626_b0ea,
    ),
    (
        "12.22.207.184",
        38024,
        "24.19.198.95",
        12898,
        0xd2d0_a5de,
        0x5c2b_394a,
    ),
    (
        "209.142.163.6",
        2217,
        "38.27.205.30",
        48228,
        0x8298_9176,
        0xafc7_327f,
    ),
    (
        "202.188.127.2",
        1303,
        "153.39.163.191",
        44251,
        0x5d18_09c5,
        0x10e8_28a2,
    ),
];

const VECTORS_V6: [(&str, u16, &str, u16, u32, u32); 3] = [
    (
        "3ffe:2501:200:3::1",
        1766,
        "3ffe:2501:200:1fff::7",
        2794,
        0x2cc1_8cd5,
        0x4020_7d3d,
    ),
    (
        "ff02::1",
        4739,
        "3ffe:501:8::260:97ff:fe40:efab",
        14230,
        0x0f0c_461c,
        0xdde5_1bbf,
    ),
    (
        "fe80::200:f8ff:fe21:67cf",
        38024,
        "3ffe:1900:4545:3:200:f8ff:fe21:67cf",
        44251,
        0x4b61_e985,
        0x02d1_feef,
    ),
];

#[test]
fn published_vectors_of_ipv4() {
    let key = Key::MICROSOFT;
    let toeplitz = Toeplitz::new(key);
    for (dst, dst_port, src, src_port, addresses, ports) in VECTORS_V4 {
        let dst = dst.parse::<Ipv4Addr>().unwrap().octets();
        let src = src.parse::<Ipv4Addr>().unwrap().octets();
        assert_eq!(hash_v4_addresses(&key, src, dst), addresses);
        assert_eq!(hash_v4(&key, src, dst, src_port, dst_port), ports);
        assert_eq!(toeplitz.hash_v4_addresses(src, dst), addresses);
        assert_eq!(toeplitz.hash_v4(src, dst, src_port, dst_port), ports);
        let received = FourTuple {
            local: Ip::v4(dst),
            remote: Ip::v4(src),
            local_port: dst_port,
            remote_port: src_port,
        };
        assert_eq!(toeplitz.hash_received(&received), ports);
    }
}

#[test]
fn published_vectors_of_ipv6() {
    let key = Key::MICROSOFT;
    let toeplitz = Toeplitz::new(key);
    for (dst, dst_port, src, src_port, addresses, ports) in VECTORS_V6 {
        let dst = dst.parse::<Ipv6Addr>().unwrap().octets();
        let src = src.parse::<Ipv6Addr>().unwrap().octets();
        assert_eq!(hash_v6_addresses(&key, src, dst), addresses);
        assert_eq!(hash_v6(&key, src, dst, src_port, dst_port), ports);
        assert_eq!(toeplitz.hash_v6_addresses(src, dst), addresses);
        assert_eq!(toeplitz.hash_v6(src, dst, src_port, dst_port), ports);
        let received = FourTuple {
            local: Ip::v6(dst),
            remote: Ip::v6(src),
            local_port: dst_port,
            remote_port: src_port,
        };
        assert_eq!(toeplitz.hash_received(&received), ports);
    }
}
