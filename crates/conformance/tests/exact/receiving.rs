//! Receiving: delayed acknowledgments, the window and its updates, urgent text, limits on answers.

use crate::packet::{ACK, RST, SYN, URG};
use crate::rig::{BARE, PEER_PORT, Rig, stream};

const DELAYED: &str = "wscale=off,timestamps=off,nagle=off,rcvbuf=20000,delack_ms=200";

#[test]
fn every_second_segment_is_acknowledged_at_once_and_one_in_time() {
    //= RFC 5681 4.2
    //# an ACK SHOULD be generated for at least every second full-sized segment, and MUST be
    //# generated within 500 ms of the arrival of the first unacknowledged packet.
    let mut rig = Rig::new(DELAYED);
    let mut c = rig.established(PEER_PORT);
    rig.send_text(&mut c, 1460);
    rig.silent(&mut c);
    rig.wait_ms(100);
    rig.send_text(&mut c, 1460);
    assert_eq!(rig.heard_one(&mut c).ack, c.seq);
    rig.send_text(&mut c, 100);
    rig.silent(&mut c);
    assert_eq!(rig.timer_ms(), 200);
    assert_eq!(rig.heard_one(&mut c).ack, c.seq);
    assert_eq!(rig.sut.next_timer(), None);
}

#[test]
fn an_answer_carries_the_acknowledgment() {
    let mut rig = Rig::new(DELAYED);
    let mut c = rig.established(PEER_PORT);
    rig.send_text(&mut c, 100);
    rig.silent(&mut c);
    rig.write(&c, 10);
    let answer = rig.heard_one(&mut c);
    assert_eq!((answer.ack, answer.text.len()), (c.seq, 10));
}

#[test]
fn what_is_out_of_order_or_fills_a_gap_is_not_delayed() {
    let mut rig = Rig::new(DELAYED);
    let mut c = rig.established(PEER_PORT);
    let at = c.seq.wrapping_add(100);
    let ahead = rig.segment(&c, ACK, at, c.ack, &stream(at, 100));
    rig.input(&ahead);
    assert_eq!(rig.heard_one(&mut c).ack, c.seq);
    rig.send_text(&mut c, 100);
    assert_eq!(rig.heard_one(&mut c).ack, c.seq.wrapping_add(100));
}

#[test]
fn quickack_turns_the_delay_off_and_on() {
    let mut rig = Rig::new(DELAYED);
    let mut c = rig.established(PEER_PORT);
    rig.set(&c, libc::IPPROTO_TCP, libc::TCP_QUICKACK, 1);
    rig.send_text(&mut c, 10);
    assert_eq!(rig.heard_one(&mut c).ack, c.seq);
    rig.set(&c, libc::IPPROTO_TCP, libc::TCP_QUICKACK, 0);
    rig.send_text(&mut c, 10);
    rig.silent(&mut c);
}

#[test]
fn the_window_closes_with_unread_text_and_opens_in_steps() {
    //= RFC 9293 3.8.6.2.2
    //# keep RCV.NXT+RCV.WND fixed until the reduction satisfies:
    let mut rig = Rig::new(BARE);
    let mut c = rig.established(PEER_PORT);
    for left in [6540, 5080, 3620, 2160, 700] {
        rig.send_text(&mut c, 1460);
        assert_eq!(rig.heard_one(&mut c).wnd, left);
    }
    rig.send_text(&mut c, 700);
    assert_eq!(rig.heard_one(&mut c).wnd, 0);
    let h = c.handle.unwrap();
    let mut some = [0; 1000];
    // Less than a segment is free: no update.
    rig.sut.read(h, &mut some, 0).unwrap();
    rig.silent(&mut c);
    let mut probe = rig.segment(&c, ACK, c.seq, c.ack, &stream(c.seq, 1));
    rig.input(&probe);
    let answer = rig.heard_one(&mut c);
    assert_eq!((answer.wnd, answer.ack), (0, c.seq));
    rig.sut.read(h, &mut some, 0).unwrap();
    assert_eq!(rig.heard_one(&mut c).wnd, 2000);
    rig.input(&probe);
    assert_eq!(rig.heard_one(&mut c).ack, c.seq.wrapping_add(1));
    // Text beyond the window is cut.
    c.seq = c.seq.wrapping_add(1);
    probe = rig.segment(&c, ACK, c.seq, c.ack, &stream(c.seq, 5000));
    rig.input(&probe);
    assert_eq!(rig.heard_one(&mut c).ack, c.seq.wrapping_add(1999));
}

#[test]
fn peeking_reads_nothing() {
    let mut rig = Rig::new(BARE);
    let mut c = rig.established(PEER_PORT);
    rig.send_text(&mut c, 100);
    rig.heard(&mut c);
    let h = c.handle.unwrap();
    let mut buf = [0; 60];
    let first = c.seq.wrapping_sub(100);
    for _ in 0..2 {
        assert_eq!(rig.sut.read(h, &mut buf, libc::MSG_PEEK), Ok(60));
        assert_eq!(buf[..], stream(first, 60));
    }
    assert_eq!(rig.sut.read(h, &mut buf, 0), Ok(60));
    assert_eq!(rig.sut.read(h, &mut buf, 0), Ok(40));
    assert_eq!(buf[..40], stream(first.wrapping_add(60), 40));
}

#[test]
fn urgent_text_is_in_line() {
    // RFC 6093: the urgent pointer is not acted on, and nothing is taken out of the text.
    let mut rig = Rig::new(BARE);
    let mut c = rig.established(PEER_PORT);
    for urgent in [1, 50, 100, 101, 60_000] {
        let mut seg = rig.segment(&c, ACK | URG, c.seq, c.ack, &stream(c.seq, 100));
        seg.urgent = urgent;
        rig.input(&seg);
        c.seq = c.seq.wrapping_add(100);
        assert_eq!(rig.heard_one(&mut c).ack, c.seq);
    }
    assert_eq!(rig.read(&c), Ok(stream(c.seq.wrapping_sub(500), 500)));
}

#[test]
fn challenge_acks_are_limited_and_answers_to_text_are_not() {
    //= RFC 5961 7
    //# the number of challenge ACKs
    let mut rig = Rig::new(&format!("{BARE},replies=10"));
    let mut c = rig.established(PEER_PORT);
    let at = c.seq.wrapping_add(5);
    let mut answers = 0;
    for flags in [SYN, RST].repeat(50) {
        let seg = rig.segment(&c, flags, at, 0, b"");
        rig.input(&seg);
        answers += rig.heard(&mut c).len();
    }
    assert!((5..=10).contains(&answers), "{answers}");
    let old = rig.segment(&c, ACK, c.seq.wrapping_sub(10), c.ack, &[0; 10]);
    for _ in 0..20 {
        rig.input(&old);
        assert_eq!(rig.heard_one(&mut c).ack, c.seq);
    }
    rig.wait_ms(1000);
    let seg = rig.segment(&c, SYN, at, 0, b"");
    rig.input(&seg);
    rig.heard_one(&mut c);
    // RSTs have a budget of their own.
    let mut nobody = rig.nobody(crate::rig::NOBODY, PEER_PORT);
    let mut resets = 0;
    for _ in 0..50 {
        let seg = rig.segment(&nobody, ACK, 1, 1, b"");
        rig.input(&seg);
        resets += rig.heard(&mut nobody).len();
    }
    assert_eq!(resets, 1);
}

#[test]
fn a_keepalive_probe_is_answered() {
    let mut rig = Rig::new(BARE);
    let mut c = rig.established(PEER_PORT);
    for text in [&b""[..], b"x"] {
        let probe = rig.segment(&c, ACK, c.seq.wrapping_sub(1), c.ack, text);
        rig.input(&probe);
        let answer = rig.heard_one(&mut c);
        assert_eq!((answer.seq, answer.ack), (c.ack, c.seq));
    }
}
