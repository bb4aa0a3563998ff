//! A scenario: segments relative to the state of the connections that they are for, calls of the
//! user, and time, in any order. Twelve bytes are a step, so that a mutation changes one step and no
//! other.

use tidewheel_sut::{Errno, Sut};

use crate::packet::{ACK, FIN, HOST, PEER, PSH, RST, SYN, Seg, checksum, ipv4};

/// Bytes of a step.
pub const STEP: usize = 12;
/// Connections in a scenario.
const CONNECTIONS: usize = 6;
/// The port that is listened on.
const LISTENER: u16 = 80;
/// A port for the connection that nobody touches.
const BYSTANDER: u16 = 9999;

/// One step: what, for which connection, and with which numbers.
#[derive(Clone, Copy, Debug, Default)]
pub struct Step {
    pub op: u8,
    pub conn: u8,
    pub flags: u8,
    /// What `seq` and `ack` are relative to: the low and the high half.
    pub bases: u8,
    pub seq: i16,
    pub ack: i16,
    pub len: u16,
    pub wnd: u16,
}

/// What a step does.
pub mod op {
    pub const SEGMENT: u8 = 0;
    pub const CONNECT: u8 = 1;
    pub const ACCEPT: u8 = 2;
    pub const READ: u8 = 3;
    pub const WRITE: u8 = 4;
    pub const SHUTDOWN: u8 = 5;
    pub const CLOSE: u8 = 6;
    pub const OPTION: u8 = 7;
    pub const WAIT: u8 = 8;
    pub const TIMER: u8 = 9;
    pub const ICMP: u8 = 10;
    pub const DAMAGE: u8 = 11;
    pub const BURST: u8 = 12;
    pub const POLL: u8 = 13;
    pub const COUNT: u8 = 14;
}

impl Step {
    fn read(b: &[u8; STEP]) -> Step {
        let be16 = |at: usize| u16::from_be_bytes([b[at], b[at + 1]]);
        Step {
            op: b[0] % op::COUNT,
            conn: b[1] % CONNECTIONS as u8,
            flags: b[2],
            bases: b[3],
            seq: be16(4) as i16,
            ack: be16(6) as i16,
            len: be16(8),
            wnd: be16(10),
        }
    }

    /// The bytes that it is read from.
    #[must_use]
    pub fn bytes(&self) -> [u8; STEP] {
        let mut b = [
            self.op, self.conn, self.flags, self.bases, 0, 0, 0, 0, 0, 0, 0, 0,
        ];
        b[4..6].copy_from_slice(&self.seq.to_be_bytes());
        b[6..8].copy_from_slice(&self.ack.to_be_bytes());
        b[8..10].copy_from_slice(&self.len.to_be_bytes());
        b[10..12].copy_from_slice(&self.wnd.to_be_bytes());
        b
    }
}

/// A connection as its peer sees it.
#[derive(Clone, Default)]
struct Conn {
    host_port: u16,
    peer_port: u16,
    handle: Option<i32>,
    /// SND.UNA and SND.NXT of the host, as far as was seen.
    una: u32,
    nxt: u32,
    /// RCV.NXT and the right edge of its window.
    rcv_nxt: u32,
    edge: u32,
    /// The last TSval of the host.
    tsval: u32,
    /// The last segment of the host.
    last: Seg,
}

struct World {
    sut: Sut,
    now_us: u64,
    listener: i32,
    conns: Vec<Conn>,
    /// The most packets that one call may cause.
    most: usize,
}

/// The first byte chooses the host's configuration, the rest are steps.
pub fn run(data: &[u8]) {
    let Some((setup, steps)) = data.split_first() else {
        return;
    };
    let mut world = World::new(*setup);
    let mut bystander = world.bystander();
    for step in steps.chunks_exact(STEP).take(300) {
        let mut bytes = [0; STEP];
        bytes.copy_from_slice(step);
        world.step(&Step::read(&bytes));
    }
    world.still_works(&mut bystander);
    world.ends(&bystander);
}

/// Any result of a call but that the handle is bad.
fn expected(result: Result<usize, Errno>) {
    assert_ne!(result, Err(Errno(libc::EBADF)));
}

fn switch(setup: u8, bit: u8) -> &'static str {
    if setup >> bit & 1 == 1 { "on" } else { "off" }
}

impl World {
    fn new(setup: u8) -> World {
        let flags = format!(
            "timestamps={},wscale={},nagle={},delack_ms={},rcvbuf={},sndbuf={},connections=16,\
             time_waits=64,memory=1048576,\
             backlog=4,data_retries=5,rto_max_ms=8000,fin_wait2_ms=20000,mss=1200",
            switch(setup, 0),
            switch(setup, 1),
            switch(setup, 2),
            if setup >> 3 & 1 == 1 { 100 } else { 0 },
            [700, 65_535, 300_000, 8000][usize::from(setup >> 4 & 3)],
            [500, 8000, 65_536, 200_000][usize::from(setup >> 6 & 3)],
        );
        let now_us = u64::from(setup) << 40 | 77;
        let mut sut = Sut::new(HOST, &flags, now_us).expect("the flags are right");
        let listener = sut.socket_new().expect("there is room");
        sut.bind(listener, [0; 4], LISTENER).expect("it is free");
        sut.listen(listener, 8).expect("it is bound");
        let conn = |i| Conn {
            host_port: LISTENER,
            peer_port: 5000 + i as u16,
            rcv_nxt: 0xffff_f000,
            ..Conn::default()
        };
        World {
            sut,
            now_us,
            listener,
            conns: (0..CONNECTIONS).map(conn).collect(),
            // Every byte of every send buffer in a segment of its own, and an answer for each.
            most: 8000,
        }
    }

    /// What the host says; more than the windows and buffers allow is an error.
    fn hear(&mut self) -> Vec<Seg> {
        // Each connection has one turn.
        assert!(self.sut.usage().due <= 16, "{:?}", self.sut.usage());
        let mut out = Vec::new();
        let mut packets = 0;
        while let Some(packet) = self.sut.output() {
            packets += 1;
            assert!(packets < self.most, "no end of packets");
            let Some(seg) = Seg::parse(&packet) else {
                continue;
            };
            if let Some(c) = self
                .conns
                .iter_mut()
                .find(|c| (c.host_port, c.peer_port) == (seg.src, seg.dst))
            {
                c.hear(&seg);
            }
            out.push(seg);
        }
        out
    }

    fn input(&mut self, packet: &[u8]) {
        match self.sut.input(packet) {
            Ok(()) => {}
            Err(error) => assert!(packet.len() > 65_521, "{error:?}"),
        }
    }

    fn step(&mut self, s: &Step) {
        let i = usize::from(s.conn);
        match s.op {
            op::SEGMENT => {
                let packet = self.conns[i].segment(s).packet(PEER, HOST);
                self.input(&packet);
            }
            op::BURST => {
                // Text in pieces, out of order.
                let base = self.conns[i].segment(s);
                for n in [3u32, 1, 2, 0, 5, 4] {
                    let mut seg = base.clone();
                    seg.seq = seg.seq.wrapping_add(n * u32::from(s.len % 1500));
                    let packet = seg.packet(PEER, HOST);
                    self.input(&packet);
                }
            }
            op::DAMAGE => {
                let mut packet = self.conns[i].segment(s).packet(PEER, HOST);
                let at = usize::from(s.wnd) % packet.len();
                packet[at] ^= s.flags | 1;
                if s.bases & 1 == 1 {
                    packet.truncate(usize::from(s.len) % (packet.len() + 1));
                }
                self.input(&packet);
            }
            op::ICMP => self.icmp(i, s),
            op::CONNECT => self.connect(i),
            op::ACCEPT => {
                if let Ok((h, ip, port)) = self.sut.accept(self.listener) {
                    assert_eq!(ip, PEER);
                    let same = |c: &&mut Conn| c.host_port == LISTENER && c.peer_port == port;
                    match self.conns.iter_mut().find(same) {
                        Some(c) if c.handle.is_none() => c.handle = Some(h),
                        // The one before it in this place still has its handle.
                        _ => self.sut.close(h).expect("it is new"),
                    }
                }
            }
            op::WAIT => {
                self.now_us += u64::from(s.len) << (s.wnd % 12);
                self.sut.advance(self.now_us);
            }
            op::TIMER => {
                if let Some(at) = self.sut.next_timer() {
                    assert!(at > self.now_us, "a timer was left behind");
                    self.now_us = at;
                    self.sut.advance(at);
                }
            }
            _ => self.call(i, s),
        }
        self.hear();
    }

    /// What the user does with a connection.
    fn call(&mut self, i: usize, s: &Step) {
        let Some(h) = self.conns[i].handle else {
            return;
        };
        match s.op {
            op::READ => {
                let mut buf = vec![0; usize::from(s.len)];
                let flags = if s.flags & 1 == 1 { libc::MSG_PEEK } else { 0 };
                expected(self.sut.read(h, &mut buf, flags));
            }
            op::WRITE => {
                let n = self.sut.write(h, &vec![b'w'; usize::from(s.len)], 0);
                expected(n);
            }
            op::SHUTDOWN => {
                let done = self.sut.shutdown(h, i32::from(s.flags % 4));
                expected(done.map(|()| 0));
            }
            op::CLOSE => {
                assert_eq!(self.sut.close(h), Ok(()));
                self.conns[i].handle = None;
            }
            op::OPTION => {
                let options = [
                    (libc::SOL_SOCKET, libc::SO_RCVBUF),
                    (libc::SOL_SOCKET, libc::SO_SNDBUF),
                    (libc::SOL_SOCKET, libc::SO_KEEPALIVE),
                    (libc::SOL_SOCKET, libc::SO_LINGER),
                    (libc::IPPROTO_TCP, libc::TCP_NODELAY),
                    (libc::IPPROTO_TCP, libc::TCP_USER_TIMEOUT),
                    (libc::IPPROTO_TCP, libc::TCP_QUICKACK),
                    (libc::IPPROTO_TCP, libc::TCP_KEEPIDLE),
                    (libc::IPPROTO_TCP, libc::TCP_INFO),
                    (libc::IPPROTO_TCP, libc::TCP_MAXSEG),
                ];
                let (level, option) = options[usize::from(s.flags) % options.len()];
                let value = [
                    i32::from(s.seq).to_ne_bytes(),
                    i32::from(s.wnd).to_ne_bytes(),
                ]
                .concat();
                let set = self.sut.setsockopt(h, level, option, &value);
                expected(set.map(|()| 0));
                let mut value = [0; 128];
                let got = self.sut.getsockopt(h, level, option, &mut value);
                expected(got);
            }
            _ => {
                self.sut.poll(h).expect("the handle is good");
            }
        }
    }

    fn connect(&mut self, i: usize) {
        if self.conns[i].handle.is_some() {
            return;
        }
        let Ok(h) = self.sut.socket_new() else {
            return;
        };
        let port = self.conns[i].peer_port;
        if self.sut.connect(h, PEER, port).is_err() {
            self.sut.close(h).expect("it is new");
            return;
        }
        while let Some(packet) = self.sut.output() {
            if let Some(syn) = Seg::parse(&packet)
                && (syn.flags, syn.dst) == (SYN, port)
            {
                let c = &mut self.conns[i];
                c.host_port = syn.src;
                c.hear(&syn);
            }
        }
        self.conns[i].handle = Some(h);
    }

    /// An ICMP error about the last segment of a connection.
    fn icmp(&mut self, i: usize, s: &Step) {
        let mut quoted = self.conns[i].last.clone();
        quoted.src = self.conns[i].host_port;
        quoted.dst = self.conns[i].peer_port;
        quoted.seq = quoted.seq.wrapping_add(s.seq as u32);
        let quoted = quoted.packet(HOST, PEER);
        let mut message = vec![s.flags % 16, (s.bases % 16), 0, 0, 0, 0];
        message.extend(s.wnd.to_be_bytes());
        message.extend(&quoted[..quoted.len().min(20 + usize::from(s.len % 64))]);
        let sum = checksum(&message, 0);
        message[2..4].copy_from_slice(&sum.to_be_bytes());
        self.input(&ipv4([192, 0, 2, 254], HOST, 1, &message));
    }

    /// A connection that is open before anything else happens.
    fn bystander(&mut self) -> Conn {
        let mut c = Conn {
            host_port: LISTENER,
            peer_port: BYSTANDER,
            rcv_nxt: 1000,
            ..Conn::default()
        };
        let syn = c.next(SYN, b"");
        self.input(&syn.packet(PEER, HOST));
        let syn_ack = self.hear().pop().expect("a SYN-ACK");
        c.hear(&syn_ack);
        let ack = c.next(ACK, b"");
        self.input(&ack.packet(PEER, HOST));
        c.handle = Some(self.sut.accept(self.listener).expect("it is open").0);
        self.hear();
        c
    }

    /// It carries text both ways, whatever happened beside it.
    fn still_works(&mut self, c: &mut Conn) {
        let h = c.handle.expect("it was accepted");
        let text = c.next(ACK | PSH, b"hello");
        self.input(&text.packet(PEER, HOST));
        let mut buf = [0; 10];
        assert_eq!(self.sut.read(h, &mut buf, 0), Ok(5));
        assert_eq!(&buf[..5], b"hello");
        self.hear();
        c.rcv_nxt = c.rcv_nxt.wrapping_add(5);
        assert_eq!(self.sut.write(h, b"world", 0), Ok(5));
        let out = self.hear();
        let heard = out
            .iter()
            .find(|s| s.dst == BYSTANDER && s.text == b"world");
        c.hear(heard.expect("the host answers"));
        let ack = c.next(ACK, b"");
        self.input(&ack.packet(PEER, HOST));
    }

    /// All is closed, and after a while nothing is held.
    fn ends(&mut self, bystander: &Conn) {
        for h in self
            .conns
            .iter()
            .chain([bystander])
            .filter_map(|c| c.handle)
        {
            self.sut.close(h).expect("the handle is good");
        }
        self.sut.close(self.listener).expect("it is open");
        // Keep-alive and retransmission end everything within a day.
        for _ in 0..24 {
            self.now_us += 3_600_000_000;
            self.sut.advance(self.now_us);
            while self.sut.output().is_some() {}
        }
        let usage = self.sut.usage();
        assert_eq!((usage.live, usage.time_wait), (0, 0));
        assert_eq!((usage.receive_chunks, usage.send_chunks), (0, 0));
        assert_eq!(usage.neighbor_users, 0);
        assert_eq!(self.sut.next_timer(), None);
    }
}

/// One past the last sequence number of a segment.
fn end(seg: &Seg) -> u32 {
    let control = [SYN, FIN].iter().filter(|f| seg.flags & **f != 0).count();
    seg.seq.wrapping_add((seg.text.len() + control) as u32)
}

impl Conn {
    /// The host says `seg`.
    fn hear(&mut self, seg: &Seg) {
        if seg.flags & RST == 0 {
            if seg.flags & SYN != 0 {
                self.una = seg.seq;
            }
            self.nxt = end(seg);
            if seg.flags & ACK != 0 {
                self.rcv_nxt = seg.ack;
                self.edge = seg.ack.wrapping_add(seg.wnd.into());
            }
        }
        if let [1, 1, 8, 10, a, b, c, d, ..] = seg.options[..] {
            self.tsval = u32::from_be_bytes([a, b, c, d]);
        }
        self.last = seg.clone();
    }

    /// What the peer says next.
    fn next(&self, flags: u8, text: &[u8]) -> Seg {
        let mut options = Vec::new();
        if flags & SYN != 0 || !self.last.options.is_empty() {
            options.extend([1, 1, 8, 10, 0, 0, 0, 9]);
            options.extend(self.tsval.to_be_bytes());
        }
        Seg {
            src: self.peer_port,
            dst: self.host_port,
            flags,
            seq: self.rcv_nxt.wrapping_sub(u32::from(flags & SYN != 0)),
            ack: self.nxt,
            wnd: 8000,
            options,
            text: text.to_vec(),
            ..Seg::default()
        }
    }

    fn base(&self, which: u8) -> u32 {
        match which % 6 {
            0 => self.rcv_nxt,
            1 => self.nxt,
            2 => self.edge,
            3 => self.una,
            4 => self.rcv_nxt.wrapping_sub(1),
            _ => self.rcv_nxt.wrapping_add(1 << 31),
        }
    }

    /// The segment of a step.
    fn segment(&self, s: &Step) -> Seg {
        let ack_base = match s.bases >> 4 & 7 {
            0..=4 => self.nxt,
            5 => self.una,
            6 => self.nxt.wrapping_sub(1),
            _ => self.edge,
        };
        let mut options = Vec::new();
        // The upper bits of the flags, which are no flags here.
        let (kind, flags) = (s.flags >> 6, s.flags & (FIN | SYN | RST | PSH | ACK | 32));
        if flags & SYN != 0 && kind > 0 {
            options.extend([
                2,
                4,
                (s.wnd >> 8) as u8,
                s.wnd as u8,
                1,
                3,
                3,
                s.bases >> 3 & 15,
            ]);
        }
        if kind != 3 && !(flags & SYN == 0 && self.last.options.is_empty()) {
            options.extend([1, 1, 8, 10]);
            options.extend((9 + u32::from(s.wnd >> 15) - u32::from(kind == 2)).to_be_bytes());
            options.extend(self.tsval.to_be_bytes());
        }
        Seg {
            src: self.peer_port,
            dst: self.host_port,
            flags,
            seq: self
                .base(s.bases & 15)
                .wrapping_add(i32::from(s.seq) as u32),
            ack: ack_base.wrapping_add(i32::from(s.ack) as u32),
            wnd: s.wnd,
            urgent: s.len,
            options,
            text: vec![b't'; usize::from(s.len % 3000)],
        }
    }
}
