//! The addresses that the host may use now.

use hashbrown::HashTable;
use wire::Ip;

use super::number;
use crate::hash::configured;

/// A set of addresses: asked for every packet, however many there are.
pub(crate) struct Addresses {
    /// One of them, looked at first: most hosts have no other.
    first: Option<u128>,
    all: HashTable<u128>,
}

impl FromIterator<Ip> for Addresses {
    fn from_iter<T: IntoIterator<Item = Ip>>(addresses: T) -> Addresses {
        let mut set = Addresses {
            first: None,
            all: HashTable::new(),
        };
        addresses.into_iter().for_each(|ip| set.insert(ip));
        set
    }
}

impl Addresses {
    #[inline]
    pub(crate) fn contains(&self, ip: Ip) -> bool {
        let ip = number(ip);
        self.first == Some(ip) || self.all.len() > 1 && self.finds(ip)
    }

    fn finds(&self, ip: u128) -> bool {
        self.all.find(configured(ip, 0), |&a| a == ip).is_some()
    }

    pub(crate) fn insert(&mut self, ip: Ip) {
        let ip = number(ip);
        if !self.finds(ip) {
            let hash = |&a: &u128| configured(a, 0);
            self.all.insert_unique(configured(ip, 0), ip, hash);
            self.first = self.first.or(Some(ip));
        }
    }

    pub(crate) fn remove(&mut self, ip: Ip) {
        let ip = number(ip);
        if let Ok(entry) = self.all.find_entry(configured(ip, 0), |&a| a == ip) {
            entry.remove();
        }
        if self.first == Some(ip) {
            self.first = self.all.iter().next().copied();
        }
    }
}
