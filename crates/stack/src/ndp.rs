//! Neighbour discovery (RFC 4861): answering, learning, asking and announcing.
//!
//! Routers are configured, as the gateway is of IPv4: none is solicited, and their advertisements are
//! of no interest.

use tcp::time::Instant;
use wire::icmpv6::ndp::{HOP_LIMIT, NeighborAdvertisement, NeighborSolicitation};
use wire::{Ip, MacAddr, ethernet, ipv6};

use crate::frame::{Frame, FramePool};
use crate::neighbor::News;
use crate::stack::Stack;

/// The station address of a group (RFC 2464 7).
pub(crate) const fn group_mac(group: [u8; 16]) -> MacAddr {
    MacAddr([0x33, 0x33, group[12], group[13], group[14], group[15]])
}

/// Where a message goes, and from which of our addresses.
struct Way {
    mac: MacAddr,
    src: Ip,
    dst: Ip,
}

impl<A, P: FramePool> Stack<A, P> {
    /// Who has `target`? From `src`, or from nobody if that host only asks whether the address is
    /// free.
    pub(crate) fn on_solicitation(
        &mut self,
        now: Instant,
        src: Ip,
        src_mac: MacAddr,
        message: &NeighborSolicitation,
    ) {
        let target = Ip::v6(message.target);
        let unspecified = src == Ip::UNSPECIFIED_V6;
        if self.core.detection.is_tentative(target) {
            //= RFC 4862 5.4.3
            //# If the source address of the Neighbor Solicitation is the unspecified
            //# address, the solicitation is from a node performing Duplicate Address
            //# Detection.
            // What we sent ourselves does not get here: it has our Ethernet address.
            if unspecified {
                self.core.on_duplicate(now, target);
            }
            return;
        }
        if !self.core.link.is_ours(target) {
            self.core.counters.host.drop_ndp += 1;
            return;
        }
        //= RFC 4861 7.2.4
        //# If the source of the solicitation is the unspecified address, the
        //# node MUST set the Solicited flag to zero and multicast the
        //# advertisement to the all-nodes address.
        let way = if unspecified {
            Way {
                mac: group_mac(ipv6::ALL_NODES),
                src: target,
                dst: Ip::v6(ipv6::ALL_NODES),
            }
        } else {
            let create = self.core.link.is_on_link(src);
            self.learn(now, src, message.source_lladdr, News::Claim, create);
            Way {
                mac: message.source_lladdr.unwrap_or(src_mac),
                src: target,
                dst: src,
            }
        };
        let sent = self.advertise(&way, !unspecified);
        self.core.counters.host.ndp_advertisements += u64::from(sent);
    }

    /// `target` is there.
    pub(crate) fn on_advertisement(&mut self, now: Instant, message: &NeighborAdvertisement) {
        let target = Ip::v6(message.target);
        if self.core.detection.is_tentative(target) {
            //= RFC 4862 5.4.4
            //# If the target address is tentative, the tentative address is not
            //# unique.
            self.core.on_duplicate(now, target);
        } else if self.core.link.is_ours(target) {
            // As with ARP: it is ours by configuration, and was free when we began to use it.
            self.core.counters.host.arp_conflicts += 1;
        } else {
            let news = News::Advertisement {
                solicited: message.solicited,
                replace: message.override_entry,
            };
            //= RFC 4861 7.2.5
            //# If no entry exists, the advertisement SHOULD be silently discarded.
            self.learn(now, target, message.target_lladdr, news, false);
        }
    }

    /// Asks where `target` is: the station that was known, or whoever is in its group.
    pub(crate) fn solicit_v6(&mut self, target: Ip, src: Ip, to: Option<MacAddr>) {
        let way = match to {
            Some(mac) => Way {
                mac,
                src,
                dst: target,
            },
            None => to_group_of(target, src),
        };
        let message = NeighborSolicitation {
            target: target.octets(),
            source_lladdr: Some(self.core.link.mac),
        };
        self.send_solicitation(&way, &message);
    }

    /// Asks whether anybody has `ip`, which is to be ours.
    pub(crate) fn ask_for_duplicate(&mut self, ip: Ip) {
        //= RFC 4862 5.4.2
        //# The solicitation's Target Address is set to the
        //# address being checked, the IP source is set to the unspecified
        //# address, and the IP destination is set to the solicited-node
        //# multicast address of the target address.
        let message = NeighborSolicitation {
            target: ip.octets(),
            source_lladdr: None,
        };
        self.send_solicitation(&to_group_of(ip, Ip::UNSPECIFIED_V6), &message);
    }

    /// Says where `ip` is, to everybody.
    pub(crate) fn announce_v6(&mut self, ip: Ip) {
        let way = Way {
            mac: group_mac(ipv6::ALL_NODES),
            src: ip,
            dst: Ip::v6(ipv6::ALL_NODES),
        };
        self.advertise(&way, false);
    }

    fn send_solicitation(&mut self, way: &Way, message: &NeighborSolicitation) {
        let len = NeighborSolicitation::MAX_LEN - message.source_lladdr.map_or(8, |_| 0);
        let (src, dst) = (way.src.octets(), way.dst.octets());
        let sent = self.send_ipv6(way, len, HOP_LIMIT, |buf| {
            message.emit(buf, src, dst);
        });
        self.core.counters.host.ndp_solicitations += u64::from(sent);
    }

    /// Says that `way.src` is here; whether it went.
    fn advertise(&mut self, way: &Way, solicited: bool) -> bool {
        let message = NeighborAdvertisement {
            router: false,
            solicited,
            override_entry: true,
            target: way.src.octets(),
            target_lladdr: Some(self.core.link.mac),
        };
        let (src, dst) = (way.src.octets(), way.dst.octets());
        let len = NeighborAdvertisement::MAX_LEN;
        self.send_ipv6(way, len, HOP_LIMIT, |buf| {
            message.emit(buf, src, dst);
        })
    }

    /// Sends an ICMPv6 message of `len` bytes to the station whose frame it answers.
    pub(crate) fn send_icmpv6(
        &mut self,
        mac: MacAddr,
        src: Ip,
        dst: Ip,
        len: usize,
        write: impl FnOnce(&mut [u8]),
    ) -> bool {
        self.send_ipv6(&Way { mac, src, dst }, len, 64, write)
    }

    fn send_ipv6(
        &mut self,
        way: &Way,
        len: usize,
        hop_limit: u8,
        write: impl FnOnce(&mut [u8]),
    ) -> bool {
        let l2 = self.core.link.l2_len();
        let l4 = l2 + ipv6::Header::LEN;
        let Some(mut frame) = self.alloc_reply(l4 + len) else {
            return false;
        };
        let buf = frame.data_mut();
        let link = &self.core.link;
        link.emit_ethernet(buf, way.mac, ethernet::ETHERTYPE_IPV6);
        let (src, dst) = (way.src.octets(), way.dst.octets());
        // What a frame holds fits 16 bits.
        let header = ipv6::Header::new(src, dst, ipv6::NEXT_HEADER_ICMPV6, len as u16);
        ipv6::Header {
            hop_limit,
            ..header
        }
        .emit(&mut buf[l2..]);
        write(&mut buf[l4..]);
        link.tag_by_device(&mut frame);
        self.push(frame);
        true
    }
}

fn to_group_of(target: Ip, src: Ip) -> Way {
    let group = ipv6::solicited_node(target.octets());
    Way {
        mac: group_mac(group),
        src,
        dst: Ip::v6(group),
    }
}
