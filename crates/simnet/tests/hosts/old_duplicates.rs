//! What an earlier incarnation left under way, and what pretends to be of it: silence where the rules
//! say so, an acknowledgment for the FIN, and never a byte in the wrong stream.

use crate::common;
use crate::common::forge::last_sent;
use crate::common::plain::{End, Plain, Told};
use crate::common::recycle::{count_sent, once, protocol, recycled, server_closes, time_wait};
use crate::common::{CLIENT, SERVER, between};
use simnet::{Action, Fate, Network, RuleId, Seen, Which, craft};
use stack::{CloseReason, DestinationId};
use tcp::time::Instant;
use wire::Seq;
use wire::tcp::{Flags, Header};

/// Lets a segment from the client's socket arrive at the server.
fn inject(net: &mut Network<Plain>, header: &Header, text: &[u8]) {
    let to = between(2, 1);
    let now = net.now();
    net.inject(now, &craft::tcp(&to, header, text));
    net.run_ms(50);
}

fn resets_and_refused_syns_meet_silence() {
    for timestamps in [false, true] {
        let mut net = server_closes(1, &protocol(timestamps), b"q");
        once(&mut net).unwrap();
        let last = last_sent(&net, CLIENT);
        let rcv_nxt = last.seq + 1;
        let sent = count_sent(&net, |_| true);
        for seq in [rcv_nxt, rcv_nxt + 1, rcv_nxt - 1, rcv_nxt + 5_000] {
            let reset = Header {
                seq,
                flags: Flags::RST,
                options: wire::tcp::Options::NONE,
                ..last
            };
            inject(&mut net, &reset, b"");
        }
        // The lowest number that is refused, and the corner that would be a black hole.
        for seq in [rcv_nxt - 1, rcv_nxt - 1_000, rcv_nxt + (1 << 31)] {
            let mut syn = Header {
                seq,
                ack: Seq(0),
                flags: Flags::SYN,
                ..last
            };
            if let Some(ts) = &mut syn.options.timestamps {
                ts.val = ts.val.wrapping_sub(10);
                ts.ecr = 0;
            }
            inject(&mut net, &syn, b"");
        }
        assert_eq!(count_sent(&net, |_| true), sent, "{}", net.log().tail(20));
        assert_eq!(net.host(SERVER).usage().time_wait, 1);
        assert_eq!(net.host(SERVER).usage().live, 0);
        assert_eq!(time_wait(&net, recycled), 0);
    }
}

fn a_lost_last_ack_is_answered_by_the_entry() {
    let mut net = server_closes(1, &protocol(true), b"q");
    // The server's fifth and last segment acknowledges the client's FIN.
    let rule = net.add_rule(Action::Drop, Which::Nth(1), |seen| {
        seen.from == SERVER
            && seen
                .segment()
                .is_some_and(|s| s.header.flags == Flags::ACK && s.text.is_empty())
    });
    net.with_app(CLIENT, |_, cx| cx.connect(DestinationId(0)).unwrap());
    let entered = net.run_to(Instant::from_millis(10_000), |net| net.taken(rule) == 1);
    assert!(entered, "{}", net.log().tail(20));
    assert_eq!(net.host(SERVER).usage().time_wait, 1);
    let at = net.now();
    let limit = at.plus_millis(5_000);
    let closed = net.run_to(limit, |net| {
        net.host(CLIENT).app().ended(CloseReason::Normal) == 1
    });
    assert!(closed, "{}", net.log().tail(20));
    // LAST-ACK: the FIN came again after an RTO, and the entry's timer began anew.
    let again = net.now();
    assert!(again.since(at).as_millis() >= 200);
    net.run_until(at.plus_millis(60_100));
    assert_eq!(
        net.host(SERVER).usage().time_wait,
        1,
        "restarted by the FIN"
    );
    net.run_until(again.plus_millis(common::TIME_WAIT_GONE_MS));
    assert_eq!(net.host(SERVER).usage().time_wait, 0);
}

/// Keeps a copy of the client's segments that `pick` picks.
fn keep(
    net: &mut Network<Plain>,
    which: Which,
    pick: impl Fn(&simnet::decode::Segment) -> bool + 'static,
) -> RuleId {
    net.add_rule(Action::Copy, which, move |seen: &Seen<'_>| {
        seen.from == CLIENT && seen.segment().is_some_and(|s| pick(&s))
    })
}

fn old_duplicates_do_no_harm() {
    for timestamps in [false, true] {
        let mut net = server_closes(1, &protocol(timestamps), b"old request");
        let syn = keep(&mut net, Which::Nth(1), |s| s.has(Flags::SYN));
        let data = keep(&mut net, Which::Nth(1), |s| !s.text.is_empty());
        let fin = keep(&mut net, Which::Nth(1), |s| s.has(Flags::FIN));
        for n in 0..50 {
            once(&mut net).unwrap();
            // While the tuple is in TIME-WAIT.
            for old in [data, fin, syn] {
                let now = net.now();
                net.release(old, now);
            }
            net.run_ms(20);
            assert_eq!(net.host(SERVER).usage().time_wait, 1, "after {n}");
            assert_eq!(net.host(SERVER).usage().live, 0, "after {n}");
        }
        net.host_mut(SERVER).app_mut().reply.clear();
        net.host_mut(SERVER).app_mut().after_reply = End::Stay;
        net.host_mut(CLIENT).app_mut().greeting = b"new".to_vec();
        let before = net.host(SERVER).app().received.len();
        let told = net.host(SERVER).app().told.len();
        net.with_app(CLIENT, |_, cx| cx.connect(DestinationId(0)).unwrap());
        net.run_ms(20);
        // While the tuple is in use again, over and over.
        for _ in 0..20 {
            for old in [data, fin, syn] {
                let now = net.now();
                net.release(old, now);
            }
            let reset = Header {
                flags: Flags::RST,
                options: wire::tcp::Options::NONE,
                ..net.log().sent_segments().next().unwrap().1.header
            };
            inject(&mut net, &reset, b"");
        }
        net.with_app(CLIENT, |app, cx| {
            let conn = app.last();
            app.send(cx, conn, b" bytes");
        });
        net.run_ms(500);
        let server = net.host(SERVER).app();
        assert_eq!(
            &server.received[before..],
            b"new bytes",
            "{}",
            net.log().tail(30)
        );
        let since: Vec<Told> = server.told[told..].iter().map(|t| t.2).collect();
        assert!(
            matches!(since[..], [Told::Open, Told::Data(_), Told::Data(_)]),
            "{since:?}"
        );
        let refused = net
            .log()
            .records()
            .filter(|r| r.fate == Fate::Released)
            .count();
        assert_eq!(refused, 3 * 70);
    }
}

fn an_old_syn_that_passes_for_new_ends_as_an_embryo() {
    // A SYN above RCV.NXT is accepted, as it must be. When the client denies it, the embryo goes,
    // nothing is held, and the next return is served.
    let mut net = server_closes(1, &protocol(false), b"q");
    once(&mut net).unwrap();
    net.run_ms(20_000);
    let last = last_sent(&net, CLIENT);
    let syn = Header {
        seq: last.seq + 1_000_000,
        ack: Seq(0),
        flags: Flags::SYN,
        ..last
    };
    inject(&mut net, &syn, b"");
    // The client knows of no such connection and says so.
    assert_eq!(
        count_sent(&net, |f| f.contains(Flags::RST)),
        1,
        "{}",
        net.log().tail(9)
    );
    assert_eq!(net.host(SERVER).usage().live, 0);
    assert_eq!(net.host(SERVER).counters().host.embryo_failures, 1);
    assert_eq!(net.host(SERVER).app().count(Told::Open), 1);
    once(&mut net).unwrap();
    assert_eq!(net.host(SERVER).app().count(Told::Open), 2);
}

over_both! {
    resets_and_refused_syns_meet_silence
    a_lost_last_ack_is_answered_by_the_entry
    old_duplicates_do_no_harm
    an_old_syn_that_passes_for_new_ends_as_an_embryo
}
