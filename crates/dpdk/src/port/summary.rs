//! What a started port does, in words.

use std::fmt;

use super::{Enabled, Offloads, RssFields};

impl fmt::Display for Enabled {
    /// As in `2 queues spread by RSS; checksums by the device: received IPv4 TCP, sent none`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.rx_queues == 1 { "" } else { "s" };
        write!(f, "{} queue{plural}", self.rx_queues)?;
        if let Some(rss) = &self.rss {
            write!(f, " spread by RSS")?;
            if !rss.fields.contains(RssFields::IPV6_TCP) {
                write!(f, ", IPv4 only")?;
            }
        }
        let (rx, tx) = (
            [Offloads::RX_IPV4_CHECKSUM, Offloads::RX_TCP_CHECKSUM],
            [Offloads::TX_IPV4_CHECKSUM, Offloads::TX_TCP_CHECKSUM],
        );
        write!(f, "; checksums by the device: received")?;
        self.checksums(f, rx)?;
        write!(f, ", sent")?;
        self.checksums(f, tx)?;
        let taken_off = self.offloads.contains(Offloads::RX_VLAN_STRIP);
        let put_on = self.offloads.contains(Offloads::TX_VLAN_INSERT);
        match (taken_off, put_on) {
            (false, false) => Ok(()),
            (true, false) => write!(f, "; VLAN tags by the device: taken off"),
            (false, true) => write!(f, "; VLAN tags by the device: put on"),
            (true, true) => write!(f, "; VLAN tags by the device: taken off, put on"),
        }
    }
}

impl Enabled {
    fn checksums(&self, f: &mut fmt::Formatter<'_>, of: [Offloads; 2]) -> fmt::Result {
        if !self.offloads.intersects(of[0] | of[1]) {
            return write!(f, " none");
        }
        for (offload, name) in of.into_iter().zip(["IPv4", "TCP"]) {
            if self.offloads.contains(offload) {
                write!(f, " {name}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Rss;

    #[test]
    fn a_port_in_words() {
        let mut enabled = Enabled {
            rx_queues: 2,
            tx_queues: 2,
            rx_descriptors: 512,
            tx_descriptors: 512,
            mtu: 1500,
            offloads: Offloads::CHECKSUMS,
            rss: Some(Rss {
                key: Vec::new(),
                fields: RssFields::IPV4_TCP | RssFields::IPV6_TCP,
            }),
            reta: vec![0, 1],
            promiscuous: false,
            all_multicast: false,
        };
        let text =
            "2 queues spread by RSS; checksums by the device: received IPv4 TCP, sent IPv4 TCP";
        assert_eq!(enabled.to_string(), text);
        enabled.rss = enabled.rss.map(|rss| Rss {
            fields: RssFields::IPV4_TCP,
            ..rss
        });
        let text = "2 queues spread by RSS, IPv4 only; checksums by the device: received IPv4 TCP, sent IPv4 TCP";
        assert_eq!(enabled.to_string(), text);
        enabled.rx_queues = 1;
        enabled.rss = None;
        enabled.offloads = Offloads::RX_TCP_CHECKSUM | Offloads::TX_UDP_CHECKSUM;
        let text = "1 queue; checksums by the device: received TCP, sent none";
        assert_eq!(enabled.to_string(), text);
        enabled.offloads = Offloads::RX_VLAN_STRIP | Offloads::TX_VLAN_INSERT;
        let text = "1 queue; checksums by the device: received none, sent none; VLAN tags by the device: taken off, put on";
        assert_eq!(enabled.to_string(), text);
    }
}
