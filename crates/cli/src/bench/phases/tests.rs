use clap::Parser;

use super::*;
use load::{Pace, Run as Load};

use crate::apps::Apps;
use crate::bench::ends;
use crate::bench::hosts::{self, Layout};
use crate::bench::outcome::{Baseline, Outcome};
use crate::load::app::Generator;
use crate::testing::Pair;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    args: BenchArgs,
}

fn options(options: &[&str]) -> BenchArgs {
    Line::try_parse_from([&["bench"], options].concat())
        .unwrap()
        .args
}

/// A bed in virtual time.
struct Virtual(Pair<Generator, Apps>);

impl Testbed for Virtual {
    fn begin(&mut self, run: Load) -> anyhow::Result<()> {
        let now = self.0.now;
        self.0.a.app_mut().0.start(now, &run);
        Ok(())
    }

    fn end(&mut self) -> anyhow::Result<Box<Report>> {
        let now = self.0.now;
        let load = &mut self.0.a.app_mut().0;
        load.stop(now);
        Ok(load.report(now, Box::new(Report::new()?)))
    }

    fn wait(&mut self, time: Duration) -> anyhow::Result<Duration> {
        self.0.run(time);
        Ok(time)
    }

    fn counts(&mut self) -> anyhow::Result<Counts> {
        Ok(*self.0.a.app().0.counts())
    }

    fn sample(&mut self) -> anyhow::Result<Sample> {
        Ok(Sample {
            at: self.0.now,
            server: *self.0.b.counters(),
            client: *self.0.a.counters(),
            usage: self.0.b.usage(),
            client_usage: self.0.a.usage(),
            link_drops: 0,
            control_cpu: Duration::from_millis(1),
            longest_turn: Duration::from_micros(7),
        })
    }
}

fn bed(args: &BenchArgs) -> Virtual {
    let layout = Layout::of(args.tuples.get(), args.ipv6);
    let (server, client) = (hosts::server(args, &layout), hosts::client(args, &layout));
    let a = ends::client(args, &layout, client.max_connections as usize).unwrap();
    let b = ends::server(args, &layout, server.max_connections as usize);
    Virtual(Pair::new((client, a), (server, b)))
}

fn measure(args: &BenchArgs) -> (Outcome, Vec<Phase>) {
    let mut seen = Vec::new();
    let measured = run(&mut bed(args), args, &mut |progress| {
        seen.push(progress.phase)
    })
    .unwrap();
    let baseline = Baseline {
        before: 1e6,
        after: 3e6,
    };
    (Outcome::new(args, &measured, baseline), seen)
}

#[test]
fn the_course_gives_a_valid_result_whose_figures_agree() {
    let args = options(&[
        "--profile",
        "dperf",
        "--tuples",
        "300",
        "--concurrency",
        "4",
        "--duration",
        "1200ms",
    ]);
    let (o, phases) = measure(&args);
    assert_eq!(o.problems, Vec::<String>::new());
    assert!(o.valid);
    // It says what it does, be it ever so short.
    for phase in [Phase::Fill, Phase::Measure, Phase::Drain, Phase::Latency] {
        assert!(phases.contains(&phase), "{phase} is not in {phases:?}");
    }
    assert!(o.connections > 10_000, "{o:?}");
    assert_eq!(o.packets_per_connection, 6.0);
    assert_eq!((o.errors, o.retransmissions, o.syn_refused), (0, 0, 0));
    assert_eq!(o.recycled_by_timestamp, 0);
    assert!(o.recycled_by_sequence >= o.connections);
    assert_eq!(o.time_wait_peak, 300);
    assert_eq!(o.link_baseline_pps, 2e6);
    let expected = o.connections_per_second * 3.0;
    assert!((o.rx_pps / expected - 1.0).abs() < 0.01, "{o:?}");
    assert!((o.link_share - o.rx_pps.max(o.tx_pps) / 2e6).abs() < 1e-9);
    assert!((o.seconds - 1.2).abs() < 0.06, "{}", o.seconds);
    let l = o.connect_latency_us;
    assert!(
        0.0 < l.p50 && l.p50 <= l.p99 && l.p99 <= l.p99_9 && l.p99_9 <= l.max,
        "{l:?}"
    );
}

#[test]
fn timestamps_recycle_by_timestamp() {
    let (o, _) = measure(&options(&[
        "--tuples",
        "300",
        "--concurrency",
        "4",
        "--duration",
        "200ms",
    ]));
    assert!(o.valid, "{:?}", o.problems);
    assert!(o.recycled_by_timestamp > 0, "{o:?}");
}

/// A short course with `more` options.
fn short(more: &[&str]) -> Outcome {
    let common = [
        "--tuples",
        "100",
        "--concurrency",
        "4",
        "--duration",
        "200ms",
    ];
    measure(&options(&[&common, more].concat())).0
}

#[test]
fn a_window_in_which_time_wait_expires_is_not_valid() {
    let o = short(&["--profile", "dperf", "--time-wait", "1ms"]);
    assert!(!o.valid);
    assert!(
        o.problems[0].contains("recycled a four-tuple"),
        "{:?}",
        o.problems
    );
}

#[test]
fn without_time_wait_a_window_is_valid_if_no_syn_met_it() {
    for more in [
        &["--time-wait-policy", "none"][..],
        &["--time-wait", "0s"],
        &["--time-wait-policy", "none", "--close", "client"],
    ] {
        let o = short(more);
        assert_eq!(o.problems, Vec::<String>::new(), "{more:?}");
        assert!(o.connections > 1_000, "{more:?}: {o:?}");
        assert_eq!((o.time_wait_peak, o.reused_by_client), (0, 0), "{more:?}");
        assert_eq!(o.recycled_by_sequence + o.recycled_by_timestamp, 0);
    }
}

#[test]
fn every_policy_that_recycles_gives_a_valid_window() {
    for (option, name) in [
        ("--time-wait-policy", "rfc1122"),
        ("--time-wait-policy", "rfc6191"),
        ("--time-wait-policy", "linux"),
        ("--time-wait-policy", "windows"),
        ("--time-wait-profile", "safe"),
        ("--time-wait-profile", "fast-recovery"),
        ("--time-wait-profile", "linux"),
    ] {
        for profile in ["default", "dperf"] {
            let o = short(&["--profile", profile, option, name]);
            assert_eq!(o.problems, Vec::<String>::new(), "{name}, {profile}");
            assert_eq!(o.time_wait_rules, name);
            // Those two do not look at timestamps.
            let by_sequence = profile == "dperf" || matches!(name, "rfc1122" | "windows");
            assert_eq!(o.recycled_by_timestamp == 0, by_sequence, "{name}: {o:?}");
        }
    }
}

#[test]
fn every_way_to_choose_ports_gives_a_valid_window() {
    use crate::config::Ports;
    use clap::ValueEnum;
    for ports in Ports::value_variants() {
        let value = ports.to_possible_value().unwrap();
        let args = options(&["--tuples", "1000", "--ports", value.get_name()]);
        assert_eq!(args.ports, *ports);
        let layout = Layout::of(1_000, false);
        let destination = &hosts::client(&args, &layout).destinations[0];
        assert_eq!(destination.selection.algorithm, (*ports).into());
        let o = short(&["--ports", value.get_name()]);
        assert_eq!(o.problems, Vec::<String>::new(), "{ports:?}");
        let random = matches!(
            ports,
            Ports::Random | Ports::RandomRetry | Ports::RandomIncrements
        );
        assert_eq!(o.found_unused > 0, random, "{ports:?}: {o:?}");
    }
    let o = short(&["--ports", "random", "--time-wait", "1ms"]);
    assert!(!o.valid, "{o:?}");
}

#[test]
fn contradictions_about_time_wait_are_refused() {
    let why = |more: &[&str]| options(more).check().unwrap_err().to_string();
    let none = why(&["--time-wait-policy", "none", "--time-wait", "1s"]);
    assert!(none.contains("it keeps no TIME-WAIT"), "{none}");
    let strict = why(&["--time-wait-policy", "strict"]);
    assert!(strict.contains("nothing to measure"), "{strict}");
    let both = [
        "bench",
        "--time-wait-policy",
        "linux",
        "--time-wait-profile",
        "safe",
    ];
    assert!(Line::try_parse_from(both).is_err());
}

#[test]
fn a_server_that_does_not_answer_ends_the_bench() {
    let args = options(&["--tuples", "10", "--duration", "100ms"]);
    let mut bed = bed(&args);
    let now = bed.0.now;
    bed.0.b.drain(now);
    let error = run(&mut bed, &args, &mut |_| {}).unwrap_err().to_string();
    assert!(
        error.contains("nothing has moved for 20 s in phase"),
        "{error}"
    );
}

#[test]
fn the_json_object_has_the_promised_names() {
    let args = options(&[
        "--tuples",
        "50",
        "--concurrency",
        "4",
        "--duration",
        "100ms",
    ]);
    let json = serde_json::to_value(measure(&args).0).unwrap();
    for name in [
        "seconds",
        "connections",
        "connections_per_second",
        "packets_per_connection",
        "rx_pps",
        "tx_pps",
        "errors",
        "retransmissions",
        "link_drops",
        "recycled_by_sequence",
        "recycled_by_timestamp",
        "syn_refused",
        "time_wait_peak",
        "tw_entry_bytes",
        "tw_slot_bytes",
        "longest_turn_us",
        "tw_all_in_bytes_per_entry",
        "link_baseline_pps",
        "link_share",
        "control_thread_cpu_seconds",
    ] {
        assert!(json[name].is_number(), "{name}: {json}");
    }
    for name in ["p50", "p99", "p99_9", "max"] {
        assert!(json["connect_latency_us"][name].is_number(), "{name}");
    }
}

#[test]
fn the_end_that_closes_first_has_time_wait() {
    let args = options(&[
        "--close",
        "client",
        "--tuples",
        "50",
        "--concurrency",
        "4",
        "--duration",
        "3s",
    ]);
    let (o, _) = measure(&args);
    assert!(o.valid, "{:?}", o.problems);
    assert_eq!(o.time_wait_peak, 50);
    assert!(o.tw_all_in_bytes_per_entry > 20.0, "{o:?}");
    assert!(o.reused_by_client >= o.connections, "{o:?}");
    // It waits for its timestamp clock before it uses a tuple again, so that fifty are too few.
    assert!(o.launches_put_off > 0, "{o:?}");
}

/// A bed that stands still for a second when the run for latency has begun.
struct Stalls(Virtual, bool);

impl Testbed for Stalls {
    fn begin(&mut self, run: Load) -> anyhow::Result<()> {
        self.1 = matches!(run.pace, Pace::Open(_));
        self.0.begin(run)
    }

    fn end(&mut self) -> anyhow::Result<Box<Report>> {
        self.0.end()
    }

    fn wait(&mut self, time: Duration) -> anyhow::Result<Duration> {
        if std::mem::take(&mut self.1) {
            // As a stall of the whole machine: time passes, and nobody runs.
            self.0.0.now = self.0.0.now + Duration::from_secs(1);
        }
        self.0.wait(time)
    }

    fn counts(&mut self) -> anyhow::Result<Counts> {
        self.0.counts()
    }

    fn sample(&mut self) -> anyhow::Result<Sample> {
        self.0.sample()
    }
}

#[test]
fn launches_that_a_stall_held_up_are_in_the_latency() {
    let args = options(&[
        "--tuples",
        "300",
        "--concurrency",
        "4",
        "--duration",
        "200ms",
    ]);
    let mut bed = Stalls(bed(&args), false);
    let measured = run(&mut bed, &args, &mut |_| {}).unwrap();
    let rate = rate(measured.window.counts.completed, measured.window.elapsed) as u64 / 2;
    let latency = measured.latency.unwrap();
    assert_eq!(latency.counts.opened, rate / 5);
    assert_eq!(latency.latencies.connect.len(), rate / 5);
    // All of them should have been launched within the stall, the first a second before its end.
    assert!(latency.latencies.connect.min() >= 800_000_000);
    assert!(latency.latencies.connect.max() >= 1_000_000_000);
}

/// A change of what was measured, and what the result has to say of it.
type Fault = (fn(&mut Measured), &'static str);

#[test]
fn whatever_makes_the_figures_untrue_is_told() {
    let args = options(&[
        "--profile",
        "dperf",
        "--tuples",
        "50",
        "--concurrency",
        "4",
        "--duration",
        "100ms",
    ]);
    let measured = run(&mut bed(&args), &args, &mut |_| {}).unwrap();
    let fill = &measured.fill;
    assert_eq!((fill.opened, fill.completed, fill.errors()), (50, 50, 0));
    let baseline = Baseline {
        before: 1e6,
        after: 1e6,
    };
    let sound = Outcome::new(&args, &measured, baseline);
    assert_eq!(sound.longest_turn_us, 7.0);
    assert_eq!((sound.valid, sound.problems), (true, Vec::new()));
    let faults: [Fault; 10] = [
        (|m| m.fill.err_timeout = 3, "3 errors when the four-tuples"),
        (
            |m| m.counts.err_reset = 2,
            "2 errors: 0 time-outs, 2 resets, 0",
        ),
        (
            |m| m.counts.err_refused = 1,
            "1 errors: 0 time-outs, 0 resets, 1",
        ),
        (
            |m| m.counts.err_wrong = 4,
            "4 errors: 0 time-outs, 0 resets, 0 refusals, 4 with",
        ),
        (|m| m.counts.err_close = 5, "5 errors: 5 time-outs"),
        (
            |m| m.latency.as_mut().unwrap().counts.err_reset = 1,
            "1 errors in the run for latency",
        ),
        (|m| m.latency = None, "no latency"),
        (
            |m| m.after.server.host.tx_segments += 1,
            "profile dperf is six packets",
        ),
        (
            |m| m.after.server.host.rx_segments += m.counts.completed,
            "7.000 each",
        ),
        // A SYN that was accepted, and recycled nothing.
        (
            |m| m.after.server.host.passive_opens += 1,
            "recycled a four-tuple",
        ),
    ];
    for (alter, problem) in faults {
        let mut measured = measured.clone();
        alter(&mut measured);
        let o = Outcome::new(&args, &measured, baseline);
        assert!(!o.valid, "{problem}");
        let told = o.problems.iter().filter(|told| told.contains(problem));
        assert_eq!(
            (told.count(), o.problems.len()),
            (1, 1),
            "{problem}: {:?}",
            o.problems
        );
    }
    let mut nothing = measured.clone();
    nothing.counts.completed = 0;
    let o = Outcome::new(&args, &nothing, baseline);
    assert_eq!(
        (o.valid, o.problems[0].as_str()),
        (false, "no connection was completed")
    );
}
