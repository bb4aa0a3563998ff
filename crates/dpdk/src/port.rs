//! Ports: opening a device, starting it, and asking how it is.

mod capabilities;
mod config;
mod device;
mod stats;
mod summary;

use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use dpdk_sys as sys;

use crate::error::check;
use crate::{Eal, Error, Mempool, RxQueue, TxQueue, log, pci};

pub use capabilities::{Capabilities, Offloads, RssFields};
pub use config::{Enabled, PortConfig, Rss};
pub(crate) use device::{Backing, Device};
pub use stats::{LinkState, PortStats};

/// A port of a device, and the only handle to it.
///
/// The device is stopped and closed when the port and all its queues are gone.
#[derive(Debug)]
pub struct Port {
    device: Arc<Device>,
    capabilities: Capabilities,
    enabled: Option<Enabled>,
}

/// The queues of a started port, in the order of their numbers.
#[derive(Debug)]
pub struct Queues {
    /// To receive from.
    pub rx: Vec<RxQueue>,
    /// To send to.
    pub tx: Vec<TxQueue>,
}

impl Port {
    /// Opens a device: a PCI address that EAL was allowed, or a virtual device (made now, if it is not
    /// there) such as `net_tap0,iface=t0`, with its arguments.
    ///
    /// # Errors
    /// [`Error::NoSuchDevice`], [`Error::WrongDriver`], [`Error::NotAllowed`], [`Error::BadDevargs`],
    /// [`Error::Permission`], or [`Error::InUse`] when another [`Port`] has it.
    pub fn open(eal: &Eal, devargs: &str) -> Result<Self, Error> {
        let name = pci::device_name(devargs);
        let name = pci::address(name).unwrap_or_else(|| name.to_owned());
        let lock = eal.lock_ports();
        if let Found::Nothing = find(eal, &name) {
            device::probe(devargs)?;
        }
        let id = match find(eal, &name) {
            Found::Free(id) => id,
            Found::InUse => {
                return Err(Error::InUse {
                    devargs: devargs.to_owned(),
                });
            }
            Found::Nothing => return Err(pci::diagnose(devargs, libc::ENODEV, String::new())),
        };
        let device = Device::claim(eal, id, name, None)?;
        drop(lock);
        Self::new(device)
    }

    pub(crate) fn new(device: Device) -> Result<Self, Error> {
        let capabilities = capabilities::read(device.id(), device.name())?;
        Ok(Self {
            device: Arc::new(device),
            capabilities,
            enabled: None,
        })
    }

    /// DPDK's number for the port.
    #[must_use]
    pub fn id(&self) -> u16 {
        self.device.id()
    }

    /// The name of the device, as in `0000:01:00.0` or `net_tap0`.
    #[must_use]
    pub fn name(&self) -> &str {
        self.device.name()
    }

    /// What the device can do.
    #[must_use]
    pub fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    /// What is switched on; `None` until the port is started.
    #[must_use]
    pub fn enabled(&self) -> Option<&Enabled> {
        self.enabled.as_ref()
    }

    /// Configures and starts the port. Receive queue i fills buffers of `pools[i]`.
    ///
    /// # Errors
    /// [`Error::BadArgument`] when the numbers do not fit together or the port is started already,
    /// [`Error::Unsupported`] when the device cannot do it, or what else DPDK says.
    pub fn start(&mut self, config: &PortConfig, pools: &[Mempool]) -> Result<Queues, Error> {
        if self.enabled.is_some() {
            return Err(Error::BadArgument(format!(
                "the port {} is started already",
                self.name()
            )));
        }
        let enabled = config::apply(&self.device, &self.capabilities, config, pools)?;
        let prepares = enabled.offloads.contains(Offloads::TX_VLAN_INSERT);
        self.enabled = Some(enabled);
        let queues = Queues {
            rx: (0..config.rx_queues)
                .map(|queue| RxQueue::new(self.id(), queue, Arc::clone(&self.device)))
                .collect(),
            tx: (0..config.tx_queues)
                .map(|queue| TxQueue::new(self.id(), queue, prepares, Arc::clone(&self.device)))
                .collect(),
        };
        Ok(queues)
    }

    /// The port's Ethernet address.
    ///
    /// # Errors
    /// What DPDK says.
    pub fn mac(&self) -> Result<[u8; 6], Error> {
        let mut mac = [0; 6];
        // SAFETY: the port is open, and `mac` has room for six octets.
        let ret = unsafe { sys::shim_mac_get(self.id(), mac.as_mut_ptr()) };
        check("rte_eth_macaddr_get", ret, String::new())?;
        Ok(mac)
    }

    /// Receives frames for every Ethernet address, or only for the port's own.
    ///
    /// # Errors
    /// [`Error::Unsupported`] when the device has no such choice.
    pub fn set_promiscuous(&mut self, on: bool) -> Result<(), Error> {
        config::set_promiscuous(&self.device, on)
    }

    /// How the link is now.
    ///
    /// # Errors
    /// What DPDK says.
    pub fn link(&self) -> Result<LinkState, Error> {
        stats::link(self.id())
    }

    /// Waits until the link is up, at most for `timeout`; returns the state at the end. Sleeps: for the
    /// control thread only.
    ///
    /// # Errors
    /// What DPDK says.
    pub fn wait_for_link(&self, timeout: Duration) -> Result<LinkState, Error> {
        let start = Instant::now();
        loop {
            let link = self.link()?;
            if link.up || start.elapsed() >= timeout {
                return Ok(link);
            }
            sleep(Duration::from_millis(5));
        }
    }

    /// The port's counters.
    ///
    /// # Errors
    /// What DPDK says.
    pub fn stats(&self) -> Result<PortStats, Error> {
        stats::stats(self.id())
    }

    /// Buffers that are free in the pools that the port receives into; 0 until it is started. Not for the data
    /// path.
    #[must_use]
    pub fn free_buffers(&self) -> u64 {
        self.device.free_buffers()
    }

    /// The device's own counters by name; which there are differs from driver to driver.
    ///
    /// # Errors
    /// What DPDK says.
    pub fn xstats(&self) -> Result<Vec<(String, u64)>, Error> {
        stats::xstats(self.id())
    }
}

/// Ports of a device that is looked for.
enum Found {
    Free(u16),
    InUse,
    Nothing,
}

/// A device may have several ports; the first that nobody has is taken.
fn find(eal: &Eal, name: &str) -> Found {
    let mut found = Found::Nothing;
    for id in device::ids() {
        if capabilities::read(id, name).is_ok_and(|it| it.device == name) {
            if !eal.is_claimed(id) {
                return Found::Free(id);
            }
            found = Found::InUse;
        }
    }
    found
}
