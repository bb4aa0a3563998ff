use super::*;
use crate::testing::{eal, pool};
use dpdk::MbufCache;
use wire::toeplitz::Key;
use wire::{FourTuple, Ip};

/// A plain TCP frame from 192.0.2.9 to 192.0.2.1 port 80.
fn frame(mbufs: &mut MbufCache, remote_port: u16) -> MbufFrame {
    let mut mbuf = mbufs.alloc().expect("a buffer");
    let octets = mbuf.append(60).expect("room");
    octets.fill(0);
    octets[12..16].copy_from_slice(&[8, 0, 0x45, 0]);
    octets[17] = 46;
    octets[23] = 6;
    octets[26..34].copy_from_slice(&[192, 0, 2, 9, 192, 0, 2, 1]);
    octets[34..36].copy_from_slice(&remote_port.to_be_bytes());
    octets[37] = 80;
    MbufFrame(mbuf)
}

fn port(frame: &[u8]) -> u16 {
    u16::from_be_bytes([frame[34], frame[35]])
}

fn tuple(remote_port: u16) -> FourTuple {
    FourTuple {
        local: Ip::v4([192, 0, 2, 1]),
        remote: Ip::v4([192, 0, 2, 9]),
        local_port: 80,
        remote_port,
    }
}

fn team(workers: u16, pool: &Mempool) -> (Vec<Team>, Arc<Steering>) {
    let steering = Arc::new(Steering::by_software(Key::MICROSOFT, workers));
    let pools = vec![pool.clone(); workers.into()];
    let team = Team::among(eal(), &steering, &pools, None).expect("rings");
    (team, steering)
}

#[test]
fn every_frame_comes_to_its_owner_and_those_of_one_stay_in_order() {
    let pool = pool(2048);
    let mut mbufs = MbufCache::new(&pool);
    let (mut team, steering) = team(4, &pool);
    let mut frames: Vec<_> = (0..RX_BURST as u16)
        .map(|port| frame(&mut mbufs, 1000 + port))
        .collect();
    let handed = team[1].hand_over(&mut frames);
    let kept: Vec<u16> = frames.iter().map(|frame| port(frame.data())).collect();
    assert_eq!(handed.frames as usize + kept.len(), RX_BURST);
    assert_eq!(handed.dropped, 0);
    for (me, member) in team.iter_mut().enumerate() {
        let mut taken = Vec::with_capacity(RX_BURST);
        member.take_over(&mut taken);
        let ports: Vec<u16> = match me {
            1 => kept.clone(),
            _ => taken.iter().map(|mbuf| port(mbuf)).collect(),
        };
        let owned: Vec<u16> = (1000..1000 + RX_BURST as u16)
            .filter(|&port| usize::from(steering.queue(&tuple(port))) == me)
            .collect();
        assert!(!owned.is_empty());
        assert_eq!(ports, owned);
        assert_eq!(taken.is_empty(), me == 1);
    }
}

#[test]
fn a_full_ring_loses_the_newest_and_counts_them() {
    let pool = pool(2048);
    let mut mbufs = MbufCache::new(&pool);
    let (mut team, steering) = team(2, &pool);
    let others = (1000..).find(|&port| steering.queue(&tuple(port)) == 1);
    let others = others.expect("a port of the other's");
    let mut sum = HandedOver::default();
    for _ in 0..RING / 32 + 1 {
        let mut frames: Vec<_> = (0..32).map(|_| frame(&mut mbufs, others)).collect();
        let handed = team[0].hand_over(&mut frames);
        assert!(frames.is_empty());
        sum.frames += handed.frames;
        sum.dropped += handed.dropped;
    }
    let full = HandedOver {
        frames: RING.into(),
        dropped: 1,
    };
    assert_eq!(sum, full);
    let mut taken = Vec::with_capacity(1024);
    assert_eq!(team[1].take_over(&mut taken), usize::from(RING));
    drop((taken, team, mbufs));
    assert_eq!(pool.available(), pool.size());
}

#[test]
fn no_inbox_is_starved_by_another() {
    let pool = pool(2048);
    let mut mbufs = MbufCache::new(&pool);
    let (mut team, steering) = team(3, &pool);
    let mut ports = (1000..).filter(|&port| steering.queue(&tuple(port)) == 0);
    let (busy, quiet) = (ports.next().expect("one"), ports.next().expect("another"));
    let mut frames: Vec<_> = (0..32).map(|_| frame(&mut mbufs, busy)).collect();
    team[1].hand_over(&mut frames);
    let mut frames = vec![frame(&mut mbufs, quiet)];
    team[2].hand_over(&mut frames);
    let mut seen = false;
    for _ in 0..2 {
        // Refilled each time as by a worker that never stops.
        let mut taken = Vec::with_capacity(8);
        assert_eq!(team[0].take_over(&mut taken), 8);
        seen |= taken.iter().any(|mbuf| port(mbuf) == quiet);
    }
    assert!(seen);
}

#[test]
fn a_device_that_steers_is_believed_for_plain_frames_only() {
    use dpdk::{Enabled, Offloads, Rss, RssFields};
    let steering = Steering::of(&Enabled {
        rx_queues: 2,
        tx_queues: 2,
        rx_descriptors: 512,
        tx_descriptors: 512,
        mtu: 1500,
        offloads: Offloads::empty(),
        rss: Some(Rss {
            key: Key::MICROSOFT.as_bytes().to_vec(),
            fields: RssFields::IPV4_TCP,
        }),
        reta: vec![1],
        promiscuous: false,
        all_multicast: true,
    })
    .expect("RSS");
    let pool = pool(2048);
    let mut mbufs = MbufCache::new(&pool);
    let mut plain = frame(&mut mbufs, 1000);
    assert_eq!(owner(&steering, &plain), None);
    // With IP options (none but the end of the list), which not every device looks behind.
    plain.data_mut()[14] = 0x46;
    plain.data_mut()[34..38].fill(0);
    assert_eq!(owner(&steering, &plain), Some(1));
}
