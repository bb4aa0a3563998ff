//! RST and SYN in synchronized states, and the limit on answers (RFC 5961).

use tcp::{ChallengeLimit, CloseReason, Events, State};

use crate::host::*;

#[test]
fn an_exact_reset_ends_the_connection() {
    let mut s = Script::established(bare());
    assert_eq!(s.arrive(RST, 1, 0, b""), Events::CLOSED);
    assert_eq!(s.host.conn.close_reason(), Some(CloseReason::Reset));
    s.expect(&[]);
}

#[test]
fn a_reset_in_the_window_is_challenged() {
    let mut s = Script::established(bare());
    s.arrive(RST, 2, 0, b"");
    assert_eq!(s.state(), State::Established);
    s.expect(&["ACK 1:1 ack 1"]);
    s.arrive(RST | ACK, 65_535, 1, b"");
    s.expect(&["ACK 1:1 ack 1"]);
    assert_eq!(s.host.core.counters.resets_challenged, 2);
}

#[test]
fn a_reset_outside_of_the_window_is_ignored() {
    let mut s = Script::established(bare());
    for seq in [0, -1, 65_536, 1 << 31] {
        s.arrive(RST, seq, 0, b"");
    }
    s.expect(&[]);
    assert_eq!(s.state(), State::Established);
    assert_eq!(s.host.core.counters.resets_ignored, 4);
}

#[test]
fn a_reset_at_a_zero_window_is_processed() {
    //= RFC 9293 3.10.7.4
    //# If the RCV.WND is zero, no segments will be acceptable, but special allowance should be made to
    //# accept valid ACKs, URGs, and RSTs.
    let mut s = Script::established(tcp::Config {
        rcv_buf: 100,
        ..bare()
    });
    s.host.reading = false;
    s.arrive(ACK, 1, 1, &[1; 100]);
    let out = s.out();
    assert_eq!(out[0].header.window, 0);
    assert_eq!(s.arrive(RST, 101, 0, b""), Events::CLOSED);
    s.host.release();
}

#[test]
fn resets_while_closing() {
    let mut s = Script::established(bare());
    s.host.conn.close();
    s.out();
    assert_eq!(s.arrive(RST, 1, 0, b""), Events::CLOSED);
    assert_eq!(s.host.conn.close_reason(), Some(CloseReason::Reset));

    let mut s = Script::established(bare());
    s.arrive(FIN | ACK, 1, 1, b"");
    s.host.conn.close();
    s.out();
    assert_eq!(s.arrive(RST, 2, 0, b""), Events::CLOSED);
    assert_eq!(s.host.conn.close_reason(), Some(CloseReason::Normal));
}

#[test]
fn a_syn_is_challenged_wherever_it_is() {
    let mut s = Script::established(bare());
    for (flags, seq) in [
        (SYN, 1),
        (SYN, 500),
        (SYN | ACK, 0),
        (SYN, 1 << 30),
        (SYN, -77),
    ] {
        s.arrive(flags, seq, 1, b"");
        s.expect(&["ACK 1:1 ack 1"]);
    }
    assert_eq!(s.state(), State::Established);
}

#[test]
fn challenges_are_limited() {
    let mut s = Script::established(bare());
    s.host.core.challenge = ChallengeLimit::new(10, 3);
    let mut answered = 0;
    for _ in 0..100 {
        s.arrive(RST, 2, 0, b"");
        answered += s.out().len();
    }
    assert!((5..=10).contains(&answered), "{answered}");
    let c = &s.host.core.counters;
    assert_eq!(c.challenge_acks + c.challenge_acks_suppressed, 100);
    // Retransmitted text is not an attack: it is always answered, and so is a keep-alive probe.
    s.arrive(ACK, 1, 1, b"x");
    s.out();
    s.arrive(ACK, 1, 1, b"x");
    s.expect(&["ACK 1:1 ack 2"]);
    s.arrive(ACK, 1, 1, b"");
    s.expect(&["ACK 1:1 ack 2"]);
}

#[test]
fn an_ack_out_of_range_is_challenged_and_its_text_not_believed() {
    let mut s = Script::established(bare());
    s.send(&[0; 100]);
    s.out();
    s.arrive(ACK, 1, 101, b"");
    // SND.UNA is 101, MAX.SND.WND 60,000.
    s.arrive(ACK, 1, 102, b"evil");
    s.expect(&["ACK 101:101 ack 1"]);
    s.arrive(ACK, 1, 100 - 60_000, b"evil");
    s.expect(&["ACK 101:101 ack 1"]);
    assert_eq!(s.host.read, b"");
    assert_eq!(s.host.core.counters.unacceptable_acks, 2);
    s.arrive(ACK, 1, 101 - 60_000, b"old but possible");
    assert_eq!(s.host.read, b"old but possible");
}

#[test]
fn a_closed_connection_answers_as_the_closed_state_does() {
    let mut s = Script::established(bare());
    s.host.conn.abort();
    s.out();
    let r = s.arrive_reset(ACK, 1, 1);
    assert_eq!(r.flags, RST);
    s.arrive(RST, 1, 1, b"");
}
