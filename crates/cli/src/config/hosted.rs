//! The configuration in the words of `stack` and `tcp`.

use stack::{InterfaceAddress, ListenerConfig, Offload};
use wire::ethernet::MacAddr;

use super::quantity::Millis;
use super::{Config, Listen, Prefix, Tcp};

impl Config {
    /// One worker's host on a port with the address `mac`. Its listeners are in the order of
    /// `listen`; what depends on the queue (owner of tuples) is left to the runtime.
    #[must_use]
    pub fn host(&self, mac: MacAddr, offload: Offload, real_time_at_zero_ns: u64) -> stack::Config {
        let limits = &self.limits;
        stack::Config {
            mac,
            vlan: self.port.vlan.map(|vlan| narrow(vlan.get())),
            mtu: narrow(self.port.mtu.get()),
            addresses: self.host.addresses.iter().map(|&a| a.into()).collect(),
            gateway: self.host.gateway.map(Into::into),
            gateway_v6: self.host.gateway_v6.map(Into::into),
            address_probes: narrow(self.host.address_probes.get()),
            offload,
            listeners: self.listen.iter().map(|l| self.listener(l)).collect(),
            destinations: Vec::new(),
            max_connections: narrow(limits.connections.get()),
            time_wait_lengths_ms: Vec::new(),
            time_wait_capacity: narrow(self.time_wait.capacity.get()),
            receive_memory: narrow(limits.receive_memory.get()),
            send_memory: narrow(limits.send_memory.get()),
            max_neighbors: narrow(self.host.neighbors.get()),
            control_replies_per_second: narrow(self.host.replies_per_second.get()),
            time_wait_ack_interval_ms: tcp::time_wait::ack_limit::INTERVAL_MS,
            real_time_at_zero_ns,
            owner: None,
        }
    }

    fn listener(&self, listen: &Listen) -> ListenerConfig {
        ListenerConfig {
            address: listen.address.map(Into::into),
            port: narrow(listen.port.get()),
            backlog: narrow(listen.backlog.get()),
            tcp: self.tcp.protocol(self.mss()),
            time_wait: listen.time_wait.stack(&self.time_wait.stack()),
        }
    }
}

impl Tcp {
    /// The protocol's parameters; `mss` is the host's.
    #[must_use]
    pub fn protocol(&self, mss: u16) -> tcp::Config {
        tcp::Config {
            mss,
            rcv_buf: narrow(self.rcv_buf.get()),
            snd_buf: narrow(self.snd_buf.get()),
            window_scaling: self.window_scaling,
            timestamps: self.timestamps,
            sack: self.sack,
            nodelay: self.nodelay,
            delayed_ack_ms: narrow(self.delayed_ack.get()),
            initial_window: narrow(self.initial_window.get()),
            rto_initial_ms: millis(self.rto_initial),
            rto_min_ms: millis(self.rto_min),
            rto_max_ms: millis(self.rto_max),
            synack_retries: narrow(self.synack_retries.get()),
            data_retries: narrow(self.data_retries.get()),
            user_timeout_ms: millis(self.user_timeout),
            fin_wait2_timeout_ms: millis(self.fin_wait2_timeout),
            keepalive: self.keepalive.map(|k| tcp::Keepalive {
                idle_ms: millis(k.idle),
                interval_ms: millis(k.interval),
                count: narrow(k.count.get()),
            }),
            ..tcp::Config::default()
        }
    }
}

impl From<Prefix> for InterfaceAddress {
    fn from(prefix: Prefix) -> InterfaceAddress {
        InterfaceAddress {
            ip: prefix.address.into(),
            prefix: prefix.length,
        }
    }
}

/// A number whose range, stated in its type, fits the narrower one.
fn narrow<T: TryFrom<u64> + Bounded>(value: u64) -> T {
    T::try_from(value).unwrap_or(T::MAX)
}

fn millis<const MIN: u64, const MAX: u64>(time: Millis<MIN, MAX>) -> u32 {
    narrow(time.get())
}

/// The greatest value of an integer type.
trait Bounded {
    const MAX: Self;
}

macro_rules! bounded {
    ($($t:ty),*) => { $(impl Bounded for $t { const MAX: $t = <$t>::MAX; })* };
}

bounded!(u8, u16, u32, usize);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Purpose, Source, resolve};

    #[test]
    fn a_host_says_what_the_configuration_says_and_is_valid() {
        let text = "[port]\ndevice = \"x\"\nmtu = 9000\nvlan = 7\n[host]\naddresses = [\"192.0.2.1/24\"]\n\
                    gateway = \"192.0.2.9\"\n[tcp]\nrto_min = \"300ms\"\nkeepalive = { count = 3 }\n\
                    [time_wait]\nlength = \"250ms\"\n[limits]\nconnections = 5\n\
                    [[listen]]\nport = 80\napp = \"http\"\naddress = \"192.0.2.1\"\nbacklog = 7\n";
        let config = resolve(&Source::from_text("t", text).unwrap(), Purpose::Serve).unwrap();
        let host = config.host(MacAddr([2, 0, 0, 0, 0, 1]), Offload::default(), 9);
        assert_eq!(host.validate(), Ok(()));
        assert_eq!(
            (host.vlan, host.mtu, host.max_connections),
            (Some(7), 9000, 5)
        );
        assert_eq!(host.gateway, Some(wire::Ip::v4([192, 0, 2, 9])));
        let [listener] = &host.listeners[..] else {
            panic!("{:?}", host.listeners)
        };
        assert_eq!((listener.port, listener.backlog), (80, 7));
        assert_eq!(listener.tcp.mss, 8960);
        assert_eq!(listener.tcp.rto_min_ms, 300);
        assert_eq!(listener.tcp.keepalive.map(|k| k.count), Some(3));
        assert_eq!(listener.time_wait.length_ms, 250);
    }

    #[test]
    fn the_defaults_are_what_the_protocol_accepts() {
        assert_eq!(Tcp::default().protocol(1460).validate(), Ok(()));
    }
}
