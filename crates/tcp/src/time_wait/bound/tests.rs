use std::collections::VecDeque;

use proptest::prelude::*;

use super::*;

const fn positions(peer: u32, own: u32) -> Positions {
    Positions {
        peer: Seq(peer),
        own: Seq(own),
    }
}

#[test]
fn epochs_hold_an_msl_and_an_entry_does_not_outlive_their_names() {
    assert_eq!(Epochs::new(30_000, 60_000).ns, 30_000_000_000);
    assert_eq!(Epochs::new(1, 60_000).ns, 7_500_000_000);
    assert_eq!(Epochs::new(0, 0).ns, 1_000_000);
    let epochs = Epochs::new(10, 20);
    assert_eq!(epochs.at(Instant::from_millis(29)), 2);
    assert_eq!(epochs.start(3), Instant::from_millis(30));
}

#[test]
fn a_small_step_is_free_and_a_half_is_too_much() {
    let m = Movement::first(7, positions(1000, 2000));
    let at = positions(1100, 2100);
    assert!(m.recycle(7, at, positions(1100, 2100)).is_ok());
    // From the floor of IRS, 0, on.
    let most = LIMIT - 1;
    assert!(m.recycle(7, at, positions(most, 2100)).is_ok());
    assert_eq!(
        m.recycle(7, at, positions(most + 1, 2100)),
        Err(Exceeded {
            space: Space::Peer,
            epoch: 9
        })
    );
    assert_eq!(
        m.recycle(7, at, positions(1100, most + 1)),
        Err(Exceeded {
            space: Space::Own,
            epoch: 9
        })
    );
    // Two epochs later it has stood still for an MSL.
    assert!(m.recycle(8, at, positions(most + 1, 2100)).is_err());
    let free = m.recycle(9, at, positions(1100 + most, 2100));
    assert!(free.is_ok());
}

#[test]
fn what_moved_in_the_epoch_before_the_last_is_forgotten() {
    let step = 1 << 28;
    let mut at = positions(0, 0);
    let mut m = Movement::first(0, at);
    // Seven steps in epoch 0: the eighth would be half of the space.
    for _ in 0..7 {
        let to = positions(at.peer.0 + step, at.own.0);
        m = m.recycle(0, at, to).unwrap();
        at = to;
    }
    let to = positions(at.peer.0 + step, at.own.0);
    let refused = m.recycle(0, at, to).unwrap_err();
    assert_eq!((refused.space, refused.epoch), (Space::Peer, 2));
    assert!(m.recycle(1, at, to).is_err());
    m = m.recycle(2, at, to).unwrap();
    // It stood at seven steps when the last epoch began.
    for n in 0..6 {
        at = positions(8 * step + n * step, 0);
        m = m.recycle(2, at, positions(at.peer.0 + step, 0)).unwrap();
    }
}

proptest! {
    #[test]
    fn what_is_packed_is_unpacked(epoch: u64, marks in any::<[u32; 4]>()) {
        let [a, b, c, d] = marks.map(|m| m & UNIT_MASK);
        let peer = Marks { before: a, current: b };
        let own = Marks { before: c, current: d };
        let m = Movement::pack(epoch, peer, own);
        prop_assert_eq!(m.unpack(), (peer, own));
        prop_assert_eq!(m.age(epoch), 0);
        prop_assert_eq!(m.age(epoch + 3), 3);
        prop_assert_eq!(Movement::from_bits(m.bits()), m);
    }

    /// Against an exact record of every number used: what is allowed never takes a space
    /// 2^31 or more from a number used within the last MSL; and what is refused would come to within
    /// a unit of it, looking back over two epochs, and is allowed at the time that was told.
    #[test]
    fn never_beyond_the_limit(
        start: (u32, u32),
        lives in prop::collection::vec(
            (0u64..25, 0u64..25, 0u32..1 << 24, prop_oneof![0u32..1 << 20, 0u32..(1 << 31)], any::<bool>()),
            1..80,
        ),
    ) {
        let epochs = Epochs::new(10, 20);
        let msl = 10_000_000u64;
        // (when, number) of the peer's space, not wrapped.
        let mut used: VecDeque<(u64, u64)> = VecDeque::new();
        let mut now = 1_000_000_000u64;
        let mut peer = u64::from(start.0);
        let own = Seq(start.1);
        let seq = |n: u64| Seq(n as u32);
        let mut began = peer;
        let mut movement = None;
        for (life_ms, rest_ms, len, step, retry) in lives {
            // The incarnation uses its numbers from its beginning to its end.
            used.push_back((now, began));
            now += life_ms * 1_000_000;
            peer = began + u64::from(len) + 2;
            used.push_back((now, peer));
            let at = Positions { peer: seq(peer), own };
            let began_at = Positions { peer: seq(began), own };
            let epoch = epochs.at(Instant::from_nanos(now));
            let m = match movement {
                None => Movement::first(epoch, began_at),
                Some(m) => Movement::ended(m, epoch, began_at),
            };
            now += rest_ms * 1_000_000;
            let mut to = peer + u64::from(step);
            let epoch = epochs.at(Instant::from_nanos(now));
            let mut next = m.recycle(epoch, at, Positions { peer: seq(to), own });
            if let Err(refused) = next {
                // Not without need: from the oldest position of two epochs on it is nearly too far.
                let since = epochs.start(epoch.saturating_sub(1)).as_nanos();
                let oldest = used.iter().rposition(|&(at, _)| at < since).unwrap_or(0);
                // An incarnation that spans epochs counts from its beginning.
                let from = used[oldest - oldest % 2].1;
                prop_assert!(to - from + (1 << UNIT_SHIFT) >= u64::from(LIMIT), "{} {}", to, from);
                if retry {
                    now = epochs.start(refused.epoch).as_nanos();
                } else {
                    to = peer + 1;
                }
                let epoch = epochs.at(Instant::from_nanos(now));
                next = m.recycle(epoch, at, Positions { peer: seq(to), own });
                if next.is_err() {
                    prop_assert!(!retry, "refused at the time that was told");
                    // Rest until everything is forgotten.
                    now += 3 * msl;
                    let epoch = epochs.at(Instant::from_nanos(now));
                    next = m.recycle(epoch, at, Positions { peer: seq(to), own });
                }
            }
            movement = Some(next.expect("rested"));
            for &(at, number) in &used {
                if at + msl > now {
                    prop_assert!(to - number < u64::from(LIMIT), "{} {}", to, number);
                }
            }
            began = to;
        }
    }
}

#[test]
fn what_is_not_known_waits_until_it_is_past() {
    for at in [
        positions(0, 0),
        positions(u32::MAX, 1 << 25),
        positions(12_345, 1 << 31),
    ] {
        let m = Movement::unknown(7, at);
        for epoch in [7, 8] {
            let exceeded = m.recycle(epoch, at, at).unwrap_err();
            assert_eq!(
                exceeded,
                Exceeded {
                    space: Space::Peer,
                    epoch: 9
                }
            );
            assert!(m.own(epoch, at.own) >= LIMIT);
            // Nor does an incarnation that begins with it make it known.
            for far in [1 << UNIT_SHIFT, 1 << 30, (1 << 31) - (1 << UNIT_SHIFT) - 1] {
                let end = Positions {
                    peer: at.peer + far,
                    own: at.own + far,
                };
                assert!(m.ended(7, at).recycle(epoch, end, end).is_err(), "{far}");
            }
        }
        let free = m.recycle(9, at, at).unwrap();
        assert!(free.own(9, at.own) < 1 << UNIT_SHIFT);
    }
}

proptest! {
    /// By the epochs of another socket a space has moved at least as far, for two of those.
    #[test]
    fn the_count_outlasts_a_change_of_epochs(
        steps in prop::collection::vec((0u64..3, 0u32..1 << 28), 1..8),
        other in 0u64..1000,
    ) {
        let mut epoch = 20;
        let mut at = positions(3, 5);
        let mut m = Movement::first(epoch, at);
        for (later, step) in steps {
            epoch += later;
            let to = positions(at.peer.0.wrapping_add(step), at.own.0.wrapping_add(step / 2));
            if let Ok(next) = m.recycle(epoch, at, to) {
                (m, at) = (next, to);
            }
        }
        let ended = m.ended(epoch, at);
        let changed = ended.in_epochs_of_another(other);
        for age in [0, 1] {
            prop_assert!(changed.own(other + age, at.own) >= ended.own(epoch, at.own));
        }
        prop_assert!(changed.own(other + 2, at.own) == 0);
    }
}
