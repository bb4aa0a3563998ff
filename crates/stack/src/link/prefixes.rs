//! The prefixes that the host is on.

use hashbrown::HashTable;
use wire::Ip;

use super::number;
use crate::config::InterfaceAddress;
use crate::hash::configured;

/// The bits of an IPv4 address begin here in what [`number`] makes of it.
const V4: u8 = 96;

/// IPv4 prefixes longer than this have no broadcast address (RFC 3021).
const LONGEST_WITH_BROADCAST: u8 = V4 + 30;

/// A network and its mask: no address is on it.
const NONE: (u128, u128) = (1, 0);

/// An on-link prefix.
struct Prefix {
    network: u128,
    /// Its length, in bits of [`number`].
    length: u8,
    /// How many addresses of the host are on it.
    members: u32,
    /// One of them.
    source: Ip,
}

/// On-link prefixes of both families. A look-up tries each length that is in use, and those are few
/// however many the prefixes are.
pub(crate) struct Prefixes {
    all: HashTable<Prefix>,
    /// Network and mask of one of them, looked at first: the peers of most hosts are there.
    likely: (u128, u128),
    /// The lengths in use, longest first.
    lengths_v4: Vec<u8>,
    lengths_v6: Vec<u8>,
}

impl Prefixes {
    pub(crate) fn new(addresses: &[InterfaceAddress]) -> Prefixes {
        let mut prefixes = Prefixes {
            all: HashTable::new(),
            likely: NONE,
            lengths_v4: Vec::new(),
            lengths_v6: Vec::new(),
        };
        addresses.iter().for_each(|a| prefixes.add(*a));
        prefixes
    }

    fn add(&mut self, address: InterfaceAddress) {
        let (network, length) = parts(address);
        if let Some(prefix) = self.find_mut(network, length) {
            prefix.members += 1;
            return;
        }
        let prefix = Prefix {
            network,
            length,
            members: 1,
            source: address.ip,
        };
        let hash = |p: &Prefix| configured(p.network, p.length.into());
        self.all.insert_unique(hash(&prefix), prefix, hash);
        let lengths = match address.ip.is_v4() {
            true => &mut self.lengths_v4,
            false => &mut self.lengths_v6,
        };
        // Not one that IPv4 addresses, as numbers, are on as well.
        if self.likely == NONE && (address.ip.is_v4() || network >> 48 != 0) {
            self.likely = (network, mask(length));
        }
        if let Err(place) = lengths.binary_search_by(|l| length.cmp(l)) {
            lengths.insert(place, length);
        }
    }

    /// The host has the address no more; `left` are those that it has.
    pub(crate) fn remove(&mut self, address: InterfaceAddress, left: &[InterfaceAddress]) {
        let (network, length) = parts(address);
        let Some(prefix) = self.find_mut(network, length) else {
            return;
        };
        prefix.members -= 1;
        if prefix.members > 0 {
            if prefix.source == address.ip
                && let Some(other) = left.iter().find(|a| parts(**a) == (network, length))
            {
                prefix.source = other.ip;
            }
            return;
        }
        let same = |p: &Prefix| p.network == network && p.length == length;
        if let Ok(entry) = self
            .all
            .find_entry(configured(network, length.into()), same)
        {
            entry.remove();
        }
        if self.likely == (network, mask(length)) {
            self.likely = NONE;
        }
    }

    /// Whether `ip` is on one of the prefixes.
    #[inline]
    pub(crate) fn contain(&self, ip: Ip) -> bool {
        let (network, mask) = self.likely;
        number(ip) & mask == network || self.containing(ip).next().is_some()
    }

    /// One of the host's addresses on each prefix that `ip` is on, that of the longest first.
    pub(crate) fn sources(&self, ip: Ip) -> impl Iterator<Item = Ip> {
        self.containing(ip).map(|p| p.source)
    }

    /// Whether `ip` is the directed broadcast address of one of the prefixes.
    #[inline]
    pub(crate) fn have_broadcast(&self, ip: Ip) -> bool {
        ip.is_v4() && {
            let ip = number(ip);
            let with = self
                .lengths_v4
                .iter()
                .filter(|l| **l <= LONGEST_WITH_BROADCAST);
            let mut ends = with.filter(|l| ip | mask(**l) == !0);
            ends.any(|&l| self.find(ip & mask(l), l).is_some())
        }
    }

    fn containing(&self, ip: Ip) -> impl Iterator<Item = &Prefix> {
        let lengths = match ip.is_v4() {
            true => &self.lengths_v4,
            false => &self.lengths_v6,
        };
        let ip = number(ip);
        let lengths = lengths.iter();
        lengths.filter_map(move |&length| self.find(ip & mask(length), length))
    }

    fn find(&self, network: u128, length: u8) -> Option<&Prefix> {
        let same = |p: &Prefix| p.network == network && p.length == length;
        self.all.find(configured(network, length.into()), same)
    }

    fn find_mut(&mut self, network: u128, length: u8) -> Option<&mut Prefix> {
        let same = |p: &Prefix| p.network == network && p.length == length;
        self.all.find_mut(configured(network, length.into()), same)
    }
}

/// The network of an address and the length of its prefix.
fn parts(address: InterfaceAddress) -> (u128, u8) {
    let length = match address.ip.is_v4() {
        true => V4 + address.prefix.min(32),
        false => address.prefix.min(128),
    };
    (number(address.ip) & mask(length), length)
}

fn mask(length: u8) -> u128 {
    (!0u128).checked_shl(128 - u32::from(length)).unwrap_or(0)
}
