//! Links in memory, without root and without huge pages. EAL exists once in a process, so this is one
//! test program with one EAL, and its tests share it.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use dpdk::link_bench::{self, Side};
use dpdk::{
    Eal, EalArgs, Error, Mbuf, MbufCache, Memory, MemoryPolicy, Mempool, MempoolArgs, NotLinear,
    Port, PortConfig, Queues, RxQueue, TxOffload, mbuf_ring, memif, register_worker_thread, ring,
};

fn eal() -> &'static Eal {
    static EAL: OnceLock<Eal> = OnceLock::new();
    EAL.get_or_init(|| {
        let args = EalArgs {
            memory: MemoryPolicy::Plain,
            memory_mb: 128,
            ..EalArgs::default()
        };
        Eal::init(&args).expect("EAL with plain memory")
    })
}

fn pool(n: u32) -> Mempool {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let args = MempoolArgs {
        name: format!("test{number}"),
        n,
        cache: 32,
        ..MempoolArgs::default()
    };
    Mempool::new(eal(), &args).expect("pool")
}

fn start(port: &mut Port, pool: &Mempool) -> Queues {
    port.start(&PortConfig::default(), std::slice::from_ref(pool))
        .expect("started port")
}

/// Waits for one frame.
fn receive(rx: &mut RxQueue) -> Mbuf {
    let mut frames = Vec::with_capacity(32);
    let start = Instant::now();
    while frames.is_empty() && start.elapsed() < Duration::from_secs(5) {
        rx.rx_burst(&mut frames);
    }
    assert_eq!(frames.len(), 1, "one frame was sent");
    frames.remove(0)
}

/// Sends frames of all lengths from `a` to `b` and from `b` to `a`.
fn exchange(a: &mut Queues, a_pool: &Mempool, b: &mut Queues, b_pool: &Mempool) {
    let (mut a_mbufs, mut b_mbufs) = (MbufCache::new(a_pool), MbufCache::new(b_pool));
    for len in [14, 60, 64, 1000, 1514] {
        for (from, mbufs, to) in [
            (&mut a.tx[0], &mut a_mbufs, &mut b.rx[0]),
            (&mut b.tx[0], &mut b_mbufs, &mut a.rx[0]),
        ] {
            let octets: Vec<u8> = (0..len).map(|i| (i * 7 + len) as u8).collect();
            let mut frame = mbufs.alloc().expect("buffer");
            frame.append(len).expect("room").copy_from_slice(&octets);
            let mut frames = vec![frame];
            // memif: the client gives buffers to the ring towards it when it polls for the first time.
            let mut none = Vec::with_capacity(32);
            let start = Instant::now();
            while from.tx_burst(&mut frames) == 0 && start.elapsed() < Duration::from_secs(5) {
                assert_eq!(to.rx_burst(&mut none), 0);
            }
            assert!(frames.is_empty());
            let frame = receive(to);
            assert_eq!(frame.frame_len(), len);
            assert_eq!(&frame[..], &octets[..]);
            mbufs.free(frame);
        }
    }
}

#[test]
fn eal_is_initialised_once() {
    assert_eq!(eal().memory(), Memory::Plain);
    assert!(eal().tsc_hz() > 1_000_000);
    assert!(matches!(
        Eal::init(&EalArgs::default()),
        Err(Error::AlreadyInitialised)
    ));
}

#[test]
fn missing_and_misspelt_devices_are_named() {
    for devargs in ["net_nosuchdriver0", "0000:ff:1f.7"] {
        let error = Port::open(eal(), devargs).expect_err(devargs);
        assert!(matches!(error, Error::NoSuchDevice { .. }), "{error:?}");
        assert!(error.to_string().contains(devargs), "{error}");
    }
    for devargs in ["net_memif77,role=nobody", "net_memif77,rsize=99"] {
        let error = Port::open(eal(), devargs).expect_err(devargs);
        assert!(matches!(error, Error::BadDevargs { .. }), "{error:?}");
    }
    assert!(matches!(
        Port::open(eal(), "net_null0\0"),
        Err(Error::BadArgument(_))
    ));
}

#[test]
fn a_device_has_one_owner_and_can_be_opened_again() {
    let first = Port::open(eal(), "net_null0").expect("net_null");
    assert!(matches!(
        Port::open(eal(), "net_null0"),
        Err(Error::InUse { .. })
    ));
    assert_eq!(first.capabilities().driver, "net_null");
    drop(first);
    Port::open(eal(), "net_null0").expect("again");
}

#[test]
fn ring_carries_frames_both_ways_and_leaks_none() {
    let (a_pool, b_pool) = (pool(511), pool(511));
    {
        let (mut a, mut b) = ring::pair(eal(), &ring::RingArgs::default()).expect("ring link");
        assert_eq!(a.free_buffers(), 0);
        let (mut a_queues, mut b_queues) = (start(&mut a, &a_pool), start(&mut b, &b_pool));
        assert!(a.link().expect("link").up);
        exchange(&mut a_queues, &a_pool, &mut b_queues, &b_pool);
        let enabled = a.enabled().expect("started");
        assert_eq!(
            (enabled.mtu, enabled.rx_queues, enabled.tx_queues),
            (1500, 1, 1)
        );
        assert!(enabled.rss.is_none() && enabled.reta.is_empty());
        let stats = a.stats().expect("statistics");
        assert_eq!((stats.ipackets, stats.opackets), (5, 5));
        let xstats = a.xstats().expect("extended statistics");
        assert!(
            xstats.contains(&("rx_good_packets".into(), 5)),
            "{xstats:?}"
        );
        assert_eq!((a_pool.available(), b_pool.available()), (511, 511));

        // What lies in the ring when the link goes is freed, too.
        let mut frames = vec![MbufCache::new(&a_pool).alloc().expect("buffer")];
        assert_eq!(a_queues.tx[0].tx_burst(&mut frames), 1);
        assert_eq!(a_pool.available(), 510);
        assert_eq!((a.free_buffers(), b.free_buffers()), (510, 511));
    }
    assert_eq!((a_pool.available(), b_pool.available()), (511, 511));
}

#[test]
fn a_full_ring_leaves_the_rest_in_order() {
    let pool = pool(127);
    let args = ring::RingArgs {
        capacity: 7,
        ..ring::RingArgs::default()
    };
    let (mut a, mut b) = ring::pair(eal(), &args).expect("ring link");
    let (mut a, mut b) = (start(&mut a, &pool), start(&mut b, &pool));
    let mut mbufs = MbufCache::new(&pool);
    let mut frames: Vec<Mbuf> = (0..10u8)
        .map(|i| {
            let mut frame = mbufs.alloc().expect("buffer");
            frame.append(14).expect("room").fill(i);
            frame
        })
        .collect();
    assert_eq!(a.tx[0].tx_burst(&mut frames), 7);
    let left: Vec<u8> = frames.iter().map(|frame| frame[0]).collect();
    assert_eq!(left, [7, 8, 9]);
    assert_eq!(a.tx[0].tx_burst(&mut frames), 0);
    assert_eq!(frames.len(), 3);

    // A receiver with little room takes no more than fits.
    let mut received = Vec::with_capacity(4);
    assert_eq!(b.rx[0].rx_burst(&mut received), 4);
    assert_eq!(received.capacity(), 4);
    assert_eq!(b.rx[0].rx_burst(&mut received), 0);
    assert_eq!(a.tx[0].tx_burst(&mut frames), 3);
    let mut rest = Vec::with_capacity(32);
    b.rx[0].rx_burst(&mut rest);
    received.append(&mut rest);
    let order: Vec<u8> = received.iter().map(|frame| frame[0]).collect();
    assert_eq!(order, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    mbufs.free_all(&mut received);
    drop(mbufs);
    assert_eq!(pool.available(), 127);
}

#[test]
fn memif_carries_frames_both_ways_and_leaks_none() {
    let (a_pool, b_pool) = (pool(4095), pool(4095));
    {
        let (mut server, mut client) = memif::pair(eal()).expect("memif link");
        let mut server_queues = start(&mut server, &a_pool);
        let mut client_queues = start(&mut client, &b_pool);
        for port in [&server, &client] {
            let link = port.wait_for_link(Duration::from_secs(5)).expect("link");
            assert!(link.up, "{} stays down", port.name());
        }
        exchange(&mut server_queues, &a_pool, &mut client_queues, &b_pool);
    }
    assert_eq!((a_pool.available(), b_pool.available()), (4095, 4095));
}

#[test]
fn memif_over_a_socket_file() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let socket = memif::Socket::Path(folder.path().join("memif.sock"));
    let pool = pool(4095);
    let open = |role| {
        let args = memif::MemifArgs::new(role, socket.clone(), 1);
        memif::open(eal(), &args).expect("memif port")
    };
    let (mut server, mut client) = (open(memif::Role::Server), open(memif::Role::Client));
    let _queues = (start(&mut server, &pool), start(&mut client, &pool));
    let link = client.wait_for_link(Duration::from_secs(5)).expect("link");
    assert!(link.up);
}

#[test]
fn an_exhausted_pool_gives_none_and_recovers() {
    let pool = pool(63);
    let mut mbufs = MbufCache::new(&pool);
    let mut all = Vec::new();
    while let Some(mbuf) = mbufs.alloc() {
        all.push(mbuf);
    }
    assert_eq!(all.len(), 63);
    assert_eq!(pool.available(), 0);
    mbufs.free_all(&mut all);
    assert!(mbufs.alloc().is_some());
    mbufs.flush();
    assert_eq!(pool.available(), 63);
}

#[test]
fn stock_returns_foreign_buffers_to_their_pool() {
    let (mine, other) = (pool(255), pool(255));
    let (mut mbufs, mut others) = (MbufCache::new(&mine), MbufCache::new(&other));
    for _ in 0..200 {
        mbufs.free(others.alloc().expect("buffer"));
    }
    mbufs.flush();
    others.flush();
    assert_eq!((mine.available(), other.available()), (255, 255));
}

#[test]
fn buffers_grow_and_shrink_within_their_bounds() {
    let pool = pool(15);
    let mut mbufs = MbufCache::new(&pool);
    let mut mbuf = mbufs.alloc().expect("buffer");
    assert_eq!(
        (mbuf.len(), mbuf.headroom(), mbuf.tailroom()),
        (0, 128, 2048)
    );
    mbuf.append(100).expect("room").fill(1);
    mbuf.prepend(20).expect("headroom").fill(2);
    assert_eq!(
        (mbuf.len(), mbuf.frame_len(), mbuf.headroom()),
        (120, 120, 108)
    );
    assert_eq!((mbuf[19], mbuf[20]), (2, 1));
    assert!(mbuf.prepend(109).is_none());
    assert!(mbuf.append(1949).is_none());
    assert!(!mbuf.truncate(121) && !mbuf.trim_front(121));
    assert!(mbuf.trim_front(20) && mbuf.truncate(10));
    assert_eq!(&mbuf[..], [1; 10]);
    assert_eq!(mbuf.linearise(), Ok::<(), NotLinear>(()));
    assert_eq!(mbuf.segments().map(<[u8]>::len).collect::<Vec<_>>(), [10]);
    assert_eq!(mbuf.rss_hash(), None);

    // A buffer that is used again remembers nothing.
    mbuf.set_tx_offload(&TxOffload {
        tcp_checksum: true,
        ..TxOffload::default()
    });
    mbufs.free(mbuf);
    let mbuf = mbufs.alloc().expect("buffer");
    assert_eq!((mbuf.len(), mbuf.headroom()), (0, 128));
}

#[test]
fn impossible_ports_and_pools_are_refused() {
    let pool = pool(15);
    let (mut a, _b) = ring::pair(eal(), &ring::RingArgs::default()).expect("ring link");
    let two = PortConfig {
        rx_queues: 2,
        tx_queues: 2,
        ..PortConfig::default()
    };
    let pools = [pool.clone(), pool.clone()];
    assert!(matches!(
        a.start(&two, &pools),
        Err(Error::Unsupported { .. })
    ));
    let _queues = start(&mut a, &pool);
    assert!(matches!(
        a.start(&PortConfig::default(), &pools[..1]),
        Err(Error::BadArgument(_))
    ));
    let huge = MempoolArgs {
        name: "huge".into(),
        n: 1 << 20,
        ..MempoolArgs::default()
    };
    assert!(matches!(
        Mempool::new(eal(), &huge),
        Err(Error::NoMbufs { n, .. }) if n == 1 << 20
    ));
    let none = ring::RingArgs {
        queues: 0,
        ..ring::RingArgs::default()
    };
    assert!(ring::pair(eal(), &none).is_err());
}

#[test]
fn workers_carry_a_link_from_two_threads() {
    let pools = [pool(4095), pool(4095)];
    let (mut a, mut b) = ring::pair(eal(), &ring::RingArgs::default()).expect("ring link");
    let queues = [start(&mut a, &pools[0]), start(&mut b, &pools[1])];
    let stop = AtomicBool::new(false);
    let tallies: Vec<_> = std::thread::scope(|scope| {
        let workers: Vec<_> = queues
            .into_iter()
            .zip(&pools)
            .map(|(mut queues, pool)| {
                let stop = &stop;
                scope.spawn(move || {
                    let worker = register_worker_thread(eal(), None).expect("worker");
                    assert!(worker.lcore_id() < 1024);
                    let mut mbufs = MbufCache::new(pool);
                    let mut sides = [Side {
                        rx: &mut queues.rx[0],
                        tx: &mut queues.tx[0],
                        mbufs: &mut mbufs,
                    }];
                    link_bench::run(&mut sides, 64, stop)[0]
                })
            })
            .collect();
        std::thread::sleep(Duration::from_millis(200));
        stop.store(true, Ordering::Relaxed);
        workers
            .into_iter()
            .map(|worker| worker.join().expect("worker"))
            .collect()
    });
    for tally in &tallies {
        assert!(tally.received > 1000, "{tallies:?}");
        assert_eq!(tally.strange, 0, "{tallies:?}");
    }
    drop((a, b));
    assert_eq!(pools[0].available(), 4095);
    assert_eq!(pools[1].available(), 4095);
}

/// Buffers of `mbufs`, each with one octet: `octets`.
fn marked(mbufs: &mut MbufCache, octets: std::ops::Range<u8>) -> Vec<Mbuf> {
    octets
        .map(|octet| {
            let mut mbuf = mbufs.alloc().expect("buffer");
            mbuf.append(1).expect("room").fill(octet);
            mbuf
        })
        .collect()
}

#[test]
fn a_ring_of_mbufs_is_bounded_and_keeps_their_order() {
    let pool = pool(255);
    let mut mbufs = MbufCache::new(&pool);
    let (mut sender, mut receiver) =
        mbuf_ring(eal(), 63, None, vec![pool.clone()]).expect("a ring");
    let mut frames = marked(&mut mbufs, 0..70);
    assert_eq!(sender.send(&mut frames), 63);
    assert_eq!(frames.len(), 7);
    assert_eq!(frames[0][0], 63, "what was not taken is at the front");
    assert_eq!(sender.send(&mut frames), 0);

    let mut taken = Vec::with_capacity(10);
    assert_eq!(receiver.receive(&mut taken), 10);
    assert_eq!(receiver.receive(&mut taken), 0, "the vector is full");
    let octets: Vec<u8> = taken.iter().map(|mbuf| mbuf[0]).collect();
    assert_eq!(octets, (0..10).collect::<Vec<_>>());
    assert_eq!(sender.send(&mut frames), 7);

    drop((frames, taken, mbufs));
    assert_eq!(pool.size() - pool.available(), 60);
    drop((sender, receiver));
    assert_eq!(pool.available(), pool.size(), "what was left went back");
}

#[test]
fn a_ring_of_mbufs_joins_two_threads() {
    const FRAMES: usize = 100_000;
    let pool = pool(511);
    let (mut sender, mut receiver) =
        mbuf_ring(eal(), 127, None, vec![pool.clone()]).expect("a ring");
    let give = {
        let pool = pool.clone();
        std::thread::spawn(move || {
            let mut mbufs = MbufCache::new(&pool);
            let (mut waiting, mut given) = (Vec::new(), 0);
            while given < FRAMES {
                if waiting.is_empty() {
                    waiting = marked(&mut mbufs, 0..50);
                }
                match sender.send(&mut waiting) {
                    0 => std::thread::yield_now(),
                    n => given += n,
                }
            }
        })
    };
    let (mut taken, mut frames) = (0, Vec::with_capacity(32));
    while taken < FRAMES {
        if receiver.receive(&mut frames) == 0 {
            std::thread::yield_now();
        }
        for frame in frames.drain(..) {
            assert_eq!(usize::from(frame[0]), taken % 50);
            taken += 1;
        }
    }
    give.join().expect("no panic");
    assert_eq!(pool.available(), pool.size());
}

#[test]
fn a_ring_of_mbufs_has_a_size() {
    for capacity in [0, 1 << 21] {
        let error = mbuf_ring(eal(), capacity, None, Vec::new()).expect_err("no such size");
        assert!(matches!(error, Error::BadArgument(_)), "{error:?}");
    }
}
