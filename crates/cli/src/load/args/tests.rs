use clap::Parser;

use super::*;
use crate::args::{Cli, Command};

fn load(flags: &[&str]) -> Result<Config, ConfigError> {
    let base = ["--device", "net_null0", "--address", "10.0.0.1/24"];
    let line = ["tidewheel", "load"].iter().chain(&base).chain(flags);
    match Cli::try_parse_from(line).unwrap().command {
        Command::Load(args) => args.config(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_line_of_habit() {
    let config = load(&["http://10.0.0.2:80/", "-c", "400", "-d", "30s", "-R", "1M"]).unwrap();
    let load = &config.load;
    assert_eq!(load.targets[0].url.to_string(), "http://10.0.0.2:80/");
    assert_eq!(
        (load.connections.get(), load.rate.unwrap().get()),
        (400, 1_000_000)
    );
    assert_eq!(load.duration_ms(), Some(30_000));
    assert_eq!(load.mode, Mode::Connections);
}

#[test]
fn every_flag_has_its_key() {
    let config = load(&[
        "tcp://10.0.0.2:7",
        "tcp://10.0.0.3:7",
        "--mode=requests",
        "--requests=10",
        "--count=5k",
        "--ramp=1s",
        "--rate=10",
        "--timeout=2s",
        "--close=half",
        "--source=10.0.0.16/29",
        "--source=10.0.0.99",
        "--ports=2000-2999",
        "--reuse-interval=3s",
        "--set=load.opening=9",
    ]);
    let load = config.unwrap().load;
    assert_eq!(load.targets.len(), 2);
    assert_eq!((load.mode, load.close), (Mode::Requests, End::Half));
    assert_eq!(load.requests.unwrap().get(), 10);
    assert_eq!(
        (load.count.unwrap().get(), load.duration_ms()),
        (5_000, None)
    );
    assert_eq!(load.timeout.get(), 2_000);
    assert_eq!(load.source_addresses().unwrap().len(), 7);
    assert_eq!(load.ports.count(), 1_000);
    assert_eq!((load.reuse_interval.get(), load.opening()), (3_000, 9));
    // Connections that do not end by themselves do not end the run.
    for mode in ["held", "requests", "send"] {
        let kept = self::load(&["tcp://10.0.0.2:7", "-n=3", "-m", mode]).unwrap();
        assert_eq!(kept.load.duration_ms(), Some(10_000), "{mode}");
    }
    let think = self::load(&["tcp://10.0.0.2:7", "--think=5ms"]).unwrap();
    assert_eq!(think.load.think.get(), 5);
    let profile = load.profile().unwrap();
    assert_eq!(profile.segments.len(), 2);
    assert_eq!((profile.segments[0].from, profile.peak()), (0.0, 10.0));
}

#[test]
fn flags_are_taken_as_users_of_wrk_write_them() {
    // The later one counts, as where a script puts its own first; those that may be repeated add up.
    let again = load(&[
        "http://10.0.0.2/",
        "-c5",
        "-c6",
        "-d",
        "30",
        "-R",
        "1.5k",
        "--timeout=2",
        "--source=10.0.0.16/29",
        "--source=10.0.0.99",
    ]);
    let load = again.unwrap().load;
    assert_eq!(load.connections.get(), 6);
    assert_eq!(
        (load.duration_ms(), load.timeout.get()),
        (Some(30_000), 2_000)
    );
    assert_eq!(load.rate.unwrap().get(), 1_500);
    assert_eq!(load.source_addresses().unwrap().len(), 7);
    for flag in ["-d0", "-R=1.0005k", "-R.5", "-R1..5k", "-R1.k", "-d=1x"] {
        let line = ["tidewheel", "load", "http://10.0.0.2/", flag];
        assert!(Cli::try_parse_from(line).is_err(), "{flag}");
    }
}

#[test]
fn a_sweep_has_its_range_and_defaults() {
    let flags = ["tcp://10.0.0.2:7", "--sweep=10k-1M", "--ports=1024-1123"];
    let config = load(&[&flags[..], &["--set=load.sweep.errors=0.1%"]].concat()).unwrap();
    let sweep = config.load.sweep.as_ref().unwrap();
    assert_eq!((sweep.from.get(), sweep.to.get()), (10_000, 1_000_000));
    assert_eq!((sweep.time.get(), sweep.warm_up.get()), (10_000, 1_000));
    assert_eq!((sweep.settle.get(), sweep.confirm.get()), (5_000, 1));
    assert_eq!((sweep.errors.get(), sweep.resolution.get()), (0.001, 0.01));
    assert_eq!(
        (config.load.duration_ms(), sweep.pass.as_ref()),
        (None, None)
    );
    // It is the highest rate that the local sockets have to sustain.
    assert_eq!(config.load.profile().unwrap().peak(), 1e6);
    let plan = crate::load::plan::Plan::new(&config).unwrap();
    let error = crate::load::feasible::check(&config, &plan).unwrap_err();
    let error = error.to_string();
    assert!(error.contains("1,000,000 connections a second"), "{error}");
}

#[test]
fn errors_name_the_flag() {
    for (flags, message) in [
        (
            &["http://example.org/"][..],
            "http://example.org/: `example.org` does not begin with",
        ),
        (&["10.0.0.2"], "write it as http://10.0.0.2/"),
        (&["https://10.0.0.2/"], "TLS is not spoken"),
        (&[], "nowhere to connect to"),
        (&["http://10.0.0.1/"], "an address of this host itself"),
        (&["http://10.9.0.1/"], "there is no gateway"),
        (&["http://[2001:db8::1]/"], "no IPv6 address to connect"),
        (
            &["tcp://10.0.0.2:7", "--source=10.0.0.9/24"],
            "write 10.0.0.0/24",
        ),
        (
            &["tcp://10.0.0.2:7", "--ramp=1s"],
            "--ramp 1s: a ramp needs the rate",
        ),
        (
            &["tcp://10.0.0.2:7", "--sweep=1k-1M", "--rate=5"],
            "--rate 5: a sweep has rates and a time for each trial of its own",
        ),
        (
            &["tcp://10.0.0.2:7", "--sweep=1k-1M", "--duration=5s"],
            "no load.duration beside load.sweep",
        ),
        (
            &["tcp://10.0.0.2:7", "--sweep=10k-1k"],
            "--sweep 10000-1000: the highest rate 1000 is below the lowest, 10000",
        ),
        (
            &["tcp://10.0.0.2:7", "--sweep=1k-1M", "--mode=held"],
            "a sweep is for the modes",
        ),
        (
            &["tcp://10.0.0.2:7", "--set=load.sweep.to=1"],
            "missing field `from`",
        ),
        (
            &[
                "tcp://10.0.0.2:7",
                "--sweep=1k-1M",
                "--set=load.sweep.resolution=0.05%",
            ],
            "0.1% to 100%",
        ),
        (
            &[
                "tcp://10.0.0.2:7",
                "--sweep=1k-1M",
                "--set=load.sweep.errors=5",
            ],
            "expected a share such as",
        ),
        (
            &["tcp://10.0.0.2:7", "--set=load.every=1s"],
            "`every` is for mode",
        ),
        (
            &["tcp://10.0.0.2:7", "--source=2001:db8::/104"],
            "16777215 IPv6 addresses to connect from: at most 65536",
        ),
    ] {
        let error = load(flags).unwrap_err().to_string();
        assert!(error.contains(message), "{flags:?}: {error}");
    }
}
