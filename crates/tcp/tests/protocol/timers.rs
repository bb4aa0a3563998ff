//! Retransmission, user timeout, keep-alive.

use tcp::{CloseReason, Config, Keepalive, State};

use crate::host::*;

#[test]
fn text_is_retransmitted_ever_more_rarely_and_then_given_up() {
    let mut s = Script::established(Config {
        data_retries: 10,
        ..bare()
    });
    s.send(b"x");
    s.expect(&["PSH|ACK 1:2 ack 1"]);
    let mut waits = Vec::new();
    for _ in 0..10 {
        waits.push(s.host.timer());
        s.expect(&["PSH|ACK 1:2 ack 1"]);
    }
    assert_eq!(
        waits,
        [
            200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 51_200, 60_000
        ]
    );
    s.host.timer();
    assert_eq!(s.host.conn.close_reason(), Some(CloseReason::TimedOut));
    assert_eq!(s.host.core.counters.retransmissions_exhausted, 1);
    s.expect(&[]);
    s.host.release();
}

#[test]
fn too_early_a_timer_does_nothing() {
    let mut s = Script::established(bare());
    s.send(b"x");
    s.out();
    s.host.advance_ms(199);
    let before = s.host.core.counters;
    let events = s.host.conn.on_timer(&mut s.host.core.env());
    assert!(events.is_empty());
    s.expect(&[]);
    assert_eq!(s.host.core.counters, before);
}

#[test]
fn a_timeout_collapses_the_window_and_resends_everything_as_it_grows() {
    let mut s = Script::established(bare());
    s.send(&[0; 5000]);
    s.out();
    s.host.timer();
    s.expect(&["ACK 1:1001 ack 1"]);
    assert_eq!(s.host.conn.info().ssthresh, 2500);
    s.arrive(ACK, 1, 1001, b"");
    s.expect(&["ACK 1001:2001 ack 1", "ACK 2001:3001 ack 1"]);
    // The rest had arrived all along.
    s.arrive(ACK, 1, 5001, b"");
    s.expect(&[]);
    assert_eq!(s.host.conn.deadline(), None);
}

#[test]
fn karn_a_retransmitted_segment_is_not_measured() {
    let mut s = Script::established(bare());
    let before = s.host.conn.info().srtt_us;
    s.send(b"x");
    s.out();
    s.host.timer();
    s.out();
    s.host.advance_ms(1);
    s.arrive(ACK, 1, 2, b"");
    let info = s.host.conn.info();
    assert_eq!(info.srtt_us, before);
    assert_eq!(info.backoff, 1, "backed off until a new measurement");
    s.send(b"y");
    s.out();
    s.host.advance_ms(3);
    s.arrive(ACK, 1, 3, b"");
    assert_eq!(s.host.conn.info().backoff, 0);
}

#[test]
fn the_timer_restarts_at_new_acknowledgments() {
    let mut s = Script::established(bare());
    s.send(&[0; 2000]);
    s.out();
    s.host.advance_ms(150);
    s.arrive(ACK, 1, 1001, b"");
    assert!(s.host.timer() >= 200);
}

#[test]
fn the_user_timeout_is_exact() {
    let mut s = Script::established(Config {
        user_timeout_ms: 1000,
        ..bare()
    });
    s.host.advance_ms(5000);
    s.send(b"x");
    s.out();
    let mut total = 0;
    while s.state() != State::Closed {
        total += s.host.timer();
        s.out();
    }
    assert_eq!(total, 1000);
    assert_eq!(s.host.conn.close_reason(), Some(CloseReason::UserTimeout));
}

#[test]
fn keepalive_probes_an_idle_peer_and_gives_up() {
    let config = Config {
        keepalive: Some(Keepalive {
            idle_ms: 10_000,
            interval_ms: 1_000,
            count: 3,
        }),
        ..bare()
    };
    let mut s = Script::established(config);
    assert_eq!(s.host.timer(), 10_000);
    s.expect(&["ACK 0:0 ack 1"]);
    s.arrive(ACK, 1, 1, b"");
    s.expect(&[]);
    assert_eq!(s.host.timer(), 10_000, "an answer begins the time anew");
    s.expect(&["ACK 0:0 ack 1"]);
    for _ in 0..2 {
        assert_eq!(s.host.timer(), 1_000);
        s.expect(&["ACK 0:0 ack 1"]);
    }
    s.host.timer();
    assert_eq!(
        s.host.conn.close_reason(),
        Some(CloseReason::KeepaliveTimeout)
    );
    s.expect(&["RST|ACK 1:1 ack 1"]);
}

/// With a user timeout it is that which ends a silent connection, after a probe at least, however many there may be.
#[test]
fn a_user_timeout_stands_for_the_number_of_probes() {
    for (user_timeout_ms, probes) in [(3_000, 1), (11_500, 2), (14_000, 4), (400_000, 390)] {
        let config = Config {
            user_timeout_ms,
            keepalive: Some(Keepalive {
                idle_ms: 10_000,
                interval_ms: 1_000,
                count: 2,
            }),
            ..bare()
        };
        let mut s = Script::established(config);
        // What was answered before does not count.
        assert_eq!(s.host.timer(), 10_000);
        s.expect(&["ACK 0:0 ack 1"]);
        s.arrive(ACK, 1, 1, b"");
        assert_eq!(s.host.timer(), 10_000);
        s.expect(&["ACK 0:0 ack 1"]);
        for _ in 1..probes {
            assert_eq!(s.host.timer(), 1_000);
            s.expect(&["ACK 0:0 ack 1"]);
        }
        s.host.timer();
        let reason = s.host.conn.close_reason();
        assert_eq!(
            reason,
            Some(CloseReason::KeepaliveTimeout),
            "{user_timeout_ms}"
        );
    }
}

#[test]
fn keepalive_leaves_outstanding_data_to_its_own_timer() {
    let config = Config {
        keepalive: Some(Keepalive {
            idle_ms: 100,
            interval_ms: 100,
            count: 1,
        }),
        ..bare()
    };
    let mut s = Script::established(config);
    s.send(b"x");
    s.out();
    for _ in 0..12 {
        s.host.timer();
        s.out();
    }
    assert_eq!(s.host.core.counters.keepalive_probes_sent, 0);
    assert_eq!(s.state(), State::Established);
}

#[test]
fn a_keepalive_probe_of_the_peer_shows_that_it_is_there() {
    //= RFC 9293 3.8.4
    //# Keep-alive packets MUST only be sent when no sent data is outstanding, and no data
    //# or acknowledgment packets have been received for the connection within an interval
    let mut s = Script::established(Config {
        keepalive: Some(Keepalive {
            idle_ms: 10_000,
            interval_ms: 1_000,
            count: 3,
        }),
        ..bare()
    });
    s.host.advance_ms(6_000);
    s.arrive(ACK, 0, 1, b"");
    s.expect(&["ACK 1:1 ack 1"]);
    assert_eq!(s.host.timer(), 10_000);
}

#[test]
fn a_keepalive_probe_is_answered() {
    let mut s = Script::established(bare());
    s.arrive(ACK, 0, 1, b"");
    s.expect(&["ACK 1:1 ack 1"]);
    s.arrive(ACK, 0, 1, b"g");
    s.expect(&["ACK 1:1 ack 1"]);
}

#[test]
fn after_silence_the_window_is_the_initial_one_again() {
    let mut s = Script::established(bare());
    for i in 0..20 {
        s.send(&[0; 20_000]);
        let mut end = 1 + i * 20_000;
        while s.host.conn.unacknowledged() > 0 {
            end += s.out().iter().map(|x| x.payload.len() as i64).sum::<i64>();
            s.arrive(ACK, 1, end, b"");
        }
    }
    assert!(s.host.conn.info().cwnd > 15_000);
    s.host.advance_ms(1000);
    s.send(&[0; 30_000]);
    assert_eq!(s.out().len(), 10);
}

#[test]
fn keepalive_does_not_prolong_fin_wait_2() {
    let config = Config {
        keepalive: Some(Keepalive::default()),
        ..bare()
    };
    let mut s = Script::established(config);
    s.host.conn.close();
    s.out();
    s.arrive(ACK, 1, 2, b"");
    s.expect(&[]);
    s.host.advance_ms(30_000);
    s.arrive(ACK, 1, 2, b"");
    assert_eq!(s.host.timer(), 30_000);
    assert_eq!(
        s.host.conn.close_reason(),
        Some(CloseReason::FinWait2Timeout)
    );
}
