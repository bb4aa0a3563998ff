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
    assert_eq!(
        n.learn(A, Some(MAC), ANSWER, false, at(4001)),
        Learned::Resolved(id)
    );
    assert_eq!(n.resolve(id, at(4001)), Resolution::Known(MAC));
}

const ANSWER: News = News::Advertisement {
    solicited: true,
    replace: true,
};

fn asked(ip: Ip, to: Option<MacAddr>) -> Option<Solicit> {
    Some(Solicit { ip, to })
}

/// With one reachable neighbour, from time 0 on.
fn reachable() -> (Neighbors, NeighborId) {
    let mut n = Neighbors::new(4, Keyed::new(1, 2));
    let id = n.acquire(A, at(0)).unwrap();
    assert_eq!(n.next_solicit(), asked(A, None));
    let learned = n.learn(A, Some(MAC), ANSWER, false, at(0));
    assert_eq!(learned, Learned::Resolved(id));
    (n, id)
}

#[test]
fn a_used_neighbor_is_probed_by_unicast_and_stays_usable() {
    let (mut n, id) = reachable();
    assert_eq!(n.resolve(id, at(29_000)), Resolution::Known(MAC));
    advance(&mut n, at(36_000));
    assert_eq!(n.next_solicit(), None, "nobody sent anything");
    assert_eq!(n.resolve(id, at(40_000)), Resolution::Known(MAC));
    advance(&mut n, at(44_999));
    assert_eq!(n.next_solicit(), None);
    // Silence: three requests, the last to everybody, then failure.
    for (ms, to) in [(45_000, Some(MAC)), (46_000, Some(MAC)), (47_000, None)] {
        assert_eq!(advance(&mut n, at(ms)), 0);
        assert_eq!(n.next_solicit(), asked(A, to));
        assert_eq!(n.resolve(id, at(ms)), Resolution::Known(MAC));
    }
    assert_eq!(advance(&mut n, at(48_000)), 1);
    assert_eq!(n.resolve(id, at(48_001)), Resolution::Failed);
    assert!(!n.wants_confirmation());
}

#[test]
fn a_doubted_neighbor_is_asked_at_once_and_everybody_in_the_end() {
    let (mut n, id) = reachable();
    n.doubt(id, at(100));
    n.doubt(id, at(101));
    assert_eq!(n.next_solicit(), asked(A, Some(MAC)));
    assert_eq!(n.next_solicit(), None);
    assert_eq!(n.resolve(id, at(102)), Resolution::Known(MAC));
    // It answers, and is not asked again within the second.
    n.learn(A, Some(MAC), ANSWER, false, at(103));
    n.doubt(id, at(1_099));
    assert_eq!(n.next_solicit(), None);
    n.doubt(id, at(1_100));
    assert_eq!(n.next_solicit(), asked(A, Some(MAC)));
    for (ms, to) in [(2_100, Some(MAC)), (3_100, None)] {
        assert_eq!(advance(&mut n, at(ms)), 0);
        assert_eq!(n.next_solicit(), asked(A, to));
        n.doubt(id, at(ms + 1));
        assert_eq!(n.next_solicit(), None, "it is being asked");
    }
    assert_eq!(advance(&mut n, at(4_100)), 1);
    n.doubt(id, at(4_101));
    assert_eq!(n.resolve(id, at(4_101)), Resolution::Failed);
}

#[test]
fn an_answer_or_an_upper_layer_confirms() {
    for by_answer in [false, true] {
        let (mut n, id) = reachable();
        n.confirm(id, at(20_000));
        assert!(!n.wants_confirmation());
        advance(&mut n, at(30_000));
        n.resolve(id, at(30_000));
        assert!(n.wants_confirmation());
        if by_answer {
            n.learn(A, None, ANSWER, false, at(31_000));
        } else {
            n.confirm(id, at(31_000));
        }
        assert!(!n.wants_confirmation());
        n.resolve(id, at(60_999));
        assert!(!n.wants_confirmation());
        advance(&mut n, at(61_000));
        n.resolve(id, at(61_000));
        assert!(n.wants_confirmation());
    }
}

#[test]
fn what_was_claimed_is_used_and_verified() {
    let mut n = Neighbors::new(4, Keyed::new(1, 2));
    n.learn(A, Some(MAC), News::Claim, true, at(0));
    advance(&mut n, at(30_000));
    assert_eq!(n.next_solicit(), None);
    let id = n.acquire(A, at(100_000)).unwrap();
    assert_eq!(n.resolve(id, at(100_000)), Resolution::Known(MAC));
    advance(&mut n, at(105_000));
    assert_eq!(n.next_solicit(), asked(A, Some(MAC)));
    // One more user while it is being asked changes nothing.
    n.acquire(A, at(105_100)).unwrap();
    advance(&mut n, at(105_100));
    assert_eq!(n.next_solicit(), None);
    for (ms, failed) in [(106_000, 0), (107_000, 0), (108_000, 1)] {
        assert_eq!(advance(&mut n, at(ms)), failed);
    }
}

#[test]
fn advertisements_override_as_they_say() {
    const OTHER: MacAddr = MacAddr([2, 0, 0, 0, 0, 7]);
    let advertisement = |solicited, replace| News::Advertisement { solicited, replace };
    // Flags S and O, whether the address differs: the address then, and whether it is believed.
    for (solicited, replace, mac, then, believed) in [
        (false, false, Some(OTHER), MAC, false),
        (true, false, Some(OTHER), MAC, false),
        (false, true, Some(OTHER), OTHER, false),
        (true, true, Some(OTHER), OTHER, true),
        (false, true, Some(MAC), MAC, true),
        (false, false, None, MAC, true),
        (true, false, None, MAC, true),
    ] {
        let (mut n, id) = reachable();
        let news = advertisement(solicited, replace);
        assert_eq!(n.learn(A, mac, news, false, at(1)), Learned::Known);
        let what = format!("{news:?} {mac:?}");
        assert_eq!(n.resolve(id, at(1)), Resolution::Known(then), "{what}");
        assert_eq!(n.wants_confirmation(), !believed, "{what}");
    }
    // Without an address there is nothing to resolve with, whatever the flags.
    let mut n = Neighbors::new(4, Keyed::new(1, 2));
    let id = n.acquire(A, at(0)).unwrap();
    assert_eq!(n.learn(A, None, ANSWER, false, at(1)), Learned::Ignored);
    assert_eq!(n.resolve(id, at(1)), Resolution::Pending);
    // An unsolicited one resolves, but proves nothing.
    let unsolicited = advertisement(false, false);
    let learned = n.learn(A, Some(OTHER), unsolicited, false, at(2));
    assert_eq!(learned, Learned::Resolved(id));
    assert_eq!(n.resolve(id, at(2)), Resolution::Known(OTHER));
    assert!(n.wants_confirmation());
}

#[test]
fn ipv6_waits_until_our_own_addresses_are_verified() {
    const SIX: Ip = Ip::v6([0xfd; 16]);
    let mut n = Neighbors::new(4, Keyed::new(1, 2));
    n.hold_v6();
    let id = n.acquire(SIX, at(0)).unwrap();
    n.acquire(A, at(0)).unwrap();
    assert_eq!(n.next_solicit(), asked(A, None));
    assert_eq!(n.next_solicit(), None);
    advance(&mut n, at(900));
    assert_eq!(n.resolve(id, at(900)), Resolution::Pending);
    n.release_v6(at(1_000));
    assert_eq!(n.next_solicit(), asked(SIX, None));
    assert_eq!(n.next_solicit(), None);
}

#[test]
fn unused_neighbors_are_forgotten_or_give_way() {
    let mut n = Neighbors::new(1, Keyed::new(1, 2));
    n.learn(A, Some(MAC), News::Claim, true, at(0));
    assert_eq!(
        n.learn(B, Some(MAC), News::Claim, true, at(1)),
        Learned::Known
    );
    let id = n.acquire(B, at(2)).unwrap();
    assert_eq!(
        n.learn(A, Some(MAC), News::Claim, true, at(3)),
        Learned::Full
    );
    assert!(n.acquire(A, at(3)).is_none());
    n.release(id);
    assert_eq!(n.users(), 0);
    advance(&mut n, at(30_001));
    advance(&mut n, at(630_002));
    assert_eq!(
        n.learn(B, Some(MAC), News::Claim, false, at(630_003)),
        Learned::Ignored
    );
}

#[test]
fn nobody_asked_nobody_learns() {
    let mut n = Neighbors::new(4, Keyed::new(1, 2));
    assert_eq!(
        n.learn(A, Some(MAC), News::Claim, false, at(0)),
        Learned::Ignored
    );
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
    assert_eq!(
        n.learn(A, Some(MAC), News::Claim, false, at(5002)),
        Learned::Ignored
    );
}

#[test]
fn of_those_without_users_the_one_heard_of_longest_ago_gives_way() {
    let ip = |n| Ip::v4([192, 0, 2, n]);
    let mut n = Neighbors::new(3, Keyed::new(1, 2));
    for (ms, host) in [(0, 1), (1, 2), (2, 3), (3, 1)] {
        n.learn(ip(host), Some(MAC), News::Claim, true, at(ms));
    }
    let used = n.acquire(ip(2), at(4)).unwrap();
    n.learn(ip(4), Some(MAC), News::Claim, true, at(5));
    assert_eq!(
        n.learn(ip(3), Some(MAC), News::Claim, false, at(6)),
        Learned::Ignored
    );
    for host in [1, 2, 4] {
        assert_eq!(
            n.learn(ip(host), Some(MAC), News::Claim, false, at(6)),
            Learned::Known
        );
    }
    n.release(used);
}
