//! Opening: the states before ESTABLISHED (RFC 9293 3.5, 3.10.7.3).

use tcp::{CloseReason, Config, Events, State};
use wire::Seq;
use wire::tcp::{Header, Options, Timestamps};

use crate::host::*;

#[test]
fn active_open() {
    let mut s = Script::syn_sent(bare());
    assert_eq!(s.state(), State::SynSent);
    assert_eq!(s.arrive(SYN | ACK, 0, 1, b""), Events::ESTABLISHED);
    assert_eq!(s.state(), State::Established);
    s.expect(&["ACK 1:1 ack 1"]);
    assert_eq!(s.host.conn.deadline(), None);
    assert_eq!(s.host.core.counters.established_active, 1);
}

#[test]
fn the_handshakes_ack_carries_the_request() {
    let mut s = Script::syn_sent(bare());
    s.arrive(SYN | ACK, 0, 1, b"");
    s.send(b"GET");
    s.expect(&["PSH|ACK 1:4 ack 1"]);
}

#[test]
fn data_queued_before_the_open_follows_it() {
    let mut s = Script::syn_sent(bare());
    s.send(b"early");
    s.expect(&[]);
    s.arrive(SYN | ACK, 0, 1, b"");
    s.expect(&["PSH|ACK 1:6 ack 1"]);
}

#[test]
fn passive_open_with_a_request_on_the_ack() {
    let mut s = Script::syn_received(bare());
    let events = s.arrive(ACK | PSH, 1, 1, b"GET");
    assert_eq!(events, Events::ESTABLISHED);
    assert_eq!(s.host.read, b"GET");
    s.expect(&["ACK 1:1 ack 4"]);
    assert_eq!(s.host.core.counters.established_passive, 1);
}

#[test]
fn text_and_fin_on_a_syn_ack_are_taken() {
    let mut s = Script::syn_sent(bare());
    let events = s.arrive(SYN | ACK | FIN, 0, 1, b"hi");
    assert_eq!(events, Events::ESTABLISHED | Events::PEER_CLOSED);
    assert_eq!(s.state(), State::CloseWait);
    assert_eq!(s.host.read, b"hi");
    s.expect(&["ACK 1:1 ack 4"]);
}

#[test]
fn simultaneous_open() {
    // RFC 9293, figure 8.
    let mut s = Script::syn_sent(bare());
    assert_eq!(s.arrive(SYN, 0, 0, b""), Events::empty());
    assert_eq!(s.state(), State::SynReceived);
    s.expect(&["SYN|ACK 0:0 ack 1"]);
    assert_eq!(s.arrive(SYN | ACK, 0, 1, b""), Events::ESTABLISHED);
    assert_eq!(s.state(), State::Established);
    s.expect(&["ACK 1:1 ack 1"]);
}

#[test]
fn two_connections_open_simultaneously() {
    let mut a = Host::connect(Config::default(), Seq(10));
    let mut b = Host::connect(Config::default(), Seq(u32::MAX));
    let (from_a, from_b) = (a.transmit(), b.transmit());
    let mut total = 2;
    let (mut from_a, mut from_b) = (from_a, from_b);
    while !from_a.is_empty() || !from_b.is_empty() {
        for seg in from_b.drain(..) {
            assert_eq!(a.receive(&seg).1, None);
        }
        for seg in from_a.drain(..) {
            assert_eq!(b.receive(&seg).1, None);
        }
        (from_a, from_b) = (a.transmit(), b.transmit());
        total += from_a.len() + from_b.len();
        assert!(total < 10);
    }
    assert_eq!(a.conn.state(), State::Established);
    assert_eq!(b.conn.state(), State::Established);
}

#[test]
fn an_unacceptable_ack_in_syn_sent_is_reset_and_the_syn_soon_repeated() {
    let mut s = Script::syn_sent(bare());
    s.host.advance_ms(7);
    let r = s.arrive_reset(ACK, 300, 2);
    assert_eq!((r.seq, r.flags), (Seq(ISS + 2), RST));
    assert_eq!(s.state(), State::SynSent);
    assert_eq!(s.host.timer(), 7, "one round trip later, not one second");
    s.expect(&["SYN 0:0"]);
    // Only once, and the usual retransmission goes on from its first step.
    s.arrive_reset(ACK, 300, 0);
    assert_eq!(s.host.timer(), 1000);
    s.expect(&["SYN 0:0"]);
    assert_eq!(s.host.timer(), 2000);
    s.expect(&["SYN 0:0"]);
    assert_eq!(s.host.core.counters.syns_challenged_by_peer, 2);
}

#[test]
fn a_rst_with_a_bad_ack_is_no_refusal() {
    let mut s = Script::syn_sent(bare());
    s.arrive(RST | ACK, 0, 0, b"");
    s.arrive(RST | ACK, 0, 2, b"");
    s.arrive(RST, 0, 1, b"");
    s.arrive(ACK, 0, 1, b"");
    assert_eq!(s.state(), State::SynSent);
    s.expect(&[]);
    assert_eq!(s.arrive(RST | ACK, 0, 1, b""), Events::CLOSED);
    assert_eq!(s.host.conn.close_reason(), Some(CloseReason::Refused));
    assert_eq!(s.host.core.counters.syns_challenged_by_peer, 0);
    s.expect(&[]);
}

#[test]
fn an_unacceptable_ack_after_the_last_syn_does_not_end_the_open() {
    let mut s = Script::syn_sent(Config {
        syn_retries: 0,
        ..bare()
    });
    s.host.advance_ms(1);
    s.arrive_reset(ACK, 5, 1000);
    s.host.timer();
    assert_eq!(s.state(), State::SynSent);
    s.expect(&["SYN 0:0"]);
    assert_eq!(s.arrive(SYN | ACK, 0, 1, b""), Events::ESTABLISHED);
}

#[test]
fn a_lost_syn_ack_is_sent_again_for_the_repeated_syn() {
    let mut s = Script::syn_received(bare());
    s.arrive(SYN, 0, 0, b"");
    s.expect(&["SYN|ACK 0:0 ack 1"]);
}

#[test]
fn another_syn_in_the_window_returns_to_listen() {
    let mut s = Script::syn_received(bare());
    assert_eq!(s.arrive(SYN, 100, 0, b""), Events::CLOSED);
    assert_eq!(s.host.conn.close_reason(), Some(CloseReason::Reset));
    s.expect(&[]);
}

#[test]
fn a_bad_ack_in_syn_received_is_reset() {
    for ack in [0, 2] {
        let mut s = Script::syn_received(bare());
        let r = s.arrive_reset(ACK, 1, ack);
        assert_eq!((r.seq, r.flags), (Seq(ISS + ack as u32), RST));
        assert_eq!(s.state(), State::SynReceived);
    }
}

#[test]
fn reset_in_syn_received() {
    let mut s = Script::syn_received(bare());
    assert_eq!(s.arrive(RST, 1, 0, b""), Events::CLOSED);
    assert_eq!(s.host.conn.close_reason(), Some(CloseReason::Reset));
    assert!(s.host.conn.is_passive());

    let mut s = Script::syn_sent(bare());
    s.arrive(SYN, 0, 0, b"");
    assert_eq!(s.arrive(RST, 1, 0, b""), Events::CLOSED);
    assert_eq!(s.host.conn.close_reason(), Some(CloseReason::Refused));
}

#[test]
fn options_are_negotiated() {
    let offer = |mss, scale, ts| Seg {
        header: Header {
            seq: Seq(IRS),
            flags: SYN,
            window: 500,
            options: Options {
                mss,
                window_scale: scale,
                timestamps: ts,
                ..Options::NONE
            },
            ..Header::default()
        },
        payload: vec![],
        sack: vec![],
    };
    let full = Config {
        rcv_buf: 1 << 20,
        ..Config::default()
    };
    let ts = Some(Timestamps { val: 42, ecr: 0 });

    let mut h = Host::accept(full.clone(), Seq(ISS), &offer(Some(1400), Some(9), ts));
    let out = h.transmit();
    let o = out[0].header.options;
    assert_eq!((o.mss, o.window_scale), (Some(1460), Some(5)));
    assert_eq!(o.timestamps.unwrap().ecr, 42);
    assert_eq!(o.timestamps.unwrap().val, 1_000_000 + 99);
    assert_eq!(out[0].header.window, 65_535, "a SYN's window is not scaled");
    let info = h.conn.info();
    assert_eq!((info.snd_mss, info.window_shifts), (1388, (9, 5)));
    assert_eq!(info.snd_wnd, 500);
    assert_eq!(h.conn.last_tsval(), Some(1_000_099));

    let mut h = Host::accept(full.clone(), Seq(ISS), &offer(None, None, None));
    let out = h.transmit();
    let o = out[0].header.options;
    assert_eq!((o.window_scale, o.timestamps), (None, None));
    let info = h.conn.info();
    assert_eq!((info.snd_mss, info.window_shifts), (536, (0, 0)));
    assert!(!info.timestamps);

    // Not offered by us: not negotiated, whatever the peer says. A scale of zero is an offer.
    let mut h = Host::accept(bare(), Seq(ISS), &offer(Some(0), Some(15), ts));
    let o = h.transmit()[0].header.options;
    assert_eq!((o.window_scale, o.timestamps), (None, None));
    assert_eq!(h.conn.info().snd_mss, 64, "an absurd MSS is not believed");

    let small = Config {
        rcv_buf: 1000,
        ..Config::default()
    };
    let mut h = Host::accept(small, Seq(ISS), &offer(Some(1400), Some(15), None));
    assert_eq!(h.transmit()[0].header.options.window_scale, Some(0));
    assert_eq!(h.conn.info().window_shifts, (14, 0));
}

#[test]
fn the_syn_is_retransmitted_with_the_same_number_and_then_given_up() {
    let mut s = Script::syn_sent(bare());
    let mut waits = Vec::new();
    for _ in 0..7 {
        waits.push(s.host.timer());
        s.expect(&["SYN 0:0"]);
    }
    assert_eq!(waits, [1000, 2000, 4000, 8000, 16_000, 32_000, 60_000]);
    s.host.timer();
    assert_eq!(s.state(), State::Closed);
    assert_eq!(s.host.conn.close_reason(), Some(CloseReason::TimedOut));
    assert_eq!(s.host.core.counters.open_timeouts, 1);
    s.expect(&[]);
}

#[test]
fn the_syn_ack_is_given_up_sooner() {
    let mut s = Script::syn_received(bare());
    for _ in 0..5 {
        s.host.timer();
        s.expect(&["SYN|ACK 0:0 ack 1"]);
    }
    s.host.timer();
    assert_eq!(s.host.conn.close_reason(), Some(CloseReason::TimedOut));
}

#[test]
fn a_lost_syn_makes_the_beginning_careful() {
    let mut s = Script::syn_sent(bare());
    for _ in 0..2 {
        s.host.timer();
        s.expect(&["SYN 0:0"]);
    }
    s.arrive(SYN | ACK, 0, 1, b"");
    let info = s.host.conn.info();
    assert_eq!(info.rto_us, 3_000_000, "RFC 6298 5.7");
    assert_eq!(info.cwnd, u32::from(info.snd_mss), "RFC 6928 section 2");
}

#[test]
fn the_syn_measures_the_round_trip() {
    let mut s = Script::syn_sent(bare());
    s.host.advance_ms(30);
    s.arrive(SYN | ACK, 0, 1, b"");
    assert_eq!(s.host.conn.info().srtt_us, 30_000);
}

#[test]
fn a_repeated_syn_ack_does_not_take_the_window_back() {
    let config = Config {
        rcv_buf: 1 << 18,
        ..Config::default()
    };
    let offer = Options {
        window_scale: Some(2),
        ..Options::NONE
    };
    let mut syn = Seg {
        header: Header {
            seq: Seq(IRS),
            flags: SYN,
            options: offer,
            ..Header::default()
        },
        payload: vec![],
        sack: vec![],
    };
    let mut h = Host::accept(config, Seq(ISS), &syn);
    h.transmit();
    // An old segment is answered with a scaled window, which is larger than a SYN's can be.
    syn.header.flags = ACK;
    syn.header.seq = Seq(IRS - 10);
    h.receive(&syn);
    assert_eq!(h.transmit()[0].header.flags, ACK);
    assert_eq!(h.conn.info().rcv_wnd, 1 << 18);
    h.timer();
    assert_eq!(h.transmit()[0].header.flags, SYN | ACK);
    assert_eq!(h.conn.info().rcv_wnd, 1 << 18);
}

#[test]
fn a_repeated_syn_with_text_is_the_same_syn() {
    // Text on a SYN (RFC 9293 3.4) must not make the repeated SYN look like another one's.
    let mut s = Script::syn_received(bare());
    assert_eq!(s.arrive(SYN, 0, 0, b"early"), Events::empty());
    assert_eq!(s.state(), State::SynReceived);
    s.expect(&["SYN|ACK 0:0 ack 1"]);
    assert_eq!(s.arrive(ACK, 1, 1, b""), Events::ESTABLISHED);
}
