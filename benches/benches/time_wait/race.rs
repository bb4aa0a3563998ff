//! Contenders in turn, slice by slice, so that what else the machine does meets all of them.

use std::time::Duration;

use crate::contender::Contender;
use crate::hashed::{Indexed, Plain};
use crate::inline::Inline;
use crate::ours::Ours;
use crate::run::{Mix, Racer, Run, SLICE};

/// Contenders with the same number of live entries, under the same mix.
pub(crate) struct Race {
    mix: Mix,
    n: usize,
    racers: Vec<Box<dyn Racer>>,
    /// How many bytes of each contender lie on huge pages.
    huge: Vec<usize>,
    /// Of each slice of each contender.
    times: Vec<Vec<Duration>>,
}

impl Race {
    /// The exact inline design is the first, ours the second.
    pub(crate) fn new(mix: Mix, n: usize) -> Race {
        let mut race = Race {
            mix,
            n,
            racers: Vec::new(),
            huge: Vec::new(),
            times: Vec::new(),
        };
        race.add(|| Inline::new(n));
        race.add(|| Ours::new(n));
        race.add(|| Indexed::new(n));
        race.add(|| Plain::new(n));
        race
    }

    fn add<C: Contender + 'static>(&mut self, contender: impl FnOnce() -> C) {
        let before = on_huge_pages();
        let run = Run::new(self.n, contender());
        self.huge.push(on_huge_pages().saturating_sub(before));
        self.racers.push(Box::new(run));
        self.times.push(Vec::new());
    }

    pub(crate) fn contenders(&self) -> Vec<String> {
        let mut all = Vec::new();
        for racer in &self.racers {
            let bytes = racer.bytes() as f64 / self.n as f64;
            all.push(format!("{}/{bytes:.1} B", racer.name()));
        }
        all
    }

    /// The time that contender `which` takes for `iterations` connections, while all others run too:
    /// the tenth percentile of slices, scaled.
    pub(crate) fn run(&mut self, which: usize, iterations: u64) -> Duration {
        let slices = iterations.div_ceil(SLICE as u64).max(10) as usize;
        for slice in 0..slices {
            for i in 0..self.racers.len() {
                let i = (i + slice) % self.racers.len();
                self.times[i].push(self.racers[i].slice(self.mix));
            }
        }
        let times = &self.times[which];
        let tenth = percentile(times[times.len() - slices..].to_vec(), 10);
        tenth.mul_f64(iterations as f64 / SLICE as f64)
    }

    /// Prints each contender's bytes and how much of it lies on huge pages (what an earlier race left
    /// to the inline design does not count), its nanoseconds a connection, and its slices' ratios to the first's of the
    /// same turn.
    pub(crate) fn report(&self) {
        println!("{:?}, {} entries", self.mix, self.n);
        println!(
            "{:<28} {:>8} {:>6} {:>9} {:>9} {:>22}",
            "", "B/entry", "huge", "p10 ns", "median ns", "ratio: p25 median p75"
        );
        let ns = |time: Duration| time.as_nanos() as f64 / SLICE as f64;
        for ((racer, times), huge) in self.racers.iter().zip(&self.times).zip(&self.huge) {
            let pairs = times.iter().zip(&self.times[0]);
            let mut ratios: Vec<f64> = pairs
                .map(|(this, first)| this.as_secs_f64() / first.as_secs_f64())
                .collect();
            ratios.sort_unstable_by(f64::total_cmp);
            let ratio = |percent: usize| ratios[(ratios.len() - 1) * percent / 100];
            println!(
                "{:<28} {:>8.1} {:>4.0} % {:>9.1} {:>9.1} {:>8.3} {:>6.3} {:>6.3}",
                racer.name(),
                racer.bytes() as f64 / self.n as f64,
                *huge as f64 / racer.bytes() as f64 * 100.0,
                ns(percentile(times.clone(), 10)),
                ns(percentile(times.clone(), 50)),
                ratio(25),
                ratio(50),
                ratio(75)
            );
        }
    }
}

/// Bytes of this process that lie on transparent huge pages; 0 where the kernel does not say.
fn on_huge_pages() -> usize {
    let said = std::fs::read_to_string("/proc/self/smaps_rollup").unwrap_or_default();
    let line = said.lines().find_map(|l| l.strip_prefix("AnonHugePages:"));
    let kib = line.and_then(|l| l.split_whitespace().next()?.parse::<usize>().ok());
    kib.unwrap_or(0) * 1024
}

fn percentile(mut times: Vec<Duration>, percent: usize) -> Duration {
    times.sort_unstable();
    times[(times.len() - 1) * percent / 100]
}
