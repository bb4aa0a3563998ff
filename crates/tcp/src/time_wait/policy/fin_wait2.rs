//! A connection in FIN-WAIT-2 whose user has closed it, in the same compact form: all that is left
//! to happen is the peer's FIN.

use wire::tcp::Flags;

use super::{Age, Arrived, Decision, Known, ResetReason, Verdict, age, plain};
use crate::time_wait::verdict::{AckReason, DropReason, KillReason};

pub(super) fn decide(known: &Known, segment: &Arrived<'_>) -> Decision {
    let entry = &known.entry;
    let header = segment.header;
    let rcv_nxt = entry.rcv_nxt;
    if segment.has(Flags::RST) {
        //= RFC 5961 3.2
        //# If the RST bit is set and the sequence number exactly matches the next expected sequence
        //# number (RCV.NXT), then TCP MUST reset the connection.
        return plain(if header.seq == rcv_nxt {
            Verdict::Kill(KillReason::FinWait2Reset)
        } else if header.seq.in_window(rcv_nxt, known.window) {
            Verdict::Ack(AckReason::RstInWindow)
        } else {
            Verdict::Drop(DropReason::RstOutOfWindow)
        });
    }
    let mut newer = None;
    if let Some(ts_recent) = entry.ts_recent {
        let Some(timestamps) = header.options.timestamps else {
            return plain(Verdict::Drop(DropReason::NoTimestamp));
        };
        if age(timestamps.val, ts_recent) == Age::Older {
            return plain(Verdict::Ack(AckReason::PawsRejected));
        }
        newer = (timestamps.val != ts_recent).then_some(timestamps.val);
    }
    if segment.has(Flags::SYN) {
        //= RFC 5961 4.2
        //# If the SYN bit is set, irrespective of the sequence number, TCP MUST send an ACK (also
        //# referred to as challenge ACK) to the remote peer
        return plain(Verdict::Ack(AckReason::SynInFinWait2));
    }
    if !segment.has(Flags::ACK) {
        return plain(Verdict::Drop(DropReason::NoAck));
    }
    let end = segment.end();
    let old = end.lt(rcv_nxt) || (end == rcv_nxt && !segment.is_empty());
    if old || !(header.seq.le(rcv_nxt) || header.seq.in_window(rcv_nxt, known.window)) {
        return plain(Verdict::Ack(if !old {
            AckReason::BeyondWindow
        } else if segment.text_len > 0 {
            AckReason::OldText
        } else {
            AckReason::OldDuplicate
        }));
    }
    if header.ack.gt(entry.snd_nxt) {
        return plain(Verdict::Ack(AckReason::AcksUnsent));
    }
    if segment.is_empty() {
        return Decision {
            verdict: Verdict::Drop(DropReason::ExpectedAck),
            restart: false,
            ts_recent: newer.filter(|_| header.seq == rcv_nxt && header.ack == entry.snd_nxt),
        };
    }
    let fin = u32::from(segment.has(Flags::FIN));
    if end - fin != rcv_nxt {
        // Our FIN is acknowledged. Who would end the connection must know that, lest one who guesses
        // does (RFC 5961 5.2 at its narrowest). What was overtaken comes again with the right number.
        if header.ack != entry.snd_nxt {
            return plain(Verdict::Ack(AckReason::OldDuplicate));
        }
        //= RFC 9293 3.6.1
        //# if new data is received after CLOSE is called, its TCP implementation SHOULD send a RST to
        //# show that data was lost (SHLD-3).
        return Decision {
            verdict: Verdict::Reset(ResetReason::TextAfterClose),
            restart: false,
            ts_recent: newer,
        };
    }
    //= RFC 9293 3.10.7.4
    //# Enter the TIME-WAIT state. Start the time-wait timer, turn off the other timers.
    Decision {
        verdict: Verdict::Ack(AckReason::FirstFin),
        restart: true,
        ts_recent: newer,
    }
}
