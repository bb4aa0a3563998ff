//! `tidewheel check`: what a configuration would run.

use core::fmt;

use stack::{MemPool, Offload, Secrets, Stack, TimeWaitConfig, Usage};
use tcp::time_wait::{IssRule, SynRefusal, Table, V4, V6};
use wire::MacAddr;

use crate::apps::Apps;
use crate::config::{App, Close, Config, ConfigError, Hugepages, Idle, Listen};
use crate::load::ready::Ready;
use crate::memory::{self, gib};

/// The least that a connection takes: a few cache lines.
const CONNECTION_BYTES: u64 = 256;

/// Refuses what this machine's memory cannot hold by far: to try would end the process on the spot.
///
/// # Errors
/// How much it would be and how much there is.
pub fn fits(config: &Config) -> Result<(), ConfigError> {
    match memory::total() {
        Some(there) => fits_into(config, there),
        None => Ok(()),
    }
}

fn fits_into(config: &Config, there: u64) -> Result<(), ConfigError> {
    let limits = &config.limits;
    let connections = limits.connections.get() * CONNECTION_BYTES;
    let time_wait = time_wait_bytes(config);
    let data = limits.receive_memory.get() + limits.send_memory.get();
    let needed = (connections + time_wait + data) * config.eal.cpus.len() as u64;
    if needed <= there {
        return Ok(());
    }
    Err(ConfigError::nowhere(format!(
        "the workers would take more than {} and this machine has {}: lower \
         limits.connections, limits.receive_memory, limits.send_memory or time_wait.capacity",
        gib(needed),
        gib(there)
    )))
}

/// Bytes of the TIME-WAIT tables of a worker: one for each family that the host has an address of.
fn time_wait_bytes(config: &Config) -> u64 {
    let capacity = usize::try_from(config.time_wait.capacity.get()).unwrap_or(usize::MAX);
    let has = |is_v4: bool| {
        let mut addresses = config.host.addresses.iter();
        addresses.any(|prefix| prefix.address.is_ipv4() == is_v4)
    };
    let v4 = if has(true) {
        Table::<V4>::bucket_bytes(capacity)
    } else {
        0
    };
    let v6 = if has(false) {
        Table::<V6>::bucket_bytes(capacity)
    } else {
        0
    };
    v4 + v6
}

/// What each worker of `config` takes, to serve or for a load, found by making one host of it in ordinary memory.
///
/// # Errors
/// What the host finds wrong with it.
pub fn usage(config: &Config, load: Option<&Ready>) -> Result<Usage, ConfigError> {
    fits(config)?;
    // Nothing is received or sent, so neither the address nor the keys matter.
    let mac = MacAddr([2, 0, 0, 0, 0, 1]);
    let workers = u16::try_from(config.eal.cpus.len()).unwrap_or(u16::MAX);
    let host = match load {
        Some(load) => load.plan.host(config, mac, 0, workers),
        None => config.host(mac, Offload::default(), 0),
    };
    let secrets = Secrets {
        isn: tcp::isn::Secret::new([0; 32]),
        table: [0; 2],
    };
    let stack = Stack::new(host, secrets, Apps::new(Vec::new(), 0), MemPool::new(0));
    match stack {
        Ok(stack) => Ok(stack.usage()),
        Err(e) => Err(ConfigError::nowhere(e.to_string())),
    }
}

/// A configuration in words, for people.
pub struct Description<'a> {
    /// The configuration.
    pub config: &'a Config,
    /// The load that would run.
    pub load: Option<&'a Ready>,
    /// What one worker takes at start.
    pub usage: Usage,
}

impl fmt::Display for Description<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let config = self.config;
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
        match (config.host.gateway, config.host.gateway_v6) {
            (Some(v4), Some(v6)) => writeln!(f, ", gateways {v4} and {v6}")?,
            (Some(gateway), None) => writeln!(f, ", gateway {gateway}")?,
            (None, Some(gateway)) => writeln!(f, ", gateway {gateway}")?,
            (None, None) => writeln!(f, ", no gateway")?,
        }
        protocol(f, config)?;
        for listen in &config.listen {
            listener(f, listen, &self.config.time_wait.stack())?;
        }
        if let Some(load) = self.load {
            write!(f, "{}", load.described(config))?;
        }
        memory_of(f, config, &self.usage)
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
        "tcp        MSS {}, timestamps {}, SACK {}, window scaling {}, Nagle {}, buffers {} in and {} out",
        config.mss(),
        on(tcp.timestamps),
        on(tcp.sack),
        on(tcp.window_scaling),
        on(!tcp.nodelay),
        tcp.rcv_buf,
        tcp.snd_buf,
    )?;
    let kept = config.time_wait.stack();
    write!(
        f,
        "time-wait  {}, {} entries of each family a worker",
        time_wait(&kept),
        config.time_wait.capacity
    )?;
    match kept.local_reuse_ms {
        Some(ms) => writeln!(f, ", opened again by us after {}", duration(ms)),
        None => writeln!(f, ", not opened again by us"),
    }
}

fn duration(ms: u32) -> String {
    format!("{:?}", std::time::Duration::from_millis(ms.into()))
}

/// TIME-WAIT in words: how long, who may recycle, and what else.
fn time_wait(kept: &TimeWaitConfig) -> String {
    let rules = &kept.rules;
    if kept.kept_ms() == 0 {
        return "none".into();
    }
    let on = |flag, name: &str| {
        if flag {
            format!(", {name}")
        } else {
            String::new()
        }
    };
    let msl = || format!(", bound over an MSL of {}", duration(kept.msl_ms()));
    let recycles = !matches!(rules.policy, tcp::time_wait::Policy::Strict);
    let iss = match rules.iss {
        IssRule::Clock => "clock".to_owned(),
        IssRule::Max => "max".to_owned(),
        IssRule::Gap(gap) => format!("gap={gap}"),
    };
    format!(
        "{}, policy {}, rst {}, a refused SYN gets {}{}{}{}{}{}",
        duration(kept.length_ms),
        rules.policy.name(),
        rules.rst.name(),
        match rules.syn_refusal {
            SynRefusal::Ack => "an ACK",
            SynRefusal::Drop => "nothing",
        },
        on(rules.syn_probe, "syn_probe"),
        on(rules.shadow, "shadow"),
        on(recycles && rules.ack_check, "ack_check"),
        on(recycles, &format!("iss {iss}")),
        if rules.bound { msl() } else { String::new() },
    )
}

fn listener(f: &mut fmt::Formatter<'_>, listen: &Listen, base: &TimeWaitConfig) -> fmt::Result {
    let address = match listen.address {
        Some(core::net::IpAddr::V6(a)) => format!("[{a}]"),
        Some(a) => a.to_string(),
        None => "*".to_owned(),
    };
    write!(
        f,
        "listen     {address}:{} {}",
        listen.port,
        listen.app.name()
    )?;
    match (listen.app, &listen.file) {
        (App::Http, Some(file)) => write!(f, ", body {}", file.display())?,
        (App::Http, None) => write!(f, ", body {} bytes", listen.body_len())?,
        (App::Exchange, _) => write!(
            f,
            ", {} bytes for {}",
            listen.response_len(),
            listen.request_len()
        )?,
        (App::Echo | App::Discard, _) => {}
    }
    let closer = match listen.closes() {
        Close::Server => "the server",
        Close::Client => "the client",
    };
    write!(f, ", backlog {}, {closer} closes first", listen.backlog)?;
    let own = listen.time_wait.stack(base);
    if own != *base {
        write!(f, ", time-wait {}", time_wait(&own))?;
    }
    writeln!(f)
}

fn memory_of(f: &mut fmt::Formatter<'_>, config: &Config, usage: &Usage) -> fmt::Result {
    let pages = match config.eal.hugepages {
        Hugepages::Auto => "on huge pages if there are any",
        Hugepages::No => "on ordinary pages",
        Hugepages::Required => "on huge pages only",
    };
    let limits = &config.limits;
    let data = limits.receive_memory.get() + limits.send_memory.get();
    let tables = usage.time_wait_bytes + usage.connection_bytes + usage.tuple_bytes;
    let mib = |bytes: u64| bytes.div_ceil(1 << 20);
    write!(
        f,
        "memory     {} for DPDK {pages}, and {} MiB a worker: {} connections {} MiB, TIME-WAIT \
         {} MiB, data {} MiB",
        config.eal.memory,
        mib(tables + data),
        limits.connections,
        mib(usage.connection_bytes),
        mib(usage.time_wait_bytes),
        mib(data),
    )?;
    if usage.tuple_bytes > 0 {
        let pairs = mib(usage.tuple_bytes);
        write!(f, ", pairs of address and port {pairs} MiB")?;
    }
    writeln!(f)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::quantity::Bytes;

    #[test]
    fn what_no_machine_holds_is_refused() {
        let mut config = Config::default();
        assert_eq!(fits_into(&config, 1 << 30), Ok(()));
        config.limits.receive_memory = Bytes::of(1 << 40);
        let error = fits_into(&config, 1 << 30).unwrap_err().to_string();
        assert!(error.contains("has 1.0 GiB"), "{error}");
        assert!(usage(&config, None).is_err());
    }

    #[test]
    fn entries_are_counted_as_they_are_allocated() {
        let mut config = Config::default();
        config.time_wait.capacity = crate::config::quantity::Count::of(30_000_000);
        config.host.addresses = vec!["10.0.0.1/24".parse().unwrap()];
        // Three to a line of 64 octets, half full, and a few lines behind the last.
        let about = |bytes: u64, wanted: u64| (wanted..wanted + 100_000).contains(&bytes);
        assert!(about(time_wait_bytes(&config), 30_000_000 / 3 * 128));
        config
            .host
            .addresses
            .push("2001:db8::1/64".parse().unwrap());
        assert!(about(time_wait_bytes(&config), 30_000_000 / 3 * 3 * 128));
        config.host.addresses.remove(0);
        assert!(about(time_wait_bytes(&config), 30_000_000 / 3 * 256));
        assert!(fits_into(&config, 2 << 30).is_err());
        assert!(fits_into(&config, 4 << 30).is_ok());
    }
}
