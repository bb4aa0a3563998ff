//! What one core's connections have met, counted.

macro_rules! counters {
    ($($(#[doc = $help:literal])+ $name:ident,)+) => {
        /// Event counts of all connections of one core since start. Only that core writes them.
        #[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
        pub struct Counters {
            $($(#[doc = $help])+ pub $name: u64,)+
        }

        impl Counters {
            /// Calls `f` with each counter's name, meaning and value, in declaration order.
            pub fn for_each(&self, mut f: impl FnMut(&'static str, &'static str, u64)) {
                $(f(stringify!($name), concat!($($help),+).trim_ascii(), self.$name);)+
            }

            /// Adds `other` to each counter.
            pub fn add(&mut self, other: &Counters) {
                $(self.$name = self.$name.wrapping_add(other.$name);)+
            }
        }
    };
}

counters! {
    /// Connections that reached ESTABLISHED from our OPEN.
    established_active,
    /// Connections that reached ESTABLISHED from the peer's SYN.
    established_passive,
    /// Segments retransmitted, for any reason.
    retransmitted_segments,
    /// Retransmission timeouts.
    retransmission_timeouts,
    /// Entries into fast recovery after three duplicate acknowledgments.
    fast_retransmits,
    /// Partial acknowledgments during fast recovery.
    partial_acks,
    /// Entries into fast recovery by what the peer told by SACK.
    sack_recoveries,
    /// Segments retransmitted because SACK showed them missing.
    sack_retransmissions,
    /// Rescue retransmissions: the end of what was sent, of which SACK can tell nothing.
    sack_rescues,
    /// Blocks of SACK that told of what is acknowledged, duplicates that is, or was never sent.
    sack_blocks_ignored,
    /// What SACK told was not noted, because send memory is exhausted.
    sack_no_memory,
    /// Duplicate acknowledgments received.
    duplicate_acks,
    /// Round-trip times measured with our clock.
    rtt_samples,
    /// Round-trip times measured from an echoed timestamp.
    rtt_samples_echoed,
    /// Segments held out of order.
    out_of_order_segments,
    /// Out-of-order segments dropped because the connection has too many gaps.
    out_of_order_dropped_ranges,
    /// Out-of-order segments dropped because receive memory is short.
    out_of_order_dropped_memory,
    /// In-order segments not taken in full because receive memory is exhausted.
    text_dropped_memory,
    /// Windows closed because of that: the peer waits, and probes, until there is memory again.
    windows_closed_memory,
    /// Segments beyond the receive window, wholly or in part.
    text_beyond_window,
    /// Segments that failed the sequence number test.
    unacceptable_segments,
    /// Segments dropped by PAWS.
    paws_rejected,
    /// Segments dropped because they lack the negotiated timestamps option.
    timestamps_missing,
    /// Acknowledgments of what was not sent, or too old (RFC 5961 section 5).
    unacceptable_acks,
    /// Those of them that answered our SYN: the peer remembers an earlier connection, in TIME-WAIT or half open.
    syns_challenged_by_peer,
    /// Segments that the limit allowed a challenge ACK; those of one burst share one.
    challenge_acks,
    /// Challenge ACKs suppressed by the limit.
    challenge_acks_suppressed,
    /// RST segments that ended a connection.
    resets_accepted,
    /// RST segments in the window but not at RCV.NXT.
    resets_challenged,
    /// RST segments outside of the window, or in SYN-SENT without an acceptable acknowledgment.
    resets_ignored,
    /// RST segments sent by connections.
    resets_sent,
    /// SYN segments in synchronized states.
    syns_challenged,
    /// Segments that carry nothing but an acknowledgment sent.
    pure_acks_sent,
    /// Delayed-acknowledgment timeouts.
    delayed_ack_timeouts,
    /// Zero-window probes sent.
    window_probes_sent,
    /// Keep-alive probes sent.
    keepalive_probes_sent,
    /// Connections given up after all retransmissions of SYN or SYN-ACK.
    open_timeouts,
    /// Connections given up after all retransmissions of data, FIN or probes.
    retransmissions_exhausted,
    /// Connections given up by the user timeout.
    user_timeouts,
    /// Connections given up because keep-alive probes were not answered.
    keepalive_timeouts,
    /// Connections given up in FIN-WAIT-2.
    fin_wait2_timeouts,
    /// Connections reset because data came that nobody would read.
    data_after_close,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn for_each_names_and_reads_each_counter() {
        let mut c = Counters {
            paws_rejected: 7,
            ..Counters::default()
        };
        let other = c;
        c.add(&other);
        let mut seen = Vec::new();
        c.for_each(|name, help, value| seen.push((name, help, value)));
        assert!(seen.contains(&("paws_rejected", "Segments dropped by PAWS.", 14)));
        assert_eq!(seen.len() * 8, size_of::<Counters>());
        assert_eq!(seen.iter().map(|s| s.2).sum::<u64>(), 14);
    }
}
