//! RFC 9293 3.10.7, step by step, as it is written, with the mitigations of RFC 5961. It says what
//! a segment does; it is not made from the code under test, and keeps no queues.
//!
//! Where the texts leave a choice or contradict themselves, [`Choice`] names what this
//! implementation takes, and nothing else deviates.

use crate::packet::{ACK, FIN, RST, SYN, Seg};

#[derive(Clone, Copy, PartialEq, Eq, Debug, PartialOrd, Ord)]
pub(crate) enum State {
    Closed,
    Listen,
    SynSent,
    SynReceived,
    Established,
    FinWait1,
    FinWait2,
    CloseWait,
    Closing,
    LastAck,
    TimeWait,
}

/// What is taken where the texts leave a choice.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Choice {
    /// LISTEN drops SYN with FIN: the text would queue the FIN, and no TCP sends it.
    SynFinIsNoSyn,
    /// SYN-RECEIVED answers its SYN, when it comes again, with the SYN-ACK again: the peer did not
    /// get it, and the first step's bare ACK would not open the connection.
    SynAckAgain,
    /// An old segment that ends at RCV.NXT is dealt with in TIME-WAIT as RFC 6191, RFC 1337 and the
    /// fifth step mean it, not as the first step says.
    TimeWait,
    /// Text that covers more than the window, both ends of it outside, is trimmed to the window: the
    /// two tests of table 6 look at the first and the last number only.
    CoversTheWindow,
    /// A FIN at RCV.NXT is taken though the window is closed: it needs no room (and RFC 9293 3.8.6 wants
    /// the receiver to process what it can).
    FinAtZeroWindow,
}

/// The variables of a connection (RFC 9293 3.3.1).
#[derive(Clone, Debug)]
pub(crate) struct Tcb {
    pub(crate) state: State,
    pub(crate) passive: bool,
    pub(crate) iss: u32,
    pub(crate) snd_una: u32,
    pub(crate) snd_nxt: u32,
    pub(crate) max_snd_wnd: u32,
    pub(crate) irs: u32,
    pub(crate) rcv_nxt: u32,
    pub(crate) rcv_wnd: u32,
    /// SND.NXT is beyond our FIN.
    pub(crate) fin_sent: bool,
    /// Nobody reads: the user has called CLOSE.
    pub(crate) orphan: bool,
}

/// What goes out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Reply {
    /// `<SEQ><ACK><CTL=ACK>`.
    Ack { seq: u32, ack: u32 },
    /// `<SEQ><CTL=RST>`.
    Rst { seq: u32 },
    /// `<SEQ><ACK><CTL=RST,ACK>`.
    RstAck { seq: u32, ack: u32 },
    /// `<SEQ><ACK><CTL=SYN,ACK>`; in LISTEN the number is the implementation's to choose.
    SynAck { seq: Option<u32>, ack: u32 },
}

/// What became of a segment.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) reply: Option<Reply>,
    /// Text delivered to the user: a part of the segment's.
    pub(crate) text: std::ops::Range<usize>,
    /// The choice that was met.
    pub(crate) choice: Option<Choice>,
    /// The connection is gone, or back in LISTEN.
    pub(crate) gone: bool,
}

fn lt(a: u32, b: u32) -> bool {
    (a.wrapping_sub(b) as i32) < 0
}

fn le(a: u32, b: u32) -> bool {
    a == b || lt(a, b)
}

fn reply(reply: Reply) -> Outcome {
    Outcome {
        reply: Some(reply),
        ..Outcome::default()
    }
}

fn nothing() -> Outcome {
    Outcome::default()
}

fn gone() -> Outcome {
    Outcome {
        gone: true,
        ..Outcome::default()
    }
}

pub(crate) fn seg_len(seg: &Seg) -> u32 {
    seg.text.len() as u32 + u32::from(seg.flags & SYN != 0) + u32::from(seg.flags & FIN != 0)
}

impl Tcb {
    fn has(seg: &Seg, flag: u8) -> bool {
        seg.flags & flag != 0
    }

    /// `<SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>`
    fn ack(&self) -> Outcome {
        reply(Reply::Ack {
            seq: self.snd_nxt,
            ack: self.rcv_nxt,
        })
    }

    pub(crate) fn segment_arrives(&mut self, seg: &Seg) -> Outcome {
        match self.state {
            State::Closed => closed(seg),
            State::Listen => self.listen(seg),
            State::SynSent => self.syn_sent(seg),
            State::TimeWait => self.time_wait(seg),
            _ => self.otherwise(seg),
        }
    }

    /// 3.10.7.2
    fn listen(&mut self, seg: &Seg) -> Outcome {
        // "First, check for a RST: [...] An incoming RST should be ignored."
        if Tcb::has(seg, RST) {
            return nothing();
        }
        // "Second, check for an ACK: [...] <SEQ=SEG.ACK><CTL=RST>"
        if Tcb::has(seg, ACK) {
            return reply(Reply::Rst { seq: seg.ack });
        }
        if Tcb::has(seg, SYN) && Tcb::has(seg, FIN) {
            return Outcome {
                choice: Some(Choice::SynFinIsNoSyn),
                ..nothing()
            };
        }
        // "Third, check for a SYN: [...] <SEQ=ISS><ACK=RCV.NXT><CTL=SYN,ACK>"
        if Tcb::has(seg, SYN) {
            self.state = State::SynReceived;
            return reply(Reply::SynAck {
                seq: None,
                ack: seg.seq.wrapping_add(1),
            });
        }
        // "Fourth, other data or control: [...] Drop the segment and return."
        nothing()
    }

    /// 3.10.7.3
    fn syn_sent(&mut self, seg: &Seg) -> Outcome {
        let mut acceptable = false;
        // "First, check the ACK bit: [...] If SEG.ACK =< ISS or SEG.ACK > SND.NXT, send a reset
        // (unless the RST bit is set, if so drop the segment and return)"
        if Tcb::has(seg, ACK) {
            if le(seg.ack, self.iss) || lt(self.snd_nxt, seg.ack) {
                if Tcb::has(seg, RST) {
                    return nothing();
                }
                return reply(Reply::Rst { seq: seg.ack });
            }
            acceptable = true;
        }
        // "Second, check the RST bit: [...] If the ACK was acceptable, then signal to the user
        // "error: connection reset", drop the segment, enter CLOSED state, delete TCB, and return.
        // Otherwise (no ACK), drop the segment and return."
        if Tcb::has(seg, RST) {
            if acceptable {
                self.state = State::Closed;
                return gone();
            }
            return nothing();
        }
        // "Fourth, check the SYN bit"
        if Tcb::has(seg, SYN) {
            self.irs = seg.seq;
            self.rcv_nxt = seg.seq.wrapping_add(1);
            if acceptable {
                // "If SND.UNA > ISS (our SYN has been ACKed), change the connection state to
                // ESTABLISHED [...] If there are other controls or text in the segment, then
                // continue processing at the sixth step"
                self.snd_una = seg.ack;
                self.state = State::Established;
                let mut out = self.text_and_fin(seg, self.rcv_nxt);
                out.reply = self.ack().reply;
                return out;
            }
            // "Otherwise, enter SYN-RECEIVED, form a SYN,ACK segment"
            self.state = State::SynReceived;
            return reply(Reply::SynAck {
                seq: Some(self.iss),
                ack: self.rcv_nxt,
            });
        }
        // "Fifth, if neither of the SYN or RST bits is set, then drop the segment and return."
        nothing()
    }

    /// Table 6.
    fn is_acceptable(&self, seq: u32, len: u32) -> bool {
        let (nxt, wnd) = (self.rcv_nxt, self.rcv_wnd);
        let in_window = |n: u32| le(nxt, n) && lt(n, nxt.wrapping_add(wnd));
        match (len, wnd) {
            (0, 0) => seq == nxt,
            (0, _) => in_window(seq),
            (_, 0) => false,
            (_, _) => in_window(seq) || in_window(seq.wrapping_add(len - 1)),
        }
    }

    /// 3.10.7.4
    fn otherwise(&mut self, seg: &Seg) -> Outcome {
        // "Second, check the RST bit" comes, with RFC 5961, with its own test of the sequence
        // number: "If the RST bit is set and the sequence number is outside the current receive
        // window, silently drop the segment."
        if Tcb::has(seg, RST) {
            return self.rst(seg);
        }
        let is_its_syn = self.state == State::SynReceived
            && seg.flags & (SYN | ACK) == SYN
            && seg.seq == self.irs;
        if is_its_syn {
            return Outcome {
                choice: Some(Choice::SynAckAgain),
                ..reply(Reply::SynAck {
                    seq: Some(self.iss),
                    ack: self.rcv_nxt,
                })
            };
        }
        // Figure 8, line 7: in a simultaneous open the peer's SYN-ACK begins at IRS, and opens the
        // connection, which the first step does not foresee (its SYN is old, its ACK is not).
        let crossed = self.state == State::SynReceived
            && !self.passive
            && seg.flags & (SYN | ACK) == SYN | ACK
            && seg.seq == self.irs
            && seg.ack == self.snd_nxt;
        if crossed {
            self.snd_una = seg.ack;
            self.state = State::Established;
            return self.ack();
        }
        let mut choice = None;
        let end = seg.seq.wrapping_add(seg_len(seg));
        let old = self.rcv_nxt.wrapping_sub(seg.seq);
        let is_fin = seg.flags & (SYN | FIN | ACK) == FIN | ACK;
        if is_fin && self.rcv_wnd == 0 && end == self.rcv_nxt.wrapping_add(1) {
            choice = Some(Choice::FinAtZeroWindow);
        } else if self.rcv_wnd > 0
            && old > 0
            && old < seg_len(seg)
            && seg_len(seg) - old > self.rcv_wnd
        {
            choice = Some(Choice::CoversTheWindow);
        } else if !self.is_acceptable(seg.seq, seg_len(seg)) {
            // "First, check sequence number: [...] If an incoming segment is not acceptable, an
            // acknowledgment should be sent in reply [...] If the RCV.WND is zero, no segments will
            // be acceptable, but special allowance should be made to accept valid ACKs"
            let acks = self.rcv_wnd == 0 && seg.seq == self.rcv_nxt && !Tcb::has(seg, SYN);
            if !(acks && Tcb::has(seg, ACK)) {
                return self.ack();
            }
        }
        // "Fourth, check the SYN bit"
        if Tcb::has(seg, SYN) {
            // "If the connection was initiated with a passive OPEN, then return this connection to
            // the LISTEN state and return."
            if self.state == State::SynReceived && self.passive {
                self.state = State::Listen;
                return gone();
            }
            // "irrespective of the sequence number, TCP endpoints MUST send a "challenge ACK""
            return self.ack();
        }
        // "Fifth, check the ACK field: if the ACK bit is off, drop the segment and return"
        if !Tcb::has(seg, ACK) {
            return nothing();
        }
        let mut out = self.ack_field(seg);
        if out.reply.is_none() && !out.gone && self.state != State::TimeWait {
            out = self.text_and_fin(seg, seg.seq);
        }
        out.choice = choice;
        out
    }

    fn rst(&mut self, seg: &Seg) -> Outcome {
        if seg.seq == self.rcv_nxt {
            // "exactly matches the next expected sequence number (RCV.NXT), then TCP endpoints MUST
            // reset the connection in the manner prescribed below"
            self.state = if self.state == State::SynReceived && self.passive {
                State::Listen
            } else {
                State::Closed
            };
            return gone();
        }
        // "yet is within the current receive window, TCP endpoints MUST send an acknowledgment
        // (challenge ACK)"
        if self.is_acceptable(seg.seq, 0) {
            return self.ack();
        }
        nothing()
    }

    /// The fifth step.
    fn ack_field(&mut self, seg: &Seg) -> Outcome {
        if self.state == State::SynReceived {
            // "If SND.UNA < SEG.ACK =< SND.NXT, then enter ESTABLISHED state and continue processing"
            if lt(self.snd_una, seg.ack) && le(seg.ack, self.snd_nxt) {
                self.snd_una = seg.ack;
                self.max_snd_wnd = self.max_snd_wnd.max(seg.wnd.into());
                self.state = State::Established;
                return nothing();
            }
            // "If the segment acknowledgment is not acceptable, form a reset segment
            // <SEQ=SEG.ACK><CTL=RST>" (and 3.5.2, group 2, which the range of RFC 5961 must not
            // take away).
            return reply(Reply::Rst { seq: seg.ack });
        }
        // "acceptable only if it is in the range of ((SND.UNA - MAX.SND.WND) =< SEG.ACK =< SND.NXT).
        // All incoming segments whose ACK value doesn't satisfy the above condition MUST be
        // discarded and an ACK sent back."
        let oldest = self.snd_una.wrapping_sub(self.max_snd_wnd);
        if lt(seg.ack, oldest) || lt(self.snd_nxt, seg.ack) {
            return self.ack();
        }
        // "If SND.UNA < SEG.ACK =< SND.NXT, then set SND.UNA <- SEG.ACK."
        if lt(self.snd_una, seg.ack) {
            self.snd_una = seg.ack;
        }
        self.max_snd_wnd = self.max_snd_wnd.max(seg.wnd.into());
        let fin_acked = self.fin_sent && self.snd_una == self.snd_nxt;
        match self.state {
            // "if the FIN segment is now acknowledged, then enter FIN-WAIT-2 and continue
            // processing in that state"
            State::FinWait1 if fin_acked => self.state = State::FinWait2,
            // "if the ACK acknowledges our FIN, then enter the TIME-WAIT state; otherwise, ignore
            // the segment"
            State::Closing if fin_acked => self.state = State::TimeWait,
            // "If our FIN is now acknowledged, delete the TCB, enter the CLOSED state, and return."
            State::LastAck if fin_acked => {
                self.state = State::Closed;
                return gone();
            }
            _ => {}
        }
        nothing()
    }

    /// The seventh and eighth steps, for text that begins at `seq`.
    fn text_and_fin(&mut self, seg: &Seg, seq: u32) -> Outcome {
        let fin = Tcb::has(seg, FIN);
        if seg.text.is_empty() && !fin {
            return nothing();
        }
        let receives = matches!(
            self.state,
            State::Established | State::FinWait1 | State::FinWait2
        );
        if !receives {
            // "This should not occur since a FIN has been received from the remote side. Ignore
            // the segment text." And of a FIN: "send an acknowledgment for the FIN. [...] Remain
            // in the [...] state."
            return if fin { self.ack() } else { nothing() };
        }
        let end = seq.wrapping_add(seg.text.len() as u32);
        // 3.6.1: "if new data is received after CLOSE is called, its TCP implementation SHOULD send
        // a RST to show that data was lost"
        if self.orphan && !seg.text.is_empty() && lt(self.rcv_nxt, end) {
            self.state = State::Closed;
            return Outcome {
                reply: Some(Reply::RstAck {
                    seq: self.snd_nxt,
                    ack: self.rcv_nxt,
                }),
                ..gone()
            };
        }
        // "trimming off any portions that lie outside the window (including SYN and FIN) and only
        // processing further if the segment then begins at RCV.NXT. Segments with higher beginning
        // sequence numbers SHOULD be held for later processing"
        let edge = self.rcv_nxt.wrapping_add(self.rcv_wnd);
        let first = if lt(seq, self.rcv_nxt) {
            self.rcv_nxt
        } else {
            seq
        };
        let last = if lt(edge, end) { edge } else { end };
        let mut out = Outcome::default();
        if first != self.rcv_nxt {
            // An acknowledgment of RCV.NXT (MAY-13; RFC 5681 3.2: SHOULD, at once).
            return self.ack();
        }
        if lt(first, last) {
            let from = first.wrapping_sub(seq) as usize;
            out.text = from..from + last.wrapping_sub(first) as usize;
            self.rcv_nxt = last;
            self.rcv_wnd -= last.wrapping_sub(first);
        }
        if fin && last == end && self.rcv_nxt == end {
            self.rcv_nxt = self.rcv_nxt.wrapping_add(1);
            self.state = match self.state {
                State::Established => State::CloseWait,
                // "If our FIN has been ACKed (perhaps in this segment), then enter TIME-WAIT [...];
                // otherwise, enter the CLOSING state."
                State::FinWait1 => State::Closing,
                _ => State::TimeWait,
            };
        }
        out.reply = self.ack().reply;
        out
    }

    /// TIME-WAIT with RFC 6191, without timestamps; RFC 1337 F1; 3.10.7.4 where it can be reached.
    fn time_wait(&mut self, seg: &Seg) -> Outcome {
        let chosen = |out: Outcome| Outcome {
            choice: Some(Choice::TimeWait),
            ..out
        };
        // RFC 1337 3: "Ignore RST segments in TIME-WAIT state."
        if Tcb::has(seg, RST) {
            return chosen(nothing());
        }
        if Tcb::has(seg, SYN) {
            if Tcb::has(seg, ACK) {
                // RFC 5961 4.2.
                return self.ack();
            }
            // RFC 6191 2: "the Sequence Number of the incoming SYN segment is greater than the
            // last sequence number seen on the previous incarnation", which is the FIN's:
            // RCV.NXT - 1. "Otherwise, silently drop".
            let newer = (seg.seq.wrapping_sub(self.rcv_nxt) as i32) >= 0;
            if Tcb::has(seg, FIN) || !newer {
                return chosen(nothing());
            }
            self.state = State::SynReceived;
            return chosen(reply(Reply::SynAck {
                seq: None,
                ack: seg.seq.wrapping_add(1),
            }));
        }
        if !Tcb::has(seg, ACK) {
            return chosen(nothing());
        }
        let len = seg_len(seg);
        // The bare acknowledgment that two ends in TIME-WAIT would otherwise exchange for ever.
        if len == 0 && seg.seq == self.rcv_nxt {
            return chosen(if lt(self.snd_nxt, seg.ack) {
                self.ack()
            } else {
                nothing()
            });
        }
        // "Acknowledge it, and restart the 2 MSL timeout", or not acceptable, or text after FIN:
        // each is told where this end is.
        self.ack()
    }
}

/// 3.10.7.1
fn closed(seg: &Seg) -> Outcome {
    if seg.flags & RST != 0 {
        return nothing();
    }
    reply(if seg.flags & ACK == 0 {
        Reply::RstAck {
            seq: 0,
            ack: seg.seq.wrapping_add(seg_len(seg)),
        }
    } else {
        Reply::Rst { seq: seg.ack }
    })
}
