//! The device behind a port, for as long as the port or one of its queues is there.

use std::ffi::CString;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use dpdk_sys as sys;

use super::capabilities::text;
use super::{log, pci};
use crate::{Eal, Error, Mempool, interrupt};

/// What a device is made of, when that is ours; it outlives the device.
pub(crate) trait Backing: Send + Sync {
    /// Keeps pools whose buffers may still lie in the backing.
    fn adopt(&self, pools: Vec<Mempool>);
}

/// An open device; closed when dropped.
pub(crate) struct Device {
    id: u16,
    name: String,
    started: AtomicBool,
    backing: Option<Arc<dyn Backing>>,
    /// Where the receive queues' buffers come from.
    pools: Mutex<Vec<Mempool>>,
    eal: Eal,
}

/// The numbers of all ports there are.
pub(crate) fn ids() -> Vec<u16> {
    let mut ids = [0; sys::RTE_MAX_ETHPORTS as usize];
    // SAFETY: writes at most as many ids as there is room for.
    let n = unsafe { sys::shim_ports(ids.as_mut_ptr(), ids.len() as u16) };
    ids[..usize::from(n).min(ids.len())].to_vec()
}

/// Has EAL look for a device, or make a virtual one.
pub(crate) fn probe(devargs: &str) -> Result<(), Error> {
    let text = CString::new(devargs)
        .map_err(|_| Error::BadArgument("the device arguments contain NUL".into()))?;
    // SAFETY: EAL is initialised, as the caller's handle shows; `text` is a C string.
    let (ret, log) = log::watch(|| unsafe { sys::rte_dev_probe(text.as_ptr()) });
    if ret < 0 {
        return Err(pci::diagnose(devargs, -ret, log));
    }
    Ok(())
}

impl Device {
    /// Takes port `id`, which nobody has.
    pub(crate) fn claim(
        eal: &Eal,
        id: u16,
        name: String,
        backing: Option<Arc<dyn Backing>>,
    ) -> Result<Self, Error> {
        if !eal.claim(id) {
            return Err(Error::InUse { devargs: name });
        }
        Ok(Self {
            id,
            name,
            started: AtomicBool::new(false),
            backing,
            pools: Mutex::new(Vec::new()),
            eal: eal.clone(),
        })
    }

    pub(crate) fn id(&self) -> u16 {
        self.id
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Keeps the pools that the receive queues fill from.
    pub(crate) fn keep_pools(&self, pools: &[Mempool]) {
        self.lock_pools().extend_from_slice(pools);
    }

    /// Buffers of these pools that nobody has.
    pub(crate) fn free_buffers(&self) -> u64 {
        let pools = self.lock_pools();
        pools.iter().map(|pool| u64::from(pool.available())).sum()
    }

    fn lock_pools(&self) -> MutexGuard<'_, Vec<Mempool>> {
        self.pools.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_started(&self) {
        self.started.store(true, Ordering::Release);
    }

    /// Whether another port belongs to the same device.
    fn has_sibling(&self, handle: *mut sys::rte_device) -> bool {
        ids().into_iter().filter(|&id| id != self.id).any(|id| {
            // SAFETY: plain data for which all zeroes are valid.
            let mut info: sys::shim_port_info = unsafe { std::mem::zeroed() };
            // SAFETY: `info` is writable.
            unsafe { sys::shim_port_info(id, &mut info) == 0 && info.handle == handle }
        })
    }

    fn close(&self) {
        // SAFETY: plain data for which all zeroes are valid.
        let mut info: sys::shim_port_info = unsafe { std::mem::zeroed() };
        // SAFETY: the port is open and `info` is writable.
        let known = unsafe { sys::shim_port_info(self.id, &mut info) } == 0;
        let last = known && !info.handle.is_null() && !self.has_sibling(info.handle);
        let (id, started) = (self.id, self.started.load(Ordering::Acquire));
        let stop_and_close = move || {
            // SAFETY: no queue handle is left, so nobody uses the port's queues.
            unsafe {
                if started {
                    sys::rte_eth_dev_stop(id);
                }
                sys::rte_eth_dev_close(id)
            }
        };
        // When the other end of a memif link closes, the driver frees the link's memory in the
        // interrupt thread, without a lock: at the same time as a close from elsewhere, twice.
        let ret = match known && text(&info.driver) == "net_memif" {
            true => {
                interrupt::HANDLERS_LINGER.store(true, Ordering::Release);
                interrupt::run(stop_and_close).unwrap_or(-libc::ETIMEDOUT)
            }
            false => stop_and_close(),
        };
        if ret != 0 {
            tracing::warn!("closing {} failed: {ret}", self.name);
        }
        if last {
            // SAFETY: the device is attached, and its only port is closed.
            let ret = unsafe { sys::rte_dev_remove(info.handle) };
            if ret < 0 {
                tracing::debug!("detaching {} failed: {ret}", self.name);
            }
        }
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        {
            let _lock = self.eal.lock_ports();
            let ((), _log) = log::watch(|| self.close());
            self.eal.release(self.id);
        }
        if let Some(backing) = &self.backing {
            backing.adopt(std::mem::take(&mut *self.lock_pools()));
        }
    }
}

impl std::fmt::Debug for Device {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Device")
            .field("id", &self.id)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
