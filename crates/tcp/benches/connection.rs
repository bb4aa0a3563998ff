//! What a connection costs: the six segments of a short one, a segment of a long one, a poll for
//! nothing.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tcp::time::Instant;
use tcp::{
    ChallengeLimit, Config, Connection, Counters, Env, Memory, Outcome, Segment, State, Transmit,
};
use wire::Seq;
use wire::tcp::Header;

struct Core {
    config: Config,
    rcv_memory: Memory,
    snd_memory: Memory,
    challenge: ChallengeLimit,
    counters: Counters,
    now: Instant,
}

impl Core {
    fn new() -> Core {
        Core {
            config: Config {
                rcv_buf: 1 << 20,
                snd_buf: 1 << 20,
                ..Config::default()
            },
            rcv_memory: Memory::new(1024, 2048),
            snd_memory: Memory::new(1024, 2048),
            challenge: ChallengeLimit::new(1000, 1),
            counters: Counters::default(),
            now: Instant::from_millis(1000),
        }
    }

    fn env(&mut self) -> Env<'_> {
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

/// The text lands in `frame`, as it would in the frame to be sent.
fn poll(core: &mut Core, c: &mut Connection, frame: &mut [u8]) -> Option<(Header, usize)> {
    let Transmit {
        header,
        offset,
        len,
    } = c.poll_transmit(&mut core.env())?;
    let len = usize::from(len);
    c.copy_payload(&core.snd_memory, offset, &mut frame[..len]);
    Some((header, len))
}

fn arrive(core: &mut Core, c: &mut Connection, header: &Header, payload: &[u8]) -> Outcome {
    let seg = Segment {
        header,
        payload,
        sack: &[],
    };
    let mut env = core.env();
    let out = c.on_segment(&mut env, &seg);
    if !out.text.is_empty() {
        c.commit_text(&mut env, out.text.len(), &[]);
    }
    out
}

fn pass(core: &mut Core, from: &mut Connection, to: &mut Connection, frame: &mut [u8]) -> u32 {
    let mut n = 0;
    while let Some((header, len)) = poll(core, from, frame) {
        arrive(core, to, &header, &frame[..len]);
        n += 1;
    }
    n
}

fn open(core: &mut Core, frame: &mut [u8]) -> (Connection, Connection) {
    let mut client = Connection::connect(&core.config, core.now, Seq(1), 5);
    let (syn, _) = poll(core, &mut client, frame).expect("a SYN");
    let seg = Segment {
        header: &syn,
        payload: &[],
        sack: &[],
    };
    let mut server = Connection::accept(&mut core.env(), &seg, Seq(7), 6);
    pass(core, &mut server, &mut client, frame);
    (client, server)
}

/// Open, one byte each way, close by the server; returns the segments.
fn short(core: &mut Core, frame: &mut [u8]) -> u32 {
    let (mut client, mut server) = open(core, frame);
    client.send(&core.config, &mut core.snd_memory, b"q");
    let mut n = 2 + pass(core, &mut client, &mut server, frame);
    server.send(&core.config, &mut core.snd_memory, b"r");
    server.close();
    n += pass(core, &mut server, &mut client, frame);
    client.close();
    n += pass(core, &mut client, &mut server, frame);
    n += pass(core, &mut server, &mut client, frame);
    assert_eq!(server.state(), State::TimeWait);
    assert_eq!(client.state(), State::Closed);
    n
}

fn connection(criterion: &mut Criterion) {
    let mut core = Core::new();
    let mut frame = [0; 2048];
    assert_eq!(short(&mut core, &mut frame), 6);
    criterion.bench_function("short connection, both ends, six segments", |b| {
        b.iter(|| short(black_box(&mut core), &mut frame));
    });

    let (mut client, mut server) = open(&mut core, &mut frame);
    pass(&mut core, &mut client, &mut server, &mut frame);
    criterion.bench_function("request and response of one byte, both ends", |b| {
        b.iter(|| {
            client.send(&core.config, &mut core.snd_memory, b"q");
            pass(&mut core, &mut client, &mut server, &mut frame);
            server.send(&core.config, &mut core.snd_memory, b"r");
            pass(&mut core, &mut server, &mut client, &mut frame);
        });
    });

    criterion.bench_function("poll for nothing", |b| {
        b.iter(|| {
            black_box(&mut client)
                .poll_transmit(&mut core.env())
                .is_some()
        });
    });

    let mut group = criterion.benchmark_group("bulk");
    let block = vec![1; 64 << 10];
    group.throughput(Throughput::Bytes(block.len() as u64));
    group.bench_function("64 KiB one way with its acknowledgments", |b| {
        b.iter(|| {
            let mut sent = 0;
            while sent < block.len() || client.unacknowledged() > 0 {
                sent += client.send(&core.config, &mut core.snd_memory, &block[sent..]);
                pass(&mut core, &mut client, &mut server, &mut frame);
                pass(&mut core, &mut server, &mut client, &mut frame);
                if client.unacknowledged() > 0 {
                    core.now = core.now.plus_millis(40);
                    server.on_timer(&mut core.env());
                }
            }
        });
    });
    group.finish();
}

criterion_group!(benches, connection);
criterion_main!(benches);
