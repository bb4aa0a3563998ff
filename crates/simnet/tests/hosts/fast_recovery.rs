//! Two thousand peers at once whose ISNs owe nothing to what they used before: a client that was started anew, with
//! another secret, over the same four-tuples. Half of their SYNs are refused. Under `fast-recovery` nobody waits for
//! the timeouts of a SYN.

use crate::common::plain::{End, Plain};
use crate::common::recycle::{protocol, time_wait};
use crate::common::{CLIENT, SERVER, configs, pair, stack};
use simnet::{Action, Network, Which};
use stack::{CloseReason, Config, DestinationId};
use tcp::time_wait::Rules;
use wire::tcp::Flags;

const PEERS: u16 = 2_000;

/// Server and client with room for all of them.
fn large() -> (Config, Config) {
    let (mut server, mut client) = configs(PEERS, &protocol(false));
    for config in [&mut server, &mut client] {
        config.max_connections = 4_096;
        config.time_wait_capacity = 8_192;
        config.receive_memory = 64 << 20;
        config.send_memory = 64 << 20;
    }
    server.listeners[0].backlog = PEERS.into();
    (server, client)
}

fn asks() -> Plain {
    Plain {
        greeting: b"q".to_vec(),
        at_peer_closed: End::Close,
        ..Plain::default()
    }
}

/// All of them open at the same moment.
fn all_at_once(net: &mut Network<Plain>) {
    net.with_app(CLIENT, |_, cx| {
        for _ in 0..PEERS {
            cx.connect(DestinationId(0)).expect("a tuple is free");
        }
    });
}

fn served(net: &Network<Plain>) -> usize {
    net.host(CLIENT).app().ended(CloseReason::Normal)
}

/// A server with an entry in TIME-WAIT for each of the peers, and a client that knows nothing of them.
fn begun_anew(rules: Rules, seed: u64) -> Network<Plain> {
    let (mut server, client) = large();
    server.listeners[0].time_wait.rules = rules;
    let app = Plain {
        reply: b"r".to_vec(),
        after_reply: End::Close,
        ..Plain::default()
    };
    let mut net = pair((server, client), (app, asks()));
    net.limit_log(0);
    net.run_ms(5);
    all_at_once(&mut net);
    net.run_ms(100);
    assert_eq!(net.host(SERVER).usage().time_wait, PEERS.into());
    *net.host_mut(CLIENT) = stack(large().1, seed, asks(), 8_192);
    net.run_ms(1_000);
    net
}

fn nobody_waits_for_a_timeout() {
    for seed in 0..3 {
        let mut net = begun_anew(Rules::FAST_RECOVERY, 1_000 + seed);
        all_at_once(&mut net);
        // SYN, ACK, RST, SYN again after a round trip, and the rest: four round trips of two milliseconds.
        net.run_ms(20);
        assert_eq!(served(&net), PEERS.into(), "seed {seed}");
        let helped = time_wait(&net, |c| c.time_wait.killed_syn_probe);
        assert!((900..1_100).contains(&helped), "seed {seed}: {helped}");
        let tcp = &net.host(CLIENT).counters().tcp;
        assert_eq!(tcp.retransmission_timeouts, 0, "seed {seed}");
        assert_eq!(
            (tcp.syns_challenged_by_peer, tcp.resets_sent),
            (helped, helped)
        );
    }
}

fn a_lost_reset_costs_one_timeout() {
    let mut net = begun_anew(Rules::FAST_RECOVERY, 7);
    let lost = net.add_rule(Action::Drop, Which::All, |seen| {
        let segment = seen.segment();
        seen.from == CLIENT && segment.is_some_and(|s| s.header.flags.contains(Flags::RST))
    });
    all_at_once(&mut net);
    net.run_ms(20);
    net.end_rule(lost);
    let before = served(&net);
    assert!(before < 1_100, "{before}");
    // RFC 6298 2.1: the timeout of a first SYN is a second. What is sent then is helped as at first.
    net.run_ms(1_020);
    assert_eq!(served(&net), PEERS.into());
}

/// What `safe` is without: half of them wait.
fn without_it_they_wait() {
    let mut net = begun_anew(Rules::SAFE, 7);
    all_at_once(&mut net);
    net.run_ms(20_000);
    let served = served(&net);
    assert!((900..1_100).contains(&served), "{served}");
}

over_both! {
    nobody_waits_for_a_timeout
    a_lost_reset_costs_one_timeout
    without_it_they_wait
}
