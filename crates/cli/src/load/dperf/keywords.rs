//! The keywords, and what their arguments are.

use core::net::IpAddr;
use core::str::FromStr;

use super::file::Line;
use crate::config::ConfigError;

/// Keywords that change nothing that is sent here, and why.
pub(in crate::load) const WITHOUT_MEANING: [(&str, &str); 16] = [
    ("clear_screen", "the line a second is one line"),
    (
        "client_hop",
        "all local addresses and all destinations are used in turn",
    ),
    (
        "daemon",
        "it stays in the foreground: a service manager keeps its output",
    ),
    ("fast_close", "connections end as load.close says"),
    ("kni", "there is no kernel interface beside the port"),
    ("launch_num", "launches are spread evenly, one by one"),
    ("log_level", "RUST_LOG selects what is logged"),
    (
        "payload_random",
        "what is sent is known in advance, so that answers can be checked",
    ),
    ("quiet", "say --quiet"),
    (
        "rss",
        "ports are chosen so that answers come to the worker that asked",
    ),
    (
        "send_window",
        "the receiver's window and congestion control decide",
    ),
    ("simd512", "the build decides which instructions are used"),
    ("socket_mem", "eal.memory says how much is set aside"),
    (
        "tcp_rst",
        "a segment for no connection is answered by RST (RFC 9293 3.10.7.1)",
    ),
    (
        "tx_burst",
        "a burst is as large as what is due, at most 64 frames",
    ),
    ("wait", "the run begins as soon as the device is up"),
];

/// Keywords for traffic that is not made here, and why.
pub(in crate::load) const REFUSED: [(&str, &str); 5] = [
    (
        "change_dip",
        "flooding is not done here: every SYN belongs to a connection",
    ),
    (
        "disable_ack",
        "TCP without acknowledgments is not done here",
    ),
    (
        "flood",
        "flooding is not done here: every SYN belongs to a connection",
    ),
    ("pipeline", "it is for UDP, which is not spoken here"),
    ("vxlan", "VXLAN is not spoken here"),
];

/// A value and the line that it is from.
pub(super) type At<'t, T> = Option<(Line<'t>, T)>;

/// Everything that was said.
#[derive(Debug, Default)]
pub(super) struct File<'t> {
    pub(super) mode: At<'t, ()>,
    pub(super) cpu: At<'t, Vec<u16>>,
    /// In milliseconds.
    pub(super) duration: At<'t, u64>,
    pub(super) cps: At<'t, u64>,
    pub(super) cc: At<'t, u64>,
    /// The interval in microseconds, and the number of requests.
    pub(super) keepalive: At<'t, (u64, Option<u64>)>,
    /// In seconds.
    pub(super) slow_start: At<'t, u64>,
    pub(super) port: At<'t, Port<'t>>,
    pub(super) client: At<'t, Range>,
    pub(super) server: At<'t, Range>,
    pub(super) listen: At<'t, (u16, u16)>,
    pub(super) payload_size: At<'t, u64>,
    pub(super) packet_size: At<'t, u64>,
    pub(super) mss: At<'t, u64>,
    pub(super) jumbo: At<'t, u64>,
    pub(super) vlan: At<'t, u64>,
    pub(super) protocol: At<'t, &'t str>,
    pub(super) http_host: At<'t, &'t str>,
    pub(super) http_path: At<'t, &'t str>,
    pub(super) http_method: At<'t, &'t str>,
    pub(super) ports: At<'t, (u16, u16)>,
    /// In seconds.
    pub(super) retransmit_timeout: At<'t, u64>,
    /// Of what changes nothing here.
    pub(super) unused: Vec<(Line<'t>, &'static str)>,
}

/// A device with its address and gateway.
#[derive(Clone, Copy, Debug)]
pub(super) struct Port<'t> {
    pub(super) device: &'t str,
    pub(super) address: IpAddr,
    pub(super) gateway: IpAddr,
    pub(super) has_gateway_mac: bool,
}

/// So many addresses from one on, which differ in their last octet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Range {
    pub(super) first: IpAddr,
    pub(super) count: u8,
}

impl<'t> File<'t> {
    /// Takes what `line` says.
    pub(super) fn take(&mut self, line: &Line<'t>) -> Result<(), ConfigError> {
        let arguments = line.arguments();
        match (line.keyword(), &arguments[..]) {
            ("mode", ["client"]) => put(&mut self.mode, line, Ok(())),
            ("mode", ["server"]) => Err(line.error(
                "it describes a server: `tidewheel serve` is one, with a configuration of its own",
            )),
            ("cpu", [_, ..]) => put(&mut self.cpu, line, cpus(line, &arguments)),
            ("duration", [time]) => put(&mut self.duration, line, duration(line, time)),
            ("cps", [n]) => put(&mut self.cps, line, number(line, n, 1..=1_000_000_000)),
            ("cc", [n]) => put(&mut self.cc, line, number(line, n, 1..=16_777_216)),
            ("keepalive", [interval]) => {
                let keepalive = interval_us(line, interval).map(|interval| (interval, None));
                put(&mut self.keepalive, line, keepalive)
            }
            ("keepalive", [interval, n]) => {
                let keepalive = interval_us(line, interval).and_then(|interval| {
                    let n = number(line, n, 0..=32_767)?;
                    Ok((interval, (n > 0).then_some(n)))
                });
                put(&mut self.keepalive, line, keepalive)
            }
            ("slow_start", [n]) => put(&mut self.slow_start, line, number(line, n, 10..=600)),
            ("port", [device, address, gateway, mac @ ..]) if mac.len() < 2 => {
                let port = port(line, device, address, gateway, !mac.is_empty());
                put(&mut self.port, line, port)
            }
            ("client", [first, n]) => put(&mut self.client, line, range(line, first, n)),
            ("server", [first, n]) => put(&mut self.server, line, range(line, first, n)),
            ("listen", [port, n]) => put(&mut self.listen, line, listen(line, port, n)),
            ("payload_size", [n]) => {
                put(&mut self.payload_size, line, number(line, n, 1..=1 << 30))
            }
            ("packet_size", [n]) => put(&mut self.packet_size, line, number(line, n, 0..=9_724)),
            ("mss", [n]) => put(&mut self.mss, line, number(line, n, 1..=65_535)),
            // dperf's own default is 9710, its range up to that.
            ("jumbo", []) => put(&mut self.jumbo, line, Ok(9_710)),
            ("jumbo", [mtu]) => put(&mut self.jumbo, line, number(line, mtu, 9_000..=9_710)),
            ("vlan", [id]) => put(&mut self.vlan, line, number(line, id, 1..=4_094)),
            ("protocol", [name @ ("tcp" | "http")]) => put(&mut self.protocol, line, Ok(*name)),
            ("protocol", ["udp"]) => Err(line.error("UDP is not spoken here")),
            ("http_host", [host]) => put(&mut self.http_host, line, Ok(*host)),
            ("http_path", [path]) if path.starts_with('/') => {
                put(&mut self.http_path, line, Ok(*path))
            }
            ("http_method", [method @ ("GET" | "POST")]) => {
                put(&mut self.http_method, line, Ok(*method))
            }
            ("client_port_range" | "lport_range", [first]) => {
                let ports = number(line, first, 1..=65_535).map(|first| (first as u16, 65_535));
                put(&mut self.ports, line, ports)
            }
            ("client_port_range" | "lport_range", [first, last]) => {
                put(&mut self.ports, line, port_range(line, first, last))
            }
            ("retransmit_timeout", [n]) => {
                put(&mut self.retransmit_timeout, line, number(line, n, 1..=60))
            }
            ("tos", [value]) if is_zero(value) => Ok(()),
            ("tos", [_]) => {
                let why = "the type of service is 0";
                self.unused.push((*line, why));
                Ok(())
            }
            (keyword, _) => self.other(line, keyword),
        }
    }

    fn other(&mut self, line: &Line<'t>, keyword: &str) -> Result<(), ConfigError> {
        let of = |list: &[(&str, &'static str)]| {
            let mut list = list.iter();
            list.find(|(name, _)| *name == keyword).map(|(_, why)| *why)
        };
        if let Some(why) = of(&WITHOUT_MEANING) {
            self.unused.push((*line, why));
            return Ok(());
        }
        if let Some(why) = of(&REFUSED) {
            return Err(line.error(why));
        }
        if let Some((_, syntax)) = SYNTAX.iter().find(|(name, _)| *name == keyword) {
            return Err(line.error(format!("write it as: {keyword} {syntax}")));
        }
        let names = SYNTAX.iter().chain(&WITHOUT_MEANING).chain(&REFUSED);
        let likeness = |name: &str| strsim::normalized_damerau_levenshtein(keyword, name);
        let best = names.map(|(name, _)| *name);
        let best = best.max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
        let meant = best.filter(|best| likeness(best) >= 0.5);
        let meant = meant.map(|meant| format!("; did you mean `{meant}`?"));
        Err(line.error(format!(
            "`{keyword}` is not a keyword of dperf{}",
            meant.unwrap_or_default()
        )))
    }
}

/// Keywords that are understood, and how they are written.
pub(in crate::load) const SYNTAX: [(&str, &str); 24] = [
    ("cc", "NUMBER"),
    ("client", "ADDRESS NUMBER"),
    ("client_port_range", "FIRST [LAST]"),
    ("cps", "NUMBER"),
    ("cpu", "N N-M..."),
    ("duration", "TIME, such as 1.5d, 2h, 3.5m, 100s, 100"),
    ("http_host", "HOST"),
    ("http_method", "GET or POST"),
    ("http_path", "PATH, which begins with /"),
    ("jumbo", "[MTU]"),
    ("keepalive", "INTERVAL [NUMBER], such as 10s, 1ms, 10us"),
    ("listen", "PORT NUMBER"),
    ("lport_range", "FIRST [LAST]"),
    ("mode", "client"),
    ("mss", "NUMBER"),
    ("packet_size", "NUMBER"),
    ("payload_size", "NUMBER"),
    ("port", "DEVICE ADDRESS GATEWAY [MAC]"),
    ("protocol", "tcp or http"),
    ("retransmit_timeout", "SECONDS"),
    ("server", "ADDRESS NUMBER"),
    ("slow_start", "SECONDS, 10 to 600"),
    ("tos", "NUMBER"),
    ("vlan", "ID, 1 to 4094"),
];

fn put<'t, T>(
    slot: &mut At<'t, T>,
    line: &Line<'t>,
    value: Result<T, ConfigError>,
) -> Result<(), ConfigError> {
    let value = value?;
    if let Some((before, _)) = slot {
        let why = match line.keyword() {
            "port" | "client" | "server" => "one port is driven by a process: start one for each",
            _ => "it was said before",
        };
        return Err(line.error(format!("{why} (line {})", before.number)));
    }
    *slot = Some((*line, value));
    Ok(())
}

/// Digits with a point in them or not, and `k` or `m`.
fn number(
    line: &Line<'_>,
    text: &str,
    range: core::ops::RangeInclusive<u64>,
) -> Result<u64, ConfigError> {
    let (digits, scale) = match text.strip_suffix(['k', 'K']) {
        Some(digits) => (digits, 1e3),
        None => match text.strip_suffix(['m', 'M']) {
            Some(digits) => (digits, 1e6),
            None => (text, 1.0),
        },
    };
    let value = decimal(digits).map(|value| (value * scale) as u64);
    let value = value.filter(|value| range.contains(value));
    value.ok_or_else(|| {
        let (least, most) = range.into_inner();
        let why =
            format!("`{text}` is not a number from {least} to {most}, such as 100, 2k or 1.5m");
        line.error_at(text, why)
    })
}

/// Digits, and perhaps a point and further digits.
fn decimal(text: &str) -> Option<f64> {
    let plain = text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    plain.then(|| text.parse().ok()).flatten()
}

fn is_zero(text: &str) -> bool {
    text.trim_start_matches("0x").bytes().all(|b| b == b'0')
}

/// In milliseconds.
fn duration(line: &Line<'_>, text: &str) -> Result<u64, ConfigError> {
    let units = [
        ("s", 1e3),
        ("m", 60e3),
        ("h", 3_600e3),
        ("d", 86_400e3),
        ("", 1e3),
    ];
    let time = units.iter().find_map(|(unit, scale)| {
        let digits = text.strip_suffix(unit)?;
        Some((decimal(digits)? * scale) as u64)
    });
    time.filter(|ms| (1..=2_592_000_000).contains(ms))
        .ok_or_else(|| {
            let why =
                format!("`{text}` is not a time up to 30d, such as 1.5d, 2h, 3.5m, 100s or 100");
            line.error_at(text, why)
        })
}

/// In microseconds.
fn interval_us(line: &Line<'_>, text: &str) -> Result<u64, ConfigError> {
    let units = [("us", 1), ("ms", 1_000), ("s", 1_000_000)];
    let time = units.iter().find_map(|(unit, scale)| {
        let digits = text.strip_suffix(unit)?;
        digits.parse::<u64>().ok()?.checked_mul(*scale)
    });
    time.filter(|us| *us <= 86_400_000_000).ok_or_else(|| {
        line.error_at(
            text,
            format!("`{text}` is not a time up to 1 day, such as 10us, 1ms or 60s"),
        )
    })
}

fn cpus(line: &Line<'_>, arguments: &[&str]) -> Result<Vec<u16>, ConfigError> {
    let mut cpus = Vec::new();
    for text in arguments {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let (first, last) = (
            number(line, first, 0..=1023)?,
            number(line, last, 0..=1023)?,
        );
        if first > last {
            return Err(line.error_at(
                text,
                format!("`{text}` is empty: write the lower one first"),
            ));
        }
        cpus.extend((first..=last).map(|cpu| cpu as u16));
    }
    let all = cpus.len();
    cpus.sort_unstable();
    cpus.dedup();
    match cpus.len() == all {
        true => Ok(cpus),
        false => Err(line.error("a CPU is named twice")),
    }
}

fn address<T: FromStr>(line: &Line<'_>, text: &str) -> Result<T, ConfigError> {
    text.parse()
        .map_err(|_| line.error_at(text, format!("`{text}` is not an IP address")))
}

fn port<'t>(
    line: &Line<'t>,
    device: &'t str,
    own: &str,
    gateway: &str,
    has_gateway_mac: bool,
) -> Result<Port<'t>, ConfigError> {
    if device.starts_with("bond") {
        return Err(line.error_at(device, "bonding is not done here: name one device"));
    }
    let port = Port {
        device,
        address: address(line, own)?,
        gateway: address(line, gateway)?,
        has_gateway_mac,
    };
    match port.address.is_ipv4() == port.gateway.is_ipv4() {
        true => Ok(port),
        false => Err(line.error_at(gateway, "the gateway is of the other family")),
    }
}

fn range(line: &Line<'_>, first: &str, count: &str) -> Result<Range, ConfigError> {
    let count_of = number(line, count, 1..=254)? as u8;
    let first_of: IpAddr = address(line, first)?;
    let last = match first_of {
        IpAddr::V4(ip) => ip.octets()[3],
        IpAddr::V6(ip) => ip.octets()[15],
    };
    // dperf lets only the last octet vary.
    match last.checked_add(count_of - 1) {
        Some(_) => Ok(Range {
            first: first_of,
            count: count_of,
        }),
        None => Err(line.error_at(
            count,
            format!("`{first}` has not {count} addresses behind it"),
        )),
    }
}

fn listen(line: &Line<'_>, port: &str, count: &str) -> Result<(u16, u16), ConfigError> {
    let first = number(line, port, 1..=65_534)?;
    let number = number(line, count, 1..=65_534)?;
    match first + number < 65_536 {
        true => Ok((first as u16, number as u16)),
        false => Err(line.error_at(count, "there are not so many ports behind it")),
    }
}

fn port_range(line: &Line<'_>, first: &str, last: &str) -> Result<(u16, u16), ConfigError> {
    let lowest = number(line, first, 1..=65_535)? as u16;
    let highest = number(line, last, 1..=65_535)? as u16;
    match lowest <= highest {
        true => Ok((lowest, highest)),
        false => Err(line.error("write the lower port first")),
    }
}
