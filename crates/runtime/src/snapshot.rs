//! What all workers and ports have published at a moment, and what changed since the moment before.

use std::sync::Arc;
use std::time::{Duration, Instant};

use dpdk::{Port, PortStats};

use crate::board::{Board, Phase};
use crate::field::Kind;

/// Values of all workers and ports at a moment, beside those of an earlier one.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Time since the workers were started.
    pub elapsed: Duration,
    /// Time since the earlier moment, to which all differences and rates refer.
    pub interval: Duration,
    /// The workers, in the order in which they were started.
    pub workers: Vec<WorkerSnapshot>,
    /// The ports, in the order in which they were given.
    pub ports: Vec<PortSnapshot>,
}

/// One worker's part of a [`Snapshot`].
#[derive(Clone, Debug)]
pub struct WorkerSnapshot {
    board: Arc<Board>,
    now: Vec<u64>,
    before: Vec<u64>,
}

/// One port's part of a [`Snapshot`].
#[derive(Clone, Debug)]
pub struct PortSnapshot {
    /// The device.
    pub name: String,
    /// The device's counters.
    pub stats: PortStats,
    /// The same at the earlier moment.
    pub before: PortStats,
}

impl PortSnapshot {
    /// Frames that the device dropped on receipt since the earlier moment: its queue was full, it
    /// got no buffer, or the frame had an error.
    #[must_use]
    pub fn rx_dropped(&self) -> u64 {
        let lost = |s: &PortStats| s.imissed.wrapping_add(s.rx_nombuf).wrapping_add(s.ierrors);
        lost(&self.stats).saturating_sub(lost(&self.before))
    }

    /// Frames that the device failed to send since the earlier moment.
    #[must_use]
    pub fn tx_dropped(&self) -> u64 {
        self.stats.oerrors.saturating_sub(self.before.oerrors)
    }
}

impl WorkerSnapshot {
    /// The worker's name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.board.name()
    }

    /// What the worker is doing, now and not at the moment of the snapshot.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.board.phase()
    }

    fn place(&self, name: &str) -> Option<usize> {
        self.board.fields().iter().position(|f| f.name == name)
    }

    /// The value of the field `name`, if the worker has it.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<u64> {
        self.now.get(self.place(name)?).copied()
    }

    /// How much the counter `name` has grown, if the worker has it.
    #[must_use]
    pub fn delta(&self, name: &str) -> Option<u64> {
        let place = self.place(name)?;
        Some(
            self.now
                .get(place)?
                .saturating_sub(*self.before.get(place)?),
        )
    }

    /// The share of the time, 0 to 1, that the worker spent in turns which received or sent.
    #[must_use]
    pub fn busy_share(&self) -> f64 {
        let busy = self.delta("loop_busy_ns").unwrap_or(0) as f64;
        match self.delta("loop_ns").unwrap_or(0) {
            0 => 0.0,
            all => (busy / all as f64).min(1.0),
        }
    }
}

impl Snapshot {
    /// The values of the field `name` as one: counters and gauges added, of maxima the largest. 0
    /// if no worker has it.
    #[must_use]
    pub fn total(&self, name: &str) -> u64 {
        let values = self.workers.iter().filter_map(|worker| {
            let place = worker.place(name)?;
            Some((worker.board.fields()[place].kind, *worker.now.get(place)?))
        });
        values.fold(0, |total, (kind, value)| match kind {
            Kind::Counter | Kind::Gauge => total.saturating_add(value),
            Kind::Max => total.max(value),
        })
    }

    /// How much the counter `name` has grown, over all workers.
    #[must_use]
    pub fn delta(&self, name: &str) -> u64 {
        self.workers.iter().filter_map(|w| w.delta(name)).sum()
    }

    /// The same per second.
    #[must_use]
    pub fn per_second(&self, name: &str) -> f64 {
        self.rate(self.delta(name))
    }

    /// `delta` per second of the interval.
    #[must_use]
    pub fn rate(&self, delta: u64) -> f64 {
        match self.interval.as_secs_f64() {
            0.0 => 0.0,
            seconds => delta as f64 / seconds,
        }
    }

    /// How much each counter whose name begins with `prefix` has grown, without those that have
    /// not; names are given without the prefix.
    #[must_use]
    pub fn grown(&self, prefix: &str) -> Vec<(&'static str, u64)> {
        let mut grown: Vec<(&'static str, u64)> = Vec::new();
        for worker in &self.workers {
            for (place, field) in worker.board.fields().iter().enumerate() {
                let Some(rest) = field.name.strip_prefix(prefix) else {
                    continue;
                };
                let delta = worker.now[place].saturating_sub(worker.before[place]);
                match grown.iter_mut().find(|(name, _)| *name == rest) {
                    Some((_, sum)) => *sum += delta,
                    None => grown.push((rest, delta)),
                }
            }
        }
        grown.retain(|(_, delta)| *delta > 0);
        grown
    }
}

/// Makes snapshots, each beside the one before.
#[derive(Debug)]
pub(crate) struct Recorder {
    start: Instant,
    last: Instant,
    boards: Vec<(Arc<Board>, Vec<u64>)>,
    ports: Vec<PortStats>,
}

impl Recorder {
    /// Everything that `boards` count is new; what the ports have counted is not.
    pub(crate) fn new(boards: Vec<Arc<Board>>, ports: &[Port]) -> Recorder {
        let now = Instant::now();
        let zeros = |board: &Board| vec![0; board.fields().len()];
        let boards = boards.into_iter().map(|b| (b.clone(), zeros(&b)));
        Recorder {
            start: now,
            last: now,
            boards: boards.collect(),
            ports: ports.iter().map(stats).collect(),
        }
    }

    pub(crate) fn boards(&self) -> impl Iterator<Item = &Arc<Board>> {
        self.boards.iter().map(|(board, _)| board)
    }

    pub(crate) fn snapshot(&mut self, ports: &[Port]) -> Snapshot {
        let now = Instant::now();
        let workers = self.boards.iter_mut().map(|(board, last)| {
            let values = board.read();
            WorkerSnapshot {
                board: Arc::clone(board),
                before: std::mem::replace(last, values.clone()),
                now: values,
            }
        });
        let ports = ports.iter().zip(&mut self.ports).map(|(port, last)| {
            let stats = stats(port);
            PortSnapshot {
                name: port.name().to_owned(),
                before: std::mem::replace(last, stats),
                stats,
            }
        });
        Snapshot {
            elapsed: now - self.start,
            interval: now - std::mem::replace(&mut self.last, now),
            workers: workers.collect(),
            ports: ports.collect(),
        }
    }
}

/// A driver without statistics has counted nothing.
fn stats(port: &Port) -> PortStats {
    port.stats().unwrap_or_default()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::field::Field;

    /// A snapshot of workers made up of `(name, before, now)`.
    pub(crate) fn snapshot(seconds: u64, workers: &[&[(&'static str, u64, u64)]]) -> Snapshot {
        let workers = workers.iter().zip(0..).map(|(values, i): (_, u32)| {
            let fields = values.iter().map(|&(name, _, _)| match name {
                "loop_longest_turn_ns" => Field::max(name, "A maximum."),
                _ => Field::counter(name, "A counter."),
            });
            WorkerSnapshot {
                board: Arc::new(Board::new(format!("w{i}"), fields.collect())),
                now: values.iter().map(|v| v.2).collect(),
                before: values.iter().map(|v| v.1).collect(),
            }
        });
        Snapshot {
            elapsed: Duration::from_secs(2 * seconds),
            interval: Duration::from_secs(seconds),
            workers: workers.collect(),
            ports: Vec::new(),
        }
    }

    #[test]
    fn counters_add_up_and_maxima_do_not() {
        let shot = snapshot(
            2,
            &[
                &[("closed", 10, 30), ("loop_longest_turn_ns", 0, 7)],
                &[("closed", 1, 1), ("loop_longest_turn_ns", 0, 5)],
            ],
        );
        assert_eq!(shot.total("closed"), 31);
        assert_eq!(shot.delta("closed"), 20);
        assert_eq!(shot.per_second("closed"), 10.0);
        assert_eq!(shot.total("loop_longest_turn_ns"), 7);
        assert_eq!(shot.total("no such name"), 0);
        assert_eq!(shot.workers[1].value("closed"), Some(1));
        assert_eq!(shot.workers[1].value("no such name"), None);
    }

    #[test]
    fn shares_and_prefixes() {
        let worker: &[_] = &[
            ("loop_ns", 1_000, 3_000),
            ("loop_busy_ns", 0, 500),
            ("drop_a", 5, 5),
            ("drop_b", 5, 8),
        ];
        let shot = snapshot(1, &[worker, worker]);
        assert_eq!(shot.workers[0].busy_share(), 0.25);
        assert_eq!(shot.grown("drop_"), [("b", 6)]);
        assert_eq!(snapshot(1, &[&[]]).workers[0].busy_share(), 0.0);
    }

    #[test]
    fn what_a_port_lost() {
        let stats = PortStats {
            imissed: 5,
            rx_nombuf: 2,
            oerrors: 4,
            ..PortStats::default()
        };
        let before = PortStats {
            imissed: 1,
            oerrors: 4,
            ..PortStats::default()
        };
        let name = "p".to_owned();
        let port = PortSnapshot {
            name,
            stats,
            before,
        };
        assert_eq!((port.rx_dropped(), port.tx_dropped()), (6, 0));
    }
}
