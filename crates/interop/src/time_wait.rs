//! Sends every vector to an entry of its own, and judges what comes back.

use core::net::SocketAddr;
use std::time::Duration;

use anyhow::Context;
use wire::tcp::{Flags, Timestamps};
use wire::{Seq, tcp};

use crate::client::{self, Syn, TimeWait};
use crate::host::Host;
use crate::packet::Packet;
use crate::report::Report;
use crate::vectors::{At, Expect, Forged, Ts, VECTORS, Vector};

/// How long answers are waited for; what has not come by then is silence. Less than the time-out
/// of a first SYN-ACK (1 s), so that nothing is sent twice within it.
const QUIET: Duration = Duration::from_millis(400);
/// The first local port; each vector has the next.
const FIRST_PORT: u16 = 40_000;

/// A vector and the entry that it is tried on.
struct Case {
    vector: &'static Vector,
    entry: TimeWait,
    /// What the vector's segment got.
    outcome: Result<(), String>,
}

/// Runs all vectors against the HTTP server at `port`.
pub(crate) fn run(host: &mut Host, port: u16, report: &mut Report) -> anyhow::Result<()> {
    let server = SocketAddr::new(host.server(), port);
    let mut cases = Vec::new();
    for (i, vector) in VECTORS.iter().enumerate() {
        let entry = enter(host, server, FIRST_PORT + i as u16, vector.timestamps)
            .with_context(|| format!("{}: into TIME-WAIT", vector.name))?;
        cases.push(Case {
            vector,
            entry,
            outcome: Ok(()),
        });
    }

    // One after the other would wait as long for each as for all together.
    for case in &cases {
        if let Some(before) = &case.vector.before {
            host.send(forge(before, &case.entry))?;
        }
    }
    let answers = host.gather(QUIET)?;
    for case in &mut cases {
        if case.vector.before.is_some() {
            case.outcome = silent(&answers_to(&case.entry, &answers));
        }
    }

    for case in &cases {
        host.send(forge(&case.vector.segment, &case.entry))?;
    }
    let answers = host.gather(QUIET)?;
    for case in &mut cases {
        let outcome = judge(host, case, &answers_to(&case.entry, &answers))?;
        case.outcome = case.outcome.clone().and(outcome);
    }

    // What did not open must have left the entry as it was: a FIN that comes again is answered.
    let kept = |case: &&mut Case| case.vector.expect != Expect::Accept;
    for case in cases.iter_mut().filter(kept) {
        host.send(newer(case.entry.retransmitted_fin()))?;
    }
    let answers = host.gather(QUIET)?;
    for case in cases.iter_mut().filter(kept) {
        let after = one_ack(&case.entry, &answers_to(&case.entry, &answers))
            .map_err(|why| format!("and then the FIN again: {why}"));
        case.outcome = case.outcome.clone().and(after);
    }

    for case in cases {
        report.line(&format!("time_wait.{}", case.vector.name), case.outcome);
    }
    Ok(())
}

/// A new entry for the tuple of `port`, with numbers that wrap in some of them.
pub(crate) fn enter(
    host: &mut Host,
    server: SocketAddr,
    port: u16,
    timestamps: bool,
) -> anyhow::Result<TimeWait> {
    let client = SocketAddr::new(host.address(), port);
    let spread = u32::from(port).wrapping_mul(0x9e37_79b9);
    let syn = Syn {
        iss: Seq(spread),
        ts_val: timestamps.then_some(spread.rotate_left(16)),
    };
    client::fetch(host, client, server, syn)
}

/// Judges the answers to the vector's own segment.
fn judge(host: &mut Host, case: &Case, answers: &[&Packet]) -> anyhow::Result<Result<(), String>> {
    Ok(match (case.vector.expect, answers) {
        (Expect::Silence, answers) => silent(answers),
        (Expect::Ack, answers) => one_ack(&case.entry, answers),
        (Expect::Accept, [answer]) => opened(host, case, answer),
        (Expect::Accept, []) => Err("no answer, expected a SYN-ACK".into()),
        (Expect::Accept, [_, second, ..]) => Err(format!("a second answer: {second}")),
    })
}

/// RFC 9293 3.6.1 MAY-2 (1): the new ISS is beyond all that was used before; and the connection
/// then works.
fn opened(host: &mut Host, case: &Case, answer: &Packet) -> Result<(), String> {
    let segment = forge(&case.vector.segment, &case.entry);
    let syn = Syn {
        iss: segment.tcp.seq,
        ts_val: segment.ts_val(),
    };
    if !answer.has(Flags::SYN) {
        return Err(format!("got {answer}, expected a SYN-ACK"));
    }
    if !answer.tcp.seq.ge(case.entry.snd_nxt) {
        return Err(format!(
            "got {answer}, whose ISS is not beyond the old SND.NXT {}",
            case.entry.snd_nxt
        ));
    }
    let echoed = answer.tcp.options.timestamps.map(|ts| ts.ecr);
    if echoed != syn.ts_val {
        return Err(format!(
            "got {answer}, which does not echo {:?}",
            syn.ts_val
        ));
    }
    client::fetch_on(host, syn, answer)
        .map(|_| ())
        .map_err(|error| format!("the new connection: {error:#}"))
}

/// The segment that `forged` describes, relative to `entry`.
fn forge(forged: &Forged, entry: &TimeWait) -> Packet {
    let seq = match forged.seq {
        At::RcvNxt(distance) => moved(entry.rcv_nxt, distance),
        At::WindowEnd(distance) => moved(entry.rcv_nxt + entry.rcv_wnd, distance),
    };
    let has_ack = forged.flags.contains(Flags::ACK);
    let ack = if has_ack {
        moved(entry.snd_nxt, forged.ack)
    } else {
        Seq(0)
    };
    let mut packet = entry.segment(forged.flags, seq, ack);
    if forged.flags == Flags::SYN {
        packet.tcp.options.mss = Some(1460);
        packet.tcp.options.window_scale = Some(0);
    }
    packet.tcp.options.timestamps = match forged.ts {
        Ts::None => None,
        Ts::Recent(distance) => Some(Timestamps {
            val: entry.ts_recent.unwrap_or(1).wrapping_add_signed(distance),
            ecr: if has_ack { entry.ts_val } else { 0 },
        }),
    };
    packet.tcp.urgent = u16::from(forged.flags.contains(Flags::URG));
    packet.text = vec![b'x'; forged.text];
    packet
}

/// `seq` moved by `distance`, modulo 2^32.
fn moved(seq: Seq, distance: i64) -> Seq {
    seq + distance as u32
}

/// `packet` with a TSval that is new to the server whatever the vector's segment had.
fn newer(mut packet: Packet) -> Packet {
    let tcp::Header { options, .. } = &mut packet.tcp;
    if let Some(ts) = &mut options.timestamps {
        ts.val = ts.val.wrapping_add(100);
    }
    packet
}

/// The packets that belong to the tuple of `entry`.
pub(crate) fn answers_to<'a>(entry: &TimeWait, packets: &'a [Packet]) -> Vec<&'a Packet> {
    let belongs = |p: &&Packet| p.dst == entry.client && p.src == entry.server;
    packets.iter().filter(belongs).collect()
}

/// Nothing was sent.
pub(crate) fn silent(answers: &[&Packet]) -> Result<(), String> {
    match answers {
        [] => Ok(()),
        [answer, ..] => Err(format!("got {answer}, expected silence")),
    }
}

/// The one ACK that TIME-WAIT sends.
pub(crate) fn one_ack(entry: &TimeWait, answers: &[&Packet]) -> Result<(), String> {
    match answers {
        [] => Err("no answer, expected an ACK".into()),
        [answer] => entry.is_ack(answer),
        [_, second, ..] => Err(format!("a second answer: {second}")),
    }
}
