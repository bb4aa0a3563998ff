//! A flood of SYNs from a host that answers none of the SYN-ACKs.

use core::fmt;
use core::net::SocketAddr;
use std::time::{Duration, Instant};

use wire::Seq;
use wire::tcp::Flags;

use crate::client::Syn;
use crate::host::Host;

/// SYNs sent at once, and the pause after them: some twenty thousand a second.
const BURST: u16 = 20;
const PAUSE: Duration = Duration::from_millis(1);
/// The first port; ports below are left to those who want an answer.
const FIRST_PORT: u16 = 1024;

/// What a flood came to.
#[derive(Default, Debug)]
pub(crate) struct Flood {
    sent: u64,
    /// SYN-ACKs, repeated ones included.
    answered: u64,
}

/// Sends SYNs to `port` for `time`, each from the next of all ports; `damaged`: with wrong TCP checksums.
pub(crate) fn run(
    host: &mut Host,
    port: u16,
    time: Duration,
    damaged: bool,
) -> anyhow::Result<Flood> {
    let end = Instant::now() + time;
    let server = SocketAddr::new(host.server(), port);
    let mut flood = Flood::default();
    let mut ports = (FIRST_PORT..=u16::MAX).cycle();
    while Instant::now() < end {
        for from in ports.by_ref().take(BURST.into()) {
            let syn = Syn {
                iss: Seq(u32::from(from) << 16),
                ts_val: None,
            };
            let packet = syn.packet(SocketAddr::new(host.address(), from), server);
            match damaged {
                true => host.send_damaged(packet)?,
                false => host.send(packet)?,
            }
            flood.sent += 1;
        }
        let pause = Instant::now() + PAUSE;
        while let Some(packet) = host.receive(pause)? {
            flood.answered += u64::from(packet.has(Flags::SYN | Flags::ACK));
        }
    }
    Ok(flood)
}

impl fmt::Display for Flood {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sent {} answered {}", self.sent, self.answered)
    }
}
