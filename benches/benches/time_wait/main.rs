//! The life of a connection in TIME-WAIT: our table beside the exact inline design that it elaborates,
//! and beside hashbrown, as an index of a slab and as a plain map, in the same run.
//!
//! Two mixes, at a constant number N of live entries, in bursts of 64 connections:
//!
//! * `expire`: a failed look-up (the SYN), an insertion, a hit on a random live entry, another that
//!   writes TS.Recent, and an expiry (the sweep, or a FIFO).
//! * `recycle`: a failed look-up, a hit on a random live entry that removes it, another that writes
//!   TS.Recent, and the insertion of one that was removed in the burst before.
//!
//! All share keys and hash function, and lie on huge pages if the machine gives them. The inline tables
//! hash and prefetch the burst first; hashbrown has no prefetch, so the index looks up the burst twice, the
//! first time to overlap the misses. Every hit is verified.
//!
//! N is 2^20; `TIDEWHEEL_BENCH_ENTRIES` sets other numbers, separated by commas, and
//! `TIDEWHEEL_BENCH_MIX=expire` (or `recycle`) leaves the other one out. The contenders take
//! turns of 4,096 connections, and a figure of criterion's is the tenth percentile of those turns,
//! scaled up: what the machine does to others is left out, as is what
//! else runs on it (it is the processor's time that counts). At the end of each mix all turns are summed up, with the
//! ratio of each to the inline design's of the same round.

mod contender;
mod hashed;
mod inline;
mod ours;
mod race;
mod run;

use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group};

use crate::race::Race;
use crate::run::Mix;

fn life(c: &mut Criterion) {
    let set = std::env::var("TIDEWHEEL_BENCH_ENTRIES").unwrap_or_else(|_| (1 << 20).to_string());
    let only = std::env::var("TIDEWHEEL_BENCH_MIX");
    for n in set.split(',') {
        let n = n
            .trim()
            .parse()
            .expect("TIDEWHEEL_BENCH_ENTRIES: a number of entries");
        for (mix, name) in [(Mix::Expire, "expire"), (Mix::Recycle, "recycle")] {
            if only.as_ref().is_ok_and(|only| only != name) {
                continue;
            }
            let mut race = Race::new(mix, n);
            let mut group = c.benchmark_group(format!("time_wait/{name}/{n}"));
            group.throughput(Throughput::Elements(1)).sample_size(10);
            group.warm_up_time(Duration::from_millis(500));
            group.measurement_time(Duration::from_secs(2));
            for (which, contender) in race.contenders().iter().enumerate() {
                let id = BenchmarkId::from_parameter(contender);
                group.bench_function(id, |b| b.iter_custom(|i| race.run(which, i)));
            }
            group.finish();
            race.report();
        }
    }
}

criterion_group!(benches, life);

/// glibc's way to ask for huge pages: without it hashbrown's tables would lie on small ones.
const TUNABLES: (&str, &str) = ("GLIBC_TUNABLES", "glibc.malloc.hugetlb=1");

fn main() {
    let (variable, huge_pages) = TUNABLES;
    if std::env::var_os(variable).is_none()
        && let Ok(this) = std::env::current_exe()
    {
        let arguments = std::env::args_os().skip(1);
        let error = Command::new(this)
            .args(arguments)
            .env(variable, huge_pages)
            .exec();
        eprintln!("without huge pages for hashbrown: {error}");
    }
    benches();
    Criterion::default().configure_from_args().final_summary();
}
