//! Text that comes in any order, whole, in pieces and overlapping, is delivered once and in order,
//! and every segment is answered with what is missing next (RFC 9293 3.10.7.4, seventh step; RFC 5681
//! 4.2).

use crate::packet::{ACK, FIN, PSH};
use crate::rig::{BARE, Conn, PEER_PORT, Rig, stream};

/// What the peer has sent of a stream of `len` bytes, and a FIN after it.
struct Model {
    have: Vec<bool>,
    fin: bool,
}

impl Model {
    /// How many bytes are there without a gap, and whether the FIN follows them.
    fn next(&self) -> (usize, bool) {
        let n = self.have.iter().take_while(|h| **h).count();
        (n, self.fin && n == self.have.len())
    }
}

fn permutations(n: usize) -> Vec<Vec<usize>> {
    if n == 0 {
        return vec![vec![]];
    }
    let mut all = Vec::new();
    for shorter in permutations(n - 1) {
        for place in 0..n {
            let mut longer = shorter.clone();
            longer.insert(place, n - 1);
            all.push(longer);
        }
    }
    all
}

/// A segment: first byte, byte after the last, FIN.
type Piece = (usize, usize, bool);

fn deliver(rig: &mut Rig, c: &mut Conn, pieces: &[Piece], order: &[usize], reads: bool) {
    let len = pieces.iter().map(|p| p.1).max().unwrap();
    let first = c.seq;
    let mut model = Model {
        have: vec![false; len],
        fin: false,
    };
    let mut read = Vec::new();
    for &i in order {
        let (from, to, fin) = pieces[i];
        let seq = first.wrapping_add(from as u32);
        let flags = ACK | PSH | if fin { FIN } else { 0 };
        let seg = rig.segment(c, flags, seq, c.ack, &stream(seq, to - from));
        rig.input(&seg);
        model.have[from..to].fill(true);
        model.fin |= fin;
        let out = rig.heard(c);
        let (n, ended) = model.next();
        let next = first.wrapping_add(n as u32 + u32::from(ended));
        let acks: Vec<u32> = out.iter().map(|s| s.ack).collect();
        assert_eq!(acks, [next], "{pieces:?} in the order {order:?}, at {i}");
        if reads {
            read.extend(rig.read(c).unwrap_or_default());
            rig.heard(c);
            assert_eq!(read.len(), n);
        }
    }
    read.extend(rig.read(c).unwrap_or_default());
    assert_eq!(
        read,
        stream(first, len),
        "{pieces:?} in the order {order:?}"
    );
    assert_eq!(rig.read(c), Ok(vec![]), "the end");
}

fn every_order(pieces: &[Piece]) {
    let orders = permutations(pieces.len());
    for reads in [true, false] {
        for some in orders.chunks(400) {
            let mut rig = Rig::new(BARE);
            for (i, order) in some.iter().enumerate() {
                let mut c = rig.established(PEER_PORT + i as u16);
                deliver(&mut rig, &mut c, pieces, order, reads);
            }
        }
    }
}

#[test]
fn adjacent_segments_in_every_order() {
    every_order(&[
        (0, 100, false),
        (100, 101, false),
        (101, 900, false),
        (900, 1500, false),
        (1500, 1600, false),
        (1600, 1700, true),
    ]);
}

#[test]
fn overlapping_segments_in_every_order() {
    every_order(&[
        (0, 300, false),
        (200, 500, false),
        (100, 400, false),
        (450, 900, false),
        (900, 1000, false),
        (850, 1000, true),
    ]);
}

#[test]
fn segments_within_and_around_each_other_in_every_order() {
    every_order(&[
        (0, 1000, false),
        (100, 200, false),
        (50, 700, false),
        (300, 301, false),
        (600, 1200, false),
        (1200, 1200, true),
    ]);
}

#[test]
fn duplicates_in_every_order() {
    every_order(&[
        (0, 500, false),
        (0, 500, false),
        (500, 1000, false),
        (500, 1000, false),
        (1000, 1500, true),
        (1000, 1500, true),
    ]);
}

#[test]
fn seven_single_bytes_in_every_order() {
    let mut pieces: Vec<Piece> = (0..7).map(|i| (i, i + 1, false)).collect();
    pieces[6].2 = true;
    every_order(&pieces);
}

#[test]
fn old_text_with_new_is_taken_from_where_it_is_new() {
    let mut rig = Rig::new(BARE);
    let mut c = rig.established(PEER_PORT);
    let first = c.seq;
    rig.send_text(&mut c, 500);
    assert_eq!(rig.heard_one(&mut c).ack, first.wrapping_add(500));
    let seg = rig.segment(
        &c,
        ACK,
        first.wrapping_add(200),
        c.ack,
        &stream(first.wrapping_add(200), 600),
    );
    rig.input(&seg);
    assert_eq!(rig.heard_one(&mut c).ack, first.wrapping_add(800));
    assert_eq!(rig.read(&c), Ok(stream(first, 800)));
}

#[test]
fn what_is_acknowledged_stays_as_it_is() {
    let mut rig = Rig::new(BARE);
    let mut c = rig.established(PEER_PORT);
    let first = c.seq;
    rig.send_text(&mut c, 200);
    rig.heard_one(&mut c);
    let forged = rig.segment(&c, ACK, first.wrapping_add(100), c.ack, &[0xff; 100]);
    rig.input(&forged);
    assert_eq!(rig.heard_one(&mut c).ack, c.seq);
    assert_eq!(rig.read(&c), Ok(stream(first, 200)));
}

#[test]
fn the_far_edge_of_the_window_is_held() {
    let mut rig = Rig::new(&BARE.replace("rcvbuf=8000", "rcvbuf=65535"));
    let mut c = rig.established(PEER_PORT);
    let first = c.seq;
    let edge = first.wrapping_add(65_535);
    let last = rig.segment(
        &c,
        ACK,
        edge.wrapping_sub(100),
        c.ack,
        &stream(edge.wrapping_sub(100), 100),
    );
    rig.input(&last);
    assert_eq!(rig.heard_one(&mut c).ack, first);
    for at in (0..65_435).step_by(1460) {
        rig.send_text(&mut c, 1460.min(65_435 - at));
    }
    let out = rig.heard(&mut c);
    assert_eq!(out.last().unwrap().ack, edge);
    assert_eq!(rig.read(&c), Ok(stream(first, 65_535)));
}

#[test]
fn fifteen_segments_in_any_order() {
    // Seven gaps at most, which are as many as are held; a few hundred of the orders.
    let mut dice = 1u64;
    let mut orders = Vec::new();
    for _ in 0..400 {
        let mut order: Vec<usize> = (0..15).collect();
        for i in (1..15).rev() {
            dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            order.swap(i, (dice >> 33) as usize % (i + 1));
        }
        orders.push(order);
    }
    let pieces: Vec<Piece> = (0..15).map(|i| (i * 50, i * 50 + 50, i == 14)).collect();
    let mut rig = Rig::new(BARE);
    for (i, order) in orders.iter().enumerate() {
        let mut c = rig.established(PEER_PORT + i as u16);
        deliver(&mut rig, &mut c, &pieces, order, i % 2 == 0);
    }
}
