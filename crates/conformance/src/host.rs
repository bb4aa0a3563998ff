//! The stack on a link that is not there: Ethernet headers are put on and taken off, every ARP
//! request is answered at once, and time goes from timer to timer.

use std::collections::VecDeque;

use stack::{Context, Frame, FramePool, Handle, MemPool, Stack};
use tcp::time::Instant;
use wire::{MacAddr, arp, ethernet};

use crate::app::Sockets;
use crate::errno::Errno;

/// The host's Ethernet address, and that of everybody else.
pub(crate) const OURS: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);
const THEIRS: MacAddr = MacAddr([2, 0, 0, 0, 0, 2]);

/// The longest packet taken: a frame's length is at most what an mbuf can tell.
const LONGEST: usize = u16::MAX as usize - ethernet::Header::LEN;

/// Turns that walk the largest table of TIME-WAIT once, and more.
const CATCH_UP_TURNS: u32 = 128;

/// The stack, its time, and the packets that wait to be fetched.
pub(crate) struct Host {
    stack: Stack<Sockets, MemPool>,
    /// The caller's time at `Instant::ZERO`, in microseconds.
    zero_us: u64,
    now: Instant,
    out: VecDeque<Vec<u8>>,
}

impl Host {
    pub(crate) fn new(stack: Stack<Sockets, MemPool>, zero_us: u64) -> Host {
        let mut host = Host {
            stack,
            zero_us,
            now: Instant::ZERO,
            out: VecDeque::new(),
        };
        host.settle();
        host
    }

    pub(crate) fn sockets(&self) -> &Sockets {
        self.stack.app()
    }

    pub(crate) fn sockets_mut(&mut self) -> &mut Sockets {
        self.stack.app_mut()
    }

    /// What the user does between packets, and what comes of it.
    pub(crate) fn with<R>(&mut self, f: impl FnOnce(&mut Sockets, &mut Context<'_>) -> R) -> R {
        let r = self.stack.with_app(self.now, f);
        self.settle();
        r
    }

    pub(crate) fn read(&mut self, conn: Handle, buf: &mut [u8], peek: bool) -> usize {
        let n = self.stack.read(self.now, conn, buf, peek);
        self.settle();
        n
    }

    pub(crate) fn counters(&self) -> &stack::Counters {
        self.stack.counters()
    }

    pub(crate) fn usage(&self) -> stack::Usage {
        self.stack.usage()
    }

    pub(crate) fn input(&mut self, packet: &[u8]) -> Result<(), Errno> {
        if packet.len() > LONGEST {
            return Err(Errno::EMSGSIZE);
        }
        let ethertype = match packet.first().map(|byte| byte >> 4) {
            Some(6) => ethernet::ETHERTYPE_IPV6,
            _ => ethernet::ETHERTYPE_IPV4,
        };
        self.receive(ethertype, packet);
        self.settle();
        Ok(())
    }

    /// The next packet, left where it is.
    pub(crate) fn next_packet(&self) -> Option<&[u8]> {
        self.out.front().map(Vec::as_slice)
    }

    /// Takes it away.
    pub(crate) fn drop_packet(&mut self) {
        self.out.pop_front();
    }

    /// It is `now_us`. Connections' timers run each at its own time; without segments from outside
    /// each gives up after so many, so this ends however far it goes. Upkeep that nobody sees
    /// (neighbours, places of TIME-WAIT whose time is over) is done on the way.
    pub(crate) fn advance(&mut self, now_us: u64) {
        let Some(elapsed_us) = now_us.checked_sub(self.zero_us) else {
            return;
        };
        let target = Instant::ZERO.plus_micros(elapsed_us);
        while let Some(next) = self.stack.next_connection_deadline()
            && next <= target
        {
            self.now = self.now.max(next);
            self.settle();
        }
        self.now = self.now.max(target);
        self.settle();
        // A host's loop turns all the time, and each turn sweeps a part of TIME-WAIT. Here time leaps, and
        // the sweep has to be where it would have come to.
        for _ in 0..CATCH_UP_TURNS {
            match self.stack.next_deadline() {
                Some(at) if at <= self.now => self.settle(),
                _ => return,
            }
        }
    }

    /// When the next timer of a connection or of TIME-WAIT runs.
    pub(crate) fn next_timer(&mut self) -> Option<u64> {
        let timer = self.stack.next_connection_deadline();
        let time_wait = self.stack.with_app(self.now, |sockets, cx| {
            sockets
                .time_wait
                .retain(|tuple| cx.time_wait_until(tuple).is_some());
            let waiting = sockets.time_wait.iter().copied();
            let unread = sockets.iter().filter_map(|(_, s)| s.tuple);
            waiting
                .chain(unread)
                .filter_map(|tuple| cx.time_wait_until(&tuple))
                .min()
        });
        let next = [timer, time_wait].into_iter().flatten().min()?;
        let us = next.max(self.now).as_nanos().div_ceil(1_000);
        Some(self.zero_us.saturating_add(us))
    }

    /// Lets the stack do everything that is to be done at this time.
    fn settle(&mut self) {
        self.stack.advance(self.now);
        self.stack.run_connection_timers(self.now);
        loop {
            self.stack.transmit(self.now);
            let frames = std::mem::take(self.stack.out());
            if frames.is_empty() {
                return;
            }
            for frame in frames {
                self.leave(frame.data());
                self.stack.pool_mut().free(frame);
            }
        }
    }

    /// A frame of the stack's: a packet for the caller, or an ARP request.
    fn leave(&mut self, frame: &[u8]) {
        let Ok((header, offset)) = ethernet::Header::parse(frame) else {
            return;
        };
        let payload = frame.get(offset..).unwrap_or_default();
        if header.ethertype != ethernet::ETHERTYPE_ARP {
            self.out.push_back(payload.to_vec());
            return;
        }
        if let Ok(request) = arp::Packet::parse(payload)
            && request.operation == arp::Operation::Request
            // Else the host announces itself (RFC 5227).
            && request.spa != request.tpa
        {
            let mut reply = [0; arp::Packet::LEN];
            request.reply(THEIRS).emit(&mut reply);
            self.receive(ethernet::ETHERTYPE_ARP, &reply);
        }
    }

    fn receive(&mut self, ethertype: u16, payload: &[u8]) {
        let header = ethernet::Header {
            dst: OURS,
            src: THEIRS,
            vlan: None,
            ethertype,
        };
        let frame = self
            .stack
            .pool_mut()
            .alloc(ethernet::Header::LEN + payload.len());
        if let Some(mut frame) = frame {
            let offset = header.emit(frame.data_mut());
            frame.data_mut()[offset..].copy_from_slice(payload);
            self.stack.receive(self.now, &mut vec![frame]);
        }
    }
}
