//! The statistics line.

use std::fmt;

use crate::snapshot::Snapshot;

/// One line about the interval of a [`Snapshot`]: rates are per second, retransmissions and drops
/// are numbers within the interval.
#[derive(Clone, Copy, Debug)]
pub struct Line<'a>(&'a Snapshot);

impl Snapshot {
    /// The statistics line.
    #[must_use]
    pub fn line(&self) -> Line<'_> {
        Line(self)
    }
}

/// What counters of four-tuples recycled, by reason, begin with.
const RECYCLED: &str = "tw_recycled_";
/// What counters of frames dropped, by reason, begin with.
const DROPPED: &str = "drop_";
/// What counters of SYNs dropped in TIME-WAIT, by reason, begin with.
const REFUSED: &str = "tw_syn_";
/// Counters of SYNs refused and acknowledged.
const REFUSED_ACKED: &str = "tw_acked_syn_";

/// The counters and gauges that the line shows by name.
#[cfg(test)]
const SHOWN: [&str; 9] = [
    "established",
    "closed",
    "live",
    "time_wait",
    "retransmitted_segments",
    "rx_frames",
    "rx_bytes",
    "tx_frames",
    "tx_bytes",
];

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shot = self.0;
        write!(
            f,
            "{:>4}s  opened {}/s  closed {}/s  live {}  time-wait {}  recycled ",
            shot.elapsed.as_secs(),
            Whole(shot.per_second("established")),
            Whole(shot.per_second("closed")),
            shot.total("live"),
            shot.total("time_wait"),
        )?;
        let recycled = shot.grown(RECYCLED);
        match recycled.iter().map(|r| r.1).sum() {
            0 => f.write_str("0/s")?,
            all => {
                write!(f, "{}/s (", Whole(shot.rate(all)))?;
                list(f, recycled.iter().map(|(why, n)| (*why, shot.rate(*n))))?;
                f.write_str(")")?;
            }
        }
        write!(
            f,
            "  retransmitted {}  dropped ",
            shot.delta("retransmitted_segments")
        )?;
        self.drops(f)?;
        write!(
            f,
            "  rx {}pps {}bit/s  tx {}pps {}bit/s  busy",
            Scaled(shot.per_second("rx_frames")),
            Scaled(shot.per_second("rx_bytes") * 8.0),
            Scaled(shot.per_second("tx_frames")),
            Scaled(shot.per_second("tx_bytes") * 8.0),
        )?;
        for worker in &shot.workers {
            write!(f, " {:.0}%", worker.busy_share() * 100.0)?;
        }
        Ok(())
    }
}

impl Line<'_> {
    /// Drops by reason: the hosts' (SYNs refused in TIME-WAIT last), and the devices'.
    fn drops(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut drops = self.0.grown(DROPPED);
        drops.extend(self.0.grown(REFUSED));
        drops.extend(self.0.grown(REFUSED_ACKED));
        let sum = |of: fn(&crate::snapshot::PortSnapshot) -> u64| self.0.ports.iter().map(of).sum();
        drops.push(("port_rx", sum(|port| port.rx_dropped())));
        drops.push(("port_tx", sum(|port| port.tx_dropped())));
        drops.retain(|(_, n)| *n > 0);
        match drops.is_empty() {
            true => f.write_str("0"),
            false => list(f, drops.iter().map(|(why, n)| (*why, *n as f64))),
        }
    }
}

fn list<'a>(
    f: &mut fmt::Formatter<'_>,
    items: impl Iterator<Item = (&'a str, f64)>,
) -> fmt::Result {
    for (i, (name, value)) in items.enumerate() {
        let comma = if i > 0 { ", " } else { "" };
        write!(f, "{comma}{name} {}", Whole(value))?;
    }
    Ok(())
}

/// A number without its fraction.
struct Whole(f64);

impl fmt::Display for Whole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.0}", self.0)
    }
}

/// A number with three digits and the prefix of its unit, as in `1.93 G`.
struct Scaled(f64);

impl fmt::Display for Scaled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scaled = [(1e9, "G"), (1e6, "M"), (1e3, "k")];
        match scaled.iter().find(|(unit, _)| self.0 >= *unit) {
            None => write!(f, "{:.0} ", self.0),
            Some((unit, prefix)) => {
                let value = self.0 / unit;
                let digits = match value {
                    v if v < 10.0 => 2,
                    v if v < 100.0 => 1,
                    _ => 0,
                };
                write!(f, "{value:.digits$} {prefix}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::field::{Publish, fields};
    use crate::snapshot::tests::snapshot;

    struct App;
    impl Publish for App {}

    #[test]
    fn every_name_that_is_shown_is_published() {
        let fields = fields::<App>();
        for name in SHOWN {
            assert!(fields.iter().any(|f| f.name == name), "{name}");
        }
        for prefix in [RECYCLED, DROPPED, REFUSED] {
            assert!(
                fields.iter().any(|f| f.name.starts_with(prefix)),
                "{prefix}"
            );
        }
    }

    #[test]
    fn a_line() {
        let worker: &[_] = &[
            ("established", 0, 2_000_000),
            ("closed", 0, 1_000_000),
            ("live", 0, 128),
            ("time_wait", 0, 5),
            ("tw_recycled_sequence", 0, 8),
            ("tw_recycled_newer_timestamp", 7, 7),
            ("tw_syn_old_sequence", 1, 3),
            ("retransmitted_segments", 0, 3),
            ("drop_tcp_checksum", 0, 4),
            ("drop_arp", 0, 1),
            ("rx_frames", 0, 6_000_000),
            ("rx_bytes", 0, 400_000_000),
            ("tx_frames", 0, 1_998),
            ("tx_bytes", 0, 10),
            ("loop_ns", 0, 100),
            ("loop_busy_ns", 0, 42),
        ];
        let shot = snapshot(2, &[worker]);
        assert_eq!(
            shot.line().to_string(),
            "   4s  opened 1000000/s  closed 500000/s  live 128  time-wait 5  \
             recycled 4/s (sequence 4)  retransmitted 3  dropped tcp_checksum 4, arp 1, old_sequence 2  \
             rx 3.00 Mpps 1.60 Gbit/s  tx 999 pps 40 bit/s  busy 42%"
        );
    }

    #[test]
    fn an_idle_line() {
        let line = snapshot(1, &[&[], &[]]).line().to_string();
        assert!(
            line.contains("recycled 0/s  retransmitted 0  dropped 0  rx 0 pps"),
            "{line}"
        );
        assert!(line.ends_with("busy 0% 0%"), "{line}");
    }

    #[test]
    fn three_digits() {
        for (value, text) in [
            (0.0, "0 "),
            (12_345.0, "12.3 k"),
            (999_000.0, "999 k"),
            (2e12, "2000 G"),
        ] {
            assert_eq!(Scaled(value).to_string(), text);
        }
    }
}
