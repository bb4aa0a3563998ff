//! The system under test: made from a flags string, driven by packets and time.

use stack::{InterfaceAddress, MemPool, Secrets, Stack};
use tcp::time_wait::Policy;
use wire::Ip;

use crate::address::Ephemeral;
use crate::app::Sockets;
use crate::errno::Errno;
use crate::flags::{Flags, FlagsError};
use crate::host::{Host, OURS};

/// Frames that the stack may hold at a time: what it sends is fetched at once.
const FRAMES: usize = 1024;

/// One host with one IPv4 address, its sockets, and packets that wait to be fetched. The calls are
/// those of `include/sut.h`.
pub struct Sut {
    pub(crate) host: Host,
    pub(crate) flags: Flags,
    pub(crate) ip: Ip,
    pub(crate) ephemeral: Ephemeral,
}

/// Why a system under test could not be made.
#[derive(Debug, thiserror::Error)]
pub enum NewError {
    /// The flags string.
    #[error(transparent)]
    Flags(#[from] FlagsError),
    /// The address, or values that do not go together.
    #[error(transparent)]
    Config(#[from] stack::ConfigError),
}

impl Sut {
    /// A host with the address `ip` at time `now_us`.
    ///
    /// # Errors
    /// What is wrong with the flags or the address.
    pub fn new(ip: [u8; 4], flags: &str, now_us: u64) -> Result<Sut, NewError> {
        let flags = Flags::parse(flags)?;
        // Everything is on-link.
        let address = InterfaceAddress {
            ip: Ip::v4(ip),
            prefix: 0,
        };
        let mut config = stack::Config::new(OURS, address);
        config.mtu = flags.mtu;
        // As `TimeWaitConfig::kept_ms` has it.
        config.time_wait_lengths_ms = vec![match flags.rules.policy {
            Policy::None => 0,
            _ => flags.time_wait_ms,
        }];
        config.time_wait_capacity = usize::from(flags.time_waits);
        config.max_connections = flags.connections.into();
        config.max_neighbors = u16::MAX;
        config.control_replies_per_second = flags.replies;
        config.time_wait_ack_interval_ms = flags.tw_ack_ms;
        // Not all of it is promised: windows would not be what the buffers alone would have them.
        config.receive_memory = flags.memory.max(flags.tcp.rcv_buf) as usize * 4 / 3;
        config.send_memory = flags.memory.max(flags.tcp.snd_buf) as usize;
        config.real_time_at_zero_ns = now_us.wrapping_mul(1_000);
        let sockets = Sockets::new(flags.backlog);
        let secrets = secrets(flags.seed);
        let stack = Stack::new(config, secrets, sockets, MemPool::new(FRAMES))?;
        Ok(Sut {
            host: Host::new(stack, now_us),
            ip: Ip::v4(ip),
            ephemeral: Ephemeral::new(flags.seed),
            flags,
        })
    }

    /// An IP packet arrives.
    ///
    /// # Errors
    /// EMSGSIZE above 65,521 bytes.
    pub fn input(&mut self, packet: &[u8]) -> Result<(), Errno> {
        self.host.input(packet)
    }

    /// The next packet to send.
    pub fn output(&mut self) -> Option<Vec<u8>> {
        let packet = self.host.next_packet()?.to_vec();
        self.host.drop_packet();
        Some(packet)
    }

    /// It is `now_us`: everything that is due runs.
    pub fn advance(&mut self, now_us: u64) {
        self.host.advance(now_us);
    }

    /// When the next timer of a connection or of TIME-WAIT is due.
    pub fn next_timer(&mut self) -> Option<u64> {
        self.host.next_timer()
    }

    /// Everything that the stack counts.
    #[must_use]
    pub fn counters(&self) -> &stack::Counters {
        self.host.counters()
    }

    /// What the stack holds.
    #[must_use]
    pub fn usage(&self) -> stack::Usage {
        self.host.usage()
    }
}

/// Secrets from a seed (SplitMix64).
fn secrets(seed: u64) -> Secrets {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = state;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    };
    let mut isn = [0; 32];
    for bytes in isn.chunks_exact_mut(8) {
        bytes.copy_from_slice(&next().to_le_bytes());
    }
    Secrets {
        isn: tcp::isn::Secret::new(isn),
        table: [next(), next()],
    }
}
