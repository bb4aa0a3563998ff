//! Timestamps and PAWS (RFC 7323).

use tcp::{Config, Events};
use wire::Seq;
use wire::tcp::{Header, Options, Timestamps};

use crate::host::*;

const TSVAL: u32 = u32::MAX - 5;

fn with_timestamps() -> Config {
    Config {
        timestamps: true,
        ..bare()
    }
}

/// ESTABLISHED with timestamps; the peer's clock is about to wrap.
fn established() -> Script {
    let mut s = Script::syn_sent(with_timestamps());
    s.ts = Some(TSVAL);
    assert_eq!(s.arrive(SYN | ACK, 0, 1, b""), Events::ESTABLISHED);
    s.out();
    s
}

#[test]
fn every_segment_carries_them_and_echoes() {
    let mut s = established();
    s.ts = Some(TSVAL + 3);
    s.arrive(ACK, 1, 1, b"x");
    s.host.advance_ms(5);
    let out = s.out();
    let ts = out[0].header.options.timestamps.unwrap();
    assert_eq!(ts.ecr, TSVAL + 3);
    assert_eq!(ts.val, 1_000_005 + 77);
    assert_eq!(s.host.conn.last_tsval(), Some(1_000_082));
    assert_eq!(s.host.conn.time_wait().ts_recent, Some(TSVAL + 3));
}

#[test]
fn the_payload_makes_room_for_them() {
    let mut s = established();
    s.send(&[0; 524]);
    // The peer sent no MSS option: 536 less twelve.
    assert_eq!(s.out()[0].payload.len(), 524);
    assert_eq!(s.host.conn.info().snd_mss, 524);
}

#[test]
fn paws_rejects_what_is_older_and_answers_it() {
    let mut s = established();
    s.ts = Some(TSVAL - 1);
    s.arrive(ACK, 1, 1, b"old");
    assert_eq!(s.host.read, b"");
    s.expect(&["ACK 1:1 ack 1"]);
    assert_eq!(s.host.core.counters.paws_rejected, 1);
    // The same and, over the wrap, a newer one are accepted.
    s.ts = Some(TSVAL);
    s.arrive(ACK, 1, 1, b"a");
    s.out();
    s.ts = Some(3);
    s.arrive(ACK, 2, 1, b"b");
    s.ts = Some(2);
    s.arrive(ACK, 3, 1, b"c");
    assert_eq!(s.host.read, b"ab");
}

#[test]
fn a_segment_without_them_is_dropped_but_a_reset_is_not() {
    let mut s = established();
    s.ts = None;
    s.arrive(ACK, 1, 1, b"x");
    s.expect(&[]);
    assert_eq!(s.host.core.counters.timestamps_missing, 1);
    assert_eq!(s.arrive(RST, 1, 1, b""), Events::CLOSED);
}

#[test]
fn a_reset_is_not_tested_by_paws() {
    let mut s = established();
    s.ts = Some(TSVAL - 100);
    assert_eq!(s.arrive(RST, 1, 1, b""), Events::CLOSED);
}

#[test]
fn after_24_days_the_recorded_value_is_stale() {
    let day = 86_400_000;
    for (days, accepted) in [(23, false), (25, true)] {
        let mut s = established();
        s.host.advance_ms(days * day);
        s.ts = Some(TSVAL - 1);
        s.arrive(ACK, 1, 1, b"x");
        assert_eq!(s.host.read.len(), usize::from(accepted), "{days} days");
        if accepted {
            assert_eq!(s.host.conn.time_wait().ts_recent, Some(TSVAL - 1));
        }
    }
}

/// TIME-WAIT tells what a next connection sends from all that was seen, not only from what was echoed.
#[test]
fn the_newest_timestamp_is_remembered_beside_what_is_echoed() {
    let mut s = established();
    let seen = |s: &Script| {
        let info = s.host.conn.time_wait();
        let beyond = |ts: Option<u32>| ts.unwrap().wrapping_sub(TSVAL);
        (beyond(info.ts_recent), beyond(info.ts_newest))
    };
    for (ts, seq, expected) in [
        (1, 1, (1, 1)),
        // Nothing is acknowledged yet.
        (7, 2, (1, 7)),
        (5, 3, (1, 7)),
        (40_000, 4, (1, 40_193)),
    ] {
        s.ts = Some(TSVAL.wrapping_add(ts));
        s.arrive(ACK, seq, 1, b"x");
        assert_eq!(seen(&s), expected, "{ts}");
    }
    s.out();
    s.ts = Some(TSVAL.wrapping_add(40_000));
    s.arrive(ACK, 5, 1, b"x");
    assert_eq!(
        seen(&s),
        (40_000, 40_193),
        "what is exact ends with the next"
    );
    s.out();
    s.ts = Some(TSVAL.wrapping_add(50_000));
    s.arrive(ACK, 6, 1, b"x");
    assert_eq!(seen(&s), (50_000, 50_000));
}

#[test]
fn only_a_segment_that_spans_last_ack_sent_is_echoed() {
    //= RFC 7323 4.3
    //# If: SEG.TSval >= TS.Recent and SEG.SEQ <= Last.ACK.sent
    //# then SEG.TSval is copied to TS.Recent
    let mut s = established();
    s.ts = Some(TSVAL + 1);
    s.arrive(ACK, 5, 1, b"beyond a gap");
    let out = s.out();
    assert_eq!(out[0].header.options.timestamps.unwrap().ecr, TSVAL);
    // A delayed acknowledgment echoes the first of what it acknowledges.
    s.ts = Some(TSVAL + 2);
    s.arrive(ACK, 1, 1, b"ab");
    s.ts = Some(TSVAL + 4);
    s.arrive(ACK, 3, 1, b"cd");
    let out = s.out();
    assert_eq!(out[0].header.options.timestamps.unwrap().ecr, TSVAL + 2);
}

/// The octet that `of` had is acknowledged, and its timestamp echoed.
fn echo(s: &mut Script, of: &Seg) {
    let mut seg = s.segment(ACK, 1, 2, b"");
    seg.header.options.timestamps = Some(Timestamps {
        val: TSVAL,
        ecr: of.header.options.timestamps.unwrap().val,
    });
    s.host.receive(&seg);
}

#[test]
fn an_echo_measures_what_karn_forbids() {
    let mut s = established();
    s.host.advance_ms(1);
    s.send(b"x");
    s.out();
    s.host.timer();
    let again = s.out();
    assert_eq!(s.host.conn.info().backoff, 1);
    s.host.advance_ms(50);
    echo(&mut s, &again[0]);
    assert_eq!(s.host.core.counters.rtt_samples_echoed, 1);
    assert_eq!(s.host.conn.info().backoff, 0);
}

#[test]
fn a_peer_that_does_not_offer_them_gets_none() {
    let syn = Seg {
        header: Header {
            seq: Seq(IRS),
            flags: SYN,
            window: 1000,
            options: Options::NONE,
            ..Header::default()
        },
        payload: vec![],
        sack: vec![],
    };
    let mut h = Host::accept(with_timestamps(), Seq(ISS), &syn);
    assert_eq!(h.transmit()[0].header.options.timestamps, None);
    assert_eq!(h.conn.last_tsval(), None);
}

#[test]
fn a_segment_whose_acknowledgment_is_refused_teaches_nothing() {
    //= RFC 5961 5.2
    //# All incoming segments whose ACK value doesn't satisfy the above condition MUST be discarded
    //
    // Else a forged timestamp, for which a sequence number in the window is enough, would make PAWS
    // reject all that the peer sends.
    let mut s = established();
    s.ts = Some(TSVAL.wrapping_add(0x7000_0000));
    s.arrive(ACK, 1, 500_000, b"forged");
    s.arrive(PSH, 1, 1, b"without ACK");
    s.out();
    assert_eq!(s.host.conn.time_wait().ts_recent, Some(TSVAL));
    s.ts = Some(TSVAL + 1);
    s.arrive(ACK, 1, 1, b"true");
    assert_eq!(s.host.read, b"true");
    assert_eq!(s.host.conn.time_wait().ts_recent, Some(TSVAL + 1));
}

/// Where numbers go on, what a connection before sent lies below the SYN, and its acknowledgment may be in range; its clock may have
/// been another host's, ahead of this one's.
#[test]
fn a_segment_of_before_the_syn_teaches_nothing() {
    for (seq, taught) in [(-3, false), (0, false), (1, true)] {
        let mut s = established();
        s.arrive(ACK, 1, 1, b"12");
        s.out();
        s.ts = Some(TSVAL + 2);
        s.arrive(ACK, seq, 1, b"xy");
        let expected = if taught { TSVAL + 2 } else { TSVAL };
        assert_eq!(s.host.conn.time_wait().ts_newest, Some(expected), "{seq}");
    }
}

#[test]
fn an_echo_of_an_earlier_instance_measures_nothing() {
    //= RFC 6298 3
    //# RTT samples MUST NOT be made using segments that were retransmitted (and thus for which
    //# it is ambiguous whether the reply was for the first instance of the packet or a later
    //# instance).
    let mut s = established();
    s.host.advance_ms(1);
    s.send(b"x");
    let first = s.out();
    s.host.timer();
    s.out();
    let rto = s.host.conn.info().rto_us;
    s.host.advance_ms(50);
    echo(&mut s, &first[0]);
    assert_eq!(s.host.core.counters.rtt_samples_echoed, 0);
    assert_eq!(s.host.conn.info().rto_us, rto);
}

#[test]
fn what_comes_again_is_echoed() {
    //= RFC 7323 4.3
    //# If: SEG.TSval >= TS.Recent and SEG.SEQ <= Last.ACK.sent then SEG.TSval is copied to TS.Recent;
    //# otherwise, it is ignored.
    let mut s = established();
    s.arrive(ACK, 1, 1, b"abc");
    s.out();
    s.ts = Some(TSVAL + 3);
    s.arrive(ACK, 1, 1, b"abc");
    assert_eq!(s.out()[0].header.options.timestamps.unwrap().ecr, TSVAL + 3);
    // Not without an acknowledgment in range, or from further back than a window: it may be forged.
    s.ts = Some(TSVAL.wrapping_add(0x7000_0000));
    for (seq, ack) in [(1, 500_000), (-65_536, 1)] {
        s.arrive(ACK, seq, ack, b"abc");
        assert_eq!(s.out()[0].header.options.timestamps.unwrap().ecr, TSVAL + 3);
    }
}

#[test]
fn a_syn_that_comes_again_is_echoed() {
    let syn = |val| Seg {
        header: Header {
            seq: Seq(IRS),
            flags: SYN,
            window: 1000,
            options: Options {
                timestamps: Some(Timestamps { val, ecr: 0 }),
                ..Options::NONE
            },
            ..Header::default()
        },
        payload: vec![],
        sack: vec![],
    };
    let mut h = Host::accept(with_timestamps(), Seq(ISS), &syn(100));
    h.transmit();
    h.receive(&syn(600));
    assert_eq!(h.transmit()[0].header.options.timestamps.unwrap().ecr, 600);
}

#[test]
fn a_syn_without_them_is_answered() {
    //= RFC 5961 4.2
    //# If the SYN bit is set, irrespective of the sequence number, TCP MUST send an ACK (also
    //# referred to as challenge ACK) to the remote peer
    let mut s = established();
    s.ts = None;
    s.arrive(SYN, 500_000, 0, b"");
    s.expect(&["ACK 1:1 ack 1"]);
}
