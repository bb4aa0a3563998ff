use proptest::prelude::*;

use super::*;

/// What came of a stream of bytes.
#[derive(PartialEq, Eq, Debug, Default)]
struct Outcome {
    responses: Vec<(u16, bool, String)>,
    /// Bytes that belong to no response.
    left: usize,
    malformed: Option<Malformed>,
}

/// Shows `pieces` one after the other, what is not consumed again each time, and then the end.
fn run(to_head: bool, pieces: &[&[u8]]) -> Outcome {
    let mut reader = Reader::default();
    let mut outcome = Outcome::default();
    let (mut held, mut content) = (Vec::new(), Vec::new());
    let text = |content: &mut Vec<u8>| String::from_utf8_lossy(&core::mem::take(content)).into();
    for piece in pieces {
        held.extend_from_slice(piece);
        loop {
            match reader.read(to_head, &held, |bytes| content.extend_from_slice(bytes)) {
                Ok(Progress::More(used)) => {
                    held.drain(..used);
                    break;
                }
                Ok(Progress::Done(used, response)) => {
                    held.drain(..used);
                    let Response { status, persistent } = response;
                    outcome
                        .responses
                        .push((status, persistent, text(&mut content)));
                    // What comes after the last answer is not looked at.
                    if held.is_empty() {
                        break;
                    }
                }
                Err(malformed) => {
                    outcome.malformed = Some(malformed);
                    return outcome;
                }
            }
        }
    }
    outcome.left = held.len();
    match reader.end() {
        Ok(Response { status, persistent }) => {
            outcome
                .responses
                .push((status, persistent, text(&mut content)));
        }
        Err(malformed) if !content.is_empty() || outcome.responses.is_empty() => {
            outcome.malformed = Some(malformed);
        }
        Err(_) => {}
    }
    outcome
}

#[track_caller]
fn answers(bytes: &str, expected: &[(u16, bool, &str)]) {
    let outcome = run(false, &[bytes.as_bytes()]);
    let expected: Vec<_> = expected
        .iter()
        .map(|&(status, persistent, content)| (status, persistent, content.to_owned()))
        .collect();
    assert_eq!(outcome.responses, expected, "{bytes:?}");
    assert_eq!((outcome.left, outcome.malformed), (0, None), "{bytes:?}");
}

#[track_caller]
fn malformed(bytes: &str, expected: Malformed) {
    assert_eq!(
        run(false, &[bytes.as_bytes()]).malformed,
        Some(expected),
        "{bytes:?}"
    );
}

#[test]
fn a_length_frames_the_body() {
    answers(
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhelloHTTP/1.1 404 No\r\ncontent-length: 0\r\n\r\n",
        &[(200, true, "hello"), (404, true, "")],
    );
    answers(
        "HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\nContent-Length: 2\r\n\r\nok",
        &[(200, true, "ok")],
    );
    // dperf ends its lines with LF alone, and pads the length.
    answers(
        "HTTP/1.1 200 OK\nServ:dperf\nContent-Length:   2\nConnection:keep-alive\n\nok",
        &[(200, true, "ok")],
    );
}

#[test]
fn chunks_frame_the_body() {
    answers(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nX: y\r\n\r\n",
        &[(200, true, "abcde")],
    );
    answers(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, Chunked\r\n\r\n1\r\nz\r\n0\r\n\r\n",
        &[(200, true, "z")],
    );
}

#[test]
fn the_end_frames_the_body() {
    answers(
        "HTTP/1.1 200 OK\r\n\r\nall of it",
        &[(200, false, "all of it")],
    );
    answers(
        "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\n",
        &[(200, false, "")],
    );
    answers(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nzzz",
        &[(200, false, "zzz")],
    );
}

#[test]
fn what_becomes_of_the_connection() {
    let head = |line: &str, fields: &str| format!("{line}\r\nContent-Length: 0\r\n{fields}\r\n");
    for (line, fields, persistent) in [
        ("HTTP/1.1 200 OK", "", true),
        ("HTTP/1.1 200 OK", "Connection: Close\r\n", false),
        ("HTTP/1.1 200 OK", "Connection: x, close\r\n", false),
        ("HTTP/1.0 200 OK", "", false),
        ("HTTP/1.0 200 OK", "Connection: Keep-Alive\r\n", true),
        (
            "HTTP/1.0 200 OK",
            "Connection: keep-alive, close\r\n",
            false,
        ),
    ] {
        answers(&head(line, fields), &[(200, persistent, "")]);
    }
}

#[test]
fn interim_responses_are_passed_over() {
    answers(
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n\
         HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n.",
        &[(200, true, ".")],
    );
    malformed(
        "HTTP/1.1 101 Switching Protocols\r\n\r\n",
        Malformed::Upgraded,
    );
    malformed("HTTP/1.1 100 Continue\r\n\r\n", Malformed::Incomplete);
}

#[test]
fn responses_without_a_body() {
    answers(
        "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\nHTTP/1.1 304 Not Modified\r\n\
         Content-Length: 7\r\n\r\n",
        &[(204, true, ""), (304, true, "")],
    );
    let to_head = run(
        true,
        &[b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"],
    );
    assert_eq!(to_head.responses.len(), 2);
    assert_eq!(to_head.left, 0);
}

#[test]
fn malformed_responses() {
    malformed("HTTP/2 200 OK\r\n\r\n", Malformed::Head);
    malformed("SSH-2.0-OpenSSH\r\n", Malformed::Head);
    malformed("HTTP/1.1 099 Low\r\n\r\n", Malformed::Head);
    malformed("HTTP/1.1 200 OK\r\nno colon\r\n\r\n", Malformed::Head);
    let one = "HTTP/1.1 200 OK\r\n";
    for fields in [
        "Content-Length: 1\r\nContent-Length: 2\r\n",
        "Content-Length: 1, 2\r\n",
        "Content-Length: +1\r\n",
        "Content-Length: 18446744073709551616\r\n",
        "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n",
    ] {
        malformed(&format!("{one}{fields}\r\n"), Malformed::Length);
    }
    malformed(
        "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        Malformed::Length,
    );
    malformed(
        &format!("{one}Transfer-Encoding: chunked\r\n\r\nnot a size\r\n"),
        Malformed::Chunk,
    );
    malformed(
        &format!("{one}{}\r\n", "a: b\r\n".repeat(MAX_FIELDS + 1)),
        Malformed::TooLarge,
    );
    malformed(
        &format!("{one}a: {}", "x".repeat(MAX_HEAD)),
        Malformed::TooLarge,
    );
}

#[test]
fn an_end_within_a_response_makes_it_incomplete() {
    for bytes in [
        "",
        "HTTP/1.1 200",
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nz\r\n0\r\n",
    ] {
        malformed(bytes, Malformed::Incomplete);
    }
}

#[test]
fn the_status_is_known_as_soon_as_the_head_is_in() {
    let mut reader = Reader::default();
    let head = b"HTTP/1.1 503 Busy\r\nContent-Length: 9\r\n\r\n";
    assert_eq!(
        reader.read(false, &head[..10], |_| {}),
        Ok(Progress::More(0))
    );
    assert_eq!(reader.status(), None);
    assert_eq!(
        reader.read(false, head, |_| {}),
        Ok(Progress::More(head.len()))
    );
    assert_eq!(reader.status(), Some(503));
}

/// Streams of which most are responses, or nearly so.
fn streams() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(b"HTTP/1.1 200 OK\r\n".to_vec()),
        Just(b"HTTP/1.0 404 Not Found\r\n".to_vec()),
        Just(b"HTTP/1.1 100 Continue\r\n\r\n".to_vec()),
        Just(b"Content-Length: 4\r\n".to_vec()),
        Just(b"Transfer-Encoding: chunked\r\n".to_vec()),
        Just(b"Connection: close\r\n".to_vec()),
        Just(b"\r\n".to_vec()),
        Just(b"4\r\nWiki\r\n".to_vec()),
        Just(b"0\r\n\r\n".to_vec()),
        Just(b"Wiki".to_vec()),
        proptest::collection::vec(any::<u8>(), 0..6),
    ];
    proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn how_the_bytes_are_split_does_not_matter(
        stream in streams(),
        cuts in proptest::collection::vec(any::<proptest::sample::Index>(), 0..6),
        to_head: bool,
    ) {
        let whole = run(to_head, &[&stream]);
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
        cuts.sort_unstable();
        let (mut pieces, mut from) = (Vec::new(), 0);
        for cut in cuts {
            pieces.push(&stream[from..cut]);
            from = cut;
        }
        pieces.push(&stream[from..]);
        prop_assert_eq!(run(to_head, &pieces), whole);
    }

    #[test]
    fn one_byte_at_a_time_is_the_same(stream in streams()) {
        let pieces: Vec<&[u8]> = stream.chunks(1).collect();
        prop_assert_eq!(run(false, &pieces), run(false, &[&stream]));
    }
}
