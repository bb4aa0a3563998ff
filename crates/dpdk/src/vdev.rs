//! What DPDK's virtual devices need that their drivers do not say when it is missing.

use std::path::Path;

use crate::Error;
use crate::pci::device_name;

/// Drivers that take over an interface of the kernel, which `iface` names.
const OVER_AN_INTERFACE: [&str; 2] = ["net_af_packet", "net_af_xdp"];

/// Why a virtual device was refused, found out after the attempt failed; `None` where its arguments do not show it.
pub(crate) fn diagnose(devargs: &str) -> Option<Error> {
    diagnose_in(Path::new("/sys/class/net"), devargs)
}

fn diagnose_in(interfaces: &Path, devargs: &str) -> Option<Error> {
    let name = device_name(devargs);
    if !OVER_AN_INTERFACE.contains(&driver(name)) {
        return None;
    }
    let Some(interface) = value(devargs, "iface") else {
        return Some(Error::BadArgument(format!(
            "the device `{devargs}` is not told which interface of the kernel to use: add it, as in `{name},iface=eth1`"
        )));
    };
    if interfaces.join(interface).exists() {
        return None;
    }
    Some(Error::BadArgument(format!(
        "the device `{devargs}` is for an interface `{interface}`, and the kernel has none of that name in this network \
         namespace: `ip link` lists them"
    )))
}

/// Why a port could not be started, where the error number and the driver say more than the words of either.
pub(crate) fn explain_start(name: &str, error: Error) -> Error {
    match error {
        Error::Dpdk {
            errno: libc::ENOENT | libc::ECONNREFUSED,
            log,
            ..
        } if driver(device_name(name)) == "net_memif" => Error::NoMemifServer {
            device: name.to_owned(),
            log,
        },
        error => error,
    }
}

/// The driver of a virtual device: its name without the number behind it.
fn driver(name: &str) -> &str {
    name.trim_end_matches(|c: char| c.is_ascii_digit())
}

/// The value of `key` among the arguments behind the device's name.
fn value<'a>(devargs: &'a str, key: &str) -> Option<&'a str> {
    let mut arguments = devargs.split(',').skip(1);
    arguments
        .find_map(|argument| argument.split_once('=').filter(|pair| pair.0 == key))
        .map(|pair| pair.1)
        .filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interface_that_is_not_named_or_not_there_is_told() {
        let root = tempfile::tempdir().expect("temporary folder");
        std::fs::create_dir(root.path().join("eth7")).expect("folder");
        let why = |devargs| diagnose_in(root.path(), devargs).map(|error| error.to_string());
        for missing in [
            "net_af_packet0",
            "net_af_xdp3,start_queue=0",
            "net_af_packet0,iface=",
        ] {
            let why = why(missing).expect(missing);
            assert!(why.contains(",iface=eth1"), "{why}");
        }
        let absent = why("vdev:net_af_packet0,iface=eth8").expect("no such interface");
        assert!(
            absent.contains("`eth8`") && absent.contains("ip link"),
            "{absent}"
        );
        // What is wrong with these is not for this to tell.
        for other in [
            "net_af_packet0,iface=eth7,qpairs=99",
            "net_tap0",
            "net_ring0",
            "03:00.0",
        ] {
            assert_eq!(why(other), None, "{other}");
        }
    }

    #[test]
    fn a_memif_server_that_is_not_there_is_told() {
        let error = |errno| Error::Dpdk {
            call: "rte_eth_dev_start",
            errno,
            log: String::new(),
        };
        for errno in [libc::ENOENT, libc::ECONNREFUSED] {
            let told = explain_start("net_memif0", error(errno));
            assert!(matches!(told, Error::NoMemifServer { .. }), "{told}");
            assert!(told.to_string().contains("role=server"), "{told}");
        }
        assert!(matches!(
            explain_start("net_memif0", error(libc::ENOMEM)),
            Error::Dpdk { .. }
        ));
        assert!(matches!(
            explain_start("net_tap0", error(libc::ENOENT)),
            Error::Dpdk { .. }
        ));
    }
}
