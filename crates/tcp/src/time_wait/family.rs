//! The two address families: their keys, and how three entries lie in a bucket.

use core::fmt::Debug;
use core::hash::Hash;

use bytemuck::{Pod, Zeroable};
use wire::{Ip, Seq};

use super::anchor::{ANCHOR_MASK, AnchorId, FIN_WAIT2, RECYCLED, RESET, VACANT};
use super::bound::Movement;
use super::lines::Lines;
use super::table::Entry;

/// Entries in a bucket.
pub(super) const WAYS: usize = 3;

/// An address family, as the table sees it.
pub trait Family: Copy + Debug + 'static {
    /// What names a connection: an anchor and the variable side.
    type Key: Copy + Eq + Hash + Debug;
    /// Three entries, a tick each, and flags.
    #[doc(hidden)]
    type Bucket: Bucket<Key = Self::Key>;
    /// Who counts the buckets that are looked at: `()` nobody.
    #[doc(hidden)]
    type Lines: Lines;

    /// Bytes of an entry: key and value, without its tick and its share of the flags.
    const ENTRY_BYTES: usize;

    /// The key of a connection; `None` if the address is of the other family.
    fn key(anchor: AnchorId, ip: Ip, port: u16) -> Option<Self::Key>;

    /// What a key consists of.
    fn parts(key: &Self::Key) -> (AnchorId, Ip, u16);
}

/// How a bucket is laid out.
#[doc(hidden)]
pub trait Bucket: Pod {
    type Key: Copy + Eq;
    /// Without an entry.
    const EMPTY: Self;
    /// The ways whose key is `key`, a bit each.
    fn matches(&self, key: &Self::Key) -> u32;
    fn anchors(&self) -> [u16; WAYS] {
        core::array::from_fn(|way| self.anchor(way))
    }
    /// The anchor of a way with its entry's state; [`VACANT`] if there is none.
    fn anchor(&self, way: usize) -> u16;
    fn key(&self, way: usize) -> Self::Key;
    fn entry(&self, way: usize) -> Entry;
    fn put(&mut self, way: usize, key: &Self::Key, entry: Packed);
    /// Takes out what is over by its way, anchor and tick (all bits, else none), which a vacant place
    /// never is: how many entries, and how many of them were in FIN-WAIT-2.
    fn clean(&mut self, is_over: impl Fn(usize, u16, u8) -> u32) -> Cleaned;
    /// The ways without an entry, a bit each.
    fn vacant(&self) -> u32;
    /// Takes the entry of a way out.
    fn vacate(&mut self, way: usize);
    fn set_ts_recent(&mut self, way: usize, ts: u32);
    fn ticks(&self) -> &[u8; WAYS];
    fn ticks_mut(&mut self) -> &mut [u8; WAYS];
    fn flags(&self) -> Flags;
    fn set_flags(&mut self, flags: Flags);
}

/// The flags byte of a bucket: bits 0 to 2 say whose TS.Recent is valid, bit 3 that an entry of
/// this bucket or an earlier one overflowed past it, bits 4 to 6 name its generation.
#[doc(hidden)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Flags(pub(super) u8);

impl Flags {
    const OVERFLOW: u8 = 1 << 3;
    const GENERATION_SHIFT: u8 = 4;

    #[inline]
    pub(super) fn overflow(self) -> bool {
        self.0 & Flags::OVERFLOW != 0
    }

    #[inline]
    pub(super) fn with_overflow(self, on: bool) -> Flags {
        Flags(self.0 & !Flags::OVERFLOW | u8::from(on) << 3)
    }

    #[inline]
    pub(super) fn generation(self) -> u8 {
        self.0 >> Flags::GENERATION_SHIFT & 7
    }

    #[inline]
    pub(super) fn with_generation(self, generation: u8) -> Flags {
        Flags(self.0 & 0x0f | generation << Flags::GENERATION_SHIFT)
    }

    #[inline]
    fn timestamps(self, way: usize) -> bool {
        self.0 >> way & 1 != 0
    }

    #[inline]
    fn with_timestamps(self, way: usize, on: bool) -> Flags {
        Flags(self.0 & !(1 << way) | u8::from(on) << way)
    }
}

/// An entry as it is stored, in two registers.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct Packed {
    /// RCV.NXT in the low half, SND.NXT in the high half.
    numbers: u64,
    /// TS.Recent or the movement in the low half, then the state, and whether it is TS.Recent.
    rest: u64,
}

impl Packed {
    const STATE_SHIFT: u32 = 32;
    const TIMESTAMPS: u64 = 1 << 48;

    #[inline(always)]
    pub(super) fn new(entry: &Entry) -> Packed {
        let bit = |on: bool, bit: u16| if on { bit } else { 0 };
        let state = bit(entry.fin_wait2, FIN_WAIT2)
            | bit(entry.recycled, RECYCLED)
            | bit(entry.reset, RESET);
        let last = match entry.ts_recent {
            Some(ts_recent) => u64::from(ts_recent) | Packed::TIMESTAMPS,
            None => entry.movement.bits().into(),
        };
        Packed {
            numbers: u64::from(entry.rcv_nxt.0) | u64::from(entry.snd_nxt.0) << 32,
            rest: last | u64::from(state) << Packed::STATE_SHIFT,
        }
    }

    /// What is in the anchor's half word beside its number.
    #[inline(always)]
    pub(super) fn state(self) -> u16 {
        (self.rest >> Packed::STATE_SHIFT) as u16
    }

    #[inline(always)]
    fn has_timestamps(self) -> bool {
        self.rest & Packed::TIMESTAMPS != 0
    }

    #[inline(always)]
    fn value(self) -> Value {
        Value {
            rcv_nxt: self.numbers as u32,
            snd_nxt: (self.numbers >> 32) as u32,
            ts_recent: self.rest as u32,
        }
    }
}

/// How many entries were taken out; those in FIN-WAIT-2 count in the upper half as well.
#[doc(hidden)]
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Cleaned(u64);

impl Cleaned {
    pub(super) fn expired(self) -> usize {
        (self.0 & u64::from(u32::MAX)) as usize
    }

    pub(super) fn fin_wait2(self) -> u64 {
        self.0 >> 32
    }
}

impl core::ops::AddAssign for Cleaned {
    #[inline(always)]
    fn add_assign(&mut self, other: Cleaned) {
        // There are fewer than 2^32 entries in a table.
        self.0 += other.0;
    }
}

/// Takes an entry out if it is over: `over` has all bits, or none. Without a branch: that is not
/// predictable.
#[inline(always)]
fn take_out(anchor_port: &mut u32, over: u32) -> Cleaned {
    let fin_wait2 = u64::from(*anchor_port & u32::from(FIN_WAIT2)) << (32 - 15);
    *anchor_port |= over & u32::from(VACANT);
    Cleaned((fin_wait2 | 1) & (over as i32 as u64))
}

#[inline(always)]
fn is_vacant(anchor_port: u32) -> u32 {
    u32::from(anchor_port as u16 == VACANT)
}

/// RCV.NXT, SND.NXT and TS.Recent as they are stored, and without timestamps the movement of
/// both spaces in the place of TS.Recent.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct Value {
    rcv_nxt: u32,
    snd_nxt: u32,
    ts_recent: u32,
}

impl Value {
    const ZERO: Value = Value {
        rcv_nxt: 0,
        snd_nxt: 0,
        ts_recent: 0,
    };

    #[inline]
    fn entry(self, timestamps: bool, anchor: u16) -> Entry {
        let movement = if timestamps { 0 } else { self.ts_recent };
        Entry {
            rcv_nxt: Seq(self.rcv_nxt),
            snd_nxt: Seq(self.snd_nxt),
            ts_recent: timestamps.then_some(self.ts_recent),
            movement: Movement::from_bits(movement),
            recycled: anchor & RECYCLED != 0,
            fin_wait2: anchor & FIN_WAIT2 != 0,
            reset: anchor & RESET != 0,
        }
    }
}

/// IPv4: 20-byte entries, three in a cache line of 64 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct V4;

/// A connection's name, 8 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Pod, Zeroable)]
#[repr(C)]
pub struct KeyV4 {
    /// The variable address, in network order.
    ip: [u8; 4],
    /// The anchor in the low half, the variable port in the high half.
    anchor_port: u32,
}

impl KeyV4 {
    #[inline]
    fn bits(&self) -> u64 {
        u64::from(u32::from_ne_bytes(self.ip)) | u64::from(self.anchor_port) << 32
    }

    /// Without the state that an entry keeps beside its key.
    const MASK: u64 = u64::MAX >> 32 | (STATELESS as u64) << 32;
}

/// An anchor with its port, without the entry's state.
const STATELESS: u32 = 0xffff_0000 | ANCHOR_MASK as u32;

impl Family for V4 {
    type Key = KeyV4;
    type Bucket = BucketV4;
    type Lines = ();
    const ENTRY_BYTES: usize = size_of::<EntryV4>();

    #[inline]
    fn key(anchor: AnchorId, ip: Ip, port: u16) -> Option<KeyV4> {
        Some(KeyV4 {
            ip: ip.as_v4()?,
            anchor_port: u32::from(anchor.0) | u32::from(port) << 16,
        })
    }

    #[inline]
    fn parts(key: &KeyV4) -> (AnchorId, Ip, u16) {
        let anchor = AnchorId(key.anchor_port as u16);
        (anchor, Ip::v4(key.ip), (key.anchor_port >> 16) as u16)
    }
}

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct EntryV4 {
    key: KeyV4,
    value: Value,
}

/// Three IPv4 entries in one cache line.
#[doc(hidden)]
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C, align(64))]
pub struct BucketV4 {
    entries: [EntryV4; WAYS],
    ticks: [u8; WAYS],
    flags: u8,
}

const _: () = assert!(size_of::<EntryV4>() == 20 && size_of::<BucketV4>() == 64);

impl Bucket for BucketV4 {
    type Key = KeyV4;

    const EMPTY: BucketV4 = BucketV4 {
        entries: [EntryV4 {
            key: KeyV4 {
                ip: [0; 4],
                anchor_port: VACANT as u32,
            },
            value: Value::ZERO,
        }; WAYS],
        ticks: [0; WAYS],
        flags: 0,
    };

    #[inline]
    fn matches(&self, key: &KeyV4) -> u32 {
        let same = |way: usize| (self.entries[way].key.bits() ^ key.bits()) & KeyV4::MASK == 0;
        let bit = |way: usize| u32::from(same(way)) << way;
        bit(0) | bit(1) | bit(2)
    }

    #[inline]
    fn anchor(&self, way: usize) -> u16 {
        self.entries[way].key.anchor_port as u16
    }

    #[inline]
    fn key(&self, way: usize) -> KeyV4 {
        let key = self.entries[way].key;
        KeyV4 {
            anchor_port: key.anchor_port & STATELESS,
            ..key
        }
    }

    #[inline]
    fn entry(&self, way: usize) -> Entry {
        let EntryV4 { key, value } = self.entries[way];
        value.entry(self.flags().timestamps(way), key.anchor_port as u16)
    }

    #[inline]
    fn put(&mut self, way: usize, key: &KeyV4, entry: Packed) {
        self.entries[way] = EntryV4 {
            key: KeyV4 {
                anchor_port: key.anchor_port | u32::from(entry.state()),
                ..*key
            },
            value: entry.value(),
        };
        let on = entry.has_timestamps();
        self.flags = self.flags().with_timestamps(way, on).0;
    }

    #[inline]
    fn vacate(&mut self, way: usize) {
        self.entries[way].key.anchor_port |= u32::from(VACANT);
    }

    #[inline(always)]
    fn clean(&mut self, is_over: impl Fn(usize, u16, u8) -> u32) -> Cleaned {
        let mut count = Cleaned::default();
        for way in 0..WAYS {
            let anchor_port = &mut self.entries[way].key.anchor_port;
            let over = is_over(way, *anchor_port as u16, self.ticks[way]);
            count += take_out(anchor_port, over);
        }
        count
    }

    #[inline(always)]
    fn vacant(&self) -> u32 {
        let bit = |way: usize| is_vacant(self.entries[way].key.anchor_port) << way;
        bit(0) | bit(1) | bit(2)
    }

    #[inline]
    fn set_ts_recent(&mut self, way: usize, ts: u32) {
        self.entries[way].value.ts_recent = ts;
        self.flags = self.flags().with_timestamps(way, true).0;
    }

    #[inline]
    fn ticks(&self) -> &[u8; WAYS] {
        &self.ticks
    }

    #[inline]
    fn ticks_mut(&mut self) -> &mut [u8; WAYS] {
        &mut self.ticks
    }

    #[inline]
    fn flags(&self) -> Flags {
        Flags(self.flags)
    }

    #[inline]
    fn set_flags(&mut self, flags: Flags) {
        self.flags = flags.0;
    }
}

/// IPv6: 32-byte entries, three in a pair of cache lines: keys, ticks and flags in the first,
/// values in the second, so that a failed look-up and the sweep touch one line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct V6;

/// A connection's name, 20 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Pod, Zeroable)]
#[repr(C)]
pub struct KeyV6 {
    /// The variable address, in network order.
    ip: [u8; 16],
    /// The anchor in the low half, the variable port in the high half.
    anchor_port: u32,
}

impl Family for V6 {
    type Key = KeyV6;
    type Bucket = BucketV6;
    type Lines = ();
    const ENTRY_BYTES: usize = size_of::<KeyV6>() + size_of::<Value>();

    #[inline]
    fn key(anchor: AnchorId, ip: Ip, port: u16) -> Option<KeyV6> {
        (!ip.is_v4()).then(|| KeyV6 {
            ip: ip.octets(),
            anchor_port: u32::from(anchor.0) | u32::from(port) << 16,
        })
    }

    #[inline]
    fn parts(key: &KeyV6) -> (AnchorId, Ip, u16) {
        let anchor = AnchorId(key.anchor_port as u16);
        (anchor, Ip::v6(key.ip), (key.anchor_port >> 16) as u16)
    }
}

/// Three IPv6 entries in a pair of cache lines.
#[doc(hidden)]
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C, align(128))]
pub struct BucketV6 {
    keys: [KeyV6; WAYS],
    ticks: [u8; WAYS],
    flags: u8,
    values: [Value; WAYS],
    unused: [u32; 7],
}

const _: () = assert!(
    size_of::<KeyV6>() + size_of::<Value>() == 32
        && size_of::<BucketV6>() == 128
        && core::mem::offset_of!(BucketV6, values) == 64
);

impl Bucket for BucketV6 {
    type Key = KeyV6;

    const EMPTY: BucketV6 = BucketV6 {
        keys: [KeyV6 {
            ip: [0; 16],
            anchor_port: VACANT as u32,
        }; WAYS],
        ticks: [0; WAYS],
        flags: 0,
        values: [Value::ZERO; WAYS],
        unused: [0; 7],
    };

    #[inline]
    fn matches(&self, key: &KeyV6) -> u32 {
        let bit = |way: usize| {
            let k = &self.keys[way];
            let same_ip = u128::from_ne_bytes(k.ip) == u128::from_ne_bytes(key.ip);
            let same_port = (k.anchor_port ^ key.anchor_port) & STATELESS == 0;
            u32::from(same_ip & same_port) << way
        };
        bit(0) | bit(1) | bit(2)
    }

    #[inline]
    fn anchor(&self, way: usize) -> u16 {
        self.keys[way].anchor_port as u16
    }

    #[inline]
    fn key(&self, way: usize) -> KeyV6 {
        let key = self.keys[way];
        KeyV6 {
            anchor_port: key.anchor_port & STATELESS,
            ..key
        }
    }

    #[inline]
    fn entry(&self, way: usize) -> Entry {
        let anchor = self.keys[way].anchor_port as u16;
        self.values[way].entry(self.flags().timestamps(way), anchor)
    }

    #[inline]
    fn put(&mut self, way: usize, key: &KeyV6, entry: Packed) {
        self.keys[way] = KeyV6 {
            anchor_port: key.anchor_port | u32::from(entry.state()),
            ..*key
        };
        self.values[way] = entry.value();
        let on = entry.has_timestamps();
        self.flags = self.flags().with_timestamps(way, on).0;
    }

    #[inline]
    fn vacate(&mut self, way: usize) {
        self.keys[way].anchor_port |= u32::from(VACANT);
    }

    #[inline(always)]
    fn clean(&mut self, is_over: impl Fn(usize, u16, u8) -> u32) -> Cleaned {
        let mut count = Cleaned::default();
        for way in 0..WAYS {
            let anchor_port = &mut self.keys[way].anchor_port;
            let over = is_over(way, *anchor_port as u16, self.ticks[way]);
            count += take_out(anchor_port, over);
        }
        count
    }

    #[inline(always)]
    fn vacant(&self) -> u32 {
        let bit = |way: usize| is_vacant(self.keys[way].anchor_port) << way;
        bit(0) | bit(1) | bit(2)
    }

    #[inline]
    fn set_ts_recent(&mut self, way: usize, ts: u32) {
        self.values[way].ts_recent = ts;
        self.flags = self.flags().with_timestamps(way, true).0;
    }

    #[inline]
    fn ticks(&self) -> &[u8; WAYS] {
        &self.ticks
    }

    #[inline]
    fn ticks_mut(&mut self) -> &mut [u8; WAYS] {
        &mut self.ticks
    }

    #[inline]
    fn flags(&self) -> Flags {
        Flags(self.flags)
    }

    #[inline]
    fn set_flags(&mut self, flags: Flags) {
        self.flags = flags.0;
    }
}
