//! Measures a bare link: what two ports carry when nothing is done but making, sending, reading and
//! freeing frames.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::{Parser, ValueEnum};
use dpdk::link_bench::{self, Side, Tally};
use dpdk::{
    Eal, EalArgs, MbufCache, Memory, MemoryPolicy, Mempool, MempoolArgs, Port, PortConfig, Queues,
    allowed_cpus, memif, register_worker_thread, ring,
};

/// Measure a bare DPDK link in memory.
#[derive(Parser)]
struct Args {
    /// What joins the two ports.
    #[arg(long, value_enum, default_value = "ring")]
    link: Link,
    /// How long to measure.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=3600))]
    seconds: u64,
    /// Whether to use huge pages.
    #[arg(long, value_enum, default_value = "auto")]
    huge: Huge,
    /// One core for both ends, or one for each.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=2))]
    cores: u8,
    /// Octets of a frame, without FCS.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(54..=1514))]
    frame_len: u16,
}

#[derive(Clone, Copy, ValueEnum)]
enum Link {
    /// Rings of pointers within the process.
    Ring,
    /// Shared memory.
    Memif,
}

#[derive(Clone, Copy, ValueEnum)]
enum Huge {
    /// When there are enough.
    Auto,
    /// Never.
    No,
}

/// One end of the link.
struct End {
    queues: Queues,
    pool: Mempool,
}

fn main() -> Result<()> {
    let args = Args::parse();
    let eal = Eal::init(&EalArgs {
        memory: match args.huge {
            Huge::Auto => MemoryPolicy::Auto,
            Huge::No => MemoryPolicy::Plain,
        },
        memory_mb: 128,
        ..EalArgs::default()
    })?;
    let (mut a, mut b) = match args.link {
        Link::Ring => ring::pair(&eal, &ring::RingArgs::default())?,
        Link::Memif => memif::pair(&eal)?,
    };
    let ends = [end(&eal, &mut a, "a")?, end(&eal, &mut b, "b")?];
    for port in [&a, &b] {
        let link = port.wait_for_link(Duration::from_secs(5))?;
        ensure!(link.up, "{} stays down", port.name());
    }
    let tallies = measure(&eal, ends, &args)?;
    report(&eal, &args, &tallies);
    Ok(())
}

fn end(eal: &Eal, port: &mut Port, name: &str) -> Result<End> {
    let pool = Mempool::new(
        eal,
        &MempoolArgs {
            name: name.into(),
            ..MempoolArgs::default()
        },
    )?;
    let queues = port.start(&PortConfig::default(), std::slice::from_ref(&pool))?;
    Ok(End { queues, pool })
}

/// Runs both ends, on one thread or two, and returns what each counted.
fn measure(eal: &Eal, ends: [End; 2], args: &Args) -> Result<Vec<Tally>> {
    let cpus = allowed_cpus()?;
    ensure!(
        cpus.len() >= usize::from(args.cores),
        "{} cores are needed and {} are allowed",
        args.cores,
        cpus.len()
    );
    let mut ends = Vec::from(ends);
    let groups: Vec<Vec<End>> = match args.cores {
        1 => vec![ends],
        _ => {
            let second = ends.split_off(1);
            vec![ends, second]
        }
    };
    let stop = AtomicBool::new(false);
    let begin = Barrier::new(groups.len());
    thread::scope(|scope| {
        let workers: Vec<_> = groups
            .into_iter()
            .zip(&cpus)
            .map(|(mut group, &cpu)| {
                let (stop, begin) = (&stop, &begin);
                scope.spawn(move || -> Result<Vec<Tally>> {
                    let worker = register_worker_thread(eal, Some(cpu));
                    // Reached in any case: the other thread waits here, too.
                    begin.wait();
                    let _worker = worker?;
                    Ok(run(&mut group, args.frame_len.into(), stop))
                })
            })
            .collect();
        thread::sleep(Duration::from_secs(args.seconds));
        stop.store(true, Ordering::Relaxed);
        let mut tallies = Vec::new();
        for worker in workers {
            let tally = worker.join().ok().context("a worker panicked")??;
            tallies.extend(tally);
        }
        Ok(tallies)
    })
}

fn run(group: &mut [End], frame_len: usize, stop: &AtomicBool) -> Vec<Tally> {
    let mut caches: Vec<MbufCache> = group.iter().map(|end| MbufCache::new(&end.pool)).collect();
    let mut sides: Vec<Side<'_>> = group
        .iter_mut()
        .zip(&mut caches)
        .map(|(end, mbufs)| Side {
            rx: &mut end.queues.rx[0],
            tx: &mut end.queues.tx[0],
            mbufs,
        })
        .collect();
    link_bench::run(&mut sides, frame_len, stop)
}

fn report(eal: &Eal, args: &Args, tallies: &[Tally]) {
    let hz = eal.tsc_hz();
    let memory = match eal.memory() {
        Memory::Huge => "huge pages",
        Memory::Plain => "plain memory",
    };
    println!(
        "{}, {memory}, {} core(s), {} octets",
        match args.link {
            Link::Ring => "ring",
            Link::Memif => "memif",
        },
        args.cores,
        args.frame_len
    );
    for (name, tally) in ["a", "b"].iter().zip(tallies) {
        println!(
            "  {name}: received {:>11.0} frames/s, sent {:>11.0} frames/s, strange {}, no buffer {}",
            tally.received_pps(hz),
            tally.sent_pps(hz),
            tally.strange,
            tally.no_mbufs
        );
    }
    let both: f64 = tallies.iter().map(|tally| tally.received_pps(hz)).sum();
    println!("  both ways: {both:.0} frames/s");
}
