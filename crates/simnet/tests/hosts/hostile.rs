//! Bytes that nobody sane sends: noise, damaged frames, forged segments. A host does not panic, its
//! connections are unhurt as long as the forger does not know their numbers, and what it answers
//! is bounded.

use crate::common;
use crate::common::plain::Plain;
use crate::common::{CLIENT, Family, LINK, PORT, SERVER, configs, ip, mac};
use simnet::craft::{self, Addresses};
use simnet::{Fate, Network, Rng, StationId};
use stack::DestinationId;
use wire::tcp::{Flags, Header, Options, Timestamps};
use wire::{MacAddr, Seq, checksum};

const ATTACKER: StationId = StationId(2);
/// RSTs, ICMP errors and challenge ACKs a second, of each kind.
const REPLIES_PER_SECOND: u32 = 100;

/// Three connections between client and server, each with a little data both ways, and a third
/// station that may send anything.
fn victims() -> Network<Plain> {
    let (mut server, mut client) = configs(3, &tcp::Config::default());
    server.control_replies_per_second = REPLIES_PER_SECOND;
    client.control_replies_per_second = REPLIES_PER_SECOND;
    let mut net = Network::new(1);
    net.limit_log(20_000);
    let app = |text: &[u8]| Plain {
        greeting: text.to_vec(),
        ..Plain::default()
    };
    net.add_host(common::stack(server, 1, app(b"welcome"), 4096), LINK);
    net.add_host(common::stack(client, 2, app(b"hello"), 4096), LINK);
    net.add_peer(simnet::Peer::new(mac(3), ip(3)), LINK);
    net.run_ms(5);
    net.with_app(CLIENT, |_, cx| {
        for _ in 0..3 {
            cx.connect(DestinationId(0)).unwrap();
        }
    });
    net.run_ms(100);
    net
}

/// The three connections still carry data both ways, and nothing but it has arrived.
fn assert_unhurt(net: &mut Network<Plain>) {
    for id in [SERVER, CLIENT] {
        assert_eq!(net.host(id).usage().live, 3, "{}", net.log().tail(30));
    }
    for (from, to, text) in [(CLIENT, SERVER, b"still "), (SERVER, CLIENT, b"there!")] {
        let before = net.host(to).app().received.len();
        let conns: Vec<_> = net.host(from).app().told.iter().map(|t| t.1).collect();
        let distinct: std::collections::HashSet<_> = conns.into_iter().collect();
        assert_eq!(distinct.len(), 3);
        net.with_app(from, |app, cx| {
            for conn in distinct {
                app.send(cx, conn, text);
            }
        });
        net.run_ms(1_000);
        let expected: Vec<u8> = text.repeat(3);
        assert_eq!(net.host(to).app().received[before..], expected);
    }
}

/// Frames that the hosts have sent so far.
fn frames_sent(net: &Network<Plain>) -> u64 {
    [SERVER, CLIENT]
        .map(|id| net.host(id).counters().host.tx_frames)
        .iter()
        .sum()
}

/// Sends frames to the server's port, 200 in a millisecond.
fn bombard(net: &mut Network<Plain>, frames: u32, mut make: impl FnMut(u32) -> Vec<u8>) {
    for n in 0..frames {
        let frame = make(n);
        net.send(ATTACKER, frame);
        if n % 200 == 199 {
            net.run_ms(1);
            net.peer_mut(ATTACKER).take();
        }
    }
    net.run_ms(100);
}

fn noise_is_dropped() {
    let mut net = victims();
    let mut rng = Rng::new(1);
    let sent = frames_sent(&net);
    bombard(&mut net, 40_000, |n| {
        let len = rng.range(0, 1_600) as usize;
        let mut frame = vec![0; len];
        rng.fill(&mut frame);
        // More and more of it looks like something.
        let ethertype: [u8; 2] = *rng.pick(&[[8, 0], [8, 6], [0x86, 0xdd], [0x81, 0]]);
        for (at, bytes) in [(0, &mac(1).0[..]), (6, &mac(3).0[..]), (12, &ethertype[..])]
            .into_iter()
            .take(n as usize % 4 + 1)
        {
            if len >= at + bytes.len() {
                frame[at..at + bytes.len()].copy_from_slice(bytes);
            }
        }
        if n % 8 == 7 && len > 80 {
            frame[14] = 0x45 + (rng.below(16) as u8 & 0xf) % 11;
            frame[23] = *rng.pick(&[1, 6, 17]);
        }
        if n % 8 == 3 && len > 80 {
            // Right up to the headers behind the fixed one.
            frame[12..14].copy_from_slice(&[0x86, 0xdd]);
            frame[14] = 0x60;
            frame[18..20].copy_from_slice(&((len - 54) as u16).to_be_bytes());
            frame[20] = *rng.pick(&[0, 6, 17, 43, 44, 50, 51, 58, 59, 60, 200]);
            frame[22..38].copy_from_slice(&ip(3).octets());
            frame[38..54].copy_from_slice(&ip(1).octets());
        }
        frame
    });
    let count = net.host(SERVER).counters().host;
    assert!(count.drop_ip_malformed > 1_000, "{count:?}");
    assert!(count.drop_arp > 1_000, "{count:?}");
    assert!(count.drop_ethertype > 1_000, "{count:?}");
    assert!(frames_sent(&net) - sent < 200, "noise is not answered");
    assert_unhurt(&mut net);
}

/// The frames that arrived at the server so far.
fn real_frames(net: &Network<Plain>) -> Vec<Vec<u8>> {
    net.log()
        .records()
        .filter(|r| r.fate == Fate::Delivered && r.to == Some(SERVER))
        .map(|r| r.frame.to_vec())
        .collect()
}

fn damaged_frames_are_found_by_their_checksums() {
    let mut net = victims();
    let mut rng = Rng::new(2);
    let real: Vec<Vec<u8>> = real_frames(&net)
        .into_iter()
        .filter(|f| simnet::decode::segment(f).is_some())
        .collect();
    assert!(real.len() >= 6);
    let before = net.host(SERVER).counters().host;
    bombard(&mut net, 20_000, |_| {
        let mut frame = rng.pick(&real).clone();
        // One bit of the IP packet: no sum of 16-bit words misses that.
        let end = frame.len();
        let mut at = rng.range(14, end as u64 - 1) as usize;
        // Of IPv6, nothing covers the traffic class, the flow label and the hop limit.
        while common::family() == Family::V6 && matches!(at, 14..=17 | 21) {
            at = rng.range(14, end as u64 - 1) as usize;
        }
        frame[at] ^= 1 << rng.below(8);
        frame
    });
    let after = net.host(SERVER).counters().host;
    assert_eq!(after.rx_segments, before.rx_segments);
    assert!(after.drop_tcp_checksum > 10_000);
    if common::family() == Family::V4 {
        assert!(after.drop_ip_checksum > 1_000);
    }
    assert_unhurt(&mut net);
}

/// Makes the checksums right, if there is enough to have any.
fn mend(frame: &mut [u8]) {
    let Some(packet) = frame.get_mut(14..) else {
        return;
    };
    if let Ok((ip, range)) = wire::ipv6::Header::parse(packet) {
        if range.len() >= 20 {
            let (src, dst) = (wire::Ip::v6(ip.src), wire::Ip::v6(ip.dst));
            checksum::fill_tcp(src, dst, &mut packet[range]);
        }
        return;
    }
    let Some(first) = packet.first() else { return };
    let header_len = usize::from(first & 0xf) * 4;
    if header_len < 20 || packet.len() < header_len + 20 {
        return;
    }
    packet[10..12].fill(0);
    let sum = checksum::sum(&packet[..header_len]).finish();
    packet[10..12].copy_from_slice(&sum.to_be_bytes());
    let Ok((ip, range)) = wire::ipv4::Header::parse(packet) else {
        return;
    };
    if range.len() >= 20 {
        checksum::fill_tcp(
            wire::Ip::v4(ip.src),
            wire::Ip::v4(ip.dst),
            &mut packet[range],
        );
    }
}

fn damaged_frames_with_right_checksums_do_not_panic_and_nothing_leaks() {
    let mut net = victims();
    let mut rng = Rng::new(3);
    let real = real_frames(&net);
    bombard(&mut net, 40_000, |_| {
        let mut frame = rng.pick(&real).clone();
        for _ in 0..rng.range(1, 6) {
            let end = frame.len() as u64;
            let at = rng.range(12, end - 1) as usize;
            frame[at] = rng.next_u64() as u8;
        }
        if rng.chance(0.1) {
            let end = rng.range(14, frame.len() as u64) as usize;
            frame.truncate(end);
        }
        mend(&mut frame);
        frame
    });
    // Some may have told the truth by chance: RST at the right number is RST. What must hold is
    // that the hosts are sound.
    let limit = REPLIES_PER_SECOND as u64;
    let count = net.host(SERVER).counters();
    // Of IPv6, half of the bytes are addresses: damaged, they say that it is for another host.
    let most = match common::family() {
        Family::V4 => 10_000,
        Family::V6 => 4_000,
    };
    assert!(count.host.rx_segments > most, "{}", count.host.rx_segments);
    assert!(
        count.host.closed_resets <= limit,
        "{}",
        count.host.closed_resets
    );
    assert!(
        count.tcp.challenge_acks <= 2 * limit,
        "{}",
        count.tcp.challenge_acks
    );
    for id in [SERVER, CLIENT] {
        net.host_mut(id).abort_all();
    }
    net.run_ms(200_000);
    common::assert_nothing_held(&mut net, SERVER, 0, "after all was aborted");
    common::assert_nothing_held(&mut net, CLIENT, 3, "after all was aborted");
}

fn forged_segments_that_miss_the_window_do_no_harm() {
    let mut net = victims();
    let mut rng = Rng::new(4);
    // What a forger cannot know: where the connections are.
    let expected: Vec<(u16, Seq)> = net
        .log()
        .sent_segments()
        .filter(|(from, s)| *from == CLIENT && !s.text.is_empty())
        .map(|(_, s)| (s.header.src_port, s.header.seq + s.text.len() as u32))
        .collect();
    assert_eq!(expected.len(), 3);
    let from_client = Addresses {
        src_mac: mac(3),
        dst_mac: mac(1),
        src: ip(2),
        dst: ip(1),
    };
    let sent = frames_sent(&net);
    bombard(&mut net, 40_000, |_| {
        let (port, rcv_nxt) = *rng.pick(&expected);
        let mut options = Options::NONE;
        if rng.chance(0.7) {
            options.timestamps = Some(Timestamps {
                val: rng.next_u64() as u32,
                ecr: rng.next_u64() as u32,
            });
        }
        if rng.chance(0.3) {
            options.mss = Some(rng.next_u64() as u16);
            options.window_scale = Some(rng.next_u64() as u8);
        }
        let header = Header {
            src_port: port,
            dst_port: if rng.chance(0.9) { PORT } else { 81 },
            // Anywhere but within a megabyte of the window.
            seq: rcv_nxt + rng.range(1 << 20, (1 << 32) - (1 << 20)) as u32,
            ack: Seq(rng.next_u64() as u32),
            flags: Flags::from_bits(rng.next_u64() as u8),
            window: rng.next_u64() as u16,
            urgent: rng.next_u64() as u16,
            options,
        };
        let text = vec![0xee; rng.below(100) as usize];
        craft::tcp(&from_client, &header, &text)
    });
    let count = net.host(SERVER).counters();
    assert!(count.host.rx_segments > 35_000);
    assert_eq!(count.host.closed_reset, 0);
    // Challenge ACKs and RSTs of a second or so, whatever comes.
    let limit = u64::from(REPLIES_PER_SECOND);
    let replies = frames_sent(&net) - sent;
    assert!(replies <= 8 * limit, "{replies}: {count:?}");
    assert_unhurt(&mut net);
}

fn a_flood_of_syns_from_everywhere_is_bounded() {
    let mut net = victims();
    let mut rng = Rng::new(5);
    bombard(&mut net, 20_000, |n| {
        let to = Addresses {
            src_mac: mac(3),
            dst_mac: mac(1),
            src: ip((n % 200) as u8 + 10),
            dst: ip(1),
        };
        let header = Header {
            src_port: rng.next_u64() as u16,
            dst_port: PORT,
            seq: Seq(rng.next_u64() as u32),
            flags: Flags::SYN,
            window: 1_000,
            ..Header::default()
        };
        craft::tcp(&to, &header, b"")
    });
    let usage = net.host(SERVER).usage();
    assert!(usage.live <= 3 + 128, "{usage:?}");
    let count = net.host(SERVER).counters().host;
    let refused = count.drop_backlog_full + count.neighbor_table_full;
    assert!(refused > 19_000, "{count:?}");
    // None of the claimed stations answers ARP or SYN-ACK: the embryos go.
    net.run_ms(300_000);
    assert_unhurt(&mut net);
    let usage = net.host(SERVER).usage();
    assert_eq!((usage.live, usage.neighbor_users), (3, 3), "{usage:?}");
}

#[test]
fn arp_from_strangers_does_not_fill_the_table_with_users() {
    let mut net = victims();
    let mut rng = Rng::new(6);
    bombard(&mut net, 10_000, |_| {
        let spa = [10, 0, 0, rng.range(10, 250) as u8];
        let sha = MacAddr([2, 1, rng.next_u64() as u8, 0, 0, 3]);
        let request = wire::arp::Packet::request(sha, spa, ip(1).v4_octets());
        craft::arp(mac(1), &request)
    });
    assert_eq!(net.host(SERVER).usage().neighbor_users, 3);
    assert_unhurt(&mut net);
}

over_both! {
    noise_is_dropped
    damaged_frames_are_found_by_their_checksums
    damaged_frames_with_right_checksums_do_not_panic_and_nothing_leaks
    forged_segments_that_miss_the_window_do_no_harm
    a_flood_of_syns_from_everywhere_is_bounded
}
