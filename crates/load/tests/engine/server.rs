//! A server that answers requests of a set length, and does wrong on request.

use stack::{Application, CloseReason, Context, Handle};
use tcp::time::Instant;

/// What is wrong with a server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fault {
    /// Nothing.
    None,
    /// It never answers.
    Silent,
    /// It closes in the middle of the answer.
    CutShort,
    /// It sends one octet too many.
    TooLong,
    /// It resets the connection instead of answering.
    Reset,
    /// It never closes.
    NeverCloses,
}

/// The server.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    /// Octets of a request; 0: it sends without being asked.
    pub(crate) request: usize,
    pub(crate) response: Vec<u8>,
    /// It closes after so many answers.
    pub(crate) closes_after: Option<u32>,
    /// It closes when the client has.
    pub(crate) fault: Fault,
    /// Milliseconds before it answers.
    pub(crate) delay_ms: u64,
    pub(crate) flows: Vec<Served>,
    pub(crate) due: Vec<(Instant, Handle)>,
    /// When each request came.
    pub(crate) arrivals: Vec<Instant>,
    /// When each connection came.
    pub(crate) opens: Vec<Instant>,
    pub(crate) received: u64,
    pub(crate) closed: Vec<CloseReason>,
    /// The most connections at a time.
    pub(crate) most: usize,
}

#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Served {
    answers: u32,
    to_send: usize,
}

impl Server {
    pub(crate) fn new(request: usize, response: usize) -> Server {
        Server {
            request,
            response: vec![b'x'; response],
            closes_after: None,
            fault: Fault::None,
            delay_ms: 0,
            flows: vec![Served::default(); 4096],
            due: Vec::new(),
            arrivals: Vec::new(),
            opens: Vec::new(),
            received: 0,
            closed: Vec::new(),
            most: 0,
        }
    }

    fn answer(&mut self, cx: &mut Context<'_>, conn: Handle) {
        match self.fault {
            Fault::Silent => return,
            Fault::Reset => return cx.abort(conn),
            Fault::CutShort => {
                cx.send(conn, &self.response[..self.response.len() / 2]);
                return cx.close(conn);
            }
            Fault::TooLong => {
                cx.send(conn, b"?");
            }
            Fault::None | Fault::NeverCloses => {}
        }
        let flow = &mut self.flows[conn.index()];
        flow.answers += 1;
        flow.to_send += self.response.len();
        self.send_on(cx, conn);
        if self.closes_after == Some(self.flows[conn.index()].answers) {
            cx.close(conn);
        }
    }

    fn send_on(&mut self, cx: &mut Context<'_>, conn: Handle) {
        let flow = &mut self.flows[conn.index()];
        while flow.to_send > 0 {
            let most = flow.to_send.min(self.response.len());
            let taken = cx.send(conn, &self.response[..most]);
            flow.to_send -= taken;
            if taken < most {
                return;
            }
        }
    }
}

impl Application for Server {
    fn on_open(&mut self, cx: &mut Context<'_>, conn: Handle) {
        self.opens.push(cx.now());
        self.most = self.most.max(cx.live());
        self.flows[conn.index()] = Served::default();
        if self.request == 0 {
            self.answer(cx, conn);
        }
    }

    fn on_data(&mut self, cx: &mut Context<'_>, conn: Handle, data: &[u8]) -> usize {
        if self.request == 0 {
            self.received += data.len() as u64;
            return data.len();
        }
        let whole = data.len() / self.request;
        for _ in 0..whole {
            self.arrivals.push(cx.now());
            if self.delay_ms == 0 {
                self.answer(cx, conn);
            } else {
                self.due.push((cx.now().plus_millis(self.delay_ms), conn));
            }
        }
        self.received += (whole * self.request) as u64;
        whole * self.request
    }

    fn on_writable(&mut self, cx: &mut Context<'_>, conn: Handle) {
        self.send_on(cx, conn);
    }

    fn on_peer_closed(&mut self, cx: &mut Context<'_>, conn: Handle) {
        if self.fault != Fault::NeverCloses {
            cx.close(conn);
        }
    }

    fn on_closed(&mut self, _cx: &mut Context<'_>, _conn: Handle, reason: CloseReason) {
        self.closed.push(reason);
    }

    fn poll(&mut self, cx: &mut Context<'_>) {
        let now = cx.now();
        let ready = self.due.iter().take_while(|(at, _)| *at <= now).count();
        for (_, conn) in self.due.drain(..ready).collect::<Vec<_>>() {
            self.answer(cx, conn);
        }
    }

    fn next_poll(&self) -> Option<Instant> {
        self.due.first().map(|(at, _)| *at)
    }
}
