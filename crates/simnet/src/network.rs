//! Stations, cables and the switch between them, in virtual time.

use core::fmt;

use stack::{Application, Context, MemPool, Stack};
use tcp::time::Instant;

use crate::decode;
use crate::event::{Place, Queue};
use crate::link::{Link, pass};
use crate::log::{Fate, Log};
use crate::peer::Peer;
use crate::port::{Port, Station};
use crate::rng::Rng;
use crate::rule::{Action, Kept, Rule, RuleId, Seen, Which};
use crate::switch::{Forward, Switch};

/// A station, in the order in which they were added.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct StationId(pub usize);

/// Stations around a switch, in virtual time. A turn of a host happens when frames arrive for it
/// and when its [`Stack::next_deadline`] comes; nothing happens in between, so waiting costs
/// nothing.
pub struct Network<A> {
    now: Instant,
    queue: Queue,
    switch: Switch,
    ports: Vec<Port<A>>,
    rules: Vec<Rule>,
    log: Log,
    rng: Rng,
}

impl<A> fmt::Debug for Network<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Network")
            .field("now", &self.now)
            .field("stations", &self.ports.len())
            .field("under_way", &self.queue.len())
            .finish_non_exhaustive()
    }
}

impl<A: Application> Network<A> {
    /// An empty network at time zero, whose faults `seed` determines.
    #[must_use]
    pub fn new(seed: u64) -> Network<A> {
        Network {
            now: Instant::ZERO,
            queue: Queue::default(),
            switch: Switch::default(),
            ports: Vec::new(),
            rules: Vec::new(),
            log: Log::new(usize::MAX),
            rng: Rng::new(seed),
        }
    }

    /// Plugs in a host.
    pub fn add_host(&mut self, stack: Stack<A, MemPool>, link: Link) -> StationId {
        self.add(Station::Host(Box::new(stack)), link)
    }

    /// Plugs in a peer without a stack.
    pub fn add_peer(&mut self, peer: Peer, link: Link) -> StationId {
        self.add(Station::Peer(peer), link)
    }

    fn add(&mut self, station: Station<A>, link: Link) -> StationId {
        self.ports.push(Port::new(station, link));
        StationId(self.ports.len() - 1)
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.now
    }

    /// What happened so far.
    #[must_use]
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// Remembers only the last `limit` records from here on; the digest is not affected.
    pub fn limit_log(&mut self, limit: usize) {
        self.log.set_limit(limit);
    }

    /// The host of a station.
    ///
    /// # Panics
    /// If it is a peer without a stack.
    #[must_use]
    pub fn host(&self, id: StationId) -> &Stack<A, MemPool> {
        match &self.ports[id.0].station {
            Station::Host(stack) => stack,
            Station::Peer(_) => panic!("station {} has no stack", id.0),
        }
    }

    /// The host of a station, to be told things: it acts on them in a turn of its own.
    ///
    /// # Panics
    /// If it is a peer without a stack.
    pub fn host_mut(&mut self, id: StationId) -> &mut Stack<A, MemPool> {
        match &mut self.ports[id.0].station {
            Station::Host(stack) => stack,
            Station::Peer(_) => panic!("station {} has no stack", id.0),
        }
    }

    /// Acts for the application of a host.
    ///
    /// # Panics
    /// If the station is a peer without a stack.
    pub fn with_app<R>(
        &mut self,
        id: StationId,
        f: impl FnOnce(&mut A, &mut Context<'_>) -> R,
    ) -> R {
        let now = self.now;
        self.host_mut(id).with_app(now, f)
    }

    /// The peer of a station.
    ///
    /// # Panics
    /// If it is a host.
    pub fn peer_mut(&mut self, id: StationId) -> &mut Peer {
        match &mut self.ports[id.0].station {
            Station::Peer(peer) => peer,
            Station::Host(_) => panic!("station {} is a host", id.0),
        }
    }

    /// The cable of a station, to be cut, mended or made worse.
    pub fn link_mut(&mut self, id: StationId) -> &mut Link {
        &mut self.ports[id.0].link
    }

    /// How many frames a host's transmit queue takes in one turn, at least 1; the rest waits for
    /// the next.
    pub fn set_tx_per_turn(&mut self, id: StationId, frames: usize) {
        self.ports[id.0].tx_per_turn = frames.max(1);
    }

    /// Frames on their way.
    #[must_use]
    pub fn under_way(&self) -> usize {
        self.queue.len()
    }

    /// Adds a rule about frames as stations send them, before the cable's faults. The first rule
    /// that takes a frame off the wire has it; a copying rule lets later rules see it too.
    pub fn add_rule(
        &mut self,
        action: Action,
        which: Which,
        predicate: impl FnMut(&Seen<'_>) -> bool + 'static,
    ) -> RuleId {
        self.rules
            .push(Rule::new(action, which, Box::new(predicate)));
        RuleId(self.rules.len() - 1)
    }

    /// Ends a rule; what it keeps can still be released.
    pub fn end_rule(&mut self, id: RuleId) {
        self.rules[id.0].on = false;
    }

    /// How many frames the rule has held, copied or dropped.
    #[must_use]
    pub fn taken(&self, id: RuleId) -> u64 {
        self.rules[id.0].taken
    }

    /// The frames that a rule keeps, oldest first.
    #[must_use]
    pub fn kept(&self, id: RuleId) -> &[Kept] {
        &self.rules[id.0].kept
    }

    /// Lets everything that the rule keeps arrive at `at`, or now if that has passed, without any
    /// further fault. The rule goes on keeping it: it may be released again.
    pub fn release(&mut self, id: RuleId, at: Instant) {
        for kept in self.rules[id.0].kept.clone() {
            let from = Some(kept.from);
            self.log
                .add(self.now, from, None, Fate::Released, &kept.frame);
            self.arrive(at, from, &kept.frame);
        }
    }

    /// Lets a made-up frame arrive at `at`, or now if that has passed, where its destination
    /// address says: at all stations if the switch does not know it.
    pub fn inject(&mut self, at: Instant, frame: &[u8]) {
        self.log.add(self.now, None, None, Fate::Injected, frame);
        self.arrive(at, None, frame);
    }

    /// Sends a frame from a station, as if it had made it itself.
    pub fn send(&mut self, from: StationId, frame: Vec<u8>) {
        self.on_sent(from, frame);
    }

    fn arrive(&mut self, at: Instant, from: Option<StationId>, frame: &[u8]) {
        let at = at.max(self.now);
        for to in self.targets(from, frame) {
            self.queue
                .schedule(at, Place::Station(to), from, frame.to_vec());
        }
    }

    fn targets(&self, from: Option<StationId>, frame: &[u8]) -> Vec<StationId> {
        match self.switch.forward(from, frame) {
            Forward::Nowhere => Vec::new(),
            Forward::To(station) => vec![station],
            Forward::Flood => (0..self.ports.len())
                .map(StationId)
                .filter(|to| Some(*to) != from)
                .collect(),
        }
    }

    /// When something happens next, if anything will.
    #[must_use]
    pub fn next_event(&self) -> Option<Instant> {
        let deadlines = self.ports.iter().filter_map(|port| port.deadline());
        let next = deadlines.chain(self.queue.next_at()).min()?;
        Some(next.max(self.now))
    }

    /// Runs until `end`, inclusive, and leaves the time there.
    pub fn run_until(&mut self, end: Instant) {
        while self.next_event().is_some_and(|next| next <= end) {
            self.step();
        }
        self.now = self.now.max(end);
    }

    /// Runs for `ms` milliseconds.
    pub fn run_ms(&mut self, ms: u64) {
        self.run_until(self.now.plus_millis(ms));
    }

    /// Runs until `done` or until `end`; returns whether it is done.
    pub fn run_to(&mut self, end: Instant, mut done: impl FnMut(&Network<A>) -> bool) -> bool {
        loop {
            if done(self) {
                return true;
            }
            if self.next_event().is_none_or(|next| next > end) {
                self.now = self.now.max(end);
                return false;
            }
            self.step();
        }
    }

    /// Goes to the next event and does everything that is due then. Returns whether there was one.
    pub fn step(&mut self) -> bool {
        let Some(next) = self.next_event() else {
            return false;
        };
        self.now = next;
        while let Some(arrival) = self.queue.pop_due(self.now) {
            match arrival.place {
                Place::Switch(from) => self.at_switch(from, arrival.frame),
                Place::Station(to) => self.ports[to.0].arriving.push(arrival),
            }
        }
        for index in 0..self.ports.len() {
            let port = &self.ports[index];
            let due = port.deadline().is_some_and(|at| at <= self.now);
            if due || !port.arriving.is_empty() {
                self.turn(StationId(index));
            }
        }
        true
    }

    fn at_switch(&mut self, from: StationId, frame: Vec<u8>) {
        self.switch.learn(from, &frame);
        for to in self.targets(Some(from), &frame) {
            self.travel(Some(from), to, false, &frame);
        }
    }

    /// Sends a frame along one direction of the cable of `end`: up from the station to the switch,
    /// or down.
    fn travel(&mut self, from: Option<StationId>, end: StationId, up: bool, frame: &[u8]) {
        let to = (!up).then_some(end);
        let port = &mut self.ports[end.0];
        if !port.link.connected {
            self.log.add(self.now, from, to, Fate::Unplugged, frame);
            return;
        }
        let path = if up { &port.link.up } else { &port.link.down };
        let burst_end = &mut port.burst_ends[usize::from(up)];
        // Once is enough: a second bit could make the checksum right again.
        let ip = if path.corrupt > 0.0 {
            decode::intact_ip(frame)
        } else {
            None
        };
        let bits = ip.as_ref().map_or(0, |range| range.len() * 8);
        let passage = pass(path, self.now, burst_end, bits, &mut self.rng);
        let place = if up {
            Place::Switch(end)
        } else {
            Place::Station(end)
        };
        let mut first = frame.to_vec();
        if let (Some(bit), Some(range)) = (passage.corrupt_bit, ip) {
            first[range.start + bit / 8] ^= 1 << (bit % 8);
            self.log.add(self.now, from, to, Fate::Corrupted, &first);
        }
        match passage.delays[0] {
            Some(delay) => {
                let at = Instant::from_nanos(self.now.as_nanos().saturating_add(delay));
                self.queue.schedule(at, place, from, first);
            }
            None => self.log.add(self.now, from, to, Fate::Lost, frame),
        }
        if let Some(delay) = passage.delays[1] {
            self.log.add(self.now, from, to, Fate::Duplicated, frame);
            let at = Instant::from_nanos(self.now.as_nanos().saturating_add(delay));
            self.queue.schedule(at, place, from, frame.to_vec());
        }
    }

    fn on_sent(&mut self, from: StationId, frame: Vec<u8>) {
        self.log.add(self.now, Some(from), None, Fate::Sent, &frame);
        let seen = Seen {
            from,
            frame: &frame,
        };
        for rule in &mut self.rules {
            let fate = match rule.judge(&seen) {
                None => continue,
                Some(Action::Copy) => Fate::Copied,
                Some(Action::Hold) => Fate::Held,
                Some(Action::Drop) => Fate::Dropped,
            };
            self.log.add(self.now, Some(from), None, fate, &frame);
            if fate != Fate::Copied {
                return;
            }
        }
        self.travel(Some(from), from, true, &frame);
    }

    fn turn(&mut self, id: StationId) {
        for frame in self.ports[id.0].turn(self.now, id, &mut self.log) {
            self.on_sent(id, frame);
        }
    }
}
