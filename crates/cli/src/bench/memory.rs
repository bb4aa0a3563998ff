//! What the bench takes of memory, told before any is taken.

use stack::{Application, Config, MemPool, Secrets, Stack, Usage};

use super::args::BenchArgs;
use super::ends;
use super::hosts::{self, Layout};
use crate::config::ConfigError;
use crate::config::quantity::Count;
use crate::memory::{available, gib};

/// Two hosts with at most so many tuples, and two with half of them, are made to see what they take.
/// Tables grow evenly.
const SMALL: u64 = 1 << 16;

/// Refuses what does not fit into the memory that is free: to try would end other programs, too.
///
/// # Errors
/// How much it would be, how much there is, and how many tuples would fit.
pub fn fits(args: &BenchArgs, packet_buffers: u64) -> anyhow::Result<()> {
    match available() {
        Some(there) => fits_into(args, packet_buffers, there),
        None => Ok(()),
    }
}

fn fits_into(args: &BenchArgs, packet_buffers: u64, there: u64) -> anyhow::Result<()> {
    let tuples = args.tuples.get();
    let needs = Needs::of(args)?;
    let needed = needs.of_tuples(tuples) + needs.fixed + packet_buffers;
    if needed <= there {
        return Ok(());
    }
    let room = there.saturating_sub(needs.fixed + packet_buffers);
    let message = format!(
        "the two hosts would take {} and this machine has {} free: there is room for some {}",
        gib(needed),
        gib(there),
        u128::from(room) * u128::from(needs.tuples) / u128::from(needs.tables.max(1)),
    );
    Err(ConfigError::flag(&format!("--tuples {tuples}"), message).into())
}

/// What both hosts take together, at any number of four-tuples.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Needs {
    /// Bytes of what grows with the four-tuples, for `tuples` of them.
    tables: u64,
    tuples: u64,
    /// Bytes of the rest.
    fixed: u64,
}

impl Needs {
    fn of(args: &BenchArgs) -> anyhow::Result<Needs> {
        let tuples = args.tuples.get().clamp(2, SMALL);
        let (whole, half) = (taken(args, tuples)?, taken(args, tuples / 2)?);
        let mut needs = Needs {
            tables: whole.saturating_sub(half),
            tuples: tuples - tuples / 2,
            fixed: 0,
        };
        needs.fixed = whole.saturating_sub(needs.of_tuples(tuples));
        Ok(needs)
    }

    fn of_tuples(&self, tuples: u64) -> u64 {
        let bytes = u128::from(self.tables) * u128::from(tuples) / u128::from(self.tuples);
        u64::try_from(bytes).unwrap_or(u64::MAX)
    }
}

/// What both hosts take for so many tuples.
fn taken(args: &BenchArgs, tuples: u64) -> anyhow::Result<u64> {
    let args = BenchArgs {
        tuples: Count::of(tuples),
        ..args.clone()
    };
    let layout = Layout::of(tuples, args.ipv6);
    let (server, client) = (hosts::server(&args, &layout), hosts::client(&args, &layout));
    let data = |config: &Config| (config.receive_memory + config.send_memory) as u64;
    let data = data(&server) + data(&client);
    let of_server = usage(server, ends::server(&args, &layout, 0))?;
    let of_client = usage(client, ends::client(&args, &layout, 0)?)?;
    let tables = |usage: &Usage| usage.time_wait_bytes + usage.tuple_bytes + usage.connection_bytes;
    Ok(tables(&of_server) + tables(&of_client) + data)
}

/// What a host takes, found by making it in ordinary memory.
fn usage<A: Application>(config: Config, app: A) -> anyhow::Result<Usage> {
    // Nothing is received or sent, so the keys do not matter.
    let secrets = Secrets {
        isn: tcp::isn::Secret::new([0; 32]),
        table: [0; 2],
    };
    let stack = Stack::new(config, secrets, app, MemPool::new(0))
        .map_err(|error| ConfigError::nowhere(error.to_string()))?;
    Ok(stack.usage())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: BenchArgs,
    }

    fn args(tuples: u64) -> BenchArgs {
        let tuples = tuples.to_string();
        Line::try_parse_from(["bench", "--tuples", &tuples])
            .unwrap()
            .args
    }

    #[test]
    fn what_is_reckoned_is_what_it_takes() {
        let tuples = 4 * SMALL;
        let asked = args(tuples);
        let needs = Needs::of(&asked).unwrap();
        let reckoned = needs.of_tuples(tuples) + needs.fixed;
        let taken = taken(&asked, tuples).unwrap();
        assert!(reckoned.abs_diff(taken) < taken / 100, "{reckoned} {taken}");
        assert!(Needs::of(&args(1)).unwrap().fixed > 0);
    }

    #[test]
    fn too_many_tuples_are_refused_with_the_number_that_fits() {
        assert!(fits_into(&args(1_000_000), 0, 1 << 30).is_ok());
        let error = fits_into(&args(1 << 28), 0, 1 << 30)
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with("--tuples 268435456: the two hosts would take "),
            "{error}"
        );
        assert!(error.contains("has 1.0 GiB free"), "{error}");
        let room: u64 = error.rsplit(' ').next().unwrap().parse().unwrap();
        assert!(fits_into(&args(room), 0, 1 << 30).is_ok(), "{error}");
    }
}
