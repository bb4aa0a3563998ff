//! What may meet an entry in TIME-WAIT, and what must come of it under RFC 6191's rule for SYNs and
//! RFC 1337's first fix for RSTs.
//!
//! Numbers are relative to the entry: `seq` to RCV.NXT, `ack` to SND.NXT, timestamps to TS.Recent.

use wire::tcp::Flags;

/// What the server must do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Expect {
    /// Nothing is sent; the entry stays.
    Silence,
    /// <SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>, once; the entry stays.
    Ack,
    /// A new connection, its ISS at or beyond SND.NXT.
    Accept,
}

/// Where SEG.SEQ is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum At {
    /// So far from RCV.NXT.
    RcvNxt(i64),
    /// So far from RCV.NXT + RCV.WND.
    WindowEnd(i64),
}

/// TSval.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Ts {
    /// No timestamps option.
    None,
    /// So far from TS.Recent (from 1 where the old connection had none).
    Recent(i32),
}

/// A segment to be forged.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Forged {
    /// The control bits.
    pub(crate) flags: Flags,
    /// SEG.SEQ.
    pub(crate) seq: At,
    /// SEG.ACK, from SND.NXT.
    pub(crate) ack: i64,
    /// Bytes of text.
    pub(crate) text: usize,
    /// TSval.
    pub(crate) ts: Ts,
}

/// One row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Vector {
    /// Its name in the report.
    pub(crate) name: &'static str,
    /// Whether the old connection used timestamps.
    pub(crate) timestamps: bool,
    /// A segment that comes first and is met with silence.
    pub(crate) before: Option<Forged>,
    /// The segment.
    pub(crate) segment: Forged,
    /// What comes of it.
    pub(crate) expect: Expect,
}

use At::{RcvNxt, WindowEnd};
use Expect::{Accept, Ack, Silence};
use Ts::Recent;

/// Half of the sequence space.
const HALF: i64 = 1 << 31;
const FIN_ACK: Flags = Flags::FIN.union(Flags::ACK);
const SYN_ACK: Flags = Flags::SYN.union(Flags::ACK);

/// A row for a connection that used timestamps.
const fn with_ts(name: &'static str, segment: Forged, expect: Expect) -> Vector {
    Vector {
        name,
        timestamps: true,
        before: None,
        segment,
        expect,
    }
}

/// A row for a connection that did not.
const fn without_ts(name: &'static str, segment: Forged, expect: Expect) -> Vector {
    Vector {
        name,
        timestamps: false,
        before: None,
        segment,
        expect,
    }
}

const fn syn(seq: i64, ts: Ts) -> Forged {
    Forged {
        flags: Flags::SYN,
        seq: RcvNxt(seq),
        ack: 0,
        text: 0,
        ts,
    }
}

const fn rst(seq: At) -> Forged {
    Forged {
        flags: Flags::RST,
        seq,
        ack: 0,
        text: 0,
        ts: Ts::None,
    }
}

const fn seg(flags: Flags, seq: At, text: usize) -> Forged {
    Forged {
        flags,
        seq,
        ack: 0,
        text,
        ts: Recent(0),
    }
}

const fn ack(seq: i64, ack: i64, ts: Ts) -> Forged {
    Forged {
        flags: Flags::ACK,
        seq: RcvNxt(seq),
        ack,
        text: 0,
        ts,
    }
}

/// Every row.
pub(crate) const VECTORS: &[Vector] = &[
    // RFC 6191 2, TIME-WAIT of a connection with timestamps.
    with_ts(
        "syn_above_without_timestamp_opens",
        syn(1, Ts::None),
        Accept,
    ),
    with_ts("syn_above_newer_opens", syn(1, Recent(1)), Accept),
    with_ts("syn_above_equal_opens", syn(1, Recent(0)), Accept),
    with_ts("syn_above_older_is_dropped", syn(1, Recent(-1)), Silence),
    with_ts(
        "syn_at_rcv_nxt_without_timestamp_opens",
        syn(0, Ts::None),
        Accept,
    ),
    with_ts("syn_at_rcv_nxt_newer_opens", syn(0, Recent(1)), Accept),
    with_ts("syn_at_rcv_nxt_equal_opens", syn(0, Recent(0)), Accept),
    with_ts(
        "syn_at_rcv_nxt_older_is_dropped",
        syn(0, Recent(-1)),
        Silence,
    ),
    with_ts(
        "syn_below_without_timestamp_is_dropped",
        syn(-1, Ts::None),
        Silence,
    ),
    with_ts("syn_below_newer_opens", syn(-296, Recent(1)), Accept),
    with_ts("syn_below_equal_is_dropped", syn(-296, Recent(0)), Silence),
    with_ts("syn_below_older_is_dropped", syn(-296, Recent(-1)), Silence),
    // RFC 6191 would have it open; the recycling bound refuses to move that far at once.
    with_ts(
        "syn_half_the_space_ahead_less_one_is_dropped",
        syn(HALF - 1, Ts::None),
        Silence,
    ),
    with_ts(
        "syn_half_the_space_ahead_is_dropped",
        syn(HALF, Ts::None),
        Silence,
    ),
    // RFC 6191 2, TIME-WAIT of a connection without timestamps.
    without_ts("no_ts_syn_above_opens", syn(1, Ts::None), Accept),
    without_ts(
        "no_ts_syn_above_with_timestamp_opens",
        syn(1, Recent(7)),
        Accept,
    ),
    without_ts("no_ts_syn_at_rcv_nxt_opens", syn(0, Ts::None), Accept),
    without_ts(
        "no_ts_syn_at_rcv_nxt_with_timestamp_opens",
        syn(0, Recent(7)),
        Accept,
    ),
    without_ts("no_ts_syn_below_is_dropped", syn(-296, Ts::None), Silence),
    without_ts(
        "no_ts_syn_below_with_timestamp_opens",
        syn(-296, Recent(7)),
        Accept,
    ),
    // RFC 1337 3, fix F1: no RST ends TIME-WAIT.
    with_ts("rst_at_rcv_nxt_is_ignored", rst(RcvNxt(0)), Silence),
    with_ts("rst_in_window_is_ignored", rst(RcvNxt(1)), Silence),
    with_ts("rst_at_window_end_is_ignored", rst(WindowEnd(-1)), Silence),
    with_ts("rst_beyond_window_is_ignored", rst(WindowEnd(0)), Silence),
    with_ts("rst_below_is_ignored", rst(RcvNxt(-1)), Silence),
    without_ts("no_ts_rst_at_rcv_nxt_is_ignored", rst(RcvNxt(0)), Silence),
    with_ts(
        "rst_ack_is_ignored",
        seg(Flags::RST.union(Flags::ACK), RcvNxt(0), 0),
        Silence,
    ),
    // RFC 9293 3.10.7.4, and 3.5.2 group 3 for what is not acceptable.
    with_ts("fin_again_is_acked", seg(FIN_ACK, RcvNxt(-1), 0), Ack),
    with_ts(
        "data_and_fin_again_are_acked",
        seg(FIN_ACK, RcvNxt(-11), 10),
        Ack,
    ),
    without_ts("no_ts_fin_again_is_acked", seg(FIN_ACK, RcvNxt(-1), 0), Ack),
    with_ts("old_ack_is_acked", ack(-46, -68, Recent(0)), Ack),
    with_ts("old_data_is_acked", seg(Flags::ACK, RcvNxt(-46), 10), Ack),
    without_ts(
        "no_ts_old_data_is_acked",
        seg(Flags::ACK, RcvNxt(-46), 10),
        Ack,
    ),
    with_ts(
        "old_urgent_data_is_acked",
        seg(Flags::ACK.union(Flags::URG), RcvNxt(-46), 10),
        Ack,
    ),
    with_ts("keep_alive_probe_is_acked", ack(-1, 0, Recent(0)), Ack),
    with_ts("expected_ack_is_silent", ack(0, 0, Recent(1)), Silence),
    with_ts(
        "ack_of_what_was_not_sent_is_acked",
        ack(0, 1, Recent(0)),
        Ack,
    ),
    with_ts("ack_of_less_is_silent", ack(0, -1, Recent(0)), Silence),
    with_ts(
        "data_beyond_the_fin_is_acked",
        seg(Flags::ACK, RcvNxt(0), 10),
        Ack,
    ),
    with_ts(
        "fin_beyond_the_fin_is_acked",
        seg(FIN_ACK, RcvNxt(0), 0),
        Ack,
    ),
    with_ts(
        "beyond_the_window_is_acked",
        seg(Flags::ACK, WindowEnd(0), 10),
        Ack,
    ),
    with_ts("syn_ack_is_acked", seg(SYN_ACK, RcvNxt(0), 0), Ack),
    with_ts(
        "syn_fin_is_dropped",
        seg(Flags::SYN.union(Flags::FIN), RcvNxt(1), 0),
        Silence,
    ),
    with_ts(
        "no_control_bit_is_dropped",
        seg(Flags::EMPTY, RcvNxt(0), 10),
        Silence,
    ),
    // RFC 7323 5.3 R1 and 3.2.
    with_ts("paws_failure_is_acked", ack(0, 0, Recent(-1)), Ack),
    with_ts(
        "without_timestamp_is_dropped",
        Forged {
            ts: Ts::None,
            ..seg(Flags::ACK, RcvNxt(-46), 10)
        },
        Silence,
    ),
    // RFC 7323 5.3 R3: the expected ACK moved TS.Recent, so what was newer is equal now.
    Vector {
        name: "expected_ack_moves_ts_recent",
        timestamps: true,
        before: Some(ack(0, 0, Recent(5))),
        segment: syn(-296, Recent(5)),
        expect: Silence,
    },
    Vector {
        name: "expected_ack_moves_ts_recent_no_further",
        timestamps: true,
        before: Some(ack(0, 0, Recent(5))),
        segment: syn(-296, Recent(6)),
        expect: Accept,
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_plain() {
        let mut names: Vec<_> = VECTORS.iter().map(|v| v.name).collect();
        let plain = |name: &str| {
            name.bytes()
                .all(|b| b.is_ascii_lowercase() || b"_".contains(&b))
        };
        assert!(names.iter().all(|name| plain(name)));
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), VECTORS.len());
    }

    #[test]
    fn only_a_syn_may_open() {
        for v in VECTORS {
            assert!(
                v.expect != Accept || v.segment.flags == Flags::SYN,
                "{}",
                v.name
            );
        }
    }
}
