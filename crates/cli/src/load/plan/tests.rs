use super::*;
use crate::config::{Purpose, Source, resolve};

const MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);

fn config(keys: &str) -> Config {
    let text = format!(
        "[port]\ndevice = \"x\"\n[host]\naddresses = [\"10.0.0.1/16\", \"fd00::1/64\"]\n\
         gateway = \"10.0.255.254\"\n[load]\n{keys}"
    );
    resolve(&Source::from_text("t", &text).unwrap(), Purpose::Load).unwrap()
}

#[test]
fn urls_of_one_socket_share_its_pool() {
    let config = config(
        "targets = [\"tcp://10.0.0.2:7\", { url = \"tcp://[fd00::2]:7\", weight = 3 }, \"tcp://10.0.0.2:7\"]",
    );
    let plan = Plan::new(&config).unwrap();
    let places: Vec<_> = plan
        .spec
        .targets
        .iter()
        .map(|t| (t.destination.0, t.exchange))
        .collect();
    assert_eq!(places, [(0, 0), (1, 1), (0, 2)]);
    let host = plan.host(&config, MAC, 0, 1);
    assert_eq!(host.validate(), Ok(()));
    assert_eq!(host.destinations.len(), 2);
    assert_eq!(
        host.destinations[1].sources,
        [Ip::from("fd00::1".parse::<IpAddr>().unwrap())]
    );
}

#[test]
fn sources_become_addresses_of_the_host_on_its_prefix_or_on_none() {
    let config = config(
        "targets = [\"tcp://10.0.0.2:7\"]\nsources = [\"10.0.4.0/22\", \"10.0.0.1\", \"192.0.2.5-192.0.2.6\"]",
    );
    let plan = Plan::new(&config).unwrap();
    let host = plan.host(&config, MAC, 0, 1);
    assert_eq!(host.validate(), Ok(()));
    assert_eq!(host.addresses.len(), 2 + 1022 + 2);
    assert_eq!(host.destinations[0].sources.len(), 1025);
    let prefix = |n: usize| host.addresses[n].prefix;
    assert_eq!((prefix(2), prefix(1_025)), (16, 32));
    // 1,025 x 64,512 is too many: fewer ports of each.
    let [pairs] = plan.pairs(&config)[..] else {
        panic!()
    };
    assert_eq!(pairs.ports, 16_000_000 / 1_025);
    let last = host.destinations[0].last_port;
    assert_eq!(u64::from(last), 1024 + pairs.ports - 1);
}

#[test]
fn a_host_has_room_for_its_share() {
    let config = config("targets = [\"tcp://10.0.0.2:7\"]\nconnections = 1_000_000");
    let plan = Plan::new(&config).unwrap();
    assert_eq!(plan.host(&config, MAC, 1, 2).max_connections, 500_064);
    assert_eq!(plan.host(&config, MAC, 1, 20).max_connections, 65_536);
}

#[test]
fn each_destination_has_its_interval_and_its_ranges_of_ports() {
    let config = config(
        "targets = [{ url = \"http://10.0.0.2/a\", reuse_interval = \"1s\" }, \"tcp://10.0.0.3:7\", \
         { url = \"http://10.0.0.2/b\", reuse_interval = \"2m\" }]\n\
         reuse_interval = \"5s\"\nports = \"2000-2999,5000-5499\"",
    );
    let plan = Plan::new(&config).unwrap();
    let host = plan.host(&config, MAC, 0, 1);
    assert_eq!(host.validate(), Ok(()));
    let intervals = host
        .destinations
        .iter()
        .map(|d| d.selection.min_interval_ms);
    // Both URLs of the first lead to one socket, which forgets after the longer one.
    assert_eq!(intervals.collect::<Vec<_>>(), [120_000, 5_000]);
    for destination in &host.destinations {
        assert_eq!(
            (destination.first_port, destination.last_port),
            (2000, 5499)
        );
        assert_eq!(destination.unused_ports, [(3000, 4999)]);
    }
    let [first, second] = plan.pairs(&config)[..] else {
        panic!()
    };
    assert_eq!((first.ports, first.interval_ms), (1_500, 120_000));
    assert_eq!((second.ports, second.interval_ms), (1_500, 5_000));
}
