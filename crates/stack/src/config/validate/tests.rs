use tcp::Config as TcpConfig;
use wire::ethernet::MacAddr;

use super::*;
use crate::config::{PortSelection, TimeWaitConfig};

const OURS: [Ip; 2] = [Ip::v4([192, 0, 2, 1]), Ip::v4([192, 0, 2, 2])];

fn two_destinations(change: impl Fn(&mut DestinationConfig)) -> Result<(), ConfigError> {
    let address = |ip| InterfaceAddress { ip, prefix: 24 };
    let mut config = Config::new(MacAddr([2, 0, 0, 0, 0, 1]), address(OURS[0]));
    config.addresses.push(address(OURS[1]));
    let first = DestinationConfig {
        address: Ip::v4([192, 0, 2, 9]),
        port: 80,
        sources: vec![OURS[0]],
        first_port: 10_000,
        last_port: 19_999,
        unused_ports: Vec::new(),
        limit: None,
        selection: PortSelection::default(),
        tcp: TcpConfig::default(),
        time_wait: TimeWaitConfig::default(),
    };
    let mut second = first.clone();
    change(&mut second);
    config.destinations = vec![first, second];
    config.validate()
}

#[test]
fn no_four_tuple_belongs_to_two_destinations() {
    let error = Err(ConfigError::DuplicateDestination(
        Ip::v4([192, 0, 2, 9]),
        80,
    ));
    assert_eq!(two_destinations(|_| {}), error);
    assert_eq!(two_destinations(|d| d.sources.clear()), error);
    assert_eq!(two_destinations(|d| d.sources.push(OURS[1])), error);
    assert_eq!(
        two_destinations(|d| (d.first_port, d.last_port) = (19_999, 20_000)),
        error
    );
    assert_eq!(
        two_destinations(|d| (d.first_port, d.last_port) = (20_000, 29_999)),
        Ok(())
    );
    assert_eq!(two_destinations(|d| d.sources = vec![OURS[1]]), Ok(()));
    assert_eq!(two_destinations(|d| d.port = 81), Ok(()));
    assert_eq!(
        two_destinations(|d| d.address = Ip::v4([192, 0, 2, 8])),
        Ok(())
    );
}

#[test]
fn one_remote_socket_has_one_length_of_time_wait() {
    let apart = |length_ms| {
        move |d: &mut DestinationConfig| {
            d.sources = vec![OURS[1]];
            d.time_wait.length_ms = length_ms;
        }
    };
    assert_eq!(two_destinations(apart(60_000)), Ok(()));
    assert_eq!(
        two_destinations(apart(1_000)),
        Err(ConfigError::TimeWaitDiffers(Ip::v4([192, 0, 2, 9]), 80))
    );
}

#[test]
fn tens_of_thousands_of_sources_are_checked_at_once() {
    let ip = |n: u16| Ip::v4([10, 1, (n >> 8) as u8, n as u8]);
    let on_link = |ip| InterfaceAddress { ip, prefix: 15 };
    let mut config = Config::new(MacAddr([2, 0, 0, 0, 0, 1]), on_link(ip(0)));
    config.addresses = (0..=u16::MAX).map(|n| on_link(ip(n))).collect();
    let destination = |sources| DestinationConfig {
        address: Ip::v4([10, 0, 0, 9]),
        port: 80,
        sources,
        first_port: 10_000,
        last_port: 10_999,
        unused_ports: Vec::new(),
        limit: None,
        selection: PortSelection::default(),
        tcp: TcpConfig::default(),
        time_wait: TimeWaitConfig::default(),
    };
    let halves = |n: u16| (0..=u16::MAX).filter(move |m| m % 2 == n).map(ip);
    config.destinations = vec![
        destination(halves(0).collect()),
        destination(halves(1).collect()),
    ];
    assert_eq!(config.validate(), Ok(()));
    config.destinations[1].sources.push(ip(65_534));
    assert_eq!(
        config.validate(),
        Err(ConfigError::DuplicateDestination(Ip::v4([10, 0, 0, 9]), 80))
    );
    config.destinations[1].sources.push(Ip::v4([10, 0, 0, 1]));
    assert_eq!(
        config.validate(),
        Err(ConfigError::NotOurs(Ip::v4([10, 0, 0, 1])))
    );
}
