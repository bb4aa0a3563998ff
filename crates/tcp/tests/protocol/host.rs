//! One connection with everything it is lent, and a script that plays its peer.

use std::fmt;

use tcp::time::Instant;
use tcp::{
    ChallengeLimit, Config, Connection, Counters, Env, Events, Memory, Segment, State, Transmit,
};
use wire::Seq;
use wire::tcp::sack::{self, Block};
use wire::tcp::{Flags, Header, Options, Timestamps};

pub(crate) const FIN: Flags = Flags::FIN;
pub(crate) const SYN: Flags = Flags::SYN;
pub(crate) const RST: Flags = Flags::RST;
pub(crate) const PSH: Flags = Flags::PSH;
pub(crate) const ACK: Flags = Flags::ACK;

/// A segment on its way.
#[derive(Clone, PartialEq)]
pub(crate) struct Seg {
    pub(crate) header: Header,
    pub(crate) payload: Vec<u8>,
    /// The blocks of its SACK option.
    pub(crate) sack: Vec<Block>,
}

impl fmt::Debug for Seg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let h = &self.header;
        write!(
            f,
            "<{} seq={} len={} ack={} wnd={}>",
            h.flags,
            h.seq,
            self.payload.len(),
            h.ack,
            h.window
        )
    }
}

/// What the local application and its core lend to the connection.
pub(crate) struct Core {
    pub(crate) config: Config,
    pub(crate) rcv_memory: Memory,
    pub(crate) snd_memory: Memory,
    pub(crate) challenge: ChallengeLimit,
    pub(crate) counters: Counters,
    pub(crate) now: Instant,
}

impl Core {
    pub(crate) fn new(config: Config) -> Core {
        config.validate().unwrap();
        Core {
            config,
            rcv_memory: Memory::new(512, 2048),
            snd_memory: Memory::new(512, 2048),
            challenge: ChallengeLimit::new(1000, 1),
            counters: Counters::default(),
            now: Instant::from_millis(1_000_000),
        }
    }

    pub(crate) fn env(&mut self) -> Env<'_> {
        Env {
            now: self.now,
            ts_clock: self.now.as_millis() as u32,
            config: &self.config,
            rcv_memory: &mut self.rcv_memory,
            snd_memory: &mut self.snd_memory,
            challenge: &mut self.challenge,
            counters: &mut self.counters,
        }
    }
}

/// A connection and its core.
pub(crate) struct Host {
    pub(crate) core: Core,
    pub(crate) conn: Connection,
    /// Everything the application has read.
    pub(crate) read: Vec<u8>,
    /// All events so far.
    pub(crate) events: Events,
    /// Whether the application reads what it is shown.
    pub(crate) reading: bool,
}

impl Host {
    pub(crate) fn connect(config: Config, iss: Seq) -> Host {
        let core = Core::new(config);
        let conn = Connection::connect(&core.config, core.now, iss, 77);
        Host::new(core, conn)
    }

    pub(crate) fn accept(config: Config, iss: Seq, syn: &Seg) -> Host {
        let mut core = Core::new(config);
        let segment = Segment {
            header: &syn.header,
            payload: &syn.payload,
            sack: &[],
        };
        let conn = Connection::accept(&mut core.env(), &segment, iss, 99);
        Host::new(core, conn)
    }

    fn new(core: Core, conn: Connection) -> Host {
        Host {
            core,
            conn,
            read: Vec::new(),
            events: Events::empty(),
            reading: true,
        }
    }

    /// A segment arrives; returns what became true and the RST in answer, if any.
    pub(crate) fn receive(&mut self, seg: &Seg) -> (Events, Option<Header>) {
        let mut blocks = vec![0; seg.sack.len() * sack::BLOCK_LEN];
        sack::put(&mut blocks, &seg.sack);
        let segment = Segment {
            header: &seg.header,
            payload: &seg.payload,
            sack: &blocks,
        };
        let mut env = self.core.env();
        let out = self.conn.on_segment(&mut env, &segment);
        let reset = out.reset.then(|| tcp::closed::on_segment(&segment));
        let reset = reset.flatten();
        let mut events = out.events;
        if !out.text.is_empty() {
            let text = &seg.payload[out.text];
            let take = if self.reading && self.conn.readable() == 0 {
                text.len()
            } else {
                0
            };
            self.read.extend(&text[..take]);
            events |= self.conn.commit_text(&mut env, take, &text[take..]);
        }
        if self.reading {
            self.read_all();
        }
        self.events |= events;
        (events, reset)
    }

    pub(crate) fn read_all(&mut self) {
        while self.conn.readable() > 0 {
            let n = {
                let bytes = self.conn.peek(&self.core.rcv_memory);
                assert!(!bytes.is_empty());
                self.read.extend(bytes);
                bytes.len()
            };
            self.conn.consume(&mut self.core.env(), n);
        }
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) -> usize {
        self.conn
            .send(&self.core.config, &mut self.core.snd_memory, bytes)
    }

    /// Everything that is due to be sent.
    pub(crate) fn transmit(&mut self) -> Vec<Seg> {
        let mut out = Vec::new();
        while let Some(Transmit {
            header,
            offset,
            len,
        }) = self.conn.poll_transmit(&mut self.core.env())
        {
            let mut payload = vec![0xee; usize::from(len)];
            self.conn
                .copy_payload(&self.core.snd_memory, offset, &mut payload);
            let mut blocks = vec![0; usize::from(header.options.sack)];
            self.conn.copy_sacks(&mut blocks);
            let sack = sack::blocks(&blocks).collect();
            out.push(Seg {
                header,
                payload,
                sack,
            });
            assert!(out.len() < 10_000, "no end of output");
        }
        if matches!(self.conn.state(), State::Closed | State::TimeWait) {
            assert!(!self.conn.wants_transmit());
        }
        out
    }

    pub(crate) fn advance_ms(&mut self, ms: u64) {
        self.core.now = self.core.now.plus_millis(ms);
    }

    /// Lets time pass to the next deadline and serves it; returns how many ms passed.
    pub(crate) fn timer(&mut self) -> u64 {
        let at = self.conn.deadline().expect("a timer runs");
        let passed = at.since(self.core.now).as_millis() as u64;
        self.core.now = self.core.now.max(at);
        let events = self.conn.on_timer(&mut self.core.env());
        self.events |= events;
        passed
    }

    pub(crate) fn release(&mut self) {
        self.conn
            .release(&mut self.core.rcv_memory, &mut self.core.snd_memory);
        assert_eq!(self.core.rcv_memory.in_use(), 0);
        assert_eq!(self.core.snd_memory.in_use(), 0);
    }
}

/// Our side's and the scripted peer's initial sequence numbers.
pub(crate) const ISS: u32 = 5_000;
pub(crate) const IRS: u32 = 1_000;
pub(crate) const PEER_WND: u16 = 60_000;

/// A connection whose peer is played by the test. Sequence numbers of the script are relative to
/// the two initial numbers, so that the first byte has number 1.
pub(crate) struct Script {
    pub(crate) host: Host,
    /// The peer's window field.
    pub(crate) wnd: u16,
    /// The peer's timestamp clock, if it uses timestamps.
    pub(crate) ts: Option<u32>,
    pub(crate) iss: Seq,
}

/// No timestamps, no scaling, immediate acknowledgment: the barest TCP, for exact expectations.
pub(crate) fn bare() -> Config {
    Config {
        mss: 1000,
        timestamps: false,
        window_scaling: false,
        rcv_buf: 65_535,
        delayed_ack_ms: 0,
        nodelay: true,
        ..Config::default()
    }
}

impl Script {
    fn over(host: Host, iss: Seq) -> Script {
        Script {
            host,
            wnd: PEER_WND,
            ts: None,
            iss,
        }
    }

    /// SYN-SENT, the SYN sent.
    pub(crate) fn syn_sent(config: Config) -> Script {
        let mut s = Script::over(Host::connect(config, Seq(ISS)), Seq(ISS));
        let out = s.out();
        assert_eq!(s.show(&out), ["SYN 0:0"]);
        s
    }

    /// SYN-RECEIVED from a SYN with MSS 1000, the SYN-ACK sent.
    pub(crate) fn syn_received(config: Config) -> Script {
        Script::syn_received_from(config, Seq(ISS))
    }

    pub(crate) fn syn_received_from(config: Config, iss: Seq) -> Script {
        let syn = Seg {
            header: Header {
                seq: Seq(IRS),
                flags: SYN,
                window: PEER_WND,
                options: Options {
                    mss: Some(1000),
                    ..Options::NONE
                },
                ..Header::default()
            },
            payload: vec![],
            sack: vec![],
        };
        let mut s = Script::over(Host::accept(config, iss, &syn), iss);
        let out = s.out();
        assert_eq!(s.show(&out), ["SYN|ACK 0:0 ack 1"]);
        s
    }

    /// ESTABLISHED by passive open from a SYN that offers window scaling by 0.
    pub(crate) fn established_scaled(config: Config) -> Script {
        let options = Options {
            window_scale: Some(0),
            ..Options::NONE
        };
        Script::established_with(config, options)
    }

    /// ESTABLISHED by passive open from a SYN with MSS 1000 and `options`.
    pub(crate) fn established_with(config: Config, options: Options) -> Script {
        let syn = Seg {
            header: Header {
                seq: Seq(IRS),
                flags: SYN,
                window: PEER_WND,
                options: Options {
                    mss: Some(1000),
                    ..options
                },
                ..Header::default()
            },
            payload: vec![],
            sack: vec![],
        };
        let mut s = Script::over(Host::accept(config, Seq(ISS), &syn), Seq(ISS));
        s.out();
        assert_eq!(s.arrive(ACK, 1, 1, b""), Events::ESTABLISHED);
        s
    }

    /// ESTABLISHED by passive open.
    pub(crate) fn established(config: Config) -> Script {
        let mut s = Script::syn_received(config);
        let events = s.arrive(ACK, 1, 1, b"");
        assert_eq!(events, Events::ESTABLISHED);
        assert_eq!(s.state(), State::Established);
        s.expect(&[]);
        s
    }

    pub(crate) fn state(&self) -> State {
        self.host.conn.state()
    }

    pub(crate) fn segment(&self, flags: Flags, seq: i64, ack: i64, payload: &[u8]) -> Seg {
        Seg {
            header: Header {
                seq: Seq(IRS.wrapping_add(seq as u32)),
                ack: Seq(self.iss.0.wrapping_add(ack as u32)),
                flags,
                window: self.wnd,
                options: Options {
                    timestamps: self.ts.map(|val| Timestamps { val, ecr: 0 }),
                    ..Options::NONE
                },
                ..Header::default()
            },
            payload: payload.to_vec(),
            sack: vec![],
        }
    }

    /// A segment of the peer arrives. It is not answered by a RST of its own.
    pub(crate) fn arrive(&mut self, flags: Flags, seq: i64, ack: i64, payload: &[u8]) -> Events {
        let seg = self.segment(flags, seq, ack, payload);
        let (events, reset) = self.host.receive(&seg);
        assert_eq!(reset, None);
        events
    }

    /// The peer acknowledges up to `ack`, and tells of `blocks` beyond it.
    pub(crate) fn arrive_sack(&mut self, ack: i64, blocks: &[(u32, u32)]) {
        let mut seg = self.segment(ACK, 1, ack, b"");
        let blocks = blocks.iter();
        seg.sack = blocks
            .map(|&(left, right)| (self.iss + left, self.iss + right))
            .collect();
        self.host.receive(&seg);
    }

    /// A segment of the peer arrives and is answered by a RST of its own.
    pub(crate) fn arrive_reset(&mut self, flags: Flags, seq: i64, ack: i64) -> Header {
        let seg = self.segment(flags, seq, ack, b"");
        self.host.receive(&seg).1.expect("a RST")
    }

    pub(crate) fn out(&mut self) -> Vec<Seg> {
        self.host.transmit()
    }

    /// `FLAGS first:after ack N`, numbers relative; the SYN counts as no text.
    pub(crate) fn show(&self, segs: &[Seg]) -> Vec<String> {
        segs.iter()
            .map(|s| {
                let seq = s.header.seq.since(self.iss);
                let ack = if s.header.flags.contains(ACK) {
                    format!(" ack {}", s.header.ack.since(Seq(IRS)))
                } else {
                    String::new()
                };
                let end = seq + s.payload.len() as i32;
                format!("{} {}:{}{}", s.header.flags, seq, end, ack)
            })
            .collect()
    }

    /// Exactly these segments are due.
    #[track_caller]
    pub(crate) fn expect(&mut self, want: &[&str]) {
        let out = self.out();
        assert_eq!(self.show(&out), want);
    }

    #[track_caller]
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        assert_eq!(self.host.send(bytes), bytes.len());
    }
}
