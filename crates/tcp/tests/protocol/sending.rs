//! When text is sent: segmenting, Nagle, silly windows, zero windows (RFC 9293 3.7.4, 3.8.6).

use tcp::{CloseReason, Config, Events, State};
use wire::Seq;

use crate::host::*;

fn nagle() -> Config {
    Config {
        nodelay: false,
        ..bare()
    }
}

#[test]
fn text_is_cut_into_segments_and_the_last_is_pushed() {
    let mut s = Script::established(bare());
    s.send(&[1; 2500]);
    s.expect(&[
        "ACK 1:1001 ack 1",
        "ACK 1001:2001 ack 1",
        "PSH|ACK 2001:2501 ack 1",
    ]);
}

#[test]
fn nagle_holds_a_small_segment_while_something_is_outstanding() {
    let mut s = Script::established(nagle());
    s.send(b"a");
    s.expect(&["PSH|ACK 1:2 ack 1"]);
    s.send(b"b");
    s.send(b"c");
    s.expect(&[]);
    s.send(&[0; 998]);
    s.expect(&["PSH|ACK 2:1002 ack 1"]);
    s.send(b"d");
    s.expect(&[]);
    s.arrive(ACK, 1, 1002, b"");
    s.expect(&["PSH|ACK 1002:1003 ack 1"]);
}

#[test]
fn nodelay_and_a_fin_do_not_wait() {
    let mut s = Script::established(bare());
    s.send(b"a");
    s.out();
    s.send(b"b");
    s.expect(&["PSH|ACK 2:3 ack 1"]);

    let mut s = Script::established(nagle());
    s.send(b"a");
    s.out();
    s.send(b"b");
    s.host.conn.close();
    s.expect(&["FIN|PSH|ACK 2:3 ack 1"]);
}

#[test]
fn the_send_window_is_respected() {
    let mut s = Script::established(bare());
    s.wnd = 1500;
    s.arrive(ACK, 1, 1, b"");
    s.send(&[0; 4000]);
    s.expect(&["ACK 1:1001 ack 1"]);
    s.arrive(ACK, 1, 1001, b"");
    s.expect(&["ACK 1001:2001 ack 1"]);
}

#[test]
fn a_silly_window_waits_for_the_timer() {
    let mut s = Script::established(bare());
    s.wnd = 100;
    s.arrive(ACK, 1, 1, b"");
    s.send(&[0; 1000]);
    s.expect(&[]);
    s.host.timer();
    s.expect(&["ACK 1:101 ack 1"]);
    // From here on it is a segment like any other, and its loss a sign of congestion.
    s.host.timer();
    assert_eq!(s.host.core.counters.retransmission_timeouts, 1);
    assert_eq!(s.host.core.counters.window_probes_sent, 1);
}

#[test]
fn a_peer_that_keeps_talking_does_not_put_the_override_off() {
    //= RFC 9293 3.8.6.2.1
    //# (4) or if the override timeout occurs.
    let mut s = Script::established(bare());
    s.wnd = 100;
    s.arrive(ACK, 1, 1, b"");
    s.send(&[7; 5000]);
    s.expect(&[]);
    let rto_ms = u64::from(s.host.conn.info().rto_us) / 1_000;
    for number in 1..=2 {
        s.host.advance_ms(rto_ms / 4);
        s.arrive(ACK, number, 1, b"x");
        s.out();
    }
    assert_eq!(s.host.timer(), rto_ms - rto_ms / 4 * 2);
    s.expect(&["ACK 1:101 ack 3"]);
    // It is no retransmission timeout, and not a probe that was not answered.
    assert_eq!(s.host.conn.info().backoff, 0);
}

#[test]
fn an_old_segment_does_not_change_the_window() {
    let mut s = Script::established(bare());
    s.send(&[0; 100]);
    s.out();
    s.wnd = 5000;
    s.arrive(ACK, 1, 101, b"");
    s.wnd = 60_000;
    s.arrive(ACK, 1, 1, b"");
    assert_eq!(s.host.conn.info().snd_wnd, 5000);
    // The same numbers again are not old.
    s.arrive(ACK, 1, 101, b"");
    assert_eq!(s.host.conn.info().snd_wnd, 60_000);
}

#[test]
fn half_of_the_greatest_window_is_not_silly() {
    let config = bare();
    let mut s = Script::syn_received(config);
    // The peer never offers more than 800 bytes: less than a segment.
    let mut probe = s.segment(ACK, 1, 1, b"");
    probe.header.window = 800;
    s.wnd = 800;
    s.host.receive(&probe);
    s.send(&[0; 2000]);
    // The SYN offered 60,000: as long as that is the greatest, 800 is silly.
    s.expect(&[]);
    s.host.timer();
    s.expect(&["ACK 1:801 ack 1"]);
}

#[test]
fn a_zero_window_is_probed_with_one_byte_ever_more_rarely() {
    let mut s = Script::established(bare());
    s.wnd = 0;
    s.arrive(ACK, 1, 1, b"");
    s.send(b"waiting");
    s.expect(&[]);
    let mut waits = Vec::new();
    for _ in 0..12 {
        waits.push(s.host.timer());
        s.expect(&["ACK 1:2 ack 1"]);
        // The peer lives but takes nothing: the connection stays (RFC 9293 MUST-37).
        s.arrive(ACK, 1, 1, b"");
        s.expect(&[]);
    }
    assert_eq!(waits[..4], [200, 400, 800, 1600]);
    assert_eq!(waits[11], 60_000);
    assert_eq!(s.host.core.counters.window_probes_sent, 12);
    // It opens.
    s.wnd = 1000;
    s.arrive(ACK, 1, 1, b"");
    s.expect(&["PSH|ACK 1:8 ack 1"]);
    assert_eq!(s.arrive(ACK, 1, 8, b""), Events::ACKED_ALL);
    assert_eq!(s.host.conn.deadline(), None);
    assert_eq!(s.state(), State::Established);
}

#[test]
fn a_probe_that_is_taken_counts() {
    let mut s = Script::established(bare());
    s.wnd = 0;
    s.arrive(ACK, 1, 1, b"");
    s.send(b"waiting");
    s.expect(&[]);
    s.host.timer();
    s.expect(&["ACK 1:2 ack 1"]);
    s.arrive(ACK, 1, 2, b"");
    s.expect(&[]);
    s.host.timer();
    s.expect(&["ACK 2:3 ack 1"]);
    s.wnd = 1000;
    s.arrive(ACK, 1, 3, b"");
    s.expect(&["PSH|ACK 3:8 ack 1"]);
}

#[test]
fn a_closed_application_is_not_held_by_a_zero_window() {
    let mut s = Script::established(bare());
    s.wnd = 0;
    s.arrive(ACK, 1, 1, b"");
    s.send(b"x");
    s.host.conn.close();
    s.expect(&[]);
    for _ in 0..16 {
        s.host.timer();
        s.out();
        if s.state() != State::Closed {
            s.arrive(ACK, 1, 1, b"");
        }
    }
    assert_eq!(s.host.conn.close_reason(), Some(CloseReason::TimedOut));
    s.host.release();
}

#[test]
fn unanswered_probes_end_the_connection() {
    let mut s = Script::established(bare());
    s.wnd = 0;
    s.arrive(ACK, 1, 1, b"");
    s.send(b"x");
    s.expect(&[]);
    for _ in 0..16 {
        s.host.timer();
        s.out();
    }
    assert_eq!(s.host.conn.close_reason(), Some(CloseReason::TimedOut));
    s.host.release();
}

#[test]
fn a_window_that_closes_over_text_in_flight() {
    let mut s = Script::established(bare());
    s.send(&[0; 2000]);
    s.out();
    s.wnd = 0;
    s.arrive(ACK, 1, 1001, b"");
    s.host.timer();
    s.expect(&["ACK 1001:1002 ack 1"]);
    s.wnd = 5000;
    s.arrive(ACK, 1, 1001, b"");
    s.expect(&["PSH|ACK 1001:2001 ack 1"]);
    assert_eq!(
        s.host.conn.info().cwnd,
        10_000,
        "a closed window is no congestion"
    );
}

#[test]
fn a_fin_does_not_wait_for_the_window() {
    let mut s = Script::established(bare());
    s.wnd = 0;
    s.arrive(ACK, 1, 1, b"");
    s.host.conn.close();
    s.expect(&["FIN|ACK 1:1 ack 1"]);
    s.host.timer();
    s.expect(&["FIN|ACK 1:1 ack 1"]);
}

#[test]
fn the_buffer_is_bounded_and_tells_when_there_is_room() {
    let config = Config {
        snd_buf: 1500,
        ..bare()
    };
    let mut s = Script::established(config);
    assert_eq!(s.host.conn.writable(&s.host.core.config), 1500);
    assert_eq!(s.host.send(&[0; 2000]), 1500);
    assert_eq!(s.host.send(&[0; 1]), 0);
    s.out();
    let events = s.arrive(ACK, 1, 1001, b"");
    assert_eq!(events, Events::WRITABLE);
    assert_eq!(s.host.conn.writable(&s.host.core.config), 1000);
    assert_eq!(s.arrive(ACK, 1, 1501, b""), Events::ACKED_ALL, "told once");
}

#[test]
fn sequence_numbers_wrap() {
    let mut s = Script::syn_received_from(bare(), Seq(u32::MAX - 1500));
    s.arrive(ACK, 1, 1, b"");
    s.send(&[5; 3000]);
    let out = s.out();
    assert_eq!(out.len(), 3);
    assert_eq!(out[2].header.seq.0, 500);
    assert!(out.iter().all(|seg| seg.payload == [5; 1000]));
    assert_eq!(s.arrive(ACK, 1, 3001, b""), Events::ACKED_ALL);
}

#[test]
fn a_smaller_path_repeats_in_smaller_segments() {
    let mut s = Script::established(bare());
    s.send(&[0; 1500]);
    s.out();
    assert!(s.host.conn.reduce_mss(600));
    assert!(!s.host.conn.reduce_mss(900));
    s.expect(&[
        "ACK 1:601 ack 1",
        "ACK 601:1201 ack 1",
        "PSH|ACK 1201:1501 ack 1",
    ]);
}

#[test]
fn the_initial_window_is_ten_segments() {
    let mut s = Script::established(bare());
    s.send(&[0; 20_000]);
    assert_eq!(s.out().len(), 10);
    for i in 1..=10 {
        s.arrive(ACK, 1, 1 + i * 1000, b"");
        assert_eq!(s.out().len(), if i <= 5 { 2 } else { 0 }, "slow start");
    }
}

#[test]
fn what_goes_out_during_a_probe_is_within_the_window() {
    // A host whose window is closed takes acknowledgments at RCV.NXT only: after the byte that was
    // probed with, which it did not take, it would ignore them, and a RST too.
    let mut s = Script::established(bare());
    s.wnd = 0;
    s.arrive(ACK, 1, 1, b"");
    s.send(b"reply");
    s.expect(&[]);
    s.host.timer();
    s.expect(&["ACK 1:2 ack 1"]);
    s.arrive(ACK, 1, 1, b"question");
    s.expect(&["ACK 1:1 ack 9"]);
    s.host.conn.abort();
    s.expect(&["RST|ACK 1:1 ack 9"]);
}

#[test]
fn a_window_is_believed_by_the_acknowledgment_or_the_number() {
    let mut s = Script::established(bare());
    s.send(&[1; 500]);
    s.out();
    s.wnd = 100;
    s.arrive(ACK, 1001, 1, b"text out of order");
    s.out();
    // An old number with an old acknowledgment, though it came last.
    s.wnd = 50_000;
    s.arrive(ACK, 1, 1, b"");
    assert_eq!(s.host.conn.info().snd_wnd, 100);
    // What acknowledges more was sent later.
    s.arrive(ACK, 1, 501, &[7; 1000]);
    assert_eq!(s.host.conn.info().snd_wnd, 50_000);
}

#[test]
fn a_trickle_does_not_overflow_the_receive_buffer() {
    // One byte a segment, and nobody reads: rounding the scaled window up each time would let in
    // one more byte for each.
    for rcv_buf in [65_536u32, 1 << 20] {
        let config = Config {
            rcv_buf,
            window_scaling: true,
            ..bare()
        };
        let mut s = Script::established_scaled(config);
        s.host.core.rcv_memory = tcp::Memory::new(1024, 2048);
        s.host.reading = false;
        let shift = s.host.conn.info().window_shifts.1;
        let mut seq = 1;
        while seq < i64::from(rcv_buf) - 100 {
            let n = 1000.min(i64::from(rcv_buf) - 100 - seq);
            s.arrive(ACK, seq, 1, &vec![0; n as usize]);
            s.out();
            seq += n;
        }
        for _ in 0..1000 {
            s.arrive(ACK, seq, 1, b"x");
            s.out();
            seq = i64::from(s.host.conn.rcv_nxt().since(wire::Seq(IRS)));
        }
        let held = s.host.conn.readable() as u32;
        assert!(
            held >= rcv_buf - 1 && held < rcv_buf + (1 << shift),
            "{held} of {rcv_buf}"
        );
        // Closed for good, and it opens again.
        s.host.read_all();
        assert!(s.out().last().unwrap().header.window > 0);
        s.arrive(ACK, seq, 1, b"y");
        s.host.read_all();
        assert_eq!(s.host.read.len() as u32, held + 1);
    }
}
