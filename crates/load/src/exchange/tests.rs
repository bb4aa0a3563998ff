use core::num::NonZeroU32;

use ::http::client::Request;
use proptest::prelude::*;

use super::http::ANOTHER_STATUS;
use super::*;

const MAX: u64 = 64;

/// Reads one answer out of `pieces`, what is not consumed again each time, and then the end. Returns what became
/// of it, with the octets consumed in all, and how many were shown after the end of the answer.
fn read(exchange: &Exchange, n: u32, pieces: &[&[u8]]) -> Progress {
    let mut reader = exchange.reader(n);
    let (mut held, mut before) = (Vec::new(), 0);
    let at = |before: usize, progress| match progress {
        Progress::Done {
            consumed,
            status,
            last,
        } => Progress::Done {
            consumed: before + consumed,
            status,
            last,
        },
        other => other,
    };
    for piece in pieces {
        held.extend_from_slice(piece);
        match reader.read(exchange, &held) {
            Progress::More { consumed } => {
                held.drain(..consumed);
                before += consumed;
            }
            progress => return at(before, progress),
        }
    }
    at(before, reader.end(exchange))
}

const fn done(consumed: usize) -> Progress {
    Progress::Done {
        consumed,
        status: None,
        last: false,
    }
}

fn script(expects: Vec<Expect>) -> Exchange {
    let step = |expect| Step {
        send: Box::from(*b"?"),
        expect,
    };
    Exchange::Script(Script::new(expects.into_iter().map(step).collect()).unwrap())
}

fn until(delimiter: &[u8]) -> Expect {
    Expect::Pattern(Box::new(Pattern::until(delimiter, MAX).unwrap()))
}

fn regex(regex: &str) -> Expect {
    Expect::Pattern(Box::new(Pattern::regex(regex, MAX).unwrap()))
}

fn exactly(text: &[u8]) -> Expect {
    Expect::Content(Content::exactly(text))
}

fn http(expects: Expects) -> Exchange {
    Exchange::Http(Http::new(&Request::new("GET", "/", "h"), expects).unwrap())
}

#[test]
fn a_raw_answer_is_whole_at_its_length_and_not_before() {
    let exchange = Exchange::Raw(Raw::new(*b"hello", 5));
    assert_eq!(exchange.request(7, 0), b"hello");
    assert_eq!(read(&exchange, 0, &[b"abc", b"defg"]), done(5));
    assert_eq!(
        read(&exchange, 0, &[b"abc"]),
        Progress::Wrong("ended too early")
    );
    assert_eq!(
        Reader::Idle.read(&exchange, b"x"),
        Progress::Wrong("was not asked for")
    );
}

#[test]
fn a_raw_answer_may_be_known_octet_by_octet() {
    let exchange = Exchange::Raw(Raw::checked(
        Content::exactly(*b"?"),
        Content::repeated(b"ab", 5),
    ));
    assert_eq!(read(&exchange, 0, &[b"aba", b"ba"]), done(5));
    let wrong = Progress::Wrong("has a wrong octet");
    assert_eq!(read(&exchange, 0, &[b"aba", b"ab"]), wrong);
}

#[test]
fn a_script_goes_on_step_by_step_and_begins_again() {
    let exchange = script(vec![
        exactly(b"+OK\r\n"),
        until(b"\r\n.\r\n"),
        regex("[0-9]+ [^\n]*\n"),
    ]);
    assert_eq!(exchange.steps(), 3);
    for n in [0, 3] {
        assert_eq!(read(&exchange, n, &[b"+O", b"K\r\nrest"]), done(5));
    }
    assert_eq!(read(&exchange, 1, &[b"a\r\n..\r", b"\n.\r\n"]), done(10));
    assert_eq!(read(&exchange, 2, &[b"250 ok", b"\n250 again\n"]), done(7));
    assert_eq!(
        read(&exchange, 0, &[b"-ERR\r\n"]),
        Progress::Wrong("has another text than was expected")
    );
    assert_eq!(
        read(&exchange, 2, &[b"no number\n"]),
        Progress::Wrong("does not match the regular expression")
    );
    assert_eq!(
        read(&exchange, 1, &[&[b'x'; MAX as usize + 1]]),
        Progress::Wrong("is longer than was allowed")
    );
    assert_eq!(
        read(&exchange, 1, &[&[b'x'; MAX as usize]]),
        Progress::Wrong("ended too early")
    );
}

#[test]
fn an_answer_ends_where_the_pattern_matches_first() {
    let smtp = script(vec![regex("(250-[^\n]*\n)*250 [^\n]*\n")]);
    assert_eq!(read(&smtp, 0, &[b"250-a\n250-b\n250 c\n250 d\n"]), done(18));
    let delimiter = script(vec![until(b"aab")]);
    assert_eq!(read(&delimiter, 0, &[b"aaab", b"aab"]), done(4));
    let octets = script(vec![until(&[0xff, 0x00])]);
    assert_eq!(read(&octets, 0, &[&[0xff], &[0xff, 0]]), done(3));
    // As if the text ended wherever it is looked at.
    let anchored = script(vec![regex("(?s)a.*b$")]);
    assert_eq!(read(&anchored, 0, &[b"a\nb\nb"]), done(3));
}

#[test]
fn an_answer_of_nothing_is_there_at_once() {
    let exchange = script(vec![Expect::Content(Content::any(0))]);
    assert_eq!(exchange.reader(0).read(&exchange, b""), done(0));
}

#[test]
fn what_no_script_can_be() {
    assert_eq!(Script::new(vec![]).unwrap_err(), ScriptError::NoStep);
    let idle = Step {
        send: Box::default(),
        expect: Expect::Content(Content::any(0)),
    };
    assert_eq!(
        Script::new(vec![idle]).unwrap_err(),
        ScriptError::EmptyStep(1)
    );
    assert_eq!(
        Pattern::until(b"", 9).unwrap_err(),
        ScriptError::EmptyDelimiter
    );
    assert_eq!(
        Pattern::regex("a*", 9).unwrap_err(),
        ScriptError::MatchesNothing
    );
    for (regex, part) in [
        ("a(", "unclosed group"),
        // Its automaton has as many states as there are words of 30 letters.
        ("[ab]*a[ab]{30}c", "exceeded"),
    ] {
        let error = Pattern::regex(regex, 9).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn classes_of_statuses_are_told_and_whether_the_connection_lasts() {
    let any = http(Expects::default());
    for (line, status, last) in [
        ("HTTP/1.1 200 OK", 2, false),
        ("HTTP/1.1 302 Found", 3, false),
        ("HTTP/1.0 404 Not Found", 4, true),
        ("HTTP/1.1 503 Busy\r\nConnection: close", 5, true),
    ] {
        let text = format!("{line}\r\nContent-Length: 2\r\n\r\nok");
        let expected = Progress::Done {
            consumed: text.len(),
            status: Some(status),
            last,
        };
        assert_eq!(read(&any, 0, &[text.as_bytes()]), expected);
    }
    let until_closed = b"HTTP/1.1 200 OK\r\n\r\nbody";
    let expected = Progress::Done {
        consumed: until_closed.len(),
        status: Some(2),
        last: true,
    };
    assert_eq!(read(&any, 0, &[until_closed]), expected);
}

#[test]
fn which_responses_are_right() {
    let expects = |status, content: Option<&[u8]>| {
        http(Expects {
            status,
            content: content.map(Content::exactly),
        })
    };
    let answer = |code, body: &str| {
        format!(
            "HTTP/1.1 {code} X\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    let (only, class) = (Status::Code(200), Status::Class(2));
    let status = Err(ANOTHER_STATUS);
    let octet = Err("has a wrong octet in its body, or one too many");
    for (exchange, answer, expected) in [
        (expects(only, None), answer(200, ""), Ok(2)),
        (expects(only, None), answer(201, ""), status),
        (expects(class, None), answer(201, ""), Ok(2)),
        (expects(class, None), answer(304, ""), status),
        (expects(Status::Any, Some(b"ab")), answer(404, "ab"), Ok(4)),
        (expects(Status::Any, Some(b"ab")), answer(200, "aa"), octet),
        (expects(Status::Any, Some(b"ab")), answer(200, "abc"), octet),
        (
            expects(Status::Any, Some(b"ab")),
            answer(200, "a"),
            Err("has a body that is too short"),
        ),
        (expects(only, Some(b"ab")), answer(404, "no"), status),
    ] {
        match (read(&exchange, 0, &[answer.as_bytes()]), expected) {
            (Progress::Done { status, .. }, Ok(class)) => assert_eq!(status, Some(class)),
            (Progress::Wrong(why), Err(expected)) => assert_eq!(why, expected, "{answer:?}"),
            other => panic!("{other:?} for {answer:?}"),
        }
    }
}

#[test]
fn the_last_request_asks_the_server_to_close() {
    let request = Request::new("GET", "/", "h");
    let three = NonZeroU32::new(3).unwrap();
    let http = Http::closed_by_server(&request, Expects::default(), three).unwrap();
    let exchange = Exchange::Http(http);
    let asks = |n| {
        exchange
            .request(n, 0)
            .ends_with(b"Connection: close\r\n\r\n")
    };
    assert_eq!(
        [0, 1, 2, 3, 4, 5].map(asks),
        [false, false, true, false, false, true]
    );
}

/// One of each kind, and answers to it of which most are nearly right.
fn cases() -> impl Strategy<Value = (Exchange, Vec<u8>)> {
    let exchange = prop_oneof![
        Just(Exchange::Raw(Raw::new(*b"?", 9))),
        Just(Exchange::Raw(Raw::checked(
            Content::exactly(*b"?"),
            Content::repeated(b"OK\r\n", 9)
        ))),
        Just(script(vec![exactly(b"OK\r\nOK")])),
        Just(script(vec![until(b"\r\n\r\n")])),
        Just(script(vec![regex("(OK\r\n)*2[0-9]{2}")])),
        Just(http(Expects::default())),
        Just(http(Expects {
            status: Status::Class(2),
            content: Some(Content::exactly(*b"OK\r\nOK")),
        })),
    ];
    let piece = prop_oneof![
        Just(b"HTTP/1.1 200 OK\r\n".to_vec()),
        Just(b"HTTP/1.1 404 OK\r\n".to_vec()),
        Just(b"Content-Length: 6\r\n".to_vec()),
        Just(b"Transfer-Encoding: chunked\r\n".to_vec()),
        Just(b"6\r\nOK\r\nOK\r\n0\r\n\r\n".to_vec()),
        Just(b"OK\r\n".to_vec()),
        Just(b"OK".to_vec()),
        Just(b"\r\n".to_vec()),
        Just(b"250".to_vec()),
        proptest::collection::vec(any::<u8>(), 0..5),
    ];
    let stream = proptest::collection::vec(piece, 0..8);
    (exchange, stream.prop_map(|pieces| pieces.concat()))
}

proptest! {
    #[test]
    fn how_an_answer_is_split_does_not_matter(
        (exchange, stream) in cases(),
        cuts in proptest::collection::vec(any::<proptest::sample::Index>(), 0..5),
    ) {
        let whole = read(&exchange, 0, &[&stream]);
        let one_by_one: Vec<&[u8]> = stream.chunks(1).collect();
        prop_assert_eq!(read(&exchange, 0, &one_by_one), whole);
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
        cuts.sort_unstable();
        let (mut pieces, mut from) = (Vec::new(), 0);
        for cut in cuts {
            pieces.push(&stream[from..cut]);
            from = cut;
        }
        pieces.push(&stream[from..]);
        prop_assert_eq!(read(&exchange, 0, &pieces), whole);
    }

    #[test]
    fn no_octets_panic((exchange, _) in cases(), noise in proptest::collection::vec(any::<u8>(), 0..200)) {
        let progress = read(&exchange, 0, &[&noise]);
        if let Progress::Done { consumed, .. } = progress {
            prop_assert!(consumed <= noise.len());
        }
    }
}
