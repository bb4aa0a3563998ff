//! The receive window: what is announced (RFC 9293 3.8.6, RFC 7323 section 2).

use wire::Seq;

use crate::connection::{Connection, Flag};
use crate::{Config, Memory, State};

/// What is announced to who holds nothing, however little memory is free, in segments.
const SCARCE_SEGMENTS: u32 = 4;
/// What a connection may hold beside [`Memory::reserve`], in bytes: enough for the beginning of a request.
const LITTLE: u32 = 4096;

/// [`LITTLE`], or two segments if they are more.
pub(crate) fn little(config: &Config) -> u32 {
    LITTLE.max(2 * u32::from(config.mss))
}

impl Connection {
    /// RCV.WND: what the peer may still send of what was announced.
    #[inline]
    pub(crate) fn rcv_wnd(&self) -> u32 {
        // A FIN is taken even at a zero window, so RCV.NXT may be one beyond the edge.
        self.rcv_adv.since(self.rcv_nxt).max(0) as u32
    }

    /// How far the window could be opened beyond what is announced, if the connection may hold `most`
    /// bytes and SEG.WND is to say it.
    #[inline]
    fn window_gain(&self, most: u32) -> u32 {
        most.saturating_sub(self.rcv.len())
            .min(0xffff << self.rcv_wind_shift)
            .saturating_sub(self.rcv_wnd())
    }

    /// What the connection may hold: its buffer, or its share of memory if that is less.
    #[inline]
    fn most_held(&self, config: &Config, memory: &Memory) -> u32 {
        if memory.is_ample_for(config.rcv_buf) {
            config.rcv_buf
        } else {
            self.most_while_scarce(config, memory)
        }
    }

    #[cold]
    fn most_while_scarce(&self, config: &Config, memory: &Memory) -> u32 {
        let least = if self.rcv.is_empty() {
            // It may go on reading all that comes, and hold nothing.
            SCARCE_SEGMENTS * u32::from(config.mss)
        } else if memory.is_exhausted() {
            0
        } else {
            little(config)
        };
        let share = memory.share(self.rcv.len()).max(least.into());
        share.min(config.rcv_buf.into()) as u32
    }

    /// SEG.WND for a segment sent now; moves the announced edge.
    #[inline]
    pub(crate) fn announce_window(&mut self, config: &Config, memory: &Memory) -> u16 {
        if self.flags.contains(Flag::NO_MEMORY) {
            //= RFC 9293 3.8.6
            //# A TCP receiver SHOULD NOT shrink the window, i.e., move the right
            //# window edge to the left (SHLD-14).
            //
            // A sender that believes in the window takes what is dropped for lost in the network, and gives
            // up in the end; one that probes a closed window goes on for as long as it is answered.
            // Here the edge stays: what comes is taken if there is memory again.
            return 0;
        }
        let most = self.most_held(config, memory);
        let gain = self.window_gain(most);
        let mut wnd = self.rcv_wnd();
        //= RFC 9293 3.8.6.2.2
        //# keep RCV.NXT+RCV.WND fixed until the reduction satisfies:
        //# RCV.BUFF - RCV.USER - RCV.WND >= min( Fr * RCV.BUFF, Eff.snd.MSS )
        if gain >= (config.rcv_buf / 2).min(u32::from(config.mss)).max(1) {
            wnd += gain;
        }
        let shift = self.rcv_wind_shift;
        // Rounding down would take back up to 2^shift - 1 bytes of what was announced: round up
        // then, and the edge moves right by less than that. But once only beyond the buffer, or a
        // peer that sends a byte at a time would never find it full: then the edge stays where it
        // is, and what the peer is told of it is less (RFC 7323 2.4).
        let old = self.rcv_wnd();
        let mut field = wnd >> shift;
        if field << shift < old {
            let up = old.div_ceil(1 << shift);
            let held = self.rcv.len().saturating_add(up << shift);
            if held < config.rcv_buf.saturating_add(1 << shift) {
                field = up;
            }
        }
        let field = field.min(0xffff) as u16;
        let edge = self.rcv_nxt + (u32::from(field) << shift);
        if edge.gt(self.rcv_adv) {
            self.rcv_adv = edge;
            self.flags.remove(Flag::FILLED);
        }
        if most < config.rcv_buf {
            self.note_clamp(config);
        }
        field
    }

    /// Memory is what limits the window: while that is less than a segment, others may let it open.
    #[cold]
    fn note_clamp(&mut self, config: &Config) {
        let clamped = self.rcv_wnd() < u32::from(config.mss);
        self.flags.set(Flag::CLAMPED, clamped);
    }

    /// Whether the peer cannot send a segment, though the buffer has room for it, because receive memory is
    /// short: [`Connection::memory_is_back`] is to tell when it is not any more.
    #[inline]
    #[must_use]
    pub fn waits_for_memory(&self) -> bool {
        self.flags.intersects(Flag::NO_MEMORY | Flag::CLAMPED)
    }

    /// Whether it waits because more was promised than there was, and dropped: what comes again must find room.
    #[inline]
    #[must_use]
    pub fn waits_with_loss(&self) -> bool {
        self.flags.contains(Flag::NO_MEMORY)
    }

    /// There is receive memory again, or no need of it: the window opens, as far as the connection's share
    /// goes. Returns for how many bytes. If that is not even a segment it goes on waiting.
    #[cold]
    pub fn memory_is_back(&mut self, config: &Config, memory: &Memory) -> u32 {
        let closed = self.flags.contains(Flag::NO_MEMORY);
        self.flags.remove(Flag::NO_MEMORY | Flag::CLAMPED);
        if !self.receives() {
            return 0;
        }
        let most = self.most_held(config, memory);
        if closed || self.window_update_due(config, memory) {
            self.flags |= Flag::ACK_NOW;
        } else if most < config.rcv_buf {
            self.note_clamp(config);
            if self.flags.contains(Flag::CLAMPED) {
                return 0;
            }
        }
        self.rcv_wnd() + self.window_gain(most)
    }

    /// Whether the peer may have more to send.
    fn receives(&self) -> bool {
        matches!(
            self.state,
            State::Established | State::FinWait1 | State::FinWait2
        )
    }

    /// SEG.WND of a SYN, which is never scaled.
    pub(crate) fn announce_syn_window(&mut self, config: &Config, memory: &Memory) -> u16 {
        //= RFC 7323 2.2
        //# The window field in a segment where the SYN bit is set (i.e., a <SYN> or <SYN,ACK>) MUST
        //# NOT be scaled.
        let field = self.most_held(config, memory).min(0xffff) as u16;
        // A scaled acknowledgment may have announced more before this SYN is repeated.
        self.rcv_adv = self.rcv_adv.max(self.rcv_nxt + u32::from(field));
        field
    }

    /// Whether enough was read for the peer to be told (RFC 9293 3.8.6.2.2).
    pub(crate) fn window_update_due(&self, config: &Config, memory: &Memory) -> bool {
        if !self.receives() || self.flags.contains(Flag::NO_MEMORY) {
            return false;
        }
        let mss = u32::from(config.mss);
        // A peer that can still send full segments learns from the next acknowledgment anyway.
        let segments = if self.rcv_wnd() < mss { 1 } else { 2 };
        let gain = self.window_gain(self.most_held(config, memory));
        gain >= (config.rcv_buf / 2).min(segments * mss).max(1)
    }

    /// Whether a segment is acceptable (RFC 9293 3.10.7.4, first step).
    #[inline]
    pub(crate) fn is_acceptable(&self, seq: Seq, len: u32) -> bool {
        //= RFC 9293 3.10.7.4
        //# There are four cases for the acceptability test for an incoming segment
        let wnd = self.rcv_wnd();
        if seq == self.rcv_nxt {
            //= RFC 9293 3.10.7.4
            //# If the RCV.WND is zero, no segments will be acceptable, but special allowance should
            //# be made to accept valid ACKs, URGs, and RSTs.
            return true;
        }
        if len == 0 {
            return seq.in_window(self.rcv_nxt, wnd);
        }
        // The same as both of the standard's tests, and true also for a segment that covers more than
        // the window.
        seq.lt(self.rcv_nxt + wnd) && (seq + len).gt(self.rcv_nxt)
    }
}
