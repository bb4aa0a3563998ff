//! `[port]`: the network device.

use serde::Deserialize;

use super::quantity::Count;

/// A DPDK port.
#[derive(Deserialize, Clone, PartialEq, Debug)]
#[serde(deny_unknown_fields, default)]
pub struct Port {
    /// The device, by DPDK's device arguments: a PCI address (`"0000:03:00.0"`) or a virtual
    /// device (`"net_tap0,iface=tw0"`, `"net_af_packet0,iface=eth1"`). Required.
    pub device: String,
    /// The most bytes of an IP packet, 576 to 9216. Default 1500.
    pub mtu: Count<576, 9216>,
    /// Descriptors of each receive queue, 64 to 8192. Default 1024. The device may round it.
    pub rx_descriptors: Count<64, 8192>,
    /// Descriptors of each transmit queue, 64 to 8192. Default 1024. The device may round it.
    pub tx_descriptors: Count<64, 8192>,
    /// 802.1Q VLAN identifier, 1 to 4094: every frame carries the tag and others are dropped.
    /// Default: untagged.
    pub vlan: Option<Count<1, 4094>>,
}

impl Default for Port {
    fn default() -> Port {
        Port {
            device: String::new(),
            mtu: Count::of(1500),
            rx_descriptors: Count::of(1024),
            tx_descriptors: Count::of(1024),
            vlan: None,
        }
    }
}
