//! ICMPv6 (RFC 4443): echo is answered, what cannot be delivered or understood is said to be so, and
//! errors about our connections are noted.

use tcp::CloseReason;
use tcp::time::Instant;
use wire::icmpv6::{self, Context, Message, Report};
use wire::ipv6::{self, OptionAction};
use wire::{FourTuple, Ip, MacAddr, tcp as wire_tcp};

use crate::frame::FramePool;
use crate::parse::is_impossible_source_v6;
use crate::stack::Stack;

/// The least MTU of an IPv6 link (RFC 8200 5).
const LEAST_MTU: u32 = 1280;
/// Offset of the next header field in the fixed header.
const NEXT_HEADER_AT: u32 = 6;

impl<A, P: FramePool> Stack<A, P> {
    /// An IPv6 packet to us that is not TCP, or whose extension headers are wrong.
    pub(crate) fn on_ipv6(
        &mut self,
        now: Instant,
        src_mac: MacAddr,
        packet: &[u8],
        multicast: bool,
    ) {
        // It was parsed before, so this cannot fail.
        let Ok((header, payload)) = ipv6::Header::parse(packet) else {
            return;
        };
        let packet = &packet[..payload.end];
        let extensions = ipv6::walk(&packet[payload.clone()], header.next_header);
        let report = match extensions {
            Ok(upper) if upper.protocol == ipv6::NEXT_HEADER_ICMPV6 => {
                let message = &packet[payload.start + upper.offset..];
                self.on_icmpv6(now, src_mac, &header, message, multicast);
                return;
            }
            Ok(upper) => {
                self.core.counters.host.drop_ip_protocol += 1;
                match upper.protocol {
                    ipv6::NEXT_HEADER_NONE => return,
                    //= RFC 4443 3.1
                    //# A destination node SHOULD originate a Destination Unreachable message
                    //# with Code 4 in response to a packet for which the transport protocol
                    //# (e.g., UDP) has no listener
                    ipv6::NEXT_HEADER_UDP => Report::DestinationUnreachable {
                        code: icmpv6::CODE_PORT_UNREACHABLE,
                    },
                    //= RFC 8200 4
                    //# If, as a result of processing a header, the destination node is
                    //# required to proceed to the next header but the Next Header value in
                    //# the current header is unrecognized by the node, it should discard the
                    //# packet and send an ICMP Parameter Problem message
                    _ => Report::ParameterProblem {
                        code: icmpv6::CODE_UNRECOGNIZED_NEXT_HEADER,
                        pointer: upper.named_at.map_or(NEXT_HEADER_AT, pointer),
                    },
                }
            }
            Err(error) => {
                self.core.counters.host.drop_ip_malformed += 1;
                let (code, offset) = match error {
                    ipv6::Error::RoutingType { offset } => (icmpv6::CODE_ERRONEOUS_FIELD, offset),
                    ipv6::Error::HopByHopNotFirst { offset } => {
                        (icmpv6::CODE_UNRECOGNIZED_NEXT_HEADER, offset)
                    }
                    ipv6::Error::UnknownOption { offset, action } => {
                        match action {
                            OptionAction::Discard => return,
                            OptionAction::ReportUnicast if multicast => return,
                            OptionAction::ReportUnicast => {}
                            OptionAction::Report => {
                                let pointer = pointer(offset);
                                let code = icmpv6::CODE_UNRECOGNIZED_OPTION;
                                let report = Report::ParameterProblem { code, pointer };
                                self.send_report(now, src_mac, &header, packet, report);
                                return;
                            }
                        }
                        (icmpv6::CODE_UNRECOGNIZED_OPTION, offset)
                    }
                    _ => return,
                };
                Report::ParameterProblem {
                    code,
                    pointer: pointer(offset),
                }
            }
        };
        //= RFC 4443 2.4
        //# (e) An ICMPv6 error message MUST NOT be originated as a result of
        //#     receiving the following:
        //#     [...]
        //#     (e.3) A packet destined to an IPv6 multicast address.
        if !multicast {
            self.send_report(now, src_mac, &header, packet, report);
        }
    }

    fn on_icmpv6(
        &mut self,
        now: Instant,
        src_mac: MacAddr,
        header: &ipv6::Header,
        bytes: &[u8],
        multicast: bool,
    ) {
        let context = Context {
            src: header.src,
            dst: header.dst,
            hop_limit: header.hop_limit,
        };
        let (src, dst) = (Ip::v6(header.src), Ip::v6(header.dst));
        let message = match Message::parse(&context, bytes) {
            Ok(message) => message,
            Err(icmpv6::Error::HopLimit | icmpv6::Error::Neighbor) => {
                self.core.counters.host.drop_ndp += 1;
                return;
            }
            Err(_) => {
                self.core.counters.host.drop_icmp += 1;
                return;
            }
        };
        match message {
            Message::NeighborSolicitation(message) => {
                self.on_solicitation(now, src, src_mac, &message);
            }
            Message::NeighborAdvertisement(message) => self.on_advertisement(now, &message),
            Message::EchoRequest { ident, seq, data } if !is_impossible_source_v6(src) => {
                //= RFC 4443 4.2
                //# The source address of an Echo Reply sent in response to a unicast
                //# Echo Request message MUST be the same as the destination address of
                //# that Echo Request message.
                let from = match multicast {
                    true => self.core.link.source_for(src),
                    false => Some(dst),
                };
                if let Some(from) = from {
                    self.echo(now, src_mac, (from, src), (ident, seq), &bytes[data]);
                }
            }
            Message::PacketTooBig { mtu, original } => {
                let quoted = self.quoted_v6(&bytes[original]);
                self.on_packet_too_big(quoted, mtu);
            }
            Message::DestinationUnreachable { code, original } => {
                // RFC 5461 2.2 says which are hard.
                let hard = match code {
                    icmpv6::CODE_PORT_UNREACHABLE => Some(CloseReason::Refused),
                    icmpv6::CODE_ADMINISTRATIVELY_PROHIBITED => Some(CloseReason::Unreachable),
                    _ => None,
                };
                self.on_icmp_error(self.quoted_v6(&bytes[original]), hard);
            }
            Message::ParameterProblem { code, original, .. } => {
                let hard = match code {
                    icmpv6::CODE_UNRECOGNIZED_NEXT_HEADER => Some(CloseReason::Unreachable),
                    _ => None,
                };
                self.on_icmp_error(self.quoted_v6(&bytes[original]), hard);
            }
            Message::TimeExceeded { original, .. } => {
                self.on_icmp_error(self.quoted_v6(&bytes[original]), None);
            }
            _ => self.core.counters.host.drop_icmp += 1,
        }
    }

    fn echo(
        &mut self,
        now: Instant,
        mac: MacAddr,
        (from, to): (Ip, Ip),
        (ident, seq): (u16, u16),
        data: &[u8],
    ) {
        if !self.core.echo_replies.allow(now) {
            self.core.counters.host.replies_limited += 1;
            return;
        }
        let len = icmpv6::HEADER_LEN + data.len();
        let sent = self.send_icmpv6(mac, from, to, len, |buf| {
            icmpv6::emit_echo_reply(buf, from.octets(), to.octets(), ident, seq, data);
        });
        self.core.counters.host.icmp_echo_replies += u64::from(sent);
    }

    /// The path of a connection carries less than was thought.
    fn on_packet_too_big(&mut self, quoted: Option<u32>, mtu: u32) {
        //= RFC 8201 4
        //# If a node receives a Packet Too Big message reporting a next-hop MTU
        //# that is less than the IPv6 minimum link MTU, it must discard it.
        let Some(index) = quoted.filter(|_| mtu >= LEAST_MTU) else {
            self.core.counters.host.drop_icmp += 1;
            return;
        };
        self.core.counters.host.icmp_errors_received += 1;
        let mss = u16::try_from(mtu - 60).unwrap_or(u16::MAX);
        self.reduce_mss(index, mss);
    }

    /// The live connection that may have sent the quoted packet.
    fn quoted_v6(&self, quoted: &[u8]) -> Option<u32> {
        let ip = ipv6::Header::parse_quoted(quoted).ok()?;
        let payload = quoted.get(ipv6::Header::LEN..)?;
        // We send no extension headers.
        if ip.next_header != ipv6::NEXT_HEADER_TCP {
            return None;
        }
        let tcp = wire_tcp::Quoted::parse(payload).ok()?;
        let tuple = FourTuple {
            local: Ip::v6(ip.src),
            remote: Ip::v6(ip.dst),
            local_port: tcp.src_port,
            remote_port: tcp.dst_port,
        };
        self.quoted_connection(&tuple, tcp.seq)
    }

    /// Tells the sender of `packet` what is wrong, if it may be told, within the limit.
    fn send_report(
        &mut self,
        now: Instant,
        mac: MacAddr,
        header: &ipv6::Header,
        packet: &[u8],
        report: Report,
    ) {
        let (src, dst) = (Ip::v6(header.src), Ip::v6(header.dst));
        // Those of which (e.6) says that they do not name a single node are no source here at all,
        // but for `::`, which asks whether an address is free.
        if is_impossible_source_v6(src) {
            return;
        }
        let from = match self.core.link.is_ours(dst) {
            true => Some(dst),
            false => self.core.link.source_for(src),
        };
        let Some(from) = from else {
            return;
        };
        if !self.core.icmp_errors.allow(now) {
            self.core.counters.host.replies_limited += 1;
            return;
        }
        let len = icmpv6::HEADER_LEN + packet.len().min(icmpv6::MAX_QUOTE);
        let sent = self.send_icmpv6(mac, from, src, len, |buf| {
            icmpv6::emit_report(buf, from.octets(), src.octets(), report, packet);
        });
        self.core.counters.host.icmp_errors_sent += u64::from(sent);
    }
}

/// Where an offset behind the fixed header is in the packet.
fn pointer(offset: u16) -> u32 {
    ipv6::Header::LEN as u32 + u32::from(offset)
}
