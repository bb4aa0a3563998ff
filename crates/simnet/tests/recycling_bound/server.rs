//! The server's application.

use stack::{Application, CloseReason, Context, Handle, TimeWaitEvent};
use tcp::time::Instant;
use tcp::time_wait::Incident;

#[derive(Default)]
pub(crate) struct Server {
    pub(crate) received: Vec<u8>,
    pub(crate) conn: Option<Handle>,
    pub(crate) allowed_at: Option<Instant>,
    pub(crate) incident: Option<Incident>,
}

impl Application for Server {
    fn on_open(&mut self, _cx: &mut Context<'_>, conn: Handle) {
        self.conn = Some(conn);
    }
    fn on_data(&mut self, cx: &mut Context<'_>, conn: Handle, data: &[u8]) -> usize {
        self.received.extend_from_slice(data);
        match data.last() {
            Some(b'.') => cx.close(conn),
            Some(b'!') => cx.abort(conn),
            _ => {}
        }
        data.len()
    }
    fn on_writable(&mut self, _cx: &mut Context<'_>, _conn: Handle) {}
    fn on_peer_closed(&mut self, cx: &mut Context<'_>, conn: Handle) {
        cx.close(conn);
    }
    fn on_closed(&mut self, _cx: &mut Context<'_>, _conn: Handle, _reason: CloseReason) {
        self.conn = None;
    }
    fn on_time_wait(&mut self, event: &TimeWaitEvent<'_>) {
        self.allowed_at = event.outcome.allowed_at.or(self.allowed_at);
        self.incident = event.outcome.incident.or(self.incident);
    }
}
