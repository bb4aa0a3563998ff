use std::collections::HashMap;

use proptest::prelude::*;
use wire::{FourTuple, Ip, Seq};

use crate::time::Instant;
use crate::time_wait::{
    Anchor, AnchorError, AnchorId, Anchors, ClassId, Config, Entry, Family, Pages, Side, Table, V4,
};

const LENGTH_MS: u64 = 1_600;
/// The whole table, so that one sweep a quarter of the length apart is a pass.
const EVERYTHING: usize = 1 << 20;

fn hash(tuple: &FourTuple) -> u64 {
    let ports = u64::from(tuple.local_port) << 32 | u64::from(tuple.remote_port);
    (ports + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

fn table() -> Table<V4> {
    let config = Config {
        capacity: 64,
        durations_ms: vec![LENGTH_MS],
        pages: Pages::Base,
    };
    Table::new(&config, Instant::ZERO).unwrap()
}

fn anchor(port: u16, window: u32) -> Anchor {
    Anchor {
        side: Side::Local,
        ip: Ip::v4([10, 0, 0, 1]),
        port,
        class: ClassId(0),
        fin_wait2_class: ClassId(0),
        fin_wait2_recycled_class: ClassId(0),
        window,
        window_shift: 0,
    }
}

fn tuple(port: u16, n: u16) -> FourTuple {
    FourTuple {
        local: Ip::v4([10, 0, 0, 1]),
        remote: Ip::v4([10, 0, 0, 2]),
        local_port: port,
        remote_port: n,
    }
}

fn put(table: &mut Table<V4>, id: AnchorId, tuple: &FourTuple, entry: &Entry, now: Instant) {
    let key = V4::key(id, tuple.remote, tuple.remote_port).unwrap();
    table.insert(hash(tuple), &key, entry, now);
}

/// The entry of a tuple under whichever anchor, and the anchor.
fn seek(table: &mut Table<V4>, tuple: &FourTuple, now: Instant) -> Option<(AnchorId, Entry)> {
    let candidates: Vec<_> = table.anchors().candidates(tuple).collect();
    candidates.into_iter().find_map(|(id, ip, port)| {
        let key = V4::key(id, ip, port)?;
        let slot = table.find(hash(tuple), &key, now)?;
        assert_eq!(table.tuple(&table.key_at(slot)), Some(*tuple));
        Some((id, table.entry(slot)))
    })
}

fn at(ms: u64) -> Instant {
    Instant::from_millis(ms)
}

#[test]
fn an_anchor_outlasts_its_entries_and_no_more_than_that() {
    let mut t = table();
    let id = t.add_anchor(anchor(80, 1)).unwrap();
    put(&mut t, id, &tuple(80, 1), &Entry::default(), at(0));
    t.retire_anchor(id);
    for ms in (0..LENGTH_MS).step_by(100) {
        t.sweep(at(ms), EVERYTHING, hash);
        assert_eq!(t.anchors().len(), 1, "at {ms} ms");
        assert!(seek(&mut t, &tuple(80, 1), at(ms)).is_some());
    }
    // One pass takes the entry out, the next sees that there is none.
    for ms in (LENGTH_MS..2 * LENGTH_MS).step_by(100) {
        t.sweep(at(ms), EVERYTHING, hash);
    }
    assert_eq!((t.anchors().len(), t.live()), (0, 0));
    assert_eq!(
        t.anchors()
            .of(Side::Local, Ip::v4([10, 0, 0, 1]), 80)
            .next(),
        None
    );
    assert!(!t.revive_anchor(id));
    let again = t.add_anchor(anchor(443, 2)).unwrap();
    assert_eq!((again, t.anchors().len()), (id, 1));
}

#[test]
fn an_anchor_that_is_wanted_again_stays() {
    let mut t = table();
    let id = t.add_anchor(anchor(80, 1)).unwrap();
    t.retire_anchor(id);
    for step in 0..40 {
        if step % 2 == 0 {
            assert!(t.revive_anchor(id), "step {step}");
            t.retire_anchor(id);
        }
        t.sweep(at(step * LENGTH_MS / 4), EVERYTHING, hash);
        assert_eq!(t.anchors().len(), 1, "step {step}");
    }
    assert!(t.revive_anchor(id));
    for step in 40..80 {
        t.sweep(at(step * LENGTH_MS / 4), EVERYTHING, hash);
    }
    assert_eq!(t.anchors().len(), 1);
}

#[test]
fn there_is_room_for_as_many_sockets_as_have_users_or_entries() {
    let mut t = table();
    let ports = 1..=Anchors::MAX as u16;
    let ids: Vec<_> = ports
        .map(|port| t.add_anchor(anchor(port, 1)).unwrap())
        .collect();
    let full = Err(AnchorError::Full);
    assert_eq!(t.add_anchor(anchor(20_000, 1)), full);
    put(&mut t, ids[7], &tuple(8, 1), &Entry::default(), at(0));
    t.retire_anchor(ids[7]);
    t.retire_anchor(ids[9]);
    assert_eq!(t.add_anchor(anchor(20_000, 1)), full, "not proven yet");
    for step in 0..=3 {
        t.sweep(at(step * LENGTH_MS / 4), EVERYTHING, hash);
    }
    assert_eq!(t.add_anchor(anchor(20_000, 1)), Ok(ids[9]));
    assert_eq!(t.add_anchor(anchor(20_001, 1)), full);
    for step in 4..=12 {
        t.sweep(at(step * LENGTH_MS / 4), EVERYTHING, hash);
    }
    assert_eq!(t.add_anchor(anchor(20_001, 1)), Ok(ids[7]));
    // An empty table needs no sweep to be known for empty.
    for id in &ids[100..200] {
        t.retire_anchor(*id);
    }
    for port in 20_002..20_102 {
        t.add_anchor(anchor(port, 1)).unwrap();
    }
    assert_eq!(t.add_anchor(anchor(20_102, 1)), full);
}

#[derive(Clone, Debug)]
enum Step {
    /// A socket is used with a window of so much.
    Use(u16, u32),
    /// What the socket is used with is given up.
    Retire(u16),
    /// A connection of the socket enters TIME-WAIT.
    Enter(u16, u16),
    /// Time goes on, and the sweep does so many buckets.
    Sweep(u64, usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => (0..4u16, 0..3u32).prop_map(|(port, window)| Step::Use(port, window)),
        2 => (0..4u16).prop_map(Step::Retire),
        4 => (0..4u16, 0..6u16).prop_map(|(port, n)| Step::Enter(port, n)),
        4 => (0..900u64, 1..80usize).prop_map(|(ms, budget)| Step::Sweep(ms, budget)),
    ]
}

proptest! {
    #[test]
    fn no_anchor_is_given_back_that_an_entry_needs(
        steps in prop::collection::vec(step(), 1..400),
    ) {
        let mut t = table();
        let mut now = 0;
        let mut used: HashMap<u16, AnchorId> = HashMap::new();
        let mut entries: HashMap<FourTuple, (AnchorId, u64, u32)> = HashMap::new();
        for (n, step) in (0u32..).zip(steps) {
            match step {
                Step::Use(port, window) => {
                    let before = used.remove(&port);
                    let wanted = anchor(port, window);
                    let known: Vec<_> = t.anchors().of(Side::Local, wanted.ip, port).collect();
                    let same = known.into_iter().find(|id| t.anchors().get(*id) == Some(&wanted));
                    let id = match same.filter(|id| t.revive_anchor(*id)) {
                        Some(id) => id,
                        None => t.add_anchor(wanted).unwrap(),
                    };
                    if let Some(before) = before.filter(|b| *b != id) {
                        t.retire_anchor(before);
                    }
                    used.insert(port, id);
                }
                Step::Retire(port) => {
                    used.remove(&port).into_iter().for_each(|id| t.retire_anchor(id));
                }
                Step::Enter(port, n_remote) => {
                    let tuple = tuple(port, n_remote);
                    let Some(&id) = used.get(&port) else { continue };
                    // A host lets nothing onto a tuple whose entry is there.
                    if seek(&mut t, &tuple, at(now)).is_none() {
                        let entry = Entry { rcv_nxt: Seq(n), ..Entry::default() };
                        put(&mut t, id, &tuple, &entry, at(now));
                        entries.insert(tuple, (id, now + LENGTH_MS, n));
                    }
                }
                Step::Sweep(ms, budget) => {
                    now += ms;
                    t.sweep(at(now), budget, hash);
                }
            }
            for (tuple, (id, until, rcv_nxt)) in &entries {
                if now < *until {
                    let (under, found) = seek(&mut t, tuple, at(now)).unwrap();
                    prop_assert_eq!((under, found.rcv_nxt), (*id, Seq(*rcv_nxt)));
                }
            }
            // At the most what is used, what has entries, and what is about to be given back.
            let known: usize = (0..4)
                .map(|port| t.anchors().of(Side::Local, Ip::v4([10, 0, 0, 1]), port).count())
                .sum();
            prop_assert_eq!(known, t.anchors().len());
        }
        for step in 1..20 {
            t.sweep(at(now + step * LENGTH_MS / 2), EVERYTHING, hash);
        }
        prop_assert_eq!(t.anchors().len(), used.len());
    }
}
