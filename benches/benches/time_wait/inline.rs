//! The exact inline design, and nothing else: 20-byte entries, three to a cache line of 64 bytes, an
//! eight-bit tick each, an overflow flag, a sweep four times within a TIME-WAIT that makes the flags exact.
//!
//! No anchors, classes, generations, capacity, probe limit, counters or state beside the entry; a look-up does
//! not ask whether an entry is over. It is what our table is measured against.

use core::cell::RefCell;

use bytemuck::{Pod, Zeroable};
use memmap2::{Advice, MmapMut};
use tcp::prefetch::prefetch_slice_elem;
use tidewheel_benches::hash;
use tidewheel_benches::tables::rcv_nxt;
use wire::Seq;

use crate::contender::Contender;

const WAYS: usize = 3;
const HUGE_PAGE: usize = 2 << 20;
/// Lines after the last home.
const BEYOND: usize = 64;
/// Ticks in a TIME-WAIT.
const TICKS: u64 = 180;

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct Entry {
    /// 0: vacant.
    key: [u32; 2],
    rcv_nxt: u32,
    snd_nxt: u32,
    ts_recent: u32,
}

impl Entry {
    fn bits(&self) -> u64 {
        u64::from(self.key[0]) | u64::from(self.key[1]) << 32
    }
}

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C, align(64))]
struct Line {
    entries: [Entry; WAYS],
    /// When they expire.
    ticks: [u8; WAYS],
    overflow: u8,
}

const _: () = assert!(size_of::<Entry>() == 20 && size_of::<Line>() == 64);

/// Its lines stay for the rest of the program, so that they need no cast at each look; the next table of the
/// same size has them again.
pub(crate) struct Inline {
    lines: &'static mut [Line],
    homes: usize,
    cursor: usize,
    now: u8,
    /// Connections since the start.
    elapsed: u64,
    n: u64,
}

thread_local! {
    /// Lines of tables that are gone.
    static SPARE: RefCell<Vec<&'static mut [Line]>> = const { RefCell::new(Vec::new()) };
}

/// So many lines, on huge pages if the machine gives them.
fn lines(count: usize) -> &'static mut [Line] {
    let mut spare = SPARE.take();
    let same = spare.iter().position(|lines| lines.len() == count);
    let lines = same.map(|place| spare.swap_remove(place));
    SPARE.set(spare);
    lines.unwrap_or_else(|| {
        let bytes = count * size_of::<Line>();
        let map = MmapMut::map_anon(bytes + HUGE_PAGE).expect("memory for the table");
        map.advise(Advice::HugePage).expect("huge pages");
        let map: &'static mut MmapMut = Box::leak(Box::new(map));
        let start = map.as_ptr().addr().next_multiple_of(HUGE_PAGE) - map.as_ptr().addr();
        bytemuck::cast_slice_mut(&mut map[start..start + bytes])
    })
}

impl Drop for Inline {
    fn drop(&mut self) {
        let lines = core::mem::take(&mut self.lines);
        SPARE.with_borrow_mut(|spare| spare.push(lines));
    }
}

impl Inline {
    pub(crate) fn new(n: usize) -> Inline {
        let homes = (2 * n).div_ceil(WAYS);
        let lines = lines(homes + BEYOND);
        lines.fill(Line::zeroed());
        Inline {
            lines,
            homes,
            cursor: 0,
            now: 0,
            elapsed: 0,
            n: n as u64,
        }
    }

    #[inline(always)]
    fn home(&self, hash: u64) -> usize {
        ((u128::from(hash) * self.homes as u128) >> 64) as usize
    }

    /// As our key has it: the port beside a number of the fixed side.
    #[inline(always)]
    fn key(name: u64) -> [u32; 2] {
        [name as u32, ((name >> 32) as u32) << 16 | 1]
    }

    #[inline(always)]
    fn find(&self, name: u64, hash: u64) -> Option<(usize, usize)> {
        let [low, high] = Inline::key(name);
        let key = u64::from(low) | u64::from(high) << 32;
        let mut index = self.home(hash);
        loop {
            let line = &self.lines[index];
            let bit = |way: usize| u32::from(line.entries[way].bits() == key) << way;
            let found = bit(0) | bit(1) | bit(2);
            if found != 0 {
                return Some((index, found.trailing_zeros() as usize));
            }
            if line.overflow == 0 {
                return None;
            }
            index += 1;
        }
    }

    /// Whether an entry lies beyond line `index` because its home was full.
    fn is_passed(&self, index: usize) -> bool {
        for line in &self.lines[index + 1..] {
            for entry in line.entries.iter().filter(|entry| entry.bits() != 0) {
                let name = u64::from(entry.key[0]) | u64::from(entry.key[1] >> 16) << 32;
                if self.home(hash(name)) <= index {
                    return true;
                }
            }
            if line.overflow == 0 {
                return false;
            }
        }
        false
    }

    fn sweep(&mut self, lines: usize) {
        for _ in 0..lines {
            let index = self.cursor;
            let line = &mut self.lines[index];
            for way in 0..WAYS {
                let over = self.now.wrapping_sub(line.ticks[way]) < 70;
                let kept = if over { 0 } else { u32::MAX };
                line.entries[way].key = line.entries[way].key.map(|part| part & kept);
            }
            if line.overflow != 0 {
                let needed = self.is_passed(index);
                self.lines[index].overflow = needed.into();
            }
            self.cursor += 1;
            if self.cursor == self.lines.len() {
                self.cursor = 0;
            }
        }
    }
}

impl Contender for Inline {
    fn name(&self) -> &'static str {
        "exact inline design"
    }

    fn prepare(&mut self, burst: &[(u64, u64)]) {
        for &(_, hash) in burst {
            prefetch_slice_elem(self.lines, self.home(hash));
        }
        for &(_, hash) in burst {
            let home = self.home(hash);
            if self.lines[home].overflow != 0 {
                prefetch_slice_elem(self.lines, home + 1);
            }
        }
    }

    #[inline(always)]
    fn insert(&mut self, name: u64, hash: u64) {
        let mut index = self.home(hash);
        loop {
            let line = &mut self.lines[index];
            if let Some(way) = line.entries.iter().position(|entry| entry.bits() == 0) {
                line.entries[way] = Entry {
                    key: Inline::key(name),
                    rcv_nxt: rcv_nxt(name).0,
                    snd_nxt: name as u32,
                    ts_recent: 7,
                };
                line.ticks[way] = self.now.wrapping_add(TICKS as u8 + 1);
                return;
            }
            line.overflow = 1;
            index += 1;
        }
    }

    #[inline(always)]
    fn hit(&mut self, name: u64, hash: u64, ts: Option<u32>) -> Option<Seq> {
        let (index, way) = self.find(name, hash)?;
        let entry = &mut self.lines[index].entries[way];
        if let Some(ts) = ts {
            entry.ts_recent = ts;
        }
        Some(Seq(entry.rcv_nxt))
    }

    #[inline(always)]
    fn remove(&mut self, name: u64, hash: u64) -> Option<Seq> {
        let (index, way) = self.find(name, hash)?;
        let entry = &mut self.lines[index].entries[way];
        entry.key = [0; 2];
        Some(Seq(entry.rcv_nxt))
    }

    fn wait(&mut self, connections: usize) {
        self.expire(connections);
    }

    /// Four passes while `n` connections come.
    fn expire(&mut self, connections: usize) {
        let lines = 4 * self.lines.len() as u64;
        let done = self.elapsed * lines / self.n;
        self.elapsed += connections as u64;
        self.now = (self.elapsed * TICKS / self.n) as u8;
        self.sweep((self.elapsed * lines / self.n - done) as usize);
    }

    fn bytes(&self) -> usize {
        size_of_val(self.lines)
    }
}
