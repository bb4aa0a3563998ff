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
    /// Of each slice of each contender.
    times: Vec<Vec<Duration>>,
}

impl Race {
    /// The exact inline design is the first, ours the second.
    pub(crate) fn new(mix: Mix, n: usize) -> Race {
        fn racer<C: Contender + 'static>(n: usize, contender: C) -> Box<dyn Racer> {
            Box::new(Run::new(n, contender))
        }
        let racers = vec![
            racer(n, Inline::new(n)),
            racer(n, Ours::new(n)),
            racer(n, Indexed::new(n)),
            racer(n, Plain::new(n)),
        ];
        let times = vec![Vec::new(); racers.len()];
        Race {
            mix,
            n,
            racers,
            times,
        }
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

    /// Prints each contender's nanoseconds a connection, and its slices' ratios to the first's of the
    /// same turn.
    pub(crate) fn report(&self) {
        println!("{:?}, {} entries", self.mix, self.n);
        println!(
            "{:<28} {:>8} {:>9} {:>9} {:>22}",
            "", "B/entry", "p10 ns", "median ns", "ratio: p25 median p75"
        );
        let ns = |time: Duration| time.as_nanos() as f64 / SLICE as f64;
        for (racer, times) in self.racers.iter().zip(&self.times) {
            let pairs = times.iter().zip(&self.times[0]);
            let mut ratios: Vec<f64> = pairs
                .map(|(this, first)| this.as_secs_f64() / first.as_secs_f64())
                .collect();
            ratios.sort_unstable_by(f64::total_cmp);
            let ratio = |percent: usize| ratios[(ratios.len() - 1) * percent / 100];
            println!(
                "{:<28} {:>8.1} {:>9.1} {:>9.1} {:>8.3} {:>6.3} {:>6.3}",
                racer.name(),
                racer.bytes() as f64 / self.n as f64,
                ns(percentile(times.clone(), 10)),
                ns(percentile(times.clone(), 50)),
                ratio(25),
                ratio(50),
                ratio(75)
            );
        }
    }
}

fn percentile(mut times: Vec<Duration>, percent: usize) -> Duration {
    times.sort_unstable();
    times[(times.len() - 1) * percent / 100]
}
