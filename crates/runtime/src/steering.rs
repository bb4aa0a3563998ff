//! Which queue of a port the frames of a connection arrive at: one function per port.

use dpdk::Enabled;
use wire::FourTuple;
use wire::toeplitz::{Key, Toeplitz};

/// The device's own computation, in software: the Toeplitz hash of a received frame, and the
/// redirection table.
#[derive(Clone, Debug)]
pub struct Steering {
    hash: Toeplitz,
    reta: Vec<u16>,
    /// The device hashes TCP over IPv6, too.
    v6: bool,
}

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
        })
    }

    /// The queue at which frames of the peer of `tuple` arrive.
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
    fn what_the_device_does_not_hash_cannot_be_steered() {
        assert!(Steering::of(&enabled(RssFields::IPV4, vec![0, 1])).is_none());
        assert!(Steering::of(&enabled(RssFields::IPV4_TCP, vec![])).is_none());
        let mut without = enabled(RssFields::IPV4_TCP, vec![0, 1]);
        without.rss = None;
        assert!(Steering::of(&without).is_none());
    }
}
