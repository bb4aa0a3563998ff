//! The first pass over a burst: what each frame is, whether it is intact and for us, and for TCP
//! its four-tuple and hash. Nothing is looked up here; what will be looked up is prefetched by
//! the caller once the whole burst has been parsed.

use core::ops::Range;

use wire::{FourTuple, Ip, MacAddr, ethernet, ipv4, tcp as wire_tcp};

use crate::core::Link;
use crate::counters::Host;
use crate::frame::{Frame, Verdict, tcp_intact};

/// What a frame turned out to be.
#[derive(Clone, Debug)]
pub(crate) enum Parsed {
    /// Counted and done with.
    Dropped,
    /// An ARP packet at this offset.
    Arp(usize),
    /// An IPv4 packet to us that is not TCP.
    Ipv4 {
        src_mac: MacAddr,
        /// Offset of the IP header.
        offset: usize,
        header: ipv4::Header,
        /// The payload, within the frame.
        payload: Range<usize>,
        /// Sent to a broadcast or multicast address: never answered by an error.
        broadcast: bool,
    },
    /// An intact TCP segment to us.
    Tcp(TcpFrame),
}

/// An intact TCP segment to us.
#[derive(Clone, Debug)]
pub(crate) struct TcpFrame {
    pub(crate) src_mac: MacAddr,
    pub(crate) tuple: FourTuple,
    pub(crate) header: wire_tcp::Header,
    /// The text, within the frame.
    pub(crate) text: Range<u16>,
    pub(crate) hash: u64,
    /// Where the tuple's connection probably is.
    pub(crate) hint: Option<u32>,
}

#[inline]
pub(crate) fn parse<F: Frame>(frame: &F, link: &Link, count: &mut Host) -> Parsed {
    let data = frame.data();
    count.rx_frames += 1;
    count.rx_bytes += data.len() as u64;
    let Ok((ethernet, offset)) = ethernet::Header::parse(data) else {
        count.drop_ethernet += 1;
        return Parsed::Dropped;
    };
    let to_us = ethernet.dst == link.mac;
    let vlan_ok = match (link.vlan, ethernet.vlan) {
        (None, None) => true,
        // Priority-tagged (VID 0) frames belong to the untagged network (802.1Q 6.9).
        (None, Some(tag)) => tag.vid() == 0,
        (Some(id), Some(tag)) => tag.vid() == id,
        (Some(_), None) => false,
    };
    if !vlan_ok
        || !(to_us || ethernet.dst.is_multicast())
        || ethernet.src.is_multicast()
        || ethernet.src == link.mac
    {
        count.drop_ethernet += 1;
        return Parsed::Dropped;
    }
    match ethernet.ethertype {
        ethernet::ETHERTYPE_IPV4 => ipv4(frame, link, count, &ethernet, offset, to_us),
        ethernet::ETHERTYPE_ARP => Parsed::Arp(offset),
        _ => {
            count.drop_ethertype += 1;
            Parsed::Dropped
        }
    }
}

#[inline]
fn ipv4<F: Frame>(
    frame: &F,
    link: &Link,
    count: &mut Host,
    ethernet: &ethernet::Header,
    offset: usize,
    to_us: bool,
) -> Parsed {
    let data = frame.data();
    let packet = &data[offset..];
    let Ok((header, payload)) = ipv4::Header::parse(packet) else {
        count.drop_ip_malformed += 1;
        return Parsed::Dropped;
    };
    let verdict = frame.rx_checksum();
    let intact = match verdict.ip {
        Verdict::Good => true,
        Verdict::Bad => false,
        Verdict::Unknown => ipv4::checksum_ok(packet),
    };
    if !intact {
        count.drop_ip_checksum += 1;
        return Parsed::Dropped;
    }
    //= RFC 1122 3.2.1.3
    //# A host MUST silently discard an incoming datagram containing
    //# an IP source address that is invalid by the rules of this
    //# section.
    if header.src[0] == 0 || header.src[0] == 127 || header.src[0] >= 224 {
        count.drop_ip_source += 1;
        return Parsed::Dropped;
    }
    if header.is_fragment() {
        count.drop_ip_fragment += 1;
        return Parsed::Dropped;
    }
    let (src, dst) = (Ip::v4(header.src), Ip::v4(header.dst));
    let broadcast = !to_us || !link.is_ours(dst);
    if broadcast && !link.is_broadcast(dst) {
        count.drop_ip_not_ours += 1;
        return Parsed::Dropped;
    }
    let payload = offset + payload.start..offset + payload.end;
    if header.protocol != ipv4::PROTOCOL_TCP {
        return Parsed::Ipv4 {
            src_mac: ethernet.src,
            offset,
            header,
            payload,
            broadcast,
        };
    }
    //= RFC 9293 3.9.2.3
    //# A TCP implementation MUST silently discard an incoming
    //# segment that is addressed to a broadcast or multicast address
    // And one that claims to come from where it goes.
    if broadcast || src == dst {
        count.drop_ip_not_ours += 1;
        return Parsed::Dropped;
    }
    let segment = &data[payload.clone()];
    if !tcp_intact(verdict.tcp, src, dst, segment) {
        count.drop_tcp_checksum += 1;
        return Parsed::Dropped;
    }
    let Ok((tcp, text)) = wire_tcp::Header::parse(segment) else {
        count.drop_tcp_malformed += 1;
        return Parsed::Dropped;
    };
    count.rx_segments += 1;
    Parsed::Tcp(TcpFrame {
        src_mac: ethernet.src,
        tuple: FourTuple {
            local: dst,
            remote: src,
            local_port: tcp.dst_port,
            remote_port: tcp.src_port,
        },
        header: tcp,
        // Within a frame, whose length an mbuf keeps in 16 bits; IPv4 total length is 16 bits too.
        text: (payload.start + text) as u16..payload.end as u16,
        hash: 0,
        hint: None,
    })
}
