//! ARP (RFC 826): answering, learning and asking; and whom to ask and what to announce, of both
//! families.

use tcp::time::Instant;
use wire::{Ip, MacAddr, arp, ethernet};

use crate::frame::{Frame, FramePool};
use crate::neighbor::{Learned, News, Solicit};
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
            let create = for_us && self.core.link.is_on_link(sender);
            let news = match packet.operation {
                arp::Operation::Reply if for_us => News::Advertisement {
                    solicited: true,
                    replace: true,
                },
                _ => News::Claim,
            };
            self.learn(now, sender, Some(packet.sha), news, create);
        }
        if for_us && packet.operation == arp::Operation::Request {
            let reply = packet.reply(self.core.link.mac);
            if self.send_arp(packet.sha, &reply) {
                self.core.counters.host.arp_replies += 1;
            }
        }
    }

    /// What a neighbour said, and who waited for it.
    pub(crate) fn learn(
        &mut self,
        now: Instant,
        ip: Ip,
        mac: Option<MacAddr>,
        news: News,
        create: bool,
    ) {
        match self.core.neighbors.learn(ip, mac, news, create, now) {
            Learned::Resolved(id) => self.core.wake_waiting(id),
            Learned::Full => self.core.counters.host.neighbor_table_full += 1,
            Learned::Known | Learned::Ignored => {}
        }
    }

    /// Sends the requests that neighbours need, as far as there is room.
    pub(crate) fn solicit(&mut self) {
        while self.has_room() {
            let Some(Solicit { ip, to }) = self.core.neighbors.next_solicit() else {
                return;
            };
            let Some(source) = self.core.link.source_for(ip) else {
                continue;
            };
            if !ip.is_v4() {
                self.solicit_v6(ip, source, to);
                continue;
            }
            let (target, source) = (ip.v4_octets(), source.v4_octets());
            let request = arp::Packet::request(self.core.link.mac, source, target);
            if self.send_arp(to.unwrap_or(MacAddr::BROADCAST), &request) {
                self.core.counters.host.arp_requests += 1;
            }
        }
    }

    /// Announces the addresses of the host (RFC 5227 2.3, RFC 4861 7.2.6), so that neighbours which
    /// knew another station by one learn at once; and asks for those that are being verified. As many
    /// as there is room for, the rest at the next call.
    pub(crate) fn announce(&mut self) {
        while self.has_room()
            && let Some(ip) = self.core.detection.next_question()
        {
            self.ask_for_duplicate(ip);
        }
        while self.has_room()
            && let Some(ip) = self.core.detection.next_announcement()
        {
            // Without a buffer it is as if lost on the way.
            if let Some(ip) = ip.as_v4() {
                let packet = arp::Packet::request(self.core.link.mac, ip, ip);
                self.send_arp(MacAddr::BROADCAST, &packet);
            } else {
                self.announce_v6(ip);
            }
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
        self.core.link.tag_by_device(&mut frame);
        self.push(frame);
        true
    }
}
