//! A relay between two DPDK devices: a bridge for links that have no kernel at their other end, and the
//! trouble that a network would give the frames on their way.

mod road;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use dpdk::{
    Eal, EalArgs, Mbuf, MbufCache, Mempool, MempoolArgs, Offloads, Port, PortConfig, RxQueue,
    TxQueue,
};
use fastrand::Rng;
use signal_hook::consts::{SIGINT, SIGTERM};
use wire::ethernet::{ETHERTYPE_VLAN, Tag};

use road::Road;
pub(crate) use road::Trouble;

/// Frames taken from a device, and offered to one, at once.
const BURST: usize = 32;
/// Frames under way at most, each way.
const CAPACITY: usize = 8192;
/// Buffers of each device: what is under way, and what its queues hold.
const BUFFERS: u32 = 16_383;
/// The longest sleep of a relay with nothing to do.
const SLEEP: Duration = Duration::from_micros(50);

/// Where a relay stands, and what it does to frames.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// Devargs of the two devices.
    pub(crate) devices: [String; 2],
    /// Frames of this VLAN on the first device are untagged ones on the second; others do not pass.
    pub(crate) vlan: Option<u16>,
    /// The same both ways.
    pub(crate) trouble: Trouble,
    /// What names the fate of all frames.
    pub(crate) seed: u64,
}

/// Relays until SIGTERM or SIGINT; then says what became of the frames.
pub(crate) fn run(plan: &Plan) -> anyhow::Result<()> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGTERM, SIGINT] {
        signal_hook::flag::register(signal, Arc::clone(&stop)).context("take over signals")?;
    }
    let eal = Eal::init(&EalArgs {
        memory_mb: 256,
        ..EalArgs::default()
    })?;
    let [first, second] = &plan.devices;
    let (first, second) = (End::open(&eal, first, 0)?, End::open(&eal, second, 1)?);
    let mut rng = Rng::with_seed(plan.seed);
    let (untag, tag) = match plan.vlan {
        Some(vid) => (Retag::Untag(vid), Retag::Tag(vid)),
        None => (Retag::No, Retag::No),
    };
    let mut ways = [
        Way::new(first.rx, second.tx, &second.pool, untag, plan, rng.fork()),
        Way::new(second.rx, first.tx, &first.pool, tag, plan, rng.fork()),
    ];
    println!("relaying");
    while !stop.load(Ordering::Relaxed) {
        let now = Instant::now();
        let mut busy = false;
        for way in &mut ways {
            busy |= way.turn(now);
        }
        if !busy {
            let due = ways.iter().filter_map(|way| way.road.next()).min();
            std::thread::sleep(due.map_or(SLEEP, |due| SLEEP.min(due - now)));
        }
    }
    let [there, back] = &ways;
    println!("there {there}");
    println!("back {back}");
    Ok(())
}

/// A started device.
struct End {
    rx: RxQueue,
    tx: TxQueue,
    pool: Mempool,
}

impl End {
    fn open(eal: &Eal, devargs: &str, number: u32) -> anyhow::Result<End> {
        let pool = Mempool::new(
            eal,
            &MempoolArgs {
                name: format!("relay{number}"),
                n: BUFFERS,
                ..MempoolArgs::default()
            },
        )?;
        let mut port = Port::open(eal, devargs)?;
        let config = PortConfig {
            // Frames pass as they are, wrong checksums included.
            offloads: Offloads::empty(),
            promiscuous: true,
            ..PortConfig::default()
        };
        let mut queues = port.start(&config, std::slice::from_ref(&pool))?;
        // The queues keep the device open.
        let (rx, tx) = (queues.rx.pop(), queues.tx.pop());
        let (rx, tx) = rx.zip(tx).context("a device without a queue")?;
        Ok(End { rx, tx, pool })
    }
}

/// What is done to the tags of frames that go one way.
#[derive(Clone, Copy, Debug)]
enum Retag {
    No,
    Tag(u16),
    Untag(u16),
}

impl Retag {
    /// The frame as it goes on; `None` if it does not.
    fn apply(self, mut frame: Mbuf, copies: &mut MbufCache) -> Option<Mbuf> {
        match self {
            Retag::No => Some(frame),
            Retag::Tag(vid) => {
                let (addresses, rest) = frame.split_at_checked(12)?;
                let mut tagged = copies.alloc()?;
                let room = tagged.append(frame.len() + 4)?;
                room.get_mut(..12)?.copy_from_slice(addresses);
                let [e0, e1] = ETHERTYPE_VLAN.to_be_bytes();
                let [t0, t1] = Tag::new(vid).0.to_be_bytes();
                room.get_mut(12..16)?.copy_from_slice(&[e0, e1, t0, t1]);
                room.get_mut(16..)?.copy_from_slice(rest);
                Some(tagged)
            }
            Retag::Untag(vid) => {
                let addresses = *frame.first_chunk::<12>()?;
                let [e0, e1, t0, t1] = *frame.get(12..)?.first_chunk()?;
                let tag = Tag(u16::from_be_bytes([t0, t1]));
                if u16::from_be_bytes([e0, e1]) != ETHERTYPE_VLAN || tag.vid() != vid {
                    return None;
                }
                frame.get_mut(4..16)?.copy_from_slice(&addresses);
                frame.trim_front(4).then_some(frame)
            }
        }
    }
}

/// One way.
struct Way {
    rx: RxQueue,
    tx: TxQueue,
    road: Road<Mbuf>,
    copies: MbufCache,
    retag: Retag,
    received: Vec<Mbuf>,
    leaving: Vec<Mbuf>,
    sent: u64,
    /// Frames of another VLAN, or in pieces.
    strange: u64,
}

impl Way {
    fn new(rx: RxQueue, tx: TxQueue, pool: &Mempool, retag: Retag, plan: &Plan, rng: Rng) -> Way {
        Way {
            rx,
            tx,
            road: Road::new(plan.trouble, rng, CAPACITY),
            copies: MbufCache::new(pool),
            retag,
            received: Vec::with_capacity(BURST),
            leaving: Vec::with_capacity(BURST),
            sent: 0,
            strange: 0,
        }
    }

    /// Takes what has come, and sends what is due; whether there was anything.
    fn turn(&mut self, now: Instant) -> bool {
        let received = self.rx.rx_burst(&mut self.received);
        for mut frame in self.received.drain(..) {
            if frame.linearise().is_err() {
                self.strange += 1;
                continue;
            }
            match self.retag.apply(frame, &mut self.copies) {
                Some(frame) => self
                    .road
                    .enter(now, frame, |frame| copy(&mut self.copies, frame)),
                None => self.strange += 1,
            }
        }
        while self.leaving.len() < BURST
            && let Some(frame) = self.road.leave(now)
        {
            self.leaving.push(frame);
        }
        let sent = self.tx.tx_burst(&mut self.leaving);
        self.sent += sent as u64;
        received + sent > 0
    }
}

fn copy(copies: &mut MbufCache, frame: &Mbuf) -> Option<Mbuf> {
    let mut copy = copies.alloc()?;
    copy.append(frame.len())?.copy_from_slice(frame);
    Some(copy)
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (tally, sent, strange) = (self.road.tally(), self.sent, self.strange);
        write!(f, "{tally} strange {strange} sent {sent}")
    }
}
