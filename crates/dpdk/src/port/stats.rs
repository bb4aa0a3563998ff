//! Counters and the state of the link.

use dpdk_sys as sys;

use super::capabilities::text;
use crate::Error;
use crate::error::check;

/// How a link is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkState {
    /// Frames can pass.
    pub up: bool,
    /// Speed in Mb/s, if known.
    pub speed_mbps: Option<u32>,
    /// Both ways at once.
    pub full_duplex: bool,
}

/// The counters that every driver has, since the port was started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PortStats {
    /// Frames received.
    pub ipackets: u64,
    /// Frames sent.
    pub opackets: u64,
    /// Octets received.
    pub ibytes: u64,
    /// Octets sent.
    pub obytes: u64,
    /// Frames that the device dropped because a receive queue was full.
    pub imissed: u64,
    /// Frames received with an error.
    pub ierrors: u64,
    /// Frames that could not be sent.
    pub oerrors: u64,
    /// Failures to get a buffer for a frame to be received.
    pub rx_nombuf: u64,
}

pub(crate) fn link(port: u16) -> Result<LinkState, Error> {
    // SAFETY: plain data for which all zeroes are valid.
    let mut link: sys::shim_link = unsafe { std::mem::zeroed() };
    // SAFETY: `link` is writable.
    let ret = unsafe { sys::shim_link_get(port, &mut link) };
    check("rte_eth_link_get_nowait", ret, String::new())?;
    Ok(LinkState {
        up: link.up != 0,
        speed_mbps: Some(link.speed)
            .filter(|&speed| speed != 0 && speed != sys::SHIM_ETH_LINK_SPEED_UNKNOWN),
        full_duplex: link.full_duplex != 0,
    })
}

pub(crate) fn stats(port: u16) -> Result<PortStats, Error> {
    // SAFETY: plain data for which all zeroes are valid.
    let mut raw: sys::rte_eth_stats = unsafe { std::mem::zeroed() };
    // SAFETY: `raw` is writable.
    let ret = unsafe { sys::rte_eth_stats_get(port, &mut raw) };
    check("rte_eth_stats_get", ret, String::new())?;
    Ok(PortStats {
        ipackets: raw.ipackets,
        opackets: raw.opackets,
        ibytes: raw.ibytes,
        obytes: raw.obytes,
        imissed: raw.imissed,
        ierrors: raw.ierrors,
        oerrors: raw.oerrors,
        rx_nombuf: raw.rx_nombuf,
    })
}

pub(crate) fn xstats(port: u16) -> Result<Vec<(String, u64)>, Error> {
    // SAFETY: asks for the number of counters only.
    let n = unsafe { sys::rte_eth_xstats_get(port, std::ptr::null_mut(), 0) };
    check("rte_eth_xstats_get", n, String::new())?;
    // SAFETY: plain data for which all zeroes are valid.
    let zero: (sys::rte_eth_xstat_name, sys::rte_eth_xstat) = unsafe { std::mem::zeroed() };
    let mut names = vec![zero.0; n as usize];
    let mut values = vec![zero.1; n as usize];
    // SAFETY: `names` has room for `n`.
    let named = unsafe { sys::rte_eth_xstats_get_names(port, names.as_mut_ptr(), n as u32) };
    check("rte_eth_xstats_get_names", named, String::new())?;
    // SAFETY: `values` has room for `n`.
    let got = unsafe { sys::rte_eth_xstats_get(port, values.as_mut_ptr(), n as u32) };
    check("rte_eth_xstats_get", got, String::new())?;
    // A number beyond the room means that the counters changed meanwhile and none was written.
    let got = if got > n { 0 } else { got as usize };
    Ok(values[..got]
        .iter()
        .filter_map(|value| {
            let name = names.get(usize::try_from(value.id).ok()?)?;
            Some((text(&name.name), value.value))
        })
        .collect())
}
