//! A peer that sends anything, and an application that does anything: nothing panics, and what
//! must always hold holds.

use proptest::prelude::*;
use tcp::{Config, Memory, State};
use wire::Seq;
use wire::tcp::{Flags, Header, Options, Timestamps};

use crate::host::*;

#[derive(Clone, Debug)]
enum Step {
    /// A segment near the edges of what is expected.
    Arrive {
        flags: u8,
        seq: i32,
        ack: i32,
        len: usize,
        window: u16,
        ts: Option<i32>,
        /// Blocks of SACK: where from SND.UNA, and how long.
        sack: Vec<(i32, u32)>,
    },
    Send(usize),
    Read(bool),
    Close,
    Shutdown,
    Abort,
    Mss(u16),
    Wait(u64),
    Timer,
    Transmit,
}

fn near() -> impl Strategy<Value = i32> {
    prop_oneof![
        6 => -3i32..4,
        2 => -3000i32..3000,
        1 => 60_000i32..70_000,
        1 => any::<i32>(),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let flags = prop_oneof![
        8 => Just(0x10u8),
        3 => Just(0x11),
        1 => Just(0x02),
        1 => Just(0x12),
        1 => any::<u8>(),
    ];
    let len = prop_oneof![4 => Just(0usize), 2 => 1usize..20, 1 => 1000usize..2000];
    let window = prop_oneof![2 => Just(60_000u16), 2 => Just(0), 1 => any::<u16>()];
    let ts = prop_oneof![1 => Just(None), 6 => (-2i32..5).prop_map(Some), 1 => any::<i32>().prop_map(Some)];
    let block = (
        prop_oneof![4 => 0i32..5000, 1 => near()],
        prop_oneof![1u32..2000, any::<u32>()],
    );
    let sack = prop_oneof![
        2 => Just(vec![]),
        1 => proptest::collection::vec(block, 1..5),
    ];
    prop_oneof![
        12 => (flags, near(), near(), len, window, ts, sack).prop_map(
            |(flags, seq, ack, len, window, ts, sack)| {
                Step::Arrive { flags, seq, ack, len, window, ts, sack }
            }
        ),
        4 => (1usize..5000).prop_map(Step::Send),
        1 => any::<bool>().prop_map(Step::Read),
        1 => prop_oneof![4 => Just(Step::Shutdown), 3 => Just(Step::Close), 1 => Just(Step::Abort)],
        1 => any::<u16>().prop_map(Step::Mss),
        2 => (0u64..10_000).prop_map(Step::Wait),
        3 => Just(Step::Timer),
        6 => Just(Step::Transmit),
    ]
}

#[derive(Clone, Copy, Debug)]
enum Start {
    SynSent,
    SynReceived,
    Established,
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]
    #[test]
    fn nothing_breaks(
        start in prop_oneof![Just(Start::SynSent), Just(Start::SynReceived), Just(Start::Established)],
        steps in proptest::collection::vec(step(), 1..120),
        (timestamps, window_scaling, linger_zero) in (any::<bool>(), any::<bool>(), prop::bool::weighted(0.1)),
        keepalive in any::<bool>(),
        rcv_buf in prop_oneof![Just(1u32), Just(3000), Just(65_535), Just(1 << 18)],
        chunks in prop_oneof![Just(4u32), Just(512)],
        (iss, irs) in (any::<u32>(), any::<u32>()),
    ) {
        let config = Config {
            timestamps,
            window_scaling,
            linger_zero,
            rcv_buf,
            user_timeout_ms: 30_000,
            keepalive: keepalive
                .then_some(tcp::Keepalive { idle_ms: 5000, interval_ms: 1000, count: 2 }),
            ..Config::default()
        };
        run(start, steps, config, chunks, Seq(iss), Seq(irs))?;
    }
}

fn syn(irs: Seq, flags: Flags, ack: Seq) -> Seg {
    Seg {
        header: Header {
            seq: irs,
            ack,
            flags,
            window: 30_000,
            options: Options {
                mss: Some(1200),
                window_scale: Some(3),
                timestamps: Some(Timestamps { val: 7, ecr: 0 }),
                sack_permitted: true,
                sack: 0,
            },
            ..Header::default()
        },
        payload: vec![],
        sack: vec![],
    }
}

fn run(
    start: Start,
    steps: Vec<Step>,
    config: Config,
    chunks: u32,
    iss: Seq,
    irs: Seq,
) -> Result<(), TestCaseError> {
    let mut host = match start {
        Start::SynReceived => Host::accept(config, iss, &syn(irs, SYN, Seq(0))),
        _ => Host::connect(config, iss),
    };
    host.core.rcv_memory = Memory::new(chunks, 256);
    host.core.snd_memory = Memory::new(chunks, 256);
    host.transmit();
    if let Start::Established = start {
        host.receive(&syn(irs, SYN | ACK, iss + 1));
        prop_assert_eq!(host.conn.state(), State::Established);
    }
    let mut edge = None;
    let mut offered = 30_000;
    for step in steps {
        let before = host.conn.info();
        if let Step::Arrive { window, .. } = step {
            offered = offered.max(u32::from(window) << before.window_shifts.0);
        }
        let transmits = matches!(step, Step::Transmit);
        apply(&mut host, step, &mut edge, offered)?;
        let after = host.conn.info();
        if before.state == State::Closed {
            prop_assert_eq!(after.state, State::Closed);
        }
        if before.state.is_synchronized() {
            prop_assert!(after.snd_una.ge(before.snd_una));
            prop_assert!(after.rcv_nxt.ge(before.rcv_nxt));
        }
        prop_assert!(after.snd_una.le(after.snd_nxt));
        prop_assert!(
            after.receive_queue <= host.core.config.rcv_buf + (1 << after.window_shifts.1)
        );
        prop_assert!(after.send_queue <= host.core.config.snd_buf);
        prop_assert!(
            !after.state.is_synchronized() || after.cwnd >= u32::from(after.snd_mss.min(52))
        );
        let ended = matches!(after.state, State::Closed | State::TimeWait);
        prop_assert_eq!(after.close_reason.is_some(), ended);
        if ended {
            prop_assert_eq!(host.conn.deadline(), None);
        } else if after.snd_una != after.snd_nxt {
            // What was sent is sent again if nothing comes.
            let sends = !transmits && host.conn.wants_transmit();
            prop_assert!(host.conn.deadline().is_some() || sends);
        }
    }
    host.conn.abort();
    host.release();
    Ok(())
}

/// `offered` is the largest window of the peer so far.
fn apply(
    host: &mut Host,
    step: Step,
    edge: &mut Option<Seq>,
    offered: u32,
) -> Result<(), TestCaseError> {
    match step {
        Step::Arrive {
            flags,
            seq,
            ack,
            len,
            window,
            ts,
            sack,
        } => {
            let info = host.conn.info();
            let recent = host.conn.time_wait().ts_recent.unwrap_or(0);
            let seg = Seg {
                header: Header {
                    seq: Seq(info.rcv_nxt.0.wrapping_add(seq as u32)),
                    ack: Seq(info.snd_nxt.0.wrapping_add(ack as u32)),
                    flags: Flags::from_bits(flags),
                    window,
                    options: Options {
                        timestamps: ts.map(|d| Timestamps {
                            val: recent.wrapping_add(d as u32),
                            ecr: 1,
                        }),
                        ..Options::NONE
                    },
                    ..Header::default()
                },
                payload: vec![0x55; len],
                sack: sack
                    .into_iter()
                    .map(|(at, len)| {
                        let left = info.snd_una + at as u32;
                        (left, left + len)
                    })
                    .collect(),
            };
            let (_, reset) = host.receive(&seg);
            if seg.header.flags.contains(RST) {
                prop_assert_eq!(reset, None, "a RST is never answered by one");
            }
        }
        Step::Send(n) => {
            host.send(&vec![1; n]);
        }
        Step::Read(reading) => {
            host.reading = reading;
            if reading {
                host.read_all();
            }
        }
        Step::Close => host.conn.close(),
        Step::Shutdown => host.conn.shutdown_write(),
        Step::Abort => host.conn.abort(),
        Step::Mss(mss) => {
            host.conn.reduce_mss(mss);
        }
        Step::Wait(ms) => host.advance_ms(ms),
        Step::Timer => {
            if host.conn.deadline().is_some() {
                host.timer();
            }
        }
        Step::Transmit => {
            let (shift, una) = (host.conn.info().window_shifts.1, host.conn.snd_una());
            for seg in host.transmit() {
                let h = &seg.header;
                if h.flags.intersects(SYN | RST) {
                    continue;
                }
                // The byte that probes a closed window, and the FIN, may go beyond.
                let fin = u32::from(h.flags.contains(FIN));
                let end = h.seq + seg.payload.len() as u32 + fin;
                prop_assert!(end.le(una + offered + 2), "sent beyond the window");
                if h.window == 0 && host.conn.waits_for_memory() {
                    continue;
                }
                let right = h.ack + (u32::from(h.window) << shift);
                if let Some(edge) = *edge {
                    // A scaled window is told in units of 2^shift bytes (RFC 7323 2.4), and a FIN may
                    // be taken beyond a closed one: so far it may move.
                    let rounding = 1 << shift;
                    prop_assert!((right + rounding).ge(edge), "the right edge moved left");
                }
                *edge = Some(right);
            }
        }
    }
    Ok(())
}
