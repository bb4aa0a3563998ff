//! How long an entry lasts: what restarts its timer, and that it ends neither early nor late.

use core::net::SocketAddr;
use std::time::{Duration, Instant};

use wire::tcp::Flags;

use crate::client::TimeWait;
use crate::host::Host;
use crate::packet::Packet;
use crate::report::Report;
use crate::time_wait::{answers_to, enter, one_ack, silent};

/// How long answers are waited for.
const QUIET: Duration = Duration::from_millis(250);
/// The first local port.
const FIRST_PORT: u16 = 41_000;

/// What is sent to an entry at two thirds of its time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Disturbance {
    Nothing,
    OldData,
    Rst,
    Fin,
}

/// Whether an entry is there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fate {
    There,
    Gone,
}

/// One entry, and whether it is there at each of the [`MOMENTS`].
struct Case {
    name: &'static str,
    disturbance: Disturbance,
    fates: [Option<Fate>; 3],
}

/// When entries are looked at, in hundredths of the length of TIME-WAIT since the last FIN was
/// acknowledged. A restart at 66 moves the end from 100 to 166. A look may itself be answered only
/// once in 500 ms, and one that finds the entry gone says nothing of later.
const MOMENTS: [u32; 3] = [90, 125, 190];
const DISTURBANCE_AT: u32 = 66;

//= RFC 9293 3.10.7.4
//# Remain in the TIME-WAIT state.  Restart the 2 MSL time-wait timeout.
const CASES: [Case; 5] = [
    Case {
        name: "ends_not_early",
        disturbance: Disturbance::Nothing,
        fates: [Some(Fate::There), None, None],
    },
    Case {
        name: "ends_not_late",
        disturbance: Disturbance::Nothing,
        fates: [None, Some(Fate::Gone), None],
    },
    Case {
        name: "old_data_does_not_restart",
        disturbance: Disturbance::OldData,
        fates: [None, Some(Fate::Gone), None],
    },
    Case {
        name: "rst_does_not_end_or_restart",
        disturbance: Disturbance::Rst,
        fates: [Some(Fate::There), Some(Fate::Gone), None],
    },
    Case {
        name: "fin_restarts",
        disturbance: Disturbance::Fin,
        fates: [None, Some(Fate::There), Some(Fate::Gone)],
    },
];

/// Runs all cases at once against the HTTP server at `port`, whose TIME-WAIT is `length`.
pub(crate) fn run(
    host: &mut Host,
    port: u16,
    length: Duration,
    report: &mut Report,
) -> anyhow::Result<()> {
    let server = SocketAddr::new(host.server(), port);
    let mut entries = Vec::new();
    for (i, case) in CASES.iter().enumerate() {
        let entry = enter(host, server, FIRST_PORT + i as u16, true)?;
        entries.push((case, entry, Ok(())));
    }
    let start = Instant::now();
    let sleep_until = |hundredths: u32| {
        let at = start + length * hundredths / 100;
        std::thread::sleep(at.saturating_duration_since(Instant::now()));
    };

    sleep_until(DISTURBANCE_AT);
    let _ = host.gather(Duration::ZERO)?;
    for (case, entry, _) in &entries {
        if let Some(packet) = disturb(case.disturbance, entry) {
            host.send(packet)?;
        }
    }
    let packets = host.gather(QUIET)?;
    for (case, entry, outcome) in &mut entries {
        let answers = answers_to(entry, &packets);
        *outcome = match case.disturbance {
            Disturbance::Nothing | Disturbance::Rst => silent(&answers),
            Disturbance::OldData | Disturbance::Fin => one_ack(entry, &answers),
        };
    }

    for (moment, hundredths) in MOMENTS.into_iter().enumerate() {
        sleep_until(hundredths);
        for (case, entry, _) in &entries {
            if case.fates[moment].is_some() {
                host.send(look(entry))?;
            }
        }
        let packets = host.gather(QUIET)?;
        for (case, entry, outcome) in &mut entries {
            if let Some(fate) = case.fates[moment] {
                let here = judge(fate, entry, &answers_to(entry, &packets))
                    .map_err(|why| format!("at {hundredths}% of TIME-WAIT: {why}"));
                *outcome = outcome.clone().and(here);
            }
        }
    }
    for (case, _, outcome) in entries {
        report.line(&format!("expiry.{}", case.name), outcome);
    }
    Ok(())
}

fn disturb(disturbance: Disturbance, entry: &TimeWait) -> Option<Packet> {
    match disturbance {
        Disturbance::Nothing => None,
        Disturbance::OldData => {
            let mut packet = look(entry);
            packet.text = vec![b'x'; 10];
            Some(packet)
        }
        Disturbance::Rst => Some(entry.segment(Flags::RST, entry.rcv_nxt, entry.snd_nxt)),
        Disturbance::Fin => Some(entry.retransmitted_fin()),
    }
}

/// An old duplicate ACK: it restarts nothing, TIME-WAIT answers it with an ACK and CLOSED with a
/// RST.
fn look(entry: &TimeWait) -> Packet {
    entry.segment(Flags::ACK, entry.rcv_nxt - 46, entry.snd_nxt - 20)
}

fn judge(fate: Fate, entry: &TimeWait, answers: &[&Packet]) -> Result<(), String> {
    match (fate, answers) {
        (Fate::There, answers) => one_ack(entry, answers),
        //= RFC 9293 3.10.7.1
        //# If the ACK bit is on, <SEQ=SEG.ACK><CTL=RST>
        (Fate::Gone, [answer]) if answer.tcp.flags == Flags::RST => {
            if answer.tcp.seq == look(entry).tcp.ack {
                Ok(())
            } else {
                Err(format!("got {answer}, whose SEQ is not SEG.ACK"))
            }
        }
        (Fate::Gone, [answer, ..]) => {
            Err(format!("got {answer}, expected a RST: it is still there"))
        }
        (Fate::Gone, []) => Err("no answer, expected a RST".into()),
    }
}
