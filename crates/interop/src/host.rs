//! A host of its own on the link: an IP and a link address that the kernel does not have, so
//! that nobody else answers what is sent to it.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use wire::ethernet::{self, ETHERTYPE_ARP, ETHERTYPE_IPV6};
use wire::icmpv6::ndp::{HOP_LIMIT, NeighborAdvertisement, NeighborSolicitation};
use wire::{MacAddr, arp, icmpv6, ipv6};

use crate::link::Link;
use crate::packet::Packet;

/// Locally administered; the kernel would not choose it, and the host part is not random.
const MAC: MacAddr = MacAddr([0x02, 0x00, 0x5e, 0x00, 0x53, 0x03]);

/// The host and the one server that it talks to.
pub(crate) struct Host {
    link: Link,
    address: IpAddr,
    server: IpAddr,
    server_mac: MacAddr,
}

impl Host {
    /// Finds the server's link address by ARP or neighbour discovery.
    pub(crate) fn new(link: Link, address: IpAddr, server: IpAddr) -> anyhow::Result<Host> {
        let mut host = Host {
            link,
            address,
            server,
            server_mac: MacAddr::BROADCAST,
        };
        if host.link.mac() == MAC {
            bail!("the interface already has the link address {MAC}");
        }
        for _ in 0..5 {
            host.ask()?;
            let deadline = Instant::now() + Duration::from_millis(400);
            while let Some(frame) = host.link.receive(deadline)? {
                if let Some(Neighbor::Is(said, mac)) = neighbor_in(frame)
                    && said == server
                {
                    host.server_mac = mac;
                    return Ok(host);
                }
            }
        }
        bail!("{server} does not say where it is")
    }

    /// Asks where the server is.
    fn ask(&self) -> anyhow::Result<()> {
        match (self.address, self.server) {
            (IpAddr::V4(address), IpAddr::V4(server)) => {
                let request = arp::Packet::request(MAC, address.octets(), server.octets());
                self.send_arp(&request, MacAddr::BROADCAST)
            }
            (IpAddr::V6(address), IpAddr::V6(server)) => {
                let group = ipv6::solicited_node(server.octets());
                let message = NeighborSolicitation {
                    target: server.octets(),
                    source_lladdr: Some(MAC),
                };
                let mut bytes = [0; NeighborSolicitation::MAX_LEN];
                message.emit(&mut bytes, address.octets(), group);
                let [.., a, b, c, d] = group;
                let mac = MacAddr([0x33, 0x33, a, b, c, d]);
                self.send_ndp(mac, address, group.into(), &bytes)
            }
            (address, server) => bail!("{address} and {server} are of different families"),
        }
    }

    /// The host's own address.
    pub(crate) fn address(&self) -> IpAddr {
        self.address
    }

    /// The server's address.
    pub(crate) fn server(&self) -> IpAddr {
        self.server
    }

    /// Sends `packet`, whose link addresses are filled in here.
    pub(crate) fn send(&self, mut packet: Packet) -> anyhow::Result<()> {
        packet.macs = [MAC, self.server_mac];
        self.link.send(&packet.frame())
    }

    /// Sends `packet` with a wrong TCP checksum. It has no text.
    pub(crate) fn send_damaged(&self, mut packet: Packet) -> anyhow::Result<()> {
        packet.macs = [MAC, self.server_mac];
        let mut frame = packet.frame();
        let end = frame.len();
        let field = end - packet.tcp.header_len() + 16;
        if let Some(octet) = frame.get_mut(field) {
            *octet ^= 1;
        }
        self.link.send(&frame)
    }

    /// The next segment from the server; `None` if there is none before `deadline`. Questions
    /// for this host's address are answered meanwhile.
    pub(crate) fn receive(&mut self, deadline: Instant) -> anyhow::Result<Option<Packet>> {
        loop {
            let Some(frame) = self.link.receive(deadline)? else {
                return Ok(None);
            };
            if let Some(neighbor) = neighbor_in(frame) {
                self.answer(&neighbor)?;
            } else if let Some(packet) = Packet::parse(frame)
                && packet.macs[1] == MAC
                && packet.src.ip() == self.server
                && packet.dst.ip() == self.address
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

    fn answer(&self, question: &Neighbor) -> anyhow::Result<()> {
        match (question, self.address) {
            (Neighbor::AskedByArp(request), IpAddr::V4(address))
                if request.tpa == address.octets() =>
            {
                self.send_arp(&request.reply(MAC), request.sha)
            }
            (Neighbor::Asked { target, from, mac }, IpAddr::V6(address)) if *target == address => {
                let message = NeighborAdvertisement {
                    router: false,
                    solicited: true,
                    override_entry: true,
                    target: address.octets(),
                    target_lladdr: Some(MAC),
                };
                let mut bytes = [0; NeighborAdvertisement::MAX_LEN];
                message.emit(&mut bytes, address.octets(), from.octets());
                self.send_ndp(*mac, address, *from, &bytes)
            }
            _ => Ok(()),
        }
    }

    fn send_arp(&self, packet: &arp::Packet, dst: MacAddr) -> anyhow::Result<()> {
        let mut bytes = [0; arp::Packet::LEN];
        packet.emit(&mut bytes);
        self.send_frame(dst, ETHERTYPE_ARP, &bytes).context("ARP")
    }

    fn send_ndp(
        &self,
        mac: MacAddr,
        src: Ipv6Addr,
        dst: Ipv6Addr,
        message: &[u8],
    ) -> anyhow::Result<()> {
        let (next, len) = (ipv6::NEXT_HEADER_ICMPV6, message.len() as u16);
        let header = ipv6::Header {
            hop_limit: HOP_LIMIT,
            ..ipv6::Header::new(src.octets(), dst.octets(), next, len)
        };
        let mut bytes = vec![0; ipv6::Header::LEN];
        header.emit(&mut bytes);
        bytes.extend_from_slice(message);
        self.send_frame(mac, ETHERTYPE_IPV6, &bytes)
            .context("neighbour discovery")
    }

    fn send_frame(&self, dst: MacAddr, ethertype: u16, payload: &[u8]) -> anyhow::Result<()> {
        let eth = ethernet::Header {
            dst,
            src: MAC,
            vlan: None,
            ethertype,
        };
        let mut frame = vec![0; eth.len()];
        eth.emit(&mut frame);
        frame.extend_from_slice(payload);
        self.link.send(&frame)
    }
}

/// What a frame says about neighbours.
enum Neighbor {
    /// An ARP request.
    AskedByArp(arp::Packet),
    /// A neighbour solicitation.
    Asked {
        target: Ipv6Addr,
        from: Ipv6Addr,
        mac: MacAddr,
    },
    /// An answer.
    Is(IpAddr, MacAddr),
}

/// What `frame` says about neighbours, unless we sent it ourselves.
fn neighbor_in(frame: &[u8]) -> Option<Neighbor> {
    let (eth, at) = ethernet::Header::parse(frame).ok()?;
    if eth.src == MAC {
        return None;
    }
    match eth.ethertype {
        ETHERTYPE_ARP => {
            let packet = arp::Packet::parse(&frame[at..]).ok()?;
            Some(match packet.operation {
                arp::Operation::Request => Neighbor::AskedByArp(packet),
                arp::Operation::Reply => {
                    Neighbor::Is(Ipv4Addr::from(packet.spa).into(), packet.sha)
                }
            })
        }
        ETHERTYPE_IPV6 => {
            let (ip, payload) = ipv6::Header::parse(&frame[at..]).ok()?;
            if ip.next_header != ipv6::NEXT_HEADER_ICMPV6 {
                return None;
            }
            let context = icmpv6::Context {
                src: ip.src,
                dst: ip.dst,
                hop_limit: ip.hop_limit,
            };
            match icmpv6::Message::parse(&context, &frame[at..][payload]).ok()? {
                icmpv6::Message::NeighborSolicitation(asked) => Some(Neighbor::Asked {
                    target: asked.target.into(),
                    from: ip.src.into(),
                    mac: asked.source_lladdr.unwrap_or(eth.src),
                }),
                icmpv6::Message::NeighborAdvertisement(said) => {
                    let target = Ipv6Addr::from(said.target).into();
                    Some(Neighbor::Is(target, said.target_lladdr?))
                }
                _ => None,
            }
        }
        _ => None,
    }
}
