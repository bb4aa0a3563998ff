//! Every state meets every kind of segment, at every place of the sequence space and with every kind
//! of acknowledgment; the oracle says what comes of it.

use std::collections::BTreeMap;

use crate::oracle::{Choice, Outcome, Reply, State, Tcb, seg_len};
use crate::packet::{ACK, FIN, PSH, RST, SYN, Seg, URG, flag_names, timestamps};
use crate::rig::{BARE, Conn, IRS, LISTENER, NOBODY, PEER_PORT, PEER_WND, Rig, stream};

/// How a connection comes to the state in which it is looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Setup {
    Closed,
    Listen,
    SynSent,
    SynReceived,
    Crossed,
    Established,
    Connected,
    /// A thousand bytes of ours are unacknowledged.
    InFlight,
    /// The receive buffer is full.
    ZeroWindow,
    FinWait1,
    /// A thousand bytes and the FIN are unacknowledged.
    FinWait1InFlight,
    /// The user has closed: nobody reads.
    FinWait1Orphan,
    FinWait2,
    FinWait2Orphan,
    CloseWait,
    Closing,
    LastAck,
    LastAckInFlight,
    TimeWait,
}

const SETUPS: [Setup; 19] = [
    Setup::Closed,
    Setup::Listen,
    Setup::SynSent,
    Setup::SynReceived,
    Setup::Crossed,
    Setup::Established,
    Setup::Connected,
    Setup::InFlight,
    Setup::ZeroWindow,
    Setup::FinWait1,
    Setup::FinWait1InFlight,
    Setup::FinWait1Orphan,
    Setup::FinWait2,
    Setup::FinWait2Orphan,
    Setup::CloseWait,
    Setup::Closing,
    Setup::LastAck,
    Setup::LastAckInFlight,
    Setup::TimeWait,
];

const IN_FLIGHT: usize = 1000;

impl Setup {
    fn state(self) -> State {
        match self {
            Setup::Closed => State::Closed,
            Setup::Listen => State::Listen,
            Setup::SynSent => State::SynSent,
            Setup::SynReceived | Setup::Crossed => State::SynReceived,
            Setup::Established | Setup::Connected | Setup::InFlight | Setup::ZeroWindow => {
                State::Established
            }
            Setup::FinWait1 | Setup::FinWait1InFlight | Setup::FinWait1Orphan => State::FinWait1,
            Setup::FinWait2 | Setup::FinWait2Orphan => State::FinWait2,
            Setup::CloseWait => State::CloseWait,
            Setup::Closing => State::Closing,
            Setup::LastAck | Setup::LastAckInFlight => State::LastAck,
            Setup::TimeWait => State::TimeWait,
        }
    }

    /// Brings a connection there.
    fn make(self, rig: &mut Rig, port: u16) -> Conn {
        match self {
            Setup::Closed => rig.nobody(NOBODY, port),
            Setup::Listen => rig.nobody(LISTENER, port),
            Setup::SynSent => rig.syn_sent(port),
            Setup::SynReceived => rig.syn_received(port),
            Setup::Crossed => rig.crossed(port),
            Setup::Established => rig.established(port),
            Setup::Connected => rig.connected(port),
            Setup::InFlight => {
                let mut c = rig.established(port);
                assert_eq!(rig.write(&c, IN_FLIGHT), IN_FLIGHT);
                rig.heard_one(&mut c);
                c
            }
            Setup::ZeroWindow => {
                let mut c = rig.established(port);
                rig.send_text(&mut c, 8000);
                assert_eq!(rig.heard_one(&mut c).wnd, 0);
                c
            }
            Setup::FinWait1 => {
                let mut c = rig.established(port);
                rig.shutdown(&mut c);
                c
            }
            Setup::FinWait1InFlight => {
                let mut c = Setup::InFlight.make(rig, port);
                rig.shutdown(&mut c);
                c
            }
            Setup::FinWait1Orphan => {
                let mut c = rig.established(port);
                rig.close(&mut c);
                rig.heard_one(&mut c);
                c
            }
            Setup::FinWait2 => {
                let mut c = Setup::FinWait1.make(rig, port);
                let ack = c.iss.wrapping_add(2);
                rig.acknowledge(&mut c, ack);
                rig.silent(&mut c);
                c
            }
            Setup::FinWait2Orphan => {
                let mut c = Setup::FinWait1Orphan.make(rig, port);
                let ack = c.iss.wrapping_add(2);
                rig.acknowledge(&mut c, ack);
                rig.silent(&mut c);
                c
            }
            Setup::CloseWait => {
                let mut c = rig.established(port);
                rig.send(&mut c, FIN | ACK, b"");
                rig.heard_one(&mut c);
                c
            }
            Setup::Closing => {
                let mut c = Setup::FinWait1.make(rig, port);
                rig.send(&mut c, FIN | ACK, b"");
                rig.heard_one(&mut c);
                c
            }
            Setup::LastAck => {
                let mut c = Setup::CloseWait.make(rig, port);
                rig.shutdown(&mut c);
                c
            }
            Setup::LastAckInFlight => {
                let mut c = Setup::CloseWait.make(rig, port);
                rig.write(&c, IN_FLIGHT);
                rig.heard_one(&mut c);
                rig.shutdown(&mut c);
                c
            }
            Setup::TimeWait => {
                let mut c = Setup::FinWait2.make(rig, port);
                rig.send(&mut c, FIN | ACK, b"");
                rig.heard_one(&mut c);
                c
            }
        }
    }

    /// What the oracle is to know, from what was seen on the wire.
    fn tcb(self, c: &Conn) -> Tcb {
        let after_syn = c.iss.wrapping_add(1);
        let (text, fin) = match self {
            Setup::InFlight => (IN_FLIGHT, false),
            Setup::FinWait1InFlight | Setup::LastAckInFlight => (IN_FLIGHT, true),
            _ => (
                0,
                matches!(
                    self.state(),
                    State::FinWait1
                        | State::FinWait2
                        | State::Closing
                        | State::LastAck
                        | State::TimeWait
                ),
            ),
        };
        let is_acked = matches!(self.state(), State::FinWait2 | State::TimeWait);
        let snd_nxt = after_syn.wrapping_add(text as u32 + u32::from(fin));
        let is_open = !matches!(
            self,
            Setup::SynSent | Setup::SynReceived | Setup::Crossed | Setup::Closed | Setup::Listen
        );
        Tcb {
            state: self.state(),
            passive: self != Setup::Crossed,
            iss: c.iss,
            snd_una: match (is_open, is_acked) {
                (false, _) => c.iss,
                (true, false) => after_syn,
                (true, true) => snd_nxt,
            },
            snd_nxt,
            max_snd_wnd: PEER_WND.into(),
            irs: IRS,
            rcv_nxt: c.seq,
            rcv_wnd: c.last.wnd.into(),
            fin_sent: fin,
            orphan: matches!(self, Setup::FinWait1Orphan | Setup::FinWait2Orphan),
        }
    }
}

/// The kinds of segments: flags, and bytes of text.
const KINDS: [(u8, usize); 23] = [
    (0, 0),
    (SYN, 0),
    (SYN, 100),
    (SYN | ACK, 0),
    (SYN | ACK, 100),
    (SYN | FIN, 0),
    (SYN | FIN | ACK, 0),
    (SYN | RST, 0),
    (SYN | RST | ACK, 0),
    (FIN, 0),
    (FIN | ACK, 0),
    (FIN | ACK, 1),
    (FIN | ACK | PSH, 100),
    (FIN | PSH | URG, 0),
    (RST, 0),
    (RST | ACK, 0),
    (RST | ACK, 50),
    (ACK, 0),
    (ACK, 1),
    (ACK | PSH, 100),
    (PSH, 100),
    (ACK | URG, 100),
    (ACK, 8100),
];

/// Places of a segment of length `len`: left of the window, on its edges, across them, inside and
/// right of it.
fn places(tcb: &Tcb, len: u32) -> Vec<u32> {
    let (nxt, wnd) = (tcb.rcv_nxt, tcb.rcv_wnd);
    let left =
        [0x7fff_ffff, wnd + 1, 3000, len + 1, len, len / 2, 1, 0].map(|n| nxt.wrapping_sub(n));
    let right = [
        1,
        wnd / 2,
        wnd.wrapping_sub(len),
        wnd.wrapping_sub(len).wrapping_add(1),
        wnd.wrapping_sub(1),
        wnd,
        wnd + 1,
        0x7fff_0000,
    ]
    .map(|n| nxt.wrapping_add(n));
    let mut all = [left, right].concat();
    all.push(tcb.irs);
    all.sort_unstable();
    all.dedup();
    // Half of the space away there is no before and after.
    all.retain(|seq| seq.wrapping_sub(nxt) != 1 << 31);
    all
}

fn acks(tcb: &Tcb, flags: u8) -> Vec<u32> {
    if flags & ACK == 0 {
        return vec![0];
    }
    let (una, nxt) = (tcb.snd_una, tcb.snd_nxt);
    let oldest = una.wrapping_sub(tcb.max_snd_wnd);
    let mut all = vec![
        una.wrapping_sub(0x4000_0000),
        oldest.wrapping_sub(1),
        oldest,
        una.wrapping_sub(1),
        una,
        una.wrapping_add(nxt.wrapping_sub(una) / 2),
        nxt.wrapping_sub(1),
        nxt,
        nxt.wrapping_add(1),
        nxt.wrapping_add(0x4000_0000),
    ];
    all.sort_unstable();
    all.dedup();
    all
}

fn number(state: State) -> u8 {
    match state {
        State::Established => 1,
        State::SynSent => 2,
        State::SynReceived => 3,
        State::FinWait1 => 4,
        State::FinWait2 => 5,
        State::TimeWait => 6,
        State::Closed => 7,
        State::CloseWait => 8,
        State::LastAck => 9,
        State::Listen => 10,
        State::Closing => 11,
    }
}

fn is_reply(seg: &Seg, reply: &Reply) -> bool {
    match *reply {
        Reply::Ack { seq, ack } => (seg.flags, seg.seq, seg.ack) == (ACK, seq, ack),
        Reply::Rst { seq } => (seg.flags, seg.seq, seg.ack) == (RST, seq, 0),
        Reply::RstAck { seq, ack } => (seg.flags, seg.seq, seg.ack) == (RST | ACK, seq, ack),
        Reply::SynAck { seq, ack } => {
            (seg.flags, seg.ack) == (SYN | ACK, ack) && seq.is_none_or(|seq| seg.seq == seq)
        }
    }
}

/// One segment for one connection; what is not as it should be.
fn meet(rig: &mut Rig, setup: Setup, c: &mut Conn, tcb: &mut Tcb, seg: &Seg) -> Vec<String> {
    let mut wrong = Vec::new();
    let live = rig.sut.usage().live;
    let want: Outcome = tcb.segment_arrives(seg);
    rig.input(seg);
    let out = rig.heard(c);
    let answered = match (&want.reply, &out[..]) {
        (None, []) => true,
        (Some(reply), [seg]) => is_reply(seg, reply),
        _ => false,
    };
    if !answered {
        wrong.push(format!("sent {out:?}, not {:?}", want.reply));
        return wrong;
    }
    let left = live.saturating_sub(rig.sut.usage().live);
    let ends = want.gone || (tcb.state == State::TimeWait && setup != Setup::TimeWait);
    if (left == 1) != ends {
        wrong.push(format!("{left} connections gone, expected {ends}"));
    }
    if setup == Setup::SynReceived {
        let opened = rig.sut.accept(rig.listener);
        let opens = !matches!(tcb.state, State::SynReceived | State::Listen);
        if opened.is_ok() != opens {
            wrong.push(format!("accept: {opened:?}"));
        }
        c.handle = opened.ok().map(|(h, ..)| h);
    }
    if c.handle.is_some() {
        let state = rig.state(c);
        if state != number(tcb.state) && setup != Setup::TimeWait {
            wrong.push(format!("in state {state}, not {:?}", tcb.state));
        }
        let before = match setup {
            Setup::ZeroWindow => stream(IRS.wrapping_add(1), 8000),
            _ => vec![],
        };
        let text = [before, seg.text[want.text.clone()].to_vec()].concat();
        let read = rig.read(c).unwrap_or_default();
        if !want.gone && read != text {
            wrong.push(format!("{} bytes read, not {}", read.len(), text.len()));
        }
        // A window update.
        rig.heard(c);
    }
    let talks = !matches!(
        tcb.state,
        State::Closed | State::Listen | State::SynSent | State::TimeWait | State::SynReceived
    );
    if talks && !want.gone {
        // An old segment is told where the connection is.
        let probe = rig.segment(c, ACK, tcb.rcv_nxt.wrapping_sub(1), tcb.snd_una, b"");
        rig.input(&probe);
        let out = rig.heard(c);
        let here = Reply::Ack {
            seq: tcb.snd_nxt,
            ack: tcb.rcv_nxt,
        };
        if out.len() != 1 || !is_reply(&out[0], &here) {
            wrong.push(format!("then sent {out:?}, not {here:?}"));
        }
    }
    wrong
}

/// Connections that a rig serves before a new one is made.
const A_RIG: usize = 500;

/// What is wrong, by kind of segment; the choices that were met; how many cases there were.
type Report = (
    BTreeMap<String, Vec<String>>,
    BTreeMap<String, usize>,
    usize,
);

fn meet_all(setups: &[Setup], flags: &str, options: &[u8]) -> Report {
    let new_rig = || {
        let mut rig = Rig::new(flags);
        rig.options = options.to_vec();
        rig
    };
    let mut failures: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut choices: BTreeMap<String, usize> = BTreeMap::new();
    let mut cases = 0;
    for &setup in setups {
        let mut rig = new_rig();
        let mut used = 0;
        for (flags, len) in KINDS {
            let mut sample = new_rig();
            let c = setup.make(&mut sample, PEER_PORT);
            let sample = setup.tcb(&c);
            let control = u32::from(flags & SYN != 0) + u32::from(flags & FIN != 0);
            for place in places(&sample, len as u32 + control) {
                for number in 0..acks(&sample, flags).len() {
                    if used == A_RIG {
                        rig = new_rig();
                        used = 0;
                    }
                    let mut c = setup.make(&mut rig, PEER_PORT + used as u16);
                    used += 1;
                    let mut tcb = setup.tcb(&c);
                    // ISS is another one for each connection.
                    let mut ack_values = acks(&sample, flags);
                    for ack in &mut ack_values {
                        *ack = ack.wrapping_sub(sample.iss).wrapping_add(tcb.iss);
                    }
                    let ack = if flags & ACK == 0 {
                        0
                    } else {
                        ack_values[number]
                    };
                    let seg = rig.segment(&c, flags, place, ack, &stream(place, len));
                    assert_eq!(seg_len(&seg), len as u32 + control);
                    let before = tcb.clone();
                    if let Some(choice) = tcb.clone().segment_arrives(&seg).choice {
                        *choices.entry(format!("{choice:?}")).or_default() += 1;
                    }
                    let wrong = meet(&mut rig, setup, &mut c, &mut tcb, &seg);
                    cases += 1;
                    for what in wrong {
                        let case = format!(
                            "SEQ=RCV.NXT{:+} ACK=SND.UNA{:+} (SND.NXT=SND.UNA{:+}, RCV.WND={}): {what}",
                            seg.seq.wrapping_sub(before.rcv_nxt) as i32,
                            seg.ack.wrapping_sub(before.snd_una) as i32,
                            before.snd_nxt.wrapping_sub(before.snd_una) as i32,
                            before.rcv_wnd,
                        );
                        failures
                            .entry(format!("{setup:?} {} {len}", flag_names(flags)))
                            .or_default()
                            .push(case);
                    }
                }
            }
        }
    }
    (failures, choices, cases)
}

fn show(failures: &BTreeMap<String, Vec<String>>) -> usize {
    for (kind, cases) in failures {
        println!("{kind}: {} wrong", cases.len());
        for case in cases.iter().take(4) {
            println!("    {case}");
        }
    }
    failures.values().map(Vec::len).sum()
}

#[test]
fn every_state_meets_every_segment() {
    let (failures, choices, cases) = meet_all(&SETUPS, BARE, &[]);
    assert_eq!(show(&failures), 0, "of {cases} cases");
    assert!(cases > 30_000, "{cases}");
    for choice in [
        Choice::SynFinIsNoSyn,
        Choice::SynAckAgain,
        Choice::TimeWait,
        Choice::CoversTheWindow,
        Choice::FinAtZeroWindow,
    ] {
        assert!(choices.contains_key(&format!("{choice:?}")), "{choice:?}");
    }
}

#[test]
fn timestamps_that_are_in_order_change_nothing() {
    // But in TIME-WAIT, where RFC 6191 looks at them.
    let setups: Vec<Setup> = SETUPS
        .into_iter()
        .filter(|s| *s != Setup::TimeWait)
        .collect();
    let flags = BARE.replace("timestamps=off", "timestamps=on");
    let (failures, _, cases) = meet_all(&setups, &flags, &timestamps(1000, 0));
    assert_eq!(show(&failures), 0, "of {cases} cases");
}
