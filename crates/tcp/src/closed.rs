//! Segments for which there is no connection: the CLOSED state (RFC 9293 3.10.7.1).

use wire::Seq;
use wire::tcp::{Flags, Header, Options};

use crate::Segment;

/// The RST to answer with, if any, its ports those of the segment swapped.
#[must_use]
pub fn on_segment(seg: &Segment<'_>) -> Option<Header> {
    //= RFC 9293 3.10.7.1
    //# An incoming segment containing a RST is discarded.
    if seg.header.flags.contains(Flags::RST) {
        return None;
    }
    Some(reset_for(seg))
}

/// The RST for `seg`, which is none itself (RFC 9293 3.5.2 and 3.10.7.1).
pub(crate) fn reset_for(seg: &Segment<'_>) -> Header {
    let h = seg.header;
    let (seq, ack, flags) = if h.flags.contains(Flags::ACK) {
        //= RFC 9293 3.10.7.1
        //# If the ACK bit is on, <SEQ=SEG.ACK><CTL=RST>
        (h.ack, Seq(0), Flags::RST)
    } else {
        //= RFC 9293 3.10.7.1
        //# If the ACK bit is off, sequence number zero is used,
        //# <SEQ=0><ACK=SEG.SEQ+SEG.LEN><CTL=RST,ACK>
        (Seq(0), h.seq + seg.len(), Flags::RST | Flags::ACK)
    };
    Header {
        src_port: h.dst_port,
        dst_port: h.src_port,
        seq,
        ack,
        flags,
        window: 0,
        urgent: 0,
        options: Options::NONE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(flags: Flags) -> Header {
        Header {
            src_port: 1000,
            dst_port: 80,
            seq: Seq(500),
            ack: Seq(900),
            flags,
            ..Header::default()
        }
    }

    fn answer(flags: Flags, payload: &[u8]) -> Option<Header> {
        on_segment(&Segment {
            header: &header(flags),
            payload,
            sack: b"",
        })
    }

    #[test]
    fn a_rst_is_discarded() {
        assert_eq!(answer(Flags::RST, b""), None);
        assert_eq!(answer(Flags::RST | Flags::ACK, b""), None);
    }

    #[test]
    fn with_ack_the_reset_takes_its_number() {
        let r = answer(Flags::ACK | Flags::FIN, b"x").unwrap();
        assert_eq!((r.seq, r.flags), (Seq(900), Flags::RST));
        assert_eq!((r.src_port, r.dst_port), (80, 1000));
    }

    #[test]
    fn without_ack_the_reset_acknowledges_everything() {
        let r = answer(Flags::SYN | Flags::FIN, b"abc").unwrap();
        assert_eq!(
            (r.seq, r.ack, r.flags),
            (Seq(0), Seq(505), Flags::RST | Flags::ACK)
        );
        assert_eq!(answer(Flags::EMPTY, b"").unwrap().ack, Seq(500));
    }
}
