//! Losses repaired by SACK (RFC 6675) and, at the same seeds, without it (RFC 6582).

use crate::common::plain::{End, Plain};
use crate::common::{self, CLIENT, SERVER, configs, secrets};
use simnet::{Link, Network, Path};
use stack::{CloseReason, DestinationId, MemPool, Stack};

const LEN: usize = 1 << 20;

/// What the sender of [`LEN`] bytes has counted, and how long it took in milliseconds.
#[derive(Default, Debug)]
struct Cost {
    retransmitted: u64,
    timeouts: u64,
    recoveries: u64,
    ms: u64,
}

/// A transfer from client to server; `loss` of its frames are lost, and a tenth as many of the
/// acknowledgments.
fn transfer(seed: u64, sack: bool, loss: f64, cost: &mut Cost) {
    let tcp = tcp::Config {
        sack,
        snd_buf: 256 << 10,
        rcv_buf: 256 << 10,
        ..tcp::Config::default()
    };
    let (server, client) = configs(1, &tcp);
    let bytes: Vec<u8> = (0..LEN).map(|i| (i * 7 + i / 251) as u8).collect();
    let sender = Plain {
        greeting: bytes.clone(),
        ..Plain::default()
    };
    let receiver = Plain {
        at_peer_closed: End::Close,
        ..Plain::default()
    };
    let mut net = Network::new(seed);
    let host = |config, app| Stack::new(config, secrets(seed), app, MemPool::new(4096)).unwrap();
    net.add_host(host(server, receiver), Link::ideal(500_000));
    net.add_host(host(client, sender), Link::ideal(500_000));
    net.run_ms(5);
    let lossy = |loss| Path {
        loss,
        ..Path::ideal(10_000_000)
    };
    *net.link_mut(CLIENT) = Link {
        up: lossy(loss),
        down: lossy(loss / 10.0),
        connected: true,
    };
    net.limit_log(100);
    net.with_app(CLIENT, |_, cx| cx.connect(DestinationId(0)))
        .unwrap();
    let again = format!("SIMNET_SEED={seed} SIMNET_SEEDS=1, sack {sack}");
    let begun = net.now();
    while net.host(SERVER).app().received.len() < LEN {
        net.run_ms(10);
        let elapsed = net.now().since(begun).as_millis();
        assert!(elapsed < 600_000, "no end; {again}");
    }
    cost.ms += net.now().since(begun).as_millis() as u64;
    assert!(net.host(SERVER).app().received == bytes, "{again}");
    net.with_app(CLIENT, |app, cx| cx.close(app.last()));
    net.run_ms(120_000);
    assert_eq!(
        net.host(SERVER).app().ended(CloseReason::Normal),
        1,
        "{again}"
    );
    // What was noted of the peer's telling is given back.
    assert_eq!(net.host(CLIENT).usage().send_chunks, 0, "{again}");
    let counters = &net.host(CLIENT).counters().tcp;
    cost.retransmitted += counters.retransmitted_segments;
    cost.timeouts += counters.retransmission_timeouts;
    cost.recoveries += counters.sack_recoveries;
}

fn sack_repairs_with_less() {
    let first = common::first_seed();
    let seeds = common::seeds().min(20);
    let mut timeouts = [0; 2];
    for loss in [0.02, 0.05] {
        let [mut with, mut without] = [Cost::default(), Cost::default()];
        for seed in first..first + seeds {
            transfer(seed, true, loss, &mut with);
            transfer(seed, false, loss, &mut without);
        }
        println!("loss {loss}, {seeds} seeds: {with:?}, without {without:?}");
        assert_eq!(without.recoveries, 0);
        // Of few seeds chance decides.
        if seeds >= 20 {
            assert!(with.recoveries > 0);
            assert!(
                with.retransmitted < without.retransmitted,
                "{with:?} {without:?}"
            );
            assert!(with.ms < without.ms, "{with:?} {without:?}");
        }
        timeouts[0] += with.timeouts;
        timeouts[1] += without.timeouts;
    }
    // At the lesser loss there are about ten, and chance decides of these.
    if seeds >= 20 {
        assert!(timeouts[0] < timeouts[1], "{timeouts:?}");
    }
}

over_both! {
    sack_repairs_with_less
}
