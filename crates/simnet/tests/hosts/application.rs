//! The contract between stack and application: what is consumed, what is shown again, and what a
//! callback may ask for.

use crate::common;
use crate::common::plain::{End, Plain, Told};
use crate::common::{CLIENT, SERVER, configs, pair};
use simnet::{Action, Network, Which};
use stack::{CloseReason, DestinationId};

fn connected(server: Plain, client: Plain) -> Network<Plain> {
    let mut net = pair(configs(1, &tcp::Config::default()), (server, client));
    net.run_ms(5);
    net.with_app(CLIENT, |_, cx| cx.connect(DestinationId(0)))
        .unwrap();
    net.run_ms(100);
    net
}

fn what_is_not_consumed_is_shown_again_on_request() {
    let server = Plain {
        deaf: true,
        ..Plain::default()
    };
    let client = Plain {
        greeting: b"first".to_vec(),
        ..Plain::default()
    };
    let mut net = connected(server, client);
    assert!(net.host(SERVER).app().received.is_empty());
    assert_eq!(net.host(SERVER).usage().receive_chunks, 1);
    net.with_app(SERVER, |app, cx| {
        app.deaf = false;
        cx.resume(app.last());
    });
    net.run_ms(1);
    assert_eq!(net.host(SERVER).app().received, b"first");
    assert_eq!(net.host(SERVER).usage().receive_chunks, 0);
    // A second request has nothing to show.
    net.with_app(SERVER, |app, cx| cx.resume(app.last()));
    net.run_ms(1);
    assert_eq!(net.host(SERVER).app().events(), [Told::Open, Told::Data(5)]);
}

fn the_fin_is_told_when_everything_before_it_was_consumed() {
    let server = Plain {
        deaf: true,
        ..Plain::default()
    };
    let client = Plain {
        greeting: b"first".to_vec(),
        after_greeting: End::Shutdown,
        ..Plain::default()
    };
    let mut net = connected(server, client);
    assert_eq!(net.host(SERVER).app().events(), [Told::Open]);
    net.with_app(SERVER, |app, cx| {
        app.deaf = false;
        cx.resume(app.last());
    });
    net.run_ms(1);
    assert_eq!(
        net.host(SERVER).app().events(),
        [Told::Open, Told::Data(5), Told::PeerClosed]
    );
}

fn close_from_within_the_callback_that_consumes_the_last_byte_loses_nothing() {
    // The bytes were held before: the stack knows only when the callback returns that they are
    // consumed, and CLOSE with unread data is a reset.
    let server = Plain {
        deaf: true,
        reply: b"bye".to_vec(),
        after_reply: End::Close,
        ..Plain::default()
    };
    let client = Plain {
        greeting: b"first".to_vec(),
        at_peer_closed: End::Close,
        ..Plain::default()
    };
    let mut net = connected(server, client);
    net.with_app(SERVER, |app, cx| {
        app.deaf = false;
        cx.resume(app.last());
    });
    net.run_ms(100);
    for id in [SERVER, CLIENT] {
        let app = net.host(id).app();
        assert_eq!(app.ended(CloseReason::Normal), 1, "{}", net.log().tail(20));
    }
    assert_eq!(net.host(CLIENT).app().received, b"bye");
}

fn close_with_unread_data_resets() {
    //= RFC 9293 3.6.1
    //# If such a host issues a CLOSE call while received data is still pending in the TCP
    //# connection [...] its TCP implementation SHOULD send a RST to show that data was lost
    let server = Plain {
        deaf: true,
        ..Plain::default()
    };
    let client = Plain {
        greeting: b"nobody reads this".to_vec(),
        ..Plain::default()
    };
    let mut net = connected(server, client);
    net.with_app(SERVER, |app, cx| cx.close(app.last()));
    net.run_ms(100);
    assert_eq!(net.host(SERVER).app().ended(CloseReason::DataLost), 1);
    assert_eq!(net.host(CLIENT).app().ended(CloseReason::Reset), 1);
    common::assert_nothing_held(&mut net, SERVER, 0, "after the reset");
    let count = &net.host(SERVER).counters().host;
    assert_eq!((count.closed_data_lost, count.closed_timeout), (1, 0));
}

fn handles_of_the_past_are_refused() {
    let client = Plain {
        after_greeting: End::Abort,
        ..Plain::default()
    };
    let mut net = connected(Plain::default(), client);
    let old = net.host(CLIENT).app().last();
    assert_eq!(net.host(CLIENT).app().ended(CloseReason::Aborted), 1);
    net.host_mut(CLIENT).app_mut().after_greeting = End::Stay;
    let new = net
        .with_app(CLIENT, |_, cx| cx.connect(DestinationId(0)))
        .unwrap();
    net.run_ms(100);
    assert_eq!((old.index(), old == new), (new.index(), false));
    net.with_app(CLIENT, |_, cx| {
        assert_eq!(cx.send(old, b"x"), 0);
        assert_eq!(cx.writable(old), 0);
        assert!(cx.tuple(old).is_none() && cx.info(old).is_none());
        cx.close(old);
        cx.abort(old);
        cx.resume(old);
        assert!(cx.writable(new) > 0);
    });
    net.run_ms(100);
    assert_eq!(net.host(CLIENT).usage().live, 1);
}

/// A client that sends three records of 1,000 bytes, in segments that do not care.
fn three_records() -> Plain {
    Plain {
        greeting: (0..3_000u32).map(|i| (i / 3) as u8).collect(),
        ..Plain::default()
    }
}

fn records_are_shown_whole_however_they_lie_in_memory() {
    let server = Plain {
        record: 1_000,
        deaf: true,
        ..Plain::default()
    };
    let mut net = connected(server, three_records());
    net.with_app(SERVER, |app, cx| {
        app.deaf = false;
        cx.resume(app.last());
    });
    net.run_ms(10);
    let app = net.host(SERVER).app();
    assert_eq!(app.received, three_records().greeting, "{:?}", app.events());
}

fn records_are_shown_whole_in_whatever_order_they_came() {
    let server = Plain {
        record: 1_000,
        ..Plain::default()
    };
    let mut net = pair(
        configs(1, &tcp::Config::default()),
        (server, three_records()),
    );
    net.run_ms(5);
    let first = net.add_rule(Action::Hold, Which::Nth(1), |seen| {
        seen.segment().is_some_and(|s| !s.text.is_empty())
    });
    net.with_app(CLIENT, |_, cx| cx.connect(DestinationId(0)))
        .unwrap();
    net.run_ms(20);
    assert_eq!(net.host(SERVER).app().shown, 0);
    // The first segment completes what is there; nothing further arrives.
    let now = net.now();
    net.release(first, now);
    net.run_ms(10);
    let app = net.host(SERVER).app();
    assert_eq!(app.received, three_records().greeting, "{:?}", app.events());
}

fn what_was_refused_is_not_shown_again_before_there_is_more() {
    let server = Plain {
        deaf: true,
        ..Plain::default()
    };
    let client = Plain {
        greeting: b"first".to_vec(),
        ..Plain::default()
    };
    let mut net = connected(server, client);
    assert_eq!(net.host(SERVER).app().shown, 1);
    net.with_app(CLIENT, |app, cx| {
        let conn = app.last();
        app.send(cx, conn, b"second");
    });
    net.run_ms(1_000);
    assert_eq!(net.host(SERVER).app().shown, 2);
}

over_both! {
    what_is_not_consumed_is_shown_again_on_request
    the_fin_is_told_when_everything_before_it_was_consumed
    close_from_within_the_callback_that_consumes_the_last_byte_loses_nothing
    close_with_unread_data_resets
    handles_of_the_past_are_refused
    records_are_shown_whole_however_they_lie_in_memory
    records_are_shown_whole_in_whatever_order_they_came
    what_was_refused_is_not_shown_again_before_there_is_more
}
