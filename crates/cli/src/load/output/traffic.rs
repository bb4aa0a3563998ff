//! What hosts, workers and devices count beside the generator itself.

use runtime::Snapshot;

/// Numbers since the start of the workers, or their growth in an interval.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Traffic {
    /// Frames received.
    pub rx_frames: u64,
    /// Octets of frames received.
    pub rx_bytes: u64,
    /// Frames sent.
    pub tx_frames: u64,
    /// Octets of frames sent.
    pub tx_bytes: u64,
    /// Segments sent again.
    pub retransmitted: u64,
    /// Four-tuples taken from our own TIME-WAIT for a new connection.
    pub reused: u64,
    /// SYNs that were answered by an acknowledgment of an earlier connection.
    pub challenged: u64,
    /// Frames that devices missed because their queues were full, or there was no buffer.
    pub imissed: u64,
    /// Frames that devices received with an error.
    pub ierrors: u64,
    /// Frames that devices could not send.
    pub oerrors: u64,
    /// Entries of our own TIME-WAIT that were evicted before their time.
    pub evicted: u64,
    /// Entries in TIME-WAIT: at the moment, not a difference.
    pub time_wait: u64,
    /// Nanoseconds of each worker in which there was something to do, and all of its nanoseconds.
    pub busy: Vec<(u64, u64)>,
}

impl Traffic {
    /// What `snapshot` says.
    #[must_use]
    pub fn of(snapshot: &Snapshot) -> Traffic {
        let total = |name| snapshot.total(name);
        let ports = snapshot.ports.iter().map(|port| &port.stats);
        let busy = snapshot.workers.iter().map(|worker| {
            let value = |name| worker.value(name).unwrap_or(0);
            (value("loop_busy_ns"), value("loop_ns"))
        });
        Traffic {
            rx_frames: total("rx_frames"),
            rx_bytes: total("rx_bytes"),
            tx_frames: total("tx_frames"),
            tx_bytes: total("tx_bytes"),
            retransmitted: total("retransmitted_segments"),
            reused: total("time_wait_local_reuse"),
            challenged: total("syns_challenged_by_peer"),
            imissed: ports.clone().map(|s| s.imissed + s.rx_nombuf).sum(),
            ierrors: ports.clone().map(|s| s.ierrors).sum(),
            oerrors: ports.map(|s| s.oerrors).sum(),
            evicted: total("time_wait_evicted"),
            time_wait: total("time_wait"),
            busy: busy.collect(),
        }
    }

    /// What came since `earlier`.
    #[must_use]
    pub fn since(&self, earlier: &Traffic) -> Traffic {
        let busy = self.busy.iter().enumerate().map(|(at, now)| {
            let before = earlier.busy.get(at).copied().unwrap_or_default();
            (
                now.0.saturating_sub(before.0),
                now.1.saturating_sub(before.1),
            )
        });
        Traffic {
            rx_frames: self.rx_frames.saturating_sub(earlier.rx_frames),
            rx_bytes: self.rx_bytes.saturating_sub(earlier.rx_bytes),
            tx_frames: self.tx_frames.saturating_sub(earlier.tx_frames),
            tx_bytes: self.tx_bytes.saturating_sub(earlier.tx_bytes),
            retransmitted: self.retransmitted.saturating_sub(earlier.retransmitted),
            reused: self.reused.saturating_sub(earlier.reused),
            challenged: self.challenged.saturating_sub(earlier.challenged),
            imissed: self.imissed.saturating_sub(earlier.imissed),
            ierrors: self.ierrors.saturating_sub(earlier.ierrors),
            oerrors: self.oerrors.saturating_sub(earlier.oerrors),
            evicted: self.evicted.saturating_sub(earlier.evicted),
            time_wait: self.time_wait,
            busy: busy.collect(),
        }
    }

    /// The share of each worker's time, 0 to 1, in which there was something to do.
    pub fn busy_shares(&self) -> impl Iterator<Item = f64> {
        let share = |&(busy, all): &(u64, u64)| match all {
            0 => 0.0,
            all => (busy as f64 / all as f64).min(1.0),
        };
        self.busy.iter().map(share)
    }
}
