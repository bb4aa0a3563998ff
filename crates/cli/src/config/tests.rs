use super::*;

const GOOD: &str = r#"
[port]
device = "net_tap0,iface=tw0"

[host]
addresses = ["192.0.2.1/24"]
gateway = "192.0.2.254"

[tcp]
mss = 1400
delayed_ack = "20ms"

[time_wait]
length = "60s"
policy = "rfc6191"

[[listen]]
port = 80
app = "http"
body = "1k"

[[listen]]
port = 7
app = "echo"
"#;

fn load(text: &str) -> Result<Config, ConfigError> {
    resolve(&Source::from_text("t.toml", text)?)
}

/// `GOOD` with one line in place of another.
fn with(line: &str, replacement: &str) -> Result<Config, ConfigError> {
    assert!(GOOD.contains(line), "{line}");
    load(&GOOD.replace(line, replacement))
}

#[track_caller]
fn refused(line: &str, replacement: &str, at: usize, message: &str) {
    let error = with(line, replacement).unwrap_err();
    assert!(error.message().contains(message), "{error}");
    assert_eq!(error.line_number(), Some(at), "{error}");
    assert!(
        error.to_string().starts_with(&format!("t.toml:{at}:")),
        "{error}"
    );
}

#[test]
fn a_good_file_is_read_whole() {
    let config = load(GOOD).unwrap();
    assert_eq!(config.tcp.mss.unwrap().get(), 1400);
    assert_eq!(config.tcp.delayed_ack.get(), 20);
    assert_eq!(config.listen.len(), 2);
    assert_eq!(config.listen[0].body_len(), 1024);
    assert_eq!(config.listen[0].closes(), Close::Server);
    assert_eq!(config.listen[1].closes(), Close::Client);
    assert_eq!(config.time_wait.length.get(), 60_000);
    assert!(config.tcp.timestamps);
}

#[test]
fn unknown_keys_name_the_line_and_the_nearest_known_key() {
    refused("mss = 1400", "msss = 1400", 10, "did you mean `mss`?");
    refused("[tcp]", "[tpc]", 9, "did you mean `tcp`?");
    refused("body = \"1k\"", "bdoy = \"1k\"", 20, "did you mean `body`?");
    refused(
        "app = \"echo\"",
        "app = \"ehco\"",
        24,
        "did you mean `echo`?",
    );
}

#[test]
fn an_unknown_key_like_no_other_is_only_listed() {
    let error = with("mss = 1400", "zzzzzz = 1").unwrap_err();
    assert!(
        error.message().starts_with("unknown field `zzzzzz`"),
        "{error}"
    );
    assert!(!error.message().contains("did you mean"), "{error}");
}

#[test]
fn values_out_of_range_name_the_range() {
    refused(
        "mss = 1400",
        "mss = 63",
        10,
        "63 is out of range: 64 to 9176",
    );
    refused("mss = 1400", "mss = -1", 10, "64 to 9176");
    refused("length = \"60s\"", "length = \"25h\"", 14, "0s to 1day");
    refused(
        "body = \"1k\"",
        "body = \"2G\"",
        20,
        "2G is out of range: 0 to 1G",
    );
    refused("port = 80", "port = 0", 18, "0 is out of range: 1 to 65535");
}

#[test]
fn wrong_types_name_the_line_and_the_right_one() {
    refused(
        "mss = 1400",
        "mss = true",
        10,
        "a whole number from 64 to 9176",
    );
    refused("length = \"60s\"", "length = 60", 14, "needs a unit");
    refused("port = 80", "port = [80]", 18, "invalid type");
    refused(
        "gateway = \"192.0.2.254\"",
        "gateway = \"here\"",
        7,
        "invalid IPv4",
    );
    refused("\"192.0.2.1/24\"", "\"192.0.2.1\"", 6, "192.0.2.1/24");
    refused("\"192.0.2.1/24\"", "\"192.0.2.1/33\"", 6, "0 to 32");
    refused("\"192.0.2.1/24\"", "\"2001:db8::1/64\"", 6, "IPv6");
}

#[test]
fn broken_toml_names_the_line() {
    refused("mss = 1400", "mss = = 1400", 10, "");
    refused("[tcp]", "[tcp", 9, "");
}

#[test]
fn contradictions_name_both_lines() {
    refused("mss = 1400", "mss = 1461", 10, "at most 1460");
    refused(
        "device = \"net_tap0,iface=tw0\"",
        "device = \"net_tap0\"\nmtu = 1000",
        11,
        "(port.mtu is at t.toml:4)",
    );
    refused(
        "port = 7",
        "port = 80",
        23,
        "(listen.0.port is at t.toml:18)",
    );
    refused(
        "body = \"1k\"",
        "body = 1\nfile = \"x\"",
        21,
        "(listen.0.body is at t.toml:20)",
    );
    refused(
        "app = \"echo\"",
        "app = \"echo\"\nbody = 1",
        25,
        "not for echo",
    );
    refused(
        "app = \"echo\"",
        "app = \"echo\"\nclose = \"server\"",
        25,
        "only the client",
    );
    refused(
        "mss = 1400",
        "rto_min = \"2s\"",
        10,
        "above the initial one",
    );
    refused(
        "mss = 1400",
        "rcv_buf = \"1M\"\nwindow_scaling = false",
        10,
        "(tcp.window_scaling is at t.toml:11)",
    );
    refused("mss = 1400", "rcv_buf = 8191", 10, "at least 8192");
    refused(
        "[tcp]",
        "[metrics]\nlisten = \"0.0.0.0:9464\"\n[tcp]",
        10,
        "not a loopback",
    );
    refused("192.0.2.254", "198.51.100.1", 7, "not on the prefix");
    refused("192.0.2.254", "192.0.2.1", 7, "this host itself");
    refused(
        "port = 80",
        "port = 80\naddress = \"192.0.2.9\"",
        19,
        "host.addresses",
    );
    refused("192.0.2.1/24", "224.0.0.1/24", 6, "not a unicast");
}

#[test]
fn what_must_be_given_is_asked_for() {
    refused("device = \"net_tap0,iface=tw0\"", "", 2, "no device");
    refused("app = \"echo\"", "", 22, "missing field `app`");
    let error = load("").unwrap_err();
    assert!(error.message().contains("no device"), "{error}");
}

#[test]
fn other_time_wait_policies_are_refused_plainly() {
    refused("\"rfc6191\"", "\"linux\"", 15, "not implemented yet");
    refused("\"rfc6191\"", "\"rfc\"", 15, "is not a TIME-WAIT policy");
}

#[test]
fn a_file_that_is_not_there_is_missed_at_once() {
    refused(
        "body = \"1k\"",
        "file = \"/nonexistent\"",
        20,
        "/nonexistent: No such file",
    );
    refused("body = \"1k\"", "file = \"/\"", 20, "/ is not a file");
}

#[test]
fn cpus_are_checked() {
    refused(
        "[tcp]",
        "[eal]\ncpus = [1, 1]\n[tcp]",
        10,
        "CPU 1 is there twice",
    );
    refused("[tcp]", "[eal]\ncpus = []\n[tcp]", 10, "1 to 64");
}
