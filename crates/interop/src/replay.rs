//! A connection of this machine's kernel, watched until the server is in TIME-WAIT; then its own
//! old segments once more. The kernel knows nothing of the connection any longer and answers each
//! ACK of the server with a RST, which is how TIME-WAIT is assassinated where RSTs end it (RFC 1337
//! 2).

use core::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use wire::Seq;
use wire::tcp::{Flags, Options};

use crate::client::TimeWait;
use crate::link::Link;
use crate::packet::Packet;
use crate::report::Report;
use crate::time_wait::{answers_to, one_ack, silent};

/// How long the connection may take to begin and to end.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long answers are waited for.
const QUIET: Duration = Duration::from_millis(500);
/// Longer than the time in which an entry sends one ACK at most.
const ACK_LIMIT: Duration = Duration::from_millis(600);

/// What was seen of the client.
#[derive(Default)]
struct Watched {
    syn: Option<Packet>,
    data: Option<Packet>,
    fin: Option<Packet>,
    /// The server's last segment.
    server: Option<Packet>,
    server_closed: bool,
    /// The server's RCV.NXT and SND.NXT, as the segments show them.
    rcv_nxt: Seq,
    snd_nxt: Option<Seq>,
}

/// Prints `watching` when it does; then whoever waits for that may connect.
pub(crate) fn run(
    link: &mut Link,
    server: SocketAddr,
    client: SocketAddr,
    report: &mut Report,
) -> anyhow::Result<()> {
    println!("watching");
    let mut watched = Watched::default();
    let deadline = Instant::now() + PATIENCE;
    while !watched.is_over() {
        let Some(frame) = link.receive(deadline)? else {
            bail!("not closed by both ends within {PATIENCE:?}");
        };
        match Packet::parse(frame) {
            Some(packet) if (packet.src, packet.dst) == (client, server) => {
                watched.client_sent(packet);
            }
            Some(packet) if (packet.src, packet.dst) == (server, client) => {
                watched.server_sent(packet)?;
            }
            _ => {}
        }
    }
    watched.replay(link, report)
}

impl Watched {
    fn client_sent(&mut self, packet: Packet) {
        if packet.has(Flags::SYN) {
            self.rcv_nxt = packet.end();
        }
        if packet.end().gt(self.rcv_nxt) {
            self.rcv_nxt = packet.end();
        }
        let kept = if packet.has(Flags::SYN) {
            &mut self.syn
        } else if packet.has(Flags::FIN) {
            &mut self.fin
        } else if !packet.text.is_empty() {
            &mut self.data
        } else {
            return;
        };
        kept.get_or_insert(packet);
    }

    fn server_sent(&mut self, packet: Packet) -> anyhow::Result<()> {
        if packet.has(Flags::FIN) {
            if self.fin.is_some() && !self.server_closed {
                bail!("the client closed first");
            }
            self.server_closed = true;
        }
        if self.snd_nxt.is_none_or(|nxt| packet.end().gt(nxt)) {
            self.snd_nxt = Some(packet.end());
        }
        self.server = Some(packet);
        Ok(())
    }

    /// Whether the server has acknowledged the client's FIN.
    fn is_over(&self) -> bool {
        let acked = |p: &Packet| p.tcp.ack == self.rcv_nxt && !p.has(Flags::SYN);
        self.server_closed && self.fin.is_some() && self.server.as_ref().is_some_and(acked)
    }

    fn replay(&self, link: &mut Link, report: &mut Report) -> anyhow::Result<()> {
        let syn = self.syn.as_ref().context("no SYN was seen")?;
        let data = self.data.as_ref().context("no request was seen")?;
        let fin = self.fin.as_ref().context("no FIN was seen")?;
        let server = self.server.as_ref().context("no answer was seen")?;
        let entry = TimeWait {
            client: syn.src,
            server: syn.dst,
            rcv_nxt: self.rcv_nxt,
            snd_nxt: self.snd_nxt.context("no answer was seen")?,
            rcv_wnd: 0,
            ts_recent: fin.ts_val(),
            ts_val: server.ts_val().unwrap_or(0),
        };
        let mut rst = entry.segment(Flags::RST, entry.rcv_nxt, Seq(0));
        rst.tcp.options = Options::NONE;
        rst.macs = fin.macs;

        let (answers, _) = exchange(link, &entry, syn)?;
        report.line("replay.old_syn_is_dropped", silent(&refs(&entry, &answers)));

        let (answers, rsts) = exchange(link, &entry, data)?;
        report.line(
            "replay.old_data_is_acked",
            one_ack(&entry, &refs(&entry, &answers)),
        );
        let shot = if rsts > 0 {
            Ok(())
        } else {
            Err("the kernel sent none".to_owned())
        };
        report.line("replay.the_kernel_answers_with_rst", shot);

        let (answers, _) = exchange(link, &entry, &rst)?;
        report.line("replay.rst_is_ignored", silent(&refs(&entry, &answers)));

        std::thread::sleep(ACK_LIMIT);
        let (answers, _) = exchange(link, &entry, fin)?;
        report.line(
            "replay.fin_again_is_acked_after_all_that",
            one_ack(&entry, &refs(&entry, &answers)),
        );
        Ok(())
    }
}

fn refs<'a>(entry: &TimeWait, answers: &'a [Packet]) -> Vec<&'a Packet> {
    answers_to(entry, answers)
}

/// Sends `packet`; returns what the server answers, and how many RSTs the kernel has sent.
fn exchange(
    link: &mut Link,
    entry: &TimeWait,
    packet: &Packet,
) -> anyhow::Result<(Vec<Packet>, usize)> {
    // What arrived before is no answer.
    while link.receive(Instant::now())?.is_some() {}
    link.send(&packet.frame())?;
    let deadline = Instant::now() + QUIET;
    let (mut answers, mut rsts) = (Vec::new(), 0);
    while let Some(frame) = link.receive(deadline)? {
        match Packet::parse(frame) {
            Some(p) if (p.src, p.dst) == (entry.server, entry.client) => answers.push(p),
            Some(p) if (p.src, p.dst) == (entry.client, entry.server) && p.has(Flags::RST) => {
                rsts += 1;
            }
            _ => {}
        }
    }
    Ok((answers, rsts))
}
