//! The program as its user meets it: exit status, standard output, standard error.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

fn tidewheel(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tidewheel"))
        .args(arguments)
        .output()
        .unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// The path of a configuration that the project ships.
fn shipped(name: &str) -> String {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "..", "..", "config", name]
        .iter()
        .collect();
    path.display().to_string()
}

#[test]
fn check_accepts_every_shipped_configuration() {
    let folder = shipped("");
    let mut checked = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "toml") {
            let output = tidewheel(&["check", path.to_str().unwrap()]);
            assert!(
                output.status.success(),
                "{}: {}",
                path.display(),
                stderr(&output)
            );
            checked += 1;
        }
    }
    assert!(checked >= 2, "{checked}");
}

#[test]
fn check_says_what_would_run() {
    let output = tidewheel(&["check", &shipped("serve.toml")]);
    let text = stdout(&output);
    for part in [
        "0000:03:00.0, MTU 1500",
        "1 on CPU 1 polls",
        "192.0.2.1/24 2001:db8::1/64, gateways 192.0.2.254 and fe80::1",
        "MSS 1460, timestamps on",
        "60s, policy rfc6191, rst ignore, a refused SYN gets nothing, shadow, ack_check, iss max, bound over an MSL of 30s, \
         1000000 entries of each family a worker, opened again by us after 1s",
        "*:80 http, body 1024 bytes, backlog 4096, the server closes first",
        "*:7 echo, backlog 4096, the client closes first",
        "65536 connections",
        "data 128 MiB",
    ] {
        assert!(text.contains(part), "{part} is not in:\n{text}");
    }
    assert!(output.stderr.is_empty());
}

#[test]
fn check_says_what_load_would_run() {
    let output = tidewheel(&["check", &shipped("load.toml")]);
    let text = stdout(&output);
    for part in [
        "connections, closed loop, 100 connections at a time at most, for 10s",
        "target     http://10.0.0.2/, weight 1",
        "sources    30 addresses with 64,512 ports to 10.0.0.2:80",
        "pairs of address and port 38 MiB",
    ] {
        assert!(text.contains(part), "{part} is not in:\n{text}");
    }
    // What `load` would refuse.
    let output = tidewheel(&["check", &shipped("load.toml"), "--set", "load.rate=\"2M\""]);
    assert_eq!(output.status.code(), Some(2));
    let text = stderr(&output);
    assert!(text.contains("at most 1,935,360 a second"), "{text}");
}

#[test]
fn a_bad_file_exits_2_and_names_the_line() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bad.toml");
    std::fs::write(
        &file,
        "[port]\ndevice = \"net_null0\"\n[tcp]\nmsss = 1000\n",
    )
    .unwrap();
    let file = file.to_str().unwrap();
    let output = tidewheel(&["check", file]);
    assert_eq!(output.status.code(), Some(2));
    assert!(output.stdout.is_empty());
    let text = stderr(&output);
    assert!(
        text.contains(&format!("{file}:4:1: unknown field `msss`")),
        "{text}"
    );
    assert!(text.contains("did you mean `mss`?"), "{text}");
    assert!(text.contains("    4 | msss = 1000"), "{text}");
}

#[test]
fn a_bad_override_exits_2_and_names_the_flag() {
    let output = tidewheel(&["check", &shipped("tap.toml"), "--set", "tcp.mss=1"]);
    assert_eq!(output.status.code(), Some(2));
    let text = stderr(&output);
    assert_eq!(
        text,
        "tidewheel: --set tcp.mss=1: 1 is out of range: 64 to 9176\n"
    );
}

#[test]
fn a_file_that_is_not_there_exits_2() {
    let output = tidewheel(&["check", "/nonexistent/x.toml"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("/nonexistent/x.toml: cannot be read"));
}

#[test]
fn an_unknown_flag_exits_2() {
    let output = tidewheel(&["check", "--no-such-flag"]);
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn bench_prints_one_object_that_is_valid() {
    for link in ["ring", "memif"] {
        let options = "bench --json --hugepages no --cores 1 --profile dperf --tuples 2000 \
                       --concurrency 64 --duration 200ms --link";
        let arguments: Vec<&str> = options.split_whitespace().chain([link]).collect();
        let output = tidewheel(&arguments);
        assert!(output.status.success(), "{link}: {}", stderr(&output));
        let o: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
        assert_eq!(o["valid"], true, "{link}: {o}");
        assert_eq!(o["packets_per_connection"], 6.0);
        assert_eq!(o["time_wait_peak"], 2000);
        assert!(o["link_baseline_pps"].as_f64().unwrap() > 0.0);
        assert!(o["connect_latency_us"]["p50"].as_f64().unwrap() > 0.0);
    }
}

/// The kernel tells of more huge pages than it gives: as if another process had taken them after the look.
#[test]
fn huge_pages_that_others_take_are_done_without() {
    let folder = tempfile::tempdir().unwrap();
    let pages = folder.path().join("hugepages-2048kB");
    std::fs::create_dir(&pages).unwrap();
    for (name, value) in [
        ("nr", "4096"),
        ("free", "4096"),
        ("resv", "0"),
        ("surplus", "0"),
        ("nr_overcommit", "0"),
    ] {
        std::fs::write(pages.join(format!("{name}_hugepages")), value).unwrap();
    }
    let free = "/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages";
    let free = std::fs::read_to_string(free).unwrap_or_default();
    if free.trim().parse().is_ok_and(|free: u64| free >= 1024) {
        eprintln!("skipped: this machine has the 2 GiB free");
        return;
    }
    let line = "mount --bind \"$1\" /sys/kernel/mm/hugepages || exit 77; shift; exec \"$@\"";
    // The CPU is not there, so that it ends once DPDK has started.
    let options = "serve --device net_null0 --address 192.0.2.1/24 --listen 7=echo --cpus 1000 \
                   --set eal.memory=2G";
    let ran = Command::new("unshare")
        .args(["--mount", "sh", "-c", line, "sh"])
        .arg(folder.path())
        .arg(env!("CARGO_BIN_EXE_tidewheel"))
        .args(options.split_whitespace())
        .output();
    let output = match ran {
        Ok(output) if output.status.code() == Some(77) => {
            eprintln!("skipped: nothing may be mounted here");
            return;
        }
        Ok(output) if output.stderr.starts_with(b"unshare:") => {
            eprintln!("skipped: {}", stderr(&output));
            return;
        }
        ran => ran.unwrap(),
    };
    let text = stderr(&output);
    assert!(text.contains("starting anew on ordinary pages"), "{text}");
    assert!(text.contains("cannot pin a thread to CPU 1000"), "{text}");
}

#[test]
fn a_signal_before_anything_runs_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let options = "bench --json --hugepages no --cores 1 --tuples 2000 --duration 60s";
    let bench = Command::new(env!("CARGO_BIN_EXE_tidewheel"))
        .args(options.split_whitespace())
        .env("RUNTIME_DIRECTORY", folder.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // DPDK makes its folder as one of the first things that it does; the bare link comes after.
    let runtime = folder.path().join(format!("dpdk/tidewheel-{}", bench.id()));
    let until = Instant::now() + Duration::from_secs(20);
    while !runtime.exists() {
        assert!(Instant::now() < until, "{} was not made", runtime.display());
        std::thread::sleep(Duration::from_millis(1));
    }
    let signal = format!("kill -s TERM {}", bench.id());
    let sent = Command::new("sh").args(["-c", &signal]).status().unwrap();
    assert!(sent.success());
    let output = bench.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", output.status);
    assert_eq!(stderr(&output), "tidewheel: stopped by a signal\n");
    assert!(output.stdout.is_empty());
    assert!(!runtime.exists());
}

#[test]
fn a_reader_that_has_gone_is_no_panic() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = Command::new(env!("CARGO_BIN_EXE_tidewheel"))
        .args(["check", &shipped("tap.toml")])
        .stdout(writer)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = stderr(&output);
    assert!(text.starts_with("tidewheel: cannot write"), "{text}");
    assert!(!text.contains("panicked"), "{text}");
}

#[test]
fn bench_refuses_what_contradicts_its_profile() {
    // A script's options come first and its user's later ones count.
    let line = "bench --timestamps off --profile default --profile dperf --timestamps on";
    let output = tidewheel(&line.split(' ').collect::<Vec<_>>());
    assert_eq!(output.status.code(), Some(2));
    let text = stderr(&output);
    assert_eq!(
        text,
        "tidewheel: --timestamps on: contradicts --profile dperf: it sends the MSS option only\n"
    );
}

#[test]
fn serve_explains_a_device_that_is_not_there() {
    let output = tidewheel(&[
        "serve",
        "--device",
        "net_nosuch0",
        "--address",
        "192.0.2.1/24",
        "--listen",
        "7=echo",
        "--hugepages",
        "no",
    ]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("no device `net_nosuch0`"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn serve_explains_a_cpu_that_is_not_there() {
    let line = "serve --device net_null0 --address 192.0.2.1/24 --listen 7=echo --hugepages no \
                --cpus 1000";
    let output = tidewheel(&line.split_whitespace().collect::<Vec<_>>());
    assert_eq!(output.status.code(), Some(1));
    let text = stderr(&output);
    let reason = "cannot pin a thread to CPU 1000: Invalid argument (os error 22)";
    assert!(text.trim_end().ends_with(reason), "{text}");
    assert_eq!(text.matches("Invalid argument").count(), 1, "{text}");
}

/// What `GET path` on `address` gets, whole.
fn get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// Where a program that was told to listen there answers Prometheus.
fn metrics_of(program: &mut Child) -> String {
    let mut lines = BufReader::new(program.stderr.take().unwrap()).lines();
    let address = lines.find_map(|line| {
        let line = line.unwrap();
        let url = line
            .strip_prefix("metrics ")?
            .trim()
            .strip_prefix("http://")?;
        Some(url.strip_suffix("/metrics")?.to_owned())
    });
    // Or it could not write any more.
    std::thread::spawn(move || lines.for_each(drop));
    address.expect("it says where its metrics are")
}

/// A counter of each worker, in their order.
fn of_workers(address: &str, counter: &str) -> Vec<u64> {
    let prefix = format!("tidewheel_{counter}_total{{worker=");
    let answer = get(address, "/metrics");
    let lines = answer.lines().filter(|l| l.starts_with(&prefix));
    let value = |line: &str| line.rsplit(' ').next().unwrap().parse().unwrap();
    lines.map(value).collect()
}

fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(60);
    while !done() {
        assert!(Instant::now() < until, "{what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Two processes, two workers each, over a device that does not steer.
#[test]
fn load_and_serve_share_among_workers_and_count_the_same() {
    if std::thread::available_parallelism().unwrap().get() < 2 {
        eprintln!("skipped: two CPUs are needed");
        return;
    }
    let memif = format!(
        "net_memif0,socket=tidewheel-{},socket-abstract=yes",
        std::process::id()
    );
    let start = |line: &str| {
        let common = "--cpus 0,1 --hugepages no --idle yield --set metrics.listen=127.0.0.1:0 \
                      --set control.stats_interval=0s";
        Command::new(env!("CARGO_BIN_EXE_tidewheel"))
            .args(line.split_whitespace().chain(common.split_whitespace()))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    };
    let mut serve = start(&format!(
        "serve --device {memif},role=server --address 10.0.0.1/24 --listen 80=http,body=64"
    ));
    let at_serve = metrics_of(&mut serve);
    // Until it is told to end.
    let mut load = start(&format!(
        "load http://10.0.0.1/ --device {memif},role=client --address 10.0.0.2/24 -c 64 -d 10m --mode requests --json \
         --pass errors==0"
    ));
    let at_load = metrics_of(&mut load);
    for (address, what) in [(&at_serve, "serve"), (&at_load, "load")] {
        for counter in ["handed_over", "taken_over", "established"] {
            wait_until(&format!("{counter} of both workers of {what}"), || {
                of_workers(address, counter)
                    .iter()
                    .filter(|n| **n > 0)
                    .count()
                    == 2
            });
        }
    }
    // Each has its share, and the answers come to it.
    wait_until("all connections", || {
        of_workers(&at_load, "load_established") == [32, 32]
    });
    wait_until("answers for both workers", || {
        of_workers(&at_load, "load_responses")
            .iter()
            .all(|n| *n > 1_000)
    });
    let end = |program: &Child| {
        let sent = Command::new("kill")
            .args(["-s", "INT", &program.id().to_string()])
            .status();
        assert!(sent.unwrap().success());
    };
    end(&load);
    let output = load.wait_with_output().unwrap();
    assert!(
        output.status.success(),
        "{}: {}",
        output.status,
        stdout(&output)
    );
    let o: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    let total = |counter: &str| of_workers(&at_serve, counter).iter().sum::<u64>();
    wait_until("the end of all connections", || total("closed") == 64);
    assert_eq!(
        (o["established"].clone(), o["completed"].clone()),
        (64.into(), 64.into())
    );
    assert_eq!(o["workers"], 2);
    assert_eq!(o["responses"], total("http_responses_2xx"), "{o}");
    // Workers publish each for itself.
    wait_until("all that was handed over", || {
        total("handed_over") == total("taken_over")
    });
    assert_eq!(total("drop_handover_full"), 0);
    end(&serve);
    assert!(serve.wait().unwrap().success());
}

#[test]
fn serve_tells_prometheus_every_documented_metric() {
    let line = "serve --device net_null0,no-rx=1 --address 192.0.2.1/24 --listen 7=echo --cpus 0 \
                --hugepages no --idle yield --set metrics.listen=127.0.0.1:0";
    let mut serve = Command::new(env!("CARGO_BIN_EXE_tidewheel"))
        .args(line.split_whitespace())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let address = metrics_of(&mut serve);
    // The worker publishes about once a millisecond when it has its CPU, which other tests want too.
    let turned = |answer: &str| {
        let turns = "tidewheel_loop_turns_total{worker=\"worker0\"} ";
        let turns = answer.lines().find_map(|l| l.strip_prefix(turns));
        turns.is_some_and(|turns| turns.parse::<u64>().unwrap() > 0)
    };
    let mut answer = get(&address, "/metrics");
    for _ in 0..300 {
        if turned(&answer) {
            break;
        }
        std::thread::sleep(Duration::from_millis(100));
        answer = get(&address, "/metrics");
    }
    let elsewhere = get(&address, "/");
    let asked = Command::new("kill").arg(serve.id().to_string()).status();
    assert!(asked.unwrap().success());
    assert!(serve.wait().unwrap().success());

    assert!(elsewhere.starts_with("HTTP/1.1 404"), "{elsewhere}");
    let head = "content-type: application/openmetrics-text; version=1.0.0; charset=utf-8\r\n";
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains(head), "{answer}");
    assert!(answer.contains("# EOF\n"), "{answer}");
    let documented = std::fs::read_to_string(shipped("METRICS.md")).unwrap();
    let names = documented
        .lines()
        .filter_map(|l| l.strip_prefix("| `")?.split('`').next());
    let mut found = 0;
    for name in names {
        let kind = if name.ends_with("_total") {
            "counter"
        } else {
            "gauge"
        };
        let family = format!("# TYPE {} {kind}\n", name.trim_end_matches("_total"));
        assert!(answer.contains(&family), "{name}");
        found += 1;
    }
    assert!(found > 100, "{found}");
    assert!(turned(&answer), "{answer}");
    assert!(
        answer.contains("tidewheel_port_link_up{port=\"net_null0\"}"),
        "{answer}"
    );
}
