//! The host's place on its link: addresses, prefixes and gateways of both families, and what a
//! frame's outer headers are made of.

use wire::{Ip, MacAddr, ethernet, ipv6};

use crate::config::{Config, InterfaceAddress};
use crate::frame::Offload;
use groups::Groups;

pub(crate) use addresses::Addresses;
pub(crate) use prefixes::Prefixes;

mod addresses;
mod groups;
mod prefixes;

/// Bits of an interface identifier on Ethernet (RFC 4291 2.5.1).
const LINK_LOCAL_PREFIX: u8 = 64;

pub(crate) struct Link {
    pub(crate) mac: MacAddr,
    /// The same as a number, whose least byte is the first.
    pub(crate) mac_number: u64,
    /// The VLAN that frames have to be of.
    pub(crate) vlan: Option<u16>,
    /// The tag that is written into every frame.
    pub(super) tag: Option<ethernet::Tag>,
    /// The tag that the device puts into every frame instead, as its control information.
    pub(super) device_tag: Option<u16>,
    /// What was configured, and a link-local address if there is any other of IPv6.
    pub(crate) addresses: Vec<InterfaceAddress>,
    /// Those of them that are in use.
    usable: Addresses,
    prefixes: Prefixes,
    /// The groups of all IPv6 addresses, those included that are being verified.
    groups: Groups,
    gateway: Option<Ip>,
    gateway_v6: Option<Ip>,
    pub(crate) offload: Offload,
}

impl Link {
    pub(crate) fn new(config: &Config) -> Link {
        let mut addresses = config.addresses.clone();
        addresses.extend(link_local(config));
        let tag = config.vlan.map(ethernet::Tag::new);
        let by_device = config.offload.tx_vlan;
        let [m0, m1, m2, m3, m4, m5] = config.mac.0;
        Link {
            mac: config.mac,
            mac_number: u64::from_le_bytes([m0, m1, m2, m3, m4, m5, 0, 0]),
            vlan: config.vlan,
            tag: tag.filter(|_| !by_device),
            device_tag: tag.filter(|_| by_device).map(|tag| tag.0),
            usable: addresses.iter().map(|a| a.ip).collect(),
            prefixes: Prefixes::new(&addresses),
            groups: Groups::new(addresses.iter().map(|a| a.ip).filter(|ip| !ip.is_v4())),
            addresses,
            gateway: config.gateway,
            gateway_v6: config.gateway_v6,
            offload: config.offload,
        }
    }

    #[inline]
    pub(crate) fn is_ours(&self, ip: Ip) -> bool {
        self.usable.contains(ip)
    }

    /// An address is not to be used until [`Link::use_address`].
    pub(crate) fn suspend(&mut self, ip: Ip) {
        self.usable.remove(ip);
    }

    /// An address is to be used again.
    pub(crate) fn use_address(&mut self, ip: Ip) {
        self.usable.insert(ip);
    }

    /// An address is another host's, and never to be used.
    pub(crate) fn give_up(&mut self, ip: Ip) {
        self.suspend(ip);
        while let Some(place) = self.addresses.iter().position(|a| a.ip == ip) {
            let address = self.addresses.remove(place);
            self.prefixes.remove(address, &self.addresses);
            if !ip.is_v4() {
                self.groups.leave(ip);
            }
        }
    }

    /// Whether frames to a multicast address are for this host: all nodes of the link, and the
    /// solicited-node groups of its addresses (RFC 4861 7.2.1).
    pub(crate) fn is_in_group(&self, group: [u8; 16]) -> bool {
        self.groups.contain(group)
    }

    pub(crate) fn is_on_link(&self, ip: Ip) -> bool {
        self.prefixes.contain(ip)
    }

    /// Where a packet for `ip` goes first.
    pub(crate) fn next_hop(&self, ip: Ip) -> Option<Ip> {
        if self.is_on_link(ip) {
            return Some(ip);
        }
        match ip.is_v4() {
            true => self.gateway,
            false => self.gateway_v6,
        }
    }

    /// The address of ours to ask for `ip` with: the one on its prefix, else the first of its
    /// family.
    pub(crate) fn source_for(&self, ip: Ip) -> Option<Ip> {
        let mut likely = self.prefixes.sources(ip);
        if let Some(source) = likely.find(|&source| self.is_ours(source)) {
            return Some(source);
        }
        // While addresses are being verified, another one on the prefix may do.
        let usable = |a: &&InterfaceAddress| a.ip.is_v4() == ip.is_v4() && self.is_ours(a.ip);
        let mut ours = self.addresses.iter().filter(usable);
        let on_link = match self.is_on_link(ip) {
            true => ours.clone().find(|a| a.on_link(ip)),
            false => None,
        };
        Some(on_link.or(ours.next())?.ip)
    }

    /// The addresses of ours that connections to `ip` may come from if nothing else is said: those
    /// of its family and scope (RFC 6724 5, rule 2).
    pub(crate) fn sources_for(&self, ip: Ip) -> Vec<Ip> {
        let suits = |a: Ip| a.is_v4() == ip.is_v4() && is_link_local(a) == is_link_local(ip);
        let ours = self.addresses.iter().map(|a| a.ip);
        ours.filter(|&a| suits(a)).collect()
    }

    /// Whether `ip` means every host on the link.
    pub(crate) fn is_broadcast(&self, ip: Ip) -> bool {
        ip == Ip::v4([255; 4]) || self.prefixes.have_broadcast(ip)
    }
}

//= RFC 4291 2.1
//# All interfaces are required to have at least one Link-Local unicast
//# address
/// The address for that, from the Ethernet address (RFC 2464 5), if the host speaks IPv6 and was not
/// given one.
fn link_local(config: &Config) -> Option<InterfaceAddress> {
    let mut v6 = config.addresses.iter().filter(|a| !a.ip.is_v4()).peekable();
    v6.peek()?;
    if v6.any(|a| is_link_local(a.ip)) {
        return None;
    }
    let [a, b, c, d, e, f] = config.mac.0;
    let identifier = [a ^ 2, b, c, 0xff, 0xfe, d, e, f];
    let mut ip = [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    ip[8..].copy_from_slice(&identifier);
    Some(InterfaceAddress {
        ip: Ip::v6(ip),
        prefix: LINK_LOCAL_PREFIX,
    })
}

pub(crate) fn is_link_local(ip: Ip) -> bool {
    ipv6::is_link_local(ip.octets())
}

#[inline]
pub(crate) fn number(ip: Ip) -> u128 {
    u128::from_be_bytes(ip.octets())
}

#[cfg(test)]
mod tests;
