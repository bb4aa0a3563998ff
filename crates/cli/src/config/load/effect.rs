//! Keys of a load that would do nothing, which their user did not expect.

use super::{End, Load, Mode, Scheme};
use crate::args::name_of;
use crate::config::{ConfigError, Source};

/// Checks that every key that is given does something in the load's mode and with its targets.
///
/// # Errors
/// The first that does nothing, with the reason and the remedy.
pub(super) fn check(load: &Load, source: &Source) -> Result<(), ConfigError> {
    for key in KEYS {
        let given = source.has(&format!("load.{key}"));
        if let Some(why) = idle(load, key).filter(|_| given) {
            return Err(source.error_at(&format!("load.{key}"), why));
        }
    }
    Ok(())
}

/// The keys that depend on others to do something. Of the rest some have a contradiction with another, which is
/// told elsewhere.
const KEYS: [&str; 8] = [
    "requests",
    "every",
    "think",
    "close",
    "script",
    "http",
    "request_bytes",
    "response_bytes",
];

/// Why `key` does nothing in `load`; `None`: it does something.
fn idle(load: &Load, key: &str) -> Option<String> {
    let mode = load.mode;
    let name = name_of(mode);
    let bulk = matches!(mode, Mode::Send | Mode::Receive | Mode::Both);
    let silent = mode == Mode::Held && load.every.is_none();
    let to = |scheme| load.targets.iter().any(|t| t.url.scheme == scheme);
    let paced = load.profile().is_some();
    let why = match key {
        "requests" if bulk || mode == Mode::Held => {
            "`requests` is for the modes \"connections\" and \"requests\"".into()
        }
        "every" if mode != Mode::Held => {
            "`every` is for mode \"held\": elsewhere `think` is the pause".into()
        }
        "think" if load.think.get() == 0 => return None,
        "think" if bulk || silent => {
            format!("nothing is asked for in mode {name}, so nothing waits: leave `think` out")
        }
        // Between the steps of a script it is the pause in every mode.
        "think" if load.script.is_some() => return None,
        "think" if mode == Mode::Held => {
            "in mode \"held\" `every` is the time between requests: leave `think` out".into()
        }
        "think" if mode == Mode::Requests && paced => {
            "the rate says when each request begins: leave `think` out, or the rate".into()
        }
        "close" if load.close == End::Half && mode == Mode::Requests && load.requests.is_none() => {
            "there is no last request to send FIN behind: set load.requests".into()
        }
        "close"
            if load.close == End::Server && mode == Mode::Requests && load.requests.is_none() =>
        {
            "there is no last request for the server to close after: set load.requests".into()
        }
        "close" if load.close == End::Half && (bulk || mode == Mode::Held) => {
            format!(
                "there is no last request in mode {name} to send FIN behind: \"fin\" or \"reset\""
            )
        }
        "close" if load.close == End::Server && (bulk || mode == Mode::Held) => format!(
            "the server does not know when a run of mode {name} is over, so it does not close: \"fin\" or \"reset\""
        ),
        "script" if !to(Scheme::Tcp) => {
            "no target begins with tcp://, and a script is not for HTTP".into()
        }
        "http" if !to(Scheme::Http) => "no target begins with http://".into(),
        "request_bytes" | "response_bytes" if !to(Scheme::Tcp) => {
            format!("no target begins with tcp://, and `{key}` is not for HTTP")
        }
        "request_bytes" | "response_bytes" if load.script.is_some() => {
            format!("the script says what is sent and expected: leave `{key}` out")
        }
        "script" | "http" | "request_bytes" | "response_bytes" if silent => format!(
            "nothing is asked for in mode \"held\" without `every`: set load.every, or leave `{key}` out"
        ),
        "script" | "request_bytes" if matches!(mode, Mode::Send | Mode::Both) => {
            format!("as many octets as fit are sent in mode {name}: leave `{key}` out")
        }
        "response_bytes" if bulk => {
            format!(
                "in mode {name} what comes is counted, however much it is: leave `response_bytes` out"
            )
        }
        _ => return None,
    };
    Some(why)
}

#[cfg(test)]
mod tests {
    use super::super::Target;
    use super::*;
    use crate::config::quantity::{Count, Millis};

    const MODES: [Mode; 6] = [
        Mode::Connections,
        Mode::Requests,
        Mode::Held,
        Mode::Send,
        Mode::Receive,
        Mode::Both,
    ];

    fn load(mode: Mode, url: &str) -> Load {
        let target = |url: &str| Target {
            url: url.parse().unwrap(),
            weight: Count::of(1),
            reuse_interval: None,
        };
        Load {
            mode,
            targets: vec![target(url)],
            ..Load::default()
        }
    }

    /// In which modes a key does something, `x`, and in which not, `-`: connections, requests, held, send, receive,
    /// both.
    #[test]
    fn every_key_in_every_mode() {
        type With = fn(&mut Load);
        let every: With = |l| l.every = Some(Millis::of(1_000));
        let think: With = |l| l.think = Millis::of(1_000);
        let table: [(&str, &str, &str, &[With]); 21] = [
            ("requests", "tcp", "xx----", &[]),
            ("every", "tcp", "--x---", &[]),
            ("think", "tcp", "xx----", &[think]),
            ("think", "tcp", "xx----", &[think, every]),
            (
                "think",
                "tcp",
                "x-----",
                &[think, |l| l.rate = "5".parse().ok()],
            ),
            (
                "think",
                "tcp",
                "xxx---",
                &[
                    think,
                    every,
                    |l| l.script = Some("s".into()),
                    |l| l.rate = "5".parse().ok(),
                ],
            ),
            ("think", "tcp", "xxxxxx", &[]), // 0, which is none
            ("close", "tcp", "xxxxxx", &[]),
            ("close", "tcp", "xxxxxx", &[|l| l.close = End::Reset]),
            ("close", "tcp", "x-----", &[|l| l.close = End::Half]),
            (
                "close",
                "tcp",
                "xx----",
                &[|l| l.close = End::Half, |l| l.requests = Some(Count::of(2))],
            ),
            ("close", "tcp", "x-----", &[|l| l.close = End::Server]),
            (
                "close",
                "tcp",
                "xx----",
                &[
                    |l| l.close = End::Server,
                    |l| l.requests = Some(Count::of(2)),
                ],
            ),
            ("script", "tcp", "xx--x-", &[]),
            ("script", "tcp", "xxx-x-", &[every]),
            ("script", "http", "------", &[every]),
            ("http", "http", "xxx-x-", &[every]),
            ("http", "tcp", "------", &[every]),
            ("request_bytes", "tcp", "xxx-x-", &[every]),
            (
                "request_bytes",
                "tcp",
                "------",
                &[every, |l| l.script = Some("s".into())],
            ),
            ("response_bytes", "tcp", "xxx---", &[every]),
        ];
        for (key, scheme, effect, with) in table {
            for (mode, wanted) in MODES.into_iter().zip(effect.chars()) {
                // HTTP is refused as a whole where only we send.
                if scheme == "http" && matches!(mode, Mode::Send | Mode::Both) {
                    continue;
                }
                let mut load = load(mode, &format!("{scheme}://10.0.0.2:80"));
                with.iter().for_each(|set| set(&mut load));
                let why = idle(&load, key);
                assert_eq!(
                    why.is_none(),
                    wanted == 'x',
                    "{key}, {scheme}, {mode:?}: {why:?}"
                );
            }
        }
    }
}
