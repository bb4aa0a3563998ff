//! `tidewheel check`: what a configuration would run.

use core::fmt;

use crate::config::{App, Close, Config, Hugepages, Idle, Listen};

/// A configuration in words, for people.
#[derive(Debug)]
pub struct Description<'a>(pub &'a Config);

impl fmt::Display for Description<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let config = self.0;
        let port = &config.port;
        write!(f, "port       {}, MTU {}", port.device, port.mtu)?;
        if let Some(vlan) = port.vlan {
            write!(f, ", VLAN {vlan}")?;
        }
        writeln!(
            f,
            ", {} receive and {} transmit descriptors a queue",
            port.rx_descriptors, port.tx_descriptors
        )?;
        workers(f, config)?;
        write!(f, "host      ")?;
        for prefix in &config.host.addresses {
            write!(f, " {prefix}")?;
        }
        match config.host.gateway {
            Some(gateway) => writeln!(f, ", gateway {gateway}")?,
            None => writeln!(f, ", no gateway")?,
        }
        protocol(f, config)?;
        for listen in &config.listen {
            listener(f, listen)?;
        }
        memory(f, config)
    }
}

fn workers(f: &mut fmt::Formatter<'_>, config: &Config) -> fmt::Result {
    let cpus: Vec<String> = config.eal.cpus.iter().map(u16::to_string).collect();
    let idle = match config.eal.idle {
        Idle::Poll => "polling",
        Idle::Yield => "yielding when idle",
    };
    let (plural, s) = if cpus.len() == 1 {
        ("", "s")
    } else {
        ("s", "")
    };
    writeln!(
        f,
        "workers    {} on CPU{plural} {} poll{s} one queue each, {idle}",
        cpus.len(),
        cpus.join(", ")
    )
}

fn protocol(f: &mut fmt::Formatter<'_>, config: &Config) -> fmt::Result {
    let on = |flag| if flag { "on" } else { "off" };
    let tcp = &config.tcp;
    writeln!(
        f,
        "tcp        MSS {}, timestamps {}, window scaling {}, Nagle {}, buffers {} in and {} out",
        config.mss(),
        on(tcp.timestamps),
        on(tcp.window_scaling),
        on(!tcp.nodelay),
        tcp.rcv_buf,
        tcp.snd_buf,
    )?;
    writeln!(
        f,
        "time-wait  {}, reused by rfc6191, {} entries a worker",
        config.time_wait.length, config.time_wait.capacity
    )
}

fn listener(f: &mut fmt::Formatter<'_>, listen: &Listen) -> fmt::Result {
    let address = listen.address.map_or("*".to_owned(), |a| a.to_string());
    write!(
        f,
        "listen     {address}:{} {}",
        listen.port,
        listen.app.name()
    )?;
    if listen.app == App::Http {
        match &listen.file {
            Some(file) => write!(f, ", body {}", file.display())?,
            None => write!(f, ", body {} bytes", listen.body_len())?,
        }
    }
    let closer = match listen.closes() {
        Close::Server => "the server",
        Close::Client => "the client",
    };
    writeln!(f, ", backlog {}, {closer} closes first", listen.backlog)
}

fn memory(f: &mut fmt::Formatter<'_>, config: &Config) -> fmt::Result {
    let pages = match config.eal.hugepages {
        Hugepages::Auto => "on huge pages if there are any",
        Hugepages::No => "on ordinary pages",
        Hugepages::Required => "on huge pages only",
    };
    let limits = &config.limits;
    writeln!(
        f,
        "memory     {} for DPDK {pages}; each worker {} connections, {} to receive and {} to send",
        config.eal.memory, limits.connections, limits.receive_memory, limits.send_memory
    )
}
