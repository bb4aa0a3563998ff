//! What keeps the figures from meaning what they say, and what to do about it.

use load::{Counts, Measured};

use super::output::Traffic;
use crate::bench::summary::grouped;

/// A count that should be 0, what it means, and the remedy.
type Problem = (fn(&Counts) -> u64, &'static str, &'static str);

/// Why a SYN is not answered.
const UNANSWERED: &str = "nobody is there, or a filter drops them, or the server has their four-tuples in TIME-WAIT from \
                          an earlier run and cannot know that they are new: keep secrets.file from run to run";

const PROBLEMS: [Problem; 10] = [
    (
        |c| c.err_connect_timeout,
        "SYNs were not answered in time",
        UNANSWERED,
    ),
    (
        |c| c.cut_off_opening,
        "SYNs were not answered when the program ended",
        UNANSWERED,
    ),
    (
        |c| c.not_begun,
        "events of the rate were due and not begun",
        "the bounds (held_ figures say which), the server or this processor (busy) did not allow so much: lower the rate",
    ),
    (
        |c| c.held_no_tuple,
        "openings were put off for want of a local address and port",
        "add addresses to load.sources, widen load.ports, or lower load.reuse_interval or time_wait.local_reuse",
    ),
    (
        |c| c.held_connections,
        "openings were put off because as many connections were alive as may be",
        "raise load.connections (-c)",
    ),
    (
        |c| c.held_opening,
        "openings were put off because as many SYNs were unanswered as may be",
        "raise load.opening",
    ),
    (
        |c| c.held_no_connection,
        "requests were put off because no connection was idle",
        "raise load.connections (-c)",
    ),
    (
        |c| c.held_table_full,
        "openings were put off because the connection table was full",
        "raise limits.connections",
    ),
    (
        |c| c.held_no_neighbor,
        "openings were put off because the neighbour table was full",
        "raise host.neighbors",
    ),
    (
        |c| c.cut_off - c.cut_off_opening,
        "connections had not ended when the program did, and were reset",
        "raise control.drain_timeout",
    ),
];

/// All of them, in what was measured and counted meanwhile.
pub(super) fn problems(m: &Measured, traffic: &Traffic) -> Vec<String> {
    let told =
        |count: u64, what: &str, remedy: &str| format!("{} {what}: {remedy}", grouped(count));
    let mut problems: Vec<String> = PROBLEMS
        .iter()
        .map(|(count, what, remedy)| (count(&m.counts), what, remedy))
        .filter(|(count, ..)| *count > 0)
        .map(|(count, what, remedy)| told(count, what, remedy))
        .collect();
    if traffic.evicted > 0 {
        let what = "TIME-WAIT entries were evicted before their time";
        problems.push(told(traffic.evicted, what, "raise time_wait.capacity"));
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_is_of_the_run_that_is_shown() {
        let mut measured = Measured::new().unwrap();
        let mut traffic = Traffic::default();
        assert!(problems(&measured, &traffic).is_empty());
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
        );
        let [opening, open, evicted] = &told[..] else {
            panic!("{told:?}")
        };
        assert!(opening.starts_with("1 SYNs were not answered when the program ended"));
        assert!(open.starts_with("2 connections had not ended"));
        assert!(evicted.starts_with("2 TIME-WAIT entries were evicted"));
    }
}
