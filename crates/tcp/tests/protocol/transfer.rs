//! Two connections over a network that loses, duplicates and delays: whatever happens, every byte
//! arrives once and in order, and both ends come to an end.

use std::collections::BTreeMap;

use proptest::prelude::*;
use tcp::time::Instant;
use tcp::{CloseReason, Config, Events, State};
use wire::Seq;

use crate::host::*;

/// xorshift64*: the network's dice.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % sides
    }
}

/// In percent.
#[derive(Clone, Copy, Debug)]
struct Faults {
    loss: u64,
    duplication: u64,
    reordering: u64,
}

/// What one side's application does.
#[derive(Clone, Debug)]
struct Plan {
    /// Bytes to send before closing.
    len: usize,
    /// Bytes offered at a time.
    piece: usize,
    /// Sends only after having read this much.
    after: usize,
    /// Reads only now and then.
    slow: bool,
    /// Closes only after the peer has.
    waits: bool,
}

struct Side {
    host: Option<Host>,
    plan: Plan,
    sent: usize,
    closed: bool,
    in_time_wait: bool,
    ended: bool,
}

fn byte(i: usize) -> u8 {
    (i * 7 + i / 251) as u8
}

impl Side {
    fn application(&mut self, dice: &mut Dice) {
        let Some(host) = &mut self.host else { return };
        if self.plan.slow {
            host.reading = dice.roll(4) == 0;
        }
        if host.reading {
            host.read_all();
        }
        if host.read.len() < self.plan.after {
            return;
        }
        while self.sent < self.plan.len {
            let n = self.plan.piece.min(self.plan.len - self.sent);
            let bytes: Vec<u8> = (self.sent..self.sent + n).map(byte).collect();
            let taken = host.send(&bytes);
            self.sent += taken;
            if taken < n {
                return;
            }
        }
        let may_close = !self.plan.waits || host.events.contains(Events::PEER_CLOSED);
        if !self.closed && may_close && host.events.contains(Events::ESTABLISHED) {
            self.closed = true;
            // Half close: it goes on reading until the peer has closed.
            host.conn.shutdown_write();
        }
    }
}

struct Net {
    sides: [Side; 2],
    flying: BTreeMap<(Instant, u64), (usize, Seg)>,
    serial: u64,
    now: Instant,
    dice: Dice,
    faults: Faults,
    configs: [Config; 2],
    iss: [Seq; 2],
}

impl Net {
    fn new(
        seed: u64,
        faults: Faults,
        configs: [Config; 2],
        plans: [Plan; 2],
        iss: [u32; 2],
    ) -> Net {
        let [a, b] = plans.map(|plan| Side {
            host: None,
            plan,
            sent: 0,
            closed: false,
            in_time_wait: false,
            ended: false,
        });
        let mut net = Net {
            sides: [a, b],
            flying: BTreeMap::new(),
            serial: 0,
            now: Instant::from_millis(1_000_000),
            dice: Dice(seed | 1),
            faults,
            iss: iss.map(Seq),
            configs,
        };
        net.sides[0].host = Some(Host::connect(net.configs[0].clone(), net.iss[0]));
        net
    }

    fn throw(&mut self, to: usize, seg: Seg) {
        let copies = if self.dice.roll(100) < self.faults.duplication {
            2
        } else {
            1
        };
        for _ in 0..copies {
            if self.dice.roll(100) < self.faults.loss {
                continue;
            }
            let mut delay = 10_000;
            if self.dice.roll(100) < self.faults.reordering {
                delay += self.dice.roll(30_000);
            }
            self.serial += 1;
            let at = self.now.plus_micros(delay);
            self.flying.insert((at, self.serial), (to, seg.clone()));
        }
    }

    fn flush(&mut self, i: usize) {
        let Some(host) = &mut self.sides[i].host else {
            return;
        };
        host.core.now = self.now;
        for seg in host.transmit() {
            self.throw(1 - i, seg);
        }
        let side = &mut self.sides[i];
        let Some(host) = &mut side.host else { return };
        match host.conn.state() {
            State::TimeWait => side.in_time_wait = true,
            State::Closed => side.ended = true,
            _ => {}
        }
    }

    fn arrive(&mut self, to: usize, seg: &Seg) {
        let side = &mut self.sides[to];
        let Some(host) = &mut side.host else {
            if seg.header.flags == SYN {
                let mut host = Host::accept(self.configs[to].clone(), self.iss[to], seg);
                host.core.now = self.now;
                side.host = Some(host);
            }
            return;
        };
        host.core.now = self.now;
        let (_, reset) = host.receive(seg);
        if let Some(header) = reset {
            let seg = Seg {
                header,
                payload: vec![],
                sack: vec![],
            };
            self.throw(1 - to, seg);
        }
    }

    /// Runs until both have ended or are in TIME-WAIT.
    fn run(&mut self) {
        for _ in 0..200_000 {
            for i in 0..2 {
                let Net { sides, dice, .. } = self;
                sides[i].application(dice);
                self.flush(i);
            }
            let done = |s: &Side| {
                let unread = s.host.as_ref().is_some_and(|h| h.conn.readable() > 0);
                (s.ended || s.in_time_wait) && !unread
            };
            if self.sides.iter().all(done) {
                return;
            }
            let timer = |s: &Side| s.host.as_ref().and_then(|h| h.conn.deadline());
            let arrival = self.flying.first_key_value().map(|((at, _), _)| *at);
            let next = [arrival, timer(&self.sides[0]), timer(&self.sides[1])]
                .into_iter()
                .flatten()
                .min();
            // A slow reader acts of its own, in its own time.
            let act = self.now.plus_millis(50);
            let slow = self.sides.iter().any(|s| s.plan.slow && !done(s));
            self.now = match next {
                Some(at) if slow => at.min(act).max(self.now),
                Some(at) => at.max(self.now),
                None if slow => act,
                None => panic!("deadlock: {:?}", self.describe()),
            };
            while let Some(entry) = self.flying.first_entry()
                && entry.key().0 <= self.now
            {
                let (to, seg) = entry.remove();
                self.arrive(to, &seg);
            }
            for side in &mut self.sides {
                if let Some(host) = &mut side.host
                    && host.conn.deadline().is_some_and(|at| at <= self.now)
                {
                    host.core.now = self.now;
                    host.events |= host.conn.on_timer(&mut host.core.env());
                }
            }
        }
        panic!("no end: {:?}", self.describe());
    }

    fn describe(&self) -> Vec<String> {
        self.sides
            .iter()
            .map(|s| match &s.host {
                Some(h) => format!("sent {} read {} {:?}", s.sent, h.read.len(), h.conn.info()),
                None => "none".into(),
            })
            .collect()
    }

    fn check(&mut self) {
        let read: Vec<usize> = self
            .sides
            .iter()
            .map(|s| s.host.as_ref().map_or(0, |h| h.read.len()))
            .collect();
        for (i, side) in self.sides.iter_mut().enumerate() {
            let Some(host) = &mut side.host else {
                panic!("never opened")
            };
            assert_eq!(side.sent, side.plan.len);
            assert!(host.read.iter().enumerate().all(|(i, &b)| b == byte(i)));
            let reason = host.conn.close_reason();
            assert_eq!(reason, Some(CloseReason::Normal), "side {i}");
            host.release();
        }
        assert_eq!(read, [self.sides[1].plan.len, self.sides[0].plan.len]);
    }
}

fn plan(len: usize) -> Plan {
    Plan {
        len,
        piece: 4096,
        after: 0,
        slow: false,
        waits: false,
    }
}

fn transfer(
    seed: u64,
    faults: Faults,
    configs: [Config; 2],
    plans: [Plan; 2],
    iss: [u32; 2],
) -> Net {
    let mut net = Net::new(seed, faults, configs, plans, iss);
    net.run();
    net.check();
    net
}

const PERFECT: Faults = Faults {
    loss: 0,
    duplication: 0,
    reordering: 0,
};

#[test]
fn a_megabyte_over_a_perfect_network() {
    let iss = [u32::MAX - 100_000, 7];
    let plans = [plan(1 << 20), plan(0)];
    let net = transfer(
        1,
        PERFECT,
        [Config::default(), Config::default()],
        plans,
        iss,
    );
    let counters = &net.sides[0].host.as_ref().unwrap().core.counters;
    assert_eq!(counters.retransmitted_segments, 0);
    assert_eq!(counters.duplicate_acks, 0);
}

#[test]
fn one_percent_loss_is_mostly_recovered_without_timeouts() {
    let faults = Faults { loss: 1, ..PERFECT };
    let plans = [plan(4 << 20), plan(0)];
    let net = transfer(
        9,
        faults,
        [Config::default(), Config::default()],
        plans,
        [1, 2],
    );
    let c = &net.sides[0].host.as_ref().unwrap().core.counters;
    assert!(c.fast_retransmits > 10, "{c:?}");
    assert!(c.retransmission_timeouts * 2 < c.fast_retransmits, "{c:?}");
}

#[test]
fn a_slow_reader_closes_and_opens_the_window() {
    let mut reader = plan(0);
    reader.slow = true;
    let small = Config {
        rcv_buf: 5000,
        ..Config::default()
    };
    let net = transfer(
        5,
        PERFECT,
        [Config::default(), small],
        [plan(200_000), reader],
        [1, 2],
    );
    let c = &net.sides[0].host.as_ref().unwrap().core.counters;
    assert_eq!(c.retransmission_timeouts, 0);
}

#[test]
fn both_directions_and_a_simultaneous_close() {
    for seed in 1..50 {
        let faults = Faults {
            loss: 10,
            duplication: 10,
            reordering: 30,
        };
        let plans = [plan(50_000), plan(50_000)];
        transfer(
            seed,
            faults,
            [Config::default(), Config::default()],
            plans,
            [1, 2],
        );
    }
}

fn config() -> impl Strategy<Value = Config> {
    (
        (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>()),
        prop_oneof![Just(100u16), Just(536), Just(1460)],
        prop_oneof![Just(1000u32), Just(10_000), Just(1 << 20)],
        prop_oneof![Just(500u32), Just(1 << 16)],
        prop_oneof![Just(0u16), Just(40)],
    )
        .prop_map(
            |((timestamps, sack, window_scaling, nodelay), mss, rcv_buf, snd_buf, delayed)| {
                Config {
                    timestamps,
                    sack,
                    window_scaling,
                    nodelay,
                    mss,
                    rcv_buf,
                    snd_buf,
                    delayed_ack_ms: delayed,
                    // Bad luck must not end a connection here: that is another test's subject.
                    data_retries: 255,
                    syn_retries: 255,
                    synack_retries: 255,
                    // Nor may it last for hours: where many acknowledgments are lost, echoed
                    // timestamps measure the waits as well.
                    rto_max_ms: 5_000,
                    ..Config::default()
                }
            },
        )
}

fn plans() -> impl Strategy<Value = Plan> {
    let len = prop_oneof![Just(0usize), Just(1), 2usize..3_000, 3_000usize..60_000];
    (len, 1usize..5_000, any::<bool>(), any::<bool>()).prop_map(|(len, piece, slow, waits)| Plan {
        len,
        piece,
        after: 0,
        slow,
        waits,
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]
    #[test]
    fn every_byte_once_and_in_order(
        seed in any::<u64>(),
        (loss, duplication, reordering) in (0u64..30, 0u64..30, 0u64..60),
        configs in [config(), config()],
        mut plans in [plans(), plans()],
        question in any::<bool>(),
        iss in [
            prop_oneof![any::<u32>(), u32::MAX - 5000..u32::MAX],
            prop_oneof![any::<u32>(), u32::MAX - 5000..u32::MAX],
        ],
    ) {
        // Both waiting for the other to close is a deadlock of applications.
        plans[0].waits &= !plans[1].waits;
        if question {
            plans[1].after = plans[0].len;
        }
        let faults = Faults { loss, duplication, reordering };
        transfer(seed, faults, configs, plans, iss);
    }
}

/// What TIME-WAIT has to know: 2^30 numbers of either space were used, and how long ago.
#[test]
fn a_space_that_has_moved_far_is_known_for_so_long() {
    const FAR: i64 = 1 << 30;
    const PIECE: i64 = 60_000;
    for own in [false, true] {
        let mut s = Script::established(bare());
        let text = vec![b'x'; PIECE as usize];
        let mut at = 1;
        let far = |s: &Script, ms| s.host.conn.has_moved_far(s.host.core.now, ms);
        while at < FAR {
            assert!(!far(&s, 86_400_000), "{at}");
            if !own {
                s.arrive(ACK, at, 1, &text);
                at += PIECE;
                s.out();
                s.host.read.clear();
                continue;
            }
            s.send(&text);
            let end = at + PIECE;
            while at < end {
                at += s.out().iter().map(|s| s.payload.len() as i64).sum::<i64>();
                s.arrive(ACK, 1, at, b"");
            }
        }
        let first = if own {
            s.host.conn.time_wait().iss
        } else {
            s.host.conn.time_wait().irs
        };
        assert_eq!(first, Seq(if own { ISS } else { IRS }) + (1 << 30));
        assert!(far(&s, 1));
        // To a tick of 8.6 s, and rather for too long.
        s.host.advance_ms(30_000);
        assert!(far(&s, 30_000));
        s.host.advance_ms(20_000);
        assert!(!far(&s, 30_000));
        assert!(far(&s, 50_000));
        // The clock of eight bits comes round: of so long a time it cannot tell.
        assert!(far(&s, 2_000_000));
        s.host.advance_ms(1_000_000);
        assert!(!far(&s, 900_000));
    }
}
