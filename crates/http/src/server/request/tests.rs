use super::*;

fn request(text: &str) -> Request<'_> {
    match parse(text.as_bytes()) {
        Parsed::Request(request) => request,
        other => panic!("{other:?} for {text:?}"),
    }
}

#[track_caller]
fn bad(text: &str, status: Status) {
    assert_eq!(parse(text.as_bytes()), Parsed::Bad(status), "{text:?}");
}

fn get(fields: &str) -> String {
    format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n")
}

#[test]
fn methods_and_targets() {
    for (line, method, path) in [
        ("GET / HTTP/1.1", Method::Get, "/"),
        ("HEAD /x?y=1 HTTP/1.1", Method::Head, "/x"),
        ("PUT http://h:80/up?q HTTP/1.1", Method::Upload, "/up"),
        ("POST http://h HTTP/1.1", Method::Upload, "/"),
        ("GET /a?u=http://b/c HTTP/1.1", Method::Get, "/a"),
        ("OPTIONS * HTTP/1.1", Method::NotAllowed, "*"),
        ("BREW / HTTP/1.1", Method::Unknown, "/"),
    ] {
        let text = format!("{line}\r\nHost: h\r\n\r\nrest");
        let request = request(&text);
        assert_eq!((request.method, request.path), (method, path), "{line}");
        assert_eq!(request.len, text.len() - 4);
    }
}

#[test]
fn persistence_follows_version_and_connection() {
    let of = |text: &str| request(text).persistence;
    assert_eq!(of(&get("")), Persistence::KeepAlive);
    assert_eq!(of(&get("Connection: close\r\n")), Persistence::Close);
    assert_eq!(of(&get("Connection: foo, CLOSE\r\n")), Persistence::Close);
    assert_eq!(of("GET / HTTP/1.0\r\n\r\n"), Persistence::Close);
    assert_eq!(
        of("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"),
        Persistence::KeepAlive10
    );
}

#[test]
fn framing() {
    let of = |fields: &str| request(&get(fields)).body;
    assert_eq!(of(""), Body::Length(0));
    assert_eq!(of("Content-Length: 17\r\n"), Body::Length(17));
    assert_eq!(of("Transfer-Encoding: Chunked\r\n"), Body::Chunked);
    for fields in [
        "Content-Length: x\r\n",
        "Content-Length: -1\r\n",
        "Content-Length: +1\r\n",
        "Content-Length:\r\n",
        "Content-Length: 99999999999999999999\r\n",
        "Content-Length: 1\r\nContent-Length: 1\r\n",
        "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n",
    ] {
        bad(&get(fields), Status::BadRequest);
    }
    bad(
        "GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
        Status::BadRequest,
    );
    bad(
        &get("Transfer-Encoding: gzip, chunked\r\n"),
        Status::NotImplemented,
    );
}

#[test]
fn what_is_refused() {
    bad("GET / HTTP/1.1\r\n\r\n", Status::BadRequest);
    bad(
        "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        Status::BadRequest,
    );
    bad(
        "GET / HTTP/2.0\r\nHost: a\r\n\r\n",
        Status::VersionNotSupported,
    );
    bad("\u{0}\u{1}", Status::BadRequest);
    bad(&get("Expect: magic\r\n"), Status::ExpectationFailed);
    bad(&get(&"a: b\r\n".repeat(64)), Status::FieldsTooLarge);
    bad(
        &get(&format!("a: {}\r\n", "x".repeat(MAX_HEAD))),
        Status::FieldsTooLarge,
    );
    bad(
        &format!("GET /{} HTTP/1.1\r\n", "x".repeat(MAX_HEAD)),
        Status::UriTooLong,
    );
}

#[test]
fn a_head_of_exactly_the_limit_is_taken_and_one_more_is_not() {
    let with = |extra: usize| get(&format!("a: {}\r\n", "x".repeat(extra)));
    let fits = MAX_HEAD - with(0).len();
    assert_eq!(request(&with(fits)).len, MAX_HEAD);
    bad(&with(fits + 1), Status::FieldsTooLarge);
}

#[test]
fn every_prefix_is_incomplete() {
    let text = get("Connection: close\r\n");
    for cut in 0..text.len() {
        assert_eq!(parse(&text.as_bytes()[..cut]), Parsed::Incomplete, "{cut}");
    }
}
