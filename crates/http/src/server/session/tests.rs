use proptest::prelude::*;

use super::*;

/// A send buffer of limited room that remembers what it took.
struct Pipe {
    room: usize,
    sent: Vec<u8>,
}

impl Sink for Pipe {
    fn send(&mut self, bytes: &[u8]) -> usize {
        let taken = bytes.len().min(self.room);
        self.room -= taken;
        self.sent.extend_from_slice(&bytes[..taken]);
        taken
    }
}

/// What came of a stream of bytes: everything sent, and how the connection ended.
#[derive(PartialEq, Eq, Debug)]
struct Outcome {
    sent: String,
    end: Option<Next>,
}

/// Runs one connection: `segments` arrive one after the other, what is not consumed is held and
/// shown again, and the send buffer has `room` bytes each time it is emptied.
fn run(site: &Site, client_closes: bool, segments: &[&[u8]], room: usize) -> Outcome {
    let mut session = Session::new();
    let mut pipe = Pipe {
        room,
        sent: Vec::new(),
    };
    let (mut held, mut end) = (Vec::new(), None);
    for segment in segments {
        held.extend_from_slice(segment);
        loop {
            let (used, mut next) = session.on_data(site, client_closes, &held, &mut pipe);
            held.drain(..used);
            let stuck = next == Next::Write;
            while next == Next::Write {
                pipe.room = room;
                next = session.on_writable(site, client_closes, &mut pipe);
            }
            if next != Next::Read {
                assert!(end.replace(next).is_none(), "ended twice");
            }
            if !stuck || held.is_empty() {
                break;
            }
        }
    }
    Outcome {
        sent: String::from_utf8(pipe.sent).unwrap(),
        end,
    }
}

fn whole(text: &str) -> Outcome {
    run(&Site::of_size(5), false, &[text.as_bytes()], usize::MAX)
}

fn statuses(outcome: &Outcome) -> Vec<&str> {
    let after = |part: &'static str| outcome.sent.split(part).skip(1);
    after("HTTP/1.1 ").map(|rest| &rest[..3]).collect()
}

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const LAST: &str = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

#[test]
fn keep_alive_and_pipelining() {
    let outcome = whole(&GET.repeat(3));
    assert_eq!(statuses(&outcome), ["200"; 3]);
    assert_eq!(
        outcome
            .sent
            .matches("Content-Length: 5\r\n\r\n01234")
            .count(),
        3
    );
    assert_eq!(outcome.end, None);
}

#[test]
fn close_is_honoured() {
    let outcome = whole(&format!("{GET}{LAST}"));
    assert_eq!(statuses(&outcome), ["200"; 2]);
    assert!(outcome.sent.ends_with("Connection: close\r\n\r\n01234"));
    assert_eq!(outcome.end, Some(Next::Close));
    let outcome = whole("GET / HTTP/1.0\r\n\r\n");
    assert_eq!(outcome.end, Some(Next::Close));
    let outcome = whole("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    assert_eq!(outcome.end, None);
    assert!(outcome.sent.contains("Connection: keep-alive\r\n"));
}

#[test]
fn the_client_may_be_left_to_close() {
    let site = Site::of_size(5);
    let outcome = run(&site, true, &[LAST.as_bytes()], usize::MAX);
    assert_eq!(outcome.end, Some(Next::AwaitClose));
}

#[test]
fn what_follows_the_last_request_is_not_reset_but_lingered_over() {
    let outcome = whole(&format!("{LAST}{GET}"));
    assert_eq!(statuses(&outcome), ["200"]);
    assert_eq!(outcome.end, Some(Next::Linger));
}

#[test]
fn head_has_the_length_and_no_body() {
    let outcome = whole("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(outcome.sent.ends_with("Content-Length: 5\r\n\r\n"));
    let outcome = whole("HEAD /x HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(statuses(&outcome), ["404"]);
    assert!(outcome.sent.ends_with("\r\n\r\n"));
}

#[test]
fn errors_that_leave_the_connection_usable() {
    let outcome = whole(&format!(
        "GET /nothing HTTP/1.1\r\nHost: a\r\n\r\nDELETE / HTTP/1.1\r\nHost: a\r\n\r\n\
         BREW / HTTP/1.1\r\nHost: a\r\n\r\n{GET}"
    ));
    assert_eq!(statuses(&outcome), ["404", "405", "501", "200"]);
    assert!(outcome.sent.contains("Allow: GET, HEAD, POST, PUT\r\n"));
    assert_eq!(outcome.end, None);
}

#[test]
fn errors_that_do_not() {
    for (text, status) in [
        ("nonsense\r\n\r\n", "400"),
        ("GET / HTTP/1.1\r\n\r\n", "400"),
        ("GET / HTTP/3.0\r\n\r\n", "505"),
    ] {
        let outcome = whole(&format!("{text}{GET}"));
        assert_eq!(statuses(&outcome), [status], "{text}");
        assert_eq!(outcome.end, Some(Next::Linger), "{text}");
        assert!(outcome.sent.contains("Connection: close\r\n"));
    }
    let outcome = whole(&format!("GET / HTTP/1.1\r\nHost: {}", "x".repeat(9000)));
    assert_eq!(statuses(&outcome), ["431"]);
}

#[test]
fn uploads_are_counted_and_summed() {
    let outcome =
        whole("POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 12\r\n\r\nhello, world");
    assert!(
        outcome
            .sent
            .ends_with("Content-Length: 12\r\n\r\n12 ffab723a\n"),
        "{outcome:?}"
    );
    let outcome = whole(
        "PUT /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    );
    assert!(
        outcome
            .sent
            .ends_with("Content-Length: 11\r\n\r\n5 3610a686\n"),
        "{outcome:?}"
    );
    let outcome = whole("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
    assert!(
        outcome.sent.ends_with("\r\n\r\n0 00000000\n"),
        "{outcome:?}"
    );
}

#[test]
fn a_body_of_a_get_is_skipped() {
    let outcome = whole(&format!(
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nGET {GET}"
    ));
    assert_eq!(statuses(&outcome), ["200", "200"]);
}

#[test]
fn continue_comes_before_the_body_and_not_before_an_error() {
    let head = "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n";
    let outcome = whole(head);
    assert_eq!(outcome.sent, "HTTP/1.1 100 Continue\r\n\r\n");
    let outcome = whole(&format!("{head}abc"));
    assert_eq!(statuses(&outcome), ["100", "200"]);
    let outcome = whole(&head.replace("PUT / ", "DELETE / "));
    assert_eq!(statuses(&outcome), ["405"]);
    assert_eq!(outcome.end, Some(Next::Linger));
    let last = head.replace("Expect", "Connection: close\r\nExpect");
    let outcome = whole(&format!("{last}abc"));
    assert_eq!(
        (statuses(&outcome), outcome.end),
        (vec!["100", "200"], Some(Next::Close))
    );
}

#[test]
fn a_client_that_has_closed_gets_its_answer_first() {
    let site = Site::of_size(100_000);
    let mut pipe = Pipe {
        room: 1000,
        sent: Vec::new(),
    };
    let mut session = Session::new();
    let (used, next) = session.on_data(&site, false, GET.as_bytes(), &mut pipe);
    assert_eq!((used, next), (GET.len(), Next::Write));
    assert_eq!(session.on_peer_closed(), Next::Write);
    pipe.room = usize::MAX;
    assert_eq!(session.on_writable(&site, false, &mut pipe), Next::Close);
    assert!(pipe.sent.len() > 100_000);
    assert_eq!(Session::new().on_peer_closed(), Next::Close);
}

#[test]
fn a_file_has_its_name_and_type() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("page.html");
    std::fs::write(&file, "<p>").unwrap();
    let site = Site::of_file(&file).unwrap();
    for path in ["/", "/page.html"] {
        let text = format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n");
        let outcome = run(&site, false, &[text.as_bytes()], usize::MAX);
        assert!(
            outcome.sent.contains("Content-Type: text/html"),
            "{outcome:?}"
        );
        assert!(outcome.sent.ends_with("\r\n\r\n<p>"), "{outcome:?}");
    }
    assert!(Site::of_file(&folder.path().join("none")).is_err());
}

/// Requests of every kind that keep the connection.
fn a_request() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(GET.to_owned()),
        Just("HEAD /x HTTP/1.1\r\nHost: a\r\n\r\n".to_owned()),
        Just("\r\nGET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n".to_owned()),
        "[a-z]{0,40}".prop_map(|body| format!(
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )),
        "[a-z]{1,40}".prop_map(|body| format!(
            "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n",
            body.len()
        )),
    ]
}

/// And how a stream of them may end.
fn an_end() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        Just(LAST.to_owned()),
        Just("GET / HT".to_owned()),
        Just("junk\u{1}".to_owned()),
        Just(format!("{LAST}{GET}")),
        Just(format!("GET / HTTP/1.1\r\nx: {}", "y".repeat(9_000))),
    ]
}

/// Cuts `bytes` at the given places, taken modulo what is left.
fn cut<'a>(mut bytes: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
    let mut pieces = Vec::new();
    for cut in cuts {
        if bytes.len() > 1 {
            let (piece, rest) = bytes.split_at(1 + cut % (bytes.len() - 1));
            pieces.push(piece);
            bytes = rest;
        }
    }
    pieces.push(bytes);
    pieces
}

proptest! {
    #[test]
    fn any_split_and_any_send_buffer_give_the_same_responses(
        requests in prop::collection::vec(a_request(), 0..8),
        end in an_end(),
        cuts in prop::collection::vec(any::<usize>(), 0..12),
        room in 1usize..400,
    ) {
        let stream = requests.concat() + &end;
        let site = Site::of_size(300);
        let whole = run(&site, false, &[stream.as_bytes()], usize::MAX);
        let split = run(&site, false, &cut(stream.as_bytes(), &cuts), room);
        prop_assert_eq!(&whole.sent, &split.sent);
        // Whether bytes came after the last request in time to be seen is the split's to decide.
        prop_assert_eq!(whole.end.is_some(), split.end.is_some());
        prop_assert!(statuses(&whole).len() >= requests.len());
    }

    #[test]
    fn arbitrary_bytes_never_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..400),
        cuts in prop::collection::vec(any::<usize>(), 0..6),
        prefix in prop_oneof![Just(""), Just("PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")],
    ) {
        let stream = [prefix.as_bytes(), &bytes].concat();
        run(&Site::of_size(3), true, &cut(&stream, &cuts), 7);
    }
}

/// A session that was told to drain after `before` arrived, and then got `after`: what draining asked
/// for, what was sent in all, and the end.
fn drained(before: &str, room: usize, after: &str) -> (Next, String, Option<Next>) {
    let site = Site::of_size(10);
    let mut session = Session::new();
    let mut pipe = Pipe {
        room,
        sent: Vec::new(),
    };
    let (used, _) = session.on_data(&site, false, before.as_bytes(), &mut pipe);
    let asked = session.drain();
    pipe.room = usize::MAX;
    let mut end = session.on_writable(&site, false, &mut pipe);
    let rest = [&before.as_bytes()[used..], after.as_bytes()].concat();
    if end == Next::Read && !rest.is_empty() {
        end = session.on_data(&site, false, &rest, &mut pipe).1;
    }
    let end = (end != Next::Read).then_some(end);
    (asked, String::from_utf8(pipe.sent).unwrap(), end)
}

#[test]
fn draining_closes_what_is_idle() {
    let get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    assert_eq!(drained("", 0, "").0, Next::Close);
    let (asked, sent, _) = drained(get, usize::MAX, "");
    assert_eq!(asked, Next::Close);
    assert!(!sent.contains("Connection: close"), "{sent}");
}

#[test]
fn draining_answers_what_has_begun_and_says_that_it_closes() {
    let get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    // Half a head, half a body, and a response of which nothing is sent.
    let put = "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nab";
    let cases = [
        (&get[..9], &get[9..], usize::MAX),
        (put, "cd", 1000),
        (get, "", 0),
    ];
    for (before, after, room) in cases {
        let (asked, sent, end) = drained(before, room, after);
        assert_ne!(asked, Next::Close, "{before:?}");
        assert!(sent.contains("200 OK"), "{before:?}: {sent}");
        assert!(sent.contains("Connection: close\r\n"), "{before:?}: {sent}");
        assert_eq!(end, Some(Next::Close), "{before:?}");
    }
}

#[test]
fn draining_in_the_middle_of_a_response_ends_after_it() {
    let get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    let (asked, sent, end) = drained(get, 7, "");
    assert_eq!(asked, Next::Write);
    assert!(!sent.contains("Connection"), "{sent}");
    assert!(sent.ends_with("\r\n\r\n0123456789"), "{sent}");
    assert_eq!(end, Some(Next::Close));
    // What was pipelined behind it is not answered.
    let (_, sent, end) = drained(&get.repeat(2), 7, "");
    assert_eq!(sent.matches("200 OK").count(), 1);
    assert_eq!(end, Some(Next::Linger));
}
