//! How connections of the model come to their end.

use tcp::time::Instant;
use wire::Seq;
use wire::tcp::Flags;

use crate::model::{Checked, Held, MSL_NS, Model, frame};
use crate::setup::End;

/// How long FIN-WAIT-2 lasts, in milliseconds: shorter than an MSL.
pub(super) const FIN_WAIT2_MS: u32 = 50;

impl Model {
    /// The connection comes to its end. The client's next number is `seq`, and text beyond `before` was received on it. No RST is
    /// replayed: timestamps do not guard them.
    pub(super) fn end(&mut self, end: End, seq: Seq, before: usize) -> Checked {
        let kept = self.count("tw_kept_after_reset");
        // What it had recycled may be under way.
        let guards = self.now < self.established + MSL_NS;
        match end {
            End::Reset => {
                self.reset(seq);
                self.snd_nxt = seq;
                return self.cut_off(kept, guards);
            }
            End::Aborted => {
                self.send(self.header(seq, Flags::ACK), b"!");
                self.under_way(seq + 1);
                self.half_open(seq + 1)?;
                return self.cut_off(kept, guards);
            }
            _ => {}
        }
        let last = self.header(seq, Flags::ACK | Flags::PSH);
        let answer = self.send(last, b"b.");
        let fin = answer.iter().find(|s| s.has(Flags::FIN));
        let received = &self.stack.app().received[before..];
        let Some(fin) = fin.filter(|_| received == b"ab.") else {
            return Err(self.violation("the stream is not what was sent", &last));
        };
        let expected = fin.header.seq + fin.seg_len();
        let seq = seq + 2;
        self.snd_nxt = seq;
        if matches!(end, End::Crossed | End::ResetInClosing) {
            // Sent before the server's came.
            self.send(self.header(seq, Flags::FIN | Flags::ACK), b"");
            self.replay(2)?;
        }
        self.rcv_nxt = expected;
        self.reread(2, seq + 1)?;
        match end {
            End::Closed => {
                self.replay(1)?;
                self.send(self.header(seq, Flags::FIN | Flags::ACK), b"");
                self.snd_nxt = seq + 1;
                if self.setup.repeats() && self.rng.below(4) == 0 {
                    // The acknowledgments are late.
                    self.now += self.rng.below(MSL_NS / 10);
                    self.send(self.header(seq - 2, Flags::ACK | Flags::PSH), b"b.");
                    if self.rng.below(2) == 0 {
                        self.send(self.header(seq, Flags::FIN | Flags::ACK), b"");
                    }
                }
                self.over(kept)
            }
            End::Crossed => {
                self.send(self.header(seq + 1, Flags::ACK), b"");
                self.snd_nxt = seq + 1;
                self.over(kept)
            }
            End::ResetInClosing => {
                self.reset(seq + 1);
                self.snd_nxt = seq + 1;
                self.cut_off(kept, guards)
            }
            _ => {
                self.send(self.header(seq, Flags::ACK), b"");
                self.over(kept)?;
                match end {
                    End::ResetInFinWait2 => self.reset(seq),
                    End::LateText => {
                        self.send(self.header(seq, Flags::ACK), b"c");
                        self.under_way(seq + 1);
                    }
                    _ => {
                        // Twice, so that the sweep comes by the whole table.
                        for _ in 0..2 {
                            self.now += u64::from(FIN_WAIT2_MS) * 1_000_000;
                            self.stack.advance(Instant::from_nanos(self.now));
                        }
                        if guards {
                            return self.over(kept);
                        }
                    }
                }
                self.cut_off(kept, guards)
            }
        }
    }

    fn reset(&mut self, seq: Seq) {
        self.deliver(frame(&self.header(seq, Flags::RST), b""));
    }

    /// The client sends text that does not arrive for now; or it has filled the window, and probes it, with its FIN.
    fn under_way(&mut self, seq: Seq) {
        static TEXT: [u8; 1_000] = [b'd'; 1_000];
        if self.rng.below(4) == 0 {
            let (at, header) = (self.now, self.header(self.edge, Flags::FIN | Flags::ACK));
            let text = b"p";
            self.held.push_back(Held { at, header, text });
            self.snd_nxt = self.edge + 2;
            return;
        }
        let mut next = seq;
        for _ in 0..self.rng.below(8) {
            let (at, header) = (self.now, self.header(next, Flags::ACK));
            self.held.push_back(Held {
                at,
                header,
                text: &TEXT,
            });
            next += TEXT.len() as u32;
        }
        self.snd_nxt = next;
    }

    /// The client has not heard of the reset: it hears of it when it goes on.
    fn half_open(&mut self, seq: Seq) -> Checked {
        if self.setup.repeats() {
            self.now += self.rng.below(MSL_NS / 10);
        }
        let (at, header, text) = (self.now, self.header(seq, Flags::ACK), b"d");
        if self.setup.repeats() {
            self.held.push_back(Held { at, header, text });
            self.snd_nxt = self.snd_nxt.max(seq + 1);
        }
        let answer = self.deliver(frame(&header, text));
        if !answer.iter().any(|s| s.has(Flags::RST)) {
            return Err(self.violation("a half-open client is not reset", &header));
        }
        Ok(())
    }

    /// The connection is over in a way that has it remembered, as one more than `kept`, for what it had recycled alone.
    fn cut_off(&mut self, kept: u64, guards: bool) -> Checked {
        if guards {
            return self.over(kept + 1);
        }
        self.is_over(0, kept)?;
        // Nothing guards what it sent itself.
        self.now += MSL_NS;
        self.time_passes();
        Ok(())
    }

    /// The connection is over, and remembered; `kept` were in all, although they did not end in TIME-WAIT.
    fn over(&mut self, kept: u64) -> Checked {
        let entries = u64::from(self.setup.rules.policy != tcp::time_wait::Policy::None);
        self.is_over(entries, kept)?;
        self.old = self.held.len();
        self.replay(2)
    }

    fn is_over(&mut self, entries: u64, kept: u64) -> Checked {
        self.stack.app_mut().received.clear();
        let state = self.state();
        let all_kept = self.count("tw_kept_after_reset");
        if state.live != 0 || state.time_wait != entries || all_kept != kept {
            let what = format!("not as it should end: {state:?}, {all_kept} kept");
            let header = self.header(self.snd_nxt, Flags::EMPTY);
            return Err(self.violation(&what, &header));
        }
        Ok(())
    }
}
