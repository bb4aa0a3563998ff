//! One line a frame, for eyes and for assertions:
//! `12.345ms A>B SYN|ACK seq=7 ack=9 win=65535 <mss 1460,ws 1,ts 5/0> len 0`.

use core::fmt::Write as _;

use wire::{Ip, icmpv4, icmpv6, tcp};

use crate::decode::{Packet, Segment, packet};
use crate::log::{Fate, Record};
use crate::network::StationId;

/// A station's letter: A for the first added. After Z they have numbers.
#[must_use]
pub fn name(station: StationId) -> String {
    match u8::try_from(station.0) {
        Ok(n) if n < 26 => char::from(b'A' + n).to_string(),
        _ => format!("#{}", station.0),
    }
}

/// The line of a record.
#[must_use]
pub fn line(record: &Record) -> String {
    let ns = record.at.as_nanos();
    let mut line = format!("{}.{:03}ms ", ns / 1_000_000, ns / 1_000 % 1_000);
    line.push_str(&record.from.map_or("*".into(), name));
    line.push('>');
    line.push_str(&record.to.map_or("*".into(), name));
    line.push(' ');
    line.push_str(&describe(&record.frame));
    match record.fate {
        Fate::Sent => {}
        Fate::Delivered => line.push_str(" [arrives]"),
        fate => {
            let _ = write!(line, " [{fate:?}]");
        }
    }
    line
}

/// What a frame says, without time and stations.
#[must_use]
pub fn describe(frame: &[u8]) -> String {
    match packet(frame) {
        Packet::Arp(arp) => {
            let ip = |a: [u8; 4]| core::net::Ipv4Addr::from(a);
            match arp.operation {
                wire::arp::Operation::Request => {
                    format!("ARP who-has {} tell {}", ip(arp.tpa), ip(arp.spa))
                }
                wire::arp::Operation::Reply => format!("ARP {} is-at {}", ip(arp.spa), arp.sha),
            }
        }
        Packet::Tcp(segment) => describe_segment(&segment),
        Packet::Icmp { message, .. } => match message {
            icmpv4::Message::EchoRequest { ident, seq, data } => {
                format!("ICMP echo-request id={ident} seq={seq} len {}", data.len())
            }
            icmpv4::Message::EchoReply { ident, seq, data } => {
                format!("ICMP echo-reply id={ident} seq={seq} len {}", data.len())
            }
            icmpv4::Message::DestinationUnreachable { code, .. } => {
                format!("ICMP unreachable code={code}")
            }
            other => format!("ICMP {other:?}"),
        },
        Packet::Icmpv6 { src, message, .. } => match message {
            icmpv6::Message::NeighborSolicitation(asked) => {
                format!("NDP who-has {} tell {src}", Ip::v6(asked.target))
            }
            icmpv6::Message::NeighborAdvertisement(said) => {
                let mac = said.target_lladdr.map_or("?".into(), |mac| mac.to_string());
                format!("NDP {} is-at {mac}", Ip::v6(said.target))
            }
            icmpv6::Message::EchoRequest { ident, seq, data } => {
                format!(
                    "ICMPv6 echo-request id={ident} seq={seq} len {}",
                    data.len()
                )
            }
            icmpv6::Message::EchoReply { ident, seq, data } => {
                format!("ICMPv6 echo-reply id={ident} seq={seq} len {}", data.len())
            }
            other => format!("ICMPv6 {other:?}"),
        },
        Packet::Ipv6 { protocol, .. } => format!("IPv6 protocol={protocol}"),
        Packet::Ipv4 { protocol, .. } => format!("IPv4 protocol={protocol}"),
        Packet::Other => format!("{} bytes of something else", frame.len()),
    }
}

/// What a segment says, ports apart.
#[must_use]
pub fn describe_segment(segment: &Segment) -> String {
    let h = &segment.header;
    let mut line = format!("{} seq={}", h.flags, h.seq);
    if segment.has(tcp::Flags::ACK) {
        let _ = write!(line, " ack={}", h.ack);
    }
    let _ = write!(line, " win={}", h.window);
    let o = &h.options;
    let mut options = Vec::new();
    if let Some(mss) = o.mss {
        options.push(format!("mss {mss}"));
    }
    if let Some(shift) = o.window_scale {
        options.push(format!("ws {shift}"));
    }
    if o.sack_permitted {
        options.push("sackOK".into());
    }
    if o.sack != 0 {
        options.push("sack".into());
    }
    if let Some(ts) = o.timestamps {
        options.push(format!("ts {}/{}", ts.val, ts.ecr));
    }
    if !options.is_empty() {
        let _ = write!(line, " <{}>", options.join(","));
    }
    let _ = write!(line, " len {}", segment.text.len());
    if !segment.intact {
        line.push_str(" BAD CHECKSUM");
    }
    line
}

#[cfg(test)]
mod tests {
    use super::tcp::Flags;
    use super::*;
    use crate::craft::{self, Addresses};
    use wire::{MacAddr, Seq, arp};

    const TO: Addresses = Addresses {
        src_mac: MacAddr([2, 0, 0, 0, 0, 1]),
        dst_mac: MacAddr([2, 0, 0, 0, 0, 2]),
        src: Ip::v4([10, 0, 0, 1]),
        dst: Ip::v4([10, 0, 0, 2]),
    };

    #[test]
    fn lines_say_what_frames_say() {
        let mut header = tcp::Header {
            seq: Seq(7),
            ack: Seq(9),
            flags: Flags::SYN | Flags::ACK,
            window: 100,
            ..tcp::Header::default()
        };
        header.options.mss = Some(1460);
        header.options.timestamps = Some(tcp::Timestamps { val: 5, ecr: 6 });
        let mut frame = craft::tcp(&TO, &header, b"hello");
        let record = |frame: &[u8], fate| Record {
            at: ::tcp::time::Instant::from_nanos(12_345_678),
            from: Some(StationId(0)),
            to: Some(StationId(1)),
            fate,
            frame: frame.into(),
        };
        let said = "12.345ms A>B SYN|ACK seq=7 ack=9 win=100 <mss 1460,ts 5/6> len 5";
        assert_eq!(line(&record(&frame, Fate::Sent)), said);
        assert_eq!(line(&record(&frame, Fate::Lost)), format!("{said} [Lost]"));
        frame[60] ^= 1;
        assert!(describe(&frame).ends_with("BAD CHECKSUM"));
        let ask = arp::Packet::request(TO.src_mac, [10, 0, 0, 1], [10, 0, 0, 2]);
        assert_eq!(
            describe(&craft::arp(MacAddr::BROADCAST, &ask)),
            "ARP who-has 10.0.0.2 tell 10.0.0.1"
        );
        assert_eq!(
            describe(&craft::echo_request(&TO, 1, 2, &[0; 56])),
            "ICMP echo-request id=1 seq=2 len 56"
        );
        assert_eq!(describe(&craft::udp(&TO, 1, 2, b"x")), "IPv4 protocol=17");
        assert_eq!(describe(&[0; 10]), "10 bytes of something else");
        assert_eq!(name(StationId(26)), "#26");
    }
}
