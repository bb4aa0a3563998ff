//! `tidewheel serve`: the configured applications on a DPDK port, until SIGINT or SIGTERM.

use std::io::{self, Write};

use anyhow::Context as _;
use runtime::{Clock, Control, ControlArgs, Idle, Port, PortArgs, Worker, WorkerThread, seats};

use crate::apps::{Apps, Service};
use crate::check::{self, Description};
use crate::config::{self, Config, ConfigError};
use crate::environment::{Environment, secrets};
use crate::metrics::{self, server::Server};

pub(crate) mod key;

/// Serves until a signal, then drains. Statistics go to standard output, what is running to
/// standard error.
///
/// # Errors
/// Memory, device, or a worker.
pub fn run(config: &Config) -> anyhow::Result<()> {
    check::fits(config)?;
    let services = services(config)?;
    let isn_key = key::load_or_make(config.secrets.file.as_deref())?;
    let memory_mb = u32::try_from(config.eal.memory.get() >> 20).unwrap_or(u32::MAX);
    let environment = Environment::new(config.eal.hugepages, memory_mb, pci(config))?;
    let eal = &environment.eal;
    let clock = Clock::start(eal);
    let mut port = Port::open(eal, &config.port.device)?;
    let seats = seats(eal, &mut port, &port_args(config))?;
    let secrets = secrets(isn_key)?;
    let mut threads = Vec::with_capacity(seats.len());
    let mut usage = stack::Usage::default();
    for (seat, &cpu) in seats.into_iter().zip(&config.eal.cpus) {
        let host = config.host(seat.mac(), stack::Offload::default(), 0);
        let apps = Apps::new(services.clone(), host.max_connections as usize);
        let name = format!("worker{cpu}");
        let worker = Worker::new(name, seat, clock, host, secrets.clone(), apps)
            .map_err(|e| ConfigError::nowhere(e.to_string()))?;
        usage = worker.stack().usage();
        threads.push(WorkerThread::new(Some(cpu.into()), idle(config), worker));
    }
    let control = ControlArgs {
        interval: config.control.stats_interval.duration(),
        drain_timeout: config.control.drain_timeout.duration(),
    };
    let device = device(&port);
    let control = Control::start(eal, vec![port], threads, control)?;
    let metrics = metrics(config, &control)?;
    environment.go_on()?;
    // Whoever read what is written may have gone: no reason for a server to go, too.
    let load = None;
    let _ = write!(
        io::stderr(),
        "{}",
        Description {
            config,
            load,
            usage
        }
    );
    let _ = writeln!(io::stderr(), "device     {device}");
    if let Some(metrics) = &metrics {
        let _ = writeln!(
            io::stderr(),
            "metrics    http://{}/metrics",
            metrics.address()
        );
    }
    let end = control.run(|snapshot| {
        let _ = writeln!(io::stdout(), "{}", snapshot.line());
    })?;
    let _ = match end.reset {
        0 => writeln!(io::stderr(), "tidewheel: drained"),
        reset => writeln!(
            io::stderr(),
            "tidewheel: {reset} connections had not ended and were reset"
        ),
    };
    Ok(())
}

/// What the device turned out to be and to do.
fn device(port: &Port) -> String {
    let enabled = port.enabled().map(ToString::to_string);
    format!(
        "{}, {}",
        port.capabilities().driver,
        enabled.unwrap_or_default()
    )
}

/// The endpoint for Prometheus, if one is wanted.
pub(crate) fn metrics(config: &Config, control: &Control) -> anyhow::Result<Option<Server>> {
    let Some(address) = config.metrics.listen else {
        return Ok(None);
    };
    let workers: Vec<usize> = config.eal.cpus.iter().map(|&cpu| cpu.into()).collect();
    let registry = metrics::registry(control.monitor());
    Server::start(address, registry, &workers).map(Some)
}

/// Each listener's application, in the order of the listeners.
fn services(config: &Config) -> anyhow::Result<Vec<Service>> {
    let service = |listen: &config::Listen| {
        Service::new(listen).with_context(|| match &listen.file {
            Some(file) => format!("cannot read {}", file.display()),
            None => format!("listener on port {}", listen.port),
        })
    };
    config.listen.iter().map(service).collect()
}

pub(crate) fn port_args(config: &Config) -> PortArgs {
    let narrow = |value: u64| u16::try_from(value).unwrap_or(u16::MAX);
    PortArgs {
        workers: narrow(config.eal.cpus.len() as u64),
        mtu: narrow(config.port.mtu.get()),
        rx_descriptors: narrow(config.port.rx_descriptors.get()),
        tx_descriptors: narrow(config.port.tx_descriptors.get()),
        vlan: config.port.vlan.is_some(),
        ..PortArgs::default()
    }
}

pub(crate) fn idle(config: &Config) -> Idle {
    match config.eal.idle {
        config::Idle::Poll => Idle::Poll,
        config::Idle::Yield => Idle::Yield,
    }
}

/// The PCI devices that DPDK may touch: the configured one, if it is one.
pub(crate) fn pci(config: &Config) -> Vec<String> {
    let device = &config.port.device;
    let address = device.split(',').next().unwrap_or_default();
    let is_address = address.contains(':')
        && address
            .chars()
            .all(|c| c.is_ascii_hexdigit() || matches!(c, ':' | '.'));
    is_address.then(|| device.clone()).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pci_devices_are_on_the_list() {
        let devices = |device: &str| {
            let mut config = Config::default();
            config.port.device = device.to_owned();
            pci(&config)
        };
        assert_eq!(devices("0000:03:00.0"), ["0000:03:00.0"]);
        assert_eq!(devices("03:00.0,x=1"), ["03:00.0,x=1"]);
        assert!(devices("net_tap0,iface=tw0").is_empty());
        assert!(devices("net_af_packet0,iface=e:1").is_empty());
    }
}
