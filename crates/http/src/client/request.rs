//! Requests, written once and sent as often as one likes.

/// What to ask for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Request {
    /// The method (RFC 9110 9), such as GET.
    pub method: String,
    /// The target in origin form, a path with or without a query, or `*` (RFC 9112 3.2).
    pub target: String,
    /// The value of `Host`, unless `fields` has one: an authority without user information.
    pub host: String,
    /// Further header fields in their order: names and values.
    pub fields: Vec<(String, String)>,
    /// The content; empty for none.
    pub body: Vec<u8>,
    /// It is the last one on its connection: the server closes after its answer (RFC 9112 9.6).
    pub last: bool,
}

/// What no request can be.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum InvalidRequest {
    /// RFC 9110 9.1.
    #[error("`{0}` is not a method: write a word such as GET")]
    Method(String),
    /// A method that is no request for a resource.
    #[error("CONNECT makes a tunnel of the connection: what is sent through it is no HTTP")]
    Connect,
    /// RFC 9112 3.2.
    #[error("`{0}` is not a target: it begins with / and has no white space (write %20)")]
    Target(String),
    /// RFC 9110 5.1.
    #[error("`{0}` is not the name of a header field")]
    Name(String),
    /// RFC 9110 5.5.
    #[error("the value of `{0}` has an octet that no header field has, such as a line break")]
    Value(String),
    /// A field that follows from the body.
    #[error("`{0}` follows from the body: leave it out")]
    Framing(String),
}

impl Request {
    /// A request for `target` of `host` without anything else.
    #[must_use]
    pub fn new(method: &str, target: &str, host: &str) -> Request {
        Request {
            method: method.to_owned(),
            target: target.to_owned(),
            host: host.to_owned(),
            fields: Vec::new(),
            body: Vec::new(),
            last: false,
        }
    }

    /// Whether its answer has no body whatever its header fields say.
    #[must_use]
    pub fn is_head(&self) -> bool {
        self.method == "HEAD"
    }

    /// Its octets.
    ///
    /// # Errors
    /// It has something that RFC 9112 does not allow in a request.
    pub fn bytes(&self) -> Result<Vec<u8>, InvalidRequest> {
        self.check()?;
        let mut text = format!("{} {} HTTP/1.1\r\n", self.method, self.target);
        let mut field = |name: &str, value: &str| {
            text.push_str(name);
            text.push_str(": ");
            text.push_str(value.trim());
            text.push_str("\r\n");
        };
        //= RFC 9112 3.2
        //# A client MUST send a Host header field (Section 7.2 of [HTTP]) in all
        //# HTTP/1.1 request messages.
        if !self.has("host") {
            field("Host", &self.host);
        }
        for (name, value) in &self.fields {
            field(name, value);
        }
        if self.last && !self.asks_for_close() {
            field("Connection", "close");
        }
        //= RFC 9110 8.6
        //# A user agent SHOULD send Content-Length in a request when the method
        //# defines a meaning for enclosed content and it is not sending
        //# Transfer-Encoding.
        let content = matches!(&*self.method, "POST" | "PUT" | "PATCH");
        if content || !self.body.is_empty() {
            field("Content-Length", &self.body.len().to_string());
        }
        text.push_str("\r\n");
        let mut bytes = text.into_bytes();
        bytes.extend_from_slice(&self.body);
        Ok(bytes)
    }

    fn check(&self) -> Result<(), InvalidRequest> {
        if !is_token(&self.method) {
            return Err(InvalidRequest::Method(self.method.clone()));
        }
        if self.method == "CONNECT" {
            return Err(InvalidRequest::Connect);
        }
        let begins = self.target.starts_with('/') || self.target == "*";
        if !begins || !self.target.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(InvalidRequest::Target(self.target.clone()));
        }
        let host = [("Host".to_owned(), self.host.clone())];
        for (name, value) in self.fields.iter().chain(&host) {
            if !is_token(name) {
                return Err(InvalidRequest::Name(name.clone()));
            }
            if value.bytes().any(|b| b == 0x7f || (b < b' ' && b != b'\t')) {
                return Err(InvalidRequest::Value(name.clone()));
            }
            let framing = ["content-length", "transfer-encoding"];
            if framing.iter().any(|f| name.eq_ignore_ascii_case(f)) {
                return Err(InvalidRequest::Framing(name.clone()));
            }
        }
        Ok(())
    }

    fn has(&self, field: &str) -> bool {
        let mut names = self.fields.iter().map(|(name, _)| name);
        names.any(|name| name.eq_ignore_ascii_case(field))
    }

    fn asks_for_close(&self) -> bool {
        let mut connection = crate::fields::Connection::default();
        for (name, value) in &self.fields {
            if name.eq_ignore_ascii_case("connection") {
                connection.add(value.as_bytes());
            }
        }
        connection.close
    }
}

/// `token` (RFC 9110 5.6.2).
fn is_token(text: &str) -> bool {
    let is_tchar = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    !text.is_empty() && text.bytes().all(is_tchar)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(request: &Request) -> String {
        String::from_utf8(request.bytes().unwrap()).unwrap()
    }

    #[test]
    fn a_request_is_what_the_standard_says() {
        let mut request = Request::new("GET", "/a?b=c", "h:8080");
        assert_eq!(
            text(&request),
            "GET /a?b=c HTTP/1.1\r\nHost: h:8080\r\n\r\n"
        );
        request.last = true;
        assert!(text(&request).ends_with("Connection: close\r\n\r\n"));
        request
            .fields
            .push(("connection".into(), "x, Close".into()));
        request.fields.push(("host".into(), "other".into()));
        assert_eq!(
            text(&request),
            "GET /a?b=c HTTP/1.1\r\nconnection: x, Close\r\nhost: other\r\n\r\n"
        );
    }

    #[test]
    fn a_body_has_its_length() {
        let mut request = Request::new("POST", "/", "h");
        assert!(text(&request).ends_with("Content-Length: 0\r\n\r\n"));
        request.body = b"abc".to_vec();
        assert!(text(&request).ends_with("Content-Length: 3\r\n\r\nabc"));
        request.method = "HEAD".into();
        assert!(request.is_head() && text(&request).ends_with("Content-Length: 3\r\n\r\nabc"));
    }

    #[test]
    fn the_server_understands_it() {
        let mut request = Request::new("PUT", "/x?y", "[2001:db8::1]:80");
        request.fields.push(("X-A".into(), " b ".into()));
        request.body = b"12345".to_vec();
        request.last = true;
        let bytes = request.bytes().unwrap();
        let crate::server::Parsed::Request(parsed) = crate::server::parse(&bytes) else {
            panic!("{bytes:?}");
        };
        assert_eq!(parsed.len, bytes.len() - 5);
        assert_eq!(parsed.path, "/x");
        assert_eq!(parsed.body, crate::server::Body::Length(5));
        assert_eq!(parsed.persistence, crate::server::Persistence::Close);
    }

    #[test]
    fn what_no_request_can_be() {
        let base = Request::new("GET", "/", "h");
        let with = |change: fn(&mut Request)| {
            let mut request = base.clone();
            change(&mut request);
            request.bytes().unwrap_err()
        };
        use InvalidRequest as E;
        assert_eq!(with(|r| r.method = "G T".into()), E::Method("G T".into()));
        assert_eq!(with(|r| r.method.clear()), E::Method(String::new()));
        assert_eq!(with(|r| r.method = "CONNECT".into()), E::Connect);
        assert_eq!(with(|r| r.target = "a".into()), E::Target("a".into()));
        assert_eq!(with(|r| r.target = "/a b".into()), E::Target("/a b".into()));
        assert_eq!(with(|r| r.host = "a\r\nb".into()), E::Value("Host".into()));
        let field = |name: &str, value: &str| {
            let mut request = base.clone();
            request.fields.push((name.into(), value.into()));
            request.bytes().unwrap_err()
        };
        assert_eq!(field("a b", "c"), E::Name("a b".into()));
        assert_eq!(field("a", "b\r\nc: d"), E::Value("a".into()));
        assert_eq!(
            field("Content-Length", "3"),
            E::Framing("Content-Length".into())
        );
    }
}
