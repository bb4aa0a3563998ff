//! The virtual network itself: single frames held, copied, released and made up; captures; and
//! repeatable runs.

use crate::common::plain::{Plain, Told};
use crate::common::{CLIENT, SERVER, configs, pair};
use simnet::{Action, Capture, Fate, Network, Path, Seen, Which, trace};
use stack::DestinationId;
use tcp::time::Instant;
use wire::tcp::Flags;

fn network() -> Network<Plain> {
    let client = Plain {
        greeting: b"0123456789".to_vec(),
        ..Plain::default()
    };
    let config = configs(1, &tcp::Config::default());
    let mut net = pair(config, (Plain::default(), client));
    net.run_ms(5);
    net
}

fn connect(net: &mut Network<Plain>) {
    net.with_app(CLIENT, |_, cx| cx.connect(DestinationId(0)))
        .unwrap();
}

fn has_text(seen: &Seen<'_>) -> bool {
    seen.segment().is_some_and(|s| !s.text.is_empty())
}

fn arrivals(net: &Network<Plain>, pick: impl Fn(&simnet::decode::Segment) -> bool) -> Vec<Instant> {
    net.log()
        .records()
        .filter(|r| r.fate == Fate::Delivered && r.segment().is_some_and(|s| pick(&s)))
        .map(|r| r.at)
        .collect()
}

#[test]
fn a_held_frame_arrives_when_it_is_released_as_often_as_it_is() {
    let mut net = network();
    let rule = net.add_rule(Action::Hold, Which::Nth(1), has_text);
    connect(&mut net);
    net.run_ms(50);
    assert_eq!(net.taken(rule), 1);
    assert_eq!(net.kept(rule)[0].from, CLIENT);
    assert!(net.host(SERVER).app().received.is_empty());
    let at = net.now().plus_millis(7);
    net.release(rule, at);
    net.release(rule, at.plus_millis(3));
    net.run_ms(50);
    let arrived = arrivals(&net, |s| !s.text.is_empty());
    assert_eq!(arrived, [at, at.plus_millis(3)], "{}", net.log().tail(20));
    // Once in the stream, whatever the wire does; and in time: nothing was retransmitted.
    assert_eq!(net.host(SERVER).app().received, b"0123456789");
    assert_eq!(net.host(CLIENT).counters().tcp.retransmitted_segments, 0);
}

#[test]
fn the_second_of_what_matches_is_dropped_and_comes_again() {
    let mut net = network();
    let rule = net.add_rule(Action::Drop, Which::Nth(2), has_text);
    connect(&mut net);
    net.run_ms(50);
    net.with_app(CLIENT, |app, cx| {
        let conn = app.last();
        app.send(cx, conn, b"lost");
    });
    net.run_ms(100);
    assert_eq!(
        (net.taken(rule), net.host(SERVER).app().received.len()),
        (1, 10)
    );
    net.run_ms(1_000);
    assert_eq!(net.host(SERVER).app().received, b"0123456789lost");
    assert_eq!(net.host(CLIENT).counters().tcp.retransmission_timeouts, 1);
}

#[test]
fn frames_to_stations_unknown_reach_everybody_and_are_ignored() {
    let mut net = network();
    connect(&mut net);
    net.run_ms(20);
    let segments = net.log().sent_segments().count();
    let before = net.log().total();
    let mut bytes = vec![0; 60];
    bytes[..6].copy_from_slice(&[2, 9, 9, 9, 9, 9]);
    bytes[6..12].copy_from_slice(&[2, 8, 8, 8, 8, 8]);
    let now = net.now();
    net.inject(now, &bytes);
    net.run_ms(1);
    // The injection, and one arrival at each of the two stations.
    assert_eq!(net.log().total(), before + 3);
    for id in [SERVER, CLIENT] {
        assert_eq!(net.host(id).counters().host.drop_ethernet, 1);
    }
    assert_eq!(
        net.log().sent_segments().count(),
        segments,
        "nobody answers"
    );
}

#[test]
fn a_cable_that_is_cut_and_mended_delays() {
    let mut net = network();
    connect(&mut net);
    net.run_ms(20);
    net.link_mut(SERVER).connected = false;
    net.with_app(CLIENT, |app, cx| {
        let conn = app.last();
        app.send(cx, conn, b"later");
    });
    net.run_ms(1_000);
    assert_eq!(net.host(SERVER).app().received.len(), 10);
    assert!(net.log().records().any(|r| r.fate == Fate::Unplugged));
    net.link_mut(SERVER).connected = true;
    net.run_ms(5_000);
    assert_eq!(net.host(SERVER).app().received, b"0123456789later");
}

#[test]
fn time_jumps_and_waiting_is_free() {
    let mut net = network();
    connect(&mut net);
    net.run_ms(20);
    let before = net.log().total();
    // A day of nothing at all, but for the delayed acknowledgment of what was said before.
    net.run_ms(86_400_000);
    assert_eq!(net.now(), Instant::from_millis(86_400_025));
    assert_eq!(net.log().total(), before + 2);
    assert_eq!(
        net.host(SERVER).app().events(),
        [Told::Open, Told::Data(10)]
    );
}

#[test]
fn a_capture_is_what_a_station_saw() {
    let mut net = network();
    let lossy = Path {
        loss: 1.0,
        ..Path::ideal(0)
    };
    connect(&mut net);
    net.run_ms(20);
    net.link_mut(CLIENT).down = lossy;
    net.with_app(SERVER, |app, cx| {
        let conn = app.last();
        app.send(cx, conn, b"lost on the way");
    });
    net.run_ms(10);
    let frames = |capture| {
        let mut bytes = Vec::new();
        net.log().write_pcap(&mut bytes, capture).unwrap();
        // Nanosecond magic, version 2.4, Ethernet: what tcpdump and Wireshark read.
        assert_eq!(bytes[..4], 0xa1b2_3c4d_u32.to_be_bytes());
        assert_eq!(bytes[20..24], 1u32.to_be_bytes());
        let mut reader = pcap_file::pcap::PcapReader::new(&bytes[..]).unwrap();
        let mut frames = vec![];
        while let Some(packet) = reader.next_packet() {
            frames.push(packet.unwrap().data.into_owned());
        }
        frames
    };
    let lost = |frames: &[Vec<u8>]| frames.iter().any(|f| f.ends_with(b"lost on the way"));
    assert!(lost(&frames(Capture::At(SERVER))));
    assert!(!lost(&frames(Capture::At(CLIENT))));
    assert!(lost(&frames(Capture::Wire)));
}

#[test]
fn the_trace_reads_like_a_conversation() {
    let mut net = network();
    connect(&mut net);
    net.run_ms(100);
    let lines: Vec<String> = net
        .log()
        .records()
        .filter(|r| r.fate == Fate::Sent && r.segment().is_some())
        .map(trace::line)
        .collect();
    assert_eq!(lines.len(), 4, "{lines:#?}");
    assert!(lines[0].contains("B>* SYN seq="), "{}", lines[0]);
    assert!(lines[0].ends_with(" len 0") && lines[0].contains("<mss 1460,"));
    assert!(lines[1].contains("A>* SYN|ACK seq="), "{}", lines[1]);
    assert!(lines[2].ends_with(" len 10"), "{}", lines[2]);
    assert!(lines[3].contains("A>* ACK seq="), "{}", lines[3]);
    let handshake = net.log().sent_segments().filter(|(_, s)| s.has(Flags::SYN));
    assert_eq!(handshake.count(), 2);
}
