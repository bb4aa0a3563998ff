//! The calls and their errors, as they are on Linux.

use tidewheel_sut::{Errno, Poll};

use crate::packet::{HOST, PEER, SYN};
use crate::rig::{BARE, LISTENER, PEER_PORT, Rig};

const TCP: i32 = libc::IPPROTO_TCP;
const SOCKET: i32 = libc::SOL_SOCKET;

fn err<T: PartialEq + std::fmt::Debug>(result: Result<T, Errno>, n: i32) {
    assert_eq!(result, Err(Errno(n)));
}

#[test]
fn a_fresh_socket() {
    let mut rig = Rig::new(BARE);
    let h = rig.sut.socket_new().unwrap();
    assert_eq!(rig.sut.poll(h), Ok(Poll::OUT | Poll::HUP));
    err(rig.sut.read(h, &mut [0; 1], 0), libc::ENOTCONN);
    err(rig.sut.write(h, b"x", 0), libc::EPIPE);
    err(rig.sut.shutdown(h, libc::SHUT_RDWR), libc::ENOTCONN);
    err(rig.sut.accept(h), libc::EINVAL);
    err(rig.sut.connect_status(h), libc::ENOTCONN);
    assert_eq!(rig.sut.close(h), Ok(()));
    err(rig.sut.close(h), libc::EBADF);
    // The lowest free handle is the next.
    assert_eq!(rig.sut.socket_new(), Ok(h));
}

#[test]
fn binding() {
    let mut rig = Rig::new(BARE);
    let a = rig.sut.socket_new().unwrap();
    let b = rig.sut.socket_new().unwrap();
    err(rig.sut.bind(a, PEER, 5000), libc::EADDRNOTAVAIL);
    err(rig.sut.bind(a, [0; 4], LISTENER), libc::EADDRINUSE);
    rig.sut.bind(a, HOST, 5000).unwrap();
    err(rig.sut.bind(a, HOST, 5001), libc::EINVAL);
    err(rig.sut.bind(b, [0; 4], 5000), libc::EADDRINUSE);
    let on = 1i32.to_ne_bytes();
    for h in [a, b] {
        rig.sut
            .setsockopt(h, SOCKET, libc::SO_REUSEADDR, &on)
            .unwrap();
    }
    rig.sut.bind(b, [0; 4], 5000).unwrap();
    rig.sut.listen(a, 5).unwrap();
    // Two do not listen on one port.
    err(rig.sut.listen(b, 5), libc::EADDRINUSE);
    // Port 0 takes a free one, and the SYN comes from there.
    let c = rig.sut.socket_new().unwrap();
    rig.sut.bind(c, HOST, 0).unwrap();
    rig.sut.connect(c, PEER, 7).unwrap();
    assert!(rig.output()[0].src >= 49_152);
}

#[test]
fn a_bound_socket_connects_from_where_it_is_bound() {
    let mut rig = Rig::new(BARE);
    let h = rig.sut.socket_new().unwrap();
    rig.sut.bind(h, HOST, 1234).unwrap();
    rig.sut.connect(h, PEER, PEER_PORT).unwrap();
    let syn = rig.output().remove(0);
    assert_eq!((syn.src, syn.dst, syn.flags), (1234, PEER_PORT, SYN));
    assert_eq!(rig.sut.poll(h), Ok(Poll::NONE));
    err(rig.sut.read(h, &mut [0; 1], 0), libc::EAGAIN);
    err(rig.sut.write(h, b"x", 0), libc::EAGAIN);
    err(rig.sut.connect(h, PEER, PEER_PORT), libc::EALREADY);
    err(rig.sut.listen(h, 1), libc::EINVAL);
    err(rig.sut.connect(rig.listener, PEER, 1), libc::EISCONN);
}

#[test]
fn addresses_that_cannot_be_reached() {
    let mut rig = Rig::new(BARE);
    let h = rig.sut.socket_new().unwrap();
    for ip in [[224, 0, 0, 1], [255; 4], [0; 4], [127, 0, 0, 1], HOST] {
        err(rig.sut.connect(h, ip, 80), libc::ENETUNREACH);
    }
    err(rig.sut.connect(h, PEER, 0), libc::EADDRNOTAVAIL);
    assert_eq!(rig.output(), []);
}

#[test]
fn a_four_tuple_in_time_wait_is_not_opened_again() {
    let mut rig = Rig::new(BARE);
    let mut c = rig.connected(PEER_PORT);
    rig.shutdown(&mut c);
    c.ack = c.ack.wrapping_add(1);
    rig.send(&mut c, crate::packet::FIN | crate::packet::ACK, b"");
    rig.heard(&mut c);
    rig.close(&mut c);
    let h = rig.sut.socket_new().unwrap();
    err(rig.sut.bind(h, HOST, c.host_port), libc::EADDRINUSE);
    rig.sut
        .setsockopt(h, SOCKET, libc::SO_REUSEADDR, &1i32.to_ne_bytes())
        .unwrap();
    rig.sut.bind(h, HOST, c.host_port).unwrap();
    err(rig.sut.connect(h, PEER, PEER_PORT), libc::EADDRNOTAVAIL);
    rig.wait_ms(61_000);
    rig.sut.connect(h, PEER, PEER_PORT).unwrap();
    assert_eq!(rig.output().len(), 1);
}

#[test]
fn options_keep_what_they_are_given() {
    let mut rig = Rig::new(BARE);
    let h = rig.sut.socket_new().unwrap();
    let ints = [
        (SOCKET, libc::SO_RCVBUF, 9000),
        (SOCKET, libc::SO_SNDBUF, 7000),
        (SOCKET, libc::SO_KEEPALIVE, 1),
        (SOCKET, libc::SO_REUSEADDR, 1),
        (TCP, libc::TCP_NODELAY, 0),
        (TCP, libc::TCP_MAXSEG, 1000),
        (TCP, libc::TCP_KEEPIDLE, 11),
        (TCP, libc::TCP_KEEPINTVL, 12),
        (TCP, libc::TCP_KEEPCNT, 13),
        (TCP, libc::TCP_USER_TIMEOUT, 14_000),
        (TCP, libc::TCP_QUICKACK, 1),
        (TCP, libc::TCP_LINGER2, 15),
        (TCP, libc::TCP_SYNCNT, 3),
    ];
    let mut value = [0; 4];
    for (level, option, n) in ints {
        rig.sut
            .setsockopt(h, level, option, &i32::to_ne_bytes(n))
            .unwrap();
    }
    for (level, option, n) in ints {
        assert_eq!(rig.sut.getsockopt(h, level, option, &mut value), Ok(4));
        assert_eq!(i32::from_ne_bytes(value), n, "{level} {option}");
    }
    rig.sut.connect(h, PEER, PEER_PORT).unwrap();
    let syn = rig.output().remove(0);
    assert_eq!((syn.wnd, syn.option(2)), (9000, Some(&[3, 232][..])));
    for (option, want) in [
        (libc::SO_TYPE, libc::SOCK_STREAM),
        (libc::SO_DOMAIN, libc::AF_INET),
        (libc::SO_PROTOCOL, libc::IPPROTO_TCP),
        (libc::SO_ACCEPTCONN, 0),
    ] {
        assert_eq!(rig.sut.getsockopt(h, SOCKET, option, &mut value), Ok(4));
        assert_eq!(i32::from_ne_bytes(value), want);
    }
    for (level, option) in [(TCP, libc::TCP_CORK), (TCP, 999), (SOCKET, 999), (0, 1)] {
        err(
            rig.sut.getsockopt(h, level, option, &mut value),
            libc::ENOPROTOOPT,
        );
        err(
            rig.sut.setsockopt(h, level, option, &[0; 4]),
            libc::ENOPROTOOPT,
        );
    }
    err(
        rig.sut
            .setsockopt(h, TCP, libc::TCP_KEEPIDLE, &0i32.to_ne_bytes()),
        libc::EINVAL,
    );
    err(
        rig.sut.setsockopt(h, SOCKET, libc::SO_LINGER, &[0; 4]),
        libc::EINVAL,
    );
}

#[test]
fn what_cannot_be_chosen_says_so() {
    let mut rig = Rig::new(BARE);
    let h = rig.sut.socket_new().unwrap();
    let mut name = [0; 16];
    let n = rig.sut.getsockopt(h, TCP, libc::TCP_CONGESTION, &mut name);
    assert_eq!(&name[..n.unwrap()], b"reno\0");
    assert_eq!(
        rig.sut.setsockopt(h, TCP, libc::TCP_CONGESTION, b"reno"),
        Ok(())
    );
    err(
        rig.sut.setsockopt(h, TCP, libc::TCP_CONGESTION, b"cubic"),
        libc::ENOENT,
    );
    let (on, off) = (1i32.to_ne_bytes(), 0i32.to_ne_bytes());
    assert_eq!(
        rig.sut.setsockopt(h, SOCKET, libc::SO_OOBINLINE, &on),
        Ok(())
    );
    err(
        rig.sut.setsockopt(h, SOCKET, libc::SO_OOBINLINE, &off),
        libc::EINVAL,
    );
}

#[test]
fn shut_down_for_reading() {
    let mut rig = Rig::new(BARE);
    let mut c = rig.established(PEER_PORT);
    let h = c.handle.unwrap();
    rig.send_text(&mut c, 10);
    rig.heard(&mut c);
    rig.sut.shutdown(h, libc::SHUT_RD).unwrap();
    err(rig.sut.shutdown(h, 9), libc::EINVAL);
    // What has arrived is still read, and then it is the end; nothing is said to the peer.
    assert_eq!(rig.read(&c).unwrap().len(), 10);
    assert_eq!(rig.read(&c), Ok(vec![]));
    rig.silent(&mut c);
    assert!(rig.sut.poll(h).unwrap().contains(Poll::IN | Poll::RDHUP));
    rig.write(&c, 5);
    rig.heard_one(&mut c);
}

#[test]
fn connections_that_wait_are_told_what_happened_to_them() {
    let mut rig = Rig::new(BARE);
    let mut c = rig.syn_received(PEER_PORT);
    rig.send(&mut c, crate::packet::ACK, b"");
    rig.send(&mut c, crate::packet::RST, b"");
    assert_eq!(rig.sut.poll(rig.listener), Ok(Poll::IN));
    rig.accept(&mut c);
    err(rig.read(&c), libc::ECONNRESET);
}

#[test]
fn equal_seeds_give_equal_runs() {
    let run = |seed: u32| {
        let mut rig = Rig::new(&format!("seed={seed}"));
        let mut c = rig.syn_received(PEER_PORT);
        rig.wait_us(1_234_567);
        rig.heard(&mut c);
        format!("{:?} {:?}", c.last, c.last.options)
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}
