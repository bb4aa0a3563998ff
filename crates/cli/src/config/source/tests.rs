use super::*;
use crate::config::{Config, Purpose, resolve};

const FILE: &str = "[port]\ndevice = \"net_null0\"\n[host]\naddresses = [\"192.0.2.1/24\"]\n\
                    [[listen]]\nport = 80\napp = \"http\"\n";

fn source() -> Source {
    Source::from_text("t.toml", FILE).unwrap()
}

fn set(path: &str, value: &str) -> Result<Config, ConfigError> {
    let mut source = source();
    source.set(&format!("--set {path}={value}"), path, value)?;
    resolve(&source, Purpose::Serve)
}

#[test]
fn any_key_can_be_set() {
    assert_eq!(set("tcp.mss", "1000").unwrap().tcp.mss.unwrap().get(), 1000);
    assert!(!set("tcp.timestamps", "false").unwrap().tcp.timestamps);
    assert_eq!(
        set("port.device", "\"net_x\"").unwrap().port.device,
        "net_x"
    );
    assert_eq!(set("eal.cpus", "[2, 3]").unwrap().eal.cpus, [2, 3]);
    assert_eq!(
        set("listen.0.port", "8080").unwrap().listen[0].port.get(),
        8080
    );
    assert_eq!(
        set("listen.0", "{ port = 9, app = \"discard\" }")
            .unwrap()
            .listen[0]
            .port
            .get(),
        9
    );
    let keepalive = set("tcp.keepalive.idle", "5s")
        .unwrap()
        .tcp
        .keepalive
        .unwrap();
    assert_eq!(keepalive.idle.get(), 5_000);
}

#[test]
fn bare_strings_need_no_quotes() {
    assert_eq!(
        set("port.device", "net_tap0,iface=tw0")
            .unwrap()
            .port
            .device,
        "net_tap0,iface=tw0"
    );
    assert_eq!(
        set("time_wait.length", "250ms")
            .unwrap()
            .time_wait
            .length
            .get(),
        250
    );
    assert_eq!(
        set("host.gateway", "192.0.2.9")
            .unwrap()
            .host
            .gateway
            .unwrap()
            .octets()[3],
        9
    );
}

#[test]
fn a_new_element_is_appended() {
    let config = set("listen.1", "{ port = 7, app = \"echo\" }").unwrap();
    assert_eq!(config.listen.len(), 2);
    let mut source = Source::empty();
    source
        .push("--listen 7=echo", "listen", "{ port = 7, app = \"echo\" }")
        .unwrap();
    source
        .push(
            "--listen 9=discard",
            "listen",
            "{ port = 9, app = \"discard\" }",
        )
        .unwrap();
    assert_eq!(source.read::<Config>().unwrap().listen.len(), 2);
}

#[test]
fn errors_name_the_flag() {
    let error = set("tcp.mss", "1").unwrap_err();
    assert_eq!(
        error.to_string(),
        "--set tcp.mss=1: 1 is out of range: 64 to 9176"
    );
    let error = set("tcp.msss", "1000").unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("--set tcp.msss=1000: unknown field `msss`"),
        "{error}"
    );
    assert!(
        error.to_string().ends_with("did you mean `mss`?"),
        "{error}"
    );
    let error = set("tcp.mss", "5000").unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("--set tcp.mss=5000: an MSS of 5000"),
        "{error}"
    );
    let error = set("listen.0.bdoy", "1").unwrap_err();
    assert!(error.to_string().contains("did you mean `body`"), "{error}");
}

#[test]
fn an_error_of_the_file_after_a_flag_still_names_its_line() {
    let mut source = Source::from_text("t.toml", &FILE.replace("80", "0")).unwrap();
    source.set("--set tcp.mss=1000", "tcp.mss", "1000").unwrap();
    let error = resolve(&source, Purpose::Serve).unwrap_err();
    assert_eq!(error.line_number(), Some(6), "{error}");
}

#[test]
fn a_flag_that_contradicts_the_file_names_both() {
    let file = FILE.replace("[host]", "mtu = 1000\n[host]");
    let mut source = Source::from_text("t.toml", &file).unwrap();
    source.set("--set tcp.mss=1400", "tcp.mss", "1400").unwrap();
    let error = resolve(&source, Purpose::Serve).unwrap_err().to_string();
    assert!(error.starts_with("--set tcp.mss=1400: "), "{error}");
    assert!(error.ends_with("(port.mtu is at t.toml:3)"), "{error}");
}

#[test]
fn impossible_paths_are_refused() {
    for (path, message) in [
        ("", "not a path"),
        ("tcp..mss", "not a path"),
        ("listen.7.port", "not one of them or the next"),
        ("listen.x", "not one of them or the next"),
        ("port.device.name", "is a string"),
        ("host.addresses.0.x", "not a table"),
    ] {
        let error = set(path, "1").unwrap_err().to_string();
        assert!(error.contains(message), "{path}: {error}");
    }
}

#[test]
fn no_flag_is_blamed_for_what_is_missing() {
    let mut source = Source::empty();
    source.set("--idle yield", "eal.idle", "yield").unwrap();
    let error = |path: &str| source.error_at(path, "it is missing").to_string();
    assert_eq!(error("port"), "it is missing");
    assert_eq!(error("eal.idle"), "--idle yield: it is missing");
}
