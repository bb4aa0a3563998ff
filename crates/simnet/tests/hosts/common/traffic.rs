//! An application that opens, fills, reads and ends connections as a seed says, and knows of every
//! byte what it must be.
//!
//! A byte that is lost, repeated, out of order or of another incarnation is found where it arrives.

use std::collections::BTreeMap;

use simnet::Rng;
use stack::{Application, CloseReason, ConnectError, Context, DestinationId, Handle};
use tcp::time::Instant;

use super::stream::{Ender, HEADER, Plan, pattern};

/// How a side ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Report {
    pub(crate) ender: Ender,
    /// Everything was received and everything was taken to be sent.
    pub(crate) complete: bool,
    pub(crate) reason: CloseReason,
}

/// How it behaves.
#[derive(Clone, Debug)]
pub(crate) struct Habits {
    /// Connections to open.
    pub(crate) opens: u32,
    /// At a time.
    pub(crate) at_once: u32,
    /// The longest request or response, in bytes.
    pub(crate) longest: u32,
    /// The chance that a delivery is consumed in part only.
    pub(crate) partial: f64,
    /// The longest pause of a reader, in ms.
    pub(crate) pause_ms: u64,
    /// The chance that a connection is aborted.
    pub(crate) aborts: f64,
}

#[derive(Debug)]
struct Conn {
    handle: Handle,
    client: bool,
    plan: Option<Plan>,
    header: Vec<u8>,
    sent: u32,
    received: u32,
    open: bool,
    peer_closed: bool,
    fin: bool,
}

impl Conn {
    fn outgoing(&self) -> u32 {
        self.plan.map_or(0, |p| {
            if self.client {
                HEADER as u32 + p.request
            } else {
                p.response
            }
        })
    }

    fn incoming(&self) -> Option<u32> {
        self.plan.map(|p| {
            if self.client {
                p.response
            } else {
                HEADER as u32 + p.request
            }
        })
    }

    fn all_sent(&self) -> bool {
        self.plan.is_some() && self.sent == self.outgoing()
    }

    fn all_received(&self) -> bool {
        self.incoming() == Some(self.received)
    }

    fn outgoing_byte(&self, offset: u32) -> u8 {
        let Some(plan) = self.plan else { return 0 };
        match (self.client, offset.checked_sub(HEADER as u32)) {
            (true, None) => plan.header()[offset as usize],
            (true, Some(text)) => pattern(plan.key, text),
            (false, _) => pattern(!plan.key, offset),
        }
    }

    /// Whether it may send what it has to send: a server waits for the whole request unless both
    /// ends talk at once.
    fn may_send(&self) -> bool {
        self.open
            && (self.client
                || self.all_received()
                || self.plan.is_some_and(|p| p.ender == Ender::Both))
    }

    fn may_finish(&self) -> bool {
        let Some(plan) = self.plan else { return false };
        self.open
            && self.all_sent()
            && match (plan.ender, self.client) {
                (Ender::Client, true) => true,
                (Ender::Client, false) => self.peer_closed,
                (Ender::Server, true) => self.peer_closed && self.all_received(),
                (Ender::Server, false) => self.all_received(),
                (Ender::Both, _) => self.all_received(),
                // The other has to end it.
                (Ender::ClientAborts | Ender::ServerAborts, _) => false,
            }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Deed {
    Resume(Handle),
    Abort(Handle),
    Connect,
}

/// The application.
#[derive(Debug)]
pub(crate) struct Traffic {
    rng: Rng,
    habits: Habits,
    conns: BTreeMap<usize, Conn>,
    /// What to do when; the number keeps deeds of equal times apart and in order.
    agenda: BTreeMap<(Instant, u64), Deed>,
    noted: u64,
    live_opens: u32,
    pub(crate) left_to_open: u32,
    /// How the connections that this side opened ended, by key.
    pub(crate) opened: BTreeMap<u64, Report>,
    /// How the connections that this side accepted ended, by key.
    pub(crate) accepted: BTreeMap<u64, Report>,
    /// What went against the rules.
    pub(crate) faults: Vec<String>,
}

impl Traffic {
    pub(crate) fn new(seed: u64, habits: Habits) -> Traffic {
        let mut traffic = Traffic {
            rng: Rng::new(seed),
            left_to_open: habits.opens,
            habits,
            conns: BTreeMap::new(),
            agenda: BTreeMap::new(),
            noted: 0,
            live_opens: 0,
            opened: BTreeMap::new(),
            accepted: BTreeMap::new(),
            faults: Vec::new(),
        };
        traffic.plan_deed(Instant::ZERO, Deed::Connect);
        traffic
    }

    /// Whether it has nothing left to do.
    pub(crate) fn is_done(&self) -> bool {
        self.left_to_open == 0 && self.conns.is_empty()
    }

    fn plan_deed(&mut self, at: Instant, deed: Deed) {
        self.noted += 1;
        self.agenda.insert((at, self.noted), deed);
    }

    fn pause(&mut self, now: Instant) -> Instant {
        now.plus_micros(self.rng.range(1, self.habits.pause_ms * 1000))
    }

    fn connect(&mut self, cx: &mut Context<'_>) {
        while self.left_to_open > 0 && self.live_opens < self.habits.at_once {
            let handle = match cx.connect(DestinationId(0)) {
                Ok(handle) => handle,
                Err(ConnectError::NoTupleFree { next_free, .. }) => {
                    let soon = cx.now().plus_millis(50);
                    let at = next_free.map_or(soon, |t| t.max(cx.now().plus_millis(1)));
                    self.plan_deed(at, Deed::Connect);
                    return;
                }
                Err(error) => {
                    self.faults.push(format!("connect: {error}"));
                    return;
                }
            };
            self.left_to_open -= 1;
            self.live_opens += 1;
            let plan = self.new_plan();
            let conn = Conn {
                handle,
                client: true,
                plan: Some(plan),
                header: Vec::new(),
                sent: 0,
                received: 0,
                open: false,
                peer_closed: false,
                fin: false,
            };
            if plan.ender == Ender::ClientAborts {
                let at = cx.now().plus_micros(self.rng.range(1, 200_000));
                self.plan_deed(at, Deed::Abort(handle));
            }
            if self.conns.insert(handle.index(), conn).is_some() {
                self.faults
                    .push("connect gave a slot that is in use".into());
            }
        }
    }

    fn new_plan(&mut self) -> Plan {
        let ender = if self.rng.chance(self.habits.aborts) {
            *self.rng.pick(&[Ender::ClientAborts, Ender::ServerAborts])
        } else {
            *self.rng.pick(&[Ender::Client, Ender::Server, Ender::Both])
        };
        let longest = u64::from(self.habits.longest);
        let length = |rng: &mut Rng| {
            let most = *rng.pick(&[0, 1, 1_500, 20_000, longest]);
            rng.below(most.min(longest) + 1) as u32
        };
        Plan {
            key: self.rng.next_u64(),
            request: length(&mut self.rng),
            response: length(&mut self.rng),
            ender,
        }
    }

    /// Sends what may be sent and ends what may be ended.
    fn pump(&mut self, cx: &mut Context<'_>, index: usize) {
        let Some(conn) = self.conns.get_mut(&index) else {
            return;
        };
        while conn.may_send() && !conn.all_sent() {
            let most = self.rng.range(1, 20_000) as u32;
            let end = conn.outgoing().min(conn.sent + most);
            let bytes: Vec<u8> = (conn.sent..end).map(|at| conn.outgoing_byte(at)).collect();
            let taken = cx.send(conn.handle, &bytes);
            conn.sent += taken as u32;
            if taken < bytes.len() {
                return;
            }
        }
        if conn.may_finish() && !conn.fin {
            conn.fin = true;
            // CLOSE says that nobody reads any more, so it is for those who have read all.
            if conn.all_received() && self.rng.chance(0.5) {
                cx.close(conn.handle);
            } else {
                cx.shutdown_write(conn.handle);
            }
        }
    }

    /// Checks bytes that were consumed.
    fn absorb(&mut self, index: usize, data: &[u8]) {
        let Some(conn) = self.conns.get_mut(&index) else {
            self.faults
                .push(format!("data for slot {index}, of which nothing is known"));
            return;
        };
        for &byte in data {
            let at = conn.received;
            conn.received += 1;
            if !conn.client && (at as usize) < HEADER {
                conn.header.push(byte);
                if conn.header.len() == HEADER {
                    conn.plan = Plan::parse(&conn.header);
                    if conn.plan.is_none() {
                        self.faults.push(format!("header {:?}", conn.header));
                    }
                }
                continue;
            }
            let (Some(plan), Some(incoming)) = (conn.plan, conn.incoming()) else {
                return;
            };
            let expected = if conn.client {
                pattern(!plan.key, at)
            } else {
                pattern(plan.key, at - HEADER as u32)
            };
            if byte != expected || at >= incoming {
                let side = if conn.client { "client" } else { "server" };
                self.faults.push(format!(
                    "{side} of {:016x}: byte {at} of {incoming} is {byte:#x}, not {expected:#x}",
                    plan.key
                ));
                return;
            }
        }
    }
}

impl Application for Traffic {
    fn on_open(&mut self, cx: &mut Context<'_>, handle: Handle) {
        let index = handle.index();
        let client = cx.destination(handle).is_some();
        if !client {
            let conn = Conn {
                handle,
                client,
                plan: None,
                header: Vec::new(),
                sent: 0,
                received: 0,
                open: true,
                peer_closed: false,
                fin: false,
            };
            if self.conns.insert(index, conn).is_some() {
                self.faults
                    .push(format!("{handle:?} opens in a slot that is in use"));
            }
            return;
        }
        match self.conns.get_mut(&index) {
            Some(conn) if conn.handle == handle && !conn.open => conn.open = true,
            _ => self.faults.push(format!("{handle:?} opens, unasked for")),
        }
        self.pump(cx, index);
    }

    fn on_data(&mut self, cx: &mut Context<'_>, handle: Handle, data: &[u8]) -> usize {
        let index = handle.index();
        if data.is_empty() {
            self.faults.push("shown no data".into());
        }
        let consumed = if self.rng.chance(self.habits.partial) {
            let at = self.pause(cx.now());
            self.plan_deed(at, Deed::Resume(handle));
            self.rng.below(data.len() as u64) as usize
        } else {
            data.len()
        };
        let had_plan = self.conns.get(&index).is_some_and(|c| c.plan.is_some());
        self.absorb(index, &data[..consumed]);
        if let Some(Conn {
            client: false,
            plan: Some(plan),
            ..
        }) = self.conns.get(&index)
            && !had_plan
            && plan.ender == Ender::ServerAborts
        {
            let at = cx.now().plus_micros(self.rng.range(0, 100_000));
            self.plan_deed(at, Deed::Abort(handle));
        }
        self.pump(cx, index);
        consumed
    }

    fn on_writable(&mut self, cx: &mut Context<'_>, handle: Handle) {
        self.pump(cx, handle.index());
    }

    fn on_peer_closed(&mut self, cx: &mut Context<'_>, handle: Handle) {
        let index = handle.index();
        match self.conns.get_mut(&index) {
            Some(conn) if conn.peer_closed => self.faults.push("told of a FIN twice".into()),
            Some(conn) => {
                conn.peer_closed = true;
                if !conn.all_received() {
                    self.faults.push(format!(
                        "FIN after {} of {:?} bytes",
                        conn.received,
                        conn.incoming()
                    ));
                }
            }
            None => self.faults.push("a FIN for nobody".into()),
        }
        self.pump(cx, index);
    }

    fn on_closed(&mut self, cx: &mut Context<'_>, handle: Handle, reason: CloseReason) {
        let Some(conn) = self.conns.remove(&handle.index()) else {
            self.faults
                .push(format!("{handle:?} closed, which was not open"));
            return;
        };
        if conn.handle != handle {
            self.faults
                .push(format!("{handle:?} closed, not {:?}", conn.handle));
        }
        if conn.client {
            self.live_opens -= 1;
            let at = self.pause(cx.now());
            self.plan_deed(at, Deed::Connect);
        }
        let Some(plan) = conn.plan else {
            // Reset before the header was complete.
            return;
        };
        let report = Report {
            ender: plan.ender,
            complete: conn.all_sent() && conn.all_received(),
            reason,
        };
        let reports = if conn.client {
            &mut self.opened
        } else {
            &mut self.accepted
        };
        if let Some(first) = reports.insert(plan.key, report) {
            self.faults
                .push(format!("{:016x} came twice: {first:?}", plan.key));
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) {
        while let Some(entry) = self.agenda.first_entry() {
            if entry.key().0 > cx.now() {
                return;
            }
            // A handle that has outlived its connection does nothing.
            match entry.remove() {
                Deed::Connect => self.connect(cx),
                Deed::Resume(handle) => cx.resume(handle),
                Deed::Abort(handle) => cx.abort(handle),
            }
        }
    }

    fn next_poll(&self) -> Option<Instant> {
        self.agenda.first_key_value().map(|((at, _), _)| *at)
    }
}
