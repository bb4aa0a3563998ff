//! The OPEN call (RFC 9293 3.10.1), active and passive, and what the two SYNs negotiate.

use wire::Seq;
use wire::tcp::{Flags, Header, Options, Timestamps};

use crate::config::MIN_MSS;
use crate::congestion::{Congestion, initial_window};
use crate::connection::{Connection, Flag};
use crate::paws::{Ahead, age_clock};
use crate::reassembly::Ranges;
use crate::rtt::Rtt;
use crate::time::Instant;
use crate::{Config, Env, Events, Queue, Segment, State};

/// Bytes that a timestamps option and its padding take in every segment.
pub(crate) const TIMESTAMPS_LEN: u16 = 12;

impl Connection {
    /// Active OPEN: a connection in SYN-SENT, its SYN due. `iss` from [`crate::isn`], or the
    /// larger number that the caller's memory of the four-tuple demands; `ts_offset` is added to
    /// the timestamp clock.
    #[inline]
    #[must_use]
    pub fn connect(config: &Config, now: Instant, iss: Seq, ts_offset: u32) -> Connection {
        Connection::new(config, now, State::SynSent, iss, ts_offset)
    }

    /// Whether the active OPEN may be tried from one more local socket: each counts as a
    /// retransmission of the SYN.
    #[must_use]
    pub fn may_reopen(&self, config: &Config) -> bool {
        self.retries < config.syn_retries
    }

    /// The active OPEN again, from another local socket, with what the user has queued. The user
    /// timeout runs on.
    pub fn reopen(&mut self, config: &Config, now: Instant, iss: Seq, ts_offset: u32) {
        let kept = Flag::FIN_QUEUED | Flag::ORPHAN | Flag::WANTS_WRITABLE;
        let mut fresh = Connection::connect(config, now, iss, ts_offset);
        fresh.flags |= self.flags & kept;
        fresh.retries = self.retries.saturating_add(1);
        fresh.progress_at = self.progress_at;
        core::mem::swap(&mut fresh.snd, &mut self.snd);
        *self = fresh;
    }

    /// A SYN for which [`crate::listen::on_segment`] says `Open`: a connection in SYN-RECEIVED, its
    /// SYN-ACK due.
    #[inline(always)] // or the control block is made in one place and moved to another
    #[must_use]
    pub fn accept(env: &mut Env<'_>, syn: &Segment<'_>, iss: Seq, ts_offset: u32) -> Connection {
        let mut c = Connection::new(env.config, env.now, State::SynReceived, iss, ts_offset);
        c.flags |= Flag::PASSIVE;
        c.receive_syn(env, syn.header);
        c
    }

    #[inline(always)]
    fn new(config: &Config, now: Instant, state: State, iss: Seq, ts_offset: u32) -> Connection {
        let mut flags = Flag::SYN_DUE;
        flags.set(Flag::LINGER_ZERO, config.linger_zero);
        Connection {
            flags,
            state,
            reason: None,
            snd_wind_shift: 0,
            rcv_wind_shift: 0,
            snd_una: iss,
            snd_nxt: iss,
            snd_cursor: iss,
            snd_wnd: 0,
            snd_wl1: Seq(0),
            snd_wl2: iss,
            max_snd_wnd: 0,
            rcv_nxt: Seq(0),
            rcv_adv: Seq(0),
            last_ack_sent: Seq(0),
            ts_recent: 0,
            ts_recent_at: 0,
            ts_ahead: Ahead::default(),
            ts_offset,
            last_tsval: 0,
            rtx_at: Instant::FAR_FUTURE,
            ack_at: Instant::FAR_FUTURE,
            idle_at: Instant::FAR_FUTURE,
            congestion: Congestion::new(iss),
            snd_mss: config.default_mss,
            segments_unacked: 0,
            acks_owed: 0,
            progress_at: now,
            last_send: 0,
            iss,
            snd: Queue::new(),
            rcv: Queue::new(),
            irs: Seq(0),
            fin_seq: Seq(0),
            rtt: Rtt::new(config),
            retries: 0,
            backoff: 0,
            keepalive_probes: 0,
            far_at: 0,
            ranges: Ranges::new(),
            scoreboard: crate::memory::NONE,
        }
    }

    /// Takes the peer's SYN: its number, window and options.
    #[inline(always)]
    pub(crate) fn receive_syn(&mut self, env: &mut Env<'_>, h: &Header) {
        let config = env.config;
        //= RFC 9293 3.10.7.2
        //# Set RCV.NXT to SEG.SEQ+1, IRS is set to SEG.SEQ
        self.irs = h.seq;
        self.rcv_nxt = h.seq + 1;
        self.rcv_adv = self.rcv_nxt;
        self.last_ack_sent = self.rcv_nxt;

        //= RFC 9293 3.7.1
        //# If an MSS Option is not received at connection setup, TCP implementations MUST assume a
        //# default send MSS of 536 (576 - 40) for IPv4 or 1220 (1280 - 60) for IPv6 (MUST-15).
        let mss = h.options.mss.unwrap_or(config.default_mss);
        self.snd_mss = mss.clamp(MIN_MSS, config.mss.max(MIN_MSS));

        if let Some(ts) = h.options.timestamps
            && config.timestamps
        {
            self.flags |= Flag::TIMESTAMPS;
            self.ts_recent = ts.val;
            self.ts_recent_at = age_clock(env.now);
            //= RFC 6691 4
            //# The MSS value to be sent in an MSS option should be equal to the effective MTU minus
            //# the fixed IP and TCP headers. [...] if there are any IP or TCP options to be sent in
            //# a packet, then the sender must decrease the size of the TCP data accordingly.
            self.snd_mss -= TIMESTAMPS_LEN;
        }
        //= RFC 2018 2
        //# This two-byte option may be sent in a SYN by a TCP that has been extended to receive (and
        //# presumably process) the SACK option once the connection has opened.
        if h.options.sack_permitted && config.sack {
            self.flags |= Flag::SACK;
        }
        //= RFC 7323 2.3
        //# Upon receiving a <SYN> segment with a Window Scale option containing shift.cnt = S, a TCP
        //# MUST set Snd.Wind.Shift to S and MUST set Rcv.Wind.Shift to R; otherwise, it MUST set both
        //# Snd.Wind.Shift and Rcv.Wind.Shift to zero.
        if let Some(shift) = h.options.window_scale
            && config.window_scaling
        {
            //= RFC 7323 2.3
            //# If a Window Scale option is received with a shift.cnt value larger than 14, the TCP
            //# SHOULD log the error but MUST use 14 instead of the specified value.
            self.flags |= Flag::SCALING;
            self.snd_wind_shift = shift.min(14);
            self.rcv_wind_shift = config.rcv_wind_shift();
        }
        //= RFC 7323 2.2
        //# The window field in a segment where the SYN bit is set [...] MUST NOT be scaled.
        self.set_snd_wnd(u32::from(h.window), h.seq, h.ack);
    }

    /// The options of our SYN, or of a SYN-ACK: then only what the peer offered.
    pub(crate) fn syn_options(&self, env: &Env<'_>) -> Options {
        let answer = self.state == State::SynReceived;
        let ts = if answer {
            self.flags.contains(Flag::TIMESTAMPS)
        } else {
            env.config.timestamps
        };
        let scaling = if answer {
            self.flags.contains(Flag::SCALING)
        } else {
            env.config.window_scaling
        };
        let sack_permitted = if answer {
            self.flags.contains(Flag::SACK)
        } else {
            env.config.sack
        };
        Options {
            mss: Some(env.config.mss),
            sack_permitted,
            window_scale: scaling.then(|| env.config.rcv_wind_shift()),
            timestamps: ts.then(|| Timestamps {
                val: env.ts_clock.wrapping_add(self.ts_offset),
                ecr: self.ts_recent,
            }),
            ..Options::NONE
        }
    }

    /// SND.WND, SND.WL1 and SND.WL2.
    #[inline]
    pub(crate) fn set_snd_wnd(&mut self, wnd: u32, seq: Seq, ack: Seq) {
        self.snd_wnd = wnd;
        self.snd_wl1 = seq;
        self.snd_wl2 = ack;
        self.max_snd_wnd = self.max_snd_wnd.max(wnd);
    }

    /// Enters ESTABLISHED: our SYN is acknowledged by `h`.
    pub(crate) fn establish(&mut self, env: &mut Env<'_>, h: &Header) -> Events {
        let retries = self.retries;
        self.measure(env, h);
        self.snd_una = self.iss + 1;
        // Beyond it there may be a FIN, for which the timer runs on.
        self.snd_cursor = self.snd_nxt;
        self.retries = 0;
        self.backoff = 0;
        self.rtx_at = Instant::FAR_FUTURE;
        if self.snd_nxt != self.snd_una {
            self.start_retransmission(env);
        }
        self.flags.remove(Flag::SYN_DUE | Flag::TIMING);

        let mut segments = env.config.initial_window;
        if retries > 0 && self.rtt.srtt_us == 0 {
            //= RFC 6298 5.7
            //# If the timer expires awaiting the ACK of a SYN segment and the TCP implementation is
            //# using an RTO less than 3 seconds, the RTO MUST be re-initialized to 3 seconds when
            //# data transmission begins
            self.rtt.rto_us = self.rtt.rto_us.max(3_000_000);
        }
        if retries > 1 {
            //= RFC 6928 2
            //# refrain from resetting the initial window to 1 segment, unless there have been more than
            //# one SYN or SYN/ACK retransmissions or true loss detection has been made.
            segments = 1;
        }
        self.congestion.cwnd = initial_window(segments, self.snd_mss);
        self.last_send = crate::output::send_clock(env.now);

        self.state = State::Established;
        if self.flags.contains(Flag::PASSIVE) {
            env.counters.established_passive += 1;
        } else {
            env.counters.established_active += 1;
        }
        self.restart_keepalive(env);
        //= RFC 9293 3.10.4
        //# otherwise, queue for processing after entering ESTABLISHED state.
        if self.flags.contains(Flag::FIN_QUEUED) {
            self.state = State::FinWait1;
        }
        Events::ESTABLISHED
    }

    /// Header of a segment of a synchronized connection, the acknowledgment included, with a SACK option of `room` bytes
    /// at most if text is held out of order; whatever acknowledgment was due is carried by it.
    #[inline]
    pub(crate) fn ack_header(
        &mut self,
        env: &Env<'_>,
        seq: Seq,
        flags: Flags,
        room: usize,
    ) -> Header {
        self.flags.remove(Flag::ACK_NOW);
        self.ack_at = Instant::FAR_FUTURE;
        self.segments_unacked = 0;
        self.last_ack_sent = self.rcv_nxt;
        let window = self.announce_window(env.config, env.rcv_memory);
        // Before there is a header: what is changed where it lies is written twice.
        let sack = self.sack_len(room);
        Header {
            src_port: 0,
            dst_port: 0,
            seq,
            ack: self.rcv_nxt,
            flags: flags | Flags::ACK,
            window,
            urgent: 0,
            options: Options {
                sack,
                ..self.timestamps(env)
            },
        }
    }

    /// The options of every segment but a SYN, and but SACK.
    #[inline]
    pub(crate) fn timestamps(&mut self, env: &Env<'_>) -> Options {
        //= RFC 7323 3.2
        //# Once TSopt has been successfully negotiated, that is both <SYN> and <SYN,ACK> contain TSopt,
        //# the TSopt MUST be sent in every non-<RST> segment for the duration of the connection, and
        //# SHOULD be sent in an <RST> segment
        if !self.flags.contains(Flag::TIMESTAMPS) {
            return Options::NONE;
        }
        self.last_tsval = env.ts_clock.wrapping_add(self.ts_offset);
        Options {
            timestamps: Some(Timestamps {
                val: self.last_tsval,
                ecr: self.ts_recent,
            }),
            ..Options::NONE
        }
    }

    /// The user's parameters bound the most that is queued.
    #[inline]
    pub(crate) fn snd_room(&self, config: &Config) -> usize {
        config.snd_buf.saturating_sub(self.snd.len()) as usize
    }
}
