use super::*;

fn anchor(side: Side, ip: Ip, port: u16) -> Anchor {
    Anchor {
        side,
        ip,
        port,
        class: ClassId(0),
        fin_wait2_class: ClassId(0),
        fin_wait2_recycled_class: ClassId(0),
        window: 65_535,
        window_shift: 0,
    }
}

fn tuple(local: [u8; 4], local_port: u16, remote: [u8; 4], remote_port: u16) -> FourTuple {
    FourTuple {
        local: Ip::v4(local),
        remote: Ip::v4(remote),
        local_port,
        remote_port,
    }
}

#[test]
fn the_local_socket_comes_first_and_the_tuple_comes_back() {
    let (us, them) = ([10, 0, 0, 1], [10, 0, 0, 2]);
    let mut anchors = Anchors::new();
    let destination = anchors.add(anchor(Side::Remote, Ip::v4(them), 80)).unwrap();
    let listener = anchors.add(anchor(Side::Local, Ip::v4(us), 80)).unwrap();
    assert_eq!((destination.index(), listener.index()), (0, 1));

    let passive = tuple(us, 80, them, 80);
    let (id, ip, port) = anchors.resolve(&passive).unwrap();
    assert_eq!((id, ip, port), (listener, Ip::v4(them), 80));
    assert_eq!(anchors.tuple(id, ip, port), Some(passive));

    let active = tuple(us, 40_000, them, 80);
    let (id, ip, port) = anchors.resolve(&active).unwrap();
    assert_eq!((id, ip, port), (destination, Ip::v4(us), 40_000));
    assert_eq!(anchors.tuple(id, ip, port), Some(active));

    assert_eq!(anchors.resolve(&tuple(us, 81, them, 81)), None);
    assert_eq!(anchors.tuple(AnchorId(2), ip, port), None);
}

#[test]
fn a_socket_keeps_the_anchors_that_it_had() {
    let mut anchors = Anchors::new();
    let ip = Ip::v4([10, 0, 0, 1]);
    let a = anchor(Side::Local, ip, 80);
    let first = anchors.add(a).unwrap();
    let second = anchors.add(Anchor { window: 1, ..a }).unwrap();
    let third = anchors.add(Anchor { window: 2, ..a }).unwrap();
    let other = Anchor {
        side: Side::Remote,
        ..a
    };
    let other = anchors.add(other).unwrap();
    assert_eq!(anchors.len(), 4);
    assert_eq!(anchors.find(Side::Local, ip, 80), Some(first));
    let all = |anchors: &Anchors| anchors.of(Side::Local, ip, 80).collect::<Vec<_>>();
    assert_eq!(all(&anchors), [first, third, second]);
    let window = |id| anchors.get(id).unwrap().window;
    assert_eq!([first, second, third].map(window), [65_535, 1, 2]);
    // The tuple may be of any of them, on either side.
    let tuple = tuple([10, 0, 0, 1], 80, [10, 0, 0, 1], 80);
    let candidates: Vec<_> = anchors.candidates(&tuple).map(|c| c.0).collect();
    assert_eq!(candidates, [first, third, second, other]);
    // The middle, the first and the last are taken out.
    anchors.unlink(third.0);
    assert_eq!(all(&anchors), [first, second]);
    anchors.unlink(first.0);
    assert_eq!(all(&anchors), [second]);
    assert_eq!(anchors.find(Side::Local, ip, 80), Some(second));
    anchors.unlink(second.0);
    assert_eq!(all(&anchors), []);
    assert_eq!(anchors.find(Side::Remote, ip, 80), Some(other));
}

#[test]
fn the_last_number_is_not_given_away() {
    let mut anchors = Anchors::new();
    for port in 0..=ANCHOR_MASK {
        let added = anchors.add(anchor(Side::Local, Ip::v4([10, 0, 0, 1]), port));
        if port == ANCHOR_MASK {
            assert_eq!(added, Err(AnchorError::Full));
        } else {
            assert_eq!(added.unwrap().index(), usize::from(port));
        }
    }
    for port in [0, 1, 77, ANCHOR_MASK - 1] {
        let found = anchors.find(Side::Local, Ip::v4([10, 0, 0, 1]), port);
        assert_eq!(found, Some(AnchorId(port)));
    }
}

#[test]
fn the_window_field_is_scaled_and_saturates() {
    let window = |window, window_shift| {
        Anchor {
            window,
            window_shift,
            ..anchor(Side::Local, Ip::v4([10, 0, 0, 1]), 80)
        }
        .window_field()
    };
    assert_eq!(window(65_535, 0), 65_535);
    assert_eq!(window(65_536, 0), 65_535);
    assert_eq!(window(1 << 20, 7), 8192);
    assert_eq!(window(u32::MAX, 255), 0);
}
