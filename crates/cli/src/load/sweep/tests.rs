use clap::Parser;
use load::{Pace, Profile, Run};

use super::*;
use crate::apps::Apps;
use crate::bench::args::BenchArgs;
use crate::bench::hosts::{self, Layout};
use crate::bench::{ends, phases};
use crate::load::app::Generator;
use crate::testing::Pair;

fn sweep(keys: &str) -> Sweep {
    toml::from_str(keys).unwrap()
}

/// Rates up to `limit` lose nothing, but for the trials in `unlucky`, by their number. In those of `paused` the generator
/// did not begin everything.
struct Fake {
    limit: f64,
    unlucky: Vec<usize>,
    paused: Vec<usize>,
    missing: u64,
    /// It is told to end after so many.
    most: usize,
    judged: Vec<Trial>,
}

impl Fake {
    fn new(limit: f64) -> Fake {
        Fake {
            limit,
            unlucky: Vec::new(),
            paused: Vec::new(),
            missing: 1,
            most: usize::MAX,
            judged: Vec::new(),
        }
    }
}

impl Bed for Fake {
    fn offer(&mut self, rate: f64) -> anyhow::Result<Option<Offered>> {
        let number = self.judged.len() + 1;
        if number > self.most {
            return Ok(None);
        }
        let mut measured = Measured::new()?;
        measured.counts.opened = rate as u64;
        measured.counts.err_timeout =
            u64::from(rate > self.limit || self.unlucky.contains(&number));
        if self.paused.contains(&number) {
            measured.counts.not_begun = self.missing;
        }
        Ok(Some(Offered {
            at: Duration::from_secs(number as u64),
            measured,
            traffic: Traffic::default(),
        }))
    }

    fn judged(&mut self, trial: &Trial) {
        self.judged.push(trial.clone());
    }
}

fn connections() -> Mode {
    Mode::Connections {
        requests: core::num::NonZeroU32::MIN,
    }
}

fn search(fake: &mut Fake, keys: &str) -> (Swept, Option<Offered>) {
    let sweep = sweep(keys);
    let judge = Judge::new(&sweep, connections()).unwrap();
    run(fake, &sweep, &judge).unwrap()
}

#[test]
fn what_is_told_is_of_the_rate_that_was_found() {
    let mut fake = Fake::new(25_000.0);
    let (swept, best) = search(&mut fake, "from = 1_000\nto = \"1M\"");
    let rate = swept.found.rate.unwrap();
    assert!((24_700.0..=25_000.0).contains(&rate), "{:?}", swept.found);
    assert_eq!(
        (swept.found.confirmed, swept.complete, &swept.trials),
        (1, true, &fake.judged)
    );
    assert_eq!(best.unwrap().measured.counts.opened, rate as u64);

    // It fails when it is repeated: what is told is of a lower one.
    let last = swept.trials.len();
    let mut fake = Fake::new(25_000.0);
    fake.unlucky = vec![last];
    let (swept, best) = search(&mut fake, "from = 1_000\nto = \"1M\"");
    assert_eq!(swept.found.failed, Some(rate));
    let lower = swept.found.rate.unwrap();
    assert!((0.98 * rate..rate).contains(&lower), "{lower} {rate}");
    assert_eq!(best.unwrap().measured.counts.opened, lower as u64);
    let again = |trial: &&Trial| trial.repeats;
    assert_eq!(swept.trials.iter().filter(again).count(), 2);
}

#[test]
fn what_was_not_begun_fails_only_when_it_happens_again() {
    let range = "from = 1_000\nto = \"1M\"";
    let (undisturbed, _) = search(&mut Fake::new(25_000.0), range);
    let mut fake = Fake::new(25_000.0);
    // One above the limit fails for another reason, too; the others are void.
    fake.paused = vec![1, 3, 6];
    let (swept, best) = search(&mut fake, range);
    assert_eq!(swept.found, undisturbed.found);
    let void: Vec<usize> = swept
        .trials
        .iter()
        .filter(|t| t.void)
        .map(|t| t.number)
        .collect();
    assert_eq!(void, [1, 6], "{:?}", swept.trials);
    assert_eq!(swept.trials.len(), undisturbed.trials.len() + 2);
    assert_eq!(swept.trials[0].rate, swept.trials[1].rate);
    assert!(
        swept.trials[0]
            .to_string()
            .contains(" void: 1 of 1,001 lost, not_begun 1")
    );
    assert_eq!(best.unwrap().measured.counts.not_begun, 0);

    // Twice in a row is a failure.
    let mut fake = Fake::new(25_000.0);
    fake.paused = vec![1, 2];
    let (swept, last) = search(&mut fake, range);
    assert_eq!((swept.found.rate, swept.trials.len()), (None, 2));
    assert!(swept.trials[0].void && !swept.trials[1].void);
    assert_eq!(last.unwrap().measured.counts.not_begun, 1);

    // No pause takes so much.
    let mut fake = Fake::new(25_000.0);
    (fake.paused, fake.missing) = (vec![1], 112);
    let (swept, _) = search(&mut fake, range);
    assert_eq!((swept.trials.len(), swept.trials[0].void), (1, false));
}

#[test]
fn without_a_rate_that_passes_the_last_trial_is_told() {
    let (swept, last) = search(&mut Fake::new(10.0), "from = 1_000\nto = 2_000");
    assert_eq!((swept.found.rate, swept.trials.len()), (None, 1));
    assert_eq!(last.unwrap().measured.counts.err_timeout, 1);
    let text = swept.to_string();
    assert!(text.contains("No rate passed; 1,000 failed"), "{text}");
}

#[test]
fn a_sweep_may_be_broken_off() {
    let mut fake = Fake::new(25_000.0);
    fake.most = 4;
    let (swept, _) = search(&mut fake, "from = 1_000\nto = \"1M\"");
    assert!(!swept.complete && swept.found.rate.is_some());
    let text = swept.to_string();
    assert!(
        text.contains("4 trials of 10s, broken off") && text.contains("in one trial"),
        "{text}"
    );
}

#[test]
fn a_trial_is_judged_by_its_losses_and_its_figures() {
    let verdict = |keys: &str, mode, counts: Counts| {
        let sweep = sweep(&format!("from = 1\nto = 2\n{keys}"));
        let mut measured = Measured::new().unwrap();
        measured.counts = counts;
        let figures = figures(&Report {
            at: Duration::ZERO,
            measured: &measured,
            traffic: &Traffic::default(),
        });
        let judge = Judge::new(&sweep, mode).unwrap();
        let judgement = judge.judge(&counts, &figures);
        (judgement.passed, judgement.lost, judgement.because)
    };
    let counts = Counts {
        opened: 990,
        requests: 1_990,
        not_begun: 10,
        err_reset: 5,
        held_opening: 1,
        ..Counts::default()
    };
    let (passed, lost, because) = verdict("", connections(), counts);
    assert!(!passed && (lost - 0.015).abs() < 1e-9, "{lost}");
    assert_eq!(
        because,
        "15 of 1,000 lost, err_reset 5, held_opening 1, not_begun 10"
    );
    assert!(verdict("errors = \"1.5%\"", connections(), counts).0);
    assert!(!verdict("errors = \"1.4%\"", connections(), counts).0);
    let requests = Mode::Requests {
        per_connection: None,
    };
    assert!(verdict("errors = \"0.75%\"", requests, counts).0);
    // An expression comes on top.
    let pass = "errors = \"2%\"\npass = \"requests > 2k\"";
    let (passed, _, because) = verdict(pass, requests, counts);
    assert!(
        !passed && because.ends_with("; requests is 1,990"),
        "{because}"
    );
    assert!(!verdict("errors = \"99%\"", connections(), Counts::default()).0);
    let wrong = sweep("from = 1\nto = 2\npass = \"nonsense > 1\"");
    let error = Judge::new(&wrong, connections()).err().unwrap().to_string();
    assert!(error.contains("load.sweep.pass") && error.contains("nonsense"));
}

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    args: BenchArgs,
}

/// A generator that may have four connections at a time, and a server a turn away: what it can do has a limit.
struct Virtual(Pair<Generator, Apps>);

const TRIAL: Duration = Duration::from_millis(20);

impl Bed for Virtual {
    fn offer(&mut self, rate: f64) -> anyhow::Result<Option<Offered>> {
        let run = Run {
            pace: Pace::Open(Profile::constant(rate)),
            phase: 0.0,
            duration: Some(TRIAL),
            connections: None,
            timed: true,
        };
        let now = self.0.now;
        self.0.a.app_mut().0.start(now, &run);
        self.0.run(TRIAL + Duration::from_millis(5));
        let now = self.0.now;
        let load = &mut self.0.a.app_mut().0;
        assert!(load.is_done());
        let measured = load.report(now, Box::new(Measured::new()?));
        Ok(Some(Offered {
            at: Duration::from_nanos(now.as_nanos()),
            measured: *measured,
            traffic: Traffic::default(),
        }))
    }

    fn judged(&mut self, _: &Trial) {}
}

#[test]
fn the_limit_of_a_bench_is_found() {
    let options = ["bench", "--concurrency", "4", "--tuples", "20000"];
    let args = Line::try_parse_from(options).unwrap().args;
    let layout = Layout::of(20_000, false);
    let (b, a) = (hosts::server(&args, &layout), hosts::client(&args, &layout));
    let client = ends::client(&args, &layout, a.max_connections as usize).unwrap();
    let server = ends::server(&args, &layout, b.max_connections as usize);
    let mut bed = Virtual(Pair::new((a, client), (b, server)));
    let sweep = sweep("from = \"10k\"\nto = \"1M\"\nresolution = \"5%\"");
    let judge = Judge::new(&sweep, connections()).unwrap();
    let (swept, best) = run(&mut bed, &sweep, &judge).unwrap();
    let found = swept.found;
    let (rate, failed) = (found.rate.unwrap(), found.failed.unwrap());
    // A connection takes from three turns of 10 us to a dozen.
    assert!((30_000.0..=140_000.0).contains(&rate), "{swept}");
    assert!(failed / rate <= 1.05 + 1e-9, "{swept}");
    let best = best.unwrap().measured;
    let due = (rate * TRIAL.as_secs_f64()).ceil() as u64;
    assert!(best.counts.opened.abs_diff(due) <= 1, "{due}: {best:?}");
    assert_eq!(best.counts.completed, best.counts.opened);
    let cps = best.per_second(|counts| counts.opened);
    assert!(phases::live(&best.counts) == 0 && (cps / rate - 1.0).abs() < 0.01);
    // What failed says why.
    let why = |trial: &Trial| trial.because.contains("held_connections");
    let mut failures = swept.trials.iter().filter(|trial| !trial.passed);
    assert!(
        failures.clone().count() > 2 && failures.all(why),
        "{:?}",
        swept.trials
    );
}
