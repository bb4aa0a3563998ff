//! What is said to each target.

use core::num::NonZeroU32;
use std::path::Path;

use ::http::client::{InvalidRequest, Request};
use load::exchange::{Content, Expects, Http, Status};
use load::{Exchange, Raw};

use super::script;
use crate::config::ConfigError;
use crate::config::load::{self as configured, End, ExpectStatus, Load, Mode, Scheme, Target};

/// What is said to `target`.
///
/// # Errors
/// It cannot be said, or a file with it cannot be read.
pub(super) fn exchange(config: &Load, target: &Target) -> Result<Exchange, ConfigError> {
    match (target.url.scheme, &config.script) {
        (Scheme::Tcp, Some(file)) => Ok(Exchange::Script(script::read(file)?)),
        (Scheme::Tcp, None) => Ok(Exchange::Raw(raw(config))),
        (Scheme::Http, _) => {
            let request = request(&config.http, target)?;
            let expects = expects(&config.http, &request)?;
            http(config, &request, expects)
                .map(Exchange::Http)
                .map_err(|error| ConfigError::flag(&target.url.to_string(), error.to_string()))
        }
    }
}

fn raw(config: &Load) -> Raw {
    Raw::checked(
        Content::pattern(config.request_bytes.get()),
        Content::any(config.response_bytes.get()),
    )
}

fn request(config: &configured::Http, target: &Target) -> Result<Request, ConfigError> {
    let url = &target.url;
    let body = match &config.body {
        Some(file) => content("load.http.body", file)?,
        None => Vec::new(),
    };
    let method = match (&config.method, &config.body) {
        (Some(method), _) => method,
        (None, Some(_)) => "POST",
        (None, None) => "GET",
    };
    let mut request = Request::new(method, &url.path, &url.authority);
    request.body = body;
    let fields = config.headers.iter().cloned();
    request.fields = fields.map(|field| (field.name, field.value)).collect();
    Ok(request)
}

fn expects(config: &configured::Http, request: &Request) -> Result<Expects, ConfigError> {
    let status = match config.expect_status {
        None => Status::Any,
        Some(ExpectStatus::Code(code)) => Status::Code(code),
        Some(ExpectStatus::Class(class)) => Status::Class(class),
    };
    let content = match &config.expect_body {
        Some(_) if request.is_head() => {
            let message = "answers to HEAD have no body that could be right";
            return Err(ConfigError::flag("load.http.expect_body", message));
        }
        Some(file) => Some(Content::exactly(content("load.http.expect_body", file)?)),
        None => None,
    };
    Ok(Expects { status, content })
}

fn http(config: &Load, request: &Request, expects: Expects) -> Result<Http, InvalidRequest> {
    let requests = match (config.mode, config.requests) {
        (_, Some(requests)) => u32::try_from(requests.get()).ok(),
        (Mode::Connections, None) => Some(1),
        _ => None,
    };
    match requests.and_then(NonZeroU32::new) {
        // The server closes when it is asked to.
        Some(requests) if config.close == End::Server => {
            Http::closed_by_server(request, expects, requests)
        }
        _ => Http::new(request, expects),
    }
}

/// What `file` holds, which `key` names.
fn content(key: &str, file: &Path) -> Result<Vec<u8>, ConfigError> {
    std::fs::read(file)
        .map_err(|error| ConfigError::flag(key, format!("{}: {error}", file.display())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Purpose, Source, resolve};

    /// What is said with `keys` in `[load]`, to the first target.
    fn said(keys: &str) -> Result<Exchange, String> {
        let text = format!(
            "[port]\ndevice = \"x\"\n[host]\naddresses = [\"10.0.0.1/24\"]\n[load]\n{keys}\n"
        );
        let source = Source::from_text("t", &text).map_err(|e| e.to_string())?;
        let config = resolve(&source, Purpose::Load).map_err(|e| e.to_string())?;
        exchange(&config.load, &config.load.targets[0]).map_err(|e| e.to_string())
    }

    fn text(exchange: &Exchange, n: u32) -> String {
        String::from_utf8(exchange.request(n, 0).to_vec()).unwrap()
    }

    #[test]
    fn http_is_asked_as_it_is_configured() {
        let folder = tempfile::tempdir().unwrap();
        let body = folder.path().join("body");
        std::fs::write(&body, "12345").unwrap();
        let target = "targets = [\"http://10.0.0.2:8080/a?b\"]";
        let plain = said(target).unwrap();
        assert_eq!(
            text(&plain, 0),
            "GET /a?b HTTP/1.1\r\nHost: 10.0.0.2:8080\r\n\r\n"
        );
        let full = said(&format!(
            "{target}\nrequests = 2\nclose = \"server\"\n[load.http]\nheaders = [\"Host: h\", \"X: y:z\"]\n\
             body = {body:?}\n"
        ))
        .unwrap();
        assert_eq!(
            text(&full, 0),
            "POST /a?b HTTP/1.1\r\nHost: h\r\nX: y:z\r\nContent-Length: 5\r\n\r\n12345"
        );
        assert!(text(&full, 1).contains("Connection: close\r\n"));
    }

    #[test]
    fn what_cannot_be_said_is_explained() {
        let http = |keys: &str| {
            let keys = format!("targets = [\"http://10.0.0.2/\"]\n[load.http]\n{keys}");
            said(&keys).unwrap_err()
        };
        for (keys, part) in [
            ("method = \"G T\"", "`G T` is not a method"),
            ("headers = [\"no colon\"]", "write it as \"Name: value\""),
            ("headers = [\"Content-Length: 1\"]", "follows from the body"),
            (
                "body = \"/nonexistent/b\"",
                "load.http.body: /nonexistent/b: ",
            ),
            ("expect_status = 100", "`100` is not a status"),
            ("expect_status = \"6xx\"", "from 2xx to 5xx"),
            (
                "method = \"HEAD\"\nexpect_body = \"/dev/null\"",
                "answers to HEAD",
            ),
            ("path = \"/\"", "unknown field `path`"),
        ] {
            let error = http(keys);
            assert!(error.contains(part), "{keys}: {error}");
        }
        let error = said("targets = [\"tcp://10.0.0.2:7\"]\nscript = \"/nonexistent/s\"");
        assert!(error.unwrap_err().contains("/nonexistent/s"));
        let error = said("targets = [\"http://10.0.0.2/\"]\nscript = \"/nonexistent/s\"");
        assert!(error.unwrap_err().contains("no target begins with tcp://"));
    }
}
