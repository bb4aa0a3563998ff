//! The first pass over a burst: what each frame is, whether it is intact and for us, and for TCP
//! its four-tuple and hash. Nothing is looked up here; what will be looked up is prefetched by
//! the caller once the whole burst has been parsed.

use core::ops::Range;

use wire::tcp_ipv4::{self, Checksums};
use wire::{FourTuple, Ip, MacAddr, Seq, ethernet, ipv4, ipv6, tcp as wire_tcp, tcp_ipv6};

use crate::counters::Host;
use crate::frame::{Frame, RxChecksum, Verdict, tcp_intact};
use crate::hash::Keyed;
use crate::link::Link;
use crate::slab::Hint;

/// What a frame turned out to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// Counted and done with.
    Dropped,
    /// An ARP packet.
    Arp,
    /// An IPv4 packet to us that is not TCP.
    Ipv4,
    /// The same, sent to everybody: never answered by an error.
    Ipv4Broadcast,
    /// An IPv6 packet to us that is not TCP, or whose extension headers are wrong.
    Ipv6,
    /// The same, sent to a group that we are in.
    Ipv6Multicast,
    /// An intact TCP segment to us.
    Tcp,
}

/// What parsing found in one frame. These are written in place and used again burst after burst:
/// a value this large costs more to move than to fill.
#[derive(Clone, Debug)]
pub(crate) struct Parsed {
    pub(crate) kind: Kind,
    pub(crate) src_mac: MacAddr,
    /// Offset of what follows the Ethernet header.
    pub(crate) offset: u16,
    /// The text of a TCP segment, within the frame.
    pub(crate) text: Range<u16>,
    pub(crate) tuple: FourTuple,
    pub(crate) header: wire_tcp::Header,
    pub(crate) hash: u64,
    /// Where the tuple's connection probably is.
    pub(crate) hint: Hint,
}

impl Parsed {
    pub(crate) const EMPTY: Parsed = Parsed {
        kind: Kind::Dropped,
        src_mac: MacAddr::ZERO,
        offset: 0,
        text: 0..0,
        tuple: FourTuple {
            local: Ip::UNSPECIFIED_V6,
            remote: Ip::UNSPECIFIED_V6,
            local_port: 0,
            remote_port: 0,
        },
        header: wire_tcp::Header {
            src_port: 0,
            dst_port: 0,
            seq: Seq(0),
            ack: Seq(0),
            flags: wire_tcp::Flags::EMPTY,
            window: 0,
            urgent: 0,
            options: wire_tcp::Options::NONE,
        },
        hash: 0,
        hint: Hint::Nowhere { insertions: 0 },
    };
}

/// Parses a burst, and shows `tcp` the tuple and hash of every segment in it as soon as they are known.
#[inline(never)] // a function of its own keeps its values in registers
pub(crate) fn parse_burst<F: Frame>(
    frames: &[F],
    link: &Link,
    key: &Keyed,
    count: &mut Host,
    burst: &mut [Parsed],
    tcp: impl Fn(bool, u64),
) {
    count.rx_frames += frames.len() as u64;
    let (mut bytes, mut segments, mut by_software) = (0, 0, 0);
    // Frames that come together are often for one address.
    let mut ours = Ip::UNSPECIFIED_V6;
    for (frame, parsed) in frames.iter().zip(burst) {
        bytes += frame.data().len() as u64;
        if let Some((is_v4, hash)) = short_way(frame, link, key, &mut ours, parsed) {
            segments += 1;
            by_software += left_to_software(frame);
            parsed.hash = hash;
            tcp(is_v4, hash);
        } else {
            long_way(frame, link, count, parsed);
            if parsed.kind == Kind::Tcp {
                parsed.hash = key.flow(&parsed.tuple);
                tcp(parsed.tuple.local.is_v4(), parsed.hash);
            }
        }
    }
    count.rx_bytes += bytes;
    count.rx_segments += segments;
    count.rx_segments_by_software += by_software;
}

/// 1 for a segment that the device left to software to verify.
#[inline(always)]
fn left_to_software<F: Frame>(frame: &F) -> u64 {
    u64::from(frame.rx_checksum().tcp == Verdict::Unknown)
}

/// The bit of an address, as a number of which the first byte is the least, that marks a group.
const GROUP: u64 = 1;
/// The address in such a number of eight bytes.
const ADDRESS: u64 = (1 << 48) - 1;

/// Reads what nearly every frame is: an intact TCP segment from one station to us, in the form
/// that `wire::tcp_ipv4` or `wire::tcp_ipv6` knows; returns whether it is IPv4, and the hash of its
/// four-tuple. `None` for anything else and for anything wrong: the long way finds out what it is. What is
/// taken here, that would take too. `ours` is an address that is known to be ours, or `::`.
#[inline(always)]
fn short_way<F: Frame>(
    frame: &F,
    link: &Link,
    key: &Keyed,
    ours: &mut Ip,
    parsed: &mut Parsed,
) -> Option<(bool, u64)> {
    let data = frame.data();
    let (ethernet, packet) = data.split_first_chunk::<{ ethernet::Header::LEN }>()?;
    // Two words that overlap: the destination, and the source with the EtherType behind it.
    let (to, from) = (ethernet.first_chunk()?, ethernet.last_chunk()?);
    let to = u64::from_le_bytes(*to) & ADDRESS;
    let from = u64::from_le_bytes(*from);
    let mut ethertype = ((from >> 48) as u16).swap_bytes();
    if to != link.mac_number || from & ADDRESS == to || from & GROUP != 0 {
        return None;
    }
    let (mut packet, mut offset) = (packet, ethernet::Header::LEN);
    if let Some(vlan) = link.vlan {
        let tag = match frame.stripped_vlan() {
            Some(tag) => ethernet::Tag(tag),
            None => {
                let ([t0, t1, e0, e1], rest) = packet.split_first_chunk::<4>()?;
                if ethertype != ethernet::ETHERTYPE_VLAN {
                    return None;
                }
                ethertype = u16::from_be_bytes([*e0, *e1]);
                (packet, offset) = (rest, ethernet::Header::LEN_TAGGED);
                ethernet::Tag(u16::from_be_bytes([*t0, *t1]))
            }
        };
        if tag.vid() != vlan {
            return None;
        }
    } else if frame.stripped_vlan().is_some() {
        return None;
    }
    let verdict = frame.rx_checksum();
    let is_v4 = ethertype == ethernet::ETHERTYPE_IPV4;
    let (text, hash) = if is_v4 {
        short_ipv4(packet, verdict, link, key, ours, parsed)?
    } else if ethertype == ethernet::ETHERTYPE_IPV6 {
        short_ipv6(packet, verdict, link, key, ours, parsed)?
    } else {
        return None;
    };
    parsed.kind = Kind::Tcp;
    let [_, _, _, _, _, _, src_mac @ .., _, _] = *ethernet;
    parsed.src_mac = MacAddr(src_mac);
    parsed.offset = offset as u16;
    parsed.tuple.local_port = parsed.header.dst_port;
    parsed.tuple.remote_port = parsed.header.src_port;
    let offset = offset as u16;
    // Within a frame, whose length an mbuf keeps in 16 bits.
    parsed.text = offset.wrapping_add(text.start)..offset.wrapping_add(text.end);
    Some((is_v4, hash))
}

/// Whether the host has the address; it is remembered in `ours` then.
#[inline(always)]
fn is_ours(ip: Ip, link: &Link, ours: &mut Ip) -> bool {
    if ip == *ours {
        return true;
    }
    let is_ours = link.is_ours(ip);
    if is_ours {
        *ours = ip;
    }
    is_ours
}

/// Addresses and TCP header of an intact IPv4 packet to us; where its text lies in it, and the hash.
#[inline(always)]
fn short_ipv4(
    packet: &[u8],
    verdict: RxChecksum,
    link: &Link,
    key: &Keyed,
    ours: &mut Ip,
    parsed: &mut Parsed,
) -> Option<(Range<u16>, u64)> {
    if verdict.ip == Verdict::Bad || verdict.tcp == Verdict::Bad {
        return None;
    }
    let checksums = Checksums {
        ip: verdict.ip == Verdict::Unknown,
        tcp: verdict.tcp == Verdict::Unknown,
    };
    let read = tcp_ipv4::parse(packet, checksums, &mut parsed.header)?;
    let dst = Ip::v4(read.dst);
    if is_impossible_source(read.src) || read.src == read.dst || !is_ours(dst, link, ours) {
        return None;
    }
    parsed.tuple.local = dst;
    parsed.tuple.remote = Ip::v4(read.src);
    Some((read.text, key.v4(read.dst, read.src, read.ports)))
}

/// The same of an IPv6 packet.
#[inline]
fn short_ipv6(
    packet: &[u8],
    verdict: RxChecksum,
    link: &Link,
    key: &Keyed,
    ours: &mut Ip,
    parsed: &mut Parsed,
) -> Option<(Range<u16>, u64)> {
    if verdict.tcp == Verdict::Bad {
        return None;
    }
    let verify = verdict.tcp == Verdict::Unknown;
    let read = tcp_ipv6::parse(packet, verify, &mut parsed.header)?;
    // `::` is nobody's, also where no address is known to be ours yet.
    let unspecified = read.dst == Ip::UNSPECIFIED_V6;
    if is_impossible_source_v6(read.src)
        || read.src == read.dst
        || unspecified
        || !is_ours(read.dst, link, ours)
    {
        return None;
    }
    parsed.tuple.local = read.dst;
    parsed.tuple.remote = read.src;
    Some((read.text, key.v6(read.dst, read.src, read.ports)))
}

//= RFC 1122 3.2.1.3
//# A host MUST silently discard an incoming datagram containing
//# an IP source address that is invalid by the rules of this
//# section.
#[inline(always)]
fn is_impossible_source(src: [u8; 4]) -> bool {
    src[0] == 0 || src[0] == 127 || src[0] >= 224
}

/// Whether no TCP segment and no question can come from there: a group, `::` or `::1`.
#[inline(always)]
pub(crate) fn is_impossible_source_v6(src: Ip) -> bool {
    let number = u128::from_be_bytes(src.octets());
    number <= 1 || number >> 120 == 0xff
}

/// Reads any frame, header by header, and counts what is wrong with it.
#[cold]
#[inline(never)]
fn long_way<F: Frame>(frame: &F, link: &Link, count: &mut Host, parsed: &mut Parsed) {
    parsed.kind = Kind::Dropped;
    let data = frame.data();
    let Ok((ethernet, offset)) = ethernet::Header::parse(data) else {
        count.drop_ethernet += 1;
        return;
    };
    let to_us = ethernet.dst == link.mac;
    let (tag, nested) = match (frame.stripped_vlan(), ethernet.vlan) {
        (None, tag) => (tag, false),
        (Some(tag), inner) => (Some(ethernet::Tag(tag)), inner.is_some()),
    };
    let vlan_ok = match (link.vlan, tag) {
        (None, None) => true,
        // Priority-tagged (VID 0) frames belong to the untagged network (802.1Q 6.9).
        (None, Some(tag)) => tag.vid() == 0,
        (Some(id), Some(tag)) => tag.vid() == id,
        (Some(_), None) => false,
    };
    if !vlan_ok
        || nested
        || !(to_us || ethernet.dst.is_multicast())
        || ethernet.src.is_multicast()
        || ethernet.src == link.mac
    {
        count.drop_ethernet += 1;
        return;
    }
    parsed.src_mac = ethernet.src;
    parsed.offset = offset as u16;
    match ethernet.ethertype {
        ethernet::ETHERTYPE_IPV4 => ipv4(frame, link, count, to_us, parsed),
        ethernet::ETHERTYPE_IPV6 => ipv6(frame, link, count, to_us, parsed),
        ethernet::ETHERTYPE_ARP => parsed.kind = Kind::Arp,
        _ => count.drop_ethertype += 1,
    }
}

fn ipv4<F: Frame>(frame: &F, link: &Link, count: &mut Host, to_us: bool, parsed: &mut Parsed) {
    let data = frame.data();
    let offset = usize::from(parsed.offset);
    let packet = &data[offset..];
    let Ok((header, payload)) = ipv4::Header::parse(packet) else {
        count.drop_ip_malformed += 1;
        return;
    };
    let verdict = frame.rx_checksum();
    let intact = match verdict.ip {
        Verdict::Good => true,
        Verdict::Bad => false,
        Verdict::Unknown => ipv4::checksum_ok(packet),
    };
    if !intact {
        count.drop_ip_checksum += 1;
        return;
    }
    if is_impossible_source(header.src) {
        count.drop_ip_source += 1;
        return;
    }
    if header.is_fragment() {
        count.drop_ip_fragment += 1;
        return;
    }
    let (src, dst) = (Ip::v4(header.src), Ip::v4(header.dst));
    let broadcast = !to_us || !link.is_ours(dst);
    if broadcast && !link.is_broadcast(dst) {
        count.drop_ip_not_ours += 1;
        return;
    }
    if header.protocol != ipv4::PROTOCOL_TCP {
        parsed.kind = match broadcast {
            true => Kind::Ipv4Broadcast,
            false => Kind::Ipv4,
        };
        return;
    }
    //= RFC 9293 3.9.2.3
    //# A TCP implementation MUST silently discard an incoming SYN
    //# segment that is addressed to a broadcast or multicast address
    // And one that claims to come from where it goes.
    if broadcast || src == dst {
        count.drop_ip_not_ours += 1;
        return;
    }
    parsed.tuple.local = dst;
    parsed.tuple.remote = src;
    let payload = offset + payload.start..offset + payload.end;
    segment(frame, payload, count, parsed);
}

fn ipv6<F: Frame>(frame: &F, link: &Link, count: &mut Host, to_us: bool, parsed: &mut Parsed) {
    let offset = usize::from(parsed.offset);
    let packet = &frame.data()[offset..];
    let Ok((header, payload)) = ipv6::Header::parse(packet) else {
        count.drop_ip_malformed += 1;
        return;
    };
    let (src, dst) = (Ip::v6(header.src), Ip::v6(header.dst));
    let unspecified = src == Ip::UNSPECIFIED_V6;
    // Without an address yet, a host asks whether it may have one.
    let probes = unspecified && header.next_header == ipv6::NEXT_HEADER_ICMPV6;
    if is_impossible_source_v6(src) && !probes {
        count.drop_ip_source += 1;
        return;
    }
    let multicast = ipv6::is_multicast(header.dst);
    let for_us = match multicast {
        true => link.is_in_group(header.dst),
        false => to_us && link.is_ours(dst),
    };
    if !for_us {
        count.drop_ip_not_ours += 1;
        return;
    }
    let upper = ipv6::walk(&packet[payload.clone()], header.next_header);
    let fragment = upper.as_ref().ok().and_then(|upper| upper.fragment);
    if fragment.is_some_and(|f| !f.is_atomic()) {
        count.drop_ip_fragment += 1;
        return;
    }
    match upper {
        Ok(upper) if upper.protocol == ipv6::NEXT_HEADER_TCP => {
            //= RFC 9293 3.9.2.3
            //# A TCP implementation MUST silently discard an incoming SYN
            //# segment that is addressed to a broadcast or multicast address
            if multicast || src == dst {
                count.drop_ip_not_ours += 1;
                return;
            }
            parsed.tuple.local = dst;
            parsed.tuple.remote = src;
            let start = offset + payload.start + upper.offset;
            segment(frame, start..offset + payload.end, count, parsed);
        }
        // What is to be said of wrong headers is said later, too.
        _ => {
            parsed.kind = match multicast {
                true => Kind::Ipv6Multicast,
                false => Kind::Ipv6,
            }
        }
    }
}

/// Reads the TCP segment that lies at `range` of the frame, between the addresses of `parsed`.
fn segment<F: Frame>(frame: &F, range: Range<usize>, count: &mut Host, parsed: &mut Parsed) {
    let (src, dst) = (parsed.tuple.remote, parsed.tuple.local);
    let segment = &frame.data()[range.clone()];
    if !tcp_intact(frame.rx_checksum().tcp, src, dst, segment) {
        count.drop_tcp_checksum += 1;
        return;
    }
    let Ok((tcp, text)) = wire_tcp::Header::parse(segment) else {
        count.drop_tcp_malformed += 1;
        return;
    };
    count.rx_segments += 1;
    count.rx_segments_by_software += left_to_software(frame);
    parsed.kind = Kind::Tcp;
    parsed.tuple.local_port = tcp.dst_port;
    parsed.tuple.remote_port = tcp.src_port;
    parsed.header = tcp;
    // Within a frame, whose length an mbuf keeps in 16 bits.
    parsed.text = (range.start + text) as u16..range.end as u16;
}

#[cfg(test)]
mod tests;
