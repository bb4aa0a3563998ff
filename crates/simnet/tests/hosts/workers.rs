//! One worker's share of a host: it opens only what comes back to it.

use crate::common::plain::Plain;
use crate::common::{CLIENT, configs, ip, pair};
use simnet::Network;
use stack::{ConfigError, DestinationId, OpenConfig, OpenError};

/// A client that owns the even local ports.
fn even_ports(ports: u16) -> (Network<Plain>, OpenConfig) {
    let (server, mut client) = configs(ports, &tcp::Config::default());
    let destination = client.destinations[0].clone();
    client.owner = Some(Box::new(|tuple| tuple.local_port % 2 == 0));
    let mut net = pair((server, client), (Plain::default(), Plain::default()));
    net.run_ms(5);
    let open = OpenConfig {
        local: (ip(2), 0),
        remote: (destination.address, destination.port),
        tcp: destination.tcp,
        time_wait: destination.time_wait,
    };
    (net, open)
}

fn active_opens_take_ports_of_their_own() {
    let (mut net, _) = even_ports(40);
    for _ in 0..20 {
        let conn = net.with_app(CLIENT, |_, cx| cx.connect(DestinationId(0)).unwrap());
        let tuple = net.with_app(CLIENT, |_, cx| cx.tuple(conn)).unwrap();
        assert_eq!(tuple.local_port % 2, 0, "{tuple:?}");
    }
    net.run_ms(50);
    assert_eq!(net.host(CLIENT).counters().host.established, 20);
}

fn a_socket_of_another_workers_is_refused() {
    let (mut net, mut open) = even_ports(2);
    open.local.1 = 7_001;
    let refused = net.with_app(CLIENT, |_, cx| cx.connect_from(&open));
    let Err(OpenError::Config(error)) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(error, ConfigError::AnotherWorkers(ip(2), 7_001));
    assert_eq!(net.host(CLIENT).usage().live, 0);
    open.local.1 = 7_002;
    net.with_app(CLIENT, |_, cx| cx.connect_from(&open).unwrap());
    net.run_ms(50);
    assert_eq!(net.host(CLIENT).counters().host.established, 1);
}

over_both! {
    active_opens_take_ports_of_their_own
    a_socket_of_another_workers_is_refused
}
