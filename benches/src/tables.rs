//! TIME-WAIT tables of connections that are made up: a number names each.

use tcp::time::Instant;
use tcp::time_wait::{Anchor, AnchorId, ClassId, Config, Entry, Family, Pages, Side, Table};
use wire::{FourTuple, Ip, Seq};

use crate::hash;

/// A table of connections that one listener at `ip` accepted, all of them `time_wait_ms` in TIME-WAIT.
///
/// # Panics
/// If there is no memory for it, or `ip` is not of the family.
#[must_use]
pub fn table<F: Family>(
    entries: usize,
    time_wait_ms: u64,
    pages: Pages,
    ip: Ip,
) -> (Table<F>, AnchorId) {
    let config = Config {
        capacity: entries,
        durations_ms: vec![time_wait_ms],
        pages,
    };
    let mut table = Table::new(&config, Instant::ZERO).expect("memory for the table");
    let anchor = Anchor {
        side: Side::Local,
        ip,
        port: 80,
        class: ClassId(0),
        fin_wait2_class: ClassId(0),
        fin_wait2_recycled_class: ClassId(0),
        window: 65_535,
        window_shift: 0,
    };
    let anchor = table.add_anchor(anchor).expect("room for an anchor");
    (table, anchor)
}

/// Its key: the address that `ip` makes of the first 32 bits of the name, and a port of the 16 after them.
///
/// # Panics
/// If the address is not of the family.
#[inline(always)]
pub fn key<F: Family>(anchor: AnchorId, name: u64, ip: impl Fn(u32) -> Ip) -> F::Key {
    F::key(anchor, ip(name as u32), (name >> 32) as u16).expect("an address of the family")
}

/// The IPv4 address of a number.
#[inline(always)]
#[must_use]
pub fn v4(number: u32) -> Ip {
    Ip::v4(number.to_be_bytes())
}

/// What is known of a connection.
#[inline(always)]
#[must_use]
pub fn entry(name: u64) -> Entry {
    Entry {
        rcv_nxt: rcv_nxt(name),
        snd_nxt: Seq(name as u32),
        ts_recent: Some(7),
        ..Entry::default()
    }
}

/// RCV.NXT of a connection, by which a hit is verified.
#[inline(always)]
#[must_use]
pub fn rcv_nxt(name: u64) -> Seq {
    Seq((name >> 7) as u32)
}

/// The hash of a name, from its four-tuple: what a sweep asks for.
#[inline(always)]
#[must_use]
pub fn hash_of(tuple: &FourTuple) -> u64 {
    let ip = u32::from_be_bytes(tuple.remote.v4_octets());
    hash(u64::from(ip) | u64::from(tuple.remote_port) << 32)
}
