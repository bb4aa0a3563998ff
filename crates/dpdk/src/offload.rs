//! What devices say about received checksums, and what they are to do when sending.

use dpdk_sys as sys;

/// The device's verdict on a checksum of a received frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checksum {
    /// The device did not look.
    Unknown,
    /// It is right.
    Good,
    /// It is wrong.
    Bad,
    /// It is not right in the frame, but the data are known to be intact (from a virtual device).
    None,
}

/// Both verdicts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RxChecksums {
    /// Of the IP header.
    pub ip: Checksum,
    /// Of TCP or UDP.
    pub l4: Checksum,
}

impl RxChecksums {
    pub(crate) fn from_flags(flags: u64) -> Self {
        let ip = match flags & sys::SHIM_RX_IP_CKSUM_MASK {
            sys::SHIM_RX_IP_CKSUM_GOOD => Checksum::Good,
            sys::SHIM_RX_IP_CKSUM_BAD => Checksum::Bad,
            sys::SHIM_RX_IP_CKSUM_NONE => Checksum::None,
            _ => Checksum::Unknown,
        };
        let l4 = match flags & sys::SHIM_RX_L4_CKSUM_MASK {
            sys::SHIM_RX_L4_CKSUM_GOOD => Checksum::Good,
            sys::SHIM_RX_L4_CKSUM_BAD => Checksum::Bad,
            sys::SHIM_RX_L4_CKSUM_NONE => Checksum::None,
            _ => Checksum::Unknown,
        };
        Self { ip, l4 }
    }
}

/// What the device is to do with a frame when sending it. Ask only for what [`crate::Enabled`] has.
///
/// For a checksum, DPDK wants the IPv4 header checksum field zero, and the TCP or UDP one set to the
/// sum over the pseudo-header (without the length, when `tso_segment` is given).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TxOffload {
    /// Octets of the Ethernet header, VLAN tags included: at most 127.
    pub l2_len: u8,
    /// Octets of the IP header with its options: at most 511.
    pub l3_len: u16,
    /// Octets of the TCP header with its options, needed for segmentation only.
    pub l4_len: u8,
    /// The packet is IPv6, not IPv4.
    pub ipv6: bool,
    /// Fill in the IPv4 header checksum.
    pub ipv4_checksum: bool,
    /// Fill in the TCP checksum.
    pub tcp_checksum: bool,
    /// Fill in the UDP checksum.
    pub udp_checksum: bool,
    /// Cut into segments with so many octets of payload each; 0: do not.
    pub tso_segment: u16,
    /// Insert a VLAN tag with this control information.
    pub vlan: Option<u16>,
}

impl TxOffload {
    pub(crate) fn flags(&self) -> u64 {
        let when = |condition, flag| if condition { flag } else { 0 };
        let checksum = self.ipv4_checksum | self.tcp_checksum | self.udp_checksum;
        let family = match self.ipv6 {
            // A frame that only gets a tag may be of any protocol.
            _ if !checksum && self.tso_segment == 0 => 0,
            true => sys::SHIM_TX_IPV6,
            false => sys::SHIM_TX_IPV4,
        };
        when(!self.ipv6 && self.ipv4_checksum, sys::SHIM_TX_IP_CKSUM)
            | when(self.tcp_checksum, sys::SHIM_TX_TCP_CKSUM)
            | when(self.udp_checksum && !self.tcp_checksum, sys::SHIM_TX_UDP_CKSUM)
            // Segmentation implies the TCP checksum.
            | when(self.tso_segment > 0, sys::SHIM_TX_TCP_SEG | sys::SHIM_TX_TCP_CKSUM)
            | when(self.vlan.is_some(), sys::SHIM_TX_VLAN)
            | family
    }

    /// The header lengths as DPDK packs them.
    pub(crate) fn lengths(&self) -> u64 {
        let l3 = sys::SHIM_MBUF_L2_LEN_BITS;
        let l4 = l3 + sys::SHIM_MBUF_L3_LEN_BITS;
        let segment = l4 + sys::SHIM_MBUF_L4_LEN_BITS;
        let mask = |value: u64, bits: u32| value & ((1 << bits) - 1);
        mask(self.l2_len.into(), l3)
            | mask(self.l3_len.into(), sys::SHIM_MBUF_L3_LEN_BITS) << l3
            | u64::from(self.l4_len) << l4
            | u64::from(self.tso_segment) << segment
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdicts() {
        assert_eq!(
            RxChecksums::from_flags(0),
            RxChecksums {
                ip: Checksum::Unknown,
                l4: Checksum::Unknown
            }
        );
        let flags = sys::SHIM_RX_IP_CKSUM_GOOD | sys::SHIM_RX_L4_CKSUM_BAD;
        assert_eq!(
            RxChecksums::from_flags(flags),
            RxChecksums {
                ip: Checksum::Good,
                l4: Checksum::Bad
            }
        );
        assert_eq!(
            RxChecksums::from_flags(sys::SHIM_RX_L4_CKSUM_NONE).l4,
            Checksum::None
        );
    }

    #[test]
    fn lengths_are_packed_as_dpdk_does() {
        let offload = TxOffload {
            l2_len: 14,
            l3_len: 20,
            l4_len: 32,
            tso_segment: 1448,
            ..TxOffload::default()
        };
        assert_eq!(offload.lengths(), 14 | 20 << 7 | 32 << 16 | 1448 << 24);
        assert_ne!(offload.flags() & sys::SHIM_TX_TCP_CKSUM, 0);
        assert_eq!(offload.flags() & sys::SHIM_TX_IP_CKSUM, 0);
    }

    #[test]
    fn a_tag_alone_says_nothing_of_what_is_behind_it() {
        let offload = TxOffload {
            vlan: Some(7),
            ..TxOffload::default()
        };
        assert_eq!(offload.flags(), sys::SHIM_TX_VLAN);
    }
}
