//! Segments to send: what is due, how much the windows allow, and when a small segment waits
//! (RFC 9293 3.7.4 and 3.8.6).

use wire::Seq;
use wire::tcp::{Flags, Header, Options};

use crate::connection::{Connection, Flag};
use crate::memory::NONE;
use crate::time::Instant;
use crate::{Env, Memory, State, Transmit};

/// A time in microseconds, wrapping after 71 minutes.
#[inline]
pub(crate) fn micros(now: Instant) -> u32 {
    now.as_micros() as u32
}

/// A time in units of 2^20 ns, wrapping after 52 days.
#[inline]
pub(crate) fn send_clock(now: Instant) -> u32 {
    (now.as_nanos() >> 20) as u32
}

/// A piece of the send queue.
pub(crate) struct Piece {
    pub(crate) seq: Seq,
    pub(crate) len: u32,
    pub(crate) fin: bool,
    /// It ends the send queue.
    pub(crate) last: bool,
}

impl Connection {
    /// Whether [`Connection::poll_transmit`] may have something to send. It is cheap; a call of
    /// `poll_transmit` for nothing costs the same.
    #[inline]
    #[must_use]
    pub fn wants_transmit(&self) -> bool {
        self.flags.intersects(Flag::DUE) || self.acks_owed > 0 || self.snd_cursor != self.snd_end()
    }

    /// The next segment that is due, and marks it as sent; `None` when nothing is. To be called
    /// until then at the end of a burst. A segment that carries nothing but an acknowledgment is
    /// returned only if no other carried it.
    #[inline(always)]
    pub fn poll_transmit(&mut self, env: &mut Env<'_>) -> Option<Transmit> {
        if !self.wants_transmit() {
            return None;
        }
        match self.state {
            State::Closed => self.transmit_rst(env),
            State::SynSent | State::SynReceived => self.transmit_syn(env),
            _ => self.transmit(env),
        }
    }

    /// Copies the text of a segment just returned by [`Connection::poll_transmit`], which begins at
    /// `offset`, to `dst`.
    #[inline]
    pub fn copy_payload(&mut self, snd_memory: &Memory, offset: u32, dst: &mut [u8]) {
        self.snd.copy_out(snd_memory, offset, dst);
    }

    fn transmit_rst(&mut self, env: &mut Env<'_>) -> Option<Transmit> {
        if !self.flags.contains(Flag::RST_DUE) {
            self.flags.remove(Flag::DUE);
            return None;
        }
        self.flags.remove(Flag::DUE);
        env.counters.resets_sent += 1;
        //= RFC 9293 3.10.5
        //# Send a reset segment: <SEQ=SND.NXT><CTL=RST>
        //
        // With the acknowledgment, as every host sends it: the peer may be in SYN-SENT.
        Some(control(Header {
            seq: self.bare_seq(),
            ack: self.rcv_nxt,
            flags: Flags::RST | Flags::ACK,
            options: self.timestamps(env),
            ..Header::default()
        }))
    }

    fn transmit_syn(&mut self, env: &mut Env<'_>) -> Option<Transmit> {
        if !self.flags.contains(Flag::SYN_DUE) {
            return self.transmit_after_syn(env);
        }
        self.flags.remove(Flag::SYN_DUE | Flag::ACK_NOW);
        if self.snd_nxt == self.iss {
            self.snd_nxt = self.iss + 1;
            self.snd_cursor = self.snd_nxt;
            self.start_timing(env.now);
        } else {
            env.counters.retransmitted_segments += 1;
            self.flags.remove(Flag::TIMING);
            self.rtt.timed_at_us = micros(env.now);
            self.last_send = send_clock(env.now);
        }
        if self.rtx_at == Instant::FAR_FUTURE {
            self.start_retransmission(env);
        }
        let options = self.syn_options(env);
        if let Some(ts) = options.timestamps {
            self.last_tsval = ts.val;
        }
        let mut flags = Flags::SYN;
        if self.state == State::SynReceived {
            flags |= Flags::ACK;
            self.last_ack_sent = self.rcv_nxt;
            if self.is_early_fin_due() {
                self.flags |= Flag::ACK_NOW;
            }
        }
        Some(control(Header {
            src_port: 0,
            dst_port: 0,
            seq: self.iss,
            ack: self.rcv_nxt,
            flags,
            window: self.announce_syn_window(env.config, env.rcv_memory),
            urgent: 0,
            options,
        }))
    }

    /// The user closed in SYN-RECEIVED, with nothing to send before the FIN.
    #[inline]
    fn is_early_fin_due(&self) -> bool {
        self.flags & (Flag::FIN_QUEUED | Flag::FIN_SENT) == Flag::FIN_QUEUED
            && self.state == State::SynReceived
            && self.snd.is_empty()
    }

    /// An acknowledgment, or that FIN. It goes once: should it be lost, it goes again when our SYN is acknowledged.
    #[cold]
    fn transmit_after_syn(&mut self, env: &mut Env<'_>) -> Option<Transmit> {
        self.flags.remove(Flag::DUE - Flag::ACK_NOW);
        if !self.is_early_fin_due() {
            return self.transmit_ack(env);
        }
        let seq = self.snd_nxt;
        self.snd_nxt += 1;
        self.snd_cursor = self.snd_nxt;
        self.flags |= Flag::FIN_SENT;
        let header = self.ack_header(env, seq, Flags::FIN | Flags::ACK, Options::MAX_LEN);
        Some(control(header))
    }

    fn transmit(&mut self, env: &mut Env<'_>) -> Option<Transmit> {
        if self.acks_owed > 0 {
            // Each segment out of order has its own, without text, or the peer could not count.
            self.acks_owed -= 1;
            self.flags |= Flag::ACK_NOW;
            return self.transmit_ack(env);
        }
        if self.recovers_by_sack() {
            if let Some(piece) = self.recovery_piece(env) {
                return Some(self.transmit_piece(env, &piece));
            }
        } else {
            if self.flags.contains(Flag::HEAD_DUE)
                && let Some(head) = self.transmit_head(env)
            {
                return Some(head);
            }
            if let Some(piece) = self.next_piece(env) {
                if self.scoreboard != NONE && self.is_again() && self.congestion.in_recovery() {
                    self.note_sent_again(env.snd_memory, &piece);
                }
                return Some(self.transmit_piece(env, &piece));
            }
        }
        if self.snd_cursor != self.snd_end() && self.rtx_at == Instant::FAR_FUTURE {
            self.progress_at = env.now;
            self.start_persist(env);
        }
        if self.flags.contains(Flag::FIN_WAIT2_DUE) {
            self.flags.remove(Flag::FIN_WAIT2_DUE);
            self.start_fin_wait2(env);
        }
        if self.flags.contains(Flag::KEEPALIVE_DUE) {
            self.flags.remove(Flag::KEEPALIVE_DUE);
            env.counters.keepalive_probes_sent += 1;
            //= RFC 9293 3.8.4
            //# An implementation SHOULD send a keep-alive segment with no data (SHLD-12)
            let seq = self.snd_nxt - 1;
            return Some(control(self.ack_header(env, seq, Flags::ACK, 0)));
        }
        self.transmit_ack(env)
    }

    /// The segment at SND.UNA again, if there is one.
    #[cold]
    fn transmit_head(&mut self, env: &mut Env<'_>) -> Option<Transmit> {
        self.flags.remove(Flag::HEAD_DUE);
        let head = self.head()?;
        if self.scoreboard != NONE && self.congestion.in_recovery() {
            self.note_sent_again(env.snd_memory, &head);
        }
        Some(self.transmit_piece(env, &head))
    }

    /// A segment with nothing but an acknowledgment, if one is due.
    fn transmit_ack(&mut self, env: &mut Env<'_>) -> Option<Transmit> {
        if !self.flags.contains(Flag::ACK_NOW) {
            return None;
        }
        env.counters.pure_acks_sent += 1;
        let seq = self.bare_seq();
        let header = self.ack_header(env, seq, Flags::ACK, Options::MAX_LEN);
        Some(control(header))
    }

    /// SEG.SEQ of a segment without text: SND.NXT, unless that is beyond a closed window because
    /// the window was probed.
    #[inline]
    fn bare_seq(&self) -> Seq {
        //= RFC 9293 3.10.7.4
        //# If the RCV.WND is zero, no segments will be acceptable, but special allowance should be
        //# made to accept valid ACKs, URGs, and RSTs.
        //
        // At RCV.NXT, that is: what was probed with and not taken is not to be counted.
        if self.snd_wnd == 0 && !self.snd.is_empty() {
            self.snd_una
        } else {
            self.snd_nxt
        }
    }

    /// The segment at SND.UNA, as far as it was sent before.
    fn head(&self) -> Option<Piece> {
        let sent = self.flight().min(self.snd.len());
        let len = sent.min(u32::from(self.snd_mss));
        let fin = self.flags.contains(Flag::FIN_SENT) && len == self.snd.len();
        (len > 0 || fin).then_some(Piece {
            seq: self.snd_una,
            len,
            fin,
            last: len == self.snd.len(),
        })
    }

    /// What the windows and Nagle's algorithm allow to be sent from the cursor.
    #[inline(always)]
    pub(crate) fn next_piece(&mut self, env: &mut Env<'_>) -> Option<Piece> {
        let mut limit = u32::from(self.snd_mss);
        if self.scoreboard != NONE && self.is_again() {
            limit = limit.min(self.skip_sacked(env.snd_memory));
        }
        let end = self.snd_end();
        let seq = self.snd_cursor;
        if seq == end {
            self.flags.remove(Flag::PROBE_DUE);
            return None;
        }
        let flight = self.flight();
        if flight == 0 {
            self.restart_after_idle(env);
        }
        let mss = u32::from(self.snd_mss);
        let text_end = self.snd_una + self.snd.len();
        let unsent = text_end.offset_from(seq);
        let mut window = self.snd_wnd;
        // In a recovery by SACK, cwnd is for what is on its way, and allows it.
        if !self.recovers_by_sack() {
            window = window.min(self.congestion.window(mss));
        }
        let usable = (self.snd_una + window).since(seq).max(0) as u32;
        let mut len = unsent.min(usable).min(limit);
        if self.flags.contains(Flag::PROBE_DUE) {
            //= RFC 9293 3.8.6.1
            //# The sending TCP peer must regularly transmit at least one octet of new data (if
            //# available), or retransmit to the receiving TCP peer even if the send window is zero, in
            //# order to "probe" the window.
            self.flags.remove(Flag::PROBE_DUE);
            env.counters.window_probes_sent += 1;
            len = len.max(unsent.min(1));
        } else if !self.is_worth_sending(env, len, unsent, end != text_end) {
            return None;
        }
        Some(Piece {
            seq,
            len,
            // A FIN is sent even at a zero window: it takes no room, and it is its own probe.
            fin: end != text_end && len == unsent,
            last: len == unsent,
        })
    }

    /// The sender's part of silly window syndrome avoidance, and Nagle's algorithm.
    #[inline]
    fn is_worth_sending(&self, env: &Env<'_>, len: u32, unsent: u32, closing: bool) -> bool {
        //= RFC 9293 3.8.6.2.1
        //# Send data: (1) if a maximum-sized segment can be sent, i.e., if: min(D,U) >= Eff.snd.MSS;
        if len == u32::from(self.snd_mss) {
            return true;
        }
        if len == unsent {
            //= RFC 9293 3.8.6.2.1
            //# (2) or if the data is pushed and all queued data can be sent now, i.e., if:
            //# [SND.NXT = SND.UNA and] PUSHed and D <= U (the bracketed condition is imposed by the
            //# Nagle algorithm);
            //
            // What a FIN ends will never grow to a full segment.
            return closing
                || env.config.nodelay
                || self.snd_nxt == self.snd_una
                || self.is_again();
        }
        //= RFC 9293 3.8.6.2.1
        //# (3) or if at least a fraction Fs of the maximum window can be sent, i.e., if:
        //# [SND.NXT = SND.UNA and] min(D,U) >= Fs * Max(SND.WND);
        len > 0 && (len >= self.max_snd_wnd / 2 || self.is_again())
    }

    /// Whether what the cursor is at was sent before.
    #[inline]
    fn is_again(&self) -> bool {
        self.snd_cursor.lt(self.snd_nxt)
    }

    #[inline(always)] // or the piece is written to memory and read again
    fn transmit_piece(&mut self, env: &mut Env<'_>, piece: &Piece) -> Transmit {
        let end = piece.seq + piece.len + u32::from(piece.fin);
        if piece.seq.lt(self.snd_nxt) {
            env.counters.retransmitted_segments += 1;
            //= RFC 6298 3
            //# RTT samples MUST NOT be made using segments that were retransmitted
            if piece.seq.lt(self.rtt.timed_end) {
                self.flags.remove(Flag::TIMING);
            }
        } else if !self.flags.contains(Flag::TIMING) {
            self.start_timing(env.now);
            self.rtt.timed_end = end;
        }
        self.snd_cursor = self.snd_cursor.max(end);
        self.snd_nxt = self.snd_nxt.max(end);
        self.last_send = send_clock(env.now);
        if self.rtx_at == Instant::FAR_FUTURE || self.is_persist_over() {
            //= RFC 6298 5.1
            //# Every time a packet containing data is sent (including a retransmission), if the timer
            //# is not running, start it running so that it will expire after RTO seconds
            self.flags.remove(Flag::PERSIST);
            self.progress_at = env.now;
            self.start_retransmission(env);
        }
        let mut flags = Flags::ACK;
        if piece.fin {
            flags |= Flags::FIN;
            self.flags |= Flag::FIN_SENT;
        }
        if piece.last && piece.len > 0 {
            //= RFC 9293 3.9.1.2
            //# MUST set the PSH bit in the last buffered segment (i.e., when there is no more queued data
            //# to be sent) (MUST-61).
            flags |= Flags::PSH;
        }
        let room = usize::from(self.snd_mss) - piece.len as usize;
        Transmit {
            header: self.ack_header(env, piece.seq, flags, room),
            offset: piece.seq.offset_from(self.snd_una),
            len: piece.len as u16,
        }
    }

    /// The persist timer runs although the window is open: it waited for more to be worth sending.
    #[inline]
    fn is_persist_over(&self) -> bool {
        self.flags.contains(Flag::PERSIST) && self.snd_wnd > 0
    }

    #[inline]
    fn start_timing(&mut self, now: Instant) {
        self.flags |= Flag::TIMING;
        self.rtt.timed_end = self.snd_nxt;
        self.rtt.timed_at_us = micros(now);
    }

    #[inline]
    fn restart_after_idle(&mut self, env: &Env<'_>) {
        let idle = send_clock(env.now).wrapping_sub(self.last_send);
        if u64::from(idle) << 20 > u64::from(self.rtt.rto_us) * 1_000 {
            let window = crate::congestion::initial_window(env.config.initial_window, self.snd_mss);
            self.congestion.on_restart(window);
        }
    }
}

/// A segment without text.
#[inline]
fn control(header: Header) -> Transmit {
    debug_assert!(header.options.len() <= Options::MAX_LEN);
    Transmit {
        header,
        offset: 0,
        len: 0,
    }
}
