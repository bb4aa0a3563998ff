use proptest::prelude::*;
use wire::tcp::Timestamps;

use super::*;
use crate::time_wait::rules::SynRefusal;
use crate::time_wait::verdict::Recycle;
use AckReason as A;
use DropReason as D;
use KillReason as K;
use Recycle as R;

mod other_states;
mod segments;
mod syn;
mod vectors;

const RN: u32 = 301;
const SN: u32 = 101;
const W: u32 = 800;
const TSR: u32 = 1000;
const HALF: u32 = 1 << 31;

fn known(ts_recent: Option<u32>) -> Known {
    Known {
        entry: Entry {
            rcv_nxt: Seq(RN),
            snd_nxt: Seq(SN),
            ts_recent,
            ..Entry::default()
        },
        window: W,
        would_use_timestamps: true,
        age: Duration::from_secs(1),
        ts_recent_age: Duration::ZERO,
    }
}

#[derive(Clone, Copy)]
struct Seg {
    seq: u32,
    ack: u32,
    flags: Flags,
    val: Option<u32>,
    len: u32,
}

impl Seg {
    fn header(&self) -> Header {
        let mut header = Header {
            seq: Seq(self.seq),
            ack: Seq(self.ack),
            flags: self.flags,
            ..Header::default()
        };
        header.options.timestamps = self.val.map(|val| Timestamps { val, ecr: 0 });
        header
    }
}

fn syn(seq: u32, val: Option<u32>) -> Seg {
    Seg {
        seq,
        ack: 0,
        flags: Flags::SYN,
        val,
        len: 0,
    }
}

fn rst(seq: u32) -> Seg {
    Seg {
        flags: Flags::RST,
        ..syn(seq, None)
    }
}

fn ack(seq: u32, ack: u32, len: u32) -> Seg {
    Seg {
        seq,
        ack,
        flags: Flags::ACK,
        val: Some(TSR),
        len,
    }
}

fn fin(seq: u32, len: u32) -> Seg {
    Seg {
        flags: Flags::FIN | Flags::ACK,
        ..ack(seq, SN, len)
    }
}

fn by(rules: &Rules, known: &Known, seg: Seg) -> Decision {
    let header = seg.header();
    let arrived = Arrived {
        header: &header,
        text_len: seg.len,
    };
    decide(rules, known, &arrived)
}

fn decision(known: &Known, seg: Seg) -> Decision {
    by(&Rules::SAFE, known, seg)
}

fn verdict(known: &Known, seg: Seg) -> Verdict {
    let decision = decision(known, seg);
    assert!(!decision.restart && decision.ts_recent.is_none());
    decision.verdict
}

/// Verdict and restart under a policy with its native switches.
fn under(policy: Policy, known: &Known, seg: Seg) -> (Verdict, bool) {
    let decision = by(&Rules::of(policy), known, seg);
    (decision.verdict, decision.restart)
}

const fn acc(reason: Recycle) -> Verdict {
    Verdict::Recycle(reason)
}
const fn drop(reason: DropReason) -> Verdict {
    Verdict::Drop(reason)
}
const fn answer(reason: AckReason) -> Verdict {
    Verdict::Ack(reason)
}

proptest! {
    /// Whatever arrives: an answer never answers its like (no acknowledgment loop between two ends
    /// in TIME-WAIT), nothing but a whole FIN restarts, TS.Recent only grows.
    #[test]
    fn whatever_arrives(
        rcv_nxt: u32, snd_nxt: u32, ts_recent: Option<u32>, window in 0..1u32 << 30,
        near in -3i32..3, far: u32, is_near: bool, ack_near in -2i32..2, bits: u8,
        val: Option<u32>, len in 0u32..3000, would_use_timestamps: bool,
    ) {
        let known = Known {
            entry: Entry { rcv_nxt: Seq(rcv_nxt), snd_nxt: Seq(snd_nxt), ts_recent, ..Entry::default() },
            window,
            would_use_timestamps,
            age: Duration::ZERO,
            ts_recent_age: Duration::ZERO,
        };
        let seq = if is_near { rcv_nxt.wrapping_add_signed(near) } else { far };
        let seg = Seg { seq, ack: snd_nxt.wrapping_add_signed(ack_near), flags: Flags::from_bits(bits), val, len };
        let d = decision(&known, seg);
        prop_assert_eq!(d.restart, d.verdict == answer(A::RetransmittedFin));
        if d.restart {
            prop_assert!(seg.flags.contains(Flags::FIN) && seq.wrapping_add(len + 1) == rcv_nxt);
        }
        if let Some(new) = d.ts_recent {
            prop_assert!(new.wrapping_sub(ts_recent.unwrap()) as i32 > 0);
        }
        if seg.flags.contains(Flags::RST) {
            prop_assert!(matches!(d.verdict, Verdict::Drop(_)));
        }
        if let Verdict::Ack(_) = d.verdict {
            // What we send, as the other end in TIME-WAIT sees it: it expects just that.
            let there = Known {
                entry: Entry { rcv_nxt: Seq(snd_nxt), snd_nxt: Seq(rcv_nxt), ..Entry::default() },
                ..known
            };
            let reply = Seg { seq: snd_nxt, ack: rcv_nxt, flags: Flags::ACK, val: None, len: 0 };
            prop_assert_eq!(verdict(&there, reply), drop(D::ExpectedAck));
        }
    }
}
