//! Sending: retransmission (RFC 6298), congestion (RFC 5681, 6582, 6928), Nagle, silly windows, closed
//! windows and the user timeout (RFC 9293 3.7, 3.8).

use tidewheel_sut::Errno;

use crate::packet::{ACK, PSH, Seg};
use crate::rig::{BARE, Conn, PEER_PORT, Rig, stream};

const MSS: usize = 1460;

fn lens(out: &[Seg]) -> Vec<usize> {
    out.iter().map(|s| s.text.len()).collect()
}

fn offsets(c: &Conn, out: &[Seg]) -> Vec<u32> {
    let first = c.iss.wrapping_add(1);
    out.iter().map(|s| s.seq.wrapping_sub(first)).collect()
}

/// Acknowledges the first `n` bytes.
fn ack(rig: &mut Rig, c: &mut Conn, n: u32) {
    let ack = c.iss.wrapping_add(1).wrapping_add(n);
    rig.acknowledge(c, ack);
}

/// A connection whose peer's window does not matter.
fn wide(flags: &str) -> (Rig, Conn) {
    let mut rig = Rig::new(flags);
    let mut c = rig.established(PEER_PORT);
    c.wnd = 65_535;
    ack(&mut rig, &mut c, 0);
    rig.silent(&mut c);
    (rig, c)
}

#[test]
fn text_is_sent_again_ever_more_rarely_and_then_given_up() {
    let mut rig = Rig::new(&format!("{BARE},data_retries=3"));
    let mut c = rig.established(PEER_PORT);
    rig.write(&c, 10);
    let first = rig.heard_one(&mut c);
    // The SYN was answered at once: RTO is its least, a second (RFC 6298 2.4).
    for wait in [1000, 2000, 4000] {
        assert_eq!(rig.timer_ms(), wait);
        assert_eq!(rig.heard_one(&mut c), first);
    }
    assert_eq!(rig.timer_ms(), 8000);
    rig.silent(&mut c);
    assert_eq!(rig.read(&c), Err(Errno(libc::ETIMEDOUT)));
    assert_eq!(rig.read(&c), Ok(vec![]));
    assert_eq!(
        rig.sut.write(c.handle.unwrap(), b"x", 0),
        Err(Errno(libc::EPIPE))
    );
}

#[test]
fn the_timeout_follows_the_measured_round_trip() {
    //= RFC 6298 2.2
    //# When the first RTT measurement R is made, the host MUST set
    let mut rig = Rig::new(BARE);
    let mut c = rig.syn_received(PEER_PORT);
    rig.wait_ms(600);
    rig.send(&mut c, ACK, b"");
    rig.accept(&mut c);
    rig.write(&c, 10);
    rig.heard_one(&mut c);
    // SRTT 600, RTTVAR 300: 1800 ms.
    assert_eq!(rig.timer_ms(), 1800);
    rig.heard_one(&mut c);
    assert_eq!(rig.timer_ms(), 3600);
    rig.heard_one(&mut c);
    // Karn: an answer to what was sent twice says nothing; the timer stays backed off.
    ack(&mut rig, &mut c, 10);
    rig.write(&c, 10);
    rig.heard_one(&mut c);
    assert_eq!(rig.timer_ms(), 7200);
    rig.heard_one(&mut c);
    ack(&mut rig, &mut c, 20);
    rig.write(&c, 10);
    rig.heard_one(&mut c);
    rig.wait_ms(200);
    ack(&mut rig, &mut c, 30);
    // R' 200: RTTVAR 3/4 300 + 1/4 400 = 325, SRTT 7/8 600 + 1/8 200 = 550: 1850 ms.
    rig.write(&c, 10);
    rig.heard_one(&mut c);
    assert_eq!(rig.timer_ms(), 1850);
}

#[test]
fn after_a_lost_syn_ack_the_timeout_is_three_seconds() {
    //= RFC 6298 5.7
    //# the RTO MUST be re-initialized to 3 seconds
    let mut rig = Rig::new(BARE);
    let mut c = rig.syn_received(PEER_PORT);
    rig.timer_ms();
    rig.heard_one(&mut c);
    rig.send(&mut c, ACK, b"");
    rig.accept(&mut c);
    rig.write(&c, 10);
    rig.heard_one(&mut c);
    assert_eq!(rig.timer_ms(), 3000);
}

#[test]
fn the_timer_restarts_with_every_acknowledgment() {
    let mut rig = Rig::new(BARE);
    let mut c = rig.established(PEER_PORT);
    rig.write(&c, 3000);
    assert_eq!(lens(&rig.heard(&mut c)), [MSS, MSS, 80]);
    rig.wait_ms(700);
    ack(&mut rig, &mut c, 1460);
    // R is 700 ms now: SRTT 87, RTTVAR 175 or so, RTO the least.
    assert_eq!(rig.timer_ms(), 1000);
    // One segment after a timeout: slow start anew.
    let again = rig.heard(&mut c);
    assert_eq!(offsets(&c, &again), [1460]);
    ack(&mut rig, &mut c, 3000);
    assert_eq!(rig.sut.next_timer(), None);
}

#[test]
fn the_initial_window_grows_by_what_is_acknowledged() {
    //= RFC 6928 2
    //# min (10*MSS, max (2*MSS, 14600))
    let (mut rig, mut c) = wide(BARE);
    rig.write(&c, 60_000);
    let sent = rig.heard(&mut c);
    assert_eq!(lens(&sent), [MSS; 10]);
    // Slow start: an acknowledgment of one segment lets two go.
    ack(&mut rig, &mut c, 1460);
    assert_eq!(lens(&rig.heard(&mut c)), [MSS; 2]);
    // One of three counts no more than SMSS (RFC 5681 3.1).
    ack(&mut rig, &mut c, 4 * 1460);
    assert_eq!(lens(&rig.heard(&mut c)), [MSS; 4]);
    let (mut rig, mut c) = wide(&format!("{BARE},initial_window=3"));
    rig.write(&c, 60_000);
    assert_eq!(lens(&rig.heard(&mut c)), [MSS; 3]);
}

#[test]
fn the_third_duplicate_acknowledgment_sends_the_first_segment_again() {
    let (mut rig, mut c) = wide(BARE);
    rig.write(&c, 30_000);
    assert_eq!(rig.heard(&mut c).len(), 10);
    // RFC 3042: the first two let one new segment each go.
    for n in [10u32, 11] {
        ack(&mut rig, &mut c, 0);
        let out = rig.heard(&mut c);
        assert_eq!(offsets(&c, &out), [n * 1460]);
    }
    //= RFC 5681 3.2
    //# The lost segment starting at SND.UNA MUST be retransmitted
    ack(&mut rig, &mut c, 0);
    let out = rig.heard(&mut c);
    assert_eq!((offsets(&c, &out), lens(&out)), (vec![0], vec![MSS]));
    // ssthresh is half of the flight, 5 segments; cwnd that and 3: nothing until it passes 12.
    for _ in 0..4 {
        ack(&mut rig, &mut c, 0);
        rig.silent(&mut c);
    }
    ack(&mut rig, &mut c, 0);
    let out = rig.heard(&mut c);
    assert_eq!(offsets(&c, &out), [12 * 1460]);
    //= RFC 6582 3.2
    //# In this case, retransmit the first unacknowledged segment.
    ack(&mut rig, &mut c, 3 * 1460);
    let out = rig.heard(&mut c);
    assert_eq!(out[0].seq, c.ack);
    // The whole: recovery is over, cwnd is ssthresh.
    ack(&mut rig, &mut c, 13 * 1460);
    let out = rig.heard(&mut c);
    assert!((1..=5).contains(&out.len()), "{out:?}");
}

#[test]
fn what_is_no_duplicate_does_not_count() {
    let (mut rig, mut c) = wide(BARE);
    rig.write(&c, 14_600);
    rig.heard(&mut c);
    for i in 0..6 {
        // Another window, or text: RFC 5681 2 (b) and (e).
        if i % 2 == 0 {
            c.wnd -= 100;
            ack(&mut rig, &mut c, 0);
        } else {
            rig.send_text(&mut c, 10);
        }
        assert!(rig.heard(&mut c).iter().all(|s| s.text.is_empty()));
    }
}

#[test]
fn nagle_holds_a_small_segment_while_one_is_unacknowledged() {
    let nagle = "wscale=off,timestamps=off,delack_ms=0";
    let mut rig = Rig::new(nagle);
    let mut c = rig.established(PEER_PORT);
    rig.write(&c, 10);
    assert_eq!(lens(&rig.heard(&mut c)), [10]);
    rig.write(&c, 10);
    rig.write(&c, 10);
    rig.silent(&mut c);
    ack(&mut rig, &mut c, 10);
    assert_eq!(lens(&rig.heard(&mut c)), [20]);
    // A full segment goes at once, the rest waits.
    rig.write(&c, 1500);
    assert_eq!(lens(&rig.heard(&mut c)), [MSS]);
    // TCP_NODELAY lets it go.
    rig.set(&c, libc::IPPROTO_TCP, libc::TCP_NODELAY, 1);
    assert_eq!(lens(&rig.heard(&mut c)), [40]);
    rig.write(&c, 1);
    let out = rig.heard_one(&mut c);
    assert_eq!((out.text.len(), out.flags), (1, ACK | PSH));
}

#[test]
fn the_sender_avoids_silly_windows() {
    //= RFC 9293 3.8.6.2.1
    //# if a maximum-sized segment can be sent, i.e., if:
    let mut rig = Rig::new(BARE);
    let mut c = rig.established(PEER_PORT);
    // 8192 was the most that was ever offered: half of it, or a segment, must fit.
    c.wnd = 100;
    ack(&mut rig, &mut c, 0);
    rig.write(&c, 5000);
    rig.silent(&mut c);
    // After the override timeout what fits goes.
    rig.timer_ms();
    let out = rig.heard_one(&mut c);
    assert!(!out.text.is_empty() && out.text.len() <= 100);
    c.wnd = 1460;
    let n = out.text.len() as u32;
    ack(&mut rig, &mut c, n);
    assert_eq!(lens(&rig.heard(&mut c)), [MSS]);
}

#[test]
fn a_closed_window_is_probed() {
    let mut rig = Rig::new(BARE);
    let mut c = rig.established(PEER_PORT);
    c.wnd = 0;
    ack(&mut rig, &mut c, 0);
    rig.write(&c, 100);
    rig.silent(&mut c);
    //= RFC 9293 3.8.6.1
    //# The transmitting host SHOULD send the first zero-window probe when a
    //# zero window has existed for the retransmission timeout period
    for wait in [1000, 2000, 4000] {
        assert_eq!(rig.timer_ms(), wait);
        let probe = rig.heard_one(&mut c);
        assert_eq!(
            (offsets(&c, std::slice::from_ref(&probe)), probe.text.len()),
            (vec![0], 1)
        );
        ack(&mut rig, &mut c, 0);
        rig.silent(&mut c);
    }
    c.wnd = 8192;
    ack(&mut rig, &mut c, 0);
    let out = rig.heard(&mut c);
    assert_eq!((offsets(&c, &out), lens(&out)), (vec![0], vec![100]));
}

#[test]
fn the_window_opens_after_a_probe_was_taken() {
    let mut rig = Rig::new(BARE);
    let mut c = rig.established(PEER_PORT);
    c.wnd = 0;
    ack(&mut rig, &mut c, 0);
    rig.write(&c, 100);
    rig.timer_ms();
    rig.heard_one(&mut c);
    c.wnd = 8192;
    ack(&mut rig, &mut c, 1);
    let out = rig.heard(&mut c);
    assert_eq!((offsets(&c, &out), lens(&out)), (vec![1], vec![99]));
}

#[test]
fn the_user_timeout_ends_what_is_not_acknowledged() {
    //= RFC 9293 3.10.8
    //# For any state if the user timeout expires, flush all queues,
    //# signal the user "error: connection aborted due to user timeout"
    let mut rig = Rig::new(BARE);
    let mut c = rig.established(PEER_PORT);
    rig.set(&c, libc::IPPROTO_TCP, libc::TCP_USER_TIMEOUT, 2500);
    rig.write(&c, 10);
    rig.heard_one(&mut c);
    assert_eq!((rig.timer_ms(), rig.heard(&mut c).len()), (1000, 1));
    assert_eq!((rig.timer_ms(), rig.heard(&mut c).len()), (1500, 0));
    assert_eq!(rig.read(&c), Err(Errno(libc::ETIMEDOUT)));
}

#[test]
fn the_user_timeout_ends_what_a_closed_window_holds() {
    let mut rig = Rig::new(&format!("{BARE},user_timeout_ms=10000"));
    let mut c = rig.established(PEER_PORT);
    c.wnd = 0;
    ack(&mut rig, &mut c, 0);
    // Silence before is not counted.
    rig.wait_ms(60_000);
    rig.write(&c, 100);
    for wait in [1000, 2000, 4000] {
        assert_eq!(rig.timer_ms(), wait);
        rig.heard_one(&mut c);
        // The peer lives, and takes nothing.
        ack(&mut rig, &mut c, 0);
        rig.silent(&mut c);
    }
    assert_eq!(rig.timer_ms(), 3000);
    assert_eq!(rig.read(&c), Err(Errno(libc::ETIMEDOUT)));
    assert_eq!(rig.sut.usage().live, 0);
}

#[test]
fn keepalive_probes_a_silent_peer_and_gives_up() {
    let mut rig = Rig::new(BARE);
    let mut c = rig.established(PEER_PORT);
    assert_eq!(rig.sut.next_timer(), None);
    rig.set(&c, libc::IPPROTO_TCP, libc::TCP_KEEPIDLE, 10);
    rig.set(&c, libc::IPPROTO_TCP, libc::TCP_KEEPINTVL, 3);
    rig.set(&c, libc::IPPROTO_TCP, libc::TCP_KEEPCNT, 2);
    rig.set(&c, libc::SOL_SOCKET, libc::SO_KEEPALIVE, 1);
    assert_eq!(rig.timer_ms(), 10_000);
    let probe = rig.heard_one(&mut c);
    assert_eq!(
        (probe.flags, probe.seq, probe.text.len()),
        (ACK, c.ack.wrapping_sub(1), 0)
    );
    ack(&mut rig, &mut c, 0);
    assert_eq!(rig.timer_ms(), 10_000);
    rig.heard_one(&mut c);
    assert_eq!((rig.timer_ms(), rig.heard(&mut c).len()), (3000, 1));
    assert_eq!(rig.timer_ms(), 3000);
    assert_eq!(rig.heard_one(&mut c).flags & 4, 4);
    assert_eq!(rig.read(&c), Err(Errno(libc::ETIMEDOUT)));
}

#[test]
fn the_last_segment_is_pushed_and_the_buffer_is_bounded() {
    let mut rig = Rig::new(&format!("{BARE},sndbuf=5000"));
    let mut c = rig.established(PEER_PORT);
    let h = c.handle.unwrap();
    assert_eq!(rig.sut.write(h, &[1; 6000], 0), Ok(5000));
    assert_eq!(rig.sut.write(h, &[1; 6000], 0), Err(Errno(libc::EAGAIN)));
    assert!(!rig.sut.poll(h).unwrap().contains(tidewheel_sut::Poll::OUT));
    let out = rig.heard(&mut c);
    let pushed: Vec<bool> = out.iter().map(|s| s.flags & PSH != 0).collect();
    assert_eq!(pushed, [false, false, false, true]);
    ack(&mut rig, &mut c, 5000);
    assert!(rig.sut.poll(h).unwrap().contains(tidewheel_sut::Poll::OUT));
    assert_eq!(rig.sut.write(h, &[1; 6000], 0), Ok(5000));
}

#[test]
fn old_segments_do_not_move_the_window() {
    let mut rig = Rig::new(BARE);
    let mut c = rig.established(PEER_PORT);
    for _ in 0..2 {
        rig.send_text(&mut c, 10);
        rig.heard(&mut c);
    }
    let first = c.seq.wrapping_sub(20);
    // SND.WL1 is beyond it: text with an old number and another window.
    let mut old = rig.segment(&c, ACK, first, c.ack, &stream(first, 22));
    old.wnd = 0;
    rig.input(&old);
    rig.heard(&mut c);
    rig.write(&c, 100);
    assert_eq!(lens(&rig.heard(&mut c)), [100]);
}
