//! Receive memory that others hold: what is dropped, what the peer is told, and how it goes on.

use tcp::Memory;
use wire::Seq;

use crate::host::*;

const CHUNK: u32 = 2048;

/// A connection that reads nothing and holds `chunks` chunks.
fn greedy(memory: &mut Memory, chunks: u32) -> Host {
    let mut other = Script::established(bare());
    other.host.reading = false;
    core::mem::swap(&mut other.host.core.rcv_memory, memory);
    for i in 0..i64::from(2 * chunks) {
        other.arrive(ACK, 1 + 1024 * i, 1, &[1; 1024]);
        other.out();
    }
    core::mem::swap(&mut other.host.core.rcv_memory, memory);
    other.host
}

/// Connections that read nothing, of which the first holds much; to be released.
struct Others(Vec<Host>);

impl Others {
    fn new(memory: &mut Memory, chunks: u32) -> Others {
        let first = chunks.min(memory.chunks() - memory.reserve());
        let mut hosts = vec![greedy(memory, first)];
        hosts.extend((first..chunks).map(|_| greedy(memory, 1)));
        assert_eq!(memory.in_use(), chunks);
        Others(hosts)
    }

    fn release(self, memory: &mut Memory) {
        for mut host in self.0 {
            host.conn.release(memory, &mut host.core.snd_memory);
        }
    }
}

/// With 16 chunks of memory, of which others hold `held`.
fn with_others(held: u32) -> (Script, Others) {
    let mut memory = Memory::new(16, CHUNK);
    let others = Others::new(&mut memory, held);
    let mut s = Script::established(bare());
    s.host.core.rcv_memory = memory;
    s.host.reading = false;
    (s, others)
}

fn window(s: &mut Script) -> u16 {
    let out = s.out();
    assert_eq!(out.len(), 1, "{out:?}");
    out[0].header.window
}

#[test]
fn without_memory_the_peer_is_told_to_wait() {
    let (mut s, others) = with_others(13);
    s.arrive(ACK, 1, 1, &[7; 5000]);
    // One chunk, before those that are kept for who holds little.
    let out = s.out();
    assert_eq!(s.show(&out), ["ACK 1:1 ack 2049"]);
    assert_eq!(out[0].header.window, 0);
    let count = s.host.core.counters;
    assert_eq!(
        (count.text_dropped_memory, count.windows_closed_memory),
        (1, 1)
    );
    assert!(s.host.conn.waits_for_memory());
    // What is sent again is dropped again, and answered.
    s.arrive(ACK, 2049, 1, &[7; 3000]);
    assert_eq!(window(&mut s), 0);
    assert_eq!(s.host.core.counters.windows_closed_memory, 1);
    // Others are done: the window opens, and its edge is where it was.
    others.release(&mut s.host.core.rcv_memory);
    let bytes = s
        .host
        .conn
        .memory_is_back(&s.host.core.config, &s.host.core.rcv_memory);
    assert_eq!(window(&mut s), 65_535 - 2048);
    assert_eq!(bytes, 65_535 - 2048);
    assert!(!s.host.conn.waits_for_memory());
    s.arrive(ACK, 2049, 1, &[7; 3000]);
    s.expect(&["ACK 1:1 ack 5049"]);
    s.host.read_all();
    assert_eq!(s.host.read, [7; 5048]);
}

#[test]
fn who_reads_everything_needs_no_memory() {
    let (mut s, _others) = with_others(16);
    s.arrive(ACK, 1, 1, &[7; 1000]);
    assert_eq!(window(&mut s), 0);
    // The application takes what comes by the next probe.
    s.host.reading = true;
    s.arrive(ACK, 1, 1, &[7; 1]);
    assert_eq!(window(&mut s), 65_534);
    assert!(!s.host.conn.waits_for_memory());
    s.arrive(ACK, 2, 1, &[7; 5000]);
    s.expect(&["ACK 1:1 ack 5002"]);
    assert_eq!(s.host.read.len(), 5001);
}

#[test]
fn who_read_what_it_held_is_sent_more_at_once() {
    let (mut s, _others) = with_others(13);
    s.arrive(ACK, 1, 1, &[7; 5000]);
    assert_eq!(window(&mut s), 0);
    s.host.read_all();
    assert_eq!(window(&mut s), 65_535 - 2048);
}

#[test]
fn who_holds_little_finds_the_last_chunks() {
    let (mut s, _others) = with_others(14);
    s.arrive(ACK, 1, 1, &[7; 4097]);
    s.expect(&["ACK 1:1 ack 1"]);
    s.arrive(ACK, 1, 1, &[7; 4096]);
    s.expect(&["ACK 1:1 ack 4097"]);
    s.arrive(ACK, 4097, 1, b"x");
    s.expect(&["ACK 1:1 ack 4097"]);
}

#[test]
fn a_peer_that_filled_the_window_is_heard_while_text_is_missing() {
    let (mut s, _others) = with_others(13);
    s.send(&[1; 500]);
    s.out();
    // Nobody has sent that much yet.
    s.arrive(ACK, 65_536, 501, b"");
    assert_eq!(s.host.conn.unacknowledged(), 500);
    for seq in (1..65_536).step_by(1000) {
        s.arrive(ACK, seq, 1, &vec![7; 1000.min(65_536 - seq) as usize]);
        s.out();
    }
    s.arrive(ACK, 65_536, 501, b"");
    assert_eq!(s.host.conn.unacknowledged(), 0);
    s.arrive(ACK, 65_537, 501, b"");
    assert_eq!(s.host.core.counters.unacceptable_segments, 2);
}

/// A connection that is promised no more than 4,000 bytes, as it is after much that was read.
fn used_up(s: &mut Script) {
    s.host.reading = true;
    for i in 0..61 {
        s.arrive(ACK, 1 + 1000 * i, 1, &[7; 1000]);
        s.out();
    }
    s.arrive(ACK, 61_001, 1, &[7; 535]);
    s.host.reading = false;
    assert_eq!(window(s), 4000);
}

const USED_UP: i64 = 61_536;

#[test]
fn while_memory_is_scarce_a_window_shrinks_from_the_left() {
    let (mut s, others) = with_others(12);
    used_up(&mut s);
    let mut left = 4000;
    for i in 0..3 {
        s.arrive(ACK, USED_UP + 1000 * i, 1, &[7; 1000]);
        left -= 1000;
        assert_eq!(window(&mut s), left);
        assert!(!s.host.conn.waits_for_memory());
    }
    s.arrive(ACK, USED_UP + 3000, 1, &[7; 1000]);
    assert_eq!(window(&mut s), 0);
    assert!(s.host.conn.waits_for_memory());
    // It holds its share: there is nothing to tell.
    let Core {
        config, rcv_memory, ..
    } = &s.host.core;
    assert_eq!(s.host.conn.memory_is_back(config, rcv_memory), 0);
    assert!(s.host.conn.waits_for_memory());
    s.expect(&[]);
    others.release(&mut s.host.core.rcv_memory);
    let Core {
        config, rcv_memory, ..
    } = &s.host.core;
    // Of 16 chunks it holds two, and two are kept.
    let share = 12 * 2048 + 4000;
    assert_eq!(s.host.conn.memory_is_back(config, rcv_memory), share - 4000);
    assert!(!s.host.conn.waits_for_memory());
    assert_eq!(u32::from(window(&mut s)), share - 4000);
    assert_eq!(s.host.core.counters.text_dropped_memory, 0);
}

#[test]
fn while_memory_is_scarce_who_waits_for_a_whole_request_gets_it() {
    let (mut s, _others) = with_others(12);
    used_up(&mut s);
    for i in 0..4 {
        s.arrive(ACK, USED_UP + 1000 * i, 1, &[7; 1000]);
        s.out();
    }
    // The requests before the last are read.
    s.host.conn.consume(&mut s.host.core.env(), 2500);
    assert_eq!(window(&mut s), 4096 - 1500);
}

#[test]
fn a_share_is_the_less_the_more_there_are() {
    let mut memory = Memory::new(16, CHUNK);
    let mut share = |users| {
        memory.set_users(users);
        let mut host = Host::connect(bare(), Seq(ISS));
        core::mem::swap(&mut host.core.rcv_memory, &mut memory);
        let window = host.transmit()[0].header.window;
        core::mem::swap(&mut host.core.rcv_memory, &mut memory);
        window
    };
    let all = 14 * 2048;
    assert_eq!([1, 2, 4].map(&mut share), [all, all / 2, all / 4]);
    // Four segments are promised in any case.
    assert_eq!([8, 1000].map(&mut share), [4000, 4000]);
}

#[test]
fn while_memory_is_scarce_a_syn_promises_four_segments() {
    let mut memory = Memory::new(16, CHUNK);
    let others = Others::new(&mut memory, 13);
    let mut host = Host::connect(bare(), Seq(ISS));
    core::mem::swap(&mut host.core.rcv_memory, &mut memory);
    assert_eq!(host.transmit()[0].header.window, 4_000);
    others.release(&mut host.core.rcv_memory);
    host.timer();
    assert_eq!(host.transmit()[0].header.window, 14 * 2048);
}
