use super::*;

const A: Ip = Ip::v4([192, 0, 2, 1]);
const B: Ip = Ip::v4([192, 0, 2, 2]);
const MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);

fn at(ms: u64) -> Instant {
    Instant::from_millis(ms)
}

/// Returns how many have failed.
fn advance(n: &mut Neighbors, now: Instant) -> usize {
    n.advance(now);
    core::iter::from_fn(|| n.next_failed()).count()
}

#[test]
fn asks_three_times_then_fails_then_asks_again() {
    let mut n = Neighbors::new(4, Keyed::new(1, 2));
    let id = n.acquire(A, at(0)).unwrap();
    assert_eq!(n.resolve(id, at(0)), Resolution::Pending);
    for ms in [0, 1000, 2000] {
        assert_eq!(advance(&mut n, at(ms)), 0);
        assert_eq!(n.next_solicit(), Some(Solicit { ip: A, to: None }));
        assert_eq!(n.next_solicit(), None);
    }
    assert_eq!(advance(&mut n, at(3000)), 1);
    assert_eq!(n.resolve(id, at(3500)), Resolution::Failed);
    assert_eq!(n.resolve(id, at(4000)), Resolution::Pending);
    assert_eq!(n.next_solicit(), Some(Solicit { ip: A, to: None }));
    assert_eq!(n.learn(A, MAC, false, at(4001)), Learned::Resolved(id));
    assert_eq!(n.resolve(id, at(4001)), Resolution::Known(MAC));
}

#[test]
fn a_used_neighbor_is_probed_by_unicast_and_stays_usable() {
    let mut n = Neighbors::new(4, Keyed::new(1, 2));
    n.learn(A, MAC, true, at(0));
    let id = n.acquire(A, at(1)).unwrap();
    advance(&mut n, at(30_000));
    assert_eq!(
        n.next_solicit(),
        Some(Solicit {
            ip: A,
            to: Some(MAC)
        })
    );
    assert_eq!(n.resolve(id, at(30_001)), Resolution::Known(MAC));
    assert_eq!(n.learn(A, MAC, false, at(30_002)), Learned::Known);
    advance(&mut n, at(31_000));
    assert_eq!(n.next_solicit(), None);
    // Silence: two more requests, the last to everybody, then failure.
    advance(&mut n, at(60_002));
    assert_eq!(
        n.next_solicit(),
        Some(Solicit {
            ip: A,
            to: Some(MAC)
        })
    );
    advance(&mut n, at(61_002));
    assert_eq!(
        n.next_solicit(),
        Some(Solicit {
            ip: A,
            to: Some(MAC)
        })
    );
    advance(&mut n, at(62_002));
    assert_eq!(n.next_solicit(), Some(Solicit { ip: A, to: None }));
    assert_eq!(advance(&mut n, at(63_002)), 1);
    assert_eq!(n.resolve(id, at(63_003)), Resolution::Failed);
}

#[test]
fn a_neighbor_that_rested_unused_is_verified_when_it_is_used_again() {
    let mut n = Neighbors::new(4, Keyed::new(1, 2));
    n.learn(A, MAC, true, at(0));
    advance(&mut n, at(30_000));
    assert_eq!(n.next_solicit(), None);
    let id = n.acquire(A, at(100_000)).unwrap();
    assert_eq!(n.resolve(id, at(100_000)), Resolution::Known(MAC));
    assert_eq!(n.deadline(), at(100_000));
    assert_eq!(advance(&mut n, at(100_000)), 0);
    let asked = Solicit {
        ip: A,
        to: Some(MAC),
    };
    assert_eq!(n.next_solicit(), Some(asked));
    assert_eq!(n.resolve(id, at(100_000)), Resolution::Known(MAC));
    // One more user while it is being asked changes nothing.
    n.acquire(A, at(100_100)).unwrap();
    advance(&mut n, at(100_100));
    assert_eq!(n.next_solicit(), None);
    for (ms, failed) in [(101_000, 0), (102_000, 0), (103_000, 1)] {
        assert_eq!(advance(&mut n, at(ms)), failed);
    }
}

#[test]
fn unused_neighbors_are_forgotten_or_give_way() {
    let mut n = Neighbors::new(1, Keyed::new(1, 2));
    n.learn(A, MAC, true, at(0));
    assert_eq!(n.learn(B, MAC, true, at(1)), Learned::Known);
    let id = n.acquire(B, at(2)).unwrap();
    assert_eq!(n.learn(A, MAC, true, at(3)), Learned::Full);
    assert!(n.acquire(A, at(3)).is_none());
    n.release(id);
    assert_eq!(n.users(), 0);
    advance(&mut n, at(30_001));
    advance(&mut n, at(630_002));
    assert_eq!(n.learn(B, MAC, false, at(630_003)), Learned::Ignored);
}

#[test]
fn nobody_asked_nobody_learns() {
    let mut n = Neighbors::new(4, Keyed::new(1, 2));
    assert_eq!(n.learn(A, MAC, false, at(0)), Learned::Ignored);
}

#[test]
fn a_failed_neighbor_is_forgotten_when_its_last_user_goes() {
    let mut n = Neighbors::new(4, Keyed::new(1, 2));
    let id = n.acquire(A, at(0)).unwrap();
    for ms in [1000, 2000, 3000, 4000, 5000] {
        advance(&mut n, at(ms));
    }
    assert_eq!(n.resolve(id, at(3001)), Resolution::Failed);
    n.release(id);
    advance(&mut n, at(5001));
    assert_eq!(n.deadline(), Instant::ZERO, "requests to fetch");
    while n.next_solicit().is_some() {}
    assert_eq!(n.deadline(), Instant::FAR_FUTURE);
    assert_eq!(n.learn(A, MAC, false, at(5002)), Learned::Ignored);
}

#[test]
fn of_those_without_users_the_one_heard_of_longest_ago_gives_way() {
    let ip = |n| Ip::v4([192, 0, 2, n]);
    let mut n = Neighbors::new(3, Keyed::new(1, 2));
    for (ms, host) in [(0, 1), (1, 2), (2, 3), (3, 1)] {
        n.learn(ip(host), MAC, true, at(ms));
    }
    let used = n.acquire(ip(2), at(4)).unwrap();
    n.learn(ip(4), MAC, true, at(5));
    assert_eq!(n.learn(ip(3), MAC, false, at(6)), Learned::Ignored);
    for host in [1, 2, 4] {
        assert_eq!(n.learn(ip(host), MAC, false, at(6)), Learned::Known);
    }
    n.release(used);
}
