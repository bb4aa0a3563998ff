//! The system under test with peers that the tests play.

use tidewheel_sut::{Errno, Sut};

use crate::packet::{ACK, FIN, HOST, PEER, PSH, SYN, Seg, mss};

/// The port that is listened on.
pub(crate) const LISTENER: u16 = 80;
/// A port that nobody listens on.
pub(crate) const NOBODY: u16 = 81;
/// The peer's initial sequence number, window and port.
pub(crate) const IRS: u32 = 0xffff_ff00;
pub(crate) const PEER_WND: u16 = 8192;
pub(crate) const PEER_PORT: u16 = 7000;

/// The barest TCP: nothing negotiated, every acknowledgment at once.
pub(crate) const BARE: &str =
    "wscale=off,timestamps=off,sack=off,mss=1460,delack_ms=0,nagle=off,rcvbuf=8000";

/// The byte at sequence number `seq` of every stream.
pub(crate) fn byte(seq: u32) -> u8 {
    (seq.wrapping_mul(0x9e37_79b1) >> 24) as u8
}

pub(crate) fn stream(seq: u32, len: usize) -> Vec<u8> {
    (0..len as u32).map(|i| byte(seq.wrapping_add(i))).collect()
}

/// One host under test.
pub(crate) struct Rig {
    pub(crate) sut: Sut,
    pub(crate) now_us: u64,
    pub(crate) listener: i32,
    /// Options of all that new peers send.
    pub(crate) options: Vec<u8>,
}

/// One connection of it, as its peer sees it.
#[derive(Clone, Debug)]
pub(crate) struct Conn {
    pub(crate) host_port: u16,
    pub(crate) peer_port: u16,
    /// The user's handle, if there is one.
    pub(crate) handle: Option<i32>,
    /// The host's initial sequence number.
    pub(crate) iss: u32,
    /// What the peer sends next, and has seen of the host.
    pub(crate) seq: u32,
    pub(crate) ack: u32,
    pub(crate) wnd: u16,
    /// Options of everything that the peer sends but its SYN.
    pub(crate) options: Vec<u8>,
    /// The last segment that the host sent.
    pub(crate) last: Seg,
}

impl Rig {
    pub(crate) fn new(flags: &str) -> Rig {
        let now_us = 5_000_000;
        let mut sut = Sut::new(HOST, flags, now_us).expect("the flags are right");
        let listener = sut.socket_new().unwrap();
        sut.bind(listener, [0; 4], LISTENER).unwrap();
        sut.listen(listener, 1000).unwrap();
        Rig {
            sut,
            now_us,
            listener,
            options: vec![],
        }
    }

    /// Gives the host a segment, without a look at what it says.
    pub(crate) fn input(&mut self, seg: &Seg) {
        self.sut.input(&seg.packet(PEER, HOST)).unwrap();
    }

    /// Everything that the host has to say to anybody.
    pub(crate) fn output(&mut self) -> Vec<Seg> {
        let mut out = Vec::new();
        while let Some(packet) = self.sut.output() {
            out.extend(Seg::parse(&packet));
        }
        out
    }

    /// What it has to say on `conn`.
    pub(crate) fn heard(&mut self, conn: &mut Conn) -> Vec<Seg> {
        let out: Vec<Seg> = self
            .output()
            .into_iter()
            .filter(|s| (s.src, s.dst) == (conn.host_port, conn.peer_port))
            .collect();
        if let Some(last) = out.last() {
            conn.last = last.clone();
        }
        out
    }

    /// The one thing that it has to say on `conn`.
    #[track_caller]
    pub(crate) fn heard_one(&mut self, conn: &mut Conn) -> Seg {
        let out = self.heard(conn);
        assert_eq!(out.len(), 1, "{out:?}");
        out.into_iter().next().unwrap()
    }

    #[track_caller]
    pub(crate) fn silent(&mut self, conn: &mut Conn) {
        assert_eq!(self.heard(conn), []);
    }

    pub(crate) fn wait_ms(&mut self, ms: u64) {
        self.wait_us(ms * 1000);
    }

    pub(crate) fn wait_us(&mut self, us: u64) {
        self.now_us += us;
        self.sut.advance(self.now_us);
    }

    /// Lets the next timer run; how long it took, in ms.
    #[track_caller]
    pub(crate) fn timer_ms(&mut self) -> u64 {
        let at = self.sut.next_timer().expect("a timer runs");
        assert!(at > self.now_us, "a timer that is due must have run");
        let passed = at - self.now_us;
        self.now_us = at;
        self.sut.advance(at);
        assert_eq!(passed % 1000, 0, "every time here is a whole number of ms");
        passed / 1000
    }

    /// A segment of the peer's, complete.
    pub(crate) fn segment(&self, conn: &Conn, flags: u8, seq: u32, ack: u32, text: &[u8]) -> Seg {
        Seg {
            src: conn.peer_port,
            dst: conn.host_port,
            flags,
            seq,
            ack: if flags & ACK != 0 { ack } else { 0 },
            wnd: conn.wnd,
            urgent: 0,
            options: conn.options.clone(),
            text: text.to_vec(),
        }
    }

    /// The peer sends what comes next, acknowledging what it has seen.
    pub(crate) fn send(&mut self, conn: &mut Conn, flags: u8, text: &[u8]) {
        let seg = self.segment(conn, flags, conn.seq, conn.ack, text);
        let control = u32::from(flags & SYN != 0) + u32::from(flags & FIN != 0);
        conn.seq = conn.seq.wrapping_add(text.len() as u32 + control);
        self.input(&seg);
    }

    /// The peer's bare acknowledgment of everything up to `ack`.
    pub(crate) fn acknowledge(&mut self, conn: &mut Conn, ack: u32) {
        conn.ack = ack;
        self.send(conn, ACK, b"");
    }

    fn conn(&self, host_port: u16, peer_port: u16) -> Conn {
        Conn {
            host_port,
            peer_port,
            handle: None,
            iss: 0,
            seq: IRS,
            ack: 0,
            wnd: PEER_WND,
            options: self.options.clone(),
            last: Seg::default(),
        }
    }

    /// Nothing: the tuple of a segment for nobody, or for the listener.
    pub(crate) fn nobody(&mut self, host_port: u16, peer_port: u16) -> Conn {
        self.conn(host_port, peer_port)
    }

    /// SYN-SENT.
    pub(crate) fn syn_sent(&mut self, peer_port: u16) -> Conn {
        let h = self.sut.socket_new().unwrap();
        self.sut.connect(h, PEER, peer_port).unwrap();
        let syn = self
            .output()
            .into_iter()
            .find(|s| s.dst == peer_port)
            .expect("a SYN");
        assert_eq!(syn.flags, SYN);
        Conn {
            handle: Some(h),
            iss: syn.seq,
            ack: syn.seq.wrapping_add(1),
            last: syn.clone(),
            ..self.conn(syn.src, peer_port)
        }
    }

    /// SYN-RECEIVED after SYN-SENT: both opened.
    pub(crate) fn crossed(&mut self, peer_port: u16) -> Conn {
        let mut c = self.syn_sent(peer_port);
        self.syn(&mut c, SYN);
        let syn_ack = self.heard_one(&mut c);
        assert_eq!((syn_ack.flags, syn_ack.seq), (SYN | ACK, c.iss));
        c
    }

    /// The peer's SYN, with the least options.
    pub(crate) fn syn(&mut self, c: &mut Conn, flags: u8) {
        let mut seg = self.segment(c, flags, c.seq, c.ack, b"");
        seg.options = mss(1460);
        seg.options.extend(&c.options);
        c.seq = c.seq.wrapping_add(1);
        self.input(&seg);
    }

    /// SYN-RECEIVED after LISTEN.
    pub(crate) fn syn_received(&mut self, peer_port: u16) -> Conn {
        let mut c = self.conn(LISTENER, peer_port);
        self.syn(&mut c, SYN);
        let syn_ack = self.heard_one(&mut c);
        assert_eq!(syn_ack.flags, SYN | ACK);
        assert_eq!(syn_ack.ack, c.seq);
        c.iss = syn_ack.seq;
        c.ack = c.iss.wrapping_add(1);
        c
    }

    /// ESTABLISHED by the peer.
    pub(crate) fn established(&mut self, peer_port: u16) -> Conn {
        let mut c = self.syn_received(peer_port);
        self.send(&mut c, ACK, b"");
        self.silent(&mut c);
        self.accept(&mut c);
        c
    }

    /// ESTABLISHED by the host.
    pub(crate) fn connected(&mut self, peer_port: u16) -> Conn {
        let mut c = self.syn_sent(peer_port);
        self.syn(&mut c, SYN | ACK);
        let ack = self.heard_one(&mut c);
        assert_eq!(
            (ack.flags, ack.seq, ack.ack),
            (ACK, c.iss.wrapping_add(1), c.seq)
        );
        c
    }

    pub(crate) fn accept(&mut self, c: &mut Conn) {
        let (h, ip, port) = self.sut.accept(self.listener).unwrap();
        assert_eq!((ip, port), (PEER, c.peer_port));
        c.handle = Some(h);
    }

    pub(crate) fn write(&mut self, c: &Conn, len: usize) -> usize {
        let h = c.handle.expect("the user has it");
        self.sut.write(h, &vec![b'.'; len], 0).unwrap()
    }

    /// Everything that there is to read.
    pub(crate) fn read(&mut self, c: &Conn) -> Result<Vec<u8>, Errno> {
        let mut buf = vec![0; 1 << 17];
        let n = self
            .sut
            .read(c.handle.expect("the user has it"), &mut buf, 0)?;
        buf.truncate(n);
        Ok(buf)
    }

    /// The state, by Linux's number.
    pub(crate) fn state(&mut self, c: &Conn) -> u8 {
        let mut info = [0; 1];
        let h = c.handle.expect("the user has it");
        let n = self
            .sut
            .getsockopt(h, libc::IPPROTO_TCP, libc::TCP_INFO, &mut info);
        assert_eq!(n, Ok(1));
        info[0]
    }

    pub(crate) fn set(&mut self, c: &Conn, level: i32, option: i32, value: i32) {
        let h = c.handle.expect("the user has it");
        self.sut
            .setsockopt(h, level, option, &value.to_ne_bytes())
            .unwrap();
    }

    /// The user ends its sending; the peer sees the FIN.
    pub(crate) fn shutdown(&mut self, c: &mut Conn) {
        self.sut
            .shutdown(c.handle.expect("the user has it"), libc::SHUT_WR)
            .unwrap();
        let fin = self.heard_one(c);
        assert_eq!(fin.flags & FIN, FIN);
    }

    /// The same, whatever else the peer hears.
    pub(crate) fn shutdown_quietly(&mut self, c: &mut Conn) {
        self.sut
            .shutdown(c.handle.expect("the user has it"), libc::SHUT_WR)
            .unwrap();
        self.heard(c);
    }

    /// The user closes.
    pub(crate) fn close(&mut self, c: &mut Conn) {
        self.sut
            .close(c.handle.take().expect("the user has it"))
            .unwrap();
    }

    /// The peer sends `len` bytes of its stream.
    pub(crate) fn send_text(&mut self, c: &mut Conn, len: usize) {
        let text = stream(c.seq, len);
        self.send(c, ACK | PSH, &text);
    }
}
