//! The multicast groups that the host has joined.

use hashbrown::HashTable;
use wire::{Ip, ipv6};

use super::number;
use crate::hash::configured;

/// The solicited-node groups of IPv6 addresses, each with how many of them it has.
#[derive(Default)]
pub(crate) struct Groups(HashTable<(u128, u32)>);

impl Groups {
    pub(crate) fn new(addresses: impl Iterator<Item = Ip>) -> Groups {
        let mut groups = Groups::default();
        addresses.for_each(|ip| groups.join(ip));
        groups
    }

    fn join(&mut self, ip: Ip) {
        let group = of(ip);
        let hash = |g: &(u128, u32)| configured(g.0, 0);
        let same = |g: &(u128, u32)| g.0 == group;
        let entry = self.0.entry(configured(group, 0), same, hash);
        entry.and_modify(|g| g.1 += 1).or_insert((group, 1));
    }

    /// An address is the host's no more.
    pub(crate) fn leave(&mut self, ip: Ip) {
        let group = of(ip);
        let found = self.0.find_entry(configured(group, 0), |g| g.0 == group);
        if let Ok(mut entry) = found {
            entry.get_mut().1 -= 1;
            if entry.get().1 == 0 {
                entry.remove();
            }
        }
    }

    /// Whether `group` is among them, or means all nodes of the link.
    pub(crate) fn contain(&self, group: [u8; 16]) -> bool {
        let number = u128::from_be_bytes(group);
        let found = || self.0.find(configured(number, 0), |g| g.0 == number);
        group == ipv6::ALL_NODES || found().is_some()
    }
}

fn of(ip: Ip) -> u128 {
    number(Ip::v6(ipv6::solicited_node(ip.octets())))
}
