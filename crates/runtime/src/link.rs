//! Links in memory, between two ports of this process, and what they carry bare.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use dpdk::link_bench::{self, Side, Tally};
use dpdk::{Eal, MbufCache, Mempool, Port, memif, register_worker_thread, ring};

use crate::error::Error;
use crate::seat::{PortArgs, Seat, seats};

/// What joins two ports of this process.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Link {
    /// Rings of pointers (net_ring): no copy.
    Ring,
    /// Shared memory (net_memif): two copies, as between two processes.
    Memif,
}

/// One end of a link, started, with one worker's seat.
pub struct End {
    /// The port; keep it as long as its worker.
    pub port: Port,
    /// The worker's seat.
    pub seat: Seat,
}

/// How long a link in memory may take to come up.
const UP_WITHIN: Duration = Duration::from_secs(5);

/// Makes a link and starts both ends; waits until it is up.
///
/// # Errors
/// What DPDK says, or [`Error::LinkDown`].
pub fn pair(eal: &Eal, link: Link, args: &PortArgs) -> Result<(End, End), Error> {
    let (a, b) = match link {
        Link::Ring => ring::pair(eal, &ring::RingArgs::default())?,
        Link::Memif => memif::pair(eal)?,
    };
    let args = PortArgs {
        workers: 1,
        ..args.clone()
    };
    let (a, b) = (end(eal, a, &args)?, end(eal, b, &args)?);
    for port in [&a.port, &b.port] {
        wait_until_up(port, UP_WITHIN)?;
    }
    Ok((a, b))
}

fn end(eal: &Eal, mut port: Port, args: &PortArgs) -> Result<End, Error> {
    match seats(eal, &mut port, args)?.pop() {
        Some(seat) => Ok(End { port, seat }),
        None => Err(Error::LinkDown {
            device: port.name().to_owned(),
        }),
    }
}

/// Waits until the link of `port` is up.
///
/// # Errors
/// [`Error::LinkDown`] after `timeout`, or what DPDK says.
pub fn wait_until_up(port: &Port, timeout: Duration) -> Result<(), Error> {
    if port.wait_for_link(timeout)?.up {
        return Ok(());
    }
    Err(Error::LinkDown {
        device: port.name().to_owned(),
    })
}

/// What a link carries when frames are only made, sent, received, read and freed.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Baseline {
    /// Frames a second from the first end to the second.
    pub there_pps: f64,
    /// Frames a second from the second end to the first.
    pub back_pps: f64,
}

/// Measures a new link of kind `link` for `duration`, with frames of `frame_len` octets both ways:
/// each end on its CPU when `cpus` has two, both in turn on one thread when it has one or none.
///
/// # Errors
/// What DPDK says.
pub fn baseline(
    eal: &Eal,
    link: Link,
    cpus: &[usize],
    frame_len: usize,
    duration: Duration,
) -> Result<Baseline, Error> {
    let (a, b) = pair(eal, link, &PortArgs::default())?;
    let mut ends = [a, b];
    let tallies = measure(eal, &mut ends, cpus, frame_len, duration)?;
    let hz = eal.tsc_hz();
    let pps = |at: usize| tallies.get(at).map_or(0.0, |t: &Tally| t.received_pps(hz));
    Ok(Baseline {
        there_pps: pps(1),
        back_pps: pps(0),
    })
}

fn measure(
    eal: &Eal,
    ends: &mut [End; 2],
    cpus: &[usize],
    frame_len: usize,
    duration: Duration,
) -> Result<Vec<Tally>, Error> {
    let groups = if cpus.len() < 2 { 1 } else { 2 };
    let stop = AtomicBool::new(false);
    let begin = Barrier::new(groups + 1);
    let run = |ends: &mut [End], cpu: Option<usize>| -> Result<Vec<Tally>, Error> {
        // Registered or not, everybody waits for everybody.
        let thread = register_worker_thread(eal, cpu);
        begin.wait();
        let _thread = thread?;
        let pools: Vec<Mempool> = ends.iter().map(|e| e.seat.pool.clone()).collect();
        let mut mbufs: Vec<MbufCache> = pools.iter().map(MbufCache::new).collect();
        let mut sides: Vec<Side<'_>> = ends
            .iter_mut()
            .zip(&mut mbufs)
            .map(|(end, mbufs)| Side {
                rx: &mut end.seat.rx,
                tx: &mut end.seat.tx,
                mbufs,
            })
            .collect();
        Ok(link_bench::run(&mut sides, frame_len, &stop))
    };
    let results: Vec<Result<Vec<Tally>, Error>> = thread::scope(|scope| {
        let run = &run;
        let threads: Vec<_> = ends
            .chunks_mut(2 / groups)
            .zip(0..)
            .map(|(ends, group)| scope.spawn(move || run(ends, cpus.get(group).copied())))
            .collect();
        begin.wait();
        thread::sleep(duration);
        stop.store(true, Ordering::Relaxed);
        let joined = threads.into_iter().map(|thread| {
            thread.join().unwrap_or_else(|panic| {
                Err(Error::Panicked {
                    worker: "link baseline".into(),
                    message: crate::thread::message(&*panic),
                })
            })
        });
        joined.collect()
    });
    let tallies: Result<Vec<_>, _> = results.into_iter().collect();
    Ok(tallies?.into_iter().flatten().collect())
}
