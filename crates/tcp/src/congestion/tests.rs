use super::*;

const MSS: u32 = 1000;

fn open(cwnd: u32) -> Congestion {
    Congestion {
        cwnd,
        ..Congestion::new(Seq(0))
    }
}

#[test]
fn the_initial_window_is_rfc_6928s() {
    assert_eq!(initial_window(10, 1460), 14_600);
    assert_eq!(initial_window(10, 536), 5_360);
    assert_eq!(initial_window(10, 9000), 18_000);
    assert_eq!(initial_window(1, 1460), 1_460);
}

#[test]
fn slow_start_then_congestion_avoidance() {
    let mut c = open(4 * MSS);
    c.ssthresh = 6 * MSS;
    for _ in 0..4 {
        c.on_new_ack(Seq(1), MSS, c.cwnd, MSS);
    }
    assert_eq!(c.cwnd, 6 * MSS, "two in slow start, then bytes are counted");
    for _ in 0..4 {
        c.on_new_ack(Seq(1), MSS, c.cwnd, MSS);
    }
    assert_eq!(c.cwnd, 7 * MSS, "one segment for a window of bytes");
}

#[test]
fn an_acknowledgment_of_many_segments_grows_by_one() {
    let mut c = open(4 * MSS);
    c.on_new_ack(Seq(1), 4 * MSS, 4 * MSS, MSS);
    assert_eq!(c.cwnd, 5 * MSS);
}

#[test]
fn an_unused_window_does_not_grow() {
    let mut c = open(10 * MSS);
    c.on_new_ack(Seq(1), MSS, MSS, MSS);
    assert_eq!(c.cwnd, 10 * MSS);
}

#[test]
fn a_used_window_grows_however_its_acknowledgments_are_spread() {
    let mut c = open(10 * MSS);
    for left in (1..=10).rev() {
        c.on_new_ack(Seq(1), MSS, left * MSS, MSS);
    }
    assert_eq!(c.cwnd, 20 * MSS, "one for each acknowledgment");
    for left in (1..=10).rev() {
        c.on_new_ack(Seq(1), MSS, left * MSS, MSS);
    }
    assert_eq!(c.cwnd, 20 * MSS, "half of it was never in flight");
    c.ssthresh = 20 * MSS;
    for left in (1..=20).rev() {
        c.on_new_ack(Seq(1), MSS, left * MSS, MSS);
    }
    assert_eq!(c.cwnd, 21 * MSS, "congestion avoidance: one for a window");
    for _ in 0..100 {
        c.on_new_ack(Seq(1), MSS, MSS, MSS);
    }
    assert_eq!(c.cwnd, 21 * MSS);
}

#[test]
fn three_duplicates_then_partial_then_full() {
    let mut c = open(10 * MSS);
    let (una, nxt) = (Seq(1), Seq(10_001));
    assert!(!c.on_duplicate_ack(una, nxt, MSS));
    assert_eq!(c.window(MSS), 11 * MSS, "limited transmit");
    assert!(!c.on_duplicate_ack(una, nxt, MSS));
    assert_eq!(c.window(MSS), 12 * MSS);
    // Limited transmit has sent two more.
    let nxt = nxt + 2 * MSS;
    assert!(c.on_duplicate_ack(una, nxt, MSS));
    assert_eq!((c.ssthresh, c.cwnd), (5 * MSS, 8 * MSS));
    assert!(!c.on_duplicate_ack(una, nxt, MSS));
    assert_eq!(c.cwnd, 9 * MSS);
    assert_eq!(
        c.on_new_ack(una + 3 * MSS, 3 * MSS, 12 * MSS, MSS),
        NewAck::Partial
    );
    assert_eq!(c.cwnd, 7 * MSS);
    assert_eq!(c.on_new_ack(nxt, 9 * MSS, 9 * MSS, MSS), NewAck::Ordinary);
    assert!(!c.in_recovery());
    assert_eq!(c.cwnd, 2 * MSS, "no burst: max(flight, SMSS) + SMSS");
}

#[test]
fn duplicates_of_an_old_loss_do_not_start_recovery() {
    let mut c = open(10 * MSS);
    c.on_timeout(true, 10 * MSS, Seq(10_001), MSS);
    assert_eq!((c.cwnd, c.ssthresh), (MSS, 5 * MSS));
    for _ in 0..5 {
        assert!(!c.on_duplicate_ack(Seq(5_001), Seq(10_001), MSS));
    }
    c.on_timeout(false, 2 * MSS, Seq(10_001), MSS);
    assert_eq!(c.ssthresh, 5 * MSS, "held constant");
}

#[test]
fn restart_after_idle_only_shrinks() {
    let mut c = open(30 * MSS);
    c.on_restart(10 * MSS);
    assert_eq!(c.cwnd, 10 * MSS);
    c.cwnd = 2 * MSS;
    c.on_restart(10 * MSS);
    assert_eq!(c.cwnd, 2 * MSS);
}

#[test]
fn a_loss_is_found_however_long_ago_the_last_one_was() {
    for by_sack in [false, true] {
        let mut c = open(10 * MSS);
        c.on_timeout(true, 10 * MSS, Seq(0), MSS);
        // More than half of the sequence space without a loss.
        let step = 1u32 << 28;
        let mut una = Seq(0);
        for _ in 0..9 {
            una += step;
            c.on_new_ack(una, step, step, MSS);
        }
        let nxt = una + 10 * MSS;
        let mut found = || match by_sack {
            true => c.on_sack_duplicate(false, una, nxt, MSS),
            false => c.on_duplicate_ack(una, nxt, MSS),
        };
        assert_eq!([found(), found(), found()], [false, false, true]);
    }
}

#[test]
fn acknowledgments_after_a_timeout_leave_what_was_sent_before_it() {
    let mut c = open(10 * MSS);
    c.on_timeout(true, 10 * MSS, Seq(10_001), MSS);
    c.on_new_ack(Seq(5_001), 5 * MSS, 10 * MSS, MSS);
    for _ in 0..2 {
        assert!(!c.on_sack_duplicate(true, Seq(5_001), Seq(10_001), MSS));
    }
    assert_eq!(c.window(MSS), 2 * MSS, "no limited transmit either");
    c.on_new_ack(Seq(10_001), 5 * MSS, 5 * MSS, MSS);
    assert!(c.on_sack_duplicate(true, Seq(10_001), Seq(20_001), MSS));
}

#[test]
fn a_timeout_in_a_recovery_does_not_raise_ssthresh() {
    let mut c = open(20 * MSS);
    assert!(c.on_sack_duplicate(true, Seq(1), Seq(20_001), MSS));
    assert_eq!((c.ssthresh, c.cwnd), (10 * MSS, 10 * MSS));
    c.on_timeout(true, 60 * MSS, Seq(60_001), MSS);
    assert_eq!(c.ssthresh, 5 * MSS);
}
