//! A cable with its faults: delay, loss, bursts of loss, duplication, reordering, corruption.

use tcp::time::Instant;

use crate::rng::Rng;

/// Loss in bursts, which last for a time and not for a number of frames: else who sends little would
/// be cut off for minutes.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Bursts {
    /// The chance, per frame, that a burst begins with it.
    pub enter: f64,
    /// The longest burst, in nanoseconds; lengths are uniform from 0.
    pub longest_ns: u64,
    /// The chance of loss, per frame, during a burst.
    pub loss: f64,
}

/// One direction of a cable. Chances are from 0 to 1 and per frame.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Path {
    /// Propagation delay, in nanoseconds.
    pub delay_ns: u64,
    /// The chance that a frame is lost.
    pub loss: f64,
    /// Loss in bursts, besides.
    pub bursts: Option<Bursts>,
    /// The chance that a frame arrives twice; the copy takes a delay of its own.
    pub duplicate: f64,
    /// The chance that a frame is held up, so that later ones overtake it.
    pub reorder: f64,
    /// The greatest extra delay of a frame that is held up, in nanoseconds.
    pub reorder_ns: u64,
    /// The chance that one bit of an IPv4 packet is inverted. The Ethernet FCS guards what one hop
    /// does to a frame; this is what happens between two of them, in the memory of a switch, and
    /// is for the checksums of IP and TCP to find. ARP has none and is left alone.
    pub corrupt: f64,
}

impl Path {
    /// No fault, and this delay in nanoseconds.
    #[must_use]
    pub const fn ideal(delay_ns: u64) -> Path {
        Path {
            delay_ns,
            loss: 0.0,
            bursts: None,
            duplicate: 0.0,
            reorder: 0.0,
            reorder_ns: 0,
            corrupt: 0.0,
        }
    }
}

/// The cable between a station and the switch.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Link {
    /// From the station to the switch.
    pub up: Path,
    /// From the switch to the station.
    pub down: Path,
    /// Whether it is plugged in. Frames under way when it is cut still arrive.
    pub connected: bool,
}

impl Link {
    /// A faultless cable with a delay of `delay_ns` each way.
    #[must_use]
    pub const fn ideal(delay_ns: u64) -> Link {
        Link {
            up: Path::ideal(delay_ns),
            down: Path::ideal(delay_ns),
            connected: true,
        }
    }

    /// The same faults both ways.
    #[must_use]
    pub const fn symmetric(path: Path) -> Link {
        Link {
            up: path,
            down: path,
            connected: true,
        }
    }
}

/// What a path does to one frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Passage {
    /// The delay of the frame and, if it is duplicated, of its copy; none if it is lost.
    pub(crate) delays: [Option<u64>; 2],
    /// The bit of the IPv4 packet to invert in the first of them.
    pub(crate) corrupt_bit: Option<usize>,
}

/// Sends a frame whose IPv4 packet has `ip_bits` bits (0: none) down `path` at `now`. `burst_end` is
/// kept for the path: when its last burst ends.
pub(crate) fn pass(
    path: &Path,
    now: Instant,
    burst_end: &mut Instant,
    ip_bits: usize,
    rng: &mut Rng,
) -> Passage {
    let mut lost = rng.chance(path.loss);
    if let Some(bursts) = path.bursts {
        if now >= *burst_end && rng.chance(bursts.enter) {
            let length = rng.range(0, bursts.longest_ns);
            *burst_end = Instant::from_nanos(now.as_nanos().saturating_add(length));
        }
        lost |= now < *burst_end && rng.chance(bursts.loss);
    }
    let mut delay = || {
        let extra = if rng.chance(path.reorder) {
            rng.range(0, path.reorder_ns)
        } else {
            0
        };
        path.delay_ns + extra
    };
    let first = (!lost).then(&mut delay);
    let copy = delay();
    let second = rng.chance(path.duplicate).then_some(copy);
    let corrupt = ip_bits > 0 && rng.chance(path.corrupt);
    Passage {
        delays: [first, second],
        corrupt_bit: corrupt.then(|| rng.below(ip_bits as u64) as usize),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ideal_path_only_delays() {
        let mut rng = Rng::new(3);
        let mut burst = Instant::ZERO;
        for _ in 0..100 {
            let passage = pass(&Path::ideal(7), Instant::ZERO, &mut burst, 800, &mut rng);
            assert_eq!(passage.delays, [Some(7), None]);
            assert_eq!(passage.corrupt_bit, None);
        }
    }

    #[test]
    fn faults_come_as_often_as_asked() {
        let path = Path {
            delay_ns: 1000,
            loss: 0.2,
            bursts: None,
            duplicate: 0.1,
            reorder: 0.3,
            reorder_ns: 5000,
            corrupt: 0.05,
        };
        let mut rng = Rng::new(4);
        let mut burst = Instant::ZERO;
        let (mut lost, mut twice, mut late, mut bad) = (0, 0, 0, 0);
        for _ in 0..10_000 {
            let p = pass(&path, Instant::ZERO, &mut burst, 800, &mut rng);
            lost += u32::from(p.delays[0].is_none());
            twice += u32::from(p.delays[1].is_some());
            late += u32::from(p.delays[0].is_some_and(|d| d > 1000));
            bad += u32::from(p.corrupt_bit.is_some_and(|bit| bit < 800));
            assert!(p.delays.iter().flatten().all(|d| (1000..=6000).contains(d)));
        }
        assert!((1_850..2_150).contains(&lost), "{lost}");
        assert!((900..1_100).contains(&twice), "{twice}");
        assert!((2_200..2_600).contains(&late), "{late}");
        assert!((430..570).contains(&bad), "{bad}");
    }

    #[test]
    fn bursts_are_bursts() {
        let path = Path {
            bursts: Some(Bursts {
                enter: 0.01,
                longest_ns: 20_000,
                loss: 1.0,
            }),
            ..Path::ideal(0)
        };
        let mut rng = Rng::new(5);
        let mut burst = Instant::ZERO;
        // A frame each microsecond: bursts of ten on average, which begin once in a hundred.
        let fates: Vec<bool> = (0..100_000)
            .map(|us| {
                let now = Instant::ZERO.plus_micros(us);
                pass(&path, now, &mut burst, 0, &mut rng).delays[0].is_none()
            })
            .collect();
        let lost = fates.iter().filter(|l| **l).count();
        let bursts = fates.windows(2).filter(|w| !w[0] && w[1]).count();
        let mean = lost as f64 / bursts as f64;
        assert!((8.0..13.0).contains(&mean), "{mean} frames a burst");
        assert!((700..1_100).contains(&bursts), "{bursts}");
    }
}
