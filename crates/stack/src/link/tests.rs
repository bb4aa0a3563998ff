use proptest::prelude::*;
use wire::ipv6;

use super::*;

/// Few different bits, so that addresses and prefixes coincide.
fn ip() -> impl Strategy<Value = Ip> {
    let octet = || prop_oneof![Just(0u8), Just(1), Just(3), Just(127), Just(254), Just(255)];
    prop_oneof![
        (octet(), octet(), octet()).prop_map(|(a, b, c)| Ip::v4([10, a, b, c])),
        (octet(), octet(), octet()).prop_map(|(a, b, c)| {
            Ip::v6([0x20, 1, 0xd, 0xb8, 0, 0, 0, a, 0, 0, 0, 0, b, 0, 0, c])
        }),
    ]
}

fn address() -> impl Strategy<Value = InterfaceAddress> {
    (ip(), 0..=128u8).prop_map(|(ip, prefix)| InterfaceAddress {
        ip,
        prefix: match ip.is_v4() {
            true => prefix % 33,
            false => prefix,
        },
    })
}

fn link(addresses: Vec<InterfaceAddress>) -> Link {
    let mut config = Config::new(MacAddr([2, 0, 0, 0, 0, 1]), addresses[0]);
    config.addresses = addresses;
    Link::new(&config)
}

/// What a walk over all addresses finds.
fn on_link(addresses: &[InterfaceAddress], ip: Ip) -> bool {
    addresses.iter().any(|a| a.on_link(ip))
}

proptest! {
    #[test]
    fn answers_are_those_of_a_walk_over_all_addresses(
        addresses in prop::collection::vec(address(), 1..12),
        others in prop::collection::vec(ip(), 20),
        given_up in 0..12usize,
        suspended in 0..12usize,
    ) {
        let mut link = link(addresses);
        let nth = |link: &Link, n: usize| link.addresses[n % link.addresses.len()].ip;
        link.give_up(nth(&link, given_up));
        if link.addresses.is_empty() {
            return Ok(());
        }
        let unusable = nth(&link, suspended);
        link.suspend(unusable);
        let all = link.addresses.clone();
        let own = all.iter().flat_map(|a| [Some(a.ip), a.broadcast()]).flatten();
        for ip in others.into_iter().chain(own) {
            let ours = ip != unusable && all.iter().any(|a| a.ip == ip);
            prop_assert_eq!(link.is_ours(ip), ours);
            prop_assert_eq!(link.is_on_link(ip), on_link(&all, ip));
            let broadcast = all.iter().any(|a| a.broadcast() == Some(ip));
            prop_assert_eq!(link.is_broadcast(ip), broadcast);
            let hop = on_link(&all, ip).then_some(ip);
            prop_assert_eq!(link.next_hop(ip), hop);
            let group = ipv6::solicited_node(ip.octets());
            let joined = all.iter().filter(|a| !a.ip.is_v4());
            let joined = joined.map(|a| ipv6::solicited_node(a.ip.octets())).any(|g| g == group);
            prop_assert_eq!(link.is_in_group(group), joined);
            let usable = |a: &&InterfaceAddress| a.ip.is_v4() == ip.is_v4() && a.ip != unusable;
            let source = link.source_for(ip);
            prop_assert_eq!(source.is_some(), all.iter().any(|a| usable(&a)));
            let near = all.iter().filter(usable).any(|a| a.on_link(ip));
            if let Some(source) = source {
                prop_assert!(link.is_ours(source));
                let found = all.iter().any(|a| a.ip == source && a.on_link(ip));
                prop_assert_eq!(found, near);
            }
        }
        link.use_address(unusable);
        prop_assert!(link.is_ours(unusable));
    }
}

/// The `n`th address of a host with 65,536 of each family, each sixteenth on a prefix of its own.
fn of_many(n: u32, is_v4: bool) -> InterfaceAddress {
    let [.., a, b] = n.to_be_bytes();
    let apart = n.is_multiple_of(16);
    match is_v4 {
        true => InterfaceAddress {
            ip: Ip::v4([10, 1 + u8::from(apart), a, b]),
            prefix: if apart { 28 } else { 16 },
        },
        false => {
            let mut ip = [0; 16];
            ip[..8].copy_from_slice(&[0x20, 1, 0xd, 0xb8, 0, u8::from(apart), a, b]);
            ip[14..].copy_from_slice(&[a, b]);
            InterfaceAddress {
                ip: Ip::v6(ip),
                prefix: if apart { 64 } else { 32 },
            }
        }
    }
}

#[test]
fn a_host_may_have_tens_of_thousands_of_addresses() {
    let numbers = || 0..65_536u32;
    let v4 = numbers().map(|n| of_many(n, true));
    let all: Vec<InterfaceAddress> = v4.chain(numbers().map(|n| of_many(n, false))).collect();
    let mut link = link(all.clone());
    for a in &all {
        assert!(link.is_ours(a.ip) && link.is_on_link(a.ip), "{}", a.ip);
        assert!(link.source_for(a.ip).is_some_and(|s| link.is_ours(s)));
        assert_eq!(link.next_hop(a.ip), Some(a.ip));
    }
    assert!(link.is_broadcast(Ip::v4([10, 1, 255, 255])));
    assert!(link.is_broadcast(Ip::v4([10, 2, 255, 255])));
    assert!(link.is_broadcast(Ip::v4([10, 2, 7, 15])));
    assert!(!link.is_broadcast(Ip::v4([10, 2, 7, 14])));
    assert!(!link.is_broadcast(Ip::v4([10, 1, 7, 255])));
    assert!(!link.is_ours(Ip::v4([10, 3, 0, 0])));
    assert!(!link.is_on_link(Ip::v4([10, 3, 0, 0])));
    assert_eq!(link.next_hop(Ip::v4([10, 3, 0, 0])), None);
    for a in &all {
        link.suspend(a.ip);
        assert!(!link.is_ours(a.ip));
    }
    for a in &all {
        link.use_address(a.ip);
    }
    assert!(all.iter().all(|a| link.is_ours(a.ip)));
}
