use super::*;
use core::net::{Ipv4Addr, Ipv6Addr};
use proptest::prelude::*;

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

#[test]
fn keys() {
    let mut long = Key::MICROSOFT.as_bytes().to_vec();
    assert_eq!(Key::from_slice(&long[..39]), Err(KeyTooShort));
    long.extend_from_slice(&[0xff; 12]);
    assert_eq!(Key::from_slice(&long), Ok(Key::MICROSOFT));
    assert!(format!("{:?}", Toeplitz::new(Key::MICROSOFT)).starts_with("Toeplitz(6d5a56da"));
}

/// The definition read literally: the key as a register of bits that is shifted left once for
/// every bit of input.
fn shift_register(key: &Key, input: &[u8]) -> u32 {
    let mut bits = key
        .as_bytes()
        .iter()
        .flat_map(|byte| (0..8).map(move |bit| byte >> (7 - bit) & 1));
    let mut window = 0u32;
    for bit in bits.by_ref().take(32) {
        window = window << 1 | u32::from(bit);
    }
    let mut hash = 0;
    for byte in input {
        for bit in 0..8 {
            if byte >> (7 - bit) & 1 == 1 {
                hash ^= window;
            }
            window = window << 1 | u32::from(bits.next().unwrap_or(0));
        }
    }
    hash
}

fn any_key() -> impl Strategy<Value = Key> {
    proptest::collection::vec(any::<u8>(), 40..53).prop_map(|key| Key::from_slice(&key).unwrap())
}

proptest! {
    #[test]
    fn tables_equal_the_definition(
        key in any_key(), src in any::<[u8; 16]>(), dst in any::<[u8; 16]>(), src_port in any::<u16>(), dst_port in any::<u16>(),
    ) {
        let toeplitz = Toeplitz::new(key);
        let v6 = shift_register(&key, &input_v6(src, dst, src_port, dst_port));
        prop_assert_eq!(hash_v6(&key, src, dst, src_port, dst_port), v6);
        prop_assert_eq!(toeplitz.hash_v6(src, dst, src_port, dst_port), v6);

        let (src, dst) = ([src[0], src[1], src[2], src[3]], [dst[0], dst[1], dst[2], dst[3]]);
        let v4 = shift_register(&key, &input_v4(src, dst, src_port, dst_port));
        prop_assert_eq!(hash_v4(&key, src, dst, src_port, dst_port), v4);
        prop_assert_eq!(toeplitz.hash_v4(src, dst, src_port, dst_port), v4);
    }

    #[test]
    fn local_ports_by_linearity(
        key in any_key(), remote in any::<[u8; 16]>(), local in any::<[u8; 16]>(), v4 in any::<bool>(),
        remote_port in any::<u16>(), ports in proptest::collection::vec(any::<u16>(), 1..50),
    ) {
        let toeplitz = Toeplitz::new(key);
        let ip = |a: [u8; 16]| if v4 { Ip::v4([a[0], a[1], a[2], a[3]]) } else { Ip::v6(a) };
        let (remote, local) = (ip(remote), ip(local));
        let partial = toeplitz.partial(remote, local, remote_port);
        let other = toeplitz.partial(local, remote, 1);
        for local_port in ports {
            let tuple = FourTuple { local, remote, local_port, remote_port };
            let hash = match (remote.as_v4(), local.as_v4()) {
                (Some(src), Some(dst)) => hash_v4(&key, src, dst, remote_port, local_port),
                _ => hash_v6(&key, remote.octets(), local.octets(), remote_port, local_port),
            };
            prop_assert_eq!(partial.with_local_port(local_port), hash);
            prop_assert_eq!(toeplitz.hash_received(&tuple), hash);
            prop_assert_eq!(partial.local_port_term(local_port), other.local_port_term(local_port));
            prop_assert_eq!(partial.with_local_port(0) ^ partial.local_port_term(local_port), hash);
        }
    }

    #[test]
    fn symmetric_key_is_symmetric(local in any::<[u8; 16]>(), remote in any::<[u8; 16]>(), local_port in any::<u16>(), remote_port in any::<u16>()) {
        let toeplitz = Toeplitz::new(Key::SYMMETRIC);
        let tuple = FourTuple { local: Ip::v6(local), remote: Ip::v6(remote), local_port, remote_port };
        prop_assert_eq!(toeplitz.hash_received(&tuple), toeplitz.hash_received(&tuple.reversed()));
    }
}
