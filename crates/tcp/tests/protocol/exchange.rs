//! The shape of the commonest connection: a request, a response, closed by the server.

use tcp::{Config, Events, State};
use wire::Seq;

use crate::host::*;

/// Client and server exchange one request and one response of `len` bytes; returns the flags of
/// every segment in order, the client's with `>`.
fn exchange(config: Config, request: usize, response: usize) -> Vec<String> {
    let mut log = Vec::new();
    let mut client = Host::connect(config.clone(), Seq(u32::MAX - 1));
    let syn = client.transmit();
    log.push(format!("> {}", syn[0].header.flags));
    let mut server = Host::accept(config, Seq(u32::MAX), &syn[0]);
    let (mut answered, mut server_closed, mut client_closed) = (false, false, false);
    for _ in 0..100 {
        let from_server = server.transmit();
        for seg in &from_server {
            log.push(format!("< {}", seg.header.flags));
            client.receive(seg);
            if client.events.contains(Events::ESTABLISHED)
                && client.conn.unacknowledged() == 0
                && client.read.is_empty()
            {
                client.send(&vec![b'q'; request]);
            }
            if client.events.contains(Events::PEER_CLOSED) && !client_closed {
                client_closed = true;
                client.conn.close();
            }
        }
        let from_client = client.transmit();
        for seg in &from_client {
            log.push(format!("> {}", seg.header.flags));
            server.receive(seg);
            if server.read.len() == request && !answered {
                answered = true;
                server.send(&vec![b'r'; response]);
            }
            if answered && !server_closed {
                server_closed = true;
                server.conn.close();
            }
        }
        if from_server.is_empty() && from_client.is_empty() {
            break;
        }
    }
    assert_eq!(client.read.len(), response);
    assert_eq!(client.conn.state(), State::Closed);
    assert_eq!(server.conn.state(), State::TimeWait);
    assert_eq!(server.conn.snd_nxt(), client.conn.rcv_nxt());
    assert_eq!(server.conn.time_wait().rcv_nxt, client.conn.snd_nxt());
    client.release();
    server.release();
    assert_eq!(client.core.counters.retransmitted_segments, 0);
    log
}

#[test]
fn one_byte_each_way_is_six_segments() {
    for config in [Config::default(), bare()] {
        assert_eq!(
            exchange(config, 1, 1),
            [
                "> SYN",
                "< SYN|ACK",
                "> PSH|ACK",
                "< FIN|PSH|ACK",
                "> FIN|ACK",
                "< ACK"
            ]
        );
    }
}

#[test]
fn a_longer_response_is_sent_in_full_segments() {
    let log = exchange(Config::default(), 100, 4000);
    let data = log
        .iter()
        .filter(|l| l.starts_with("< ") && !l.contains("SYN"));
    assert_eq!(
        data.count(),
        4,
        "three of text, the last with the FIN, and the last ACK: {log:?}"
    );
}
