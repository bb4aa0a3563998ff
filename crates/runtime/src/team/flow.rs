//! Which connection a received frame belongs to, as far as its headers say.

use wire::{FourTuple, Ip, ethernet, icmpv4, icmpv6, ipv4, ipv6, tcp};

/// The four-tuple of the TCP segment in `frame`, as the host has it that receives it; or of the segment
/// that an ICMP error in it quotes, which that host has sent. `None` if there is none, or the frame is
/// malformed. Checksums of TCP are for the stack to verify.
pub(super) fn of(frame: &[u8]) -> Option<FourTuple> {
    let (header, at) = ethernet::Header::parse(frame).ok()?;
    let packet = frame.get(at..)?;
    match header.ethertype {
        ethernet::ETHERTYPE_IPV4 => of_ipv4(packet),
        ethernet::ETHERTYPE_IPV6 => of_ipv6(packet),
        _ => None,
    }
}

/// Whether `frame` is TCP in the one form that every device with RSS for TCP spreads by its ports: no
/// tag, no IP options or extension headers, no fragment.
#[inline]
pub(super) fn is_plain_tcp(frame: &[u8]) -> bool {
    match frame.get(12..24) {
        Some([0x08, 0x00, 0x45, _, _, _, _, _, flags, offset, _, protocol]) => {
            *protocol == ipv4::PROTOCOL_TCP && flags & 0x3f == 0 && *offset == 0
        }
        Some([0x86, 0xdd, _, _, _, _, _, _, next_header, ..]) => {
            *next_header == ipv6::NEXT_HEADER_TCP
        }
        _ => false,
    }
}

fn of_ipv4(packet: &[u8]) -> Option<FourTuple> {
    let (header, payload) = ipv4::Header::parse(packet).ok()?;
    let payload = packet.get(payload)?;
    if header.is_fragment() {
        return None;
    }
    match header.protocol {
        ipv4::PROTOCOL_TCP => received(Ip::v4(header.src), Ip::v4(header.dst), payload),
        ipv4::PROTOCOL_ICMP => match icmpv4::Message::parse(payload).ok()? {
            icmpv4::Message::DestinationUnreachable { original, .. }
            | icmpv4::Message::TimeExceeded { original, .. }
            | icmpv4::Message::ParameterProblem { original, .. } => {
                let original = payload.get(original)?;
                let quoted = ipv4::Header::parse_quoted(original).ok()?;
                let segment = original.get(usize::from(quoted.header_len)..)?;
                let is_tcp = quoted.protocol == ipv4::PROTOCOL_TCP;
                is_tcp.then_some(())?;
                sent(Ip::v4(quoted.src), Ip::v4(quoted.dst), segment)
            }
            _ => None,
        },
        _ => None,
    }
}

fn of_ipv6(packet: &[u8]) -> Option<FourTuple> {
    let (header, payload) = ipv6::Header::parse(packet).ok()?;
    let payload = packet.get(payload)?;
    let upper = ipv6::walk(payload, header.next_header).ok()?;
    if upper.fragment.is_some_and(|fragment| !fragment.is_atomic()) {
        return None;
    }
    let payload = payload.get(upper.offset..)?;
    match upper.protocol {
        ipv6::NEXT_HEADER_TCP => received(Ip::v6(header.src), Ip::v6(header.dst), payload),
        ipv6::NEXT_HEADER_ICMPV6 => {
            let context = icmpv6::Context {
                src: header.src,
                dst: header.dst,
                hop_limit: header.hop_limit,
            };
            match icmpv6::Message::parse(&context, payload).ok()? {
                icmpv6::Message::DestinationUnreachable { original, .. }
                | icmpv6::Message::PacketTooBig { original, .. }
                | icmpv6::Message::TimeExceeded { original, .. }
                | icmpv6::Message::ParameterProblem { original, .. } => {
                    let original = payload.get(original)?;
                    let quoted = ipv6::Header::parse_quoted(original).ok()?;
                    let segment = original.get(ipv6::Header::LEN..)?;
                    let is_tcp = quoted.next_header == ipv6::NEXT_HEADER_TCP;
                    is_tcp.then_some(())?;
                    sent(Ip::v6(quoted.src), Ip::v6(quoted.dst), segment)
                }
                _ => None,
            }
        }
        _ => None,
    }
}

fn received(remote: Ip, local: Ip, segment: &[u8]) -> Option<FourTuple> {
    let ports = tcp::Quoted::parse(segment).ok()?;
    Some(FourTuple {
        local,
        remote,
        local_port: ports.dst_port,
        remote_port: ports.src_port,
    })
}

fn sent(local: Ip, remote: Ip, segment: &[u8]) -> Option<FourTuple> {
    let ports = tcp::Quoted::parse(segment).ok()?;
    Some(FourTuple {
        local,
        remote,
        local_port: ports.src_port,
        remote_port: ports.dst_port,
    })
}

#[cfg(test)]
mod tests;
