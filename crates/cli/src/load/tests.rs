//! `config/LOAD.md` says what the code says.

use core::time::Duration;
use std::collections::HashSet;
use std::fmt::Write as _;
use std::path::Path;

use load::Measured;

use super::dperf::keywords::{REFUSED, SYNTAX, WITHOUT_MEANING};
use super::output::{Report, Traffic, figures};
use super::unit::Unit;

const LOAD: &str = include_str!("../config/load.rs");
const HTTP: &str = include_str!("../config/load/http.rs");
const PROFILE: &str = include_str!("../config/load/profile.rs");
const SWEEP: &str = include_str!("../config/load/sweep.rs");

/// The public fields of the struct `name` in `source`, and their documentation.
fn keys(source: &str, name: &str) -> Vec<(String, String)> {
    let begin = source.find(&format!("pub struct {name} {{")).unwrap();
    let body = &source[begin..];
    let body = &body[..body.find("\n}").unwrap()];
    let (mut keys, mut help) = (Vec::new(), String::new());
    for line in body.lines().map(str::trim) {
        if let Some(text) = line.strip_prefix("///") {
            help.push_str(text);
        } else if let Some((key, _)) = line.strip_prefix("pub ").and_then(|l| l.split_once(':')) {
            keys.push((key.to_owned(), core::mem::take(&mut help).trim().to_owned()));
        }
    }
    assert!(!keys.is_empty(), "{name}");
    keys
}

fn table<K: AsRef<str>, V: AsRef<str>>(
    text: &mut String,
    head: &str,
    rows: impl IntoIterator<Item = (K, V)>,
) {
    let _ = write!(text, "\n{head}\n|---|---|\n");
    for (key, help) in rows {
        let _ = writeln!(
            text,
            "| `{}` | {} |",
            key.as_ref(),
            help.as_ref().replace('|', "\\|")
        );
    }
}

fn of_figures(text: &mut String) {
    let measured = Measured::new().unwrap();
    let nothing = Report {
        at: Duration::ZERO,
        measured: &measured,
        traffic: &Traffic::default(),
    };
    let unit = |unit| match unit {
        Unit::Number => "number",
        Unit::Time => "time",
        Unit::Share => "share",
    };
    let (latencies, others): (Vec<_>, Vec<_>) = figures(&nothing)
        .into_iter()
        .partition(|figure| figure.name.contains('.'));
    let others = others
        .iter()
        .map(|f| (&f.name, format!("{} | {}", unit(f.unit), f.help)));
    text.push_str("\n| figure | unit | meaning |\n|---|---|---|\n");
    for (name, rest) in others {
        let _ = writeln!(text, "| `{name}` | {rest} |");
    }
    text.push_str(
        "\nLatencies are `connect`, `first_byte`, `request` and `close`, and each has the statistics below:\n\
         `connect.p99`. Those of `request` have short names too: `p99` is `request.p99`.\n",
    );
    let mut statistics: Vec<(String, String)> = Vec::new();
    for figure in &latencies {
        if let Some(name) = figure.name.strip_prefix("request.") {
            let help = figure.help.replace("`request`", "it");
            statistics.push((name.to_owned(), help));
        }
    }
    table(text, "| statistic | meaning |", statistics);
    let source = include_str!("../../../load/src/measure.rs");
    table(text, "| latency | what it is |", keys(source, "Latencies"));
}

/// The document that this code asks for.
fn document() -> String {
    let mut text = "# The load generator

    tidewheel load http://10.0.0.2/ --device 0000:03:00.0 --address 10.0.0.1/16 --source 10.0.1.0/27 -c 400 -d 30s -R 1M

Keys stand in a file (`--config FILE`, or the environment's `TIDEWHEEL_CONFIG`), beside those of the device and the host that
`serve` has too; flags come on top (`tidewheel load --help`), and `--set load.KEY=VALUE` reaches every key. With
[load.toml](load.toml) there, the line above is `tidewheel load http://10.0.0.2:80/ -c 400 -d 30s -R 1M`.

A rate that the local addresses and ports cannot sustain is refused, with what they can and which key to change: where we
close first, each pair of them rests for `time_wait.local_reuse` (1 s), so one address allows 64,512 connections a second.

Exit status: 0; 1 for a failure while running; 2 for a configuration that cannot be used; 3 if the run did not reach what
`--pass` asks for.

## Keys of `[load]`
"
    .to_owned();
    table(&mut text, "| key | meaning |", keys(LOAD, "Load"));
    text.push_str("\nOf each of `steps`:\n");
    table(&mut text, "| key | meaning |", keys(PROFILE, "Step"));
    text.push_str("\n## Keys of `[load.http]`\n");
    table(&mut text, "| key | meaning |", keys(HTTP, "Http"));
    text.push_str(SWEEPS);
    table(&mut text, "| key | meaning |", keys(SWEEP, "Sweep"));
    text.push_str(SCRIPTS);
    text.push_str(FIGURES);
    of_figures(&mut text);
    text.push_str(OUTPUTS);
    table(&mut text, "| word | figure |", WORDS);
    text.push_str(DPERF);
    table(&mut text, "| keyword | its arguments |", SYNTAX);
    text.push_str("\nThese change nothing here, which is told when they are met:\n");
    table(&mut text, "| keyword | why |", WITHOUT_MEANING);
    text.push_str("\nThese ask for other traffic, and are refused, as are `mode server`, `protocol udp` and bonds:\n");
    table(&mut text, "| keyword | why |", REFUSED);
    text
}

const SWEEPS: &str = r#"
## A sweep

`--sweep 10k-1M` looks for the highest rate that is sustained, as throughput is looked for in RFC 2544 26.1: trials, first at the
lowest rate and at the highest, then halfway (by the ratio) between what has passed and what has failed. A trial passes if no
more events than `errors` allows went wrong, were cut off at its end or could not be begun in time, and `pass` is true of its
figures. What was found is repeated. When a trial ends, its connections have `control.drain_timeout` to end.

Where nothing went wrong but that events were not begun, what was offered was not what was intended (RFC 2285 3.5), and a pause of
this end's processor may be all that it was. Such a trial, if less than a tenth was missing, is void, and its rate has another
one, which counts.

Each trial has a line. The figures at the end (and so `--pass`) are those of the last trial at the rate that was found, or if
none passed of the last trial; then the exit status is 3.

## Keys of `[load.sweep]`
"#;

const SCRIPTS: &str = r#"
## Scripts

`load.script` (`--script FILE`) names a file with the steps of a conversation over `tcp://`. A connection makes one step for
each of its requests, and begins again after the last; `requests` is a multiple of their number.

    [[step]]
    expect = { until = "\r\n" }                  # the server speaks first
    [[step]]
    send = "HELO load\r\n"
    expect = { regex = "(250-[^\n]*\n)*250 [^\n]*\n" }
    [[step]]
    send = { hex = "00 01 ff" }
    expect = { bytes = "1M", of = "ab" }

`send` is a text, `{ hex = "0d 0a" }` or `{ file = "NAME" }` (beside the script). `expect` is one of these too, and the answer
has to be the same, octet by octet; or

| `expect` | the answer is |
|---|---|
| `{ bytes = N }` | so many octets |
| `{ bytes = N, of = "ab" }` | so many octets: these over and over |
| `{ until = "\r\n" }` | everything up to and including this |
| `{ regex = "..." }` | everything up to where the regular expression matches all of it for the first time; its syntax is that of the crate `regex`, of octets |

The last two end an answer after `max` octets (default 64k) as wrong.
"#;

const FIGURES: &str = r#"
## Figures

Their names are those of `--json`, `--json-lines`, `--csv` and `--pass`. In JSON and CSV times are in microseconds (in JSON
latencies are in `latency_us`, in CSV their columns end in `_us`), shares from 0 to 1, and what was not measured is `null` or
empty.

`--pass "errors==0 && p99<500us && cps>1M"` compares them with `<`, `<=`, `==`, `!=`, `>=` and `>`, joined by `&&`, `||`, `!`
and parentheses. Numbers may end in k, M or G, shares in %, and times have a unit: ns, us, ms, s. What was not measured passes
nothing, and nor does a run that has `problems`, unless the expression itself names a figure that shows each of them, such as
`not_begun`.
"#;

const OUTPUTS: &str = r#"
## Outputs

A line a second and a summary, unless `--json` (one object at the end) or `--json-lines` (one a second with `"of": "interval"`,
and one at the end with `"of": "run"`) asks for objects. Beside the figures a second has `at`, its end in seconds from the
beginning, and a run `targets`, `mode`, `workers`, `connections`, `first_wrong` (why the first wrong answer was wrong), `pass` (what
`--pass` says of it), `sweep` (what it found) and `problems` (what keeps the figures from meaning what they say). `--csv FILE`
writes a row a second, `--hdr FILE` an HdrHistogram log (format 1.3) of nanoseconds, with the name of the latency as the tag.
What the run did behind its last whole second has an object or row of its own, so that all together are the run (its `seconds` are
what is left of the time in which connections were opened). What cannot be written is told at once and makes the
exit status 1, but ends neither the run nor the other outputs.

`sweep` has `from`, `to`, `rate` (the highest that passed, or `null`), `confirmed` (how often it passed again), `failed` (the lowest
rate that failed, or `null`), `complete` (whether the search came to its end) and `trials`: each with `number`, `rate`, `repeats`,
`passed`, `void`, `lost` (a share), `because` and all figures. With `--json-lines` each is a line of its own, too, with `"of": "trial"`. The
lines a second, `--csv` and `--hdr` have everything, warm-up and pauses included.

The line a second has dperf's words where they mean the same. Numbers are those of the interval a second, but for `skCon`
(now) and those of devices (since the run began). Errors, what was put off, and statuses other than 2xx follow by the names of
their figures if there are any.
"#;

/// The words of the line a second.
const WORDS: [(&str, &str); 15] = [
    ("skOpen", "`opened`"),
    ("skClose", "`closed`"),
    ("skCon", "`opening`, `open` and `closing` together"),
    ("skErr", "`errors`"),
    ("tcpReq", "`requests`"),
    ("tcpRsp", "`responses`"),
    ("http2XX", "`status_2xx`"),
    ("pktRx", "`rx_frames`"),
    ("pktTx", "`tx_frames`"),
    ("bitsRx", "bits of `rx_bytes`"),
    ("bitsTx", "bits of `tx_bytes`"),
    ("rtt(us)", "`connect.mean`"),
    ("imissed", "`imissed`, and so `ierrors` and `oerrors`"),
    (
        "cpuUsage",
        "share of each worker's time in which there was something to do, in percent",
    ),
    ("12s", "time since the run began"),
];

const DPERF: &str = r#"
## Files of dperf

`--dperf FILE` reads a client's configuration of dperf (1.8). What it says becomes keys of ours, over those of `--config` and
under flags; an error about one names its line. It goes by dperf's habits: the rate rises for 30 s before the duration
begins (`slow_start`), requests are HTTP's unless they are shorter than 85 octets, and what the run then sends is TCP as
everywhere here: timestamps, retransmission and TIME-WAIT included.
"#;

#[test]
fn every_key_and_figure_is_documented_and_no_other() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config/LOAD.md");
    let wanted = document();
    if std::env::var_os("TIDEWHEEL_UPDATE").is_some() {
        std::fs::write(&file, &wanted).unwrap();
    }
    let written = std::fs::read_to_string(&file).unwrap();
    let missing: Vec<&str> = wanted.lines().filter(|l| !written.contains(l)).collect();
    let stale: Vec<&str> = written.lines().filter(|l| !wanted.contains(l)).collect();
    assert!(
        written == wanted,
        "config/LOAD.md lacks {missing:#?} and has {stale:#?}; this writes it anew: \
         TIDEWHEEL_UPDATE=1 cargo test --package tidewheel every_key"
    );
}

#[test]
fn every_key_says_its_default_or_that_it_is_required() {
    for (key, help) in [
        (LOAD, "Load"),
        (PROFILE, "Step"),
        (HTTP, "Http"),
        (SWEEP, "Sweep"),
    ]
    .into_iter()
    .flat_map(|(source, name)| keys(source, name))
    {
        let says = help.contains("Default")
            || help.contains("Required")
            || ["http", "sweep"].contains(&key.as_str());
        assert!(says, "{key}: {help}");
    }
}

#[test]
fn a_keyword_of_dperf_is_understood_or_has_no_meaning_or_is_refused() {
    let all = SYNTAX.iter().chain(&WITHOUT_MEANING).chain(&REFUSED);
    let names: HashSet<&str> = all.clone().map(|(name, _)| *name).collect();
    // The keywords of dperf 1.8.
    assert_eq!((all.count(), names.len()), (45, 45));
}
