//! A client that comes back with the same four-tuples to a server that closes first.

use simnet::Network;
use stack::{CloseReason, Config, ConnectError, Counters, DestinationId};
use wire::tcp::Flags;

use super::plain::{End, Plain};
use super::{CLIENT, SERVER, configs, pair};

/// Defaults but for timestamps.
pub(crate) fn protocol(timestamps: bool) -> tcp::Config {
    tcp::Config {
        timestamps,
        ..tcp::Config::default()
    }
}

/// A server that answers each request with one byte and closes, and a client that asks with `ask`.
pub(crate) fn server_closes(tuples: u16, tcp: &tcp::Config, ask: &[u8]) -> Network<Plain> {
    let server = Plain {
        reply: b"r".to_vec(),
        after_reply: End::Close,
        ..Plain::default()
    };
    let client = Plain {
        greeting: ask.to_vec(),
        at_peer_closed: End::Close,
        ..Plain::default()
    };
    let mut net = pair(configs(tuples, tcp), (server, client));
    net.run_ms(5);
    net
}

/// A client that closes first as soon as it is open; each says one octet.
pub(crate) fn client_closes(configs: (Config, Config)) -> Network<Plain> {
    let app = |end| Plain {
        greeting: b"x".to_vec(),
        after_greeting: end,
        at_peer_closed: End::Close,
        ..Plain::default()
    };
    let mut net = pair(configs, (app(End::Stay), app(End::Shutdown)));
    net.run_ms(5);
    net
}

/// Opens one connection and runs until both ends have told of its end.
pub(crate) fn once(net: &mut Network<Plain>) -> Result<(), ConnectError> {
    let over = |net: &Network<Plain>| {
        [CLIENT, SERVER].map(|id| net.host(id).app().ended(CloseReason::Normal))
    };
    let before = over(net);
    net.with_app(CLIENT, |_, cx| cx.connect(DestinationId(0)))?;
    let limit = net.now().plus_millis(10_000);
    let done = net.run_to(limit, |net| over(net) == before.map(|n| n + 1));
    assert!(done, "{}", net.log().tail(20));
    Ok(())
}

/// A count of the server's.
pub(crate) fn time_wait(net: &Network<Plain>, count: impl Fn(&Counters) -> u64) -> u64 {
    count(net.host(SERVER).counters())
}

/// Segments sent by either whose control bits `pick` picks.
pub(crate) fn count_sent(net: &Network<Plain>, pick: impl Fn(Flags) -> bool) -> usize {
    net.log()
        .sent_segments()
        .filter(|(_, s)| pick(s.header.flags))
        .count()
}

/// Tuples that were recycled, for whatever reason.
pub(crate) fn recycled(counters: &Counters) -> u64 {
    let mut sum = 0;
    counters.for_each(|name, _, value| {
        if name.starts_with("tw_recycled") {
            sum += value;
        }
    });
    sum
}
