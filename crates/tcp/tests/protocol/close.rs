//! Closing: every arrow from ESTABLISHED to CLOSED (RFC 9293 3.6, figure 5).

use tcp::{CloseReason, Config, Events, State};
use wire::Seq;

use crate::host::*;

#[test]
fn active_close_through_fin_wait_2() {
    let mut s = Script::established(bare());
    s.host.conn.close();
    assert_eq!(s.state(), State::FinWait1);
    s.expect(&["FIN|ACK 1:1 ack 1"]);
    assert_eq!(s.arrive(ACK, 1, 2, b""), Events::ACKED_ALL);
    assert_eq!(s.state(), State::FinWait2);
    s.expect(&[]);
    let events = s.arrive(FIN | ACK, 1, 2, b"");
    assert_eq!(events, Events::PEER_CLOSED | Events::TIME_WAIT);
    assert_eq!(s.state(), State::TimeWait);
    s.expect(&["ACK 2:2 ack 2"]);
    let tw = s.host.conn.time_wait();
    assert_eq!((tw.rcv_nxt, tw.snd_nxt), (Seq(IRS + 2), Seq(ISS + 2)));
    assert_eq!(tw.ts_recent, None);
    assert!(s.host.conn.peer_closed());
    assert_eq!(s.host.conn.deadline(), None);
    s.host.release();
}

#[test]
fn fin_that_acknowledges_our_fin_skips_fin_wait_2() {
    let mut s = Script::established(bare());
    s.host.conn.close();
    s.out();
    let events = s.arrive(FIN | ACK, 1, 2, b"");
    assert!(events.contains(Events::PEER_CLOSED | Events::TIME_WAIT));
    s.expect(&["ACK 2:2 ack 2"]);
}

#[test]
fn simultaneous_close() {
    let mut s = Script::established(bare());
    s.host.conn.close();
    s.expect(&["FIN|ACK 1:1 ack 1"]);
    assert_eq!(s.arrive(FIN | ACK, 1, 1, b""), Events::PEER_CLOSED);
    assert_eq!(s.state(), State::Closing);
    s.expect(&["ACK 2:2 ack 2"]);
    let events = s.arrive(ACK, 2, 2, b"");
    assert_eq!(events, Events::ACKED_ALL | Events::TIME_WAIT);
    assert_eq!(s.state(), State::TimeWait);
    s.expect(&[]);
    // The peer's own acknowledgment of that kind is silently taken, or two would go on for ever.
    s.arrive(ACK, 2, 2, b"");
    s.expect(&[]);
}

#[test]
fn passive_close() {
    let mut s = Script::established(bare());
    assert_eq!(s.arrive(FIN | ACK, 1, 1, b""), Events::PEER_CLOSED);
    assert_eq!(s.state(), State::CloseWait);
    s.expect(&["ACK 1:1 ack 2"]);
    s.send(b"bye");
    s.expect(&["PSH|ACK 1:4 ack 2"]);
    s.host.conn.close();
    assert_eq!(s.state(), State::LastAck);
    s.expect(&["FIN|ACK 4:4 ack 2"]);
    s.arrive(ACK, 2, 4, b"");
    assert_eq!(s.state(), State::LastAck);
    let events = s.arrive(ACK, 2, 5, b"");
    assert_eq!(events, Events::ACKED_ALL | Events::CLOSED);
    assert_eq!(s.host.conn.close_reason(), Some(CloseReason::Normal));
    s.expect(&[]);
    s.host.release();
}

#[test]
fn the_fin_rides_on_the_last_text_and_on_the_ack() {
    let mut s = Script::established(bare());
    s.arrive(FIN | ACK, 1, 1, b"request");
    s.send(b"response");
    s.host.conn.close();
    s.expect(&["FIN|PSH|ACK 1:9 ack 9"]);
    assert_eq!(s.state(), State::LastAck);
}

#[test]
fn half_close_goes_on_receiving() {
    let config = Config {
        fin_wait2_timeout_ms: 100,
        ..bare()
    };
    let mut s = Script::established(config);
    s.host.conn.shutdown_write();
    assert_eq!(s.host.send(b"no"), 0);
    s.expect(&["FIN|ACK 1:1 ack 1"]);
    s.arrive(ACK, 1, 2, b"");
    s.expect(&[]);
    assert_eq!(s.host.conn.deadline(), None, "the reader may wait for ever");
    s.arrive(ACK, 1, 2, b"later");
    assert_eq!(s.host.read, b"later");
    s.expect(&["ACK 2:2 ack 6"]);
    // The application closes entirely: now the time is limited.
    s.host.conn.close();
    s.expect(&[]);
    assert_eq!(s.host.timer(), 100);
    assert_eq!(
        s.host.conn.close_reason(),
        Some(CloseReason::FinWait2Timeout)
    );
    s.expect(&[]);
}

#[test]
fn fin_wait_2_of_a_closed_application_is_limited() {
    let mut s = Script::established(bare());
    s.host.conn.close();
    s.out();
    s.arrive(ACK, 1, 2, b"");
    s.expect(&[]);
    assert_eq!(s.host.timer(), 60_000);
    assert_eq!(s.state(), State::Closed);
    assert_eq!(s.host.core.counters.fin_wait2_timeouts, 1);

    let config = Config {
        fin_wait2_timeout_ms: 0,
        ..bare()
    };
    let mut s = Script::established(config);
    s.host.conn.close();
    s.out();
    s.arrive(ACK, 1, 2, b"");
    s.expect(&[]);
    assert_eq!(s.host.conn.deadline(), None);
}

#[test]
fn text_for_a_closed_application_is_answered_by_a_reset() {
    let mut s = Script::established(bare());
    s.host.conn.close();
    s.out();
    s.arrive(ACK, 1, 2, b"");
    assert_eq!(s.arrive(ACK, 1, 2, b"unheard"), Events::CLOSED);
    assert_eq!(s.host.conn.close_reason(), Some(CloseReason::DataLost));
    s.expect(&["RST|ACK 2:2 ack 1"]);
    assert_eq!(s.host.core.counters.data_after_close, 1);
}

#[test]
fn closing_with_unread_bytes_resets() {
    let mut s = Script::established(bare());
    s.host.reading = false;
    s.arrive(ACK, 1, 1, b"unread");
    s.host.conn.close();
    assert_eq!(s.host.conn.close_reason(), Some(CloseReason::DataLost));
    s.expect(&["RST|ACK 1:1 ack 7"]);
    s.host.release();
}

#[test]
fn linger_zero_aborts() {
    let config = Config {
        linger_zero: true,
        ..bare()
    };
    let mut s = Script::established(config);
    s.send(b"lost");
    s.host.conn.close();
    s.expect(&["RST|ACK 1:1 ack 1"]);
    assert_eq!(s.host.conn.close_reason(), Some(CloseReason::Aborted));
    s.host.release();
}

#[test]
fn abort_resets_only_where_the_standard_says_so() {
    let mut s = Script::syn_sent(bare());
    s.host.conn.abort();
    s.expect(&[]);

    let mut s = Script::syn_received(bare());
    s.host.conn.abort();
    s.expect(&["RST|ACK 1:1 ack 1"]);

    let mut s = Script::established(bare());
    s.arrive(FIN | ACK, 1, 1, b"");
    s.host.conn.abort();
    s.expect(&["RST|ACK 1:1 ack 2"]);

    let mut s = Script::established(bare());
    s.arrive(FIN | ACK, 1, 1, b"");
    s.host.conn.close();
    s.out();
    s.host.conn.abort();
    s.expect(&[]);
    assert_eq!(s.state(), State::Closed);
    s.host.conn.abort();
    assert_eq!(s.host.conn.close_reason(), Some(CloseReason::Aborted));
}

#[test]
fn closing_before_the_open_is_done() {
    let mut s = Script::syn_sent(bare());
    s.host.conn.close();
    assert_eq!(s.state(), State::Closed);
    s.expect(&[]);

    // What was to be sent comes first, and waits for the handshake.
    let mut s = Script::syn_received(bare());
    s.send(b"x");
    s.host.conn.close();
    assert_eq!(s.state(), State::SynReceived);
    s.expect(&[]);
    assert_eq!(s.arrive(ACK, 1, 1, b""), Events::ESTABLISHED);
    assert_eq!(s.state(), State::FinWait1);
    s.expect(&["FIN|PSH|ACK 1:2 ack 1"]);
}

#[test]
fn a_close_in_syn_received_sends_its_fin_at_once() {
    let closed = || {
        let mut s = Script::syn_received(bare());
        s.host.conn.close();
        s.expect(&["FIN|ACK 1:1 ack 1"]);
        assert_eq!(s.state(), State::SynReceived);
        s
    };
    // Both acknowledged at once.
    let mut s = closed();
    let events = s.arrive(ACK, 1, 2, b"");
    assert!(events.contains(Events::ESTABLISHED), "{events:?}");
    assert_eq!(s.state(), State::FinWait2);
    s.arrive(FIN | ACK, 1, 2, b"");
    assert_eq!(s.state(), State::TimeWait);
    s.expect(&["ACK 2:2 ack 2"]);

    // The SYN alone: the FIN goes again after a timeout.
    let mut s = closed();
    assert_eq!(s.arrive(ACK, 1, 1, b""), Events::ESTABLISHED);
    assert_eq!(s.state(), State::FinWait1);
    s.expect(&[]);
    s.host.timer();
    s.expect(&["FIN|ACK 1:1 ack 1"]);
    s.arrive(ACK, 1, 2, b"");
    assert_eq!(s.state(), State::FinWait2);

    // The SYN-ACK was lost, and is what goes again.
    let mut s = closed();
    s.host.timer();
    s.expect(&["SYN|ACK 0:0 ack 1"]);
    s.arrive(SYN, 0, 0, b"");
    s.expect(&["SYN|ACK 0:0 ack 1"]);
    s.arrive(FIN | ACK, 1, 2, b"");
    assert_eq!(s.state(), State::TimeWait);

    // The peer closes as well, not having seen our FIN; and what is neither SYN nor FIN is not acknowledged.
    let mut s = closed();
    let reset = s.arrive_reset(ACK, 1, 3);
    assert_eq!(reset.flags, RST);
    s.arrive(FIN | ACK, 1, 1, b"");
    assert_eq!(s.state(), State::Closing);

    // Simultaneous open, the SYN-ACK not yet sent.
    let mut s = Script::syn_sent(bare());
    s.arrive(SYN, 0, 0, b"");
    s.host.conn.close();
    s.expect(&["SYN|ACK 0:0 ack 1", "FIN|ACK 1:1 ack 1"]);
    assert_eq!(s.arrive(SYN | ACK, 0, 1, b""), Events::ESTABLISHED);
    assert_eq!(s.state(), State::FinWait1);
    s.expect(&["ACK 2:2 ack 1"]);
    s.arrive(ACK, 1, 2, b"");
    assert_eq!(s.state(), State::FinWait2);
}

#[test]
fn a_close_before_the_fin_of_the_same_segment_is_a_passive_close() {
    // The application closes while it is shown text whose segment carries the peer's FIN too.
    let mut s = Script::established(bare());
    let seg = s.segment(FIN | ACK, 1, 1, b"x");
    let segment = tcp::Segment {
        header: &seg.header,
        payload: &seg.payload,
        sack: &[],
    };
    let out = s.host.conn.on_segment(&mut s.host.core.env(), &segment);
    assert_eq!(out.text, 0..1);
    s.host.conn.close();
    let events = s.host.conn.commit_text(&mut s.host.core.env(), 1, b"");
    assert_eq!(events, Events::PEER_CLOSED);
    assert_eq!(s.state(), State::LastAck);
    s.expect(&["FIN|ACK 1:1 ack 3"]);
}

#[test]
fn a_retransmitted_fin_is_acknowledged_again() {
    let mut s = Script::established(bare());
    s.arrive(FIN | ACK, 1, 1, b"");
    s.expect(&["ACK 1:1 ack 2"]);
    s.arrive(FIN | ACK, 1, 1, b"");
    s.expect(&["ACK 1:1 ack 2"]);
    assert_eq!(s.state(), State::CloseWait);
}

#[test]
fn our_fin_is_retransmitted() {
    let mut s = Script::established(bare());
    s.send(b"ab");
    s.host.conn.close();
    s.expect(&["FIN|PSH|ACK 1:3 ack 1"]);
    s.arrive(ACK, 1, 3, b"");
    s.host.timer();
    s.expect(&["FIN|ACK 3:3 ack 1"]);
    s.arrive(ACK, 1, 4, b"");
    assert_eq!(s.state(), State::FinWait2);
}

#[test]
fn before_its_last_ack_leaves_time_wait_answers_and_ignores_resets() {
    let mut s = Script::established(bare());
    s.host.conn.close();
    s.out();
    s.arrive(FIN | ACK, 1, 2, b"");
    s.arrive(RST, 2, 0, b"");
    assert_eq!(s.state(), State::TimeWait);
    s.expect(&["ACK 2:2 ack 2"]);
    s.arrive(FIN | ACK, 1, 2, b"");
    s.expect(&["ACK 2:2 ack 2"]);
}

#[test]
fn text_received_before_time_wait_can_still_be_read() {
    let mut s = Script::established(bare());
    s.host.reading = false;
    s.host.conn.shutdown_write();
    s.out();
    s.arrive(FIN | ACK, 1, 2, b"last words");
    assert_eq!(s.state(), State::TimeWait);
    s.host.read_all();
    assert_eq!(s.host.read, b"last words");
    s.host.release();
}

#[test]
fn before_its_fin_is_sent_a_closed_connection_is_aborted_with_a_reset() {
    // CLOSE in CLOSE-WAIT with text that the window does not let through: the peer is still waiting
    // for it, so that this is not yet the LAST-ACK in which nobody needs to be told.
    let mut s = Script::established(bare());
    s.wnd = 0;
    s.arrive(FIN | ACK, 1, 1, b"");
    s.send(b"unsent");
    s.host.conn.close();
    s.expect(&["ACK 1:1 ack 2"]);
    assert_eq!(s.state(), State::LastAck);
    s.host.conn.abort();
    s.expect(&["RST|ACK 1:1 ack 2"]);
    s.host.release();
}

#[test]
fn a_reset_before_our_fin_is_sent_is_not_a_normal_end() {
    for (wnd, reason) in [(0, CloseReason::Reset), (PEER_WND, CloseReason::Normal)] {
        let mut s = Script::established(bare());
        s.wnd = wnd;
        s.arrive(FIN | ACK, 1, 1, b"");
        s.send(b"text");
        s.host.conn.close();
        s.out();
        assert_eq!(s.state(), State::LastAck);
        assert_eq!(s.arrive(RST, 2, 0, b""), Events::CLOSED);
        assert_eq!(s.host.conn.close_reason(), Some(reason));
        s.host.release();
    }
}
