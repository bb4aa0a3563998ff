//! Text that does not come in order.

use tcp::{Events, Memory, State};

use crate::host::*;

#[test]
fn a_gap_is_filled() {
    let mut s = Script::established(bare());
    s.arrive(ACK, 4, 1, b"def");
    s.expect(&["ACK 1:1 ack 1"]);
    s.arrive(ACK, 7, 1, b"ghi");
    s.expect(&["ACK 1:1 ack 1"]);
    assert_eq!(s.arrive(ACK, 1, 1, b"abc"), Events::READABLE);
    assert_eq!(s.host.read, b"abcdefghi");
    s.expect(&["ACK 1:1 ack 10"]);
    s.host.release();
}

#[test]
fn each_segment_out_of_order_has_its_duplicate_acknowledgment() {
    let mut s = Script::established(bare());
    for i in 1..5 {
        s.arrive(ACK, 1 + i * 10, 1, &[0; 10]);
    }
    s.expect(&["ACK 1:1 ack 1"; 4]);
}

#[test]
fn overlaps_do_not_repeat_bytes() {
    let mut s = Script::established(bare());
    s.arrive(ACK, 3, 1, b"cdef");
    s.arrive(ACK, 5, 1, b"efgh");
    s.arrive(ACK, 1, 1, b"abcd");
    assert_eq!(s.host.read, b"abcdefgh");
    s.arrive(ACK, 1, 1, b"abcdefghij");
    assert_eq!(s.host.read, b"abcdefghij");
    assert_eq!(s.host.conn.readable(), 0);
    s.host.release();
}

#[test]
fn a_fin_waits_for_the_text_before_it() {
    let mut s = Script::established(bare());
    assert_eq!(s.arrive(FIN | ACK, 4, 1, b"def"), Events::empty());
    assert_eq!(s.state(), State::Established);
    s.expect(&["ACK 1:1 ack 1"]);
    let events = s.arrive(ACK, 1, 1, b"abc");
    assert_eq!(events, Events::READABLE | Events::PEER_CLOSED);
    assert_eq!(s.state(), State::CloseWait);
    assert_eq!(s.host.read, b"abcdef");
    s.expect(&["ACK 1:1 ack 8"]);
    s.host.release();
}

#[test]
fn a_fin_alone_out_of_order() {
    let mut s = Script::established(bare());
    s.arrive(FIN | ACK, 4, 1, b"");
    s.expect(&["ACK 1:1 ack 1"]);
    assert_eq!(s.arrive(ACK, 1, 1, b"abc"), Events::PEER_CLOSED);
    s.expect(&["ACK 1:1 ack 5"]);
}

#[test]
fn text_beyond_a_known_fin_is_not_believed() {
    let mut s = Script::established(bare());
    s.arrive(FIN | ACK, 4, 1, b"");
    s.arrive(ACK, 1, 1, b"abcdef");
    assert_eq!(s.host.read, b"abc");
    assert_eq!(s.state(), State::CloseWait);
}

#[test]
fn too_many_gaps_drop_the_newest() {
    let mut s = Script::established(bare());
    for i in 1..=8 {
        s.arrive(ACK, 1 + i * 20, 1, &[i as u8; 10]);
    }
    assert_eq!(s.host.core.counters.out_of_order_segments, 7);
    assert_eq!(s.host.core.counters.out_of_order_dropped_ranges, 1);
    assert_eq!(s.host.conn.info().out_of_order, 70);
    s.arrive(ACK, 1, 1, &[0; 200]);
    assert_eq!(s.host.read, [0; 200]);
    s.host.release();
}

#[test]
fn text_out_of_order_leaves_memory_for_what_is_in_order() {
    let mut s = Script::established(bare());
    s.host.core.rcv_memory = Memory::new(8, 64);
    s.arrive(ACK, 1 + 320, 1, &[1; 64]);
    assert_eq!(s.host.core.counters.out_of_order_segments, 1);
    s.arrive(ACK, 1 + 384, 1, &[1; 64]);
    assert_eq!(s.host.core.counters.out_of_order_dropped_memory, 1);
    assert_eq!(s.host.core.rcv_memory.free(), 2);
    s.host.release();
}

#[test]
fn small_segments_out_of_order_share_a_chunk() {
    let mut s = Script::established(bare());
    for i in 0..100 {
        s.arrive(ACK, 10 + i, 1, b"x");
    }
    assert_eq!(s.host.core.rcv_memory.in_use(), 1);
    s.host.release();
}

#[test]
fn text_beyond_the_window_is_cut() {
    let config = tcp::Config {
        rcv_buf: 100,
        ..bare()
    };
    let mut s = Script::established(config);
    s.host.reading = false;
    s.arrive(FIN | ACK, 1, 1, &[3; 150]);
    assert_eq!(s.host.conn.readable(), 100);
    assert_eq!(s.state(), State::Established, "the FIN was cut off too");
    let out = s.out();
    assert_eq!(out[0].header.window, 0);
    assert_eq!(s.host.core.counters.text_beyond_window, 1);
    s.host.release();
}

#[test]
fn gaps_while_the_application_does_not_read() {
    let mut s = Script::established(bare());
    s.host.reading = false;
    s.arrive(ACK, 1, 1, b"ab");
    s.arrive(ACK, 5, 1, b"ef");
    s.arrive(ACK, 3, 1, b"cd");
    assert_eq!(s.host.conn.readable(), 6);
    // Some of it is read while a new gap is open.
    s.arrive(ACK, 9, 1, b"ij");
    s.host.conn.consume(&mut s.host.core.env(), 4);
    s.host.reading = true;
    s.arrive(ACK, 7, 1, b"gh");
    assert_eq!(s.host.read, b"efghij");
    s.host.release();
}

#[test]
fn a_byte_at_the_far_edge_takes_the_memory_of_the_window_only_where_there_is_plenty() {
    // RFC 9293 SHLD-31.
    let mut s = Script::established(bare());
    s.arrive(ACK, 1 + 60_000, 1, b"x");
    s.expect(&["ACK 1:1 ack 1"]);
    assert_eq!(s.host.core.counters.out_of_order_segments, 1);
    s.host.release();

    // Another connection holds more than half of it.
    let mut s = Script::established(bare());
    let mut other = Script::established(bare());
    other.host.core.rcv_memory = Memory::new(120, 1024);
    other.host.reading = false;
    for i in 0..50 {
        other.arrive(ACK, 1 + 1300 * i, 1, &[1; 1300]);
    }
    std::mem::swap(&mut s.host.core.rcv_memory, &mut other.host.core.rcv_memory);
    let others = s.host.core.rcv_memory.in_use();
    assert!(others > 60);
    s.arrive(ACK, 1 + 18_000, 1, b"x");
    s.expect(&["ACK 1:1 ack 1"]);
    assert_eq!(s.host.core.counters.out_of_order_dropped_memory, 1);
    assert_eq!(s.host.core.rcv_memory.in_use(), others);
    // After much that was sent in earnest, the gap may be longer.
    for i in 0..12 {
        s.arrive(ACK, 1 + 700 * (i + 1), 1, &[1; 700]);
    }
    s.arrive(ACK, 1 + 18_000, 1, b"x");
    assert_eq!(s.host.core.counters.out_of_order_dropped_memory, 1);
    assert_eq!(s.host.core.counters.out_of_order_segments, 13);
}
