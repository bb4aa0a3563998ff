//! The state of one shard that does not depend on the application or on the frame pool.

use std::collections::VecDeque;

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use tcp::time::Instant;
use tcp::time_wait::{AnchorId, Side};
use tcp::wheel::Wheel;
use tcp::{ChallengeLimit, Config as TcpConfig, Memory};
use wire::{FourTuple, Ip, Seq};

use crate::application::ListenerId;
use crate::clock::TsClock;
use crate::config::{Config, ConfigError, Owner, Secrets, TimeWaitConfig};
use crate::counters::Counters;
use crate::detection::Detection;
use crate::hash::{Keyed, Purpose, configured};
use crate::link::{Link, number};
use crate::lists::Lists;
use crate::neighbor::Neighbors;
use crate::rate::RateLimit;
use crate::slab::{Slab, Slot, flag};
use crate::stack::Usage;
use crate::time_wait::TimeWait;
use crate::tuples::TuplePool;

/// Bytes of a chunk of send or receive memory.
const CHUNK: usize = 2048;

pub(crate) struct Listener {
    pub(crate) backlog: u32,
    /// Its connections in SYN-RECEIVED.
    pub(crate) embryos: u32,
    pub(crate) config: Places,
    /// Its application takes connections.
    pub(crate) accepting: bool,
    /// It was not closed.
    pub(crate) open: bool,
    /// It was made or changed at run time: its connections keep its anchors.
    pub(crate) at_run_time: bool,
    /// Tells it from those that had its place before.
    pub(crate) generation: u16,
    pub(crate) time_wait: TimeWaitConfig,
}

/// Places of the protocol's parameters for each family: a listener may serve both.
#[derive(Clone, Copy)]
pub(crate) struct Places {
    v4: u16,
    v6: u16,
}

impl Places {
    /// The place for connections of the family of `ip`.
    #[inline]
    pub(crate) fn of(self, ip: Ip) -> u16 {
        if ip.is_v4() { self.v4 } else { self.v6 }
    }
}

/// A socket that is listened on.
struct Listening {
    ip: Ip,
    port: u16,
    id: ListenerId,
    /// What its connections keep for TIME-WAIT, if that is not what the socket has had from the start.
    anchor: Option<AnchorId>,
}

/// Listeners by local socket. Its keys are configuration, not the peers' choice, so its hash needs
/// no secret.
#[derive(Default)]
pub(crate) struct Listeners(HashTable<Listening>);

impl Listeners {
    /// A socket that is there already becomes `id`'s, with `anchor`. Returns the anchor that it had.
    pub(crate) fn insert(
        &mut self,
        (ip, port): (Ip, u16),
        id: ListenerId,
        anchor: Option<AnchorId>,
    ) -> Option<AnchorId> {
        let hash = |l: &Listening| socket_hash(l.ip, l.port);
        let same = |l: &Listening| l.port == port && l.ip == ip;
        let listening = Listening {
            ip,
            port,
            id,
            anchor,
        };
        match self.0.entry(socket_hash(ip, port), same, hash) {
            Entry::Occupied(mut entry) => ::core::mem::replace(entry.get_mut(), listening).anchor,
            Entry::Vacant(entry) => {
                entry.insert(listening);
                None
            }
        }
    }

    #[inline]
    pub(crate) fn find(&self, ip: Ip, port: u16) -> Option<ListenerId> {
        Some(self.get(ip, port)?.id)
    }

    /// What connections that arrive for the tuple's local socket keep for TIME-WAIT.
    pub(crate) fn anchor(&self, tuple: &FourTuple) -> Option<AnchorId> {
        self.get(tuple.local, tuple.local_port)?.anchor
    }

    #[inline]
    fn get(&self, ip: Ip, port: u16) -> Option<&Listening> {
        let same = |l: &Listening| l.port == port && l.ip == ip;
        self.0.find(socket_hash(ip, port), same)
    }

    /// The sockets of `id`.
    pub(crate) fn sockets(&self, id: ListenerId) -> Vec<(Ip, u16)> {
        let own = self.0.iter().filter(|l| l.id == id);
        own.map(|l| (l.ip, l.port)).collect()
    }

    /// Removes every socket of `id`; what their connections keep.
    pub(crate) fn remove(&mut self, id: ListenerId) -> Vec<(Ip, AnchorId)> {
        let removed = self.0.extract_if(|l| l.id == id);
        removed.filter_map(|l| Some((l.ip, l.anchor?))).collect()
    }
}

#[inline]
fn socket_hash(ip: Ip, port: u16) -> u64 {
    configured(number(ip), u64::from(port))
}

pub(crate) struct Destination {
    pub(crate) address: Ip,
    pub(crate) pool: TuplePool,
    pub(crate) config: u16,
    pub(crate) time_wait: TimeWaitConfig,
}

pub(crate) struct Core {
    pub(crate) slab: Slab,
    /// Connections that may have something to send, longest waiting first.
    pub(crate) dirty: VecDeque<u32>,
    pub(crate) wheel: Wheel,
    pub(crate) send_memory: Memory,
    pub(crate) tcp_configs: Vec<TcpConfig>,
    pub(crate) counters: Counters,
    pub(crate) challenge: ChallengeLimit,
    pub(crate) link: Link,
    /// The most bytes of an IP packet.
    pub(crate) mtu: u16,
    pub(crate) time_wait: TimeWait,
    pub(crate) neighbors: Neighbors,
    pub(crate) detection: Detection,
    /// Addresses that turned out to be another host's, to be told.
    pub(crate) duplicates: Vec<Ip>,
    pub(crate) listeners: Vec<Listener>,
    /// Places in `listeners` of those that were closed.
    pub(crate) free_listeners: Vec<u16>,
    /// Listeners by local address (every one of the host's, for a wildcard) and port.
    pub(crate) listen_index: Listeners,
    pub(crate) destinations: Vec<Destination>,
    /// `next_ephemeral` of RFC 6056 3.3.3, which all destinations share.
    pub(crate) next_ephemeral: u32,
    pub(crate) resets: RateLimit,
    pub(crate) icmp_errors: RateLimit,
    pub(crate) echo_replies: RateLimit,
    pub(crate) key: Keyed,
    pub(crate) secret: tcp::isn::Secret,
    pub(crate) real_time_at_zero_ns: u64,
    pub(crate) ts_clock: TsClock,
    /// Which tuples this shard owns; `None` for all.
    pub(crate) owner: Option<Owner>,
    /// No new connections, passive or active.
    pub(crate) draining: bool,
    /// There are sockets that the application made or changed itself: they may have taken a pool's pair, and
    /// TIME-WAIT's entries may be of other parameters than those in force.
    pub(crate) has_sockets: bool,
    /// Connections that wait for a neighbour, a list for each; and `woken`.
    pub(crate) waiting: Lists,
    /// The list of those that waited for a neighbour of which there is news, longest first.
    pub(crate) woken: u32,
    /// Connections that wait for send memory, longest first.
    pub(crate) starved: Lists,
    /// Connections that wait for receive memory, longest first; and those that were looked at in vain.
    pub(crate) short: Lists,
    /// When some of them may go on, if there is memory.
    pub(crate) reopen_at: Instant,
}

/// Lends the parts of a shard that a connection works with. A macro, because the borrow checker
/// must see that the fields are distinct from the slab.
macro_rules! env {
    ($core:expr, $receive_memory:expr, $now:expr, $config:expr) => {
        ::tcp::Env {
            now: $now,
            ts_clock: $core.ts_clock.at($now),
            config: &$core.tcp_configs[usize::from($config)],
            rcv_memory: $receive_memory,
            snd_memory: &mut $core.send_memory,
            challenge: &mut $core.challenge,
            counters: &mut $core.counters.tcp,
        }
    };
}
pub(crate) use env;

/// What of a socket or a destination TIME-WAIT needs: the fixed side of its four-tuples.
pub(crate) struct Fixed {
    pub(crate) side: Side,
    pub(crate) ip: Ip,
    pub(crate) port: u16,
    pub(crate) config: u16,
    pub(crate) time_wait: TimeWaitConfig,
}

impl Core {
    pub(crate) fn new(config: Config, secrets: Secrets) -> Result<(Core, Memory), ConfigError> {
        config.validate()?;
        let n = config.max_connections as usize;
        let mut link = Link::new(&config);
        let ours: Vec<Ip> = link.addresses.iter().map(|a| a.ip).collect();
        let mut tcp_configs = Vec::new();
        let mut fixed = Vec::new();
        let mut listeners = Vec::new();
        let [k0, k1] = secrets.table;
        let key = Keyed::new(k0, k1);
        let mut listen_index = Listeners::default();
        for (place, l) in config.listeners.iter().enumerate() {
            let id = ListenerId::configured(place as u16);
            let tcp = l.time_wait.protocol(&l.tcp);
            let places = place_both(&mut tcp_configs, &tcp, config.mtu)?;
            for &ip in ours.iter().filter(|ip| l.address.is_none_or(|a| a == **ip)) {
                fixed.push(Fixed {
                    side: Side::Local,
                    ip,
                    port: l.port,
                    config: places.of(ip),
                    time_wait: l.time_wait,
                });
                listen_index.insert((ip, l.port), id, None);
            }
            listeners.push(Listener {
                backlog: l.backlog,
                embryos: 0,
                config: places,
                accepting: true,
                open: true,
                at_run_time: false,
                generation: 0,
                time_wait: l.time_wait,
            });
        }
        let mut destinations = Vec::new();
        for d in &config.destinations {
            let tcp = d.time_wait.protocol(&d.tcp);
            let place = place_config(&mut tcp_configs, &tcp, config.mtu, d.address.is_v4())?;
            let sources = link.sources_for(d.address);
            let number = destinations.len() as u64;
            let seed = [false, true].map(|half| key.derived(Purpose::Ports(number, half)));
            let taken = |ip, port| listen_index.find(ip, port).is_some();
            fixed.push(Fixed {
                side: Side::Remote,
                ip: d.address,
                port: d.port,
                config: place,
                time_wait: d.time_wait,
            });
            destinations.push(Destination {
                address: d.address,
                pool: TuplePool::new(d, &sources, config.owner.as_ref(), taken, seed)?,
                config: place,
                time_wait: d.time_wait,
            });
        }
        let time_wait = TimeWait::new(
            &config,
            &fixed,
            &tcp_configs,
            key.derived(Purpose::TimeWaitAcks),
        )?;
        let chunks = |bytes: usize| u32::try_from(bytes.div_ceil(CHUNK)).unwrap_or(u32::MAX);
        let mut neighbors = Neighbors::new(config.max_neighbors, key);
        let detection = Detection::new(config.address_probes, &mut link);
        if detection.is_under_way() {
            neighbors.hold_v6();
        }
        let woken = u32::from(config.max_neighbors);
        let receive_memory = Memory::new(chunks(config.receive_memory), CHUNK as u32);
        let core = Core {
            slab: Slab::new(config.max_connections),
            dirty: VecDeque::with_capacity(n),
            wheel: Wheel::new(n),
            send_memory: Memory::new(chunks(config.send_memory), CHUNK as u32),
            tcp_configs,
            counters: Counters::default(),
            challenge: ChallengeLimit::new(
                config.control_replies_per_second,
                key.derived(Purpose::ChallengeAcks),
            ),
            time_wait,
            neighbors,
            detection,
            duplicates: Vec::new(),
            listeners,
            free_listeners: Vec::new(),
            listen_index,
            destinations,
            next_ephemeral: key.derived(Purpose::NextEphemeral) as u32,
            resets: RateLimit::new(config.control_replies_per_second),
            icmp_errors: RateLimit::new(config.control_replies_per_second),
            echo_replies: RateLimit::new(config.control_replies_per_second),
            key,
            secret: secrets.isn,
            real_time_at_zero_ns: config.real_time_at_zero_ns,
            ts_clock: TsClock::new(config.real_time_at_zero_ns),
            owner: config.owner,
            draining: false,
            has_sockets: false,
            waiting: Lists::new(config.max_connections, woken + 1),
            woken,
            starved: Lists::new(config.max_connections, 1),
            short: Lists::new(config.max_connections, 2),
            reopen_at: Instant::ZERO,
            mtu: config.mtu,
            link,
        };
        Ok((core, receive_memory))
    }

    /// Puts a connection, which has something to send, into a free slot. The caller has seen that there is
    /// one.
    #[inline(always)] // as Slab::insert
    pub(crate) fn insert(&mut self, slot: Slot) -> Option<u32> {
        let index = self.slab.insert(slot)?;
        let slot = self.slab.get_mut(index);
        if !slot.has(flag::QUEUED) {
            slot.flags |= flag::QUEUED;
            self.dirty.push_back(index);
        }
        Some(index)
    }

    /// The keyed hash of a four-tuple.
    #[inline]
    pub(crate) fn hash(&self, tuple: &FourTuple) -> u64 {
        self.key.flow(tuple)
    }

    /// The ISN that the clock gives (RFC 6528).
    #[inline]
    pub(crate) fn clock_isn(&self, numbers: tcp::isn::Numbers, now: Instant) -> Seq {
        numbers.isn(self.real_time_at_zero_ns.wrapping_add(now.as_nanos()))
    }

    pub(crate) fn usage(&self, receive_memory: &Memory) -> Usage {
        Usage {
            live: self.slab.live() as u64,
            time_wait: self.time_wait.live() as u64,
            due: self.dirty.len() as u64,
            receive_chunks: receive_memory.in_use().into(),
            send_chunks: self.send_memory.in_use().into(),
            timers: self.wheel.len() as u64,
            neighbor_users: self.neighbors.users(),
            free_tuples: self.destinations.iter().map(|d| d.pool.free() as u64).sum(),
            time_wait_bytes: self.time_wait.allocated_bytes() as u64,
            connection_bytes: self.slab.allocated_bytes() as u64,
            tuple_bytes: self
                .destinations
                .iter()
                .map(|d| d.pool.allocated_bytes() as u64)
                .sum(),
        }
    }
}

/// The place of `config` among the shard's for connections of one family, with an MSS that fits the
/// link (RFC 9293 3.7.1).
pub(crate) fn place_config(
    configs: &mut Vec<TcpConfig>,
    config: &TcpConfig,
    mtu: u16,
    is_v4: bool,
) -> Result<u16, ConfigError> {
    let mut config = config.clone();
    if is_v4 {
        config.mss = config.mss.min(mtu - 40);
    } else {
        config.mss = config.mss.min(mtu - 60);
        //= RFC 9293 3.7.1
        //# If an MSS Option is not received at connection setup, TCP
        //# implementations MUST assume a default send MSS of 536 (576 - 40)
        //# for IPv4 or 1220 (1280 - 60) for IPv6 (MUST-15).
        if config.default_mss == TcpConfig::default().default_mss {
            config.default_mss = 1220;
        }
    }
    let place = configs
        .iter()
        .position(|c| *c == config)
        .unwrap_or_else(|| {
            configs.push(config);
            configs.len() - 1
        });
    u16::try_from(place).map_err(|_| ConfigError::TooManyParameters)
}

/// The places of `config` for both families.
pub(crate) fn place_both(
    configs: &mut Vec<TcpConfig>,
    config: &TcpConfig,
    mtu: u16,
) -> Result<Places, ConfigError> {
    Ok(Places {
        v4: place_config(configs, config, mtu, true)?,
        v6: place_config(configs, config, mtu, false)?,
    })
}
