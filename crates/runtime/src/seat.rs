//! A port made ready for workers: one seat, that is a queue each way and all that belongs to it,
//! for each worker.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use dpdk::{Eal, Enabled, Mempool, MempoolArgs, Offloads, Port, PortConfig, Rss, RssFields};
use dpdk::{RxQueue, TxQueue};
use stack::{OUT_CAPACITY, Offload, Owner};
use wire::MacAddr;
use wire::toeplitz::Key;

use crate::error::Error;
use crate::steering::Steering;
use crate::team::{self, Team};

/// What a port is to be.
#[derive(Clone, Debug)]
pub struct PortArgs {
    /// Workers, each with a queue of its own each way.
    pub workers: u16,
    /// The most octets of an IP packet, 576 to 9216.
    pub mtu: u16,
    /// Descriptors of each receive queue; adjusted to what the device can do.
    pub rx_descriptors: u16,
    /// Descriptors of each transmit queue; adjusted to what the device can do.
    pub tx_descriptors: u16,
    /// Whether hosts have a VLAN, so that the device is to take tags off and to put them on if it can.
    pub vlan: bool,
    /// The key by which connections are spread over several workers.
    pub rss_key: Key,
}

impl Default for PortArgs {
    fn default() -> Self {
        PortArgs {
            workers: 1,
            mtu: 1500,
            rx_descriptors: 1024,
            tx_descriptors: 1024,
            vlan: false,
            rss_key: Key::MICROSOFT,
        }
    }
}

/// One worker's place at a port.
pub struct Seat {
    pub(crate) rx: RxQueue,
    pub(crate) tx: TxQueue,
    pub(crate) pool: Mempool,
    pub(crate) mac: MacAddr,
    pub(crate) offload: Offload,
    pub(crate) owner: Option<Owner>,
    /// `None` for the only worker of a port.
    pub(crate) team: Option<Team>,
    numa_socket: Option<u32>,
}

impl Seat {
    /// The seat's pool of packet buffers. It is whole again when the worker has gone.
    #[must_use]
    pub fn pool(&self) -> &Mempool {
        &self.pool
    }

    /// A seat with all said by the caller.
    #[cfg(test)]
    pub(crate) fn for_test(
        rx: RxQueue,
        tx: TxQueue,
        pool: &Mempool,
        mac: MacAddr,
        offload: Offload,
        team: Option<Team>,
    ) -> Seat {
        Seat {
            rx,
            tx,
            pool: pool.clone(),
            mac,
            offload,
            owner: None,
            team,
            numa_socket: None,
        }
    }

    /// The port's Ethernet address.
    #[must_use]
    pub fn mac(&self) -> MacAddr {
        self.mac
    }

    /// The device's NUMA node, where the worker's core should be, too.
    #[must_use]
    pub fn numa_socket(&self) -> Option<u32> {
        self.numa_socket
    }
}

/// Octets around the IP packet: Ethernet header and two VLAN tags, as DPDK reckons.
const L2_OVERHEAD: u16 = 14 + 2 * 4;
/// DPDK's name of the driver that makes a TAP interface.
const TAP: &str = "net_tap";
/// Receive buffers are multiples of this for every NIC.
const ROOM_UNIT: u16 = 1024;
/// A thread's cache of a pool: 1.5 times 256.
const CACHE: u32 = 384;
/// What a worker keeps at hand: a stock of 128 and 32 more.
const STOCK: u32 = 160;

/// Starts `port` and makes a seat for each worker. Where the device does not spread connections over its
/// queues by our key, the workers hand over what belongs to another.
///
/// # Errors
/// The device has not as many queues; or what DPDK says.
pub fn seats(eal: &Eal, port: &mut Port, args: &PortArgs) -> Result<Vec<Seat>, Error> {
    let can = port.capabilities();
    let queues = can.max_rx_queues.min(can.max_tx_queues);
    if args.workers > queues {
        return Err(Error::TooFewQueues {
            device: can.device.clone(),
            workers: args.workers,
            queues,
        });
    }
    let numa_socket = can.numa_socket;
    let shared = can.driver == TAP;
    let several = args.workers > 1;
    let spreads = can.reta_size > 0 && can.rss.contains(RssFields::IPV4_TCP);
    let pools = (0..args.workers)
        .map(|_| pool(eal, args, numa_socket))
        .collect::<Result<Vec<_>, _>>()?;
    let config = PortConfig {
        rx_queues: args.workers,
        tx_queues: args.workers,
        rx_descriptors: args.rx_descriptors,
        tx_descriptors: args.tx_descriptors,
        // Drivers that cannot set the MTU have this one.
        mtu: (args.mtu != 1500).then_some(args.mtu),
        offloads: match args.vlan {
            true => Offloads::CHECKSUMS | Offloads::VLAN,
            false => Offloads::CHECKSUMS,
        },
        rss: (several && spreads).then(|| Rss {
            // Some devices want more than 40 octets; those do not touch the hash of four-tuples.
            key: args.rss_key.as_bytes().repeat(4),
            fields: RssFields::IPV4_TCP | RssFields::IPV6_TCP,
        }),
        promiscuous: false,
        // Neighbour discovery goes to groups.
        all_multicast: true,
    };
    let queues = port.start(&config, &pools)?;
    let mac = address(port.mac()?, port.id(), shared);
    let enabled = port.enabled();
    let steering = several.then(|| {
        let by_device = enabled.and_then(Steering::of);
        by_device.unwrap_or_else(|| Steering::by_software(args.rss_key, args.workers))
    });
    let steering = steering.map(Arc::new);
    let offload = enabled.map(offload).unwrap_or_default();
    let queues = queues.rx.into_iter().zip(queues.tx);
    let teams: Vec<Option<Team>> = match &steering {
        Some(steering) => Team::among(eal, steering, &pools, numa_socket)?
            .into_iter()
            .map(Some)
            .collect(),
        None => vec![None],
    };
    Ok(queues
        .zip(pools)
        .zip(teams)
        .map(|(((rx, tx), pool), team)| Seat {
            team,
            owner: owner(steering.as_ref(), rx.index()),
            rx,
            tx,
            pool,
            mac,
            offload,
            numa_socket,
        })
        .collect())
}

/// The port's Ethernet address. A device without one (net_ring) gets a locally administered one,
/// unlike that of any other port of the process.
/// A `shared` one belongs to the kernel's end of the device; the host behind it is another station.
fn address(mac: [u8; 6], port: u16, shared: bool) -> MacAddr {
    match mac {
        [0, 0, 0, 0, 0, 0] => {
            let [high, low] = port.to_be_bytes();
            MacAddr([0x02, 0, 0, 0, high, low])
        }
        [a, b, c, d, e, f] if shared => MacAddr([a | 0x02, b, c, d, e, f ^ 1]),
        mac => MacAddr(mac),
    }
}

/// The tuples that belong to the worker of `queue`; `None` for all.
fn owner(steering: Option<&Arc<Steering>>, queue: u16) -> Option<Owner> {
    let steering = Arc::clone(steering?);
    Some(Box::new(move |tuple| steering.queue(tuple) == queue))
}

fn offload(enabled: &Enabled) -> Offload {
    Offload {
        tx_ip: enabled.offloads.contains(Offloads::TX_IPV4_CHECKSUM),
        tx_tcp: enabled.offloads.contains(Offloads::TX_TCP_CHECKSUM),
        tx_vlan: enabled.offloads.contains(Offloads::TX_VLAN_INSERT),
    }
}

/// A pool for one queue each way: what both may hold, and what is under way between them.
fn pool(eal: &Eal, args: &PortArgs, socket: Option<u32>) -> Result<Mempool, dpdk::Error> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let needed = u32::from(args.rx_descriptors)
        + u32::from(args.tx_descriptors)
        + idle_buffers(args.workers.into());
    let octets = args.mtu.saturating_add(L2_OVERHEAD);
    let frame_room = octets.div_ceil(ROOM_UNIT).saturating_mul(ROOM_UNIT);
    Mempool::new(
        eal,
        &MempoolArgs {
            name: format!("worker{}", NUMBER.fetch_add(1, Ordering::Relaxed)),
            // 2^q - 1 wastes no memory in DPDK's ring.
            n: (needed + 1).next_power_of_two() - 1,
            cache: 256,
            frame_room: frame_room.max(2048),
            socket,
        },
    )
}

/// Buffers of one pool that may be held while they are in no queue: by caches and stocks of all who free
/// to it (the workers, and on a link in memory the other end), in bursts under way, and on their way to
/// other workers.
fn idle_buffers(workers: u32) -> u32 {
    let others = workers.saturating_sub(1);
    workers.max(2) * CACHE
        + workers * STOCK
        + 2 * OUT_CAPACITY as u32
        + others * u32::from(team::RING)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_port_has_an_address() {
        let own = MacAddr([2, 1, 0, 0, 0, 9]);
        assert_eq!(address(own.0, 3, false), own);
        assert!(address([0; 6], 0, false).is_unicast());
        assert_ne!(address([0; 6], 0, false), address([0; 6], 1, false));
        assert_ne!(address([0; 6], 0, false), MacAddr::ZERO);
    }

    #[test]
    fn behind_a_tap_is_another_station() {
        let kernel = MacAddr([0x50, 1, 0, 0, 0, 9]);
        let ours = address(kernel.0, 0, true);
        assert_ne!(ours, kernel);
        assert!(ours.is_unicast());
    }
}
