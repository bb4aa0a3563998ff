//! Selective acknowledgment (RFC 2018), and recovery from losses by it (RFC 6675).

use tcp::{Config, Memory};
use wire::tcp::Options;

use crate::host::*;

const PERMITTED: Options = Options {
    sack_permitted: true,
    ..Options::NONE
};

fn established() -> Script {
    let s = Script::established_with(bare(), PERMITTED);
    assert!(s.host.conn.info().sack);
    s
}

/// Ten segments in flight, more queued.
fn in_flight() -> Script {
    let mut s = established();
    s.send(&[0; 30_000]);
    assert_eq!(s.out().len(), 10);
    s
}

/// What is due on `s` tells of these numbers of the peer's.
#[track_caller]
fn told(s: &mut Script, want: &[(u32, u32)]) {
    let out = s.out();
    assert_eq!(out.len(), 1, "{:?}", s.show(&out));
    let seen: Vec<(u32, u32)> = out[0]
        .sack
        .iter()
        .map(|(left, right)| (left.0.wrapping_sub(IRS), right.0.wrapping_sub(IRS)))
        .collect();
    assert_eq!(seen, want);
}

#[test]
fn it_is_offered_and_used_if_both_want_it() {
    let off = Config {
        sack: false,
        ..bare()
    };
    for (config, options, used) in [
        (bare(), PERMITTED, true),
        (bare(), Options::NONE, false),
        (off.clone(), PERMITTED, false),
    ] {
        let s = Script::established_with(config, options);
        assert_eq!(s.host.conn.info().sack, used);
    }
    for (config, offered) in [(bare(), true), (off, false)] {
        let mut host = Host::connect(config, wire::Seq(ISS));
        assert_eq!(host.transmit()[0].header.options.sack_permitted, offered);
    }
    // A SYN-ACK only answers.
    let mut s = Script::syn_received(bare());
    s.arrive(SYN, 0, 0, b"");
    assert!(!s.out()[0].header.options.sack_permitted);
}

#[test]
fn the_block_that_grew_last_comes_first() {
    let mut s = established();
    s.arrive(ACK, 101, 1, &[0; 100]);
    told(&mut s, &[(101, 201)]);
    s.arrive(ACK, 301, 1, &[0; 100]);
    told(&mut s, &[(301, 401), (101, 201)]);
    s.arrive(ACK, 501, 1, &[0; 100]);
    s.out();
    s.arrive(ACK, 701, 1, &[0; 100]);
    told(&mut s, &[(701, 801), (501, 601), (301, 401), (101, 201)]);
    // The five that there are do not fit: the one that grew longest ago waits.
    s.arrive(ACK, 901, 1, &[0; 100]);
    told(&mut s, &[(901, 1001), (701, 801), (501, 601), (301, 401)]);
    s.arrive(ACK, 201, 1, &[0; 50]);
    told(&mut s, &[(101, 251), (901, 1001), (701, 801), (501, 601)]);
    // The gap is filled.
    s.arrive(ACK, 1, 1, &[0; 100]);
    told(&mut s, &[(901, 1001), (701, 801), (501, 601), (301, 401)]);
    s.arrive(ACK, 251, 1, &[0; 700]);
    told(&mut s, &[]);
}

#[test]
fn with_timestamps_three_blocks_fit_and_text_leaves_what_it_leaves() {
    let config = Config {
        timestamps: true,
        ..bare()
    };
    let options = Options {
        timestamps: Some(wire::tcp::Timestamps { val: 7, ecr: 0 }),
        ..PERMITTED
    };
    let syn = Seg {
        header: wire::tcp::Header {
            seq: wire::Seq(IRS),
            flags: SYN,
            window: PEER_WND,
            options: Options {
                mss: Some(1000),
                ..options
            },
            ..Default::default()
        },
        payload: vec![],
        sack: vec![],
    };
    let mut host = Host::accept(config, wire::Seq(ISS), &syn);
    host.transmit();
    let seg = |seq: u32, len: usize| {
        let mut seg = syn.clone();
        seg.header.flags = ACK;
        seg.header.seq = wire::Seq(IRS + seq);
        seg.header.ack = wire::Seq(ISS + 1);
        seg.payload = vec![0; len];
        seg
    };
    host.receive(&seg(1, 0));
    for at in [101, 301, 501, 701] {
        host.receive(&seg(at, 100));
    }
    let out = host.transmit();
    assert!(
        out.iter()
            .all(|s| s.header.options.len() == 40 && s.sack.len() == 3)
    );
    // A full segment has no room for blocks, and a short one has.
    host.send(&[0; 1088]);
    let out = host.transmit();
    let seen: Vec<_> = out
        .iter()
        .map(|s| (s.payload.len(), s.sack.len()))
        .collect();
    assert_eq!(seen, [(988, 0), (100, 3)]);
}

#[test]
fn one_loss_is_repaired_and_half_of_the_window_goes_on() {
    let mut s = in_flight();
    s.arrive_sack(1, &[(1001, 2001)]);
    s.expect(&["ACK 10001:11001 ack 1"]);
    s.arrive_sack(1, &[(1001, 3001)]);
    s.expect(&["ACK 11001:12001 ack 1"]);
    s.arrive_sack(1, &[(1001, 4001)]);
    s.expect(&["ACK 1:1001 ack 1"]);
    let info = s.host.conn.info();
    assert!(info.in_recovery);
    assert_eq!((info.ssthresh, info.cwnd), (5000, 5000));
    for right in [5001, 6001, 7001, 8001] {
        s.arrive_sack(1, &[(1001, right)]);
        s.expect(&[]);
    }
    // Of 12000 in flight, 8000 have arrived and 1000 were sent again.
    s.arrive_sack(1, &[(1001, 9001)]);
    s.expect(&["ACK 12001:13001 ack 1"]);
    // Nothing new is told.
    s.arrive_sack(1, &[(1001, 9001)]);
    s.expect(&[]);
    s.arrive_sack(1, &[(1001, 10_001)]);
    s.expect(&["ACK 13001:14001 ack 1"]);
    s.arrive_sack(12_001, &[]);
    let info = s.host.conn.info();
    assert!(!info.in_recovery);
    assert_eq!(info.cwnd, 5000);
    assert_eq!(s.out().len(), 3);
    assert_eq!(s.host.core.counters.retransmitted_segments, 1);
}

#[test]
fn each_hole_is_repaired_once_it_is_known_to_be_one() {
    let mut s = in_flight();
    s.arrive_sack(1, &[(1001, 2001)]);
    s.arrive_sack(1, &[(1001, 3001)]);
    s.out();
    s.arrive_sack(1, &[(4001, 5001), (1001, 3001)]);
    s.expect(&["ACK 1:1001 ack 1"]);
    for right in [6001, 7001, 8001] {
        s.arrive_sack(1, &[(4001, right), (1001, 3001)]);
        s.expect(&[]);
    }
    s.arrive_sack(1, &[(4001, 9001), (1001, 3001)]);
    s.expect(&["ACK 3001:4001 ack 1"]);
    s.arrive_sack(1, &[(4001, 10_001), (1001, 3001)]);
    s.expect(&["ACK 12001:13001 ack 1"]);
    // The first has arrived: its acknowledgment is partial, and sends nothing again.
    s.arrive_sack(3001, &[(4001, 10_001)]);
    s.expect(&["ACK 13001:14001 ack 1"]);
    assert!(s.host.conn.info().in_recovery);
    s.arrive_sack(12_001, &[]);
    assert!(!s.host.conn.info().in_recovery);
    let c = &s.host.core.counters;
    assert_eq!((c.sack_recoveries, c.sack_retransmissions), (1, 2));
    assert_eq!(
        (c.retransmitted_segments, c.retransmission_timeouts),
        (2, 0)
    );
}

#[test]
fn more_than_two_segments_told_of_at_once_are_enough() {
    //= RFC 6675 5
    //# If DupAcks < DupThresh but IsLost (HighACK + 1) returns true -- indicating at least three
    //# segments have arrived above the current cumulative acknowledgment point
    let mut s = in_flight();
    s.arrive_sack(1, &[(1001, 4001)]);
    s.expect(&["ACK 1:1001 ack 1"]);
    assert!(s.host.conn.info().in_recovery);
}

#[test]
fn the_end_of_what_was_sent_is_rescued_once() {
    let mut s = established();
    s.send(&[0; 10_000]);
    assert_eq!(s.out().len(), 10);
    for right in [2001, 3001] {
        s.arrive_sack(1, &[(1001, right)]);
        s.expect(&[]);
    }
    s.arrive_sack(1, &[(1001, 4001)]);
    s.expect(&["ACK 1:1001 ack 1"]);
    for right in [5001, 6001] {
        s.arrive_sack(1, &[(1001, right)]);
        s.expect(&[]);
    }
    s.arrive_sack(1, &[(1001, 7001)]);
    s.expect(&["PSH|ACK 9001:10001 ack 1"]);
    s.arrive_sack(1, &[(1001, 9001)]);
    s.expect(&[]);
    s.arrive_sack(10_001, &[]);
    let c = &s.host.core.counters;
    assert_eq!((c.sack_rescues, c.retransmitted_segments), (1, 2));
    assert_eq!(s.host.conn.deadline(), None);
}

#[test]
fn text_before_a_fin_that_has_arrived_is_repaired() {
    let mut s = established();
    s.send(&[0; 3500]);
    s.host.conn.shutdown_write();
    assert_eq!(s.out().len(), 4);
    s.arrive_sack(1, &[(1001, 3001), (3501, 3502)]);
    s.expect(&["ACK 1:1001 ack 1"]);
    s.arrive_sack(3001, &[(3501, 3502)]);
    s.expect(&["PSH|ACK 3001:3501 ack 1"]);
    s.arrive_sack(3502, &[]);
    assert_eq!(s.state(), tcp::State::FinWait2);
}

#[test]
fn a_fin_is_rescued_with_the_text_before_it() {
    let mut s = established();
    s.send(&[0; 5500]);
    s.host.conn.shutdown_write();
    assert_eq!(s.out().len(), 6);
    for right in [2001, 3001] {
        s.arrive_sack(1, &[(1001, right)]);
        s.expect(&[]);
    }
    s.arrive_sack(1, &[(1001, 4001)]);
    s.expect(&["ACK 1:1001 ack 1"]);
    s.arrive_sack(1, &[(1001, 5001)]);
    s.expect(&["FIN|PSH|ACK 5001:5501 ack 1"]);
    s.arrive_sack(5502, &[]);
    assert_eq!(s.state(), tcp::State::FinWait2);
}

#[test]
fn after_a_timeout_nothing_is_believed_that_was_told_before() {
    //= RFC 2018 5
    //# After a retransmit timeout the data sender SHOULD turn off all of the
    //# SACKed bits, since the timeout might indicate that the data receiver
    //# has reneged.
    let mut s = in_flight();
    s.arrive_sack(1, &[(1001, 3001)]);
    s.out();
    s.host.timer();
    s.expect(&["ACK 1:1001 ack 1"]);
    // It has reneged: what it had it has no more.
    s.arrive(ACK, 1, 1001, b"");
    s.expect(&["ACK 1001:2001 ack 1", "ACK 2001:3001 ack 1"]);
}

#[test]
fn after_a_timeout_what_is_told_since_is_left_out() {
    let mut s = in_flight();
    s.host.timer();
    s.expect(&["ACK 1:1001 ack 1"]);
    s.arrive_sack(1001, &[(2001, 10_001)]);
    s.expect(&["ACK 1001:2001 ack 1"]);
    s.arrive_sack(10_001, &[]);
    let out = s.out();
    assert_eq!(s.show(&out)[0], "ACK 10001:11001 ack 1");
    assert_eq!(s.host.core.counters.retransmitted_segments, 2);
}

#[test]
fn blocks_that_cannot_be_are_ignored() {
    let ahead = 1u32 << 31;
    for block in [
        // Not sent; turned round; empty; a duplicate (RFC 2883); old; beyond half of the space.
        (9001, 10_002),
        (3001, 2001),
        (2001, 2001),
        (0, 1),
        (0, 3001),
        (ahead, ahead + 1000),
        (1001, ahead),
    ] {
        let mut s = in_flight();
        let held = s.host.core.snd_memory.in_use();
        s.arrive_sack(1, &[block]);
        assert_eq!(s.host.core.snd_memory.in_use(), held);
        assert_eq!(s.host.core.counters.sack_blocks_ignored, 1, "{block:?}");
    }
}

#[test]
fn without_memory_duplicates_are_counted() {
    let mut s = established();
    s.host.core.snd_memory = Memory::new(15, 2048);
    s.send(&[0; 30_000]);
    s.out();
    for right in [2001, 3001, 4001] {
        s.arrive_sack(1, &[(1001, right)]);
    }
    let out = s.out();
    assert!(s.show(&out).contains(&"ACK 1:1001 ack 1".to_string()));
    let c = &s.host.core.counters;
    assert_eq!(
        (c.fast_retransmits, c.sack_recoveries, c.sack_no_memory),
        (1, 0, 3)
    );
}

#[test]
fn what_was_noted_is_given_back() {
    let mut s = in_flight();
    let held = s.host.core.snd_memory.in_use();
    s.arrive_sack(1, &[(1001, 2001)]);
    assert_eq!(s.host.core.snd_memory.in_use(), held + 1);
    s.arrive_sack(2001, &[]);
    assert!(s.host.core.snd_memory.in_use() <= held);
    s.arrive_sack(2001, &[(3001, 4001)]);
    s.host.conn.abort();
    s.host.release();
}

#[test]
fn blocks_that_seem_to_lie_near_in_a_space_that_wraps_are_ignored() {
    // From SND.UNA and SND.NXT = SND.UNA + 10000 on.
    for (left, right) in [
        (20_000u32, 20_000 + 0x7fff_ffffu32),
        (0x7000_0000, 0xefff_ffff),
        (0x7fff_ffff, 0xffff_fffe),
        (0, 2000),
    ] {
        let mut s = in_flight();
        let held = s.host.core.snd_memory.in_use();
        for _ in 0..3 {
            s.arrive_sack(1, &[(1 + left, right.wrapping_add(1))]);
        }
        assert_eq!(s.host.core.snd_memory.in_use(), held);
        assert_eq!(s.host.core.counters.sack_blocks_ignored, 3, "{left}");
        s.expect(&[]);
        // And beside one that may be.
        s.arrive_sack(1, &[(1 + left, right.wrapping_add(1)), (1001, 4001)]);
        s.expect(&["ACK 1:1001 ack 1"]);
    }
}

#[test]
fn an_acknowledgment_of_new_data_that_tells_of_more_counts() {
    let mut s = in_flight();
    s.arrive_sack(1001, &[(2001, 3001)]);
    assert_eq!(s.host.core.counters.duplicate_acks, 1);
    s.out();
    s.arrive_sack(1001, &[(2001, 4001)]);
    s.out();
    s.arrive_sack(1001, &[(2001, 5001)]);
    s.expect(&["ACK 1001:2001 ack 1"]);
    assert!(s.host.conn.info().in_recovery);
    // One alone that tells of enough begins a recovery, too, and one that ends a recovery the next.
    let mut s = in_flight();
    s.arrive_sack(1001, &[(2001, 5001)]);
    let out = s.out();
    assert_eq!(s.show(&out)[0], "ACK 1001:2001 ack 1");
    assert!(s.host.conn.info().in_recovery);
}

#[test]
fn an_acknowledgment_that_tells_only_of_a_duplicate_is_none() {
    let mut s = in_flight();
    s.arrive_sack(2001, &[]);
    s.out();
    for _ in 0..4 {
        s.arrive_sack(2001, &[(1, 1001)]);
        s.expect(&[]);
    }
    assert_eq!(s.host.core.counters.duplicate_acks, 0);
    assert!(!s.host.conn.info().in_recovery);
}

#[test]
fn what_is_written_in_a_recovery_is_sent_as_far_as_cwnd_allows() {
    let mut s = established();
    s.send(&[0; 10_000]);
    assert_eq!(s.out().len(), 10);
    s.arrive_sack(1, &[(1001, 9001)]);
    s.expect(&["ACK 1:1001 ack 1", "PSH|ACK 9001:10001 ack 1"]);
    s.send(&[0; 1000]);
    s.expect(&["PSH|ACK 10001:11001 ack 1"]);
    s.host.conn.shutdown_write();
    s.expect(&["FIN|ACK 11001:11001 ack 1"]);
    s.expect(&[]);
}

#[test]
fn what_goes_again_in_smaller_segments_is_not_sent_once_more() {
    let mut s = in_flight();
    s.arrive_sack(1, &[(1001, 4001)]);
    s.expect(&["ACK 1:1001 ack 1"]);
    assert!(s.host.conn.reduce_mss(500));
    let out = s.out();
    let last = "ACK 4501:5001 ack 1".to_string();
    assert_eq!(s.show(&out).last(), Some(&last));
    s.arrive_sack(4001, &[]);
    s.out();
    s.arrive_sack(6001, &[]);
    let out = s.out();
    assert!(s.show(&out).contains(&"ACK 9501:10001 ack 1".to_string()));
    assert!(s.host.conn.info().in_recovery);
    // The hole was sent again in this recovery.
    s.arrive_sack(6001, &[(7001, 9001)]);
    let out = s.out();
    let again = |seg: &Seg| seg.header.seq.lt(s.iss + 10_001);
    assert!(!out.iter().any(again), "{:?}", s.show(&out));
}

#[test]
fn those_owed_at_the_end_of_a_burst_tell_of_all_between_them() {
    let mut s = established();
    for at in [101, 301, 501, 701, 901, 1101] {
        s.arrive(ACK, at, 1, &[0; 100]);
    }
    let out = s.out();
    assert_eq!(out.len(), 6);
    let firsts = |seg: &Seg| seg.sack[0].0.0.wrapping_sub(IRS);
    assert_eq!(firsts(&out[5]), 1101);
    assert_eq!(firsts(&out[4]), 901);
    assert_eq!(firsts(&out[3]), 701);
    let mut told: Vec<_> = out.iter().flat_map(|s| &s.sack).map(|b| b.0.0).collect();
    told.sort_unstable();
    told.dedup();
    assert_eq!(told.len(), 6);
}

#[test]
fn what_fills_the_gap_in_the_same_burst_is_acknowledged_once() {
    let mut s = established();
    for at in [101, 201, 301] {
        s.arrive(ACK, at, 1, &[0; 100]);
    }
    s.arrive(ACK, 1, 1, &[0; 100]);
    s.expect(&["ACK 1:1 ack 401"]);
    // One gap of two: the others are still owed.
    s.arrive(ACK, 501, 1, &[0; 100]);
    s.arrive(ACK, 701, 1, &[0; 100]);
    s.arrive(ACK, 401, 1, &[0; 100]);
    s.expect(&["ACK 1:1 ack 601", "ACK 1:1 ack 601"]);
}
