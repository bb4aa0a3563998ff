//! What keeps the figures from meaning what they say, and what to do about it.

use load::{Counts, Measured};

use super::output::Traffic;
use crate::bench::summary::grouped;

/// A count that should be 0.
struct Kind {
    count: fn(&Counts) -> u64,
    /// The figures that show it: whoever names one in `--pass` has judged it.
    figures: &'static [&'static str],
    what: &'static str,
    remedy: &'static str,
    /// It only delays what an open loop has due, which shows in the latencies, and in `not_begun` if it never began.
    delays: bool,
}

/// Something that keeps the figures from meaning what they say.
#[derive(Clone, PartialEq, Debug)]
pub struct Problem {
    figures: &'static [&'static str],
    text: String,
}

impl Problem {
    /// One that `figures` show.
    pub(super) fn new(figures: &'static [&'static str], text: impl Into<String>) -> Problem {
        let text = text.into();
        Problem { figures, text }
    }

    /// What is wrong, and the remedy.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether one of the figures that show it is `named`.
    pub fn is_judged(&self, named: impl Fn(&str) -> bool) -> bool {
        self.figures.iter().any(|figure| named(figure))
    }
}

/// Why a SYN is not answered.
const UNANSWERED: &str = "nobody is there, or a filter drops them, or the server has their four-tuples in TIME-WAIT from \
                          an earlier run and cannot know that they are new: keep secrets.file from run to run";

const KINDS: [Kind; 10] = [
    Kind {
        count: |c| c.err_connect_timeout,
        figures: &["err_connect_timeout", "errors"],
        what: "SYNs were not answered in time",
        remedy: UNANSWERED,
        delays: false,
    },
    Kind {
        count: |c| c.cut_off_opening,
        figures: &["cut_off_opening", "cut_off"],
        what: "SYNs were not answered when the program ended",
        remedy: UNANSWERED,
        delays: false,
    },
    Kind {
        count: |c| c.not_begun,
        figures: &["not_begun"],
        what: "events of the rate were due and not begun",
        remedy: "the bounds (held_ figures say which), the server or this processor (busy) did not allow so much: lower the rate",
        delays: false,
    },
    Kind {
        count: |c| c.held_no_tuple,
        figures: &["held_no_tuple"],
        what: "openings were put off for want of a local address and port",
        remedy: "add addresses to load.sources, widen load.ports, or lower load.reuse_interval or time_wait.local_reuse",
        delays: true,
    },
    Kind {
        count: |c| c.held_connections,
        figures: &["held_connections"],
        what: "openings were put off because as many connections were alive as may be",
        remedy: "raise load.connections (-c)",
        delays: true,
    },
    Kind {
        count: |c| c.held_opening,
        figures: &["held_opening"],
        what: "openings were put off because as many SYNs were unanswered as may be",
        remedy: "raise load.opening",
        delays: true,
    },
    Kind {
        count: |c| c.held_no_connection,
        figures: &["held_no_connection"],
        what: "requests were put off because no connection was idle",
        remedy: "raise load.connections (-c)",
        delays: true,
    },
    Kind {
        count: |c| c.held_table_full,
        figures: &["held_table_full"],
        what: "openings were put off because the connection table was full",
        remedy: "raise limits.connections",
        delays: true,
    },
    Kind {
        count: |c| c.held_no_neighbor,
        figures: &["held_no_neighbor"],
        what: "openings were put off because the neighbour table was full",
        remedy: "raise host.neighbors",
        delays: true,
    },
    Kind {
        count: |c| c.cut_off - c.cut_off_opening,
        figures: &["cut_off"],
        what: "connections had not ended when the program did, and were reset",
        remedy: "raise control.drain_timeout",
        delays: false,
    },
];

/// All of them, in what was measured and counted meanwhile, in an open loop or not.
pub(super) fn problems(m: &Measured, traffic: &Traffic, is_open: bool) -> Vec<Problem> {
    let told =
        |count: u64, what: &str, remedy: &str| format!("{} {what}: {remedy}", grouped(count));
    let only_late = is_open && m.counts.not_begun == 0;
    let mut problems: Vec<Problem> = KINDS
        .iter()
        .map(|kind| (kind, (kind.count)(&m.counts)))
        .filter(|(kind, count)| *count > 0 && !(kind.delays && only_late))
        .map(|(kind, count)| Problem::new(kind.figures, told(count, kind.what, kind.remedy)))
        .collect();
    if traffic.evicted > 0 {
        let what = "TIME-WAIT entries were evicted before their time";
        let text = told(traffic.evicted, what, "raise time_wait.capacity");
        problems.push(Problem::new(&["time_wait_evicted"], text));
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::super::output::known;
    use super::*;

    #[test]
    fn what_is_told_is_of_the_run_that_is_shown() {
        let mut measured = Measured::new().unwrap();
        let mut traffic = Traffic::default();
        assert!(problems(&measured, &traffic, false).is_empty());
        measured.counts.cut_off = 3;
        measured.counts.cut_off_opening = 1;
        traffic.evicted = 5;
        // Of all trials of a sweep; this is one of them.
        let told = problems(
            &measured,
            &traffic.since(&Traffic {
                evicted: 3,
                ..Traffic::default()
            }),
            false,
        );
        let told: Vec<&str> = told.iter().map(Problem::text).collect();
        let [opening, open, evicted] = &told[..] else {
            panic!("{told:?}")
        };
        assert!(opening.starts_with("1 SYNs were not answered when the program ended"));
        assert!(open.starts_with("2 connections had not ended"));
        assert!(evicted.starts_with("2 TIME-WAIT entries were evicted"));
    }

    #[test]
    fn what_began_late_in_an_open_loop_shows_in_its_latency() {
        let mut measured = Measured::new().unwrap();
        let traffic = Traffic::default();
        measured.counts.held_connections = 3;
        assert!(problems(&measured, &traffic, true).is_empty());
        // Without a rate nothing else shows that less was done than could have been.
        assert_eq!(problems(&measured, &traffic, false).len(), 1);
        measured.counts.not_begun = 1;
        let told = problems(&measured, &traffic, true);
        assert_eq!(told.len(), 2, "why it was not begun is told as well");
    }

    #[test]
    fn every_problem_has_figures_that_there_are() {
        let known = known().unwrap();
        let all = KINDS.iter().flat_map(|kind| kind.figures);
        for figure in all.chain(&["time_wait_evicted"]) {
            assert!(known.iter().any(|(name, _)| name == figure), "{figure}");
        }
    }
}
