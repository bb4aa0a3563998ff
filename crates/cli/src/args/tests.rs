use super::*;
use crate::config::App;

fn check(flags: &[&str]) -> Result<Config, ConfigError> {
    let line = ["tidewheel", "check"].iter().chain(flags);
    match Cli::try_parse_from(line).unwrap().command {
        Command::Check(args) => args.config(Purpose::Serve),
        other => panic!("{other:?}"),
    }
}

const BASE: [&str; 4] = [
    "--device",
    "net_tap0,iface=tw0",
    "--address",
    "192.0.2.1/24",
];

fn with(flags: &[&str]) -> Result<Config, ConfigError> {
    check(&[&BASE, flags].concat())
}

#[test]
fn flags_alone_make_a_configuration() {
    let config = with(&[
        "--listen",
        "80=http,body=1k,close=client",
        "--listen",
        "192.0.2.1:7=echo,backlog=16",
        "--cpus",
        "1,2",
        "--idle",
        "yield",
        "--hugepages",
        "no",
        "--time-wait",
        "250ms",
        "--gateway",
        "192.0.2.254",
        "--set",
        "tcp.mss=536",
    ])
    .unwrap();
    assert_eq!(config.port.device, "net_tap0,iface=tw0");
    assert_eq!(config.eal.cpus, [1, 2]);
    assert_eq!(
        (config.eal.idle, config.eal.hugepages),
        (Idle::Yield, Hugepages::No)
    );
    assert_eq!(config.time_wait.length.get(), 250);
    assert_eq!(config.tcp.mss.unwrap().get(), 536);
    assert_eq!(config.host.gateway.unwrap().octets(), [192, 0, 2, 254]);
    let [http, echo] = &config.listen[..] else {
        panic!("{config:?}")
    };
    assert_eq!((http.app, http.body_len()), (App::Http, 1024));
    assert_eq!(http.closes(), config::Close::Client);
    assert_eq!(echo.address.unwrap().to_string(), "192.0.2.1");
    assert_eq!(echo.backlog.get(), 16);
}

#[test]
fn set_comes_last() {
    let config = with(&[
        "--listen",
        "80=http",
        "--time-wait",
        "1s",
        "--set",
        "time_wait.length=2s",
    ]);
    assert_eq!(config.unwrap().time_wait.length.get(), 2_000);
}

#[test]
fn errors_name_the_flag() {
    for (flags, message) in [
        (["--listen", "80"], "--listen 80: write it as PORT=APP"),
        (["--listen", "x=http"], "--listen x=http: `x` is not a port"),
        (["--listen", "80=htpp"], "did you mean `http`?"),
        (["--listen", "80=http,bdoy=1"], "did you mean `body`?"),
        (["--listen", "80=http,body"], "`body` is not KEY=VALUE"),
        (["--set", "tcp"], "--set tcp: write it as --set PATH=VALUE"),
        (["--time-wait", "1s"], "nothing to serve"),
        (
            ["--gateway", "10.0.0.1"],
            "--gateway 10.0.0.1: the gateway 10.0.0.1 is not on",
        ),
    ] {
        let error = with(&flags).unwrap_err().to_string();
        assert!(error.contains(message), "{flags:?}: {error}");
    }
}
