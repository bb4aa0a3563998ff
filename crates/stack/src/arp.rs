//! ARP (RFC 826): answering, learning, asking and announcing.

use tcp::time::Instant;
use wire::{Ip, MacAddr, arp, ethernet};

use crate::frame::{Frame, FramePool};
use crate::neighbor::{Learned, Solicit};
use crate::stack::Stack;

impl<A, P: FramePool> Stack<A, P> {
    pub(crate) fn on_arp(&mut self, now: Instant, packet: &[u8]) {
        let Ok(packet) = arp::Packet::parse(packet) else {
            self.core.counters.host.drop_arp += 1;
            return;
        };
        let sender = Ip::v4(packet.spa);
        if !packet.sha.is_unicast() || packet.sha == MacAddr::ZERO {
            self.core.counters.host.drop_arp += 1;
            return;
        }
        if self.core.link.is_ours(sender) {
            // RFC 5227 2.4: somebody else uses our address. It is ours by configuration: we keep it,
            // learn nothing, and count.
            self.core.counters.host.arp_conflicts += 1;
            return;
        }
        let for_us = self.core.link.is_ours(Ip::v4(packet.tpa));
        //= RFC 826
        //# If the pair <protocol type, sender protocol address> is
        //# already in my translation table, update the sender
        //# hardware address field of the entry with the new
        //# information in the packet
        // A probe (RFC 5227) has no sender address; nothing is to be learnt from it.
        if packet.spa != [0; 4] {
            let on_link = self.core.link.addresses.iter().any(|a| a.on_link(sender));
            let create = for_us && on_link;
            match self.core.neighbors.learn(sender, packet.sha, create, now) {
                Learned::Resolved(id) => self.core.wake_waiting(id),
                Learned::Full => self.core.counters.host.neighbor_table_full += 1,
                Learned::Known | Learned::Ignored => {}
            }
        }
        if for_us && packet.operation == arp::Operation::Request {
            let reply = packet.reply(self.core.link.mac);
            if self.send_arp(packet.sha, &reply) {
                self.core.counters.host.arp_replies += 1;
            }
        }
    }

    /// Sends the requests that neighbours need, as far as there is room.
    pub(crate) fn solicit(&mut self) {
        while self.has_room() {
            let Some(Solicit { ip, to }) = self.core.neighbors.next_solicit() else {
                return;
            };
            let (Some(target), Some(source)) = (ip.as_v4(), self.core.link.source_for(ip)) else {
                continue;
            };
            let request = arp::Packet::request(self.core.link.mac, source, target);
            if self.send_arp(to.unwrap_or(MacAddr::BROADCAST), &request) {
                self.core.counters.host.arp_requests += 1;
            }
        }
    }

    /// Announces the addresses of the host (RFC 5227 2.3), so that neighbours which knew another
    /// station by one learn at once: as many as there is room for, the rest at the next call.
    pub(crate) fn announce(&mut self) {
        while let Some(address) = self.core.link.addresses.get(self.announced)
            && self.has_room()
        {
            if let Some(ip) = address.ip.as_v4() {
                let packet = arp::Packet::request(self.core.link.mac, ip, ip);
                // Without a buffer it is as if lost on the way.
                self.send_arp(MacAddr::BROADCAST, &packet);
            }
            self.announced += 1;
        }
    }

    fn send_arp(&mut self, to: MacAddr, packet: &arp::Packet) -> bool {
        let l2 = self.core.link.l2_len();
        let Some(mut frame) = self.alloc_reply(l2 + arp::Packet::LEN) else {
            return false;
        };
        let buf = frame.data_mut();
        self.core
            .link
            .emit_ethernet(buf, to, ethernet::ETHERTYPE_ARP);
        packet.emit(&mut buf[l2..]);
        self.push(frame);
        true
    }
}
