//! ICMP (RFC 792, RFC 1122 3.2.2): echo is answered, unreachable ports and protocols are said to
//! be so, and errors about our connections are noted.

use tcp::CloseReason;
use tcp::time::Instant;
use wire::{FourTuple, Ip, MacAddr, Seq, ethernet, icmpv4, ipv4, tcp as wire_tcp};

use crate::frame::{Frame, FramePool, TxOffload};
use crate::slab::flag;
use crate::stack::Stack;

/// What an IPv4 path is taken to carry at the least (RFC 1122 3.3.3): a forged message cannot make
/// a connection send crumbs.
const LEAST_PATH_MTU: u16 = 576;

impl<A, P: FramePool> Stack<A, P> {
    /// An intact IPv4 packet to us that is not TCP.
    pub(crate) fn on_ipv4(
        &mut self,
        now: Instant,
        src_mac: MacAddr,
        packet: &[u8],
        broadcast: bool,
    ) {
        // It was parsed before, so this cannot fail.
        let Ok((header, payload)) = ipv4::Header::parse(packet) else {
            return;
        };
        let (header, payload) = (&header, &packet[payload]);
        // RFC 1122 3.2.1.3: a broadcast address is no source; an answer would go to everybody.
        if self.core.link.is_broadcast(Ip::v4(header.src)) {
            self.core.counters.host.drop_ip_source += 1;
            return;
        }
        match header.protocol {
            ipv4::PROTOCOL_ICMP => self.on_icmp(now, src_mac, header, payload, broadcast),
            protocol => {
                self.core.counters.host.drop_ip_protocol += 1;
                //= RFC 1122 3.2.2
                //# An ICMP error message MUST NOT be sent as the result of receiving: [...]
                //# a datagram destined to an IP broadcast or IP multicast address
                if broadcast {
                    return;
                }
                let code = if protocol == ipv4::PROTOCOL_UDP {
                    icmpv4::CODE_PORT_UNREACHABLE
                } else {
                    icmpv4::CODE_PROTOCOL_UNREACHABLE
                };
                self.send_unreachable(now, src_mac, header, packet, code);
            }
        }
    }

    fn on_icmp(
        &mut self,
        now: Instant,
        src_mac: MacAddr,
        header: &ipv4::Header,
        payload: &[u8],
        broadcast: bool,
    ) {
        match icmpv4::Message::parse(payload) {
            //= RFC 1122 3.2.2.6
            //# An ICMP Echo Request destined to an IP broadcast or IP
            //# multicast address MAY be silently discarded.
            Ok(icmpv4::Message::EchoRequest { ident, seq, data }) if !broadcast => {
                if !self.core.echo_replies.allow(now) {
                    self.core.counters.host.replies_limited += 1;
                    return;
                }
                let data = &payload[data];
                let sent = self.send_icmp(
                    src_mac,
                    header.dst,
                    header.src,
                    icmpv4::HEADER_LEN + data.len(),
                    |buf| icmpv4::emit_echo_reply(buf, ident, seq, data),
                );
                if sent {
                    self.core.counters.host.icmp_echo_replies += 1;
                }
            }
            //= RFC 1191 3
            //# When a host receives a Datagram Too Big message, it MUST reduce its estimate of the PMTU
            //# for the relevant path
            Ok(icmpv4::Message::DestinationUnreachable {
                code: icmpv4::CODE_FRAGMENTATION_NEEDED,
                mtu,
                original,
            }) => {
                if let Some(index) = self.quoted_v4(&payload[original]) {
                    self.core.counters.host.icmp_errors_received += 1;
                    self.reduce_path_mtu(index, mtu);
                } else {
                    self.core.counters.host.drop_icmp += 1;
                }
            }
            Ok(icmpv4::Message::DestinationUnreachable { code, original, .. }) => {
                self.on_icmp_error(self.quoted_v4(&payload[original]), hard_error(code));
            }
            Ok(
                icmpv4::Message::TimeExceeded { original, .. }
                | icmpv4::Message::ParameterProblem { original, .. },
            ) => self.on_icmp_error(self.quoted_v4(&payload[original]), None),
            _ => self.core.counters.host.drop_icmp += 1,
        }
    }

    /// An error about a datagram of the connection `quoted`, if it is one's; what a hard one means.
    pub(crate) fn on_icmp_error(&mut self, quoted: Option<u32>, hard: Option<CloseReason>) {
        let Some(index) = quoted else {
            self.core.counters.host.drop_icmp += 1;
            return;
        };
        self.core.counters.host.icmp_errors_received += 1;
        let slot = self.core.slab.get_mut(index);
        match hard {
            //= RFC 9293 3.9.2.2
            //# These are hard error conditions, so TCP implementations SHOULD
            //# abort the connection (SHLD-26).  [35] notes that some
            //# implementations do not abort connections when an ICMP hard error is
            //# received for a connection that is in any of the synchronized
            //# states.
            //
            // This is one of them: RFC 5927 5.2 says why.
            Some(reason) if !slot.conn.state().is_synchronized() => {
                slot.conn.fail(reason);
                self.core.mark_dirty(index);
            }
            //= RFC 9293 3.9.2.2
            //# a
            //# TCP implementation MUST NOT abort the connection (MUST-56)
            _ => slot.flags |= flag::UNREACHABLE,
        }
    }

    /// The path of a connection carries less than was thought. A router older than RFC 1191 says
    /// 0, which means no more than what every host accepts; less than that is never believed.
    fn reduce_path_mtu(&mut self, index: u32, mtu: u16) {
        self.reduce_mss(index, mtu.max(LEAST_PATH_MTU) - 40);
    }

    pub(crate) fn reduce_mss(&mut self, index: u32, mss: u16) {
        if self.core.slab.get_mut(index).conn.reduce_mss(mss) {
            self.core.counters.host.path_mtu_reduced += 1;
            self.core.mark_dirty(index);
        }
    }

    fn quoted_v4(&self, quoted: &[u8]) -> Option<u32> {
        let ip = ipv4::Header::parse_quoted(quoted).ok()?;
        if ip.protocol != ipv4::PROTOCOL_TCP {
            return None;
        }
        let tcp = wire_tcp::Quoted::parse(quoted.get(usize::from(ip.header_len)..)?).ok()?;
        let tuple = FourTuple {
            local: Ip::v4(ip.src),
            remote: Ip::v4(ip.dst),
            local_port: tcp.src_port,
            remote_port: tcp.dst_port,
        };
        self.quoted_connection(&tuple, tcp.seq)
    }

    /// The live connection of `tuple`, if it may have sent a segment of this number.
    pub(crate) fn quoted_connection(&self, tuple: &FourTuple, seq: Seq) -> Option<u32> {
        let index = self.core.slab.find(self.core.hash(tuple), tuple)?;
        let info = self.core.slab.get(index).conn.info();
        //= RFC 5927 4.1
        //# These implementations check that the TCP sequence number contained in
        //# the payload of the ICMP error message is within the range
        //# SND.UNA =< SEG.SEQ < SND.NXT.
        (seq.ge(info.snd_una) && seq.lt(info.snd_nxt)).then_some(index)
    }

    fn send_unreachable(
        &mut self,
        now: Instant,
        src_mac: MacAddr,
        header: &ipv4::Header,
        packet: &[u8],
        code: u8,
    ) {
        if !self.core.icmp_errors.allow(now) {
            self.core.counters.host.replies_limited += 1;
            return;
        }
        let quote = &packet[..usize::from(header.total_len)
            .min(packet.len())
            .min(icmpv4::MAX_QUOTE)];
        let len = icmpv4::HEADER_LEN + quote.len();
        let sent = self.send_icmp(src_mac, header.dst, header.src, len, |buf| {
            icmpv4::emit_destination_unreachable(buf, code, 0, quote)
        });
        if sent {
            self.core.counters.host.icmp_errors_sent += 1;
        }
    }

    fn send_icmp(
        &mut self,
        to: MacAddr,
        src: [u8; 4],
        dst: [u8; 4],
        len: usize,
        write: impl FnOnce(&mut [u8]) -> usize,
    ) -> bool {
        let l2 = self.core.link.l2_len();
        let l4 = l2 + ipv4::Header::LEN;
        let Some(mut frame) = self.alloc_reply(l4 + len) else {
            return false;
        };
        let buf = frame.data_mut();
        self.core
            .link
            .emit_ethernet(buf, to, ethernet::ETHERTYPE_IPV4);
        let offload = self.core.link.offload.tx_ip;
        ipv4::Header::new(src, dst, ipv4::PROTOCOL_ICMP, len as u16).emit(&mut buf[l2..], !offload);
        write(&mut buf[l4..]);
        if offload {
            frame.set_tx_offload(TxOffload {
                l2_len: l2 as u8,
                l3_len: ipv4::Header::LEN as u8,
                ipv4: true,
                ip_checksum: true,
                tcp_checksum: false,
                vlan: self.core.link.device_tag,
            });
        } else {
            self.core.link.tag_by_device(&mut frame);
        }
        self.push(frame);
        true
    }
}

/// What a Destination Unreachable means that says that the peer will never answer.
fn hard_error(code: u8) -> Option<CloseReason> {
    match code {
        icmpv4::CODE_PORT_UNREACHABLE => Some(CloseReason::Refused),
        icmpv4::CODE_PROTOCOL_UNREACHABLE => Some(CloseReason::Unreachable),
        _ => None,
    }
}
