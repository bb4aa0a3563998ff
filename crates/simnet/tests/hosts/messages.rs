//! Applications that wait for a whole message see all of it in one piece, however it was cut, and
//! however many connections do so at a time.

use crate::common::{CLIENT, SERVER, configs, pair};
use stack::{Application, CloseReason, Context, DestinationId, Handle};
use tcp::time::Instant;

/// The length of a message: several chunks of receive memory.
const MESSAGE: usize = 9_000;
/// What a client sends at a time.
const PIECE: usize = 700;

/// Sends messages in pieces as a client, and takes them whole as a server.
#[derive(Default)]
struct Messages {
    /// For each connection of a client the bytes it has sent.
    sending: Vec<(Handle, usize)>,
    taken: usize,
    last_piece: Instant,
}

/// The byte at `at` of a message; its first byte is the connection, its second one the message's number.
fn byte(connection: u8, number: u8, at: usize) -> u8 {
    match at {
        0 => connection,
        1 => number,
        _ => (at as u8).wrapping_mul(31) ^ connection ^ number.wrapping_mul(7),
    }
}

impl Application for Messages {
    fn on_open(&mut self, _cx: &mut Context<'_>, _conn: Handle) {}
    fn on_data(&mut self, _cx: &mut Context<'_>, _conn: Handle, data: &[u8]) -> usize {
        let [connection, number, ..] = *data else {
            return 0;
        };
        for (at, &b) in data.iter().enumerate().take(MESSAGE) {
            assert_eq!(b, byte(connection, number, at), "{at} of {}", data.len());
        }
        if data.len() < MESSAGE {
            return 0;
        }
        self.taken += 1;
        MESSAGE
    }
    fn on_writable(&mut self, _cx: &mut Context<'_>, _conn: Handle) {}
    fn on_peer_closed(&mut self, _cx: &mut Context<'_>, _conn: Handle) {}
    fn on_closed(&mut self, _cx: &mut Context<'_>, _conn: Handle, _reason: CloseReason) {}
    fn poll(&mut self, cx: &mut Context<'_>) {
        if cx.now() < self.last_piece.plus_millis(1) {
            return;
        }
        self.last_piece = cx.now();
        for (connection, (conn, sent)) in (0..).zip(&mut self.sending) {
            let piece: Vec<u8> = (*sent..*sent + PIECE)
                .map(|at| byte(connection, (at / MESSAGE) as u8, at % MESSAGE))
                .collect();
            *sent += cx.send(*conn, &piece);
        }
    }
    fn next_poll(&self) -> Option<Instant> {
        (!self.sending.is_empty()).then(|| self.last_piece.plus_millis(1))
    }
}

#[test]
fn a_message_is_shown_whole() {
    exchange(1);
}

#[test]
fn messages_of_several_connections_are_not_mixed() {
    exchange(3);
}

fn exchange(connections: u16) {
    let tcp = tcp::Config {
        nodelay: true,
        ..tcp::Config::default()
    };
    let mut net = pair(
        configs(connections, &tcp),
        (Messages::default(), Messages::default()),
    );
    net.run_ms(5);
    for _ in 0..connections {
        net.with_app(CLIENT, |app, cx| {
            let conn = cx.connect(DestinationId(0)).unwrap();
            app.sending.push((conn, 0));
        });
    }
    net.run_ms(200);
    let sent: Vec<usize> = net.host(CLIENT).app().sending.iter().map(|s| s.1).collect();
    assert!(sent.iter().all(|&n| n > 3 * MESSAGE), "{sent:?}");
    // What was sent last may be on its way.
    let whole: usize = sent.iter().map(|n| (n - 10 * PIECE) / MESSAGE).sum();
    assert!(net.host(SERVER).app().taken >= whole, "{sent:?}");
}
