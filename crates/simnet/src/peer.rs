//! A station without a stack: it sends what a test makes by hand and records what arrives.

use std::collections::VecDeque;

use tcp::time::Instant;
use wire::icmpv6::{Message, ndp};
use wire::{Ip, MacAddr, arp};

use crate::craft::{self, Addresses};
use crate::decode::{self, Packet, Segment};

/// A frame that arrived at a peer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Received {
    /// When.
    pub at: Instant,
    /// The frame.
    pub frame: Vec<u8>,
}

/// A station without a stack. It answers ARP and neighbour solicitations for its address, unless told
/// not to, and nothing else.
#[derive(Clone, Debug)]
pub struct Peer {
    /// Its Ethernet address.
    pub mac: MacAddr,
    /// Its address.
    pub ip: Ip,
    /// Whether it answers ARP requests and neighbour solicitations for its address.
    pub answers_arp: bool,
    /// What has arrived and was not taken, ARP and neighbour discovery included.
    pub inbox: VecDeque<Received>,
}

impl Peer {
    /// A peer with nothing in its inbox that answers ARP and neighbour solicitations.
    #[must_use]
    pub fn new(mac: MacAddr, ip: Ip) -> Peer {
        Peer {
            mac,
            ip,
            answers_arp: true,
            inbox: VecDeque::new(),
        }
    }

    /// The addresses of a frame from this peer to the station that has `mac` and `ip`.
    #[must_use]
    pub fn to(&self, mac: MacAddr, ip: Ip) -> Addresses {
        Addresses {
            src_mac: self.mac,
            dst_mac: mac,
            src: self.ip,
            dst: ip,
        }
    }

    /// Takes everything that has arrived.
    pub fn take(&mut self) -> Vec<Received> {
        self.inbox.drain(..).collect()
    }

    /// Takes everything that has arrived and returns the TCP segments of it, with their text.
    pub fn take_segments(&mut self) -> Vec<(Segment, Vec<u8>)> {
        self.inbox
            .drain(..)
            .filter_map(|received| {
                let segment = decode::segment(&received.frame)?;
                let text = received.frame[segment.text.clone()].to_vec();
                Some((segment, text))
            })
            .collect()
    }

    /// A frame arrives; returns the answer that ARP or neighbour discovery asks for.
    pub(crate) fn receive(&mut self, at: Instant, frame: Vec<u8>) -> Option<Vec<u8>> {
        let reply = match decode::packet(&frame) {
            Packet::Arp(packet)
                if self.answers_arp
                    && packet.operation == arp::Operation::Request
                    && Ip::v4(packet.tpa) == self.ip
                    && packet.spa != packet.tpa =>
            {
                Some(craft::arp(packet.sha, &packet.reply(self.mac)))
            }
            Packet::Icmpv6 {
                src,
                message: Message::NeighborSolicitation(asked),
                ..
            } if self.answers_arp
                && Ip::v6(asked.target) == self.ip
                && src != Ip::UNSPECIFIED_V6 =>
            {
                let to = self.to(asked.source_lladdr.unwrap_or(MacAddr::BROADCAST), src);
                let answer = ndp::NeighborAdvertisement {
                    router: false,
                    solicited: true,
                    override_entry: true,
                    target: asked.target,
                    target_lladdr: Some(self.mac),
                };
                Some(craft::neighbor_advertisement(&to, &answer))
            }
            _ => None,
        };
        self.inbox.push_back(Received { at, frame });
        reply
    }
}
