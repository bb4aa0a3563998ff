//! A host of its own on the link: an IPv4 and a link address that the kernel does not have, so
//! that nobody else answers what is sent to it.

use core::net::Ipv4Addr;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use wire::ethernet::{self, ETHERTYPE_ARP};
use wire::{MacAddr, arp};

use crate::link::Link;
use crate::packet::Packet;

/// Locally administered; the kernel would not choose it, and the host part is not random.
const MAC: MacAddr = MacAddr([0x02, 0x00, 0x5e, 0x00, 0x53, 0x03]);

/// The host and the one server that it talks to.
pub(crate) struct Host {
    link: Link,
    address: Ipv4Addr,
    server: Ipv4Addr,
    server_mac: MacAddr,
}

impl Host {
    /// Finds the server's link address by ARP.
    pub(crate) fn new(link: Link, address: Ipv4Addr, server: Ipv4Addr) -> anyhow::Result<Host> {
        let mut host = Host {
            link,
            address,
            server,
            server_mac: MacAddr::BROADCAST,
        };
        if host.link.mac() == MAC {
            bail!("the interface already has the link address {MAC}");
        }
        let request = arp::Packet::request(MAC, address.octets(), server.octets());
        for _ in 0..5 {
            host.send_arp(&request, MacAddr::BROADCAST)?;
            let deadline = Instant::now() + Duration::from_millis(400);
            while let Some(frame) = host.link.receive(deadline)? {
                if let Some(reply) = arp_in(frame)
                    && reply.operation == arp::Operation::Reply
                    && reply.spa == server.octets()
                    && reply.tpa == address.octets()
                {
                    host.server_mac = reply.sha;
                    return Ok(host);
                }
            }
        }
        bail!("{server} does not answer ARP")
    }

    /// The host's own address.
    pub(crate) fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// The server's address.
    pub(crate) fn server(&self) -> Ipv4Addr {
        self.server
    }

    /// Sends `packet`, whose link addresses are filled in here.
    pub(crate) fn send(&self, mut packet: Packet) -> anyhow::Result<()> {
        packet.macs = [MAC, self.server_mac];
        self.link.send(&packet.frame())
    }

    /// The next segment from the server; `None` if there is none before `deadline`. ARP requests
    /// for this host are answered meanwhile.
    pub(crate) fn receive(&mut self, deadline: Instant) -> anyhow::Result<Option<Packet>> {
        loop {
            let Some(frame) = self.link.receive(deadline)? else {
                return Ok(None);
            };
            if let Some(request) = arp_in(frame) {
                let ours = request.tpa == self.address.octets();
                if ours && request.operation == arp::Operation::Request {
                    self.send_arp(&request.reply(MAC), request.sha)?;
                }
            } else if let Some(packet) = Packet::parse(frame)
                && packet.macs[1] == MAC
                && *packet.src.ip() == self.server
                && *packet.dst.ip() == self.address
            {
                return Ok(Some(packet));
            }
        }
    }

    /// Every segment from the server in the next `time`.
    pub(crate) fn gather(&mut self, time: Duration) -> anyhow::Result<Vec<Packet>> {
        let deadline = Instant::now() + time;
        let mut packets = Vec::new();
        while let Some(packet) = self.receive(deadline)? {
            packets.push(packet);
        }
        Ok(packets)
    }

    fn send_arp(&self, packet: &arp::Packet, dst: MacAddr) -> anyhow::Result<()> {
        let eth = ethernet::Header {
            dst,
            src: MAC,
            vlan: None,
            ethertype: ETHERTYPE_ARP,
        };
        let mut frame = vec![0; eth.len() + arp::Packet::LEN];
        let at = eth.emit(&mut frame);
        packet.emit(&mut frame[at..]);
        self.link.send(&frame).context("ARP")
    }
}

/// The ARP packet in `frame`, unless we sent it ourselves.
fn arp_in(frame: &[u8]) -> Option<arp::Packet> {
    let (eth, at) = ethernet::Header::parse(frame).ok()?;
    if eth.ethertype != ETHERTYPE_ARP || eth.src == MAC {
        return None;
    }
    arp::Packet::parse(&frame[at..]).ok()
}
