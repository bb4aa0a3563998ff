//! Timeouts (RFC 9293 3.10.8): retransmission (RFC 6298), persist, delayed acknowledgment,
//! keep-alive, user timeout and FIN-WAIT-2.

use crate::connection::{Connection, Flag};
use crate::time::Instant;
use crate::{CloseReason, Config, Env, Events, State};

impl Connection {
    /// Does whatever is due at `env.now`. What comes of it is transmitted by
    /// [`Connection::poll_transmit`]. Too early a call does nothing.
    pub fn on_timer(&mut self, env: &mut Env<'_>) -> Events {
        if env.now >= self.ack_at {
            self.ack_at = Instant::FAR_FUTURE;
            self.flags |= Flag::ACK_NOW;
            env.counters.delayed_ack_timeouts += 1;
        }
        if env.now >= self.rtx_at && self.on_retransmission_timer(env) {
            return Events::CLOSED;
        }
        if env.now >= self.idle_at && self.on_idle_timer(env) {
            return Events::CLOSED;
        }
        Events::empty()
    }

    /// Starts the retransmission timer anew.
    #[inline]
    pub(crate) fn start_retransmission(&mut self, env: &Env<'_>) {
        self.rtx_at = self.after_rto(env);
    }

    /// Starts the persist timer: there is something to send, and nothing in flight whose
    /// acknowledgment could open the window.
    pub(crate) fn start_persist(&mut self, env: &Env<'_>) {
        self.flags |= Flag::PERSIST;
        self.rtx_at = self.after_rto(env);
    }

    /// After the backed off RTO, or when the user timeout is over if that is sooner.
    #[inline]
    fn after_rto(&self, env: &Env<'_>) -> Instant {
        let at = env
            .now
            .plus_micros(self.rtt.rto_backed_off_us(env.config, self.backoff));
        match env.config.user_timeout_ms {
            0 => at,
            ms => at.min(self.progress_at.plus_millis(u64::from(ms))),
        }
    }

    /// True if the connection is given up.
    fn on_retransmission_timer(&mut self, env: &mut Env<'_>) -> bool {
        self.rtx_at = Instant::FAR_FUTURE;
        if self.is_past_user_timeout(env) {
            return true;
        }
        match self.state {
            State::SynSent | State::SynReceived => self.on_syn_timeout(env),
            _ if self.flags.contains(Flag::PERSIST) || self.snd_wnd == 0 => {
                self.on_persist_timeout(env)
            }
            _ => self.on_text_timeout(env),
        }
    }

    fn on_syn_timeout(&mut self, env: &mut Env<'_>) -> bool {
        let limit = if self.state == State::SynSent {
            env.config.syn_retries
        } else {
            env.config.synack_retries
        };
        if self.flags.contains(Flag::SYN_HURRY_DUE) {
            // The early retry is none of the retransmissions that are counted and backed off.
            self.flags.remove(Flag::SYN_HURRY_DUE);
            self.flags |= Flag::SYN_DUE;
            return false;
        }
        if self.retries >= limit {
            env.counters.open_timeouts += 1;
            self.enter_closed(CloseReason::TimedOut);
            return true;
        }
        self.flags.remove(Flag::SYN_HURRIED);
        env.counters.retransmission_timeouts += 1;
        self.retries += 1;
        self.backoff = self.backoff.saturating_add(1);
        self.flags |= Flag::SYN_DUE;
        false
    }

    fn on_text_timeout(&mut self, env: &mut Env<'_>) -> bool {
        //= RFC 9293 3.8.3
        //# When the number of transmissions of the same segment reaches a threshold R2 greater than
        //# R1, close the connection.
        if self.retries >= env.config.data_retries {
            env.counters.retransmissions_exhausted += 1;
            self.enter_closed(CloseReason::TimedOut);
            return true;
        }
        env.counters.retransmission_timeouts += 1;
        let mss = u32::from(self.snd_mss);
        let flight = self.flight();
        self.congestion
            .on_timeout(self.retries == 0, flight, self.snd_nxt, mss);
        //= RFC 6298 5.4
        //# Retransmit the earliest segment that has not been acknowledged by the TCP receiver.
        //
        // And, as the window opens again, what follows it: without selective acknowledgment
        // nothing is known about it.
        self.snd_cursor = self.snd_una;
        self.flags.remove(Flag::TIMING | Flag::HEAD_DUE);
        //= RFC 2018 5
        //# After a retransmit timeout the data sender SHOULD turn off all of the SACKed bits, since the
        //# timeout might indicate that the data receiver has reneged.
        self.forget_sacks(env.snd_memory);
        self.retries += 1;
        self.backoff = self.backoff.saturating_add(1);
        //= RFC 6298 5.6
        //# Start the retransmission timer, such that it expires after RTO seconds (for the value of
        //# RTO after the doubling operation outlined in 5.5).
        self.start_retransmission(env);
        false
    }

    fn on_persist_timeout(&mut self, env: &mut Env<'_>) -> bool {
        if self.snd_wnd > 0 {
            //= RFC 9293 3.8.6.2.1
            //# (4) or if the override timeout occurs.
            //
            // What it sends is none of the probes that are counted and backed off.
            self.flags |= Flag::PROBE_DUE;
            self.start_persist(env);
            return false;
        }
        if self.retries >= env.config.data_retries {
            env.counters.retransmissions_exhausted += 1;
            self.enter_closed(CloseReason::TimedOut);
            return true;
        }
        self.snd_cursor = self.snd_una;
        self.flags.remove(Flag::TIMING | Flag::HEAD_DUE);
        self.forget_sacks(env.snd_memory);
        self.flags |= Flag::PROBE_DUE;
        self.retries += 1;
        //= RFC 9293 3.8.6.1
        //# and SHOULD increase exponentially the interval between successive probes
        self.backoff = self.backoff.saturating_add(1);
        self.start_persist(env);
        false
    }

    //= RFC 9293 3.10.8
    //# USER TIMEOUT For any state if the user timeout expires, flush all queues, signal the user
    //# "error: connection aborted due to user timeout" in general and for any outstanding calls,
    //# delete the TCB, enter the CLOSED state, and return.
    fn is_past_user_timeout(&mut self, env: &mut Env<'_>) -> bool {
        let limit = u64::from(env.config.user_timeout_ms);
        if limit == 0 || env.now < self.progress_at.plus_millis(limit) {
            return false;
        }
        env.counters.user_timeouts += 1;
        self.enter_closed(CloseReason::UserTimeout);
        true
    }

    /// Something was received: the idle time begins anew.
    #[inline]
    pub(crate) fn restart_keepalive(&mut self, env: &Env<'_>) {
        if let Some(keepalive) = env.config.keepalive {
            self.keepalive_probes = 0;
            // In FIN-WAIT-2 with nobody to read, the same timer waits for the peer's FIN.
            if self.state != State::FinWait2 || !self.flags.contains(Flag::ORPHAN) {
                //= RFC 9293 3.8.4
                //# Keep-alive packets MUST only be sent when no sent data is outstanding, and no data
                //# or acknowledgment packets have been received for the connection within an interval
                self.idle_at = env.now.plus_millis(u64::from(keepalive.idle_ms));
            }
        }
    }

    /// The connection's parameters are others from now on: its timers follow them.
    pub fn config_changed(&mut self, config: &Config, now: Instant) {
        if config.user_timeout_ms > 0 && self.rtx_at != Instant::FAR_FUTURE {
            let limit = u64::from(config.user_timeout_ms);
            self.rtx_at = self.rtx_at.min(self.progress_at.plus_millis(limit));
        }
        let waits_for_fin = self.state == State::FinWait2 && self.flags.contains(Flag::ORPHAN);
        if !self.state.is_synchronized() || self.state == State::TimeWait || waits_for_fin {
            return;
        }
        self.keepalive_probes = 0;
        self.idle_at = match config.keepalive {
            Some(keepalive) => now.plus_millis(u64::from(keepalive.idle_ms)),
            None => Instant::FAR_FUTURE,
        };
    }

    /// FIN-WAIT-2 is entered, or its connection closed by the application.
    pub(crate) fn start_fin_wait2(&mut self, env: &Env<'_>) {
        let timeout = env.config.fin_wait2_timeout_ms;
        if self.state == State::FinWait2 && self.flags.contains(Flag::ORPHAN) && timeout > 0 {
            self.idle_at = env.now.plus_millis(u64::from(timeout));
        }
    }

    /// True if the connection is given up.
    fn on_idle_timer(&mut self, env: &mut Env<'_>) -> bool {
        self.idle_at = Instant::FAR_FUTURE;
        if self.state == State::FinWait2 && self.flags.contains(Flag::ORPHAN) {
            // With the timeout off, it was a keep-alive timer of before.
            if env.config.fin_wait2_timeout_ms == 0 {
                return false;
            }
            env.counters.fin_wait2_timeouts += 1;
            self.enter_closed(CloseReason::FinWait2Timeout);
            return true;
        }
        let Some(keepalive) = env.config.keepalive else {
            return false;
        };
        if self.rtx_at != Instant::FAR_FUTURE {
            // Data is outstanding: its own timer finds out whether the peer is there.
            self.idle_at = env.now.plus_millis(u64::from(keepalive.idle_ms));
            return false;
        }
        // Keep-alive is not to end what the user timeout would have let live (RFC 5482 4.2): with one, it is that which ends a
        // silent connection, not the number of probes. Linux does the same.
        let gives_up = match env.config.user_timeout_ms {
            0 => self.keepalive_probes >= keepalive.count,
            ms => {
                let limit = self.progress_at.plus_millis(u64::from(ms));
                self.keepalive_probes > 0 && env.now >= limit
            }
        };
        if gives_up {
            env.counters.keepalive_timeouts += 1;
            self.reset(CloseReason::KeepaliveTimeout);
            return true;
        }
        if self.keepalive_probes == 0 {
            // Nothing is outstanding: what the user timeout counts from is free, and this is when the silence began.
            let silent_ns = u64::from(keepalive.idle_ms) * 1_000_000;
            let began = env.now.as_nanos().saturating_sub(silent_ns);
            self.progress_at = Instant::from_nanos(began);
        }
        self.keepalive_probes = self.keepalive_probes.saturating_add(1);
        self.flags |= Flag::KEEPALIVE_DUE;
        self.idle_at = env.now.plus_millis(u64::from(keepalive.interval_ms));
        false
    }
}
