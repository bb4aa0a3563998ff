//! A server in its own time, and a client. A copy of all that either sent in the last MSL is held back: what
//! the client sent arrives again at the server; what the server sent, the client is asked whether it would take.

use std::collections::VecDeque;

use simnet::{Rng, craft, decode};
use stack::{
    Config, InterfaceAddress, ListenerConfig, MemFrame, MemPool, Secrets, Stack, TimeWaitConfig,
};
use tcp::time::Instant;
use tcp::time_wait::Incident;
use wire::tcp::{Flags, Header, Options, Timestamps};
use wire::{Ip, MacAddr, Seq};

use crate::ends::FIN_WAIT2_MS;
use crate::server::Server;
use crate::setup::{ENDS, End, Isn, Setup, Stamps, Tally};

/// MSL, half of the length of TIME-WAIT.
pub(crate) const MSL_NS: u64 = 1_000_000_000;

const SERVER: (Ip, MacAddr, u16) = (Ip::v4([10, 0, 0, 1]), MacAddr([2, 0, 0, 0, 0, 1]), 80);
const CLIENT: (Ip, MacAddr, u16) = (Ip::v4([10, 0, 0, 2]), MacAddr([2, 0, 0, 0, 0, 2]), 55_000);

/// What a timestamp may be ahead by where TIME-WAIT's age is known to a 160th of its length.
const RACING_STEP: u32 = (2 * MSL_NS / 160 / 1_000) as u32 - 500;

/// What the clocks of several hosts behind one address differ by.
const CLOCKS: [u32; 8] = [0, 5, 30, 300, 1 << 20, 1 << 29, 1 << 30, 3 << 30];

/// The client's window.
const WINDOW: u16 = 60_000;

pub(crate) struct Held {
    pub(crate) at: u64,
    pub(crate) header: Header,
    pub(crate) text: &'static [u8],
}

/// What the server sent.
struct Answer {
    at: u64,
    header: Header,
    /// SEG.LEN.
    len: u32,
}

/// Everything that an accepted segment would change.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct State {
    opened: u64,
    established: u64,
    received: usize,
    numbers: Option<(Seq, Seq, u32, tcp::State)>,
    pub(super) time_wait: u64,
    pub(super) live: u64,
    closed: u64,
}

pub(crate) struct Model {
    pub(super) setup: Setup,
    pub(super) stack: Stack<Server, MemPool>,
    pub(super) rng: Rng,
    pub(super) now: u64,
    /// When the connection at hand came to be ESTABLISHED.
    pub(super) established: u64,
    /// When the server last heard of the client's station.
    learnt: u64,
    pub(super) held: VecDeque<Held>,
    /// The first so many of them are of earlier incarnations.
    pub(super) old: usize,
    answers: VecDeque<Answer>,
    old_answers: usize,
    /// The client's SND.NXT at the end of an incarnation, and what it expects.
    pub(super) snd_nxt: Seq,
    pub(super) rcv_nxt: Seq,
    /// The right edge of the server's window, as the client has heard of it.
    pub(super) edge: Seq,
    /// Whether the connection at hand has timestamps.
    timestamps: bool,
    /// What is added to the client's timestamp clock.
    ts_offset: u32,
    /// The client's TS.Recent.
    ts_recent: u32,
    pub(super) tally: Tally,
}

/// What of an earlier incarnation was accepted, if anything was.
pub(crate) type Checked = Result<(), String>;

impl Model {
    pub(crate) fn new(setup: Setup) -> Model {
        let mut rng = Rng::new(setup.seed);
        let address = InterfaceAddress {
            ip: SERVER.0,
            prefix: 24,
        };
        let mut config = Config {
            max_connections: 16,
            time_wait_capacity: 64,
            receive_memory: 1 << 20,
            send_memory: 1 << 20,
            real_time_at_zero_ns: 1_790_000_000_123_456_789,
            ..Config::new(SERVER.1, address)
        };
        config.listeners.push(ListenerConfig {
            address: None,
            port: SERVER.2,
            backlog: 16,
            tcp: tcp::Config {
                timestamps: setup.timestamps != Stamps::Never,
                fin_wait2_timeout_ms: if setup.ends { FIN_WAIT2_MS } else { 60_000 },
                ..tcp::Config::default()
            },
            time_wait: TimeWaitConfig {
                length_ms: (2 * MSL_NS / 1_000_000) as u32,
                rules: setup.rules,
                ..TimeWaitConfig::default()
            },
        });
        let mut isn = [0; 32];
        rng.fill(&mut isn);
        let secrets = Secrets {
            isn: tcp::isn::Secret::new(isn),
            table: [rng.next_u64(), rng.next_u64()],
        };
        let app = Server::default();
        let stack = Stack::new(config, secrets, app, MemPool::new(256)).expect("valid");
        let snd_nxt = Seq(rng.next_u64() as u32);
        let mut model = Model {
            setup,
            stack,
            rng,
            now: 5 * MSL_NS,
            established: 0,
            learnt: 0,
            held: VecDeque::new(),
            old: 0,
            answers: VecDeque::new(),
            old_answers: 0,
            snd_nxt,
            rcv_nxt: Seq(0),
            edge: Seq(0),
            timestamps: matches!(
                setup.timestamps,
                Stamps::Always | Stamps::Offsets | Stamps::Slow | Stamps::Racing
            ),
            ts_offset: 0,
            ts_recent: 0,
            tally: Tally::default(),
        };
        model.learn();
        model
    }

    /// Runs until so many segments were replayed.
    pub(crate) fn run(mut self, replays: u64) -> Result<Tally, String> {
        while self.tally.replayed < replays {
            self.incarnation()?;
        }
        Ok(self.tally)
    }

    /// The server learns the client's station.
    fn learn(&mut self) {
        self.learnt = self.now;
        let packet = wire::arp::Packet {
            operation: wire::arp::Operation::Request,
            sha: CLIENT.1,
            spa: CLIENT.0.v4_octets(),
            tha: MacAddr([0; 6]),
            tpa: SERVER.0.v4_octets(),
        };
        self.deliver(craft::arp(SERVER.1, &packet));
    }

    pub(super) fn deliver(&mut self, frame: Vec<u8>) -> Vec<decode::Segment> {
        let now = Instant::from_nanos(self.now);
        self.stack.pool_mut().adopt(1);
        self.stack.receive(now, &mut vec![MemFrame(frame)]);
        self.stack.advance(now);
        self.stack.transmit(now);
        let out: Vec<MemFrame> = self.stack.out().drain(..).collect();
        self.stack.pool_mut().forget(out.len());
        out.iter().filter_map(|f| decode::segment(&f.0)).collect()
    }

    pub(super) fn header(&self, seq: Seq, flags: Flags) -> Header {
        let tick = match self.setup.timestamps {
            Stamps::Slow => 1_000_000_000,
            _ => 1_000_000,
        };
        let ms = (self.now / tick) as u32;
        let timestamps = self.timestamps.then_some(Timestamps {
            val: ms.wrapping_add(self.ts_offset),
            ecr: 0,
        });
        Header {
            src_port: CLIENT.2,
            dst_port: SERVER.2,
            seq,
            ack: if flags.contains(Flags::ACK) {
                self.rcv_nxt
            } else {
                Seq(0)
            },
            flags,
            window: WINDOW,
            urgent: 0,
            options: Options {
                timestamps,
                ..Options::NONE
            },
        }
    }

    /// The client sends a segment, a copy of which stays under way.
    pub(super) fn send(&mut self, header: Header, text: &'static [u8]) -> Vec<decode::Segment> {
        let at = self.now;
        self.held.push_back(Held { at, header, text });
        let answers = self.deliver(frame(&header, text));
        for answer in &answers {
            let (header, len) = (answer.header, answer.seg_len());
            if header.flags.contains(Flags::ACK) {
                self.edge = header.ack + u32::from(header.window);
            }
            self.answers.push_back(Answer { at, header, len });
            if let Some(timestamps) = header.options.timestamps {
                self.ts_recent = timestamps.val;
            }
        }
        answers
    }

    /// Lets segments of the server's earlier incarnations come by the client, whose SND.NXT is `snd_nxt`. It
    /// does no more than it must: the acceptability test, PAWS, and no acknowledgment of what was not sent.
    pub(super) fn reread(&mut self, count: usize, snd_nxt: Seq) -> Checked {
        self.time_passes();
        for _ in 0..count.min(self.old_answers) {
            let i = self.rng.next_u64() as usize % self.old_answers;
            let Answer { header, len, .. } = &self.answers[i];
            self.tally.reread += 1;
            let paws = match (self.timestamps, header.options.timestamps) {
                (true, Some(t)) => Seq(t.val).ge(Seq(self.ts_recent)),
                (timestamps, _) => !timestamps,
            };
            let window = u32::from(WINDOW);
            let first = header.seq.in_window(self.rcv_nxt, window);
            let last = (header.seq + (*len).max(1) - 1).in_window(self.rcv_nxt, window);
            if paws && (first || last) && header.ack.le(snd_nxt) {
                return Err(self.violation("the client would take an old segment", header));
            }
        }
        Ok(())
    }

    /// One connection from SYN to TIME-WAIT, with what is under way let loose in between.
    fn incarnation(&mut self) -> Checked {
        self.now += self.setup.pause_ns;
        if self.setup.rests && self.rng.below(64) == 0 {
            self.now += self.rng.below(MSL_NS) >> self.rng.below(10);
        }
        let mixed = matches!(self.setup.timestamps, Stamps::Mixed | Stamps::Nat);
        if mixed && self.rng.below(16) == 0 {
            // TIME-WAIT is over, and the next connection recycles nothing.
            self.now += 3 * MSL_NS;
            let now = Instant::from_nanos(self.now);
            self.stack.advance(now);
        }
        self.old = self.held.len();
        self.old_answers = self.answers.len();
        self.replay(2)?;
        let isn = self.choose();
        if mixed && self.rng.next_u64().is_multiple_of(3) {
            self.timestamps = !self.timestamps;
        }
        let ts_offset = self.ts_offset;
        self.ts_offset = match self.setup.timestamps {
            Stamps::Offsets => self.rng.next_u64() as u32,
            Stamps::Racing => ts_offset.wrapping_add(RACING_STEP),
            Stamps::Nat if self.rng.below(3) == 0 => {
                CLOCKS[self.rng.next_u64() as usize % CLOCKS.len()]
            }
            _ => ts_offset,
        };
        self.stack.app_mut().allowed_at = None;
        let before_syn = self.count("tw_recycled");
        let syn = self.header(isn, Flags::SYN);
        let answer = self.send(syn, b"");
        let Some(syn_ack) = answer.iter().find(|s| s.has(Flags::SYN | Flags::ACK)) else {
            // It was refused, and is of no incarnation.
            self.held.pop_back();
            self.ts_offset = ts_offset;
            self.tally.refused += 1;
            self.wait();
            return Ok(());
        };
        let advance = isn.offset_from(self.snd_nxt);
        self.tally.wraps += f64::from(advance) / 2f64.powi(32);
        self.rcv_nxt = syn_ack.header.seq + 1;
        self.tally.incarnations += 1;
        self.reread(2, isn + 1)?;
        // SYN-RECEIVED: nothing old opens it.
        self.replay(2)?;
        let mut before = self.stack.app().received.len();
        let first = self.header(isn + 1, Flags::ACK);
        self.send(first, b"a");
        self.established = self.now;
        self.replay(3)?;
        let mut seq = isn + 2;
        if self.setup.rests && self.rng.below(32) == 0 {
            // It lasts, and now and then it has something to say.
            for _ in 0..1 + self.rng.below(4) {
                self.now += self.rng.below(2 * MSL_NS) >> self.rng.below(4);
                self.replay(2)?;
                for _ in 0..1 + self.rng.below(3) {
                    // Sooner than the one before is acknowledged.
                    self.now += self.rng.below(15_000_000);
                    before = self.stack.app().received.len();
                    self.send(self.header(seq, Flags::ACK), b"a");
                    seq += 1;
                }
                self.reread(2, seq)?;
            }
        }
        let recycles = self.count("tw_recycled") > before_syn;
        let end = if self.setup.ends && recycles {
            ENDS[self.rng.next_u64() as usize % ENDS.len()]
        } else {
            End::Closed
        };
        if end != End::Closed {
            self.tally.ends[end as usize - 1] += 1;
        }
        self.end(end, seq, before)
    }

    /// What is a whole MSL old is not under way any more.
    pub(super) fn time_passes(&mut self) {
        while self.held.front().is_some_and(|h| h.at + MSL_NS <= self.now) {
            self.held.pop_front();
            self.old = self.old.saturating_sub(1);
        }
        let gone = |a: &Answer| a.at + MSL_NS <= self.now;
        while self.answers.front().is_some_and(gone) {
            self.answers.pop_front();
            self.old_answers = self.old_answers.saturating_sub(1);
        }
        if self.now >= self.learnt + MSL_NS {
            self.learn();
        }
    }

    /// A connection on which so much text comes, up to the next 30,000.
    pub(crate) fn long_incarnation(&mut self, octets: u64) {
        static TEXT: [u8; 30_000] = [b'x'; 30_000];
        let isn = self.choose();
        let answer = self.send(self.header(isn, Flags::SYN), b"");
        self.rcv_nxt = answer[0].header.seq + 1;
        let mut seq = isn + 1;
        for _ in 0..octets.div_ceil(TEXT.len() as u64) {
            let header = self.header(seq, Flags::ACK);
            self.deliver(frame(&header, &TEXT));
            let received = &mut self.stack.app_mut().received;
            assert_eq!(received.len(), TEXT.len());
            received.clear();
            seq += TEXT.len() as u32;
        }
        let answer = self.send(self.header(seq, Flags::ACK | Flags::PSH), b".");
        let fin = answer.iter().find(|s| s.has(Flags::FIN)).expect("a FIN");
        self.rcv_nxt = fin.header.seq + fin.seg_len();
        self.send(self.header(seq + 1, Flags::FIN | Flags::ACK), b"");
        self.snd_nxt = seq + 2;
        assert_eq!(self.state().time_wait, 1);
    }

    /// The time passes.
    pub(crate) fn wait_ns(&mut self, ns: u64) {
        self.now += ns;
        self.learn();
    }

    /// What a SYN that goes on with the next number meets, with a newer timestamp or none: `None` if it is accepted.
    pub(crate) fn refusal(&mut self, timestamps: bool) -> Option<Incident> {
        self.timestamps = timestamps;
        self.now += 2_000_000;
        self.stack.app_mut().incident = None;
        let answer = self.deliver(frame(&self.header(self.snd_nxt, Flags::SYN), b""));
        let accepted = answer.iter().any(|s| s.has(Flags::SYN | Flags::ACK));
        let incident = self.stack.app_mut().incident;
        assert_eq!(accepted, incident.is_none());
        incident
    }

    fn choose(&mut self) -> Seq {
        let ahead = |model: &mut Model, most: u32| {
            let step = model.rng.below(u64::from(most)) as u32;
            model.snd_nxt + step
        };
        match self.setup.isn {
            Isn::Step(step) => self.snd_nxt + step,
            Isn::UpTo(most) => ahead(self, most),
            Isn::Random => Seq(self.rng.next_u64() as u32),
            Isn::Hostile(most) => {
                if self.held.is_empty() || self.rng.next_u64().is_multiple_of(2) {
                    return ahead(self, most);
                }
                let among = match self.rng.below(2) {
                    0 => self.held.len(),
                    _ => self.held.len().min(8),
                };
                let latest = self.held.len() - 1;
                let i = latest - self.rng.next_u64() as usize % among;
                let back = self.rng.next_u64() as u32 % 4;
                self.held[i].header.seq - back
            }
        }
    }

    /// After a refusal: until it is allowed, or not so long.
    fn wait(&mut self) {
        let allowed_at = self.stack.app().allowed_at;
        match allowed_at {
            // Until its age is in doubt by enough.
            _ if self.setup.timestamps == Stamps::Racing => self.now += 1_000_000,
            Some(at) if self.rng.next_u64().is_multiple_of(4) => {
                self.now = self.now.max(at.as_nanos());
            }
            _ => self.now += self.rng.next_u64() % (MSL_NS / 100),
        }
    }

    /// Lets segments of earlier incarnations arrive: the oldest ones, or any.
    pub(super) fn replay(&mut self, count: usize) -> Checked {
        self.time_passes();
        for _ in 0..count.min(self.old) {
            let among = if self.rng.next_u64().is_multiple_of(4) {
                self.old.min(64)
            } else {
                self.old
            };
            let i = self.rng.next_u64() as usize % among;
            let Held { header, text, .. } = self.held[i];
            let before = self.state();
            self.deliver(frame(&header, text));
            self.tally.replayed += 1;
            let after = self.state();
            if before != after {
                let what = if after.opened > before.opened {
                    "an old SYN was accepted"
                } else if after.received > before.received {
                    "an old octet was accepted"
                } else {
                    "an old segment changed the connection"
                };
                let what = format!("{what} ({before:?}, {after:?})");
                return Err(self.violation(&what, &header));
            }
        }
        Ok(())
    }

    pub(super) fn state(&mut self) -> State {
        let now = Instant::from_nanos(self.now);
        let numbers = self.stack.with_app(now, |app, cx| {
            let info = cx.info(app.conn?)?;
            Some((info.rcv_nxt, info.snd_una, info.snd_wnd, info.state))
        });
        let counters = self.stack.counters();
        let usage = self.stack.usage();
        State {
            opened: counters.host.passive_opens,
            established: counters.host.established,
            received: self.stack.app().received.len(),
            numbers,
            time_wait: usage.time_wait,
            live: usage.live,
            // Timeouts count when the sweep comes by.
            closed: counters.host.closed - counters.tcp.fin_wait2_timeouts,
        }
    }

    /// The sum of the server's counters whose names begin so.
    pub(super) fn count(&self, name: &str) -> u64 {
        let mut sum = 0;
        self.stack.counters().for_each(|counter, _, value| {
            if counter.starts_with(name) {
                sum += value;
            }
        });
        sum
    }

    pub(super) fn violation(&self, what: &str, segment: &Header) -> String {
        let incarnations = self.tally.incarnations;
        format!("{what} after {incarnations} incarnations: {segment:?}")
    }
}

pub(crate) fn frame(header: &Header, text: &[u8]) -> Vec<u8> {
    let to = craft::Addresses {
        src_mac: CLIENT.1,
        dst_mac: SERVER.1,
        src: CLIENT.0,
        dst: SERVER.0,
    };
    craft::tcp(&to, header, text)
}
