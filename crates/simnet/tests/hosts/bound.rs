//! The recycling bound over whole hosts: what a SYN beyond it gets under each profile, and when it is allowed.

use crate::common::forge::{
    assert_all_told, forge, forge_burst, in_time_wait, last_sent, segment, syn,
};
use crate::common::plain::{Decision, Plain};
use crate::common::recycle::{once, protocol, server_closes};
use crate::common::{CLIENT, SERVER};
use simnet::{Network, Rng};
use tcp::time_wait::{AckReason, DropReason, Incident, IssRule, Recycle, Rules, Verdict};
use wire::Seq;
use wire::tcp::{Flags, Header};

const SYN_ACK: Flags = Flags::SYN.union(Flags::ACK);
/// TIME-WAIT of a minute.
const MSL_MS: u64 = 30_000;

fn last_decision(net: &Network<Plain>) -> Decision {
    *net.host(SERVER).app().decisions.last().expect("a decision")
}

/// The SYN meets the bound, for this reason; it is told how long that lasts, in ms.
fn refused(net: &mut Network<Plain>, syn: &Header, why: Incident) -> u64 {
    let now = net.now();
    assert_eq!(forge(net, syn), []);
    let outcome = last_decision(net).outcome;
    assert_eq!(outcome.verdict, Some(Verdict::Drop(DropReason::SynBound)));
    assert_eq!(outcome.incident, Some(why));
    assert_all_told(net);
    let at = outcome.allowed_at.expect("it is told");
    at.since(now).as_millis() as u64
}

/// It is refused until that time, and accepted from then on.
fn allowed_after(net: &mut Network<Plain>, syn: &Header, why: Incident) -> u64 {
    let wait = refused(net, syn, why);
    if wait > 20 {
        net.run_ms(wait - 15);
        refused(net, syn, why);
    }
    net.run_ms(20);
    assert_eq!(forge(net, syn)[0].flags, SYN_ACK);
    wait
}

/// The peer's space: half of it at once is one too much.
fn a_peer_that_steps_too_far() {
    let (mut net, last) = in_time_wait(Rules::SAFE, false);
    let far = syn(&last, i32::MAX, 0);
    let wait = allowed_after(&mut net, &far, Incident::BoundPeer);
    assert!(wait <= 2 * MSL_MS, "{wait}");
}

/// Ours: a gap of 2^24 a connection is 2^31 after 128.
fn our_own_steps_too_far() {
    let rules = Rules {
        iss: IssRule::Gap(1 << 24),
        ..Rules::SAFE
    };
    let (mut net, _) = in_time_wait(rules, false);
    let mut recycled = 0;
    let next = loop {
        let last = last_sent(&net, CLIENT);
        let next = syn(&last, 1_000, 0);
        if net.host(SERVER).counters().time_wait.bound_own > 0 {
            break next;
        }
        if recycled >= 120 {
            let answers = forge(&mut net, &next);
            if answers.is_empty() {
                continue;
            }
            forge(&mut net, &segment(&next, Flags::RST, next.seq + 1, Seq(0)));
        }
        once(&mut net).unwrap();
        recycled += 1;
        assert!(recycled < 130);
    };
    assert!(recycled >= 124, "{recycled}");
    let wait = allowed_after(&mut net, &next, Incident::BoundOwn);
    assert!(wait <= 2 * MSL_MS, "{wait}");
}

/// With timestamps, and within one tick of theirs.
fn a_step_too_far_within_a_tick() {
    let (mut net, last) = in_time_wait(Rules::SAFE, true);
    let wait = refused(&mut net, &syn(&last, (1 << 17) + 1, 0), Incident::BoundTick);
    assert_eq!(wait, 1_000);
    // The next tick is another matter, and so is a smaller step.
    for (ahead, newer) in [((1 << 17) + 1, 1), (1 << 17, 0)] {
        let (mut net, last) = in_time_wait(Rules::SAFE, true);
        assert_eq!(forge(&mut net, &syn(&last, ahead, newer))[0].flags, SYN_ACK);
    }
}

/// Timestamps end, and how far the connections with them had come was not counted.
fn timestamps_end_after_connections_that_were_not_counted() {
    for (connections, counted) in [(1, true), (2, false)] {
        let mut net = server_closes(1, &protocol(true), b"q");
        for _ in 0..connections {
            once(&mut net).unwrap();
        }
        let last = last_sent(&net, CLIENT);
        let mut syn = syn(&last, 1_000, 0);
        syn.options.timestamps = None;
        if counted {
            assert_eq!(forge(&mut net, &syn)[0].flags, SYN_ACK);
        } else {
            let wait = allowed_after(&mut net, &syn, Incident::BoundUncounted);
            assert!(wait <= MSL_MS + 1_000, "{wait}");
        }
    }
}

/// A step of the timestamp further than any clock goes: one within an MSL, and not around half the circle.
fn timestamps_of_another_clock() {
    for (connections, newer, taken) in [
        (1, 1 << 30, true),
        (1, i32::MAX as u32, false),
        (2, 1 << 30, false),
        (2, 1_000, true),
    ] {
        let mut net = server_closes(1, &protocol(true), b"q");
        for _ in 0..connections {
            once(&mut net).unwrap();
        }
        let syn = syn(&last_sent(&net, CLIENT), 1_000, newer);
        if taken {
            assert_eq!(forge(&mut net, &syn)[0].flags, SYN_ACK);
        } else {
            let wait = allowed_after(&mut net, &syn, Incident::BoundOtherClock);
            assert!(wait <= MSL_MS + 1_000, "{wait}");
        }
    }
}

/// A connection without timestamps was between, and one before it had some: there is nothing to compare them with.
fn timestamps_begin_again_after_a_connection_without() {
    for (first, taken) in [(true, false), (false, true)] {
        let (mut net, last) = in_time_wait(Rules::SAFE, true);
        if !first {
            net.run_ms(3 * MSL_MS);
        }
        let mut plain = syn(&last, 1_000, 0);
        plain.options.timestamps = None;
        let answer = forge(&mut net, &plain)[0];
        let ask = segment(&plain, Flags::ACK, plain.seq + 1, answer.seq + 1);
        let answers = forge_burst(&mut net, &[(&ask, b"q")]);
        let fin = answers
            .iter()
            .find(|s| s.flags.contains(Flags::FIN))
            .expect("FIN");
        let end = segment(&plain, Flags::FIN | Flags::ACK, plain.seq + 2, fin.seq + 2);
        forge(&mut net, &end);
        assert_eq!(net.host(SERVER).usage().time_wait, 1);
        let mut next = syn(&end, 1_000, 0);
        next.options.timestamps = syn(&last, 0, 1).options.timestamps;
        if taken {
            assert_eq!(forge(&mut net, &next)[0].flags, SYN_ACK);
        } else {
            let wait = allowed_after(&mut net, &next, Incident::BoundOtherClock);
            assert!(wait <= MSL_MS + 1_000, "{wait}");
        }
    }
}

/// The client opens by `syn` and says no more. How much it may send.
fn open(net: &mut Network<Plain>, syn: &Header) -> i32 {
    let answer = forge(net, syn)[0];
    assert_eq!(answer.flags, SYN_ACK);
    let ack = segment(syn, Flags::ACK, syn.seq + 1, answer.seq + 1);
    forge(net, &ack);
    answer.window.into()
}

/// What had been recycled had its TIME-WAIT before, and may still be under way.
fn a_reset_does_not_end_what_was_recycled() {
    for (timestamps, far) in [(false, Incident::BoundPeer), (true, Incident::BoundTick)] {
        let (mut net, last) = in_time_wait(Rules::SAFE, timestamps);
        let recycles = syn(&last, 1 << 17, 0);
        let window = open(&mut net, &recycles);
        let rst = segment(&recycles, Flags::RST, recycles.seq + 1, Seq(0));
        forge(&mut net, &rst);
        let (usage, counters) = (net.host(SERVER).usage(), *net.host(SERVER).counters());
        assert_eq!((usage.live, usage.time_wait), (0, 1));
        assert_eq!(counters.time_wait.kept_after_reset, 1);
        assert_eq!(counters.host.closed_reset, 1);
        assert_eq!(counters.host.time_wait_entered, 2);
        assert_all_told(&net);
        // What is behind proves nothing, nor what text may have that is still under way, and how far the space
        // has come is still known.
        assert_eq!(forge(&mut net, &syn(&last, 0, 0)), []);
        // At the window's edge there may be a probe and its FIN.
        assert_eq!(forge(&mut net, &syn(&rst, window, 0)), []);
        let step = if timestamps {
            window + 2 + (1 << 17) + 1
        } else {
            i32::MAX - (1 << 17)
        };
        refused(&mut net, &syn(&rst, step, 0), far);
        assert_eq!(forge(&mut net, &syn(&rst, window + 1, 0))[0].flags, SYN_ACK);
    }
}

/// The peer that has not heard of the reset hears of it, and no acknowledgment of what was not received.
fn a_kept_connection_is_half_open_to_its_peer() {
    for timestamps in [false, true] {
        let (mut net, last) = in_time_wait(Rules::FAST_RECOVERY, timestamps);
        let recycles = syn(&last, 1_000, 0);
        open(&mut net, &recycles);
        let rst = segment(&recycles, Flags::RST, recycles.seq + 1, Seq(0));
        forge(&mut net, &rst);
        let text = segment(&recycles, Flags::ACK, recycles.seq + 1, Seq(77));
        let answers = forge_burst(&mut net, &[(&text, b"more")]);
        assert_eq!(answers.len(), 1);
        assert_eq!((answers[0].flags, answers[0].seq), (Flags::RST, Seq(77)));
        // Any RST may be an answer to that.
        forge(&mut net, &rst);
        assert_eq!(net.host(SERVER).usage().time_wait, 1);
        let counters = net.host(SERVER).counters().time_wait;
        assert_eq!(
            (counters.reset_half_open, counters.rst_out_of_window),
            (1, 1)
        );
        assert_all_told(&net);
    }
}

/// In CLOSING a RST is no failure, but who sends it is not in TIME-WAIT.
fn a_reset_in_closing_does_not_end_what_was_recycled() {
    let (mut net, last) = in_time_wait(Rules::SAFE, false);
    let recycles = syn(&last, 1_000, 0);
    let answer = forge(&mut net, &recycles)[0];
    let ask = segment(&recycles, Flags::ACK, recycles.seq + 1, answer.seq + 1);
    let crossing = segment(
        &ask,
        Flags::FIN | Flags::ACK,
        recycles.seq + 2,
        answer.seq + 1,
    );
    forge_burst(&mut net, &[(&ask, b"q")]);
    forge(&mut net, &crossing);
    forge(
        &mut net,
        &segment(&ask, Flags::RST, recycles.seq + 3, Seq(0)),
    );
    let (usage, counters) = (net.host(SERVER).usage(), net.host(SERVER).counters());
    assert_eq!((usage.live, usage.time_wait), (0, 1));
    assert_eq!(counters.time_wait.kept_after_reset, 1);
    assert_eq!(counters.host.closed_normal, 2);
    assert_eq!(forge(&mut net, &syn(&last, 0, 0)), []);
    // Beyond its FIN the peer has sent nothing, whatever the window.
    let again = syn(&recycles, 2, 0);
    assert_eq!(forge(&mut net, &again)[0].flags, SYN_ACK);
}

/// In FIN-WAIT-2, where only the table remembers it: up to the edge of the whole buffer there may be text under way, and there a
/// probe and its FIN.
fn a_reset_in_fin_wait_2_does_not_end_what_was_recycled() {
    let (mut net, last) = in_time_wait(Rules::SAFE, false);
    let recycles = syn(&last, 1_000, 0);
    let answer = forge(&mut net, &recycles)[0];
    let ask = segment(&recycles, Flags::ACK, recycles.seq + 1, answer.seq + 1);
    let fin = *forge_burst(&mut net, &[(&ask, b"q")]).last().expect("FIN");
    let ack = segment(&recycles, Flags::ACK, recycles.seq + 2, fin.seq + 2);
    forge(&mut net, &ack);
    assert_eq!(net.host(SERVER).counters().host.fin_wait2_entered, 1);
    let rst = segment(&recycles, Flags::RST, recycles.seq + 2, Seq(0));
    forge(&mut net, &rst);
    assert_eq!(net.host(SERVER).counters().time_wait.kept_after_reset, 1);
    let edge = rst.seq + protocol(false).rcv_buf;
    let at = |seq| segment(&rst, Flags::SYN, seq, Seq(0));
    assert_eq!(forge(&mut net, &at(edge + 1)), []);
    assert_eq!(forge(&mut net, &at(edge + 2))[0].flags, SYN_ACK);
}

/// Two segments that are acknowledged together: TS.Recent is that of the first, and what the second may be told from is its own.
fn the_newest_timestamp_is_what_a_syn_has_to_outdo() {
    let (mut net, last) = in_time_wait(Rules::SAFE, true);
    let recycles = syn(&last, 1_000, 1_000);
    open(&mut net, &recycles);
    let text = |n: u32, newer: u32| {
        let mut text = segment(
            &recycles,
            Flags::ACK,
            recycles.seq + n,
            last_sent(&net, SERVER).seq + 1,
        );
        let stamps = text.options.timestamps.as_mut().expect("timestamps");
        stamps.val = stamps.val.wrapping_add(newer);
        text
    };
    let (first, second) = (text(1, 5), text(2, 60));
    forge_burst(&mut net, &[(&first, b"a"), (&second, b"b")]);
    forge(
        &mut net,
        &segment(&recycles, Flags::RST, recycles.seq + 3, Seq(0)),
    );
    assert_eq!(net.host(SERVER).counters().time_wait.kept_after_reset, 1);
    for (newer, verdict) in [
        (30, Verdict::Drop(DropReason::SynOlderTimestamp)),
        (60, Verdict::Drop(DropReason::SynEqualTimestamp)),
        (61, Verdict::Recycle(Recycle::NewerTimestamp)),
    ] {
        forge(&mut net, &syn(&recycles, 0, newer));
        assert_eq!(
            last_decision(&net).outcome.verdict,
            Some(verdict),
            "{newer}"
        );
    }
}

/// What is of the connection before may have been sent until the handshake was over.
fn what_was_recycled_is_guarded_for_an_msl() {
    for (handshake_ms, lasts_ms, kept) in [
        (0, MSL_MS - 100, 1),
        (900, MSL_MS - 100, 1),
        (900, MSL_MS + 100, 0),
    ] {
        let (mut net, last) = in_time_wait(Rules::SAFE, false);
        let next = syn(&last, 1_000, 0);
        let answer = forge(&mut net, &next)[0];
        net.run_ms(handshake_ms);
        forge(
            &mut net,
            &segment(&next, Flags::ACK, next.seq + 1, answer.seq + 1),
        );
        net.run_ms(lasts_ms);
        forge(&mut net, &segment(&next, Flags::RST, next.seq + 1, Seq(0)));
        let usage = net.host(SERVER).usage();
        assert_eq!(
            (usage.live, usage.time_wait),
            (0, kept),
            "{handshake_ms} {lasts_ms}"
        );
    }
}

/// There was nothing before it that needs to be guarded, or no more; and without the bound nothing is promised.
fn a_reset_leaves_no_time_wait_otherwise() {
    let unbounded = Rules {
        bound: false,
        ..Rules::SAFE
    };
    for (rules, recycles, lasts_ms) in [
        (Rules::SAFE, false, 0),
        (Rules::SAFE, true, MSL_MS),
        (unbounded, true, 0),
    ] {
        let (mut net, last) = in_time_wait(rules, false);
        if !recycles {
            net.run_ms(3 * MSL_MS);
        }
        let next = syn(&last, 1_000, 0);
        open(&mut net, &next);
        net.run_ms(lasts_ms);
        forge(&mut net, &segment(&next, Flags::RST, next.seq + 1, Seq(0)));
        let usage = net.host(SERVER).usage();
        assert_eq!((usage.live, usage.time_wait), (0, 0), "{rules:?}");
    }
}

/// How long a SYN of a peer took that is in SYN-SENT: it answers an acknowledgment that it cannot accept with
/// a RST (RFC 9293 3.10.7.3) and repeats the SYN at once, and otherwise each second.
fn persist(net: &mut Network<Plain>, syn: &Header) -> u64 {
    let began = net.now();
    let mut resets = 0;
    loop {
        let answers = forge(net, syn);
        match answers.first() {
            Some(answer) if answer.flags == SYN_ACK => {
                return net.now().since(began).as_millis() as u64;
            }
            Some(answer) => {
                assert_eq!(answer.flags, Flags::ACK);
                resets += 1;
                assert!(resets < 3, "a RST helps");
                forge(net, &segment(syn, Flags::RST, answer.ack, Seq(0)));
            }
            None => net.run_ms(995),
        }
        assert!(
            net.now().since(began).as_millis() < 100_000,
            "it never ends"
        );
    }
}

/// A peer that chooses its numbers at random and has no timestamps.
fn what_a_peer_of_random_numbers_gets() {
    for (rules, at_most_ms, bound) in [
        // Silence, for up to two MSL.
        (Rules::SAFE, 2 * MSL_MS + 2_000, true),
        // An acknowledgment; its RST ends TIME-WAIT; the SYN again. No ladder of time-outs.
        (Rules::FAST_RECOVERY, 20, true),
        (Rules::LINUX, 20, false),
    ] {
        let mut rng = Rng::new(7);
        let (mut longest, mut at_bound, mut helped) = (0, 0, 0);
        // A server whose TIME-WAIT has been recycled by random numbers again and again.
        let (mut net, mut last) = in_time_wait(rules, false);
        for _ in 0..60 {
            let random = Seq(rng.next_u64() as u32);
            let first = segment(&last, Flags::SYN, random, Seq(0));
            let before = net.host(SERVER).app().decisions.len();
            let took = persist(&mut net, &first);
            longest = took.max(longest);
            let decisions = &net.host(SERVER).app().decisions[before..];
            let verdict = |v| decisions.iter().any(|d| d.outcome.verdict == Some(v));
            at_bound += u32::from(
                verdict(Verdict::Drop(DropReason::SynBound))
                    || verdict(Verdict::Ack(AckReason::SynBound)),
            );
            helped += u32::from(took > 5 && took <= 20);
            // The rest of its life, forged: it asks, the server answers and closes, it closes.
            let syn_ack = last_sent(&net, SERVER);
            assert_eq!(syn_ack.flags, SYN_ACK);
            let ask = segment(&first, Flags::ACK, random + 1, syn_ack.seq + 1);
            let fin = crate::common::forge::forge_burst(&mut net, &[(&ask, b"q")]);
            let fin = *fin.last().expect("it answers and closes");
            assert!(fin.flags.contains(Flags::FIN), "{fin:?}");
            last = segment(&ask, Flags::FIN | Flags::ACK, ask.seq + 1, fin.seq + 2);
            forge(&mut net, &last);
            let usage = net.host(SERVER).usage();
            assert_eq!((usage.live, usage.time_wait), (0, 1));
        }
        assert_all_told(&net);
        assert!(longest <= at_most_ms, "{:?}: {longest} ms", rules.policy);
        assert_eq!(at_bound > 0, bound, "{rules:?}");
        if rules == Rules::SAFE {
            assert!(longest > MSL_MS, "{longest}");
        } else {
            assert!(helped > 10, "{helped}");
        }
    }
}

over_both! {
    a_reset_in_closing_does_not_end_what_was_recycled
    a_reset_in_fin_wait_2_does_not_end_what_was_recycled
    a_reset_does_not_end_what_was_recycled
    a_kept_connection_is_half_open_to_its_peer
    a_reset_leaves_no_time_wait_otherwise
    what_was_recycled_is_guarded_for_an_msl
    the_newest_timestamp_is_what_a_syn_has_to_outdo
    a_peer_that_steps_too_far
    our_own_steps_too_far
    a_step_too_far_within_a_tick
    timestamps_end_after_connections_that_were_not_counted
    timestamps_of_another_clock
    timestamps_begin_again_after_a_connection_without
    what_a_peer_of_random_numbers_gets
}
