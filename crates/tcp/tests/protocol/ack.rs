//! What we acknowledge, when, and the window we announce.

use tcp::{Config, Events};

use crate::host::*;

fn delayed() -> Config {
    Config {
        delayed_ack_ms: 40,
        ..bare()
    }
}

#[test]
fn every_second_segment_is_acknowledged() {
    let mut s = Script::established(delayed());
    s.arrive(ACK, 1, 1, &[0; 1000]);
    s.expect(&[]);
    s.arrive(ACK, 1001, 1, &[0; 1000]);
    s.expect(&["ACK 1:1 ack 2001"]);
    assert_eq!(s.host.conn.deadline(), None);
}

#[test]
fn a_single_segment_is_acknowledged_in_time() {
    let mut s = Script::established(delayed());
    s.arrive(ACK, 1, 1, b"x");
    s.expect(&[]);
    assert_eq!(s.host.timer(), 40);
    s.expect(&["ACK 1:1 ack 2"]);
    assert_eq!(s.host.core.counters.delayed_ack_timeouts, 1);
}

#[test]
fn an_answer_carries_the_acknowledgment() {
    let mut s = Script::established(delayed());
    s.arrive(ACK, 1, 1, b"x");
    s.send(b"y");
    s.expect(&["PSH|ACK 1:2 ack 2"]);
    s.arrive(ACK, 2, 2, b"");
    assert_eq!(s.host.conn.deadline(), None);
    assert_eq!(s.host.core.counters.pure_acks_sent, 0);
}

#[test]
fn a_burst_is_acknowledged_once() {
    let mut s = Script::established(bare());
    for i in 0..8 {
        s.arrive(ACK, 1 + i * 10, 1, &[0; 10]);
    }
    s.expect(&["ACK 1:1 ack 81"]);
}

#[test]
fn the_window_closes_as_bytes_are_unread_and_opens_in_steps() {
    let config = Config {
        rcv_buf: 4000,
        ..bare()
    };
    let mut s = Script::established(config);
    s.host.reading = false;
    for i in 0..4 {
        s.arrive(ACK, 1 + i * 1000, 1, &[i as u8; 1000]);
        let out = s.out();
        assert_eq!(
            u32::from(out[0].header.window),
            4000 - 1000 * (i as u32 + 1)
        );
    }
    // What is beyond is not taken, but answered.
    s.arrive(ACK, 4001, 1, b"z");
    s.expect(&["ACK 1:1 ack 4001"]);
    assert_eq!(s.host.conn.readable(), 4000);
    // Less than a segment is no reason to tell.
    s.host.conn.consume(&mut s.host.core.env(), 999);
    s.expect(&[]);
    s.host.conn.consume(&mut s.host.core.env(), 1);
    let out = s.out();
    assert_eq!(out.len(), 1);
    assert_eq!(out[0].header.window, 1000);
}

#[test]
fn what_was_announced_is_accepted_and_the_edge_moves_left_in_rounding_only() {
    let config = Config {
        window_scaling: true,
        rcv_buf: 1 << 20,
        ..Config::default()
    };
    let mut a = Host::connect(config.clone(), wire::Seq(1));
    let syn = a.transmit();
    let mut b = Host::accept(config, wire::Seq(2), &syn[0]);
    for seg in b.transmit() {
        a.receive(&seg);
    }
    for seg in a.transmit() {
        b.receive(&seg);
    }
    b.reading = false;
    let mut edge = 0;
    for i in 0..400 {
        a.send(&vec![0; 1 + i % 97]);
        a.advance_ms(100);
        b.advance_ms(100);
        for seg in a.transmit() {
            b.receive(&seg);
        }
        if b.conn.deadline().is_some_and(|d| d <= b.core.now) {
            let _ = b.conn.on_timer(&mut b.core.env());
        }
        for seg in b.transmit() {
            let now = seg.header.ack.0 + (u32::from(seg.header.window) << 5);
            assert!(now + 32 > edge, "{now} {edge}");
            assert!(now < edge + (1 << 20) || edge == 0);
            edge = edge.max(now);
            assert_eq!(b.conn.rcv_nxt() + b.conn.info().rcv_wnd, wire::Seq(edge));
            a.receive(&seg);
        }
    }
    assert!(b.conn.readable() > 10_000);
}

#[test]
fn without_memory_text_is_not_acknowledged() {
    let mut s = Script::established(bare());
    s.host.reading = false;
    s.host.core.rcv_memory = tcp::Memory::new(1, 64);
    s.arrive(ACK, 1, 1, &[7; 100]);
    s.expect(&["ACK 1:1 ack 65"]);
    assert_eq!(s.host.core.counters.text_dropped_memory, 1);
    s.host.read_all();
    s.arrive(ACK, 1, 1, &[7; 100]);
    s.expect(&["ACK 1:1 ack 101"]);
    s.host.read_all();
    assert_eq!(s.host.read, [7; 100]);
}

#[test]
fn a_partly_consumed_text_is_shown_again() {
    let mut s = Script::established(bare());
    let seg = s.segment(ACK, 1, 1, b"hello world");
    let segment = tcp::Segment {
        header: &seg.header,
        payload: &seg.payload,
        sack: &[],
    };
    let out = s.host.conn.on_segment(&mut s.host.core.env(), &segment);
    assert_eq!(out.text, 0..11);
    let events = s
        .host
        .conn
        .commit_text(&mut s.host.core.env(), 6, &seg.payload[6..]);
    assert_eq!(events, Events::empty());
    assert_eq!(s.host.conn.peek(&s.host.core.rcv_memory), b"world");
    s.expect(&["ACK 1:1 ack 12"]);
    s.host.read_all();
    s.host.release();
}

#[test]
fn urgent_text_is_delivered_in_line() {
    let mut s = Script::established(bare());
    s.arrive(ACK | wire::tcp::Flags::URG, 1, 1, b"urgent");
    assert_eq!(s.host.read, b"urgent");
}

#[test]
fn without_scaling_a_large_buffer_does_not_make_every_read_an_update() {
    let mut s = Script::established(Config {
        rcv_buf: 1 << 20,
        ..bare()
    });
    s.host.reading = false;
    s.arrive(ACK, 1, 1, &[0; 1000]);
    let out = s.out();
    assert_eq!(out[0].header.window, 65_535, "as much as can be said");
    for _ in 0..10 {
        s.host.conn.consume(&mut s.host.core.env(), 100);
        s.expect(&[]);
    }
}
