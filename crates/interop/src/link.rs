//! A packet socket (packet(7)): whole frames in and out of one interface.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::Instant;

use anyhow::Context;
use nix::errno::Errno;
use nix::ifaddrs::getifaddrs;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, bind, recv, send, socket,
};
use wire::MacAddr;

/// Larger than any frame that an interface delivers, segmentation offload included.
const LARGEST: usize = 1 << 17;

/// An interface, seen beside the kernel's own protocols: what they receive and what they send is
/// received here too.
pub(crate) struct Link {
    socket: OwnedFd,
    mac: MacAddr,
    buffer: Vec<u8>,
}

impl Link {
    /// Opens `interface`, which must be Ethernet. Needs CAP_NET_RAW.
    pub(crate) fn open(interface: &str) -> anyhow::Result<Link> {
        let address = getifaddrs()
            .context("list of interfaces")?
            .filter(|entry| entry.interface_name == interface)
            .find_map(|entry| entry.address?.as_link_addr().copied())
            .with_context(|| format!("there is no interface {interface}"))?;
        let mac = MacAddr(
            address
                .addr()
                .with_context(|| format!("{interface} is not Ethernet"))?,
        );
        let socket = socket(
            AddressFamily::Packet,
            SockType::Raw,
            SockFlag::SOCK_CLOEXEC,
            SockProtocol::EthAll,
        )
        .context("packet socket (root or CAP_NET_RAW is needed)")?;
        bind(socket.as_raw_fd(), &address).with_context(|| format!("bind to {interface}"))?;
        Ok(Link {
            socket,
            mac,
            buffer: vec![0; LARGEST],
        })
    }

    /// The kernel's address on the interface.
    pub(crate) fn mac(&self) -> MacAddr {
        self.mac
    }

    /// Sends `frame` as it is.
    pub(crate) fn send(&self, frame: &[u8]) -> anyhow::Result<()> {
        send(self.socket.as_raw_fd(), frame, MsgFlags::empty()).context("send a frame")?;
        Ok(())
    }

    /// The next frame, of either direction; `None` if there is none before `deadline`.
    pub(crate) fn receive(&mut self, deadline: Instant) -> anyhow::Result<Option<&[u8]>> {
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            // Rounded up, or the last millisecond would be spent spinning.
            let millis = left.as_micros().div_ceil(1000).min(60_000) as u16;
            let mut fds = [PollFd::new(self.socket.as_fd(), PollFlags::POLLIN)];
            match poll(&mut fds, PollTimeout::from(millis)) {
                Ok(0) => return Ok(None),
                Ok(_) => break,
                Err(Errno::EINTR) => {}
                Err(error) => return Err(error).context("wait for a frame"),
            }
        }
        let len = recv(
            self.socket.as_raw_fd(),
            &mut self.buffer,
            MsgFlags::MSG_DONTWAIT,
        )
        .context("receive a frame (is the interface gone?)")?;
        Ok(self.buffer.get(..len))
    }
}
