use std::io::{Read, Write};
use std::net::TcpStream;

use prometheus_client::registry::Registry;

use super::*;
use crate::metrics::server::Server;

fn server(limits: Limits) -> Server {
    let any = "127.0.0.1:0".parse().unwrap();
    Server::start_with(any, Registry::default(), &[], limits).unwrap()
}

fn connect(server: &Server) -> TcpStream {
    let stream = TcpStream::connect(server.address()).unwrap();
    // For a test that fails; none of those that do not waits for it.
    let patience = Some(Duration::from_secs(20));
    stream.set_read_timeout(patience).unwrap();
    stream
}

const REQUEST: &[u8] = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";

fn answer(stream: &mut TcpStream) -> String {
    let mut start = [0; 15];
    stream.read_exact(&mut start).unwrap();
    String::from_utf8(start.to_vec()).unwrap()
}

#[test]
fn who_does_not_finish_a_request_is_closed() {
    let limits = Limits {
        request: Duration::from_secs(1),
        ..Limits::default()
    };
    let server = server(limits);
    // Silent, half a head, and idle after an answer.
    let mut silent = connect(&server);
    let mut slow = connect(&server);
    slow.write_all(&REQUEST[..20]).unwrap();
    let mut idle = connect(&server);
    idle.write_all(REQUEST).unwrap();
    assert_eq!(answer(&mut idle), "HTTP/1.1 200 OK");
    for mut stream in [silent, slow, idle] {
        let mut rest = Vec::new();
        // An end or a reset: the server has gone, and did not wait for more.
        let ended = stream.read_to_end(&mut rest);
        let gone = ended.map_or_else(|e| e.kind() == io::ErrorKind::ConnectionReset, |_| true);
        assert!(gone);
    }
    silent = connect(&server);
    silent.write_all(REQUEST).unwrap();
    assert_eq!(answer(&mut silent), "HTTP/1.1 200 OK");
}

#[test]
fn no_more_connections_are_served_at_a_time_than_there_may_be() {
    let limits = Limits {
        connections: 2,
        ..Limits::default()
    };
    let server = server(limits);
    let mut served = [connect(&server), connect(&server)];
    for stream in &mut served {
        stream.write_all(REQUEST).unwrap();
        assert_eq!(answer(stream), "HTTP/1.1 200 OK");
    }
    let mut third = connect(&server);
    third.write_all(REQUEST).unwrap();
    third
        .set_read_timeout(Some(Duration::from_millis(100)))
        .unwrap();
    let waits = third.read(&mut [0]).unwrap_err().kind();
    assert!(matches!(
        waits,
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
    ));
    third
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    drop(served);
    assert_eq!(answer(&mut third), "HTTP/1.1 200 OK");
}
