use wire::Ip;

use super::*;

const V4: FourTuple = FourTuple {
    local: Ip::v4([192, 0, 2, 1]),
    remote: Ip::v4([198, 51, 100, 7]),
    local_port: 80,
    remote_port: 1024,
};

fn v6(n: u8) -> Ip {
    let mut octets = [0; 16];
    (octets[0], octets[15]) = (0x20, n);
    Ip::v6(octets)
}

const KEYS: core::ops::Range<u64> = 0..64;

/// Buckets with three entries or more when `tuples` are spread over as many buckets.
fn crowded(key: &Keyed, tuples: &[FourTuple]) -> usize {
    let mut buckets = vec![0u8; tuples.len()];
    for tuple in tuples {
        let bucket = (u128::from(key.flow(tuple)) * tuples.len() as u128) >> 64;
        buckets[bucket as usize] += 1;
    }
    buckets.iter().filter(|&&n| n >= 3).count()
}

#[test]
fn every_bit_of_the_key_and_every_byte_of_the_tuple_counts() {
    let v6_tuple = FourTuple {
        local: v6(1),
        remote: v6(2),
        ..V4
    };
    for tuple in [V4, v6_tuple] {
        let hash = Keyed::new(1, 2).flow(&tuple);
        assert_eq!(hash, Keyed::new(1, 2).flow(&tuple));
        for bit in 0..64 {
            assert_ne!(hash, Keyed::new(1 ^ 1 << bit, 2).flow(&tuple));
            assert_ne!(hash, Keyed::new(1, 2 ^ 1 << bit).flow(&tuple));
        }
        let key = Keyed::new(1, 2);
        assert_ne!(hash, key.flow(&tuple.reversed()));
        for byte in (0..16).filter(|&b| !tuple.local.is_v4() || b >= 12) {
            let changed = |ip: Ip| {
                let mut octets = ip.octets();
                octets[byte] ^= 0x10;
                Ip::v6(octets)
            };
            let (mut local, mut remote) = (tuple, tuple);
            local.local = changed(local.local);
            remote.remote = changed(remote.remote);
            assert_ne!(hash, key.flow(&local), "byte {byte}");
            assert_ne!(hash, key.flow(&remote), "byte {byte}");
        }
    }
}

/// What peers have most of: consecutive ports, consecutive addresses, one port from many.
#[test]
fn regular_tuples_spread_like_random_ones() {
    let ports: Vec<_> = (0..4096).map(|n| (V4.remote, 1024 + n)).collect();
    let addresses: Vec<_> = (0..4096u16)
        .map(|n| (Ip::v4([10, 0, (n >> 8) as u8, n as u8]), 1024))
        .collect();
    let strides: Vec<_> = (0..4096u16)
        .map(|n| (Ip::v4([10, n as u8, (n >> 8) as u8, 1]), n << 4))
        .collect();
    let v6s: Vec<_> = (0..4096u16)
        .map(|n| (v6((n >> 8) as u8), 1024 + (n & 0xff)))
        .collect();
    for (what, pairs) in [
        ("ports", ports),
        ("addresses", addresses),
        ("strides", strides),
        ("IPv6", v6s),
    ] {
        let tuples: Vec<_> = pairs
            .into_iter()
            .map(|(remote, remote_port)| FourTuple {
                local: if remote.is_v4() { V4.local } else { v6(0xff) },
                remote,
                remote_port,
                ..V4
            })
            .collect();
        let all: usize = KEYS.map(|k| crowded(&Keyed::new(k, !k), &tuples)).sum();
        let mean = all as f64 / KEYS.count() as f64;
        // Of 4,096 buckets with one entry each on average, 1 - 2.5/e = 8.03 % have three or more.
        let random = 4096.0 * (1.0 - 2.5 * (-1.0f64).exp());
        assert!(
            (mean / random - 1.0).abs() < 0.1,
            "{what}: {mean}, {random}"
        );
    }
}

/// Without the term that is added, the sum of nothing would be nothing, whatever the key.
#[test]
fn what_nh_makes_nothing_of_is_as_random_as_anything() {
    let hashes: std::collections::HashSet<u64> = KEYS.map(|k| Keyed::new(k, 1).narrow(0)).collect();
    assert_eq!(hashes.len() as u64, KEYS.end);
}

#[test]
fn each_purpose_has_a_number_of_its_own() {
    let purposes = |key: Keyed| {
        let ports = (0..100).flat_map(|n| [false, true].map(|half| Purpose::Ports(n, half)));
        let others = [
            Purpose::TimeWaitAcks,
            Purpose::ChallengeAcks,
            Purpose::NextEphemeral,
        ];
        ports.chain(others).map(move |p| key.derived(p))
    };
    let mut seen = std::collections::HashSet::new();
    // The halves of the secret are not interchangeable, and equal ones are as good as others.
    for key in [(1, 2), (2, 1), (3, 3), (0, 0), (7, 7)] {
        let key = Keyed::new(key.0, key.1);
        assert!(purposes(key).all(|n| seen.insert(n)));
        assert!(key.nh.iter().all(|n| seen.insert(*n)));
    }
}
