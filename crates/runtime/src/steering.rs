//! Which worker of a port a connection belongs to: one function per port.

use dpdk::Enabled;
use wire::FourTuple;
use wire::toeplitz::{Key, Toeplitz};

/// The Toeplitz hash of a received frame and the redirection table, as devices have them: the device's
/// own, computed in software, or for a device without them some that only the workers know.
#[derive(Clone, Debug)]
pub struct Steering {
    hash: Toeplitz,
    reta: Vec<u16>,
    /// TCP over IPv6 is spread, too.
    v6: bool,
    by_device: bool,
}

/// Entries of the redirection table where the device has none; as many as NICs of the first generations.
const ENTRIES: u16 = 128;

impl Steering {
    /// What `enabled` says that the device does; `None` if it does not spread TCP by a key of
    /// ours.
    #[must_use]
    pub fn of(enabled: &Enabled) -> Option<Steering> {
        let rss = enabled.rss.as_ref()?;
        if !rss.fields.contains(dpdk::RssFields::IPV4_TCP) || enabled.reta.is_empty() {
            return None;
        }
        let key = Key::from_slice(&rss.key).ok()?;
        Some(Steering {
            hash: Toeplitz::new(key),
            reta: enabled.reta.clone(),
            v6: rss.fields.contains(dpdk::RssFields::IPV6_TCP),
            by_device: true,
        })
    }

    /// Connections spread by `key` over `workers`, who hand over what a device that cannot do this
    /// delivers to the wrong ones.
    #[must_use]
    pub fn by_software(key: Key, workers: u16) -> Steering {
        Steering {
            hash: Toeplitz::new(key),
            reta: (0..ENTRIES.max(workers))
                .map(|i| i % workers.max(1))
                .collect(),
            v6: true,
            by_device: false,
        }
    }

    /// Whether the device itself delivers TCP segments where they belong.
    #[must_use]
    pub fn is_by_device(&self) -> bool {
        self.by_device
    }

    /// The worker, and so the queue, that the connection `tuple` belongs to.
    #[inline]
    #[must_use]
    pub fn queue(&self, tuple: &FourTuple) -> u16 {
        // What a device does not hash it gives to the first queue of all.
        if !self.v6 && !tuple.local.is_v4() {
            return 0;
        }
        let hash = self.hash.hash_received(tuple) as usize;
        self.reta[hash % self.reta.len()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dpdk::{Offloads, Rss, RssFields};
    use wire::Ip;

    fn enabled(fields: RssFields, reta: Vec<u16>) -> Enabled {
        Enabled {
            rx_queues: 2,
            tx_queues: 2,
            rx_descriptors: 512,
            tx_descriptors: 512,
            mtu: 1500,
            offloads: Offloads::empty(),
            rss: Some(Rss {
                key: Key::MICROSOFT.as_bytes().to_vec(),
                fields,
            }),
            reta,
            promiscuous: false,
            all_multicast: true,
        }
    }

    #[test]
    fn as_the_device_does() {
        let reta = (0..128).map(|i| i % 4).collect();
        let steering = Steering::of(&enabled(RssFields::IPV4_TCP, reta)).unwrap();
        // The first vector of Microsoft's RSS verification suite: 66.9.149.187:2794 to
        // 161.142.100.80:1766 hashes to 0x51ccc178.
        let tuple = FourTuple {
            remote: Ip::v4([66, 9, 149, 187]),
            local: Ip::v4([161, 142, 100, 80]),
            remote_port: 2794,
            local_port: 1766,
        };
        assert_eq!(steering.queue(&tuple), (0x51cc_c178 % 128 % 4) as u16);
    }

    #[test]
    fn ipv6_is_spread_where_the_device_hashes_it() {
        // From the same suite: 3ffe:2501:200:1fff::7 port 2794 to 3ffe:2501:200:3::1 port 1766 hashes to
        // 0x40207d3d.
        let ip = |text: &str| Ip::from(text.parse::<core::net::Ipv6Addr>().unwrap());
        let tuple = FourTuple {
            remote: ip("3ffe:2501:200:1fff::7"),
            local: ip("3ffe:2501:200:3::1"),
            remote_port: 2794,
            local_port: 1766,
        };
        let reta: Vec<u16> = (0..128).map(|i| i % 4).collect();
        let both = RssFields::IPV4_TCP | RssFields::IPV6_TCP;
        let steering = Steering::of(&enabled(both, reta.clone())).unwrap();
        assert_eq!(steering.queue(&tuple), (0x4020_7d3d % 128 % 4) as u16);
        let steering = Steering::of(&enabled(RssFields::IPV4_TCP, reta)).unwrap();
        assert_eq!(steering.queue(&tuple), 0);
    }

    #[test]
    fn software_spreads_both_families_over_all_workers() {
        let steering = Steering::by_software(Key::MICROSOFT, 3);
        assert!(!steering.is_by_device());
        let v6 = Ip::from("2001:db8::1".parse::<core::net::Ipv6Addr>().unwrap());
        let mut shares = [0; 3];
        for remote_port in 1024..=u16::MAX {
            let address = match remote_port % 2 {
                0 => Ip::v4([192, 0, 2, 1]),
                _ => v6,
            };
            let queue = steering.queue(&FourTuple {
                remote: address,
                local: address,
                remote_port,
                local_port: 80,
            });
            shares[usize::from(queue)] += 1;
        }
        let fair = (65_536 - 1024) / 3;
        assert!(
            shares
                .iter()
                .all(|n| (fair * 9 / 10..fair * 11 / 10).contains(n)),
            "{shares:?}"
        );
    }

    #[test]
    fn what_the_device_does_not_hash_cannot_be_steered() {
        assert!(Steering::of(&enabled(RssFields::IPV4, vec![0, 1])).is_none());
        assert!(Steering::of(&enabled(RssFields::IPV4_TCP, vec![])).is_none());
        let mut without = enabled(RssFields::IPV4_TCP, vec![0, 1]);
        without.rss = None;
        assert!(Steering::of(&without).is_none());
    }
}
