//! PCI addresses, and who drives the device.

use std::fs;
use std::path::Path;

use crate::{Error, vdev};

/// Kernel drivers under which DPDK can drive a device: those that hand it over, and those of devices
/// that DPDK and the kernel share.
const GOOD_DRIVERS: [&str; 6] = [
    "vfio-pci",
    "igb_uio",
    "uio_pci_generic",
    "mlx4_core",
    "mlx5_core",
    "mana",
];

/// The device part of devargs: all before the first comma, without the name of the bus.
pub(crate) fn device_name(devargs: &str) -> &str {
    let name = devargs.split(',').next().unwrap_or(devargs);
    name.strip_prefix("pci:")
        .or_else(|| name.strip_prefix("vdev:"))
        .unwrap_or(name)
}

/// The full form `dddd:bb:dd.f` of a PCI address, or `None` when `name` is not one.
pub(crate) fn address(name: &str) -> Option<String> {
    let (rest, function) = name.rsplit_once('.')?;
    let mut parts = rest.rsplit(':');
    let device = hex(parts.next()?, 2, 0x1f)?;
    let bus = hex(parts.next()?, 2, 0xff)?;
    let domain = match parts.next() {
        Some(domain) => hex(domain, 8, u32::MAX)?,
        None => 0,
    };
    let function = hex(function, 1, 7)?;
    if parts.next().is_some() {
        return None;
    }
    Some(format!("{domain:04x}:{bus:02x}:{device:02x}.{function:x}"))
}

fn hex(text: &str, digits: usize, max: u32) -> Option<u32> {
    if text.is_empty() || text.len() > digits || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    u32::from_str_radix(text, 16).ok().filter(|&n| n <= max)
}

/// Why a device could not be had, found out after the attempt failed.
pub(crate) fn diagnose(devargs: &str, errno: i32, log: String) -> Error {
    diagnose_in(Path::new("/sys/bus/pci/devices"), devargs, errno, log)
}

fn diagnose_in(devices: &Path, devargs: &str, errno: i32, log: String) -> Error {
    let devargs = devargs.to_owned();
    if let Some(device) = address(device_name(&devargs)) {
        let folder = devices.join(&device);
        if !folder.exists() {
            return Error::NoSuchDevice { devargs, log };
        }
        let driver = fs::read_link(folder.join("driver"))
            .ok()
            .and_then(|link| Some(link.file_name()?.to_string_lossy().into_owned()));
        return match driver {
            Some(driver) if GOOD_DRIVERS.contains(&driver.as_str()) => match errno {
                libc::EACCES | libc::EPERM => Error::Permission {
                    what: format!("opening {device}"),
                    log,
                },
                libc::EINVAL => Error::BadDevargs { devargs, log },
                _ => Error::NotAllowed { device, log },
            },
            driver => Error::WrongDriver { device, driver },
        };
    }
    if let Some(error) = vdev::diagnose(&devargs) {
        return error;
    }
    // Drivers of virtual devices return -1 for anything, so EPERM alone says nothing.
    let refused = ["ermission denied", "not permitted"];
    match errno {
        _ if errno == libc::EACCES || refused.iter().any(|words| log.contains(words)) => {
            Error::Permission {
                what: format!("opening {devargs}"),
                log,
            }
        }
        libc::ENODEV | libc::ENOENT | libc::EFAULT => Error::NoSuchDevice { devargs, log },
        libc::EEXIST => Error::InUse { devargs },
        _ => Error::BadDevargs { devargs, log },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        assert_eq!(address("01:00.1").as_deref(), Some("0000:01:00.1"));
        assert_eq!(address("0000:AF:1f.0").as_deref(), Some("0000:af:1f.0"));
        for wrong in [
            "net_ring0",
            "01:00",
            "01:20.0",
            "01:00.8",
            "0:0:0:0.0",
            "",
            "1:.0",
        ] {
            assert_eq!(address(wrong), None, "{wrong}");
        }
        assert_eq!(device_name("pci:01:00.0,mprq_en=1"), "01:00.0");
        assert_eq!(device_name("net_tap0,iface=t0"), "net_tap0");
    }

    #[test]
    fn kernel_driver_is_named() {
        let root = tempfile::tempdir().expect("temporary folder");
        let device = root.path().join("0000:03:00.0");
        fs::create_dir(&device).expect("folder");
        let diagnose = |errno| diagnose_in(root.path(), "03:00.0", errno, String::new());

        assert!(matches!(
            diagnose(libc::ENODEV),
            Error::WrongDriver { driver: None, .. }
        ));
        std::os::unix::fs::symlink("/sys/bus/pci/drivers/ixgbe", device.join("driver"))
            .expect("link");
        assert!(matches!(
            diagnose(libc::ENODEV),
            Error::WrongDriver { driver: Some(driver), .. } if driver == "ixgbe"
        ));
        fs::remove_file(device.join("driver")).expect("remove");
        std::os::unix::fs::symlink("/sys/bus/pci/drivers/vfio-pci", device.join("driver"))
            .expect("link");
        assert!(matches!(diagnose(libc::ENODEV), Error::NotAllowed { .. }));
        assert!(matches!(diagnose(libc::EACCES), Error::Permission { .. }));
        assert!(matches!(
            diagnose_in(root.path(), "04:00.0", libc::ENODEV, String::new()),
            Error::NoSuchDevice { .. }
        ));
    }
}
