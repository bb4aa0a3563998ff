//! Segments for a listener: the LISTEN state (RFC 9293 3.10.7.2).

use wire::tcp::{Flags, Header};

use crate::{Segment, closed};

/// Why a segment for a listener is ignored.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Ignored {
    /// A RST: there is nothing to reset.
    Reset,
    /// SYN and FIN together: no TCP opens like this; a scanner does.
    SynFin,
    /// Neither RST nor ACK nor SYN.
    NoControl,
}

/// What to do about a segment for a listener.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Listen {
    /// Nothing.
    Ignore(Ignored),
    /// Send this RST; its ports are those of the segment swapped.
    Reset(Header),
    /// A connection request: [`crate::Connection::accept`] it.
    Open,
}

/// RFC 9293 3.10.7.2, in the order of its steps.
#[must_use]
pub fn on_segment(seg: &Segment<'_>) -> Listen {
    let flags = seg.header.flags;
    //= RFC 9293 3.10.7.2
    //# An incoming RST segment could not be valid since it could not have been sent in response to
    //# anything sent by this incarnation of the connection.
    if flags.contains(Flags::RST) {
        return Listen::Ignore(Ignored::Reset);
    }
    //= RFC 9293 3.10.7.2
    //# Any acknowledgment is bad if it arrives on a connection still in the LISTEN state.
    if flags.contains(Flags::ACK) {
        return Listen::Reset(closed::reset_for(seg));
    }
    if flags.contains(Flags::SYN | Flags::FIN) {
        return Listen::Ignore(Ignored::SynFin);
    }
    //= RFC 9293 3.10.7.2
    //# Third, check for a SYN
    if flags.contains(Flags::SYN) {
        return Listen::Open;
    }
    Listen::Ignore(Ignored::NoControl)
}

#[cfg(test)]
mod tests {
    use wire::Seq;

    use super::*;

    fn listen(flags: Flags) -> Listen {
        let header = Header {
            seq: Seq(5),
            ack: Seq(77),
            flags,
            ..Header::default()
        };
        on_segment(&Segment {
            header: &header,
            payload: b"",
            sack: b"",
        })
    }

    #[test]
    fn each_step() {
        assert_eq!(listen(Flags::SYN), Listen::Open);
        assert_eq!(listen(Flags::SYN | Flags::ECE | Flags::CWR), Listen::Open);
        for (flags, why) in [
            (Flags::RST, Ignored::Reset),
            (Flags::RST | Flags::ACK | Flags::SYN, Ignored::Reset),
            (Flags::SYN | Flags::FIN, Ignored::SynFin),
            (Flags::FIN, Ignored::NoControl),
            (Flags::EMPTY, Ignored::NoControl),
        ] {
            assert_eq!(listen(flags), Listen::Ignore(why));
        }
        for flags in [Flags::ACK, Flags::ACK | Flags::SYN, Flags::ACK | Flags::FIN] {
            match listen(flags) {
                Listen::Reset(r) => assert_eq!((r.seq, r.flags), (Seq(77), Flags::RST)),
                other => panic!("{other:?}"),
            }
        }
    }
}
