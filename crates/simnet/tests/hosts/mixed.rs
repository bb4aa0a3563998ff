//! Seeds of mixed transfers, opens and closes over bad cables: every byte once and in order, both
//! ends reach CLOSED, nothing leaks, and equal seeds give equal runs.
//!
//! `SIMNET_SEEDS` says how many seeds, `SIMNET_SEED` which is the first: the message of a failure
//! names the seed, and `SIMNET_SEED=n SIMNET_SEEDS=1` runs it alone; `SIMNET_PCAP=file` then keeps
//! what was on the wire.

use std::collections::{BTreeMap, BTreeSet};

use crate::common;
use crate::common::stream::Ender;
use crate::common::traffic::{Habits, Traffic};
use crate::common::{Family, assert_nothing_held, destination, family, host, listener, stack};
use simnet::{Bursts, Capture, Link, Network, Path, Rng, StationId};
use stack::{CloseReason, TimeWaitConfig};
use tcp::Keepalive;
use tcp::time::Instant;

/// TIME-WAIT, in ms: short enough that tuples come back within a run.
const TIME_WAIT_MS: [u32; 3] = [1_000, 10_000, 60_000];

fn path(rng: &mut Rng) -> Path {
    let mut path = Path::ideal(rng.range(0, 5_000_000));
    if rng.chance(0.75) {
        path.loss = *rng.pick(&[0.0, 0.01, 0.05]);
        path.duplicate = *rng.pick(&[0.0, 0.01, 0.1]);
        path.reorder = *rng.pick(&[0.0, 0.05, 0.3]);
        path.reorder_ns = rng.range(0, 20_000_000);
        path.corrupt = *rng.pick(&[0.0, 0.01]);
        path.bursts = rng.chance(0.3).then_some(Bursts {
            enter: 0.005,
            longest_ns: 300_000_000,
            loss: 0.8,
        });
    }
    path
}

fn protocol(rng: &mut Rng) -> tcp::Config {
    tcp::Config {
        mss: *rng.pick(&[200, 536, 1460]),
        rcv_buf: *rng.pick(&[500, 2_000, 10_000, 65_535, 300_000]),
        snd_buf: *rng.pick(&[500, 2_000, 10_000, 65_536, 300_000]),
        window_scaling: rng.chance(0.5),
        timestamps: rng.chance(0.5),
        nodelay: rng.chance(0.5),
        delayed_ack_ms: *rng.pick(&[0, 40, 200]),
        // So that an end whose peer's RST was lost finds out.
        keepalive: Some(Keepalive {
            idle_ms: 30_000,
            interval_ms: 5_000,
            count: 12,
        }),
        ..tcp::Config::default()
    }
}

/// Two hosts that are server and client of each other.
struct Run {
    net: Network<Traffic>,
    tuples: u64,
}

fn build(seed: u64) -> Run {
    let mut rng = Rng::new(seed);
    let mut net = Network::new(rng.next_u64());
    net.limit_log(200);
    let ports = *rng.pick(&[1, 4, 16, 64]) as u16;
    for n in 1..=2u8 {
        let tcp = protocol(&mut rng);
        let time_wait = TimeWaitConfig {
            length_ms: *rng.pick(&TIME_WAIT_MS),
            ..TimeWaitConfig::default()
        };
        let mut config = host(n);
        if rng.chance(0.3) {
            // As little as a host may have: 32 chunks each way.
            config.receive_memory = 1 << 16;
            config.send_memory = 1 << 16;
        }
        config.listeners.push(stack::ListenerConfig {
            time_wait,
            ..listener(tcp.clone())
        });
        config.destinations.push(stack::DestinationConfig {
            time_wait,
            ..destination(3 - n, ports, tcp)
        });
        let habits = Habits {
            opens: rng.range(0, 12) as u32,
            at_once: rng.range(1, 6) as u32,
            longest: 200_000,
            partial: *rng.pick(&[0.0, 0.1, 0.5]),
            pause_ms: *rng.pick(&[1, 20, 100]),
            aborts: *rng.pick(&[0.0, 0.0, 0.2]),
        };
        let frames = *rng.pick(&[8, 32, 4096]);
        let app = Traffic::new(rng.next_u64(), habits);
        let link = Link {
            up: path(&mut rng),
            down: path(&mut rng),
            connected: true,
        };
        let id = net.add_host(stack(config, rng.next_u64(), app, frames), link);
        net.set_tx_per_turn(id, *rng.pick(&[2, 256]));
    }
    Run {
        net,
        tuples: u64::from(ports),
    }
}

/// What the hosts of all runs have counted, by name.
type Sums = BTreeMap<&'static str, u64>;

/// Runs to the end and through every TIME-WAIT; returns the digest of the log.
fn run(seed: u64, sums: &mut Sums) -> u64 {
    let Run { mut net, tuples } = build(seed);
    let capture = std::env::var_os("SIMNET_PCAP");
    if capture.is_some() {
        net.limit_log(usize::MAX);
    }
    let ids = [StationId(0), StationId(1)];
    let again = format!("repeat with SIMNET_SEED={seed} SIMNET_SEEDS=1");
    let sound = |net: &Network<Traffic>| ids.iter().all(|id| net.host(*id).app().faults.is_empty());
    let done = net.run_to(Instant::from_millis(7_200_000), |net| {
        !sound(net) || ids.iter().all(|id| net.host(*id).app().is_done())
    });
    if let Some(path) = &capture {
        let file =
            std::fs::File::create(path).expect("SIMNET_PCAP names a file that can be written");
        net.log()
            .write_pcap(file, Capture::Wire)
            .expect("the capture is written");
    }
    for id in ids {
        let faults = &net.host(id).app().faults;
        assert!(
            faults.is_empty(),
            "{faults:#?}\n{}{again}",
            net.log().tail(60)
        );
    }
    assert!(
        done,
        "{:#?}\n{}{again}",
        net.host(ids[0]).app(),
        net.log().tail(60)
    );
    // Embryos whose client has aborted, and the longest TIME-WAIT.
    net.run_ms(150_000);
    for id in ids {
        assert_nothing_held(&mut net, id, tuples, &again);
    }
    for (client, server) in [(ids[0], ids[1]), (ids[1], ids[0])] {
        check_reports(net.host(client).app(), net.host(server).app(), &again);
        net.host(client)
            .counters()
            .for_each(|name, _, value| *sums.entry(name).or_default() += value);
    }
    net.log().digest()
}

fn check_reports(client: &Traffic, server: &Traffic, again: &str) {
    for (key, report) in &client.opened {
        let peer = server.accepted.get(key);
        if matches!(report.ender, Ender::ClientAborts | Ender::ServerAborts) {
            continue;
        }
        assert!(
            report.complete && report.reason == CloseReason::Normal,
            "client of {key:016x}: {report:?}, server {peer:?}; {again}"
        );
        assert!(
            peer.is_some_and(|p| p.complete && p.reason == CloseReason::Normal),
            "server of {key:016x}: {peer:?}; {again}"
        );
    }
    for key in server.accepted.keys() {
        assert!(
            client.opened.contains_key(key),
            "{key:016x} from nowhere; {again}"
        );
    }
}

/// What a hundred seeds must have met, or they prove little.
const MET: [&str; 29] = [
    "closed_normal",
    "closed_reset",
    "closed_aborted",
    "connect_no_tuple",
    "time_wait_entered",
    "time_wait_expired",
    "time_wait_local_reuse",
    "tw_recycled_newer_timestamp",
    "tw_recycled_sequence",
    "tw_ack_retransmitted_fin",
    "tw_ack_old_duplicate",
    "tw_expected_ack",
    "drop_ip_checksum",
    "drop_tcp_checksum",
    "drop_tx_no_buffer",
    "retransmission_timeouts",
    "fast_retransmits",
    "sack_recoveries",
    "sack_retransmissions",
    "partial_acks",
    "out_of_order_segments",
    "unacceptable_segments",
    "unacceptable_acks",
    "challenge_acks",
    "paws_rejected",
    "window_probes_sent",
    "delayed_ack_timeouts",
    "rtt_samples",
    "rtt_samples_echoed",
];

fn mixed_transfers_opens_and_closes() {
    let mut sums = Sums::new();
    let first = common::first_seed();
    for seed in first..first + common::seeds() {
        run(seed, &mut sums);
    }
    if common::seeds() >= 100 {
        // IPv6 has no such checksum.
        let exists = |name: &str| family() == Family::V4 || name != "drop_ip_checksum";
        let met = |name: &&&str| sums[**name] > 0 || !exists(name);
        let missed: Vec<_> = MET.iter().filter(|name| !met(name)).collect();
        assert!(missed.is_empty(), "never met: {missed:?} in {sums:#?}");
    }
}

fn equal_seeds_give_equal_runs_and_others_differ() {
    let first = common::first_seed();
    let run = |seed| run(seed, &mut Sums::new());
    let digests: Vec<u64> = (first..first + 5).map(run).collect();
    for (n, digest) in digests.iter().enumerate() {
        let seed = first + n as u64;
        assert_eq!(run(seed), *digest, "seed {seed} does not repeat");
    }
    let distinct: BTreeSet<_> = digests.iter().collect();
    assert_eq!(distinct.len(), digests.len());
}

over_both! {
    mixed_transfers_opens_and_closes
    equal_seeds_give_equal_runs_and_others_differ
}
