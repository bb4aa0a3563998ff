//! Every decision of TIME-WAIT over whole hosts: what is answered, to the last field; what it does to the
//! entry; and that it is told with its segment.

use crate::common::forge::{
    after_one, assert_all_told, forge, forge_burst, in_time_wait, last_sent, segment, syn,
};
use crate::common::plain::{Decision, End, Plain};
use crate::common::recycle::{once, protocol};
use crate::common::{CLIENT, PORT, SERVER, configs, ip};
use simnet::Network;
use stack::{ListenerId, TimeWaitConfig};
use tcp::time::Instant;
use tcp::time_wait::{AckReason, DropReason, Incident, Permit, Policy, Rules, Verdict};
use wire::tcp::{Flags, Header, Options, Timestamps};
use wire::{FourTuple, Seq};

const ACK: Flags = Flags::ACK;
const FIN_ACK: Flags = Flags::FIN.union(Flags::ACK);
const SYN_ACK: Flags = Flags::SYN.union(Flags::ACK);
const HALF: u32 = 1 << 31;

/// The client's four-tuple, as the server has it.
fn tuple() -> FourTuple {
    FourTuple {
        local: ip(1),
        remote: ip(2),
        local_port: PORT,
        remote_port: 55_000,
    }
}

fn until(net: &mut Network<Plain>) -> Option<Instant> {
    net.with_app(SERVER, |_, cx| cx.time_wait_until(&tuple()))
}

fn last_decision(net: &Network<Plain>) -> Decision {
    *net.host(SERVER).app().decisions.last().expect("a decision")
}

/// What a segment gets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Gets {
    Silence,
    /// `<SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>`.
    Ack,
    /// A SYN,ACK with an ISS from SND.NXT on.
    SynAck,
    /// A SYN,ACK with SND.NXT + 65,537.
    SynAckAfterGap,
    /// Silence, and there is no TIME-WAIT any more.
    End,
}

/// A segment: number from RCV.NXT, acknowledgment from SND.NXT, bytes of text, timestamp from TS.Recent.
#[derive(Clone, Copy, Debug)]
struct Forged {
    flags: Flags,
    seq: u32,
    ack: u32,
    text: usize,
    val: Option<i32>,
}

const fn seg(flags: Flags, seq: i64, ack: i64, text: usize, val: Option<i32>) -> Forged {
    Forged {
        flags,
        seq: seq as u32,
        ack: ack as u32,
        text,
        val,
    }
}

/// What an entry is, by the last segment of each side.
struct Known {
    rcv_nxt: Seq,
    snd_nxt: Seq,
    ts_recent: u32,
    window: u32,
}

/// RFC 6191's rules and RFC 1337's F1 without the recycling bound, which is beside them.
const RFC6191: Rules = Rules {
    bound: false,
    ..Rules::SAFE
};

/// The vectors: what RFC 6191 with RSTs ignored answers and whether it restarts the timer, and the same of
/// Linux.
fn vectors() {
    use Gets::{Ack, End, Silence, SynAck, SynAckAfterGap};
    let (no, yes) = (false, true);
    let window = i64::from(protocol(true).rcv_buf);
    let at = Some(0);
    let vectors = [
        ("1", seg(ACK, -46, -68, 0, at), (Ack, no), (Ack, yes)),
        (
            "2",
            seg(Flags::RST, 0, 0, 0, None),
            (Silence, no),
            (End, no),
        ),
        (
            "3a",
            seg(Flags::RST, 1, 0, 0, None),
            (Silence, no),
            (Silence, no),
        ),
        (
            "3b",
            seg(Flags::RST, window - 1, 0, 0, None),
            (Silence, no),
            (Silence, no),
        ),
        (
            "3c",
            seg(Flags::RST, window, 0, 0, None),
            (Silence, no),
            (Silence, no),
        ),
        ("4", seg(FIN_ACK, -1, 0, 0, at), (Ack, yes), (Ack, yes)),
        ("5", seg(FIN_ACK, -11, 0, 10, at), (Ack, yes), (Ack, yes)),
        (
            "6",
            seg(ACK, 0, 0, 0, Some(1)),
            (Silence, no),
            (Silence, yes),
        ),
        ("7", seg(ACK, 0, 1, 0, at), (Ack, no), (Silence, yes)),
        ("8", seg(ACK, 0, 0, 10, at), (Ack, no), (Ack, yes)),
        (
            "9",
            seg(Flags::SYN, 1, 0, 0, Some(-1)),
            (Silence, no),
            (Ack, yes),
        ),
        (
            "10",
            seg(Flags::SYN, 0, 0, 0, None),
            (SynAck, no),
            (Ack, no),
        ),
        (
            "11",
            seg(Flags::SYN, -1, 0, 0, None),
            (Silence, no),
            (Ack, no),
        ),
        (
            "12",
            seg(Flags::SYN, -296, 0, 0, Some(1)),
            (SynAck, no),
            (SynAckAfterGap, no),
        ),
        (
            "13",
            seg(Flags::SYN, -296, 0, 0, at),
            (Silence, no),
            (Ack, no),
        ),
        (
            "14",
            seg(Flags::SYN, 1, 0, 0, at),
            (SynAck, no),
            (SynAckAfterGap, no),
        ),
        (
            "15a",
            seg(Flags::SYN, (HALF - 1) as i64, 0, 0, None),
            (SynAck, no),
            (SynAckAfterGap, no),
        ),
        (
            "15b",
            seg(Flags::SYN, HALF as i64, 0, 0, None),
            (Silence, no),
            (SynAckAfterGap, no),
        ),
        ("17", seg(SYN_ACK, 0, 0, 0, at), (Ack, no), (Ack, yes)),
        ("18", seg(ACK, 0, 0, 0, Some(-1)), (Ack, no), (Ack, yes)),
    ];
    for (name, forged, safe, linux) in vectors {
        vector(name, RFC6191, true, forged, safe);
        vector(name, Rules::LINUX, true, forged, linux);
    }
    let sixteen = seg(Flags::SYN, -296, 0, 0, Some(7));
    vector("16", RFC6191, false, sixteen, (SynAck, no));
    vector("16", Rules::LINUX, false, sixteen, (Ack, no));
}

fn vector(name: &str, rules: Rules, timestamps: bool, forged: Forged, expected: (Gets, bool)) {
    let what = format!("vector {name} under {:?}", rules.policy);
    let (mut net, last) = in_time_wait(rules, timestamps);
    let known = Known {
        rcv_nxt: last.seq + 1,
        snd_nxt: last.ack,
        ts_recent: last.options.timestamps.map_or(0, |t| t.val),
        window: protocol(timestamps).rcv_buf,
    };
    net.run_ms(10_000);
    // Whoever listens now would use them.
    let id = ListenerId::configured(0);
    net.with_app(SERVER, |_, cx| cx.set_listener_config(id, &protocol(true)))
        .unwrap();
    let before = until(&mut net).expect("it is in TIME-WAIT");
    let mut header = segment(
        &last,
        forged.flags,
        known.rcv_nxt + forged.seq,
        if forged.flags.contains(ACK) {
            known.snd_nxt + forged.ack
        } else {
            Seq(0)
        },
    );
    header.options = Options {
        timestamps: forged.val.map(|by| Timestamps {
            val: known.ts_recent.wrapping_add_signed(by),
            ecr: 0,
        }),
        ..Options::NONE
    };
    let text = vec![b'x'; forged.text];
    let answers = forge_burst(&mut net, &[(&header, &text)]);
    let (gets, restarts) = expected;
    match (gets, &answers[..]) {
        (Gets::Silence | Gets::End, []) => {}
        (Gets::Ack, [ack]) => {
            let taken = u32::from(name == "6");
            assert_is_ack(ack, &known, timestamps, taken, &what);
        }
        (Gets::SynAck, [answer]) => {
            assert_eq!(
                (answer.flags, answer.ack),
                (SYN_ACK, header.seq + 1),
                "{what}"
            );
            // MAY-2: larger than the largest number used before, which was our FIN's.
            assert!(answer.seq.ge(known.snd_nxt), "{what}");
        }
        (Gets::SynAckAfterGap, [answer]) => {
            assert_eq!(
                (answer.flags, answer.ack),
                (SYN_ACK, header.seq + 1),
                "{what}"
            );
            assert_eq!(answer.seq, known.snd_nxt + 65_537, "{what}");
        }
        (gets, answers) => panic!("{what}: {gets:?}, not {answers:?}"),
    }
    let decision = last_decision(&net);
    assert_eq!(
        decision.segment,
        Some((header, forged.text as u32)),
        "{what}"
    );
    assert_eq!(decision.tuple, tuple(), "{what}");
    let entry = decision.entry.expect("it was known");
    assert_eq!(
        (entry.rcv_nxt, entry.snd_nxt),
        (known.rcv_nxt, known.snd_nxt),
        "{what}"
    );
    assert_all_told(&net);
    match (gets, until(&mut net)) {
        (Gets::End, after) => assert_eq!(after, None, "{what}"),
        // Without a shadow the entry is gone.
        (Gets::SynAck | Gets::SynAckAfterGap, after) => {
            assert_eq!(after.is_some(), rules.shadow, "{what}");
        }
        (_, after) => assert_eq!(after != Some(before), restarts, "{what}: {after:?}"),
    }
    if name == "6" {
        // TS.Recent has moved: the acknowledgment of the FIN echoes it.
        let fin = Header {
            options: header.options,
            ..segment(&last, FIN_ACK, last.seq, last.ack)
        };
        let answers = forge(&mut net, &fin);
        assert_is_ack(&answers[0], &known, timestamps, 1, &what);
    }
}

/// `<SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>` with the window as it was at the end, and timestamps if they were
/// in use.
fn assert_is_ack(ack: &Header, known: &Known, timestamps: bool, taken: u32, what: &str) {
    assert_eq!((ack.flags, ack.urgent), (ACK, 0), "{what}");
    assert_eq!((ack.seq, ack.ack), (known.snd_nxt, known.rcv_nxt), "{what}");
    let shift = protocol(timestamps).rcv_wind_shift();
    assert_eq!(u32::from(ack.window), known.window >> shift, "{what}");
    let echoed = ack.options.timestamps.map(|t| t.ecr);
    assert_eq!(
        echoed,
        timestamps.then_some(known.ts_recent + taken),
        "{what}"
    );
    assert_eq!((ack.src_port, ack.dst_port), (PORT, 55_000), "{what}");
}

/// The timestamps of acknowledgments go on from those of the connection.
fn acknowledgments_have_the_timestamps_of_the_connection() {
    let (mut net, last) = in_time_wait(Rules::SAFE, true);
    let fin = segment(&last, FIN_ACK, last.seq, last.ack);
    // The client has echoed the newest that the server had sent.
    let sent = last.options.timestamps.expect("timestamps").ecr;
    let mut before = sent;
    for _ in 0..3 {
        net.run_ms(1_000);
        let answer = forge(&mut net, &fin)[0];
        let val = answer.options.timestamps.expect("timestamps").val;
        assert!(
            (1_000..1_020).contains(&val.wrapping_sub(before)),
            "{before} {val}"
        );
        before = val;
    }
}

/// No TIME-WAIT: every segment meets LISTEN, or CLOSED where nobody listens.
fn the_policy_none_has_the_rules_of_listen_and_closed() {
    let listen = [
        (Flags::SYN, Some(SYN_ACK)),
        (Flags::RST, None),
        (Flags::RST.union(ACK), None),
        (SYN_ACK, Some(Flags::RST)),
        (ACK, Some(Flags::RST)),
        (FIN_ACK, Some(Flags::RST)),
        (Flags::FIN, None),
        (Flags::PSH, None),
    ];
    let closed = [
        (Flags::SYN, Some(Flags::RST.union(ACK))),
        (Flags::RST, None),
        (Flags::RST.union(ACK), None),
        (SYN_ACK, Some(Flags::RST)),
        (ACK, Some(Flags::RST)),
        (FIN_ACK, Some(Flags::RST)),
        (Flags::FIN, Some(Flags::RST.union(ACK))),
        (Flags::PSH, Some(Flags::RST.union(ACK))),
    ];
    for (listens, cells) in [(true, listen), (false, closed)] {
        for (flags, expected) in cells {
            for seq in [0, 1, u32::MAX - 99, HALF] {
                let what = format!("{flags:?} {seq} {listens}");
                let (mut server, client) = configs(1, &protocol(true));
                server.listeners[0].time_wait = TimeWaitConfig {
                    rules: Rules::of(Policy::None),
                    ..TimeWaitConfig::default()
                };
                let mut net = after_one(server, client);
                assert_eq!(net.host(SERVER).usage().time_wait, 0, "{what}");
                let last = last_sent(&net, CLIENT);
                if !listens {
                    let id = ListenerId::configured(0);
                    net.with_app(SERVER, |_, cx| cx.unlisten(id));
                }
                let header = segment(&last, flags, last.seq + 1 + seq, last.ack);
                let answers = forge(&mut net, &header);
                let got: Vec<Flags> = answers.iter().map(|a| a.flags).collect();
                assert_eq!(got, expected.into_iter().collect::<Vec<_>>(), "{what}");
                //= RFC 9293 3.10.7.1
                //# If the ACK bit is off, sequence number zero is used
                match answers.first() {
                    Some(a) if a.flags == Flags::RST => assert_eq!(a.seq, header.ack, "{what}"),
                    Some(a) if a.flags.contains(Flags::RST) => {
                        let len = u32::from(flags.intersects(Flags::SYN | Flags::FIN));
                        assert_eq!((a.seq, a.ack), (Seq(0), header.seq + len), "{what}");
                    }
                    _ => {}
                }
                assert_eq!(net.host(SERVER).app().decisions.len(), 0, "{what}");
            }
        }
    }
}

/// Neither nobody who listens nor a full backlog costs the entry.
fn a_syn_that_nobody_may_accept_leaves_the_entry() {
    for (rules, answered) in [
        (Rules::SAFE, false),
        (Rules::FAST_RECOVERY, true),
        (Rules::LINUX, true),
    ] {
        let (mut net, last) = in_time_wait(rules, true);
        let before = until(&mut net);
        let syn = syn(&last, 1_000, 1_000);
        net.with_app(SERVER, |_, cx| cx.unlisten(ListenerId::configured(0)));
        let answers = forge(&mut net, &syn);
        let verdict = if answered {
            assert_eq!((answers[0].flags, answers[0].ack), (ACK, last.seq + 1));
            Verdict::Ack(AckReason::SynNoListener)
        } else {
            assert_eq!(answers, []);
            Verdict::Drop(DropReason::SynNoListener)
        };
        assert_eq!(last_decision(&net).outcome.verdict, Some(verdict));
        assert_eq!(until(&mut net), before);
        assert_all_told(&net);

        let (mut net, last) = in_time_wait(rules, true);
        let before = until(&mut net);
        let syn = self::syn(&last, 1_000, 1_000);
        let backlog = |net: &mut Network<Plain>, n| {
            let id = ListenerId::configured(0);
            net.with_app(SERVER, |_, cx| cx.set_backlog(id, n));
        };
        backlog(&mut net, 0);
        assert_eq!(forge(&mut net, &syn), []);
        let verdict = Verdict::Drop(DropReason::SynBacklogFull);
        assert_eq!(last_decision(&net).outcome.verdict, Some(verdict));
        assert_eq!(until(&mut net), before);
        backlog(&mut net, 1);
        assert_eq!(forge(&mut net, &syn)[0].flags, SYN_ACK);
        assert_all_told(&net);
    }
}

fn one_acknowledgment_an_entry_and_burst() {
    let (mut net, last) = in_time_wait(Rules::SAFE, true);
    let fin = segment(&last, FIN_ACK, last.seq, last.ack);
    let old = segment(&last, ACK, last.seq - 10, last.ack);
    let beyond = segment(&last, ACK, last.seq + 1, last.ack);
    let burst: [(&Header, &[u8]); 6] = [
        (&old, b""),
        (&fin, b""),
        (&old, b"text"),
        (&beyond, b"text"),
        (&fin, b""),
        (&fin, b""),
    ];
    let answers = forge_burst(&mut net, &burst);
    assert_eq!(answers.len(), 1, "{answers:?}");
    assert_eq!((answers[0].seq, answers[0].ack), (last.ack, last.seq + 1));
    let decisions = net.host(SERVER).app().decisions.iter().rev().take(6);
    let permits: Vec<Option<Permit>> = decisions.map(|d| d.outcome.permit).collect();
    let mut expected = vec![Some(Permit::SameBurst); 5];
    expected.push(Some(Permit::Send));
    assert_eq!(permits, expected);
    // The next burst has one again, for the FIN always.
    assert_eq!(forge_burst(&mut net, &burst[1..]).len(), 1);
    assert_all_told(&net);
}

/// Opens the four-tuple in TIME-WAIT anew by forged segments; the client's next header.
fn recycle(net: &mut Network<Plain>, syn: &Header) -> Header {
    let answers = forge(net, syn);
    assert_eq!(answers[0].flags, SYN_ACK, "{answers:?}");
    let mut ack = segment(syn, ACK, syn.seq + 1, answers[0].seq + 1);
    if let (Some(ours), Some(theirs)) = (&mut ack.options.timestamps, answers[0].options.timestamps)
    {
        ours.ecr = theirs.val;
    }
    assert_eq!(forge(net, &ack), []);
    ack
}

/// MAY-12 in the connection that recycles: an acknowledgment of long ago, as an old segment has it.
fn acknowledgments_of_long_ago_are_dropped_by_a_recycled_connection() {
    for ack_check in [true, false] {
        let rules = Rules {
            ack_check,
            ..Rules::SAFE
        };
        let (mut net, last) = in_time_wait(rules, false);
        net.host_mut(SERVER).app_mut().reply.clear();
        net.host_mut(SERVER).app_mut().after_reply = End::Stay;
        let before = net.host(SERVER).app().received.len();
        let next = recycle(&mut net, &syn(&last, 5_000, 0));
        // 65,537 after the last number, the gap, is beyond any window that was not scaled.
        let old = Header {
            ack: next.ack - 65_537 - 10,
            ..next
        };
        forge_burst(&mut net, &[(&old, b"old")]);
        let received = &net.host(SERVER).app().received[before..];
        let accepted: &[u8] = if ack_check { b"" } else { b"old" };
        assert_eq!(received, accepted);
    }
}

/// What PAWS does not cover: a RST for a connection that only its SYN's timestamp had proven new.
fn a_reset_of_what_only_a_timestamp_had_proven_is_counted() {
    for (ahead, unproven) in [(-1_000, 1), (1_000, 0)] {
        let (mut net, last) = in_time_wait(Rules::SAFE, true);
        let next = recycle(&mut net, &syn(&last, ahead, 5));
        assert_eq!(net.host(SERVER).usage().live, 1);
        forge(&mut net, &segment(&next, Flags::RST, next.seq, Seq(0)));
        assert_eq!(net.host(SERVER).usage().live, 0);
        let count = net.host(SERVER).counters().time_wait.reset_unproven;
        assert_eq!(count, unproven);
        assert_all_told(&net);
        if unproven == 1 {
            let decision = last_decision(&net);
            assert_eq!(decision.outcome.incident, Some(Incident::ResetUnproven));
            assert_eq!(decision.tuple, tuple());
        }
    }
    // An embryo is reset as easily, and TIME-WAIT goes on.
    let (mut net, last) = in_time_wait(Rules::SAFE, true);
    let next = syn(&last, -1_000, 5);
    forge(&mut net, &next);
    forge(&mut net, &segment(&next, Flags::RST, next.seq + 1, Seq(0)));
    let counters = net.host(SERVER).counters().time_wait;
    assert_eq!((counters.reset_unproven, counters.shadow_restored), (1, 1));
    assert_all_told(&net);
    // One that followed another over which timestamps were the proof: how far numbers have come since the oldest
    // that is still under way is not known.
    let (mut net, _) = in_time_wait(Rules::SAFE, true);
    once(&mut net).unwrap();
    let last = last_sent(&net, CLIENT);
    let next = recycle(&mut net, &syn(&last, 1_000, 5));
    forge(&mut net, &segment(&next, Flags::RST, next.seq, Seq(0)));
    let count = net.host(SERVER).counters().time_wait.reset_unproven;
    assert_eq!(count, 1);
}

over_both! {
    vectors
    acknowledgments_have_the_timestamps_of_the_connection
    the_policy_none_has_the_rules_of_listen_and_closed
    a_syn_that_nobody_may_accept_leaves_the_entry
    one_acknowledgment_an_entry_and_burst
    acknowledgments_of_long_ago_are_dropped_by_a_recycled_connection
    a_reset_of_what_only_a_timestamp_had_proven_is_counted
}
