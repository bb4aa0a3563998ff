//! What a worker publishes, named: one table of names, meanings and kinds, in the order of the
//! values.

use stack::{Counters, Usage};

/// How a value is read, and how those of several workers become one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Only grows; several are added.
    Counter,
    /// Goes up and down; several are added.
    Gauge,
    /// Goes up and down; of several, the largest counts.
    Max,
}

/// One published value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Field {
    /// Its name: lower case with underscores, unique for a worker.
    pub name: &'static str,
    /// What it means, as a sentence.
    pub help: &'static str,
    /// How it is read.
    pub kind: Kind,
}

impl Field {
    /// A counter.
    #[must_use]
    pub const fn counter(name: &'static str, help: &'static str) -> Field {
        let kind = Kind::Counter;
        Field { name, help, kind }
    }

    /// A gauge.
    #[must_use]
    pub const fn gauge(name: &'static str, help: &'static str) -> Field {
        let kind = Kind::Gauge;
        Field { name, help, kind }
    }

    /// A maximum.
    #[must_use]
    pub const fn max(name: &'static str, help: &'static str) -> Field {
        let kind = Kind::Max;
        Field { name, help, kind }
    }
}

/// What an application publishes beside the stack's own counters. The default is nothing.
///
/// [`Publish::values`] is called about once a millisecond, and must neither allocate nor block.
pub trait Publish {
    /// Names and meanings, always the same; names must not be those of the stack or the loop.
    #[must_use]
    fn fields() -> &'static [Field] {
        &[]
    }

    /// Calls `put` with each value, in the order of [`Publish::fields`].
    fn values(&self, _put: &mut dyn FnMut(u64)) {}
}

/// The fields of the loop, in the order in which the worker writes them.
pub(crate) const LOOP: [Field; 14] = [
    Field::counter("loop_turns", "Turns of the worker's loop."),
    Field::counter(
        "loop_busy_turns",
        "Turns that received or sent at least one frame.",
    ),
    Field::counter(
        "loop_ns",
        "Nanoseconds since the worker began, those of others on its thread and of sleep included.",
    ),
    Field::counter("loop_busy_ns", "Nanoseconds of the busy turns."),
    Field::counter("loop_rx_bursts", "Bursts received that were not empty."),
    Field::counter(
        "loop_tx_stalls",
        "Turns in which the transmit queue did not take all frames.",
    ),
    Field::counter(
        "drop_rx_segments",
        "Dropped: a received frame in several buffers that does not fit into the first.",
    ),
    Field::counter(
        "handed_over",
        "Received frames given to the worker that their connection belongs to.",
    ),
    Field::counter(
        "taken_over",
        "Frames that other workers received and gave to this one.",
    ),
    Field::counter(
        "drop_handover_full",
        "Dropped: a received frame of another worker's, to whom too many were on their way.",
    ),
    Field::counter(
        "drop_tx_refused",
        "Dropped: a frame for which the driver cannot do what it is to do (put a VLAN tag in).",
    ),
    Field::counter("loop_commands", "Commands carried out."),
    Field::gauge(
        "loop_tx_waiting",
        "Frames that wait for the transmit queue to take them.",
    ),
    Field::max(
        "loop_longest_turn_ns",
        "The longest turn within the last one to two seconds, in nanoseconds.",
    ),
];

/// The fields of [`Usage`], in the order of [`usage_values`].
pub(crate) const USAGE: [Field; 11] = [
    Field::gauge("live", "Live connections, in every state but TIME-WAIT."),
    Field::gauge(
        "time_wait",
        "TIME-WAIT entries, expired ones that the sweep has not reached included.",
    ),
    Field::gauge(
        "due",
        "Connections that may have something to send and wait for their turn.",
    ),
    Field::gauge("receive_chunks", "Chunks of receive memory in use."),
    Field::gauge("send_chunks", "Chunks of send memory in use."),
    Field::gauge(
        "timers",
        "Timers set, those that ended connections left behind included.",
    ),
    Field::gauge("neighbor_users", "References to neighbours."),
    Field::gauge(
        "free_tuples",
        "Local sockets that are free, over all destinations.",
    ),
    Field::gauge(
        "time_wait_bytes",
        "Bytes of the TIME-WAIT tables with their expiry, and of what limits acknowledgments.",
    ),
    Field::gauge(
        "connection_bytes",
        "Bytes of the connection table and control blocks.",
    ),
    Field::gauge("tuple_bytes", "Bytes of the memory of local sockets."),
];

pub(crate) fn usage_values(usage: &Usage) -> [u64; USAGE.len()] {
    // Without `..`: a new member of `Usage` does not go unpublished.
    let Usage {
        live,
        time_wait,
        due,
        receive_chunks,
        send_chunks,
        timers,
        neighbor_users,
        free_tuples,
        time_wait_bytes,
        connection_bytes,
        tuple_bytes,
    } = *usage;
    [
        live,
        time_wait,
        due,
        receive_chunks,
        send_chunks,
        timers,
        neighbor_users,
        free_tuples,
        time_wait_bytes,
        connection_bytes,
        tuple_bytes,
    ]
}

/// Everything that a worker with application `A` publishes.
#[must_use]
pub fn fields<A: Publish>() -> Vec<Field> {
    let mut fields = LOOP.to_vec();
    fields.extend(USAGE);
    Counters::default().for_each(|name, help, _| fields.push(Field::counter(name, help)));
    fields.extend_from_slice(A::fields());
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    struct App;

    impl Publish for App {
        fn fields() -> &'static [Field] {
            const { &[Field::counter("requests", "Requests answered.")] }
        }
    }

    #[test]
    fn names_are_unique_and_meanings_are_sentences() {
        let fields = fields::<App>();
        let names: std::collections::HashSet<_> = fields.iter().map(|f| f.name).collect();
        assert_eq!(names.len(), fields.len());
        for field in &fields {
            assert!(field.help.ends_with('.'), "{}: {}", field.name, field.help);
        }
        assert_eq!(fields.last().map(|f| f.name), Some("requests"));
    }

    #[test]
    fn usage_is_published_under_its_own_names() {
        let usage = Usage {
            live: 1,
            time_wait: 2,
            tuple_bytes: 3,
            ..Usage::default()
        };
        let values = usage_values(&usage);
        let value = |name| values[USAGE.iter().position(|f| f.name == name).unwrap()];
        assert_eq!(value("live"), 1);
        assert_eq!(value("time_wait"), 2);
        assert_eq!(value("tuple_bytes"), 3);
        let shown = format!("{usage:?}");
        for field in USAGE {
            assert!(shown.contains(field.name), "{}", field.name);
        }
    }
}
