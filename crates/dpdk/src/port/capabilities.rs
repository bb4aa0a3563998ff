//! What a device can do.

use std::ffi::{CStr, c_char};
use std::ops::RangeInclusive;

use dpdk_sys as sys;

use crate::Error;
use crate::error::check;

bitflags::bitflags! {
    /// Work that a device can take over.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub struct Offloads: u32 {
        /// Verdict on the IPv4 header checksum of received frames.
        const RX_IPV4_CHECKSUM = 1 << 0;
        /// Verdict on the TCP checksum of received frames.
        const RX_TCP_CHECKSUM = 1 << 1;
        /// Verdict on the UDP checksum of received frames.
        const RX_UDP_CHECKSUM = 1 << 2;
        /// Delivering the RSS hash with the frame.
        const RX_RSS_HASH = 1 << 3;
        /// Receiving a frame into several buffers.
        const RX_SCATTER = 1 << 4;
        /// Taking the VLAN tag off received frames.
        const RX_VLAN_STRIP = 1 << 5;
        /// Filling in the IPv4 header checksum.
        const TX_IPV4_CHECKSUM = 1 << 8;
        /// Filling in the TCP checksum.
        const TX_TCP_CHECKSUM = 1 << 9;
        /// Filling in the UDP checksum.
        const TX_UDP_CHECKSUM = 1 << 10;
        /// TCP segmentation.
        const TX_TCP_TSO = 1 << 11;
        /// Sending a frame out of several buffers.
        const TX_MULTI_SEGS = 1 << 12;
        /// Inserting a VLAN tag.
        const TX_VLAN_INSERT = 1 << 13;
        /// Freeing sent buffers without looking at them. Reported, but never switched on: it would
        /// return a buffer to the wrong pool when a queue is given frames of several.
        const TX_MBUF_FAST_FREE = 1 << 14;
    }
}

impl Offloads {
    /// VLAN tags both ways.
    pub const VLAN: Self = Self::RX_VLAN_STRIP.union(Self::TX_VLAN_INSERT);

    /// All checksums both ways.
    pub const CHECKSUMS: Self = Self::RX_IPV4_CHECKSUM
        .union(Self::RX_TCP_CHECKSUM)
        .union(Self::RX_UDP_CHECKSUM)
        .union(Self::TX_IPV4_CHECKSUM)
        .union(Self::TX_TCP_CHECKSUM)
        .union(Self::TX_UDP_CHECKSUM);
}

const RX: [(Offloads, u64); 6] = [
    (Offloads::RX_IPV4_CHECKSUM, sys::SHIM_RX_OFFLOAD_IPV4_CKSUM),
    (Offloads::RX_TCP_CHECKSUM, sys::SHIM_RX_OFFLOAD_TCP_CKSUM),
    (Offloads::RX_UDP_CHECKSUM, sys::SHIM_RX_OFFLOAD_UDP_CKSUM),
    (Offloads::RX_RSS_HASH, sys::SHIM_RX_OFFLOAD_RSS_HASH),
    (Offloads::RX_SCATTER, sys::SHIM_RX_OFFLOAD_SCATTER),
    (Offloads::RX_VLAN_STRIP, sys::SHIM_RX_OFFLOAD_VLAN_STRIP),
];

const TX: [(Offloads, u64); 7] = [
    (Offloads::TX_IPV4_CHECKSUM, sys::SHIM_TX_OFFLOAD_IPV4_CKSUM),
    (Offloads::TX_TCP_CHECKSUM, sys::SHIM_TX_OFFLOAD_TCP_CKSUM),
    (Offloads::TX_UDP_CHECKSUM, sys::SHIM_TX_OFFLOAD_UDP_CKSUM),
    (Offloads::TX_TCP_TSO, sys::SHIM_TX_OFFLOAD_TCP_TSO),
    (Offloads::TX_MULTI_SEGS, sys::SHIM_TX_OFFLOAD_MULTI_SEGS),
    (Offloads::TX_VLAN_INSERT, sys::SHIM_TX_OFFLOAD_VLAN_INSERT),
    (
        Offloads::TX_MBUF_FAST_FREE,
        sys::SHIM_TX_OFFLOAD_MBUF_FAST_FREE,
    ),
];

bitflags::bitflags! {
    /// The kinds of packets that receive-side scaling can spread, by their addresses and, for TCP and
    /// UDP, their ports.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub struct RssFields: u8 {
        /// IPv4 without ports.
        const IPV4 = 1 << 0;
        /// TCP over IPv4.
        const IPV4_TCP = 1 << 1;
        /// UDP over IPv4.
        const IPV4_UDP = 1 << 2;
        /// IPv6 without ports.
        const IPV6 = 1 << 3;
        /// TCP over IPv6.
        const IPV6_TCP = 1 << 4;
        /// UDP over IPv6.
        const IPV6_UDP = 1 << 5;
    }
}

const RSS: [(RssFields, u64); 6] = [
    (RssFields::IPV4, sys::SHIM_RSS_IPV4),
    (RssFields::IPV4_TCP, sys::SHIM_RSS_IPV4_TCP),
    (RssFields::IPV4_UDP, sys::SHIM_RSS_IPV4_UDP),
    (RssFields::IPV6, sys::SHIM_RSS_IPV6),
    (RssFields::IPV6_TCP, sys::SHIM_RSS_IPV6_TCP),
    (RssFields::IPV6_UDP, sys::SHIM_RSS_IPV6_UDP),
];

/// What can be relied on with a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capabilities {
    /// The driver, as in `net_ixgbe`.
    pub driver: String,
    /// The device, as in `0000:01:00.0`.
    pub device: String,
    /// NUMA node, or `None` when it has none or the machine does not say.
    pub numa_socket: Option<u32>,
    /// Work that it can take over.
    pub offloads: Offloads,
    /// What it can spread over queues; empty when it cannot at all.
    pub rss: RssFields,
    /// DPDK's word on the same, for what has no name here (`RTE_ETH_RSS_*`).
    pub rss_raw: u64,
    /// Octets of the RSS key; 0 when the driver does not say.
    pub rss_key_size: u16,
    /// Entries of the redirection table from hash to queue.
    pub reta_size: u16,
    /// The most receive queues.
    pub max_rx_queues: u16,
    /// The most transmit queues.
    pub max_tx_queues: u16,
    /// Possible MTUs.
    pub mtu: RangeInclusive<u16>,
    /// The longest frame that it receives, in octets.
    pub max_rx_pktlen: u32,
}

pub(crate) fn read(port: u16, name: &str) -> Result<Capabilities, Error> {
    // SAFETY: plain data for which all zeroes are valid.
    let mut info: sys::shim_port_info = unsafe { std::mem::zeroed() };
    // SAFETY: `info` is writable; DPDK refuses ports that are not there.
    let ret = unsafe { sys::shim_port_info(port, &mut info) };
    check(
        "rte_eth_dev_info_get",
        ret,
        format!("The device is {name}."),
    )?;
    let rx = RX.iter().filter(|(_, raw)| info.rx_offloads & raw != 0);
    let tx = TX.iter().filter(|(_, raw)| info.tx_offloads & raw != 0);
    Ok(Capabilities {
        driver: text(&info.driver),
        device: text(&info.device),
        numa_socket: u32::try_from(info.numa_socket).ok(),
        offloads: rx.chain(tx).map(|&(offload, _)| offload).collect(),
        rss: RSS
            .iter()
            .filter(|(_, raw)| info.rss_fields & raw != 0)
            .map(|&(fields, _)| fields)
            .collect(),
        rss_raw: info.rss_fields,
        rss_key_size: info.rss_key_size,
        reta_size: info.reta_size,
        max_rx_queues: info.max_rx_queues,
        max_tx_queues: info.max_tx_queues,
        mtu: info.min_mtu..=max_mtu(info.max_mtu, info.max_rx_pktlen),
        max_rx_pktlen: info.max_rx_pktlen,
    })
}

/// A driver that leaves the largest MTU open bounds it by the longest frame, FCS included.
fn max_mtu(max_mtu: u16, max_rx_pktlen: u32) -> u16 {
    let by_frame = max_rx_pktlen.saturating_sub(14 + 4);
    match u16::try_from(by_frame) {
        Ok(by_frame) if max_mtu == u16::MAX => by_frame,
        _ => max_mtu,
    }
}

/// `offloads` in DPDK's words: for receiving and for sending.
pub(crate) fn raw_offloads(offloads: Offloads) -> (u64, u64) {
    let sum = |table: &[(Offloads, u64)]| {
        table
            .iter()
            .filter(|(offload, _)| offloads.contains(*offload))
            .fold(0, |sum, (_, raw)| sum | raw)
    };
    (sum(&RX), sum(&TX))
}

/// `fields` in DPDK's words.
pub(crate) fn raw_rss(fields: RssFields) -> u64 {
    RSS.iter()
        .filter(|(field, _)| fields.contains(*field))
        .fold(0, |sum, (_, raw)| sum | raw)
}

/// A C string in a fixed array.
pub(crate) fn text(chars: &[c_char]) -> String {
    let bytes: Vec<u8> = chars.iter().map(|&c| c as u8).collect();
    CStr::from_bytes_until_nul(&bytes)
        .map(|text| text.to_string_lossy().into_owned())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offloads_go_to_their_side() {
        let (rx, tx) = raw_offloads(Offloads::RX_TCP_CHECKSUM | Offloads::TX_TCP_TSO);
        assert_eq!(rx, sys::SHIM_RX_OFFLOAD_TCP_CKSUM);
        assert_eq!(tx, sys::SHIM_TX_OFFLOAD_TCP_TSO);
        assert_eq!(
            raw_rss(RssFields::IPV4_TCP | RssFields::IPV6_TCP),
            sys::SHIM_RSS_IPV4_TCP | sys::SHIM_RSS_IPV6_TCP
        );
    }

    #[test]
    fn the_frame_bounds_an_open_mtu() {
        assert_eq!(max_mtu(u16::MAX, 1518), 1500);
        assert_eq!(max_mtu(u16::MAX, u32::MAX), u16::MAX);
        assert_eq!(max_mtu(9000, 1518), 9000);
    }

    #[test]
    fn c_text_without_end_is_empty() {
        assert_eq!(text(&[b'a' as c_char, 0, 1]), "a");
        assert_eq!(text(&[b'a' as c_char; 4]), "");
    }
}
