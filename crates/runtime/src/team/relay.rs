//! ARP and neighbour discovery among the workers of a port. A device spreads TCP over its queues and gives the rest to one
//! of them, so that only that worker would ever learn where neighbours are: it tells the others. Of a question they are told
//! where it came from, as if that station had announced itself: whoever asks may have changed, and all have connections to it.
//!
//! Nothing of this is on the path of a TCP segment but a look at the EtherType, and not even that
//! when a port has one worker.

use std::sync::Arc;

use crossbeam::queue::ArrayQueue;
use wire::icmpv6::{Context, Message, ndp};
use wire::{MacAddr, arp, ethernet, ipv6};

/// Frames that wait for a worker at most; more are dropped, as a network may.
const QUEUE: usize = 64;
/// The longest packet that is passed on: an advertisement with its option.
const MAX_PACKET: usize = ipv6::Header::LEN + ndp::NeighborAdvertisement::MAX_LEN;
const _: () = assert!(MAX_PACKET >= arp::Packet::LEN);
/// The longest frame: Ethernet with a tag, and that.
const MAX_FRAME: usize = ethernet::Header::LEN_TAGGED + MAX_PACKET;

/// A frame about a neighbour, without padding.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NeighborFrame {
    octets: [u8; MAX_FRAME],
    len: usize,
}

impl NeighborFrame {
    /// The frame's octets.
    pub(crate) fn data(&self) -> &[u8] {
        &self.octets[..self.len]
    }

    /// What others of this host have to learn from `frame`, if it is something.
    /// A `stripped` tag is put back: others are given the frame as it was on the wire.
    fn of_interest(frame: &[u8], stripped: Option<u16>) -> Option<NeighborFrame> {
        let (mut header, at) = ethernet::Header::parse(frame).ok()?;
        let mut news = [0; MAX_PACKET];
        let len = match header.ethertype {
            ethernet::ETHERTYPE_ARP => arp_news(&frame[at..], &mut news)?,
            ethernet::ETHERTYPE_IPV6 => ndp_news(&frame[at..], &mut header.dst, &mut news)?,
            _ => return None,
        };
        if let Some(tag) = stripped {
            // One within another is nothing that a host reads.
            if header.vlan.replace(ethernet::Tag(tag)).is_some() {
                return None;
            }
        }
        let mut octets = [0; MAX_FRAME];
        let at = header.emit(&mut octets);
        octets.get_mut(at..at + len)?.copy_from_slice(&news[..len]);
        Some(NeighborFrame {
            octets,
            len: at + len,
        })
    }
}

/// What there is to learn from an ARP packet: its length in `news`. A question is answered by the worker that received it,
/// once; the others are told who asked.
fn arp_news(packet: &[u8], news: &mut [u8; MAX_PACKET]) -> Option<usize> {
    let mut packet = arp::Packet::parse(packet).ok()?;
    if packet.operation == arp::Operation::Request && packet.spa != packet.tpa {
        // A probe (RFC 5227) does not say who asks.
        if packet.spa == [0; 4] {
            return None;
        }
        packet = arp::Packet::request(packet.sha, packet.spa, packet.spa);
    }
    packet.emit(news);
    Some(arp::Packet::LEN)
}

/// The same of neighbour discovery. `to`: where the frame went, and where the news goes.
fn ndp_news(packet: &[u8], to: &mut MacAddr, news: &mut [u8; MAX_PACKET]) -> Option<usize> {
    let (header, payload) = ipv6::Header::parse(packet).ok()?;
    if header.next_header != ipv6::NEXT_HEADER_ICMPV6 {
        return None;
    }
    let context = Context {
        src: header.src,
        dst: header.dst,
        hop_limit: header.hop_limit,
    };
    match Message::parse(&context, &packet[payload.clone()]).ok()? {
        Message::NeighborAdvertisement(_) => {
            let packet = packet.get(..payload.end)?;
            news.get_mut(..packet.len())?.copy_from_slice(packet);
            Some(packet.len())
        }
        Message::NeighborSolicitation(question) => {
            let announcement = ndp::NeighborAdvertisement {
                router: false,
                solicited: false,
                override_entry: true,
                target: header.src,
                // Without it, or from nowhere (RFC 4862 5.4.2), it does not say who asks.
                target_lladdr: Some(question.source_lladdr?),
            };
            let dst = ipv6::ALL_NODES;
            let len = ndp::NeighborAdvertisement::MAX_LEN;
            let next = ipv6::NEXT_HEADER_ICMPV6;
            let header = ipv6::Header {
                hop_limit: ndp::HOP_LIMIT,
                ..ipv6::Header::new(header.src, dst, next, len as u16)
            };
            header.emit(news);
            announcement.emit(&mut news[ipv6::Header::LEN..], header.src, dst);
            *to = MacAddr([0x33, 0x33, 0, 0, 0, 1]);
            Some(MAX_PACKET)
        }
        _ => None,
    }
}

/// One worker's end: what the others tell it, and where it tells them.
#[derive(Debug)]
pub(crate) struct Relay {
    inbox: Arc<ArrayQueue<NeighborFrame>>,
    others: Vec<Arc<ArrayQueue<NeighborFrame>>>,
}

impl Relay {
    /// One end for each of `workers`.
    pub(crate) fn among(workers: usize) -> Vec<Relay> {
        let inboxes: Vec<_> = (0..workers)
            .map(|_| Arc::new(ArrayQueue::new(QUEUE)))
            .collect();
        let others = |mine: usize| {
            let others = inboxes.iter().enumerate().filter(move |(i, _)| *i != mine);
            others.map(|(_, inbox)| Arc::clone(inbox)).collect()
        };
        (0..workers)
            .map(|mine| Relay {
                inbox: Arc::clone(&inboxes[mine]),
                others: others(mine),
            })
            .collect()
    }

    /// Tells the others what is in a received `frame`, if it concerns them. `stripped` is the tag that the
    /// device took off.
    #[inline]
    pub(crate) fn pass_on(&self, frame: &[u8], stripped: Option<u16>) {
        if self.others.is_empty() {
            return;
        }
        // IPv4 and TCP over IPv6 without a tag, as nearly everything is.
        match frame.get(12..21) {
            Some([0x08, 0x00, ..] | [0x86, 0xdd, .., ipv6::NEXT_HEADER_TCP]) => {}
            _ => self.pass_on_if_of_interest(frame, stripped),
        }
    }

    #[cold]
    fn pass_on_if_of_interest(&self, frame: &[u8], stripped: Option<u16>) {
        if let Some(frame) = NeighborFrame::of_interest(frame, stripped) {
            for other in &self.others {
                // A full inbox loses it: the neighbour is asked again.
                let _ = other.push(frame);
            }
        }
    }

    /// What another worker has passed on.
    pub(crate) fn take(&self) -> Option<NeighborFrame> {
        self.inbox.pop()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::ethernet::Tag;

    const PEER: MacAddr = MacAddr([2, 0, 0, 0, 0, 9]);

    fn frame(vlan: Option<u16>, packet: &arp::Packet) -> Vec<u8> {
        let header = ethernet::Header {
            dst: MacAddr([2, 0, 0, 0, 0, 1]),
            src: PEER,
            vlan: vlan.map(Tag::new),
            ethertype: ethernet::ETHERTYPE_ARP,
        };
        // The minimum of Ethernet: padded.
        let mut frame = vec![0; 60];
        let at = header.emit(&mut frame);
        packet.emit(&mut frame[at..]);
        frame
    }

    fn reply() -> arp::Packet {
        arp::Packet::request(MacAddr([2, 0, 0, 0, 0, 1]), [192, 0, 2, 1], [192, 0, 2, 9])
            .reply(PEER)
    }

    #[test]
    fn the_others_hear_of_replies_and_announcements() {
        let relays = Relay::among(3);
        for vlan in [None, Some(5)] {
            let announcement = arp::Packet::request(PEER, [192, 0, 2, 9], [192, 0, 2, 9]);
            for packet in [reply(), announcement] {
                let frame = frame(vlan, &packet);
                relays[1].pass_on(&frame, None);
                assert!(relays[1].take().is_none());
                for other in [&relays[0], &relays[2]] {
                    let passed = other.take().unwrap();
                    let at = if vlan.is_some() { 18 } else { 14 };
                    assert_eq!(passed.data(), &frame[..at + 28]);
                }
            }
        }
    }

    #[test]
    fn a_tag_that_the_device_took_off_is_put_back() {
        let relays = Relay::among(2);
        let tagged = frame(Some(5), &reply());
        let mut untagged = tagged.clone();
        untagged.drain(12..16);
        relays[0].pass_on(&untagged, Some(5));
        assert_eq!(relays[1].take().unwrap().data(), &tagged[..18 + 28]);
        relays[0].pass_on(&tagged, Some(6));
        assert!(relays[1].take().is_none());
    }

    #[test]
    fn the_others_hear_of_advertisements_and_of_who_solicits() {
        let relays = Relay::among(2);
        let (src, dst) = ([0xfd; 16], [0xfc; 16]);
        let ipv6 = |write: &dyn Fn(&mut [u8]) -> usize| {
            let mut frame = vec![0; 14 + 40 + 32];
            let ethernet = ethernet::Header {
                dst: MacAddr([2, 0, 0, 0, 0, 1]),
                src: PEER,
                vlan: None,
                ethertype: ethernet::ETHERTYPE_IPV6,
            };
            ethernet.emit(&mut frame);
            let len = write(&mut frame[54..]);
            let header = ipv6::Header::new(src, dst, ipv6::NEXT_HEADER_ICMPV6, len as u16);
            let hop_limit = ndp::HOP_LIMIT;
            ipv6::Header {
                hop_limit,
                ..header
            }
            .emit(&mut frame[14..]);
            frame
        };
        let advertisement = ndp::NeighborAdvertisement {
            router: false,
            solicited: true,
            override_entry: true,
            target: src,
            target_lladdr: Some(PEER),
        };
        let solicitation = ndp::NeighborSolicitation {
            target: dst,
            source_lladdr: Some(PEER),
        };
        relays[0].pass_on(&ipv6(&|buf| solicitation.emit(buf, src, dst)), None);
        let told = relays[1].take().unwrap();
        let (ethernet, at) = ethernet::Header::parse(told.data()).unwrap();
        assert_eq!(ethernet.dst, MacAddr([0x33, 0x33, 0, 0, 0, 1]));
        let (header, payload) = ipv6::Header::parse(&told.data()[at..]).unwrap();
        let context = Context {
            src: header.src,
            dst: header.dst,
            hop_limit: header.hop_limit,
        };
        let message = Message::parse(&context, &told.data()[at..][payload]).unwrap();
        let announced = ndp::NeighborAdvertisement {
            solicited: false,
            ..advertisement
        };
        assert_eq!(message, Message::NeighborAdvertisement(announced));
        // One that does not say where it comes from tells nothing.
        let anonymous = ndp::NeighborSolicitation {
            source_lladdr: None,
            ..solicitation
        };
        relays[0].pass_on(&ipv6(&|buf| anonymous.emit(buf, src, dst)), None);
        assert!(relays[1].take().is_none());
        let frame = ipv6(&|buf| advertisement.emit(buf, src, dst));
        relays[0].pass_on(&frame, None);
        assert_eq!(relays[1].take().unwrap().data(), frame);
    }

    #[test]
    fn the_others_hear_who_asks() {
        let relays = Relay::among(2);
        let question = arp::Packet::request(PEER, [192, 0, 2, 9], [192, 0, 2, 1]);
        relays[0].pass_on(&frame(Some(5), &question), None);
        let announcement = arp::Packet::request(PEER, [192, 0, 2, 9], [192, 0, 2, 9]);
        let frame = frame(Some(5), &announcement);
        assert_eq!(relays[1].take().unwrap().data(), &frame[..18 + 28]);
    }

    #[test]
    fn probes_and_everything_else_stay() {
        let relays = Relay::among(2);
        let probe = arp::Packet::request(PEER, [0; 4], [192, 0, 2, 1]);
        relays[0].pass_on(&frame(None, &probe), None);
        let mut ipv4 = frame(None, &reply());
        ipv4[12..14].copy_from_slice(&[0x08, 0x00]);
        relays[0].pass_on(&ipv4, None);
        for len in 0..42 {
            relays[0].pass_on(&frame(None, &reply())[..len], None);
        }
        assert!(relays[1].take().is_none());
    }

    #[test]
    fn a_full_inbox_loses_the_rest() {
        let relays = Relay::among(2);
        (0..QUEUE + 5).for_each(|_| relays[0].pass_on(&frame(None, &reply()), None));
        let taken = std::iter::from_fn(|| relays[1].take()).count();
        assert_eq!(taken, QUEUE);
    }

    #[test]
    fn alone_there_is_nobody_to_tell() {
        let relays = Relay::among(1);
        relays[0].pass_on(&frame(None, &reply()), None);
        assert!(relays[0].take().is_none());
    }
}
