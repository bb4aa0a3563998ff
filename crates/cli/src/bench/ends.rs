//! The bench's two ends: the engine of `load` is its client, and `exchange` of `serve` its server. Both check every
//! octet.

use core::num::NonZeroU32;
use core::time::Duration;

use load::exchange::Content;
use load::{Caps, Close, Exchange, Load, Mode, Pace, Profile, Raw, Run, Spec, SpecError, Target};

use super::args::BenchArgs;
use super::hosts::Layout;
use crate::apps::{self, Apps, Service};
use crate::load::app::Generator;

/// The client of a host with room for `max_connections`, at rest.
///
/// # Errors
/// The histograms cannot be made.
pub fn client(
    args: &BenchArgs,
    layout: &Layout,
    max_connections: usize,
) -> Result<Generator, SpecError> {
    let exchange = args.exchange();
    // The range of the option is that of the type.
    let concurrency = u32::try_from(args.concurrency.get()).unwrap_or(u32::MAX);
    let targets = layout.destinations().map(|destination| Target {
        destination,
        weight: NonZeroU32::MIN,
        exchange: 0,
    });
    let spec = Spec {
        mode: Mode::Connections {
            requests: NonZeroU32::MIN,
        },
        pace: Pace::Closed,
        close: match exchange.server_closes {
            true => Close::Peer,
            false => Close::Fin,
        },
        think: Duration::ZERO,
        // As long as TCP lets it take.
        timeout: None,
        caps: Caps {
            connections: concurrency,
            opening: concurrency,
        },
        duration: None,
        connections: None,
        targets: targets.collect(),
    };
    let said = Raw::checked(
        Content::pattern(exchange.request_bytes),
        Content::pattern(exchange.response_bytes),
    );
    Load::new(spec, [Exchange::Raw(said)].into(), max_connections).map(Generator)
}

/// The server of a host with room for `max_connections`.
#[must_use]
pub fn server(args: &BenchArgs, layout: &Layout, max_connections: usize) -> Apps {
    let exchange = args.exchange();
    let service = Service::Exchange(apps::Exchange::new(
        Content::pattern(exchange.request_bytes),
        Content::pattern(exchange.response_bytes),
        exchange.server_closes,
    ));
    Apps::new(vec![service; layout.ports.into()], max_connections)
}

/// As many connections as are allowed at a time, `limit` of them if that is said.
#[must_use]
pub fn closed_loop(limit: Option<u64>) -> Run {
    Run {
        pace: Pace::Closed,
        phase: 0.0,
        duration: None,
        connections: limit,
        timed: false,
    }
}

/// `rate` connections a second, `limit` of them, whose latencies are recorded.
#[must_use]
pub fn open_loop(rate: u64, limit: u64) -> Run {
    Run {
        pace: Pace::Open(Profile::constant(rate as f64)),
        timed: true,
        ..closed_loop(Some(limit))
    }
}

#[cfg(test)]
mod tests;
