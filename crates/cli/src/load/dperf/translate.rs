//! What was said, in keys of ours.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::file::Line;
use super::keywords::{At, File, Range};
use super::{Note, Setting};

/// A request of dperf's has at least so many octets; what is to be shorter is no HTTP.
const SHORTEST_REQUEST: u64 = 85;
/// How many destinations there may be.
const MOST_TARGETS: u64 = 4_096;
/// Seconds in which the rate rises unless the file says otherwise.
const SLOW_START: u64 = 30;
/// Connections a second unless the file says otherwise.
const CPS: u64 = 1_000;
/// Seconds of the run unless the file says otherwise.
const DURATION_MS: u64 = 60_000;

/// The result.
#[derive(Default)]
pub(super) struct Translated {
    pub(super) settings: Vec<Setting>,
    pub(super) notes: Vec<Note>,
}

/// Why it cannot be carried out, and the line of that if there is one.
pub(super) struct Wrong<'t> {
    pub(super) line: Option<Line<'t>>,
    pub(super) why: String,
}

/// # Errors
/// Something that has to be said is not, or contradicts something else.
pub(super) fn translate<'t>(file: &File<'t>) -> Result<Translated, Wrong<'t>> {
    let mut out = Translated::default();
    required(&file.mode, "mode client")?;
    let (cpu_line, cpus) = required(&file.cpu, "cpu N")?;
    let cpus = cpus.iter().map(u16::to_string).collect::<Vec<_>>();
    out.set(cpu_line, "eal.cpus", format!("[{}]", cpus.join(", ")));
    network(file, &mut out)?;
    pace(file, &mut out)?;
    let protocol = request(file, &mut out)?;
    targets(file, protocol, &mut out)?;
    protocol_keys(file, &mut out);
    for (line, why) in &file.unused {
        out.note(line, *why);
    }
    out.notes.sort_by_key(|note| note.line);
    Ok(out)
}

impl Translated {
    fn set(&mut self, line: &Line<'_>, path: &'static str, value: impl ToString) {
        self.settings.push(Setting {
            line: line.number,
            words: line.words.to_owned(),
            path,
            value: value.to_string(),
        });
    }

    fn note(&mut self, line: &Line<'_>, why: impl Into<String>) {
        self.notes.push(Note {
            line: line.number,
            keyword: line.keyword().to_owned(),
            why: why.into(),
        });
    }
}

fn required<'f, 't, T>(
    slot: &'f At<'t, T>,
    syntax: &str,
) -> Result<(&'f Line<'t>, &'f T), Wrong<'t>> {
    match slot {
        Some((line, value)) => Ok((line, value)),
        None => Err(Wrong {
            line: None,
            why: format!("it does not say `{syntax}`"),
        }),
    }
}

fn quoted(text: impl ToString) -> String {
    toml::Value::from(text.to_string()).to_string()
}

/// `[port]`, `[host]` and the addresses to connect from.
fn network<'t>(file: &File<'t>, out: &mut Translated) -> Result<(), Wrong<'t>> {
    let (line, port) = required(&file.port, "port DEVICE ADDRESS GATEWAY")?;
    let (client_line, client) = required(&file.client, "client ADDRESS NUMBER")?;
    out.set(line, "port.device", quoted(port.device));
    let length = common_prefix(port.address, port.gateway);
    let own = format!("[{}]", quoted(format!("{}/{length}", port.address)));
    out.set(line, "host.addresses", own);
    let key = match port.gateway {
        IpAddr::V4(_) => "host.gateway",
        IpAddr::V6(_) => "host.gateway_v6",
    };
    out.set(line, key, quoted(port.gateway));
    out.note(
        line,
        format!(
            "dperf sends everything to the gateway; here /{length}, the longest prefix of both addresses, is taken for \
             the link, and what is outside of it goes to the gateway"
        ),
    );
    if port.has_gateway_mac {
        out.note(line, "the gateway is asked for its link address");
    }
    if client.first.is_ipv4() != port.address.is_ipv4() {
        return Err(Wrong {
            line: Some(*client_line),
            why: "the clients are of another family than the port".into(),
        });
    }
    let sources = format!(
        "[{}]",
        quoted(format!(
            "{}-{}",
            client.first,
            nth(client, client.count - 1)
        ))
    );
    out.set(client_line, "load.sources", sources);
    if let Some((line, (first, last))) = &file.ports {
        out.set(line, "load.ports", quoted(format!("{first}-{last}")));
    }
    Ok(())
}

/// How fast, how long, how many, and what a connection does.
fn pace<'t>(file: &File<'t>, out: &mut Translated) -> Result<(), Wrong<'t>> {
    let first = file.cps.as_ref().map(|(line, _)| line);
    let Some(of_rate) = first.or(file.cc.as_ref().map(|(line, _)| line)) else {
        return Err(Wrong {
            line: None,
            why: "it says neither `cps` nor `cc`".into(),
        });
    };
    let cps = file.cps.as_ref().map_or(CPS, |(_, cps)| *cps);
    out.set(of_rate, "load.rate", cps);
    let slow_start = file.slow_start.as_ref();
    let ramp = slow_start.map_or(SLOW_START, |(_, seconds)| *seconds);
    let line = slow_start.map_or(of_rate, |(line, _)| line);
    out.set(line, "load.ramp", quoted(format!("{ramp}s")));
    let duration = file.duration.as_ref();
    let ms = duration.map_or(DURATION_MS, |(_, ms)| *ms);
    let line = duration.map_or(of_rate, |(line, _)| line);
    // dperf counts it from the end of the slow start.
    out.set(
        line,
        "load.duration",
        quoted(format!("{}ms", ms + ramp * 1_000)),
    );
    match (&file.keepalive, &file.cc) {
        (None, Some((line, _))) => Err(Wrong {
            line: Some(*line),
            why: "`cc` needs `keepalive`: otherwise connections do not stay".into(),
        }),
        (None, None) => {
            // Connections that are not answered stay until they time out.
            out.set(
                of_rate,
                "load.connections",
                (cps * 2).clamp(1_000, 16_777_216),
            );
            out.note(
                of_rate,
                "we close first; for a server that sends its FIN with the answer, as dperf's does without `keepalive`, say \
                 --close server",
            );
            Ok(())
        }
        (Some((line, (interval, Some(requests)))), cc) => {
            out.set(line, "load.requests", requests);
            out.set(
                line,
                "load.think",
                quoted(format!("{}ms", interval / 1_000)),
            );
            whole_milliseconds(line, *interval, out);
            let most = cc
                .as_ref()
                .map_or((cps * 100).clamp(1_000, 16_777_216), |(_, cc)| *cc);
            out.set(
                cc.as_ref().map_or(line, |(line, _)| line),
                "load.connections",
                most,
            );
            Ok(())
        }
        (Some((line, (interval, None))), Some((cc_line, cc))) => {
            out.set(line, "load.mode", quoted("held"));
            out.set(
                line,
                "load.every",
                quoted(format!("{}ms", (interval / 1_000).max(1))),
            );
            whole_milliseconds(line, *interval, out);
            out.set(cc_line, "load.connections", cc);
            Ok(())
        }
        (Some((line, (_, None))), None) => Err(Wrong {
            line: Some(*line),
            why: "connections without a last request stay: say with `cc` how many there are to be"
                .into(),
        }),
    }
}

fn whole_milliseconds(line: &Line<'_>, interval_us: u64, out: &mut Translated) {
    if !interval_us.is_multiple_of(1_000) {
        out.note(
            line,
            "pauses are whole milliseconds here, and the fraction is left out",
        );
    }
}

/// What is asked. Returns the scheme of the targets and the path of their URL.
fn request<'t>(file: &File<'t>, out: &mut Translated) -> Result<(&'static str, String), Wrong<'t>> {
    let is_http = file
        .protocol
        .as_ref()
        .is_some_and(|(_, name)| *name == "http");
    let size = payload(file)?;
    if !is_http {
        let alone = [&file.http_host, &file.http_path, &file.http_method];
        if let Some((line, _)) = alone.into_iter().flatten().next() {
            return Err(Wrong {
                line: Some(*line),
                why: "it needs `protocol http`".into(),
            });
        }
    }
    if let Some((line, size)) = size
        && size < SHORTEST_REQUEST
        && !is_http
    {
        out.set(line, "load.request_bytes", size);
        out.set(line, "load.response_bytes", size);
        return Ok(("tcp", String::new()));
    }
    let host = file.http_host.as_ref().map_or("dperf", |(_, host)| *host);
    let any = [
        &file.http_host,
        &file.http_path,
        &file.http_method,
        &file.protocol,
    ];
    let line = any.into_iter().flatten().map(|(line, _)| line).next();
    let line = line.or(file.server.as_ref().map(|(line, _)| line));
    let path = file.http_path.as_ref().map_or("/", |(_, path)| *path);
    let mut path = path.to_owned();
    if let Some(line) = line {
        let headers = [
            &*format!("Host: {host}"),
            "User-Agent: dperf",
            "Accept: */*",
        ];
        let headers = format!("[{}]", headers.map(quoted).join(", "));
        out.set(line, "load.http.headers", headers);
    }
    let method = file.http_method.as_ref();
    if let Some((line, method)) = method {
        out.set(line, "load.http.method", quoted(method));
    }
    if let Some((line, size)) = size {
        if method.is_some_and(|(_, method)| *method == "POST") {
            return Err(Wrong {
                line: Some(*line),
                why: "the size of a POST is that of its body: put one into a file and name it with load.http.body".into(),
            });
        }
        if file.http_path.is_some() {
            return Err(Wrong {
                line: Some(*line),
                why: "the size is reached with a long path, so `http_path` cannot be given".into(),
            });
        }
        let bare = "GET / HTTP/1.1\r\nHost: \r\nUser-Agent: dperf\r\nAccept: */*\r\n\r\n".len()
            + host.len();
        let padding = usize::try_from(size)
            .unwrap_or(usize::MAX)
            .saturating_sub(bare);
        if padding > 4_000 {
            return Err(Wrong {
                line: Some(*line),
                why: "the size would be reached with a path of more than 4,000 octets, which servers refuse".into(),
            });
        }
        path = format!("/{}", "a".repeat(padding));
    }
    Ok(("http", path))
}

/// The size of a request in octets.
fn payload<'f, 't>(file: &'f File<'t>) -> Result<Option<(&'f Line<'t>, u64)>, Wrong<'t>> {
    match (&file.payload_size, &file.packet_size) {
        (Some(_), Some((line, _))) => Err(Wrong {
            line: Some(*line),
            why: "`payload_size` and `packet_size` say the same: give one".into(),
        }),
        // dperf makes it a whole request.
        (Some((line, size)), None) => Ok(Some((line, (*size).max(SHORTEST_REQUEST)))),
        (None, Some((_, 0)) | None) => Ok(None),
        (None, Some((line, size))) => {
            let is_v6 = file
                .port
                .as_ref()
                .is_some_and(|(_, port)| port.address.is_ipv6());
            let headers = 14 + 20 + if is_v6 { 40 } else { 20 };
            match size.checked_sub(headers) {
                Some(size @ 1..) => Ok(Some((line, size))),
                _ => Err(Wrong {
                    line: Some(*line),
                    why: format!("the headers alone have {headers} octets"),
                }),
            }
        }
    }
}

/// Every server's every port.
fn targets<'t>(
    file: &File<'t>,
    (scheme, path): (&str, String),
    out: &mut Translated,
) -> Result<(), Wrong<'t>> {
    let (line, server) = required(&file.server, "server ADDRESS NUMBER")?;
    let (first_port, ports) = file.listen.as_ref().map_or((80, 1), |(_, listen)| *listen);
    let all = u64::from(server.count) * u64::from(ports);
    if all > MOST_TARGETS {
        let listen = file.listen.as_ref().map(|(line, _)| *line);
        return Err(Wrong {
            line: listen.or(Some(*line)),
            why: format!("{all} destinations: at most {MOST_TARGETS}"),
        });
    }
    let addresses = (0..server.count).map(|n| nth(server, n));
    let urls = addresses.flat_map(|address| {
        (first_port..first_port + ports).map(move |port| core::net::SocketAddr::new(address, port))
    });
    let urls = urls.map(|socket| quoted(format!("{scheme}://{socket}{path}")));
    let urls = urls.collect::<Vec<_>>().join(", ");
    out.set(line, "load.targets", format!("[{urls}]"));
    Ok(())
}

/// The largest `port.mtu`; dperf has 9710.
const MOST_MTU: u64 = 9_216;

/// Keys with just one keyword.
fn protocol_keys(file: &File<'_>, out: &mut Translated) {
    for (slot, path) in [(&file.mss, "tcp.mss"), (&file.vlan, "port.vlan")] {
        if let Some((line, value)) = slot {
            out.set(line, path, value);
        }
    }
    if let Some((line, mtu)) = &file.jumbo {
        out.set(line, "port.mtu", mtu.min(&MOST_MTU));
        if *mtu > MOST_MTU {
            out.note(line, format!("the MTU is {MOST_MTU}, the largest here"));
        }
    }
    if let Some((line, seconds)) = &file.retransmit_timeout {
        out.set(line, "tcp.rto_initial", quoted(format!("{seconds}s")));
    }
}

/// The `n`th address of a range.
fn nth(range: &Range, n: u8) -> IpAddr {
    match range.first {
        IpAddr::V4(ip) => IpAddr::V4(Ipv4Addr::from(u32::from(ip).saturating_add(n.into()))),
        IpAddr::V6(ip) => IpAddr::V6(Ipv6Addr::from(u128::from(ip).saturating_add(n.into()))),
    }
}

/// The length of the longest prefix of both in which neither is the address of the network or of all its hosts.
fn common_prefix(one: IpAddr, other: IpAddr) -> u32 {
    let (bits, one, other) = match (one, other) {
        (IpAddr::V4(one), IpAddr::V4(other)) => {
            (32, u32::from(one).into(), u32::from(other).into())
        }
        (IpAddr::V6(one), IpAddr::V6(other)) => (128, u128::from(one), u128::from(other)),
        _ => return 0,
    };
    let differ = u128::BITS - (one ^ other).leading_zeros();
    let of_hosts = |length: &u32| {
        let mask = (1_u128 << (bits - length)) - 1;
        [one, other]
            .iter()
            .all(|ip| (ip & mask) != 0 && (ip & mask) != mask)
    };
    (1..=bits - differ.max(2)).rev().find(of_hosts).unwrap_or(1)
}
