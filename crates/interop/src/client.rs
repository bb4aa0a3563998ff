//! A scripted client: one HTTP request on a connection that the server closes first, every
//! sequence number and timestamp chosen here.

use core::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use wire::tcp::{self, Flags, Options, Timestamps};
use wire::{MacAddr, Seq};

use crate::host::Host;
use crate::packet::Packet;

/// The longest wait for an answer that must come.
const PATIENCE: Duration = Duration::from_secs(3);
/// The connection's last request (RFC 9112 9.6): the server closes after its response.
const REQUEST: &[u8] =
    b"GET / HTTP/1.1\r\nHost: tidewheel\r\nUser-Agent: interop\r\nConnection: close\r\n\r\n";

/// What a server in TIME-WAIT knows of a connection, as its peer can tell. Names of RFC 9293 from
/// the server's point of view.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TimeWait {
    /// The peer: this end.
    pub(crate) client: SocketAddr,
    /// The server.
    pub(crate) server: SocketAddr,
    /// RCV.NXT: past this end's FIN.
    pub(crate) rcv_nxt: Seq,
    /// SND.NXT: past the server's FIN.
    pub(crate) snd_nxt: Seq,
    /// RCV.WND as last advertised, scaled, in bytes.
    pub(crate) rcv_wnd: u32,
    /// TS.Recent, if timestamps were in use.
    pub(crate) ts_recent: Option<u32>,
    /// The server's last TSval.
    pub(crate) ts_val: u32,
}

/// The connection while it is open.
struct Connection<'a> {
    host: &'a mut Host,
    at: TimeWait,
    window_scale: u8,
}

/// A SYN and the numbers that it carries.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Syn {
    /// ISS.
    pub(crate) iss: Seq,
    /// TSval, if timestamps are to be used.
    pub(crate) ts_val: Option<u32>,
}

/// Opens a connection, fetches `/`, lets the server close first and closes: the server is in
/// TIME-WAIT then.
pub(crate) fn fetch(
    host: &mut Host,
    client: SocketAddr,
    server: SocketAddr,
    syn: Syn,
) -> anyhow::Result<TimeWait> {
    host.send(syn.packet(client, server))?;
    let deadline = Instant::now() + PATIENCE;
    while let Some(packet) = host.receive(deadline)? {
        if packet.dst == client && packet.src == server {
            return fetch_on(host, syn, &packet);
        }
    }
    bail!("no answer to a SYN from port {}", client.port())
}

/// Goes on from the answer to `syn`, which must be a SYN-ACK.
pub(crate) fn fetch_on(host: &mut Host, syn: Syn, answer: &Packet) -> anyhow::Result<TimeWait> {
    ensure!(
        answer.tcp.flags == Flags::SYN | Flags::ACK && answer.tcp.ack == syn.iss + 1,
        "not the SYN-ACK of {}: {answer}",
        syn.iss
    );
    ensure!(
        answer.ts_val().is_some() == syn.ts_val.is_some(),
        "timestamps were {}: {answer}",
        if syn.ts_val.is_some() {
            "offered"
        } else {
            "not offered"
        }
    );
    let mut connection = Connection {
        at: TimeWait {
            client: answer.dst,
            server: answer.src,
            rcv_nxt: syn.iss + 1,
            snd_nxt: answer.end(),
            rcv_wnd: u32::from(answer.tcp.window),
            ts_recent: syn.ts_val,
            ts_val: answer.ts_val().unwrap_or(0),
        },
        window_scale: answer.tcp.options.window_scale.unwrap_or(0),
        host,
    };
    connection.transfer()?;
    Ok(connection.at)
}

impl Syn {
    /// The segment.
    pub(crate) fn packet(&self, client: SocketAddr, server: SocketAddr) -> Packet {
        let options = Options {
            mss: Some(1460),
            window_scale: Some(0),
            timestamps: self.ts_val.map(|val| Timestamps { val, ecr: 0 }),
            ..Options::NONE
        };
        segment(client, server, Flags::SYN, self.iss, Seq(0), options)
    }
}

impl TimeWait {
    /// A segment of this connection from the client, timestamps as RFC 7323 has them.
    pub(crate) fn segment(&self, flags: Flags, seq: Seq, ack: Seq) -> Packet {
        let options = Options {
            timestamps: self.ts_recent.map(|val| Timestamps {
                val,
                ecr: self.ts_val,
            }),
            ..Options::NONE
        };
        segment(self.client, self.server, flags, seq, ack, options)
    }

    /// The FIN that the server has already acknowledged, once more.
    pub(crate) fn retransmitted_fin(&self) -> Packet {
        self.segment(Flags::FIN | Flags::ACK, self.rcv_nxt - 1, self.snd_nxt)
    }

    /// Why `packet` is not <SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>, with timestamps if they were in
    /// use.
    pub(crate) fn is_ack(&self, packet: &Packet) -> Result<(), String> {
        let right = packet.tcp.flags == Flags::ACK
            && packet.text.is_empty()
            && packet.tcp.seq == self.snd_nxt
            && packet.tcp.ack == self.rcv_nxt
            && packet.ts_val().is_some() == self.ts_recent.is_some();
        if right {
            return Ok(());
        }
        Err(format!(
            "got {packet}, expected <SEQ={}><ACK={}><CTL=ACK>{}",
            self.snd_nxt,
            self.rcv_nxt,
            if self.ts_recent.is_some() {
                " with timestamps"
            } else {
                ""
            },
        ))
    }
}

impl Connection<'_> {
    fn transfer(&mut self) -> anyhow::Result<()> {
        let mut request =
            self.at
                .segment(Flags::ACK | Flags::PSH, self.at.rcv_nxt, self.at.snd_nxt);
        request.text = REQUEST.to_vec();
        self.at.rcv_nxt = request.end();
        self.host.send(request)?;

        let mut response = Vec::new();
        while !self.receive(&mut response).context("response")? {
            self.host.send(
                self.at
                    .segment(Flags::ACK, self.at.rcv_nxt, self.at.snd_nxt),
            )?;
        }
        ensure!(
            response.starts_with(b"HTTP/1.1 200 "),
            "the response is not 200: {}",
            String::from_utf8_lossy(&response[..response.len().min(80)])
        );

        let fin = self
            .at
            .segment(Flags::FIN | Flags::ACK, self.at.rcv_nxt, self.at.snd_nxt);
        self.at.rcv_nxt = fin.end();
        self.host.send(fin)?;
        let ack = loop {
            let packet = self.next().context("ACK of the last FIN")?;
            // Not what the server sent again before it had our FIN.
            if packet.tcp.ack == self.at.rcv_nxt {
                break packet;
            }
        };
        self.at.is_ack(&ack).map_err(anyhow::Error::msg)
    }

    /// Takes the next segment; true if it brought the server's FIN in order.
    fn receive(&mut self, response: &mut Vec<u8>) -> anyhow::Result<bool> {
        let packet = self.next()?;
        if packet.tcp.seq != self.at.snd_nxt {
            return Ok(false);
        }
        response.extend_from_slice(&packet.text);
        self.at.snd_nxt = packet.end();
        Ok(packet.has(Flags::FIN))
    }

    fn next(&mut self) -> anyhow::Result<Packet> {
        let deadline = Instant::now() + PATIENCE;
        while let Some(packet) = self.host.receive(deadline)? {
            if packet.dst != self.at.client || packet.src != self.at.server {
                continue;
            }
            ensure!(
                !packet.has(Flags::RST),
                "the server reset the connection: {packet}"
            );
            self.at.rcv_wnd = u32::from(packet.tcp.window) << self.window_scale.min(14);
            self.at.ts_val = packet.ts_val().unwrap_or(self.at.ts_val);
            return Ok(packet);
        }
        bail!("nothing came within {PATIENCE:?}")
    }
}

/// A segment of the client's; the host fills in the link addresses.
fn segment(
    client: SocketAddr,
    server: SocketAddr,
    flags: Flags,
    seq: Seq,
    ack: Seq,
    options: Options,
) -> Packet {
    Packet {
        macs: [MacAddr::ZERO; 2],
        src: client,
        dst: server,
        tcp: tcp::Header {
            src_port: client.port(),
            dst_port: server.port(),
            seq,
            ack,
            flags,
            window: u16::MAX,
            urgent: 0,
            options,
        },
        text: Vec::new(),
    }
}
