use std::time::Duration;

use super::*;
use crate::steering::Steering;
use crate::testing::{eal, pool};
use dpdk::{MbufCache, Mempool, PortConfig, Queues, memif, ring};
use stack::{
    CloseReason, Context, DestinationConfig, DestinationId, Handle, InterfaceAddress, Offload,
    TimeWaitConfig,
};
use wire::{Ip, MacAddr, arp, ethernet};

#[test]
fn the_longest_turn_is_forgotten_after_two_seconds_at_most() {
    let mut longest = Longest::default();
    let at = Instant::from_millis;
    longest.ticks(at(0));
    longest.current = 9;
    assert_eq!(longest.ticks(at(500)), 9);
    assert_eq!(longest.ticks(at(1_000)), 9);
    longest.current = 3;
    assert_eq!(longest.ticks(at(1_999)), 9);
    assert_eq!(longest.ticks(at(2_000)), 3);
    assert_eq!(longest.ticks(at(3_000)), 0);
}

/// Opens one connection.
#[derive(Default)]
struct Opener {
    opened: bool,
}

impl Application for Opener {
    fn on_open(&mut self, _: &mut Context<'_>, _: Handle) {}
    fn on_data(&mut self, _: &mut Context<'_>, _: Handle, data: &[u8]) -> usize {
        data.len()
    }
    fn on_writable(&mut self, _: &mut Context<'_>, _: Handle) {}
    fn on_peer_closed(&mut self, _: &mut Context<'_>, _: Handle) {}
    fn on_closed(&mut self, _: &mut Context<'_>, _: Handle, _: CloseReason) {}
    fn poll(&mut self, cx: &mut Context<'_>) {
        self.opened = self.opened || cx.connect(DestinationId(0)).is_ok();
    }
}

impl Publish for Opener {}

const OURS: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);
const PEER: MacAddr = MacAddr([2, 0, 0, 0, 0, 9]);
const OUR_IP: [u8; 4] = [192, 0, 2, 1];
const PEER_IP: [u8; 4] = [192, 0, 2, 9];

/// A worker on each queue of a port.
fn workers(queues: Queues, pools: &[Mempool]) -> Vec<Worker<Opener>> {
    let clock = Clock::start(eal());
    let steering = Steering::by_software(wire::toeplitz::Key::MICROSOFT, pools.len() as u16);
    let teams = Team::among(eal(), &Arc::new(steering), pools, None).expect("rings");
    let queues = queues.rx.into_iter().zip(queues.tx).zip(pools);
    let workers = queues.zip(teams).map(|(((rx, tx), pool), team)| {
        let address = InterfaceAddress {
            ip: Ip::v4(OUR_IP),
            prefix: 24,
        };
        let mut config = Config::new(OURS, address);
        config.destinations.push(DestinationConfig {
            address: Ip::v4(PEER_IP),
            port: 80,
            sources: vec![Ip::v4(OUR_IP)],
            first_port: 1024,
            last_port: 2047,
            unused_ports: Vec::new(),
            limit: None,
            selection: stack::PortSelection::default(),
            tcp: tcp::Config::default(),
            time_wait: TimeWaitConfig::default(),
        });
        config.max_connections = 16;
        config.time_wait_capacity = 1024;
        let seat = Seat::for_test(rx, tx, pool, OURS, Offload::default(), Some(team));
        let secrets = Secrets {
            isn: tcp::isn::Secret::new([1; 32]),
            table: [1, 2],
        };
        Worker::new("w", seat, clock, config, secrets, Opener::default()).expect("a worker")
    });
    workers.collect()
}

/// The device gives ARP to queue 0; the worker of queue 1 learns of the reply and goes on.
#[test]
fn a_reply_that_another_worker_received_is_heard() {
    let args = ring::RingArgs {
        queues: 2,
        ..ring::RingArgs::default()
    };
    let (mut port, mut other) = ring::pair(eal(), &args).expect("a link");
    let config = PortConfig {
        rx_queues: 2,
        tx_queues: 2,
        ..PortConfig::default()
    };
    let pools = [pool(2048), pool(2048)];
    let queues = port.start(&config, &pools).expect("a port");
    let mut peer = other.start(&config, &pools).expect("a port");
    let mut workers = workers(queues, &pools);

    // Both ask for the neighbour, each on its queue.
    let mut turns = |workers: &mut [Worker<Opener>], what: &dyn Fn(&[u8]) -> bool| {
        let start = std::time::Instant::now();
        let mut seen = [false; 2];
        let mut frames: Vec<Mbuf> = Vec::with_capacity(64);
        while seen != [true; 2] && start.elapsed() < Duration::from_secs(10) {
            for (i, worker) in workers.iter_mut().enumerate() {
                worker.turn(tsc());
                peer.rx[i].rx_burst(&mut frames);
                seen[i] |= frames.drain(..).any(|frame| what(&frame));
            }
        }
        seen
    };
    let is_question = |frame: &[u8]| {
        let packet = arp::Packet::parse(frame.get(14..).unwrap_or_default());
        frame[12..14] == [8, 6] && packet.is_ok_and(|p| p.tpa == PEER_IP)
    };
    let is_syn = |frame: &[u8]| frame[12..14] == [8, 0] && frame[..6] == PEER.0;
    assert_eq!(turns(&mut workers, &is_question), [true; 2]);

    let mut mbufs = MbufCache::new(&pools[0]);
    let mut reply = mbufs.alloc().expect("a buffer");
    let octets = reply.append(60).expect("room");
    octets.fill(0);
    let header = ethernet::Header {
        dst: OURS,
        src: PEER,
        vlan: None,
        ethertype: ethernet::ETHERTYPE_ARP,
    };
    let at = header.emit(octets);
    let question = arp::Packet::request(OURS, OUR_IP, PEER_IP);
    question.reply(PEER).emit(&mut octets[at..]);
    assert_eq!(peer.tx[0].tx_burst(&mut vec![reply]), 1);
    assert_eq!(turns(&mut workers, &is_syn), [true; 2]);
}

/// A frame that the driver had to cut into several buffers is dropped and counted, and nothing of
/// it stays.
#[test]
fn a_frame_in_several_buffers_is_counted() {
    let (mut port, mut other) = memif::pair(eal()).expect("a link");
    let (small, large) = (pool(128), pool(2048));
    let config = PortConfig {
        mtu: Some(100),
        ..PortConfig::default()
    };
    let queues = port.start(&config, std::slice::from_ref(&small));
    let peer = other.start(&PortConfig::default(), std::slice::from_ref(&large));
    let mut peer = peer.expect("a port");
    let mut workers = workers(queues.expect("a port"), std::slice::from_ref(&small));
    for port in [&port, &other] {
        assert!(port.wait_for_link(Duration::from_secs(5)).expect("link").up);
    }

    let mut mbufs = MbufCache::new(&large);
    let mut frame = mbufs.alloc().expect("a buffer");
    frame.append(600).expect("room").fill(0);
    let mut frames = vec![frame];
    let mut none = Vec::with_capacity(32);
    let start = std::time::Instant::now();
    while workers[0].counters.drop_rx_segments == 0 && start.elapsed() < Duration::from_secs(10) {
        peer.tx[0].tx_burst(&mut frames);
        workers[0].turn(tsc());
        peer.rx[0].rx_burst(&mut none);
        none.clear();
    }
    assert_eq!(workers[0].counters.drop_rx_segments, 1);
    drop((frames, workers));
    assert_eq!(small.available(), small.size());
}
