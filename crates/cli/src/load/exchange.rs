//! What is said to each target.

use core::num::NonZeroU32;
use std::path::Path;

use ::http::client::{InvalidRequest, Request};
use load::exchange::{Content, Expects, Http, Script, Status};
use load::{Exchange, Raw};

use super::script;
use crate::config::ConfigError;
use crate::config::load::{self as configured, End, ExpectStatus, Load, Mode, Scheme, Target};

/// What is said to each target of `config`, and how many requests a connection makes in mode "connections": as
/// configured, or the whole script once.
///
/// # Errors
/// Something cannot be said, a file with it cannot be read, or a script would be left in the middle.
pub(super) fn exchanges(config: &Load) -> Result<(Vec<Exchange>, NonZeroU32), ConfigError> {
    let script = match &config.script {
        Some(file) => Some(script::read(file)?),
        None => None,
    };
    let steps = script.as_ref().map_or(1, Script::steps);
    let configured = config
        .requests
        .map(|n| u32::try_from(n.get()).unwrap_or(u32::MAX));
    if let Some(requests) = configured.filter(|requests| !requests.is_multiple_of(steps)) {
        let message = format!(
            "{requests} requests a connection are no multiple of the {steps} steps of the script: each step is a request"
        );
        return Err(ConfigError::flag("load.requests", message));
    }
    let requests = NonZeroU32::new(configured.unwrap_or(steps)).unwrap_or(NonZeroU32::MIN);
    let of = |target| exchange(config, target, script.as_ref(), requests);
    let exchanges: Result<Vec<Exchange>, ConfigError> = config.targets.iter().map(of).collect();
    Ok((exchanges?, requests))
}

fn exchange(
    config: &Load,
    target: &Target,
    script: Option<&Script>,
    requests: NonZeroU32,
) -> Result<Exchange, ConfigError> {
    match (target.url.scheme, script) {
        (Scheme::Tcp, Some(script)) => Ok(Exchange::Script(script.clone())),
        (Scheme::Tcp, None) => Ok(Exchange::Raw(raw(config))),
        (Scheme::Http, _) => {
            let request = request(&config.http, target)?;
            let expects = expects(&config.http, &request)?;
            http(config, requests, &request, expects)
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

fn http(
    config: &Load,
    requests: NonZeroU32,
    request: &Request,
    expects: Expects,
) -> Result<Http, InvalidRequest> {
    let ends = config.mode == Mode::Connections || config.requests.is_some();
    match ends && config.close == End::Server {
        // The server closes when it is asked to.
        true => Http::closed_by_server(request, expects, requests),
        false => Http::new(request, expects),
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

    fn config(keys: &str) -> Result<crate::config::Config, String> {
        let text = format!(
            "[port]\ndevice = \"x\"\n[host]\naddresses = [\"10.0.0.1/24\"]\n[load]\n{keys}\n"
        );
        let source = Source::from_text("t", &text).map_err(|e| e.to_string())?;
        resolve(&source, Purpose::Load).map_err(|e| e.to_string())
    }

    /// What is said with `keys` in `[load]`, to the first target.
    fn said(keys: &str) -> Result<Exchange, String> {
        let config = config(keys)?;
        let (mut all, _) = exchanges(&config.load).map_err(|e| e.to_string())?;
        Ok(all.remove(0))
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
    fn a_script_is_gone_through_once_or_as_often_as_is_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let script = folder.path().join("script");
        std::fs::write(
            &script,
            "[[step]]\nsend = \"a\"\n[[step]]\nsend = \"b\"\n[[step]]\nexpect = \"c\"\n",
        )
        .unwrap();
        let requests = |keys: &str| {
            let targets = "targets = [\"tcp://10.0.0.2:7\", { url = \"http://10.0.0.3/\" }]";
            let config = config(&format!("{targets}\nscript = {script:?}\n{keys}")).unwrap();
            exchanges(&config.load).map(|(_, requests)| requests.get())
        };
        assert_eq!(requests(""), Ok(3));
        assert_eq!(requests("requests = 6"), Ok(6));
        let error = requests("requests = 4").unwrap_err().to_string();
        assert!(error.starts_with("load.requests: 4 requests"), "{error}");
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
