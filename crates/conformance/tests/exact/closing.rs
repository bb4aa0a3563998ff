//! Closing: both halves in either order and at once, RSTs where text is lost, FIN-WAIT-2 and
//! TIME-WAIT, and what can still be read.

use tidewheel_sut::{Errno, Poll};

use crate::packet::{ACK, FIN, RST, SYN};
use crate::rig::{BARE, LISTENER, PEER_PORT, Rig, stream};

#[test]
fn the_peer_goes_on_after_our_fin() {
    let mut rig = Rig::new(BARE);
    let mut c = rig.established(PEER_PORT);
    rig.shutdown(&mut c);
    let ack = c.ack.wrapping_add(1);
    rig.acknowledge(&mut c, ack);
    assert_eq!(rig.state(&c), 5);
    rig.send_text(&mut c, 500);
    assert_eq!(rig.heard_one(&mut c).ack, c.seq);
    // For ever, while somebody reads.
    rig.wait_ms(600_000);
    assert_eq!(rig.state(&c), 5);
    rig.send(&mut c, FIN | ACK, b"");
    assert_eq!(rig.heard_one(&mut c).ack, c.seq);
    assert_eq!(rig.state(&c), 6);
    assert_eq!(rig.read(&c), Ok(stream(c.seq.wrapping_sub(501), 500)));
    assert_eq!(rig.read(&c), Ok(vec![]));
}

#[test]
fn we_go_on_after_the_peers_fin() {
    let mut rig = Rig::new(BARE);
    let mut c = rig.established(PEER_PORT);
    rig.send(&mut c, FIN | ACK, b"");
    rig.heard_one(&mut c);
    let h = c.handle.unwrap();
    assert_eq!(rig.sut.poll(h), Ok(Poll::IN | Poll::OUT | Poll::RDHUP));
    assert_eq!(rig.read(&c), Ok(vec![]));
    rig.wait_ms(600_000);
    rig.write(&c, 100);
    assert_eq!(rig.heard_one(&mut c).text.len(), 100);
    let ack = c.ack.wrapping_add(100);
    rig.acknowledge(&mut c, ack);
    rig.shutdown(&mut c);
    assert_eq!(rig.state(&c), 9);
    let ack = c.ack.wrapping_add(1);
    rig.acknowledge(&mut c, ack);
    assert_eq!(rig.state(&c), 7);
    assert!(rig.sut.poll(h).unwrap().contains(Poll::HUP));
    assert_eq!(rig.sut.next_timer(), None);
}

#[test]
fn what_was_received_can_be_read_when_the_connection_is_gone() {
    let mut rig = Rig::new(BARE);
    let mut c = rig.established(PEER_PORT);
    rig.send_text(&mut c, 300);
    rig.send(&mut c, FIN | ACK, b"");
    rig.shutdown_quietly(&mut c);
    let ack = c.ack.wrapping_add(1);
    rig.acknowledge(&mut c, ack);
    assert_eq!((rig.state(&c), rig.sut.usage().live), (7, 0));
    // The four-tuple is free.
    let again = rig.syn_received(PEER_PORT);
    assert_eq!(again.host_port, LISTENER);
    assert_eq!(rig.read(&c), Ok(stream(c.seq.wrapping_sub(301), 300)));
    assert_eq!(rig.read(&c), Ok(vec![]));
    assert_eq!(rig.sut.usage().receive_chunks, 0);
}

#[test]
fn fins_that_cross_end_in_time_wait() {
    let mut rig = Rig::new(BARE);
    let mut c = rig.established(PEER_PORT);
    rig.shutdown(&mut c);
    rig.send(&mut c, FIN | ACK, b"");
    assert_eq!(rig.heard_one(&mut c).ack, c.seq);
    assert_eq!(rig.state(&c), 11);
    let ack = c.ack.wrapping_add(1);
    rig.acknowledge(&mut c, ack);
    rig.silent(&mut c);
    assert_eq!(rig.state(&c), 6);
}

#[test]
fn time_wait_answers_the_repeated_fin_and_begins_anew() {
    let mut rig = Rig::new(BARE);
    let mut c = rig.established(PEER_PORT);
    rig.shutdown(&mut c);
    c.ack = c.ack.wrapping_add(1);
    rig.send(&mut c, FIN | ACK, b"");
    rig.heard_one(&mut c);
    rig.wait_ms(50_000);
    let fin = rig.segment(&c, FIN | ACK, c.seq.wrapping_sub(1), c.ack, b"");
    rig.input(&fin);
    assert_eq!(rig.heard_one(&mut c).ack, c.seq);
    rig.wait_ms(59_900);
    assert_eq!(rig.state(&c), 6);
    rig.wait_ms(600);
    assert_eq!(rig.state(&c), 7);
    rig.input(&fin);
    assert_eq!(rig.heard_one(&mut c).flags, RST);
}

#[test]
fn time_that_leaps_loses_no_time_wait() {
    let mut rig = Rig::new(&format!("{BARE},time_waits=65535"));
    for port in 0..40 {
        let mut c = rig.established(PEER_PORT + port);
        rig.shutdown(&mut c);
        c.ack = c.ack.wrapping_add(1);
        rig.send(&mut c, FIN | ACK, b"");
        rig.heard_one(&mut c);
        let fin = rig.segment(&c, FIN | ACK, c.seq.wrapping_sub(1), c.ack, b"");
        rig.wait_ms(50_000);
        rig.input(&fin);
        assert_eq!(rig.heard_one(&mut c).flags, ACK, "connection {port}");
    }
}

#[test]
fn a_newer_syn_ends_time_wait() {
    let mut rig = Rig::new(BARE);
    let mut c = rig.established(PEER_PORT);
    rig.shutdown(&mut c);
    c.ack = c.ack.wrapping_add(1);
    rig.send(&mut c, FIN | ACK, b"");
    rig.heard_one(&mut c);
    rig.syn(&mut c, SYN);
    let syn_ack = rig.heard_one(&mut c);
    assert_eq!((syn_ack.flags, syn_ack.ack), (SYN | ACK, c.seq));
    // RFC 9293 MAY-2: larger than any number before.
    assert!((syn_ack.seq.wrapping_sub(c.ack) as i32) >= 0);
}

#[test]
fn nobody_waits_for_ever_for_the_fin_of_a_closed_socket() {
    let mut rig = Rig::new(&format!("{BARE},fin_wait2_ms=30000"));
    let mut c = rig.established(PEER_PORT);
    rig.close(&mut c);
    let fin = rig.heard_one(&mut c);
    assert_eq!(fin.flags, FIN | ACK);
    let ack = c.ack.wrapping_add(1);
    rig.acknowledge(&mut c, ack);
    assert_eq!(rig.timer_ms(), 30_000);
    rig.silent(&mut c);
    assert_eq!(rig.sut.usage().live, 0);
}

#[test]
fn text_after_close_is_reset() {
    //= RFC 9293 3.6.1
    //# SHOULD send a RST to show that data was lost
    let mut rig = Rig::new(BARE);
    let mut c = rig.established(PEER_PORT);
    rig.close(&mut c);
    rig.heard_one(&mut c);
    c.ack = c.ack.wrapping_add(1);
    rig.send_text(&mut c, 10);
    let rst = rig.heard_one(&mut c);
    assert_eq!((rst.flags, rst.seq), (RST | ACK, c.ack));
    assert_eq!(rig.sut.usage().live, 0);
}

#[test]
fn closing_with_unread_text_resets() {
    // RFC 2525 2.17.
    let mut rig = Rig::new(BARE);
    let mut c = rig.established(PEER_PORT);
    rig.send_text(&mut c, 10);
    rig.heard_one(&mut c);
    rig.close(&mut c);
    let rst = rig.heard_one(&mut c);
    assert_eq!((rst.flags, rst.seq), (RST | ACK, c.ack));
}

#[test]
fn linger_zero_resets() {
    let mut rig = Rig::new(BARE);
    let mut c = rig.established(PEER_PORT);
    let linger = [1i32.to_ne_bytes(), 0i32.to_ne_bytes()].concat();
    rig.sut
        .setsockopt(
            c.handle.unwrap(),
            libc::SOL_SOCKET,
            libc::SO_LINGER,
            &linger,
        )
        .unwrap();
    rig.close(&mut c);
    let rst = rig.heard_one(&mut c);
    assert_eq!((rst.flags, rst.seq), (RST | ACK, c.ack));
    assert_eq!(rig.sut.usage().live, 0);
}

#[test]
fn our_fin_is_sent_again_until_acknowledged() {
    let mut rig = Rig::new(BARE);
    let mut c = rig.established(PEER_PORT);
    rig.close(&mut c);
    let fin = rig.heard_one(&mut c);
    for wait in [1000, 2000, 4000] {
        assert_eq!(rig.timer_ms(), wait);
        assert_eq!(rig.heard_one(&mut c), fin);
    }
}

#[test]
fn text_before_the_fin_is_sent_first() {
    let mut rig = Rig::new(BARE);
    let mut c = rig.established(PEER_PORT);
    c.wnd = 500;
    let ack = c.ack;
    rig.acknowledge(&mut c, ack);
    rig.write(&c, 100);
    rig.heard(&mut c);
    rig.sut.write(c.handle.unwrap(), &[7; 50], 0).unwrap();
    rig.close(&mut c);
    let out = rig.heard(&mut c);
    let last = out.last().unwrap();
    assert_eq!(last.flags & FIN, FIN);
    let sent: usize = out.iter().map(|s| s.text.len()).sum();
    assert_eq!(sent, 50);
}

#[test]
fn the_fin_of_the_peer_waits_for_the_text_before_it() {
    let mut rig = Rig::new(BARE);
    let mut c = rig.established(PEER_PORT);
    let at = c.seq.wrapping_add(100);
    let fin = rig.segment(&c, FIN | ACK, at, c.ack, b"");
    rig.input(&fin);
    assert_eq!(rig.heard_one(&mut c).ack, c.seq);
    assert_eq!(rig.state(&c), 1);
    assert_eq!(rig.read(&c), Err(Errno(libc::EAGAIN)));
    rig.send_text(&mut c, 100);
    assert_eq!(rig.heard_one(&mut c).ack, at.wrapping_add(1));
    assert_eq!(rig.state(&c), 8);
}

#[test]
fn a_reset_is_told_once() {
    let mut rig = Rig::new(BARE);
    let mut c = rig.established(PEER_PORT);
    rig.write(&c, 10);
    rig.heard(&mut c);
    rig.send(&mut c, RST, b"");
    let h = c.handle.unwrap();
    assert!(rig.sut.poll(h).unwrap().contains(Poll::ERR | Poll::HUP));
    assert_eq!(rig.sut.write(h, b"x", 0), Err(Errno(libc::ECONNRESET)));
    assert_eq!(rig.sut.write(h, b"x", 0), Err(Errno(libc::EPIPE)));
    assert_eq!(rig.read(&c), Ok(vec![]));
    assert_eq!(
        rig.sut.shutdown(h, libc::SHUT_WR),
        Err(Errno(libc::ENOTCONN))
    );
    // After the peer's FIN the stream is at its end, and a broken pipe for who writes, as on Linux.
    let mut c = rig.established(PEER_PORT + 1);
    rig.send(&mut c, FIN | ACK, b"");
    rig.heard(&mut c);
    rig.send(&mut c, RST, b"");
    let h = c.handle.unwrap();
    assert_eq!(rig.read(&c), Ok(vec![]));
    assert_eq!(rig.sut.write(h, b"x", 0), Err(Errno(libc::EPIPE)));
    // Nor does a read of nothing tell, or a refused connection end twice.
    let mut c = rig.established(PEER_PORT + 2);
    rig.send(&mut c, RST, b"");
    let h = c.handle.unwrap();
    assert_eq!(rig.sut.read(h, &mut [], 0), Ok(0));
    assert_eq!(rig.read(&c), Err(Errno(libc::ECONNRESET)));
    assert_eq!(rig.read(&c), Ok(vec![]));
    let mut c = rig.syn_sent(PEER_PORT + 3);
    rig.send(&mut c, RST | ACK, b"");
    assert_eq!(rig.read(&c), Err(Errno(libc::ECONNREFUSED)));
    assert_eq!(rig.read(&c), Ok(vec![]));
}

/// What was received and acknowledged before a reset can be read, as on Linux.
#[test]
fn a_reset_does_not_take_what_was_received() {
    for fin in [false, true] {
        let mut rig = Rig::new(BARE);
        let mut c = rig.established(PEER_PORT);
        rig.send(&mut c, ACK, b"hello");
        if fin {
            rig.send(&mut c, FIN | ACK, b"");
        }
        rig.heard(&mut c);
        rig.send(&mut c, RST, b"");
        assert_eq!(rig.sut.usage().live, 0);
        let h = c.handle.unwrap();
        let mut two = [0; 2];
        assert_eq!(rig.sut.read(h, &mut two, libc::MSG_PEEK), Ok(2));
        assert_eq!(rig.sut.read(h, &mut two, 0), Ok(2));
        assert_eq!(&two, b"he");
        assert_eq!(rig.read(&c), Ok(b"llo".to_vec()));
        if !fin {
            assert_eq!(rig.read(&c), Err(Errno(libc::ECONNRESET)));
        }
        assert_eq!(rig.read(&c), Ok(vec![]));
    }
}

#[test]
fn closing_before_it_is_open() {
    let mut rig = Rig::new(BARE);
    let mut c = rig.syn_sent(PEER_PORT);
    rig.close(&mut c);
    rig.silent(&mut c);
    assert_eq!(rig.sut.usage().live, 0);
    // In SYN-RECEIVED a FIN follows at once.
    let mut c = rig.crossed(PEER_PORT + 1);
    rig.shutdown(&mut c);
    assert_eq!(rig.state(&c), 4);
    c.ack = c.ack.wrapping_add(1);
    rig.send(&mut c, ACK, b"");
    assert_eq!(rig.state(&c), 5);
}

#[test]
fn what_a_reset_and_a_refused_syn_do_in_time_wait_is_the_callers_to_choose() {
    for (rst, syn, state, answer) in [
        ("ignore", "drop", 6, None),
        ("rfc5961", "drop", 7, None),
        ("rfc5961", "ack", 7, Some(ACK)),
    ] {
        let flags = format!("{BARE},tw_rst={rst},tw_syn={syn}");
        let mut rig = Rig::new(&flags);
        let mut c = rig.established(PEER_PORT);
        rig.shutdown(&mut c);
        c.ack = c.ack.wrapping_add(1);
        rig.send(&mut c, FIN | ACK, b"");
        rig.heard_one(&mut c);
        let old = rig.segment(&c, SYN, c.seq.wrapping_sub(9), 0, b"");
        rig.input(&old);
        let heard = rig.heard(&mut c).first().map(|s| s.flags);
        assert_eq!(heard, answer, "{flags}");
        rig.send(&mut c, RST, b"");
        assert_eq!(rig.state(&c), state, "{flags}");
    }
}

/// The policy `none` has no TIME-WAIT, whatever length is asked for.
#[test]
fn without_time_wait_there_is_nobody_after_the_last_fin() {
    let mut rig = Rig::new(&format!("{BARE},policy=none,time_wait_ms=60000"));
    let mut c = rig.established(PEER_PORT);
    rig.shutdown(&mut c);
    let ack = c.iss.wrapping_add(2);
    rig.acknowledge(&mut c, ack);
    rig.send(&mut c, FIN | ACK, b"");
    assert_eq!(rig.heard_one(&mut c).ack, c.seq);
    rig.send(&mut c, ACK, b"");
    assert_eq!(rig.heard_one(&mut c).flags, RST);
}
