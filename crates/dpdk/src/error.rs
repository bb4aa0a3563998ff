//! What can go wrong at start, with its cause and its remedy.

use std::io;

/// Why DPDK, a device or a pool could not be had.
///
/// The messages are meant for the operator: each names the cause and, where there is one, the remedy.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// EAL exists once in a process and cannot be initialised again, not even after its end.
    #[error("EAL was already initialised in this process, and can be only once")]
    AlreadyInitialised,

    /// There are too few free huge pages.
    #[error(
        "{needed_mb} MiB of huge pages are needed and {free_mb} MiB are free. Reserve some as root, for example \
         `echo {pages} > /sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages`, or allow plain memory",
        pages = needed_mb.div_ceil(2)
    )]
    NoHugepages {
        /// What was asked for, in MiB.
        needed_mb: u64,
        /// What there is, in MiB.
        free_mb: u64,
    },

    /// The operating system refused something.
    #[error("not permitted: {what}. Run as root, or grant what is missing. {log}")]
    Permission {
        /// What was refused.
        what: String,
        /// DPDK's own words.
        log: String,
    },

    /// No such device.
    #[error(
        "there is no device `{devargs}`. `dpdk-devbind.py --status` lists the PCI devices; virtual devices begin with the \
         name of their driver, as in `net_tap0`. {log}"
    )]
    NoSuchDevice {
        /// The device as it was asked for.
        devargs: String,
        /// DPDK's own words.
        log: String,
    },

    /// The PCI device is in the hands of a kernel driver that DPDK cannot work with.
    #[error(
        "PCI device {device} is bound to {bound}, so DPDK cannot drive it. Bind it as root with \
         `dpdk-devbind.py -b vfio-pci {device}` (the kernel loses its network interface)",
        bound = match driver { Some(driver) => format!("the kernel driver `{driver}`"), None => "no driver".into() }
    )]
    WrongDriver {
        /// The PCI address.
        device: String,
        /// The kernel driver, if any.
        driver: Option<String>,
    },

    /// The device exists under a suitable driver, but EAL did not take it.
    #[error(
        "PCI device {device} was not taken: list it among the allowed PCI devices; if it is, DPDK's driver for it refused \
         or is not installed. {log}"
    )]
    NotAllowed {
        /// The PCI address.
        device: String,
        /// DPDK's own words.
        log: String,
    },

    /// The device arguments were refused.
    #[error("the device arguments `{devargs}` were refused. {log}")]
    BadDevargs {
        /// The device as it was asked for.
        devargs: String,
        /// DPDK's own words.
        log: String,
    },

    /// The other process of a memif link does not listen.
    #[error(
        "no memif server listens at the socket of the device `{device}`: start the side with role=server first, and give \
         both the same socket, socket-abstract and id. {log}"
    )]
    NoMemifServer {
        /// The device, whose role is client.
        device: String,
        /// DPDK's own words.
        log: String,
    },

    /// Another [`crate::Port`] has the device.
    #[error("the device `{devargs}` is open already")]
    InUse {
        /// The device as it was asked for.
        devargs: String,
    },

    /// A pool of packet buffers could not be made.
    #[error(
        "no memory for the pool `{pool}` of {n} packet buffers ({mb} MiB). Give EAL more memory, reserve more huge pages, or \
         use fewer connections or smaller queues. {log}"
    )]
    NoMbufs {
        /// The pool's name.
        pool: String,
        /// Its number of buffers.
        n: u32,
        /// Their size together, in MiB.
        mb: u64,
        /// DPDK's own words.
        log: String,
    },

    /// A value is outside of what is possible.
    #[error("{0}")]
    BadArgument(String),

    /// The device cannot do what was asked.
    #[error("the device `{device}` cannot do this: {what}")]
    Unsupported {
        /// The device.
        device: String,
        /// What it cannot do.
        what: String,
    },

    /// No lcore id was free for a worker thread.
    #[error("no lcore id is free for another worker thread (DPDK has {max}, RTE_MAX_LCORE)", max = dpdk_sys::RTE_MAX_LCORE)]
    NoLcore,

    /// The operating system reports an error.
    #[error("{what}: {cause}")]
    Os {
        /// What was tried.
        what: String,
        /// The error. Not named `source`, or whoever prints the whole chain would print it twice.
        cause: io::Error,
    },

    /// A DPDK call failed for a reason without a case of its own.
    #[error("{call} failed: {}. {log}", io::Error::from_raw_os_error(*errno))]
    Dpdk {
        /// The function of DPDK.
        call: &'static str,
        /// The error number, positive.
        errno: i32,
        /// DPDK's own words.
        log: String,
    },
}

impl Error {
    pub(crate) fn os(what: impl Into<String>, cause: io::Error) -> Self {
        Self::Os {
            what: what.into(),
            cause,
        }
    }
}

/// Turns the return value of a DPDK call, 0 or a negative errno, into a result.
pub(crate) fn check(call: &'static str, ret: i32, log: String) -> Result<(), Error> {
    if ret >= 0 {
        return Ok(());
    }
    let errno = match -ret {
        // Some drivers return -1 without meaning EPERM; rte_errno is then the better word.
        // SAFETY: reads a thread-local variable.
        1 => unsafe { dpdk_sys::shim_errno() },
        errno => errno,
    };
    Err(Error::Dpdk { call, errno, log })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_name_cause_and_remedy() {
        let bound = Error::WrongDriver {
            device: "0000:03:00.0".into(),
            driver: Some("ixgbe".into()),
        };
        let text = bound.to_string();
        assert!(
            text.contains("`ixgbe`") && text.contains("dpdk-devbind.py -b vfio-pci 0000:03:00.0")
        );

        let pages = Error::NoHugepages {
            needed_mb: 513,
            free_mb: 2,
        };
        assert!(pages.to_string().contains("echo 257 >"));
    }

    #[test]
    fn negative_returns_are_errors() {
        assert!(check("f", 0, String::new()).is_ok());
        assert!(matches!(
            check("f", -libc::EINVAL, String::new()),
            Err(Error::Dpdk {
                errno: libc::EINVAL,
                ..
            })
        ));
    }
}
