use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

const CLIENT: &str = "\
# a comment
mode        client
cpu         0 2-3
duration    60s
cps         10k
port        0000:1b:00.0    6.6.241.100   6.6.241.27
client      6.6.241.101     3
server      6.6.241.27      1
listen      80              2
";

/// The keys that `text` becomes, and what is told.
fn parse(text: &str) -> (BTreeMap<&'static str, String>, String) {
    let dperf = Dperf::parse("d.conf", text).unwrap();
    let keys = dperf.settings.iter().map(|s| (s.path, s.value.clone()));
    (keys.collect(), dperf.to_string())
}

#[track_caller]
fn refused(text: &str, line: Option<usize>, part: &str) {
    let error = Dperf::parse("d.conf", text).unwrap_err();
    assert!(error.message().contains(part), "{error}");
    assert_eq!(error.line_number(), line, "{error}");
}

/// The client with a further line, which is the tenth.
fn with(line: &str) -> String {
    format!("{CLIENT}{line}\n")
}

/// The client with `line` instead of the one that begins with the same keyword.
fn instead(line: &str) -> String {
    let keyword = line.split_whitespace().next().unwrap_or_default();
    let lines = CLIENT.lines().map(|l| match l.starts_with(keyword) {
        true => line,
        false => l,
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn a_client_as_dperf_ships_one() {
    let (keys, notes) = parse(CLIENT);
    for (path, value) in [
        ("eal.cpus", "[0, 2, 3]"),
        ("port.device", r#""0000:1b:00.0""#),
        ("host.addresses", r#"["6.6.241.100/25"]"#),
        ("host.gateway", r#""6.6.241.27""#),
        ("load.sources", r#"["6.6.241.101-6.6.241.103"]"#),
        ("load.rate", "10000"),
        // dperf's slow start, which its duration does not count.
        ("load.ramp", r#""30s""#),
        ("load.duration", r#""90000ms""#),
        (
            "load.targets",
            r#"["http://6.6.241.27:80/", "http://6.6.241.27:81/"]"#,
        ),
        (
            "load.http.headers",
            r#"["Host: dperf", "User-Agent: dperf", "Accept: */*"]"#,
        ),
    ] {
        assert_eq!(keys.get(path).map(String::as_str), Some(value), "{path}");
    }
    assert!(!keys.contains_key("load.mode"));
    let notes: Vec<&str> = notes.lines().collect();
    assert!(
        notes[0].starts_with("d.conf:5: `cps`: we close first"),
        "{notes:?}"
    );
    assert!(notes[1].starts_with("d.conf:6: `port`: "), "{notes:?}");
    assert_eq!(notes.len(), 2);
}

#[test]
fn kept_connections() {
    let (keys, _) = parse(&with("keepalive 10s\ncc 1.5m"));
    assert_eq!(keys["load.mode"], r#""held""#);
    assert_eq!(keys["load.every"], r#""10000ms""#);
    assert_eq!(keys["load.connections"], "1500000");
    let (keys, notes) = parse(&with("keepalive 1500us 20"));
    assert_eq!(keys["load.requests"], "20");
    assert_eq!(keys["load.think"], r#""1ms""#);
    assert!(notes.contains("d.conf:10: `keepalive`: pauses are whole milliseconds"));
    let (keys, _) = parse(&with("keepalive 2ms 20\ncc 100"));
    assert_eq!(keys["load.connections"], "100", "as it says, however few");
    refused(&with("cc 100"), Some(10), "needs `keepalive`");
    refused(&with("keepalive 1s"), Some(10), "say with `cc`");
}

#[test]
fn requests_of_a_size() {
    let (keys, _) = parse(&with("packet_size 64"));
    assert_eq!(keys["load.request_bytes"], "10");
    assert!(keys["load.targets"].starts_with(r#"["tcp://6.6.241.27:80", "#));
    let (keys, _) = parse(&with("payload_size 200"));
    let url = keys["load.targets"].split('"').nth(1).unwrap().to_owned();
    let path = url.strip_prefix("http://6.6.241.27:80").unwrap();
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: dperf\r\nUser-Agent: dperf\r\nAccept: */*\r\n\r\n");
    assert_eq!(request.len(), 200);
    refused(&with("packet_size 54"), Some(10), "headers alone have 54");
    refused(
        &with("packet_size 100\npayload_size 100"),
        Some(10),
        "say the same",
    );
    refused(&with("payload_size 8k"), Some(10), "which servers refuse");
}

#[test]
fn http_and_single_keys() {
    let (keys, notes) = parse(&with(
        "protocol http\nhttp_path /a\nhttp_host h\nhttp_method POST\nmss 1000\nvlan 7\njumbo\n\
         client_port_range 1024 2047\nretransmit_timeout 3\nslow_start 10",
    ));
    for (path, value) in [
        ("load.http.method", r#""POST""#),
        ("tcp.mss", "1000"),
        ("port.vlan", "7"),
        ("port.mtu", "9216"),
        ("load.ports", r#""1024-2047""#),
        ("tcp.rto_initial", r#""3s""#),
        ("load.ramp", r#""10s""#),
        ("load.duration", r#""70000ms""#),
    ] {
        assert_eq!(keys.get(path).map(String::as_str), Some(value), "{path}");
    }
    assert!(keys["load.targets"].contains("http://6.6.241.27:80/a"));
    assert!(keys["load.http.headers"].contains("Host: h"));
    assert!(notes.contains("`jumbo`: the MTU is 9216"), "{notes}");
    let (keys, notes) = parse(&with("jumbo 9216"));
    assert_eq!(keys["port.mtu"], "9216");
    assert!(!notes.contains("jumbo"), "{notes}");
    refused(&with("http_path /a"), Some(10), "needs `protocol http`");
}

#[test]
fn ipv6() {
    let text = CLIENT
        .replace("6.6.241.100   6.6.241.27", "2001:db8::1 2001:db8::9")
        .replace("6.6.241.101", "2001:db8::a1")
        .replace("6.6.241.27 ", "2001:db8::9");
    let (keys, _) = parse(&text);
    assert_eq!(keys["host.gateway_v6"], r#""2001:db8::9""#);
    assert_eq!(keys["host.addresses"], r#"["2001:db8::1/124"]"#);
    assert_eq!(keys["load.sources"], r#"["2001:db8::a1-2001:db8::a3"]"#);
    assert!(keys["load.targets"].contains("http://[2001:db8::9]:80/"));
}

#[test]
fn what_has_no_meaning_is_told_with_its_line() {
    for (keyword, why) in keywords::WITHOUT_MEANING {
        let (_, notes) = parse(&with(&format!("{keyword} 1 2")));
        assert!(
            notes.contains(&format!("d.conf:10: `{keyword}`: {why}\n")),
            "{notes}"
        );
    }
    let (_, notes) = parse(&with("tos 0x10"));
    assert!(notes.contains("`tos`"));
    let (_, notes) = parse(&with("tos 0x00"));
    assert!(!notes.contains("`tos`"));
}

#[test]
fn what_is_not_done_here_is_refused_with_its_line() {
    for (keyword, why) in keywords::REFUSED {
        refused(&with(&format!("{keyword} 1")), Some(10), why);
    }
    refused("mode server\n", Some(1), "tidewheel serve");
    refused(&with("protocol udp"), Some(10), "UDP");
    refused(
        &instead("port bond4:2(0000:81:10.0) 10.0.0.1 10.0.0.2"),
        Some(6),
        "bonding",
    );
}

#[test]
fn what_cannot_be_understood_is_refused_with_its_line() {
    refused(&with("kepalive 1s"), Some(10), "did you mean `keepalive`?");
    refused(&with("xyzzy"), Some(10), "is not a keyword of dperf");
    refused(&instead("cps many"), Some(5), "`many` is not a number");
    refused(&instead("cps 10x"), Some(5), "such as 100, 2k or 1.5m");
    refused(&instead("cps"), Some(5), "write it as: cps NUMBER");
    refused(&instead("duration soon"), Some(4), "`soon` is not a time");
    refused(&instead("cpu 3-1"), Some(3), "is empty");
    refused(&instead("cpu 1 1"), Some(3), "named twice");
    refused(
        &instead("client 6.6.241.250 9"),
        Some(7),
        "has not 9 addresses",
    );
    refused(&instead("client 6.6.241 9"), Some(7), "not an IP address");
    refused(&instead("client 2001:db8::1 9"), Some(7), "another family");
    refused(&instead("listen 65000 1000"), Some(9), "not so many ports");
    refused(
        &with("port a 10.0.0.1 10.0.0.2"),
        Some(10),
        "start one for each (line 6)",
    );
    refused(&with("cps 1\u{e9}"), Some(10), "printable ASCII");
    refused(
        &instead("listen 80 5000"),
        Some(9),
        "5000 destinations: at most 4096",
    );
    for keyword in ["mode", "cpu", "cps", "port", "client", "server"] {
        let text: String = CLIENT
            .lines()
            .filter(|l| !l.starts_with(keyword))
            .map(|l| format!("{l}\n"))
            .collect();
        refused(&text, None, keyword);
    }
}

#[test]
fn its_keys_are_ours_and_an_error_about_one_names_its_line() {
    let text = with("vlan 5\nmss 65000");
    let dperf = Dperf::parse("d.conf", &text).unwrap();
    let mut source = Source::empty();
    dperf.apply(&mut source).unwrap();
    let error = crate::config::resolve(&source, crate::config::Purpose::Load).unwrap_err();
    assert!(
        error.to_string().starts_with("d.conf:11: mss 65000: "),
        "{error}"
    );
    let mut source = Source::empty();
    Dperf::parse("d.conf", CLIENT)
        .unwrap()
        .apply(&mut source)
        .unwrap();
    let config = crate::config::resolve(&source, crate::config::Purpose::Load).unwrap();
    assert_eq!(config.load.targets.len(), 2);
}

proptest! {
    #[test]
    fn no_text_panics(
        lines in proptest::collection::vec(("[a-z_]{1,12}|cps|keepalive|listen|port|client|packet_size|duration", "[ -~é]{0,20}"), 0..12),
    ) {
        let text: String = lines.iter().map(|(keyword, rest)| format!("{keyword} {rest}\n")).collect();
        let _ = Dperf::parse("d.conf", &text);
        let _ = Dperf::parse("d.conf", &format!("{CLIENT}{text}"));
    }
}
