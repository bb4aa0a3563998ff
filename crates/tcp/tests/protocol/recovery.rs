//! Fast retransmit and NewReno recovery (RFC 5681, RFC 6582), limited transmit (RFC 3042).

use tcp::Events;

use crate::host::*;

/// Ten segments in flight, more queued.
fn in_flight() -> Script {
    let mut s = Script::established(bare());
    s.send(&[0; 30_000]);
    assert_eq!(s.out().len(), 10);
    s
}

#[test]
fn three_duplicates_retransmit_the_first_segment() {
    let mut s = in_flight();
    s.arrive(ACK, 1, 1, b"");
    s.expect(&["ACK 10001:11001 ack 1"]);
    s.arrive(ACK, 1, 1, b"");
    s.expect(&["ACK 11001:12001 ack 1"]);
    s.arrive(ACK, 1, 1, b"");
    s.expect(&["ACK 1:1001 ack 1"]);
    let info = s.host.conn.info();
    assert!(info.in_recovery);
    assert_eq!((info.ssthresh, info.cwnd), (5000, 8000));
    assert_eq!(s.host.core.counters.fast_retransmits, 1);
    for _ in 0..4 {
        s.arrive(ACK, 1, 1, b"");
        s.expect(&[]);
    }
    // The window has grown to what is in flight, and one more.
    s.arrive(ACK, 1, 1, b"");
    s.expect(&["ACK 12001:13001 ack 1"]);
    // A full acknowledgment ends it.
    s.arrive(ACK, 1, 12_001, b"");
    assert!(!s.host.conn.info().in_recovery);
    assert_eq!(s.host.conn.info().cwnd, 2000);
}

#[test]
fn a_partial_acknowledgment_retransmits_the_next_hole() {
    let mut s = in_flight();
    for _ in 0..3 {
        s.arrive(ACK, 1, 1, b"");
        s.out();
    }
    s.arrive(ACK, 1, 4001, b"");
    let out = s.out();
    assert_eq!(s.show(&out)[0], "ACK 4001:5001 ack 1");
    assert_eq!(s.host.core.counters.partial_acks, 1);
    assert!(s.host.conn.info().in_recovery);
    s.arrive(ACK, 1, 12_001, b"");
    assert!(!s.host.conn.info().in_recovery);
    assert_eq!(s.host.core.counters.retransmission_timeouts, 0);
}

#[test]
fn what_is_no_duplicate_does_not_count() {
    let mut s = in_flight();
    for i in 0..4 {
        // Text, and a changed window: RFC 5681 section 2 (b) and (e).
        s.arrive(ACK, 1 + i, 1, b"x");
        s.wnd -= 1;
        s.arrive(ACK, 2 + i, 1, b"");
        s.wnd += 1;
    }
    assert_eq!(s.host.core.counters.duplicate_acks, 0);
}

#[test]
fn a_lost_fin_is_repeated_by_recovery() {
    let mut s = Script::established(bare());
    s.send(&[0; 3000]);
    s.host.conn.close();
    assert_eq!(s.out().len(), 3);
    s.arrive(ACK, 1, 2001, b"");
    for _ in 0..3 {
        s.arrive(ACK, 1, 2001, b"");
    }
    s.expect(&["FIN|PSH|ACK 2001:3001 ack 1"]);
    assert!(s.arrive(ACK, 1, 3002, b"").contains(Events::ACKED_ALL));
}

#[test]
fn what_recovery_retransmits_is_not_measured() {
    let mut s = in_flight();
    let before = s.host.core.counters.rtt_samples;
    for _ in 0..3 {
        s.arrive(ACK, 1, 1, b"");
        s.out();
    }
    s.host.advance_ms(100);
    s.arrive(ACK, 1, 1001, b"");
    assert_eq!(s.host.core.counters.rtt_samples, before);
}

#[test]
fn only_the_first_partial_acknowledgment_restarts_the_timer() {
    let mut s = in_flight();
    for _ in 0..3 {
        s.arrive(ACK, 1, 1, b"");
        s.out();
    }
    s.host.advance_ms(10);
    s.arrive(ACK, 1, 2001, b"");
    s.out();
    let deadline = s.host.conn.deadline();
    assert_eq!(deadline, Some(s.host.core.now.plus_millis(200)));
    s.host.advance_ms(10);
    s.arrive(ACK, 1, 4001, b"");
    s.out();
    assert_eq!(s.host.conn.deadline(), deadline);
}
