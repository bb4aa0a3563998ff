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
    resolve(&Source::from_text("t.toml", text)?, Purpose::Serve)
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
    refused("\"192.0.2.1/24\"", "\"2001:db8::1/129\"", 6, "0 to 128");
    refused("\"192.0.2.1/24\"", "\"::ffff:192.0.2.1/96\"", 6, "IPv4");
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
        "app = \"echo\"\nresponse_bytes = 1",
        25,
        "`response_bytes` is for the exchange application, not for echo",
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
fn time_wait_policies_and_switches_are_read() {
    use ::tcp::time_wait::{IssRule, Policy, Rules};
    let rules = |line: &str| {
        with("policy = \"rfc6191\"", line)
            .unwrap()
            .time_wait
            .stack()
    };
    assert_eq!(rules("").rules, Rules::SAFE);
    for policy in Policy::ALL.into_iter().filter(|p| *p != Policy::None) {
        let line = format!("policy = \"{}\"", policy.name());
        assert_eq!(rules(&line).rules, Rules::of(policy));
    }
    let fast = rules("profile = \"fast-recovery\"\nmsl = \"5s\"");
    assert_eq!(
        (fast.rules, fast.msl_ms),
        (Rules::FAST_RECOVERY, Some(5_000))
    );
    let own = rules(
        "policy = \"linux\"\nrst = \"ignore-2s\"\nsyn_refuse = \"drop\"\nshadow = true\n\
         ack_check = false\niss = \"gap=7\"\nbound = false",
    );
    let expected = Rules {
        rst: ::tcp::time_wait::RstRule::IgnoreBriefly,
        syn_refusal: ::tcp::time_wait::SynRefusal::Drop,
        shadow: true,
        ack_check: false,
        iss: IssRule::Gap(7),
        ..Rules::LINUX
    };
    assert_eq!(own.rules, expected);
}

#[test]
fn local_reuse_is_a_time_or_never() {
    let of = |line: &str| {
        let config = with("policy = \"rfc6191\"", line)?;
        Ok::<_, ConfigError>(config.time_wait.stack().local_reuse_ms)
    };
    assert_eq!(of(""), Ok(Some(1_000)));
    assert_eq!(of("local_reuse = \"250ms\""), Ok(Some(250)));
    assert_eq!(of("local_reuse = \"never\""), Ok(None));
    let policy = "policy = \"rfc6191\"";
    refused(policy, "local_reuse = \"no\"", 15, "or use \"never\"");
    refused(policy, "local_reuse = \"2days\"", 15, "0s to 1day");
    let line = "port = 80\ntime_wait = { local_reuse = \"1s\" }";
    refused("port = 80", line, 19, "unknown");
}

#[test]
fn a_listener_has_its_own_time_wait() {
    use ::tcp::time_wait::Rules;
    let config = with(
        "port = 80",
        "port = 80\ntime_wait = { length = \"10s\", profile = \"linux\" }",
    )
    .unwrap();
    let host = config.host(
        ::wire::MacAddr([2, 0, 0, 0, 0, 1]),
        stack::Offload::default(),
        0,
    );
    let of = |i: usize| host.listeners[i].time_wait;
    assert_eq!((of(0).length_ms, of(0).rules), (10_000, Rules::LINUX));
    assert_eq!((of(1).length_ms, of(1).rules), (60_000, Rules::SAFE));
    assert_eq!(host.validate(), Ok(()));
}

#[test]
fn time_wait_contradictions_are_refused() {
    refused("\"rfc6191\"", "\"rfc\"", 15, "rfc1122");
    let policy = "policy = \"rfc6191\"";
    refused(policy, "iss = \"gap\"", 15, "\"gap=65537\"");
    refused(policy, "msl = \"61s\"", 15, "would outlive");
    refused("\"rfc6191\"", "\"none\"", 14, "leave the length out");
    let line = "profile = \"safe\"\npolicy = \"linux\"";
    refused(policy, line, 16, "leave one of them out");
    refused(policy, "syn_refuse = \"ack\"", 13, "syn_probe = true");
    refused(policy, "syn_probe = true", 13, "syn_refuse = ack");
    let line = "profile = \"fast-recovery\"\nrst = \"rfc5961\"";
    refused(policy, line, 13, "leave one of them out");
    refused(policy, "iss = \"clock\"", 13, "use iss = max or a gap");
    refused(policy, "iss = \"gap=16777217\"", 13, "0 to 16777216");
    refused(
        policy,
        "policy = \"strict\"\nshadow = true",
        13,
        "shadow = false",
    );
    let line = "port = 80\ntime_wait = { policy = \"linux\", bound = true }";
    refused("port = 80", line, 19, "policy = rfc6191");
    refused(policy, "rst = \"rfc793\"", 13, "bound = false");
    refused(policy, "shadow = false", 13, "shadow = true, or");
    for (own, why) in [
        (
            "policy = \"none\", rst = \"ignore\"",
            "so `rst` would do nothing",
        ),
        (
            "policy = \"none\", iss = \"max\"",
            "so `iss` would do nothing",
        ),
        (
            "policy = \"none\", msl = \"1s\"",
            "so `msl` would do nothing",
        ),
        (
            "length = \"0s\", bound = true",
            "a length of 0 keeps no TIME-WAIT",
        ),
        (
            "policy = \"strict\", iss = \"max\"",
            "strict never recycles",
        ),
        (
            "policy = \"strict\", ack_check = true",
            "strict never recycles",
        ),
        (
            "policy = \"linux\", msl = \"1s\"",
            "only the recycling bound",
        ),
        ("bound = false, msl = \"1s\"", "only the recycling bound"),
    ] {
        let line = format!("port = 80\ntime_wait = {{ {own} }}");
        refused("port = 80", &line, 19, why);
    }
    refused(
        "port = 80",
        "port = 80\ntime_wait = { lenght = 1 }",
        19,
        "did you mean `length`?",
    );
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
