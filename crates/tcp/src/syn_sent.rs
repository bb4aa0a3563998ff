//! A segment arrives in SYN-SENT (RFC 9293 3.10.7.3).

use wire::tcp::Flags;

use crate::connection::{Connection, Flag};
use crate::output::micros;
use crate::{CloseReason, Env, Events, Outcome, Segment, State};

impl Connection {
    pub(crate) fn on_segment_syn_sent(
        &mut self,
        env: &mut Env<'_>,
        seg: &Segment<'_>,
        out: &mut Outcome,
    ) {
        let h = seg.header;
        let has_ack = h.flags.contains(Flags::ACK);

        //= RFC 9293 3.10.7.3
        //# If SEG.ACK =< ISS or SEG.ACK > SND.NXT, send a reset (unless the RST bit is set, if so
        //# drop the segment and return)
        if has_ack && !(h.ack.gt(self.iss) && h.ack.le(self.snd_nxt)) {
            env.counters.unacceptable_acks += 1;
            if h.flags.contains(Flags::RST) {
                env.counters.resets_ignored += 1;
                return;
            }
            env.counters.syns_challenged_by_peer += 1;
            self.hurry_syn(env);
            out.reset = true;
            return;
        }

        if h.flags.contains(Flags::RST) {
            //= RFC 9293 3.10.7.3
            //# If the ACK was acceptable, then signal to the user "error: connection reset", drop
            //# the segment, enter CLOSED state, delete TCB, and return. Otherwise (no ACK), drop the
            //# segment and return.
            if !has_ack {
                env.counters.resets_ignored += 1;
                return;
            }
            env.counters.resets_accepted += 1;
            self.enter_closed(CloseReason::Refused);
            out.events = Events::CLOSED;
            return;
        }

        //= RFC 9293 3.10.7.3
        //# if neither of the SYN or RST bits is set, then drop the segment and return.
        if !h.flags.contains(Flags::SYN) {
            return;
        }
        self.receive_syn(env, h);

        if !has_ack {
            //= RFC 9293 3.10.7.3
            //# Otherwise, enter SYN-RECEIVED, form a SYN,ACK segment
            //# <SEQ=ISS><ACK=RCV.NXT><CTL=SYN,ACK>
            //# and send it.
            self.state = State::SynReceived;
            self.flags |= Flag::SYN_DUE;
            return;
        }

        //= RFC 9293 3.10.7.3
        //# If SND.UNA > ISS (our SYN has been ACKed), change the connection state to ESTABLISHED,
        //# form an ACK segment
        out.events = self.establish(env, h);
        self.flags |= Flag::ACK_NOW;
        // What may be sent of the text is what a SYN's window says; the SYN is before it.
        self.announce_syn_window(env.config, env.rcv_memory);
        self.receive_text(env, seg, out);
    }

    /// After the RST for an unacceptable acknowledgment the peer has forgotten the connection
    /// that it believed in: the SYN is worth sending again after about one round trip, and not only after the
    /// retransmission timeout. Once for each SYN that this timeout sends, since acknowledgment and RST may be lost as
    /// well: it costs at most as many segments as those.
    fn hurry_syn(&mut self, env: &Env<'_>) {
        if self.flags.contains(Flag::SYN_HURRIED) {
            return;
        }
        self.flags |= Flag::SYN_HURRIED | Flag::SYN_HURRY_DUE;
        // Since the last SYN was sent: that an earlier one was answered makes it shorter, never longer.
        let round_trip = micros(env.now).wrapping_sub(self.rtt.timed_at_us);
        let at = env.now.plus_micros(u64::from(round_trip.max(1_000)));
        self.rtx_at = self.rtx_at.min(at);
    }
}
