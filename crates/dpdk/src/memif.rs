//! A link through shared memory (driver net_memif): between two ports of a process, or between two
//! processes, which may even be another program that speaks memif.
//!
//! A frame is copied twice, once into the shared ring and once out of it. It needs neither root nor huge
//! pages.

use std::fmt;
use std::path::PathBuf;
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::{Eal, Error, Port};

/// Which side of a memif connection a port is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Waits on the socket.
    Server,
    /// Connects to the socket, and gives the memory.
    Client,
}

/// Where the two sides meet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Socket {
    /// A name without a file, known within the network namespace.
    Abstract(String),
    /// A socket file; its folder decides who may connect.
    Path(PathBuf),
}

/// One end of a memif link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemifArgs {
    /// Which side this is.
    pub role: Role,
    /// Where the sides meet.
    pub socket: Socket,
    /// Number of the link on that socket, the same on both sides.
    pub id: u32,
    /// Descriptors of each ring as a power of two, 1 to 14. The client's counts.
    pub ring_order: u8,
    /// Octets of each buffer of the ring: a longer frame takes several. The client's counts.
    pub buffer_size: u16,
}

impl MemifArgs {
    /// One end with a ring of 1024 buffers of 2048 octets.
    #[must_use]
    pub fn new(role: Role, socket: Socket, id: u32) -> Self {
        Self {
            role,
            socket,
            id,
            ring_order: 10,
            buffer_size: 2048,
        }
    }

    /// The devargs for [`Port::open`] of this end, as the virtual device `net_memif` and `number`.
    ///
    /// # Errors
    /// [`Error::BadArgument`] when the socket's name cannot be written in devargs, or a number is out of
    /// range.
    pub fn devargs(&self, number: u32) -> Result<String, Error> {
        let (name, is_abstract) = match &self.socket {
            Socket::Abstract(name) => (name.clone(), "yes"),
            Socket::Path(path) => (path.to_string_lossy().into_owned(), "no"),
        };
        // The limit is that of `sun_path`, and abstract names begin with a NUL.
        if name.is_empty() || name.len() > 106 || name.contains([',', '=', '[', ']', '"', '\0']) {
            return Err(Error::BadArgument(format!(
                "`{name}` cannot be the socket of a memif link"
            )));
        }
        if !(1..=14).contains(&self.ring_order) || self.buffer_size < 64 {
            return Err(Error::BadArgument(
                "a memif ring has 2^1 to 2^14 buffers of at least 64 octets".into(),
            ));
        }
        Ok(format!(
            "net_memif{number},role={},id={},socket={name},socket-abstract={is_abstract},rsize={},bsize={}",
            self.role, self.id, self.ring_order, self.buffer_size
        ))
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Server => "server",
            Self::Client => "client",
        })
    }
}

/// Numbers of devices made here; far from those that a user would write.
static NUMBER: AtomicU32 = AtomicU32::new(1000);

/// Makes one end of a link.
///
/// Its link comes up when both ends are started; see [`Port::wait_for_link`]. A server can send only after
/// the client has polled for the first time, since that is when the client gives it buffers.
///
/// # Errors
/// As [`MemifArgs::devargs`] and [`Port::open`].
pub fn open(eal: &Eal, args: &MemifArgs) -> Result<Port, Error> {
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    Port::open(eal, &args.devargs(number)?)
}

/// Makes both ends of a link in this process, the server first, over a socket without a file.
///
/// # Errors
/// As [`open`].
pub fn pair(eal: &Eal) -> Result<(Port, Port), Error> {
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let socket = Socket::Abstract(format!("dpdk-memif-{}-{number}", process::id()));
    let server = open(eal, &MemifArgs::new(Role::Server, socket.clone(), 0))?;
    let client = open(eal, &MemifArgs::new(Role::Client, socket, 0))?;
    Ok((server, client))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devargs() {
        let args = MemifArgs::new(Role::Client, Socket::Path("/tmp/x.sock".into()), 3);
        assert_eq!(
            args.devargs(7).expect("valid"),
            "net_memif7,role=client,id=3,socket=/tmp/x.sock,socket-abstract=no,rsize=10,bsize=2048"
        );
    }

    #[test]
    fn what_devargs_cannot_carry_is_refused() {
        for name in ["", "a,b", "a=b", &"x".repeat(107)] {
            let args = MemifArgs::new(Role::Server, Socket::Abstract(name.into()), 0);
            assert!(args.devargs(0).is_err(), "{name}");
        }
        let mut args = MemifArgs::new(Role::Server, Socket::Abstract("a".into()), 0);
        args.ring_order = 15;
        assert!(args.devargs(0).is_err());
    }
}
