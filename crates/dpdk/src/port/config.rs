//! What a port is to be, and what it became.

use dpdk_sys as sys;

use super::capabilities::{Capabilities, Offloads, RssFields, raw_offloads, raw_rss};
use super::device::Device;
use crate::error::check;
use crate::{Error, Mempool, log, vdev};

/// Octets of Ethernet around the IP packet: addresses, type, two VLAN tags.
const L2_OVERHEAD: u32 = 14 + 2 * 4;
/// The size of the key when the driver does not say: what all hash functions of 40 octets need.
const USUAL_KEY_SIZE: u16 = 40;

/// What a port is to be.
#[derive(Debug, Clone)]
pub struct PortConfig {
    /// Receive queues.
    pub rx_queues: u16,
    /// Transmit queues.
    pub tx_queues: u16,
    /// Descriptors of each receive queue; adjusted to what the device can do.
    pub rx_descriptors: u16,
    /// Descriptors of each transmit queue; adjusted to what the device can do.
    pub tx_descriptors: u16,
    /// Largest IP packet in octets; `None`: what the device has by default.
    pub mtu: Option<u16>,
    /// What the device may take over, as far as it can. Scatter is added when frames would not fit into
    /// one buffer.
    pub offloads: Offloads,
    /// How to spread frames over the receive queues, as far as the device can.
    pub rss: Option<Rss>,
    /// Receive frames for every Ethernet address.
    pub promiscuous: bool,
    /// Receive frames for every multicast address: as the device can, and else for every address
    /// whatsoever. Devices that can do neither have no filter (net_ring).
    pub all_multicast: bool,
}

impl Default for PortConfig {
    fn default() -> Self {
        Self {
            rx_queues: 1,
            tx_queues: 1,
            rx_descriptors: 1024,
            tx_descriptors: 1024,
            mtu: None,
            offloads: Offloads::CHECKSUMS | Offloads::RX_RSS_HASH,
            rss: None,
            promiscuous: false,
            all_multicast: false,
        }
    }
}

/// Receive-side scaling: Toeplitz hash, then the redirection table, in which entry i names queue
/// i mod the number of queues.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rss {
    /// At least as many octets as the device's key has; the first ones are used.
    pub key: Vec<u8>,
    /// Packets to be spread.
    pub fields: RssFields,
}

/// What is switched on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enabled {
    /// Receive queues.
    pub rx_queues: u16,
    /// Transmit queues.
    pub tx_queues: u16,
    /// Descriptors of each receive queue.
    pub rx_descriptors: u16,
    /// Descriptors of each transmit queue.
    pub tx_descriptors: u16,
    /// Largest IP packet in octets.
    pub mtu: u16,
    /// Work that the device has taken over.
    pub offloads: Offloads,
    /// Key and fields in use; `None` when the device does not spread by them.
    pub rss: Option<Rss>,
    /// The redirection table: the hash modulo its length gives the queue. Empty without RSS.
    pub reta: Vec<u16>,
    /// Frames for every Ethernet address are received.
    pub promiscuous: bool,
    /// Frames for every multicast address are received by a filter that would drop them else.
    pub all_multicast: bool,
}

/// Configures and starts a port.
pub(crate) fn apply(
    device: &Device,
    can: &Capabilities,
    config: &PortConfig,
    pools: &[Mempool],
) -> Result<Enabled, Error> {
    validate(device.name(), can, config, pools)?;
    let offloads = choose_offloads(device.name(), can, config, pools)?;
    let rss = choose_rss(can, config)?;
    let (rx_offloads, tx_offloads) = raw_offloads(offloads);
    let raw = sys::shim_port_config {
        rx_queues: config.rx_queues,
        tx_queues: config.tx_queues,
        mtu: config.mtu.unwrap_or(0),
        rx_offloads,
        tx_offloads,
        rss_fields: rss
            .as_ref()
            .map_or(0, |rss| raw_rss(rss.fields) & can.rss_raw),
        rss_key: rss
            .as_ref()
            .map_or(std::ptr::null(), |rss| rss.key.as_ptr()),
        rss_key_len: rss.as_ref().map_or(0, |rss| rss.key.len() as u8),
    };
    let port = device.id();
    // SAFETY: the port is open and not started; `raw` and the key live beyond the call.
    call("rte_eth_dev_configure", || unsafe {
        sys::shim_port_configure(port, &raw)
    })?;

    let (mut rx_descriptors, mut tx_descriptors) = (config.rx_descriptors, config.tx_descriptors);
    // SAFETY: both numbers are writable.
    call("rte_eth_dev_adjust_nb_rx_tx_desc", || unsafe {
        sys::rte_eth_dev_adjust_nb_rx_tx_desc(port, &mut rx_descriptors, &mut tx_descriptors)
    })?;
    let socket = can.numa_socket.unwrap_or(sys::SHIM_SOCKET_ID_ANY as u32);
    device.keep_pools(pools);
    for (queue, pool) in (0..config.rx_queues).zip(pools) {
        // SAFETY: the port is configured; the device keeps the pool.
        call("rte_eth_rx_queue_setup", || unsafe {
            sys::shim_rx_queue_setup(port, queue, rx_descriptors, socket, pool.as_ptr())
        })?;
    }
    for queue in 0..config.tx_queues {
        // SAFETY: the port is configured.
        call("rte_eth_tx_queue_setup", || unsafe {
            sys::shim_tx_queue_setup(port, queue, tx_descriptors, socket)
        })?;
    }
    // SAFETY: the port is configured, with all its queues.
    call("rte_eth_dev_start", || unsafe {
        sys::rte_eth_dev_start(port)
    })
    .map_err(|error| vdev::explain_start(device.name(), error))?;
    device.set_started();

    let reta = match rss {
        Some(_) => spread(port, can.reta_size, config.rx_queues)?,
        None => Vec::new(),
    };
    let (mut promiscuous, mut all_multicast) = (config.promiscuous, false);
    if promiscuous {
        set_promiscuous(device, true)?;
    } else if config.all_multicast {
        (promiscuous, all_multicast) = receive_all_multicast(device)?;
    }
    let mut mtu = 0;
    // SAFETY: `mtu` is writable.
    call("rte_eth_dev_get_mtu", || unsafe {
        sys::rte_eth_dev_get_mtu(port, &mut mtu)
    })?;
    Ok(Enabled {
        rx_queues: config.rx_queues,
        tx_queues: config.tx_queues,
        rx_descriptors,
        tx_descriptors,
        mtu,
        offloads,
        rss,
        reta,
        promiscuous,
        all_multicast,
    })
}

/// Whether the device is then promiscuous, and whether it has its filter for multicast open.
fn receive_all_multicast(device: &Device) -> Result<(bool, bool), Error> {
    let port = device.id();
    // SAFETY: the port is open.
    let (ret, log) = log::watch(|| unsafe { sys::rte_eth_allmulticast_enable(port) });
    if ret != -libc::ENOTSUP {
        check("rte_eth_allmulticast_enable", ret, log)?;
        return Ok((false, true));
    }
    match set_promiscuous(device, true) {
        Ok(()) => Ok((true, false)),
        Err(Error::Unsupported { .. }) => Ok((false, false)),
        Err(error) => Err(error),
    }
}

pub(crate) fn set_promiscuous(device: &Device, on: bool) -> Result<(), Error> {
    let port = device.id();
    // SAFETY: the port is open.
    let (ret, log) = log::watch(|| unsafe {
        if on {
            sys::rte_eth_promiscuous_enable(port)
        } else {
            sys::rte_eth_promiscuous_disable(port)
        }
    });
    match -ret {
        libc::ENOTSUP => Err(Error::Unsupported {
            device: device.name().to_owned(),
            what: "promiscuous mode".into(),
        }),
        _ => check("rte_eth_promiscuous_enable", ret, log),
    }
}

fn call(name: &'static str, call: impl FnOnce() -> i32) -> Result<(), Error> {
    let (ret, log) = log::watch(call);
    check(name, ret, log)
}

fn validate(
    device: &str,
    can: &Capabilities,
    config: &PortConfig,
    pools: &[Mempool],
) -> Result<(), Error> {
    let unsupported = |what: String| {
        Err(Error::Unsupported {
            device: device.to_owned(),
            what,
        })
    };
    if config.rx_queues == 0 || config.tx_queues == 0 {
        return Err(Error::BadArgument(format!(
            "the port {device} needs at least one queue each way"
        )));
    }
    if pools.len() != usize::from(config.rx_queues) {
        return Err(Error::BadArgument(format!(
            "{} pools for {} receive queues",
            pools.len(),
            config.rx_queues
        )));
    }
    if config.rx_queues > can.max_rx_queues || config.tx_queues > can.max_tx_queues {
        return unsupported(format!(
            "{} receive and {} transmit queues; it has {} and {}",
            config.rx_queues, config.tx_queues, can.max_rx_queues, can.max_tx_queues
        ));
    }
    match config.mtu {
        Some(mtu) if !can.mtu.contains(&mtu) => unsupported(format!(
            "an MTU of {mtu}; it has {} to {}",
            can.mtu.start(),
            can.mtu.end()
        )),
        _ => Ok(()),
    }
}

fn choose_offloads(
    device: &str,
    can: &Capabilities,
    config: &PortConfig,
    pools: &[Mempool],
) -> Result<Offloads, Error> {
    let mut offloads = config.offloads.intersection(can.offloads) - Offloads::TX_MBUF_FAST_FREE;
    let frame = u32::from(config.mtu.unwrap_or(1500)) + L2_OVERHEAD;
    let room = pools.iter().map(Mempool::frame_room).min().unwrap_or(0);
    if frame > u32::from(room) {
        if !can.offloads.contains(Offloads::RX_SCATTER) {
            return Err(Error::Unsupported {
                device: device.to_owned(),
                what: format!("receiving frames of {frame} octets into buffers of {room}"),
            });
        }
        offloads |= Offloads::RX_SCATTER;
    }
    Ok(offloads)
}

fn choose_rss(can: &Capabilities, config: &PortConfig) -> Result<Option<Rss>, Error> {
    let Some(wanted) = &config.rss else {
        return Ok(None);
    };
    let fields = wanted.fields.intersection(can.rss);
    if fields.is_empty() {
        return Ok(None);
    }
    let size = match can.rss_key_size {
        0 => USUAL_KEY_SIZE,
        size => size,
    };
    match wanted.key.get(..size.into()) {
        Some(key) => Ok(Some(Rss {
            key: key.to_vec(),
            fields,
        })),
        None => Err(Error::BadArgument(format!(
            "the RSS key has {} octets and the device needs {size}",
            wanted.key.len()
        ))),
    }
}

/// Spreads the redirection table evenly, and returns it.
fn spread(port: u16, size: u16, queues: u16) -> Result<Vec<u16>, Error> {
    let table: Vec<u16> = (0..size).map(|i| i % queues).collect();
    // SAFETY: `table` has `size` entries.
    call("rte_eth_dev_rss_reta_update", || unsafe {
        sys::shim_reta_update(port, table.as_ptr(), size)
    })?;
    Ok(table)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device() -> Capabilities {
        Capabilities {
            driver: "net_test".into(),
            device: "test".into(),
            numa_socket: None,
            offloads: Offloads::RX_IPV4_CHECKSUM | Offloads::TX_MBUF_FAST_FREE,
            rss: RssFields::IPV4_TCP,
            rss_raw: raw_rss(RssFields::IPV4_TCP),
            rss_key_size: 52,
            reta_size: 128,
            max_rx_queues: 2,
            max_tx_queues: 2,
            mtu: 68..=9000,
            max_rx_pktlen: 9022,
        }
    }

    fn with_rss(key: usize, fields: RssFields) -> PortConfig {
        PortConfig {
            rss: Some(Rss {
                key: vec![7; key],
                fields,
            }),
            ..PortConfig::default()
        }
    }

    #[test]
    fn rss_takes_what_the_device_has() {
        let chosen = choose_rss(&device(), &with_rss(64, RssFields::all())).expect("long enough");
        let chosen = chosen.expect("the device can");
        assert_eq!(chosen.key.len(), 52);
        assert_eq!(chosen.fields, RssFields::IPV4_TCP);
        assert!(choose_rss(&device(), &with_rss(40, RssFields::all())).is_err());
        assert_eq!(
            choose_rss(&device(), &with_rss(64, RssFields::IPV6)).expect("no error"),
            None
        );
    }

    #[test]
    fn numbers_must_fit() {
        let two = PortConfig {
            rx_queues: 2,
            ..PortConfig::default()
        };
        assert!(matches!(
            validate("d", &device(), &two, &[]),
            Err(Error::BadArgument(_))
        ));
        let none = PortConfig {
            tx_queues: 0,
            ..PortConfig::default()
        };
        assert!(validate("d", &device(), &none, &[]).is_err());
    }
}
