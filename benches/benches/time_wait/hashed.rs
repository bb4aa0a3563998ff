//! hashbrown's tables: as an index of a slab, and as a plain map.

use std::collections::VecDeque;
use std::hash::{BuildHasherDefault, Hasher};
use std::hint::black_box;

use hashbrown::{HashMap, HashTable};
use tidewheel_benches::hash;
use tidewheel_benches::tables::rcv_nxt;
use wire::Seq;

use crate::contender::Contender;

/// What hashbrown's contenders keep: as little as ours, and a number to tell uses of a slot apart.
#[derive(Clone, Copy, Default)]
#[expect(dead_code, reason = "the answer to a FIN would read SND.NXT")]
struct Record {
    name: u64,
    rcv_nxt: Seq,
    snd_nxt: Seq,
    ts_recent: u32,
    generation: u32,
}

/// A slab of records, a `HashTable` of indices with four times the slots (with fewer it rehashes
/// under churn), a FIFO to expire.
pub(crate) struct Indexed {
    index: HashTable<u32>,
    slab: Vec<Record>,
    free: Vec<u32>,
    fifo: VecDeque<(u32, u32)>,
    most: usize,
}

impl Indexed {
    pub(crate) fn new(n: usize) -> Indexed {
        let slots = n + n / 7;
        Indexed {
            index: HashTable::with_capacity(n * 7 / 2),
            slab: vec![Record::default(); slots],
            free: (0..slots as u32).rev().collect(),
            fifo: VecDeque::with_capacity(2 * n),
            most: 2 * n - 1,
        }
    }
}

impl Contender for Indexed {
    fn name(&self) -> &'static str {
        "hashbrown index and slab"
    }

    fn prepare(&mut self, burst: &[(u64, u64)]) {
        for &(name, hash) in burst {
            let slab = &self.slab;
            black_box(self.index.find(hash, |&i| slab[i as usize].name == name));
        }
    }

    fn insert(&mut self, name: u64, h: u64) {
        let i = self.free.pop().expect("a free slot");
        let record = &mut self.slab[i as usize];
        *record = Record {
            name,
            rcv_nxt: rcv_nxt(name),
            snd_nxt: Seq(name as u32),
            ts_recent: 7,
            generation: record.generation + 1,
        };
        self.fifo.push_back((i, record.generation));
        let slab = &self.slab;
        self.index
            .insert_unique(h, i, |&i| hash(slab[i as usize].name));
        // What was removed leaves its mark in the FIFO until its time.
        if self.fifo.len() > self.most {
            self.fifo.pop_front();
        }
    }

    fn hit(&mut self, name: u64, hash: u64, ts: Option<u32>) -> Option<Seq> {
        let slab = &self.slab;
        let &i = self.index.find(hash, |&i| slab[i as usize].name == name)?;
        let record = &mut self.slab[i as usize];
        if let Some(ts) = ts {
            record.ts_recent = ts;
        }
        Some(record.rcv_nxt)
    }

    fn remove(&mut self, name: u64, hash: u64) -> Option<Seq> {
        let slab = &self.slab;
        let found = self
            .index
            .find_entry(hash, |&i| slab[i as usize].name == name);
        let (i, _) = found.ok()?.remove();
        let record = &mut self.slab[i as usize];
        record.generation += 1;
        self.free.push(i);
        Some(record.rcv_nxt)
    }

    fn expire(&mut self, connections: usize) {
        for _ in 0..connections {
            let Some((i, generation)) = self.fifo.pop_front() else {
                return;
            };
            let record = self.slab[i as usize];
            if record.generation == generation {
                self.remove(record.name, hash(record.name));
            }
        }
    }

    fn bytes(&self) -> usize {
        self.index.allocation_size()
            + size_of_val(&self.slab[..])
            + self.free.capacity() * 4
            + self.fifo.capacity() * 8
    }
}

/// The hash function as `HashMap` wants it.
#[derive(Default)]
struct Hash(u64);

impl Hasher for Hash {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, _bytes: &[u8]) {
        unreachable!("names are written as u64");
    }
    fn write_u64(&mut self, name: u64) {
        self.0 = hash(name);
    }
}

/// A map from names to records, and a FIFO to expire: as one would write it first.
pub(crate) struct Plain {
    map: HashMap<u64, Record, BuildHasherDefault<Hash>>,
    fifo: VecDeque<u64>,
    most: usize,
}

impl Plain {
    pub(crate) fn new(n: usize) -> Plain {
        Plain {
            map: HashMap::with_capacity_and_hasher(n, BuildHasherDefault::default()),
            fifo: VecDeque::with_capacity(2 * n),
            most: 2 * n - 1,
        }
    }
}

impl Contender for Plain {
    fn name(&self) -> &'static str {
        "hashbrown map"
    }

    fn prepare(&mut self, _burst: &[(u64, u64)]) {}

    fn insert(&mut self, name: u64, _hash: u64) {
        let record = Record {
            name,
            rcv_nxt: rcv_nxt(name),
            snd_nxt: Seq(name as u32),
            ts_recent: 7,
            generation: 0,
        };
        self.map.insert(name, record);
        self.fifo.push_back(name);
        if self.fifo.len() > self.most {
            self.fifo.pop_front();
        }
    }

    fn hit(&mut self, name: u64, _hash: u64, ts: Option<u32>) -> Option<Seq> {
        let record = self.map.get_mut(&name)?;
        if let Some(ts) = ts {
            record.ts_recent = ts;
        }
        Some(record.rcv_nxt)
    }

    fn remove(&mut self, name: u64, _hash: u64) -> Option<Seq> {
        self.map.remove(&name).map(|record| record.rcv_nxt)
    }

    fn expire(&mut self, connections: usize) {
        for _ in 0..connections {
            if let Some(name) = self.fifo.pop_front() {
                self.map.remove(&name);
            }
        }
    }

    fn bytes(&self) -> usize {
        self.map.allocation_size() + self.fifo.capacity() * 8
    }
}
