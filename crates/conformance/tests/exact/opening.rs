//! Opening: retransmission and giving up, what the SYNs negotiate, crossed SYNs, backlog, closed
//! ports, what ICMP says of it.

use tidewheel_sut::Errno;

use crate::icmp::{port_unreachable, unreachable};
use crate::packet::{ACK, FIN, HOST, PEER, RST, SYN, mss, timestamps};
use crate::rig::{BARE, LISTENER, NOBODY, PEER_PORT, Rig, stream};

fn errno(n: i32) -> Errno {
    Errno(n)
}

#[test]
fn the_syn_is_sent_again_after_1_2_4_seconds_and_given_up() {
    //= RFC 6298 2.1
    //# Until a round-trip time (RTT) measurement has been made for a
    //# segment sent between the sender and receiver, the sender SHOULD
    //# set RTO <- 1 second
    //= RFC 6298 5.5
    //# The host MUST set RTO <- RTO * 2 ("back off the timer").
    let mut rig = Rig::new(&format!("{BARE},syn_retries=4"));
    let mut c = rig.syn_sent(PEER_PORT);
    for wait in [1000, 2000, 4000, 8000] {
        assert_eq!(rig.timer_ms(), wait);
        let again = rig.heard_one(&mut c);
        assert_eq!((again.flags, again.seq), (SYN, c.iss));
        assert_eq!(
            rig.sut.connect_status(c.handle.unwrap()),
            Err(errno(libc::EAGAIN))
        );
    }
    assert_eq!(rig.timer_ms(), 16_000);
    rig.silent(&mut c);
    assert_eq!(
        rig.sut.connect_status(c.handle.unwrap()),
        Err(errno(libc::ETIMEDOUT))
    );
    assert_eq!(rig.sut.next_timer(), None);
    assert_eq!(rig.sut.usage().live, 0);
}

#[test]
fn the_backed_off_timer_has_a_greatest_value() {
    //= RFC 6298 2.5
    //# A maximum value MAY be placed on RTO provided it is at least 60
    //# seconds.
    let mut rig = Rig::new(&format!("{BARE},syn_retries=9"));
    rig.syn_sent(PEER_PORT);
    let waits: Vec<u64> = (0..9).map(|_| rig.timer_ms()).collect();
    assert_eq!(
        waits,
        [
            1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000, 60_000
        ]
    );
}

#[test]
fn the_syn_ack_is_sent_again_and_given_up() {
    let mut rig = Rig::new(&format!("{BARE},synack_retries=2"));
    let mut c = rig.syn_received(PEER_PORT);
    for wait in [1000, 2000] {
        assert_eq!(rig.timer_ms(), wait);
        let again = rig.heard_one(&mut c);
        assert_eq!((again.flags, again.seq), (SYN | ACK, c.iss));
    }
    rig.timer_ms();
    rig.silent(&mut c);
    assert_eq!(rig.sut.usage().live, 0);
}

#[test]
fn a_port_that_nobody_listens_on() {
    let mut rig = Rig::new(BARE);
    let mut c = rig.nobody(NOBODY, PEER_PORT);
    // Text, SYN and FIN count in SEG.LEN.
    for (flags, len) in [(SYN, 0), (SYN, 10), (FIN, 5), (SYN | FIN, 7), (0, 3)] {
        let seg = rig.segment(&c, flags, 5000, 0, &stream(0, len));
        rig.input(&seg);
        let rst = rig.heard_one(&mut c);
        let control = [SYN, FIN].iter().filter(|f| flags & **f != 0).count();
        assert_eq!(
            (rst.flags, rst.seq, rst.ack),
            (RST | ACK, 0, 5000 + (len + control) as u32)
        );
        assert_eq!((rst.wnd, rst.options.len()), (0, 0));
    }
    for flags in [ACK, SYN | ACK, FIN | ACK] {
        let seg = rig.segment(&c, flags, 5000, 777, b"");
        rig.input(&seg);
        let rst = rig.heard_one(&mut c);
        assert_eq!((rst.flags, rst.seq), (RST, 777));
    }
    for flags in [RST, RST | ACK, RST | SYN] {
        let seg = rig.segment(&c, flags, 5000, 777, b"");
        rig.input(&seg);
        rig.silent(&mut c);
    }
}

#[test]
fn a_refused_open_may_be_tried_again() {
    let mut rig = Rig::new(BARE);
    let mut c = rig.syn_sent(PEER_PORT);
    let h = c.handle.unwrap();
    rig.send(&mut c, RST | ACK, b"");
    assert_eq!(rig.sut.connect_status(h), Err(errno(libc::ECONNREFUSED)));
    let mut error = [0; 4];
    rig.sut
        .getsockopt(h, libc::SOL_SOCKET, libc::SO_ERROR, &mut error)
        .unwrap();
    assert_eq!(i32::from_ne_bytes(error), libc::ECONNREFUSED);
    rig.sut.connect(h, PEER, PEER_PORT).unwrap();
    assert_eq!(rig.output()[0].flags, SYN);
}

#[test]
fn crossed_syns_open() {
    // RFC 9293 figure 8.
    let mut rig = Rig::new(BARE);
    let mut c = rig.crossed(PEER_PORT);
    assert_eq!(rig.state(&c), 3);
    // The peer's SYN-ACK has the number of its SYN again.
    let first = c.seq.wrapping_sub(1);
    let syn_ack = rig.segment(&c, SYN | ACK, first, c.ack, b"");
    rig.input(&syn_ack);
    assert_eq!(rig.state(&c), 1);
    let ack = rig.heard_one(&mut c);
    assert_eq!((ack.flags, ack.seq, ack.ack), (ACK, c.ack, c.seq));
    assert_eq!(rig.sut.connect_status(c.handle.unwrap()), Ok(()));
    // A plain ACK opens as well.
    let mut other = rig.crossed(PEER_PORT + 1);
    rig.send(&mut other, ACK, b"");
    rig.silent(&mut other);
    assert_eq!(rig.state(&other), 1);
}

#[test]
fn the_mss_option_and_its_absence() {
    for (options, want) in [(mss(700), 700), (mss(9000), 1460), (vec![], 536)] {
        let mut rig = Rig::new(BARE);
        let mut c = rig.nobody(LISTENER, PEER_PORT);
        let mut syn = rig.segment(&c, SYN, c.seq, 0, b"");
        syn.options = options;
        rig.input(&syn);
        let syn_ack = rig.heard_one(&mut c);
        assert_eq!(syn_ack.option(2), Some(&1460u16.to_be_bytes()[..]));
        assert_eq!((syn_ack.option(3), syn_ack.option(4)), (None, None));
        assert_eq!(syn_ack.option(8), None);
        (c.seq, c.ack) = (c.seq.wrapping_add(1), syn_ack.seq.wrapping_add(1));
        rig.send(&mut c, ACK, b"");
        rig.accept(&mut c);
        rig.write(&c, 3000);
        assert_eq!(rig.heard(&mut c)[0].text.len(), want);
    }
}

#[test]
fn window_scaling_needs_both() {
    let flags = "timestamps=off,delack_ms=0,nagle=off,rcvbuf=1000000";
    //= RFC 7323 2.2
    //# both sides MUST send Window Scale options in their <SYN> segments to
    //# enable window scaling in either direction.
    for (offered, scaled) in [
        (Some(2), true),
        (Some(14), true),
        (Some(15), true),
        (None, false),
    ] {
        let mut rig = Rig::new(flags);
        let mut c = rig.nobody(LISTENER, PEER_PORT);
        let mut syn = rig.segment(&c, SYN, c.seq, 0, b"");
        syn.options = mss(1460);
        if let Some(shift) = offered {
            syn.options.extend([1, 3, 3, shift]);
        }
        rig.input(&syn);
        let syn_ack = rig.heard_one(&mut c);
        assert_eq!(syn_ack.option(3).is_some(), scaled);
        // The window of a SYN is never scaled.
        assert_eq!(syn_ack.wnd, 65_535);
        (c.seq, c.ack) = (c.seq.wrapping_add(1), syn_ack.seq.wrapping_add(1));
        c.wnd = 3000;
        rig.send(&mut c, ACK, b"");
        rig.accept(&mut c);
        rig.write(&c, 100_000);
        // With more than 14, 14 (RFC 7323 2.3); the initial window is 10 segments.
        let sent: usize = rig.heard(&mut c).iter().map(|s| s.text.len()).sum();
        let want = match offered {
            Some(2) => 8 * 1460,
            Some(_) => 14_600,
            None => 2 * 1460,
        };
        assert_eq!(sent, want, "{offered:?}");
        rig.send_text(&mut c, 100);
        let wnd = u32::from(rig.heard(&mut c).last().unwrap().wnd);
        let shift = syn_ack.option(3).map_or(0, |o| o[0]);
        if scaled {
            assert_eq!(shift, 4);
            assert!((999_000..=1_000_016).contains(&(wnd << shift)), "{wnd}");
        } else {
            assert_eq!(wnd, 65_435);
        }
    }
}

#[test]
fn the_host_offers_what_it_can() {
    let mut rig = Rig::new("rcvbuf=200000");
    let c = rig.syn_sent(PEER_PORT);
    assert_eq!(c.last.option(2), Some(&1460u16.to_be_bytes()[..]));
    assert_eq!(c.last.option(3), Some(&[2][..]));
    assert_eq!(c.last.timestamps().map(|(_, ecr)| ecr), Some(0));
    let mut rig = Rig::new(BARE);
    let c = rig.syn_sent(PEER_PORT);
    assert_eq!(c.last.options.len(), 4);
}

#[test]
fn timestamps_are_echoed_and_old_ones_refused() {
    let mut rig = Rig::new("wscale=off,delack_ms=0,nagle=off");
    let mut c = rig.nobody(LISTENER, PEER_PORT);
    c.options = timestamps(1000, 0);
    rig.syn(&mut c, SYN);
    let syn_ack = rig.heard_one(&mut c);
    let (val, ecr) = syn_ack.timestamps().expect("both use them");
    assert_eq!(ecr, 1000);
    c.ack = syn_ack.seq.wrapping_add(1);
    c.options = timestamps(1001, val);
    rig.send(&mut c, ACK, b"");
    rig.accept(&mut c);
    rig.send_text(&mut c, 10);
    assert_eq!(rig.heard_one(&mut c).timestamps().unwrap().1, 1001);
    // RFC 7323 4.3: of text out of order, TSecr stays that of the last in order.
    let at = c.seq.wrapping_add(100);
    c.options = timestamps(1005, val);
    let ahead = rig.segment(&c, ACK, at, c.ack, &stream(at, 10));
    rig.input(&ahead);
    assert_eq!(rig.heard_one(&mut c).timestamps().unwrap().1, 1001);
    // Older than the last: an ACK, and dropped (RFC 7323 5.3, R1).
    c.options = timestamps(1000, val);
    let old = rig.segment(&c, ACK, c.seq, c.ack, &stream(c.seq, 10));
    rig.input(&old);
    assert_eq!(rig.heard_one(&mut c).ack, c.seq);
    // Without: dropped without a word (RFC 7323 3.2).
    c.options = vec![];
    let none = rig.segment(&c, ACK, c.seq, c.ack, &stream(c.seq, 10));
    rig.input(&none);
    rig.silent(&mut c);
    // But not a RST.
    rig.send(&mut c, RST, b"");
    assert_eq!(rig.state(&c), 7);
}

#[test]
fn text_on_a_syn_is_not_taken_and_not_lost() {
    let mut rig = Rig::new(BARE);
    let mut c = rig.nobody(LISTENER, PEER_PORT);
    let syn = rig.segment(&c, SYN, c.seq, 0, &stream(c.seq.wrapping_add(1), 50));
    rig.input(&syn);
    let syn_ack = rig.heard_one(&mut c);
    assert_eq!(syn_ack.ack, c.seq.wrapping_add(1));
    (c.seq, c.ack) = (c.seq.wrapping_add(1), syn_ack.seq.wrapping_add(1));
    rig.send_text(&mut c, 50);
    rig.accept(&mut c);
    assert_eq!(rig.heard_one(&mut c).ack, c.seq);
    assert_eq!(rig.read(&c), Ok(stream(c.seq.wrapping_sub(50), 50)));
}

#[test]
fn a_full_queue_of_connections_takes_no_syn() {
    let mut rig = Rig::new(BARE);
    let l = rig.listener;
    rig.sut.listen(l, 1).unwrap();
    for port in [1, 2] {
        let mut c = rig.syn_received(port);
        rig.send(&mut c, ACK, b"");
        rig.silent(&mut c);
    }
    // One more than the backlog may wait, as on Linux.
    let mut third = rig.nobody(LISTENER, 3);
    rig.syn(&mut third, SYN);
    rig.silent(&mut third);
    rig.sut.accept(l).unwrap();
    third.seq = third.seq.wrapping_sub(1);
    rig.syn(&mut third, SYN);
    assert_eq!(rig.heard_one(&mut third).flags, SYN | ACK);
}

#[test]
fn handshakes_that_complete_at_once_do_not_exceed_the_queue() {
    let mut rig = Rig::new(BARE);
    let l = rig.listener;
    rig.sut.listen(l, 2).unwrap();
    let mut all: Vec<_> = (1..=5).map(|port| rig.syn_received(port)).collect();
    for c in &mut all {
        rig.send(c, ACK, b"");
    }
    assert!(rig.output().is_empty());
    for _ in 0..3 {
        rig.sut.accept(l).unwrap();
    }
    assert_eq!(rig.sut.accept(l), Err(errno(libc::EAGAIN)));
    // The others wait in SYN-RECEIVED, text or not, and their handshakes complete when there is room.
    for c in &mut all[3..] {
        rig.send_text(c, 10);
        rig.accept(c);
        assert_eq!(rig.heard_one(c).ack, c.seq);
    }
}

#[test]
fn closing_a_listener_resets_what_waits() {
    let mut rig = Rig::new(BARE);
    let mut embryo = rig.syn_received(1);
    let mut open = rig.syn_received(2);
    rig.send(&mut open, ACK, b"");
    let l = rig.listener;
    rig.sut.close(l).unwrap();
    let out = rig.output();
    for c in [&embryo, &open] {
        let rst = out.iter().find(|s| s.dst == c.peer_port).expect("a RST");
        assert_eq!((rst.flags, rst.seq), (RST | ACK, c.ack));
    }
    assert_eq!(rig.sut.usage().live, 0);
    rig.send(&mut embryo, ACK, b"");
    assert_eq!(rig.heard_one(&mut embryo).flags, RST);
    // The port is free.
    let l = rig.sut.socket_new().unwrap();
    rig.sut.bind(l, HOST, LISTENER).unwrap();
    rig.sut.listen(l, 1).unwrap();
    rig.syn_received(3);
}

#[test]
fn hard_errors_end_an_open_and_soft_ones_do_not() {
    let mut rig = Rig::new(&format!("{BARE},syn_retries=1"));
    let c = rig.syn_sent(1);
    port_unreachable(&mut rig, &c.last);
    assert_eq!(
        rig.sut.connect_status(c.handle.unwrap()),
        Err(errno(libc::ECONNREFUSED))
    );
    let c = rig.syn_sent(2);
    unreachable(&mut rig, &c.last, 2, 0);
    assert_eq!(
        rig.sut.connect_status(c.handle.unwrap()),
        Err(errno(libc::EHOSTUNREACH))
    );
    for (code, port) in [(0, 3), (1, 4), (5, 5)] {
        let c = rig.syn_sent(port);
        unreachable(&mut rig, &c.last, code, 0);
        assert_eq!(
            rig.sut.connect_status(c.handle.unwrap()),
            Err(errno(libc::EAGAIN))
        );
        rig.timer_ms();
        rig.timer_ms();
        // It is said in the end what the router said.
        assert_eq!(
            rig.sut.connect_status(c.handle.unwrap()),
            Err(errno(libc::EHOSTUNREACH))
        );
    }
    // A number that was not sent: RFC 5927 4.1.
    let c = rig.syn_sent(6);
    let mut forged = c.last.clone();
    forged.seq = forged.seq.wrapping_add(1);
    port_unreachable(&mut rig, &forged);
    assert_eq!(
        rig.sut.connect_status(c.handle.unwrap()),
        Err(errno(libc::EAGAIN))
    );
}
